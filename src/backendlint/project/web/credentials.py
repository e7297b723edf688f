"""By what callers show who they are: a cookie, which browsers send along, or a header, which only programs set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries.model import CallModel

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

SESSION, HEADER = "session", "header"
DEPTH = 2
"""Calls below a function that count as its own."""
_HEADER = re.compile(
    r"(HTTP_)?(proxy[-_])?authorization|(HTTP_)?\w[\w-]*[-_](signature(-?\w*)|api[-_]?key|key|token|secret|hmac|auth)|api[-_]?key|signature",
    re.IGNORECASE,
)
_FORGERY = re.compile(r"csrf|xsrf", re.IGNORECASE)
"""Such a token is no credential."""
_HEADERS = frozenset({"headers", "META", "environ", "header"})
_BEFORE = (
    "__call__",
    "dispatch",
    "prepare",
    "initial",
    "process_request",
    "process_view",
    "has_permission",
    "authenticate",
)


class Credentials:
    """Answers what functions and guards look at; remembers it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._functions: dict[str, frozenset[str]] = {}

    def of(self, fn: Fn, depth: int = DEPTH) -> frozenset[str]:
        """What the function, what it defines and what it calls look at."""
        known = self._functions.get(fn.fqn)
        if known is None:
            self._functions[fn.fqn] = frozenset()
            found = set(self._direct(fn))
            inner = [other for other in self.project.functions_of(fn.file) if other.parent is fn and not fn.is_module]
            called = [
                edge.callee for edge in self.project.graph.callees(fn) if edge.kind in ("call", "inject", "property")
            ]
            for other in inner:
                found |= self.of(other, depth)
            for other in called if depth else ():
                found |= self.of(other, depth - 1)
            known = self._functions[fn.fqn] = frozenset(found)
        return known

    def required(self, route: Route) -> list[frozenset[str]]:
        """For each guard of the route that refuses callers: what it looks at (empty where that is not known)."""
        found = [self._of_library(ref) for ref in route.guards if ref.kind not in ("func", "class", "inst")]
        found = [item for item in found if item]
        access = self.project.access
        found += [self.of(fn) for fn in dict.fromkeys(self.before(route)) if access.of_function(fn)]
        return found

    def before(self, route: Route) -> Iterator[Fn]:
        """The project's functions that run before the handler."""
        refs = [*route.guards, *(self.project.access.listed(route.cls) if route.cls is not None else ())]
        for ref in refs:
            if ref.kind == "func" and ref.name in self.project.functions:
                yield self.project.functions[ref.name]
            elif ref.kind in ("class", "inst") and ref.name in self.project.classes:
                cls = self.project.classes[ref.name]
                methods = (self.project.method(cls, name) for name in _BEFORE)
                yield from (method for method in methods if method is not None)
        yield from (*route.dependencies, *route.hooks)
        if route.cls is not None:
            own = (self.project.method(route.cls, name) for name in _BEFORE)
            yield from (method for method in own if method is not None and method is not route.handler)

    def _of_library(self, ref: Ref) -> frozenset[str]:
        libraries = self.project.libraries
        models = (libraries.decorator(ref.name), libraries.call(ref.name))
        return frozenset(
            model.auth.by for model in models if model is not None and model.auth is not None and model.auth.by
        )

    def _direct(self, fn: Fn) -> Iterator[str]:
        libraries = self.project.libraries
        for vid in fn.made_by("attr"):
            _, base, name = fn.value(vid)
            for ref in self.project.refs(fn, base):
                model = libraries.attribute(f"{ref.name}.{name}") if ref.kind in ("lib", "libinst") else None
                if model is not None and model.proof:
                    yield model.proof
        for vid in fn.made_by("name"):
            parts = libraries.canonical(str(fn.value(vid)[1])).split(".")
            for end in range(len(parts), 1, -1):  # `flask_login.current_user.name`
                model = libraries.attribute(".".join(parts[:end]))
                if model is not None and model.proof:
                    yield model.proof
        for site in self.project.effects.direct(fn):
            if _signed(site.model):
                yield HEADER
            elif site.model.auth is not None and site.model.auth.by:
                yield site.model.auth.by
        if self._reads_headers(fn):
            texts = (fn.const(vid) for vid in fn.made_by("const"))
            if any(isinstance(text, str) and _HEADER.fullmatch(text) and not _FORGERY.search(text) for text in texts):
                yield HEADER

    @staticmethod
    def _reads_headers(fn: Fn) -> bool:
        names = [str(fn.value(vid)[2]) for vid in fn.made_by("attr")]
        names += [part for vid in fn.made_by("name") for part in str(fn.value(vid)[1]).split(".")]
        return not _HEADERS.isdisjoint(names)


def _signed(model: CallModel) -> bool:
    """Whether it holds what was sent against a key that browsers do not have."""
    return model.csrf == "protect" or (model.constant_time and model.password is None) or model.name.startswith("hmac.")
