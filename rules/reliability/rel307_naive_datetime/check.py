"""REL307: points in time without a time zone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from backendlint.api import (
    CALENDAR,
    FEW,
    LOCAL,
    SLIPS,
    Call,
    CallModel,
    Clocks,
    Fn,
    Hit,
    KeptTimes,
    Location,
    Profile,
    Project,
    Value,
    Vid,
    argument_of,
    by_style,
    declares_date,
    for_tests,
    in_main_block,
    into_dates,
    kept,
    measures,
    object_root,
    of_all_modules,
    only_calendar,
    only_claims,
    operands,
    runs_by_hand,
    slots,
    told_once,
)

ANYWHERE = ("second", "microsecond")
"""What clocks show alike in all zones."""
UTC_NAMES = frozenset(["UTC", "Etc/UTC", "GMT", "Etc/GMT"])
UTC_USES = frozenset(["utctimetuple", "timetuple", *ANYWHERE])
SOUND_USES = frozenset(["timestamp", "timetuple", "astimezone", *ANYWHERE])
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
ASKED_ANEW = (
    "`{}()` of a time asks the server's clock anew, without a zone: what that time says plays no part; read it from the time "
    "itself (`.date()`), or ask the clock of a zone: `datetime.now(zone)`."
)
NAME = re.compile(r"(^|_|[a-z])(N|n)ame$")
FACTORIES = frozenset(["default", "default_factory", "onupdate", "server_default", "factory"])


class Times(NamedTuple):
    """What is known of the project's times."""

    project: Project
    clocks: Clocks
    utc: KeptTimes
    local: KeptTimes


class Naive(NamedTuple):
    """A time without a zone."""

    fn: Fn
    hit: Hit
    local: bool
    values: frozenset[Vid]
    """What holds it, in the function that makes it."""
    filled: str
    """The field whose default it is."""
    column: Vid
    """What declares that field."""
    call: Call | None
    """What makes it; None where a function that does is handed on as a default."""
    converts: bool = False
    """Made of a time that had a zone: somebody has thought of what takes it."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that makes a naive point in time, or a place that passes such a function on as a default."""
    clocks = Clocks(project)
    times = Times(project, clocks, KeptTimes(clocks, "utc"), KeptTimes(clocks, "local"))
    styles = by_style(project, list(project.all_functions()), partial(_judged, times))
    yield from _once_a_function(styles.pop("", ()))
    if len(styles.get("stray", ())) > FEW:  # the same is said of both
        styles["stray"] += styles.pop("utc", [])
    for style, hits in styles.items():
        few, told = STYLES[style]
        yield from _once_a_function(told_once(hits, told, few))


