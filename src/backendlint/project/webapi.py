"""Whether a route is part of an API, or a page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.answers import Answer, answers

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route


def is_api(project: Project, route: Route) -> bool:
    """Not a page for people: those render templates or files, and handle forms (GET shows it, POST takes it)."""
    if {"GET", "POST"} <= set(route.methods) or not route.in_schema:
        return False
    if route.handler is None and not route.documented:
        return route.cls is not None and (route.framework != "django" or "/api/" in f"{route.path}/")
    if route.handler is None or route.documented or "/api/" in f"{route.path}/":
        return True
    found = answers(project, route.handler)
    if not found or any(answer.special for answer in found):
        return False
    declared = route.framework == "django" and any(model.route is not None for model in route.decorators)
    return declared or any(_is_data(answer) for answer in found if not answer.failed)


def _is_data(answer: Answer) -> bool:
    return bool(answer.keys) or answer.shape in ("dict", "list") or answer.content == "application/json"
