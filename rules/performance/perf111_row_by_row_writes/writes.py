"""Calls that write one row."""

from __future__ import annotations

import re

from backendlint.api import Call, Edge, Fn, Project, Query, certain, given

MAX_CHAIN = 20
MANY_ROWS = re.compile(r"^\s*INSERT\b.*\bSELECT\b|\bWHERE\b.*\bIN\s*\(|;\s*[A-Z]", re.IGNORECASE | re.DOTALL)
"""Statements that write what another gives, or a group of rows; several statements."""


def stores(project: Project, query: Query) -> bool:
    """Whether the query writes rows: by an ORM's operation, or by a statement that is known to (DDL is none)."""
    if query.kind != "write" or query.model.sql is None:
        return query.kind == "write"
    return any(write.call is query.call for write in project.writes.direct(query.fn))


def is_bulk(project: Project, fn: Fn, query: Query) -> bool:
    """Whether one call writes many rows: a bulk operation, `execute(statement, rows)`, or `INSERT ... SELECT`."""
    if query.call is not None and MANY_ROWS.search(project.queries.text(fn, query.call)):
        return True
    if query.model.sql is not None and query.model.sql.role == "many":
        return True
    if query.call is not None and _grouped(project, fn, query.call):
        return True
    if query.model.library == "sqlalchemy" and query.call is not None and len(query.call.args) > 1:
        return bool(fn.facts.values[query.call.args[1]][0] not in ("dict", "elem", "unpack"))
    return query.model.orm is not None and query.model.orm.bulk and query.model.orm.op not in ("update", "delete")


def _grouped(project: Project, fn: Fn, call: Call) -> bool:
    """`filter(id__in=ids).update(...)`, `where(Order.id.in_(ids))`, `Order.insert_many(rows).execute()`: many rows at once, one
    group an item."""
    todo, seen = [call.func, *call.args[:1]], 0
    while todo and seen < MAX_CHAIN:
        seen += 1
        value = fn.facts.values[todo.pop()]
        if value[:2] == ("binop", "<<"):  # peewee's IN
            return True
        if value[0] in ("attr", "guard", "await"):
            todo.append(value[1])
        elif value[0] == "call":
            inner = fn.calls[value[1]]
            if any(key.endswith("__in") for key, _ in inner.kwargs) or fn.callee_name(inner) == "in_":
                return True
            if any(model.orm is not None and model.orm.op == "bulk_create" for model in project.models(fn, inner)):
                return True
            todo += [inner.func, *inner.args]
    return False


def only_write(project: Project, edge: Edge) -> Query | None:
    """The one write of a callee that does little else."""
    found = [item for item in project.queries.sent(edge.callee) if stores(project, item)]
    if (
        len(found) != 1
        or not _reads_alike(project, edge.callee)
        or is_bulk(project, edge.callee, found[0])
        or _other_writes(project, edge.callee)
    ):
        return None
    call = found[0].call
    return found[0] if call is not None and certain(edge.callee, call, given(edge)) else None


def behind_interface(project: Project, edge: Edge) -> bool:
    """Whether the loop may as well reach what writes no row: a cache that keeps its entries in Redis, or in a table."""
    reached = project.graph.implementations(edge)
    return any(only_write(project, item) is None for item in reached if item.kind == "call")


def _reads_alike(project: Project, fn: Fn) -> bool:
    """Whether a function reads nothing, or by calls that are told nothing: the same for each row, and so once for all of them."""
    if project.queries.reason(fn) is None or any(item.kind == "read" for item in project.queries.direct(fn)):
        return project.queries.reason(fn) is None
    reading = (edge for edge in project.graph.callees(fn) if project.queries.reason(edge.callee) is not None)
    return all(
        edge.call is not None and edge.kind == "call" and not edge.call.passed and edge.callee.cls is None
        for edge in reading
    )


def _other_writes(project: Project, fn: Fn) -> bool:
    """`other.save()` of an object whose type nothing tells."""
    for call in fn.calls:
        value = fn.facts.values[call.func]
        if (
            value[0] == "attr"
            and value[2] in ("save", "delete", "update", "delete_instance")
            and not project.callees(fn, call)
        ):
            return True
    return False
