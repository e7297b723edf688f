"""What the rounds of a loop make of the answer: whether there is work for the item, or what it is done with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backendlint.api import Block, Fn, LazyRead, Repeated, Span, Vid, ingredients, receiver

DECIDES = re.compile(r"_*(exists|count|is|has|can|should|needs|allows)(_|$)")
"""Names of what answers with yes or no, or with a number."""
MAX_CHAIN = 3
"""So many calls on what was asked are followed back."""


def by_answer(item: Repeated | LazyRead, within: Sequence[tuple[int, Block]]) -> bool:
    """`if waiting_at(pier) > 5: send(...)`: the answer says for which items there is work, and one query could say that of all;
    not `if row is not None`, where it is what the work is done with."""
    if not isinstance(item, Repeated):
        return any((test := _test(item.fn, block)) >= 0 and _reads(item, test) for _, block in within)
    fn, asked = item.fn, _told(item)
    told = item.edges[0].callee.name if item.edges else item.query.name.rpartition(".")[2]
    tests = [_parts(fn, test) for _, block in within if (test := _test(fn, block)) >= 0]
    asks = [[part for part in parts if asked in ingredients(fn.facts, (part,))] for parts in tests]
    there = [all(_is_there(fn, part, asked) for part in parts) for parts in asks if parts]
    return bool(there) and (DECIDES.match(told) is not None or not any(there))


def where_there(item: Repeated | LazyRead, block: Block) -> bool:
    """`if row:`, `if row is not None:` of what was asked for: nearly each round comes there."""
    if not isinstance(item, Repeated) or block.kind != "if" or block.value < 0:
        return False
    value, asked = item.fn.unguarded(block.value), _told(item)
    missing = value[0] == "not" or (value[0] == "compare" and value[1] == ("is",))
    return asked >= 0 and value[0] != "bool" and not missing and _is_there(item.fn, block.value, asked)


def _told(item: Repeated) -> Vid:
    """The answer, of a loop over it before that (`if rows: for row in rows`)."""
    asked = asked_by(item)
    return item.fn.untested(asked) if asked >= 0 else asked


def asked_by(item: Repeated) -> Vid:
    """What stands in the loop for the answer: the call or the property that leads to the query, or the query; -1 where nothing does."""
    call = item.edges[0].call if item.edges else item.query.call
    if call is not None:
        return call.value
    if not item.edges:
        return item.query.vid
    read = (vid for vid in item.fn.made_by("attr") if item.fn.facts.span_of(vid) == item.span)
    return next(read, -1)


def _test(fn: Fn, block: Block) -> Vid:
    """What an `if` asks, or the one whose `else` it is; -1 for other blocks."""
    if block.kind == "else" and block.group >= 0:
        block = fn.facts.blocks[block.group]
    return block.value if block.kind == "if" else -1


def _reads(item: LazyRead, test: Vid) -> bool:
    """Whether a test reads the relation: `if berth.harbour.open: ...`"""
    read = (item.fn.facts.values[part] for part in ingredients(item.fn.facts, (test,)))
    return any(value[0] == "attr" and value[2] == item.relation.name for value in read)


def _parts(fn: Fn, test: Vid) -> Sequence[Vid]:
    value = fn.unguarded(test)
    return value[2] if value[0] == "bool" else (test,)


def _is_there(fn: Fn, test: Vid, asked: Vid) -> bool:
    """`if row`, `if not row`, `if row is not None` of what was asked for, or of the first of it."""
    value = fn.unguarded(test)
    if value[0] == "not":
        value = fn.unguarded(value[1])
    if value[0] == "compare" and fn.const(value[2][1]) is None:
        value = fn.unguarded(value[2][0])
    for _ in range(MAX_CHAIN):
        value = fn.unguarded(value[1]) if value[0] == "await" else value
        if value == fn.facts.values[asked] or value[0] != "call":
            break
        base = receiver(fn, fn.calls[value[1]])
        value = fn.unguarded(base) if base >= 0 else ("",)
    return bool(value == fn.facts.values[asked])


def is_missing(fn: Fn, test: Vid, asked: Span) -> bool:
    """`if not row`, `if row is None`, `if not row or ...` of what was asked at a place."""
    value = fn.unguarded(test) if test >= 0 else ("",)
    if value[:2] == ("bool", "or"):
        value = fn.unguarded(value[2][0])
    if value[0] == "compare" and value[1] == ("is",) and fn.const(value[2][1]) is None:
        value = ("not", value[2][0])
    row = fn.unguarded(value[1]) if value[0] == "not" else ("",)
    row = fn.unguarded(row[1]) if row[0] == "await" else row
    return row[0] == "call" and fn.calls[row[1]].span == asked
