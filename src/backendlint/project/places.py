"""What of the code stands at the place of a finding: for checks that judge what a pattern has found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.findings.model import Location
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
