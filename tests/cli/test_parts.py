from __future__ import annotations

from pathlib import Path

import pytest

from backendlint.cli.outcome import exit_code, parse_fail_on
from backendlint.cli.outputs import Output, parse_outputs, put
from backendlint.errors import UsageError
from backendlint.findings.model import Finding, Location, Notification, Pillar, Report, Severity, Summary


def report(*found: tuple[Pillar, Severity], problem: str = "", suppressed: str | None = None) -> Report:
    place = Location("a.py", 1, 1, 1, 2)
    findings = tuple(
        Finding("X1", "x", pillar, severity, "high", "default", "m", "h", place, suppressed=suppressed)
        for pillar, severity in found
    )
    told = (Notification("engine-failed", "m", "error"),) if problem else (Notification("syntax-error", "m"),)
    return Report("/", findings, told, Summary())


@pytest.mark.parametrize(
    ("severity", "level", "expected"),
    [("error", "error", 1), ("warning", "error", 0), ("warning", "warning", 1), ("note", "warning", 0),
     ("note", "note", 1), ("error", "never", 0)],
)  # fmt: skip
def test_findings_at_or_above_the_level_give_1(severity: Severity, level: str, expected: int) -> None:
    assert exit_code(report(("security", severity)), parse_fail_on([level])) == expected


def test_levels_per_pillar() -> None:
    levels = parse_fail_on(["error", "security=note", "convenience=never"])
    assert exit_code(report(("security", "note")), levels) == 1
    assert exit_code(report(("convenience", "error")), levels) == 0
    assert exit_code(report(("performance", "warning")), levels) == 0
    assert exit_code(report(("performance", "error")), levels) == 1


def test_pillars_without_a_level_keep_the_usual_one() -> None:
    assert exit_code(report(("reliability", "warning")), {"security": "never"}) == 1


def test_a_part_that_failed_gives_3_whatever_was_found() -> None:
    assert exit_code(report(problem="x"), "never") == 3
    assert exit_code(report(("security", "error"), problem="x"), "warning") == 3
    assert exit_code(report(), "note") == 0


def test_suppressed_findings_do_not_count() -> None:
    assert exit_code(report(("security", "error"), suppressed="known"), "note") == 0


@pytest.mark.parametrize("word", ["fatal", "safety=error", "security=", "=error=warning"])
def test_bad_levels(word: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        parse_fail_on([word])


def test_outputs() -> None:
    assert parse_outputs([], None) == [Output("text", None)]
    assert parse_outputs(["sarif=x.sarif", "text"], None) == [Output("sarif", Path("x.sarif")), Output("text", None)]
    assert parse_outputs(["json"], Path("o.json")) == [Output("json", Path("o.json"))]


@pytest.mark.parametrize(
    ("specs", "told"), [(["sarfi"], "did you mean `sarif`"), (["zzz=x"], "there are "), (["json", "text"], "only one")]
)
def test_bad_outputs(specs: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_outputs(specs, None)


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        put("text", tmp_path / "file" / "below")
    put("text", tmp_path / "new" / "x.txt")
    assert (tmp_path / "new" / "x.txt").read_text(encoding="utf-8") == "text"
