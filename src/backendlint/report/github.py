"""GitHub Actions: workflow commands that annotate lines, and a summary of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.report.parts.clean import encodable, printable
from backendlint.report.parts.counts import active, per_rule, plural

if TYPE_CHECKING:
    from backendlint.findings.model import Finding, Location, Notification, Report, Severity
    from backendlint.report.parts.options import RenderOptions

_COMMAND: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}
MAX_SUMMARY = 1_000_000
"""Bytes; GitHub takes 1 MiB a step."""


def render(report: Report, options: RenderOptions) -> str:
    """A command a line; findings in rank order, because GitHub shows only the first ten of each level a step."""
    lines = [_finding(finding) for finding in active(report)]
    lines += [_notification(item) for item in report.notifications]
    if options.statistics:
        lines += [f"{count} {rule_id} {name}" for rule_id, name, count in per_rule(report)]
    lines.append(f"backendlint: {plural(len(active(report)), 'finding')} in {plural(report.summary.files, 'file')}")
    return encodable("\n".join(lines)) + "\n"


def _finding(finding: Finding) -> str:
    message = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    return _command(_COMMAND[finding.severity], finding.location, f"{finding.rule_id} {finding.name}", message)


def _notification(item: Notification) -> str:
    return _command(_COMMAND[item.level], item.location, f"backendlint {item.kind}", item.message)


def step_summary(report: Report, options: RenderOptions | None = None) -> str:
    """Markdown to append to the file that $GITHUB_STEP_SUMMARY names."""
    from backendlint.report.markdown import summary
    from backendlint.report.parts.options import RenderOptions

    return summary(report, options or RenderOptions(), MAX_SUMMARY)


def _command(command: str, place: Location | None, title: str, message: str) -> str:
    """One workflow command, its region cut to the first line: GitHub shows an annotation below the last one."""
    properties = {"title": title}
    if place is not None:
        line = str(place.line)
        properties = {"file": place.path, "line": line, "endLine": line}
        if place.line == place.end_line:
            properties |= {"col": str(place.column), "endColumn": str(max(place.column, place.end_column - 1))}
        properties["title"] = title
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{command} {listed}::{_data(printable(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
