"""Routes for the same resource, of which one shows what another lacks."""

from __future__ import annotations

import re

from backendlint.api import SAFE, Call, Route

OF_KIND = re.compile(r"\w+_(id|uuid|pk|slug)", re.IGNORECASE)
"""A parameter that says what it is the key of."""


def sibling(route: Route, careful: list[Route]) -> Route | None:
    """A careful route for the same resource, in the same module or below the same path."""
    for other in careful:
        if other is not route and related_to(other, route) and _shows(other, route):
            return other
    return None


def _shows(example: Route, route: Route) -> bool:
    """Whether the example does the like: it reads the object itself (or at the same path), or both change something."""
    if not SAFE.issuperset(example.methods):
        return True
    return example.path.rstrip("/").endswith("}") or example.path == route.path


def related_to(route: Route, other: Route) -> bool:
    if other.handler is None or route.handler is None:
        return False
    if resource(other) != resource(route):  # `/own-letters/{letter_id}` beside `/letters/{letter_id}`
        same = parameter(other) == parameter(route) and OF_KIND.fullmatch(parameter(route)) is not None
        return (
            same and other.handler.path == route.handler.path and other.path.endswith("}") and route.path.endswith("}")
        )
    return other.handler.path == route.handler.path or prefix(other) == prefix(route)


def usual(route: Route, fetching: list[tuple[Route, Call]], careful: list[Route], bare: set[Route]) -> bool:
    """Whether not twice as many routes for the resource do without a check as have one: then those with one are special."""
    alike = [other for other, _ in fetching if related_to(other, route)]
    if SAFE.issuperset(route.methods):
        alike = [other for other in alike if SAFE.issuperset(other.methods)]
    without = bare.intersection(alike)
    return len(without) <= 2 * max(1, len([other for other in alike if other in careful]))


def parameter(route: Route) -> str:
    """Name of the last parameter in the path."""
    return route.path.rpartition("{")[2].partition("}")[0]


def prefix(route: Route) -> str:
    return route.path.rpartition("{")[0]


def resource(route: Route) -> str:
    """The fixed part before the last parameter: `orders` of `/shops/{shop}/orders/{id}/lines`."""
    parts = [part for part in route.path.split("/") if part]
    last = max((index for index, part in enumerate(parts) if "{" in part), default=0)
    return next((part for part in reversed(parts[:last]) if "{" not in part), "")
