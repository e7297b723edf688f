"""Exceptions by layer: which ones are turned into responses, wrapped or hidden, and by whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.within import below
from backendlint.project.calls import arguments
from backendlint.project.effects import Site
from backendlint.project.entities import Fn
from backendlint.project.exceptions import Escape

if TYPE_CHECKING:
    from backendlint.project.model import Project

INFRASTRUCTURE = frozenset({"infrastructure", "integrity"})
DATABASE = frozenset({"db", "db-read", "db-write", "commit", "flush", "db-connect"})
_OURS = re.compile(
    r"Config|Programming|Assert|Unreachable|NotImplemented|Invariant|Internal|Setup|Startup|Exit|Stop|Retry|Skip|Abort|Cancel"
)
"""Exceptions of the project that tell of bugs or steer its flow."""
_BUGS = frozenset(
    {"ImportError", "ModuleNotFoundError", "AttributeError", "TypeError", "NameError", "NotImplementedError"}
)
_MISSING = re.compile(r"not_?found|does_?not_?exist|missing|unknown", re.IGNORECASE)
_ALL = ("builtins.Exception", "builtins.BaseException")


class Unmapped(NamedTuple):
    """An exception that leaves a route's handler as it is."""

    fn: Fn
    name: str
    escape: Escape
    kind: str
    """domain, not-found, infrastructure or builtin"""


class Unwrapped(NamedTuple):
    """A library's exception that leaves a function where siblings wrap it."""

    fn: Fn
    name: str
    escape: Escape
    sibling: Fn


