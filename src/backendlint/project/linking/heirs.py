"""Classes that a subclass states for what its base works with: `model = Order`, `Store[Order]`, `super().__init__(Order)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn, Refs
from backendlint.project.linking.binding import bind, unchanged
from backendlint.project.linking.variables import variable

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver

MAX_BASES = 8
_PARAMETERS = ("Generic", "Protocol")
_TYPES = ("Type", "type")
TypeVariable = tuple[str, Vid]
"""The module and the value where it is made."""


class Heirs:
    """Answers `stated()`; owned by Results."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._known: dict[str, dict[str, Refs]] = {}

    def stated(self, heir: Cls) -> dict[str, Refs]:
        """The attributes of its objects that are classes of the project, as it or a class above it says."""
        known = self._known.get(heir.fqn)
        if known is None:
            self._known[heir.fqn] = {}
            found: dict[str, Refs] = {}
            owners = self.resolver.project.hierarchy.mro(heir)
            bound = dict(self._bound(heir, {}, MAX_BASES))
            for cls in owners:
                pairs = [(name, self._classes(cls.owner, vid)) for name, vid in cls.facts.attributes.items()]
                pairs += [(name, self._typed(cls.owner, vid, bound)) for name, vid in cls.facts.annotations.items()]
                pairs += [*self._of_parameters(cls, bound), *self._passed(cls)]
                for name, refs in pairs:
                    if refs:
                        found.setdefault(name, refs)
            known = self._known[heir.fqn] = found
        return known

    def _classes(self, home: Fn, vid: Vid) -> Refs:
        refs = self.resolver.refs(home, vid) if home.facts.values[vid][0] in ("name", "def", "attr", "outer") else ()
        return refs if refs and all(ref.kind == "class" for ref in refs) else ()

    def _bound(self, cls: Cls, known: dict[TypeVariable, Refs], depth: int) -> Iterator[tuple[TypeVariable, Refs]]:
        """What the type variables of the classes above stand for: `class Orders(Store[Order])`."""
        for vid in cls.facts.bases if depth else ():
            value = cls.owner.value(vid)
            base, args = (value[1], self._arguments(cls.owner, value[2])) if value[0] == "item" else (vid, [])
            for ref in self.resolver.refs(cls.owner, base):
                above = self.resolver.project.classes.get(ref.name) if ref.kind == "class" else None
                if above is None:
                    continue
                inner = {}
                for name, arg in zip(self._parameters(above), args, strict=False):
                    stands = known.get(self._variable(cls.owner, arg)) or self._classes(cls.owner, arg)
                    if stands:
                        inner[name] = stands
                yield from inner.items()
                yield from self._bound(above, inner, depth - 1)

    def _parameters(self, cls: Cls) -> list[TypeVariable]:
        """`Generic[T]`; else the type variables that the class hands to its bases."""
        named: list[TypeVariable] = []
        handed: list[TypeVariable] = []
        for vid in cls.facts.bases:
            value = cls.owner.value(vid)
            if value[0] == "item":
                base = cls.owner.value(value[1])
                given = [self._variable(cls.owner, arg) for arg in self._arguments(cls.owner, value[2])]
                (named if str(base[-1]).rpartition(".")[2] in _PARAMETERS else handed).extend(given)
        return named or handed

    @staticmethod
    def _arguments(home: Fn, vid: Vid) -> list[Vid]:
        value = home.value(vid)
        return list(value[1]) if value[0] == "tuple" else [vid]

    def _variable(self, home: Fn, vid: Vid) -> TypeVariable:
        """Where a type variable is made, whatever module names it."""
        value = home.value(vid)
        found = variable(self.resolver.project, home, str(value[1])) if value[0] == "name" else None
        owner, made = found or (home, vid)
        return owner.fqn, made

    def _typed(self, home: Fn, vid: Vid, bound: dict[TypeVariable, Refs]) -> Refs:
        """`model: type[T]`."""
        value = home.value(vid) if vid >= 0 else ("",)
        if value[0] != "item" or str(home.value(value[1])[-1]).rpartition(".")[2] not in _TYPES:
            return ()
        return bound.get(self._variable(home, value[2]), ())

    def _of_parameters(self, cls: Cls, bound: dict[TypeVariable, Refs]) -> Iterator[tuple[str, Refs]]:
        """`def __init__(self, model: type[T]): self.model = model`."""
        made = cls.methods.get("__init__")
        if made is None or made.parent is None or not bound:
            return
        for name, index in _kept(made):
            yield name, self._typed(made.parent, made.facts.params[index].annotation, bound)

    def _passed(self, cls: Cls) -> Iterator[tuple[str, Refs]]:
        """`super().__init__(session, Order)`."""
        made = cls.methods.get("__init__")
        if made is None:
            return
        for call in made.calls:
            func = made.value(call.func)
            if func[0] != "attr" or func[2] != "__init__":
                continue
            if made.func_of(made.value(func[1]))[1:] != ("builtins.super",):
                continue
            for target in self.resolver.project.targets(made, call):
                given = bind(made, call, target)
                for name, index in _kept(target):
                    for vid, path in given.get(index, ()):
                        yield name, () if path else self._classes(made, vid)


def _kept(made: Fn) -> Iterator[tuple[str, int]]:
    """Attributes in which a constructor keeps a parameter as it is."""
    for store in made.facts.stores:
        value = unchanged(made, store.value) if store.value >= 0 else ("",)
        if store.name and value[0] == "param" and unchanged(made, store.base) == ("param", 0):
            yield store.name, value[1]
