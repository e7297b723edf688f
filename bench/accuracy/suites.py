"""What the public suites expect."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

from bench.accuracy import peers
from bench.accuracy.model import Case
from bench.accuracy.statements import around

MARK = re.compile(r"#\s*(ruleid|ok)\s*:\s*(?:todo)?\s*([\w, -]+)")


_SEMGREP = {
    "avoid_hardcoded_config_SECRET_KEY": frozenset({"CWE-798"}),
    "jwt-python-hardcoded-secret": frozenset({"CWE-798"}),
    "md5-used-as-password": frozenset({"CWE-916"}),
    "tainted-sql-string": frozenset({"CWE-89"}),
}
"""The flaw that a rule describes, where its CWE is another (489, 522, 327, 915)."""


class Suite(NamedTuple):
    """A suite's cases, and what of its checkout is scanned by which of our rules."""

    cases: Callable[[Path], Iterator[Case]]
    """Their paths are relative to `folder`."""
    folder: Callable[[Path], Path]
    select: str = "SEC"
    without: Mapping[str, str] = MappingProxyType({})
    """Rules of the suite that none of ours answers, with the reason."""
    apart: bool = False
    """Scanned as a copy: what lies below `test/` of a checkout is judged as tests, which may block the event loop."""


def owasp(root: Path) -> Iterator[Case]:
    """OWASP BenchmarkPython: one case a file."""
    table = next(root.glob("expectedresults-*.csv"))
    for row in csv.reader(table.read_text(encoding="utf-8").splitlines()):
        if row and not row[0].startswith("#"):
            path = f"testcode/{row[0]}.py"
            yield Case(path, 0, 0, frozenset({f"CWE-{int(row[3])}"}), row[2].strip() == "true", row[1])


def semgrep(root: Path) -> Iterator[Case]:
    """The community rules' tests: `# ruleid:` and `# ok:` above a line; the CWE is in the rule beside the test."""
    for path in sorted(root.rglob("*.py")):
        rules = _rules_beside(path)
        text = path.read_text(encoding="utf-8", errors="replace")
        places, marks = around(text), list(_marks(text))
        bad, clean = ({places.get(at) for at, _, flawed in marks if flawed is wanted} for wanted in (True, False))
        for at, name, flawed in marks:
            flaws = _SEMGREP.get(name) or rules.get(name, frozenset())
            place = places.get(at, (at, at))
            if flaws:  # of a statement that is marked as both, each mark's own line counts
                first, last = (at, at) if place in bad & clean else place
                yield Case(path.relative_to(root).as_posix(), first, last, flaws, flawed, name)


def _marks(text: str) -> Iterator[tuple[int, str, bool]]:
    """The line, the rule, and whether it is flawed."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = MARK.search(line)
        if match is None or "todo" in line.lower():
            continue
        at = number + 1
        while at <= len(lines) and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
            at += 1
        for name in re.split(r"[,\s]+", match.group(2).strip()):
            yield at, name.strip(), match.group(1) == "ruleid"


def _rules_beside(path: Path) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for ending in (".yaml", ".yml"):
        beside = path.with_suffix(ending)
        if beside.is_file():
            for rule in yaml.safe_load(beside.read_text(encoding="utf-8"))["rules"]:
                listed = rule.get("metadata", {}).get("cwe", [])
                texts = [listed] if isinstance(listed, str) else listed
                security = rule.get("metadata", {}).get("category") == "security"
                numbers = [int(number) for text in texts for number in re.findall(r"CWE-(\d+)", str(text))]
                found[rule["id"]] = frozenset(f"CWE-{number}" for number in numbers) if security else frozenset()
    return found


def whole(root: Path) -> Path:
    """All of a checkout."""
    return root


SUITES: dict[str, Suite] = {
    "owasp": Suite(owasp, whole),
    "semgrep": Suite(semgrep, whole),
    "ruff": Suite(peers.ruff, peers.ruff_fixtures),
    "ruff-async": Suite(peers.ruff_async, peers.async_fixtures, "REL113", peers.ASYNC_WITHOUT, apart=True),
    "bandit": Suite(peers.bandit, whole, "SEC,REL101"),
}
