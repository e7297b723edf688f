"""The base classes of a class, also those that a call mixes into the base that it makes (`declarative_base(cls=Common)`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_STEPS = 4
"""Names of names that are followed."""
_KINDS = ("class", "lib", "libinst")


def link_bases(project: Project, classes: Iterable[Cls]) -> None:
    """Write down the bases of classes, and the classes as subclasses of theirs."""
    for cls in classes:
        cls.bases = _bases(project, cls)
        for base in cls.bases:
            if base.kind == "class" and cls not in project.classes[base.name].subclasses:
                project.classes[base.name].subclasses.append(cls)


def unclear(project: Project) -> list[Cls]:
    """Classes with a base that nothing tells yet: an attribute of an object, say, whose own class was read after them."""
    return [
        cls
        for cls in project.classes.values()
        if len(cls.bases) < len(cls.facts.bases)
        or any(base.kind == "libinst" and project.libraries.cls(base.name) is None for base in cls.bases)
    ]


def _bases(project: Project, cls: Cls) -> tuple[Ref, ...]:
    """Of the class, in order: project classes, library classes, and what library calls make."""
    found: list[Ref] = []
    for vid in cls.facts.bases:
        for ref in project.refs(cls.owner, vid)[:1]:
            if ref.kind in _KINDS:
                found.append(Ref(ref.kind, ref.name, ref.arg))
            if ref.kind == "libinst":
                found += _mixed_in(project, cls.owner, vid)
    return tuple(found)


def _mixed_in(project: Project, fn: Fn, vid: Vid) -> Iterator[Ref]:
    """The project's classes that are an argument of the call which made the base, or the object that has it."""
    made = _made(project, fn, vid)
    if made is None:
        return
    owner, call = made
    for model in project.models(owner, call):
        for given in arguments(call, model.mixes_in) if model.mixes_in is not None else ():
            value = owner.value(given)
            for item in value[1] if value[0] == "tuple" else (given,):
                yield from (ref for ref in project.refs(owner, item) if ref.kind == "class")


def _made(project: Project, fn: Fn, vid: Vid) -> tuple[Fn, Call] | None:
    """The call whose result, or an attribute of it, the base is."""
    value = fn.value(vid)
    if value[0] == "attr":
        value = fn.value(value[1])
    for _ in range(MAX_STEPS):
        if value[0] != "name":
            break
        target = project.modules.resolve(value[1], fn.file.module)
        if target.kind != "variable" or target.file is None or target.vid < 0:
            return None
        fn = project.module_function(target.file)
        value = fn.value(target.vid)
        value = fn.value(value[1]) if value[0] == "attr" else value
    return (fn, fn.facts.calls[value[1]]) if value[0] == "call" else None
