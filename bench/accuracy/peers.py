"""What other linters report for their own fixtures; what they leave unreported there is expected to be clean."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.accuracy.model import Case
from bench.accuracy.statements import around, spans

Reported = dict[Path, dict[str, list[tuple[int, int]]]]
"""Lines by fixture and code."""
SNAPSHOT = re.compile(r"^(S\d+|ASYNC\d+) .*\n\s*--> (\S+?):(\d+):\d+", re.MULTILINE)
_RUFF = {
    102: 95, 103: 732, 105: 259, 106: 259, 107: 259, 201: 489, 202: 22, 301: 502, 302: 502, 307: 95, 308: 79, 311: 330,
    312: 319, 321: 319, 324: 327, 501: 295, 502: 327, 503: 327, 504: 327, 505: 326, 506: 502, 507: 295, 601: 78, 602: 78,
    604: 78, 605: 78, 608: 89, 610: 89, 611: 89, 612: 502, 701: 79, 702: 79,
}  # fmt: skip
"""CWEs of the codes whose flaw our rules know, as Bandit gives them for the same checks, or as we name them."""
_ASYNC = frozenset({"ASYNC210", "ASYNC212", "ASYNC220", "ASYNC221", "ASYNC222", "ASYNC250", "ASYNC251"})
"""Codes for calls that block the event loop: our REL113."""
_BANDIT = {
    "B102": "CWE-95", "B113": "REL101", "B201": "CWE-489", "B307": "CWE-95", "B313": "CWE-611", "B314": "CWE-611",
    "B315": "CWE-611", "B316": "CWE-611", "B317": "CWE-611", "B318": "CWE-611", "B319": "CWE-611", "B506": "CWE-502",
    "B701": "CWE-79",
}  # fmt: skip
"""What our rules call the flaw where Bandit's own CWE says less (20, 400) or another (78, 94)."""
ASYNC_WITHOUT = {
    "ASYNC100": "a cancel scope without a checkpoint inside: useless, but it does no harm",
    "ASYNC105": "a trio function that is not awaited: a type checker's work, and trio is not modelled",
    "ASYNC109": "a `timeout` parameter: a question of style",
    "ASYNC110": "waiting with sleep in a loop: polling is no flaw by our checklist",
    "ASYNC115": "`sleep(0)`: a question of style",
    "ASYNC116": "a sleep of more than a day: no flaw by our checklist",
    "ASYNC119": "`yield` in a context manager of an asynchronous generator: no rule of ours",
    "ASYNC230": "opening a local file: REL113 leaves local files out on purpose",
    "ASYNC240": "looking at local paths: REL113 leaves local files out on purpose",
}


def ruff_fixtures(root: Path) -> Path:
    """The folder of Ruff's flake8-bandit fixtures."""
    return next(root.rglob("fixtures/flake8_bandit"))


def async_fixtures(root: Path) -> Path:
    """The folder of Ruff's flake8-async fixtures."""
    return next(root.rglob("fixtures/flake8_async"))


def ruff(root: Path) -> Iterator[Case]:
    """Flake8-bandit: the snapshots name the lines; every other statement of a code's fixture is expected to be clean."""
    fixtures = ruff_fixtures(root)
    for path, by_code in _reported(root, "flake8_bandit", fixtures).items():
        for code, places in by_code.items():
            cwe = _RUFF.get(int(code[1:]))
            if cwe is not None and path.name.split("_")[0].removesuffix(".py") == code:
                yield from _cases(path, fixtures, places, frozenset({f"CWE-{cwe}"}), code)


def ruff_async(root: Path) -> Iterator[Case]:
    """Flake8-async: the codes for calls that block; what no such code names in their fixtures is expected to be clean."""
    fixtures = async_fixtures(root)
    for path, by_code in _reported(root, "flake8_async", fixtures).items():
        blocking = {code: places for code, places in by_code.items() if code in _ASYNC}
        every = [place for places in blocking.values() for place in places]
        for code, places in blocking.items():
            yield from _cases(path, fixtures, places, frozenset({"REL113"}), code, code, every)


def bandit(root: Path) -> Iterator[Case]:
    """Bandit's examples: what Bandit itself (installed beside) reports for them; its other statements are clean."""
    command = [sys.executable, "-m", "bandit", "-r", "-q", "-f", "json", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[Path, dict[str, list[tuple[int, int, str]]]] = defaultdict(lambda: defaultdict(list))
    for item in json.loads(done.stdout)["results"]:
        lines = item["line_range"] or [item["line_number"]]
        if item.get("issue_cwe"):
            place = (min(lines), max(lines), item["test_id"])
            flaw = _BANDIT.get(item["test_id"], f"CWE-{int(item['issue_cwe']['id'])}")
            found[Path(item["filename"]).resolve()][flaw].append(place)
    for path, by_cwe in found.items():
        every = [(first, last) for places in by_cwe.values() for first, last, _ in places]
        for cwe, places in by_cwe.items():
            relative, flaws = path.relative_to(root.resolve()).as_posix(), frozenset({cwe})
            for first, last, code in places:
                yield Case(relative, first, last, flaws, bad=True, name=code)
            yield from _clean(path, relative, every, flaws, "")


def _reported(root: Path, family: str, fixtures: Path) -> Reported:
    found: Reported = defaultdict(lambda: defaultdict(list))
    for snapshot in sorted(next(root.rglob(f"{family}/snapshots")).glob("*.snap")):
        for code, name, line in SNAPSHOT.findall(snapshot.read_text(encoding="utf-8")):
            target = fixtures / name
            if target.is_file() and target.suffix == ".py":
                known = found[target][code]
                at = int(line)
                place = around(target.read_text(encoding="utf-8")).get(at, (at, at))
                if place not in known:
                    known.append(place)
    return found


def _cases(
    path: Path,
    fixtures: Path,
    places: list[tuple[int, int]],
    flaws: frozenset[str],
    name: str,
    group: str = "",
    every: list[tuple[int, int]] | None = None,
) -> Iterator[Case]:
    relative = path.relative_to(fixtures).as_posix()
    for first, last in places:
        yield Case(relative, first, last, flaws, bad=True, name=name, group=group)
    yield from _clean(path, relative, every or places, flaws, name, group)


def _clean(
    path: Path, relative: str, reported: list[tuple[int, int]], flaws: frozenset[str], name: str, group: str = ""
) -> Iterator[Case]:
    for first, last in spans(path.read_text(encoding="utf-8", errors="replace")):
        if not any(first <= end and begin <= last for begin, end in reported):
            yield Case(relative, first, last, flaws, bad=False, name=name, group=group)
