"""Run a command; wall time, and the peak of what it and all its processes hold."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    seconds: float
    cpu: float
    """Seconds of all its processes together: what a busy machine cannot change."""
    megabytes: float
    """Peak of the proportional set sizes of all processes together."""
    code: int
    output: str


def measure(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, memory: bool = True
) -> Measured:
    """Run to the end; output is what it wrote to standard output.

    Looking at the memory takes a tenth of the time of a run that uses all cores: without it, the peak is 0.
    """
    start, before = time.perf_counter(), _cpu()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        sampler = _Sampler(process.pid)
        if memory:
            sampler.start()
        output, _ = process.communicate()
        seconds = time.perf_counter() - start
        if memory:
            sampler.stop()
    return Measured(seconds, _cpu() - before, sampler.peak / 1024, process.returncode, output)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Sampler(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_kilobytes, _family(self.pid))))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _kilobytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
