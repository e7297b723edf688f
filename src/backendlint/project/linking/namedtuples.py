"""Classes that `collections.namedtuple` makes."""

from __future__ import annotations

from backendlint.facts.model import Call
from backendlint.project.entities import Fn

MAKER = "collections.namedtuple"


def fields_of(fn: Fn, call: Call) -> tuple[str, ...]:
    """The names of the fields, in order, that a call of it is given; none where they are not all written out."""
    if len(call.args) < 2:
        return ()
    text = fn.const(call.args[1])
    if isinstance(text, str):
        return tuple(text.replace(",", " ").split())
    listed = fn.unguarded(call.args[1])
    names = [fn.const(item) for item in listed[1]] if listed[0] in ("list", "tuple") else []
    return tuple(str(name) for name in names) if ... not in names else ()
