"""Queries that end the loop, or that are asked only where something failed."""

from __future__ import annotations

from backendlint.api import Fn, LazyRead, Repeated, Span, Vid, depends, receiver

from .answers import asked_by

WARNS = ("warning", "warn", "error")
ENDS = frozenset({"any", "all", "next"})
MAX_CHAIN = 3
"""So many calls on what was asked are followed back."""


def until_found(item: Repeated) -> bool:
    """Whether the loop tries one after the other until one is there: `if found: return found`, `next(... if found)`."""
    asked = asked_by(item) if item.edges or item.query.call is not None else -1
    return (asked >= 0 and leaves_by(item.fn, asked, item.loop)) or _asked_of_any(item.fn, item.loop)


def _asked_of_any(fn: Fn, loop: Span) -> bool:
    """`any(is_taken(name) for name in names)`, which ends at the first that is."""
    for call in fn.calls:
        value = fn.value(call.args[0]) if call.args and fn.callee_name(call) in ENDS else ("",)
        if value[:2] == ("comp", "gen") and fn.facts.blocks[value[4]].span == loop:
            return True
    return False


def leaves_by(fn: Fn, asked: Vid, loop: Span) -> bool:
    """Whether what is asked decides that the loop ends; where it must fail for that, that the item is what was looked for."""
    for number, block in enumerate(fn.facts.blocks):
        leaves = block.kind == "if" and block.exits in ("return", "break")
        if not leaves or all(around.span != loop for _, around in fn.blocks_of(block.parent)):
            continue
        whole = fn.unguarded(block.value)
        parts = whole[2] if whole[:2] == ("bool", "and") else (block.value,)
        if any(_decides(fn, part, asked, denied=_gives_item(fn, number, loop)) for part in parts):
            return True
    return False


def _decides(fn: Fn, part: Vid, asked: Vid, *, denied: bool) -> bool:
    """Whether a test asks whether there is what was asked for; `denied`: or that there is not (`if not is_taken(name): return name`)."""
    test = fn.unguarded(part)
    if test[0] == "not" and denied:
        test = fn.unguarded(test[1])
    if test[0] == "compare" and test[1][0] == "is not" and fn.const(test[2][1]) is None:
        test = fn.unguarded(test[2][0])
    ways = test[1] if test[0] == "phi" else ()  # `role = known or found(name)`, in an `if` and its `else`
    if any(fn.unguarded(way) == fn.facts.values[asked] for way in ways):
        return True
    for _ in range(MAX_CHAIN):  # `row = session.execute(query).scalars().first()`
        if test[0] == "await":
            test = fn.unguarded(test[1])
        if test == fn.facts.values[asked]:
            return True
        base = receiver(fn, fn.calls[test[1]]) if test[0] == "call" else -1
        test = fn.unguarded(base) if base >= 0 else ("",)
    return False


def _gives_item(fn: Fn, block: int, loop: Span) -> bool:
    """Whether a branch returns what is made of the loop's item."""
    number = next((index for index, part in fn.blocks_of(block) if part.span == loop), -1)
    returned = [item.value for item in fn.facts.returns if item.block == block and item.value >= 0]
    return number >= 0 and depends(fn, returned, number)


def after_failure(item: Repeated) -> bool:
    """Whether the query is sent only where something failed: in an `except`, or on the way to a `raise`."""
    for edge in item.edges[:1]:
        if _failed(edge.caller, edge.block, item.loop):
            return True
    inner = [(edge.caller, edge.block) for edge in item.edges[1:]]
    place = (item.query.fn, item.query.block)
    return any(_failed(fn, block, None if item.edges else item.loop) for fn, block in (*inner, place))


def _failed(fn: Fn, block: int, loop: Span | None) -> bool:
    for number, part in fn.blocks_of(block):
        if part.span == loop:
            return fn.inside(number, "except") is not None  # one by one, where all at once has failed
        branch = part.kind in ("if", "else", "case")
        if part.kind == "except" or (branch and (part.exits == "raise" or _warns(fn, number))):
            return True
    return False


def _warns(fn: Fn, block: int) -> bool:
    """Whether a branch logs that it should not have come to this."""
    return any(call.block == block and fn.callee_name(call) in WARNS for call in fn.calls)


def only_warned_of(item: LazyRead) -> bool:
    """`log.warning("no reply of %s", line.owner.name)`: of what should not be there are few, where nothing else reads it."""
    fn, name = item.fn, item.relation.name
    warned = [call.span for call in fn.calls if fn.callee_name(call) in WARNS]
    read = (fn.facts.span_of(vid) for vid in fn.made_by("attr") if fn.facts.values[vid][2] == name)
    return not item.steps and all(any(span.holds(place) for span in warned) for place in read)
