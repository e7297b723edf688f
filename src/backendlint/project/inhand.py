"""Branches into which a function goes only where relations came with the row, because it has looked."""

from __future__ import annotations

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.uses import ingredients

_LOADED = frozenset({"_prefetched_objects_cache", "fields_cache"})
"""Where Django keeps what came with a row."""


def rows_in_hand(fn: Fn, block: int) -> bool:
    """Whether a place lies below `if "crew" in getattr(self, "_prefetched_objects_cache", {}):`."""
    return any(_says_loaded(fn, test, outcome) for test, outcome in fn.tests_of(block))


def _says_loaded(fn: Fn, test: Vid, outcome: bool) -> bool:
    value = fn.unguarded(test) if test >= 0 else ("",)
    if value[0] == "not":
        return _says_loaded(fn, value[1], not outcome)
    if value[0] == "bool":
        parts = [_says_loaded(fn, part, outcome) for part in value[2]]
        return any(parts) if (value[1] == "and") == outcome else all(parts)
    if value[0] == "compare":
        if len(value[1]) != 1 or (value[1][0] in ("in", "is not")) != outcome:
            return False
        return _named(fn, value[2])
    return outcome and _named(fn, (test,))


def _named(fn: Fn, vids: tuple[Vid, ...]) -> bool:
    values = (fn.facts.values[vid] for vid in ingredients(fn.facts, vids))
    return any(value[0] in ("const", "attr") and value[-1] in _LOADED for value in values)
