"""What a value is one of, or holds, and what a function has assigned to an attribute before it reads it."""

from __future__ import annotations

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn

_THROUGH = ("guard", "await", "setattr", "star", "enter", "elem", "unpack", "item", "slice")


def assigned(fn: Fn, base: Vid, name: str) -> tuple[list[Vid], bool]:
    """What the function itself has stored as an attribute before it reads it, and whether it may also read what was there when it
    began: `self.rows = self.rows.filter(...)`."""
    put: list[Vid] = []
    begins = False
    todo, seen = [base], {base}
    while todo:
        value = fn.facts.values[todo.pop()]
        if value[0] == "setattr" and value[2] == name:
            put.append(value[3])
            continue
        under = value[1] if value[0] == "phi" else value[1:2] if value[0] in ("setattr", "guard", "mut") else ()
        begins = begins or not under
        todo += [item for item in under if item not in seen]
        seen.update(under)
    return put, begins


def parts(value: Value) -> tuple[Vid, ...]:
    """The values of which a value is one, or an element or container."""
    op = value[0]
    if op in _THROUGH:
        return (value[1],)
    if op == "mut":
        return (value[1], *value[3])
    if op == "store":
        return (value[1], value[3])
    if op in ("phi", "list", "tuple", "set"):
        return tuple(value[1])
    if op in ("bool", "comp"):
        return tuple(value[2]) if op == "bool" else (value[2],)
    return ()
