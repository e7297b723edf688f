"""Values that a query has found in the database before a place: what is stored was accepted when it was stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph import leaving
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, given, ruled_out, truth
from backendlint.project.linking.binding import below, bind
from backendlint.project.taint import labels as lb
from backendlint.project.taint.asked import Asked, Place, place
from backendlint.project.taint.labels import Labels, Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

Places = frozenset[Place]
NOTHING: Places = frozenset()
MAX_DEPTH = 40
_PARTS_OF = frozenset({"guard", "await", "attr", "item", "elem", "unpack", "enter", "star", "setattr", "mut", "store"})
"""Where such a value is there, so is what it is a part of."""
_MADE_OF = {"guard": 1, "await": 1, "star": 1, "conv": 1, "fmt": 2, "bool": 2, "phi": 1, "tuple": 1}
"""Where such a value holds the vids of what its text is made of."""
_MISSES = frozenset("get_object_or_404 aget_object_or_404 get_or_404 first_or_404 one_or_404 one scalar_one".split())
"""Methods that raise where there is no row."""
_KEYS = ("lookup_url_kwarg", "lookup_field", "pk_url_kwarg", "slug_url_kwarg")
"""Attributes of views that say what the key in their path is called."""
MAX_LEVEL = 4
"""Functions that are entered one in the other."""
_End = tuple[int, int]
_Known = tuple[tuple[int, object], ...]


class Stored:
    """Answers `less(...)`: labels without what was found in the database before."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.asked = Asked(project)
        self._level = 0
        self._found: dict[tuple[int, str, Vid, _Known], Places] = {}
        self._at: dict[tuple[int, str, int, _End, _Known], Places] = {}
        self._summaries: dict[tuple[int, str, bool, _Known], Places] = {}
        self._said: dict[tuple[int, str, Vid, bool, _Known], Places] = {}
        self._returned: dict[tuple[int, str, Vid, _Known], Places] = {}
        self._lookups: dict[str, list[tuple[Call, bool, Sequence[Fn]]]] = {}

    def less(self, found: Labels, fn: Fn, vid: Vid, path: Path, call: Call, kind: str) -> Labels:
        """The labels of a text that `call` is given, clean of this kind where they come from stored values alone."""
        known = self.at(fn, call.block, call.span[:2])
        if not known:
            return found
        stored: set[lb.Origin] = set()
        free: set[lb.Origin] = set()
        read = self.project.taint.reader.read
        for part in self._parts(fn, vid) if not path else (vid,):
            (stored if place(fn, part, path) in known else free).update(read(fn, part, path))
        only = stored - free
        return {
            origin: mark._replace(cleared=mark.cleared | {kind}) if origin in only else mark
            for origin, mark in found.items()
        }

    @staticmethod
    def _parts(fn: Fn, vid: Vid) -> Iterator[Vid]:
        """The values of which a text is made."""
        todo, seen = [vid], {vid}
        while todo:
            part = todo.pop()
            value = fn.facts.values[part]
            inner = _made_of(value)
            if inner is None:
                yield part
                continue
            fresh = [item for item in inner if item not in seen]
            seen.update(fresh)
            todo += fresh

    # what is known at a place

    def at(self, fn: Fn, block: int, end: _End, known: Given | None = None) -> Places:
        """Values that equal a stored one wherever control comes to this place of the function."""
        key = (self._level, fn.fqn, block, end, _key(known))
        if key not in self._at:
            self._at[key] = NOTHING
            self._at[key] = self._tested(fn, block, end, known or {}) | self._read(fn, block, end, known or {})
        return self._at[key]

    def _tested(self, fn: Fn, block: int, end: _End, known: Given) -> Places:
        """By the tests around it, and by those before it whose other branch leaves."""
        around = {number for number, _ in fn.blocks_of(block)}
        found = NOTHING
        for number, item in enumerate(fn.facts.blocks):
            if item.value < 0 or item.kind not in ("if", "else"):
                continue
            if number in around:
                found |= self._says(fn, item.value, item.kind == "if", known)
            elif item.parent in around and item.span[:2] < end and self._leaves(fn, number):
                found |= self._says(fn, item.value, item.kind != "if", known)
        for said in fn.facts.statements:
            if said.kind == "assert" and said.block in around and said.span[2:] <= end:
                found |= self._says(fn, said.value, True, known)
        return found

    def _says(self, fn: Fn, test: Vid, holds: bool, known: Given) -> Places:
        """What a test that came out so says, remembered: it is asked for each place behind it."""
        key = (self._level, fn.fqn, test, holds, _key(known))
        if key not in self._said:
            self._said[key] = self._implied(fn, test, holds, known)
        return self._said[key]

    def _read(self, fn: Fn, block: int, end: _End, known: Given) -> Places:
        """By calls before it that raise where they find nothing."""
        found = NOTHING
        around = {number for number, _ in fn.blocks_of(block)}
        for call, raises, targets in self._looking_up(fn):
            if call.span[2:] <= end and self._passed(fn, call.block, around):
                found |= self._behind(fn, call, raises, targets, known)
        return found

    def _behind(self, fn: Fn, call: Call, raises: bool, targets: Sequence[Fn], known: Given) -> Places:
        """What is known once a call has come back, remembered like tests."""
        key = (self._level, fn.fqn, call.value, _key(known))
        if key not in self._returned:
            found = self.found(fn, call.value, known) | self._by_path(fn, call) if raises else NOTHING
            for target in targets:
                told = self._summary(target, False, self._given(fn, call, target, known))
                found |= self._handed(fn, call, target, told)
            self._returned[key] = found
        return self._returned[key]

    def _looking_up(self, fn: Fn) -> list[tuple[Call, bool, Sequence[Fn]]]:
        """The calls that may raise where they find nothing, whether they do so themselves, and the functions they run."""
        if fn.fqn not in self._lookups:
            calls = ((call, self._raises(fn, call), self.project.targets(fn, call)) for call in fn.calls)
            self._lookups[fn.fqn] = [item for item in calls if item[1] or item[2]]
        return self._lookups[fn.fqn]

    def _passed(self, fn: Fn, block: int, around: Collection[int]) -> bool:
        """Whether what lies in the blocks `around` has been through the block: it is one of them, or is a `try` whose
        handlers leave."""
        for number, item in fn.blocks_of(block):
            if number in around:
                return True
            if item.kind == "try":
                handlers = [
                    i for i, other in enumerate(fn.facts.blocks) if other.kind == "except" and other.group == number
                ]
                if not all(self._leaves(fn, handler) for handler in handlers) or any(
                    handler in around for handler in handlers
                ):
                    return False
            elif item.kind != "with":
                return False
        return False

    def _leaves(self, fn: Fn, number: int) -> bool:
        """Whether control does not go on after a block: `return`, `raise`, `continue`, or a call such as `abort(404)`."""
        return bool(leaving.exits(self.project, fn, number))

    def _raises(self, fn: Fn, call: Call) -> bool:
        models = self.project.models(fn, call)
        if not models:
            return fn.callee_name(call) in _MISSES
        return any(
            model.orm is not None
            and (
                model.orm.op == "get_or_404"
                or (
                    model.orm.rows in ("one", "scalar")
                    and any(self.project.exception_kind(name) == "not-found" for name in model.raises)
                )
            )
            for model in models
        )

    def _by_path(self, fn: Fn, call: Call) -> Places:
        """The key in a view's path, by which its `get_object()` has found the row."""
        if fn.cls is None or call.passed or fn.callee_name(call) != "get_object":
            return NOTHING
        named = [cls.facts.attributes.get(name, -1) for cls in self.project.hierarchy.mro(fn.cls) for name in _KEYS]
        keys = {"pk", "slug"} if all(vid < 0 for vid in named) else set()
        for cls in self.project.hierarchy.mro(fn.cls):
            keys |= {str(cls.owner.const(cls.facts.attributes[name])) for name in _KEYS if name in cls.facts.attributes}
        return frozenset(Place(("param", index)) for index, param in enumerate(fn.facts.params) if param.name in keys)

    def _implied(self, fn: Fn, test: Vid, holds: bool, known: Given, depth: int = MAX_DEPTH) -> Places:
        """What a test that came out so says of the values which a query asked for."""
        value = fn.facts.values[test]
        op = value[0]
        if depth == 0:
            return NOTHING
        if op in ("guard", "await"):
            return self._implied(fn, value[1], holds, known, depth - 1)
        if op == "not":
            return self._implied(fn, value[1], not holds, known, depth - 1)
        if op == "bool":
            together = (value[1] == "and") == holds
            open_ = [vid for vid in value[2] if together or truth(fn, vid, known) is not (not holds)]
            parts = [self._implied(fn, vid, holds, known, depth - 1) for vid in open_]
            return frozenset().union(*parts) if together or not parts else frozenset.intersection(*parts)
        if op == "compare" and value[1] in (("in",), ("not in",)):
            return self._listed(fn, value[2], (value[1] == ("in",)) == holds)
        if op == "compare" and len(value[1]) == 1 and fn.const(value[2][1]) in (None, 0):
            there = value[1][0] in ("is not", "!=", ">")
            return self.found(fn, value[2][0], known, depth - 1) if there == holds else NOTHING
        return self.found(fn, test, known, depth - 1) if holds else NOTHING

    def _listed(self, fn: Fn, operands: tuple[Vid, ...], inside: bool) -> Places:
        """One of the entries of a table that the program itself holds."""
        table = fn.unguarded(operands[1])
        target = self.project.modules.resolve(table[1], fn.file.module) if table[0] == "name" else None
        return frozenset({place(fn, operands[0])}) if inside and target is not None and target.vid >= 0 else NOTHING

    # what a value that is there says

    def found(self, fn: Fn, vid: Vid, known: Given, depth: int = MAX_DEPTH) -> Places:
        """What equals a stored value if this value, of a query's making, is there."""
        key = (self._level, fn.fqn, vid, _key(known))
        if key not in self._found:
            self._found[key] = NOTHING
            self._found[key] = self._find(fn, vid, known, depth)
        return self._found[key]

    def _find(self, fn: Fn, vid: Vid, known: Given, depth: int) -> Places:
        value = fn.facts.values[vid]
        op = value[0]
        if depth == 0:
            return NOTHING
        if op in _PARTS_OF:
            return self.found(fn, value[1], known, depth - 1)
        if op in ("phi", "bool"):
            vids = [item for item in (value[1] if op == "phi" else value[2]) if self._possible(fn, item, known)]
            parts = [self.found(fn, item, known, depth - 1) for item in vids if item != vid]
            together = op == "bool" and value[1] == "and"
            return NOTHING if not parts else frozenset().union(*parts) if together else frozenset.intersection(*parts)
        if op == "compare":  # `return query.first() is not None`
            return self._implied(fn, vid, True, known, depth - 1)
        if op != "call":
            return NOTHING
        call = fn.facts.calls[value[1]]
        around = self._tested(fn, call.block, call.span[:2], known) if call.block else NOTHING
        return around | self._told(fn, call, known, depth)

    def _told(self, fn: Fn, call: Call, known: Given, depth: int) -> Places:
        """What equals a stored value if a call gives something."""
        targets = self.project.targets(fn, call)
        if targets:
            told = [
                self._handed(fn, call, target, self._summary(target, True, self._given(fn, call, target, known)))
                for target in targets
            ]
            return frozenset.intersection(*told)
        asked = self.asked.by(fn, call)
        if asked is None:
            return NOTHING
        places, rest = asked
        return frozenset(places).union(*(self.found(fn, item, known, depth - 1) for item in rest))

    @staticmethod
    def _possible(fn: Fn, vid: Vid, known: Given) -> bool:
        """Not nothing, and not made in a branch that is not taken."""
        value = fn.unguarded(vid)
        if value[0] == "call" and known and ruled_out(fn, fn.facts.calls[value[1]].block, known):
            return False
        return fn.const(vid) not in (None, False)

    # functions of the project

    def _summary(self, fn: Fn, gives: bool, known: Given) -> Places:
        """Parts of the parameters that equal stored values where the function ends or, with `gives`, gives something."""
        if self._level >= MAX_LEVEL:
            return NOTHING
        key = (self._level, fn.fqn, gives, _key(known))
        if key not in self._summaries:
            self._summaries[key] = NOTHING
            self._level += 1
            self._summaries[key] = self._summarize(fn, gives, known)
            self._level -= 1
        return self._summaries[key]

    def _summarize(self, fn: Fn, gives: bool, known: Given) -> Places:
        ends = []
        for item in fn.facts.returns:
            if item.is_yield:
                return NOTHING
            nothing = item.value < 0 or fn.const(item.value) in (None, False)
            if gives and nothing:
                continue
            there = self.at(fn, item.block, item.span[2:], known)
            ends.append(there | self.found(fn, item.value, known) if gives else there)
        if not gives and not fn.facts.blocks[0].exits:
            ends.append(self.at(fn, 0, (fn.facts.span.end_line + 1, 0), known))
        told = frozenset.intersection(*ends) if ends else NOTHING
        return frozenset(item for item in told if isinstance(item.root, tuple) and item.root[0] in ("param", "outer"))

    @staticmethod
    def _handed(fn: Fn, call: Call, target: Fn, told: Places) -> Places:
        """What is known of a callee's parameters, said of the call's arguments."""
        if not told:
            return NOTHING
        bound = bind(fn, call, target, entries=True)
        found = set()
        for item in told:
            assert isinstance(item.root, tuple)
            if item.root[0] == "outer":
                found |= {place(fn, item.root[1], item.path)} if target.outer(item.root) is fn else set()
                continue
            passed = ((vid, below(part, item.path)) for vid, part in bound.get(item.root[1], ()))
            found.update([place(fn, vid).below(path) for vid, path in passed if path is not None][:1])
        return frozenset(found)

    @staticmethod
    def _given(fn: Fn, call: Call, target: Fn, known: Given) -> Given:
        """Flags that decide in the callee what a miss does."""
        found = given(Edge(fn, target, call, "call", call.span), known)
        return {index: value for index, value in found.items() if value is None or isinstance(value, bool)}


def _key(known: Given | None) -> _Known:
    return tuple(sorted(known.items(), key=lambda item: item[0])) if known else ()


def _made_of(value: Value) -> list[Vid] | None:
    """The values that a text is made of; None where it is one by itself."""
    if value[0] == "binop":  # `"no ship %(name)s" % {"name": name}`
        return list(value[2:4])
    if value[0] == "dict":
        return [vid for _, vid in value[1]]
    place_of_vids = _MADE_OF.get(value[0])
    if place_of_vids is None:
        return None
    inner = value[place_of_vids]
    return [inner] if isinstance(inner, int) else list(inner)
