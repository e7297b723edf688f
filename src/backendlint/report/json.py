"""The JSON report: a contract, with its schema in schema/report.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backendlint.report.parts.clean import dumps
from backendlint.report.parts.counts import active, per_pillar, per_rule

if TYPE_CHECKING:
    from backendlint.findings.model import Finding, Fix, Location, Notification, Report, Step
    from backendlint.report.parts.options import RenderOptions

VERSION = 1
"""Raised when a key is renamed or removed; keys may be added within a version."""


def render(report: Report, options: RenderOptions) -> str:
    """An object with version, tool, findings in rank order, notifications and summary."""
    return dumps(document(report, options))


def document(report: Report, options: RenderOptions) -> dict[str, Any]:
    """The report as plain data."""
    data = {
        "version": VERSION,
        "tool": {"name": "backendlint", "version": report.version},
        "findings": [_finding(finding) for finding in report.findings],
        "notifications": [_notification(item) for item in report.notifications],
        "summary": _summary(report),
    }
    if options.statistics:
        data["statistics"] = [
            {"rule_id": rule_id, "name": name, "count": count} for rule_id, name, count in per_rule(report)
        ]
    return data


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule_id": finding.rule_id,
        "name": finding.name,
        "pillar": finding.pillar,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "profile": finding.profile,
        "message": finding.message,
        "help": finding.help,
        "location": _location(finding.location),
        "function": finding.function,
        "related": [_step(step) for step in finding.related],
        "flow": [_step(step) for step in finding.flow],
        "reach": finding.reach,
        "fingerprint": finding.fingerprint,
        "fix": _fix(finding.fix),
        "suppressed": finding.suppressed,
    }


def _location(place: Location) -> dict[str, Any]:
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"location": _location(step.location), "message": step.message}


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    edits = [{"location": _location(edit.location), "replacement": edit.replacement} for edit in fix.edits]
    return {"description": fix.description, "safe": fix.safe, "edits": edits}


def _notification(item: Notification) -> dict[str, Any]:
    place = _location(item.location) if item.location else None
    return {"kind": item.kind, "level": item.level, "message": item.message, "location": place}


def _summary(report: Report) -> dict[str, Any]:
    summary = report.summary
    return {
        "files": summary.files,
        "lines": summary.lines,
        "seconds": round(summary.seconds, 3),
        "findings": len(active(report)),
        "by_pillar": per_pillar(report),
        "suppressed": summary.suppressed,
        "baselined": summary.baselined,
        "below_profile": summary.below_profile,
        "outside": summary.outside,
        "ignored": summary.ignored,
        "stages": {name: round(seconds, 3) for name, seconds in summary.stages.items()},
    }
