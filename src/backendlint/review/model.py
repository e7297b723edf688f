"""What `backendlint review` shows, as plain dataclasses between building and rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backendlint.findings.model import Location

State = Literal["pass", "findings", "not applicable", "runtime", "planned"]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule's findings."""

    id: str
    name: str
    count: int
    severity: str
    """Of the gravest one."""


@dataclass(frozen=True, slots=True)
class Score:
    """One item of the checklist."""

    item: str
    pillar: str
    question: str
    state: State
    count: int
    rules: tuple[RuleCount, ...]
    """Those with findings, most first."""
    note: str
    """Figures, or why a running system has to answer."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A share or a number about the whole project."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside the process, and what happens when it is down."""

    name: str
    kind: str
    library: str
    calls: int
    timeout: str
    retry: str
    backoff: str
    breaker: str
    pool: str
    fallback: str
    endpoints: tuple[str, ...]
    """Labels of routes that wait for it."""
    place: Location
    worst: str
    """good, warn or bad: how the row is coloured."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route."""

    method: str
    path: str
    handler: str
    place: Location
    auth: str
    authorization: str
    validation: str
    rate_limit: str
    pagination: str
    codes: str
    docs: str
    transaction: str
    wait: str
    queries: str
    errors: str


@dataclass(frozen=True, slots=True)
class Review:
    """All views of a project."""

    root: str
    version: str
    files: int
    lines: int
    scorecard: tuple[Score, ...]
    figures: tuple[Figure, ...]
    dependencies: tuple[Dependency, ...]
    endpoints: tuple[Endpoint, ...]
    problems: tuple[str, ...]
    """What could not be read or run."""
