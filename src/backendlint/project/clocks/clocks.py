"""Which clocks a project's times are on, and where one of the wrong clock does harm."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.clocks.naivetimes import CLAIMS, clock
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import argument_of
from backendlint.project.graph.programs import for_tests
from backendlint.project.values.uses import ingredients, made_of, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_AWARE = frozenset({"django.utils.timezone.now", "django.utils.timezone.localtime", "django.utils.timezone.make_aware"})
CLOCKS = {
    "utc": frozenset({"datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"}),
    "local": frozenset({"datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.fromtimestamp"}),
}
_POINTS = frozenset({"datetime.datetime.now", "datetime.datetime.fromtimestamp"})
_NAIVE = frozenset({"datetime.datetime.today", "datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"})
_MOMENT = frozenset({"timestamp", "astimezone"})
"""These take a time without a zone for local."""
_STORES = frozenset({"db", "db-read", "db-write"})
_NAMES = ("name", "attr")
_TEXT = ("fmt", "binop", "guard", "phi", "subscript", "item")
MAX_DEPTH = 6


class Clocks:
    """What the whole project says of its times."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def zones_usual(self) -> bool:
        """Whether times with a zone are usual: then one without is a slip. Else it is how the project keeps its times."""
        counts = {True: 0, False: 0}
        for site in self.project.effects.sites:
            aware = self._aware(site.call, site.model.name)
            if aware is not None and not for_tests(self.project, site.fn):
                counts[aware] += 1
        return (counts[True] + len(self.zoned)) * 2 >= counts[False]

    @staticmethod
    def _aware(call: Call, name: str) -> bool | None:
        """Whether a call makes a time with a zone; None where it makes no time."""
        if name in _AWARE:
            return True
        if name in _POINTS:
            return len(call.args) + len(call.kwargs) > (name != "datetime.datetime.now")
        return False if name in _NAIVE else None

    @cached_property
    def _columns(self) -> tuple[set[str], set[str]]:
        zoned, plain = set[str](), set[str]()
        for cls in self.project.classes.values():
            for name, vid in cls.facts.attributes.items():
                kind = self.column(cls.owner, vid)
                if kind is not None:
                    (zoned if kind else plain).add(name)
        return zoned, plain

    @cached_property
    def zoned(self) -> frozenset[str]:
        """Columns whose times have a zone: Django's, and `DateTime(timezone=True)`; none of that name has none."""
        zoned, plain = self._columns
        return frozenset(zoned - plain)

    @cached_property
    def plain(self) -> frozenset[str]:
        """Columns whose times have none."""
        zoned, plain = self._columns
        return frozenset(plain - zoned)

    def column(self, fn: Fn, vid: Vid) -> bool | None:
        """Whether a value declares a column for times with a zone; None where it declares no times."""
        found = None
        for item in ingredients(fn.facts, (vid,)):
            value = fn.value(item)
            call = fn.calls[value[1]] if value[0] == "call" else None
            refs = self.project.callees(fn, call) if call else self.project.refs(fn, item) if value[0] in _NAMES else ()
            for ref in refs:
                model = self.project.libraries.call(ref.name) if ref.kind == "lib" else None
                if model is not None and model.column == "datetime":
                    zone = argument_of(call, model.naive) if call is not None and model.naive is not None else -1
                    found = found or model.name.startswith("django.") or fn.const(zone) is True
        return found

    # what fields get

    @cached_property
    def filled(self) -> dict[str, set[str]]:
        """The names under which times are kept, each with the clocks of what it gets."""
        found: dict[str, set[str]] = {}
        for fn, name, vid in self._fills():
            kinds = self.kinds(fn, vid)
            if kinds and not for_tests(self.project, fn):
                found.setdefault(name, set()).update(kinds)
        return found

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
            return set().union(*(self.kinds(fn, item, depth - 1) for item in made_of(value)))
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

    # where a time of one clock meets another

    def harms(self, fn: Fn, times: AbstractSet[Vid], *, local: bool) -> bool:
        """Whether a time without a zone goes where it is certainly read as another: beside another clock, into a column with
        a zone, to what reads it as UTC or as local."""
        return (
            self._reaches(fn, times, self.zoned)
            or self.met(fn, times, local=local)
            or (local and any(self._read_as_utc(fn, call, times) for call in fn.calls))
        )

    def met(self, fn: Fn, times: AbstractSet[Vid], *, local: bool) -> bool:
        """Whether the function itself brings the time together with another clock's."""
        return any(self._meets(fn, value, times, local) for value in fn.facts.values)

    def in_rows(self, fn: Fn, times: AbstractSet[Vid]) -> bool:
        """Whether a time is kept in a database, in a column without a zone, or compared with what is."""
        return self._reaches(fn, times, self.plain) or any(self._queried(fn, call, times) for call in fn.calls)

    def _reaches(self, fn: Fn, times: AbstractSet[Vid], columns: frozenset[str]) -> bool:
        """Stored in one of the columns, passed under its name, or compared with it."""
        if any(store.value in times and store.name in columns for store in fn.facts.stores):
            return True
        if any(vid in times and key.partition("__")[0] in columns for call in fn.calls for key, vid in call.kwargs):
            return True
        others = [vid for value in fn.facts.values for vid in self._beside(value, times)]
        others += [part for vid in others if fn.value(vid)[0] == "binop" for part in operands(fn.value(vid))]
        return any(self._names(fn, vid) in columns for vid in others)

    @staticmethod
    def _beside(value: Value, times: AbstractSet[Vid]) -> list[Vid]:
        """What a time is compared with, or subtracted from."""
        sides: tuple[Vid, ...] = ()
        if value[0] == "compare":
            sides = tuple(value[2])
        elif value[:2] == ("binop", "-"):
            sides = tuple(value[2:4])
        return [] if times.isdisjoint(sides) else [vid for vid in sides if vid not in times]

    @staticmethod
    def _names(fn: Fn, vid: Vid) -> str:
        """The attribute that a value is: `due` of `loan.due`."""
        value = fn.unguarded(vid)
        owner, _, name = str(value[-1]).rpartition(".")
        return name if value[0] == "attr" or (value[0] == "name" and owner) else ""

    def _meets(self, fn: Fn, value: Value, times: AbstractSet[Vid], local: bool) -> bool:
        """Beside a time that is certainly on another clock, or taken for local."""
        if value[0] == "attr" and value[1] in times:
            return value[2] in _MOMENT and not local
        for vid in self._beside(value, times):
            other = fn.unguarded(vid)
            if other[0] == "call":
                call = fn.calls[other[1]]
                zone = call.kwarg("tzinfo") if fn.callee_name(call) == "replace" else -1
                given = zone >= 0 and (local or fn.const(zone) is not None)  # `None` takes the zone away
                if given or any(self._aware(call, model.name) for model in self.project.models(fn, call)):
                    return True
            if clock(self.project, fn, vid) == ("utc" if local else "local"):
                return True
        return False

    def _read_as_utc(self, fn: Fn, call: Call, times: AbstractSet[Vid]) -> bool:
        """The end of a cookie, the claims of a token."""
        if fn.callee_name(call) == "set_cookie" and call.kwarg("expires") in times:
            return True
        if not any(model.name in CLAIMS for model in self.project.models(fn, call)):
            return False
        dicts = (fn.value(vid) for vid in call.passed if fn.value(vid)[0] == "dict")
        return any(not times.isdisjoint(operands(value)) for value in dicts)

    def _queried(self, fn: Fn, call: Call, times: AbstractSet[Vid]) -> bool:
        """Given to a database by itself, or among the parameters of its statement, also by a helper of the project's."""
        among = any(not times.isdisjoint(operands(fn.value(vid))) for vid in call.passed)
        if among and self.project.targets(fn, call):
            return bool(_STORES & self.project.effects.call_effects(fn, call))
        stores = any(_STORES.intersection(model.effect) for model in self.project.models(fn, call))
        return stores and (among or not times.isdisjoint(call.passed))

    # texts

    def only_told(self, fn: Fn, times: AbstractSet[Vid]) -> bool:
        """Whether nothing is made of a time but a part of a longer text, or a record of a log: for people to read."""
        reads = [
            (vid, value)
            for vid, value in enumerate(fn.facts.values)
            if vid not in times and not times.isdisjoint(operands(value))
        ]
        shorts = {vid for vid, value in reads if value[0] == "attr" and value[2] == "isoformat"}
        texts = {call.value for call in fn.calls if call.func in shorts}
        texts |= {call.value for call in fn.calls if self._makes_text(fn, call, times)}
        longer = {vid for vid, value in reads if value[0] == "fmt"}
        if len(shorts) + len(longer) != len(reads) or self._ends(fn, times, texts):
            return False
        parts = [(vid, value[0]) for vid, value in enumerate(fn.facts.values) if not texts.isdisjoint(operands(value))]
        if not (parts or longer or texts) or any(part not in (*_TEXT, "dict") for _, part in parts):
            return False
        fields = {vid for vid, part in parts if part == "dict"}  # `extra={"at": ...}` of a record
        return not self._ends(fn, texts, set()) and not (fields and self._ends(fn, fields, set()))

    @staticmethod
    def _makes_text(fn: Fn, call: Call, times: AbstractSet[Vid]) -> bool:
        return fn.value(call.func) in (("name", "builtins.str"), ("name", "builtins.repr")) and not times.isdisjoint(
            call.passed
        )

    def _ends(self, fn: Fn, vids: AbstractSet[Vid], made: AbstractSet[Vid]) -> bool:
        """Whether any of the values is kept, returned or given away, but to a log or to what makes one of `made` of it."""
        if any(back.value in vids for back in fn.facts.returns) or any(item.value in vids for item in fn.facts.stores):
            return True
        return any(
            not vids.isdisjoint(call.passed)
            and call.value not in made
            and not any("log" in model.effect for model in self.project.models(fn, call))
            for call in fn.calls
        )
