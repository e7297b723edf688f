"""`--fix` and `--diff`: scan, mend, and scan again until nothing more can be mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backendlint.request import Outcome

ROUNDS = 10
"""Fixes that make room for further fixes are followed this often."""


@dataclass(frozen=True, slots=True)
class Fixing:
    """What the flags ask for."""

    unsafe: bool


def mend(scan: Callable[[], Outcome], fixing: Fixing) -> Outcome:
    """Apply fixes until a scan offers no more that fit; returns the last scan and tells on stderr what was done."""
    from backendlint.fix import FixPlan, plan, write

    fixed, files = 0, set[str]()
    made = FixPlan((), ())
    outcome = scan()
    for _ in range(ROUNDS):
        root = Path(outcome.report.root)
        made = plan(outcome.report.findings, root, unsafe=fixing.unsafe)
        if not made.files:
            break
        for file in made.files:
            write(file, root)
            fixed += len(file.applied)
            files.add(file.path)
        outcome = scan()
    click.echo(f"fixed {_count(fixed, 'finding')} in {_count(len(files), 'file')}", err=True)
    for finding, reason in made.refused:
        place = finding.location
        click.echo(f"not fixed: {place.path}:{place.line} {finding.rule_id}: {reason}", err=True)
    return outcome


def show(outcome: Outcome, fixing: Fixing) -> int:
    """Print what fixes would change as a diff; 1 where there is any, else 0."""
    from backendlint.fix import diff, plan

    made = plan(outcome.report.findings, Path(outcome.report.root), unsafe=fixing.unsafe)
    for file in made.files:
        click.echo(diff(file), nl=False)
    fixed = sum(len(file.applied) for file in made.files)
    click.echo(f"would fix {_count(fixed, 'finding')} in {_count(len(made.files), 'file')}", err=True)
    return 1 if made.files else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