class Failures:
    """What becomes of exceptions; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project

    # what turns exceptions into responses

    @cached_property
    def mapped_types(self) -> frozenset[str]:
        """Exceptions that the application's handlers or middleware turn into responses, by class name."""
        found = {ref.name for refs in self.project.error_handlers.values() for ref in refs}
        for app in self.project.applications:
            found |= self._registered(app)
        for fn in self.project.all_functions():
            if self.project.layer(fn) == "middleware":
                found |= set(self._caught(fn))
        if self._drf_handler:
            found.add("builtins.Exception")
        return frozenset(found)

    def _registered(self, app: object) -> set[str]:
        """`FastAPI(exception_handlers={NotFound: handler})`."""
        origin, model = getattr(app, "origin", None), getattr(app, "model", None)
        if origin is None or model is None or model.error_handlers is None:
            return set()
        value = origin.fn.facts.values[origin.vid]
        if value[0] != "call":
            return set()
        found: set[str] = set()
        for vid in arguments(origin.fn.facts.calls[value[1]], model.error_handlers):
            shown = origin.fn.facts.values[vid]
            for key, _ in shown[1] if shown[0] == "dict" else ():
                found |= {ref.name for ref in self.project.refs(origin.fn, key)}
        return found

    @cached_property
    def _drf_handler(self) -> bool:
        """A setting that names the project's own exception handler."""
        for file in self.project.files.values():
            module = self.project.module_function(file)
            for value in module.facts.values:
                if value[0] == "dict" and any(
                    key >= 0 and module.const(key) == "EXCEPTION_HANDLER" for key, _ in value[1]
                ):
                    return True
        return False

    def _caught(self, fn: Fn) -> Iterator[str]:
        """Classes that the function's handlers catch for good."""
        for index, block in enumerate(fn.facts.blocks):
            if block.kind == "except" and not self.project.exceptions.reraises(fn, index):
                yield from self.project.exceptions.caught_types(fn, block)

    def mapped(self, fn: Fn, name: str) -> bool:
        """Whether something between the handler `fn` and the client turns the exception into a response."""
        types = {*self.mapped_types, *self._around(fn)}
        return any(self.project.hierarchy.subclass_of(name, item) for item in types) or any(
            item in types for item in _ALL
        )

    def _around(self, fn: Fn) -> Iterator[str]:
        """What the handler's decorators and its class's own machinery catch."""
        for ref in fn.decorators:
            if ref.kind == "func":
                decorator = self.project.functions[ref.name]
                for inner in self.project.functions_of(decorator.file):
                    if inner.fqn.startswith(f"{decorator.fqn}."):
                        yield from self._caught(inner)
            elif ref.kind == "lib":
                model = self.project.libraries.decorator(ref.name)
                if model is not None and model.error_handler is not None:
                    yield "builtins.Exception"
        for name in ("handle_exception", "dispatch", "dispatch_request", "process_exception"):
            method = self.project.method(fn.cls, name) if fn.cls is not None else None
            if method is not None:
                yield from (self._caught(method) if name.startswith("dispatch") else _ALL)

    # what leaves handlers

    def unmapped(self) -> Iterator[Unmapped]:
        """Exceptions that reach the framework unmapped, the first of each kind and place."""
        for fqn, routes in self.project.route_functions.items():
            fn = self.project.functions[fqn]
            if not any(route.kind == "http" for route in routes):
                continue
            seen: set[tuple[object, str]] = set()
            for name, escape in self.project.exceptions.escaping(fn).items():
                kind = self.judge(fn, name)
                if kind and (escape.span, kind) not in seen and not self.mapped(fn, name):
                    seen.add((escape.span, kind))
                    yield Unmapped(fn, name, escape, kind)

    def judge(self, fn: Fn, name: str) -> str:
        """What kind of failure an exception is; "" for what the framework answers itself, and for bugs."""
        kind = self.project.exception_kind(name)
        cls = self.project.classes.get(name)
        if kind in ("http", "exit", "control", "cancel", "validation", "programming", "auth"):
            return ""
        if cls is not None:
            return "" if _OURS.search(cls.name) or name in self._for_jobs or self._of_a_bug(fn, name) else "domain"
        if kind == "not-found":
            return "not-found"
        if kind in INFRASTRUCTURE:
            return "infrastructure"
        return (
            "builtin"
            if name in ("builtins.ValueError", "builtins.LookupError", "builtins.KeyError", "builtins.PermissionError")
            else ""
        )

    @cached_property
    def _for_jobs(self) -> frozenset[str]:
        """Exceptions that jobs and commands catch, and no handler does: they steer a job."""
        jobs: set[str] = set()
        others: set[str] = set()
        for fn in self.project.all_functions():
            if any(block.kind == "except" for block in fn.facts.blocks):
                layer = self.project.layer(fn)
                (jobs if layer in ("task", "command") or "job" in fn.path else others).update(self._caught(fn))
        return frozenset(jobs - others)

    def _of_a_bug(self, fn: Fn, name: str) -> bool:
        """Whether it is raised for an exception that tells of a bug (an import or attribute that is missing)."""
        escape: Escape | None = self.project.exceptions.escaping(fn).get(name)
        seen: set[str] = set()
        while escape is not None and escape.edge is not None and fn.fqn not in seen:
            seen.add(fn.fqn)
            fn = escape.edge.callee
            escape = self.project.exceptions.escaping(fn).get(name)
        if escape is None:
            return False
        for _, block in fn.blocks_of(escape.block):
            if block.kind == "except":
                types = self.project.exceptions.caught_types(fn, block)
                return any(item.removeprefix("builtins.") in _BUGS for item in types)
        return False

    def asked_for(self, fn: Fn, name: str) -> bool:
        """Whether the query behind a not-found exception looks for something that the request named."""
        escape: Escape | None = self.project.exceptions.escaping(fn).get(name)
        seen: set[str] = set()
        while escape is not None and escape.edge is not None and fn.fqn not in seen:
            seen.add(fn.fqn)
            fn = escape.edge.callee
            escape = self.project.exceptions.escaping(fn).get(name)
        if escape is None or escape.site is None:
            return False
        call = escape.site.call
        from backendlint.project.requests import derived

        named = set(self.project.request_params(fn)) | {
            index for index, param in enumerate(fn.facts.params) if not (index == 0 and fn.cls is not None)
        }
        made: set[int] = set()
        for index in named:
            if index < len(fn.facts.values) and fn.facts.values[index] == ("param", index):
                made |= derived(fn, index)
        parts = [*call.args, *(vid for _, vid in call.kwargs), call.func]
        return any(vid in made for vid in parts)

    # wrapping

    def wraps(self, fn: Fn) -> bool:
        """Whether the function turns a library's failure into an exception of the project."""
        for index, block in enumerate(fn.facts.blocks):
            if block.kind != "except" or not self._catches_failure(fn, index):
                continue
            inside = below(fn.facts, index)
            for statement in fn.facts.raises:
                if statement.block in inside and any(
                    name in self.project.classes for name in self.project.exceptions.raised(fn, statement)
                ):
                    return True
        return False

    def _catches_failure(self, fn: Fn, index: int) -> bool:
        types = self.project.exceptions.caught_types(fn, fn.facts.blocks[index])
        return any(name in _ALL or self.project.exception_kind(name) in INFRASTRUCTURE for name in types)

    def unwrapped(self, layer: str) -> Iterator[Unwrapped]:
        """Functions of a layer that let a library's exception out, where most of their siblings wrap it."""
        members = [fn for fn in self.project.all_functions() if self.project.layer(fn) == layer and not fn.is_module]
        wrapping = [fn for fn in members if self.wraps(fn)]
        if not wrapping:
            return
        open_ones = [
            (fn, name, escape)
            for fn in members
            if fn not in wrapping
            for name, escape in [self._failure(fn)]
            if escape is not None and name
        ]
        for fn, name, escape in open_ones:
            assert escape is not None
            own = [item for item in wrapping if _together(item, fn)]
            others = sum(1 for item, _, _ in open_ones if _together(item, fn))
            near = len(own) >= others and bool(own)
            if near or len(wrapping) > len(open_ones):
                yield Unwrapped(fn, name, escape, (own or wrapping)[0])

    def _failure(self, fn: Fn) -> tuple[str, Escape | None]:
        """The first library failure that the function's own calls let out."""
        for name, escape in self.project.exceptions.escaping(fn).items():
            if (
                escape.site is not None
                and self.project.exception_kind(name) in INFRASTRUCTURE
                and name not in self.project.classes
            ):
                return name, escape
        return "", None


def waiting_sites(project: Project, fn: Fn, block: int, *effects: str) -> list[Site]:
    """The function's calls with these effects in a block and below."""
    inside = below(fn.facts, block)
    return [
        site
        for site in project.effects.direct(fn)
        if site.call.block in inside and not set(effects).isdisjoint(site.model.effect)
    ]


def says_missing(name: str) -> bool:
    """Whether an exception's name says that something is not there."""
    return bool(_MISSING.search(name.rpartition(".")[2]))


def _together(one: Fn, other: Fn) -> bool:
    """Methods of a class, or functions of a module."""
    return one.cls is other.cls and one.path == other.path
