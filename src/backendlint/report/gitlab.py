"""GitLab Code Quality: a list of issues."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from backendlint.report.parts.clean import dumps, one_line
from backendlint.report.parts.counts import active

if TYPE_CHECKING:
    from backendlint.findings.model import Finding, Location, Notification, Report, Severity
    from backendlint.report.parts.options import RenderOptions

_SEVERITY: dict[Severity, str] = {"error": "critical", "warning": "major", "note": "minor"}
_LEVEL: dict[Severity, str] = {"error": "critical", "warning": "minor", "note": "info"}


def render(report: Report, _options: RenderOptions) -> str:
    """Findings in rank order, then what the scan could not read or run, as issues of their own."""
    issues = [_finding(found) for found in active(report)] + [_notification(item) for item in report.notifications]
    seen: set[str] = set()
    for issue in issues:
        issue["fingerprint"] = _unique(issue["fingerprint"], seen)
    return dumps(issues)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "description": one_line(f"{finding.message} {finding.help}"),
        "check_name": f"{finding.rule_id} {finding.name}",
        "fingerprint": finding.fingerprint or _hash(finding.rule_id, finding.message, finding.location),
        "severity": _SEVERITY[finding.severity],
        "location": _location(finding.location),
    }


def _notification(item: Notification) -> dict[str, Any]:
    return {
        "description": one_line(item.message),
        "check_name": f"backendlint {item.kind}",
        "fingerprint": _hash(item.kind, item.message, item.location),
        "severity": _LEVEL[item.level],
        "location": _location(item.location),
    }


def _location(place: Location | None) -> dict[str, Any]:
    """The format has no issue without a place: what concerns the whole run points to the root."""
    if place is None:
        return {"path": ".", "lines": {"begin": 1}}
    return {"path": place.path, "lines": {"begin": place.line, "end": max(place.line, place.end_line)}}


def _hash(kind: str, message: str, place: Location | None) -> str:
    text = f"{kind}\0{message}\0{place.path if place else ''}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _unique(fingerprint: str, seen: set[str]) -> str:
    """GitLab drops issues whose fingerprint came before."""
    number, candidate = 1, fingerprint
    while candidate in seen:
        number += 1
        candidate = f"{fingerprint}-{number}"
    seen.add(candidate)
    return candidate
