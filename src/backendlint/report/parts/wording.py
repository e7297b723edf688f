"""Sentences that several formats for people share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.report.parts.counts import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backendlint.findings.model import Report


def closing(report: Report) -> Iterator[str]:
    """What was scanned, and what is left out of the findings."""
    figures = report.summary
    yield f"Scanned {plural(figures.files, 'file')}, {plural(figures.lines, 'line')} in {figures.seconds:.1f} s."
    left_out = [
        (figures.suppressed, "suppressed by comments"),
        (figures.baselined, "in the baseline"),
        (figures.ignored, "ignored by the configuration"),
        (figures.outside, "in files that were only read as context"),
        (figures.below_profile, "shown by a wider profile"),
    ]
    listed = ", ".join(f"{count:,} {what}" for count, what in left_out if count)
    if listed:
        yield f"Not listed: {listed}."
