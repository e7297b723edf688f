"""REL307: points in time without a time zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    CALENDAR,
    LOCAL,
    Call,
    CallModel,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    UtcTimes,
    Value,
    Vid,
    argument_of,
    bind,
    declares_date,
    for_tests,
    into_dates,
    kept,
    measures,
    only_calendar,
    only_claims,
    operands,
    runs_by_hand,
    told_once,
)

UTC_USES = frozenset(["utctimetuple", "timetuple"])
SOUND_USES = frozenset(["timestamp", "timetuple", "astimezone"])
"""What is right for a naive local time too: these take it for local."""
HELPERS = ("make_", "to_", "as_", "aware", "localize", "ensure_")
MAKES_AWARE = frozenset(["make_aware", "localize"])
TAKES_UTC = frozenset(["not_valid_before", "not_valid_after", "last_update", "next_update", "revocation_date"])
"""Of certificates: a time without a zone is UTC there."""
DEADLINE = re.compile(r"deadline|give_?up|wait_until|try_until")
RELABELLED = (
    "This is the server's local time, which `replace(tzinfo=...)` only calls another zone's: wrong by hours wherever the server's clock "
    "is not set to that zone; ask for the time in it: `datetime.now(zone)`."
)
FACTORIES = frozenset(["default", "default_factory", "onupdate", "server_default", "factory"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that makes a naive point in time, or a place that passes such a function on as a default."""
    utc = UtcTimes(project)
    kept: list[Hit] = []
    for hit, consistent in _hits(project, utc, project.reviewed()):
        if hit.profile is None and consistent():
            kept.append(hit)
        else:
            yield hit
    if kept and project.focus is not None:  # how many there are elsewhere decides how these are told
        every = _hits(project, utc, project.all_functions())
        kept = [hit for hit, consistent in every if hit.profile is None and consistent()]
    yield from told_once(kept, _kept_in_utc)


def _kept_in_utc(_: Hit, others: int) -> str:
    """What is UTC wherever it goes, at more than a few places."""
    return (
        f"Times are kept in UTC without a zone, here and in {others} more places: nothing says that they are, and the first "
        "aware or local time beside them is wrong by hours, or raises."
    )


def _hits(project: Project, utc: UtcTimes, functions: Iterable[Fn]) -> Iterator[tuple[Hit, Callable[[], bool]]]:
    """Each hit, and what says whether the time goes nowhere but beside its like."""
    usual: Profile | None = "strict" if _naive_by_setting(project) else None
    for fn in functions:
        yield from _made(project, utc, fn, usual)
        yield from _handed(project, utc, fn, usual)


def _made(project: Project, utc: UtcTimes, fn: Fn, usual: Profile | None) -> Iterator[tuple[Hit, Callable[[], bool]]]:
    """Times that are made here."""
    for _, call, model in project.effects.direct(fn):
        if (
            model.naive is None
            or argument_of(call, model.naive) >= 0
            or call.open_ended
            or _by_setting(fn, call.block)
            or _beside_naive(fn, call.block)
        ):
            continue
        if not (
            _sound(project, fn, call, model) or _read_as_date(project, fn, call) or _waits_until(project, fn, call)
        ):
            hit = _hit(fn, fn.location(call.span), model, usual or _profile(project, fn, call, model))
            if _given_zone(fn, call):
                hit = replace(hit, message=RELABELLED)
            yield hit, partial(utc.consistent, fn, call)


def _handed(project: Project, utc: UtcTimes, fn: Fn, usual: Profile | None) -> Iterator[tuple[Hit, Callable[[], bool]]]:
    """Functions that make times, passed on as defaults."""
    for call in fn.calls:
        for key, vid in call.kwargs:
            factory = _factory(project, fn, vid) if key in FACTORIES else None
            if factory is not None:
                day: Profile | None = "strict" if declares_date(fn, call.value) else None
                hit = _hit(fn, fn.place(vid), factory, usual or day or _advice(project, fn))
                yield hit, partial(_filled, project, utc, fn, call, factory)


def _filled(project: Project, utc: UtcTimes, fn: Fn, call: Call, factory: CallModel) -> bool:
    return factory.name in utc.MADE and _field(project, fn, call) in utc.fields


def _field(project: Project, fn: Fn, call: Call) -> str:
    """The field that a call declares (`made = Column(default=datetime.utcnow)`)."""
    owned = (cls for cls in project.classes.values() if cls.owner is fn)
    return next((name for cls in owned for name, vid in cls.facts.attributes.items() if vid == call.value), "")


