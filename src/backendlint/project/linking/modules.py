"""Dotted names to what they mean: the project's modules, functions, classes and variables, or a library's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backendlint.facts.model import FileFacts, Vid
from backendlint.project.libraries.lookup import Libraries

MAX_DEPTH = 24
"""Re-exports that are followed."""


class Target(NamedTuple):
    """What a dotted name means; `rest` are the attributes that remain to be looked up on it."""

    kind: str
    """module, function, class, variable, library"""
    file: FileFacts | None
    name: str
    """Qualified name in the file (function, class), variable name, or the library's canonical dotted name."""
    vid: Vid = -1
    rest: tuple[str, ...] = ()


class Modules:
    """All modules of the project, also under the shorter names by which code imports them."""

    def __init__(self, files: Iterable[FileFacts], libraries: Libraries) -> None:
        self.libraries = libraries
        self.by_name: dict[str, FileFacts] = {}
        self._suffixes: dict[str, list[str]] = {}
        self._packages: set[str] = set()
        self._folders: set[str] = set()
        """Folders with an `__init__.py`."""
        self._memo: dict[tuple[str, str], Target] = {}
        self._defs: dict[str, dict[str, str]] = {}
        for file in files:
            self._add(file)
        self._heads = {name.partition(".")[0] for name in self._suffixes}
        """First words of all names that may mean a module of the project."""

    def _add(self, file: FileFacts) -> None:
        self.by_name.setdefault(file.module, file)
        if file.path.endswith("/__init__.py"):
            self._folders.add(file.path.rpartition("/")[0])
        parts = file.module.split(".")
        for start in range(len(parts)):
            self._suffixes.setdefault(".".join(parts[start:]), []).append(file.module)
        for end in range(1, len(parts)):
            self._packages.add(".".join(parts[:end]))
        self._defs[file.module] = {function.qualname: "function" for function in file.functions if function.qualname}
        self._defs[file.module].update(dict.fromkeys(file.classes, "class"))

    def distribution(self, path: str) -> str:
        """The folder from which the file's package is imported (`packages/client` of `packages/client/shop_client/http.py`):
        what lies in another may be installed alone, without the rest; "" for the project's own and loose files."""
        folders = path.split("/")[:-1]
        tops = (i for i in range(len(folders)) if "/".join(folders[: i + 1]) in self._folders)
        return "/".join(folders[: next(tops, 0)])

    def find(self, dotted: str, importer: str = "") -> FileFacts | None:
        """The module that code in module `importer` means by `dotted`."""
        exact = self.by_name.get(dotted)
        if exact is not None:
            return exact
        candidates = self._suffixes.get(dotted)
        if not candidates:
            return None
        if "." not in dotted and importer in candidates:
            return None  # `posthog.py` imports the library of its own name
        if "." not in dotted and self.libraries.knows(dotted):
            candidates = [name for name in candidates if self._sibling(name, dotted, importer)]
        if len(candidates) < 2:
            return self.by_name[candidates[0]] if candidates else None
        nearest = max(candidates, key=lambda name: (*self._above(name, dotted, importer), *_shared(name, importer)))
        return self.by_name[nearest]

    def _above(self, name: str, dotted: str, importer: str) -> tuple[bool, bool]:
        """Whether the folder from which `dotted` would be imported is above the importer, and whether it is no package:
        one with `__init__` is seldom a source root, unless a Django project starts there."""
        folder = name[: -len(dotted)].rstrip(".")
        package = self.by_name.get(folder)
        root = not folder or package is None or not package.is_package or f"{folder}.manage" in self.by_name
        return not folder or importer == folder or importer.startswith(f"{folder}."), root

    def _sibling(self, name: str, dotted: str, importer: str) -> bool:
        """A file named like a library is meant only by a script beside it: one in no package."""
        parent = importer.rpartition(".")[0]
        own = self.by_name.get(parent)
        return name == (f"{parent}.{dotted}" if parent else dotted) and (own is None or not own.is_package)

    def is_package(self, dotted: str) -> bool:
        """True for a folder of modules without `__init__`."""
        return dotted in self._packages

    def resolve(self, dotted: str, importer: str = "", depth: int = 0) -> Target:
        """What a dotted name means in module `importer`."""
        key = (dotted, importer)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = self._resolve(dotted, importer, depth)
        return known

    def _resolve(self, dotted: str, importer: str, depth: int) -> Target:
        if dotted.startswith("builtins."):
            return self._library(dotted)
        parts = dotted.split(".")
        if parts[0] not in self._heads:
            return self._library(dotted)
        for end in range(len(parts), 0, -1):
            file = self.find(".".join(parts[:end]), importer)
            if file is not None:
                rest = tuple(parts[end:])
                return self._in_place_of(file, rest, depth) or self.member(file, rest, depth)
        return self._library(dotted)

    def _in_place_of(self, file: FileFacts, rest: tuple[str, ...], depth: int) -> Target | None:
        """What a package binds to the name of one of its modules: after `from .mailer import Mailer`, `mailer = Mailer()` in its
        `__init__`, `from shop import mailer` gives that object."""
        folder, _, name = file.module.rpartition(".")
        package = self.by_name.get(folder)
        vid = package.names.get(name, -1) if package is not None and package.is_package else -1
        if package is None or vid < 0 or depth >= MAX_DEPTH:
            return None
        value = package.functions[0].values[vid]
        if value[0] not in ("call", "def", "name") or (value[0] == "name" and self.find(value[1], folder) is file):
            return None
        own = bool(rest) and (rest[0] in file.names or any(item.name == "*" for item in file.imports))
        return None if own else self.member(package, (name, *rest), depth + 1)

    def _library(self, dotted: str) -> Target:
        return Target("library", None, self.libraries.canonical(dotted))

    def member(self, file: FileFacts, names: tuple[str, ...], depth: int = 0) -> Target:
        """What `names[0].names[1]...` means in a module."""
        if not names:
            return Target("module", file, file.module)
        name, rest = names[0], names[1:]
        vid = file.names.get(name, -1)
        if vid >= 0:
            value = file.functions[0].values[vid]
            if value[0] == "def":
                return self._definition(file, value[1], rest)
            if value[0] == "name" and depth < MAX_DEPTH and value[1] != f"{file.module}.{name}":
                dotted = ".".join((value[1], *rest))
                return self.resolve(dotted, file.module, depth + 1)
            return Target("variable", file, name, vid, rest)
        child = self.by_name.get(f"{file.module}.{name}" if file.module else name)
        if child is not None:
            return self.member(child, rest, depth + 1)
        starred = self._starred(file, names, depth)
        return starred or Target("variable", file, name, -1, rest)

    def taken_whole(self, file: FileFacts) -> Iterator[FileFacts]:
        """The modules of the project from which one takes all names: `from .base import *`."""
        for item in file.imports:
            base = self.resolve(item.target, file.module).file if item.name == "*" else None
            if base is not None:
                yield base

    def _definition(self, file: FileFacts, qualname: str, rest: tuple[str, ...]) -> Target:
        defs = self._defs[file.module]
        while rest and f"{qualname}.{rest[0]}" in defs:
            qualname, rest = f"{qualname}.{rest[0]}", rest[1:]
        return Target(defs.get(qualname, "function"), file, qualname, -1, rest)

    def _starred(self, file: FileFacts, names: tuple[str, ...], depth: int) -> Target | None:
        if depth >= MAX_DEPTH:
            return None
        outside = None
        for item in file.imports:
            if item.name != "*":
                continue
            source = self.find(item.target, file.module)
            if source is None:
                outside = item.target
            elif source is not file and (source.exports is None or names[0] in source.exports):
                found = self.member(source, names, depth + 1)
                if found.kind != "variable" or found.vid >= 0:
                    return found
        return self._library(".".join((outside, *names))) if outside else None


def _shared(name: str, importer: str) -> tuple[int, int]:
    count = 0
    for left, right in zip(name.split("."), importer.split("."), strict=False):
        if left != right:
            break
        count += 1
    return count, -len(name)
