"""What a suite expects, and how it is held against what we report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """A place where a suite says that there is (or is not) a flaw of one of these CWEs.

    Lines are 1-based and inclusive; 0 means the whole file.
    """

    path: str
    first: int
    last: int
    flaws: frozenset[str]
    """CWEs (`CWE-89`), or ids of our rules where the suite's own have no CWE."""
    bad: bool
    name: str = ""
    group: str = ""
    """Under what it is counted; the lowest CWE, where that is not said."""

    @property
    def counted(self) -> str:
        return self.group or min(self.flaws, key=lambda flaw: (len(flaw), flaw))


@dataclass(frozen=True, slots=True)
class Found:
    """A result of ours."""

    path: str
    first: int
    last: int
    flaws: frozenset[str]
    """Its rule's id and CWEs."""
    also: frozenset[int] = frozenset()
    """Lines of the same file that the flow names: some suites mark where the data enters."""


@dataclass(slots=True)
class Score:
    """Counts by group: `hit` and `missed` of the bad cases, `alarm` and `quiet` of the good ones."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    missed: list[Case] = field(default_factory=list)
    alarms: list[Case] = field(default_factory=list)

    def add(self, case: Case, reported: bool) -> None:
        """Count a case."""
        kind = ("hit" if reported else "missed") if case.bad else ("alarm" if reported else "quiet")
        self.counts[case.counted][kind] += 1
        if kind == "missed":
            self.missed.append(case)
        elif kind == "alarm":
            self.alarms.append(case)


def score(cases: Iterable[Case], found: Iterable[Found], ours: frozenset[str]) -> Score:
    """Hold results against cases; cases of flaws for which no rule of ours exists are left out."""
    by_path: dict[str, list[Found]] = defaultdict(list)
    for item in found:
        by_path[item.path].append(item)
    result = Score()
    for case in cases:
        if case.flaws & ours:
            result.add(case, any(_matches(case, item) for item in by_path[case.path]))
    return result


def _matches(case: Case, item: Found) -> bool:
    if not case.flaws & item.flaws:
        return False
    if case.first == 0 or (item.first <= case.last and item.last >= case.first):
        return True
    return case.bad and any(case.first <= line <= case.last for line in item.also)
