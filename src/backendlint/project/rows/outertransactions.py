"""Transactions around what a framework calls: the view around its serializer, `dispatch()` around a handler, a task's base class,
middleware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.decorators import decorations
from backendlint.project.loops.viewserializers import ATTRIBUTE, CHOOSES

if TYPE_CHECKING:
    from backendlint.project.model import Project

OPENS = frozenset({"atomic", "begin", "savepoint"})
_WRAPS = {
    "create": ("perform_create", "create", "post", "dispatch"),
    "update": ("perform_update", "update", "partial_update", "put", "patch", "dispatch"),
}
"""Methods of a view in which the framework has its serializer store something."""
_WRAPS["save"] = (*_WRAPS["create"], *_WRAPS["update"])
_HANDLERS = frozenset({"get", "post", "put", "patch", "delete", "form_valid", "list", "retrieve", "create", "update"} | {
    "partial_update", "destroy", "perform_create", "perform_update", "perform_destroy"})  # fmt: skip


class OuterTransactions:
    """Answers `around(fn)`: where a framework's own call of a function stands in a transaction of the project."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def around(self, fn: Fn) -> Step | None:
        """For hooks of serializers, handlers of classes, and jobs."""
        if fn.cls is None:
            return self._of_task(fn)
        if self.project.hierarchy.role(fn.cls) == "serializer":
            views = self._views.get(fn.cls.fqn, ()) if fn.name in _WRAPS else ()
            return self._inside(views, _WRAPS.get(fn.name, ()), "save")
        return self._inside((fn.cls,), ("dispatch",), "") if fn.name in _HANDLERS else None

    def of_middleware(self) -> Step | None:
        """`with transaction.atomic(): return self.get_response(request)`: every request is in it."""
        for fn, call in self.project.graph.calls_written("get_response"):
            opened = self.project.transactions.around(fn, call.block)
            if opened is not None and opened.kind == "with":
                return opened.step
        return None

    def _inside(self, classes: Iterable[Cls], names: Iterable[str], called: str) -> Step | None:
        for cls in classes:
            for name in names:
                method = self.project.method(cls, name)
                step = self._passes_on(method, {name, called}) if method is not None else self._decorated(cls, name)
                if step is not None:
                    return step
        return None

    def _passes_on(self, method: Fn, names: set[str]) -> Step | None:
        """Whether the method goes on in a transaction: `super().dispatch(...)`, `serializer.save()`."""
        for call in method.calls:
            if method.callee_name(call) in names and receiver(method, call) >= 0:
                opened = self.project.transactions.around(method, call.block)
                if opened is not None:
                    return opened.step
        return None

    def _decorated(self, cls: Cls, name: str) -> Step | None:
        """`@method_decorator(transaction.atomic, name="create")` above the class, for a method that a library's base has."""
        for owner in self.project.hierarchy.mro(cls):
            for vid in owner.facts.decorators:
                for item in decorations(self.project, owner.owner, vid):
                    model = self.project.libraries.decorator(item.ref.name) if item.ref.kind == "lib" else None
                    if item.method == name and model is not None and model.transaction in OPENS:
                        return Step(owner.header, f"`{name}()` runs in a transaction")
        return None

    @cached_property
    def _views(self) -> dict[str, list[Cls]]:
        """By the serializer, the views that name it as theirs."""
        found: dict[str, list[Cls]] = {}
        for cls in self.project.classes.values():
            if self.project.hierarchy.role(cls) == "controller":
                for name in set(self._named(cls)):
                    found.setdefault(name, []).append(cls)
        return found

    def _named(self, cls: Cls) -> Iterator[str]:
        stated = self.project.hierarchy.attribute(cls, ATTRIBUTE)
        chosen = self.project.method(cls, CHOOSES)
        places = [stated] if stated is not None else []
        places += [(chosen, vid) for vid in chosen.made_by("name")] if chosen is not None else []
        yield from (ref.name for place in places for ref in self.project.refs(*place) if ref.kind == "class")

    def _of_task(self, fn: Fn) -> Step | None:
        """`@app.task(base=AtomicTask)`, whose `__call__` opens a transaction around the function."""
        home = fn.parent or fn
        for vid in fn.facts.decorators:
            for item in decorations(self.project, home, vid):
                base = item.call.kwarg("base") if item.call is not None else -1
                for ref in self.project.refs(item.fn, base) if base >= 0 else ():
                    cls = self.project.classes.get(ref.name)
                    step = self._inside((cls,), ("__call__",), "run") if cls is not None else None
                    if step is not None:
                        return step
        return None
