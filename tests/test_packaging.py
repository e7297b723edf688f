"""The wheel, the action and the checks' entry are what the README promises."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from backendlint import __version__
from backendlint.ruleset.load import builtin_folder, load_rules

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_carries_the_rules_and_works_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path)
    assert "backendlint/py.typed" in names
    assert "backendlint/_rules/checklist.yaml" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "fixtures/"))]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "backendlint", "rules", "--format", "json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    packed = {row["id"] for row in json.loads(done.stdout)}
    assert packed == {rule.id for rule in load_rules([builtin_folder()])}


def test_the_version_is_said_once(wheel: Path) -> None:
    assert f"-{__version__}-" in wheel.name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project


def imported(folder: Path) -> set[str]:
    """Distributions whose modules the folder's Python files import."""
    names: set[str] = set()
    own = {path.stem for path in folder.rglob("*")} | {"backendlint", "tests", "bench"}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    known = packages_distributions()
    return {known.get(name, [name])[0].lower() for name in names - own - set(sys.stdlib_module_names)}


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {re.split(r"[\[<>=~! ]", name)[0].lower() for names in lists for name in names}


def test_what_is_imported_is_declared() -> None:
    assert imported(ROOT / "src" / "backendlint") <= declared()
    assert imported(ROOT / "tests") <= declared("dev")


def test_the_action_runs_what_it_says() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    scripts = "\n".join(step.get("run", "") for step in steps)
    assert "${{" not in scripts, "values reach scripts through the environment, never as text"
    assert all("shell" in step for step in steps if "run" in step)
    for step in steps:
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


def test_the_actions_scan_step_keeps_the_exit_code(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    [script] = [step["run"] for step in action["runs"]["steps"] if step.get("id") == "scan"]
    (tmp_path / "app.py").write_text("def f():\n    try:\n        g()\n    except Exception:\n        pass\n")
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backendlint "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT / "src"), "PROGRAM": str(program), "SARIF": str(tmp_path / "out.sarif"),
        "PATHS": ".", "ARGUMENTS": "--no-cache --jobs 1", "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "code=1" in (tmp_path / "output").read_text(encoding="utf-8"), done.stderr
    assert "file=app.py" in done.stdout
    assert json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert "app.py" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_the_ci_entry_runs_the_readmes_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "dev.py check" in script.read_text(encoding="utf-8")
    assert "python3 dev.py check" in (ROOT / "README.md").read_text(encoding="utf-8")
