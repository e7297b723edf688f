"""Whether a route is part of an API, or a page for people."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from backendlint.project.taint.naming import identifier_words
from backendlint.project.web.answers import Answer, answers

if TYPE_CHECKING:
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

_SIGNATURE = re.compile(r"[\w-]*[_-]signature", re.IGNORECASE)
_VERIFIES = re.compile(r"^_?(verify|validate|is_valid|has_valid)_(\w+_)?signature(_|$)", re.IGNORECASE)
_RUN_IT = frozenset({"admin", "admins", "administrator", "superuser", "moderator"})
_REFUSES = frozenset(
    {"required", "require", "requires", "only", "is", "user", "current", "permission", "ensure", "verify"}
)
_ALSO = frozenset(
    {"or", "owner", "self", "auth", "token", "org", "organization", "organisation", "team", "tenant", "workspace"}
)
"""Words of guards that let those pass who run the service; that refuse others; that let others pass too."""
_ADMIN = re.compile(r"(^|[/_-])(admin|back[_-]?office)", re.IGNORECASE)


def is_api(project: Project, route: Route) -> bool:
    """Not a page for people: those render templates or files, and handle forms (GET shows it, POST takes it)."""
    if {"GET", "POST"} <= set(route.methods) or not route.in_schema or _renders_pages(project, route):
        return False
    if route.handler is None and not route.documented:
        return route.cls is not None and (route.framework != "django" or "/api/" in f"{route.path}/")
    if route.handler is None or "/api/" in f"{route.path}/":
        return True
    found = answers(project, route.handler)
    if route.documented:
        return not _leads_people(route, found)
    if not found or any(answer.special for answer in found):
        return False
    declared = route.framework == "django" and any(model.route is not None for model in route.decorators)
    return declared or any(_is_data(answer) for answer in found if not answer.failed)


def rendered_as(project: Project, route: Route) -> list[str]:
    """What each of the renderers makes that a view names (`renderer_classes = [TemplateHTMLRenderer]`), also one of the project's own
    by what it is made of: `template`, `page`, or "" for data."""
    stated = project.hierarchy.attribute(route.cls, "renderer_classes") if route.cls is not None else None
    if stated is None:
        return []
    home, vid = stated
    value = home.unguarded(vid)
    listed = value[1] if value[0] in ("list", "tuple") else ()
    return [_renders(project, ref.name) for item in listed for ref in project.refs(home, item)]


def _renders(project: Project, name: str) -> str:
    cls = project.classes.get(name)
    bases = project.hierarchy.library_bases(cls) if cls is not None else (name,)
    models = (project.libraries.cls(base) for base in bases)
    return next((model.renders for model in models if model is not None and model.renders), "")


def _renders_pages(project: Project, route: Route) -> bool:
    """Whether a library for APIs shows nothing but pages with the view, or a plain view names the template that it shows."""
    made = rendered_as(project, route)
    if route.cls is not None and route.framework == "django" and is_plain(project, route):
        return project.hierarchy.attribute(route.cls, "template_name") is not None
    return bool(made) and all(made)


def for_admins(route: Route) -> bool:
    """A path for those who run the service, or one that a guard leaves to them (`@superuser_required`, `IsAdminUser`)."""
    return bool(_ADMIN.search(route.path)) or any(_lets_admins(ref.name) for ref in route.guards)


@lru_cache(maxsize=1024)
def _lets_admins(guard: str) -> bool:
    """By its name; one that lets others pass too (`IsOwnerOrAdmin`), or that asks another service's key, is none."""
    words = {word.lower() for word in identifier_words(guard.rpartition(".")[2])}
    return bool(words & _RUN_IT) and bool(words & _REFUSES) and not words & _ALSO


def is_signed(fn: Fn) -> bool:
    """Whether it takes a notification by another system, which signs it and only looks whether it was taken."""
    texts = (fn.facts.values[vid][1] for vid in fn.made_by("const"))
    signed = any(isinstance(text, str) and _SIGNATURE.fullmatch(text) for text in texts)
    return signed or any(_VERIFIES.search(fn.callee_name(call)) for call in fn.calls)


def among_pages(project: Project, route: Route, *, of_site: bool = False) -> bool:
    """A plain view that gives data to the site's own pages: most of what is beside it in its file are pages, or, `of_site`,
    most of the project's views of Django."""
    handler = route.handler
    if handler is not None and _renders_pages(project, route):
        return True
    if route.documented or handler is None or not is_plain(project, route) or "/api/" in f"{route.path}/":
        return False
    known = project.endpoints.pages
    if handler.path not in known:
        beside = [other for other in project.routes if other.handler is not None and other.handler.path == handler.path]
        known[handler.path] = _mostly_pages(project, beside)
    return known[handler.path] or (of_site and route.framework == "django" and _is_site(project))


def _is_site(project: Project) -> bool:
    known = project.endpoints.pages
    if "" not in known:
        own = [item for item in project.routes if item.framework == "django" and item.handler and not item.documented]
        known[""] = _mostly_pages(project, [item for item in own if is_plain(project, item)])
    return known[""]


def _mostly_pages(project: Project, routes: list[Route]) -> bool:
    return sum(not is_api(project, route) for route in routes) > len(routes) / 2


def is_plain(project: Project, route: Route) -> bool:
    """A view of the framework's own: none of a library that is made for APIs."""
    if any(model.route is not None and model.library != route.framework for model in route.decorators):
        return False
    bases = project.hierarchy.library_bases(route.cls) if route.cls is not None else ()
    models = (project.libraries.cls(base) for base in bases if not base.startswith("builtins."))
    return all(model is None or model.library == route.framework for model in models)


def _leads_people(route: Route, found: list[Answer]) -> bool:
    """Whether all that a handler answers are pages, or redirects to such after a form was sent."""
    shown = {answer.special for answer in found if not answer.failed}
    return "template" in shown <= {"template", "redirect"} or (shown == {"redirect"} and "GET" not in route.methods)


def _is_data(answer: Answer) -> bool:
    return bool(answer.keys) or answer.shape in ("dict", "list") or answer.content == "application/json"
