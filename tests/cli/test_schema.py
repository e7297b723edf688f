"""`backendlint schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backendlint.cli.commands.schema import command


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "schema.sql").write_text("CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE);\n")
    (tmp_path / "backendlint.toml").write_text("")
    return tmp_path


def run(*args: str) -> str:
    result = CliRunner().invoke(command, list(args))
    assert result.exit_code == 0, result.output
    return result.output


def test_formats(project: Path) -> None:
    assert "email  TEXT    not null" in run(str(project))
    (table,) = json.loads(run(str(project), "--format", "json"))["tables"]
    assert [column["name"] for column in table["columns"]] == ["id", "email"]
    assert "CREATE TABLE users (" in run(str(project), "--format", "sql")
    assert run(str(project), "--format", "mermaid").startswith("erDiagram\n    users {")


def test_nothing_is_said_to_be_nothing(project: Path) -> None:
    assert run(str(project), "--from", "models") == "no tables found\n"
