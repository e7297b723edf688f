"""Queries that run once for each item of a loop (N+1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Value, Vid
from backendlint.facts.within import below, name_of
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import certain, given
from backendlint.project.graph.feasible import way
from backendlint.project.graph.passing import decides, inputs, parts_of, read_from
from backendlint.project.linking.binding import chained_calls, receiver
from backendlint.project.loops.loops import (
    VIEWS,
    block_at,
    depends,
    few,
    for_one_item,
    going_through,
    grows,
    loops_around,
    plain,
    stops_early,
    when_full,
)
from backendlint.project.loops.remembered import begun, made, remembered
from backendlint.project.loops.rounds import STATEMENTS, apart, behind_interface
from backendlint.project.loops.spared import handed_in, unread
from backendlint.project.rows.associations import declared
from backendlint.project.rows.inhand import looks_first, rows_in_hand
from backendlint.project.rows.loaders import by_callers
from backendlint.project.rows.managedrows import handed_down, managed_path
from backendlint.project.rows.origins import Path
from backendlint.project.rows.queries import CACHED, Query
from backendlint.project.sqltext.assemble import HOLE
from backendlint.project.values.uses import ingredients, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_STEPS = 16
_NAMES_TABLE = re.compile(rf"\b(FROM|JOIN|TABLE)\s+[\"`\[']?(?:{HOLE.pattern})", re.IGNORECASE)
"""A statement on a table that is put into it: one for each table."""
_CACHE = re.compile(r"cache|redis", re.IGNORECASE)
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager", "_meta"})
_COLLECTS = frozenset({"append", "extend", "insert"})
_COLLECTIONS = (("name", "builtins.set"), ("name", "builtins.list"))
MAPPING = frozenset({"builtins.map", "builtins.filter"})


class Repeated(NamedTuple):
    """A query, or a call that leads to one, inside a loop over data."""

    fn: Fn
    span: Span
    loop: Span
    query: Query
    edges: tuple[Edge, ...]
    """Calls from the loop's body to the query; empty where the body itself sends it."""
    varies: bool
    """The query is made from the loop's item."""
    grouped: bool
    """Each round asks for a whole group of rows."""
    remembered: bool = False
    """Asked once for each key that a dictionary does not hold yet, which keeps the answer; or not at all, as it is handed in."""
    borrowed: bool = False
    """A relation of rows that somebody unknown has read, perhaps together with it."""


def repeated(project: Project, functions: Iterable[Fn] | None = None) -> Iterator[Repeated]:
    """Reads of the database in loops over data of these functions (else of reviewed files), each at the outermost call in the
    loop's body."""
    looping = set(project.functions_with("for", "comp"))
    for fn in project.reviewed() if functions is None else functions:
        yield from _mapped(project, fn)
        if fn not in looping:
            continue
        for query in project.queries.direct(fn):
            loop = _loop(project, fn, query.block)
            if query.kind == "read" and loop >= 0 and not _own_statement(project, fn, query, loop):
                if apart(project, query, (), _of_item(fn, loop)) or unread(project, query, ()):
                    continue
                found = _found(fn, query.span, loop, query, (), parts_of(query))
                yield found._replace(borrowed=_of_lent_rows(project, query))
        for edge in project.graph.callees(fn):
            if edge.kind not in ("call", "property") or project.queries.reason(edge.callee) is None:
                continue
            loop = _loop(project, fn, edge.block)
            if loop < 0 or project.queries.cached(edge.callee) or project.queries.hands_write(edge):
                continue
            if _found_in_cache(project, edge) or behind_interface(project, edge):
                continue
            edges, last = way(project, edge)
            read = inputs(edge.call) if edge.call is not None else read_from(edge)
            if last is None or not read or _own_rows(project, fn, edge, read, loop):
                continue
            if apart(project, last, (edge, *edges), _of_item(fn, loop)) or unread(project, last, (edge, *edges)):
                continue
            came_along = _came_along(project, fn, (edge, *edges), last)
            if came_along is not True:
                item = _found(fn, edge.span, loop, last, (edge, *edges), read)
                yield item._replace(borrowed=came_along is None)


def _of_item(fn: Fn, loop: int) -> Callable[[Vid], bool]:
    """Tells which values are made of the item of the loop, or of one around it."""
    loops = [number for number, _ in loops_around(fn, loop)]
    return lambda vid: any(depends(fn, [vid], number) for number in loops)


def _found_in_cache(project: Project, edge: Edge) -> bool:
    """`load(key, use_cache=True)`: called so, it certainly looks into a cache and gives back what is there."""
    fn, known = edge.callee, given(edge)
    asked = [
        call
        for call in fn.calls
        if fn.callee_name(call).startswith("get") and _of_cache(project, fn, call) and certain(fn, call, known)
    ]
    return any(
        block.kind == "if" and block.exits == "return" and test in (fn.value(call.value), ("await", call.value))
        for block in fn.facts.blocks
        for call in asked
        if (test := fn.unguarded(block.value))
    )


