"""Where times without a zone are made, or what makes them is handed on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

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
    declares_date,
    operands,
)

from .advice import profile_in, profile_of
from .settings import asks_setting, runs_in_utc
from .sound import beside_naive, is_sound, read_as_date, waits_until
from .uses import given_zone, is_local, says_utc, stripped_times, taken_for_local, times_of

_RELABELLED = (
    "This is the server's local time, which `replace(tzinfo=...)` only calls another zone's: wrong by hours wherever the server's clock "
    "is not set to that zone; ask for the time in it: `datetime.now(zone)`."
)
_TAKEN_FOR_LOCAL = (
    "`{}()` is a time in UTC without a zone, which `timestamp()` and `astimezone()` take for local time: wrong by hours wherever the "
    "server's clock is not set to UTC; ask for `datetime.now(UTC)`."
)
_SAID_TO_BE_UTC = (
    "This is the server's local time, but what is written of it ends as times in UTC do: wrong by hours wherever the server's clock is "
    "not set to UTC; ask for `datetime.now(UTC)`."
)
_BESIDE_ROWS = (
    "This is the server's local time, beside a time of a row, which Django gives in UTC and whose zone was taken off: wrong by hours "
    "wherever the server's clock is not set to UTC; ask `timezone.now()`, and leave the row's zone on."
)
_ASKED_ANEW = (
    "`{}()` of a time asks the server's clock anew, without a zone: what that time says plays no part; read it from the time "
    "itself (`.date()`), or ask the clock of a zone: `datetime.now(zone)`."
)
_FACTORIES = frozenset(["default", "default_factory", "onupdate", "server_default", "factory"])


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


def made_here(project: Project, fn: Fn, usual: Profile | None) -> Iterator[Naive]:
    """Times that are made here."""
    for _, call, model in project.effects.direct(fn):
        if (
            model.naive is None
            or argument_of(call, model.naive) >= 0
            or call.open_ended
            or asks_setting(fn, call.block)
            or beside_naive(fn, call.block)
        ):
            continue
        if not (
            is_sound(project, fn, call, model) or read_as_date(project, fn, call) or waits_until(project, fn, call)
        ):
            hit = _hit(fn, fn.location(call.span), model, usual or profile_of(project, fn, call, model))
            if given_zone(fn, call):
                hit = replace(hit, message=_RELABELLED)
            elif is_local(model) and says_utc(fn, call) and not runs_in_utc(project):
                hit = replace(hit, message=_SAID_TO_BE_UTC, profile=usual or profile_in(project, fn))
            elif is_local(model) and _beside_rows(project, fn, call) and not runs_in_utc(project):
                hit = replace(hit, message=_BESIDE_ROWS, profile=usual or profile_in(project, fn))
            elif taken_for_local(fn, call, model):
                hit = replace(hit, message=_TAKEN_FOR_LOCAL.format(fn.callee_name(call)))
            elif _of_a_time(project, fn, call, model):
                hit = replace(hit, message=_ASKED_ANEW.format(fn.callee_name(call)))
            times, converts = frozenset(times_of(fn, call.value)), model.propagates is not None
            yield Naive(fn, hit, is_local(model), times, "", -1, call, converts)


def _beside_rows(project: Project, fn: Fn, call: Call) -> bool:
    """`datetime.now() - loan.due_at.replace(tzinfo=None)`, of a row of Django's."""
    times, stripped = times_of(fn, call.value), stripped_times(fn)
    beside = {
        vid
        for kind in ("binop", "compare")
        for made in fn.made_by(kind)
        if not times.isdisjoint(sides := operands(fn.value(made)))
        for vid in sides
    }
    return any(_of_row(project, fn, vid) for vid in beside & stripped)


def _of_row(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether it is `row.field.replace(...)` of one of Django's models."""
    func = fn.value(fn.calls[fn.value(vid)[1]].func)
    field = fn.unguarded(func[1]) if func[0] == "attr" else ("",)
    rows = project.refs(fn, field[1]) if field[0] == "attr" else ()
    classes = [project.classes[ref.name] for ref in rows if ref.kind == "inst"]
    return any(project.hierarchy.is_a(cls, "django.db.models.Model") for cls in classes)


def handed_on(project: Project, fn: Fn, usual: Profile | None) -> Iterator[Naive]:
    """Functions that make times, passed on as defaults."""
    for call in fn.calls:
        for key, vid in call.kwargs:
            factory = _factory(project, fn, vid) if key in _FACTORIES else None
            if factory is not None:
                day: Profile | None = "strict" if declares_date(fn, call.value) else None
                hit = _hit(fn, fn.place(vid), factory, usual or day or profile_in(project, fn))
                yield Naive(fn, hit, is_local(factory), frozenset(), _field(project, fn, call), call.value, None)


def _field(project: Project, fn: Fn, call: Call) -> str:
    """The field that a call declares (`made = Column(default=datetime.utcnow)`)."""
    owned = (cls for cls in project.classes.values() if cls.owner is fn)
    return next((name for cls in owned for name, vid in cls.facts.attributes.items() if vid == call.value), "")


def _factory(project: Project, fn: Fn, vid: Vid) -> CallModel | None:
    if fn.value(vid)[0] != "name":
        return None
    for ref in project.refs(fn, vid):
        model = project.libraries.call(ref.name) if ref.kind == "lib" else None
        if model is not None and model.naive is not None and not model.column:
            return model
    return None


def _of_a_time(project: Project, fn: Fn, call: Call, model: CallModel) -> bool:
    """`moment.today()`, where the class was meant."""
    func = fn.value(call.func)
    owner = model.name.rpartition(".")[0]
    return func[0] == "attr" and any(ref.kind == "libinst" and ref.name == owner for ref in project.refs(fn, func[1]))


def told_already(naive: Naive) -> bool:
    """Whether the message says what is wrong whatever the project does elsewhere."""
    return (
        naive.hit.message in (_RELABELLED, _SAID_TO_BE_UTC, _BESIDE_ROWS)
        or " for local time" in naive.hit.message
        or " asks the server's clock anew" in naive.hit.message
    )


def _hit(fn: Fn, location: Location, model: CallModel, profile: Profile | None) -> Hit:
    short = model.name.partition(".")[2] if model.name.startswith("datetime.") else model.name
    return Hit(
        message=f"`{short}` gives a time without a zone: compared or stored beside aware times it is wrong by hours, or raises.",
        location=location,
        function=fn.fqn,
        profile=profile,
    )
