"""Conditions, orders and bulk writes that ORMs make: Django's lookups, SQLAlchemy's and peewee's expressions, by table and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Span, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.schema.django_state import Model, column_name
from backendlint.project.schema.model import Column, Table
from backendlint.project.sqltext.annotations import annotated
from backendlint.project.sqltext.ormtables import Tables
from backendlint.project.sqltext.shared import added, handed_out, narrowed_before
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_FILTERS = frozenset({"filter", "exclude", "get", "get_or_404", "aget", "first", "get_object_or_404"})
_LOOKUPS = frozenset(
    "exact iexact contains icontains startswith istartswith endswith iendswith regex iregex gt gte lt lte range in isnull date year "
    "month day week hour minute second time search trigram_similar contained_by overlap has_key len".split()
)
_HOWS = {
    "exact": "eq",
    "gt": "range",
    "gte": "range",
    "lt": "range",
    "lte": "range",
    "range": "range",
    "isnull": "null",
}
_SORTED = frozenset({"desc", "asc", "label"})
_SHOWING = _SORTED | {"order_by", "case", "group_by", "add_columns", "with_entities", "with_only_columns"}
"""Calls whose arguments (or what they are called on) are no conditions of the query."""
_PEEWEE = frozenset({"get", "get_or_none", "filter"})
"""Methods of peewee's that take columns by keyword."""
_METHODS = frozenset(
    "like ilike contains icontains startswith istartswith endswith iendswith in_ is_ between notlike not_like op desc asc match "
    "regexp_match is_not isnot notin_ not_in".split()
)


@dataclass(frozen=True, slots=True)
class Use:
    """A column's use in a query. `how`: eq, range, in, null, order, column (compared with another one), or Django's lookup /
    SQLAlchemy's method; `function` around it."""

    fn: Fn
    span: Span
    table: Table
    column: Column
    how: str
    value: Vid = -1
    function: str = ""
    framework: str = "sqlalchemy"
    partial: bool = False
    """The same call has conditions that are not known, which may be what finds the rows."""
    query: Span | None = None
    """In Django the call with the lookups; all calls of a chain begin at the same place."""

    @property
    def location(self) -> Location:
        return self.fn.location(self.span)


def uses(project: Project) -> Iterator[Use]:
    """All uses of mapped columns in queries, function by function."""
    tables = Tables(project)
    if not tables.any:
        return
    for fn in project.all_functions():
        if fn.path in project.data.migration_paths:
            continue
        yield from _sqlalchemy(tables, fn)
        yield from _django(tables, fn)


def _sqlalchemy(tables: Tables, fn: Fn) -> Iterator[Use]:
    if not tables.classes:
        return
    facts = fn.facts
    alternatives, shown = _alternatives(fn), _shown(fn)
    comparisons = ((vid, facts.values[vid]) for vid in fn.made_by("compare"))
    compared = [(vid, value) for vid, value in comparisons if len(value[2]) == 2]
    handed = {*handed_out(fn), *added(fn)}
    unknown = any(tables.unmapped(fn, side) for _, value in compared for side in value[2])
    for vid, value in compared:
        partial = unknown or vid in handed
        for use in _compared(tables, fn, vid, value[1][0], value[2][0], value[2][1]):
            how = "or" if vid in alternatives and not use.function else use.how
            yield replace(use, how="shown" if vid in shown else how, partial=partial)
    for call in facts.calls:
        name = fn.callee_name(call)
        if name in _METHODS:
            for use in _method(tables, fn, call, name):
                how = "or" if use.how == "in" and not use.function and call.value in alternatives else use.how
                how = "shown" if call.value in shown and how != "order" else how
                yield replace(use, how=how, partial=use.partial or call.value in handed)
        elif name == "filter_by" or (name in _PEEWEE and call.kwargs):
            yield from _filter_by(tables, fn, call)
        elif name == "order_by":
            for vid in call.args:
                found = tables.mapped(fn, vid)
                if found is not None:
                    yield Use(fn, facts.span_of(vid), *found, "order")


def _alternatives(fn: Fn) -> set[Vid]:
    """Conditions inside `or_(...)`, of which any may hold: no index on one of them finds the rows."""
    found: set[Vid] = set()
    for call in reversed(fn.facts.calls):
        name = fn.callee_name(call)
        if name == "or_" or (name == "and_" and call.value in found):
            found.update(call.args)
    return found


def _shown(fn: Fn) -> set[Vid]:
    """Conditions that find no rows: they are sorted by, or computed for each row that is found."""
    found: set[Vid] = set()
    todo: list[Vid] = []
    for call in fn.facts.calls:
        func = fn.facts.values[call.func]
        name = fn.callee_name(call)
        if name in _SHOWING:
            todo += [*call.args, *((func[1],) if name in _SORTED and func[0] == "attr" else ())]
    while todo:
        vid = todo.pop()
        if vid < 0 or vid in found:
            continue
        found.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "call":
            inner = fn.facts.calls[value[1]]
            func = fn.facts.values[inner.func]
            todo += [*inner.args, *((func[1],) if func[0] == "attr" else ())]
        else:
            todo += operands(value)
    return found


