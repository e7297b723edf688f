"""The peers' rules on migrations are answered as bench/accuracy says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.accuracy.migrations import Case, answers, cases


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in cases() if case.ours], ids=lambda case: case.rule)
def test_ours_answers(case: Case, tmp_path: Path) -> None:
    assert set(case.ours) <= answers(case, tmp_path)


def test_what_is_not_answered_has_a_reason() -> None:
    assert [case.rule for case in cases() if not case.ours and not case.reason] == []
