"""Seconds a stage, and word of it to whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backendlint.request import Progress


class Watch:
    """Times named stages, in order; a stage that is entered again adds to its time."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._started = time.perf_counter()
        self._progress = progress
        self.stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Callable[[int, int], None]]:
        """Time the block; the value it binds tells (done, total) within the stage."""

        def tell(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(stage, done, total)

        tell(0, 0)
        start = time.perf_counter()
        try:
            yield tell
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - start

    @property
    def seconds(self) -> float:
        """Since the watch was made."""
        return time.perf_counter() - self._started
