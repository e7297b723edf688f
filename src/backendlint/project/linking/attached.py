"""What functions keep outside themselves: on objects of libraries (`flask.g.db = connect()`), in globals of modules."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Store, Vid
from backendlint.project.entities import Fn, Refs

if TYPE_CHECKING:
    from backendlint.project.model import Project

Stored = list[tuple[Fn, Vid]]


class Attached:
    """Attributes that code sets on library objects, by the object's dotted name or type."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.made = False
        """Whether the table is complete."""
        self._stored: dict[str, Stored] | None = None
        self._rebound: dict[str, Stored] | None = None

    def stores(self, owner: str, name: str) -> Stored:
        """The values assigned to `owner.name`; empty while the table is being made."""
        if self._stored is None:
            self._stored = {}
            self._stored = self._collect()
            self.made = True
        return self._stored.get(f"{owner}.{name}", [])

    def items(self, fn: Fn, base: Vid, key: Vid) -> Stored:
        """The values that are kept under this key in objects like this one, by the library's model."""
        name = self._key(fn, key)
        if not name:
            return []
        return [stored for owner in self._keepers(self.project.refs(fn, base)) for stored in self.stores(owner, name)]

    def named(self, fn: Fn, index: int) -> Refs:
        """What a parameter that is a dict is by the convention of its name, if the project keeps things in such (`ctx`)."""
        found = self.project.resolver.types.by_name(fn, index)
        return found if any(self._keeps(ref.name) for ref in found) else ()

    def from_the_start(self, fn: Fn, refs: Refs, key: Vid) -> Refs:
        """What a library itself puts into such an object, by its model (`ctx["redis"]`)."""
        models = [self.project.libraries.cls(name) for name in self._keepers(refs)]
        names = [model.attributes.get(str(fn.const(key)), "") for model in models if model is not None]
        return tuple(self.project.resolver.types.named(name) for name in names if name)

    def rebound(self, name: str) -> Stored:
        """The values that functions assign to the module's variable `name` (`global pool`)."""
        if self._rebound is None:
            self._rebound = {}
            for fn in self.project.all_functions():
                for store in fn.facts.stores:
                    if not store.name and store.key < 0 and store.base >= 0 and fn.value(store.value)[0] != "const":
                        self._rebound.setdefault(str(fn.value(store.base)[1]), []).append((fn, store.value))
        return self._rebound.get(name, [])

    def _collect(self) -> dict[str, Stored]:
        found: dict[str, Stored] = {}
        for fn in self.project.all_functions():
            for store in fn.facts.stores:
                if fn.value(store.value)[0] == "const":
                    continue
                if not store.name:
                    self._collect_item(fn, store, found)
                    continue
                base = fn.value(store.base)
                if base[0] == "param" and base[1] == 0 and fn.cls is not None:
                    continue
                for owner in self._owners(fn, store.base):
                    found.setdefault(f"{owner}.{store.name}", []).append((fn, store.value))
        return found

    def _collect_item(self, fn: Fn, store: Store, found: dict[str, Stored]) -> None:
        key = self._key(fn, store.key) if store.key >= 0 and self._keeping else ""
        for owner in self._owners(fn, store.base) if key else ():
            if self._keeps(owner):
                found.setdefault(f"{owner}.{key}", []).append((fn, store.value))

    @staticmethod
    def _key(fn: Fn, vid: Vid) -> str:
        """`[name]` for a constant key, or for a key that is a name of its own (`app[DB_KEY]`)."""
        value = fn.value(vid)
        if value[0] == "const" and isinstance(value[1], str):
            return f"[{value[1]}]"
        return f"[{str(value[1]).rpartition('.')[2]}]" if value[0] == "name" else ""

    @cached_property
    def _keeping(self) -> frozenset[str]:
        """Classes of the imported libraries that keep things so."""
        names = self.project.libraries.names_saying("classes", "keeps")
        return frozenset(name for name in names if self.project.imports(name.partition(".")[0]))

    def _keepers(self, refs: Refs) -> list[str]:
        return [ref.name for ref in refs if ref.kind == "libinst" and self._keeps(ref.name)]

    def _keeps(self, name: str) -> bool:
        return bool(self._keeping) and not self._keeping.isdisjoint(self.project.libraries.mro(name))

    def _owners(self, fn: Fn, base: Vid) -> list[str]:
        names = [ref.name for ref in self.project.refs(fn, base) if ref.kind in ("lib", "libinst")]
        value = fn.value(base)
        if value[0] == "name":
            names.append(self.project.libraries.canonical(value[1]))
        return list(dict.fromkeys(names))
