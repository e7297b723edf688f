"""Queries that cannot well be asked for all items at once."""

from __future__ import annotations

import re

from backendlint.api import Block, Fn, Project, Repeated, Value, Vid, depends, grows, loops_around, name_of

READS_TABLE = re.compile(
    r"^\s*(?!\s|(?:SELECT|WITH)\b)|\b(?:FROM|JOIN)\s+(?!\w+\s*\(|information_schema\.|pg_)(\w+|\S)", re.IGNORECASE
)
"""Statements other than a SELECT, and those of one that reads more than what a function gives, or the server says of itself."""
CTE = re.compile(r"\b(\w+)\s+AS\s*\(", re.IGNORECASE)
LOCK = re.compile(r"lock|mutex|semaphore", re.IGNORECASE)
NAMING = {"getattr": 1, "setattr": 1, "hasattr": 1, "issubclass": 0}
"""Where these take the name of an attribute, or a class."""
SWITCHES = frozenset({"set_tenant", "set_schema", "tenant_context", "schema_context"})
"""What django-tenants and its relatives turn a connection to another schema by."""
KINDS = 3
"""So many names that a function tells apart make it a switch."""


def locks_each(project: Project, item: Repeated) -> bool:
    """`for order in late: with transaction.atomic(): order = Order.objects.select_for_update().get(pk=order.pk)`: one by one,
    each as briefly as can be, because others may be at it."""
    fn, call = item.fn, item.query.call
    if item.edges or call is None or project.transactions.around(fn, item.query.block) is None:
        return False
    return any(block.kind == "with" for block in _within(item)[1]) and "select_for_update" in item.query.name.split(".")


def under_own_lock(item: Repeated) -> bool:
    """`for name in names: with lock(f"berth-{name}"): ...`: asked for each while nobody else is at that one."""
    fn, (loop, within) = item.fn, _within(item)
    return any(
        block.kind == "with"
        and block.value >= 0
        and LOCK.search(name_of(fn.file, fn.facts, block.value)) is not None
        and depends(fn, [block.value], loop)
        for block in within
    )


def goes_on(item: Repeated) -> bool:
    """`for row in rows: while is_taken(row.slug): ...`: each goes on until its own answer says that it will do."""
    return any(block.kind == "while" for block in _within(item)[1])


def _within(item: Repeated) -> tuple[int, list[Block]]:
    """The loop's block, and those inside it that are around the query, or around the call that leads there."""
    way = list(item.fn.blocks_of(item.edges[0].block if item.edges else item.query.block))
    upto = next((number for number, (_, block) in enumerate(way) if block.span == item.loop), 0)
    return way[upto][0], [block for _, block in way[:upto]]


def loops_below(project: Project, item: Repeated) -> bool:
    """Whether what is called loops itself over what it asks for, or goes on batch by batch: that loop is the place to mend."""
    fn, query = item.query.fn, item.query
    if not item.edges:
        return False
    ways = [(edge.caller, edge.block, list(edge.call.passed)) for edge in item.edges[1:] if edge.call is not None]
    ways.append((fn, query.block, [query.vid]))
    return fn.inside(query.block, "while") is not None or any(
        grows(project, caller, number) and depends(caller, vids, number)
        for caller, block, vids in ways
        for number, _ in loops_around(caller, block)
    )


def computes(project: Project, item: Repeated) -> bool:
    """`SELECT regexp_replace(%s, ...)`, `SELECT 1 FROM pg_class ...`, which reads no table: there are no rows to fetch beforehand."""
    text = project.queries.text_of(item.edges, item.query) if item.query.model.sql is not None else ""
    named = {found[1].lower() for found in CTE.finditer(text)}
    reads = READS_TABLE.finditer(text)
    return text != "" and all(found[1] is not None and found[1].lower() in named for found in reads)


def dispatched(item: Repeated) -> bool:
    """`if name == "search": ... if name == "count": ...` in what is called: each item names another thing to do."""
    if not item.edges:
        return False
    fn, block = item.edges[0].callee, item.edges[1].block if len(item.edges) > 1 else item.query.block
    chosen = {subject for test, outcome in fn.tests_of(block) if outcome and (subject := _told_apart(fn, test)) >= 0}
    kinds = [_told_apart(fn, vid) for vid in fn.made_by("compare")]
    return any(kinds.count(subject) >= KINDS for subject in chosen)


def in_each_schema(project: Project, item: Repeated) -> bool:
    """`for tenant in tenants: with tenant_context(tenant): ...`: each round asks in another schema, itself or by what it calls."""
    fn, (loop, _) = item.fn, _within(item)
    inside = (call for call in fn.calls if any(number == loop for number, _ in fn.blocks_of(call.block)))
    return any(
        fn.callee_name(call) in SWITCHES
        or any(other.callee_name(part) in SWITCHES for other in project.targets(fn, call) for part in other.calls)
        for call in inside
    )


def for_one_key(item: Repeated) -> bool:
    """`if field == "owner": return owner_of(value)` in what is called with the item of the loop: one of the names asks."""
    if not item.edges or item.edges[0].call is None:
        return False
    edge, loop = item.edges[0], _within(item)[0]
    fn, block = edge.callee, item.edges[1].block if len(item.edges) > 1 else item.query.block
    chosen = {subject for test, outcome in fn.tests_of(block) if outcome and (subject := _told_apart(fn, test)) >= 0}
    passed = (vid for subject in chosen for vid, part in edge.passed(subject) if not part)
    return any(_is_item(edge.caller, edge.caller.unguarded(vid), loop) for vid in passed)


def sorts(item: Repeated) -> bool:
    """`if isinstance(value, Photo): ... elif isinstance(value, File): ...` in the loop: each kind of item is treated another way."""
    fn, (_, within) = item.fn, _within(item)
    kinds = [_kind_of(fn, call.value) for call in fn.calls if fn.callee_name(call) == "isinstance"]
    chosen = {_kind_of(fn, block.value) for block in within if block.kind == "if"}
    return any(kinds.count(subject) >= KINDS for subject in chosen - {()})


def _kind_of(fn: Fn, test: Vid) -> tuple[object, ...]:
    """The value whose class a test asks for, or ()."""
    value = fn.unguarded(test) if test >= 0 else ("",)
    call = fn.calls[value[1]] if value[0] == "call" else None
    return fn.unguarded(call.args[0]) if call is not None and len(call.args) == 2 else ()


def of_code(item: Repeated) -> bool:
    """`getattr(order, name)`, `issubclass(model, Document)`: the loop goes over fields or classes, as many as are written down."""
    fn, (loop, _) = item.fn, _within(item)
    asked = ((fn.callee_name(call), call.args) for call in fn.calls)
    named = (args[NAMING[name]] for name, args in asked if name in NAMING and len(args) > NAMING[name])
    return any(_is_item(fn, fn.unguarded(vid), loop) for vid in named)


def _is_item(fn: Fn, value: Value, loop: int) -> bool:
    """Whether a value is the loop's item, or a part of it by its place: `name` in `for name, row in found.items()`."""
    value = fn.unguarded(value[1]) if value[0] == "unpack" else value
    return value[0] == "elem" and fn.unguarded(value[1]) == fn.unguarded(fn.facts.blocks[loop].value)


def _told_apart(fn: Fn, test: Vid) -> int:
    """The parameter that a test compares with a constant, or -1."""
    value = fn.value(test)
    if value[0] != "compare" or value[1] != ("==",) or not isinstance(fn.const(value[2][1]), str):
        return -1
    subject = fn.unguarded(value[2][0])
    return subject[1] if subject[0] == "param" else -1
