"""What becomes of a time in the function that makes it."""

from __future__ import annotations

from backendlint.api import LOCAL, Call, CallModel, Fn, Project, Value, Vid, argument_of

ANYWHERE = ("second", "microsecond")
"""What clocks show alike in all zones."""
SOUND_USES = frozenset(["timestamp", "timetuple", "astimezone", *ANYWHERE])
"""What is right for a naive local time too: these take it for local."""
SAME = ("guard", "binop")


def is_local(model: CallModel) -> bool:
    return model.name.rpartition(".")[2] in LOCAL


def taken_for_local(fn: Fn, call: Call, model: CallModel) -> bool:
    """`utcnow().timestamp()`, `(utcnow() + span).astimezone(zone)`."""
    utc = model.name.rpartition(".")[2] in ("utcnow", "utcfromtimestamp")
    reads = (fn.value(vid) for item in times_of(fn, call.value, SAME) for vid in fn.made_of(item)) if utc else ()
    return any(value[0] == "attr" and value[2] in ("timestamp", "astimezone") for value in reads)


def stripped_times(fn: Fn) -> set[Vid]:
    """`given.replace(tzinfo=None)`."""
    return {
        other.value
        for other in fn.calls
        if fn.callee_name(other) == "replace" and other.kwarg("tzinfo") >= 0 and fn.const(other.kwarg("tzinfo")) is None
    }


def local_times(project: Project, fn: Fn) -> set[Vid]:
    """All times without a zone that the function makes on the local clock: they may well be compared with each other."""
    found: set[Vid] = set()
    for site in project.effects.direct(fn):
        model = site.model
        if model.naive is not None and is_local(model) and argument_of(site.call, model.naive) < 0:
            found |= times_of(fn, site.call.value)
    return found


def times_of(fn: Fn, start: Vid, through: tuple[str, ...] = (*SAME, "phi")) -> set[Vid]:
    """The time, also where it was tested, shifted (`now - timedelta(days=30)`) or cut (`now.replace(minute=0)`), or is one
    of several."""
    found, todo = {start}, [start]
    while todo:
        for vid in fn.made_of(todo.pop()):
            value = fn.value(vid)
            made = {vid} if value[0] in through else set[Vid]()
            if value[0] == "attr" and value[2] == "replace":
                cut = [call.value for call in fn.calls if call.func == vid and call.kwarg("tzinfo") < 0]
                made = {vid, *cut} if cut else made
            todo += made - found
            found |= made
    return found


def uses_of(fn: Fn, times: set[Vid]) -> list[Value]:
    """What is made of them; what is passed, returned or stored counts as a use of an unknown sort."""
    passed = [vid for call in fn.calls for vid in call.passed]
    passed += [back.value for back in fn.facts.returns] + [store.value for store in fn.facts.stores]
    found: list[Value] = [("unknown",) for vid in passed if vid in times]
    users = {vid for item in times for vid in fn.made_of(item)}
    return found + [fn.value(vid) for vid in sorted(users - times)]


def given_zone(fn: Fn, call: Call) -> bool:
    """`datetime.utcnow().replace(tzinfo=UTC)`."""
    return any(
        fn.value(other.func)[0] == "attr"
        and fn.value(other.func)[1:] == (call.value, "replace")
        and other.kwarg("tzinfo") >= 0
        and fn.const(other.kwarg("tzinfo")) is not None
        for other in fn.calls
    )


def calls_with(fn: Fn, times: set[Vid]) -> list[Call]:
    return [call for call in fn.calls if not times.isdisjoint(call.passed)]
