"""What libraries do: the library models, looked up by dotted name.

Built-in models are `rules/libraries/*.yaml`; users' files in `.backendlint/libraries/` add entries, or change fields of
built-in ones. The compiled table is cached as JSON by content, so that a usual run does not import yaml.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from backendlint.errors import RuleError
from backendlint.project.libraries.convert import convert
from backendlint.project.libraries.model import (
    AttributeModel,
    CallModel,
    ClassModel,
    DecoratorModel,
    ExceptionModel,
    Hint,
    LibraryModel,
)

FORMAT = 2
"""Raise when the compiled form changes."""
KEPT = 8
"""Compiled tables kept in the cache directory."""

M = TypeVar("M", CallModel, AttributeModel, ClassModel, DecoratorModel, ExceptionModel)
_MISSING: Any = object()
_DATA_METHODS = frozenset(name for kind in (str, dict, list, bytes) for name in dir(kind))
"""Methods of plain data: `stripe.Charge.x.lower()` is no call of the library, whatever `stripe.*` says."""
_CONVERSIONS = ("to_", "as_", "is_", "from_", "has_")
"""How methods begin that only look at their object."""


class Hints:
    """Types of receivers by the conventions of their names, for one file's imports."""

    def __init__(self, hints: Sequence[Hint], common: Callable[[str, str], str], wider: Hints | None) -> None:
        """`common`: the common base of two types, or "" (where libraries differ about a name); `wider`: what else holds."""
        self._wider = wider
        self._known: dict[tuple[str, bool], str] = {}
        self._exact: dict[str, Hint] = {}
        self._patterns: list[tuple[str, Hint]] = []
        self._attributes = {name: hint.type for hint in hints if hint.attributes_only for name in hint.names}
        self._ranked = sorted((hint for hint in hints if not hint.attributes_only), key=lambda item: -item.priority)
        for hint in self._ranked:
            self._patterns += [(name, hint) for name in hint.names if "*" in name]
            for name in hint.names:
                known = self._exact.setdefault(name, hint)
                if known.library != hint.library and known.priority == hint.priority and known.type != hint.type:
                    self._exact[name] = replace(known, type=common(known.type, hint.type))

    def type_of(self, name: str, *, parameter: bool = True) -> str:
        """The type to assume for a receiver called `name`, or ""; `parameter`: it is a function's parameter."""
        known = self._known.get((name, parameter))
        if known is None:
            known = self._known[name, parameter] = self._find(name, parameter)
        return known

    def _find(self, name: str, parameter: bool) -> str:
        hint = self._exact.get(name)
        if hint is not None:
            return hint.type if parameter or not hint.parameters_only else ""
        for pattern, candidate in self._patterns:
            if _matches(name, pattern) and (parameter or not candidate.parameters_only):
                return candidate.type
        return self._wider.type_of(name, parameter=parameter) if self._wider else ""

    def of_attribute(self, name: str) -> str:
        """The type to assume for an attribute `name` of a class that nobody knows, or ""."""
        return self._attributes.get(name, "")

    def types_of(self, name: str) -> Iterator[str]:
        """All types that a parameter called `name` may have by any convention, the likeliest first."""
        for hint in self._ranked:
            if any(_matches(name, pattern) if "*" in pattern else name == pattern for pattern in hint.names):
                yield hint.type
        if self._wider is not None:
            yield from self._wider.types_of(name)


