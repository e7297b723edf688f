"""Findings as SARIF results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backendlint.findings.fingerprint import line_hashes
from backendlint.findings.model import BASELINED
from backendlint.report.parts.clean import one_line, printable, source, uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backendlint.findings.model import Edit, Finding, Fix, Location
    from backendlint.report.parts.options import RenderOptions

ROOT = "%SRCROOT%"
"""The base that all relative URIs have."""


class LineHashes:
    """GitHub's hash of the lines that findings point to; each file is hashed once, as far as needed."""

    def __init__(self, options: RenderOptions, findings: Iterable[Finding]) -> None:
        self._options = options
        self._last: dict[str, int] = {}
        self._hashes: dict[str, list[str]] = {}
        for finding in findings:
            place = finding.location
            self._last[place.path] = max(place.line, self._last.get(place.path, 0))

    def at(self, place: Location) -> str | None:
        """The hash of the place's first line; None where its file's text cannot be had."""
        if place.path not in self._hashes:
            text = source(self._options, place.path)
            self._hashes[place.path] = [] if text is None else line_hashes(text, self._last[place.path])
        hashes = self._hashes[place.path]
        return hashes[place.line - 1] if 0 < place.line <= len(hashes) else None


def result(finding: Finding, rule_index: int, hashes: LineHashes) -> dict[str, Any]:
    """One result. Its region is cut to one line: GitHub shows it in a pull request only if all of it is in the diff."""
    found: dict[str, Any] = {
        "ruleId": finding.rule_id,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": _message(finding)},
        "locations": [location(finding.location)],
        "partialFingerprints": _fingerprints(finding, hashes),
        "properties": {"confidence": finding.confidence, "profile": finding.profile, "reach": finding.reach},
    }
    if finding.related:
        found["relatedLocations"] = [
            {"id": number} | location(step.location, step.message) for number, step in enumerate(finding.related, 1)
        ]
    if finding.flow:
        steps = [{"location": location(step.location, step.message)} for step in finding.flow]
        found["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if finding.fix and finding.fix.edits:
        found["fixes"] = [_fix(finding.fix)]
    if finding.suppressed is not None:
        kind = "external" if finding.suppressed == BASELINED else "inSource"
        found["suppressions"] = [{"kind": kind, "justification": finding.suppressed}]
    return found


def location(place: Location, message: str = "") -> dict[str, Any]:
    """A location, its region on one line."""
    region = _region(place)
    if place.end_line > place.line:
        region = {"startLine": region["startLine"], "startColumn": region["startColumn"]}
    found: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(place.path), "region": region}}
    return found | {"message": {"text": printable(message)}} if message else found


def _message(finding: Finding) -> str:
    """The message, what to do, and links to the related locations by their ids."""
    text = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    text = printable(text).replace("](", "] (")
    links = [f"[{_link_text(step.message)}]({number})" for number, step in enumerate(finding.related, 1)]
    return f"{text}\nSee: {', '.join(links)}." if links else text


def _link_text(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return escaped or "here"


def _fingerprints(finding: Finding, hashes: LineHashes) -> dict[str, str]:
    line_hash = hashes.at(finding.location)
    prints = {"primaryLocationLineHash": line_hash} if line_hash else {}
    return prints | ({"backendlint/v1": finding.fingerprint} if finding.fingerprint else {})


def _fix(fix: Fix) -> dict[str, Any]:
    by_path: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.location.path, []).append(edit)
    changes = [
        {
            "artifactLocation": _artifact(path),
            "replacements": [
                {"deletedRegion": _region(edit.location), "insertedContent": {"text": edit.replacement}}
                for edit in edits
            ],
        }
        for path, edits in by_path.items()
    ]
    return {"description": {"text": fix.description}, "artifactChanges": changes}


def _region(place: Location) -> dict[str, int]:
    """The exact region; nothing in it is below 1, nor the end before the start."""
    start, column = max(1, place.line), max(1, place.column)
    end = max(start, place.end_line)
    end_column = max(1, place.end_column) if end > start else max(column, place.end_column)
    return {"startLine": start, "startColumn": column, "endLine": end, "endColumn": end_column}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": uri(path), "uriBaseId": ROOT}
