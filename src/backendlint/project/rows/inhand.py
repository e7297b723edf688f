"""Branches into which a function goes only where something came with the row, or did not, because it has looked."""

from __future__ import annotations

from backendlint.facts.model import Span, Vid
from backendlint.facts.within import caught
from backendlint.project.entities import Fn
from backendlint.project.values.uses import ingredients

_LOADED = frozenset({"_prefetched_objects_cache", "fields_cache"})
"""Where Django keeps what came with a row."""
_LACKING = frozenset({"builtins.AttributeError", "builtins.Exception"})
"""What is caught where an attribute may be missing: a column would be there."""


def rows_in_hand(fn: Fn, block: int) -> bool:
    """Whether a place lies below `if "crew" in getattr(self, "_prefetched_objects_cache", {}):`."""
    return any(_says_loaded(fn, test, outcome) for test, outcome in fn.tests_of(block))


def looks_first(fn: Fn, block: int, span: Span) -> bool:
    """Whether a place is reached only where a row does not have what its query may have put there: `if hasattr(line, "weight"):
    return line.weight`, `if "crew" in self._prefetched_objects_cache: ... else:`, `try: return self.kept_crew ... except
    AttributeError:`; also of a row that is handed in, `try: return shelf.crates_count ... except Exception:`."""
    tests = [(test, outcome) for test, outcome in fn.tests_before(block, span, ("return",)) if test >= 0]
    lacks = any(_lacks(fn, test, outcome) or _says_loaded(fn, test, not outcome) for test, outcome in tests)
    return lacks or _missed(fn, block)


def _missed(fn: Fn, block: int) -> bool:
    """Whether it was tried before to read of the row what its class does not name."""
    around = (item for item in fn.blocks_of(block) if item[1].kind == "except")
    tries = [part for number, part in around if not _LACKING.isdisjoint(caught(fn.facts, number))]
    if not tries or fn.cls is None:
        return False
    kept = {*(store.name for store in fn.facts.stores), *fn.cls.facts.attributes, *fn.cls.methods}
    inside = [fn.facts.blocks[part.group].span for part in tries]
    return any(
        value[1] >= 0 and fn.unguarded(value[1])[0] == "param" and value[2] not in kept
        for vid in fn.made_by("attr")
        if any(span.holds(fn.facts.span_of(vid)) for span in inside)
        for value in (fn.facts.values[vid],)
    )


def _lacks(fn: Fn, test: Vid, outcome: bool) -> bool:
    value = fn.unguarded(test)
    if value[0] == "not":
        return _lacks(fn, value[1], not outcome)
    if value[0] == "compare" and len(value[1]) == 1 and fn.const(value[2][1]) is None:
        none = value[1][0] in ("is", "==")
        return _asks_row(fn, value[2][0], "getattr") and (none or value[1][0] in ("is not", "!=")) and none is outcome
    return not outcome and _asks_row(fn, test, "hasattr")


def _asks_row(fn: Fn, vid: Vid, builtin: str) -> bool:
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None or fn.facts.values[call.func] != ("name", f"builtins.{builtin}") or len(call.args) < 2:
        return False
    kept = {store.name for store in fn.facts.stores}  # what it has asked for itself, once for each row
    name = fn.const(call.args[1])
    return fn.unguarded(call.args[0])[0] == "param" and isinstance(name, str) and name not in kept


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
