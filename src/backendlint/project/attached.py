"""What functions keep outside themselves: on objects of libraries (`flask.g.db = connect()`), in globals of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn

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
                if not store.name or fn.value(store.value)[0] == "const":
                    continue
                base = fn.value(store.base)
                if base[0] == "param" and base[1] == 0 and fn.cls is not None:
                    continue
                for owner in self._owners(fn, store.base):
                    found.setdefault(f"{owner}.{store.name}", []).append((fn, store.value))
        return found

    def _owners(self, fn: Fn, base: Vid) -> list[str]:
        names = [ref.name for ref in self.project.refs(fn, base) if ref.kind in ("lib", "libinst")]
        value = fn.value(base)
        if value[0] == "name":
            names.append(self.project.libraries.canonical(value[1]))
        return list(dict.fromkeys(names))
