"""What sort of error an exception class stands for, by the library models of it and of its bases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Vid
from backendlint.facts.within import name_of
from backendlint.project.entities import Cls, Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_STATUS = frozenset({"status_code", "http_status", "http_status_code", "statuscode"})


class ErrorClass(NamedTuple):
    """An exception class as code refers to it."""

    name: str
    """Fqn, canonical dotted library name, or what is written where nothing is known; `?` for no plain name."""
    kind: str
    """ExceptionModel's kind, of the class or its nearest base that has one; "" where no model says."""


def error_classes(project: Project, fn: Fn, vid: Vid) -> Iterator[ErrorClass]:
    """The classes that a value means: a class, a call of one (an exception that is made), or a tuple of them."""
    value = fn.facts.values[vid]
    if value[0] in ("tuple", "list"):
        for item in value[1]:
            yield from error_classes(project, fn, item)
        return
    target = fn.facts.calls[value[1]].func if value[0] == "call" else vid
    names = [ref.name for ref in project.refs(fn, target) if ref.kind in ("class", "lib")]
    for name in names or [name_of(fn.file, fn.facts, target)]:
        cls = project.classes.get(name)
        answers = cls is not None and any(_has_status(item) for item in project.hierarchy.mro(cls))
        yield ErrorClass(name, "http" if answers else project.exception_kind(name))


def kind_of(project: Project, name: str) -> str:
    """The kind of the class by the library models, or of its nearest base that has one."""
    cls = project.classes.get(name)
    roots = [name] if cls is None else project.hierarchy.library_bases(cls)
    for root in roots:
        for base in project.libraries.mro(root):
            model = project.libraries.exception(base)
            if model is not None and model.kind:
                return model.kind
    return ""


def _has_status(cls: Cls) -> bool:
    """Whether the class carries an HTTP status: as an attribute, or as what its constructor takes or stores."""
    init = cls.file.functions[cls.methods["__init__"].index] if "__init__" in cls.methods else None
    names = set(cls.facts.attributes) | set(cls.facts.annotations)
    if init is not None:
        names |= {param.name for param in init.params} | {store.name for store in init.stores if store.name}
    return not names.isdisjoint(_STATUS)


def inherits_any(project: Project, name: str, bases: Iterable[str]) -> bool:
    """Whether the class is one of these or inherits from one."""
    return any(project.hierarchy.subclass_of(name, base) for base in bases)
