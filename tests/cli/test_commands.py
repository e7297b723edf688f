from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backendlint import __version__
from backendlint.cli import commands, run
from backendlint.ruleset.checklist import load_checklist
from backendlint.ruleset.load import builtin_folder, load_rules

RULES = load_rules([builtin_folder()])


def names() -> list[str]:
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))


def test_every_module_is_a_command_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in names():
        assert f"\n  {name} " in overview
        assert run([name, "--help"]) == 0
        assert "Usage: backendlint " in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("args", [["--version"], ["--help"]])
def test_starting_up_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; from backendlint.cli import run; code = run(sys.argv[1:]);"
        "heavy = {'libcst', 'sqlglot', 'rich', 'yaml', 'msgspec', 'asyncio', 'sqlite3'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["checklits"], "no command `checklits`; did you mean `checklist`?"),
        (["scan", "--no-such-flag"], "no such option"),
        (["explain", "no-such-rule-at-all"], "no rule `no-such-rule-at-all`"),
        (["explain", "performance"], "`backendlint rules performance` lists them"),
        (["rules", "nonsense"], "no rule, pillar or prefix `nonsense`"),
        (["new-rule", "secruity", "x"], "did you mean `security`?"),
        (["new-rule", "SEC", "Not A Name", "--item", "S-SQLI"], "is no rule name"),
        (["new-rule", "SEC", "fresh-rule", "--item", "S-SQL"], "did you mean `S-SQLI`?"),
    ],
)
def test_mistakes_end_with_a_message_and_code_2(
    args: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(args) == 2
    assert not list(tmp_path.iterdir())
    captured = capsys.readouterr()
    assert told.casefold() in captured.err.casefold()
    assert "Traceback" not in captured.err
    assert not captured.out


def test_our_own_failure_is_code_3_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("backendlint.ruleset.load.load_rules", broken)
    assert run(["rules"]) == 3
    told = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: oops" in told
    assert "Traceback" not in told
    monkeypatch.setenv("BACKENDLINT_TRACEBACK", "1")
    assert run(["rules"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_rules_as_json_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [rule.id for rule in RULES]
    wanted = {"id", "name", "pillar", "severity", "confidence", "engine", "cwe", "profile", "fix"}
    assert all(wanted <= set(row) for row in rows)
    assert run(["rules"]) == 0
    text = capsys.readouterr().out
    assert all(rule.id in text and rule.name in text for rule in RULES)


def test_rules_can_be_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "security", "--profile", "default", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    expected = [rule.id for rule in RULES if rule.pillar == "security" and rule.profile == "default"]
    assert [row["id"] for row in rows] == expected


def test_explain_has_the_document_and_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    rule = next(iter(RULES))
    assert run(["explain", rule.id]) == 0
    by_id = capsys.readouterr().out
    assert run(["explain", rule.name]) == 0
    assert capsys.readouterr().out == by_id
    asks = {item.id: item.asks for item in load_checklist()}
    for part in (rule.name, "## Why it matters", "## Bad", "## Good", rule.help, str(rule.folder)):
        assert part in by_id
    assert all(asks[item] in by_id for item in rule.checklist)


def test_init_writes_a_configuration_that_can_be_read_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path)]) == 0
    text = (tmp_path / "backendlint.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {}
    assert "# profile = " in text
    hooks = tmp_path / ".pre-commit-config.yaml"
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", str(hooks)], check=True)
    assert "id: backendlint" in hooks.read_text(encoding="utf-8")
    assert run(["init", str(tmp_path)]) == 2
    assert run(["init", str(tmp_path), "--force"]) == 0
    capsys.readouterr()


def test_init_leaves_an_existing_pre_commit_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = tmp_path / ".pre-commit-config.yaml"
    hooks.write_text("repos: []\n", encoding="utf-8")
    assert run(["init", str(tmp_path)]) == 0
    assert hooks.read_text(encoding="utf-8") == "repos: []\n"
    assert "id: backendlint" in capsys.readouterr().out


def test_new_rule_writes_a_rule_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, engine in enumerate(("project", "cst", "sql", "semgrep"), 901):
        args = ["new-rule", "SEC", f"my-{engine}", "--engine", engine, "--item", "S-SQLI", "--into", str(tmp_path)]
        assert run([*args, "--id", f"SEC{number}"]) == 0
    loaded = load_rules([tmp_path / "rules"])
    assert {rule.engine for rule in loaded} == {"project", "cst", "sql", "semgrep"}
    assert all((rule.folder / "doc.md").is_file() for rule in loaded)
    assert len(list((tmp_path / "fixtures" / "security").glob("*/bad/*.py"))) == 4
    assert "Next:" in capsys.readouterr().out


def test_new_rule_needs_only_topic_and_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new-rule", "security", "fresh-rule"]) == 0
    assert "put under S-SQLI" in capsys.readouterr().out
    [rule] = load_rules([tmp_path / "rules"])
    planned = {planned for item in load_checklist() for planned in item.rules}
    assert rule.id.startswith("SEC")
    assert rule.id not in planned | {known.id for known in RULES}


def test_new_rule_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["new-rule", "SEC", "mine", "--item", "S-SQLI", "--id", "SEC900", "--into", str(tmp_path)]
    assert run(args) == 0
    assert run(args) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_schema_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config-schema"]) == 0
    assert "fail-on" in capsys.readouterr().out


def test_cache_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "clear", str(tmp_path)]) == 0
    assert "there is no cache" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_BACKENDLINT_COMPLETE" in capsys.readouterr().out


def test_completion_completes_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_BACKENDLINT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "backendlint ru")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run([]) == 0
    assert "plain,rules" in capsys.readouterr().out
