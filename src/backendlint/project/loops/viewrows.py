"""Whose rows a generic view shows: by its `get_queryset`, else by its `queryset` or `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.linking.binding import chained_calls, receiver
from backendlint.project.loops.viewserializers import serializer_for
from backendlint.project.rows.loaders import LOADS
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

MADE_BY = "get_queryset"
SERIALIZER = "rest_framework.serializers.ModelSerializer"
_ROWS = "django.db.models.QuerySet"
_ADDS = frozenset({*LOADS, "annotate"})
MAX_CHAIN = 12
MAX_DEPTH = 3


def of_view(project: Project, fn: Fn, ref: Ref, text: str) -> Refs:
    """What a type is of the view or serializer whose method `ref` is called in a function: `viewed` (one of the rows),
    `QuerySet[viewed]`, `served` (its serializer), `serving` (the class of that), `saved` (the row that the serializer stores)."""
    cls = project.hierarchy.asked_of(ref)
    if text in ("served", "serving"):
        one, library = ("inst", "libinst") if text == "served" else ("class", "lib")
        serializer = serializer_for(project, cls, fn.name) if cls is not None else None
        return (Ref(one, serializer.fqn) if serializer is not None else Ref(library, SERIALIZER),)
    if text == "saved":
        return project.resolver.types.of_meta(cls) if cls is not None else ()
    rows: Refs = ()
    if cls is not None and ref.arg is not None:  # of the view as its library's class, or of what `super()` is in it
        rows = _stated(project, cls) if ref.arg.kind == "lib" else _viewed(project, cls)
    name, _, inner = text.partition("[")
    return tuple(Ref("libinst", name, row) for row in rows or (None,)) if inner else rows


def _viewed(project: Project, cls: Cls) -> Refs:
    """By the first method that makes the rows; one that goes on from `super()` leaves to the next what it does not say."""
    for owner in project.hierarchy.mro(cls):
        method = owner.methods.get(MADE_BY)
        if method is None:
            continue
        found = _rows(project, project.resolver.results.of(method, Ref("inst", cls.fqn)))
        if found or not _goes_on(method):
            return found
    return _stated(project, cls)


def _stated(project: Project, cls: Cls) -> Refs:
    queryset, model = (project.hierarchy.attribute(cls, name) for name in ("queryset", "model"))
    rows = _rows(project, project.refs(*queryset)) if queryset is not None else ()
    named = project.refs(*model) if model is not None and not rows else ()
    return rows or tuple(Ref("inst", ref.name) for ref in named if ref.kind == "class")


def _rows(project: Project, refs: Refs) -> Refs:
    return tuple(dict.fromkeys(row for row in project.resolver.managers.rows(refs) if row.kind == "inst"))


def _goes_on(method: Fn) -> bool:
    """Whether it gives what `super().get_queryset()` gives, or is made of that."""
    for vid in ingredients(method.facts, method.returned):
        value = method.facts.values[vid]
        if value[0] == "call" and method.callee_name(method.calls[value[1]]) == MADE_BY:
            return True
    return False


def narrows(project: Project, cls: Cls, method: Fn) -> bool:
    """Whether a `get_queryset` above the view gives what the view itself names as its `queryset`, and loads nothing more:
    `super().get_queryset().filter(...)`, also by the methods of the rows' own manager."""
    rows = _stated(project, cls)
    given = method.returned
    return bool(rows and given) and all(_narrowed(project, method, vid, rows[0]) for vid in given)


def _narrowed(project: Project, method: Fn, vid: Vid, row: Ref) -> bool:
    for call in chained_calls(method, vid, MAX_CHAIN):
        if method.callee_name(call) == MADE_BY:
            base = receiver(method, call)
            return base >= 0 and method.func_of(method.unguarded(base)) == ("name", "builtins.super")
        if not _is_plain(project, method.callee_name(call), row):
            return False
    return False


def _is_plain(project: Project, name: str, row: Ref, depth: int = MAX_DEPTH) -> bool:
    """Whether a method of the rows is known and loads no relations; of the project's own the body says so."""
    model = project.libraries.call(f"{_ROWS}.{name}")
    if model is not None:
        return model.orm is not None and model.orm.lazy and model.orm.op not in _ADDS
    found = project.resolver.managers.method(Ref("libinst", _ROWS, row), name)
    own = [project.functions[ref.name] for ref in found if ref.kind == "func"]
    asked = {fn.callee_name(call) for fn in own for call in fn.calls if receiver(fn, call) >= 0}
    used = {item for item in asked if _is_method(project, item, row)}
    return bool(own) and depth > 0 and all(_is_plain(project, item, row, depth - 1) for item in used)


def _is_method(project: Project, name: str, row: Ref) -> bool:
    """Whether rows have a method of this name that gives rows again."""
    model = project.libraries.call(f"{_ROWS}.{name}")
    lazy = model is not None and model.orm is not None and model.orm.lazy
    return lazy or bool(project.resolver.managers.method(Ref("libinst", _ROWS, row), name))
