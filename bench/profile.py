"""Where the time of a cold scan goes, function by function (one process, so that everything is seen)."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

ROWS = 40


def profile(tree: Path) -> None:
    """Print the functions in which a cold scan spends its own time, without facts from other processes."""
    from backendlint.pipeline import scan
    from backendlint.request import Request

    request = Request(paths=(tree,), overrides={"jobs": 1}, use_cache=False)
    profiler = cProfile.Profile()
    outcome = profiler.runcall(scan, request)
    for stage, seconds in outcome.report.summary.stages.items():
        print(f"{stage:12}{seconds:8.2f} s")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(ROWS)
