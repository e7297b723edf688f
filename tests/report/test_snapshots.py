"""What each format writes of one awkward report, character by character.

After an intended change: `BACKENDLINT_UPDATE_SNAPSHOTS=1 pytest tests/report`, then read the diff.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from backendlint.findings.model import Report
from backendlint.report import FORMATS, RenderOptions, render
from backendlint.report.github import step_summary

SUFFIXES = {"json": "json", "sarif": "sarif", "gitlab": "gitlab.json", "junit": "xml", "markdown": "md"}


def compare(path: Path, text: str) -> None:
    if os.environ.get("BACKENDLINT_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("fmt", FORMATS)
def test_format(fmt: str, report: Report, options: RenderOptions, snapshots: Path) -> None:
    text = render(fmt, report, options=replace(options, statistics=True))
    compare(snapshots / f"{fmt}.{SUFFIXES.get(fmt, 'txt')}", text)
    assert text == render(fmt, report, options=replace(options, statistics=True))


@pytest.mark.parametrize("fmt", FORMATS)
def test_nothing_found(fmt: str, report: Report, options: RenderOptions, snapshots: Path) -> None:
    empty = replace(report, findings=(), notifications=())
    compare(snapshots / f"empty.{fmt}.{SUFFIXES.get(fmt, 'txt')}", render(fmt, empty, options=options))


def test_colours(report: Report, options: RenderOptions, snapshots: Path) -> None:
    shown = replace(options, color=True, verbose=True, show_reach=True, width=60)
    compare(snapshots / "colours.txt", render("text", report, options=shown))


def test_quiet(report: Report, options: RenderOptions, snapshots: Path) -> None:
    compare(snapshots / "quiet.txt", render("text", report, options=replace(options, quiet=True)))


def test_step_summary(report: Report, options: RenderOptions, snapshots: Path) -> None:
    compare(snapshots / "step_summary.md", step_summary(report, options))


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_lists_what_was_not_read(fmt: str, report: Report, options: RenderOptions) -> None:
    text = render(fmt, report, options=options)
    for kind in ("syntax-error", "engine-failed", "unused-suppression"):
        assert kind in text
    quiet = render(fmt, report, options=replace(options, quiet=True))
    assert "engine-failed" in quiet


@pytest.mark.parametrize("fmt", FORMATS)
def test_suppressed_findings(fmt: str, report: Report, options: RenderOptions) -> None:
    hidden = replace(report.findings[0], suppressed="it is local", message="only here when shown")
    text = render(fmt, replace(report, findings=(hidden,), show_suppressed=True), options=options)
    shown = "only here when shown" in text
    assert shown == (fmt in ("json", "sarif", "text"))
    assert not shown or "it is local" in text


def test_unknown_formats_are_refused(report: Report) -> None:
    with pytest.raises(KeyError):
        render("parts", report)
