"""Constants that a value may be, followed through names, files and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.decorators import takes_fields

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_CONSTANTS = 32
_FIXED = ("ClassVar", "Final", "Literal")


def constants(project: Project, fn: Fn, vid: Vid, depth: int) -> list[object] | None:
    """All constants that the value may be; None if it may be anything else."""
    if vid < 0 or depth == 0:
        return None
    value = fn.facts.values[vid]
    op = value[0]
    if op == "const":
        return [value[1]]
    if op in ("guard", "conv"):
        return constants(project, fn, value[1], depth)
    if op in ("phi", "bool"):
        return _all(project, fn, value[1] if op == "phi" else value[2], vid, depth)
    if op == "name":
        return _named(project, fn, value[1], depth)
    if op == "outer":
        target = fn.outer(value)
        return constants(project, target, value[1], depth - 1) if target else None
    if op == "fmt":
        return _text(project, fn, value[2], depth)
    if op == "attr":
        return _attribute(project, fn, value, depth)
    return None


def _all(project: Project, fn: Fn, vids: tuple[Vid, ...], own: Vid, depth: int) -> list[object] | None:
    found: list[object] = []
    for vid in vids:
        if vid == own:
            continue
        part = constants(project, fn, vid, depth - 1)
        if part is None or len(found) + len(part) > MAX_CONSTANTS:
            return None
        found.extend(part)
    return found


def _named(project: Project, fn: Fn, dotted: str, depth: int) -> list[object] | None:
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind == "class" and target.file is not None and len(target.rest) == 1:
        cls = project.classes.get(f"{target.file.module}.{target.name}")
        return _stated(project, _written(project, cls, target.rest[0]), depth - 1) if cls is not None else None
    if target.kind != "variable" or target.file is None or target.vid < 0:
        return None
    home = project.module_function(target.file)
    if len(target.rest) == 1:
        return _member(project, home, target.vid, target.rest[0], depth)
    own = target.file.module
    if target.rest or project.attached.rebound(f"{own}.{target.name}" if own else target.name):
        return None
    return constants(project, home, target.vid, depth - 1)


def _attribute(project: Project, fn: Fn, value: tuple[object, ...], depth: int) -> list[object] | None:
    return _member(project, fn, value[1], str(value[2]), depth)  # type: ignore[arg-type]


def _member(project: Project, fn: Fn, owner: Vid, name: str, depth: int) -> list[object] | None:
    """A class attribute, read through the class or an instance, that no method changes."""
    for ref in project.refs(fn, owner):
        if ref.kind not in ("class", "inst"):
            return None
        stated = _written(project, project.classes[ref.name], name)
        if not stated:
            continue
        if ref.kind == "inst":  # `self.timeout`, of which subclasses may state another one
            if _is_field(project, stated[0][0], name) and not _left_as_is(project, fn, owner):
                return None
            below = project.subclasses(project.classes[ref.name])
            stated += [(sub, sub.facts.attributes[name]) for sub in below if name in sub.facts.attributes]
        return _stated(project, stated, depth - 1)
    return None


def _written(project: Project, cls: Cls, name: str) -> list[tuple[Cls, Vid]]:
    """The class that states the attribute, with its value, where nothing below changes it."""
    if any(project.hierarchy.stores(sub, name) for sub in project.subclasses(cls)):
        return []
    for owner in project.hierarchy.mro(cls):
        vid = owner.facts.attributes.get(name, -1)
        if vid >= 0 and not project.hierarchy.stores(owner, name):
            return [(owner, vid)]
    return []


def _stated(project: Project, attributes: list[tuple[Cls, Vid]], depth: int) -> list[object] | None:
    """The constants of one attribute of several classes."""
    found: list[object] = []
    if not attributes:
        return None
    for cls, vid in attributes[: MAX_CONSTANTS + 1]:
        part = constants(project, cls.owner, vid, depth)
        if part is None or len(found) + len(part) > MAX_CONSTANTS:
            return None
        found.extend(part)
    return found


def _is_field(project: Project, cls: Cls, name: str) -> bool:
    """Whether the value in the class is but the default of something that the constructor takes."""
    annotation = cls.facts.annotations.get(name, -1)
    if annotation < 0 or not takes_fields(project, cls):
        return False
    value = cls.owner.facts.values[annotation]
    named = cls.owner.facts.values[value[1]] if value[0] == "item" else value
    return named[0] != "name" or str(named[1]).rpartition(".")[2] not in _FIXED


def _left_as_is(project: Project, fn: Fn, owner: Vid) -> bool:
    """`LIMITS = Limits()`: made here for all to see, with all fields as they are."""
    made = project.allocations.of(fn, owner)
    return bool(made) and all(not item.call.args and not item.call.kwargs for item in made)


def _text(project: Project, fn: Fn, parts: tuple[Vid, ...], depth: int) -> list[object] | None:
    texts = [""]
    for vid in parts:
        part = constants(project, fn, vid, depth - 1)
        if part is None or len(part) * len(texts) > MAX_CONSTANTS:
            return None
        texts = [left + str(right) for left in texts for right in part]
    return list(texts)
