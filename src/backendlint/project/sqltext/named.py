"""Statements that .sql files keep under names (`-- name: get_order`), and the calls that send one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.linking.variables import display
from backendlint.project.sqltext.places import place_in
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_HEADING = re.compile(r"^[ \t]*--[ \t]*name[ \t]*:[ \t]*([\w.-]+).*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """One named statement: the characters of a .sql file from `start` to before `end`."""

    path: str
    name: str
    start: int
    end: int
    whole: str
    """The file's text."""

    @property
    def text(self) -> str:
        return self.whole[self.start : self.end]

    def location(self, start: int, end: int) -> Location:
        """Where the characters of the block from `start` to before `end` stand."""
        return place_in(self.path, self.whole, self.start + start, self.start + end)


class Named:
    """The named statements of the project, and which of them a value is."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._blocks: dict[str, list[Block]] = {}
        for path in project.sql_files:
            for block in _blocks(path, project.sources(path)):
                self._blocks.setdefault(block.name, []).append(block)

    def asked(self, fn: Fn, vid: Vid) -> Block | None:
        """The statement that a value is: `QUERIES["get_order"]`, `QUERIES.get_order`, `query("orders", "get_order")`."""
        if not self._blocks or vid < 0:
            return None
        value = fn.unguarded(vid)
        if value[0] == "name" and len(str(value[1]).split(".")) < 2:
            return None
        if value[0] == "name":
            home, made = display(self.project, fn, vid)
            return self.asked(home, made) if (home, made) != (fn, vid) else None
        if value[0] == "item":
            key, holder = fn.const(value[2]), value[1]
        elif value[0] == "attr":
            key, holder = value[2], value[1]
        elif value[0] == "call":
            return self._called(fn, fn.facts.calls[value[1]].args)
        else:
            return None
        return self._pick(key, self._words(fn, holder))

    def _called(self, fn: Fn, args: tuple[Vid, ...]) -> Block | None:
        words = [fn.const(vid) for vid in args]
        found = [block for word in words for block in (self._pick(word, words),) if block is not None]
        return found[0] if len(found) == 1 else None

    def _words(self, fn: Fn, vid: Vid) -> list[object]:
        """The constants of which the holder of statements was made: `load("orders")`, `Path(__file__).parent / "orders.sql"`."""
        home, made = display(self.project, fn, vid)
        value = home.unguarded(made)
        if value[0] != "call":
            return []
        return [home.const(item) for item in ingredients(home.facts, home.facts.calls[value[1]].passed)]

    def _pick(self, key: object, words: list[object]) -> Block | None:
        """The one statement of that name, or of several that in the file which the words name."""
        found = self._blocks.get(key, []) if isinstance(key, str) else []
        if len(found) > 1:
            stems = {PurePosixPath(word).stem for word in words if isinstance(word, str) and word}
            found = [block for block in found if PurePosixPath(block.path).stem in stems]
        return found[0] if len(found) == 1 else None


def _blocks(path: str, text: str) -> list[Block]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)] * bool(headings)
    return [
        Block(path, heading[1].replace("-", "_"), heading.end(), end, text)
        for heading, end in zip(headings, ends, strict=True)
    ]


def without(text: str, blocks: list[Block]) -> str:
    """The file's text with the blocks made blank, offsets kept."""
    for block in blocks:
        text = text[: block.start] + re.sub(r"\S", " ", block.text) + text[block.end :]
    return text
