"""What a query asks for: values that a row's columns must be equal to, if the query finds one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import chained_calls, receiver
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SAME_METHODS = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "casefold"})
_GETTERS = frozenset({"get", "getlist"})
_CHOOSING = frozenset(
    "where filter filter_by get aget get_or_none aget_or_none get_or_404 first_or_404 one_or_404 get_object_or_404 "
    "aget_object_or_404 find_one".split()
)
"""Methods whose conditions all hold of what is found."""
_BY_KEY = frozenset({"get", "aget"})
"""Of what nothing is known of, only a manager has them: `Item.objects.get(name=name)`."""
_MANAGERS = frozenset({"objects", "query"})
_SENDING = frozenset("execute scalar scalars exec len bool list".split())
_ALL_HOLD = frozenset({"and_", "Q"})
_OTHER = frozenset("exclude get_or_create update_or_create create add save delete update union or_ not_".split())
_CHAIN = 4
_DATABASE = frozenset({"db", "db-read"})
_EQUAL = frozenset({"exact", "iexact"})
_LOOKUPS = frozenset(
    "contains icontains in gt gte lt lte startswith istartswith endswith iendswith range date year isnull regex iregex search "
    "ne nin not like ilike".split()
)


def sought_by(fn: Fn, call: Call) -> Vid:
    """`next((item for item in ITEMS if item.link == link), None)`: the test that holds of what is found; -1 of other calls."""
    if fn.func_of(fn.facts.values[call.value]) != ("name", "builtins.next") or not call.args:
        return -1
    made = fn.unguarded(call.args[0])
    found = fn.facts.values[made[2]] if made[0] == "comp" else ("",)
    return int(found[2]) if found[0] == "guard" and found[3] else -1


def columns_sought(fn: Fn, call: Call) -> list[Vid]:
    """What columns are equal to in the row that a query finds, given by their names to a call of its chain."""
    found: list[Vid] = []
    for item in chained_calls(fn, call.value, _CHAIN):
        if fn.callee_name(item) in _OTHER:
            return []
        found += [vid for key, vid in item.kwargs if key != "**" and _is_equal(key)]
    return found


def _is_equal(key: str) -> bool:
    """`name`, `team__name__iexact`; not `name__contains`."""
    lookup = key.rpartition("__")[2] if "__" in key else ""
    return lookup in _EQUAL or lookup not in _LOOKUPS


class Place(NamedTuple):
    """A value, or the part of one that an access path leads to."""

    root: Value | Vid
    path: Path = ()

    def below(self, path: Path) -> Place:
        return Place(self.root, (*self.path, *path)) if path else self


def place(fn: Fn, vid: Vid, path: Path = ()) -> Place:
    """The same for each mention of `data.name`, `request.args["name"]`, or of their text without its edges."""
    value = fn.facts.values[vid]
    while True:
        op = value[0]
        if op in ("guard", "await"):
            vid = value[1]
        elif op == "attr":
            vid, path = value[1], (value[2], *path)
        elif op == "item" and fn.const(value[2]) is not ...:
            vid, path = value[1], (lb.item(fn.const(value[2])), *path)
        elif op == "setattr" and path and path[0] != value[2]:
            vid = value[1]
        elif op == "call":
            vid, path, inner = _through(fn, fn.facts.calls[value[1]], path)
            if inner < 0:
                return Place(vid, path)
            vid = inner
        else:
            return Place(value if op in ("name", "param", "outer") else vid, path)
        value = fn.facts.values[vid]


def _through(fn: Fn, call: Call, path: Path) -> tuple[Vid, Path, Vid]:
    """The call's own value and path, and the value of which it is a part or the text; -1 where it is something new."""
    func = fn.facts.values[call.func]
    if func[0] == "attr" and func[2] in _SAME_METHODS and not call.args:
        return call.value, path, func[1]
    if func[0] == "attr" and func[2] in _GETTERS and call.args and fn.const(call.args[0]) is not ...:
        return call.value, (lb.item(fn.const(call.args[0])), *path), func[1]
    if func == ("name", "builtins.str") and len(call.args) == 1:
        return call.value, path, call.args[0]
    return call.value, path, -1


class Asked:
    """Answers `by(fn, call)`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def by(self, fn: Fn, call: Call) -> tuple[set[Place], list[Vid]] | None:
        """What one call of a query's chain asks for, and the values that the rest of the chain is; None for other calls."""
        name = fn.callee_name(call)
        models = self.project.models(fn, call)
        ops = {model.orm.op for model in models if model.orm is not None}
        if name in _OTHER or not _OTHER.isdisjoint(ops):
            return None
        asked: set[Place] = set()
        if ops & {"filter", "get", "get_or_404"} or (not models and self._chooses(fn, call, name)):
            for vid in call.args:
                asked |= self._equal(fn, vid)
            asked |= self._fields(fn, call)
            if ops & {"get", "get_or_404"}:
                asked |= {place(fn, vid) for vid in call.args}
        sends = name in _SENDING or any(not _DATABASE.isdisjoint(model.effect) for model in models)
        chained = [receiver(fn, call)] if receiver(fn, call) >= 0 else []
        return asked, [*chained, *(call.args if sends else ())]

    @staticmethod
    def _chooses(fn: Fn, call: Call, name: str) -> bool:
        base = fn.facts.values[receiver(fn, call)] if receiver(fn, call) >= 0 else fn.facts.values[call.func]
        managed = str(base[-1] if base[0] == "attr" else base[1]).split(".")
        return name in _CHOOSING and (name not in _BY_KEY or not _MANAGERS.isdisjoint(managed))

    def _equal(self, fn: Fn, vid: Vid) -> set[Place]:
        value = fn.unguarded(vid)
        if value[0] == "compare" and tuple(value[1]) == ("==",):
            sides = [place(fn, side) for side in value[2]]
            return set(sides) if any(self._is_column(side) for side in sides) else set()
        if value[0] == "binop" and value[1] == "&":
            return self._equal(fn, value[2]) | self._equal(fn, value[3])
        if value[0] == "dict":
            return {place(fn, item) for key, item in value[1] if not str(fn.const(key)).startswith("$")}
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            if fn.callee_name(call) in _ALL_HOLD:
                return self._fields(fn, call).union(*(self._equal(fn, arg) for arg in call.args))
        return set()

    @staticmethod
    def _fields(fn: Fn, call: Call) -> set[Place]:
        """`name=name`, `team__name__iexact=name`; not `name__contains=name`."""
        return {place(fn, vid) for key, vid in call.kwargs if key != "**" and _is_equal(key)}

    @staticmethod
    def _is_column(side: Place) -> bool:
        """`Cube.name`, or a part of an alias or table (`table.c.name`)."""
        named = isinstance(side.root, tuple) and side.root[0] == "name"
        return named or (bool(side.path) and not isinstance(side.root, tuple))
