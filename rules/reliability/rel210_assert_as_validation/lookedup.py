"""Rows that were looked up by what was passed in, and may not be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from backendlint.api import Call, FunctionFacts, SyntaxSite, Value, Vid, called_name

from .values import unguarded, untested

_LOOKS_UP = re.compile(
    r"(get|find|fetch|load|read|query|select|search|look_?up)(_\w+)?|fetch(one|val|row)|first|(scalar_)?one(_or_none)?|"
    r"scalar|by_\w+"
)
_OF_ROWS = re.compile(
    r"(^|_)(sessions?|db|repo|repos|repository|repositories|stores?|dao|crud|objects|query|managers?|models?|"
    r"collections?|tables?|conn|connection|cursor|cur)$",
    re.IGNORECASE,
)
"""What is asked for rows: `session.get(Order, number)` is no dict."""
_MADE_OF = frozenset({"await", "conv", "elem", "unpack", "item"})
_MAX_DEPTH = 6


def is_looked_up(site: SyntaxSite, vid: int) -> bool:
    """`row = OrderRepository(db).get(number)`, then `assert row is not None, f"order {number} is unknown"`: by what the function was
    given itself, not by what another row says."""
    function = site.function
    value = unguarded(function, vid)
    if value[0] == "compare":
        value = unguarded(function, value[2][0])
    while value[0] in _MADE_OF:
        value = unguarded(function, value[1])
    call = function.calls[value[1]] if value[0] == "call" else None
    if call is None or site.span.holds(call.span):
        return False
    name = called_name(site.file, function, call).rpartition(".")[2]
    if not _LOOKS_UP.fullmatch(name) or not _asks_rows(function, call, name):
        return False
    return _given(function, call.passed) is True


def _asks_rows(function: FunctionFacts, call: Call, name: str) -> bool:
    """Whether no registry of the code's own is asked: `self.find_filter(name)`, `HANDLERS.get(name)`."""
    func = unguarded(function, call.func)
    if func[0] == "name":
        owner = str(func[1]).rpartition(".")[0].rpartition(".")[2]
        return name not in ("get", "read", "load", "select") or _OF_ROWS.search(owner) is not None
    if func[0] != "attr":
        return func[0] == "def" and "_" in name
    base = unguarded(function, func[1])
    if base[0] == "call":
        maker = str(unguarded(function, function.calls[base[1]].func)[-1]).rpartition(".")[2]
        return maker[:1].isupper() or _OF_ROWS.search(maker) is not None
    if base == ("param", 0) and function.cls:
        return False
    named = [item.name for item in function.bindings if item.value == untested(function, func[1])]
    named += [function.params[base[1]].name] if base[0] == "param" else [str(base[-1]).rpartition(".")[2]]
    return any(map(_OF_ROWS.search, named))


def _given(function: FunctionFacts, vids: Iterable[Vid], depth: int = _MAX_DEPTH) -> bool | None:
    """Whether values are made of parameters; None for what comes from elsewhere, such as a part of a row."""
    found = False
    for vid in vids:
        value = unguarded(function, vid) if depth else ("",)
        parts = _parts(function, value)
        said = _given(function, parts, depth - 1) if parts is not None else None
        if value[0] == "param":
            said = function.params[value[1]].name not in ("self", "cls")
        if said is None:
            return None
        found |= said
    return found


def _parts(function: FunctionFacts, value: Value) -> Sequence[Vid] | None:
    """What a value is made of (of a comparison, what is compared with); None where that does not show."""
    if value[0] in ("const", "name", "def"):
        return ()
    if value[0] in _MADE_OF:
        return (value[1],)
    if value[0] in ("list", "tuple", "set"):
        return tuple(value[1])
    if value[0] == "dict":
        return [item for _, item in value[1]]
    if value[0] == "call":
        return function.calls[value[1]].passed
    return tuple(value[2][1:]) if value[0] == "compare" else None
