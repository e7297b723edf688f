"""Functions that are given a schema and make an object of it from data: `def read(model: type[T], raw) -> T`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.linking.binding import bind

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PARSES = frozenset({"model_validate", "model_validate_json", "parse_obj", "parse_raw"})
"""Class methods of pydantic's models."""
_DEPTH = 3


class Parsed:
    """Answers `schema(fn, call, callee)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, int] = {}

    def schema(self, fn: Fn, call: Call, callee: Fn) -> Ref | None:
        """The project's schema of which such a call's result is an object."""
        index = self._made_of(callee, _DEPTH)
        passed = bind(fn, call, callee).get(index, ()) if index >= 0 else ()
        refs = [ref for vid, path in passed if not path for ref in self.project.refs(fn, vid)]
        found = self.project.classes.get(refs[0].name) if len(refs) == 1 and refs[0].kind == "class" else None
        return Ref("inst", found.fqn) if found and self.project.hierarchy.role(found) == "schema" else None

    def _made_of(self, fn: Fn, depth: int) -> int:
        """The parameter whose class everything is of that the function returns; -1 where there is none."""
        known = self._known.get(fn.fqn)
        if known is None:
            self._known[fn.fqn] = -1
            answers = [item.value for item in fn.facts.returns if item.value >= 0 and not item.is_yield]
            found = {self._class_of(fn, vid, depth) for vid in answers}
            known = self._known[fn.fqn] = found.pop() if len(found) == 1 else -1
        return known

    def _class_of(self, fn: Fn, vid: Vid, depth: int) -> int:
        value = fn.unguarded(vid)
        if value[0] == "await":
            value = fn.unguarded(value[1])
        if value[0] != "call":
            return -1
        call = fn.facts.calls[value[1]]
        func = fn.unguarded(call.func)
        if func[0] == "attr" and func[2] in _PARSES:
            func = fn.unguarded(func[1])
            return int(func[1]) if func[0] == "param" else -1
        targets = self.project.targets(fn, call) if depth else ()
        if len(targets) != 1:
            return -1
        inner = bind(fn, call, targets[0]).get(self._made_of(targets[0], depth - 1), ())
        passed = [fn.unguarded(item) for item, path in inner if not path]
        return int(passed[0][1]) if len(passed) == 1 and passed[0][0] == "param" else -1