def _of_cache(project: Project, fn: Fn, call: Call) -> bool:
    """By its model, or by what the object or its class is called."""
    if any("cache-read" in model.effect for model in project.models(fn, call)):
        return True
    base = receiver(fn, call)
    named = [*(ref.name for ref in project.callees(fn, call)), name_of(fn.file, fn.facts, base) if base >= 0 else ""]
    return any(_CACHE.search(name) for name in named)


def _came_along(project: Project, fn: Fn, edges: tuple[Edge, ...], query: Query) -> bool | None:
    """Whether what is asked of the loop's item (`self.tags.all()`) is a relation that its query loaded with it; None where
    nobody knows the item's query, or what lies between the two."""
    for slot in range(len(query.fn.facts.params)):
        below = managed_path(project, query, slot)
        head = handed_down(edges, slot) if below else None
        if head is None:
            continue
        vid, above = head
        item = fn.unguarded(vid)[0] in ("elem", "unpack")
        rows, path = fn.unguarded(vid)[1] if item else vid, (*above, *below)
        origins = list(project.origins.of(fn, rows))
        known = bool(origins) and all(origin.known for origin in origins)
        if known and all(origin.loads.has((*origin.path, *path)) for origin in origins):
            return True
        if known and all(by_callers(project, origin, (*origin.path, *path)) for origin in origins):
            return None
        handed = query.fn is not fn or (bool(origins) and _handed_in(fn, rows))  # with what came along
        unseen = (item and handed and not known) or any(origin.open for origin in origins)
        if unseen or not _all_relations(project, fn, vid, path):
            return None  # in a recursion nobody has loaded all levels
    return False


def _of_lent_rows(project: Project, query: Query) -> bool:
    """Whether it takes a relation, as it may have come along, of rows that whoever calls has read, perhaps with all of it."""
    fn, vid = query.fn, query.vid
    op = query.model.orm.op if query.model.orm is not None else ""
    for call in chained_calls(fn, vid, MAX_STEPS) if op in CACHED else ():
        if any(model.orm is None or model.orm.op not in CACHED for model in project.models(fn, call)):
            return False
        vid = receiver(fn, call)
    relation = declared(project, fn, vid) if op in CACHED and vid >= 0 else None
    origins = list(project.origins.of(fn, fn.value(vid)[1])) if relation is not None else []
    if relation is None:
        return False
    if not origins:  # nothing tells which query gave them
        return any(path[-1:] == (relation.name,) for path in project.associations.loaded)
    lent, name = _handed_in(fn, fn.value(vid)[1]), relation.name
    return all(
        by_callers(project, origin, (*origin.path, name)) if origin.known else lent  # not of what is made here
        for origin in origins
    )


def _handed_in(fn: Fn, vid: Vid) -> bool:
    """Whether a value is a part of what a parameter holds, other than the object itself."""
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] == "param":
            return bool(value[1] >= (fn.cls is not None))
        if value[0] not in ("attr", "elem", "unpack", "call"):
            return False
        vid = receiver(fn, fn.facts.calls[value[1]]) if value[0] == "call" else value[1]
        if vid < 0:
            return False
    return False


def _all_relations(project: Project, fn: Fn, vid: Vid, path: Path) -> bool:
    """Whether each step is a relation; a property may give what was loaded by another name."""
    rows = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    entity = rows[0] if len(rows) == 1 else None
    for name in path:
        relation = project.associations.find(entity, name) if entity is not None else None
        if relation is None and (entity is not None or name not in project.associations.names):
            return False
        entity = project.classes.get(relation.target) if relation is not None else None
    return True


def _mapped(project: Project, fn: Fn) -> Iterator[Repeated]:
    """`map(lambda row: load(row.id), rows)`: the function asks for each item."""
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None or project.queries.reason(edge.callee) is None:
            continue
        if edge.call.span != edge.span or len(edge.call.args) < 2 or edge.callee.parent is not fn:
            continue
        if not any(ref.name in MAPPING for ref in project.callees(fn, edge.call)):
            continue
        edges, query = project.queries.chain(edge.callee)
        if query is not None and not few(project, fn, edge.call.args[1]):
            span = edges[0].span if edges else query.span
            yield Repeated(edge.callee, span, edge.call.span, query, tuple(edges), True, False)


