"""Ours against the peers on Django's package, all in one run: the ratios are what counts."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import Measured, measure

ROOT = Path(__file__).parents[1]
OURS = [sys.executable, "-m", "backendlint"]
PEAK_MEGABYTES = 500
COLD_TO_BANDIT = 0.5
NO_CHANGE_SECONDS = 0.6
EDITED_SECONDS = 2.0
VERSION_SECONDS = 0.15


def speed(tree: Path, rounds: int) -> bool:
    """Print the table; True where every target of ours is met. A first round tells the memory, the others the times."""
    with tempfile.TemporaryDirectory(prefix="backendlint-bench-") as name:
        cache = Path(name) / "cache"
        peaks = {label: run().megabytes for label, run in _runs(tree, cache, Path(name), measure).items()}
        runs = _runs(tree, cache, Path(name), partial(measure, memory=False))
        best: dict[str, Measured] = {}
        for _ in range(rounds):
            for label, run in runs.items():
                result = replace(run(), megabytes=peaks[label])
                if label not in best or result.seconds < best[label].seconds:
                    best[label] = result
    _print_table(best)
    _print_stages(best["ours, cold"])
    _print_failures(best)
    return _print_targets(best)


def _runs(tree: Path, cache: Path, work: Path, measure: Callable[..., Measured]) -> dict[str, Callable[[], Measured]]:
    ours = [*OURS, "scan", "--format", "json", "--cache-dir", str(cache)]
    scan = [*ours, str(tree)]
    edited = tree / "shortcuts.py"

    def cold() -> Measured:
        shutil.rmtree(cache, ignore_errors=True)
        return measure(scan, cwd=tree)

    def after_edit(reviewed: Path) -> Measured:
        with _edited(edited):
            return measure([*ours, str(reviewed)], cwd=tree)

    runs: dict[str, Callable[[], Measured]] = {
        "ours, cold": cold,
        "ours, no change": lambda: measure(scan, cwd=tree),
        "ours, one file edited": lambda: after_edit(tree),
        "ours, that file alone": lambda: after_edit(edited),
        "ours, --version": lambda: measure([*OURS, "--version"], cwd=tree),
        "bandit": lambda: measure([_tool("bandit"), "-q", "-r", "-f", "json", str(tree)], cwd=tree),
        "ruff, S rules": lambda: measure(
            [_tool("ruff"), "check", "--isolated", "--no-cache", "--select", "S", "--quiet", str(tree)], cwd=tree
        ),
    }
    pack = _semgrep_pack(work)
    if pack is not None:
        command = [_tool("semgrep"), "scan", "--config", str(pack), "--metrics", "off", "--disable-version-check"]
        runs["semgrep, our pack alone"] = lambda: measure([*command, "--quiet", "--json", str(tree)], cwd=tree)
    return runs


def _tool(name: str) -> str:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def _semgrep_pack(work: Path) -> Path | None:
    """Our own semgrep rules as one file; None where there are none."""
    import yaml

    entries: list[Any] = []
    for path in sorted((ROOT / "rules").rglob("semgrep.yaml")):
        entries += yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]
    if not entries:
        return None
    pack = work / "pack.yaml"
    pack.write_text(json.dumps({"rules": entries}), encoding="utf-8")
    return pack


@contextmanager
def _edited(path: Path) -> Any:
    """The file with one more function, as after a developer's edit."""
    before = path.read_bytes()
    path.write_bytes(before + b"\n\ndef added_by_the_benchmark():\n    return None\n")
    try:
        yield
    finally:
        path.write_bytes(before)


def _print_table(best: dict[str, Measured]) -> None:
    base = best["bandit"].seconds
    print(f"{'':26}{'seconds':>9}{'x bandit':>10}{'CPU s':>8}{'peak MB':>9}")
    for label, result in best.items():
        print(f"{label:26}{result.seconds:9.2f}{result.seconds / base:10.3f}{result.cpu:8.2f}{result.megabytes:9.0f}")


def _print_stages(cold: Measured) -> None:
    with suppress(ValueError, KeyError):
        summary = json.loads(cold.output)["summary"]
        lines = summary["lines"]
        print(f"\ncold, {summary['files']} files, {lines:,} lines; wall-clock seconds and lines/s per stage:")
        for stage, seconds in summary["stages"].items():
            rate = f"{lines / seconds:12,.0f}" if seconds > 0 else f"{'-':>12}"
            print(f"  {stage:12}{seconds:8.2f}{rate}")


def _print_failures(best: dict[str, Measured]) -> None:
    """What our runs say went wrong: a time that was measured without a part of the work is worth nothing."""
    for label, run in best.items():
        if label.startswith("ours") and run.code not in (0, 1):
            print(f"\n{label} left with {run.code}:")
            with suppress(ValueError, KeyError):
                for item in json.loads(run.output)["notifications"]:
                    if item["level"] == "error":
                        print(f"  {item['kind']}: {item['message']}")


def _print_targets(best: dict[str, Measured]) -> bool:
    cold = best["ours, cold"]
    checks = {
        f"cold <= {COLD_TO_BANDIT} x bandit": cold.seconds <= COLD_TO_BANDIT * best["bandit"].seconds,
        f"no change <= {NO_CHANGE_SECONDS} s": best["ours, no change"].seconds <= NO_CHANGE_SECONDS,
        f"one file edited <= {EDITED_SECONDS} s": best["ours, one file edited"].seconds <= EDITED_SECONDS,
        f"that file alone <= {EDITED_SECONDS} s": best["ours, that file alone"].seconds <= EDITED_SECONDS,
        f"--version <= {VERSION_SECONDS} s": best["ours, --version"].seconds <= VERSION_SECONDS,
        f"peak memory <= {PEAK_MEGABYTES} MB": cold.megabytes <= PEAK_MEGABYTES,
        "no run of ours failed": all(run.code in (0, 1) for label, run in best.items() if label.startswith("ours")),
    }
    print()
    for name, met in checks.items():
        print(f"{'met   ' if met else 'MISSED'} {name}")
    return all(checks.values())
