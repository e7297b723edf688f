"""Queries whose result grows with the table: no limit, no page, no key that picks a few rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import object_root, receiver
from backendlint.project.rows.growth import accumulates, keeps_happening, stays_small
from backendlint.project.rows.origins import Origin
from backendlint.project.rows.queries import Query
from backendlint.project.rows.uniqueness import filters_one, table_of, unique_keys
from backendlint.project.sqltext.assemble import HOLE
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_BOUNDS = frozenset({"limit", "slice", "first", "last", "one", "get", "get_or_404", "count", "exists", "aggregate", "in_bulk",
                     "group", "distinct", "none", "stream", "iterate", "values_limit"})  # fmt: skip
_ALL_ROWS = frozenset({"all", "fetchall", "to_list", "unique"})
_ONE_ROW = frozenset(
    {
        "first",
        "one",
        "one_or_none",
        "scalar",
        "scalar_one",
        "scalar_one_or_none",
        "fetchone",
        "fetchval",
        "get",
        "fetchmany",
    }
)
_WHOLE = frozenset({"fetch", "fetch_all", "select_all", "fetchall"})
_PASSING = frozenset({"scalars", "mappings", "unique", "tuples", "columns"})
_LIMITED = re.compile(
    r"\bLIMIT\b|\bFETCH\s+(FIRST|NEXT)\b|\bTOP\s*\(?\d|\bROWNUM\b|\bGROUP\s+BY\b|\bDISTINCT\b", re.IGNORECASE
)
_AGGREGATE = re.compile(
    r"SELECT\s+(count|sum|avg|min|max|exists|coalesce|nextval|now|version|pg_\w+)\s*\(", re.IGNORECASE
)
_TABLE = re.compile(r"\bFROM\s+[\"`\[]?([\w.]+)", re.IGNORECASE)
_KEY = re.compile(
    r"(^|_)(id|ids|pk|key|uuid|guid|slug|token|email|username|code|hash|sku|in)$|_id\b|\.id\b|\bid\b"
    r"|(^|_)(ids|keys)__(contains|overlap)$"  # an array that holds one
    r"|(?<=[a-z]{4})(?<!val)(?<!pa)(?<!vo)(?<!sol)(?<!br)id$",  # `transactionid`, not `unpaid`
    re.IGNORECASE,
)
_USER = re.compile(r"(^|[._])(user|person|account|member|me)(_?(id|name|uuid|pk))?$", re.IGNORECASE)
"""Names of whoever asks, as code passes them on."""
_TENANTS = r"tenant(?:_?(?:id|uuid|pk|key))?"
_TENANT = re.compile(rf"(?:current_)?{_TENANTS}(?:__(?:id|pk|exact))?", re.IGNORECASE)
_OF_TENANT = re.compile(rf"\b{_TENANTS}\s*=\s*[\w:%$().'{{}}]+", re.IGNORECASE)
"""Who shares a system, and has as much in it as one who has it alone."""
_BY_KEY = re.compile(r"\b\w*(id|key|uuid|email|slug|token|code|name|_by)\b\s*(=|IN\b)|=\s*[:%(]+\w*id\b", re.IGNORECASE)
_PARTY = re.compile(
    r"(account|customer|client|warehouse|depot|driver|vehicle|device|sensor|meter|station|promoter|vendor|supplier|merchant|shop|store"
    r"|project|organi[sz]ation|org|company|agency|institution|operator|partner|team|workspace|site|patient|clinic|doctor|courier|carrier|agent|branch|employee|player|user|member|patron|passenger|guest)"
    r"(_?(id|pk|uuid|ref|key|code)|__(id|pk))?$",
    re.IGNORECASE,
)
"""Parties and places to which rows keep coming; not a document, which has as many lines as it has."""
_STATE = re.compile(
    r"(^|_)(is_\w+|has_\w+|active|deleted|deleted_at|enabled|visible|archived|status|state)$", re.IGNORECASE
)
_RANGE = re.compile(r"[<>]|\bBETWEEN\b|\bIN\b", re.IGNORECASE)
_BEGINS = re.compile(r"(^|_)(starts?|begins?|from|since|opens?)(_|$)")
_ENDS = re.compile(r"(^|_)(ends?|until|till|expires?|expiry|expiration|closes?)(_|$)")
_EQUALS = re.compile(r"\b(\w+)[\"`\]]?\s*=\s*(?=[%?:$'\d])")
_EITHER = re.compile(r"\bOR\b|\bNOT\b", re.IGNORECASE)
_FLAGGED = re.compile(r"(^|_)(admin(istrator)?|superuser|staff|owner)$")
"""Flags that few users have, and roles: `filter(roles__kind="admin")`."""
_ASKS_OF = frozenset("is_ is_not isnot like ilike notlike notilike not_like not_ilike startswith endswith".split())
"""Conditions that SQLAlchemy's columns have as methods."""
_OWN_TEXT = frozenset({"from_statement", "distinct"})
"""A text that gives the rows, or one row for each different value."""
MAX_PARTS = 40
SYSTEM = re.compile(r"^(pg_|information_schema|sqlite_|sys\.|mysql\.)", re.IGNORECASE)


