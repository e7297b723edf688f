"""What the README shows and names is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import contract
import pytest
import yaml

from backendlint.cli import run
from backendlint.config import load
from backendlint.report import FORMATS, RenderOptions, render
from backendlint.ruleset.load import builtin_folder, load_rules

TEXT = (contract.ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def block(language: str, *, holding: str = "") -> str:
    [found] = [text for name, text in BLOCKS if name == language and holding in text]
    return found


def test_the_finding_is_one_of_the_first_commands() -> None:
    shop = contract.ROOT / "fixtures" / "shop"
    report = contract.scan_sample(shop, profile="default").report
    shown = render("text", report, options=RenderOptions(sources=lambda path: (shop / path).read_text()))
    assert block("").strip() in shown


def test_the_commands_exist(capsys: pytest.CaptureFixture[str]) -> None:
    console = "\n".join(text for name, text in BLOCKS if name == "console")
    for line in re.findall(r"^(?:.*/)?backendlint (.*)$", console, re.MULTILINE):
        words = line.partition("#")[0].split()
        assert run([words[0], "--help"]) == 0
        usage = capsys.readouterr().out
        flags = [word for word in words[1:] if word.startswith("--")]
        assert all(flag in usage for flag in flags), line


def test_the_flags_in_the_text_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "--help"]) == 0
    usage = capsys.readouterr().out
    assert all(flag in usage for flag in re.findall(r"`(--[a-z-]+)", TEXT))


def test_the_formats_are_all_there() -> None:
    [listed] = re.findall(r"^`--format` takes (.*), several", TEXT, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(FORMATS)


def test_the_rules_it_names_exist() -> None:
    known = load_rules([builtin_folder()])
    named = set(re.findall(r"\b(?:REL|SEC|PERF|API|OPS)\d{3}\b", TEXT)) | {"select-star"}
    assert not [key for key in named if known.find(key) is None]


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    text = block("toml")
    (tmp_path / "backendlint.toml").write_text(text, encoding="utf-8")
    assert load([tmp_path]).config.ignore == tuple(tomllib.loads(text)["ignore"])


def test_the_hook_exists() -> None:
    hooks = yaml.safe_load((contract.ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    stanza = yaml.safe_load(block("yaml", holding="hooks:"))
    used = {hook["id"] for repo in stanza["repos"] for hook in repo["hooks"]}
    assert used <= {hook["id"] for hook in hooks}


def test_the_actions_inputs_exist() -> None:
    action = yaml.safe_load((contract.ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = yaml.safe_load(block("yaml", holding="steps:"))["steps"]
    assert set(steps[-1]["with"]) <= set(action["inputs"])
