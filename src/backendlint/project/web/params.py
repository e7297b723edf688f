"""Parameters that a framework fills with data from outside, by signature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.linking.handed import Handed, handed
from backendlint.project.routes.model import UNKNOWN
from backendlint.project.routes.params import is_frameworks_own, markers

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DATA_ROLES = frozenset({"", "schema", "serializer", "model", "form", "exception"})
_BY_PATH = ("django", "flask")
"""Frameworks that pass a view what its path names, and nothing else."""
_OPERATED = frozenset({"command", "migration"})
"""Run by people who have a shell already."""
_CONTEXTS = frozenset({"context", "ctx", ""})
_HTTP_EVENT = frozenset(
    "body headers multiValueHeaders queryStringParameters multiValueQueryStringParameters pathParameters httpMethod "
    "requestContext rawPath rawQueryString cookies arguments".split()
)
"""Entries of the events that gateways make of HTTP requests."""
_PLAIN = ("builtins.", "uuid.", "datetime.", "decimal.", "typing.", "pydantic.", "enum.", "ipaddress.", "pathlib.")


def is_serverless(fn: Fn) -> bool:
    """The entry point of a serverless function: `def lambda_handler(event, context)`."""
    names = [param.name for param in fn.facts.params[:2]]
    called = fn.kind == "function" and fn.name.endswith("handler")
    return called and len(names) == 2 and names[0] == "event" and names[1].strip("_") in _CONTEXTS


def _event(project: Project, fn: Fn) -> str:
    """What a serverless function is called with: a request, or where it reads only entries of its own (`event["detail"]`)
    and answers nothing that a browser reads, what a scheduler, a bus or another program sends."""
    keys: set[str] = set()
    for value in fn.facts.values:
        if value[0] == "item" and fn.unguarded(value[1]) == ("param", 0):
            keys.add(str(fn.const(value[2])))
        elif value[0] == "dict" and any(key >= 0 and fn.const(key) == "headers" for key, _ in value[1]):
            return "request"
    for call in fn.calls:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] == "get" and call.args and fn.unguarded(func[1]) == ("param", 0):
            keys.add(str(fn.const(call.args[0])))
        elif any(fn.unguarded(vid) == ("param", 0) for vid in call.passed) and project.targets(fn, call):
            return "request"
    return "queue" if keys and keys.isdisjoint(_HTTP_EVENT) else "request"


def suppliers(project: Project, fn: Fn, index: int) -> Iterator[CallModel]:
    """What the objects of libraries do that fill a parameter: `key: str = Security(APIKeyHeader(name="X-Key"))`."""
    for owner, call in markers(project, fn.parent or fn, fn.facts.params[index]):
        injected = [model.injects for model in project.models(owner, call) if model.injects is not None]
        for vid in (vid for given in injected for vid in arguments(call, given)):
            called = [f"{ref.name}.__call__" for ref in project.refs(owner, vid) if ref.kind == "libinst"]
            yield from filter(None, map(project.libraries.call, called))


class Params:
    """Answers `source(fn, index)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._handlers: dict[str, str] = {}
        self._handed: dict[tuple[str, int], list[Handed] | None] = {}

    def source(self, fn: Fn, index: int) -> str:
        """The source kind (`request`, `queue`) of what the framework passes as parameter `index`, or ""."""
        kind = self._handler(fn)
        if not kind:
            return ""
        param = fn.facts.params[index]
        if index == 0 and fn.cls is not None and fn.kind in ("method", "classmethod"):
            return ""
        if kind == "request" and self._unnamed(fn, index):
            return ""
        if (
            self.project.graph.injected(fn, index)
            or self._supplied(fn, index)
            or self._made(fn, index)
            or self._by_name(fn, index)
        ):
            return ""
        refs = self.project.resolver.param(fn, index)
        if param.annotation < 0 and param.default < 0 and refs and not any(self._data(ref) for ref in refs):
            return ""
        return "" if refs and not any(self._data(ref) for ref in refs) else kind

    def _unnamed(self, fn: Fn, index: int) -> bool:
        """A view's parameter that none of its paths names: it keeps its default, or other code of the project passes it."""
        routes = self.project.route_functions.get(fn.fqn, [])
        param = fn.facts.params[index]
        own = int(fn.cls is not None) + int(any(route.framework == "django" for route in routes))
        if not routes or index < own or param.kind in ("args", "kwargs"):
            return False
        plain = all(route.framework in _BY_PATH and not route.documented for route in routes)
        if not plain or any(param.name in route.converters for route in routes):
            return False
        if self._is_row(fn, index):
            return True
        passed = self.handed(fn, index)
        if passed:
            return True
        if param.default < 0 and any(route.app is None or UNKNOWN in route.path for route in routes):
            return False
        unfilled = passed == [] and param.default < 0 and bool(fn.facts.decorators)  # the path has another name for it
        return passed is not None and not unfilled

    def _is_row(self, fn: Fn, index: int) -> bool:
        """An object of the database by its annotation, which no framework makes of a path."""
        refs = self.project.resolver.param(fn, index) if fn.facts.params[index].annotation >= 0 else ()
        classes = [self.project.classes[ref.name] for ref in refs if ref.kind == "inst"]
        return len(classes) == len(refs) > 0 and all(
            self.project.hierarchy.role(cls) == "model" and not self.project.hierarchy.is_a(cls, "pydantic.BaseModel")
            for cls in classes
        )

    def handed(self, fn: Fn, index: int) -> list[Handed] | None:
        """What the project's decorators pass for it; None where that cannot be told."""
        key = (fn.fqn, index)
        if key not in self._handed:
            self._handed[key] = handed(self.project, fn, index)
        return self._handed[key]

    def _by_name(self, fn: Fn, index: int) -> bool:
        """An object that the framework injects by the parameter's name, where the body has a name of its own."""
        routes = self.project.route_functions.get(fn.fqn, ())
        bodies = {route.entry.model.body for route in routes}
        if not bodies or "" in bodies or fn.facts.params[index].name in bodies:
            return False
        refs = self.project.resolver.param(fn, index)
        return bool(refs) and all(ref.kind == "inst" for ref in refs)

    def _made(self, fn: Fn, index: int) -> bool:
        """An object of the program, by the model of the class whose method is called."""
        models = self.project.hierarchy.library_models(fn.cls) if fn.cls is not None else ()
        return any(fn.facts.params[index].name in model.own_arguments.get(fn.name, ()) for model in models)

    def _supplied(self, fn: Fn, index: int) -> bool:
        """Filled by dependency injection, even where the dependency is unknown."""
        home, param = fn.parent, fn.facts.params[index]
        if home is None or param.default < 0:
            return False
        value = home.facts.values[param.default]
        if value[0] != "call":
            return False
        called = home.facts.calls[value[1]]
        injects = any(model.injects is not None for model in self.project.models(home, called))
        return injects and not any(model.source for model in suppliers(self.project, fn, index))

    def _data(self, ref: Ref) -> bool:
        if ref.kind == "inst":
            cls = self.project.classes[ref.name]
            return self.project.hierarchy.role(cls) in _DATA_ROLES and not is_frameworks_own(self.project, cls)
        if ref.kind != "libinst":
            return False
        model = self.project.libraries.attribute(f"{ref.name}.filename")
        upload = model is not None and model.source == "request"
        return ref.name.startswith(_PLAIN) or upload

    def _handler(self, fn: Fn) -> str:
        """The source kind of a handler's parameters; "" for other functions."""
        known = self._handlers.get(fn.fqn)
        if known is None:
            self._handlers[fn.fqn] = ""
            known = self._handlers[fn.fqn] = (
                self._decorated(fn) or self._method(fn) or self._dependency(fn) or self._outside(fn)
            )
        return known

    def _decorated(self, fn: Fn) -> str:
        for model in decorator_models(self.project, fn):
            if model.params_source:
                sent = any(edge.kind == "task" for edge in self.project.graph.callers(fn))
                return "" if sent and model.task is not None else model.params_source
        return ""

    def _method(self, fn: Fn) -> str:
        """A method that a web framework's class dispatches requests to."""
        if fn.cls is None or fn.kind != "method":
            return ""
        for base in (*self.project.hierarchy.library_bases(fn.cls), *self._by_convention(fn, fn.cls)):
            for model in self.project.libraries.lineage(base):
                resolves = bool(model.resolvers) and fn.name.startswith(model.resolvers)
                every = "*" in model.methods_are_handlers and not fn.name.startswith("_")
                if resolves or every or fn.name in model.methods_are_handlers:
                    return "" if model.subclass_role in _OPERATED else "request"
        return ""

    def _by_convention(self, fn: Fn, cls: Cls) -> Iterator[str]:
        """What the bases are by their names (generated code's `OrdersServicer`)."""
        hierarchy, hints = self.project.hierarchy, self.project.hints(fn.file)
        names = [base.rpartition(".")[2] for base in hierarchy.library_bases(cls)]
        for name in (*names, *(item.name for item in hierarchy.mro(cls)[1:])):
            hinted = hints.type_of(name, parameter=False)
            if hinted:
                yield hinted

    def _outside(self, fn: Fn) -> str:
        """A handler that is registered by a call, a consumer's callback, the entry point of a serverless function."""
        for edge in self.project.graph.callers(fn):
            models = (
                self.project.models(edge.caller, edge.call) if edge.call is not None and edge.kind != "call" else ()
            )
            if any("queue-consume" in model.effect for model in models):
                return "queue"
        if fn.fqn in self._required or fn.fqn in self.project.route_functions:
            return "request"
        return _event(self.project, fn) if is_serverless(fn) else ""

    @cached_property
    def _required(self) -> frozenset[str]:
        """Functions that routes name as their dependencies without taking their results."""
        return frozenset(fn.fqn for route in self.project.routes for fn in route.dependencies)

    def _dependency(self, fn: Fn) -> str:
        """A dependency's own parameters are filled from the request too."""
        for edge in self.project.graph.callers(fn):
            if edge.kind == "inject" and self._handler(edge.caller):
                return "request"
        return ""
