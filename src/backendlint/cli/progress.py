"""What a scan is doing, on a terminal's stderr, once it has lasted a second."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 1.0
"""Seconds before anything is shown."""


class Progress:
    """A context manager; call it with a stage's name and how much of it is done. Silent unless stderr is a terminal."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._stage = "starting"
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __call__(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            self._stage = stage = f"{stage} {done}/{total}" if total else stage
            if self._status is not None:
                self._status.update(stage)

    def __enter__(self) -> Self:
        if self._enabled:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._enabled = False
            if self._status is not None:
                self._status.stop()

    def _show(self) -> None:
        from rich.console import Console

        with self._lock:
            if self._enabled:
                self._status = Console(stderr=True).status(self._stage)
                self._status.start()
