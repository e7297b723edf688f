"""What stands against machines that try, other than a limit that is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Cls, Project, Route

CAPTCHA = re.compile(r"captcha|turnstile", re.IGNORECASE)
"""Fields that a person has to fill in."""
SCOPE = "throttle_scope"
"""Counted by what is set for all views, wherever that is."""
FORMS = ("form_class", "serializer_class", "authentication_form")
ROLES = ("form", "serializer")


def is_slowed(project: Project, route: Route) -> bool:
    """Whether its form asks for a captcha, or its view names the scope in which calls are counted."""
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    if any(SCOPE in owner.facts.attributes for owner in owners):
        return True
    fields = (
        name for cls in forms(project, route) for part in project.hierarchy.mro(cls) for name in part.facts.attributes
    )
    return any(map(CAPTCHA.search, fields))


def forms(project: Project, route: Route) -> Iterator[Cls]:
    """The forms that the view names, or that the handler makes."""
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    for owner in owners:
        for name in FORMS:
            vid = owner.facts.attributes.get(name, -1)
            yield from (
                project.classes[ref.name] for ref in project.refs(owner.owner, vid) if ref.kind == "class" and vid >= 0
            )
    for call in route.handler.calls if route.handler is not None else ():
        for ref in project.callees(route.handler, call) if route.handler is not None else ():
            cls = project.classes.get(ref.name) if ref.kind == "class" else None
            if cls is not None and project.hierarchy.role(cls) in ROLES:
                yield cls
