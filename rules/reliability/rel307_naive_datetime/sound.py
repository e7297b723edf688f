"""Times without a zone that are right as they are."""

from __future__ import annotations

import re

from backendlint.api import CALENDAR, Call, CallModel, Fn, Project, kept, slots

from .settings import runs_in_utc
from .uses import ANYWHERE, SAME, SOUND_USES, TAKES_LOCAL, calls_with, given_zone, is_local, times_of, uses_of

_UTC_USES = frozenset(["utctimetuple", "timetuple", *ANYWHERE])
_HELPERS = ("make_", "to_", "as_", "aware", "localize", "ensure_")
_MAKES_AWARE = frozenset(["make_aware", "localize"])
_SIGNED = ("account", "blob", "container", "file", "queue", "share", "table")
_TAKES_UTC = frozenset(
    ["not_valid_before", "not_valid_after", "last_update", "next_update", "revocation_date"]
    + [f"generate_{name}_sas" for name in _SIGNED]
)
"""Of certificates, and of Azure's signed addresses: a time without a zone is UTC there."""
_DEADLINE = re.compile(r"deadline|give_?up|wait_until|try_until")


def beside_naive(fn: Fn, block: int) -> bool:
    """In a branch for a time that has no zone either: `if last.tzinfo is None: age = datetime.now() - last`."""
    for test, outcome in fn.tests_of(block):
        value = fn.value(test) if test >= 0 else ("",)
        if (
            value[0] == "compare"
            and tuple(value[1]) == (("is",) if outcome else ("is not",))
            and fn.const(value[2][1]) is None
        ):
            tested = fn.value(value[2][0])
            if tested[0] == "attr" and tested[2] == "tzinfo":
                return True
    return False


def is_sound(project: Project, fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.now().timestamp()`: local time goes in, and the right moment comes out; or it is made aware at once, or made
    only to see whether it can be."""
    if any(item.kind == "expr" and item.value == call.value for item in fn.facts.statements):
        return True
    local = is_local(model)
    fitting = _MAKES_AWARE | TAKES_LOCAL if local else _MAKES_AWARE | _TAKES_UTC
    times = times_of(fn, call.value, SAME)
    if any(not times.isdisjoint(other.passed) and _fits(project, fn, other, fitting) for other in fn.calls):
        return True
    if given_zone(fn, call) and (not local or runs_in_utc(project)):
        return True
    uses, sound = uses_of(fn, times_of(fn, call.value)), SOUND_USES if local else _UTC_USES
    return bool(uses) and all(value[0] == "attr" and value[2] in sound for value in uses)


def _fits(project: Project, fn: Fn, call: Call, fitting: frozenset[str]) -> bool:
    """A call of what takes such a time rightly, or of the project's own helper around it."""
    if fn.callee_name(call) in fitting:
        return True
    targets = project.targets(fn, call)
    return bool(targets) and all(
        any(target.callee_name(inner) in _MAKES_AWARE for inner in target.calls) and target.name.startswith(_HELPERS)
        for target in targets
    )


def read_as_date(project: Project, fn: Fn, call: Call) -> bool:
    """`name_of(order, datetime.now())`, where the function that is called reads nothing but the calendar from it."""
    times = {call.value}
    if kept(fn, times) or any(value[0] != "unknown" for value in uses_of(fn, times)):
        return False
    passes = calls_with(fn, times)
    for other in passes:
        targets = project.targets(fn, other)
        taken = slots(fn, other, targets[0], times) if len(targets) == 1 else ()
        reads = [value for slot in taken for value in uses_of(targets[0], times_of(targets[0], slot))]
        if not reads or any(value[0] != "attr" or value[2] not in CALENDAR for value in reads):
            return False
    return bool(passes)


def waits_until(project: Project, fn: Fn, call: Call) -> bool:
    """`deadline = datetime.now() + limit`, given to what waits that long: it is compared with the same clock."""
    times = times_of(fn, call.value)
    named = any(item.value in times and _DEADLINE.search(item.name) for item in fn.facts.bindings)
    if not named or kept(fn, times):
        return False
    return all(not project.targets(fn, other) for other in calls_with(fn, times))
