"""REL307: points in time without a time zone."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    Call,
    CallModel,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    Vid,
    argument_of,
    for_tests,
    operands,
    runs_by_hand,
)

LOCAL_USES = frozenset(["strftime", "year", "month", "day", "hour", "minute", "weekday", "date", "ctime"])
SOUND_USES = frozenset(["timestamp", "timetuple", "astimezone"])
"""What is right for a naive local time too: these take it for local."""
MAKES_AWARE = frozenset(["make_aware", "localize"])
LOCAL = frozenset(["now", "today", "fromtimestamp"])
FACTORIES = frozenset(["default", "default_factory", "onupdate", "server_default", "factory"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that makes a naive point in time, or a place that passes such a function on as a default."""
    for fn, call, model in project.effects.sites:
        if model.naive is None or argument_of(call, model.naive) >= 0 or call.open_ended:
            continue
        if not _sound(fn, call, model):
            yield _hit(fn, fn.location(call.span), model, _profile(project, fn, call, model))
    for fn in project.all_functions():
        for call in fn.calls:
            for key, vid in call.kwargs:
                factory = _factory(project, fn, vid) if key in FACTORIES else None
                if factory is not None:
                    yield _hit(fn, fn.place(vid), factory, _advice(project, fn))


def _factory(project: Project, fn: Fn, vid: Vid) -> CallModel | None:
    if fn.value(vid)[0] != "name":
        return None
    for ref in project.refs(fn, vid):
        model = project.libraries.call(ref.name) if ref.kind == "lib" else None
        if model is not None and model.naive is not None and not model.column:
            return model
    return None


def _sound(fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.now().timestamp()`: local time goes in, and the right moment comes out; or it is made aware at once."""
    if any(call.value in other.args and _word(fn, other) in MAKES_AWARE for other in fn.calls):
        return True
    if model.name.rpartition(".")[2] not in LOCAL:
        return _given_zone(fn, call)
    used = [value for value in fn.facts.values if call.value in operands(value)]
    shifted = [
        number for number, value in enumerate(fn.facts.values) if value[0] == "binop" and call.value in value[2:]
    ]
    used += [value for value in fn.facts.values for number in shifted if number in operands(value)]
    plain = [value for value in used if value[0] != "binop"]
    return bool(plain) and all(value[0] == "attr" and value[2] in SOUND_USES for value in plain)


def _given_zone(fn: Fn, call: Call) -> bool:
    """`datetime.utcnow().replace(tzinfo=UTC)`."""
    return any(
        fn.value(other.func)[0] == "attr"
        and fn.value(other.func)[1:] == (call.value, "replace")
        and other.kwarg("tzinfo") >= 0
        for other in fn.calls
    )


def _word(fn: Fn, call: Call) -> str:
    value = fn.value(call.func)
    return str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name") else ""


def _advice(project: Project, fn: Fn) -> Profile | None:
    """Migrations cannot be changed any more; scripts and helpers of tests run on one machine."""
    quiet = project.layer(fn) == "migration" or runs_by_hand(project, fn) or for_tests(project, fn)
    return "strict" if quiet else None


def _profile(project: Project, fn: Fn, call: Call, model: CallModel) -> Profile | None:
    """Advice where only the local calendar is asked for, and for columns and constructors: they may mean local time."""
    if model.column or model.name in ("datetime.datetime", "datetime.datetime.combine"):
        return "strict"
    used = [value for value in fn.facts.values if call.value in operands(value)]
    local = bool(used) and all(value[0] == "attr" and value[2] in LOCAL_USES for value in used)
    return "strict" if local else _advice(project, fn)


def _hit(fn: Fn, location: Location, model: CallModel, profile: Profile | None) -> Hit:
    short = model.name.partition(".")[2] if model.name.startswith("datetime.") else model.name
    return Hit(
        message=f"`{short}` gives a time without a zone: compared or stored beside aware times it is wrong by hours, or raises.",
        location=location,
        function=fn.fqn,
        profile=profile,
    )
