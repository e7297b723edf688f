"""The methods to which decorators restrict a handler that its path is registered for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.facts.within import calls_in
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import DecoratorModel
from backendlint.project.linking.binding import bind
from backendlint.project.linking.decorators import decorations, made_within
from backendlint.project.routes.handlers import METHODS
from backendlint.project.routes.reading import strings

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes.build import RouteTable

_LEAVES = ("return", "raise")
_OTHERS = (("not in",), ("!=",))


def restricted(table: RouteTable, fn: Fn, methods: tuple[str, ...]) -> tuple[str, ...]:
    """Methods by decorators such as `@require_POST`, `@api_view(["GET"])` and the project's own."""
    reading = table.registrations.reading
    for item, model in table.decorators(fn):
        if model.methods:
            return tuple(name.upper() for name in model.methods)
        if model.methods_arg is not None and item.call is not None:
            vids = arguments(item.call, model.methods_arg)
            named = tuple(name.upper() for vid in vids for name in reading.texts(item.fn, vid))
            return named or methods
        if model.route is not None and makes_view(model):
            found = reading.methods(item.fn, item.call, model.route)
            if found:
                return found
    return methods or tuple(dict.fromkeys(_of_own(table.project, fn)))


def makes_view(model: DecoratorModel) -> bool:
    """`@api_view(["GET"])`: the path is registered elsewhere."""
    return model.route is not None and model.route.path is None and model.route.detail is None


def _of_own(project: Project, fn: Fn) -> Iterator[str]:
    """The methods that a decorator of the project's own lets through: `@endpoint("GET", scope="crew")`."""
    for item in (item for vid in fn.facts.decorators for item in decorations(project, fn.parent or fn, vid)):
        maker = project.functions.get(item.ref.name) if item.ref.kind == "func" else None
        if maker is None:
            continue
        for inner, listed in _let_through(project, maker):
            index = _parameter(inner, listed, maker)
            given = bind(item.fn, item.call, maker).get(index, ()) if item.call is not None else ()
            places = [(item.fn, passed) for passed, _ in given] if index >= 0 else [(inner, listed)]
            named = [name.upper() for place in places for name in strings(project, *place)]
            yield from named if set(METHODS).issuperset(named) else ()


def _let_through(project: Project, maker: Fn) -> Iterator[tuple[Fn, Vid]]:
    """What the wrapper of a decorator compares the request's method with, where it answers others itself:
    `if request.method not in methods: return refused()`."""
    for inner in made_within(project, maker):
        for number, block in enumerate(inner.facts.blocks):
            value = inner.unguarded(block.value) if block.kind == "if" and block.value >= 0 else ("",)
            if value[0] != "compare" or tuple(value[1]) not in _OTHERS or block.exits not in _LEAVES:
                continue
            asked = inner.unguarded(value[2][0])
            hands_on = any(inner.unguarded(call.func)[0] == "outer" for call in calls_in(inner.facts, number))
            if asked[0] == "attr" and asked[2] == "method" and not hands_on:
                yield inner, value[2][1]


def _parameter(fn: Fn, vid: Vid, maker: Fn) -> int:
    """Which parameter of the decorator a value is; -1 for none."""
    value, home = fn.unguarded(vid), fn
    while value[0] == "outer":
        outer = home.outer(value)
        if outer is None:
            return -1
        value, home = outer.unguarded(value[1]), outer
    return value[1] if value[0] == "param" and home is maker else -1
