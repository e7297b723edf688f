"""Times that may well mean the server's clock, or meet nothing else: advice."""

from __future__ import annotations

import re

from backendlint.api import (
    CALENDAR,
    Call,
    CallModel,
    Fn,
    Profile,
    Project,
    for_development,
    for_tests,
    in_main_block,
    into_dates,
    measures,
    only_calendar,
    only_claims,
    operands,
    runs_by_hand,
)

from .settings import runs_in_utc
from .uses import (
    SOUND_USES,
    is_local,
    isoformats,
    local_times,
    says_utc,
    stripped_times,
    text_in_utc,
    times_of,
    uses_of,
)

_NAME = re.compile(r"(^|_|[a-z])(N|n)ame$")


def _epoch(fn: Fn, call: Call) -> bool:
    """`datetime.fromtimestamp(0)`: before everything, wherever the server stands."""
    return fn.callee_name(call) in ("fromtimestamp", "utcfromtimestamp") and fn.const((*call.args, -1)[0]) == 0


def _there_and_back(fn: Fn, call: Call) -> bool:
    """`datetime.fromtimestamp(mktime(read.timetuple()))`: what the clock showed before, of whatever zone that was."""
    made = fn.unguarded(call.args[0]) if call.args else ("",)
    return made[0] == "call" and fn.dotted(fn.calls[made[1]].func) == "time.mktime"


def _beside_stripped(fn: Fn, call: Call) -> bool:
    """One of several times, another of which loses its zone on purpose: `given.replace(tzinfo=None)`."""
    stripped = stripped_times(fn)
    return any(
        value[0] == "phi" and call.value in value[1] and stripped.intersection(value[1]) for value in fn.facts.values
    )


def _beside_local(project: Project, fn: Fn, call: Call) -> bool:
    """Compared with nothing but other times of the local clock that the function makes: wrong when the clocks change alone."""
    uses = uses_of(fn, times_of(fn, call.value))
    beside = local_times(project, fn) if uses else set()
    return bool(uses) and all(value[0] == "compare" and beside.issuperset(value[2]) for value in uses)


def _told_apart(fn: Fn, call: Call) -> bool:
    """Local time of which only the calendar and the moment are read (`now.strftime(...)`, `now.timestamp()`), or that is
    compared with one which has lost its zone on purpose."""
    stripped = stripped_times(fn)
    spans = {
        vid
        for vid, value in enumerate(fn.facts.values)
        if value[0] == "binop" and stripped.intersection(operands(value))
    }
    uses = uses_of(fn, times_of(fn, call.value) - spans)
    return bool(uses) and all(
        (value[0] == "attr" and value[2] in CALENDAR | SOUND_USES)
        or (value[0] in ("compare", "binop") and not stripped.isdisjoint(operands(value)))
        for value in uses
    )


def _names(fn: Fn, call: Call) -> bool:
    """`{"JobName": now.isoformat()}`: a text that tells one thing from others."""
    texts = isoformats(fn, call)
    labelled = [item for other in fn.calls for item in other.kwargs]
    labelled += [
        (str(fn.const(key)), vid)
        for number in fn.made_by("dict")
        for key, vid in fn.facts.values[number][1]
        if key >= 0
    ]
    named = {vid for key, vid in labelled if _NAME.search(key)}
    return bool(texts) and len(uses_of(fn, times_of(fn, call.value))) == len(texts) and texts <= named


def _written_as_utc(fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.utcnow().isoformat() + "Z"`."""
    return not is_local(model) and len(uses_of(fn, times_of(fn, call.value))) == 1 and says_utc(fn, call)


def profile_in(project: Project, fn: Fn) -> Profile | None:
    """Migrations cannot be changed any more; scripts, helpers of tests and what developers measure with run on one machine."""
    quiet = project.layer(fn) == "migration" or runs_by_hand(project, fn) or for_tests(project, fn)
    return "strict" if quiet or for_development(fn.path[: fn.path.rfind("/") + 1]) else None


def profile_of(project: Project, fn: Fn, call: Call, model: CallModel) -> Profile | None:
    """Advice where only the local calendar, a day or a span is asked for, and for columns and constructors: they may mean local time."""
    if model.column or model.name in ("datetime.datetime", "datetime.datetime.combine"):
        return "strict"
    if (
        only_calendar(fn, call)
        or _epoch(fn, call)
        or _there_and_back(fn, call)
        or _beside_stripped(fn, call)
        or _written_as_utc(fn, call, model)
        or measures(project, fn, call)
        or _beside_local(project, fn, call)
        or (is_local(model) and _told_apart(fn, call))
        or _names(fn, call)
        or _said_to_be(fn, call)
        or _only_shown(fn, call)
        or only_claims(project, fn, call, runs_in_utc(project))
        or into_dates(project, fn, call)
    ):
        return "strict"
    return "strict" if in_main_block(fn, call) else profile_in(project, fn)


def _said_to_be(fn: Fn, call: Call) -> bool:
    """`naive_now = datetime.utcnow()`: whoever calls it so knows what is compared with it."""
    times = times_of(fn, call.value)
    return any(item.value in times and "naive" in item.name.lower().split("_") for item in fn.facts.bindings)


def _only_shown(fn: Fn, call: Call) -> bool:
    """`f"{datetime.utcnow()}"`, `f"dump-{now.isoformat()}.csv"`: a text for people, or one that only has to differ from the last."""
    texts = isoformats(fn, call)
    shown = uses_of(fn, texts)
    uses = uses_of(fn, times_of(fn, call.value))
    others = [value for value in uses if not (value[0] == "attr" and value[2] == "isoformat")]
    if not uses or (len(others) < len(uses) and not shown):
        return False
    return all(value[0] == "fmt" for value in (*others, *shown)) and not any(
        text_in_utc(fn, value, texts) for value in shown
    )
