"""SARIF 2.1.0, as GitHub code scanning reads it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from backendlint.findings.model import Notification
from backendlint.findings.rank import severity_key
from backendlint.report.parts.clean import dumps, printable, uri
from backendlint.report.parts.sarif_result import ROOT, LineHashes, location, result
from backendlint.report.parts.sarif_rule import descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backendlint.findings.model import Finding, Report
    from backendlint.report.parts.options import RenderOptions

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MAX_RESULTS = 25_000
"""GitHub refuses a run with more."""
_SEMANTIC_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def render(report: Report, options: RenderOptions) -> str:
    """One log with one run."""
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report, options)]})


def _run(report: Report, options: RenderOptions) -> dict[str, Any]:
    findings = [found for found in report.findings if report.show_suppressed or found.suppressed is None]
    kept, cut = most_severe(findings, MAX_RESULTS)
    notifications = [*report.notifications, *cut]
    rules = descriptors(report.rules, kept, options)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    hashes = LineHashes(options, kept)
    return {
        "tool": {"driver": _driver(report, rules, notifications)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: _root(report.root)},
        "invocations": [
            {
                "executionSuccessful": all(item.level != "error" for item in notifications),
                "toolExecutionNotifications": [_notification(item) for item in notifications],
            }
        ],
        "results": [result(finding, index[finding.rule_id], hashes) for finding in kept],
    }


def most_severe(findings: Sequence[Finding], limit: int) -> tuple[list[Finding], list[Notification]]:
    """At most `limit` findings, the gravest of them, in their order; with a notification where some are cut."""
    if len(findings) <= limit:
        return list(findings), []
    chosen = sorted(range(len(findings)), key=lambda at: severity_key(findings[at]))[:limit]
    count = len(findings) - limit
    message = f"{count:,} of {len(findings):,} findings are cut: the format holds {limit:,}; the gravest are kept"
    return [findings[at] for at in sorted(chosen)], [Notification("results-cut", message, "warning")]


def _driver(report: Report, rules: list[dict[str, Any]], notifications: Sequence[Notification]) -> dict[str, Any]:
    kinds = sorted({item.kind for item in notifications})
    driver: dict[str, Any] = {"name": "backendlint", "rules": rules}
    if report.version:
        driver["version"] = report.version
    if _SEMANTIC_VERSION.fullmatch(report.version):
        driver["semanticVersion"] = report.version
    driver["notifications"] = [
        {"id": kind, "shortDescription": {"text": kind.replace("-", " ").capitalize()}} for kind in kinds
    ]
    return driver


def _root(root: str) -> dict[str, Any]:
    """The project's root; its URI only where the path is absolute, as the format demands."""
    description = {"description": {"text": "The root of the scanned project."}}
    if PurePosixPath(root).is_absolute():
        return {"uri": f"file://{uri(root.rstrip('/'))}/"} | description
    if PureWindowsPath(root).is_absolute():
        return {"uri": f"{PureWindowsPath(root).as_uri().rstrip('/')}/"} | description
    return description


def _notification(item: Notification) -> dict[str, Any]:
    found: dict[str, Any] = {
        "descriptor": {"id": item.kind},
        "level": item.level,
        "message": {"text": printable(item.message)},
    }
    if item.location:
        found["locations"] = [location(item.location)]
    return found