def _runs_in_utc(project: Project) -> bool:
    """Django's `TIME_ZONE = "UTC"`: Django makes it the zone of the process."""
    said = {
        project.module_function(file).const(file.names["TIME_ZONE"])
        for file in project.files.values()
        if "TIME_ZONE" in file.names
    }
    return said == {"UTC"}


def _naive_by_setting(project: Project) -> bool:
    """Django's `USE_TZ = False`: the whole project, its database included, has times without a zone."""
    said = {
        project.module_function(file).const(file.names["USE_TZ"])
        for file in project.files.values()
        if "USE_TZ" in file.names
    }
    return said == {False}


def _by_setting(fn: Fn, block: int) -> bool:
    """In a branch that asks whether the project has zones at all: `elif not settings.USE_TZ`."""
    todo = [item.value for _, item in fn.blocks_of(block) if item.kind in ("if", "else") and item.value >= 0]
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[-1] == "USE_TZ" or str(value[-1]).endswith(".USE_TZ"):
            return True
        if value[0] in ("not", "bool", "compare", "guard"):
            todo += operands(value)
    return False


def _beside_naive(fn: Fn, block: int) -> bool:
    """In a branch for a time that has no zone either: `if last.tzinfo is None: age = datetime.now() - last`."""
    for _, item in fn.blocks_of(block):
        value = fn.value(item.value) if item.kind == "if" and item.value >= 0 else ("",)
        if value[0] == "compare" and tuple(value[1]) == ("is",) and fn.const(value[2][1]) is None:
            tested = fn.value(value[2][0])
            if tested[0] == "attr" and tested[2] == "tzinfo":
                return True
    return False


def _beside_stripped(fn: Fn, call: Call) -> bool:
    """One of several times, another of which loses its zone on purpose: `given.replace(tzinfo=None)`."""
    stripped = {
        other.value
        for other in fn.calls
        if fn.callee_name(other) == "replace" and other.kwarg("tzinfo") >= 0 and fn.const(other.kwarg("tzinfo")) is None
    }
    return any(
        value[0] == "phi" and call.value in value[1] and stripped.intersection(value[1]) for value in fn.facts.values
    )


def _factory(project: Project, fn: Fn, vid: Vid) -> CallModel | None:
    if fn.value(vid)[0] != "name":
        return None
    for ref in project.refs(fn, vid):
        model = project.libraries.call(ref.name) if ref.kind == "lib" else None
        if model is not None and model.naive is not None and not model.column:
            return model
    return None


