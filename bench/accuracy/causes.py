"""Why cases of a suite are missed: our reading of them, kept beside the bench and held against each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.accuracy.model import Case

KINDS = {
    "outside": "not what backendlint checks",
    "label": "we judge it otherwise, or the example does not run",
    "place": "reported on another line",
    "limit": "a gap that is left",
    "advice": "reported in strict or audit",
}
UNREAD = "not read yet"


class Cause(NamedTuple):
    """A reason, and the cases that it explains: `rule`, `rule:lines`, `rule@file:lines`."""

    kind: str
    text: str
    cases: frozenset[str]

    def explains(self, case: Case) -> bool:
        """Whether the case is one of those."""
        name = case.name or case.counted
        file = case.path.rpartition("/")[2]
        for entry in self.cases:
            head, _, lines = entry.partition(":")
            rule, _, where = head.partition("@")
            numbers = {int(line) for line in lines.split(",") if line}
            at = not numbers or not numbers.isdisjoint(range(case.first, case.last + 1))
            if rule == name and (not where or where == file) and at:
                return True
        return False


def load(suite: str) -> list[Cause]:
    """What is known of a suite's cases."""
    text = (Path(__file__).parent / "causes.yaml").read_text(encoding="utf-8")
    return [
        Cause(entry["kind"], entry["cause"], frozenset(entry["cases"])) for entry in yaml.safe_load(text).get(suite, [])
    ]


def counted(
    causes: Collection[Cause], missed: Iterable[Case], all_missed: Collection[Case]
) -> Counter[tuple[str, str]]:
    """Misses by kind and cause; `all_missed` are those of the widest profile, the others are advice."""
    found: Counter[tuple[str, str]] = Counter()
    for case in missed:
        advice = case not in all_missed
        fitting = (item for item in causes if (item.kind == "advice") is advice and item.explains(case))
        cause = next(fitting, None)
        found[(cause.kind, cause.text) if cause is not None else ("", UNREAD)] += 1
    return found


def lines(found: Counter[tuple[str, str]]) -> list[str]:
    """One line a cause, the kinds one after the other."""
    order = [*KINDS, ""]
    rows = sorted(found.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    return [f"{count:>5}  {kind:<8} {text}" for (kind, text), count in rows]
