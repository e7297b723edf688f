"""The regular files below a folder: as git lists them, or by walking with the .gitignore files found on the way."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backendlint.config import git_toplevel

EXCLUDED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".bzr", ".tox", ".nox", ".venv", "venv", "virtualenv", ".direnv", ".pixi", ".eggs",
        "node_modules", "bower_components", "site-packages", "dist-packages", "__pypackages__", "__pycache__",
        ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".backendlint_cache",
        ".backendlint", ".idea", ".vscode", "htmlcov",
    }
)  # fmt: skip
EXCLUDED_SUFFIXES = (".egg-info", ".dist-info")
OUTPUT_FOLDERS = frozenset({"build", "dist", "env", "ENV", "_build", "target"})
"""Left out unless they are packages: a name alone does not make build output of `app/build/__init__.py`."""

GIT_SECONDS = 60
_CLOSED = re.compile(r"^warning: could not open directory '(.*)': ", re.MULTILINE)
"""What git says of folders that it cannot list."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list, and whom to ask and tell; folders are given by their full paths."""

    suffixes: tuple[str, ...]
    excluded: Callable[[str], bool]
    """Whether a folder is not to be entered."""
    unreadable: Callable[[str], None]
    """Called for a folder that cannot be listed."""


def list_files(folder: str, wanted: Wanted) -> Iterator[str]:
    """Paths, relative to `folder`, of the files and links below it that are not ignored and end with a suffix."""
    listed = _git_files(folder, wanted) if git_toplevel(Path(folder)) else None
    if not listed:
        yield from _walk(folder, "", wanted, ())
        return
    verdicts: dict[str, bool] = {"": False}
    for name in listed:
        if not name.endswith(wanted.suffixes) and not name.endswith("/"):
            continue
        parent, _, last = name.rpartition("/")
        if _outside(folder, parent, wanted.excluded, verdicts):
            continue
        if last:
            yield name
        else:
            yield from (name + below for below in list_files(f"{folder}/{parent}", wanted))


def is_excluded_folder(folder: str) -> bool:
    """Whether a folder holds an environment, a dependency, build output or a tool's own files."""
    name = folder.rpartition("/")[2]
    if name in EXCLUDED_FOLDERS or name.endswith(EXCLUDED_SUFFIXES):
        return True
    if name in OUTPUT_FOLDERS and not Path(folder, "__init__.py").exists():
        return True
    return os.access(f"{folder}/pyvenv.cfg", os.F_OK)


def _outside(folder: str, parent: str, excluded: Callable[[str], bool], verdicts: dict[str, bool]) -> bool:
    """Whether `parent` (relative to `folder`) or a folder above it is excluded; remembers every answer."""
    if parent not in verdicts:
        above = parent.rpartition("/")[0]
        verdicts[parent] = _outside(folder, above, excluded, verdicts) or excluded(f"{folder}/{parent}")
    return verdicts[parent]


def _git_files(folder: str, wanted: Wanted) -> list[str] | None:
    """Tracked and untracked, not ignored paths below `folder`; nested repositories end with "/". None without git.

    The repository's own configuration must not make git run a program (core.fsmonitor names one).
    """
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    command += ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    for closed in _CLOSED.findall(os.fsdecode(done.stderr)):
        wanted.unreadable(f"{folder}/{closed.rstrip('/')}")
    return list(dict.fromkeys([*os.fsdecode(done.stdout).split("\0")[:-1], *_submodules(folder)]))


def _submodules(folder: str) -> list[str]:
    try:
        text = Path(folder, ".gitmodules").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    paths = [match.strip().strip("/") for match in re.findall(r"^\s*path\s*=\s*(.+)$", text, re.MULTILINE)]
    return [f"{path}/" for path in paths if ".." not in path.split("/") and Path(folder, path).is_dir()]


def _walk(folder: str, prefix: str, wanted: Wanted, ignores: tuple[Callable[[str], bool], ...]) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        wanted.unreadable(folder)
        return
    if any(entry.name == ".gitignore" for entry in entries):
        ignores = (*ignores, *_gitignore(folder))
    folders = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry)
        elif entry.name.endswith(wanted.suffixes) and not _ignored(entry.path, ignores):
            yield prefix + entry.name
    for entry in folders:
        if not wanted.excluded(entry.path) and not _ignored(f"{entry.path}/", ignores):
            yield from _walk(entry.path, f"{prefix}{entry.name}/", wanted, ignores)


def _ignored(path: str, ignores: tuple[Callable[[str], bool], ...]) -> bool:
    return any(ignore(path) for ignore in ignores)


def _gitignore(folder: str) -> Iterator[Callable[[str], bool]]:
    from pathspec import PathSpec

    try:
        lines = Path(folder, ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
        spec = PathSpec.from_lines("gitignore", lines)
    except (OSError, ValueError):
        return
    skip = len(folder) + 1
    yield lambda path: bool(spec.match_file(path[skip:]))
