"""Which layer of the backend a function belongs to: by what it does, then by where it lies and what it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import FileFacts
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.decorators import decorator_models

if TYPE_CHECKING:
    from backendlint.project.model import Project

LAYERS = (
    "controller", "service", "repository", "model", "middleware", "client", "task", "migration", "command", "config",
    "schema", "entry",
)  # fmt: skip
_ROLES = {
    "controller": "controller", "consumer": "controller", "model": "model", "schema": "schema", "serializer": "schema",
    "form": "schema", "task": "task", "settings": "config", "migration": "migration", "middleware": "middleware",
    "permission": "middleware", "authentication": "middleware", "throttle": "middleware", "repository": "repository",
    "command": "command", "admin": "controller", "pagination": "schema",
}  # fmt: skip
"""What a library base makes of a class."""
_BY_BASES = frozenset({"controller", "middleware", "task", "command"})
"""Layers that a file has by its classes, whatever it is called."""
_SUFFIXES = (
    ("controller", ("Controller", "View", "ViewSet", "Resource", "Endpoint")),
    ("service", ("Service", "UseCase", "Interactor")),
    ("repository", ("Repository", "Repo", "DAO", "Dao", "CRUD", "Crud")),
    ("client", ("Client", "Adapter")),
    ("middleware", ("Middleware",)),
    ("schema", ("Schema", "Serializer", "DTO")),
    ("config", ("Settings",)),
)
"""Endings of class names."""
_FOLDERS = {
    "controller": "controller", "controllers": "controller", "api": "controller", "apis": "controller", "routes": "controller",
    "routers": "controller", "router": "controller", "handlers": "controller", "endpoints": "controller",
    "views": "controller", "viewsets": "controller", "resources": "controller", "blueprints": "controller",
    "dependencies": "controller", "deps": "controller", "graphql": "controller", "mutations": "controller",
    "resolvers": "controller",
    "service": "service", "services": "service", "usecases": "service", "use_cases": "service", "interactors": "service",
    "domain": "service", "business": "service", "logic": "service",
    "repository": "repository", "repositories": "repository", "repos": "repository", "repo": "repository", "dal": "repository",
    "dao": "repository", "daos": "repository", "crud": "repository", "queries": "repository", "persistence": "repository",
    "data_access": "repository", "storage": "repository",
    "entity": "model", "entities": "model", "model": "model", "models": "model", "orm": "model", "tables": "model",
    "middleware": "middleware", "middlewares": "middleware",
    "client": "client", "clients": "client", "integrations": "client", "adapters": "client", "external": "client",
    "gateways": "client", "providers": "client",
    "tasks": "task", "jobs": "task", "workers": "task", "worker": "task", "celery": "task",
    "migrations": "migration", "migrate": "migration", "revisions": "migration", "versions": "migration", "alembic": "migration",
    "commands": "command", "management": "command", "cli": "command", "scripts": "command", "bin": "command",
    "config": "config", "settings": "config", "conf": "config",
    "schema": "schema", "schemas": "schema", "serializers": "schema", "dto": "schema", "dtos": "schema", "forms": "schema",
}  # fmt: skip
"""Folder and file names (a file's stem, also as `order_service` or `service_order`)."""
_AMBIGUOUS = frozenset(
    {
        "api",
        "storage",
        "model",
        "resources",
        "config",
        "management",
        "domain",
        "client",
        "versions",
        "logic",
        "queries",
        "settings",
        "conf",
        "graphql",
        "entity",
        "schema",
        "tables",
    }
)
"""Names that say something only where nothing nearer does."""
_STORES = frozenset({"store", "stores"})
_STRONG = frozenset({"model", "service", "repository", "schema", "migration", "middleware"})
"""Layers that a folder gives to whatever lies directly in it."""
_NAMED = frozenset({"service", "repository"})
"""Layers that the names of classes tell apart."""
_DECISIVE = frozenset({"migrations", "alembic", "controllers", "dependencies", "deps"})
"""Folders that say what lies in them, whatever the files are called."""
_NOUNS = {"Repository", "Repo"}
"""Classes that are rows of a table in a host of git ..."""
_ABOUT_THEM = frozenset({"repository", "repositories", "repo", "repos"})
"""... and the words that mean those there, and no layer."""
_NUMBERED = re.compile(r"\d{3,}_")
"""`0007_fill_in_owners.py`: no `import` can name it; what loads it runs such files one after the other, each once."""
_VERSION = re.compile(r"v\d+(_\d+)*")
"""`patches/v2_1/fill_in_owners.py`: what a version changes in the data of those before."""
_ENTRY = frozenset({"main", "app", "wsgi", "asgi", "server", "__main__", "manage"})


class Layers:
    """Answers `layer(fn)`; remembers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._said_by_classes: dict[str, str] = {}
        self._handlers = {route.handler.fqn for route in project.routes if route.handler is not None}
        self._routing = {route.handler.path for route in project.routes if route.handler is not None}
        self._handlers.update(fn.fqn for route in project.routes for fn in route.called)
        self._hooks = {fn.fqn for route in project.routes for fn in (*route.hooks,)}
        self._by_file: dict[str, list[Cls]] | None = None
        configured = project.options.get("layers")
        self._overrides: list[tuple[str, str]] = []
        for layer, globs in configured.items() if isinstance(configured, Mapping) else ():
            for glob in [globs] if isinstance(globs, str) else globs:
                self._overrides.append((str(glob), str(layer)))

    def of(self, fn: Fn) -> str:
        """The function's layer, or ""."""
        known = self._known.get(fn.fqn)
        if known is None:
            known = self._known[fn.fqn] = self._find(fn)
        return known

    def _find(self, fn: Fn) -> str:
        for glob, layer in self._overrides:
            if fnmatchcase(fn.path, glob):
                return layer
        return self._by_evidence(fn) or self._by_class(fn) or self._outer(fn) or self._by_place(fn)

    def _by_place(self, fn: Fn) -> str:
        """The layer of the file: an ambiguous name (`queries`, `domain`) says less than the handlers in it."""
        layer = self.of_path(fn.path)
        unsure = layer not in ("", "entry") and not self.certain(fn.path)
        return "controller" if unsure and fn.path in self._routing else layer

    def _by_evidence(self, fn: Fn) -> str:
        if fn.fqn in self._handlers:
            return "controller"
        if fn.fqn in self._hooks:
            return "middleware"
        for model in decorator_models(self.project, fn):
            if model.route is not None:
                return "controller"
            if model.task is not None:
                return "task"
            if model.middleware or model.error_handler is not None:
                return "middleware"
        return ""

    def _by_class(self, fn: Fn) -> str:
        return self.of_class(fn.cls) if fn.cls is not None else ""

    def of_class(self, cls: Cls) -> str:
        """The layer of a class by its library bases, then by its name's ending."""
        known = self._classes.get(cls.fqn)
        if known is None:
            by_name = next((layer for layer, endings in _SUFFIXES if cls.name.endswith(endings)), "")
            known = _ROLES.get(self.project.hierarchy.role(cls), "") or by_name
            known = by_name if known == "schema" and by_name in _NAMED and self._is_given(cls) else known
            known = self._classes[cls.fqn] = known or ("repository" if self._stores(cls) else "")
        return known

    def _is_given(self, cls: Cls) -> bool:
        """`session: AsyncSession` in `class OrderRepository(BaseModel)`: a database is no data."""
        refs = (ref for vid in cls.facts.annotations.values() for ref in self.project.refs(cls.owner, vid))
        heads = (self.project.libraries.library_of(ref.name) for ref in refs if ref.kind in ("lib", "libinst"))
        return any(head is not None and head.kind in ("driver", "orm") for head in heads)

    def _stores(self, cls: Cls) -> bool:
        """`class OrderStore` in a folder `store`, of a file that imports a database's library; other stores keep files or settings."""
        if not cls.name.endswith("Store") or _STORES.isdisjoint(_words(cls.path)):
            return False
        heads = (self.project.libraries.library_of(item.target) for item in self.project.files[cls.path].imports)
        return any(head is not None and head.kind in ("driver", "orm") for head in heads)

    def _outer(self, fn: Fn) -> str:
        parent = fn.parent
        return self.of(parent) if parent is not None and not parent.is_module else ""

    def of_path(self, path: str) -> str:
        """The layer of a file: by the library bases of its classes, then by its place and name."""
        known = self._paths.get(path)
        if known is None:
            words = _words(path)
            by_place = _clear(words, self._nouns) or self._vague(words)
            known = self._paths[path] = self._by_classes(path) or self._by_names(path, by_place) or by_place
        return known

    def _by_names(self, path: str, by_place: str) -> str:
        """A file that is most of all services (by their names) is one whatever its folder (`crud`), and one of repositories too."""
        file = self.project.files.get(path) if by_place in _NAMED else None
        outer = [fn for fn in file.functions[1:] if fn.parent == 0] if file is not None else []
        if 2 * sum(bool(fn.cls) for fn in outer) <= len(outer):
            return ""
        found = {layer for cls in self.classes_of(path) if (layer := self.of_class(cls)) in _NAMED}
        return found.pop() if len(found) == 1 else ""

    def _vague(self, words: list[str]) -> str:
        found = (_FOLDERS[word] for word in words if word in _FOLDERS and word not in self._nouns)
        return next(found, "entry" if words[0] in _ENTRY else "")

    def certain(self, path: str) -> str:
        """The same, but only by names that can mean nothing else, and that no class in the file contradicts."""
        by_place = _clear(_words(path), self._nouns)
        said = self._by_classes(path) or self._by_names(path, by_place)
        return by_place if by_place and said in ("", by_place) else ""

    def _by_classes(self, path: str) -> str:
        """What library bases make of a file that holds nothing but such classes: views, permissions, commands."""
        known = self._said_by_classes.get(path)
        if known is None:
            known = self._said_by_classes[path] = self._read_classes(path)
        return known

    def _read_classes(self, path: str) -> str:
        classes = self.classes_of(path)
        found = {_ROLES.get(self.project.hierarchy.role(cls), "") for cls in classes}
        if len(found) != 1 or found.isdisjoint(_BY_BASES):
            return ""
        file = self.project.files[path]
        loose = any(fn.cls is None and fn.parent is not None for fn in self.project.functions_of(file))
        return "" if loose else found.pop()

    def classes_of(self, path: str) -> Sequence[Cls]:
        """The classes of a file."""
        if self._by_file is None:
            self._by_file = {}
            for cls in self.project.classes.values():
                self._by_file.setdefault(cls.path, []).append(cls)
        return self._by_file.get(path, ())

    @cached_property
    def _nouns(self) -> frozenset[str]:
        """Words for layers that name what the project stores: with a model `Repository`, `repository.py` is about those."""
        rows = any(
            cls.name in _NOUNS and self.project.hierarchy.role(cls) == "model" for cls in self.project.classes.values()
        )
        used = rows or any(
            item.target.rpartition(".")[2] in _NOUNS and _managed(file, item.target)
            for file in self.project.files.values()
            for item in file.imports
        )
        return _ABOUT_THEM if used else frozenset()


def _managed(file: FileFacts, target: str) -> bool:
    """Whether rows of an imported class are asked for as of a model: `Repository.objects`."""
    manager = f"{target}.objects"
    return any(
        value[0] == "name" and (value[1] == manager or value[1].startswith(f"{manager}."))
        for function in file.functions
        for value in function.values
    )


def _words(path: str) -> list[str]:
    """The file's name without its ending, then its folders, nearest first."""
    *folders, name = path.split("/")
    return [(name.rpartition(".")[0] or name).lower(), *reversed([folder.lower() for folder in folders])]


def _clear(words: list[str], nouns: frozenset[str]) -> str:
    """The layer by names that are not ambiguous, here and in this project."""
    unsure = _AMBIGUOUS | nouns
    if _NUMBERED.match(words[0]) or ("patches" in words[2:3] and _VERSION.fullmatch(words[1])):
        return "migration"
    decisive = next((word for word in words[1:] if word in _DECISIVE), "")
    if decisive:
        return _FOLDERS[decisive]
    known = [_FOLDERS.get(word, "") if word not in unsure else "" for word in words]
    parent = known[1] if len(words) > 1 else ""
    if parent in _STRONG:
        return parent
    return known[0] or parent or _compound(words[0], unsure) or next((layer for layer in known[2:] if layer), "")


def _compound(stem: str, unsure: frozenset[str]) -> str:
    """`order_service`, `service_order`."""
    parts = re.split(r"[_.-]", stem)
    if len(parts) > 1:
        for part in (parts[-1], parts[0]):
            for candidate in (part, f"{part}s") if part not in unsure else ():
                layer = _FOLDERS.get(candidate)
                if (
                    layer
                    and candidate not in unsure
                    and candidate != "resolvers"  # `dependency_resolver` resolves anything
                    and layer in ("service", "repository", "controller", "client", "task")
                ):
                    return layer
    return ""