def _compared(tables: Tables, fn: Fn, vid: Vid, operator: str, left: Vid, right: Vid) -> Iterator[Use]:
    how = {"==": "eq", "<": "range", "<=": "range", ">": "range", ">=": "range"}.get(operator)
    if how is None:
        return
    for side, other in ((left, right), (right, left)):
        found = tables.mapped(fn, side)
        if found is not None:
            if tables.mapped(fn, other) is None:
                yield Use(fn, fn.facts.span_of(vid), *found, how, other)
            return
        wrapped = _wrapped(tables, fn, side)
        if wrapped is not None and tables.mapped(fn, other) is None and _wrapped(tables, fn, other) is None:
            yield Use(fn, fn.facts.span_of(vid), *wrapped[0], how, other, wrapped[1])
            return


def _wrapped(tables: Tables, fn: Fn, vid: Vid) -> tuple[tuple[Table, Column], str] | None:
    """`func.lower(Model.column)`, `cast(Model.column, ...)`."""
    value = fn.facts.values[vid]
    if value[0] != "call":
        return None
    call = fn.facts.calls[value[1]]
    name = fn.callee_name(call)
    mapped = [found for argument in call.args if (found := tables.mapped(fn, argument)) is not None]
    plain = all(fn.facts.values[argument][0] in {"const", "name", "attr", "param"} for argument in call.args)
    return (mapped[0], name) if len(mapped) == 1 and plain else None


def _method(tables: Tables, fn: Fn, call: Call, name: str) -> Iterator[Use]:
    func = fn.facts.values[call.func]
    if func[0] == "attr":
        base = func[1]
        found = tables.mapped(fn, base)
        wrapped = None if found is not None else _wrapped(tables, fn, base)
    else:
        owner = str(func[1]).rpartition(".")[0]
        found, wrapped = tables.dotted(fn, owner), None
    how = "order" if name in {"desc", "asc"} else {"in_": "in", "is_": "null", "between": "range"}.get(name, name)
    value = call.args[0] if call.args else -1
    if found is not None:
        yield Use(fn, call.span, *found, how, value)
    elif wrapped is not None:
        yield Use(fn, call.span, *wrapped[0], how, value, wrapped[1])


def _filter_by(tables: Tables, fn: Fn, call: Call) -> Iterator[Use]:
    """`session.query(Model).filter_by(name=x)`, `Model.query.filter_by(...)`, `select(Model).filter_by(...)`."""
    table = _entity(tables, fn, call.func, 0)
    if table is None or (table.source == "peewee") is (fn.callee_name(call) == "filter_by"):
        return
    known = {
        name: column
        for name, _ in call.kwargs
        for column in table.columns.values()
        if name in {column.attribute, column.name}
    }
    for name, vid in call.kwargs:
        if name in known:
            yield Use(fn, call.span, table, known[name], "eq", vid, partial=len(known) < len(call.kwargs))


def _entity(tables: Tables, fn: Fn, vid: Vid, depth: int) -> Table | None:
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    if depth > 12:
        return None
    if value[0] == "attr":
        return _entity(tables, fn, value[1], depth + 1)
    if value[0] == "name":
        dotted = str(value[1])
        for _ in range(3):
            dotted = dotted.rpartition(".")[0]
            table = tables.classes.get(tables.named(fn, dotted)) if dotted else None
            if table is not None:
                return table
        return None
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        name = fn.callee_name(call)
        if name in {"join", "outerjoin", "select_from"}:
            return None
        if name in {"query", "select", "delete", "update"} and len(call.args) == 1:
            return tables.classes.get(tables.class_of(fn, call.args[0]))
        return _entity(tables, fn, call.func, depth + 1) if func[0] in ("attr", "name") else None
    return None


def _django(tables: Tables, fn: Fn) -> Iterator[Use]:
    if not tables.django.models:
        return
    facts = fn.facts
    for call in facts.calls:
        func = facts.values[call.func]
        name = fn.callee_name(call)
        if name in _FILTERS:
            shortcut = name == "get_object_or_404" and call.args
            rows = call.args[0] if shortcut else _receiver(facts.values, call.func)
            model = tables.model(fn, rows)
            if model is None and func[0] == "name":
                rows = call.func
                model = tables.model(fn, rows)
            if model is not None:
                narrowed = tables.spelled(fn, rows) is None and narrowed_before(tables.project, fn, rows)
                found = (
                    *_lookups(tables, fn, call, model, dict(call.kwargs)),
                    *_annotated(tables, fn, call, model),
                    *_q_objects(tables, fn, call, model),
                )
                for use in found:
                    how = "ne" if name == "exclude" else use.how
                    yield replace(use, how=how, partial=use.partial or narrowed)
        elif name in {"order_by", "latest", "earliest"}:
            model = tables.model(fn, _receiver(facts.values, call.func))
            if model is not None:
                yield from _orders(tables, fn, call, model)


