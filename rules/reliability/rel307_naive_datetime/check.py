"""REL307: points in time without a time zone."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, CallModel, Fn, Hit, Location, Profile, Project, Vid, argument_of, operands

LOCAL_USES = frozenset(["strftime", "year", "month", "day", "hour", "minute", "weekday", "date", "ctime"])
FACTORIES = frozenset(["default", "default_factory", "onupdate", "server_default", "factory"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that makes a naive point in time, or a place that passes such a function on as a default."""
    for fn, call, model in project.effects.sites:
        if model.naive is not None and argument_of(call, model.naive) < 0 and not call.open_ended:
            yield _hit(fn, fn.location(call.span), model, _profile(fn, call, model))
    for fn in project.all_functions():
        for call in fn.calls:
            for key, vid in call.kwargs:
                factory = _factory(project, fn, vid) if key in FACTORIES else None
                if factory is not None:
                    yield _hit(fn, fn.place(vid), factory, None)


def _factory(project: Project, fn: Fn, vid: Vid) -> CallModel | None:
    if fn.value(vid)[0] != "name":
        return None
    for ref in project.refs(fn, vid):
        model = project.libraries.call(ref.name) if ref.kind == "lib" else None
        if model is not None and model.naive is not None and not model.column:
            return model
    return None


def _profile(fn: Fn, call: Call, model: CallModel) -> Profile | None:
    """Advice where only the local calendar is asked for, and for columns and constructors: they may mean local time."""
    if model.column or model.name in ("datetime.datetime", "datetime.datetime.combine"):
        return "strict"
    used = [value for value in fn.facts.values if call.value in operands(value)]
    local = bool(used) and all(value[0] == "attr" and value[2] in LOCAL_USES for value in used)
    return "strict" if local else None


def _hit(fn: Fn, location: Location, model: CallModel, profile: Profile | None) -> Hit:
    short = model.name.partition(".")[2] if model.name.startswith("datetime.") else model.name
    return Hit(
        message=f"`{short}` gives a time without a zone: compared or stored beside aware times it is wrong by hours, or raises.",
        location=location,
        function=fn.fqn,
        profile=profile,
    )
