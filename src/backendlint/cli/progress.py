"""What a scan is doing, on a terminal's stderr, once it has lasted a second.

Drawn when there is something new to say, without a thread: processes that fork are quick to start only without threads.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

PATIENCE = 1.0
"""Seconds before anything is shown."""
INTERVAL = 0.1
"""Seconds between two drawings."""
CLEAR = "\r\x1b[2K"


class Progress:
    """A context manager; call it with a stage's name and how much of it is done. Silent unless stderr is a terminal."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._next = time.monotonic() + PATIENCE
        self._shown = False

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._enabled or now < self._next:
            return
        self._next = now + INTERVAL
        self._draw(f"{stage} {done}/{total} ..." if total else f"{stage} ...")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enabled = False
        if self._shown:
            self._draw("")

    def _draw(self, text: str) -> None:
        self._shown = bool(text)
        sys.stderr.write(CLEAR + text)
        sys.stderr.flush()
