"""dev.py sets up what is missing, once, and says what it cannot set up; no package is really installed here."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, on a machine that has no commands but those in `bin`, with a checkout of its own."""
    spec = importlib.util.spec_from_file_location("dev_under_test", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module, "POSTGRESQL", tmp_path / "postgresql")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return module


def program(tmp_path: Path, name: str, code: int = 0) -> Path:
    """A command that notes how it was called."""
    path = tmp_path / "bin" / name
    path.write_text(f'#!/bin/sh\necho "{name} $* $DEBIAN_FRONTEND" >> "{tmp_path}/calls"\nexit {code}\n')
    path.chmod(0o755)
    return path


def calls(tmp_path: Path) -> list[str]:
    log = tmp_path / "calls"
    return log.read_text().splitlines() if log.exists() else []


def test_missing_packages_are_installed(dev: ModuleType, tmp_path: Path) -> None:
    program(tmp_path, "apt-get")
    program(tmp_path, "git")
    dev.system_packages()
    assert calls(tmp_path) == [
        "apt-get update -qq noninteractive",
        "apt-get install -y -qq --no-install-recommends postgresql chromium noninteractive",
    ]


def test_nothing_is_installed_where_all_is_there(dev: ModuleType, tmp_path: Path) -> None:
    for name in ("apt-get", "git", "google-chrome"):
        program(tmp_path, name)
    server = tmp_path / "postgresql" / "15" / "bin" / "initdb"
    server.parent.mkdir(parents=True)
    server.touch()
    dev.system_packages()
    assert calls(tmp_path) == []


def test_other_users_install_with_sudo(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for name in ("apt-get", "sudo", "git", "initdb"):
        program(tmp_path, name)
    dev.system_packages()
    assert [line.split(" -")[0] for line in calls(tmp_path)] == ["sudo apt-get update", "sudo apt-get install"]


def test_what_cannot_be_installed_is_named(dev: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="please install: git postgresql chromium"):
        dev.system_packages()
    program(tmp_path, "apt-get", code=100)
    with pytest.raises(SystemExit, match="`apt-get update -qq` failed; please install: git postgresql chromium"):
        dev.system_packages()


def test_nothing_is_done_again_while_nothing_changed(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(program(tmp_path, "python"))
    (tmp_path / "pyproject.toml").write_text("[project]\n")

    def done(extra: str) -> list[str]:
        (tmp_path / "calls").unlink(missing_ok=True)
        dev.install(extra)
        return [line.split()[2] for line in calls(tmp_path)]

    assert done("") == ["pip", "compileall"]
    assert done("") == ["compileall"]
    assert done("[dev]") == ["pip", "compileall"]
    assert done("[dev]") == done("") == ["compileall"]
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert done("") == ["pip", "compileall"]


def test_code_is_compiled_though_python_was_told_not_to(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    for folder in ("src", "rules/reliability/rel101"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "check.py").write_text("x = 1\n")
    dev.compile_code()
    assert len(list(tmp_path.rglob("__pycache__/check.*.pyc"))) == 2


def test_an_unknown_task_shows_the_tasks() -> None:
    done = subprocess.run([sys.executable, ROOT / "dev.py", "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python3 dev.py check" in done.stderr
