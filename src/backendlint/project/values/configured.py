"""What somebody wrote into the settings: `settings.ROLES`, `app.config.get("ROLES", [])`, and what an object keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn, Ref

if TYPE_CHECKING:
    from backendlint.project.model import Project

STEPS = 6
_NAMED = ("django.conf.settings.", "flask.current_app.config")
_ROLE = "settings"
_READS = frozenset({"get", "items", "keys", "values", "copy", "split"})
"""What is called on settings to read them."""


def configured(project: Project, fn: Fn, vid: Vid, depth: int = STEPS) -> bool:
    """Whether a value is read from the settings: as much as somebody wrote there."""
    while fn.value(vid)[0] in ("guard", "await"):
        vid = fn.value(vid)[1]
    value = fn.value(vid)
    if depth == 0:
        return False
    if value[0] == "call":
        call = fn.calls[value[1]]
        return fn.callee_name(call) in _READS and configured(project, fn, call.func, depth - 1)
    if value[0] == "attr" and _kept(project, fn, value[1], str(value[2]), depth):
        return True
    if value[0] in ("attr", "item"):
        held = any(_are_settings(project, ref) for ref in project.refs(fn, value[1]))
        return held or configured(project, fn, value[1], depth - 1)
    return value[0] == "name" and _names(project, fn, str(value[1]))


def _are_settings(project: Project, ref: Ref) -> bool:
    if ref.kind == "inst":
        return project.hierarchy.role(project.classes[ref.name]) == _ROLE
    model = project.libraries.cls(ref.name) if ref.kind == "libinst" else None
    return model is not None and model.subclass_role == _ROLE


def _kept(project: Project, fn: Fn, base: Vid, name: str, depth: int) -> bool:
    """`self.roles`, where all that methods assign to it comes from the settings."""
    for ref in project.refs(fn, base):
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        stored = project.hierarchy.stores(cls, name) if cls is not None else []
        if stored:
            return all(configured(project, writer, vid, depth - 1) for writer, vid in stored)
    return False


def _names(project: Project, fn: Fn, dotted: str) -> bool:
    """`shop.config.settings.ROLES`, `shop.app.app.config.get`: an attribute of what is, or holds, the settings."""
    if dotted.startswith(_NAMED):
        return True
    owner, _, last = dotted.rpartition(".")
    owners = (owner, owner.rpartition(".")[0]) if last in _READS else (owner,)
    refs = (ref for name in owners if name for ref in project.resolver.dotted(name, fn.file.module))
    return any(_are_settings(project, ref) for ref in refs)
