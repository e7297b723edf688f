"""What callers agree on: that they pass rows of one model, a library's client, or classes for a parameter that says no type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.linking.binding import bind

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver
    from backendlint.project.model import Project

MAX_CALLS = 40
"""A function that is called more often is a tool for anything."""
_LOCAL = frozenset({"", "file", "lock", "file-descriptor", "archive", "executor", "socket"})
"""Kinds of objects that ask no other system, or whose caller waits for them (`select`)."""


class Passed:
    """Answers `agreed(fn, index)`; owned by the Resolver."""

    def __init__(self, project: Project, resolver: Resolver) -> None:
        self.project = project
        self.resolver = resolver

    def agreed(self, fn: Fn, index: int, *, classes: bool = False) -> Refs:
        """The one type of row or client, or the few classes, that the project's calls of a module's function, or of a class,
        pass; what the calls pass of which nothing is known may be as many as those at most. `classes`: only models' (`model:
        db.Model`), where the annotation says something else."""
        makes = fn.cls is not None and fn.name == "__init__"
        if not makes and (fn.kind != "function" or fn.parent is None or not fn.parent.is_module):
            return ()
        found: set[Ref] = set()
        known = unknown = 0
        for caller, call in self._calls_of(fn):
            for vid, part in bind(caller, call, fn).get(index, ()):
                refs = [ref for ref in self.resolver.refs(caller, vid) if ref.name != "builtins.NoneType"]
                if part or not refs:
                    unknown += caller.const(vid) is not None
                    continue
                known += 1
                found.update(refs)
        if found and all(ref.kind == "class" and self.is_model(ref) for ref in found):
            models = [self.project.classes[ref.name] for ref in found]
            return self._shared(models) if not (makes or unknown) else ()
        if classes:
            return ()
        alike = len(found) == 1 or all(map(self._checks, found)) or all(map(self._stands_for_itself, found))
        return tuple(sorted(found)) if alike and unknown <= known and all(map(self._tells, found)) else ()

    def is_model(self, ref: Ref) -> bool:
        """Whether a class of the project's is a model."""
        return self.project.hierarchy.role(self.project.classes[ref.name]) == "model"

    def _shared(self, models: list[Cls]) -> Refs:
        """The one model that is passed, or of several the library's class that all inherit from: `find(Order, key)`."""
        if len(models) == 1:
            return (Ref("class", models[0].fqn),)
        bases = [self.project.hierarchy.library_bases(cls) for cls in models]
        shared = next((name for name in bases[0] if all(name in other for other in bases)), "")
        return (Ref("lib", shared),) if shared else ()

    def _calls_of(self, fn: Fn) -> list[tuple[Fn, Call]]:
        """Calls of what is known by a name of its own."""
        heirs = () if fn.cls is None else (cls for cls in self.project.subclasses(fn.cls) if self._inherits(cls, fn))
        wanted = {("func", fn.fqn): fn.name} if fn.cls is None else {("class", fn.cls.fqn): fn.cls.name}
        wanted |= {("class", cls.fqn): cls.name for cls in heirs}
        if len(wanted) > MAX_CALLS:
            return []
        found = [
            (caller, call)
            for key, name in wanted.items()
            for caller, call in self.project.written.calls(name)
            if caller is not fn
            and caller.value(call.func)[0] == "name"
            and any((ref.kind, ref.name) == key for ref in self.resolver.refs(caller, call.func))
        ]
        for _, name in wanted if fn.cls is not None else ():
            home = self.project.classes[name].owner
            found += ((home, call) for call in home.calls if home.value(call.func) == ("def", name.rpartition(".")[2]))
        return found if len(found) <= MAX_CALLS else []

    def _inherits(self, cls: Cls, fn: Fn) -> bool:
        """Whether an object of the class is made by this `__init__` of a base."""
        return self.project.method(cls, fn.name) is fn

    def _checks(self, ref: Ref) -> bool:
        """Whether it is a schema, by which a decorator may load what was sent: `@body(OrderIn())`."""
        return ref.kind == "inst" and self.project.hierarchy.role(self.project.classes[ref.name]) in (
            "schema",
            "serializer",
        )

    def _stands_for_itself(self, ref: Ref) -> bool:
        """A class of the project's own whose methods are called on the class: `apply(IssueActions, issue)`."""
        return ref.kind == "class" and self.project.hierarchy.role(self.project.classes[ref.name]) == ""

    def _tells(self, ref: Ref) -> bool:
        """Whether it is a row, what asks another system (a client, a session, a connection), what limits how often, or a class."""
        if self._stands_for_itself(ref):
            return True
        if ref.kind == "inst":
            return self._checks(ref) or self.is_model(ref)
        cls = self.project.libraries.cls(ref.name) if ref.kind == "libinst" else None
        made = self.project.libraries.call(ref.name) if cls is not None else None
        limits = made is not None and made.concurrency is not None and made.concurrency.kind == "semaphore"
        return limits or (cls is not None and cls.resource not in _LOCAL)