def _own_statement(project: Project, fn: Fn, query: Query, loop: int) -> bool:
    """Whether the loop goes over statements or tables: it executes the item itself, or asks `item.select()`, `item.objects`."""
    if _of_each(project, fn, query.vid, loop):
        return True
    if query.call is None or query.model.sql is None or not query.call.args:
        return False
    text = project.queries.text(fn, query.call)
    if _NAMES_TABLE.search(text) or (not text and _rendered(project, fn, query.call.args[0], loop)):
        return True
    iterable = fn.facts.blocks[loop].value
    vid = plain(fn, query.call.args[0])
    value = fn.facts.values[vid]
    if value[0] == "call":
        made_by = fn.facts.calls[value[1]]
        func = fn.facts.values[made_by.func]
        vid = plain(fn, func[1]) if func[0] == "attr" else vid
        wraps = func[0] == "name" and len(made_by.passed) == 1 and made_by.args and not project.targets(fn, made_by)
        if wraps:  # `execute(text(statement))`
            vid = plain(fn, made_by.args[0])
    if _table_of_item(fn, query.call.args[0], loop):
        return True
    value = fn.facts.values[vid]
    if value[0] in ("unpack", "item") and fn.facts.values[plain(fn, value[1])][0] == "elem":
        value = fn.facts.values[plain(fn, value[1])]  # of an item that is a statement and its values
    return value[0] in ("elem", "unpack") and value[1] in (iterable, plain(fn, iterable))


def _rendered(project: Project, fn: Fn, vid: Vid, loop: int) -> bool:
    """`cursor.execute(template.render(...))` of a template that the item names: each round executes another script."""
    value = fn.unguarded(vid)
    return value[0] == "call" and not project.is_instance(fn, vid, *STATEMENTS) and depends(fn, [vid], loop)


def _table_of_item(fn: Fn, vid: Vid, loop: int) -> bool:
    """`select(entity).where(...)` of an entity that the item leads to: each round asks another table."""
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        func = fn.unguarded(call.func)
        if fn.callee_name(call) == "select" and len(call.args) == 1:
            entity = fn.unguarded(call.args[0])
            return entity[0] in ("elem", "unpack", "attr", "item") and depends(fn, [call.args[0]], loop)
        if func[0] != "attr":
            return False
        vid = func[1]
    return False


def _own_rows(project: Project, fn: Fn, edge: Edge, read: list[Vid], loop: int) -> bool:
    """Whether the callee gets a query on the table that is the loop's item, or the property's value came with the items:
    `rows.annotate(weight=...)`."""
    if edge.call is not None:
        return any(_of_each(project, fn, vid, loop) for vid in edge.call.passed if fn.unguarded(vid)[0] == "call")
    items = [value[1] for vid in read if (value := fn.facts.values[plain(fn, vid)])[0] == "elem"]
    steps = [step for vid in items for origin in project.origins.of(fn, vid) if origin.known for step in origin.steps]
    return any(key == edge.callee.name for step in steps if step.model.orm is not None for key, _ in step.call.kwargs)


def _of_each(project: Project, fn: Fn, vid: Vid, loop: int, ways: int = 2) -> bool:
    """Whether the query's chain begins with the manager of a model that is the loop's item, or is the item: a batch of rows."""
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] == "phi" and ways:
            return all(_of_each(project, fn, part, loop, ways - 1) for part in value[1])
        if value[0] == "attr" and value[2] in _MANAGERS and depends(fn, [value[1]], loop):
            return fn.unguarded(value[1])[0] in ("elem", "unpack", "attr")
        if value[0] == "call":
            vid = fn.facts.calls[value[1]].func
        elif value[0] == "attr":
            vid = value[1]
        else:
            return value[0] in ("elem", "unpack") and depends(fn, [vid], loop) and bool(going_through(project, fn, vid))
    return False


def _in_groups(fn: Fn, number: int, vids: list[Vid]) -> bool:
    """Whether each round asks for a whole group: `for key, ids in by_key.items()` with `id__in=ids`, or `id__in=ids[start:end]`."""
    func = fn.func_of(fn.facts.values[plain(fn, fn.facts.blocks[number].value)])
    by_key = func[0] == "attr" and func[2] == "items"
    if by_key and _gathers(fn, func[1]) and any(_is_group(fn, vid) for vid in vids):
        return True
    for vid in _sets_asked_for(fn, vids):
        value = fn.facts.values[plain(fn, vid)]
        if value[0] == "item" and depends(fn, [value[2]], number):  # `id__in=ids_of[key]`
            return True
        if by_key and _is_group(fn, _whole(fn, vid)):
            return True
        if _collected_within(fn, number, vid):
            return True
        if value[0] == "slice" and depends(fn, [bound for bound in value[2:4] if bound >= 0], number):
            return True
    return False


def _whole(fn: Fn, vid: Vid) -> Vid:
    """`rows` for `rows.keys()` and the like."""
    func = fn.func_of(fn.facts.values[plain(fn, vid)])
    return func[1] if func[0] == "attr" and func[2] in VIEWS else vid