def _annotated(tables: Tables, fn: Fn, call: Call, model: Model) -> Iterator[Use]:
    """Lookups of annotations that a function computes."""
    known = annotated(fn, _receiver(fn.facts.values, call.func)) if call.kwargs else {}
    for key, vid in call.kwargs if known else ():
        name, _, lookup = key.partition("__")
        found = resolve_lookup(tables, model, known[name][0]) if name in known else None
        how = {"": "eq", "exact": "eq", "in": "in", "gt": "range", "gte": "range", "lt": "range", "lte": "range"}.get(
            lookup
        )
        if found is not None and how is not None:
            yield Use(fn, call.span, *found[:2], how, vid, known[name][1], "django", query=call.span)


def _receiver(values: list[tuple[object, ...]], func: Vid) -> Vid:
    value = values[func]
    return value[1] if value[0] == "attr" and isinstance(value[1], int) else func


def _lookups(tables: Tables, fn: Fn, call: Call, model: Model, keywords: dict[str, Vid]) -> Iterator[Use]:
    found = {key: resolve_lookup(tables, model, key) for key in keywords}
    partial = None in found.values()
    for key, vid in keywords.items():
        known = found[key]
        if known is not None:
            table, column, how = known
            how = "column" if _is_column(fn, vid) else how
            yield Use(fn, call.span, table, column, how, vid, framework="django", partial=partial, query=call.span)


def _is_column(fn: Fn, vid: Vid) -> bool:
    """`F("capacity")`, `F("capacity") - 1`: what each row has there, which no index finds."""
    value = fn.unguarded(vid)
    if value[0] == "binop":
        return any(_is_column(fn, side) for side in value[2:4])
    return value[0] == "call" and fn.callee_name(fn.facts.calls[value[1]]) == "F"


def resolve_lookup(tables: Tables, model: Model, key: str) -> tuple[Table, Column, str] | None:
    """(table, column, lookup) of `author__name__icontains`; None where a part is not known."""
    parts = key.split("__")
    current: Model | None = model
    while parts and current is not None:
        name = parts.pop(0)
        field = current.fields.get(name)
        if name in {"pk", "id"} and field is None:
            table = tables.django_table(current)
            primary = table.columns.get(table.primary_key[0]) if table is not None and table.primary_key else None
            if table is None or primary is None or len(parts) > 1 or not _LOOKUPS.issuperset(parts):
                return None
            lookup = parts[0] if parts else "exact"
            return table, primary, _HOWS.get(lookup, lookup)
        if field is None and name.endswith("_id"):
            field = current.fields.get(name.removesuffix("_id"))
        if field is None or field.many:
            return None
        if field.relation and parts and parts[0] not in _LOOKUPS:
            current = tables.django.find(field.target, current.app, current.name)
            continue
        if len(parts) > 1 or (parts and parts[0] not in _LOOKUPS):
            return None
        table = tables.django_table(current)
        column = table.column(column_name(field)) if table is not None else None
        lookup = parts[0] if parts else "exact"
        return (table, column, _HOWS.get(lookup, lookup)) if table is not None and column is not None else None
    return None


def _q_objects(tables: Tables, fn: Fn, call: Call, model: Model) -> Iterator[Use]:
    """`Q(name__icontains=x) | Q(...)` among the arguments."""
    todo = [(vid, "") for vid in call.args]
    facts = fn.facts
    for _ in range(40):
        if not todo:
            return
        vid, other = todo.pop()
        value = facts.values[vid]
        if value[0] == "binop":
            other = other or ("or" if value[1] == "|" else "")
            todo += [(value[2], other), (value[3], other)]
        elif value[0] == "unary":
            todo.append((value[2], "ne"))
        elif value[0] == "call":
            inner = facts.calls[value[1]]
            func = facts.values[inner.func]
            if func[0] == "name" and str(func[1]).rpartition(".")[2] == "Q":
                for use in _lookups(tables, fn, inner, model, dict(inner.kwargs)):
                    how = other if other and use.how in {"eq", "in", "range"} else use.how
                    yield replace(use, how=how, partial=False, query=call.span)
                todo += [(vid, other) for vid in inner.args]


def _orders(tables: Tables, fn: Fn, call: Call, model: Model) -> Iterator[Use]:
    for vid in call.args:
        text = fn.const(vid)
        if isinstance(text, str) and text not in {"?", ""}:
            found = resolve_lookup(tables, model, text.removeprefix("-"))
            if found is not None:
                yield Use(fn, fn.facts.span_of(vid), found[0], found[1], "order", framework="django")
