"""Classes that have all methods of a protocol: they are meant where one is asked for, though they name it nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Cls, Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PROTOCOLS = ("typing.Protocol", "typing_extensions.Protocol")
_SHOWN = 2
"""So many methods of the same names and parameters are no accident."""


def link_protocols(project: Project) -> None:
    """Write down who implements a protocol as subclasses of it."""
    wanted = [(cls, methods) for cls in project.classes.values() if (methods := _methods(project, cls))]
    if not wanted:
        return
    having: dict[str, list[Cls]] = {}
    for cls in project.classes.values():
        if not _is_protocol(cls):
            for name in cls.methods:
                having.setdefault(name, []).append(cls)
    for protocol, methods in wanted:
        rarest = min(methods, key=lambda name: len(having.get(name, ())))
        for cls in having.get(rarest, ()):
            if cls not in protocol.subclasses and _implements(project, cls, methods):
                protocol.subclasses.append(cls)


def _is_protocol(cls: Cls) -> bool:
    return any(base.name in _PROTOCOLS for base in cls.bases)


def _methods(project: Project, cls: Cls) -> dict[str, Fn]:
    """What a class must have to be such a protocol, if it is one and asks for enough to tell."""
    if not _is_protocol(cls):
        return {}
    methods = {
        name: fn
        for item in reversed(project.hierarchy.mro(cls))
        for name, fn in item.methods.items()
        if name != "__init__"
    }
    shown = len(methods) >= _SHOWN or any(len(fn.facts.params) > _SHOWN for fn in methods.values())
    return methods if shown else {}


def _implements(project: Project, cls: Cls, methods: dict[str, Fn]) -> bool:
    family = project.hierarchy.mro(cls)
    for name, asked in methods.items():
        own = next((item.methods[name] for item in family if name in item.methods), None)
        if own is None or own.facts.is_async != asked.facts.is_async or own.kind != asked.kind:
            return False
        if [item.name for item in own.facts.params] != [item.name for item in asked.facts.params]:
            return False
    return True
