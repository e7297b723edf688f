"""Markdown that fits a pull-request comment."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from backendlint.report.parts.counts import active, gravest_first, per_pillar, per_rule, per_severity, plural
from backendlint.report.parts.markup import code, inline
from backendlint.report.parts.wording import closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backendlint.findings.model import Finding, Location, Notification, Report, Step
    from backendlint.report.parts.options import RenderOptions

MAX_COMMENT = 65_000
"""Bytes; GitHub takes 65,536 characters a comment."""
_RESERVE = 200
_MAX_STEPS = 20
_NOTIFICATIONS_SHARE = 0.25
"""Of the whole, at most, so that many unread files do not push the findings out."""


def render(report: Report, options: RenderOptions) -> str:
    """The whole report where it fits; else as many findings as fit, in rank order, and how many are missing."""
    return summary(report, options, MAX_COMMENT)


def summary(report: Report, options: RenderOptions, limit: int) -> str:
    """The same for another limit, in bytes of UTF-8."""
    head = "\n".join(_head(report, options)) + "\n"
    notifications = list(_notifications(gravest_first(report.notifications)))
    tail = _fitting(notifications, int(limit * _NOTIFICATIONS_SHARE), "notification")
    room = limit - _size(head) - _size(tail)
    return head + _fitting(list(_findings(active(report))), room, "finding") + tail


def _fitting(blocks: list[tuple[str, int]], room: int, noun: str) -> str:
    """The blocks, each with the number of things it shows, as far as they fit; then how many things do not."""
    total, shown, used, kept = sum(count for _, count in blocks), 0, 0, []
    for text, count in blocks:
        used += _size(text)
        if used > room - _RESERVE:
            break
        kept.append(text)
        shown += count
    if shown < total:
        missing = plural(total - shown, noun)
        kept.append(f"\n**{missing} of {total:,} did not fit here**: see the text or JSON report.\n")
    return "".join(kept)


def _head(report: Report, options: RenderOptions) -> Iterator[str]:
    found = active(report)
    yield f"## backendlint: {plural(len(found), 'finding') if found else 'no findings'}"
    yield ""
    if found:
        severities = ", ".join(plural(count, name) for name, count in per_severity(report).items() if count)
        yield f"{severities}."
        yield ""
        yield "| pillar | findings |"
        yield "|---|---:|"
        yield from (f"| {pillar} | {count:,} |" for pillar, count in per_pillar(report).items() if count)
        yield ""
    yield from (f"{inline(line)}  " for line in closing(report))
    if options.statistics and found:
        yield ""
        yield "| rule | findings |"
        yield "|---|---:|"
        yield from (f"| {inline(f'{rule_id} {name}')} | {count:,} |" for rule_id, name, count in per_rule(report))


def _findings(findings: Sequence[Finding]) -> Iterator[tuple[str, int]]:
    for pillar, group in groupby(findings, key=lambda finding: finding.pillar):
        yield f"\n### {pillar.capitalize()}\n\n", 0
        for finding in group:
            yield _finding(finding), 1


def _finding(finding: Finding) -> str:
    lines = [
        f"- **{finding.severity} {inline(f'{finding.rule_id} {finding.name}')}** {_place(finding.location)}  ",
        f"  {inline(finding.message)}" + ("  " if finding.help else ""),
    ]
    if finding.help:
        lines.append(f"  *What to do:* {inline(finding.help)}")
    steps = _steps("How it gets there", finding.flow) + _steps("See also", finding.related)
    if steps:
        lines += ["  <details><summary>places</summary>", "", *steps, "", "  </details>"]
    return "\n".join(lines) + "\n"


def _steps(title: str, steps: Sequence[Step]) -> list[str]:
    lines = [f"  {number}. {_place(step.location)} {inline(step.message)}" for number, step in enumerate(steps, 1)]
    if len(lines) > _MAX_STEPS:
        lines[_MAX_STEPS - 1 :] = [f"  {_MAX_STEPS}. and {len(lines) - _MAX_STEPS + 1} more"]
    return [f"  {title}:", "", *lines, ""] if lines else []


def _notifications(notifications: Sequence[Notification]) -> Iterator[tuple[str, int]]:
    if notifications:
        yield "\n### What the scan could not do, or noticed\n\n", 0
    for item in notifications:
        place = f" {_place(item.location)}" if item.location else ""
        yield f"- **{item.level}** {inline(item.kind)}{place}: {inline(item.message)}\n", 1


def _place(place: Location) -> str:
    return code(f"{place.path}:{place.line}:{place.column}")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