def _judged(times: Times, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and the style of the project that it is one of: told once; "" where it is told for itself."""
    zones = _said(times.project, "USE_TZ")
    usual: Profile | None = "strict" if zones == {False} else None  # the whole project, its database included, has none
    utc = _runs_in_utc(times.project)
    shifts = "" if utc else ", an hour off when the clocks change"
    programs = _programs_of(times.project, "django") if zones == {True} else set()
    for fn in functions:
        for made in _once_a_test(fn, (*_made(times.project, fn, usual), *_handed(times.project, fn, usual))):
            in_django = _program(fn.path) in programs and (made.local or utc) and not _told_already(made)
            naive = _in_django(made, shifts) if in_django else made
            if naive.hit.profile is not None or _told_already(naive):
                yield naive.hit, ""
                continue
            style = _style(times, naive)
            if in_django and utc and style not in (ADVICE, "utc"):
                style = "" if times.clocks.met(naive.fn, naive.values, local=naive.local) else "django"
            yield (replace(naive.hit, profile="strict"), "") if style == ADVICE else (naive.hit, style)


def _once_a_function(hits: Iterable[Hit]) -> Iterator[Hit]:
    """`start = datetime.today() - days`, `end = datetime.today()`: of more of one function the first two."""
    told: Counter[tuple[str | None, str]] = Counter()
    for hit in hits:
        key = (hit.function, hit.message)
        again = told[key] >= ALIKE and not str(hit.function).endswith("<module>")
        yield replace(hit, profile="strict") if again and hit.profile is None else hit
        told[key] += hit.profile is None


def _once_a_test(fn: Fn, made: Iterable[Naive]) -> Iterator[Naive]:
    """`utcnow() >= fromtimestamp(end)`: of two times that are compared with each other, the first."""
    told: set[Vid] = set()
    for naive in made:
        if told.isdisjoint(naive.values):
            yield naive
            for vid in fn.made_by("compare") if naive.hit.profile is None else ():
                sides = fn.value(vid)[2]
                told.update(() if naive.values.isdisjoint(sides) else set(sides) - naive.values)


def _programs_of(project: Project, package: str) -> set[str]:
    """The folders at the root in which some file imports the package: beside them may be other programs."""
    return {_program(path) for path, file in project.files.items() if package in file.packages}


def _program(path: str) -> str:
    return path.rpartition("/")[0].partition("/")[0]


def _in_django(naive: Naive, shifts: str) -> Naive:
    """Django runs the process in `TIME_ZONE`, and reads naive times so."""
    what = naive.hit.message.partition(":")[0]
    cure = "ask `timezone.now()`" if ".now`" in what else "make it with a zone"
    message = (
        f"{what} although `USE_TZ` is on: models and queries take it for one in `TIME_ZONE`, with a warning{shifts}; beside an "
        f"aware time it raises; {cure}."
    )
    return naive._replace(hit=replace(naive.hit, message=message))


def _style(times: Times, naive: Naive) -> str:
    """A time that certainly meets one of another clock is told for itself. Of the others, those in UTC are how the project
    keeps its times; local ones are slips where zones are usual, and advice where they are not, or where they meet nothing
    but their like, or the eyes of people."""
    kept, zones = times.local if naive.local else times.utc, times.clocks.zones_usual
    if naive.call is None:
        zoned = times.clocks.column(naive.fn, naive.column)
        if zoned or (zoned is False and naive.local):
            return "" if zoned else "rows"
        like = naive.filled in kept.fields
    elif not naive.local and kept.consistent(naive.fn, naive.call):
        return ADVICE if _on_object(times.project, naive) else "utc"
    elif times.clocks.harms(naive.fn, naive.values, local=naive.local) or _into(kept.mixed, naive):
        return ""
    elif naive.converts:
        return ADVICE
    elif naive.local and times.clocks.in_rows(naive.fn, naive.values):
        return "rows"
    else:
        like = naive.local and (kept.consistent(naive.fn, naive.call) or times.clocks.only_told(naive.fn, naive.values))
    if naive.local:
        return ADVICE if like or not zones else "local"
    return "utc" if like or not zones else "stray"


def _on_object(project: Project, naive: Naive) -> bool:
    """Whether an object of no row is all that keeps the time, for as long as the process runs, or that it is measured against:
    `self.refreshed = utcnow()`, `utcnow() - self.refreshed`."""
    fn = naive.fn
    if fn.cls is None or project.hierarchy.role(fn.cls) in ("model", "schema", "serializer", "form"):
        return False
    times = _times(fn, naive.call.value, ("guard",)) if naive.call is not None else set[Vid]()
    stores = [store for store in fn.facts.stores if store.value in times]
    passed = [back.value for back in fn.facts.returns] + [vid for call in fn.calls for vid in call.passed]
    reads = {vid for item in times for vid in fn.made_of(item)} - times
    reads = {vid for vid in reads if fn.value(vid)[0] not in ("store", "setattr")}
    beside = [fn.unguarded(vid) for item in reads for vid in operands(fn.value(item)) if vid not in times]
    return (
        times.isdisjoint(passed)
        and all(store.name and fn.value(object_root(fn, store.base)) == ("param", 0) for store in stores)
        and all(value[0] == "attr" and fn.unguarded(value[1]) == ("param", 0) for value in beside)
        and all(fn.value(item)[0] in ("compare", "binop") for item in reads)
        and bool(stores or beside)
    )


def _into(fields: frozenset[str], naive: Naive) -> bool:
    """Whether the time is put into one of the fields."""
    passed = [item for call in naive.fn.calls for item in call.kwargs]
    passed += [(store.name, store.value) for store in naive.fn.facts.stores]
    return any(name in fields and vid in naive.values for name, vid in passed)


def _kept_in_utc(_: Hit, others: str) -> str:
    return (
        f"Times are kept in UTC without a zone, here and in {others}: nothing says that they are, and the first "
        "aware or local time beside them is wrong by hours, or raises."
    )


def _kept_in_rows(_: Hit, others: str) -> str:
    return (
        f"Rows keep the server's local time without a zone, here and in {others}: it is wrong by hours for whoever reads "
        "it elsewhere, and for an hour when the clocks change."
    )


def _kept_by_django(_: Hit, others: str) -> str:
    return (
        f"Times without a zone are made, here and in {others}, although `USE_TZ` is on: Django takes them for UTC, with a warning "
        "each, and beside an aware time they raise; ask `timezone.now()`."
    )


def _kept_local(_: Hit, others: str) -> str:
    return (
        f"The server's local time is taken without a zone, here and in {others}, while the project has times with "
        "a zone elsewhere: beside those it is wrong by hours, or raises."
    )


ALIKE = 2
"""So many times alike of one function are told one by one."""
ADVICE = "advice"
STYLES = {
    "utc": (1, _kept_in_utc),
    "stray": (FEW, _kept_in_utc),
    "rows": (FEW, _kept_in_rows),
    "django": (1, _kept_by_django),
    "local": (SLIPS, _kept_local),
}
"""So many are told one by one, and what is told of more."""


def _made(project: Project, fn: Fn, usual: Profile | None) -> Iterator[Naive]:
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
            elif _of_a_time(project, fn, call, model):
                hit = replace(hit, message=ASKED_ANEW.format(fn.callee_name(call)))
            times, converts = frozenset(_times(fn, call.value)), model.propagates is not None
            yield Naive(fn, hit, _local(model), times, "", -1, call, converts)


def _handed(project: Project, fn: Fn, usual: Profile | None) -> Iterator[Naive]:
    """Functions that make times, passed on as defaults."""
    for call in fn.calls:
        for key, vid in call.kwargs:
            factory = _factory(project, fn, vid) if key in FACTORIES else None
            if factory is not None:
                day: Profile | None = "strict" if declares_date(fn, call.value) else None
                hit = _hit(fn, fn.place(vid), factory, usual or day or _advice(project, fn))
                yield Naive(fn, hit, _local(factory), frozenset(), _field(project, fn, call), call.value, None)


def _local(model: CallModel) -> bool:
    return model.name.rpartition(".")[2] in LOCAL


def _field(project: Project, fn: Fn, call: Call) -> str:
    """The field that a call declares (`made = Column(default=datetime.utcnow)`)."""
    owned = (cls for cls in project.classes.values() if cls.owner is fn)
    return next((name for cls in owned for name, vid in cls.facts.attributes.items() if vid == call.value), "")


def _runs_in_utc(project: Project) -> bool:
    """Django's `TIME_ZONE = "UTC"`: Django makes it the zone of the process."""
    said = _said(project, "TIME_ZONE")
    return bool(said) and said <= UTC_NAMES


def _said(project: Project, setting: str) -> set[object]:
    """What the project's modules set it to."""
    return {module.const(vid) for module, vid in of_all_modules(project, setting)}


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


def _beside_stripped(fn: Fn, call: Call) -> bool:
    """One of several times, another of which loses its zone on purpose: `given.replace(tzinfo=None)`."""
    stripped = _stripped(fn)
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
    """`datetime.now().timestamp()`: local time goes in, and the right moment comes out; or it is made aware at once, or made
    only to see whether it can be."""
    if any(item.kind == "expr" and item.value == call.value for item in fn.facts.statements):
        return True
    local = _local(model)
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


def _told_apart(fn: Fn, call: Call) -> bool:
    """Local time of which only the calendar and the moment are read (`now.strftime(...)`, `now.timestamp()`), or that is
    compared with one which has lost its zone on purpose."""
    stripped = _stripped(fn)
    spans = {
        vid
        for vid, value in enumerate(fn.facts.values)
        if value[0] == "binop" and stripped.intersection(operands(value))
    }
    uses = _uses(fn, _times(fn, call.value) - spans)
    return bool(uses) and all(
        (value[0] == "attr" and value[2] in CALENDAR | SOUND_USES)
        or (value[0] in ("compare", "binop") and not stripped.isdisjoint(operands(value)))
        for value in uses
    )


def _names(fn: Fn, call: Call) -> bool:
    """`{"JobName": now.isoformat()}`: a text that tells one thing from others."""
    times = _times(fn, call.value)
    shorts = {
        vid for vid in fn.made_by("attr") if fn.facts.values[vid][1] in times and fn.facts.values[vid][2] == "isoformat"
    }
    texts = {other.value for other in fn.calls if other.func in shorts}
    labelled = [item for other in fn.calls for item in other.kwargs]
    labelled += [
        (str(fn.const(key)), vid)
        for number in fn.made_by("dict")
        for key, vid in fn.facts.values[number][1]
        if key >= 0
    ]
    named = {vid for key, vid in labelled if NAME.search(key)}
    return bool(texts) and len(_uses(fn, times)) == len(shorts) and texts <= named


def _stripped(fn: Fn) -> set[Vid]:
    """`given.replace(tzinfo=None)`."""
    return {
        other.value
        for other in fn.calls
        if fn.callee_name(other) == "replace" and other.kwarg("tzinfo") >= 0 and fn.const(other.kwarg("tzinfo")) is None
    }


def _local_times(project: Project, fn: Fn) -> set[Vid]:
    """All times without a zone that the function makes on the local clock: they may well be compared with each other."""
    found: set[Vid] = set()
    for site in project.effects.direct(fn):
        model = site.model
        if model.naive is not None and _local(model) and argument_of(site.call, model.naive) < 0:
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


def _uses(fn: Fn, times: set[Vid]) -> list[Value]:
    """What is made of them; what is passed, returned or stored counts as a use of an unknown sort."""
    passed = [vid for call in fn.calls for vid in call.passed]
    passed += [back.value for back in fn.facts.returns] + [store.value for store in fn.facts.stores]
    found: list[Value] = [("unknown",) for vid in passed if vid in times]
    users = {vid for item in times for vid in fn.made_of(item)}
    return found + [fn.value(vid) for vid in sorted(users - times)]


def _written_as_utc(fn: Fn, call: Call, model: CallModel) -> bool:
    """`datetime.utcnow().isoformat() + "Z"`: what is written says that it is UTC."""
    uses = _uses(fn, _times(fn, call.value))
    texts = [other.value for other in fn.calls if fn.value(other.func)[1:] == (call.value, "isoformat")]
    if _local(model) or len(uses) != 1 or len(texts) != 1:
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
        and fn.const(other.kwarg("tzinfo")) is not None
        for other in fn.calls
    )


