"""What must hold of a function's parameters for a place in it to be reached, and what a call says about that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Span, Value, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import Bound, unchanged
from backendlint.project.linking.fieldvalues import field_of, is_field

if TYPE_CHECKING:
    from backendlint.project.model import Project

Key = tuple[object, ...]
"""A value that is the same wherever it is named: a constant, or a member of a class."""
MAX_DEPTH = 4
_MAKES = re.compile(r"uuid\.uuid\d$|secrets\.token_")
_PLAIN = (bool, int, str, type(None))


class Proviso(NamedTuple):
    """Parameter `param` (or its `field`) is true, equal to `key`, or to a field of another parameter, if `holds`; is not,
    otherwise."""

    param: int
    holds: bool
    key: Key | None = None
    field: str = ""
    other: tuple[int, str] | None = None


_NONE: frozenset[Proviso] = frozenset()


class Provisos:
    """Answers `of(fn, block, span)`, and `passed(edge, provisos)` for calls."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._exits: dict[Fn, list[tuple[int, Span, frozenset[Proviso]]]] = {}
        self._blocks: dict[tuple[Fn, int], tuple[frozenset[Proviso], list[tuple[Span, frozenset[Proviso]]]]] = {}

    def of(self, fn: Fn, block: int, span: Span) -> frozenset[Proviso]:
        """By the branches around a place, and by those before it that leave the function."""
        if not fn.facts.params or len(fn.facts.blocks) == 1:
            return _NONE
        known = self._blocks.get((fn, block))
        if known is None:
            known = self._blocks[fn, block] = self._of_block(fn, block)
        around, left = known
        around = around.union(*(self._test(fn, test, outcome) for test, outcome in fn.operands_before(span)))
        return around.union(*(said for exit_span, said in left if exit_span[2:] <= span[:2])) if left else around

    def _of_block(self, fn: Fn, block: int) -> tuple[frozenset[Proviso], list[tuple[Span, frozenset[Proviso]]]]:
        """What the branches around a block say, and beside it what those say that leave the function."""
        around = _NONE.union(*(self._test(fn, test, outcome) for test, outcome in fn.tests_of(block)))
        around |= _NONE.union(
            *(self._tried(fn, item.group) for _, item in fn.blocks_of(block) if item.kind == "except")
        )
        above = {number for number, _ in fn.blocks_of(block)}
        return around, [(span, said) for parent, span, said in self._left(fn) if parent in above]

    def _tried(self, fn: Fn, group: int) -> frozenset[Proviso]:
        """What must hold for anything to fail in a `try`: `try: if form: parse(form) ...`."""
        tried = below(fn.facts, group)
        facts = (
            fn.facts.calls,
            fn.facts.bindings,
            fn.facts.stores,
            fn.facts.returns,
            fn.facts.raises,
            fn.facts.statements,
        )
        work = {item.block for items in facts for item in items if item.block in tried}
        tests = [(self._test(fn, test, outcome) for test, outcome in fn.tests_of(block)) for block in work]
        return frozenset.intersection(*(_NONE.union(*said) for said in tests)) if tests else _NONE

    def _left(self, fn: Fn) -> list[tuple[int, Span, frozenset[Proviso]]]:
        """`if not strict: return`: what follows is reached with `strict` alone."""
        known = self._exits.get(fn)
        if known is None:
            known = self._exits[fn] = [
                (item.parent, item.span, said)
                for item in fn.facts.blocks
                if item.kind == "if"
                and item.exits in ("return", "raise")
                and (said := self._test(fn, item.value, False))
            ]
        return known

    def _test(self, fn: Fn, vid: Vid, truth: bool, depth: int = MAX_DEPTH) -> frozenset[Proviso]:
        """What a test says about parameters if it comes out so."""
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if depth == 0:
            return _NONE
        if value[0] == "guard":
            return self._test(fn, value[1], truth, depth)
        if value[0] == "not":
            return self._test(fn, value[1], not truth, depth - 1)
        part = self._part(fn, vid)
        if part is not None:
            return frozenset({Proviso(part[0], truth, field=part[1])})
        if value[0] == "bool" and (value[1] == "and") is truth:
            return _NONE.union(*(self._test(fn, item, truth, depth - 1) for item in value[2]))
        if value[0] == "compare" and len(value[2]) == 2 and value[1][0] in ("is", "is not", "==", "!="):
            return self._compared(fn, value[2], truth is (value[1][0] in ("is", "==")))
        return _NONE

    def _compared(self, fn: Fn, sides: tuple[Vid, ...], same: bool) -> frozenset[Proviso]:
        parts = [self._part(fn, vid) for vid in sides]
        if parts[0] and parts[1]:
            related = parts[0][1] and parts[1][1] and parts[0][0] != parts[1][0]
            return frozenset({Proviso(parts[0][0], same, None, parts[0][1], parts[1])}) if related else _NONE
        for part, other in zip(parts, sides[::-1], strict=True):
            key = self._key(fn, other) if part is not None else None
            if part is not None and key is not None:
                return frozenset({Proviso(part[0], same, key, part[1])})
        return _NONE

    def _part(self, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> tuple[int, str] | None:
        """A parameter, one that was made a member of its enumeration (`side = Side(side)`), or a field of one (`self.version`);
        the same where branches meet that have only tested it."""
        value = fn.unguarded(vid)
        if value[0] == "phi" and depth:
            parts = {self._part(fn, item, depth - 1) for item in value[1]}
            return parts.pop() if len(parts) == 1 else None
        if value[0] == "param":
            return value[1], ""
        if value[0] == "call":
            call = fn.calls[value[1]]
            made = len(call.passed) == 1 and self._is_enumeration(fn, call.func)
            return self._part(fn, call.args[0]) if made and call.args else None
        base = fn.unguarded(value[1]) if value[0] == "attr" else ("",)
        return (base[1], str(value[2])) if base[0] == "param" else None

    def _is_enumeration(self, fn: Fn, vid: Vid) -> bool:
        value = fn.unguarded(vid)
        if value[0] not in ("name", "def"):
            return False
        name = str(value[1]) if value[0] == "name" else f"{fn.file.module}.{value[1]}"
        target = self.project.modules.resolve(name, fn.file.module)
        cls = self.project.classes.get(f"{target.file.module}.{target.name}") if target.file is not None else None
        return cls is not None and not target.rest and self.project.hierarchy.is_a(cls, "enum.Enum")

    def _key(self, fn: Fn, vid: Vid) -> Key | None:
        value = fn.unguarded(vid)
        if value[0] == "const":
            return ("const", type(value[1]).__name__, value[1]) if isinstance(value[1], _PLAIN) else None
        if value[0] != "name":
            return None
        target = self.project.modules.resolve(str(value[1]), fn.file.module)
        if target.kind == "class" and target.rest and target.file is not None:
            return ("member", target.file.module, target.name, target.rest)
        return None

    def passed(self, edge: Edge, provisos: frozenset[Proviso]) -> frozenset[Proviso] | None:
        """What a call asks of the caller's own parameters for them to hold; None where its arguments rule them out."""
        if not provisos or edge.call is None or edge.call.open_ended:
            return _NONE
        bound = edge.bound()
        found: set[Proviso] = set()
        for item in provisos:
            subject = _single(bound, item.param)
            if subject >= 0 and item.other is None and self._tested(edge.caller, subject, item) is False:
                return None
            said = self._of_fields(edge.caller, bound, item) if item.field else self._of_parameter(edge, bound, item)
            if said is False:
                return None
            if isinstance(said, Proviso):
                found.add(said)
        return frozenset(found)

    def _of_parameter(self, edge: Edge, bound: Bound, item: Proviso) -> Proviso | bool | None:
        """The proviso as one of the caller's own parameter; False where the argument does not fulfil it."""
        given = bound.get(item.param, [])
        home, vid = edge.callee.parent, edge.callee.facts.params[item.param].default
        if given:
            home, vid = (edge.caller, given[0][0]) if len(given) == 1 and not given[0][1] else (None, -1)
        if home is None or vid < 0:
            return None
        value = home.unguarded(vid)
        return item._replace(param=value[1]) if given and value[0] == "param" else self._decided(home, vid, item)

    def _of_fields(self, fn: Fn, bound: Bound, item: Proviso) -> Proviso | bool | None:
        """The same for a field of what is passed, or for one that is equal to a field of something else that is."""
        subject, other = _single(bound, item.param), _single(bound, item.other[0]) if item.other is not None else -1
        if subject < 0 or (item.other is not None and other < 0):
            return None
        value, against = fn.unguarded(subject), fn.unguarded(other) if other >= 0 else ("",)
        if value[0] == "param" and (item.other is None or against[0] == "param"):
            moved = (int(against[1]), item.other[1]) if item.other is not None else None
            return item._replace(param=value[1], other=moved)
        if item.other is None:
            known = field_of(self.project, fn, subject, item.field)
            return self._decided(*known, item) if known is not None else None
        for one, field, two, name in (
            (subject, item.field, other, item.other[1]),
            (other, item.other[1], subject, item.field),
        ):
            known = field_of(self.project, fn, one, field)
            if known is not None and known[0] is fn and is_field(fn, known[1], two, name):
                return item.holds
        return None

    def _tested(self, fn: Fn, subject: Vid, item: Proviso) -> bool | None:
        """Whether the tests that led to the call say that a proviso holds of what is passed; None where they do not."""
        value = fn.facts.values[subject]
        while value[0] == "guard":
            said = self._says(fn, value[2], value[3], unchanged(fn, subject), item) if value[3] is not None else None
            if said is not None:
                return said
            value = fn.facts.values[value[1]]
        return None

    def _says(
        self, fn: Fn, test: Vid, truth: bool, subject: Value, item: Proviso, depth: int = MAX_DEPTH
    ) -> bool | None:
        value = fn.unguarded(test)
        if depth == 0:
            return None
        if value[0] == "not":
            return self._says(fn, value[1], not truth, subject, item, depth - 1)
        if value[0] == "bool":
            parts = value[2] if (value[1] == "and") is truth else ()
            said = (self._says(fn, part, truth, subject, item, depth - 1) for part in parts)
            return next((found for found in said if found is not None), None)
        if value[0] == "compare" and len(value[2]) == 2 and value[1][0] in ("is", "is not", "==", "!="):
            same = truth is (value[1][0] in ("is", "=="))
            for one, other in (value[2], value[2][::-1]):
                key = self._key(fn, other) if self._is_meant(fn, one, subject, item.field) else None
                if key is not None and item.key is not None and (key == item.key or same):
                    return (same and key == item.key) is item.holds
            return None
        if not self._is_meant(fn, test, subject, item.field):
            return None
        if item.key is None:
            return truth is item.holds
        empty = item.key[0] == "const" and not item.key[-1]
        return not item.holds if truth and empty else None

    @staticmethod
    def _is_meant(fn: Fn, vid: Vid, subject: Value, field: str) -> bool:
        """Whether a value is what is passed, or its field."""
        if not field:
            return unchanged(fn, vid) == subject
        value = fn.unguarded(vid)
        return bool(value[0] == "attr" and value[2] == field and unchanged(fn, value[1]) == subject)

    def _decided(self, fn: Fn, vid: Vid, item: Proviso) -> bool | None:
        """Whether a value fulfils a proviso; None where it is not known."""
        key = self._key(fn, vid)
        if key is None and _is_made(fn, vid):
            return (item.key is None) is item.holds if item.key is None or item.key[-1] is None else None
        if key is None:
            return None
        said = key == item.key if item.key is not None else key[0] == "member" or bool(key[-1])
        return said is item.holds


def _is_made(fn: Fn, vid: Vid) -> bool:
    """`str(uuid4())`, `uuid4().hex`, `token_hex(8)`: new each time, and never empty."""
    value = fn.unguarded(vid)
    if value[0] == "attr":
        return _is_made(fn, value[1])
    func = fn.func_of(value)
    if func == ("name", "builtins.str"):
        args = fn.calls[value[1]].args
        return len(args) == 1 and _is_made(fn, args[0])
    return func[0] == "name" and _MAKES.match(str(func[1])) is not None


def _single(bound: Bound, index: int) -> Vid:
    """The one argument for a parameter; -1 where there is none, or only a part of it."""
    given = bound.get(index, [])
    return given[0][0] if len(given) == 1 and not given[0][1] else -1
