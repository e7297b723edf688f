from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, Vid, arguments, served_applications, status_of

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
                f"`{application.name}` has no handler for errors that nobody expected: clients get the framework's plain answer and "
                "the log lacks the request. Register one for `Exception`.",
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
    return (
        any(broad_registration(project, fn) for fn in project.all_functions())
        or any(broad_table(project, site.fn, vid) for site in project.effects.sites if site.model.app and site.model.app.error_handlers
               for vid in arguments(site.call, site.model.app.error_handlers))
        or any(catches_all(project, fn) for fn in middlewares(project))
    )  # fmt: skip


def broad_registration(project: Project, fn: Fn) -> bool:
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        value = home.facts.values[vid]
        call = home.facts.calls[value[1]] if value[0] == "call" else None
        for ref in project.refs(home, call.func if call else vid):
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is None or model.error_handler is None:
                continue
            handler = model.error_handler
            if handler.all or (
                call is not None
                and handler.exception
                and any(is_broad(project, home, item) for item in arguments(call, handler.exception))
            ):
                return True
    for site in project.effects.direct(fn):
        registered = site.model.error_handler
        if registered is None:
            continue
        if registered.all or (
            registered.exception
            and any(is_broad(project, fn, item) for item in arguments(site.call, registered.exception))
        ):
            return True
    return False


def is_broad(project: Project, fn: Fn, vid: Vid) -> bool:
    return status_of(project, fn, vid) == 500 or any(
        ref.name in BROAD or ref.name.endswith(".InternalServerError") for ref in project.refs(fn, vid)
    )


def broad_table(project: Project, fn: Fn, vid: Vid) -> bool:
    """`exception_handlers={Exception: handler}`."""
    value = fn.facts.values[vid]
    if value[0] == "name":
        target = project.modules.resolve(value[1], fn.file.module)
        if target.kind == "variable" and target.file is not None and target.vid >= 0 and not target.rest:
            return broad_table(project, project.module_function(target.file), target.vid)
    return value[0] != "dict" or any(key < 0 or is_broad(project, fn, key) for key, _ in value[1])


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
