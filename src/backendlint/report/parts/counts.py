"""Findings counted in the ways that reports show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from backendlint.findings.model import PILLARS, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backendlint.findings.model import Finding, Notification, Pillar, Report, Severity


def active(report: Report) -> list[Finding]:
    """The findings that are not suppressed, in rank order."""
    return [finding for finding in report.findings if finding.suppressed is None]


def per_pillar(report: Report) -> dict[Pillar, int]:
    """Unsuppressed findings of every pillar, in rank order, zeros included."""
    counts = Counter(finding.pillar for finding in active(report))
    return {pillar: counts[pillar] for pillar in PILLARS}


def per_severity(report: Report) -> dict[Severity, int]:
    """Unsuppressed findings of every severity, gravest first, zeros included."""
    counts = Counter(finding.severity for finding in active(report))
    return {severity: counts[severity] for severity in SEVERITIES}


def per_rule(report: Report) -> list[tuple[str, str, int]]:
    """(id, name, unsuppressed findings) of the rules that found something, most findings first."""
    counts = Counter((finding.rule_id, finding.name) for finding in active(report))
    return [(rule_id, name, count) for (rule_id, name), count in sorted(counts.items(), key=lambda i: (-i[1], i[0]))]


def unread(report: Report) -> list[Notification]:
    """What the scan could not read or run: files that no parser takes, and all above the level of a note."""
    return [item for item in report.notifications if item.level != "note" or item.kind == "syntax-error"]


def gravest_first(items: Iterable[Notification]) -> list[Notification]:
    """The notifications by level, else in their order: what is cut from a long list is not what failed."""
    return sorted(items, key=lambda item: SEVERITIES.index(item.level))


def plural(count: int, noun: str) -> str:
    """`1 file`, `2,345 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
