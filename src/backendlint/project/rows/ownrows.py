"""Rows that a function has read itself, and look-ups by what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.web.cleaned import is_cleaned, is_related
from backendlint.project.web.requests import derived

if TYPE_CHECKING:
    from backendlint.project.model import Project

DATABASE = frozenset({"db", "db-read", "db-write", "commit", "flush", "db-connect"})


def rows_read(project: Project, fn: Fn) -> set[Vid]:
    """Values that come out of the database in the function."""
    calls = [site.call for site in project.effects.direct(fn) if not DATABASE.isdisjoint(site.model.effect)]
    calls += [
        edge.call
        for edge in project.graph.callees(fn)
        if edge.kind == "call" and edge.call is not None and project.effects.has(edge.callee, *DATABASE)
    ]
    return {vid for call in calls for vid in derived(fn, call.value)}


def is_row(project: Project, fn: Fn, vid: Vid) -> bool:
    """One of a model's objects by its type, or part of one: an item of a query, what a row refers to; not what is made there or
    passed in."""
    made = fn.unguarded(vid)
    if made[0] not in ("elem", "unpack", "item", "attr"):
        return False
    refs = project.refs(fn, vid)
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "inst" and ref.name in project.classes]
    typed = bool(classes) and all(project.hierarchy.role(cls) == "model" for cls in classes)
    return typed or (made[0] == "attr" and is_row(project, fn, made[1]))


def from_rows(project: Project, fn: Fn, call: Call) -> bool:
    """`code, owner = ship.flag.split(":")`, then `get(code=code, owner=owner)`: what rows say of others; and what a form has looked
    for while it was cleaned."""
    given = [vid for _, vid in call.kwargs if not _is_written(fn, vid)]
    return (
        bool(given)
        and not call.args
        and all(
            _from_row(project, fn, vid)
            or is_cleaned(project, fn, vid)
            or is_related(project, fn, vid)
            or answered(project, fn, vid)
            for vid in given
        )
    )


def _from_row(project: Project, fn: Fn, vid: Vid, depth: int = 8) -> bool:
    value = fn.unguarded(vid)
    if depth == 0:
        return False
    if value[0] == "phi":
        return all(_from_row(project, fn, item, depth - 1) for item in value[1] if item != vid)
    if value[0] == "attr":
        classes = [project.classes.get(ref.name) for ref in project.refs(fn, value[1]) if ref.kind == "inst"]
        models = [cls for cls in classes if cls is not None and project.hierarchy.role(cls) == "model"]
        made = fn.unguarded(value[1])
        if (models and made[0] != "param") or _from_row(project, fn, value[1], depth - 1):
            return True
        return made[0] == "call" and (
            vid in rows_read(project, fn) or _found_or_answered(project, fn, fn.calls[made[1]])
        )
    if value[0] in ("unpack", "item"):
        return _from_row(project, fn, value[1], depth - 1)
    func = fn.func_of(value)
    return func[0] == "attr" and _from_row(project, fn, func[1], depth - 1)


def _is_written(fn: Fn, vid: Vid) -> bool:
    """`True`, `Value(1)`."""
    value = fn.unguarded(vid)
    if value[0] != "call":
        return fn.const(vid) is not ...
    call = fn.calls[value[1]]
    return fn.callee_name(call)[:1].isupper() and all(fn.const(item) is not ... for item in call.passed)


def answered(project: Project, fn: Fn, vid: Vid) -> bool:
    """`response.data["id"]`, `response.data.get("key")` of what a method of the view (`super().create(...)`) has just answered: the
    key of a row that is there now."""
    value = fn.unguarded(vid)
    func = fn.func_of(value)
    held = value[1] if value[0] == "item" else func[1] if func[0] == "attr" and func[2] == "get" else -1
    data = fn.unguarded(held) if held >= 0 else ("",)
    made = fn.unguarded(data[1]) if data[0] == "attr" and data[2] == "data" else ("",)
    asked = fn.func_of(made)
    return asked[0] == "attr" and any(
        ref.kind == "super" or (ref.kind == "inst" and fn.cls is not None and ref.name == fn.cls.fqn)
        for ref in project.refs(fn, asked[1])
    )


def _found_or_answered(project: Project, fn: Fn, call: Call) -> bool:
    """`row_or_404(Order, id=number)`: a function that gives what it has asked for, whatever it is, and answers where there is none."""
    targets = project.targets(fn, call)
    return bool(targets) and all(
        any(project.exception_kind(name) == "http" for name in project.exceptions.escaping(target))
        and any(
            item.value >= 0 and target.func_of(target.unguarded(item.value))[::2] == ("attr", "get")
            for item in target.facts.returns
        )
        for target in targets
    )
