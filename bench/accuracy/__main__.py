"""`python -m bench.accuracy SUITE PATH`: recall and precision per CWE, or per rule of the suite; see --help."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.accuracy import causes
from bench.accuracy.model import Case, Score, score
from bench.accuracy.ours import scan, scan_copy
from bench.accuracy.suites import SUITES


def main() -> int:
    """Print a table, and with --verbose every miss and false alarm."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("path", type=Path, help="a checkout of the suite")
    parser.add_argument("--profile", choices=["default", "strict", "audit"], default="audit")
    parser.add_argument("--verbose", action="store_true", help="list every miss and every false alarm")
    parser.add_argument("--causes", action="store_true", help="count the misses by cause, as far as they were read")
    given = parser.parse_args()
    root = given.path.resolve()
    suite = SUITES[given.suite]
    cases = list(suite.cases(root))
    scanned = scan_copy if suite.apart else scan
    found, ours = scanned(suite.folder(root), suite.select, given.profile)
    result = score(cases, found, ours)
    table(result)
    outside = sum(not case.flaws & ours for case in cases)
    print(f"{len(cases)} cases, {outside} of flaws that no rule is for; profile {given.profile}")
    for code, reason in suite.without.items():
        print(f"without a counterpart: {code}, {reason}")
    if given.causes:
        widest = (
            result if given.profile == "audit" else score(cases, *scanned(suite.folder(root), suite.select, "audit"))
        )
        print("misses by cause:")
        print(*causes.lines(causes.counted(causes.load(given.suite), result.missed, set(widest.missed))), sep="\n")
    if given.verbose:
        listed("missed", result.missed)
        listed("false alarm", result.alarms)
    return 0


def table(result: Score) -> None:
    """Recall and precision per group, the sum last; precision only where the suite has clean cases."""
    print(f"{'flaw':>8} {'bad':>6} {'found':>6} {'recall':>7} {'clean':>6} {'alarms':>6} {'precision':>9}")
    totals = [0, 0, 0, 0]
    for group, counts in sorted(result.counts.items(), key=lambda item: (len(item[0]), item[0])):
        row = [counts["hit"] + counts["missed"], counts["hit"], counts["quiet"] + counts["alarm"], counts["alarm"]]
        totals = [left + right for left, right in zip(totals, row, strict=True)]
        print(line(group, row))
    print(line("all", totals))


def line(name: str, row: list[int]) -> str:
    bad, hit, clean, alarms = row
    recall = f"{hit / bad:.2f}" if bad else "-"
    precision = f"{hit / (hit + alarms):.2f}" if clean and hit + alarms else "-"
    return f"{name:>8} {bad:>6} {hit:>6} {recall:>7} {clean:>6} {alarms:>6} {precision:>9}"


def listed(what: str, cases: list[Case]) -> None:
    for case in cases:
        print(f"{what}: {case.path}:{case.first} {case.counted} {case.name}")


if __name__ == "__main__":
    sys.exit(main())
