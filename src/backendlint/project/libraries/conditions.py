"""Conditions of library models on a call's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Condition

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SHAPES = {
    "<string>": ("fmt", "join", "conv"),
    "<list>": ("list", "tuple", "comp"),
}


def holds(project: Project, fn: Fn, call: Call, condition: Condition) -> bool:
    """Whether the condition holds for the call, as far as its arguments show."""
    vids = arguments(call, condition.arg)
    if not vids:
        return "<absent>" in condition.values
    return any(_matches(project, fn, vid, wanted) for vid in vids for wanted in condition.values)


def _matches(project: Project, fn: Fn, vid: Vid, wanted: object) -> bool:
    known = project.constants(fn, vid)
    if wanted == "<present>":
        return True
    if wanted == "<non-constant>":
        return known is None
    if wanted in _SHAPES:
        return _shaped(project, fn, vid, str(wanted))
    value = fn.facts.values[vid]
    if value[0] in ("list", "tuple") and value[1]:  # the first of several counts: the scheme that new hashes get
        return _matches(project, fn, value[1][0], wanted)
    if known is not None and any(_equal(item, wanted) for item in known):
        return True
    if isinstance(wanted, str) and "." in wanted:
        name = project.libraries.canonical(wanted)
        return any(ref.name == name or _extends(project, ref, name) for ref in project.refs(fn, vid))
    return False


def _extends(project: Project, ref: Ref, name: str) -> bool:
    """`class Loader(yaml.SafeLoader)`: a class of the project's that is one of that kind."""
    return ref.kind == "class" and project.hierarchy.is_a(project.classes[ref.name], name)


def _shaped(project: Project, fn: Fn, vid: Vid, wanted: str) -> bool:
    value = fn.facts.values[vid]
    if value[0] in _SHAPES[wanted]:
        return True
    if wanted == "<string>":
        return isinstance(fn.const(vid), str) or any(ref.name == "builtins.str" for ref in project.refs(fn, vid))
    return any(ref.name in ("builtins.list", "builtins.tuple") for ref in project.refs(fn, vid))


def _equal(item: object, wanted: object) -> bool:
    return item == wanted and isinstance(item, bool) == isinstance(wanted, bool)
