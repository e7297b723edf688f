#!/usr/bin/env python3
"""Set-up and checks in one command on a bare machine: Python 3.11 or newer is all that it needs.

    python3 dev.py demo         install into .venv and review the shop fixture
    python3 dev.py check        install what the tests need, then ruff, mypy and the tests
    python3 dev.py check-slow   the same, and the tests that take minutes
    python3 dev.py bench        measure speed against the peers

On Debian and Ubuntu missing system packages (git, PostgreSQL, Chromium: test servers and oracles) are installed with
apt-get; elsewhere they are named.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NEEDED = {"git": ("git",), "postgresql": ("initdb",), "chromium": ("chromium", "chromium-browser", "google-chrome")}
"""Debian packages, and the commands of theirs that the tests run; any one of them will do."""
POSTGRESQL = Path("/usr/lib/postgresql")
"""Where Debian keeps the server's commands, off the PATH."""


def main(arguments: Sequence[str]) -> int:
    """Run one of the tasks; its exit code."""
    tasks = {"demo": demo, "check": check, "check-slow": check_slow, "bench": bench, "setup": setup}
    if sys.version_info < (3, 11):  # noqa: UP036 - said to those who run it with an older one
        sys.exit("backendlint needs Python 3.11 or newer")
    if len(arguments) != 1 or arguments[0] not in tasks:
        sys.exit(__doc__)
    return tasks[arguments[0]]()


def demo() -> int:
    """Install, and review the shop. Findings are what it is there for: they are no failure."""
    install("")
    code = subprocess.call([VENV / "bin" / "backendlint", "scan", "fixtures/shop"], cwd=ROOT)
    return 0 if code == 1 else code


def setup() -> int:
    """Install with everything for development."""
    install("[dev]")
    return 0


def check() -> int:
    """What CI runs."""
    system_packages()
    install("[dev]")
    code = ["src", "rules", "tests", "bench", "dev.py"]
    steps = [
        ["ruff", "check", *code],
        ["ruff", "format", "--check", *code],
        ["mypy"],
        ["pytest", "-n", "auto", "--quiet"],
    ]
    return next((code for step in steps if (code := run(*step))), 0)


def check_slow() -> int:
    """Everything."""
    return check() or run("pytest", "-n", "auto", "--quiet", "-m", "slow")


def bench() -> int:
    """Speed, in one run with the peers."""
    install("[dev]")
    return run("bench")


def run(module: str, *arguments: str) -> int:
    """Run a module of the environment from the checkout's root."""
    print("$", module, *arguments, flush=True)
    return subprocess.call([PYTHON, "-m", module, *arguments], cwd=ROOT)


def install(extra: str) -> None:
    """Make .venv with the checkout in it; nothing is done again while pyproject.toml and the code stay as they are."""
    state = f"{extra} {hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}"
    mark = VENV / "installed.txt"
    known = mark.read_text(encoding="utf-8").split() if mark.is_file() else []
    if known[-1:] != state.split()[-1:] or (extra and extra not in known):
        if not PYTHON.exists():
            make_environment()
        print(f"installing backendlint{extra} into {VENV.name} ...", flush=True)
        pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f".{extra}"]
        subprocess.run(pip, cwd=ROOT, check=True)
        mark.write_text(state, encoding="utf-8")
    compile_code()


def compile_code() -> None:
    """Byte-compile what changed, as pip does for a wheel: with PYTHONDONTWRITEBYTECODE set nothing else would, ever."""
    subprocess.run([PYTHON, "-m", "compileall", "-q", "-j", "0", "src", "rules"], cwd=ROOT, check=False)


def make_environment() -> None:
    """A virtual environment; Debian keeps the means to make one in a package of its own."""
    command = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
        return
    apt_install([f"python{sys.version_info.major}.{sys.version_info.minor}-venv"])
    subprocess.run(command, check=True)


def system_packages() -> None:
    """Install the commands that the tests run, where they are missing."""
    missing = [package for package, commands in NEEDED.items() if not any(map(available, commands))]
    if missing:
        apt_install(missing)


def available(command: str) -> bool:
    """Whether a command is on PATH, or in PostgreSQL's own folder."""
    return shutil.which(command) is not None or any(POSTGRESQL.glob(f"*/bin/{command}"))


def apt_install(packages: list[str]) -> None:
    """Install Debian packages; where that is not possible, say what to install."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        sys.exit(f"please install: {names}")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    print(f"installing {names} with apt-get ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        words = [*prefix, "apt-get", *command]
        if subprocess.call(words, stdout=subprocess.DEVNULL, env=environment) != 0:
            sys.exit(f"`{' '.join(words)}` failed; please install: {names}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
