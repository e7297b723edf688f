"""Which unique constraint stops the second of two inserts that a check did not prevent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.rows.races import Raced, asked
from backendlint.project.rows.transactions import before
from backendlint.project.schema.model import Column, Table

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.origins import Origin
    from backendlint.project.sqltext.orm import Use

MAX_CHAIN = 12


def stopped_by(project: Project, raced: Raced, *, likely: bool = False) -> tuple[str, tuple[str, ...]]:
    """The table and the columns of the unique constraint that two rows with what was looked for violate; ("", ()) for none.

    Where the query's columns cannot be read, those that the inserted object is given count. `likely`: rather the one that may be
    violated, as what was looked for is a part of it, and what the new row has in the other columns is not seen.
    """
    if likely:
        return _may_stop(project, raced)
    table = table_of(project, raced.entity)
    if table is None:
        return "", ()
    given = dict(_given(raced, table))
    same = {name for name, vid in given.items() if _same_again(raced.fn, vid)}
    looked = set(_asked(project, raced, table))
    made = {column.name for column in table.columns.values() if _is_made(column)} - given.keys()
    for known, kept in ((looked or given.keys(), made), (looked | same, made.union(table.primary_key))):
        for columns in unique_keys(table):
            if known >= set(columns) and kept.isdisjoint(columns):
                return table.name, columns
    return "", ()


def _may_stop(project: Project, raced: Raced) -> tuple[str, tuple[str, ...]]:
    """`Tag` by its name, unique in a project, of `Tag(**asked.dict())`: two rows for the same request violate it."""
    table = table_of(project, raced.entity)
    looked = set(_asked(project, raced, table)) if table is not None else set()
    if table is None or any(True for _ in _given(raced, table)):
        return "", ()
    made = {column.name for column in table.columns.values() if _is_made(column)}
    looked -= made
    keys = (key for key in unique_keys(table) if looked and looked.issubset(key) and made.isdisjoint(key))
    return next(((table.name, key) for key in keys), ("", ()))


def _overwrites(raced: Raced, table: Table, given: Mapping[str, Vid]) -> bool:
    """`Label(id=theirs["id"], ...).save()` in Django: a second one with the key that came from elsewhere changes the row of the first."""
    func = raced.fn.facts.values[raced.insert.func]
    if func[0] != "attr" or func[2] != "save" or not table.primary_key:
        return False
    return all(name in given and raced.fn.unguarded(given[name])[0] == "item" for name in table.primary_key)


def never_violated(project: Project, raced: Raced) -> bool:
    """Whether no unique constraint of a table that is known whole has anything to do with what was looked for: nothing stops
    the second insert, and who catches the conflict waits for what never comes."""
    table = table_of(project, raced.entity)
    looked = set(_asked(project, raced, table)) if table is not None else set()
    keys = [item for item in table.searchable() if item.unique] if table is not None else []
    known = table is not None and table.complete and table.managed
    return known and bool(looked) and all(not key.expressions and looked.isdisjoint(key.columns) for key in keys)


def _same_again(fn: Fn, vid: Vid) -> bool:
    """Constants, and attributes of what the function was given: two runs for the same thing have them in common, while what
    a call makes or the caller passes may be new each time."""
    value = fn.unguarded(vid)
    if value[0] == "attr":
        while value[0] in ("attr", "guard"):
            value = fn.facts.values[value[1]]
        return value[0] in ("param", "name", "elem")
    return value[0] in ("const", "name") or (value[0] == "fmt" and all(_same_again(fn, item) for item in value[2]))


def of_others(project: Project, raced: Raced) -> bool:
    """Whether another row is looked for than the one that is inserted: `kind == "follow"`, then `kind="mention"`, or one by its
    number, where the database gives the new one another; or one is stored twice by the same key."""
    table = table_of(project, raced.entity)
    if table is None:
        return False
    given = dict(_given(raced, table))
    if _overwrites(raced, table, given):
        return True
    made = {column.name for column in table.columns.values() if _is_made(column)} - given.keys()
    if made and made == set(table.primary_key) and _asks_together(project, raced, table, made):
        return True
    for use in _uses_in(project, raced.fn, raced.check, table):
        looked, put = raced.fn.const(use.value), raced.fn.const(given.get(use.column.name, -1))
        if use.how == "eq" and looked is not ... and put is not ... and looked != put:
            return True
    return False


def _asks_together(project: Project, raced: Raced, table: Table, wanted: set[str]) -> bool:
    """Whether the query compares these columns, with others at most in the same branch: not by the number, else by the name."""
    asked = set(_asked(project, raced, table))
    if asked <= wanted:
        return asked == wanted
    uses = [(fn, use) for fn, call in _asking(project, raced) for use in _uses_in(project, fn, call, table)]
    branches = {_branch(fn, use) for fn, use in uses if use.how == "eq"}
    return asked > wanted and len(branches) == 1


def _branch(fn: Fn, use: Use) -> tuple[str, int]:
    """The innermost block around a condition."""
    around = [call for call in fn.calls if call.span[:2] <= use.span[:2] and use.span[2:] <= call.span[2:]]
    return fn.fqn, max((call.block for call in around), default=-1)


OVERLAP = 2
"""A span begins before the other's end and ends after its beginning."""


