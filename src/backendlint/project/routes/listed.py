"""Lists of dependencies and middleware as the code puts them together, one way or another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.variables import variable
from backendlint.project.routes.params import injected

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DISPLAYS = ("list", "tuple", "set")
_GROWS = ("append", "extend", "insert")
_LISTS = (*_DISPLAYS, "call", "binop", "phi", "bool", "guard", "mut", "comp")
"""What a variable may hold that is no function or object itself."""


def listed(project: Project, fn: Fn, vids: tuple[Vid, ...]) -> Iterator[Ref]:
    """What lists of dependencies name: `[Depends(f), ...]`, or functions and objects themselves."""
    for home, vid in _members(project, fn, vids):
        value = home.facts.values[vid]
        if value[0] == "call":
            call = home.facts.calls[value[1]]
            found = list(injected(project, home, call))
            if found:
                yield from found
                continue
            yield from (ref for ref in project.callees(home, call) if ref.kind == "lib")
        yield from project.refs(home, vid)


def middleware(project: Project, fn: Fn, vids: tuple[Vid, ...]) -> Iterator[Ref]:
    """What lists of middleware name: `[Middleware(C, ...), ...]`, functions and objects themselves, or what makes one
    (`guard_for(service)`), in which the function lies that it makes."""
    for home, vid in _members(project, fn, vids):
        value = home.facts.values[vid]
        if value[0] == "call":
            call = home.facts.calls[value[1]]
            for model in project.models(home, call):
                for argument in arguments(call, model.middleware) if model.middleware else ():
                    yield from project.refs(home, argument)
            yield from (ref for ref in project.callees(home, call) if ref.kind == "func")
        else:
            yield from project.refs(home, vid)


def _members(
    project: Project, fn: Fn, vids: tuple[Vid, ...], seen: set[tuple[str, Vid]] | None = None
) -> Iterator[tuple[Fn, Vid]]:
    """What the lists may hold, whichever way was taken to them."""
    seen = set() if seen is None else seen
    for vid in vids:
        if (fn.fqn, vid) in seen:
            continue
        seen.add((fn.fqn, vid))
        value = fn.facts.values[vid]
        home = fn
        inner: tuple[Vid, ...] = ()
        if value[0] in (*_DISPLAYS, "phi"):
            inner = tuple(value[1])
        elif value[0] in ("bool", "binop"):
            inner = tuple(value[2]) if value[0] == "bool" else (value[2], value[3])
        elif value[0] in ("guard", "star"):
            inner = (value[1],)
        elif value[0] == "comp":
            inner = (value[2],)
        elif value[0] == "mut" and value[2] in _GROWS:
            inner = (value[1], *value[3])
        elif value[0] == "name":
            named = variable(project, fn, value[1])
            if named is not None and named[0].facts.values[named[1]][0] in _LISTS:
                home, inner = named[0], (named[1],)
        if inner:
            yield from _members(project, home, inner, seen)
        elif value[0] not in _DISPLAYS:
            yield home, vid
