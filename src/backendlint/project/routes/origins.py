"""Where objects are made: from a name, attribute, parameter or factory's result to the call or display that creates it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import SAME, handed_back, unchanged
from backendlint.project.linking.variables import variable
from backendlint.project.routes.model import Origin

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 24
MAX_ORIGINS = 12


class Origins:
    """Follows values back to what made them; remembers answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[str, Vid], tuple[Origin, ...]] = {}
        self._depth = 0
        self._reading: set[tuple[str, Vid, str]] = set()

    def of(self, fn: Fn, vid: Vid) -> tuple[Origin, ...]:
        """The calls and displays that may have made the value; empty where nothing is known."""
        if vid < 0 or self._depth > MAX_DEPTH:
            return ()
        key = (fn.fqn, vid)
        known = self._known.get(key)
        if known is None:
            self._known[key] = ()
            self._depth += 1
            try:
                found = tuple(dict.fromkeys(self._follow(fn, vid, fn.facts.values[vid])))[:MAX_ORIGINS]
            finally:
                self._depth -= 1
            known = self._known[key] = found
        return known

    def of_all(self, places: Iterable[tuple[Fn, Vid]]) -> tuple[Origin, ...]:
        """The origins of several values, each once."""
        return tuple(dict.fromkeys(origin for place in places for origin in self.of(*place)))

    def receiver(self, fn: Fn, call: Call) -> tuple[Origin, ...]:
        """Origins of the object whose method is called."""
        value = fn.facts.values[call.func]
        if (
            value[0] == "attr"
            and fn.cls is not None
            and fn.name == "__init__"
            and fn.unguarded(value[1]) == ("param", 0)
        ):
            makers = (edge for edge in self.project.graph.callers(fn) if edge.kind == "call")
            return tuple(Origin(edge.caller, edge.call.value) for edge in makers if edge.call is not None)
        if value[0] == "attr":
            return self.of(fn, value[1])
        if value[0] == "name":
            return tuple(self.dotted(value[1].rpartition(".")[0], fn.file.module))
        return ()

    def dotted(self, name: str, module: str) -> Iterator[Origin]:
        """Origins of what a dotted name means in a module."""
        if not name:
            return
        target = self.project.modules.resolve(name, module)
        if target.kind != "variable" or target.file is None or target.vid < 0:
            return
        home = self.project.module_function(target.file)
        found = self.of(home, target.vid)
        if target.rest:
            for attribute in target.rest:
                found = tuple(self._attribute(found, attribute)) or found
        yield from found

    def _follow(self, fn: Fn, vid: Vid, value: Value) -> Iterator[Origin]:
        op = value[0]
        if op in SAME:
            yield from self.of(fn, value[1])
        elif op in ("phi", "bool"):
            for item in value[1] if op == "phi" else value[2]:
                yield from self.of(fn, item)
        elif op == "name":
            yield from self.dotted(value[1], fn.file.module)
        elif op == "outer":
            target = fn.outer(value)
            if target is not None:
                yield from self.of(target, value[1])
        elif op == "attr":
            yield from self._read(fn, value)
        elif op in ("elem", "unpack"):
            for home, item in self._several(fn, value):
                yield from self.of(home, item)
        elif op == "param":
            yield from self._passed(fn, value[1])
        elif op == "call":
            yield from self._made(fn, vid, fn.facts.calls[value[1]])
        elif op in ("list", "tuple", "binop", "dict", "comp", "set"):
            yield Origin(fn, vid)

    def _read(self, fn: Fn, value: Value) -> Iterator[Origin]:
        """`module.name`, `self.name`, `Class.name`, or a part of an object that counts as the object (`router.urls`); of each
        of several in turn for `for module in (orders, parcels): app.include_router(module.router)`."""
        owner = fn.unguarded(value[1])
        if owner[0] in ("elem", "unpack"):
            yield from self._read_each(fn, owner, value)
            return
        found = False
        for ref in self.project.refs(fn, value[1]):
            if ref.kind == "module":
                for origin in self.dotted(f"{ref.name}.{value[2]}", ref.name):
                    found = True
                    yield origin
            elif ref.kind in ("class", "inst"):
                for origin in self._stored(ref.name, value[2]):
                    found = True
                    yield origin
        if not found:
            yield from self.of(fn, value[1])

    def _read_each(self, fn: Fn, owner: Value, value: Value) -> list[Origin]:
        """The attribute of each; of a list into which its own items are put again no more than once."""
        key = (fn.fqn, value[1], str(value[2]))
        if key in self._reading:
            return []
        self._reading.add(key)
        try:
            items = list(self._several(fn, owner))
            return [origin for home, item in items for origin in self._read(home, ("attr", item, value[2]))]
        finally:
            self._reading.discard(key)

    def _several(self, fn: Fn, value: Value) -> Iterator[tuple[Fn, Vid]]:
        """What a loop's variable stands for in turn, also one of several (`for prefix, router in ROUTERS`)."""
        if value[0] == "elem":
            yield from self.items(fn, value[1])
            return
        for home, row in self.rows(fn, value[1]):
            if value[2] < len(row):
                yield home, row[value[2]]

    def rows(self, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, tuple[Vid, ...]]]:
        """The pairs (or longer rows) of which a loop takes one in turn: of a list, or of a dict's `items()`."""
        value = fn.unguarded(vid)
        if value[0] != "elem":
            return
        for home, item in self.items(fn, value[1]):
            row = home.unguarded(item)
            if row[0] in ("list", "tuple"):
                yield home, row[1]
        source = fn.unguarded(value[1])
        call = fn.calls[source[1]] if source[0] == "call" else None
        for origin in self.receiver(fn, call) if call is not None and fn.callee_name(call) == "items" else ():
            made = origin.fn.facts.values[origin.vid]
            yield from ((origin.fn, pair) for pair in (made[1] if made[0] == "dict" else ()) if pair[0] >= 0)

    def each(self, fn: Fn, vid: Vid) -> list[tuple[Fn, Vid]]:
        """All that a loop's variable stands for in turn, but itself; nothing for another value."""
        value = fn.unguarded(vid)
        return [item for item in self.items(fn, value[1]) if item != (fn, vid)] if value[0] == "elem" else []

    def rounds(self, fn: Fn, vid: Vid) -> Iterator[tuple[Origin, dict[Vid, str]]]:
        """What a part of a row, or an attribute of one, is in each round of its loop, with the texts of the row's other parts:
        `for prefix, module in ROUTERS: app.include_router(module.router, prefix=prefix)`."""
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        part = fn.unguarded(value[1]) if value[0] == "attr" else value
        if part[0] != "unpack":
            return
        places = {at: item[2] for at in fn.made_of(part[1]) if (item := fn.value(at))[:2] == part[:2]}
        for home, row in self.rows(fn, part[1]):
            cells = {at: row[place] for at, place in places.items() if place < len(row)}
            texts = {at: text for at, cell in cells.items() if isinstance(text := home.const(cell), str)}
            for cell in row[part[2] : part[2] + 1]:
                made = self._read(home, ("attr", cell, value[2])) if value[0] == "attr" else self.of(home, cell)
                yield from ((origin, texts) for origin in made)

    def items(self, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, Vid]]:
        """What is written in the lists and tuples that a value may be, or put into them where they are made; each value is
        looked at once, as a list that grows in a loop is made of itself."""
        todo, seen = [(fn, vid)], {(fn.fqn, vid)}
        while todo:
            home, at = todo.pop()
            value = home.facts.values[at]
            further = self._behind(home, value)
            if value[0] == "mut" and value[2] == "append":
                yield from ((home, item) for item in value[3])
            for maker in self.project.targets(home, home.calls[value[1]]) if value[0] == "call" else ():
                yield from ((maker, item.value) for item in maker.facts.returns if item.is_yield)
            for origin in self.of(home, at) if not further else ():
                made = origin.fn.facts.values[origin.vid]
                yield from ((origin.fn, item) for item in (made[1] if made[0] in ("list", "tuple", "set") else ()))
                further += [(origin.fn, side) for side in (made[2:4] if made[:2] == ("binop", "+") else ())]
            for step in further:
                if (step[0].fqn, step[1]) not in seen:
                    seen.add((step[0].fqn, step[1]))
                    todo.append(step)

    def _behind(self, fn: Fn, value: Value) -> list[tuple[Fn, Vid]]:
        """The same list before it was changed, or the variable that a name means."""
        if value[0] in SAME:
            return [(fn, value[1])]
        named = variable(self.project, fn, value[1]) if value[0] == "name" else None
        return [named] if named is not None else []

    def _attribute(self, owners: tuple[Origin, ...], name: str) -> Iterator[Origin]:
        for owner in owners:
            for ref in self.project.refs(owner.fn, owner.vid):
                if ref.kind in ("class", "inst"):
                    yield from self._stored(ref.name, name)

    def _stored(self, fqn: str, name: str) -> Iterator[Origin]:
        for cls in self.project.hierarchy.mro(self.project.classes[fqn]):
            attribute = cls.facts.attributes.get(name, -1)
            if attribute >= 0:
                yield from self.of(cls.owner, attribute)
            for method, vid in self.project.hierarchy.stores(cls, name):
                yield from self.of(method, vid)

    def _passed(self, fn: Fn, index: int) -> Iterator[Origin]:
        """What callers pass for a parameter."""
        param = fn.facts.params[index]
        for edge in self.project.graph.callers(fn):
            if edge.call is None or edge.kind != "call":
                continue
            vid = edge.call.kwarg(param.name)
            offset = 1 if fn.cls is not None and fn.kind in ("method", "classmethod", "property") else 0
            if vid < 0 and 0 <= index - offset < len(edge.call.args):
                vid = edge.call.args[index - offset]
            yield from self.of(edge.caller, vid)

    def _made(self, fn: Fn, vid: Vid, call: Call) -> Iterator[Origin]:
        refs = self.project.callees(fn, call)
        for ref in refs:
            target = self.project.functions.get(ref.name) if ref.kind == "func" else None
            if target is None:
                yield Origin(fn, vid)
                continue
            for item in target.facts.returns:
                yield from self._returned(fn, call, target, item.value)
        if not refs:
            yield Origin(fn, vid)

    def _returned(self, fn: Fn, call: Call, target: Fn, vid: Vid) -> Iterator[Origin]:
        """What this very call is given: a parameter of the callee is what the call passes (`return router or APIRouter()`)."""
        parts = list(_alternatives(target, vid)) if vid >= 0 else [vid]
        for part in parts:
            own = handed_back(fn, call, target, part)
            for given in own:
                yield from self.of(fn, given)
            if not own and (len(parts) == 1 or unchanged(target, part)[0] != "param"):
                yield from self.of(target, part)


def _alternatives(fn: Fn, vid: Vid, depth: int = 4) -> Iterator[Vid]:
    """The values of which one is it, whichever way was taken."""
    value = unchanged(fn, vid)
    if value[0] in ("phi", "bool") and depth:
        for item in value[1] if value[0] == "phi" else value[2]:
            if item != vid:
                yield from _alternatives(fn, item, depth - 1)
    else:
        yield vid
