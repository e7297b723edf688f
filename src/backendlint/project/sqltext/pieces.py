"""A string value as pieces: literal text with its place, and holes for what is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_ALTERNATIVES = 6
MAX_DEPTH = 24
"""How far a list's contents are followed."""
MAX_NESTED = 60
"""How far a text is: a statement that twenty branches add to is one of forty parts."""
MAX_PIECES = 400
REST = -1
"""In place of the elements that a loop adds to a list: nobody knows how many."""
MAX_STEPS = 3_000
"""Values that are looked at for one text: one that is doubled again and again has no end."""
_SAME_TEXT = frozenset(
    {
        "strip",
        "lstrip",
        "rstrip",
        "dedent",
        "cleandoc",
        "text",
        "str",
        "SQL",
        "RawSQL",
        "lower",
        "format_map",
        "TextClause",
    }
)
_FORMAT_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_PERCENT_FIELD = re.compile(r"%%|%(?:\([^)]*\))?[#0\- +]*\d*(?:\.\d+)?[sdrifax]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text and where it comes from; `hole` pieces have none. `part` counts the pieces of one literal, in order."""

    text: str
    fn: Fn
    vid: Vid
    hole: bool = False
    part: int = 0


Pieces = tuple[Piece, ...]


class Builder:
    """Puts string values together; remembers nothing between roots."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._left = 0
        self._known: dict[tuple[str, Vid], list[Pieces]] = {}
        self._cut = False
        """Whether what is being built was cut off: at a cycle, or for its depth. Elsewhere it may be more."""

    def alternatives(self, fn: Fn, vid: Vid) -> list[Pieces]:
        """The texts that the value may be, at most MAX_ALTERNATIVES; one hole if putting them together has no end."""
        self._left = MAX_STEPS
        self._known.clear()
        found = self._build(fn, vid, 0, frozenset())
        return found if self._left >= 0 else [self._hole(fn, vid)]

    def _build(self, fn: Fn, vid: Vid, depth: int, seen: frozenset[tuple[str, Vid]]) -> list[Pieces]:
        key = (fn.fqn, vid)
        known = self._known.get(key)
        if known is not None:
            return known
        self._left -= 1
        if vid < 0 or depth > MAX_NESTED or key in seen or self._left < 0:
            self._cut = True
            return [self._hole(fn, vid)]
        outside, self._cut = self._cut, False
        found = self._made(fn, vid, depth, seen | {key})
        if not self._cut:
            self._known[key] = found
        self._cut |= outside
        return found

    def _made(self, fn: Fn, vid: Vid, depth: int, seen: frozenset[tuple[str, Vid]]) -> list[Pieces]:
        value = fn.facts.values[vid]
        op = value[0]
        if op == "const":
            return (
                [(Piece(str(value[1]), fn, vid),)] if isinstance(value[1], str | int | float) else [self._hole(fn, vid)]
            )
        if op == "fmt":
            return self._concat([(fn, part) for part in value[2]], depth, seen, numbered=True)
        if op in {"conv", "guard", "await"}:
            return self._build(fn, value[1], depth + 1, seen)
        if op == "phi":
            return self._any(fn, value[1], depth, seen)
        if op == "bool":
            return self._any(fn, value[2], depth, seen)
        if op == "name":
            return self._named(fn, vid, value[1], depth, seen)
        if op == "outer":
            return self._outer(fn, vid, value, depth, seen)
        if op == "call":
            return self._call(fn, vid, value[1], depth, seen)
        if op == "join":
            return self._join(fn, vid, value, depth, seen)
        if op == "binop" and value[1] == "+":
            return self._concat([(fn, value[2]), (fn, value[3])], depth, seen)
        if op == "binop" and value[1] == "%":
            return self._template(fn, vid, self._build(fn, value[2], depth + 1, seen), _PERCENT_FIELD)
        if op == "attr":
            return self._attribute(fn, vid, value, depth, seen)
        return [self._hole(fn, vid)]

    def _hole(self, fn: Fn, vid: Vid) -> Pieces:
        return (Piece("", fn, vid, hole=True),)

    def _any(self, fn: Fn, vids: Iterable[Vid], depth: int, seen: frozenset[tuple[str, Vid]]) -> list[Pieces]:
        found: list[Pieces] = []
        for vid in vids:
            if (fn.fqn, vid) in seen:
                self._cut = True
                continue
            for item in self._build(fn, vid, depth + 1, seen):
                if item not in found and len(found) < MAX_ALTERNATIVES:
                    found.append(item)
        return found

    def _concat(
        self, parts: Sequence[tuple[Fn, Vid]], depth: int, seen: frozenset[tuple[str, Vid]], numbered: bool = False
    ) -> list[Pieces]:
        texts: list[tuple[Pieces, dict[tuple[str, Vid], int]]] = [((), {})]
        for number, (fn, vid) in enumerate(parts):
            items = self._build(fn, vid, depth + 1, seen)
            if numbered:
                items = [
                    tuple(replace(piece, part=number) if piece.vid == vid else piece for piece in item)
                    for item in items
                ]
            key = (fn.fqn, _plain(fn, vid))
            texts = [
                (left + right, {**chosen, key: which})
                for left, chosen in texts
                for which, right in enumerate(items)
                if chosen.get(key, which) == which  # a value that comes twice is the same both times
            ][:MAX_ALTERNATIVES]
            if any(len(text) > MAX_PIECES for text, _ in texts):
                return [self._hole(fn, vid)]
        return [text for text, _ in texts]

    def _named(self, fn: Fn, vid: Vid, dotted: str, depth: int, seen: frozenset[tuple[str, Vid]]) -> list[Pieces]:
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind == "class" and target.file is not None and len(target.rest) == 1:
            cls = target.file.classes[target.name]
            inner = cls.attributes.get(target.rest[0], -1)
            owner = self.project.functions_of(target.file)[cls.owner]
            return self._build(owner, inner, depth + 1, seen) if inner >= 0 else [self._hole(fn, vid)]
        if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
            return [self._hole(fn, vid)]
        return self._build(self.project.module_function(target.file), target.vid, depth + 1, seen)

    def _outer(
        self, fn: Fn, vid: Vid, value: tuple[object, ...], depth: int, seen: frozenset[tuple[str, Vid]]
    ) -> list[Pieces]:
        target: Fn | None = fn
        levels = value[2] if len(value) > 2 else 1
        for _ in range(levels if isinstance(levels, int) else 1):
            target = target.parent if target else None
        inner = value[1]
        return (
            self._build(target, inner, depth + 1, seen) if target and isinstance(inner, int) else [self._hole(fn, vid)]
        )

    def _call(self, fn: Fn, vid: Vid, index: int, depth: int, seen: frozenset[tuple[str, Vid]]) -> list[Pieces]:
        call = fn.facts.calls[index]
        func = fn.facts.values[call.func]
        last = fn.callee_name(call)
        if last == "format" and func[0] == "attr":
            return self._template(fn, vid, self._build(fn, func[1], depth + 1, seen), _FORMAT_FIELD)
        if last == "format" and func[0] == "name":
            return self._template(fn, vid, self._named(fn, vid, func[1][: -len(".format")], depth, seen), _FORMAT_FIELD)
        if last in _SAME_TEXT:
            inner = func[1] if func[0] == "attr" and not call.args else call.args[0] if call.args else -1
            return self._build(fn, inner, depth + 1, seen)
        targets = self.project.targets(fn, call)
        if len(targets) == 1 and not targets[0].facts.is_generator:
            values = targets[0].returned
            if 0 < len(values) <= 2:
                return self._any(targets[0], values, depth + 1, seen)
        return [self._hole(fn, vid)]

    def _template(self, fn: Fn, vid: Vid, templates: list[Pieces], fields: re.Pattern[str]) -> list[Pieces]:
        """A template that is not written in place: its fields become holes."""
        found: list[Pieces] = []
        for item in templates:
            if all(piece.hole for piece in item):
                found.append(self._hole(fn, vid))
                continue
            made: list[Piece] = []
            for piece in item:
                made.extend(_fields(piece, fields, fn, vid))
            found.append(tuple(made))
        return found

    def _join(
        self, fn: Fn, vid: Vid, value: tuple[object, ...], depth: int, seen: frozenset[tuple[str, Vid]]
    ) -> list[Pieces]:
        sep, container = value[1], value[2]
        assert isinstance(sep, int) and isinstance(container, int)
        lists = self._elements(fn, container, depth + 1)
        if lists is None:
            return [self._hole(fn, vid)]
        found: list[Pieces] = []
        # what is joined is seldom empty, and then for good reason
        filled = [elements for elements in lists if elements]
        for elements in (filled or lists)[:MAX_ALTERNATIVES]:
            parts: list[tuple[Fn, Vid]] = []
            for number, element in enumerate(elements):
                parts += [(fn, sep), (fn, element)] if number else [(fn, element)]
            found.extend(self._concat(parts, depth + 1, seen))
        return found[:MAX_ALTERNATIVES]

    def _elements(self, fn: Fn, vid: Vid, depth: int) -> list[list[Vid]] | None:
        """The possible contents of a list that is built step by step."""
        value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
        if depth > MAX_DEPTH:
            return None
        if value[0] in {"list", "tuple"}:
            return None if any(fn.facts.values[item][0] == "star" for item in value[1]) else [list(value[1])]
        if value[0] == "mut" and value[2] == "append" and len(value[3]) == 1:
            before = self._elements(fn, value[1], depth + 1)
            return None if before is None else [[*items, value[3][0]] for items in before]
        if value[0] == "mut" and value[2] == "extend" and len(value[3]) == 1:
            before, more = self._elements(fn, value[1], depth + 1), self._elements(fn, value[3][0], depth + 1)
            return None if before is None or more is None else [left + right for left in before for right in more]
        if value[0] == "guard":
            return self._elements(fn, value[1], depth + 4)
        if value[0] == "phi":
            grown = [inner for inner in value[1] if self._grows(fn, inner, vid)]
            branches = [self._elements(fn, inner, depth + 4) for inner in value[1] if inner not in grown]
            found = [item for branch in branches for item in branch or ()]
            if None in branches and not any(found):
                return None  # what is left is that nothing was put in
            rest = [REST] if len(grown) > grown.count(vid) else []
            return [[*items, *rest] for items in found[:MAX_ALTERNATIVES]] or None
        return None

    def _grows(self, fn: Fn, vid: Vid, start: Vid) -> bool:
        """Whether a value is the one that a loop began with, with more put in."""
        todo, seen = [vid], {-1}
        while todo:
            item = todo.pop()
            if item == start:
                return True
            if item not in seen:
                seen.add(item)
                value = fn.facts.values[item]
                todo.extend(value[1] if value[0] == "phi" else value[1:2] if value[0] in ("guard", "mut") else ())
        return False

    def _attribute(
        self, fn: Fn, vid: Vid, value: tuple[object, ...], depth: int, seen: frozenset[tuple[str, Vid]]
    ) -> list[Pieces]:
        """A class attribute, read through the class or an instance."""
        base, name = value[1], str(value[2])
        assert isinstance(base, int)
        for ref in self.project.refs(fn, base):
            if ref.kind not in {"class", "inst"}:
                continue
            for cls in self.project.hierarchy.mro(self.project.classes[ref.name]):
                inner = cls.facts.attributes.get(name, -1)
                if inner >= 0 and not self.project.hierarchy.stores(cls, name):
                    return self._build(cls.owner, inner, depth + 1, seen)
        return [self._hole(fn, vid)]


def _fields(piece: Piece, fields: re.Pattern[str], fn: Fn, vid: Vid) -> list[Piece]:
    """A literal piece split at its format fields."""
    if piece.hole:
        return [piece]
    found: list[Piece] = []
    at = 0
    for match in fields.finditer(piece.text):
        text = match.group()
        escaped = text in {"{{", "}}", "%%"}
        end = match.start() + 1 if escaped else match.start()
        if end > at:
            found.append(replace(piece, text=piece.text[at:end], part=piece.part + len(found)))
        if not escaped:
            found.append(Piece("", fn, vid, hole=True))
        at = match.end()
    if at < len(piece.text):
        found.append(replace(piece, text=piece.text[at:], part=piece.part + len(found)))
    return found


def _plain(fn: Fn, vid: Vid) -> Vid:
    while vid >= 0 and fn.facts.values[vid][0] in {"conv", "guard", "await"}:
        vid = fn.facts.values[vid][1]
    return vid
