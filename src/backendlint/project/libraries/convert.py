"""Plain data (as YAML gives it) to the dataclasses of the model; what does not fit is an error."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from typing import Any, Literal, TypeVar, Union, cast

from backendlint.project.libraries.model import Arg, Condition, Param, Sink

T = TypeVar("T")
Path = tuple[str | int, ...]
Converter = Callable[[object, Path], Any]

_REST = re.compile(r"(\d*)\*")
_SINGULAR = {"keyword": "keywords"}


class ModelError(Exception):
    """Data that does not fit; `path` leads to the place."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def convert(kind: type[T], data: object, path: Path = ()) -> T:
    """`data` as a `kind`; raises ModelError."""
    return cast(T, _converter(cast(Any, kind))(data, path))


@cache
def _converter(kind: Any) -> Converter:
    """What makes a `kind` of data; found once a type, for types are slow to look into."""
    special = _SPECIAL.get(kind)
    if special is not None:
        return special
    if is_dataclass(kind):
        return partial(_convert_dataclass, kind)
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(members)
    if origin is tuple:
        return partial(_convert_tuple, members[0])
    if origin is dict:
        return partial(_convert_dict, members[1])
    if origin is Literal:
        return partial(_convert_literal, members)
    return partial(_convert_scalar, kind)


def _convert_literal(allowed: tuple[object, ...], data: object, path: Path) -> Any:
    if data not in allowed:
        raise ModelError(f"{data!r} is not one of {', '.join(repr(a) for a in allowed)}", path)
    return data


def _convert_scalar(kind: Any, data: object, path: Path) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ModelError(f"expected {kind.__name__}, found {data!r}", path)
    return data


def _union(members: tuple[Any, ...]) -> Converter:
    """One type or None, or any constant."""
    rest = [member for member in members if member is not type(None)]
    optional = len(rest) < len(members)
    convert_one = _converter(rest[0]) if len(rest) == 1 else _convert_constant

    def convert_union(data: object, path: Path) -> Any:
        return None if data is None and optional else convert_one(data, path)

    return convert_union


def _convert_constant(data: object, path: Path) -> Any:
    if not isinstance(data, str | int | float | bool):
        raise ModelError(f"expected a constant, found {data!r}", path)
    return data


def _convert_tuple(item: Any, data: object, path: Path) -> tuple[Any, ...]:
    if item is Sink and isinstance(data, dict):
        convert_sink = _converter(Sink)
        return tuple(convert_sink({"kind": key, "arg": value}, (*path, key)) for key, value in data.items())
    if item is Condition:
        return _conditions(data, path)
    convert_item = _converter(item)
    if not isinstance(data, list):
        return (convert_item(data, path),)
    return tuple(convert_item(value, (*path, index)) for index, value in enumerate(data))


def _convert_dict(item: Any, data: object, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ModelError(f"expected a mapping, found {data!r}", path)
    convert_item = _converter(item)
    return {str(key): convert_item(value, (*path, key)) for key, value in data.items()}


def _convert_dataclass(kind: Any, data: object, path: Path) -> Any:
    """A mapping gives the fields; `true` means all defaults; any other scalar or list stands for the first field."""
    shape = _shape(kind)
    if data is True or data == {}:
        data = {}
    elif not isinstance(data, dict):
        data = {next(iter(shape)): data}
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = key if key in shape else _SINGULAR.get(key, key)
        if name not in shape:
            raise ModelError(f"unknown key {key!r}; allowed: {', '.join(sorted(shape))}", (*path, key))
        values[name] = shape[name](value, (*path, key))
    missing = [name for name in _required(kind) if name not in values]
    if missing:
        raise ModelError(f"missing {', '.join(missing)}", path)
    return kind(**values)


@cache
def _shape(kind: type) -> dict[str, Converter]:
    hints = typing.get_type_hints(kind)
    return {f.name: _converter(hints[f.name]) for f in fields(kind)}


@cache
def _required(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)


def _arg(data: object, path: Path) -> Arg:
    result = Arg()
    for item in data if isinstance(data, list) else [data]:
        if isinstance(item, bool) or not isinstance(item, int | str):
            raise ModelError(f"expected an argument's position or keyword, found {item!r}", path)
        _add_argument(result, item)
    return result


def _add_argument(result: Arg, item: int | str) -> None:
    if isinstance(item, int):
        result.positions += (item,)
    elif item == "receiver":
        result.receiver = True
    elif item == "**":
        result.all_keywords = True
    elif match := _REST.fullmatch(item):
        result.rest = int(match[1] or 0)
        result.all_keywords = result.all_keywords or not match[1]
    else:
        result.keywords += (item,)


def _param(data: object, path: Path) -> Param:
    """A keyword, `[position, keyword]`, a mapping with `keyword`, `position`, `default`, or `true` (none of them)."""
    if isinstance(data, dict) or data is True:
        return cast(Param, _convert_dataclass(Param, data, path))
    arg = _arg(data, path)
    return Param(keywords=arg.keywords, position=arg.positions[0] if arg.positions else -1)


def _conditions(data: object, path: Path) -> tuple[Condition, ...]:
    if not isinstance(data, dict):
        raise ModelError(f"expected a mapping from argument to values, found {data!r}", path)
    result = []
    for key, value in data.items():
        parts: list[object] = [int(p) if p.strip().isdigit() else p.strip() for p in str(key).split(",")]
        values = value if isinstance(value, list) else [value]
        if not all(v is None or isinstance(v, str | int | float | bool) for v in values):
            raise ModelError(f"expected constants, found {value!r}", (*path, key))
        result.append(Condition(_arg(parts, (*path, key)), tuple(values)))
    return tuple(result)


_SPECIAL: dict[Any, Converter] = {Arg: _arg, Param: _param}
