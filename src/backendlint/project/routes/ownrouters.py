"""Routers with a table of their own (`routes = [Route(url="^{prefix}$", mapping={"get": "retrieve"})]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.routes.model import Entry

if TYPE_CHECKING:
    from backendlint.project.model import Project

_LOOKUP = "{lookup}"


def routed_actions(project: Project, entry: Entry) -> dict[str, str]:
    """What the router that a viewset is registered with makes of its methods: the library's table, or that of its class."""
    func = entry.fn.value(entry.call.func) if entry.call is not None and not entry.through else ("",)
    for ref in project.resolver.owner(entry.fn, func) if entry.model.actions else ():
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        for owner in project.hierarchy.mro(cls) if cls is not None else ():
            if "routes" in owner.facts.attributes:
                return _table(owner, owner.facts.attributes["routes"]) or entry.model.actions
    return entry.model.actions


def _table(owner: Cls, vid: Vid) -> dict[str, str]:
    """Method name to verb and further path; empty where a part of the table is not written out."""
    fn, found = owner.owner, dict[str, str]()
    value = fn.value(vid)
    for item in value[1] if value[0] in ("list", "tuple") else ():
        made = fn.value(item)
        call = fn.calls[made[1]] if made[0] == "call" else None
        if call is None:
            return {}
        mapping = call.kwarg("mapping")
        pairs = fn.value(mapping) if mapping >= 0 else ("",)
        if pairs[0] == "dict":
            found.update(_pairs(fn, pairs[1], fn.const(call.kwarg("url"))))
    return found


def _pairs(fn: Fn, pairs: tuple[tuple[Vid, Vid], ...], url: object) -> dict[str, str]:
    sub = " {pk}" if _LOOKUP in str(url) else ""
    return {str(fn.const(name)): f"{str(fn.const(verb)).upper()}{sub}" for verb, name in pairs if verb >= 0}
