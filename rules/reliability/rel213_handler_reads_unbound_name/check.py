"""REL213: a handler that reads what the call that failed was to give."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, Span, Vid, below, block_at, clause_text

OUTSIDE = frozenset(
    "http db-connect db-read db-write db commit flush cache-read cache-write mail socket grpc cloud search queue-publish ssh".split()
)
ALL = frozenset({"builtins.Exception", "builtins.BaseException"})
SAME = frozenset({"guard", "mut", "setattr", "store"})
LOOKS = frozenset({"locals", "vars", "dir"})
"""Who asks these knows that a name may not be bound."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a handler, for the name that it reads first."""
    for fn in project.functions_with("except", "finally"):
        if not project.counts(fn) or fn.is_module:
            continue
        for number, block in enumerate(fn.facts.blocks):
            if block.kind in ("except", "finally"):
                found = min(_unbound(project, fn, number), default=None)
                if found is not None:
                    yield _hit(project, fn, number, *found)


def _unbound(project: Project, fn: Fn, handler: int) -> Iterator[tuple[Span, str, Call]]:
    """Where the handler reads a name that may not be bound, the name, and the call that fails then."""
    function = fn.facts
    block = function.blocks[handler]
    straight = _straight(fn, block.group)
    if any(fn.callee_name(call) in LOOKS for call in fn.calls if call.block in below(function, handler)):
        return
    for item in function.bindings:
        if item.block not in straight or item.value < 0 or fn.value(item.value)[0] == "enter":
            continue  # who enters a `with` has it
        read = _read_in(fn, item.value, block.span)
        if read is None or _bound_before(fn, item.name, function.blocks[block.group].span):
            continue
        made = function.span_of(item.value)
        failing = next((call for call in fn.calls if _fails(project, fn, call, made, handler)), None)
        if (
            failing is not None
            and not _survives(project, fn, read, handler)
            and not _told_by_later(fn, read, item.span)
        ):
            yield read, item.name, failing


def _hit(project: Project, fn: Fn, handler: int, read: Span, name: str, failing: Call) -> Hit:
    block = fn.facts.blocks[handler]
    clause = clause_text(project.exceptions.caught_types(fn, block)) if block.kind == "except" else "`finally`"
    fails = fn.callee_name(failing)
    return Hit(
        f"`{name}` is not bound where {clause} in `{fn.name}()` reads it if "
        f"{f'`{fails}()`' if fails else 'the call'} itself fails: that raises UnboundLocalError, and what was to be done there is "
        f"not done; bind `{name} = None` before the `try`, and test it.",
        fn.location(read),
        related=(fn.step(failing.span, "where this fails, nothing is bound"),),
        function=fn.fqn,
    )


def _straight(fn: Fn, tried: int) -> set[int]:
    """The `try`, and what is entered in it in any case."""
    blocks = fn.facts.blocks
    found = {tried}
    for number, block in enumerate(blocks):
        if block.kind == "with" and block.parent in found:
            found.add(number)
    return found


def _bound_before(fn: Fn, name: str, tried: Span) -> bool:
    """Whether the name may stand for something when the `try` begins, and in `except ... as name`."""
    return (
        any(param.name == name for param in fn.facts.params)
        or any(block.name == name for block in fn.facts.blocks)
        or any(item.name == name and item.span < tried for item in fn.facts.bindings)
    )


def _fails(project: Project, fn: Fn, call: Call, bound: Span, handler: int) -> bool:
    """Whether a call that is made before the name is bound may raise what the handler catches."""
    tried = fn.facts.blocks[fn.facts.blocks[handler].group]
    if not (tried.span.holds(call.span) and call.span[2:] <= bound[2:]):
        return False
    if any(block.kind == "with" and fn.untested(block.value) == call.value for block in fn.facts.blocks):
        return False  # `limit = asyncio.timeout(3)`: what it raises, it raises where it ends
    names = {name for model in project.models(fn, call) for name in model.raises}
    names.update(name for target in project.targets(fn, call) for name in project.exceptions.escaping(target))
    outside = not OUTSIDE.isdisjoint(project.effects.call_effects(fn, call))
    if fn.facts.blocks[handler].kind == "finally":
        return outside or bool(names)
    if names:
        return any(project.exceptions.caught_by(fn, call.block, name) == handler for name in names)
    types = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    return outside and not ALL.isdisjoint(types)


def _told_by_later(fn: Fn, read: Span, bound: Span) -> bool:
    """`if link: engine.dispose()`, `if link is not None:`, where the link is made after the engine, and was None before."""
    later = {other.value for other in fn.facts.bindings if bound < other.span}
    for test, outcome in fn.tests_of(block_at(fn, read)):
        subject, holds = _asked_of(fn, test, outcome)
        ways = _ways(fn, subject)
        if holds and len(ways) > 1 and all(way in later or fn.const(way) is None for way in ways):
            return True
    return False


def _asked_of(fn: Fn, test: Vid, outcome: bool) -> tuple[Vid, bool]:
    """What a test asks whether it is there (`link`, `link is not None`), and the answer."""
    value = fn.value(fn.untested(test))
    if value[0] == "compare" and value[1][0] in ("is", "is not") and fn.const(value[2][1]) is None:
        return value[2][0], outcome is (value[1][0] == "is not")
    return test, outcome


def _ways(fn: Fn, vid: Vid) -> set[Vid]:
    """What a name may stand for, by the branches that lead there."""
    todo, ways = [fn.untested(vid)], set[Vid]()
    for item in todo:
        value = fn.value(item)
        if value[0] == "phi":
            todo += [part for part in map(fn.untested, value[1]) if part not in todo]
        else:
            ways.add(item)
    return ways


def _survives(project: Project, fn: Fn, read: Span, handler: int) -> bool:
    """`try: store.delete(key)`, `except Exception: pass` in the handler: that the name is not bound is caught with the rest."""
    caught = project.exceptions.caught_by(fn, block_at(fn, read), "builtins.UnboundLocalError")
    return caught in below(fn.facts, handler)


def _read_in(fn: Fn, vid: Vid, handler: Span) -> Span | None:
    """Where the handler reads the value first."""
    function = fn.facts
    held = [vid]
    reads: list[Span] = []
    for item in held:
        for user in fn.made_of(item):
            value = function.values[user]
            if value[0] not in SAME:
                reads += [function.span_of(user)] if value[0] != "phi" else []
            elif value[1] == item and user not in held:
                held.append(user)
        reads += map(function.span_of, fn.results_of(item))
    reads += [item.span for item in function.returns if item.value in held]
    reads += [item.span for item in function.blocks if item.kind == "if" and item.value in held]
    return min(filter(handler.holds, reads), default=None)
