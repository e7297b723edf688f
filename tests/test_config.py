"""The configuration file: where it is found, what it may say, and how a mistake is reported."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from backendlint import config
from backendlint.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_pyproject_table_above_the_path_sets_the_root(tmp_path: Path) -> None:
    source = write(tmp_path / "pyproject.toml", '[tool.backendlint]\nfail-on = "error"\njobs = 3\n')
    folder = tmp_path / "src" / "app"
    folder.mkdir(parents=True)
    settings = config.load([folder])
    assert (settings.root, settings.source) == (tmp_path, source)
    assert (settings.config.fail_on, settings.config.jobs) == ("error", 3)


def test_pyproject_without_the_table_is_passed_by(tmp_path: Path) -> None:
    write(tmp_path / "backendlint.toml", 'profile = "audit"\n')
    write(tmp_path / "app" / "pyproject.toml", '[project]\nname = "app"\n')
    settings = config.load([tmp_path / "app"])
    assert settings.root == tmp_path
    assert settings.config.profile == "audit"


def test_without_a_file_the_git_work_tree_is_the_root(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert config.load([tmp_path / "a" / "b"]).root == tmp_path


def test_root_holds_every_path(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write(tmp_path / "a" / "backendlint.toml", "jobs = 1\n")
    settings = config.load([tmp_path / "a", tmp_path / "b"])
    assert settings.root == tmp_path
    assert settings.config.jobs == 1


def test_disabled_and_explicit(tmp_path: Path) -> None:
    write(tmp_path / "backendlint.toml", "jobs = 1\n")
    other = write(tmp_path / "ci" / "strict.toml", "jobs = 2\n")
    assert config.load([tmp_path], enabled=False).config == config.Config()
    assert config.load([tmp_path], explicit=other).config.jobs == 2
    with pytest.raises(ConfigError, match="no such configuration file"):
        config.load([tmp_path], explicit=tmp_path / "missing.toml")


def test_tables(tmp_path: Path) -> None:
    write(
        tmp_path / "pyproject.toml",
        "[tool.backendlint]\n"
        'select = ["REL", "security"]\n'
        "[tool.backendlint.fail-on]\n"
        'reliability = "note"\n'
        "[tool.backendlint.severity]\n"
        'REL101 = "note"\n'
        "[tool.backendlint.budget]\n"
        "api-ms = 500\n"
        "[tool.backendlint.per-file-ignores]\n"
        '"scripts/*" = ["OPS101"]\n'
        "[tool.backendlint.rules.REL101]\n"
        "longest = 5\n",
    )
    loaded = config.load([tmp_path]).config
    assert loaded.select == ("REL", "security")
    assert loaded.fail_on == {"reliability": "note"}
    assert loaded.severity == {"REL101": "note"}
    assert (loaded.budget.api_ms, loaded.budget.job_ms) == (500, 900_000)
    assert loaded.per_file_ignores == {"scripts/*": ("OPS101",)}
    assert loaded.rules == {"REL101": {"longest": 5}}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[tool.backendlint]\njobs = 1\nfail_on = 'note'\n", 3, "did you mean 'fail-on'?"),
        ("[tool.backendlint]\nselct = []\n", 2, "did you mean 'select'?"),
        ("[tool.backendlint]\nqqqq = []\n", 2, "allowed are baseline, budget"),
        ("[tool.backendlint]\n\njobs = 'two'\n", 3, "expected `int`, got `str`"),
        ("[tool.backendlint]\njobs = -1\n", 2, "expected `int` >= 0"),
        ("[tool.backendlint]\nprofile = 'loud'\n", 2, "allowed are audit, default, strict"),
        ("[tool.backendlint]\n[tool.backendlint.severity]\nREL101 = 'fatal'\n", 3, "allowed are error, note, warning"),
        ("[tool.backendlint]\n[tool.backendlint.budget]\napi_ms = 3\n", 3, "did you mean 'api-ms'?"),
        ("[tool.backendlint]\njobs = \n", 2, "not valid TOML"),
    ],
)
def test_mistakes_name_file_line_and_what_is_allowed(tmp_path: Path, text: str, line: int, said: str) -> None:
    source = write(tmp_path / "pyproject.toml", text)
    with pytest.raises(ConfigError) as caught:
        config.load([tmp_path])
    assert str(caught.value).startswith(f"{source}:{line}: ")
    assert said in str(caught.value)


def test_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "backendlint.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load([tmp_path])


def test_schema_names_every_option_and_refuses_others() -> None:
    text = json.dumps(config.schema())
    for name in ("fail-on", "per-file-ignores", "api-ms", "extend-exclude"):
        assert f'"{name}"' in text
    assert '"additionalProperties": false' in text


def test_default_text_is_valid_once_uncommented(tmp_path: Path) -> None:
    options = [line[2:] for line in config.default_text().splitlines() if " = " in line]
    options = [line for line in options if not line.endswith('= ""')]
    write(tmp_path / "backendlint.toml", "\n".join(options))
    tomllib.loads("\n".join(options))
    loaded = config.load([tmp_path]).config
    assert loaded == config.Config()
