"""Loops over a handful."""

from __future__ import annotations

import pytest
from building import build

from backendlint.project.loops.loops import few


@pytest.mark.parametrize(
    ("iterated", "expected"),
    [("NAMES[:-1]", True), ("NAMES[1:]", True), ("rows[:3]", True), ("rows[1:]", False), ("rows[:-1]", False)],
)
def test_a_part_of_few_is_few(iterated: str, expected: bool) -> None:
    project = build(main=f'NAMES = ("tolls", "ships", "berths")\ndef each(rows):\n    return {iterated}\n')
    each = project.functions["main.each"]
    assert few(project, each, each.facts.returns[0].value) is expected