def _collected_within(fn: Fn, number: int, vid: Vid) -> bool:
    """Whether the round itself puts together a list or set of what it then asks for: `ids = {row.id for row in group.rows}`."""
    start = begun(fn, vid, lambda value: _collects(fn, value))
    if start < 0:
        return False
    value = fn.facts.values[start]
    block = fn.facts.blocks[value[4]].parent if value[0] == "comp" else block_at(fn, fn.facts.span_of(start))
    return any(inner == number for inner, _ in loops_around(fn, block))


def _adds_up(fn: Fn, number: int, vids: list[Vid]) -> bool:
    """Whether each round asks by what the former ones have collected too: `narrowing.extend(more)`, `filter(*narrowing)`."""
    inside = below(fn.facts, number)
    for vid in ingredients(fn.facts, vids):
        value = fn.facts.values[vid]
        if value[0] == "mut" and value[2] in _COLLECTS and block_at(fn, fn.facts.span_of(vid)) in inside:
            start = begun(fn, vid, lambda value: _collects(fn, value))
            if start >= 0 and block_at(fn, fn.facts.span_of(start)) not in inside:
                return True
    return False


def _collects(fn: Fn, value: Value) -> bool:
    """A comprehension, or an empty list or set."""
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        return not call.passed and fn.facts.values[call.func] in _COLLECTIONS
    return value[0] == "comp" or (value[0] in ("list", "set") and not value[1])


def _is_group(fn: Fn, vid: Vid) -> bool:
    """The mapping's value in `for key, value in mapping.items()`, or a part of it (`value["users"]`)."""
    value = fn.facts.values[plain(fn, vid)]
    while value[0] in ("item", "attr"):
        value = fn.facts.values[plain(fn, value[1])]
    return bool(value[::2] == ("unpack", 1))


def _gathers(fn: Fn, vid: Vid) -> bool:
    """Whether a mapping collects what belongs together: `defaultdict(list)`."""
    start = fn.facts.values[vid] if (vid := made(fn, vid)) >= 0 else ("",)
    call = fn.facts.calls[start[1]] if start[0] == "call" else None
    if call is None or fn.facts.values[call.func] != ("name", "collections.defaultdict"):
        return False
    return any(fn.facts.values[item] in _COLLECTIONS for item in call.args)


def _sets_asked_for(fn: Fn, vids: list[Vid]) -> Iterator[Vid]:
    """What a query compares with `__in` or `in_()`."""
    todo, seen = [vid for vid in vids if vid >= 0], set(vids)
    while todo:
        value = fn.facts.values[todo.pop()]
        if value[0] == "mut" and value[2] not in _COLLECTS:
            inner = [value[1]]  # a session remembers all that it was given
        elif value[0] != "call":
            inner = list(operands(value))
        else:
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            yield from (vid for key, vid in call.kwargs if key.endswith("__in"))
            yield from call.args if func[0] in ("attr", "name") and str(func[-1]).endswith("in_") else ()
            inner = [call.func, *call.passed]
        for vid in inner:
            if vid >= 0 and vid not in seen:
                seen.add(vid)
                todo.append(vid)


def _found(fn: Fn, span: Span, loop: int, query: Query, edges: tuple[Edge, ...], vids: list[Vid]) -> Repeated:
    of_item = _of_item(fn, loop)
    varies = any(map(of_item, vids))
    if varies and edges and edges[0].call is not None:
        varies = decides(edges, query, of_item, closures=True)
    many = query.model.orm is not None and query.model.orm.op == "in_bulk"
    grouped = many or _in_groups(fn, loop, vids) or _adds_up(fn, loop, vids)
    if not grouped and edges and edges[0].call is not None:
        grouped = decides(edges, query, lambda vid: _collected_within(fn, loop, vid), closures=False)
    call = edges[0].call if edges else query.call
    known = (call is not None and remembered(fn, loop, call)) or handed_in(edges, query, of_item)
    known = known or any(looks_first(caller, block, place) for caller, block, place in _places(edges, query))
    return Repeated(fn, span, fn.facts.blocks[loop].span, query, edges, varies, grouped, known)


def _places(edges: tuple[Edge, ...], query: Query) -> Iterator[tuple[Fn, int, Span]]:
    """Where what is called goes on to the query, and asks it."""
    yield from ((edge.caller, edge.block, edge.span) for edge in edges[1:])
    if edges:
        yield query.fn, query.block, query.span


def _loop(project: Project, fn: Fn, block: int) -> int:
    """The innermost loop around a block that grows with the data and does not end there, or -1; none where what it reads is
    known to have been loaded."""
    if rows_in_hand(fn, block):
        return -1
    for number, _ in loops_around(fn, block):
        if stops_early(fn, block, number) or when_full(project, fn, block, number) or for_one_item(fn, block, number):
            return -1
        if grows(project, fn, number):
            return number
    return -1