class Libraries:
    """All library models; look-ups follow aliases and base classes and are remembered."""

    def __init__(self, table: dict[str, Any], digest: str) -> None:
        self.hash = digest
        self._table = table
        self._aliases: dict[str, str] = table["aliases"]
        self._libraries = {head["library"]: convert(LibraryModel, head) for head in table["libraries"]}
        self._modules: dict[str, LibraryModel] = {}
        for lib in self._libraries.values():
            for module in lib.modules:
                self._modules.setdefault(module, lib)
        self._roots = {module.partition(".")[0] for module in self._modules} | {"builtins"}
        self._canonical: dict[str, str] = {}
        self._mros: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, dict[str, Any]] = {
            kind: {} for kind in ("calls", "attributes", "classes", "exceptions", "decorators")
        }
        self._hints = [convert(Hint, hint) for hint in table["hints"]]

    @classmethod
    def load(cls, user_folders: Sequence[Path] = (), cache_dir: Path | None = None) -> Libraries:
        """The built-in models and those of the users' folders (later ones win); raises RuleError with file and line.

        `cache_dir` holds the compiled table; without it everything is compiled anew.
        """
        builtin = _read([builtin_folder()])
        user = [_read([folder]) for folder in user_folders]
        table, digest = _compiled(builtin, cache_dir)
        for files in user:
            if files:
                extra, extra_digest = _compiled(files, cache_dir)
                table = _merge(table, extra)
                digest = hashlib.sha256((digest + extra_digest).encode()).hexdigest()
        return cls(table, digest)

    def canonical(self, dotted: str) -> str:
        """The name under which models know `dotted`: re-exports and old spellings resolved, also as prefixes."""
        known = self._canonical.get(dotted)
        if known is None:
            known = self._canonical[dotted] = self._resolve(dotted)
        return known

    def call(self, dotted: str) -> CallModel | None:
        """What calling `dotted` does: a function, a class (its constructor) or a method, inherited ones included."""
        return self._lookup("calls", CallModel, dotted)

    def attribute(self, dotted: str) -> AttributeModel | None:
        """What reading `dotted` gives: a module's object or `Class.attribute`, inherited ones included."""
        return self._lookup("attributes", AttributeModel, dotted)

    def decorator(self, dotted: str) -> DecoratorModel | None:
        """What decorating with `dotted` means."""
        return self._lookup("decorators", DecoratorModel, dotted)

    def cls(self, dotted: str) -> ClassModel | None:
        """The class `dotted`; only what itself states, see `mro` for its bases."""
        return self._exact("classes", ClassModel, dotted)

    def exception(self, dotted: str) -> ExceptionModel | None:
        """The exception class `dotted`."""
        return self._exact("exceptions", ExceptionModel, dotted)

    def mro(self, dotted: str) -> tuple[str, ...]:
        """The class or exception and all its known bases, nearest first."""
        name = self.canonical(dotted)
        known = self._mros.get(name)
        if known is None:
            order: dict[str, None] = {}
            self._collect_bases(name, order)
            known = self._mros[name] = tuple(order)
        return known

    def lineage(self, dotted: str) -> Iterator[ClassModel]:
        """What the class and its known bases state, nearest first."""
        return (model for name in self.mro(dotted) if (model := self.cls(name)) is not None)

    def is_subclass(self, dotted: str, base: str) -> bool:
        """True where the models know `base` among the bases of `dotted` (or the same)."""
        return self.canonical(base) in self.mro(dotted)

    def library_of(self, dotted: str) -> LibraryModel | None:
        """The library whose module `dotted` belongs to."""
        name = self.canonical(dotted)
        while name:
            found = self._modules.get(name)
            if found is not None:
                return found
            name = name.rpartition(".")[0]
        return None

    def library(self, name: str) -> LibraryModel | None:
        """The library called `name` (its file's name)."""
        return self._libraries.get(name)

    def libraries(self) -> Iterator[LibraryModel]:
        """All libraries."""
        return iter(self._libraries.values())

    def knows(self, dotted: str) -> bool:
        """False for names of which no model can say anything (a cheap test for the hot path)."""
        return dotted.partition(".")[0] in self._roots

    def names(self, kind: str) -> Iterator[str]:
        """All names of a table: calls, attributes, classes, exceptions, decorators, aliases."""
        return iter(self._table[kind])

    def names_saying(self, kind: str, field: str) -> Iterator[str]:
        """Names of a table whose models say something of this field, without making the models."""
        bodies = self._table["bodies"]
        return (name for name, (_, number) in self._table[kind].items() if field in bodies[number])

    @cached_property
    def leaving(self) -> frozenset[str]:
        """Names of what never returns, by every spelling that the models know."""
        models = {name: self.call(name) for name in self.names_saying("calls", "exits")}
        found = {name for name, model in models.items() if model is not None and model.exits}
        return frozenset(found | {name for name in self._aliases if self.canonical(name) in found})

    @cached_property
    def hooks_with_arguments(self) -> frozenset[str]:
        """Names of methods whose first argument is an instance of what an attribute of their class says."""
        models = (self.cls(name) for name in self.names_saying("classes", "argument_classes"))
        return frozenset(name for model in models if model is not None for name in model.argument_classes)

    def hints_for(self, imported_modules: Collection[str], wider: Hints | None = None) -> Hints:
        """Naming conventions that hold where these modules are imported (dotted names as in the import statements)."""
        prefixes: set[str] = set()
        for module in imported_modules:
            parts = module.split(".")
            prefixes.update(".".join(parts[: i + 1]) for i in range(len(parts)))
        fitting = [hint for hint in self._hints if not prefixes.isdisjoint(hint.when_imported)]
        return Hints(fitting, self._common_base, wider)

    @cached_property
    def hinting_modules(self) -> frozenset[str]:
        """Modules whose import brings naming conventions along."""
        return frozenset(module for hint in self._hints for module in hint.when_imported)

    def _common_base(self, first: str, second: str) -> str:
        bases = self.mro(second) if first else ()
        return next((base for base in self.mro(first) if base in bases), "")

    def _resolve(self, dotted: str) -> str:
        if not self.knows(dotted):
            return dotted
        for _ in range(8):
            head = dotted
            while head and head not in self._aliases:
                head = head.rpartition(".")[0]
            if not head:
                break
            dotted = self._aliases[head] + dotted[len(head) :]
        return dotted

    def _collect_bases(self, name: str, order: dict[str, None]) -> None:
        if name in order:
            return
        order[name] = None
        model = self.cls(name) or self.exception(name)
        for base in model.bases if model else ():
            self._collect_bases(self.canonical(base), order)

    def _lookup(self, kind: str, model: type[M], dotted: str) -> M | None:
        found = self._found[kind].get(dotted, _MISSING)
        if found is _MISSING:
            found = self._found[kind][dotted] = self._find(kind, model, dotted)
        return found  # type: ignore[no-any-return]

    def _find(self, kind: str, model: type[M], dotted: str) -> M | None:
        if not self.knows(dotted):
            return None
        name = self.canonical(dotted)
        owner, _, last = name.rpartition(".")
        for cls in self.mro(owner):
            if f"{cls}.{last}" in self._table[kind]:
                return self._make(kind, model, f"{cls}.{last}")
        holder = self.attribute(owner) if owner else None
        if holder is not None and holder.type:
            return self._lookup(kind, model, f"{holder.type.partition('[')[0]}.{last}")
        other = "attributes" if kind == "calls" else "calls"
        if last.startswith("_") or any(f"{cls}.{last}" in self._table[other] for cls in self.mro(owner)):
            return None
        for cls in self.mro(owner):
            if f"{cls}.*" in self._table[kind]:
                return self._make(kind, model, f"{cls}.*")
        while owner and last not in _DATA_METHODS and not last.startswith(_CONVERSIONS):
            if f"{owner}.*" in self._table[kind]:
                return self._make(kind, model, f"{owner}.*")
            owner = owner.rpartition(".")[0]
        return None

    def _exact(self, kind: str, model: type[M], dotted: str) -> M | None:
        found = self._found[kind].get(dotted, _MISSING)
        if found is _MISSING:
            name = self.canonical(dotted)
            found = self._make(kind, model, name) if name in self._table[kind] else None
            self._found[kind][dotted] = found
        return found  # type: ignore[no-any-return]

    def _make(self, kind: str, model: type[M], name: str) -> M:
        library, number = self._table[kind][name]
        made = convert(model, self._table["bodies"][number])
        made.name, made.library = name, library
        return made


