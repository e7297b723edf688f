"""What callers agree on: the rows of one model that they pass for a parameter which says nothing of its type."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.binding import bind
from backendlint.project.entities import Fn, Ref, Refs

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.refs import Resolver

MAX_CALLS = 40
"""A function that is called more often is a tool for anything."""


class Passed:
    """Answers `rows(fn, index)`; owned by the Resolver."""

    def __init__(self, project: Project, resolver: Resolver) -> None:
        self.project = project
        self.resolver = resolver

    def rows(self, fn: Fn, index: int) -> Refs:
        """The one model of which the project's calls of a module's function pass a row; what the calls pass of which
        nothing is known may be as many as those at most."""
        if fn.kind != "function" or fn.parent is None or not fn.parent.is_module:
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
        return tuple(found) if len(found) == 1 and unknown <= known and all(map(self._row, found)) else ()

    def _calls_of(self, fn: Fn) -> list[tuple[Fn, Call]]:
        calls = self._by_word.get(fn.name, ())
        found = [
            (caller, call)
            for caller, call in calls
            if caller is not fn
            and any(ref.name == fn.fqn and ref.kind == "func" for ref in self.resolver.refs(caller, call.func))
        ]
        return found if len(found) <= MAX_CALLS else []

    def _row(self, ref: Ref) -> bool:
        return ref.kind == "inst" and self.project.hierarchy.role(self.project.classes[ref.name]) == "model"

    @cached_property
    def _by_word(self) -> dict[str, list[tuple[Fn, Call]]]:
        """Calls of what is known by a name of its own, by the last word of that."""
        found: dict[str, list[tuple[Fn, Call]]] = {}
        for fn in self.project.all_functions():
            for call in fn.facts.calls:
                func = fn.facts.values[call.func]
                if func[0] == "name":
                    found.setdefault(str(func[1]).rpartition(".")[2], []).append((fn, call))
        return found
