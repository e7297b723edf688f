"""Times without a zone that stay on one clock wherever they go: measured, compared and stored beside nothing but their like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.binding import bind
from backendlint.project.calls import argument_of
from backendlint.project.entities import Cls, Fn
from backendlint.project.programs import for_tests
from backendlint.project.races import root
from backendlint.project.uses import ingredients, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

CLOCKS = {
    "utc": frozenset({"datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"}),
    "local": frozenset({"datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.fromtimestamp"}),
}
_AWARE = frozenset({"django.utils.timezone.now", "django.utils.timezone.localtime", "django.utils.timezone.make_aware"})
_CALENDAR = frozenset({"strftime", "year", "month", "day", "hour", "minute", "weekday", "date", "time", "ctime"})
_ENDS = ("datetime.datetime.max", "datetime.datetime.min")
_PARSED = ("schema", "serializer", "form")
_LOGS = frozenset({"log"})
MAX_DEPTH = 6


class KeptTimes:
    """Answers `consistent(fn, call)` for calls that make a time without a zone on one clock, `utc` or `local`."""

    def __init__(self, project: Project, clock: str) -> None:
        self.project = project
        self.clock = clock
        self.made = CLOCKS[clock]

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields of the project's classes that are filled with such times, and with no others."""
        return frozenset(name for name, found in self._filled.items() if found == {self.clock})

    @cached_property
    def mixed(self) -> frozenset[str]:
        """Fields, each of one class, that get such times here, and those of another clock there."""
        return frozenset(
            name
            for name, found in self._filled.items()
            if self.clock in found and len(found) > 1 and self._holders[name] == 1
        )

    @cached_property
    def _holders(self) -> Counter[str]:
        """The fields' names, each with the number of classes that have one."""
        classes = self.project.classes.values()
        return Counter(name for cls in classes for name in {*self._declared(cls), *self._set(cls)})

    @cached_property
    def _filled(self) -> dict[str, set[str]]:
        """The clocks of what each field gets."""
        kinds: dict[str, set[str]] = {}
        for fn, name, vid in self._fills():
            if name in self._holders and not for_tests(self.project, fn):
                kinds.setdefault(name, set()).update(self.kinds(fn, vid))
        return kinds

    def _declared(self, cls: Cls) -> Iterator[str]:
        """Not what requests fill, nor what Django or the column (`DateTime(timezone=True)`) reads as a time of some zone;
        nor rows in local time, which others read too."""
        role = self.project.hierarchy.role(cls)
        if role in _PARSED or (role == "model" and self.clock == "local"):
            return
        for name, vid in cls.facts.attributes.items():
            refs = self.project.refs(cls.owner, vid)
            if not any(ref.name.startswith("django.") for ref in refs) and not self._zoned(cls.owner, vid):
                yield name

    def _set(self, cls: Cls) -> Iterator[str]:
        """What an object of no row sets of itself: `self.started = ...`."""
        if self.project.hierarchy.role(cls) in (*_PARSED, "model"):
            return
        for method in cls.methods.values():
            yield from (
                store.name
                for store in method.facts.stores
                if store.name and method.value(root(method, store.base)) == ("param", 0)
            )

    def _zoned(self, fn: Fn, vid: Vid) -> bool:
        inside = ingredients(fn.facts, (vid,))
        calls = (fn.calls[fn.value(item)[1]] for item in inside if fn.value(item)[0] == "call")
        return any(
            model.column == "datetime" and model.naive is not None and fn.const(argument_of(call, model.naive)) is True
            for call in calls
            for model in self.project.models(fn, call)
        )

    def _fills(self) -> Iterator[tuple[Fn, str, Vid]]:
        """What is stored in a field, passed under its name, or its default."""
        for fn in self.project.all_functions():
            yield from ((fn, store.name, store.value) for store in fn.facts.stores if store.name)
            for call in fn.calls:
                yield from ((fn, name, vid) for name, vid in call.kwargs)
        for cls in self.project.classes.values():
            if cls.owner.is_module:
                yield from ((cls.owner, name, vid) for name, vid in self._defaults(cls.owner, cls.facts.attributes))

    @staticmethod
    def _defaults(fn: Fn, attributes: dict[str, Vid]) -> Iterator[tuple[str, Vid]]:
        for name, vid in attributes.items():
            value = fn.value(vid)
            call = fn.calls[value[1]] if value[0] == "call" else None
            yield from ((name, item) for key, item in (call.kwargs if call else ()) if "default" in key)

    def kinds(self, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> set[str]:
        """utc, local, aware; nothing where that cannot be seen."""
        if vid < 0 or depth == 0:
            return set()
        value = fn.value(vid)
        if value[0] in ("phi", "bool", "guard", "binop"):
            return set().union(*(self.kinds(fn, item, depth - 1) for item in _parts(value)))
        if value[0] == "name":
            return set().union(*(self._made(ref.name) for ref in self.project.refs(fn, vid) if ref.kind == "lib"))
        if value[0] != "call":
            return set()
        return self._called(fn, fn.calls[value[1]], depth)

    def _called(self, fn: Fn, call: Call, depth: int) -> set[str]:
        stripped = fn.callee_name(call) == "replace" and call.kwarg("tzinfo") >= 0
        if stripped or fn.callee_name(call) in ("astimezone", "localize"):
            return set() if stripped and fn.const(call.kwarg("tzinfo")) is None else {"aware"}
        found = set[str]()
        for model in self.project.models(fn, call):
            zoned = model.naive is not None and argument_of(call, model.naive) >= 0
            found |= {"aware"} if zoned else self._made(model.name)
        for target in self.project.targets(fn, call):
            for back in target.facts.returns:
                found |= self.kinds(target, back.value, depth - 2) if depth > 2 else set()
        return found

    @staticmethod
    def _made(name: str) -> set[str]:
        return {"aware"} if name in _AWARE else {clock for clock, names in CLOCKS.items() if name in names}

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
            return all(self._like(fn, item, depth - 1) for item in _parts(value) if item != vid)
        if value[0] == "attr":
            return value[2] in self.fields
        if value[0] == "name":
            owner, _, last = str(value[1]).rpartition(".")
            return value[1] in _ENDS or (last in self.fields and bool(owner))
        if value[0] == "binop" and value[1] in ("+", "-"):
            left, right = value[2:4]
            shifted = self._like(fn, left, depth - 1) and self._span(fn, right)
            return shifted or (value[1] == "+" and self._span(fn, left) and self._like(fn, right, depth - 1))
        return value == ("const", None) or self.kinds(fn, vid) == {self.clock}

    def _span(self, fn: Fn, vid: Vid) -> bool:
        """A length of time, as far as can be seen: no field and no point in time."""
        value = fn.unguarded(vid)
        if value[0] == "call":
            return any(ref.name == "datetime.timedelta" for ref in self.project.callees(fn, fn.calls[value[1]]))
        return value[0] in ("name", "param", "attr", "binop") and not self.kinds(fn, vid) and not self._like(fn, vid)

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


def _parts(value: Value) -> tuple[Vid, ...]:
    if value[0] == "phi":
        return tuple(value[1])
    if value[0] == "binop":
        return tuple(value[2:4])
    return (value[1],) if value[0] == "guard" else tuple(value[2])
