"""Which entries of caches the project itself takes out again: a key is known by what it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_CONTENTS = ("BaseCache.touch", "BaseCache.incr", "BaseCache.decr")
"""What changes an entry and keeps it."""
_MAKES_KEYS = re.compile(r"(^|_)(key|prefix|cache)s?(_|$)|Key", re.IGNORECASE)
_BY_PATTERN = "delete_pattern"
"""A method of django-redis, whose cache is reached as Django's own."""
_TELLING = 4
"""Characters; a shorter text at the beginning of a key says nothing."""
MAX_DEPTH = 2


class Forgotten:
    """Answers `drops()`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def drops(self, fn: Fn, keys: Iterable[Vid]) -> bool:
        """Whether some call of the project's deletes entries whose key is made alike: by the same function, of the same text or
        constant, or kept in an attribute of the same name."""
        marks = set(self._marks(fn, keys, MAX_DEPTH))
        return bool(marks) and not marks.isdisjoint(self._deleted)

    @cached_property
    def _deleted(self) -> frozenset[str]:
        marks = {mark for fn, call in self._deletes() for mark in self._marks(fn, call.passed, MAX_DEPTH)}
        attributes = {mark.removeprefix(".") for mark in marks if mark.startswith(".")}
        for fn in self.project.all_functions() if attributes else ():
            if fn.kind == "property" and fn.name in attributes:
                marks.update(self._marks(fn, fn.returned, 0))
        return frozenset(marks)

    def _deletes(self) -> Iterator[tuple[Fn, Call]]:
        for fn, call, model in self.project.effects.sites:
            if model.cache is not None and model.cache.role == "delete" and not model.name.endswith(_CONTENTS):
                yield fn, call
        yield from self.project.graph.calls_written(_BY_PATTERN)

    def _marks(self, fn: Fn, keys: Iterable[Vid], depth: int) -> Iterator[str]:
        """What tells keys apart: functions and constants of the project, attributes that hold a key, and how a text begins."""
        for vid in ingredients(fn.facts, keys):
            value = fn.value(vid)
            if value[0] == "call" and _MAKES_KEYS.search(fn.callee_name(fn.calls[value[1]])):
                yield from (target.fqn for target in self.project.targets(fn, fn.calls[value[1]]))
            elif value[0] == "name":
                yield from self._constant(str(value[1]))
            elif value[0] == "attr" and _MAKES_KEYS.search(str(value[2])):
                yield f".{value[2]}"
            elif value[0] == "param" and depth:
                yield from self._passed(fn, value[1], depth - 1)
            yield from _begins(fn, value)
        yield from (text for vid in keys for text in _texts(fn, vid))

    def _constant(self, dotted: str) -> Iterator[str]:
        """`CART_KEY` and `CART_KEY.format`, of a module of the project's."""
        for name in (dotted, dotted.rpartition(".")[0]):
            target = self.project.modules.resolve(name, "")
            if target.kind == "variable" and target.file is not None and name.rpartition(".")[2].isupper():
                yield name

    def _passed(self, fn: Fn, index: int, depth: int) -> Iterator[str]:
        for edge in self.project.graph.callers(fn):
            given = edge.passed(index) if edge.kind == "call" else []
            yield from self._marks(edge.caller, [vid for vid, _ in given], depth)


def _begins(fn: Fn, value: Value) -> Iterator[str]:
    """The constant that a text which is put together begins with, and each of several texts."""
    if value[0] == "fmt":
        yield from _texts(fn, value[2][0]) if value[2] else ()
    elif value[0] in ("list", "tuple", "set"):
        yield from (text for vid in value[1] for text in _texts(fn, vid))
    elif value[0] == "binop":
        yield from _texts(fn, value[2])
    elif value[0] == "attr" and value[2] == "format":
        yield from _texts(fn, value[1])


def _texts(fn: Fn, vid: Vid) -> Iterator[str]:
    text = fn.const(vid)
    begins = re.split(r"[*%{]", text)[0].strip(":_-. ") if isinstance(text, str) else ""
    if len(begins) >= _TELLING:
        yield begins
