"""JSON, GitLab and JUnit against their published shapes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendlint.findings.model import Location, Report, Step
from backendlint.report import RenderOptions, render

anything = st.lists(st.characters() | st.sampled_from(["\ud800", "\udcff", "\x00", "]]>"]), max_size=30).map("".join)


def awkward(report: Report, text: str) -> Report:
    """The report with the text wherever a text may stand."""
    place = Location(text or "a.py", 1, 1, 1, 2)
    finding = replace(
        report.findings[0], message=text, help=text, location=place, flow=(Step(place, text),), function=text
    )
    return replace(report, findings=(finding,), notifications=(replace(report.notifications[0], message=text),))


# JSON


@cache
def validator() -> jsonschema.Draft202012Validator:
    text = files("backendlint.report").joinpath("schema/report.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


def test_json_keeps_its_contract(report: Report, options: RenderOptions) -> None:
    data = json.loads(render("json", report, options=replace(options, statistics=True)))
    validator().validate(data)
    assert set(data) == {"version", "tool", "findings", "notifications", "summary", "statistics"}
    first = data["findings"][0]
    promised = "rule_id name pillar severity confidence message help location related flow reach fingerprint fix"
    assert set(promised.split()) <= set(first)
    assert set(first["location"]) == {"path", "line", "column", "end_line", "end_column"}
    assert [finding["rule_id"] for finding in data["findings"]] == [item.rule_id for item in report.findings]
    assert first["message"] == report.findings[0].message


def test_the_json_schema_is_strict(report: Report, options: RenderOptions) -> None:
    data = json.loads(render("json", report, options=options))
    for broken in ({"severity": "fatal"}, {"line": 3}, {"location": None}):
        wrong = {**data, "findings": [data["findings"][0] | broken]}
        with pytest.raises(jsonschema.ValidationError):
            validator().validate(wrong)


@given(anything)
def test_any_text_gives_valid_json(report: Report, options: RenderOptions, text: str) -> None:
    for fmt in ("json", "gitlab"):
        json.loads(render(fmt, awkward(report, text), options=options).encode("utf-8"))
    data = json.loads(render("json", awkward(report, text), options=options))
    validator().validate(data)


# GitLab Code Quality: the keys that its documentation demands of each issue

GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "not": {"pattern": "^\\./"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def test_gitlab_has_the_documented_shape(report: Report, options: RenderOptions) -> None:
    issues = json.loads(render("gitlab", report, options=options))
    jsonschema.validate(issues, GITLAB)
    assert [issue["severity"] for issue in issues] == ["critical", "critical", "major", "info", "critical", "info"]


def test_gitlab_fingerprints_are_unique(report: Report, options: RenderOptions) -> None:
    twice = replace(report, findings=(*report.findings, *report.findings), notifications=(report.notifications[0],) * 3)
    issues = json.loads(render("gitlab", twice, options=options))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 9


# JUnit: elements with their attributes and children in the order that the published schemas share

JUNIT: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (set(), {"name", "tests", "failures", "errors", "time"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "testcase": (
        {"name", "classname"},
        {"name", "classname", "time"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": (set(), {"message", "type"}, []),
    "error": (set(), {"message", "type"}, []),
    "system-out": (set(), set(), []),
}


def check_junit(text: str) -> ET.Element:
    root = ET.fromstring(text.encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        required, allowed, children = JUNIT[element.tag]
        assert required <= set(element.attrib) <= allowed
        assert re.fullmatch(r"\d*(\.\d*)?", element.get("time", ""))
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order)
    for suite in (root, *root.iter("testsuite")):
        for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert int(suite.attrib[attribute]) == len(list(suite.iter(tag)))
    return root


def test_junit_has_the_published_shape(report: Report, options: RenderOptions) -> None:
    root = check_junit(render("junit", report, options=options))
    assert [suite.attrib["name"] for suite in root] == [
        *sorted(finding.location.path for finding in report.findings),
        "backendlint scan",
    ]
    assert [error.attrib["type"] for error in root.iter("error")] == ["syntax-error", "engine-failed"]
    assert "]]>" in next(f for f in root.iter("failure") if "quoted" in f.attrib["message"]).attrib["message"]


def test_junit_of_a_clean_scan_has_a_passed_case(report: Report, options: RenderOptions) -> None:
    root = check_junit(render("junit", replace(report, findings=(), notifications=()), options=options))
    assert [len(case) for case in root.iter("testcase")] == [0]


@given(anything)
def test_any_text_gives_valid_xml(report: Report, options: RenderOptions, text: str) -> None:
    check_junit(render("junit", awkward(report, text), options=options))
