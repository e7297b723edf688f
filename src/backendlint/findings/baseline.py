"""A baseline: findings that were there before and are not reported again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backendlint.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from backendlint.findings.model import Finding

VERSION = 1
_KEYS = {"fingerprint", "rule", "path", "message", "count"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One known finding; `rule`, `path` and `message` are for people."""

    fingerprint: str
    rule: str
    path: str
    message: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """Known findings by fingerprint."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Baseline:
        """The baseline that hides just these findings, in the order of path, rule and fingerprint."""
        found = list(findings)
        counts = Counter(finding.fingerprint for finding in found)
        known = {finding.fingerprint: finding for finding in found}
        entries = [
            Entry(fingerprint, one.rule_id, one.location.path, one.message, counts[fingerprint])
            for fingerprint, one in known.items()
        ]
        return cls(tuple(sorted(entries, key=lambda entry: (entry.path, entry.rule, entry.fingerprint))))

    def matcher(self) -> Matcher:
        """A fresh matcher; each entry matches as many findings as it counts."""
        left: Counter[str] = Counter()
        for entry in self.entries:
            left[entry.fingerprint] += entry.count
        return Matcher(left)


@dataclass(slots=True)
class Matcher:
    """Counts down the entries of a baseline."""

    left: Counter[str]

    def take(self, fingerprint: str) -> bool:
        """True, once per counted finding, where the baseline knows it."""
        if self.left[fingerprint] <= 0:
            return False
        self.left[fingerprint] -= 1
        return True

    def stale(self) -> int:
        """How many known findings have not come up."""
        return sum(self.left.values())


def write(path: Path, findings: Iterable[Finding]) -> int:
    """Write the findings as the new baseline and return how many entries it has; raises BaselineError."""
    baseline = Baseline.of(findings)
    rows = [
        {"fingerprint": e.fingerprint, "rule": e.rule, "path": e.path, "message": e.message, "count": e.count}
        for e in baseline.entries
    ]
    text = json.dumps({"version": VERSION, "findings": rows}, indent=1, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise BaselineError(f"{path}: cannot write the baseline: {error.strerror or error}") from error
    return len(rows)


def load(path: Path) -> Baseline:
    """Read a baseline; raises BaselineError with file, line and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BaselineError(f"{path}: cannot read the baseline: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}:1: a baseline is UTF-8 text; byte {error.start} is not") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BaselineError(f"{path}:{error.lineno}: not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise BaselineError(f"{path}:1: not a baseline: nested too deeply") from error
    rows = _rows(path, data)
    return Baseline(tuple(_entry(path, text, index, row) for index, row in enumerate(rows)))


def _rows(path: Path, data: Any) -> list[Any]:
    if not isinstance(data, dict) or not isinstance(data.get("findings"), list):
        raise BaselineError(f'{path}:1: a baseline is an object with "version": {VERSION} and a list "findings"')
    if data.get("version") != VERSION:
        raise BaselineError(
            f"{path}:1: baseline version {data.get('version')!r} is not known; this program writes and reads {VERSION}"
        )
    rows: list[Any] = data["findings"]
    return rows


def _entry(path: Path, text: str, index: int, row: Any) -> Entry:
    problem = _problem(row)
    if problem:
        raise BaselineError(f"{path}:{_line_of_row(text, index)}: findings[{index}]: {problem}")
    texts = (row.get("rule", ""), row.get("path", ""), row.get("message", ""))
    return Entry(row["fingerprint"], *texts, row.get("count", 1))


def _problem(row: Any) -> str:
    if not isinstance(row, dict):
        return f"an object with the keys {', '.join(sorted(_KEYS))} is wanted"
    if unknown := sorted(set(row) - _KEYS):
        return f"unknown key {unknown[0]!r}; allowed are {', '.join(sorted(_KEYS))}"
    if not isinstance(row.get("fingerprint"), str) or not row["fingerprint"]:
        return '"fingerprint" must be a text that is not empty'
    count = row.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        return '"count" must be a whole number of at least 1'
    wrong = [key for key in ("rule", "path", "message") if not isinstance(row.get(key, ""), str)]
    return f'"{wrong[0]}" must be a text' if wrong else ""


def _line_of_row(text: str, index: int) -> int:
    """The line at which the index-th item of the list `findings` begins; 1 where the text is written too oddly."""
    decoder = json.JSONDecoder()
    try:
        position = text.index("[", text.index('"findings"')) + 1
        for current in range(index + 1):
            while text[position] in " \t\r\n,":
                position += 1
            if current < index:
                _, position = decoder.raw_decode(text, position)
    except (ValueError, IndexError):
        return 1
    return text.count("\n", 0, position) + 1
