from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import jsonschema
import pytest
import sarif_pydantic
from hypothesis import given
from hypothesis import strategies as st

from backendlint.findings.fingerprint import line_hashes
from backendlint.findings.model import Finding, Location, Report, Step
from backendlint.report import RenderOptions, render, sarif

SCHEMA = Path(__file__).parents[1] / "data" / "sarif" / "sarif-schema-2.1.0.json"


@cache
def validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)


def run_of(report: Report, options: RenderOptions) -> dict[str, Any]:
    """The one run, after both validators have taken the log."""
    text = render("sarif", report, options=options)
    data = json.loads(text.encode("utf-8"))
    validator().validate(data)
    sarif_pydantic.Sarif.model_validate_json(text)
    run: dict[str, Any] = data["runs"][0]
    return run


def test_the_validator_refuses_what_is_wrong(report: Report, options: RenderOptions) -> None:
    data = json.loads(render("sarif", report, options=options))
    data["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not validator().is_valid(data)


def test_uris_are_relative_and_lead_back_to_the_paths(report: Report, options: RenderOptions) -> None:
    run = run_of(report, options)
    base = run["originalUriBaseIds"]["%SRCROOT%"]["uri"]
    for result, finding in zip(run["results"], report.findings, strict=True):
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert artifact["uriBaseId"] == "%SRCROOT%"
        assert artifact["uri"].isascii()
        assert unquote(urljoin(base, artifact["uri"])) == f"file://{report.root}/{finding.location.path}"


@pytest.mark.parametrize(
    ("root", "uri"),
    [
        ("/", "file:///"),
        ("/srv/ä b/", "file:///srv/%C3%A4%20b/"),
        ("C:\\code\\my app", "file:///C:/code/my%20app/"),
        ("relative", None),
    ],
)
def test_root(report: Report, options: RenderOptions, root: str, uri: str | None) -> None:
    run = run_of(replace(report, root=root), options)
    assert run["originalUriBaseIds"]["%SRCROOT%"].get("uri") == uri


def test_regions_are_small(report: Report, options: RenderOptions) -> None:
    for result in run_of(report, options)["results"]:
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region.get("endLine", region["startLine"]) == region["startLine"]


def test_rules_tell_severity_tags_and_help(report: Report, options: RenderOptions) -> None:
    driver = run_of(report, options)["tool"]["driver"]
    rules = {rule["id"]: rule for rule in driver["rules"]}
    assert list(rules) == sorted(rules)
    assert "external/cwe/cwe-089" in rules["SEC101"]["properties"]["tags"]
    assert float(rules["SEC101"]["properties"]["security-severity"]) > 7
    assert "security-severity" not in rules["REL101"]["properties"]
    assert rules["REL101"]["help"]["markdown"].startswith("# REL101 call-without-timeout")


def test_at_most_ten_tags(report: Report, options: RenderOptions) -> None:
    many = replace(report.rules[1], cwe=tuple(range(70, 95)), checklist=("S-SQLI",))
    driver = run_of(replace(report, rules=(many,)), options)["tool"]["driver"]
    tags = next(rule for rule in driver["rules"] if rule["id"] == "SEC101")["properties"]["tags"]
    assert len(tags) == 10
    assert tags[:2] == ["security", "external/cwe/cwe-070"]


def test_rule_indexes_point_to_the_rule(report: Report, options: RenderOptions) -> None:
    for rules in (report.rules, report.rules[:1], ()):
        run = run_of(replace(report, rules=rules), options)
        listed = run["tool"]["driver"]["rules"]
        assert [listed[result["ruleIndex"]]["id"] for result in run["results"]] == ["REL101", "SEC101", "PERF102"]


def test_the_message_links_to_the_related_places(report: Report, options: RenderOptions) -> None:
    result = run_of(report, options)["results"][0]
    assert result["relatedLocations"][0]["id"] == 1
    assert result["message"]["text"].endswith("See: [the \\[route\\](7) of @app \\\\ #12](1).")
    assert len(result["codeFlows"][0]["threadFlows"][0]["locations"]) == 2


def test_github_hash_of_the_line(report: Report, options: RenderOptions) -> None:
    results = run_of(report, options)["results"]
    text = options.sources(report.findings[0].location.path)
    assert text is not None
    assert results[0]["partialFingerprints"] == {
        "primaryLocationLineHash": line_hashes(text)[4],
        "backendlint/v1": report.findings[0].fingerprint,
    }
    assert "primaryLocationLineHash" not in results[1]["partialFingerprints"]


def test_unreadable_sources_leave_the_hash_out(report: Report, options: RenderOptions) -> None:
    def gone(path: str) -> str:
        raise FileNotFoundError(path)

    results = run_of(report, replace(options, sources=gone))["results"]
    assert all("primaryLocationLineHash" not in result["partialFingerprints"] for result in results)


def test_invocation_tells_whether_all_ran(report: Report, options: RenderOptions) -> None:
    failed = run_of(report, options)["invocations"][0]
    assert failed["executionSuccessful"] is False
    assert [item["level"] for item in failed["toolExecutionNotifications"]] == ["note", "error", "note"]
    well = run_of(replace(report, notifications=report.notifications[:1]), options)["invocations"][0]
    assert well["executionSuccessful"] is True


def test_suppressed_results_are_dropped_unless_asked_for(report: Report, options: RenderOptions) -> None:
    first, second, third = report.findings
    findings = (replace(first, suppressed="why"), replace(second, suppressed="in the baseline"), third)
    assert len(run_of(replace(report, findings=findings), options)["results"]) == 1
    shown = run_of(replace(report, findings=findings, show_suppressed=True), options)["results"]
    assert shown[0]["suppressions"] == [{"kind": "inSource", "justification": "why"}]
    assert shown[1]["suppressions"][0]["kind"] == "external"
    assert "suppressions" not in shown[2]


def test_too_many_results_are_cut_by_severity(
    report: Report, options: RenderOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sarif.MAX_RESULTS == 25_000
    monkeypatch.setattr(sarif, "MAX_RESULTS", 4)
    note, error = replace(report.findings[0], severity="note"), replace(report.findings[2], severity="error")
    run = run_of(replace(report, findings=(note,) * 5 + (error,) * 3), options)
    assert [result["level"] for result in run["results"]] == ["note", "error", "error", "error"]
    told = run["invocations"][0]["toolExecutionNotifications"][-1]
    assert told["descriptor"]["id"] == "results-cut"
    assert told["message"]["text"].startswith("4 of 8 findings are cut")


anything = st.lists(st.characters() | st.sampled_from(["\ud800", "\udcff", "\x00", "]]>"]), max_size=30).map("".join)
places: Callable[..., st.SearchStrategy[Location]] = st.builds(
    Location,
    path=anything,
    line=st.integers(0, 50),
    column=st.integers(0, 50),
    end_line=st.integers(0, 50),
    end_column=st.integers(0, 50),
)  # type: ignore[assignment]


@given(anything, anything, st.lists(st.builds(Step, location=places, message=anything), max_size=3), places)
def test_any_text_gives_a_valid_log(
    report: Report, options: RenderOptions, message: str, help_text: str, steps: list[Step], place: Location
) -> None:
    finding: Finding = replace(
        report.findings[0], message=message, help=help_text, location=place, related=tuple(steps), flow=tuple(steps)
    )
    notification = replace(report.notifications[0], message=message, location=place)
    run_of(replace(report, findings=(finding,), notifications=(notification,)), options)
