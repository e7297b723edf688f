"""Stage 1: which files make up the project, and which of them are reviewed."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from backendlint.categories import HEAD_BYTES, REVIEWED, Category, by_head, category, is_template
from backendlint.config import Config
from backendlint.errors import UsageError
from backendlint.findings.model import Location, Notification, Severity
from backendlint.listing import Wanted, is_excluded_folder, list_files

Kind = Literal["python", "sql", "template"]
KINDS: dict[str, Kind] = {".py": "python", ".pyw": "python", ".sql": "sql"}
TEMPLATES: dict[str, Kind] = dict.fromkeys((".html", ".htm", ".jinja", ".jinja2", ".j2"), "template")
"""Read below folders of templates only, as context: what is wrong in them is not reported."""

LARGEST_BYTES = 4 * 1024 * 1024
"""Larger files are data, not code; they are named in a notification."""

_DISTRIBUTION = ("pyproject.toml", "setup.cfg", "setup.py")
_PYTEST_ENTRY = b"pytest11"
"""The group of entry points by which pytest finds plugins."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the project; `path` is relative to the root, with forward slashes."""

    path: str
    absolute: Path
    kind: Kind
    category: Category
    reported: bool
    """False for context: it is analysed, but what is wrong in it is not reported."""
    data: bytes | None = None
    """The content, where it is not the file's (an editor's unsaved text)."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The project's files in path order."""

    root: Path
    files: tuple[SourceFile, ...]
    notifications: tuple[Notification, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    """How many files of each category are not reviewed."""


def discover(root: Path, paths: Sequence[Path], config: Config, *, context: bool = True) -> Discovery:
    """Find the files. Where `paths` names single files, the rest of the root is context (unless `context` is False).

    Raises UsageError for a path that does not exist.
    """
    finder = _Finder(root, config)
    named_files = [path for path in paths if finder.sort_out(path)]
    for path in named_files:
        finder.add_named(path)
    if named_files and context:
        finder.add_folder(root, reported=False)
    files = tuple(sorted(finder.files.values(), key=lambda file: file.path))
    return Discovery(root, files, tuple(finder.notifications), dict(finder.left_out))


class _Finder:
    """Collects files; the first to name a path decides how it counts."""

    def __init__(self, root: Path, config: Config) -> None:
        self.root = root
        self.config = config
        self.files: dict[str, SourceFile] = {}
        self.notifications: list[Notification] = []
        self.left_out: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._plugins: dict[str, bool] = {}
        self._include = _matcher(config.include)
        self._exclude = _matcher((*(config.exclude or ()), *config.extend_exclude))

    def sort_out(self, path: Path) -> bool:
        """True for a named file; adds a named folder's files."""
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise UsageError(f"{path}: this folder cannot be read")
            self.add_folder(path.resolve(), reported=True)
            return False
        if path.is_file():
            return True
        self._notify("special-file", path.absolute(), "is no regular file and was not read")
        return False

    def add_folder(self, folder: Path, *, reported: bool) -> None:
        """Add the files below a folder; categories are judged by the path below it."""
        base = str(folder)
        prefix = "" if folder == self.root else f"{folder.relative_to(self.root).as_posix()}/"
        suffixes = (*KINDS, *TEMPLATES)
        for below in list_files(base, Wanted(suffixes, self._excluded_folder, self._closed_folder)):
            name = _printable(prefix + below)
            if name in self._seen or (self._exclude(name) and not self._include(name)):
                continue
            kind = KINDS.get(below[below.rindex(".") :], "template")
            if kind == "template" and not is_template(below.split("/")):
                continue
            self._seen.add(name)
            path = f"{base}/{below}"
            size = self._size(path)
            if size is None:
                continue
            if kind == "template":
                self._add_template(SourceFile(name, Path(path), kind, "code", False), size)
                continue
            found = category(below.split("/"))
            if found in REVIEWED:
                plugin = "/" in below and self._is_pytest_plugin(base, below.rpartition("/")[0])
                found = "test" if plugin else by_head(_head(path)) or found
            self._add(SourceFile(name, Path(path), kind, found, reported), size)

    def _is_pytest_plugin(self, base: str, folder: str) -> bool:
        """Whether a folder belongs to a distribution below the scanned folder that offers itself to pytest: fixtures, and the
        clients by which tests ask the service."""
        key = f"{base}/{folder}"
        if key not in self._plugins:
            above = folder.rpartition("/")[0]
            self._plugins[key] = (bool(above) and self._is_pytest_plugin(base, above)) or any(
                _PYTEST_ENTRY in _head(f"{key}/{name}", LARGEST_BYTES) for name in _DISTRIBUTION
            )
        return self._plugins[key]

    def add_named(self, path: Path) -> None:
        """Add a file that the user names: it is reviewed whatever its place."""
        path = path.resolve()
        kind = KINDS.get(path.suffix) or _shebang_kind(path)
        name = self._relative(path)
        if kind is None:
            self._notify("not-reviewed", path, "is neither Python nor SQL")
            return
        size = self._size(str(path))
        if size is not None:
            self._seen.add(name)
            self._add(SourceFile(name, path, kind, category(name.split("/")), True), size, named=True)

    def _add_template(self, file: SourceFile, size: int) -> None:
        if size <= LARGEST_BYTES:
            self.files[file.path] = file

    def _add(self, file: SourceFile, size: int, *, named: bool = False) -> None:
        if size > LARGEST_BYTES:
            message = f"has {size / 1_000_000:.1f} MB, more than {LARGEST_BYTES / 1_000_000:.1f} MB, and was not read"
            self._notify("huge-file", file.absolute, message)
            return
        wanted = named or file.category in REVIEWED or self._include(file.path)
        wanted = wanted or (file.category == "test" and self.config.include_tests)
        if not wanted:
            self.left_out[file.category] += 1
            if file.category != "generated":
                return
        self.files[file.path] = replace(file, reported=file.reported and wanted)

    def _excluded_folder(self, folder: str) -> bool:
        if self.config.exclude is None and is_excluded_folder(folder):
            return True
        return folder.endswith("/.git") or self._exclude(f"{folder[len(str(self.root)) + 1 :]}/")

    def _closed_folder(self, folder: str) -> None:
        self._notify("unreadable-folder", Path(folder), "is a folder that cannot be listed", "warning")

    def _size(self, path: str) -> int | None:
        """The file's bytes; None for links, special files and what has vanished."""
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                if not Path(path).resolve().is_relative_to(self.root):
                    self._notify("link-skipped", Path(path), "is a link out of the project and was not followed")
                return None
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            return None
        except OSError as error:
            self._notify("unreadable-file", Path(path), f"cannot be read: {error.strerror}", "warning")
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _relative(self, path: Path) -> str:
        return _printable(path.relative_to(self.root).as_posix())

    def _notify(self, kind: str, path: Path, message: str, level: Severity = "note") -> None:
        name = self._relative(path) if path.is_relative_to(self.root) else str(path)
        self.notifications.append(Notification(kind, f"{name} {message}", level, Location(name, 1, 1, 1, 1)))


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path matches one of the globs (as in .gitignore)."""
    if not globs:
        return lambda _: False
    from pathspec import PathSpec

    return PathSpec.from_lines("gitignore", globs).match_file


def _printable(name: str) -> str:
    """The name as reported: bytes that are not text are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _head(path: str | Path, size: int = HEAD_BYTES) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""
    try:
        return os.read(descriptor, size)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _shebang_kind(path: Path) -> Kind | None:
    first = _head(path).partition(b"\n")[0]
    return "python" if first.startswith(b"#!") and b"python" in first else None


def with_text(discovery: Discovery, path: str, data: bytes) -> Discovery:
    """The same project where one file has other content (an editor's unsaved text)."""
    absolute = discovery.root / path
    files = {file.path: file for file in discovery.files}
    kind = KINDS.get(absolute.suffix, "python")
    known = files.get(path) or SourceFile(path, absolute, kind, category(Path(path).parts), True)
    files[path] = replace(known, data=data, reported=True)
    return replace(discovery, files=tuple(sorted(files.values(), key=lambda file: file.path)))
