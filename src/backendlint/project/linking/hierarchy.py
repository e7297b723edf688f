"""Classes: their bases and subclasses, and what methods store on instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.libraries.model import ClassModel
from backendlint.project.linking.binding import object_root
from backendlint.project.schema.django_fields import NO_MODELS, declares_fields

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_OVERRIDES = 8
"""Overriding methods that a call through a base class is taken to reach."""
MAX_MIXED = 60
_SHAPES = frozenset(
    f"{module}.{name}" for module in ("typing", "typing_extensions") for name in ("Generic", "Protocol")
) | {
    "abc.ABC",
    "builtins.object",
}
"""Bases that have no methods of their own."""
MAX_BASES = 100
"""Bases, direct or not, that are taken from each direct base: generated code may have chains of thousands."""
_ADDED = "permission"
_ABSTRACT = frozenset({"abc.ABC", "abc.ABCMeta", "typing.Protocol", "typing_extensions.Protocol"})
_EMPTY = _ABSTRACT | {"typing.Generic", "builtins.object"}
"""Bases that have no methods for others to call."""
_DJANGO_MODEL = "django.db.models.Model"


class Hierarchy:
    """Method resolution orders of project classes; library bases end a branch."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._mros: dict[str, tuple[Cls, ...]] = {}
        self._fields: dict[tuple[str, str], str] = {}
        self._library: dict[str, tuple[str, ...]] = {}
        self._mixed: dict[tuple[str, str], Fn | None] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        self._stores: dict[str, dict[str, list[tuple[Fn, Vid]]]] = {}

    def mro(self, cls: Cls) -> tuple[Cls, ...]:
        """The class and its project bases, nearest first (of repetitions the last counts, as C3 usually does)."""
        known = self._mros.get(cls.fqn)
        if known is None:
            self._mros[cls.fqn] = (cls,)
            order = {cls.fqn: cls}
            for base in cls.bases:
                if base.kind == "class" and base.name in self.project.classes:
                    for item in self.mro(self.project.classes[base.name])[:MAX_BASES]:
                        if item is not cls:
                            order.pop(item.fqn, None)
                            order[item.fqn] = item
            known = self._mros[cls.fqn] = tuple(order.values())
        return known

    def library_bases(self, cls: Cls) -> tuple[str, ...]:
        """Library classes from which it inherits, directly or not."""
        known = self._library.get(cls.fqn)
        if known is None:
            found = [base.name for item in self.mro(cls) for base in item.bases if base.kind in ("lib", "libinst")]
            if self._is_foreign_model(cls, found):
                found.append(_DJANGO_MODEL)
            known = self._library[cls.fqn] = tuple(dict.fromkeys(found))
        return known

    def _is_foreign_model(self, cls: Cls, bases: list[str]) -> bool:
        """Whether it declares columns as only Django's models do, and has a base from a package that is not known."""
        if all(base.startswith(NO_MODELS) for base in bases):
            return False
        if any(model.subclass_role for base in bases for model in self.project.libraries.lineage(base)):
            return False
        return any(declares_fields(item.owner.facts, item.facts) for item in self.mro(cls))

    def bases_beside(self, cls: Cls) -> tuple[str, ...]:
        """For a mixin, the library classes with which its subclasses combine it: what its `super()` may mean."""
        known = self._beside.get(cls.fqn)
        if known is None:
            found = [base for item in self.project.subclasses(cls) for base in self.library_bases(item)]
            known = self._beside[cls.fqn] = tuple(dict.fromkeys(found))[:MAX_BASES]
        return known

    def mixed_in(self, cls: Cls, name: str) -> Fn | None:
        """For a mixin, the one method that all classes into which it is mixed have by that name, from wherever."""
        key = (cls.fqn, name)
        if key not in self._mixed:
            found: dict[str, Fn] = {}
            own = cls.subclasses and _SHAPES.issuperset(self.library_bases(cls))
            for item in self.project.subclasses(cls)[:MAX_MIXED] if own else ():
                method = self.project.method(item, name)
                if method is not None:
                    found[method.fqn] = method
                if len(found) > 1:
                    break
            one = next(iter(found.values()), None)
            self._mixed[key] = one if len(found) == 1 and one is not None and one.kind == "method" else None
        return self._mixed[key]

    def is_a(self, cls: Cls, library_base: str) -> bool:
        """True where the class inherits from this library class, also through the library's own bases."""
        libraries = self.project.libraries
        return any(libraries.is_subclass(base, library_base) for base in self.library_bases(cls))

    def role(self, cls: Cls) -> str:
        """What a library base makes of the class: model, serializer, controller, settings ... or "".

        A mixin that asks for a permission adds to what the class is otherwise.
        """
        known = self._fields.get((cls.fqn, "subclass_role"))
        if known is None:
            said = list(self._all_said(cls, "subclass_role"))
            known = next((role for role in said if role != _ADDED), said[0] if said else "")
            self._fields[cls.fqn, "subclass_role"] = known
        return known

    def model_in(self, ref: Ref) -> Cls | None:
        """The model that it is, or that it holds: as a queryset does, a list of lists, a bound method."""
        item: Ref | None = ref
        while item is not None:
            if item.kind in ("inst", "class") and self.role(self.project.classes[item.name]) == "model":
                return self.project.classes[item.name]
            item = item.arg
        return None

    def asked_of(self, ref: Ref) -> Cls | None:
        """The class of the project by whose object a library's method is called (`self.get_object()` of a view)."""
        held = ref.arg.arg if ref.arg is not None else None
        return self.project.classes.get(held.name) if held is not None and held.kind == "class" else None

    def resolvers(self, cls: Cls) -> str:
        """How the names of methods begin that get a parent object in place of `self`, or ""."""
        known = self._fields.get((cls.fqn, "resolvers"))
        if known is None:
            known = self._fields[cls.fqn, "resolvers"] = next(self._all_said(cls, "resolvers"), "")
        return known

    def _all_said(self, cls: Cls, field: str) -> Iterator[str]:
        """What library bases say in this field of their models, the nearest first."""
        return (said for model in self.library_models(cls) if (said := getattr(model, field)))

    def library_models(self, cls: Cls) -> Iterator[ClassModel]:
        """The models of its library bases and theirs, the nearest first."""
        return (model for base in self.library_bases(cls) for model in self.project.libraries.lineage(base))

    def overrides(self, cls: Cls, name: str) -> tuple[Fn, ...]:
        """Methods of subclasses that a call through `cls` may reach; only for abstract methods, and for those that the class
        calls and leaves to its subclasses without a word."""
        found: list[Fn] = []
        own = self.project.method(cls, name)
        if own is None:
            return tuple(self._left(cls, name)[:MAX_OVERRIDES]) if _EMPTY.issuperset(self.library_bases(cls)) else ()
        if not self._abstract(own):
            return ()
        todo, seen = list(cls.subclasses), {cls.fqn}
        while todo and len(found) < MAX_OVERRIDES:
            item = todo.pop(0)
            if item.fqn in seen:
                continue
            seen.add(item.fqn)
            if name in item.methods:
                found.append(item.methods[name])
            todo.extend(item.subclasses)
        return tuple(found)

    def _left(self, cls: Cls, name: str, depth: int = 4) -> list[Fn]:
        """Where each subclass has such a method of its own, or leaves it to its own subclasses; a mixin may mean a sibling's."""
        found: list[Fn] = []
        for item in cls.subclasses:
            methods = (
                [item.methods[name]] if name in item.methods else self._left(item, name, depth - 1) if depth else []
            )
            if not methods:
                return []
            found += methods
        return found

    def _abstract(self, fn: Fn) -> bool:
        if any(ref.name.startswith("abc.abstract") for ref in fn.decorators):
            return True
        facts = fn.facts
        if facts.raises and not facts.returns and len(facts.calls) <= 1:
            value = facts.values[facts.raises[0].exc] if facts.raises[0].exc >= 0 else ("",)
            func = facts.values[facts.calls[value[1]].func] if value[0] == "call" else value
            return bool(func == ("name", "builtins.NotImplementedError"))
        return (
            not facts.calls
            and not facts.returns
            and not facts.stores
            and bool(fn.cls and _ABSTRACT.intersection(self.library_bases(fn.cls)))
        )

    def attribute(self, cls: Cls, name: str) -> tuple[Fn, Vid] | None:
        """What the body of the class, or of the nearest of its bases that has one, sets an attribute to, and in whose table."""
        owner = next((item for item in self.mro(cls) if name in item.facts.attributes), None)
        return (owner.owner, owner.facts.attributes[name]) if owner is not None else None

    def stores(self, cls: Cls, name: str) -> list[tuple[Fn, Vid]]:
        """Values that the class's own methods assign to `self.name`."""
        return self._all_stores(cls).get(name, [])

    def kept(self, cls: Cls, name: str) -> list[tuple[Fn, Vid]]:
        """Values that they put into `self.name`, under whatever key (`self.clients[host] = connect(host)`)."""
        return self._all_stores(cls).get(f"{name}[]", [])

    def _all_stores(self, cls: Cls) -> dict[str, list[tuple[Fn, Vid]]]:
        known = self._stores.get(cls.fqn)
        if known is None:
            known = self._stores[cls.fqn] = {}
            for method in cls.methods.values():
                for store in method.facts.stores:
                    base = method.value(object_root(method, store.base))
                    if store.name and base == ("param", 0):
                        known.setdefault(store.name, []).append((method, store.value))
                    elif store.key >= 0 and base[0] == "attr" and method.unguarded(base[1]) == ("param", 0):
                        known.setdefault(f"{base[2]}[]", []).append((method, store.value))
        return known

    def subclass_of(self, name: str, base: str) -> bool:
        """Whether class `name` is `base` or inherits from it; both fqns or dotted library names (exceptions too)."""
        if name == base:
            return True
        cls = self.project.classes.get(name)
        if cls is None:
            return self.project.libraries.is_subclass(name, base)
        if any(item.fqn == base for item in self.mro(cls)):
            return True
        return any(self.project.libraries.is_subclass(item, base) for item in self.library_bases(cls))
