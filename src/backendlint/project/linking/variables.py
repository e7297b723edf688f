"""Module-level variables by their names, wherever they are imported from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.facts.settings import setting
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

DEPTH = 6
"""Names of names that are followed."""


def variable(project: Project, fn: Fn, dotted: str) -> tuple[Fn, Vid] | None:
    """The module and the value of the variable that a dotted name in a function means; None where it means a class, a
    function, an attribute of the variable's value, or nothing that the project assigns."""
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
        return None
    return project.module_function(target.file), target.vid


def of_all_modules(project: Project, name: str) -> Iterator[tuple[Fn, Vid]]:
    """The variables of that name in whatever modules have one: a setting."""
    for file in project.files.values():
        yield from ((project.module_function(file), vid) for vid in setting(file, name))


def display(project: Project, fn: Fn, vid: Vid, depth: int = DEPTH) -> tuple[Fn, Vid]:
    """The value behind names of variables and constants of other modules: where a dict or list was written down."""
    value = fn.facts.values[vid]
    if depth and value[0] == "guard":
        return display(project, fn, value[1], depth - 1)
    if depth and value[0] == "name":
        found = variable(project, fn, value[1])
        if found is not None:
            return display(project, *found, depth - 1)
    return fn, vid
