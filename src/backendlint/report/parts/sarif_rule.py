"""Rules as SARIF reporting descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backendlint.findings.model import Confidence, Finding, Pillar, Severity
    from backendlint.report.parts.options import RenderOptions
    from backendlint.ruleset.manifest import Rule

MAX_TAGS = 10
"""GitHub reads no more."""
_SECURITY_SEVERITY: dict[Severity, str] = {"error": "8.5", "warning": "5.5", "note": "2.5"}
"""GitHub's bands: high from 7.0, medium from 4.0, low below."""
_PROBLEM_SEVERITY: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "recommendation"}


def descriptors(rules: Sequence[Rule], findings: Sequence[Finding], options: RenderOptions) -> list[dict[str, Any]]:
    """The rules that ran, by id; and of findings whose rule is not among them, what the finding tells."""
    known = {rule.id: _of_rule(rule, options) for rule in rules}
    for finding in findings:
        if finding.rule_id not in known:
            known[finding.rule_id] = _of_finding(finding)
    return [known[rule_id] for rule_id in sorted(known)]


def _of_rule(rule: Rule, options: RenderOptions) -> dict[str, Any]:
    help_text = f"{rule.summary}. {rule.help}" if rule.summary else rule.help
    described: dict[str, Any] = {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary or rule.name},
        "fullDescription": {"text": help_text},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": rule.severity},
        "properties": _properties(rule.pillar, rule.severity, rule.confidence, rule.cwe, rule.checklist),
    }
    markdown = options.docs(rule)
    if markdown:
        described["help"]["markdown"] = markdown
    return described


def _of_finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.rule_id,
        "name": finding.name,
        "shortDescription": {"text": finding.name},
        "fullDescription": {"text": finding.help or finding.name},
        "help": {"text": finding.help or finding.name},
        "defaultConfiguration": {"level": finding.severity},
        "properties": _properties(finding.pillar, finding.severity, finding.confidence, (), ()),
    }


def _properties(
    pillar: Pillar, severity: Severity, confidence: Confidence, cwe: Sequence[int], checklist: Sequence[str]
) -> dict[str, Any]:
    tags = [pillar, *(f"external/cwe/cwe-{number:03d}" for number in cwe), *checklist]
    found: dict[str, Any] = {
        "tags": list(dict.fromkeys(tags))[:MAX_TAGS],
        "precision": confidence,
        "problem.severity": _PROBLEM_SEVERITY[severity],
    }
    if pillar == "security":
        found["security-severity"] = _SECURITY_SEVERITY[severity]
    return found
