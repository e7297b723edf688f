"""What of the code stands at the place of a finding: for checks that judge what a pattern has found, or read comments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Span
from backendlint.findings.model import Location
from backendlint.parse import split_lines
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project


def functions_in(project: Project, place: Location) -> list[Fn]:
    """All functions of the file, the module's own code first; none of a file that is not of the project."""
    file = project.files.get(place.path)
    return project.functions_of(file) if file is not None else []


def calls_at(project: Project, place: Location) -> Iterator[tuple[Fn, Call]]:
    """Calls that begin at the place."""
    for fn in functions_in(project, place):
        for call in fn.calls:
            if (call.span.line, call.span.column + 1) == (place.line, place.column):
                yield fn, call


def lines_of(project: Project, path: str) -> tuple[str, ...]:
    """The lines of a file, with their ends."""
    return split_lines(project.sources(path))


def comment_above(project: Project, path: str, line: int) -> list[str]:
    """The lines of comment right above a line, the nearest first."""
    return list(takewhile(_is_comment, reversed(lines_of(project, path)[: line - 1])))


def comments_in(project: Project, path: str, span: Span) -> list[str]:
    """The lines of comment in a span: a handler, a function."""
    return list(filter(_is_comment, lines_of(project, path)[span.line - 1 : span.end_line]))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
