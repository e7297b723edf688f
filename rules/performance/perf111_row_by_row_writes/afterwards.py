"""What is done with a row, or with what its write gives, after it was written."""

from __future__ import annotations

from backendlint.api import Call, Edge, Fn, Project, Vid, aliases, before, is_used


def is_result_used(fn: Fn, call: Call) -> bool:
    """Whether anything is done with what a call gives, awaited or not."""
    awaited = next((vid for vid, value in enumerate(fn.facts.values) if value == ("await", call.value)), call.value)
    return is_used(fn.facts, awaited)


def asked_after(fn: Fn, vid: Vid, flush: Call) -> bool:
    """Whether the object, or one of its attributes, is read after the flush."""
    held = aliases(fn.facts, vid)
    later = [n for n, value in enumerate(fn.facts.values) if value[0] == "attr" and value[1] in held]
    return any(before(flush.span, fn.facts.span_of(n)) for n in later) or _handed_on(fn, held, flush)


def given_back(fn: Fn, call: Call, edge: Edge | None) -> bool:
    """Whether the callee answers with the row or its key, and the loop goes on with it."""
    if edge is None or all(edge.callee.const(vid) is not ... for vid in edge.callee.returned):
        return False
    return is_result_used(fn, call)


def needed_after(project: Project, fn: Fn, call: Call) -> bool:
    """`line.order = order` after `order.save()`, `order.add_lines()`: what is written next refers to the row."""
    value = fn.facts.values[call.func]
    held = aliases(fn.facts, value[1]) if value[0] == "attr" else set[Vid]()
    return _handed_on(fn, held, call) or any(
        before(call.span, other.span)
        and fn.facts.values[other.func][0] == "attr"
        and fn.facts.values[other.func][1] in held
        and "db-write" in project.effects.call_effects(fn, other)
        for other in fn.calls
    )


def _handed_on(fn: Fn, held: set[Vid], call: Call) -> bool:
    """Whether any of the values is stored, passed on or returned after the call."""
    later = [(item.span, item.value) for item in fn.facts.stores]
    later += [(item.span, item.value) for item in fn.facts.returns]
    later += [(other.span, vid) for other in fn.calls for vid in other.passed]
    return any(vid in held and before(call.span, span) for span, vid in later)
