"""What `isinstance` says of a value, where it holds and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb

if TYPE_CHECKING:
    from backendlint.project.model import Project

_HARMLESS = frozenset(
    "builtins.int builtins.float builtins.bool uuid.UUID decimal.Decimal pathlib.Path pathlib.PurePath".split()
)
"""No text that was sent, nor a path, which code made."""
_PARTS = frozenset({"builtins.list", "builtins.dict"})
_CONTAINERS = _PARTS | {"builtins.tuple", "builtins.set"}
_INTERNAL = ("infrastructure", "integrity")
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


def tell_their_own(project: Project, classes: set[str]) -> bool:
    """Whether objects of any of the classes are exceptions whose text code by hand has written, not a driver or the system."""
    related = project.hierarchy.subclass_of
    if not classes or not _EXCEPTIONS.isdisjoint(classes):
        return False
    known = {name: project.libraries.exception(name) for name in classes if name not in project.classes}
    if any(model is None or (model.kind in _INTERNAL and not model.plain) for model in known.values()):
        return False
    return all(name in known or related(name, "builtins.Exception") for name in classes)


def otherwise(classes: set[str]) -> frozenset[str]:
    """Of what a value is clean that is of none of the classes."""
    kinds = frozenset[str]() if _EXCEPTIONS.isdisjoint(classes) else frozenset({"exception"})
    kinds |= {lb.NO_TEXT} if "builtins.str" in classes else frozenset()
    return kinds | {lb.NO_PARTS} if classes >= _PARTS else kinds


def holds_no_text(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is a container, and so no text itself."""
    refs = project.refs(fn, vid)
    return bool(refs) and all(ref.kind == "libinst" and ref.name in _CONTAINERS for ref in refs)


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


def without_requests(project: Project, found: lb.Labels, fn: Fn, value: Value) -> lb.Labels:
    """What is left of the origins of `given or OrderService()`: nobody sends an object of a class that only code makes."""
    made = [fn.facts.calls[item[1]] for vid in value[2] if (item := fn.facts.values[vid])[0] == "call"]
    refs = [ref for call in made for ref in project.callees(fn, call) if ref.kind == "class"]
    classes = [project.classes[ref.name] for ref in refs if ref.name in project.classes]
    if not any(not project.hierarchy.role(cls) and not project.hierarchy.library_bases(cls) for cls in classes):
        return found
    return {origin: mark for origin, mark in found.items() if origin.what != "request"}


def _is_itself(project: Project, origin: lb.Origin) -> bool:
    """Whether it is a caught exception of which nothing was made, as its text: it was only put beside other things."""
    fn = project.functions.get(origin.fn) if origin.what == "exception" else None
    if fn is None or fn.facts.values[origin.slot][0] != "exc" or fn.results_of(origin.slot):
        return False
    users = fn.made_of(origin.slot)
    return bool(users) and all(fn.facts.values[vid][0] in _KEPT_IN for vid in users)
