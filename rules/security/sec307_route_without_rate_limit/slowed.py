"""What stands against machines that try, other than a limit that is seen."""

from __future__ import annotations

import re

from backendlint.api import Project, Route, forms_of

CAPTCHA = re.compile(r"captcha|turnstile", re.IGNORECASE)
"""Fields that a person has to fill in."""
SCOPE = "throttle_scope"
"""Counted by what is set for all views, wherever that is."""


def is_slowed(project: Project, route: Route) -> bool:
    """Whether its form asks for a captcha, or its view names the scope in which calls are counted."""
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    if any(SCOPE in owner.facts.attributes for owner in owners):
        return True
    parts = (part for form in forms_of(project, route) for part in project.hierarchy.mro(form))
    return any(CAPTCHA.search(name) for part in parts for name in part.facts.attributes)
