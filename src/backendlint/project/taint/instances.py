"""What `isinstance` says of a value, where it holds and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb

if TYPE_CHECKING:
    from backendlint.project.model import Project

_HARMLESS = frozenset(
    "builtins.int builtins.float builtins.bool uuid.UUID decimal.Decimal pathlib.Path pathlib.PurePath".split()
)
"""No text that was sent, nor a path, which code made."""
_PARTS = frozenset({"builtins.list", "builtins.dict"})
_EXCEPTIONS = frozenset({"builtins.Exception", "builtins.BaseException"})


def classes_asked(project: Project, fn: Fn, call: Call) -> set[str]:
    """The classes that a call of `isinstance` asks for."""
    todo, found = [call.args[1]], set[str]()
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[0] == "tuple":
            todo += value[1]
        elif value[0] == "binop" and value[1] == "|":
            todo += value[2:4]
        else:
            found |= {ref.name for ref in project.refs(fn, vid)}
    return found


def are_harmless(classes: set[str]) -> bool:
    """Whether an object of any of the classes does no harm."""
    return bool(classes) and classes <= _HARMLESS


def otherwise(classes: set[str]) -> frozenset[str]:
    """Of what a value is clean that is of none of the classes."""
    kinds = frozenset[str]() if _EXCEPTIONS.isdisjoint(classes) else frozenset({"exception"})
    kinds |= {lb.NO_TEXT} if "builtins.str" in classes else frozenset()
    return kinds | {lb.NO_PARTS} if classes >= _PARTS else kinds
