"""What `isinstance` says of a value, where it holds and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
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
_PLAIN = frozenset({"builtins.str", "builtins.dict", "builtins.set", "builtins.bytes"})
_KEPT_IN = frozenset({"tuple", "list"})


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


def without_exceptions(project: Project, found: lb.Labels, fn: Fn, subject: Vid, test: Vid) -> lb.Labels:
    """What is left of a value's origins below `if isinstance(value, dict):`, of one that gives back either what was asked for
    or, beside other things, the exception that was caught instead."""
    value = fn.facts.values[test]
    if value[0] == "bool" and value[1] == "and":
        for part in value[2]:
            found = without_exceptions(project, found, fn, subject, part)
        return found
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None or len(call.args) != 2 or fn.facts.values[call.func] != ("name", "builtins.isinstance"):
        return found
    classes = classes_asked(project, fn, call)
    if not (classes and classes <= _PLAIN) or fn.unguarded(call.args[0]) != fn.unguarded(subject):
        return found
    return {origin: mark for origin, mark in found.items() if not _is_itself(project, origin)}


def _is_itself(project: Project, origin: lb.Origin) -> bool:
    """Whether it is a caught exception of which nothing was made, as its text: it was only put beside other things."""
    fn = project.functions.get(origin.fn) if origin.what == "exception" else None
    if fn is None or fn.facts.values[origin.slot][0] != "exc" or fn.results_of(origin.slot):
        return False
    users = fn.made_of(origin.slot)
    return bool(users) and all(fn.facts.values[vid][0] in _KEPT_IN for vid in users)