class Unbounded(NamedTuple):
    """A query that fetches all there is."""

    fn: Fn
    query: Query
    entity: str
    """The model's or table's name, or ""."""
    filtered: bool
    """Something narrows it, though nothing limits it."""
    keyed: bool
    """What narrows it names a key or a set of keys: usually a few rows."""
    own: bool = False
    """Only rows of one user are asked for."""
    party: bool = False
    """The key is that of a party or a place, which more and more rows belong to as time goes by."""

    @property
    def small(self) -> bool:
        """The name tells of a table that stays small."""
        return stays_small(self.entity)

    @property
    def grows(self) -> bool:
        """The name tells of what keeps coming: orders, messages, users."""
        return accumulates(self.entity)


def doubtful(item: Unbounded) -> bool:
    """Whether nothing says that many rows come: a key narrows the query, but for one of what rows keep coming to, or the name
    is of no table that keeps growing."""
    return (item.keyed and not (item.party and keeps_happening(item.entity))) or not item.grows


def unbounded(project: Project, fn: Fn) -> Iterator[Unbounded]:
    """The function's own queries that fetch every row that matches."""
    counted = _counted(fn)
    for query in project.queries.direct(fn):
        if query.kind != "read" or query.vid in counted or not _many(project, fn, query):
            continue
        text = project.queries.text(fn, query.call) if query.call is not None else ""
        found = _by_text(project, fn, query, text) if text else _by_chain(project, fn, query)
        if found is not None:
            yield found
    yield from _generic(project, fn)
    for query, sent in project.queries.handed(fn):
        if (
            query.kind == "read"
            and query.call is not None
            and _hands_back(project, fn, query.call, sent.fn)
            and _many(project, sent.fn, sent)
        ):
            found = _by_text(project, fn, query, project.queries.text(fn, query.call))
            if found is not None:
                yield found


def _generic(project: Project, fn: Fn) -> Iterator[Unbounded]:
    """`orders.all()` of a base class that asks for every row of what its subclasses state: told where it is called."""
    for call in fn.calls:
        targets = project.targets(fn, call) if receiver(fn, call) >= 0 else []
        base = targets[0].cls if len(targets) == 1 else None
        if base is None or not base.subclasses:
            continue
        entity = next(filter(None, map(project.hierarchy.model_in, project.refs(fn, call.value))), None)
        if entity is None:
            continue
        for query in project.queries.direct(targets[0]):
            if query.kind == "read" and _gives_every(project, targets[0], query):
                sent = query._replace(fn=fn, span=call.span, block=call.block, vid=call.value, call=call)
                yield Unbounded(fn, sent, entity.name, False, False)
                break


