"""What checks yield (`Hit`), and what reports print (`Finding`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from backendlint.ruleset.manifest import Rule

Pillar = Literal["reliability", "security", "performance", "features", "convenience"]
Severity = Literal["error", "warning", "note"]
Confidence = Literal["high", "medium", "low"]
Profile = Literal["default", "strict", "audit"]

PILLARS: tuple[Pillar, ...] = ("reliability", "security", "performance", "features", "convenience")
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")
PROFILES: tuple[Profile, ...] = ("default", "strict", "audit")

BASELINED = "in the baseline"
"""`Finding.suppressed` of a finding that the baseline knows, as opposed to a comment's reason."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A region of a file: lines and columns 1-based, columns in characters, the end exclusive."""

    path: str
    """Relative to the project's root, with forward slashes."""
    line: int
    column: int
    end_line: int
    end_column: int

    def has_line_of(self, other: Location) -> bool:
        """Whether the other begins on one of its lines."""
        return self.path == other.path and self.line <= other.line <= self.end_line


@dataclass(frozen=True, slots=True)
class Step:
    """A place with what happens there: a related location, or one step of a flow."""

    location: Location
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the region by the text."""

    location: Location
    replacement: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits of one file that together cure the finding."""

    description: str
    edits: tuple[Edit, ...]
    safe: bool
    """False where behaviour may change: applied with --unsafe-fixes only."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule's check yields; the engine adds the rule's identity to make a Finding.

    `severity`, `confidence`, `profile` and `help` override the rule's manifest for this hit; `fingerprint_key`
    replaces the source line in the fingerprint where the line is not what identifies the problem.
    """

    message: str
    location: Location
    related: tuple[Step, ...] = ()
    flow: tuple[Step, ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None
    profile: Profile | None = None
    help: str | None = None
    fix: Fix | None = None
    function: str | None = None
    """Qualified name of the function in which it lies: gives the reach."""
    fingerprint_key: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, ready to be ranked and reported."""

    rule_id: str
    name: str
    pillar: Pillar
    severity: Severity
    confidence: Confidence
    profile: Profile
    message: str
    help: str
    location: Location
    related: tuple[Step, ...] = ()
    flow: tuple[Step, ...] = ()
    reach: int = 0
    """How many endpoints lead here."""
    fingerprint: str = ""
    fix: Fix | None = None
    function: str | None = None
    fingerprint_key: str | None = None
    suppressed: str | None = None
    """The reason given (may be empty) when a comment or the baseline suppresses it."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What the scan could not read or run, or noticed about itself. `error` ones make the exit code 3."""

    kind: str
    """A kebab-case id: syntax-error, unreadable-file, engine-failed, file-timeout, unused-suppression, ..."""
    message: str
    level: Severity = "note"
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The scan in figures."""

    files: int = 0
    lines: int = 0
    seconds: float = 0.0
    by_pillar: dict[str, int] = field(default_factory=dict)
    suppressed: int = 0
    baselined: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds a stage, in order."""
    below_profile: int = 0
    """Findings that a wider profile (strict, audit) would show."""
    outside: int = 0
    """Findings in files that were read as context only."""
    ignored: int = 0
    """Findings that the configuration's per-file ignores leave out."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a format needs. Findings are in rank order; paths in them are relative to `root`."""

    root: str
    findings: tuple[Finding, ...]
    notifications: tuple[Notification, ...]
    summary: Summary
    show_suppressed: bool = False
    """Findings with `suppressed` set are in `findings`, for formats to mark; otherwise there are none."""
    rules: tuple[Rule, ...] = ()
    """The rules that ran."""
    version: str = ""
    """Our own version."""