def _of_a_time(project: Project, fn: Fn, call: Call, model: CallModel) -> bool:
    """`moment.today()`, where the class was meant."""
    func = fn.value(call.func)
    owner = model.name.rpartition(".")[0]
    return func[0] == "attr" and any(ref.kind == "libinst" and ref.name == owner for ref in project.refs(fn, func[1]))


def _told_already(naive: Naive) -> bool:
    """Whether the message says what is wrong whatever the project does elsewhere."""
    return naive.hit.message == RELABELLED or " asks the server's clock anew" in naive.hit.message


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
        or (_local(model) and _told_apart(fn, call))
        or _names(fn, call)
        or _said_to_be(fn, call)
        or _only_shown(fn, call)
        or only_claims(project, fn, call)
        or into_dates(project, fn, call)
    ):
        return "strict"
    return "strict" if in_main_block(fn, call) else _advice(project, fn)


def _said_to_be(fn: Fn, call: Call) -> bool:
    """`naive_now = datetime.utcnow()`: whoever calls it so knows what is compared with it."""
    times = _times(fn, call.value)
    return any(item.value in times and "naive" in item.name.lower().split("_") for item in fn.facts.bindings)


def _only_shown(fn: Fn, call: Call) -> bool:
    """`f"{datetime.utcnow()}"`: a text for people, or one that only has to differ from the last."""
    uses = _uses(fn, _times(fn, call.value))
    return bool(uses) and all(value[0] == "fmt" for value in uses)


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
        taken = slots(fn, other, targets[0], times) if len(targets) == 1 else ()
        reads = [value for slot in taken for value in _uses(targets[0], _times(targets[0], slot))]
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
