"""`f(**OPTIONS)` where OPTIONS is written down as a dict of constant keys: the call has these keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, FunctionFacts, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.variables import display

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAPPING = "**"
MAX_NESTED = 4
"""Displays inside one another that are copied."""


def spread_options(project: Project) -> None:
    """Give every call that spreads such a dict its keywords, in the facts; once, before anything is asked of them."""
    for fn in project.all_functions():
        calls = fn.facts.calls
        for number, call in enumerate(calls):
            if call.kwargs and call.kwargs[-1][0] == MAPPING:
                calls[number] = _spread(project, fn, call)


def _spread(project: Project, fn: Fn, call: Call) -> Call:
    kwargs: list[tuple[str, Vid]] = []
    for key, vid in call.kwargs:
        entries = _entries(project, fn, vid) if key == MAPPING else None
        kwargs += [(key, vid)] if entries is None else entries
    return call._replace(kwargs=tuple(kwargs))


def _entries(project: Project, fn: Fn, vid: Vid) -> list[tuple[str, Vid]] | None:
    """The dict's items with values of the function's own table; None where it is not known as a whole."""
    owner, shown = display(project, fn, vid)
    value = owner.facts.values[shown]
    if value[0] != "dict":
        return None
    found: list[tuple[str, Vid]] = []
    for key, item in value[1]:
        name = owner.const(key) if key >= 0 else ...
        if not isinstance(name, str):
            return None
        found.append((name, item if owner is fn else _brought(owner, item, fn, vid, name)))
    return found


def _brought(owner: Fn, item: Vid, fn: Fn, mapping: Vid, key: str) -> Vid:
    """A value of another function's table in this one: constants, names and displays of them; others as the mapping's item."""
    value = _copied(owner, item, fn, mapping, MAX_NESTED)
    return _added(fn.facts, mapping, value or ("item", mapping, _added(fn.facts, mapping, ("const", key))))


def _copied(owner: Fn, item: Vid, fn: Fn, place: Vid, depth: int) -> Value | None:
    value = owner.facts.values[item]
    if value[0] in ("const", "name"):
        return value
    if value[0] not in ("tuple", "list", "set") or depth == 0:
        return None
    parts = [_copied(owner, part, fn, place, depth - 1) for part in value[1]]
    if None in parts:
        return None
    return value[0], tuple(_added(fn.facts, place, part) for part in parts if part is not None)


def _added(facts: FunctionFacts, place: Vid, value: Value) -> Vid:
    facts.values.append(value)
    facts.starts.append(facts.starts[place])
    facts.ends.append(facts.ends[place])
    return len(facts.values) - 1
