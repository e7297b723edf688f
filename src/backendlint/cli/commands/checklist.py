"""`backendlint checklist`: which of the reviewers' questions are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from backendlint.cli.packs import load_packs

if TYPE_CHECKING:
    from backendlint.ruleset.checklist import Item, State

_MARKS: dict[State, str] = {"answered": "+", "partly": "~", "planned": "-", "runtime": "o"}


@click.command()
@click.option("--format", "fmt", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(fmt: str) -> None:
    """Print what reviewers ask and what answers it.

    For every item of the checklist: the rules and views that there are, the rules that are planned, and what only the
    running system can tell.
    """
    from backendlint.ruleset.checklist import load_checklist

    known = {rule.id for rule in load_packs()}
    items = load_checklist()
    click.echo(_json(items, known) if fmt == "json" else _text(items, known))


def _json(items: tuple[Item, ...], known: set[str]) -> str:
    import json
    from dataclasses import asdict

    rows = [{**asdict(item), "state": item.state(known), "planned": item.planned(known)} for item in items]
    return json.dumps(rows, indent=2)


def _text(items: tuple[Item, ...], known: set[str]) -> str:
    from collections import Counter

    lines: list[str] = []
    pillar = ""
    for item in items:
        if item.pillar != pillar:
            pillar = item.pillar
            lines += ["", pillar.capitalize()] if lines else [pillar.capitalize()]
        state = item.state(known)
        lines.append(f"  {_MARKS[state]} {item.id:<20}{item.question}")
        working = [rule for rule in item.rules if rule in known]
        parts = [("rules", working), ("planned", item.planned(known)), ("views", item.views)]
        told = [f"{name} {', '.join(values)}" for name, values in parts if values]
        if item.runtime:
            told.append(f"runtime: {item.runtime}")
        lines.append(f"{'':24}{'; '.join(told)}")
    counts = Counter(item.state(known) for item in items)
    told = [f"{counts[state]} {state} ({mark})" for state, mark in _MARKS.items()]
    lines += ["", f"{len(items)} items: {', '.join(told)}"]
    return "\n".join(lines)
