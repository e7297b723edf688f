"""Strict validation of a configuration file against the dataclass that defines it; imported where a file exists."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import msgspec

from backendlint.errors import ConfigError

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """Read the options in `path`; raises ConfigError with file, line and what is allowed."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ConfigError(f"{path}:{line.group(1) if line else 1}: not valid TOML: {error}") from error
    table = document
    if path.name == "pyproject.toml":
        tool = document.get("tool", {})
        table = tool.get("backendlint", {}) if isinstance(tool, dict) else {}
    _check_keys(table, struct_of(kind), [], path, text)
    try:
        checked = msgspec.convert(table, struct_of(kind), strict=True)
    except msgspec.ValidationError as error:
        raise _value_error(error, path, text, struct_of(kind), table) from error
    return _to_dataclass(checked, kind)


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON schema of the options of `kind`."""
    return msgspec.json.schema(struct_of(kind))


def struct_of(kind: type[Any]) -> type[msgspec.Struct]:
    """The strict msgspec type that mirrors a dataclass of options."""
    hints = get_type_hints(kind)
    members: list[tuple[str, Any, Any]] = []
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            members.append((item.name, struct_of(hint), msgspec.field(default_factory=struct_of(hint))))
            continue
        meta = msgspec.Meta(description=item.metadata["doc"], **item.metadata["limits"])
        default = (
            msgspec.field(default_factory=item.default_factory)
            if item.default_factory is not dataclasses.MISSING
            else msgspec.field(default=item.default)
        )
        members.append((item.name, Annotated[hint, meta], default))
    return msgspec.defstruct(kind.__name__, members, rename="kebab", forbid_unknown_fields=True, frozen=True)


def _to_dataclass(value: Any, kind: type[T]) -> T:
    hints = get_type_hints(kind)
    values = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        part = getattr(value, item.name)
        values[item.name] = _to_dataclass(part, hints[item.name]) if isinstance(part, msgspec.Struct) else part
    return kind(**values)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _check_keys(table: Any, struct: Any, trail: list[str], path: Path, text: str) -> None:
    """Unknown keys, with the nearest allowed name."""
    if not isinstance(table, dict):
        return
    allowed = {item.encode_name: item.type for item in msgspec.structs.fields(struct)}
    for key, value in table.items():
        if key not in allowed:
            near = difflib.get_close_matches(key.replace("_", "-"), allowed, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(sorted(allowed))}"
            name = ".".join([*trail, key])
            raise ConfigError(f"{path}:{_line(text, [*trail, key])}: unknown option {name!r}; {hint}")
        if isinstance(allowed[key], type) and issubclass(allowed[key], msgspec.Struct):
            _check_keys(value, allowed[key], [*trail, key], path, text)


def _value_error(
    error: msgspec.ValidationError, path: Path, text: str, struct: type[msgspec.Struct], table: dict[str, Any]
) -> ConfigError:
    message, _, place = str(error).partition(" - at `$")
    trail = [part for part in re.split(r"\.|\[[^\]]*\]", place.rstrip("`")) if part]
    if "[...]" in place and isinstance(table.get(trail[0]), dict):
        trail.extend(key for key, value in table[trail[0]].items() if not _fits({trail[0]: {key: value}}, struct))
        del trail[2:]
    allowed = _allowed(struct, trail[0]) if trail else ""
    name = ".".join(trail)
    return ConfigError(f"{path}:{_line(text, trail)}: option {name!r}: {_lower(message)}{allowed}")


def _fits(table: dict[str, Any], struct: type[msgspec.Struct]) -> bool:
    try:
        msgspec.convert(table, struct, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _allowed(struct: type[msgspec.Struct], key: str) -> str:
    """The literal values that an option takes, spelled out, where it has such."""
    item = next((item for item in msgspec.structs.fields(struct) if item.encode_name == key), None)
    choices = sorted(set(_literals(item.type))) if item else []
    return f" (allowed are {', '.join(choices)})" if choices else ""


def _literals(hint: Any) -> list[str]:
    found = []
    for part in get_args(hint):
        if isinstance(part, str):
            found.append(part)
        elif not isinstance(part, msgspec.Meta):
            found.extend(_literals(part))
    return found


def _line(text: str, trail: list[str]) -> int:
    """The line that sets the deepest key of `trail`; 1 where none is found."""
    for key in reversed(trail):
        quoted = re.escape(key)
        name = rf"""["']?{quoted}["']?\s*"""
        pattern = re.compile(rf"^\s*(?:\[.*?)?(?:[\w.-]+\.)?{name}[=\].]|[{{,]\s*{name}=")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                return number
    return 1