def _sound(project: Project, fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.now().timestamp()`: local time goes in, and the right moment comes out; or it is made aware at once."""
    local = model.name.rpartition(".")[2] in LOCAL
    fitting = MAKES_AWARE if local else MAKES_AWARE | TAKES_UTC
    times = _times(fn, call.value, _SAME)
    if any(not times.isdisjoint(other.args) and _fits(project, fn, other, fitting) for other in fn.calls):
        return True
    if _given_zone(fn, call) and (not local or _runs_in_utc(project)):
        return True
    uses, sound = _uses(fn, _times(fn, call.value)), SOUND_USES if local else UTC_USES
    return bool(uses) and all(value[0] == "attr" and value[2] in sound for value in uses)


def _beside_local(project: Project, fn: Fn, call: Call) -> bool:
    """Compared with nothing but other times of the local clock that the function makes: wrong when the clocks change alone."""
    uses = _uses(fn, _times(fn, call.value))
    beside = _local_times(project, fn) if uses else set()
    return bool(uses) and all(value[0] == "compare" and beside.issuperset(value[2]) for value in uses)


def _local_times(project: Project, fn: Fn) -> set[Vid]:
    """All times without a zone that the function makes on the local clock: they may well be compared with each other."""
    found: set[Vid] = set()
    for site in project.effects.direct(fn):
        model = site.model
        if (
            model.naive is not None
            and model.name.rpartition(".")[2] in LOCAL
            and argument_of(site.call, model.naive) < 0
        ):
            found |= _times(fn, site.call.value)
    return found


def _fits(project: Project, fn: Fn, call: Call, fitting: frozenset[str]) -> bool:
    """A call of what takes such a time rightly, or of the project's own helper around it."""
    if fn.callee_name(call) in fitting:
        return True
    targets = project.targets(fn, call)
    return bool(targets) and all(
        any(target.callee_name(inner) in MAKES_AWARE for inner in target.calls) and target.name.startswith(HELPERS)
        for target in targets
    )


_SAME = ("guard", "binop")


def _times(fn: Fn, start: Vid, through: tuple[str, ...] = (*_SAME, "phi")) -> set[Vid]:
    """The time, also where it was tested, shifted (`now - timedelta(days=30)`) or cut (`now.replace(minute=0)`), or is one
    of several."""
    found = {start}
    for vid, value in enumerate(fn.facts.values):
        if value[0] in through and not found.isdisjoint(operands(value)):
            found.add(vid)
        elif value[0] == "call":
            call = fn.calls[value[1]]
            func = fn.value(call.func)
            if func[0] == "attr" and func[2] == "replace" and func[1] in found and call.kwarg("tzinfo") < 0:
                found |= {vid, call.func}
    return found


def _uses(fn: Fn, times: set[Vid]) -> list[Value]:
    """What is made of them; what is passed, returned or stored counts as a use of an unknown sort."""
    passed = [vid for call in fn.calls for vid in call.passed]
    passed += [back.value for back in fn.facts.returns] + [store.value for store in fn.facts.stores]
    found: list[Value] = [("unknown",) for vid in passed if vid in times]
    return found + [
        value for vid, value in enumerate(fn.facts.values) if vid not in times and not times.isdisjoint(operands(value))
    ]


def _written_as_utc(fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.utcnow().isoformat() + "Z"`: what is written says that it is UTC."""
    uses = _uses(fn, _times(fn, call.value))
    texts = [other.value for other in fn.calls if fn.value(other.func)[1:] == (call.value, "isoformat")]
    if model.name.rpartition(".")[2] in LOCAL or len(uses) != 1 or len(texts) != 1:
        return False
    for value in fn.facts.values:
        if value[:2] == ("binop", "+") and value[2] == texts[0]:
            return fn.const(value[3]) in ("Z", "+00:00")
        if value[0] == "fmt" and texts[0] in (*value[2], *(fn.value(part)[1] for part in value[2])):
            return str(fn.const(value[2][-1])).startswith(("Z", "+00:00"))
    return False


def _given_zone(fn: Fn, call: Call) -> bool:
    """`datetime.utcnow().replace(tzinfo=UTC)`."""
    return any(
        fn.value(other.func)[0] == "attr"
        and fn.value(other.func)[1:] == (call.value, "replace")
        and other.kwarg("tzinfo") >= 0
        for other in fn.calls
    )


def _advice(project: Project, fn: Fn) -> Profile | None:
    """Migrations cannot be changed any more; scripts and helpers of tests run on one machine."""
    quiet = project.layer(fn) == "migration" or runs_by_hand(project, fn) or for_tests(project, fn)
    return "strict" if quiet else None


def _profile(project: Project, fn: Fn, call: Call, model: CallModel) -> Profile | None:
    """Advice where only the local calendar, a day or a span is asked for, and for columns and constructors: they may mean local time."""
    if model.column or model.name in ("datetime.datetime", "datetime.datetime.combine"):
        return "strict"
    if (
        only_calendar(fn, call)
        or _beside_stripped(fn, call)
        or _written_as_utc(fn, call, model)
        or measures(project, fn, call)
        or _beside_local(project, fn, call)
        or only_claims(project, fn, call)
        or into_dates(project, fn, call)
    ):
        return "strict"
    return _advice(project, fn)


def _passes(fn: Fn, times: set[Vid]) -> list[Call]:
    return [call for call in fn.calls if not times.isdisjoint(call.passed)]


def _read_as_date(project: Project, fn: Fn, call: Call) -> bool:
    """`name_of(order, datetime.now())`, where the function that is called reads nothing but the calendar from it."""
    times = {call.value}
    if kept(fn, times) or any(value[0] != "unknown" for value in _uses(fn, times)):
        return False
    passes = _passes(fn, times)
    for other in passes:
        targets = project.targets(fn, other)
        bound = bind(fn, other, targets[0]) if len(targets) == 1 else {}
        slots = [slot for slot, items in bound.items() if any(vid in times for vid, _ in items)]
        reads = [value for slot in slots for value in _uses(targets[0], _times(targets[0], slot))]
        if not reads or any(value[0] != "attr" or value[2] not in CALENDAR for value in reads):
            return False
    return bool(passes)


def _waits_until(project: Project, fn: Fn, call: Call) -> bool:
    """`deadline = datetime.now() + limit`, given to what waits that long: it is compared with the same clock."""
    times = _times(fn, call.value)
    named = any(item.value in times and DEADLINE.search(item.name) for item in fn.facts.bindings)
    if not named or kept(fn, times):
        return False
    return all(not project.targets(fn, other) for other in _passes(fn, times))


def _hit(fn: Fn, location: Location, model: CallModel, profile: Profile | None) -> Hit:
    short = model.name.partition(".")[2] if model.name.startswith("datetime.") else model.name
    return Hit(
        message=f"`{short}` gives a time without a zone: compared or stored beside aware times it is wrong by hours, or raises.",
        location=location,
        function=fn.fqn,
        profile=profile,
    )
