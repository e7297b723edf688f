"""Methods of a project's classes that those of the library call: `create()` for `serializer.save()`, `run()` for `thread.start()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.loops.viewserializers import serializer_for

if TYPE_CHECKING:
    from backendlint.project.model import Project

_ROLES = frozenset({"serializer", "form"})
_BEGINS = "start"
"""Of threads and processes: the method runs beside what calls it."""
_STORES = {"create": "create", "post": "create"} | dict.fromkeys(("update", "partial_update", "put", "patch"), "update")
"""By the action of a generic view, the method of its serializer that stores the object."""


def called_by(project: Project, ref: Ref) -> Iterator[tuple[str, Fn]]:
    """What a library's method, asked of an object of a class of the project, calls of that class, and by what kind of edge."""
    cls = project.hierarchy.asked_of(ref)
    if cls is None:
        return
    name = ref.name.rpartition(".")[2]
    if project.hierarchy.role(cls) in _ROLES or name == _BEGINS:
        kind = "thread" if name == _BEGINS else "call"
        yield from ((kind, method) for method in _hooked(project, cls, name))


def of_action(project: Project, cls: Cls, action: str) -> tuple[Fn, ...]:
    """What the library calls of a view's serializer, where the view leaves an action to it (`return super().create(request)`)."""
    own = project.method(cls, action)
    left = own is None or any(own.callee_name(call) == action for call in own.calls)
    stores = _STORES.get(action, "") if left else ""
    serializer = serializer_for(project, cls, action) if stores else None
    if serializer is None:
        return ()
    saved = (method for method in _hooked(project, serializer, "save") if method.name == stores)
    return (*_hooked(project, serializer, "is_valid"), *saved)


def _hooked(project: Project, cls: Cls, name: str) -> Iterator[Fn]:
    hooks = {hook for model in project.hierarchy.library_models(cls) for hook in model.hooks.get(name, ())}
    begin = tuple(hook[:-1] for hook in hooks if hook.endswith("*"))
    own = {key: method for item in reversed(project.hierarchy.mro(cls)) for key, method in item.methods.items()}
    yield from (method for key, method in own.items() if key in hooks or (begin and key.startswith(begin)))
