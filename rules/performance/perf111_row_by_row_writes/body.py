"""What the loop does besides: the write is one part of larger work, or of a repair."""

from __future__ import annotations

import re

from backendlint.api import Call, Edge, Fn, Project, Query, around, depends, ingredients

from .afterwards import is_result_used, needed_after

OUTSIDE = ("http", "mail", "queue-publish", "subprocess", "cloud", "sleep")
LEAVES = frozenset({*OUTSIDE, "file", "commit"})
BESIDE = frozenset({*OUTSIDE, "file", "db-read", "db-write", "db"})
ERRORS = re.compile(r"(\w+_)?(error|failure|problem|violation)", re.IGNORECASE)
WARNS = frozenset({"warning", "warn", "error"})


def repairs(fn: Fn, loop: int) -> bool:
    """Whether the loop puts right what should not be so, after a failure or in a branch that warns of it."""
    if fn.inside(loop, "except") is not None:
        return True
    branches = {number for number, item in fn.blocks_of(loop) if item.kind in ("if", "else", "except")}
    return any(call.block in branches and fn.callee_name(call) in WARNS for call in fn.calls)


def of_errors(fn: Fn, loop: int) -> bool:
    """`for error in errors:` notes what was wrong with one value, which seldom is more than one thing."""
    line, iterable = fn.facts.blocks[loop].span.line, fn.facts.blocks[loop].value
    items = (item for item in fn.facts.bindings if item.span.line == line and ERRORS.fullmatch(item.name))
    return any(fn.unguarded(item.value)[:2] == ("elem", iterable) for item in items)


def does_more(project: Project, fn: Fn, loop: int, call: Call, edge: Edge | None) -> bool:
    """Whether the body, or what it calls to write, also reads, writes files or calls others for each item: one bulk write would
    not spare the round trips."""
    if not project.effects.call_effects(fn, call).isdisjoint(OUTSIDE):
        return True
    for other in fn.calls:
        if call.span.holds(other.span) or loop not in around(fn.facts, other.block):
            continue
        if any(model.transaction for model in project.models(fn, other)):
            continue
        if not BESIDE.isdisjoint(project.effects.call_effects(fn, other)) or _likely_asks(project, fn, loop, other):
            return True
    if _at_once(project, fn, loop, call):
        return True
    if any(item.kind == "read" and loop in around(fn.facts, item.block) for item in project.queries.direct(fn)):
        return True
    return edge is not None and project.effects.has(edge.callee, "file")


def _at_once(project: Project, fn: Fn, loop: int, call: Call) -> bool:
    """`with transaction.atomic(): order.forget_offers(); order.lines.all().delete()`: in a transaction of the round's own, beside
    what a function of the project does."""
    for number, block in fn.blocks_of(call.block):
        if number == loop:
            return False
        if block.kind == "with" and project.transactions.is_transaction(fn, block):
            inside = (other for other in fn.calls if other is not call and number in around(fn.facts, other.block))
            return any(project.targets(fn, other) and not is_result_used(fn, other) for other in inside)
    return False


def stays_inside(project: Project, fn: Fn, loop: int) -> bool:
    """Whether all that each round does is done in the program and its database: what is the same for all rows needs not wait for it."""
    return all(
        LEAVES.isdisjoint(project.effects.call_effects(fn, call)) and not _likely_asks(project, fn, loop, call)
        for call in fn.calls
        if loop in around(fn.facts, call.block)
    )


def _likely_asks(project: Project, fn: Fn, loop: int, call: Call) -> bool:
    """A method of something made of the item, or that is told of it, whose class nothing tells, where all methods of that name
    ask or write, or one asks another system, for which others may stand in."""
    func = fn.facts.values[call.func]
    known = project.targets(fn, call) or project.models(fn, call)
    if known or func[0] not in ("attr", "name") or not depends(fn, [call.func, *call.passed], loop):
        return False
    name = fn.callee_name(call)
    found = [project.effects.of(cls.methods[name]) for cls in project.classes.values() if name in cls.methods]
    if any(effect in effects for effects in found for effect in OUTSIDE):
        return True
    return bool(found) and func[0] == "attr" and all(not BESIDE.isdisjoint(effects) for effects in found)


def may_fail_alone(fn: Fn, loop: int, call: Call) -> bool:
    """A `try` inside the loop, around the write: one item's failure is not the others'."""
    for number, item in fn.blocks_of(call.block):
        if number == loop:
            return False
        if item.kind in ("try", "except"):
            return True
    return False


def judged(fn: Fn, call: Call) -> bool:
    """Whether the loop looks at how many rows this write found: `if updated != 1`."""
    made = {call.value, *(vid for vid, value in enumerate(fn.facts.values) if value == ("await", call.value))}
    return any(block.kind == "if" and made & ingredients(fn.facts, (block.value,)) for block in fn.facts.blocks)


def composite(project: Project, fn: Fn, loop: int, query: Query) -> bool:
    """Whether the row is one part of larger work: other writes in the loop, or its new key is used at once."""
    others = 0
    for item in project.queries.sent(fn):
        if item.kind == "write" and item.call is not query.call and loop in around(fn.facts, item.block):
            others += 1
    if query.fn is not fn or query.call is None:
        return others > 0
    op = query.model.orm.op if query.model.orm is not None else ""
    used = is_result_used(fn, query.call)
    return others > 0 or (used and op in ("create", "add")) or (op == "save" and needed_after(project, fn, query.call))
