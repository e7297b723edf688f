"""What becomes of a time in the function that makes it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from backendlint.api import LOCAL, Call, CallModel, Fn, Project, Value, Vid, argument_of

ANYWHERE = ("second", "microsecond")
"""What clocks show alike in all zones."""
TAKES_LOCAL = frozenset(["timestamp", "timetuple", "astimezone"])
"""What takes a time without a zone for local."""
SOUND_USES = TAKES_LOCAL.union(ANYWHERE)
"""What is right for a naive local time too."""
_FOR_LOCAL = ("timestamp", "astimezone")
_UNBOUND = frozenset(f"datetime.datetime.{name}" for name in _FOR_LOCAL)
_UTC_MARKS = ("Z", "+00:00")
SAME = ("guard", "binop")
_PICKS = (("name", "builtins.max"), ("name", "builtins.min"))
"""What gives one of several times: `max(first_day, now - span)`."""


def is_local(model: CallModel) -> bool:
    return model.name.rpartition(".")[2] in LOCAL


def taken_for_local(fn: Fn, call: Call, model: CallModel) -> bool:
    """`utcnow().timestamp()`, `(utcnow() + span).astimezone(zone)`, `datetime.timestamp(utcnow())`."""
    if model.name.rpartition(".")[2] not in ("utcnow", "utcfromtimestamp"):
        return False
    times = times_of(fn, call.value, SAME)
    reads = (fn.value(vid) for item in times for vid in fn.made_of(item))
    return any(value[0] == "attr" and value[2] in _FOR_LOCAL for value in reads) or any(
        fn.dotted(other.func) in _UNBOUND and not times.isdisjoint(other.args[:1]) for other in fn.calls
    )


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
    picks = [call for call in fn.calls if fn.value(call.func) in _PICKS] if "phi" in through else []
    while todo:
        item = todo.pop()
        made = {call.value for call in picks if item in call.args}
        for vid in fn.made_of(item):
            value = fn.value(vid)
            if value[0] in through:
                made.add(vid)
            elif value[0] == "attr" and value[2] == "replace":
                cut = {call.value for call in fn.calls if call.func == vid and call.kwarg("tzinfo") < 0}
                made |= {vid} | cut if cut else cut
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


def calls_with(fn: Fn, times: AbstractSet[Vid]) -> list[Call]:
    return [call for call in fn.calls if not times.isdisjoint(call.passed)]


def isoformats(fn: Fn, call: Call) -> set[Vid]:
    """The texts that `isoformat()` makes of the time."""
    return {other.value for other in _texts(fn, call, "isoformat")}


def says_utc(fn: Fn, call: Call) -> bool:
    """`datetime.now().isoformat() + "Z"`, `now.strftime("%H:%M:%SZ")`: what is written says that it is UTC."""
    if any(_ends_in_utc(fn.const(vid)) for other in _texts(fn, call, "strftime") for vid in other.args[:1]):
        return True
    texts = isoformats(fn, call)
    return bool(texts) and any(
        value[2] in texts and _begins_with_utc(fn, value[3])
        if value[:2] == ("binop", "+")
        else value[0] == "fmt" and text_in_utc(fn, value, texts)
        for value in fn.facts.values
    )


def text_in_utc(fn: Fn, value: Value, texts: set[Vid]) -> bool:
    """`f"{now.isoformat()}Z"`."""
    parts = [part if part in texts else fn.unguarded(part)[1] for part in value[2]]
    return any(part in texts and _begins_with_utc(fn, then) for part, then in zip(parts, value[2][1:], strict=False))


def _texts(fn: Fn, call: Call, name: str) -> list[Call]:
    times = times_of(fn, call.value)
    shorts = {vid for vid in fn.made_by("attr") if fn.value(vid)[1] in times and fn.value(vid)[2] == name}
    return [other for other in fn.calls if other.func in shorts]


def _begins_with_utc(fn: Fn, vid: Vid) -> bool:
    return str(fn.const(vid)).startswith(_UTC_MARKS)


def _ends_in_utc(form: object) -> bool:
    return isinstance(form, str) and form.endswith(_UTC_MARKS) and not form.endswith("%Z")
