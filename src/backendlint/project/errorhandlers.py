"""Functions that turn exceptions into responses, and which exceptions they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.calls import arguments
from backendlint.project.entities import Fn, Ref

if TYPE_CHECKING:
    from backendlint.project.model import Project

Handlers = dict[str, tuple[Ref, ...]]


def error_handlers(project: Project) -> Handlers:
    """Fqn of each handler to the exception classes; an empty tuple where they are not known (status codes, all)."""
    found: Handlers = {}
    for fn in project.all_functions():
        home = fn.parent
        for vid in fn.facts.decorators if home is not None else ():
            assert home is not None
            value = home.facts.values[vid]
            if value[0] != "call":
                continue
            call = home.facts.calls[value[1]]
            for ref in project.callees(home, call):
                model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
                if model is not None and model.error_handler is not None:
                    exception = model.error_handler.exception
                    vids = arguments(call, exception) if exception is not None else []
                    found[fn.fqn] = tuple(item for vid in vids for item in project.refs(home, vid))
    for site in project.effects.sites:
        handler = site.model.error_handler
        if handler is None or handler.handler is None:
            continue
        types = arguments(site.call, handler.exception) if handler.exception is not None else []
        for vid in arguments(site.call, handler.handler):
            for ref in project.refs(site.fn, vid):
                if ref.kind == "func":
                    found[ref.name] = tuple(item for vid in types for item in project.refs(site.fn, vid))
    return found


def exception_parameter(fn: Fn) -> int:
    """Which parameter of an error handler is the exception: the last one that is passed by position."""
    positions = [i for i, param in enumerate(fn.facts.params) if param.kind in ("pos", "any") and param.default < 0]
    return positions[-1] if positions else -1