def _gives_every(project: Project, fn: Fn, query: Query) -> bool:
    """Whether a method returns all rows of a table that it does not name."""
    if query.vid not in ingredients(fn.facts, fn.returned):
        return False
    found = project.origins.of(fn, query.vid)
    told = any(not item.known or item.open or item.path or item.cut or _bounded(item) for item in found)
    narrowed = any({"filter", "exclude", "join"} & item.ops or _entity(project, item) for item in found)
    return bool(found) and not (told or narrowed) and _many(project, fn, query)


def _hands_back(project: Project, fn: Fn, call: Call, sender: Fn) -> bool:
    """Whether a helper gives what another one has fetched for it, and not one of the rows (`rows = fetch(query); return rows[0]`)."""
    for target in project.targets(fn, call):
        given = [target.unguarded(vid) for vid in target.returned]
        given = [target.unguarded(value[1]) if value[0] == "await" else value for value in given]
        if target is not sender and all(value[0] != "call" for value in given):
            return False
    return True


def _counted(fn: Fn) -> set[Vid]:
    """What only goes into `len(...)`, which loads all rows to count them: PERF108 tells that."""
    named = {item.value for item in fn.facts.bindings}
    found: set[Vid] = set()
    for call in fn.calls:
        vid = call.args[0] if len(call.args) == 1 and fn.callee_name(call) == "len" else -1
        while vid >= 0 and (vid not in named or _used_once(fn, vid)):
            found.add(vid)
            vid = _made_from(fn, vid)
    return found


def _used_once(fn: Fn, vid: Vid) -> bool:
    """`rows = await session.scalars(...)`, of which nothing is asked but `len(rows.all())`."""
    uses = len(set(fn.made_of(vid))) + sum(vid in call.passed for call in fn.calls)
    given = {item.value for item in fn.facts.returns} | {item.value for item in fn.facts.stores}
    return uses == 1 and vid not in given and all(block.value != vid for block in fn.facts.blocks)


def _made_from(fn: Fn, vid: Vid) -> Vid:
    """What was awaited, or what a method was called on, or the first argument of another call; -1 for other values."""
    value = fn.unguarded(vid)
    if value[0] == "await":
        return int(value[1])
    if value[0] != "call":
        return -1
    call = fn.calls[value[1]]
    base = receiver(fn, call)
    return base if base >= 0 else next(iter(call.args), -1)


def _calls_within(fn: Fn, call: Call) -> Iterator[Call]:
    """The calls of which the arguments of a call are made."""
    parts = (fn.value(vid) for vid in ingredients(fn.facts, call.args))
    return (fn.calls[value[1]] for value in parts if value[0] == "call")


def _streams(fn: Fn, call: Call) -> bool:
    """`execution_options(yield_per=500)` of the statement that is sent."""
    return any(key in ("yield_per", "stream_results") for inner in _calls_within(fn, call) for key, _ in inner.kwargs)


def _many(project: Project, fn: Fn, query: Query) -> bool:
    """Whether the code takes all rows of the result."""
    if query.call is None:
        return not _cut(fn, query.vid)
    orm = query.model.orm
    if query.model.paginates:
        return False
    if orm is not None and orm.rows:
        return orm.rows == "many" and orm.op not in _BOUNDS
    if orm is not None and orm.op not in ("execute", "raw", "all"):
        return False
    if query.name.rpartition(".")[2] in _WHOLE:
        return True
    return _taken_whole(project, fn, query.call)


def _cut(fn: Fn, vid: Vid) -> bool:
    """Whether a part with an end is taken of the query at once: `list(rows.order_by("id")[:size])`."""
    parts = (fn.facts.values[item] for item in fn.made_by("slice"))
    return any(part[1] == vid and len(part) > 3 and part[3] >= 0 for part in parts)


