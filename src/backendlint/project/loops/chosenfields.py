"""Which fields a serializer's constructor leaves, also by what it is called with: `LineSerializer(rows, many=True, only=["id"])`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_READS = ("pop", "get")
_ADDS = ("append", "add", "extend", "update")
MAX_DEPTH = 8


class Chosen(NamedTuple):
    """The fields that are left."""

    kept: frozenset[str] | None = None
    """None for all."""
    hidden: frozenset[str] = frozenset()

    def leaves(self, name: str) -> bool:
        return name not in self.hidden and (self.kept is None or name in self.kept)


def chosen(project: Project, serializer: Cls, fn: Fn | None = None, call: Call | None = None) -> Chosen:
    """What the constructor leaves where it is called so; without a call, or where that names what cannot be read, what it
    leaves in any case."""
    kept: frozenset[str] | None = None
    hidden: set[str] = set()
    for maker in _makers(project, serializer):
        for pop in maker.calls:
            if not pop.args or not maker.dotted(pop.func).endswith(".fields.pop"):
                continue
            name = maker.const(pop.args[0])
            if isinstance(name, str):
                hidden.add(name)
                continue
            for keeps, keyword in _told(maker, pop):
                vid = call.kwarg(keyword) if call is not None and keyword else -1
                names = _names(fn, vid) if fn is not None and vid >= 0 else None
                if names is not None and keeps:
                    kept = names if kept is None else kept & names
                elif names is not None:
                    hidden |= names
    return Chosen(kept, frozenset(hidden))


def _makers(project: Project, serializer: Cls) -> list[Fn]:
    return [cls.methods["__init__"] for cls in project.hierarchy.mro(serializer) if "__init__" in cls.methods]


def _told(maker: Fn, pop: Call) -> Iterator[tuple[bool, str]]:
    """The keywords by which callers say what is taken out, or what is kept (True): `for name in set(self.fields) - set(only)`,
    `for name in self.fields: if name not in only`, `for name in without`."""
    item = maker.unguarded(pop.args[0])
    if item[0] != "elem":
        return
    among = maker.unguarded(item[1])
    func = maker.func_of(among)
    if among[0] == "binop" and among[1] == "-":
        yield True, _keyword(maker, among[3])
    elif func[0] == "attr" and func[2] == "difference":
        yield True, next((_keyword(maker, vid) for vid in maker.calls[among[1]].args), "")
    else:
        yield False, _keyword(maker, item[1])
    for test, outcome in maker.tests_of(pop.block):
        asked = maker.unguarded(test)
        if outcome and asked[0] == "compare" and asked[1] in (("in",), ("not in",)):
            yield asked[1] == ("not in",), _keyword(maker, asked[2][1])


def _keyword(maker: Fn, vid: Vid) -> str:
    """The keyword from which a value is made: `kwargs.pop("only", None)`, or a parameter; "" for none."""
    for part in sorted(ingredients(maker.facts, [vid])):
        value = maker.facts.values[part]
        if value[0] == "param" and value[1] and maker.facts.params[value[1]].kind in ("any", "kw"):
            return maker.facts.params[value[1]].name
        func = maker.func_of(value)
        if func[0] == "attr" and func[2] in _READS:
            call, base = maker.calls[value[1]], maker.unguarded(func[1])
            while base[0] == "mut":  # what was taken from it before
                base = maker.unguarded(base[1])
            name = maker.const(call.args[0]) if call.args else ...
            if base[0] == "param" and maker.facts.params[base[1]].kind == "kwargs" and isinstance(name, str):
                return name
    return ""


def _names(fn: Fn, vid: Vid, depth: int = 0) -> frozenset[str] | None:
    """The texts of a display, also of one that grows or that a branch chooses; None where it holds anything else."""
    value = fn.unguarded(vid)
    if depth > MAX_DEPTH:
        return None
    if value[0] in ("list", "tuple", "set"):
        texts = [fn.const(item) for item in value[1]]
        names = frozenset(text for text in texts if isinstance(text, str))
        return names if len(names) == len(set(texts)) else None
    if value[0] == "phi":
        parts = [_names(fn, item, depth + 1) for item in value[1] if item != vid]
    elif value[0] == "mut" and value[2] in _ADDS:
        added = [fn.const(item) for item in value[3]] if value[2] in ("append", "add") else []
        grown = frozenset(text for text in added if isinstance(text, str)) if added else None
        more = grown if added else _names(fn, value[3][0], depth + 1) if value[3] else None
        parts = [_names(fn, value[1], depth + 1), more]
    elif value[0] == "binop" and value[1] in ("+", "|"):
        parts = [_names(fn, item, depth + 1) for item in value[2:4]]
    else:
        return None
    known = [part for part in parts if part is not None]
    return frozenset().union(*known) if known and len(known) == len(parts) else None
