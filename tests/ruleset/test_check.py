from __future__ import annotations

from pathlib import Path

import pytest

from backendlint.errors import EngineError, RuleError
from backendlint.ruleset.check import load_check
from backendlint.ruleset.manifest import Rule


def rule(folder: Path, text: str, origin: str = "user") -> Rule:
    folder.mkdir(exist_ok=True)
    (folder / "check.py").write_text(text, encoding="utf-8")
    return Rule(
        "SEC901", "x", "security", "project", "error", "high", "default", "S", "H", (), folder=folder, origin=origin  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_check_is_loaded_once(tmp_path: Path) -> None:
    found = load_check(rule(tmp_path / "sec901_a", "def check(project):\n    yield project\n"))
    assert list(found(7)) == [7]
    assert load_check(rule(tmp_path / "sec901_a", "changed = 1\n")) is found


def test_same_folder_name_elsewhere_is_another_check(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = load_check(rule(tmp_path / "one" / "sec901_b", "def check(project):\n    yield 1\n"))
    two = load_check(rule(tmp_path / "two" / "sec901_b", "def check(project):\n    yield 2\n"))
    assert [*one(0), *two(0)] == [1, 2]


def test_a_module_beside_the_check_is_its_own(tmp_path: Path) -> None:
    for number, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        (folder / "sec901_e").mkdir(parents=True)
        (folder / "sec901_e" / "evidence.py").write_text(f"NUMBER = {number}\n", encoding="utf-8")
        text = "from .evidence import NUMBER\ndef check(project):\n    yield NUMBER\n"
        assert list(load_check(rule(folder / "sec901_e", text))(0)) == [number]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def check(:\n", "cannot be imported: SyntaxError"),
        ("import no_such_module_here\n", "cannot be imported: ModuleNotFoundError"),
        ("check = 3\n", "has no function `check`"),
    ],
)
def test_a_check_that_does_not_load(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RuleError, match=told):
        load_check(rule(tmp_path / "sec901_c", text))
    with pytest.raises(EngineError, match=told):
        load_check(rule(tmp_path / "sec901_d", text, "builtin"))
