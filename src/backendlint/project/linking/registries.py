"""Tables of functions: what is called is one of those that are written there, or that a decorator puts there."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref, Refs
from backendlint.project.linking.variables import variable
from backendlint.project.values.tables import entries

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver

MAX_FUNCTIONS = 32
"""A table of more is taken for one of anything."""


class Registries:
    """Answers for the Resolver, which owns it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.project = resolver.project
        self._tables: dict[str, Refs] = {}

    def called(self, fn: Fn, call: Call, known: Refs) -> Refs:
        """What `HANDLERS[kind](...)` and `found = HANDLERS.get(kind); found(...)` call, where more is known than one of them."""
        table = self._table(fn, call.func)
        if not table or not all(ref.kind == "func" for ref in known):
            return known
        if table not in self._tables:
            self._tables[table] = ()
            found = dict.fromkeys((*self._written(fn, table), *self._registered.get(table, ())))
            self._tables[table] = tuple(found) if len(found) <= MAX_FUNCTIONS else ()
        return self._tables[table] or known

    @staticmethod
    def _table(fn: Fn, vid: Vid) -> str:
        """The dotted name of the module's variable of which one item is called by a key that varies; not by what the value itself
        is (`CONVERSIONS[type(value)](value)`): each of those takes other values."""
        value = fn.unguarded(vid)
        if value[0] not in ("item", "call"):  # nearly always
            return ""
        keys = value[2:3] if value[0] == "item" else fn.calls[value[1]].args[:1]
        if any(fn.func_of(fn.unguarded(key)) == ("name", "builtins.type") for key in keys):
            return ""
        if value[0] == "item" and fn.const(value[2]) is ...:
            base = fn.value(value[1])
            return str(base[1]) if base[0] == "name" else ""
        func = fn.value(fn.calls[value[1]].func) if value[0] == "call" else ("",)
        owner, _, method = str(func[1]).rpartition(".") if func[0] == "name" else ("", "", "")
        return owner if method == "get" else ""

    def _written(self, fn: Fn, table: str) -> list[Ref]:
        """The functions that the code puts into a dict where it is made."""
        place = variable(self.project, fn, table)
        found = [] if place is None else [item for item in entries(self.project, *place) if item.key >= 0]
        if len(found) > MAX_FUNCTIONS:
            return []
        return [ref for item in found for ref in self.resolver.refs(item.fn, item.value) if ref.kind == "func"]

    @cached_property
    def _registered(self) -> dict[str, list[Ref]]:
        """By the table, the functions on which a decorator stands that stores them there (`HANDLERS[kind] = function`)."""
        decorators: dict[str, str] = {}
        for fn in self.project.all_functions():
            for store in fn.facts.stores:
                base = fn.value(store.base) if store.key >= 0 else ("",)
                if base[0] == "name" and fn.value(store.value)[0] == "param":
                    outer = fn.parent if fn.parent is not None and not fn.parent.is_module else fn
                    decorators[outer.fqn] = str(base[1])
        found: dict[str, list[Ref]] = {}
        for fn in self.project.all_functions() if decorators else ():
            for ref in fn.decorators:
                if ref.kind == "func" and ref.name in decorators:
                    found.setdefault(decorators[ref.name], []).append(Ref("func", fn.fqn))
        return found
