"""rules/checklist.yaml, the packs and the views hold together."""

from __future__ import annotations

import json

import pytest

from backendlint.cli import run
from backendlint.findings.model import PILLARS
from backendlint.ruleset.checklist import Item, load_checklist
from backendlint.ruleset.load import builtin_folder, load_rules

ITEMS = load_checklist()
RULES = load_rules([builtin_folder()])


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_each_item_is_answered_somehow(item: Item) -> None:
    assert item.asks
    assert item.question.endswith("?")
    assert item.rules or item.views or item.runtime
    assert not item.runtime or item.runtime.endswith(".")
    assert item.rules or item.evidence or item.views, "a runtime item names its nearest evidence"


def test_ids_are_unique_and_pillars_in_rank_order() -> None:
    assert len({item.id for item in ITEMS}) == len(ITEMS)
    ranks = [PILLARS.index(item.pillar) for item in ITEMS]
    assert ranks == sorted(ranks)


def test_a_rule_is_listed_by_the_items_that_it_names_and_by_no_other() -> None:
    known = {rule.id for rule in RULES}
    listed = {(rule, item.id) for item in ITEMS for rule in item.rules if rule in known}
    evidence = {(rule, item.id) for item in ITEMS for rule in item.evidence}
    named = {(rule.id, item) for rule in RULES for item in rule.checklist}
    assert listed <= named
    assert named <= listed | evidence


def test_the_command_computes_what_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checklist", "--format", "json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [item.id for item in ITEMS]
    known = {rule.id for rule in RULES}
    for item in ITEMS:
        assert set(rows[item.id]["planned"]) == set(item.rules) - known
        assert (rows[item.id]["state"] == "answered") == (bool(item.rules) and set(item.rules) <= known)
    assert run(["checklist"]) == 0
    text = capsys.readouterr().out
    assert all(item.question in text for item in ITEMS)