def _taken_whole(project: Project, fn: Fn, call: Call) -> bool:
    """`.all()` or `.fetchall()` of the result, a loop over it, `list()` of it."""
    results = {call.value}
    cursor = object_root(fn, receiver(fn, call)) if receiver(fn, call) >= 0 else -2
    whole = False
    for _ in range(3):
        results |= {
            vid for vid, value in enumerate(fn.facts.values) if value[0] in ("await", "guard") and value[1] in results
        }
        for other in fn.calls:
            base = receiver(fn, other)
            value = fn.facts.values[other.func]
            name = value[2] if value[0] == "attr" else ""
            own = base in results or (
                name.startswith("fetch") and base >= 0 and object_root(fn, base) == cursor and other.span > call.span
            )
            if own and name in _ONE_ROW:
                return False
            if own and name in _ALL_ROWS - {"unique"}:
                whole = True
            elif own and name in _PASSING:
                results.add(other.value)
            elif (
                other.args
                and other.args[0] in results
                and any(
                    ref.name in ("builtins.list", "builtins.tuple", "builtins.sorted")
                    for ref in project.callees(fn, other)
                )
            ):
                whole = True
    return whole or any(block.kind in ("for", "comp") and block.value in results for block in fn.facts.blocks)


def _by_text(project: Project, fn: Fn, query: Query, text: str) -> Unbounded | None:
    if _LIMITED.search(text) or _AGGREGATE.search(text) or "{" in text:
        return None
    table = _TABLE.search(text)
    if table is None or SYSTEM.match(table[1]) or HOLE.search(table[1]):
        return None
    where = re.search(r"\bWHERE\b(.*)", text, re.IGNORECASE | re.DOTALL)
    if where is not None and _picks_one(project, table[1], where[1]):
        return None
    told = _OF_TENANT.sub("", where[1]) if where is not None else ""
    other = _EITHER.search(told) or _RANGE.search(told)
    party = other is None and _of_party([found[1] for found in _EQUALS.finditer(told)])
    return Unbounded(fn, query, table[1], where is not None, _BY_KEY.search(told) is not None, party=party)


def _picks_one(project: Project, name: str, where: str) -> bool:
    """Whether the condition compares all columns of a unique key with a value each: there is one such row or none."""
    table = table_of(project, name) if not _EITHER.search(where) else None
    if table is None:
        return False
    fixed = {match[1].lower() for match in _EQUALS.finditer(where)}
    return any(fixed.issuperset(map(str.lower, columns)) for columns in unique_keys(table))


def _by_chain(project: Project, fn: Fn, query: Query) -> Unbounded | None:
    found = project.origins.of(fn, query.vid)
    if not found or any(not item.known or item.open or not item.steps for item in found):
        return None
    origins = [
        item for item in found if not item.cut and not _bounded(item)
    ]  # `if recent: rows = rows[:8]` leaves the other way
    if not origins:
        return None
    if fn.fqn not in project.route_functions and any(_cut_for_callers(item) for item in found):
        return None
    entity = _entity(project, origins[0])
    if entity is None or any(item.path for item in origins):
        return None
    entity = _asked(project, fn, query.vid, entity)
    columns = [name for item in origins for name in _columns(item)]
    through = [call for call in _chain(fn, query.vid) if project.targets(fn, call)]
    if through and any(map(_open, origins)):
        columns = [name for name in columns if name != "**"]
        columns += (name for call in through for name in _conditions(fn, call))
    compared = [name for item in origins for name in _compared(item)]
    filtered = any({"filter", "exclude", "join"} & item.ops for item in origins)
    narrowing = [_plain(name) for name in columns]
    keyed = (
        (filtered and not columns)
        or _in_a_window(columns)
        or any(_KEY.search(name) for name in (*narrowing, *map(_plain, compared)))
        or any(filters_one(project, item) for item in origins)
        or any(_FLAGGED.search(name) or _of_one_parent(project, entity, name) for name in narrowing)
        or any(
            _FLAGGED.search(str(step.fn.const(vid)))
            for item in origins
            for step in item.filters
            for _, vid in step.call.kwargs
        )
    )
    party = (
        keyed
        and _of_party([name for name in narrowing if name])
        and not any(filters_one(project, item) for item in origins)
    )
    own = any(_USER.search(name) for name in compared) and not (party and keeps_happening(entity.name))
    return Unbounded(fn, query, entity.name, filtered, keyed, own, party)


