"""Columns that Django's annotations compute by a function: `annotate(low=Lower("email")).filter(low=...)`."""

from __future__ import annotations

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import plain

MAX_DEPTH = 12
_FUNCTIONS = {
    "Lower": "lower", "Upper": "upper", "Trim": "trim", "Cast": "cast", "Substr": "substr", "Left": "left",
    "TruncDate": "date", "TruncDay": "day", "TruncMonth": "month", "TruncYear": "year", "ExtractYear": "year",
    "ExtractMonth": "month", "ExtractDay": "day", "Coalesce": "coalesce",
}  # fmt: skip
"""django.db.models.functions that are computed for each row, by their names in SQL."""


def annotated(fn: Fn, receiver: Vid) -> dict[str, tuple[str, str]]:
    """Annotations of a chain of queryset methods: name to (lookup of the column, function)."""
    found: dict[str, tuple[str, str]] = {}
    for _ in range(MAX_DEPTH):
        value = fn.value(plain(fn, receiver)) if receiver >= 0 else ("unknown",)
        if value[0] != "call":
            break
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        if str(func[-1]).rpartition(".")[2] in ("annotate", "alias"):
            for name, vid in call.kwargs:
                computed = _computed(fn, vid)
                if computed is not None:
                    found.setdefault(name, computed)
        receiver = func[1] if func[0] == "attr" else -1
    return found


def _computed(fn: Fn, vid: Vid) -> tuple[str, str] | None:
    value = fn.facts.values[vid]
    if value[0] != "call":
        return None
    call = fn.facts.calls[value[1]]
    function = _FUNCTIONS.get(str(fn.facts.values[call.func][-1]).rpartition(".")[2])
    if function is None or not call.args:
        return None
    column = fn.const(call.args[0])
    inner = fn.facts.values[call.args[0]]
    if inner[0] == "call":  # F("email")
        reference = fn.facts.calls[inner[1]]
        column = fn.const(reference.args[0]) if reference.args else ...
    return (column, function) if isinstance(column, str) else None
