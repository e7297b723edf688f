"""What the public suites expect."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bench.accuracy.model import Case

MARK = re.compile(r"#\s*(ruleid|ok)\s*:\s*(?:todo)?\s*([\w, -]+)")
SNAPSHOT = re.compile(r"^(S\d+) .*\n\s*--> (\S+?):(\d+):\d+", re.MULTILINE)
_RUFF = {
    102: 78, 103: 732, 105: 259, 106: 259, 107: 259, 201: 489, 202: 22, 301: 502, 302: 502, 307: 95, 308: 79, 311: 330,
    312: 319, 321: 319, 324: 327, 501: 295, 502: 327, 503: 327, 504: 327, 505: 326, 506: 502, 507: 295, 601: 78, 602: 78,
    604: 78, 605: 78, 608: 89, 610: 89, 611: 89, 612: 502, 701: 79, 702: 79,
}  # fmt: skip
"""CWEs of the codes whose flaw our rules know, as Bandit gives them for the same checks."""


def owasp(root: Path) -> Iterator[Case]:
    """OWASP BenchmarkPython: one case a file."""
    table = next(root.glob("expectedresults-*.csv"))
    for row in csv.reader(table.read_text(encoding="utf-8").splitlines()):
        if row and not row[0].startswith("#"):
            path = f"testcode/{row[0]}.py"
            yield Case(path, 0, 0, frozenset({int(row[3])}), row[2].strip() == "true", row[1])


def semgrep(root: Path) -> Iterator[Case]:
    """The community rules' tests: `# ruleid:` and `# ok:` above a line; the CWE is in the rule beside the test."""
    for path in sorted(root.rglob("*.py")):
        rules = _rules_beside(path)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        ends = _statement_ends("\n".join(lines))
        for number, line in enumerate(lines, 1):
            match = MARK.search(line)
            if match is None or "todo" in line.lower():
                continue
            at = number + 1
            while at <= len(lines) and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
                at += 1
            for name in re.split(r"[,\s]+", match.group(2).strip()):
                cwe = rules.get(name.strip(), frozenset())
                if cwe:
                    relative = path.relative_to(root).as_posix()
                    yield Case(relative, at, ends.get(at, at), cwe, match.group(1) == "ruleid", name)


def scanned(suite: str, root: Path) -> Path:
    """The folder of a suite that is scanned; its cases' paths are relative to it."""
    return next(root.rglob("fixtures/flake8_bandit")) if suite == "ruff" else root


def _rules_beside(path: Path) -> dict[str, frozenset[int]]:
    found: dict[str, frozenset[int]] = {}
    for ending in (".yaml", ".yml"):
        beside = path.with_suffix(ending)
        if beside.is_file():
            for rule in yaml.safe_load(beside.read_text(encoding="utf-8"))["rules"]:
                listed = rule.get("metadata", {}).get("cwe", [])
                texts = [listed] if isinstance(listed, str) else listed
                security = rule.get("metadata", {}).get("category") == "security"
                numbers = [int(number) for text in texts for number in re.findall(r"CWE-(\d+)", str(text))]
                found[rule["id"]] = frozenset(numbers) if security else frozenset()
    return found


def _statement_ends(text: str) -> dict[int, int]:
    """First line to last line of simple statements."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    found: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            found[node.lineno] = node.end_lineno or node.lineno
    return found


def ruff(root: Path) -> Iterator[Case]:
    """Ruff's flake8-bandit fixtures: its snapshots name the lines; every other line is expected to be clean."""
    fixtures = next(root.rglob("fixtures/flake8_bandit"))
    snapshots = next(root.rglob("flake8_bandit/snapshots"))
    for path in sorted(snapshots.glob("*.snap")):
        for code, name, line in SNAPSHOT.findall(path.read_text(encoding="utf-8")):
            cwe = _RUFF.get(int(code[1:]))
            target = fixtures / name
            if cwe is None or not target.is_file() or target.suffix != ".py" or name.split("_")[0] != f"{code}.py":
                continue
            relative = target.relative_to(fixtures).as_posix()
            ends = _statement_ends(target.read_text(encoding="utf-8"))
            yield Case(relative, int(line), ends.get(int(line), int(line)), frozenset({cwe}), bad=True, name=code)


def bandit(root: Path) -> Iterator[Case]:
    """Bandit's examples: what Bandit itself (installed beside) reports for them, which its functional tests fix."""
    command = [sys.executable, "-m", "bandit", "-r", "-q", "-f", "json", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for item in json.loads(done.stdout)["results"]:
        path = Path(item["filename"]).resolve().relative_to(root.resolve()).as_posix()
        lines = item["line_range"] or [item["line_number"]]
        cwe = frozenset({int(item["issue_cwe"]["id"])}) if item.get("issue_cwe") else frozenset()
        if cwe:
            yield Case(path, min(lines), max(lines), cwe, bad=True, name=item["test_id"])


SUITES: dict[str, Callable[[Path], Iterator[Case]]] = {
    "owasp": owasp,
    "semgrep": semgrep,
    "ruff": ruff,
    "bandit": bandit,
}