def _of_party(narrowing: list[str]) -> bool:
    """Whether what narrows a query is the key of a party or place, beside flags and states at most."""
    keys = [name for name in narrowing if not _STATE.search(name)]
    return bool(keys) and all(map(_PARTY.fullmatch, keys))


def _plain(name: str) -> str:
    """The name of what narrows a query, or "" where that is whose system this is."""
    return "" if _TENANT.fullmatch(name.rpartition(".")[2]) else name


def _cut_for_callers(origin: Origin) -> bool:
    """`if limit is not None: query = query.limit(limit)` for a parameter: whoever wants a page says so."""
    limits = [step for step in origin.steps if step.model.orm is not None and step.model.orm.op == "limit"]
    return any(
        step.fn.facts.values[vid][0] == "param"
        for step in limits
        for vid in ingredients(step.fn.facts, list(step.call.passed))
    )


def _of_one_parent(project: Project, entity: Cls, lookup: str) -> bool:
    """Whether a filter names a relation to one, as `filter(owner=user)` or `filter(order__owner=user)`: the rows of one parent."""
    names = lookup.split("__")
    while names and names[-1] in ("id", "pk", "exact"):
        names.pop()
    return bool(names) and len(list(project.associations.along(entity, names))) == len(names)


def _bounded(origin: Origin) -> bool:
    if {"values", "annotate"} <= origin.ops:
        return True  # GROUP BY: a row for each group
    limited = any(step.model.paginates or step.call.kwarg("limit") >= 0 for step in origin.steps)
    if limited or any(_streams(step.fn, step.call) for step in origin.steps):
        return True
    return bool(_BOUNDS & origin.ops) or any(_gives_others(step.fn, step.call) for step in origin.steps)


def _gives_others(fn: Fn, call: Call) -> bool:
    """`from_statement(text(...))`, `with_entities(distinct(Order.state))`"""
    inner = [fn.calls[value[1]] for vid in call.args if (value := fn.unguarded(vid))[0] == "call"]
    return any(fn.callee_name(item) in _OWN_TEXT for item in (call, *inner))


def _in_a_window(columns: list[str]) -> bool:
    """`filter(day__gte=first, day__lt=last)`: the rows of a span of time, or of numbers; or those that are valid at a moment
    (`filter(start__lte=now, end__gt=now)`)."""
    above = {name.rpartition("__")[0] for name in columns if name.endswith(("__gte", "__gt"))}
    below = {name.rpartition("__")[0] for name in columns if name.endswith(("__lte", "__lt"))}
    current = any(map(_BEGINS.search, below)) and any(map(_ENDS.search, above))
    return current or bool(above & below) or any(name.endswith(("__range", "__date")) for name in columns)


def _entity(project: Project, origin: Origin) -> Cls | None:
    for step in reversed(origin.steps):
        for ref in (*project.callees(step.fn, step.call), *project.refs(step.fn, step.call.value)):
            model = project.hierarchy.model_in(ref)
            if model is not None:
                return model
    return next((cls for step in origin.steps for cls in _of_columns(project, step.fn, step.call)), None)


def _of_columns(project: Project, fn: Fn, call: Call) -> Iterator[Cls]:
    """The models whose columns a statement asks for: `session.execute(select(Order.id, Order.total))`."""
    for inner in _calls_within(fn, call):
        for column in inner.args if fn.callee_name(inner) == "select" else ():
            owner, _, name = fn.dotted(column).rpartition(".")
            for ref in project.resolver.dotted(owner, fn.file.module) if name else ():
                cls = project.classes.get(ref.name) if ref.kind == "class" else None
                if cls is not None and project.hierarchy.role(cls) == "model":
                    yield cls


