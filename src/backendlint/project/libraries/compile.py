"""Library files (YAML) to one plain, JSON-able table, with errors that name file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from backendlint.errors import RuleError
from backendlint.project.libraries.convert import ModelError, convert
from backendlint.project.libraries.model import (
    AttributeModel,
    CallModel,
    ClassModel,
    DecoratorModel,
    ExceptionModel,
    Hint,
    LibraryModel,
)

TABLES: dict[str, type] = {
    "classes": ClassModel,
    "calls": CallModel,
    "attributes": AttributeModel,
    "exceptions": ExceptionModel,
    "decorators": DecoratorModel,
}
Compiled = dict[str, Any]
"""libraries: heads; aliases: name to name; bodies; each table: name to [library, index in bodies]; hints."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*|\.\*)*")
_HEAD = {
    "library",
    "modules",
    "kind",
    "dialect",
    "paramstyle",
    "is_async",
    "refused_on_loop",
    "allowed_by",
    "own_loop",
    "checked",
}
_BOOL = "tag:yaml.org,2002:bool"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Safe YAML in which only `true` and `false` are booleans, so that `on` and `no` are words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != _BOOL]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("true|false"), list("tf"))


def compile_files(files: list[tuple[Path, bytes]]) -> Compiled:
    """All files as one table; a name defined twice is an error."""
    result: Compiled = {"libraries": [], "aliases": {}, "bodies": [], "hints": [], **{table: {} for table in TABLES}}
    origins: dict[tuple[str, str], str] = {}
    for path, content in files:
        _File(path, content, result, origins).compile()
    return result


def expand(name: str) -> Iterator[str]:
    """`a.{b,c}.d` -> `a.b.d`, `a.c.d`; several braces multiply."""
    match = _BRACES.search(name)
    if match is None:
        yield name
        return
    for choice in match[1].split(","):
        yield from expand(name[: match.start()] + choice.strip() + name[match.end() :])


class _File:
    """One library file on its way into the table."""

    def __init__(self, path: Path, content: bytes, result: Compiled, origins: dict[tuple[str, str], str]) -> None:
        self.path = path
        self.content = content
        self.result = result
        self.origins = origins
        self.lines: dict[tuple[Any, ...], int] = {}
        self.head = LibraryModel()
        self.merged: list[Any] = []
        """Nodes with `<<`: their own keys may override inherited ones."""

    def fail(self, message: str, at: tuple[Any, ...] = ()) -> RuleError:
        while at and at not in self.lines:
            at = at[:-1]
        place = ".".join(str(part) for part in at)
        return RuleError(f"{self.path}:{self.lines.get(at, 1)}: {place + ': ' if place else ''}{message}")

    def compile(self) -> None:
        data = self.read()
        head = {key: value for key, value in data.items() if key in _HEAD}
        try:
            self.head = convert(LibraryModel, head)
        except ModelError as error:
            raise self.fail(error.message, error.path) from None
        if self.head.library != self.path.stem:
            raise self.fail(f"`library` must be the file's name, {self.path.stem!r}", ("library",))
        if not self.head.modules:
            raise self.fail("`modules` must name at least one module")
        self.result["libraries"].append(head)
        for section, entries in data.items():
            if section in _HEAD:
                continue
            if section not in {*TABLES, "aliases", "hints"}:
                allowed = ", ".join(sorted({*_HEAD, *TABLES, "aliases", "hints"}))
                raise self.fail(f"unknown section; allowed: {allowed}", (section,))
            self.section(section, entries)

    def section(self, section: str, entries: Any) -> None:
        if section == "hints":
            self.hints(entries)
            return
        if not isinstance(entries, dict):
            raise self.fail("expected a mapping from dotted names", (section,))
        for key, body in entries.items():
            if section == "aliases":
                self.alias(key, body)
            else:
                self.entry(section, key, body)

    def hints(self, entries: Any) -> None:
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            try:
                hint = convert(Hint, entry, ("hints", index))
            except ModelError as error:
                raise self.fail(error.message, error.path) from None
            modules = list(hint.when_imported or self.head.modules)
            self.result["hints"].append({**entry, "when_imported": modules, "library": self.head.library})

    def alias(self, key: str, target: Any) -> None:
        if not isinstance(target, str):
            raise self.fail("expected a dotted name", ("aliases", key))
        names, targets = list(expand(key)), list(expand(target))
        if len(targets) == 1:
            targets = targets * len(names)
        if len(names) != len(targets):
            raise self.fail("the braces on both sides must have the same number of choices", ("aliases", key))
        for name, canonical in zip(names, targets, strict=True):
            self.claim("aliases", key, name)
            self.result["aliases"][name] = canonical

    def entry(self, section: str, key: str, body: Any) -> None:
        body = {} if body is None else body
        if not isinstance(body, dict):
            raise self.fail("expected a mapping", (section, key))
        try:
            convert(TABLES[section], body, (section, key))
        except ModelError as error:
            raise self.fail(error.message, error.path) from None
        for own in ("name", "library"):
            if own in body:
                raise self.fail(f"{own!r} follows from the entry's place", (section, key, own))
        number = len(self.result["bodies"])
        self.result["bodies"].append(body)
        for name in expand(key):
            self.claim(section, key, name)
            self.result[section][name] = [self.head.library, number]

    def claim(self, section: str, key: str, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise self.fail(f"{name!r} is not a dotted name", (section, key))
        if not any(name == module or name.startswith(module + ".") for module in (*self.head.modules, "builtins")):
            raise self.fail(f"{name!r} is outside the modules {', '.join(self.head.modules)}", (section, key))
        here = f"{self.path.name}:{self.lines.get((section, key), 1)}"
        before = self.origins.setdefault((section, name), here)
        if before != here:
            raise self.fail(f"{name!r} is already defined at {before}", (section, key))

    def read(self) -> dict[str, Any]:
        try:
            loader = _Loader(self.content)
            try:
                node = loader.get_single_node()
                data = self.build(loader, node, ()) if node is not None else None
            finally:
                loader.dispose()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise RuleError(f"{self.path}:{line}: {getattr(error, 'problem', None) or error}") from None
        except UnicodeDecodeError as error:
            raise RuleError(f"{self.path}:1: {error}") from None
        if not isinstance(data, dict):
            raise self.fail("expected a mapping with `library`, `modules`, `kind` and sections")
        return data

    def build(self, loader: Any, node: Any, at: tuple[Any, ...], depth: int = 0) -> Any:
        """The node's plain data, noting each place's line."""
        self.lines.setdefault(at, node.start_mark.line + 1)
        if depth > 50:
            raise self.fail("nested too deeply", at)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(loader, item, (*at, i), depth + 1) for i, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return loader.construct_object(node)
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            self.merged.append(node)
            loader.flatten_mapping(node)
        merged = any(node is known for known in self.merged)
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node)
            if not isinstance(key, str | int):
                raise self.fail(f"{key!r} cannot be a key", at)
            self.lines[(*at, key)] = key_node.start_mark.line + 1
            if key in result and not merged:
                raise self.fail(f"{key!r} stands here twice", (*at, key))
            result[key] = self.build(loader, value_node, (*at, key), depth + 1)
        return result
