"""Whether the limit for which something is raised was tested before, by who calls or by the form that let the value pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.errors.exceptions import Escape
    from backendlint.project.model import Project

_SHARED = re.compile(r"(^|[.\[])[A-Z][A-Z0-9_]+([.\[\]]|$)")
"""A constant, or a setting."""
_CHECKS = re.compile(r"(clean|validate|is_valid)(_|$)")
_STATED = ("form_class", "serializer_class")
_CHECKERS = frozenset({"form", "serializer", "schema"})
_LEFT = ("return", "raise", "continue")


def tested_before(project: Project, steps: list[tuple[Fn, Escape]]) -> bool:
    """Of the way from a handler to a raise: `if size > MAX: raise TooLarge()`, where `size > MAX` is asked on the way already."""
    if len(steps) < 2:
        return False
    raiser, escape = steps[-1]
    limits = {limit for test, _ in raiser.tests_of(escape.block) for limit in _limits(raiser, test)}
    if not limits:
        return False
    return any(not limits.isdisjoint(_limits(fn, test)) for fn, test in _tests(project, steps[:-1]))


def _tests(project: Project, way: list[tuple[Fn, Escape]]) -> Iterator[tuple[Fn, Vid]]:
    """Those before each call, and those of what validates for the handler."""
    for fn, escape in way:
        yield from ((fn, test) for test, _ in fn.tests_before(escape.block, escape.span, _LEFT))
    handler = way[0][0]
    for cls in _checkers(project, handler):
        for owner in project.hierarchy.mro(cls):
            for name, method in owner.methods.items():
                tests = (item.value for item in method.facts.blocks if item.kind == "if" and _CHECKS.match(name))
                yield from ((method, test) for test in tests if test >= 0)


def _checkers(project: Project, handler: Fn) -> Iterator[Cls]:
    """Forms, serializers and schemas: what the view names, and what the handler makes."""
    stated = (project.hierarchy.attribute(handler.cls, name) for name in _STATED) if handler.cls is not None else ()
    refs = [ref for found in stated if found is not None for ref in project.refs(*found)]
    refs += [ref for call in handler.calls for ref in project.callees(handler, call)]
    for ref in refs:
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        if cls is not None and project.hierarchy.role(cls) in _CHECKERS:
            yield cls


def _limits(fn: Fn, test: Vid) -> Iterator[str]:
    """Constants and settings (`settings.IMAGES["max_size"]`) with which a test compares."""
    for vid in ingredients(fn.facts, (test,)):
        value = fn.value(vid)
        for side in value[2] if value[0] == "compare" else ():
            named = _named(fn, side)
            if _SHARED.search(named):
                yield named


def _named(fn: Fn, vid: Vid) -> str:
    value = fn.unguarded(vid)
    if value[0] == "name":
        return str(value[1])
    base = _named(fn, value[1]) if value[0] in ("attr", "item") else ""
    if not base:
        return ""
    if value[0] == "attr":
        return f"{base}.{value[2]}"
    key = fn.const(value[2])
    return f"{base}[{key}]" if isinstance(key, str | int) else ""
