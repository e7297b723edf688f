"""JUnit XML: a suite for each file with findings as failures, and one for what could not be read as errors."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from backendlint.report.parts.clean import xml_text
from backendlint.report.parts.counts import active, unread

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from backendlint.findings.model import Finding, Notification, Report
    from backendlint.report.parts.options import RenderOptions

_SCAN = "backendlint scan"


def render(report: Report, _options: RenderOptions) -> str:
    """Suites in the order of their paths, then the scan's own suite, which is there when nothing was found too."""
    from xml.etree import ElementTree as ET

    findings = active(report)
    errors = unread(report)
    root = ET.Element("testsuites", {"name": "backendlint"})
    by_path = sorted(findings, key=lambda finding: finding.location.path)
    for path, group in groupby(by_path, key=lambda finding: finding.location.path):
        _file_suite(root, path, list(group))
    _scan_suite(root, report, errors)
    _count(root, len(findings) + max(1, len(errors)), len(findings), len(errors), report.summary.seconds)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _file_suite(root: Element, path: str, findings: list[Finding]) -> None:
    suite = _child(root, "testsuite", name=path)
    for finding in findings:
        place = finding.location
        case = _case(suite, path, f"{finding.rule_id} {finding.name} line {place.line} column {place.column}")
        failure = _child(case, "failure", message=finding.message, type=f"{finding.severity} {finding.rule_id}")
        failure.text = xml_text(_details(finding))
    _count(suite, len(findings), len(findings), 0, 0.0)


def _scan_suite(root: Element, report: Report, errors: list[Notification]) -> None:
    suite = _child(root, "testsuite", name=_SCAN)
    for item in errors:
        case = _case(suite, item.location.path if item.location else _SCAN, f"{item.kind}{_at(item)}")
        _child(case, "error", message=item.message, type=item.kind).text = xml_text(item.message)
    if not errors:
        _case(suite, _SCAN, "everything was read")
    notes = [f"{item.kind}{_at(item)}: {item.message}" for item in report.notifications if item not in errors]
    if notes:
        _child(suite, "system-out").text = xml_text("\n".join(notes))
    _count(suite, max(1, len(errors)), 0, len(errors), report.summary.seconds)


def _details(finding: Finding) -> str:
    place = finding.location
    lines = [f"{place.path}:{place.line}:{place.column}: {finding.message}", finding.help]
    for title, steps in (("Flow", finding.flow), ("See also", finding.related)):
        lines += [f"{title}:"] if steps else []
        lines += [f"  {s.location.path}:{s.location.line}:{s.location.column}: {s.message}" for s in steps]
    return "\n".join(line for line in lines if line)


def _at(item: Notification) -> str:
    return f" {item.location.path} line {item.location.line}" if item.location else ""


def _case(suite: Element, classname: str, name: str) -> Element:
    return _child(suite, "testcase", name=name, classname=classname, time="0")


def _child(parent: Element, tag: str, **attributes: str) -> Element:
    from xml.etree.ElementTree import SubElement

    return SubElement(parent, tag, {key: xml_text(value) for key, value in attributes.items()})


def _count(suite: Element, tests: int, failures: int, errors: int, seconds: float) -> None:
    suite.attrib |= {"tests": str(tests), "failures": str(failures), "errors": str(errors), "time": f"{seconds:.3f}"}
