"""Whether anything before, in or below a handler asks for a permission, or whose the object is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Project, Route

from .callers import compares_caller, compares_identity, passes_caller
from .owners import checks_owner, compares_owner

CHECKS = re.compile(
    r"permi|owner|editable|deletable|viewable|authori[sz]|can_|may_|has_access|check_access|belongs|allowed|ensure_|require_|assert_can|for_user|of_user|visible_to",
    re.IGNORECASE,
)


def checked(project: Project, route: Route, *, certain: bool = False, owner: bool = False) -> bool:
    """An owner or permission check before, in or below the handler; `certain` leaves out what may be something else,
    `owner` permissions."""
    fn = route.handler
    assert fn is not None
    if (project.access.authorization(route) and not owner) or compares_caller(route, fn):
        return True
    if compares_identity(project, route, fn) or any(map(compares_owner, _around(project, fn))):
        return True
    steps = list(project.graph.below(fn, 3))
    if not owner and any(asks_permission(item, depth) for item, depth in steps):
        return True
    found = any(checks_owner(project, item, certain) for item, _ in steps)
    return found or passes_caller(project, route, fn, certain)


def _around(project: Project, fn: Fn) -> Iterator[Fn]:
    """What the handler's decorators wrap around it: `@is_owner`, whose wrapper compares the caller with the path."""
    for ref in fn.decorators:
        owner = project.functions.get(ref.name)
        for inner in project.functions_of(owner.file) if owner is not None else ():
            if owner in (inner.parent, inner.parent.parent if inner.parent is not None else None):
                yield inner


def asks_permission(fn: Fn, depth: int) -> bool:
    """By its name (`depth` 0 is the handler, whose name says nothing), or those of what it calls."""
    return bool(depth and CHECKS.search(fn.name)) or any(CHECKS.search(fn.callee_name(call)) for call in fn.facts.calls)
