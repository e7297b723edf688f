"""Texts with places that are filled in later: `URL % name`, `URL.format(name=name)`, where the text is a constant kept elsewhere.

Where the text itself is written there, the facts take it apart already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Value, Vid
from backendlint.facts.percent import PERCENT
from backendlint.project.entities import Fn
from backendlint.project.linking.variables import variable
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import NONE, Labels

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

Given = Callable[[int | str], "tuple[Labels, str] | None"]
"""The labels of what is put into a place, by its key, and its text; None where that cannot be told."""
UNKNOWN = "\0"
"""A text that is not constant."""
_NUMBERS = tuple("bcdeEfFgGnoxX%iu")
"""Conversions that only numbers come through."""


class Place(NamedTuple):
    """A place in a text."""

    before: str
    """The text from the end of the place before it."""
    key: int | str
    number: bool = False


def percent_places(text: str) -> list[Place]:
    """`%s`, `%(name)s`; positions count from 0."""
    found: list[Place] = []
    before, last, position = "", 0, 0
    for match in PERCENT.finditer(text):
        before += text[last : match.start()]
        last = match.end()
        key, kind = match["key"], match["spec"][-1]
        if kind == "%":
            before += "%"
            continue
        found.append(Place(before, key or position, kind in _NUMBERS))
        position += not key
        before = ""
    return found


def format_places(text: str) -> list[Place]:
    """`{}`, `{0}`, `{name}`, `{name.part}`; nothing where the text is no such template."""
    found: list[Place] = []
    before, position = "", 0
    try:
        for literal, field, spec, conversion in Formatter().parse(text):
            before += literal
            if field is None:
                continue
            name = re.split(r"[.\[]", field, maxsplit=1)[0]
            key: int | str = int(name) if name.isdigit() else name or position
            found.append(Place(before, key, not conversion and (spec or "").endswith(_NUMBERS)))
            position += not name
            before = ""
    except ValueError:
        return []
    return found


class Templates:
    """Answers what a filled template carries; None for what is none."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project

    def percent(self, fn: Fn, value: Value) -> Labels | None:
        """Of `text % given`."""
        texts = self._constants(fn, value[2])
        return self._filled(fn, [percent_places(text) for text in texts], lambda key: self._of_right(fn, value[3], key))

    def formatted(self, fn: Fn, call: Call) -> Labels | None:
        """Of `text.format(...)`."""
        if fn.callee_name(call) != "format":
            return None
        func = fn.facts.values[call.func]
        texts = self._constants(fn, func[1]) if func[0] == "attr" else self._named(fn, str(func[1]))
        return self._filled(fn, [format_places(text) for text in texts], lambda key: self._of_call(fn, call, key))

    def _constants(self, fn: Fn, vid: Vid) -> list[str]:
        known = self.project.constants(fn, vid) or []
        return [str(text) for text in known] if all(isinstance(text, str) for text in known) else []

    def _named(self, fn: Fn, dotted: str) -> list[str]:
        found = variable(self.project, fn, dotted.rpartition(".")[0]) if "." in dotted else None
        return self._constants(*found) if found is not None else []

    def _filled(self, fn: Fn, ways: list[list[Place]], given: Given) -> Labels | None:
        if not ways or not all(ways):
            return None
        parts: list[Labels] = []
        for places in ways:
            prefix = ""
            for place in places:
                prefix += place.before
                found = given(place.key)
                if found is None:
                    return None
                parts.append(NONE if place.number else self.reader.urls.behind(prefix, found[0]))
                prefix += found[1]
        return lb.merge(parts)

    def _of_right(self, fn: Fn, right: Vid, key: int | str) -> tuple[Labels, str] | None:
        value = fn.unguarded(right)
        if isinstance(key, str):
            return self._entry(fn, right, key)
        if value[0] == "tuple":
            starred = any(fn.facts.values[vid][0] == "star" for vid in value[1])
            return None if starred or key >= len(value[1]) else self._put(fn, value[1][key])
        return self._put(fn, right) if key == 0 else None

    def _of_call(self, fn: Fn, call: Call, key: int | str) -> tuple[Labels, str] | None:
        if any(fn.facts.values[vid][0] == "star" for vid in call.args):
            return None
        if isinstance(key, int):
            return self._put(fn, call.args[key]) if key < len(call.args) else None
        vid, spread = call.kwarg(key), call.kwarg("**")
        if vid >= 0:
            return self._put(fn, vid)
        return self._entry(fn, spread, key) if spread >= 0 else None

    def _put(self, fn: Fn, vid: Vid) -> tuple[Labels, str]:
        known = fn.const(vid)
        return self.reader.rendering.read(fn, vid), UNKNOWN if known is ... else str(known)

    def _entry(self, fn: Fn, mapping: Vid, key: str) -> tuple[Labels, str]:
        """What a mapping holds under a key."""
        value = fn.unguarded(mapping)
        given = [vid for name, vid in value[1] if fn.const(name) == key] if value[0] == "dict" else []
        return self._put(fn, given[-1]) if given else (self.reader.read(fn, mapping, (lb.item(key),)), UNKNOWN)
