"""`backendlint new-rule`: a rule's folders, ready to be filled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from backendlint.cli.packs import load_packs
from backendlint.ruleset.manifest import Engine

if TYPE_CHECKING:
    from backendlint.ruleset.checklist import Item


@click.command()
@click.argument("topic")
@click.argument("name")
@click.option("--id", "rule_id", help="Its id; the pillar's next free number otherwise.")
@click.option("--engine", type=click.Choice(get_args(Engine)), default="project", show_default=True)
@click.option("--item", help="The checklist item that it answers (see `backendlint checklist`).")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder in which rules/ and fixtures/ lie; the working directory otherwise.",
)
def command(topic: str, name: str, rule_id: str | None, engine: Engine, item: str | None, into: Path) -> None:
    """Scaffold a rule.

    NAME is in kebab-case, TOPIC a pillar or its prefix (`security` or `SEC`). CONTRIBUTING.md goes through the rest.
    """
    from backendlint.errors import UsageError
    from backendlint.ruleset.checklist import load_checklist
    from backendlint.ruleset.load import check_identity
    from backendlint.ruleset.scaffold import NewRule, next_id, pillar_of, write

    pillar = pillar_of(topic)
    ruleset = load_packs()
    items = load_checklist()
    known = {rule.id for rule in ruleset}
    taken_ids = known | {planned for entry in items for planned in entry.rules}
    chosen = (rule_id or _planned(items, item, known) or next_id(pillar, taken_ids)).upper()
    check_identity(chosen, name, "new-rule")
    for key in (chosen, name):
        if (taken := ruleset.find(key)) is not None:
            raise UsageError(f"new-rule: `{key}` is already the rule in {taken.folder}")
    listed = next((entry.id for entry in items if chosen in entry.rules), None)
    answers = item or listed or next(entry.id for entry in items if entry.pillar == pillar)
    if answers not in {entry.id for entry in items}:
        from backendlint.ruleset.nearest import did_you_mean

        hint = did_you_mean(answers, [entry.id for entry in items]) or "; `backendlint checklist` lists them"
        raise UsageError(f"new-rule: --item: no item `{answers}` in the checklist{hint}")
    rule = NewRule(chosen, name, pillar, engine, answers)
    for path in write(rule, into / "rules", into / "fixtures"):
        click.echo(f"wrote {path}")
    if not (item or listed):
        click.echo(f"\nIt is put under {answers}; change `checklist` in rule.yaml where another item fits better.")
    click.echo(
        f"\nNext: fill them, list {chosen} under {answers} in rules/checklist.yaml, and run\n"
        f"  python -m pytest tests/test_rule_contract.py -k {chosen}"
    )


def _planned(items: tuple[Item, ...], item: str | None, known: set[str]) -> str | None:
    """The id that the checklist reserves, where just one of the item's rules is still missing."""
    free = [rule for entry in items if entry.id == item for rule in entry.planned(known)]
    return free[0] if len(free) == 1 else None
