"""Functions that a program calls by the word which somebody types: `parser.set_defaults(run=show)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_KEPT = {"set_defaults": None, "add_argument": "const"}
"""What of argparse's parsers keeps a value for the program, under any name or under one."""


def subcommands(project: Project) -> frozenset[str]:
    """Their names."""
    if not project.imports("argparse"):
        return frozenset()
    given = (
        (fn, vid)
        for fn, call in project.graph.calls_written(*_KEPT)
        for key, vid in call.kwargs
        if key == (_KEPT[fn.callee_name(call)] or key)
    )
    return frozenset(_functions(project, given))


def _functions(project: Project, given: Iterator[tuple[Fn, Vid]]) -> Iterator[str]:
    for fn, vid in given:
        yield from (ref.name for ref in project.refs(fn, vid) if ref.kind == "func")
