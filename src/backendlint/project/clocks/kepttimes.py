"""Times without a zone that stay on one clock wherever they go: measured, compared and stored beside nothing but their like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.clocks.clocks import CLOCKS, Clocks
from backendlint.project.clocks.naivetimes import CALENDAR
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import bind, object_root
from backendlint.project.linking.namedtuples import MAKER, fields_of
from backendlint.project.values.uses import made_of, operands

_CALENDAR = CALENDAR | {"time"}
_ENDS = ("datetime.datetime.max", "datetime.datetime.min")
_PARSED = ("schema", "serializer", "form")
_LOGS = frozenset({"log"})
MAX_DEPTH = 6


class KeptTimes:
    """Answers `consistent(fn, call)` for calls that make a time without a zone on one clock, `utc` or `local`."""

    def __init__(self, clocks: Clocks, clock: str) -> None:
        self.clocks = clocks
        self.project = clocks.project
        self.clock = clock
        self.made = CLOCKS[clock]

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields of the project's classes that are filled with such times, and with no others."""
        return frozenset(name for name in {*self._holders, *self._listed} if self.clocks.filled[name] == {self.clock})

    @cached_property
    def mixed(self) -> frozenset[str]:
        """Fields, each of one class, that get such times here, and those of another clock there."""
        return frozenset(
            name for name, count in self._holders.items() if count == 1 and len(self.clocks.filled[name]) > 1
        )

    @cached_property
    def _holders(self) -> Counter[str]:
        """The fields that get such times, each with the number of classes that have one."""
        filled = {name for name, found in self.clocks.filled.items() if self.clock in found}
        classes = self.project.classes.values() if filled else ()
        return Counter(name for cls in classes for name in {*self._declared(cls, filled), *self._set(cls, filled)})

    @cached_property
    def _listed(self) -> frozenset[str]:
        """`Token = namedtuple("Token", ["value", "expiration"])`: fields that no class has."""
        declared = {name for cls in self.project.classes.values() for name in cls.facts.attributes}
        listed = {name for place in self.project.graph.calls_of(MAKER) for name in fields_of(*place)}
        return frozenset(listed.intersection(self.clocks.filled) - declared)

    def _declared(self, cls: Cls, filled: set[str]) -> Iterator[str]:
        """Not what requests fill, nor what Django or the column (`DateTime(timezone=True)`) reads as a time of some zone;
        nor rows in local time, which others read too."""
        declared = filled.intersection(cls.facts.attributes)
        role = self.project.hierarchy.role(cls) if declared else ""
        if role in _PARSED or (role == "model" and self.clock == "local"):
            return
        for name in declared:
            vid = cls.facts.attributes[name]
            refs = self.project.refs(cls.owner, vid)
            if not any(ref.name.startswith("django.") for ref in refs) and not self.clocks.column(cls.owner, vid):
                yield name

    def _set(self, cls: Cls, filled: set[str]) -> Iterator[str]:
        """What an object of no row sets of itself: `self.started = ...`."""
        if self.project.hierarchy.role(cls) in (*_PARSED, "model"):
            return
        for method in cls.methods.values():
            yield from (
                store.name
                for store in method.facts.stores
                if store.name in filled and method.value(object_root(method, store.base)) == ("param", 0)
            )

    # where a time goes

    def consistent(self, fn: Fn, call: Call) -> bool:
        """Whether the call reads this clock, and each use of it is one beside other times of it."""
        if not any(model.name in self.made for model in self.project.models(fn, call)):
            return False
        return self._settled(fn, call.value, MAX_DEPTH, set())

    def _settled(self, fn: Fn, vid: Vid, depth: int, seen: set[tuple[str, Vid]]) -> bool:
        """Whether all uses of a value are such; there must be one."""
        if depth == 0 or (fn.fqn, vid) in seen:
            return depth > 0
        seen.add((fn.fqn, vid))
        verdicts = [self._value(fn, vid, item, value, depth, seen) for item, value in self._readers(fn, vid)]
        verdicts += [self._argument(fn, vid, call, depth, seen) for call in fn.calls if vid in call.passed]
        verdicts += [store.name in self.fields for store in fn.facts.stores if store.value == vid]
        if any(back.value == vid for back in fn.facts.returns):
            verdicts.append(self._returned(fn, depth, seen))
        return bool(verdicts) and all(verdicts)

    @staticmethod
    def _readers(fn: Fn, vid: Vid) -> list[tuple[Vid, Value]]:
        inert = ("store", "setattr", "mut")
        found = [(number, value) for number, value in enumerate(fn.facts.values) if vid in operands(value)]
        return [
            (number, value)
            for number, value in found
            if value[0] not in inert and not (value[0] == "guard" and value[1] != vid)
        ]

    def _value(self, fn: Fn, vid: Vid, item: Vid, value: Value, depth: int, seen: set[tuple[str, Vid]]) -> bool:
        """One value that is made of it."""
        if value[0] in ("guard", "phi", "bool"):
            return not self._used(fn, item) or self._settled(fn, item, depth - 1, seen)
        if value[0] == "compare":
            return all(self._like(fn, other) for other in value[2] if other != vid)
        if value[0] == "binop" and value[1] in ("+", "-"):
            other = value[3] if value[2] == vid else value[2]
            if value[1] == "-" and self._like(fn, other):
                return True  # a span
            return self._span(fn, other) and self._settled(fn, item, depth - 1, seen)
        return value[0] == "attr" and value[2] in _CALENDAR

    @staticmethod
    def _used(fn: Fn, vid: Vid) -> bool:
        """A name that was tested is another value from there on, read or not."""
        return any(vid in operands(value) for value in fn.facts.values) or any(
            [vid in call.passed for call in fn.calls]
            + [vid == back.value for back in fn.facts.returns]
            + [vid == store.value for store in fn.facts.stores]
        )

    def _like(self, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> bool:
        """Another time of the clock: made so, or a field that is filled so; None and the ends of time go with all."""
        value = fn.value(vid)
        if depth == 0:
            return False
        if value[0] in ("guard", "phi", "bool"):
            return all(self._like(fn, item, depth - 1) for item in made_of(value) if item != vid)
        if value[0] == "attr":
            return value[2] in self.fields
        if value[0] == "name":
            owner, _, last = str(value[1]).rpartition(".")
            return value[1] in _ENDS or (last in self.fields and bool(owner))
        if value[0] == "binop" and value[1] in ("+", "-"):
            left, right = value[2:4]
            shifted = self._like(fn, left, depth - 1) and self._span(fn, right)
            return shifted or (value[1] == "+" and self._span(fn, left) and self._like(fn, right, depth - 1))
        return value == ("const", None) or self._written(fn, value) or self.clocks.kinds(fn, vid) == {self.clock}

    def _written(self, fn: Fn, value: Value) -> bool:
        """`datetime(2001, 1, 1)`, from which times are counted; from 1970 on it is in UTC."""
        call = fn.calls[value[1]] if value[0] == "call" else None
        if (
            call is None
            or call.kwargs
            or len(call.args) < 3
            or not all(isinstance(fn.const(v), int) for v in call.args)
        ):
            return False
        named = any(ref.name == "datetime.datetime" for ref in self.project.callees(fn, call))
        return named and (self.clock == "utc" or fn.const(call.args[0]) != 1970)

    def _span(self, fn: Fn, vid: Vid) -> bool:
        """A length of time, as far as can be seen: no field and no point in time."""
        value = fn.unguarded(vid)
        if value[0] == "call":
            return any(ref.name == "datetime.timedelta" for ref in self.project.callees(fn, fn.calls[value[1]]))
        return (
            value[0] in ("name", "param", "attr", "binop")
            and not self.clocks.kinds(fn, vid)
            and not self._like(fn, vid)
        )

    def _argument(self, fn: Fn, vid: Vid, call: Call, depth: int, seen: set[tuple[str, Vid]]) -> bool:
        """What a call does with it: a field's value, a function of the project that keeps to it, a log."""
        if any(item == vid and key in self.fields for key, item in call.kwargs):
            return True
        models = self.project.models(fn, call)
        if any(_LOGS.intersection(model.effect) for model in models):
            return True
        targets = self.project.targets(fn, call)
        bound = [
            (target, index)
            for target in targets
            for index, given in bind(fn, call, target).items()
            if (vid, ()) in given
        ]
        return bool(bound) and all(self._parameter(target, index, depth, seen) for target, index in bound)

    def _parameter(self, fn: Fn, index: int, depth: int, seen: set[tuple[str, Vid]]) -> bool:
        vids = [vid for vid, value in enumerate(fn.facts.values) if value == ("param", index)]
        return bool(vids) and all(self._settled(fn, vid, depth - 1, seen) for vid in vids)

    def _returned(self, fn: Fn, depth: int, seen: set[tuple[str, Vid]]) -> bool:
        edges = [edge for edge in self.project.graph.callers(fn) if edge.kind == "call"]
        return bool(edges) and all(
            edge.call is not None and self._settled(edge.caller, edge.call.value, depth - 2, seen) for edge in edges
        )
