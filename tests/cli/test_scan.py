from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backendlint.cli import run

MANIFEST = """\
id: SEC901
name: calls-bad
pillar: security
engine: project
severity: warning
confidence: high
profile: default
summary: bad() is called
help: Call good().
checklist: [S-SQLI]
cwe: [89]
fix: safe
"""
CHECK = """\
from backendlint.api import Edit, Fix, Hit

def check(project):
    for fn in project.all_functions():
        for call in fn.calls:
            value = fn.value(call.func)
            if value[0] == "name" and value[1].endswith(".bad"):
                place = fn.place(call.func)
                risky = bool(call.args)
                yield Hit(
                    f"`bad()` is called in `{fn.name}`; call `good()`.", place,
                    fix=Fix("call good()", (Edit(place, "good"),), not risky),
                )
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files to scan, and the rule SEC901 in ../pack, which is the only one selected."""
    pack = tmp_path / "pack" / "rule"
    pack.mkdir(parents=True)
    (pack / "rule.yaml").write_text(MANIFEST, encoding="utf-8")
    (pack / "check.py").write_text(CHECK, encoding="utf-8")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "backendlint.toml").write_text('select = ["SEC901"]\njobs = 1\n', encoding="utf-8")
    (folder / "one.py").write_text("bad()\nbad(1)\n", encoding="utf-8")
    (folder / "two.py").write_text("def f():\n    bad()\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def scan(*args: str) -> int:
    return run(["scan", "--rules", "../pack", "--no-cache", *args])


def lines(text: str) -> list[str]:
    return [f"{row['location']['path']}:{row['location']['line']}" for row in json.loads(text)["findings"]]


def test_findings_give_code_1_and_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["one.py:1", "one.py:2", "two.py:2"]


def test_single_files_are_reviewed_alone_in_the_report(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("two.py", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["two.py:2"]
    assert scan("two.py", "--no-context", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["two.py:2"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--fail-on", "error"], 0),
        (["--fail-on", "security=error"], 0),
        (["--fail-on", "never", "--fail-on", "security=note"], 1),
        (["--fail-on", "reliability=never"], 1),
        (["--ignore", "calls-bad", "--ignore", "SEC901"], 0),
        (["--select", "SEC9"], 1),
        (["--quiet"], 1),
        (["--verbose", "--statistics", "--reach"], 1),
    ],
)
def test_flags_decide_the_exit_code(
    project: Path, args: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(*args) == code
    capsys.readouterr()


def test_the_configurations_level_holds_unless_the_command_line_says_otherwise(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "backendlint.toml").open("a") as stream:
        stream.write('fail-on = { security = "never" }\n')
    assert scan() == 0
    assert scan("--fail-on", "security=warning") == 1
    assert scan("--fail-on", "note") == 1
    capsys.readouterr()


def test_several_formats_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--format", "sarif=out/a.sarif", "--format", "json=b.json", "--format", "text") == 1
    assert "SEC901" in capsys.readouterr().out
    assert json.loads((project / "out" / "a.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert len(lines((project / "b.json").read_text(encoding="utf-8"))) == 3


def test_output_goes_to_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--format", "json", "--output", "x.json") == 1
    assert not capsys.readouterr().out
    assert len(lines((project / "x.json").read_text(encoding="utf-8"))) == 3


def test_fix_applies_the_safe_ones_and_reports_the_rest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--fix", "--format", "json") == 1
    captured = capsys.readouterr()
    assert (project / "one.py").read_text(encoding="utf-8") == "good()\nbad(1)\n"
    assert (project / "two.py").read_text(encoding="utf-8") == "def f():\n    good()\n"
    assert lines(captured.out) == ["one.py:2"]
    assert "fixed 2 findings in 2 files" in captured.err
    assert scan("--fix", "--unsafe-fixes") == 0
    assert (project / "one.py").read_text(encoding="utf-8") == "good()\ngood(1)\n"
    capsys.readouterr()


def test_diff_changes_nothing_and_can_be_applied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--diff") == 1
    text = capsys.readouterr().out
    assert (project / "one.py").read_text(encoding="utf-8") == "bad()\nbad(1)\n"
    subprocess.run(["git", "apply", "-"], input=text, text=True, check=True, cwd=project)
    assert (project / "one.py").read_text(encoding="utf-8") == "good()\nbad(1)\n"
    assert scan("--diff") == 0
    assert not capsys.readouterr().out


def test_unsaved_text_from_an_editor(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x = 1\nbad()\n")))
    assert scan("--stdin-filename", "two.py", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["two.py:2"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"bad()\n")))
    assert scan("--stdin-filename", "new.py", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["new.py:1"]


def test_a_baseline_accepts_what_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("--write-baseline", "base.json") == 0
    assert scan("--baseline", "base.json") == 0
    (project / "three.py").write_text("bad()\n", encoding="utf-8")
    capsys.readouterr()
    assert scan("--baseline", "base.json", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["three.py:1"]


def test_since_reports_what_is_new(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for args in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run([*git, *args], check=True, cwd=project)
    (project / "two.py").write_text("x = 1\n\n\ndef f():\n    bad()\n\n\ndef g():\n    bad()\n", encoding="utf-8")
    assert scan("--since", "HEAD", "--format", "json") == 1
    assert lines(capsys.readouterr().out) == ["two.py:9"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nowhere.py"], "nowhere.py: no such file or folder"),
        (["--select", "calls-bda"], "did you mean `calls-bad`"),
        (["--config", "nowhere.toml"], "nowhere.toml: no such configuration file"),
        (["--config", "backendlint.toml", "--no-config"], "cannot be used together"),
        (["--fix", "--diff"], "cannot be used together"),
        (["--unsafe-fixes"], "--unsafe-fixes needs --fix or --diff"),
        (["--format", "sariff"], "did you mean `sarif`?"),
        (["--fail-on", "fatal"], "no level `fatal`"),
        (["--baseline", "nowhere.json"], "nowhere.json"),
        (["--since", "no-such-ref"], "no-such-ref"),
        (["--rules", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_code_2_and_a_message(
    project: Path, args: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(*args) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out


def test_a_check_that_raises_is_told_and_gives_3(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = project.parent / "pack" / "rule" / "check.py"
    check.write_text("def check(project):\n    yield 1 / 0\n", encoding="utf-8")
    assert scan() == 3
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_python_rules_of_the_scanned_project_do_not_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = project / ".backendlint" / "rules" / "evil"
    own.mkdir(parents=True)
    (own / "rule.yaml").write_text(MANIFEST.replace("SEC901", "SEC902").replace("calls-bad", "evil"), encoding="utf-8")
    (own / "check.py").write_text("raise SystemExit(99)\n", encoding="utf-8")
    assert scan() == 2
    assert "does not run code of what it scans" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(project: Path) -> None:
    (project / "many.py").write_text("bad()\n" * 3000, encoding="utf-8")
    command = f'"{sys.executable}" -m backendlint scan --rules ../pack --no-cache --format json | head -n 1'
    done = subprocess.run(
        command, shell=True, cwd=project, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    assert done.stdout.strip() == "{"
    assert not done.stderr
