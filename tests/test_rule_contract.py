"""Every rule keeps the same contract; see contract.py."""

from __future__ import annotations

from pathlib import Path

import contract
import pytest

from backendlint.ruleset.load import builtin_folder, load_rules
from backendlint.ruleset.manifest import Rule

RULES = load_rules([builtin_folder()])
FIXTURES = contract.ROOT / "fixtures"
each_rule = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)


def fixtures_of(rule: Rule) -> Path:
    return FIXTURES / rule.pillar / rule.folder.name


@each_rule
def test_identity(rule: Rule) -> None:
    contract.check_identity(rule)


@each_rule
def test_texts(rule: Rule) -> None:
    contract.check_texts(rule)


@each_rule
def test_what_looks_at_sql_says_so(rule: Rule) -> None:
    contract.check_needs(rule)


def test_rules_yield_to_rules_that_there_are() -> None:
    known = {rule.id for rule in RULES.rules}
    assert all(known.issuperset(rule.yields_to) and rule.id not in rule.yields_to for rule in RULES.rules)


@each_rule
def test_document(rule: Rule) -> None:
    contract.check_document(rule)


@each_rule
def test_fixtures(rule: Rule, tmp_path: Path) -> None:
    contract.check_bad(rule, fixtures_of(rule))
    contract.check_good(rule, fixtures_of(rule))
    contract.check_fixes(rule, fixtures_of(rule), tmp_path)


@pytest.mark.slow
@each_rule
def test_single_files(rule: Rule) -> None:
    contract.check_single_files(rule, fixtures_of(rule))


def test_fixtures_belong_to_rules() -> None:
    folders = {rule.folder.relative_to(builtin_folder()) for rule in RULES}
    orphans = [
        path
        for pillar in FIXTURES.iterdir()
        if pillar.is_dir() and pillar.name in {rule.pillar for rule in RULES}
        for path in pillar.iterdir()
        if path.is_dir() and path.relative_to(FIXTURES) not in folders
    ]
    assert not orphans


def test_rule_folders_have_manifests() -> None:
    manifests = {rule.folder for rule in RULES}
    parts = {path.parent for name in ("check.py", "semgrep.yaml", "doc.md") for path in builtin_folder().rglob(name)}
    assert parts == manifests