def _columns(origin: Origin) -> Iterator[str]:
    """Names that the filters compare: keywords, and attributes in expressions."""
    for step in origin.steps:
        if step.model.orm is None or step.model.orm.op not in ("filter", "exclude"):
            continue
        yield from _conditions(step.fn, step.call)


def _conditions(fn: Fn, call: Call) -> Iterator[str]:
    yield from (key for key, _ in call.kwargs)
    for vid in call.args:
        yield from _named(fn, vid, 6)


def _open(origin: Origin) -> bool:
    """Whether a filter compares what a function of the project was given: `filter_by(**conditions)` behind
    `Order.where(owner_id=owner)` of a base class."""
    return any(step.call.open_ended for step in origin.filters)


def _asked(project: Project, fn: Fn, vid: Vid, entity: Cls) -> Cls:
    """The class of which the chain calls a method that a base class has: `Order` of `Order.filter_by(...)`."""
    for call in _chain(fn, vid):
        func = fn.facts.values[call.func]
        owner = fn.dotted(call.func).rpartition(".")[0] if func[0] in ("name", "attr") else ""
        for ref in project.resolver.dotted(owner, fn.file.module) if owner else ():
            cls = project.classes.get(ref.name) if ref.kind == "class" else None
            if cls is not None and entity in project.hierarchy.mro(cls):
                return cls
    return entity


def _chain(fn: Fn, vid: Vid) -> Iterator[Call]:
    """The calls of a chain, the last one first."""
    for _ in range(MAX_PARTS):
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        if value[0] != "call":
            return
        call = fn.calls[value[1]]
        yield call
        base = receiver(fn, call)
        vid = base if base >= 0 else next(iter(call.args), -1)


def _compared(origin: Origin) -> Iterator[str]:
    """The names from which the filters' values come: `user` of `Order.owner_id == user.id`."""
    for step in origin.filters:
        todo = [*step.call.args, *(vid for _, vid in step.call.kwargs)]
        for _ in range(MAX_PARTS):
            vid = todo.pop() if todo else -1
            value = step.fn.unguarded(vid) if vid >= 0 else ("",)
            yield from (item.name for item in step.fn.facts.bindings if item.value == vid >= 0)
            if value[0] == "compare":
                todo += value[2]
            elif value[0] == "param":
                yield step.fn.facts.params[value[1]].name
            elif value[0] == "attr":
                yield str(value[2])
                todo.append(value[1])
            elif value[0] == "name":
                yield str(value[1]).removesuffix(".id")


def _named(fn: Fn, vid: Vid, depth: int) -> Iterator[str]:
    value = fn.facts.values[vid]
    if depth == 0:
        return
    if value[0] == "name" and "." in str(value[1]):
        yield str(value[1]).rpartition(".")[2]
    elif value[0] == "attr":
        yield str(value[2])
        if value[2] in ("in_", "any_", "contains"):
            yield "in"
    elif value[0] == "compare":
        for item in value[2]:
            yield from _named(fn, item, depth - 1)
    elif value[0] == "binop":
        for item in value[2:4]:
            yield from _named(fn, item, depth - 1)
    elif value[0] == "call":
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        owner, _, method = str(func[-1]).rpartition(".") if func[0] in ("attr", "name") else ("", "", "")
        if method in ("in_", "between"):
            yield "in"
        elif method in _ASKS_OF:
            asked = _named(fn, func[1], depth - 1) if func[0] == "attr" else (owner.rpartition(".")[2],)
            yield from (name if method.startswith("is") else f"{name}__{method}" for name in asked)
        for key, _ in call.kwargs:
            yield key
        for item in call.args:
            yield from _named(fn, item, depth - 1)
