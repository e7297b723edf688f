"""A report's exit code: 0 clean, 1 findings that matter, 3 a part of the scan failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from backendlint.errors import UsageError
from backendlint.findings.model import PILLARS, SEVERITIES

if TYPE_CHECKING:
    from backendlint.config import FailLevel
    from backendlint.findings.model import Report

LEVELS: tuple[FailLevel, ...] = (*SEVERITIES, "never")
DEFAULT = "default"
"""The key of the level that holds for pillars without their own."""


def parse_fail_on(words: Iterable[str]) -> dict[str, FailLevel]:
    """`error` and `security=warning` words to levels by pillar; raises UsageError."""
    levels: dict[str, FailLevel] = {}
    for word in words:
        pillar, has_pillar, level = word.rpartition("=")
        if level not in LEVELS:
            raise UsageError(f"--fail-on {word}: no level `{level}`; there are {', '.join(LEVELS)}")
        if has_pillar and pillar not in PILLARS:
            raise UsageError(f"--fail-on {word}: no pillar `{pillar}`; there are {', '.join(PILLARS)}")
        levels[pillar or DEFAULT] = level
    return levels


def exit_code(report: Report, fail_on: FailLevel | Mapping[str, FailLevel]) -> int:
    """3 where a part could not run, else 1 where an unsuppressed finding reaches its pillar's level, else 0."""
    if any(item.level == "error" for item in report.notifications):
        return 3
    levels = {DEFAULT: fail_on} if isinstance(fail_on, str) else fail_on
    for finding in report.findings:
        level = levels.get(finding.pillar) or levels.get(DEFAULT) or "warning"
        if finding.suppressed is not None or level == "never":
            continue
        if SEVERITIES.index(finding.severity) <= SEVERITIES.index(level):
            return 1
    return 0
