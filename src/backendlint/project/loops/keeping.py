"""Functions that look into a cache and fill it, also by helpers of the project's own (`get_cached_count(team)`,
`cache_set(team, count)`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_CACHE = frozenset({"cache", "cached"})
_SAYS = {
    "cache-read": frozenset({"get", "read", "load", "fetch", "from", "lookup"}),
    "cache-write": frozenset({"set", "put", "store", "save", "write", "add"}),
}
"""What the name of a helper says that it does with the cache, where its code does not show."""


def asks_cache(project: Project, fn: Fn) -> bool:
    """Whether the function does both: what it asks for otherwise is kept."""
    found: set[str] = {effect for site in project.effects.direct(fn) for effect in site.model.effect}
    if not found.issuperset(_SAYS):
        for edge in project.graph.callees(fn):
            words = frozenset(edge.callee.name.lower().split("_"))
            if not words.isdisjoint(_CACHE):
                found.update(
                    effect
                    for effect, says in _SAYS.items()
                    if project.effects.has(edge.callee, effect) or not says.isdisjoint(words)
                )
    return found.issuperset(_SAYS)
