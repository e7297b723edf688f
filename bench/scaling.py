"""Linear in practice: 500,000 lines in at most 3.5 times the time of 150,000, within 1.5 GB."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from bench.measure import Measured, measure

TIMES = 3.5
MEGABYTES = 1500


def scaling(small: Path, large: Path) -> bool:
    """Print both trees' figures; True where the targets are met (for the ratio of lines that there is)."""
    results = []
    for tree in (small, large):
        result = _cold(tree)
        summary = json.loads(result.output)["summary"]
        results.append((result, summary))
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary["stages"].items())
        print(f"{summary['lines']:>9,} lines {result.seconds:7.1f} s {result.megabytes:6.0f} MB  ({stages})")
    (first, before), (second, after) = results
    wanted = TIMES * (after["lines"] / before["lines"]) / (500_000 / 160_000)
    times = second.seconds / first.seconds
    met = times <= wanted and second.megabytes <= MEGABYTES
    print(f"{times:.2f} x the time for {after['lines'] / before['lines']:.2f} x the lines (allowed: {wanted:.2f})")
    print("met" if met else "MISSED")
    return met


def _cold(tree: Path) -> Measured:
    with tempfile.TemporaryDirectory(prefix="backendlint-bench-") as cache:
        command = [sys.executable, "-m", "backendlint", "scan", "--format", "json", "--cache-dir", cache, str(tree)]
        return measure(command, cwd=tree)
