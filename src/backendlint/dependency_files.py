"""Files beside the code that say what a project runs on: requirements, packaging, compose files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

PATTERNS = (
    "requirements*.txt",
    "requirements*.in",
    "requirements/*.txt",
    "pyproject.toml",
    "Pipfile",
    "setup.cfg",
    "*compose*.y*ml",
)
MAX_SIZE = 200_000
"""Bytes; longer files are lock files of everything."""
MOST = 8
"""Files of one pattern that are read."""


def names_dependencies(path: PurePosixPath) -> bool:
    """Whether a path below the root is that of such a file."""
    return any(len(path.parts) == pattern.count("/") + 1 and path.match(pattern) for pattern in PATTERNS)


def dependency_files(root: Path) -> Iterator[Path]:
    """The files of the root folder that name what the project depends on; links and oversized files are left out."""
    for pattern in PATTERNS:
        for path in sorted(root.glob(pattern))[:MOST]:
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_SIZE:
                yield path


def dependency_texts(root: Path) -> Iterator[str]:
    """The text of each of them that can be read; discovery names the others."""
    for path in dependency_files(root):
        with suppress(OSError):
            yield path.read_text(encoding="utf-8", errors="replace")