def builtin_folder() -> Path:
    """The shipped models: the checkout's `rules/libraries`, else the wheel's copy."""
    package = Path(__file__).resolve().parents[2]
    checkout = package.parents[1] / "rules" / "libraries"
    return checkout if checkout.is_dir() else package / "_rules" / "libraries"


def _read(folders: Sequence[Path]) -> list[tuple[Path, bytes]]:
    files = []
    for folder in folders:
        try:
            files += [(path, path.read_bytes()) for path in sorted(folder.glob("*.yaml")) if path.is_file()]
        except OSError as error:
            raise RuleError(f"{folder}: cannot read library models: {error.strerror}") from None
    return files


def _compiled(files: list[tuple[Path, bytes]], cache_dir: Path | None) -> tuple[dict[str, Any], str]:
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    for path, content in files:
        digest.update(f"\0{path.name}\0{len(content)}\0".encode() + content)
    key = digest.hexdigest()
    stored = cache_dir / f"libraries-{key[:32]}.json" if cache_dir else None
    table = _load_stored(stored) if stored else None
    if table is None:
        from backendlint.project.libraries.compile import compile_files

        table = compile_files(files)
        if stored:
            _store(stored, table)
    _add_class_attributes(table)
    return table, key


def _load_stored(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
        return data if isinstance(data, dict) and "bodies" in data else None
    except (OSError, ValueError):
        return None


def _store(path: Path, table: dict[str, Any]) -> None:
    """Writes the compiled table; a directory that cannot be written to only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="libraries-")
        with os.fdopen(handle, "w") as stream:
            json.dump(table, stream, separators=(",", ":"))
        Path(temporary).replace(path)
        kept = sorted(path.parent.glob("libraries-*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in kept[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _add_class_attributes(table: dict[str, Any]) -> None:
    """`classes.X.attributes` also stand in the attribute table."""
    for name, (library, number) in list(table["classes"].items()):
        for attribute, kind in table["bodies"][number].get("attributes", {}).items():
            dotted = f"{name}.{attribute}"
            body = {"type": kind}
            if dotted in table["attributes"]:
                body |= table["bodies"][table["attributes"][dotted][1]]
            table["attributes"][dotted] = [library, len(table["bodies"])]
            table["bodies"].append(body)


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """`extra`'s entries added to `base`; of entries in both, the fields of `extra` win."""
    merged = dict(base)
    merged["bodies"] = bodies = list(base["bodies"])
    heads = {head["library"]: head for head in base["libraries"]}
    for head in extra["libraries"]:
        before = heads.get(head["library"], {})
        modules = [*_as_list(before.get("modules", [])), *_as_list(head.get("modules", []))]
        heads[head["library"]] = {**before, **head, "modules": list(dict.fromkeys(modules))}
    merged["libraries"] = list(heads.values())
    merged["aliases"] = {**base["aliases"], **extra["aliases"]}
    merged["hints"] = [*extra["hints"], *base["hints"]]
    for kind in ("calls", "attributes", "classes", "exceptions", "decorators"):
        merged[kind] = dict(base[kind])
        for name, (library, number) in extra[kind].items():
            before = bodies[base[kind][name][1]] if name in base[kind] else {}
            merged[kind][name] = [library, len(bodies)]
            bodies.append({**before, **extra["bodies"][number]})
    return merged


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    return name.startswith(pattern[:-1])
