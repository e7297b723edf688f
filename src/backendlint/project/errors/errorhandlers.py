"""Functions that turn exceptions into responses, and which exceptions they are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import ErrorHandler
from backendlint.project.values.tables import bound, entries

if TYPE_CHECKING:
    from backendlint.project.model import Project

_EXCEPTIONS = frozenset({"exc", "exception", "error", "err", "ex", "e"})
Handlers = dict[str, tuple[Ref, ...]]


class Registration(NamedTuple):
    """An exception (or status) that an error handler is registered for."""

    fn: Fn
    """In whose table `exception` lies."""
    exception: Vid
    """A class, a status, or what cannot be told; -1 where the registration names none."""
    handlers: tuple[str, ...]
    """Fqns of the functions that handle it."""
    types: tuple[Ref, ...] = ()
    """The exception classes, where they are known."""
    everything: bool = False
    """True where it is for every exception, whatever it names."""

    @property
    def unreadable(self) -> bool:
        """True where it is for exceptions that the code does not tell."""
        return self.exception >= 0 and not self.types and self.fn.const(self.exception) is None


def registrations(project: Project) -> list[Registration]:
    """All of them: decorators, calls (also in a loop over a table), and tables given to an application."""
    return [*_decorated(project), *_applied(project), *_called(project), *_tabled(project)]


def error_handlers(project: Project) -> Handlers:
    """Fqn of each handler to the exception classes; an empty tuple where they are not known (status codes, all)."""
    found: Handlers = {}
    for item in project.error_registrations:
        for name in item.handlers:
            found[name] = (*found.get(name, ()), *item.types)
    for fn in project.error_paths.mapped.answering_all():
        found.setdefault(fn.fqn, ())
    return found


def _decorated(project: Project) -> Iterator[Registration]:
    for fn in project.all_functions():
        home = fn.parent
        for vid in fn.facts.decorators if home is not None else ():
            assert home is not None
            value = home.facts.values[vid]
            call = home.facts.calls[value[1]] if value[0] == "call" else None
            for ref in project.refs(home, call.func if call is not None else vid):
                model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
                if model is not None and model.error_handler is not None:
                    yield from _registered(project, home, call, model.error_handler, (fn.fqn,))
                elif model is not None and model.handles is not None:
                    named = _registered(project, home, call, ErrorHandler(model.handles), (fn.fqn,))
                    yield from (item for item in named if _are_exceptions(project, item.types))


def _are_exceptions(project: Project, types: tuple[Ref, ...]) -> bool:
    return bool(types) and all(project.hierarchy.subclass_of(ref.name, "builtins.BaseException") for ref in types)


def _applied(project: Project) -> Iterator[Registration]:
    """`app.errorhandler(NotFound)(handler)`: the decorator called by hand."""
    for fn, call in project.graph.calls_written(""):
        value = fn.facts.values[call.func]
        inner = fn.facts.calls[value[1]] if value[0] == "call" else None
        for ref in project.refs(fn, inner.func) if inner is not None else ():
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and model.error_handler is not None:
                names = tuple(item.name for vid in call.args for item in project.refs(fn, vid) if item.kind == "func")
                yield from _registered(project, fn, inner, model.error_handler, names)


def _called(project: Project) -> Iterator[Registration]:
    for site in project.effects.sites:
        model = site.model.error_handler
        if model is None:
            continue
        given = arguments(site.call, model.handler) if model.handler is not None else []
        values = [item for vid in given for item in bound(project, site.fn, vid)]
        names = tuple(ref.name for fn, vid in values for ref in project.refs(fn, vid) if ref.kind == "func")
        yield from _registered(project, site.fn, site.call, model, names)


def _registered(
    project: Project, fn: Fn, call: Call | None, model: ErrorHandler, names: tuple[str, ...]
) -> Iterator[Registration]:
    vids = arguments(call, model.exception) if call is not None and model.exception is not None else []
    if not vids:
        yield Registration(fn, -1, names, everything=model.all)
    for vid in vids:
        for owner, item in list(bound(project, fn, vid)) or [(fn, vid)]:
            yield Registration(owner, item, names, project.refs(owner, item), everything=model.all)


def _tabled(project: Project) -> Iterator[Registration]:
    """`FastAPI(exception_handlers={NotFound: handler})`."""
    for app in project.applications:
        origin, model = app.origin, app.model
        if origin is None or model is None or model.error_handlers is None:
            continue
        value = origin.fn.facts.values[origin.vid]
        for vid in arguments(origin.fn.facts.calls[value[1]], model.error_handlers) if value[0] == "call" else ():
            table = list(entries(project, origin.fn, vid))
            if not table:
                yield Registration(origin.fn, vid, ())
            for entry in table:
                names = tuple(ref.name for ref in project.refs(entry.fn, entry.value) if ref.kind == "func")
                yield Registration(entry.fn, entry.key, names, project.refs(entry.fn, entry.key))


def exception_parameter(fn: Fn) -> int:
    """Which parameter of an error handler is the exception: the one that is called so, or the last that is passed by position."""
    positions = [i for i, param in enumerate(fn.facts.params) if param.kind in ("pos", "any") and param.default < 0]
    named = [i for i in positions if fn.facts.params[i].name in _EXCEPTIONS]
    return (named or positions or [-1])[-1]
