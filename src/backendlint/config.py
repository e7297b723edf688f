"""Configuration: `[tool.backendlint]` in pyproject.toml, or backendlint.toml, found from the first path upwards.

`Config` is the one place that defines the options: the validation, the JSON schema and the printed help derive from it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from backendlint.errors import ConfigError, UsageError
from backendlint.findings.model import Profile, Severity

FILES = ("backendlint.toml", "pyproject.toml")
FailLevel = Literal["error", "warning", "note", "never"]


def about(doc: str, **limits: Any) -> dict[str, Any]:
    """A field's metadata: its description and msgspec's limits (`ge`, `gt`, `pattern`)."""
    return {"doc": doc, "limits": limits}


@dataclass(frozen=True, slots=True)
class Budget:
    """The longest acceptable waits, in milliseconds."""

    api_ms: int = field(default=30_000, metadata=about("Longest worst-case wait of an endpoint.", gt=0))
    job_ms: int = field(default=900_000, metadata=about("Longest worst-case wait of a background job.", gt=0))


@dataclass(frozen=True, slots=True)
class Config:
    """All options, with kebab-case names in the file (`fail-on` for `fail_on`)."""

    select: tuple[str, ...] = field(
        default=(), metadata=about("Rules to run: ids, names, pillars or id prefixes. Empty: all of the profile.")
    )
    extend_select: tuple[str, ...] = field(
        default=(), metadata=about("Rules to run besides the profile's or `select`.")
    )
    ignore: tuple[str, ...] = field(default=(), metadata=about("Rules not to run."))
    profile: Profile = field(default="default", metadata=about("How much to report: default, strict or audit."))
    fail_on: FailLevel | dict[str, FailLevel] = field(
        default="warning", metadata=about("Lowest severity that makes the exit code 1; a table sets it per pillar.")
    )
    include: tuple[str, ...] = field(
        default=(), metadata=about("Globs of files to scan though their name or folder would leave them out.")
    )
    exclude: tuple[str, ...] | None = field(
        default=None, metadata=about("Globs to leave out instead of the default ones.")
    )
    extend_exclude: tuple[str, ...] = field(default=(), metadata=about("Globs to leave out besides the default ones."))
    include_tests: bool = field(default=False, metadata=about("Review test code too."))
    per_file_ignores: dict[str, tuple[str, ...]] = field(
        default_factory=dict, metadata=about("Glob to rules that are not reported there.")
    )
    severity: dict[str, Severity] = field(
        default_factory=dict, metadata=about("Rule to the severity it has in this project.")
    )
    dialect: str | None = field(
        default=None, metadata=about("SQL dialect where neither driver nor URL tells it, e.g. postgres.")
    )
    require_reasons: bool = field(default=False, metadata=about("Report suppression comments without a reason."))
    baseline: str | None = field(default=None, metadata=about("File with the findings that are accepted for now."))
    jobs: int = field(default=0, metadata=about("Worker processes; 0 means one a core.", ge=0))
    cache_dir: str | None = field(default=None, metadata=about("Folder of the cache, relative to the root."))
    file_timeout: float = field(default=20.0, metadata=about("Seconds that one file may take to be read.", gt=0))
    budget: Budget = field(default_factory=Budget, metadata=about("Longest acceptable waits."))
    rules: dict[str, dict[str, Any]] = field(
        default_factory=dict, metadata=about("Options of single rules: rule to its table.")
    )
    rule_paths: tuple[str, ...] = field(
        default=(".backendlint/rules",), metadata=about("Folders with the project's own rules.")
    )
    library_paths: tuple[str, ...] = field(
        default=(".backendlint/libraries",), metadata=about("Folders with the project's library models.")
    )
    layers: dict[str, str] = field(
        default_factory=dict, metadata=about("Glob to the layer of its files: controller, service, repository, ...")
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """A loaded configuration and the project's root, to which all reported paths are relative."""

    root: Path
    config: Config
    source: Path | None
    """The file that it was read from."""


def load(paths: Sequence[Path], *, explicit: Path | None = None, enabled: bool = True) -> Settings:
    """Read the configuration that holds for `paths`; `explicit` names the file, `enabled=False` ignores all files.

    Raises ConfigError with file, line and what is allowed.
    """
    start, *_ = whole = [resolved(path) for path in paths or (Path(),)]
    folder = start if start.is_dir() else start.parent
    if explicit is not None:
        if not explicit.is_file():
            raise ConfigError(f"{explicit}: no such configuration file")
        return _settings(explicit.resolve(), explicit.resolve().parent, whole)
    source = find_file(folder) if enabled else None
    if source is not None:
        return _settings(source, source.parent, whole)
    return Settings(_holding(git_toplevel(folder) or folder, whole), Config(), None)


def resolved(path: Path) -> Path:
    """The path from the root of the file system; raises UsageError where nobody can say what lies there."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
        return path.resolve()
    except FileNotFoundError as error:
        raise UsageError("the working directory does not exist any more") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be reached: {error.strerror}") from error


def find_file(folder: Path) -> Path | None:
    """The nearest backendlint.toml, or pyproject.toml with a [tool.backendlint] table, from `folder` upwards."""
    for parent in (folder, *folder.parents):
        for name in FILES:
            path = parent / name
            try:
                if path.is_file() and (name != "pyproject.toml" or b"tool.backendlint" in path.read_bytes()):
                    return path
            except OSError:
                continue
    return None


def git_toplevel(folder: Path) -> Path | None:
    """The work tree that holds `folder`, found without running git."""
    return next((parent for parent in (folder, *folder.parents) if os.path.exists(parent / ".git")), None)  # noqa: PTH110 - does not raise


def default_text() -> str:
    """A commented configuration file with every option at its default, for `backendlint init`."""
    lines = []
    for item in fields(Config):
        lines.append(f"# {item.metadata['doc']}")
        lines.append(f"# {_kebab(item.name)} = {_toml(getattr(Config(), item.name))}")
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of the options (the inside of [tool.backendlint])."""
    from backendlint.config_check import json_schema

    return json_schema(Config)


def _settings(source: Path, root: Path, paths: Sequence[Path]) -> Settings:
    from backendlint.config_check import read

    return Settings(_holding(root, paths), read(source, Config), source)


def _holding(root: Path, paths: Sequence[Path]) -> Path:
    """`root`, or the nearest folder above it that holds all of `paths` (resolved)."""
    while not all(path.is_relative_to(root) for path in paths):
        root = root.parent
    return root


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + "}"
    if isinstance(value, Budget):
        return "{" + ", ".join(f"{_kebab(f.name)} = {getattr(value, f.name)}" for f in fields(value)) + "}"
    return '""' if value is None else f'"{value}"' if isinstance(value, str) else str(value)
