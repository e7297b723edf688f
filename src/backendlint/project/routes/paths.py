"""Paths as frameworks write them: to one form, `/orders/{id}`, with what their converters say about the types."""

from __future__ import annotations

import re
from typing import NamedTuple

_ANGLE = re.compile(r"<(?:([^:<>]+):)?([A-Za-z_]\w*)>")
_BRACES = re.compile(r"\{([A-Za-z_]\w*)(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}")
_COLON = re.compile(r":([A-Za-z_]\w*)")
_NAMED = re.compile(r"\(\?P<([A-Za-z_]\w*)>")
_UNNAMED = re.compile(r"(?<!\\)\((?!\?)(?:[^()\\]|\\.)*\)[?*+]?")
"""`(\\d+)`: given to the handler by its place."""
_TYPES = {
    "int": "int", "integer": "int", "float": "float", "uuid": "uuid", "slug": "slug", "number": "float", "any": "literal",
    "decimal": "decimal", "date": "date", "datetime": "date", "bool": "bool",
}  # fmt: skip
_ANGLED = ("angle", "named")
_SHORT = {*_TYPES, "str", "string", "default", "alpha"}
"""Converters of which it is known that what they match holds no slash."""
_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])*)\]")
_WIDE = re.compile(r"(?<!\\)\.|/|\\[SDW]|\[")
_CONVERTERS = {*_SHORT, "path", "ymd", "strorempty"}


class Parameter(NamedTuple):
    """A path parameter with the type that its converter gives ("" for text)."""

    name: str
    type: str


def parameters(path: str, syntax: str) -> list[Parameter]:
    """The parameters of a path as written."""
    if syntax in _ANGLED:
        return [Parameter(name, _type(kind)) for name, kind in _angled(path, syntax)]
    if syntax == "regex":
        return [Parameter(name, _digits(body)) for name, body, _, _ in _groups(path)]
    if syntax == "colon":
        return [Parameter(name, "") for name in _COLON.findall(path)]
    return [Parameter(name, _type(kind)) for name, kind in _BRACES.findall(path)]


def within_segment(path: str, syntax: str) -> set[str]:
    """The parameters of a path as written that hold no slash: a part of one segment."""
    if syntax in _ANGLED:
        return {name for name, kind in _angled(path, syntax) if not kind or _head(kind) in _SHORT}
    if syntax == "regex":
        return {name for name, body, _, _ in _groups(path) if not _WIDE.search(_CLASS.sub(_narrow, body))}
    if syntax == "colon":
        return set(_COLON.findall(path))
    return {name for name, kind in _BRACES.findall(path) if not kind or kind in _SHORT}


def _narrow(match: re.Match[str]) -> str:
    """Nothing in the place of a class of characters that has no slash among them."""
    negated, inside = match.groups()
    slash = "/" in inside or (not negated and re.search(r"\\[SDW]", inside))
    return "" if bool(negated) == bool(slash) else "/"


def normal(path: str, syntax: str) -> str:
    """The path with parameters as `{name}`."""
    if syntax in _ANGLED:
        return _ANGLE.sub(lambda match: "{" + _named(match[1] or "", match[2], syntax)[0] + "}", path)
    if syntax == "regex":
        return _from_regex(path)
    if syntax == "colon":
        return _COLON.sub(r"{\1}", path)
    return _BRACES.sub(r"{\1}", path)


def join(*parts: str) -> str:
    """Prefixes and a path as one path with a leading slash."""
    text = ""
    for part in filter(None, parts):
        if text.endswith("/") and part.startswith("/"):
            text += part[1:]
        elif text and not text.endswith("/") and not part.startswith("/"):
            text += f"/{part}"
        else:
            text += part
    text = re.sub("//+", "/", text)
    return text if text.startswith("/") else f"/{text}"


def segments(path: str) -> list[str]:
    """The parts between slashes."""
    return [part for part in path.split("/") if part]


def is_parameter(segment: str) -> bool:
    """True for `{id}` and for segments that contain one."""
    return "{" in segment


def names_in(path: str) -> list[str]:
    """Names of the parameters of a path that is `normal`."""
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def shape(path: str) -> str:
    """The path with its parameters' names left out: what a router matches."""
    return re.sub(r"\{[^{}]*\}", "{}", path).rstrip("/") or "/"


def _angled(path: str, syntax: str) -> list[tuple[str, str]]:
    return [_named(kind, name, syntax) for kind, name in _ANGLE.findall(path)]


def _named(kind: str, name: str, syntax: str) -> tuple[str, str]:
    """Name and converter of `<int:id>`, and of `<id:int>` as some frameworks write it; `<own:uuid>` has a converter of the project's."""
    return (kind, name) if syntax == "named" and kind and kind not in _CONVERTERS else (name, kind)


def _head(kind: str) -> str:
    return kind.partition("(")[0].strip()


def _type(kind: str) -> str:
    head = _head(kind)
    return _TYPES.get(head, "literal" if head.startswith("enum") else "")


def _digits(body: str) -> str:
    return (
        "int"
        if re.fullmatch(r"(\\d|\[0-9\])(\+|\{[\d,]+\}|\*)?", body)
        else "slug"
        if re.fullmatch(r"\[[-\\\w]+\]\+|\\w\+", body)
        else "literal"
        if re.fullmatch(r"[\w-]+(\|[\w-]+)*", body)
        else ""
    )


def _groups(path: str) -> list[tuple[str, str, int, int]]:
    """Named groups of a regex: name, body, start, end; nested ones are part of the outer."""
    found = []
    position = 0
    while match := _NAMED.search(path, position):
        depth, end = 1, match.end()
        while end < len(path) and depth:
            if path[end] == "\\":
                end += 1
            elif path[end] in "()":
                depth += 1 if path[end] == "(" else -1
            end += 1
        found.append((match[1], path[match.end() : end - 1], match.start(), end))
        position = end
    return found


def _from_regex(path: str) -> str:
    text, position = "", 0
    for name, _, start, end in _groups(path):
        text += _UNNAMED.sub("{?}", path[position:start]) + "{" + name + "}"
        position = end
    text += _UNNAMED.sub("{?}", path[position:])
    text = re.sub(r"\\[AZzbB]|(?<!\[)\^|\$|\{\d+(?:,\d*)?\}", "", text)
    return re.sub(r"\\(.)", r"\1", text).replace("/?", "/")


_VERSION = re.compile(r"v\d+([._]\d+)*|\d{4}-\d{2}-\d{2}")
_ROOTS = ("api", "rest")


def versions(path: str) -> list[str]:
    """The segments that name a version: `v1`, `v2.1`, `2024-05-01`."""
    return [part for part in segments(path) if _VERSION.fullmatch(part)]


def subject(path: str) -> str:
    """The resource with which the path begins, the same in the singular and below every version; "" for none."""
    parts = (part for part in segments(path) if not is_parameter(part) and not _VERSION.fullmatch(part))
    return next((re.sub(r"[-_]", "", part).lower().removesuffix("s") for part in parts if part not in _ROOTS), "")
