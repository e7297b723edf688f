"""PERF103: a request that fetches as many rows as there are."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, doubtful, for_admins, for_tests, runs_by_hand, unbounded


def check(project: Project) -> Iterator[Hit]:
    """One hit a query that routes lead to."""
    for fn in project.reviewed():
        if not project.reach(fn.fqn) or runs_by_hand(project, fn) or for_tests(project, fn):
            continue
        for item in unbounded(project, fn):
            narrowed = "every matching row" if item.filtered else "every row"
            yield Hit(
                f"`{fn.name}()` fetches {narrowed} of `{item.entity}` while a client waits: memory and response time grow with the table; "
                "take a limit with an upper bound, and page.",
                fn.location(item.query.span),
                function=fn.fqn,
                profile="strict" if doubtful(item) or not _listed(project, fn) else None,
            )


def _listed(project: Project, fn: Fn) -> bool:
    """Whether a route that reads waits for this, outside of administration."""
    routes = project.endpoints.leading_to(fn.fqn)
    return fn in project.in_request and any(
        (not route.methods or "GET" in route.methods) and not for_admins(route) for route in routes
    )
