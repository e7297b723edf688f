"""Guards that can ask for a role and were not told which: `@token_required()` beside `@token_required("admin")`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.errors.owncodes import exception_status
from backendlint.project.linking.binding import bind
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

_FORBIDDEN = frozenset({403})
_REFUSALS = frozenset({401, 403})
_LISTS = ("decorators", "method_decorators")
"""Attributes of a class of handlers with decorators for all of them."""


def unasked(project: Project, route: Route) -> set[str]:
    """Full names of the route's decorators that let through whoever is known, as nobody was named."""
    found: set[str] = set()
    for home, vid in _decorators(project, route):
        value = home.unguarded(vid)
        call = home.calls[value[1]] if value[0] == "call" else None
        if call is not None and not call.passed:
            for maker in project.targets(home, call):
                if _if_told(project, maker):
                    found.update(fn.fqn for fn in _inside(project, maker))
    return found


def asks(role: str, ref: Ref, bare: set[str]) -> bool:
    """Whether a guard plays the role: one of the `bare` asks for nothing but that somebody is known."""
    return role != "authorize" or ref.name not in bare


def _decorators(project: Project, route: Route) -> Iterator[tuple[Fn, Vid]]:
    fn = route.handler
    if fn is not None:
        yield from ((fn.parent or fn, vid) for vid in fn.facts.decorators)
    for cls in project.hierarchy.mro(route.cls) if route.cls is not None else ():
        yield from ((cls.owner, vid) for vid in cls.facts.decorators)
        for name in _LISTS:
            vid = cls.facts.attributes.get(name, -1)
            value = cls.owner.value(vid) if vid >= 0 else ("",)
            if value[0] in ("list", "tuple"):
                yield from ((cls.owner, item) for item in value[1])


def _if_told(project: Project, maker: Fn) -> bool:
    """Whether all refusals of people who are known hang on what the decorator was given."""
    if not any(param.kind == "args" or param.default >= 0 for param in maker.facts.params):
        return False
    places = [(fn, block) for fn in _inside(project, maker) for block in _refused(project, fn)]
    return bool(places) and all(_hangs_on(fn, block, maker) for fn, block in places)


def _inside(project: Project, maker: Fn) -> Iterator[Fn]:
    """The function and those that it holds."""
    return (fn for fn in project.functions_of(maker.file) if fn.lies_in(maker))


def _refused(project: Project, fn: Fn, statuses: frozenset[int] = _FORBIDDEN) -> Iterator[int]:
    """The blocks in which one of the statuses is answered or raised."""
    yield from (call.block for call in fn.calls if any(fn.const(vid) in statuses for vid in call.passed))
    yield from (
        item.block for item in fn.facts.raises if item.exc >= 0 and exception_status(project, fn, item.exc) in statuses
    )
    for item in fn.facts.returns:
        value = fn.value(item.value) if item.value >= 0 else ("",)
        if value[0] == "tuple" and any(fn.const(vid) in statuses for vid in value[1]):
            yield item.block


def _hangs_on(fn: Fn, block: int, maker: Fn) -> bool:
    """Whether a test or a loop around the block is about a parameter of the decorator."""
    for _, item in fn.blocks_of(block):
        asked = ingredients(fn.facts, (item.value,)) if item.kind in ("if", "for") and item.value >= 0 else ()
        for vid in asked:
            value = fn.value(vid)
            owner = fn.outer(value) if value[0] == "outer" else fn
            if owner is maker and maker.value(value[1] if value[0] == "outer" else vid)[0] == "param":
                return True
    return False


def opened(project: Project, route: Route) -> set[str]:
    """Full names of the route's decorators that let everybody through because they are told to: `@endpoint("GET", public=True)`."""
    found: set[str] = set()
    for home, vid in _decorators(project, route):
        value = home.unguarded(vid)
        call = home.calls[value[1]] if value[0] == "call" else None
        if call is None or not any(isinstance(home.const(item), bool) for _, item in call.kwargs):
            continue
        for maker in project.targets(home, call):
            told = {
                index: home.const(item)
                for index, given in bind(home, call, maker).items()
                for item, path in given
                if not path and isinstance(home.const(item), bool)
            }
            places = [(fn, block) for fn in _inside(project, maker) for block in _refused(project, fn, _REFUSALS)]
            if places and all(_is_told_otherwise(fn, block, maker, told) for fn, block in places):
                found.update(fn.fqn for fn in _inside(project, maker))
    return found


def _is_told_otherwise(fn: Fn, block: int, maker: Fn, told: dict[int, object]) -> bool:
    """Whether a test of what the decorator was told keeps from the block."""
    for test, outcome in fn.tests_of(block):
        value, wanted = fn.unguarded(test), outcome
        while value[0] == "not":
            value, wanted = fn.unguarded(value[1]), not wanted
        owner = fn.outer(value) if value[0] == "outer" else None
        asked = owner.unguarded(value[1]) if owner is not None else ("",)
        if owner is maker and asked[0] == "param" and told.get(asked[1], wanted) is not wanted:
            return True
    return False
