from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, Vid, served_applications, status_of

NAMED = re.compile(r"error|exception|handler", re.IGNORECASE)
"""Registrations are called so; looking at every model takes too long."""
BROAD = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    applications = served_applications(project)
    if not applications or covered(project):
        return
    supported = set(handling_libraries(project))
    for application in applications:
        if application.library in supported:
            yield Hit(
                f"`{application.name}` has no handler for errors that nobody expected: clients get the framework's plain answer, "
                "with nothing by which the failure could be found in the log. Register one for `Exception`.",
                application.location,
            )


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


def covered(project: Project) -> bool:
    return any(
        item.everything or item.unreadable or is_broad(project, item.fn, item.exception)
        for item in project.error_registrations
    ) or any(catches_all(project, fn) for fn in middlewares(project))


def is_broad(project: Project, fn: Fn, vid: Vid) -> bool:
    return vid >= 0 and (
        status_of(project, fn, vid) == 500
        or any(ref.name in BROAD or ref.name.endswith(".InternalServerError") for ref in project.refs(fn, vid))
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
