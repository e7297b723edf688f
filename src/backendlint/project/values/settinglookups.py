"""Functions of the project that read a setting for their callers: `env("API_KEY", "default")`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.binding import bind
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_CONVERSIONS = tuple(("name", f"builtins.{name}") for name in ("str", "int", "float", "bool"))
DEPTH = 3
"""Helpers through which a lookup is handed on."""


class SettingLookups:
    """Which parameters of the project's helpers name a setting, and which stand in where it is missing."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.known: dict[str, tuple[int, set[int]]] = {}
        """The parameter with the name, and those with a default, by the function's full name."""
        self.names: set[str] = set()
        """The last parts of their names, for a quick look."""
        asking = dict.fromkeys(fn for fn, _, model in project.graph.modelled if model.env is not None)
        for _ in range(DEPTH):
            learned = [fn for fn in asking if fn.fqn not in self.known and self._learn(fn)]
            asking = dict.fromkeys(edge.caller for fn in learned for edge in project.graph.callers(fn))

    def _learn(self, fn: Fn) -> bool:
        for call in fn.calls if len(fn.facts.params) > 1 else ():
            first = next(iter(call.passed), -1)
            if first < 0 or fn.unguarded(first)[0] not in ("param", "fmt", "binop", "call"):
                continue
            for name, given in self._reads(fn, call):
                index = _parameter(fn, name)
                others = set(_stand_ins(fn, given)) - {index}
                if index >= 0 and others:
                    self.known[fn.fqn] = (index, others)
                    self.names.add(fn.name)
                    return True
        return False

    def _reads(self, fn: Fn, call: Call) -> Iterator[tuple[Vid, list[Vid]]]:
        """The name and the defaults that a call passes to a lookup."""
        for model in self.project.models(fn, call):
            if model.env is not None:
                given = arguments(call, model.env.default) if model.env.default is not None else []
                yield from ((name, given) for name in arguments(call, model.env.name))
        yield from self.of(fn, call)

    def of(self, fn: Fn, call: Call) -> Iterator[tuple[Vid, list[Vid]]]:
        """The same of a call of one of the project's helpers."""
        written = fn.value(call.func)
        if written[0] in ("attr", "name") and fn.callee_name(call) not in self.names:
            return
        for target in self.project.targets(fn, call):
            found = self.known.get(target.fqn)
            if found is not None:
                bound = bind(fn, call, target)
                names = [vid for vid, path in bound.get(found[0], ()) if not path]
                given = [vid for index in found[1] for vid, path in bound.get(index, ()) if not path]
                yield from ((name, given) for name in names)


def _parameter(fn: Fn, vid: Vid) -> int:
    """The parameter that a setting's name is, or is made of: `f"{PREFIX}{name}"`, `name.upper()`; or -1."""
    made = (fn.value(part) for part in ingredients(fn.facts, (vid,)))
    found = {value[1] for value in made if value[0] == "param"}
    own = 1 if fn.kind in ("method", "classmethod") else 0
    found = {index for index in found if index >= own}
    return found.pop() if len(found) == 1 else -1


def _stand_ins(fn: Fn, given: list[Vid]) -> Iterator[int]:
    """Parameters that are passed as the default, or returned: `return default`, `return value or default`."""
    todo = [*given, *fn.returned]
    seen: set[Vid] = set()
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.unguarded(vid)
        if value[0] == "param":
            yield value[1]
        elif value[0] == "phi":
            todo += value[1]
        elif value[0] == "bool":
            todo += value[2]
        elif fn.func_of(value) in _CONVERSIONS:  # `return str(default)`
            todo += fn.calls[value[1]].args
