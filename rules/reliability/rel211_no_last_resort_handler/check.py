from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from backendlint.api import (
    Fn,
    Hit,
    Profile,
    Project,
    Vid,
    concerned,
    here_and_in,
    served_applications,
    status_of,
    told_once,
)

HAS_NONE = "has no handler for errors that nobody expected"

NAMED = re.compile(r"error|exception|handler", re.IGNORECASE)
"""Registrations are called so; looking at every model takes too long."""
HANDLERS = ("error_handler", "error_handlers", "exception_handler", "exception_handlers")
BROAD = ("builtins.Exception", "builtins.BaseException")
WRAPS = ("werkzeug.exceptions.InternalServerError", "werkzeug.exceptions.HTTPException")
"""What Flask and Quart make of an error that nobody expected, and its base: their handlers get it."""


def check(project: Project) -> Iterator[Hit]:
    hits = list(without_handler(project))
    yield from told_once(hits, partial(here_and_in, after=HAS_NONE), severity=None, each=lambda _: HAS_NONE)


def without_handler(project: Project) -> Iterator[Hit]:
    applications = served_applications(project)
    covered = (
        [item for fn in catching(project) for item in concerned(project, fn, applications)] if applications else []
    )
    supported = set(handling_libraries(project)) if len(covered) < len(applications) else set()
    profile: Profile | None = "strict" if supported and collects_errors(project) else None
    for application in applications:
        if application.library in supported and application not in covered:
            yield Hit(
                f"`{application.name}` {HAS_NONE}: clients get the framework's plain answer, with nothing that leads to the failure "
                "in the log. Register one for `Exception`.",
                application.location,
                profile=profile,
            )


def collects_errors(project: Project) -> bool:
    """Whether errors that nobody expected are sent to who collects them (`sentry_sdk.init()`), by the framework's own hooks."""
    return any(site.model.observability == "errors" for site in project.effects.sites)


def handling_libraries(project: Project) -> Iterator[str]:
    """Libraries in which handlers of errors can be registered."""
    libraries = project.libraries
    for name in libraries.names("decorators"):
        model = libraries.decorator(name) if NAMED.search(name) else None
        if model is not None and model.error_handler is not None:
            yield model.library
    for name in libraries.names("calls"):
        call = libraries.call(name) if NAMED.search(name) else None
        if call is not None and call.error_handler is not None:
            yield call.library


def catching(project: Project) -> Iterator[Fn]:
    """Functions that register a handler of everything, and middleware that catches everything."""
    for item in project.error_registrations:
        if item.everything or item.unreadable or is_broad(project, item.fn, item.exception):
            yield item.fn
    yield from (fn for fn in middlewares(project) if catches_all(project, fn))
    yield from handing_on(project)


def handing_on(project: Project) -> set[Fn]:
    """`shop_utils.init_app(app, error_handlers=handlers)`: a library that is not known registers them."""
    return {
        fn
        for keyword in HANDLERS
        for fn, call in project.graph.calls_with(keyword)
        if not project.models(fn, call) and not project.targets(fn, call)
    }


def is_broad(project: Project, fn: Fn, vid: Vid) -> bool:
    return vid >= 0 and (
        status_of(project, fn, vid) == 500
        or any(
            ref.name in (*BROAD, *WRAPS) or ref.name.endswith(".InternalServerError") for ref in project.refs(fn, vid)
        )
    )


def middlewares(project: Project) -> Iterator[Fn]:
    for fn in project.all_functions():
        if project.layer(fn) == "middleware":
            yield fn


def catches_all(project: Project, fn: Fn) -> bool:
    """A middleware with `except Exception` around the rest of the application."""
    return any(
        block.kind == "except" and set(BROAD).intersection(project.exceptions.caught_types(fn, block))
        for block in fn.facts.blocks
    )
