"""The hooks, run by the real pre-commit with this checkout as their repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
BAD = "def {name}():\n    try:\n        work()\n    except Exception:\n        pass\n"


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a flaw in each of two files."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "--quiet")
    (folder / "changed.py").write_text(BAD.format(name="one"), encoding="utf-8")
    (folder / "other.py").write_text(BAD.format(name="two"), encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


@pytest.mark.slow
def test_both_hooks(project: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "PIP_NO_COMPILE": "1", "NO_COLOR": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", str(ROOT), "--verbose", "--files", "changed.py"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    changed, full = output.split("hook id: backendlint-full")
    assert "exit code: 1" in changed, output
    assert "changed.py:4" in changed
    assert "other.py" not in changed
    assert "exit code: 1" in full, output
    assert "changed.py:4" in full
    assert "other.py:4" in full


def test_each_hook_calls_a_command_there_is() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["backendlint", "backendlint-full"]
    assert all(hook["entry"].split()[:2] == ["backendlint", "scan"] for hook in hooks)
    assert hooks[1]["pass_filenames"] is False
