"""Routes that ask for a role alone, where others for the same role ask for the owner too."""

from __future__ import annotations

import re

from backendlint.api import SAFE, Fn, Project, Route, for_admins

from .evidence import asks_permission, checked
from .siblings import related_to

ROLES = re.compile(r"role|group|permission|scope", re.IGNORECASE)
"""Words of decorators that ask what kind of user calls."""
MANAGES = re.compile(r"admin|staff|super|manage|moderat|operator|support|root|delete|edit", re.IGNORECASE)
"""Roles of those who look after what belongs to others, and permissions that are given to such."""


def by_role_alone(project: Project, route: Route, owned: list[Route]) -> bool:
    """Whether it changes what it fetches for everybody who has a role, where a sibling for the same role asks for the owner too."""
    if SAFE.issuperset(route.methods) or route.handler is None or for_admins(route):
        return False
    role = roles(route.handler)
    if not role or checked(project, route, owner=True) or any(MANAGES.search(item) for item in role):
        return False
    if any(asks_permission(fn, depth) for fn, depth in project.graph.below(route.handler, 3)):
        return False
    alike = [item for item in owned if not SAFE.issuperset(item.methods) and related_to(item, route)]
    return any(item.handler is not None and roles(item.handler) == role for item in alike)


def roles(fn: Fn) -> frozenset[str]:
    """The texts that decorators are given: `@role_required("seller")`."""
    outer = fn.parent
    if outer is None:
        return frozenset()
    made = map(outer.unguarded, fn.facts.decorators)
    calls = [outer.calls[value[1]] for value in made if value[0] == "call"]
    texts = (outer.const(vid) for call in calls if ROLES.search(outer.callee_name(call)) for vid in call.args)
    return frozenset(text for text in texts if isinstance(text, str))
