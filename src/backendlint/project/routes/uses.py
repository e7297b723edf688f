"""Helpers that are given a path, a view or a router: what each of their callers passes for a value of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import SAME

if TYPE_CHECKING:
    from backendlint.project.model import Project

Place = tuple[Fn, Vid]
MAX_USES = 5000
MAX_DEPTH = 8
MAX_HELPERS = 3
"""Helpers that call helpers."""
_SAME = SAME | {"elem", "conv"}


@dataclass(frozen=True, slots=True)
class Use:
    """One call of a helper; `up` is the call of the helper in which that call stands."""

    helper: Fn
    caller: Fn
    call: Call
    up: Use | None = None

    @property
    def outermost(self) -> Use:
        """The call that says what is registered."""
        return self.up.outermost if self.up is not None else self

    def places(self, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> list[Place]:
        """Where a value of the helper, or of a function in it, is written: with its callers, if it comes from them."""
        if vid < 0 or depth == 0:
            return []
        value = fn.facts.values[vid]
        if value[0] == "outer":
            owner = fn.outer(value)
            return self.places(owner, value[1], depth - 1) if owner is not None else []
        if value[0] in _SAME and parameter(fn, vid) is not None:
            return [part for place in self.places(fn, value[1], depth - 1) for part in _parts(*place)]
        if value[0] == "param" and fn is self.helper:
            passed = [(self.caller, item) for item in _passed(fn, value[1], self.call)]
            if self.up is not None:
                passed = [place for item in passed for place in self.up.places(*item, depth - 1)]
            default = fn.facts.params[value[1]].default
            return passed or ([(fn.parent, default)] if fn.parent is not None and default >= 0 else [])
        return [(fn, vid)]


def uses(project: Project, helper: Fn, depth: int = MAX_HELPERS) -> Iterator[Use]:
    """Every call of the helper, traced on through callers that only pass on what they are given."""
    for edge in project.graph.callers(helper)[:MAX_USES]:
        if edge.call is None or edge.kind != "call" or edge.caller is helper:
            continue
        owners = {parameter(edge.caller, vid) for vid in edge.call.passed}
        outer = next((fn for fn in owners if fn is not None), None)
        above = list(uses(project, outer, depth - 1)) if outer is not None and depth > 1 else []
        if above:
            yield from (Use(helper, edge.caller, edge.call, up) for up in above)
        else:
            yield Use(helper, edge.caller, edge.call)


def parameter(fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> Fn | None:
    """The function whose parameter the value is, or is built from."""
    if vid < 0 or depth == 0:
        return None
    value = fn.facts.values[vid]
    if value[0] == "param":
        return fn if fn.facts.params[value[1]].name not in ("self", "cls") else None
    if value[0] == "outer":
        owner = fn.outer(value)
        return parameter(owner, value[1], depth - 1) if owner is not None else None
    if value[0] in _SAME:
        return parameter(fn, value[1], depth - 1)
    if value[0] == "fmt":
        return next((found for part in value[2] if (found := parameter(fn, part, depth - 1)) is not None), None)
    return None


def _parts(fn: Fn, vid: Vid) -> list[Place]:
    """The items of a display, else the value itself (`*urls` stands for each of them)."""
    value = fn.facts.values[vid]
    return [(fn, item) for item in value[1]] if value[0] in ("list", "tuple", "set") else [(fn, vid)]


def _passed(fn: Fn, index: int, call: Call) -> tuple[Vid, ...]:
    param = fn.facts.params[index]
    named = call.kwarg(param.name)
    if named >= 0:
        return (named,)
    position = index - (1 if fn.cls is not None and fn.kind in ("method", "classmethod", "property") else 0)
    if param.kind == "args":
        return call.args[position:]
    return call.args[position : position + 1] if param.kind in ("pos", "any") and position >= 0 else ()
