"""The forms of a route, and limits of attempts below its handler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

_FORMS = frozenset({"form_class", "serializer_class", "authentication_form"})
_CALLED_BACK = frozenset({"form_invalid", "form_valid", "dispatch", "post", "initial", "setup"})
"""Methods of views through which the framework goes."""
_ATTEMPTS = re.compile(
    r"rate_?limit|throttl|limiter|token_?bucket|lock_?out|is_locked|(failed|login|max|password)_?\w*(attempt|failure|tries)|(log|sign)_?ins?_?limit|too_?many",
    re.IGNORECASE,
)
_NAMED = ("name", "attr", "const")
DEPTH = 3
"""Calls and forms through which a limit is looked for."""


def _named_forms(project: Project, route: Route) -> Iterator[Cls]:
    """The form or serializer that a view class or its registration names, which the framework makes and asks."""
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    named = [
        (cls.owner, cls.facts.attributes[name]) for cls in owners for name in _FORMS.intersection(cls.facts.attributes)
    ]
    for home, vid in (*named, *_registered_with(route)):
        yield from (project.classes[ref.name] for ref in project.refs(home, vid) if ref.kind == "class")


def _of_its_form(project: Project, route: Route) -> Iterator[Fn]:
    """Methods of the form that is named, and of the view that the framework calls back (`form_invalid`)."""
    for form in _named_forms(project, route):
        for part in project.hierarchy.mro(form):
            yield from part.methods.values()
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    yield from (method for cls in owners for name, method in cls.methods.items() if name in _CALLED_BACK)


def _registered_with(route: Route) -> Iterator[tuple[Fn, Vid]]:
    """`path("login/", LoginView.as_view(authentication_form=LockingForm))`."""
    fn, call = route.entry.fn, route.entry.call
    for vid in call.passed if call is not None else ():
        value = fn.unguarded(vid)
        made = fn.calls[value[1]] if value[0] == "call" else None
        while made is not None and fn.callee_name(made) != "as_view" and made.args:  # `csrf_exempt(View.as_view())`
            inner = fn.unguarded(made.args[0])
            made = fn.calls[inner[1]] if inner[0] == "call" else None
        if made is not None:
            yield from ((fn, item) for key, item in made.kwargs if key in _FORMS)


def _forms_made(project: Project, fn: Fn) -> Iterator[Cls]:
    """Forms and schemas that a function makes."""
    for call in fn.facts.calls:
        for ref in project.callees(fn, call):
            cls = project.classes.get(ref.name) if ref.kind == "class" else None
            if cls is not None and project.hierarchy.role(cls) in ("form", "serializer", "schema"):
                yield cls


def forms_of(project: Project, route: Route) -> Iterator[Cls]:
    """The forms, serializers and schemas that the view or its registration names, or that the handler makes."""
    yield from _named_forms(project, route)
    if route.handler is not None:
        yield from _forms_made(project, route.handler)


def limited_inside(project: Project, route: Route) -> bool:
    """Whether attempts are limited below the handler: in a helper, a form or a service."""
    todo = [(fn, 0) for fn in (route.handler, *_of_its_form(project, route)) if fn is not None]
    seen: set[str] = set()
    while todo:
        fn, depth = todo.pop()
        if fn.fqn in seen:
            continue
        seen.add(fn.fqn)
        if _counts_attempts(project, fn):
            return True
        if depth < DEPTH:
            todo.extend((edge.callee, depth + 1) for edge in project.graph.callees(fn) if edge.kind == "call")
            made = _forms_made(project, fn)
            todo.extend((method, depth + 1) for cls in made for method in cls.methods.values())
    return False


def _counts_attempts(project: Project, fn: Fn) -> bool:
    """By the names that it uses, or by its answer: 429 Too Many Requests."""
    values = fn.facts.values
    named = [(vid, str(v[-1] if v[0] == "attr" else v[1])) for vid, v in enumerate(values) if v[0] in _NAMED]
    if ("const", 429) in values or any(map(_ATTEMPTS.search, (fn.name, *(item.name for item in fn.facts.bindings)))):
        return True
    return any(_ATTEMPTS.search(name) and not _is_record(project, fn, vid) for vid, name in named)


def _is_record(project: Project, fn: Fn, vid: Vid) -> bool:
    """A class that only holds what somebody has sent (`LoginAttempt(username, password)`): nothing is counted in it."""
    refs = project.refs(fn, vid) if fn.value(vid)[0] != "const" else ()
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "class" and ref.name in project.classes]
    return bool(classes) and all(
        project.hierarchy.role(cls) == "schema" or not (cls.methods or project.hierarchy.library_bases(cls))
        for cls in classes
    )
