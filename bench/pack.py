"""What the rules on SQL, schema and migrations cost: cold scans and runs without a change, with and without them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backendlint.ruleset.load import builtin_folder, load_rules
from bench.measure import Measured, measure

COLD_SHARE = 0.30
NO_CHANGE_SHARE = 0.05
"""What two equal runs may differ by."""


def rules_of_pack() -> list[str]:
    """Rules that ask for SQL statements, or for what is known of the database."""
    return [rule.id for rule in load_rules([builtin_folder()]) if rule.engine == "sql" or "sql" in rule.needs]


def pack(tree: Path, rounds: int) -> bool:
    """Print CPU seconds of both kinds of run, best of so many rounds that take turns; True where the bounds hold."""
    ids = rules_of_pack()
    print(f"{len(ids)} rules: {', '.join(ids)}")
    with tempfile.TemporaryDirectory(prefix="backendlint-bench-") as name:
        kinds = {"with": _runs(tree, Path(name) / "with", []), "without": _runs(tree, Path(name) / "without", ids)}
        best: dict[tuple[str, str], Measured] = {}
        for _ in range(rounds):
            for what in ("cold", "no change"):
                for kind, runs in kinds.items():
                    result = runs[what]()
                    key = (what, kind)
                    if key not in best or result.cpu < best[key].cpu:
                        best[key] = result
    met = True
    print(f"{'':12}{'without, CPU s':>16}{'with, CPU s':>14}{'the pack adds':>15}")
    for what, bound in (("cold", COLD_SHARE), ("no change", NO_CHANGE_SHARE)):
        without, with_ = best[what, "without"], best[what, "with"]
        share = with_.cpu / without.cpu - 1
        failed = any(run.code not in (0, 1) for run in (without, with_))
        met &= share <= bound and not failed
        said = "a run failed" if failed else "met" if share <= bound else "MISSED"
        print(f"{what:12}{without.cpu:16.2f}{with_.cpu:14.2f}{share:15.1%}  {said} (at most {bound:.0%})")
    return met


def _runs(tree: Path, cache: Path, ignored: list[str]) -> dict[str, Callable[[], Measured]]:
    command = [sys.executable, "-m", "backendlint", "scan", "--format", "json", "--cache-dir", str(cache)]
    command += ["--ignore", ",".join(ignored)] if ignored else []

    def cold() -> Measured:
        shutil.rmtree(cache, ignore_errors=True)
        return measure([*command, str(tree)], cwd=tree)

    return {"cold": cold, "no change": lambda: measure([*command, str(tree)], cwd=tree)}
