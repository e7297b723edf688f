"""What is done everywhere is told once."""

from __future__ import annotations

from backendlint.findings.model import Hit, Location
from backendlint.findings.once import FEW, told_once


def _hits(count: int) -> list[Hit]:
    return [Hit(f"hit {line}", Location("shop.py", line, 1, line, 9)) for line in range(count, 0, -1)]


def test_a_few_are_told_one_by_one() -> None:
    assert list(told_once(_hits(FEW), lambda hit, others: "never")) == _hits(FEW)[::-1]


def test_of_more_the_first_says_how_many_there_are() -> None:
    first, *others = told_once(_hits(FEW + 1), lambda hit, others: f"{hit.message}, {others}")

    assert (first.message, first.profile, first.severity) == ("hit 1, 4 more places", None, "note")
    assert [(hit.message, hit.profile) for hit in others] == [(f"hit {line}", "strict") for line in range(2, FEW + 2)]
