"""Caches of methods: what a bound says of them."""

from __future__ import annotations

import pytest
from building import build


@pytest.mark.parametrize(
    ("bound", "problem", "size"),
    [
        ("maxsize=1", "shared", 1),
        ("maxsize=4", "shared", 4),
        ("maxsize=500", "method", 0),
        ("maxsize=None", "method", 0),
    ],
)
def test_a_small_cache_of_a_method_is_shared(bound: str, problem: str, size: int) -> None:
    project = build(
        main=f"from functools import lru_cache\nclass Line:\n    @lru_cache({bound})\n    def stops(self):\n        return 1\n"
    )
    assert [(use.problem, use.size) for use in project.caches.problems()] == [(problem, size)]
