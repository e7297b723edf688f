"""`Links` over the project's modules."""

from __future__ import annotations

from collections.abc import Callable

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.linking.modules import Modules, Target
from backendlint.project.schema.reading import Node


class ModuleLinks:
    """Follows names through imports and re-exports by `Modules.resolve`."""

    def __init__(self, modules: Modules, sources: Callable[[str], str] | None = None) -> None:
        self._modules = modules
        self._sources = sources
        self._functions: dict[str, dict[str, int]] = {}
        self._lineages: dict[tuple[str, str], list[tuple[FileFacts, ClassFacts]]] = {}
        self._asked: set[tuple[str, int]] = set()
        """Variables whose class is being looked for: `boat = boat.built()` would go round for ever."""

    @property
    def lineages(self) -> dict[tuple[str, str], list[tuple[FileFacts, ClassFacts]]]:
        """Classes with their bases, as far as they were asked for."""
        return self._lineages

    def source(self, path: str) -> str:
        """The text of a file; "" where it is not to be had."""
        try:
            return self._sources(path) if self._sources is not None else ""
        except OSError:
            return ""

    def canonical(self, dotted: str, importer: str = "") -> str:
        """The name under which `dotted` is defined; library names in their canonical form."""
        target = self._modules.resolve(dotted, importer)
        if target.file is None:
            return ".".join((target.name, *target.rest))
        if target.kind == "module":
            return ".".join((target.name, *target.rest))
        prefix = (target.file.module,) if target.file.module else ()
        return ".".join((*prefix, target.name, *target.rest))

    def find_value(self, dotted: str, importer: str = "") -> Node | None:
        """A module-level name's value, or a class attribute's."""
        target = self._modules.resolve(dotted, importer)
        if target.kind == "class" and target.file is not None and len(target.rest) == 1:
            return self._attribute(target.file, target.name, target.rest[0])
        if target.kind != "variable" or target.file is None or target.vid < 0:
            return None
        if not target.rest:
            return Node(target.file, 0, target.vid, self)
        return self._of_instance(target)

    def _of_instance(self, target: Target) -> Node | None:
        """`settings.table` where `settings = Settings()` is at module level: the class's default."""
        assert target.file is not None
        key = (target.file.path, target.vid)
        if key in self._asked or len(target.rest) != 1:
            return None
        self._asked.add(key)
        try:
            call = Node(target.file, 0, target.vid, self).call()
            found = self.find_class(call.dotted, target.file.module) if call is not None and call.dotted else None
        finally:
            self._asked.discard(key)
        return self._attribute(found[0], found[1].qualname, target.rest[0]) if found is not None else None

    def _attribute(self, file: FileFacts, qualname: str, name: str) -> Node | None:
        cls = file.classes.get(qualname)
        vid = cls.attributes.get(name, -1) if cls is not None else -1
        return Node(file, cls.owner, vid, self) if cls is not None and vid >= 0 else None

    def find_class(self, dotted: str, importer: str = "") -> tuple[FileFacts, ClassFacts] | None:
        """A class of the project."""
        target = self._modules.resolve(dotted, importer) if dotted else None
        if target is None or target.kind != "class" or target.file is None or target.rest:
            return None
        return target.file, target.file.classes[target.name]

    def find_function(self, dotted: str, importer: str = "") -> tuple[FileFacts, int] | None:
        """A function of the project, with its index in its file."""
        target = self._modules.resolve(dotted, importer) if dotted else None
        if target is None or target.kind != "function" or target.file is None or target.rest:
            return None
        known = self._functions.get(target.file.path)
        if known is None:
            known = {item.qualname: index for index, item in enumerate(target.file.functions)}
            self._functions[target.file.path] = known
        index = known.get(target.name, 0)
        return (target.file, index) if index else None
