"""Pages that continue after the last row's key, `WHERE id > :after ORDER BY id LIMIT 50`, and views that page in one way or the other."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from backendlint.api import ColumnUse, Location, Project, SqlStatement

CURSORS = ("rest_framework.pagination.CursorPagination",)


def keysets(project: Project) -> Iterator[Location]:
    """Where the project pages so: in its SQL, its ORM's queries and its views."""
    for statement in project.data.statements:
        text = statement.text.upper()
        if "LIMIT" in text and "ORDER" in text and "OFFSET" not in text and _continues(statement):
            yield statement.location()
    yield from (use.location for use in project.data.uses if _is_key(project, use))
    yield from paging_views(project, CURSORS)


def paging_views(project: Project, classes: tuple[str, ...]) -> Iterator[Location]:
    """`pagination_class = Newest` of views, where that is one of these classes or inherits from one."""
    for view in project.classes.values():
        vid = view.facts.attributes.get("pagination_class", -1)
        for ref in project.refs(view.owner, vid) if vid >= 0 else ():
            own = project.classes.get(ref.name) if ref.kind == "class" else None
            known = any(project.hierarchy.is_a(own, name) for name in classes) if own else ref.name in classes
            if known:
                yield view.owner.location(view.facts.field_spans["pagination_class"])


def _continues(statement: SqlStatement) -> bool:
    """Whether a column, or the first of several, is compared with what is passed, and the rows come in its order."""
    for select in statement.tree.find_all(exp.Select) if statement.tree is not None else ():
        where, order = select.args.get("where"), select.args.get("order")
        ordered = {column.name for column in order.find_all(exp.Column)} if where and order else set()
        for test in where.find_all(exp.GT, exp.LT) if where and ordered else ():
            column, given = test.this.find(exp.Column), test.expression
            varies = not isinstance(given, exp.Literal) and given.find(exp.Column) is None
            if column is not None and column.name in ordered and varies:
                return True
    return False


def _is_key(project: Project, use: ColumnUse) -> bool:
    """The same of an ORM's query, by the table's primary key."""
    if use.how != "range" or use.table.primary_key != (use.column.name,):
        return False
    orders = (other for other in project.data.uses_in(use.fn) if other.how == "order" and other.table is use.table)
    return use.fn.const(use.value) is ... and any(other.column is use.column for other in orders)
