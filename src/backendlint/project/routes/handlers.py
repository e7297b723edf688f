"""Which methods of a class, or functions for each method, answer requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.routes.model import Entry
from backendlint.project.routes.reading import Reading, strings

if TYPE_CHECKING:
    from backendlint.project.model import Project

_WHOLE = ("dispatch", "handle", "process", "run")
"""Handlers of a class that answer every method."""
_PREFIXES = ("PROCESS", "HANDLE", "DO", "RUN")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")


def bound(entry: Entry) -> dict[str, tuple[str, ...]]:
    """`ViewSet.as_view({"get": "list", "head": "list"})`: handler name to methods."""
    for call in _views(entry):
        fn = entry.fn
        given = fn.facts.values[call.args[0]] if call.args else ("",)
        if given[0] == "dict":
            found: dict[str, tuple[str, ...]] = {}
            for verb, vid in _pairs(fn, given):
                name = str(fn.const(vid))
                found[name] = (*found.get(name, ()), verb)
            return found
    return {}


def asked_for(project: Project, entry: Entry) -> set[str]:
    """`View.as_view(http_method_names=["get"])`: the methods to which this path is restricted."""
    named = (call.kwarg("http_method_names") for call in _views(entry))
    return {name.upper() for vid in named if vid >= 0 for name in strings(project, entry.fn, vid)}


def by_method(reading: Reading, entry: Entry) -> Iterator[Entry]:
    """`path("boats/", by_method(GET=listing, POST=launch))`: an entry for each method, with what answers it; else the entry."""
    fn, made = entry.fn, False
    for call in _views(entry):
        given = fn.facts.values[call.args[0]] if len(call.args) == 1 else ("",)
        named = _pairs(fn, given) if given[0] == "dict" else [(key.upper(), vid) for key, vid in call.kwargs]
        for verb, vid in named if {key for key, _ in named} <= set(METHODS) else ():
            found, around = reading.handlers(fn, vid)
            if found:
                made = True
                yield replace(entry, methods=(verb,), handlers=found, wrappers=(*entry.wrappers, *around))
    if not made:
        yield entry


def _pairs(fn: Fn, display: Value) -> list[tuple[str, Vid]]:
    """The methods that are the keys of a dictionary, each with what stands for it."""
    return [(str(fn.const(key)).upper(), vid) for key, vid in display[1] if key >= 0]


def _views(entry: Entry) -> Iterator[Call]:
    """The calls that make the handler at its registration."""
    if entry.call is None or entry.model.handler is None:
        return
    facts = entry.fn.facts
    for vid in arguments(entry.call, entry.model.handler):
        value = facts.values[vid]
        if value[0] == "call":
            yield facts.calls[value[1]]


def class_handlers(project: Project, cls: Cls) -> tuple[list[str], set[str]]:
    """Names of methods that answer requests, and those that library bases implement."""
    names: dict[str, None] = {}
    provided: set[str] = set()
    for model in project.hierarchy.library_models(cls):
        names.update(dict.fromkeys(model.provides))
        names.update(dict.fromkeys(model.methods_are_handlers))
        provided.update(model.provides)
    allowed = project.hierarchy.mro(cls)
    kept = allowed_methods(project, cls)
    provided = {name for name in provided if not kept or name.upper() in kept or name.upper() not in METHODS}
    plain = not names
    if plain:  # a class that the framework, or the project's own, takes for its method names
        names.update((name, None) for owner in allowed for name in owner.methods)
    specific = [name for name in names if method_of(name, plain)]
    found = [name for name in specific if name in provided or project.method(cls, name)]
    if not found:
        found = [name for name in names if name.lstrip("_").startswith(_WHOLE) and project.method(cls, name)]
        found = sorted(found, key=lambda name: name.lstrip("_") not in _WHOLE)[:1] if plain else found
    return found, provided


def behind(project: Project, cls: Cls, name: str) -> tuple[Fn | None, tuple[Fn, ...]]:
    """What of the class answers as the handler `name`, and which of its methods the library's part of that calls.

    Where the library implements the handler, the method that makes its response for it answers (`form_valid`).
    """
    hooks, responds = _hooks(project, cls)
    own = project.method(cls, name)
    found: dict[str, Fn] = {}
    todo, seen = [*hooks.get("*", ()), name], set[str]()
    while todo:
        asked = todo.pop()
        if asked in seen:
            continue
        seen.add(asked)
        method = project.method(cls, asked)
        if method is not None:
            found[asked] = method
        for called in (asked,) if method is None else _left_to_library(project, cls, method):
            todo += reversed(hooks.get(called, ()))
    answering = own or next((method for hook, method in found.items() if hook in responds), None)
    return answering, tuple(method for method in found.values() if method is not answering)


def _hooks(project: Project, cls: Cls) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """What the models of its library bases say of methods that they call."""
    hooks: dict[str, tuple[str, ...]] = {}
    responds: set[str] = set()
    for model in project.hierarchy.library_models(cls):
        responds.update(model.responds)
        for handler, names in model.hooks.items():
            hooks[handler] = (*hooks.get(handler, ()), *names)
    return hooks, frozenset(responds)


def _left_to_library(project: Project, cls: Cls, own: Fn) -> Iterator[str]:
    """Methods of library bases that a handler calls: `super().post(...)`, `self.get_object()`."""
    for call in own.calls:
        called = own.callee_name(call)
        if called == own.name or (called and own.value(call.func)[0] == "attr" and project.method(cls, called) is None):
            yield called


def allowed_methods(project: Project, cls: Cls) -> set[str]:
    """Methods that a Django view answers by its own list; empty: all of them."""
    for item in project.hierarchy.mro(cls):
        vid = item.facts.attributes.get("http_method_names", -1)
        if vid >= 0:
            return {name.upper() for name in strings(project, item.owner, vid)}
    return set()


def method_of(name: str, plain: bool = False) -> str:
    """`get`, `on_get`; in classes of a project's own base also `_process_GET` and `do_get`."""
    text = name.removeprefix("on_").upper()
    if plain and text.rpartition("_")[0].lstrip("_") in _PREFIXES:
        text = text.rpartition("_")[2]
    return text if text in METHODS else ""
