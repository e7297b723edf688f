"""What becomes of what was caught without `from`: the new exception keeps it, it is logged, told on, noted or dropped."""

from __future__ import annotations

import re

from backendlint.api import (
    Call,
    Fn,
    FunctionFacts,
    Project,
    Raise,
    around,
    below,
    called_name,
    calls_in,
    ingredients,
    log_call,
    object_root,
    of_caught,
    slots,
)

from .raises import handler_of, is_new, last

_TRACEBACKS = ("format_exc", "format_exception", "format_tb", "exc_info")
_PRINTED = ("print_exc", "print_exception")
_ERRORS = ("error", "critical", "fatal")
_NOTES = frozenset({"append", "add", "extend", "update", "setdefault", "put"})
_HOLDS = re.compile(r"(^|_)(cause|inner|orig|original|wrapped|nested|underlying)(_|$)", re.IGNORECASE)
"""Keywords under which an exception is given another one to keep."""


def drops(fn: Fn, handler: int) -> bool:
    """Whether an `except` block goes on: it raises nothing, and logs no traceback."""
    inside = below(fn.facts, handler)
    if any(item.block in inside for item in fn.facts.raises):
        return False
    logged = (log_call(fn.file, fn.facts, call) for call in fn.facts.calls if call.block in inside)
    return not any(found and found.traceback for found in logged)


def sets_cause(function: FunctionFacts, item: Raise) -> bool:
    """Whether the exception's `__cause__` is set by hand before."""
    blocks = set(around(function, item.block))
    return any(store.name == "__cause__" and store.block in blocks for store in function.stores)


def carries_traceback(fn: Fn, item: Raise) -> bool:
    """`raise JobError(..., tb=traceback.format_exc())`: the new exception takes the old one's traceback along."""
    parts = (fn.value(vid) for vid in ingredients(fn.facts, (item.exc,)))
    return any(value[0] in ("name", "attr") and last(str(value[-1])) in _TRACEBACKS for value in parts)


def keeps(project: Project, fn: Fn, item: Raise, handler: int) -> bool:
    """Whether the new exception is given the caught one itself and keeps it: by its constructor, else by the keyword's name."""
    value = fn.facts.values[item.exc]
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    given = {vid for vid in call.passed if fn.unguarded(vid) == ("exc", handler)}
    if not given:
        return False
    made = next((project.classes[ref.name] for ref in project.callees(fn, call) if ref.name in project.classes), None)
    init = project.method(made, "__init__") if made is not None else None
    if init is None or _hands_on(init):
        beside = len(call.args) > 1 and not given.isdisjoint(call.args)  # `Lost("no box", err)`: kept in `args`
        return beside or any(vid in given and _HOLDS.search(key) for key, vid in call.kwargs)
    places = slots(fn, call, init, given)
    return any(
        init.value(object_root(init, store.base)) == ("param", 0)
        and init.unguarded(store.value) in {("param", index) for index in places}
        for store in init.facts.stores
        if store.name
    )


def _hands_on(init: Fn) -> bool:
    """`super().__init__(*args, **kwargs)` of what it was given: exceptions keep that in `args`."""
    values = [init.value(vid) for call in init.calls for vid in call.args if init.callee_name(call) == "__init__"]
    spread = [init.unguarded(value[1]) for value in values if value[0] == "star"]
    return any(value[0] == "param" and init.facts.params[value[1]].kind == "args" for value in spread)


def is_said(fn: Fn, item: Raise, handler: int) -> bool:
    """Whether the new exception is made of the caught one: `ShopError(f"no answer: {err}")`."""
    return of_caught(fn.facts, handler, (item.exc,))


def is_logged(fn: Fn, item: Raise, handler: int, *, as_error: bool = False, whole: bool = False) -> bool:
    """Whether the handler has logged the caught one before, with its traceback or (as an error, if that is asked for; not where
    the `whole` must be there) its text; also in either branch of an `if`."""
    inside = _way_to(fn, item, handler)
    before = (call for call in calls_in(fn.facts, handler) if call.span < item.span)
    logged = {call.block for call in before if _logs(fn, call, handler, as_error=as_error, whole=whole)}
    either = {
        block.parent
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "else" and {number, block.group} <= logged
    }
    return not inside.isdisjoint(logged | either)


def is_logged_below(project: Project, fn: Fn, handler: int) -> bool:
    """Whether what is tried logs what fails in it, as an error or with its traceback, before it comes here."""
    tried = {call.span for call in calls_in(fn.facts, fn.facts.blocks[handler].group)}
    reached = [edge.callee for edge in project.graph.callees(fn) if edge.call is not None and edge.call.span in tried]
    reached += [edge.callee for item in reached for edge in project.graph.callees(item) if edge.kind == "call"]
    raises = [(item, inner) for item in reached for inner in item.facts.raises]
    return any(
        (inside := handler_of(item.facts, inner)) >= 0
        and (inner.exc < 0 or not is_new(item.facts, inner.exc))
        and is_logged(item, inner, inside, as_error=True)
        for item, inner in raises
    )


def is_told_on(project: Project, fn: Fn, item: Raise, handler: int, *, whole: bool = False) -> bool:
    """Whether the caught one (itself, or just its text: `self.note(f"no answer: {error}")`) went to a function of the project that
    logs."""
    inside = _way_to(fn, item, handler)
    handed = [call for call in fn.calls if call.block in inside and call.span < item.span]
    if whole:
        handed = [call for call in handed if any(fn.unguarded(vid) == ("exc", handler) for vid in call.passed)]
    noting = [
        callee for call in handed if of_caught(fn.facts, handler, call.passed) for callee in project.targets(fn, call)
    ]
    return any(log_call(callee.file, callee.facts, call) for callee in noting for call in callee.calls)


def is_noted(fn: Fn, item: Raise, handler: int) -> bool:
    """`self.problems.append(str(err))` before: what was caught is kept for who asks later."""
    inside = _way_to(fn, item, handler)
    kept = [store.value for store in fn.facts.stores if store.block in inside and store.span < item.span]
    for call in fn.calls:
        if call.block in inside and call.span < item.span and fn.callee_name(call) in _NOTES:
            kept += call.passed
    return of_caught(fn.facts, handler, kept)


def _logs(fn: Fn, call: Call, handler: int, *, as_error: bool, whole: bool = False) -> bool:
    if last(called_name(fn.file, fn.facts, call)) in _PRINTED:
        return True
    found = log_call(fn.file, fn.facts, call)
    if not found:
        return False
    if found.traceback or whole:
        return found.traceback
    return (not as_error or found.level in _ERRORS) and of_caught(fn.facts, handler, call.passed)


def _way_to(fn: Fn, item: Raise, handler: int) -> set[int]:
    """The handler, and the blocks in it that hold the `raise`."""
    return {number for number in around(fn.facts, item.block) if number >= handler}
