"""Work in a process beside ours."""

from __future__ import annotations

import os
import signal

import pytest

from backendlint.engines.beside import beside
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
