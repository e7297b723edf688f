"""Work in a process beside ours."""

from __future__ import annotations

import os
import signal

import pytest

from backendlint.engines.beside import Shares, beside
from backendlint.errors import EngineError


def test_result_comes_from_another_process() -> None:
    wait = beside(lambda: (os.getpid(), "x" * 1_000_000))
    process, text = wait()
    assert process != os.getpid()
    assert len(text) == 1_000_000


def test_failure_is_told() -> None:
    def fail() -> None:
        raise KeyError("oops")

    with pytest.raises(EngineError, match="KeyError: 'oops'"):
        beside(fail)()


def test_process_that_is_killed_is_told() -> None:
    with pytest.raises(EngineError, match="ended without a result"):
        beside(lambda: os.kill(os.getpid(), signal.SIGKILL))()


def test_result_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(EngineError):
        beside(lambda: lambda: None)()


def test_processes_share_items_without_taking_one_twice() -> None:
    groups = [[f"a{number}" for number in range(300)], [f"b{number}" for number in range(300)]]
    shares = Shares(groups)
    wait = beside(lambda: list(shares.take(1)))
    here = list(shares.take(0))
    there = wait()
    assert sorted([*here, *there]) == sorted([*groups[0], *groups[1]])
    assert shares.taken == here


def test_who_is_alone_takes_the_own_items_first_and_then_the_others() -> None:
    assert list(Shares([["a", "b"], [], ["c"]]).take(2)) == ["c", "a", "b"]