def by_range(project: Project, raced: Raced) -> bool:
    """Whether the query asks for one of a range (`expires__gt=now`): there may be many such rows one after the other. Not
    where it asks for what overlaps (`room=room, start__lt=end, end__gt=start`): of these there must be one at most."""
    table = table_of(project, raced.entity)
    uses = list(_uses_in(project, raced.fn, raced.check, table)) if table is not None else []
    ranged = {use.column.name for use in uses if use.how == "range"}
    return bool(ranged) and not (len(ranged) == OVERLAP and any(use.how == "eq" for use in uses))


def one_row(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the query compares all columns of a unique key for equality: it finds a row or none."""
    table = table_of(project, asked(project, fn, call))
    if table is None:
        return False
    fixed = {*_compared(project, fn, call, table), *_of_parent(project, fn, call, table)}
    return any(map(fixed.issuperset, unique_keys(table)))


def filters_one(project: Project, origin: Origin) -> bool:
    """Whether a query gives one row at most: `Profile.objects.filter(user=request.user)` where each user has one."""
    return any(one_row(project, step.fn, step.call) for step in origin.filters)


def unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns of each unique key that is made of columns alone."""
    for key in table.searchable():
        if key.unique and not key.expressions and key.columns:
            yield key.columns


def _of_parent(project: Project, fn: Fn, call: Call, table: Table) -> Iterator[str]:
    """The foreign key by which a related manager picks its rows, and what its filters compare: `review.votes.filter(user=me)`."""
    value, given = fn.facts.values[call.func], [key for key, _ in call.kwargs]
    for _ in range(MAX_CHAIN):
        if value[0] not in ("attr", "guard", "await", "call"):
            return
        given += [key for key, _ in fn.facts.calls[value[1]].kwargs] if value[0] == "call" else ()
        vid = fn.facts.calls[value[1]].func if value[0] == "call" else value[1]
        if value[0] == "attr" and any(ref.name.endswith(".RelatedManager") for ref in project.refs(fn, vid)):
            break
        value = fn.facts.values[vid]
    else:
        return
    manager = fn.facts.values[vid]
    owners = project.refs(fn, manager[1]) if manager[0] == "attr" else ()
    tables = [table_of(project, ref.name) for ref in owners if ref.kind == "inst"]
    keys = [
        key
        for key in table.foreign_keys
        if any(project.data.schema.find(key.target) is item for item in tables if item)
    ]
    if len(keys) == 1:
        yield from keys[0].columns
        yield from (name for name in table.columns for key in given if name in (key, f"{key}_id"))


def _is_made(column: Column) -> bool:
    """A key that gets a value of its own where the insert gives it none."""
    return column.primary_key and (column.autoincrement or column.client_default or column.default is not None)


def table_of(project: Project, entity: str) -> Table | None:
    """The table of a mapped class, or of that name; abstract classes have none."""
    schema, data = project.data.schema, project.data
    model = data.attribute_mapped.find_owner(entity)
    if model is None and entity in data.django_state.classes:
        mapped = data.django_state.models.get(data.django_state.classes[entity])
        return schema.find(mapped.table) if mapped is not None else None
    return schema.find(model.name if model is not None else entity)


def _asking(project: Project, raced: Raced) -> Iterator[tuple[Fn, Call]]:
    """The calls that lead from the check to its query."""
    yield raced.fn, raced.check
    for edge in project.graph.callees(raced.fn):
        if edge.call is raced.check:
            edges, last = project.queries.chain(edge.callee)
            yield from ((step.caller, step.call) for step in edges if step.call is not None)
            if last is not None and last.call is not None:
                yield last.fn, last.call


def _asked(project: Project, raced: Raced, table: Table) -> Iterator[str]:
    """The columns that the query before the insert compares for equality."""
    for where, call in _asking(project, raced):
        yield from _compared(project, where, call, table)
        for target in _built_on(project, where, call):
            yield from (
                use.column.name
                for use in project.data.uses_in(target)
                if use.table.name == table.name and use.how == "eq"
            )


def _built_on(project: Project, fn: Fn, call: Call) -> Iterator[Fn]:
    """The functions of the project whose query a call goes on with: `cls.of_shop(shop).filter(cls.email == email).one()`."""
    for _ in range(MAX_CHAIN):
        value = fn.unguarded(call.func)
        value = fn.unguarded(value[1]) if value[0] == "attr" else value
        if value[0] != "call":
            return
        call = fn.facts.calls[value[1]]
        yield from project.targets(fn, call)


def _uses_in(project: Project, fn: Fn, call: Call, table: Table) -> Iterator[Use]:
    """The conditions on the table that the query has been given since the one before."""
    spans = [query.call.span for query in project.queries.direct(fn) if query.call is not None]
    since = max((span[2:] for span in spans if before(span, call.span) and span[2:] <= call.span[:2]), default=(0, 0))
    for use in project.data.uses_in(fn):
        if use.table.name == table.name and since < use.span[:2] <= call.span[2:]:
            yield use


def _compared(project: Project, fn: Fn, call: Call, table: Table) -> Iterator[str]:
    yield from (use.column.name for use in _uses_in(project, fn, call, table) if use.how == "eq")
    for statement in project.data.statements_in(fn):
        if statement.source.call is call and statement.tree is not None:
            from backendlint.project.sqltext import predicates, scopes

            for scope in scopes.scopes(statement.tree, statement.schema):
                for item in predicates.conditions(scope):
                    if item.kind == "eq" and item.schema_column is not None and item.table is table:
                        yield item.schema_column.name
    if any(model.orm is not None and model.orm.op == "get" for model in project.models(fn, call)) and not call.kwargs:
        yield from table.primary_key  # `session.get(Model, key)`
    by_relation = table.relations()
    for key in _chained(fn, call) if by_relation else ():
        if key in by_relation:
            yield by_relation[key]  # `filter_by(owner=owner)`


def _chained(fn: Fn, call: Call) -> Iterator[str]:
    """The keywords of a call and of those whose result it is called on: `query(A).filter_by(owner=owner).first()`."""
    for _ in range(MAX_CHAIN):
        yield from (key for key, _ in call.kwargs if key)
        value = fn.unguarded(call.func)
        value = fn.unguarded(value[1]) if value[0] == "attr" else value
        if value[0] != "call":
            return
        call = fn.facts.calls[value[1]]


def _given(raced: Raced, table: Table) -> Iterator[tuple[str, Vid]]:
    """The columns that the insert sets by keyword, and their values: its own, or those of the object that it adds, also such as
    that is given one by one (`order.number = number`)."""
    fn, calls = raced.fn, [raced.insert]
    func = fn.facts.values[raced.insert.func]
    added = (*raced.insert.args[:1], *((func[1],) if func[0] == "attr" and func[2] == "save" else ()))
    roots = {object_root(fn, vid) for vid in added}
    for root in roots:
        value = fn.facts.values[root]
        if value[0] == "call":
            calls.append(fn.facts.calls[value[1]])
    values = {item.name: item.value for item in fn.facts.stores if item.name and object_root(fn, item.base) in roots}
    values |= {name: vid for call in calls for name, vid in call.kwargs}
    for name, column_name in table.relations().items():
        if name in values:
            values.setdefault(column_name, values[name])
    for column in table.columns.values():
        vid = values.get(column.name, values.get(column.attribute, -1))
        if vid >= 0:
            yield column.name, vid
