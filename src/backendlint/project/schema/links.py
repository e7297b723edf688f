"""The plainest `Links`: modules by dotted name, also by the end of it (`app.db` for the file `backend/app/db.py`)."""

from __future__ import annotations

from collections.abc import Iterable

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.reading import Node

_DEPTH = 8


class ModuleLinks:
    """Looks names up in the files' module-level names."""

    def __init__(self, files: Iterable[FileFacts]) -> None:
        self._files: dict[str, FileFacts | None] = {}
        for file in files:
            self._files[file.module] = file
        for file in [item for item in self._files.values() if item is not None]:
            rest = file.module
            while "." in rest:
                rest = rest.partition(".")[2]
                if rest not in self._files:
                    self._files[rest] = file
                elif self._files[rest] is not None and self._files[rest].module != rest:  # type: ignore[union-attr]
                    self._files[rest] = None
        self._canonical: dict[str, str] = {}

    def locate(self, dotted: str) -> tuple[FileFacts, str] | None:
        """The file in whose module the name begins, and the rest of the name."""
        head, tail = dotted, ""
        while head:
            file = self._files.get(head)
            if file is not None:
                return file, tail
            head, _, last = head.rpartition(".")
            tail = f"{last}.{tail}" if tail else last
        return None

    def canonical(self, dotted: str) -> str:
        """Follow re-exports to where the name is defined."""
        known = self._canonical.get(dotted)
        if known is None:
            known = self._canonical[dotted] = self._follow(dotted)
        return known

    def _follow(self, dotted: str) -> str:
        seen = {dotted}
        for _ in range(_DEPTH):
            found = self.locate(dotted)
            if found is None:
                return dotted
            file, rest = found
            first, _, more = rest.partition(".")
            target = self._reexport(file, first)
            if not target:
                return f"{file.module}.{rest}" if rest else file.module
            dotted = f"{target}.{more}" if more else target
            if dotted in seen:
                return dotted
            seen.add(dotted)
        return dotted

    def _reexport(self, file: FileFacts, name: str) -> str:
        vid = file.names.get(name, -1)
        if vid >= 0:
            value = file.functions[0].values[vid]
            return value[1] if value[0] == "name" and value[1] != f"{file.module}.{name}" else ""
        if not name or name in file.classes:
            return ""
        for item in file.imports:
            if item.name == "*" and item.function == 0:
                target = self._files.get(item.target.removesuffix(".*"))
                if target is not None and target is not file and (name in target.names or name in target.classes):
                    return f"{target.module}.{name}"
        return ""

    def find_value(self, dotted: str) -> Node | None:
        """A module-level name's value."""
        found = self.locate(self.canonical(dotted))
        if found is None or not found[1] or "." in found[1]:
            return self._class_value(found)
        file, name = found
        vid = file.names.get(name, -1)
        if vid < 0 or file.functions[0].values[vid][0] == "name":
            return None
        return Node(file, 0, vid, self)

    def _class_value(self, found: tuple[FileFacts, str] | None) -> Node | None:
        """A class attribute's value (`Settings.TABLE`)."""
        if found is None or "." not in found[1]:
            return None
        file, rest = found
        owner, _, name = rest.rpartition(".")
        cls = file.classes.get(owner)
        vid = cls.attributes.get(name, -1) if cls else -1
        return Node(file, cls.owner, vid, self) if cls is not None and vid >= 0 else None

    def find_class(self, dotted: str) -> tuple[FileFacts, ClassFacts] | None:
        """A class by its dotted name."""
        found = self.locate(self.canonical(dotted)) if dotted else None
        if found is None:
            return None
        cls = found[0].classes.get(found[1])
        return (found[0], cls) if cls is not None else None

    def find_function(self, dotted: str) -> tuple[FileFacts, int] | None:
        """A function by its dotted name."""
        found = self.locate(self.canonical(dotted)) if dotted else None
        if found is None:
            return None
        for index, function in enumerate(found[0].functions):
            if index and function.qualname == found[1]:
                return found[0], index
        return None
