"""CONTRIBUTING's recipe, followed to the letter, gives a rule that keeps the contract."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import contract
import pytest

from backendlint.api import Project, SqlStatement, SyntaxSite
from backendlint.cli import run
from backendlint.ruleset.check import load_check
from backendlint.ruleset.load import load_rules

TEXT = (contract.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([\w./-]+)`\n(`{3,})\w+\n(.*?)^\2$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    [command] = re.findall(r"^backendlint (new-rule .*)$", TEXT, re.MULTILINE)
    assert run(shlex.split(command)) == 0, capsys.readouterr().err
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name, _, _ in FILES} == written, "the recipe fills every file that the scaffold makes"
    for name, _, text in FILES:
        (tmp_path / name).write_text(text, encoding="utf-8")
    folders = (tmp_path / "rules",)
    [rule] = load_rules(folders)
    fixtures = tmp_path / "fixtures" / rule.pillar / rule.folder.name
    contract.check_identity(rule)
    contract.check_texts(rule)
    contract.check_document(rule)
    contract.check_bad(rule, fixtures, folders)
    contract.check_good(rule, fixtures, folders)
    contract.check_fixes(rule, fixtures, tmp_path / "work", folders)


@pytest.mark.parametrize("engine", ["project", "cst", "sql", "semgrep"])
def test_a_scaffold_that_is_not_filled_in_does_not_pass(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["new-rule", "SEC", "empty", "--id", "SEC990", "--item", "S-SQLI", "--engine", engine]
    assert run([*words, "--into", str(tmp_path)]) == 0
    capsys.readouterr()
    folders = (tmp_path / "rules",)
    [rule] = load_rules(folders)
    fixtures = tmp_path / "fixtures" / rule.pillar / rule.folder.name
    contract.check_identity(rule)
    contract.check_good(rule, fixtures, folders)
    with pytest.raises(AssertionError):
        contract.check_bad(rule, fixtures, folders)
    with pytest.raises(AssertionError, match="CWE"):
        contract.check_texts(rule)


@pytest.mark.parametrize(("engine", "given"), [("project", Project), ("cst", SyntaxSite), ("sql", SqlStatement)])
def test_a_scaffolds_check_takes_what_its_engine_gives(engine: str, given: type, tmp_path: Path) -> None:
    words = ["new-rule", "SEC", f"empty-{engine}", "--id", "SEC990", "--item", "S-SQLI", "--engine", engine]
    assert run([*words, "--into", str(tmp_path)]) == 0
    [rule] = load_rules((tmp_path / "rules",))
    check = load_check(rule)
    [annotation, _] = check.__annotations__.values()
    assert check.__globals__[annotation] is given


def test_the_paths_that_it_names_exist() -> None:
    for name in re.findall(r"`((?:src|tests|docs|rules|\.ci)/[\w./-]+)`", TEXT):
        if "ops190" not in name:
            assert (contract.ROOT / name.rstrip("/")).exists(), name
