"""Text, markdown and GitHub's annotations."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendlint.findings.model import Finding, Location, Notification, Report, Step
from backendlint.report import RenderOptions, render
from backendlint.report.github import step_summary
from backendlint.report.parts.terminal import wants_color

anything = st.lists(st.characters() | st.sampled_from(["\ud800", "\udcff", "\x00", "]]>"]), max_size=30).map("".join)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def many(report: Report, count: int) -> Report:
    first = report.findings[0]
    findings = tuple(
        replace(first, location=Location(f"app/m{at // 10}.py", at + 1, 1, at + 1, 2), message=f"no. {at}.")
        for at in range(count)
    )
    return replace(report, findings=findings)


# text


class Terminal:
    def __init__(self, is_terminal: bool) -> None:
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "color"),
    [
        (True, {}, True),
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_when_colours_are_used(terminal: bool, environ: dict[str, str], color: bool) -> None:
    assert wants_color(Terminal(terminal), environ) is color


def test_colours_change_nothing_else(report: Report, options: RenderOptions) -> None:
    plain = render("text", report, options=options)
    assert "\x1b" not in plain
    assert ANSI.sub("", render("text", report, options=replace(options, color=True))) == plain


def test_marks_stand_below_the_span(report: Report, options: RenderOptions) -> None:
    lines = render("text", report, options=options).split("\n")
    at = next(number for number, line in enumerate(lines) if "requests.get(order.url)" in line)
    code, marks = lines[at], lines[at + 1]

    def columns(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)

    assert columns(code[: code.index("requests")]) == len(marks[: marks.index("^")])
    assert marks.count("^") == len("requests.get(order.url)")


def test_scanned_code_cannot_write_to_the_terminal(report: Report, options: RenderOptions) -> None:
    evil = {"app/api.py": "x = '\x1b]0;owned\x07\x1b[2J\u202e'\n"}
    finding = replace(report.findings[1], location=Location("app/api.py", 1, 1, 1, 9), help="\x1b[2J", flow=())
    text = render("text", replace(report, findings=(finding,)), options=replace(options, sources=evil.get))
    assert "<1b>]0;owned<07>" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_a_long_line_is_cut_around_the_span(report: Report, options: RenderOptions) -> None:
    source = {"a.py": "x = [" + "1, " * 400_000 + "eval(y)" + ", 1" * 400_000 + "]\n"}
    column = source["a.py"].index("eval") + 1
    finding = replace(report.findings[0], location=Location("a.py", 1, column, 1, column + 7), flow=(), related=())
    text = render("text", replace(report, findings=(finding,)), options=replace(options, sources=source.get))
    line = next(line for line in text.split("\n") if "eval(y)" in line)
    assert len(line) <= 100
    assert line.count("...") == 2


def test_a_rule_with_very_many_findings_is_shortened_with_the_number_told(
    report: Report, options: RenderOptions
) -> None:
    text = render("text", many(report, 500), options=options)
    assert text.count("how it gets there") == 5
    assert "495 more of REL101 call-without-timeout:" in text
    assert "and 475 in 48 files: --verbose or --format json lists them" in text
    assert "500 findings: 500 reliability (500 errors)." in text
    assert len(text.split("\n")) < 120
    assert render("text", many(report, 500), options=replace(options, verbose=True)).count("how it gets there") == 500
    assert len(render("text", many(report, 500), options=replace(options, quiet=True)).split("\n")) == 504


def test_long_flows_keep_both_ends(report: Report, options: RenderOptions) -> None:
    steps = tuple(Step(Location("a.py", at, 1, at, 2), f"step {at}") for at in range(1, 41))
    text = render("text", replace(report, findings=(replace(report.findings[0], flow=steps),)), options=options)
    assert "... 28 steps between" in text
    assert re.search(r"11\. a.py:11:1 .*\n.*between\n +40\. a.py:40:1", text)


def test_reach_is_shown_when_asked_for(report: Report, options: RenderOptions) -> None:
    assert "reached from 0 endpoints" not in render("text", report, options=options)
    assert "reached from 0 endpoints" in render("text", report, options=replace(options, show_reach=True))


def test_many_notifications_are_counted_by_kind(report: Report, options: RenderOptions) -> None:
    items = tuple(Notification("syntax-error", f"no. {at}", "note", Location("a.py", at, 1, at, 2)) for at in range(90))
    failed = Notification("engine-failed", "the grave one", "error")
    text = render("text", replace(report, notifications=(*items, failed)), options=options)
    assert "the grave one" in text
    assert "and 61 more (61 syntax-error)" in text


@given(anything, st.integers(-1, 9), st.integers(-1, 60))
def test_any_text_is_one_the_terminal_can_show(
    report: Report, options: RenderOptions, text: str, line: int, column: int
) -> None:
    finding = replace(report.findings[0], message=text, help=text, location=Location("a.py", line, column, 3, 4))
    source = {"a.py": f"{text}\n{text}\n{text}"}
    for verbose in (False, True):
        shown = replace(options, sources=source.get, verbose=verbose)
        out = render("text", replace(report, findings=(finding,)), options=shown)
        assert out.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)


# markdown


def test_a_comment_has_room_for_what_is_grave_and_says_what_is_missing(report: Report, options: RenderOptions) -> None:
    items = tuple(Notification("unreadable-file", "é" * 200, "warning") for _ in range(2000))
    items += (Notification("engine-failed", "the grave one", "error"),)
    text = render("markdown", replace(many(report, 3000), notifications=items), options=options)
    assert "the grave one" in text
    assert len(text) < 65_536
    assert len(text.encode()) < 65_536
    shown = len(re.findall(r"^  no\. \d+\.", text, re.MULTILINE))
    assert shown > 50
    assert f"**{3000 - shown:,} findings of 3,000 did not fit here**" in text
    assert re.search(r"\*\*1,\d+ notifications of 2,001 did not fit here\*\*", text)
    assert text.count("<details>") == text.count("</details>")


def test_the_step_summary_holds_more(report: Report, options: RenderOptions) -> None:
    text = step_summary(many(report, 1000), options)
    assert 65_536 < len(text.encode()) < 1_048_576
    assert "did not fit" not in text
    assert len(step_summary(many(report, 20_000)).encode()) < 1_048_576


@given(anything)
def test_any_text_stays_text_in_markdown(report: Report, options: RenderOptions, text: str) -> None:
    finding: Finding = replace(report.findings[0], message=f"<img src=x> @someone #1 {text} | x", flow=(), related=())
    out = render("markdown", replace(report, findings=(finding,), notifications=()), options=options)
    assert out.encode("utf-8")
    message = next(line for line in out.split("\n") if "&lt;img" in line)
    assert "<img" not in message
    assert not re.search(r"@someone|#1", message)


# GitHub


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The workflow commands, read as the runner reads them."""
    found = []
    for line in text.split("\n"):
        match = re.fullmatch(r"::(\w+) ([^\n]*?)::(.*)", line)
        if match:
            pairs = dict(part.split("=", 1) for part in match[2].split(","))
            found.append((match[1], {key: unescaped(value) for key, value in pairs.items()}, unescaped(match[3])))
    return found


def unescaped(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_annotations_name_place_and_level(report: Report, options: RenderOptions) -> None:
    found = commands(render("github", report, options=options))
    assert [command for command, _, _ in found] == ["error", "error", "warning", "notice", "error", "notice"]
    assert [properties.get("file") for _, properties, _ in found[:3]] == [
        finding.location.path for finding in report.findings
    ]
    assert found[0][1]["title"] == "REL101 call-without-timeout"
    assert found[0][2] == f"{report.findings[0].message}\n{report.findings[0].help}"
    assert all(properties["line"] == properties["endLine"] for _, properties, _ in found if "line" in properties)


@given(anything, st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_text_stays_within_its_command(report: Report, options: RenderOptions, text: str, path: str) -> None:
    finding = replace(report.findings[0], message=f"{text}\n::error::forged", location=Location(path, 1, 1, 1, 2))
    out = render("github", replace(report, findings=(finding,), notifications=()), options=options)
    assert len(out.split("\n")) == 3
    assert out.count("\n::") == 0
    ((_, properties, message),) = commands(out)
    assert properties["file"] == path
    assert "::error::forged" in message
