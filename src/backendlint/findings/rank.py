"""The order in which findings are shown: what can hurt most comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.findings.model import CONFIDENCES, PILLARS, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backendlint.findings.model import Finding

_PILLAR = {name: index for index, name in enumerate(PILLARS)}
_SEVERITY = {name: index for index, name in enumerate(SEVERITIES)}
_CONFIDENCE = {name: index for index, name in enumerate(CONFIDENCES)}

RankKey = tuple[int, int, int, int, str, int, int, str, str]


def rank_key(finding: Finding) -> RankKey:
    """Pillar, severity, confidence, reach (most endpoints first), place; then the rule, so that the order is total."""
    return (
        _PILLAR[finding.pillar],
        _SEVERITY[finding.severity],
        _CONFIDENCE[finding.confidence],
        -finding.reach,
        finding.location.path,
        finding.location.line,
        finding.location.column,
        finding.rule_id,
        finding.message,
    )


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in rank order."""
    return tuple(sorted(findings, key=rank_key))


def severity_key(finding: Finding) -> tuple[int, int, RankKey]:
    """For formats with a limit: errors of every pillar before warnings, then confidence, then the usual order."""
    return (_SEVERITY[finding.severity], _CONFIDENCE[finding.confidence], rank_key(finding))
