"""Mounts by helpers that are given the router: `def add(app, router, prefix=None)` mounts what each of its callers passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge, arguments
from backendlint.project.graph.certain import given, ruled_out
from backendlint.project.libraries.model import Mount
from backendlint.project.routes.holders import Holder, Key
from backendlint.project.routes.model import UNKNOWN
from backendlint.project.routes.uses import Use, parameter, uses

if TYPE_CHECKING:
    from backendlint.project.routes.collect import Registrations


def lent(
    registrations: Registrations, holder: Holder, fn: Fn, call: Call, mount: Mount
) -> list[tuple[Key, str, Use | None]] | None:
    """What the call mounts in the holder, each with its prefix and the use, by all that call the helper; None where it is none."""
    children = list(arguments(call, mount.child))
    if not any(parameter(fn, vid) is fn for vid in children):
        return None
    callers = list(uses(registrations.project, fn))
    found: dict[tuple[Key, str], Use] = {}
    for use in callers:
        known = given(Edge(use.caller, fn, use.call, "call", use.call.span))
        if ruled_out(fn, call.block, known) or not _into(registrations, holder, use, fn, call):
            continue
        prefix = _prefix(registrations, use, fn, call, mount)
        for origin in registrations.origins.of_all(place for vid in children for place in use.places(fn, vid)):
            if registrations.holder_of(origin) is not None:
                found.setdefault((origin.key, prefix), use)
    return [(*place, use) for place, use in found.items()] if callers else None


def _into(registrations: Registrations, holder: Holder, use: Use, fn: Fn, call: Call) -> bool:
    """Whether this caller passes the holder, or it is not known what it passes."""
    func = fn.facts.values[call.func]
    if func[0] != "attr" or parameter(fn, func[1]) is not fn:
        return True
    passed = registrations.origins.of_all(use.places(fn, func[1]))
    keys = {origin.key for origin in passed} & registrations.holders.keys()
    return not keys or holder.origin.key in keys


def _prefix(registrations: Registrations, use: Use, fn: Fn, call: Call, mount: Mount) -> str:
    given_to = arguments(call, mount.prefix) if mount.prefix else ()
    return next((_text(registrations, use, fn, vid) for vid in given_to), "")


def _text(registrations: Registrations, use: Use, fn: Fn, vid: Vid) -> str:
    """A prefix with what this caller passes for its parts."""
    value = fn.facts.values[vid]
    if value[0] == "fmt":
        return "".join(_text(registrations, use, fn, part) for part in value[2])
    places = use.places(fn, vid) if parameter(fn, vid) is not None else [(fn, vid)]
    return registrations.reading.path(*places[0]) if places else UNKNOWN
