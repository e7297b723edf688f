"""The API table: every endpoint with what stands before it, what it does, and how it can end."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.project.entities import Fn
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.loops.loops import LOOPS
from backendlint.project.routes import Route
from backendlint.project.web.answers import answers
from backendlint.review.model import Endpoint

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PAGE = re.compile(r"page\w*|per_?page|limit|offset|cursor|skip|take|after|before|pagination\w*|paging", re.IGNORECASE)
_QUERIES = frozenset({"db-read", "db-write", "db"})
_DATABASE = frozenset({"db-read", "db-write", "db", "db-connect", "commit", "rollback", "flush", "subprocess", "file"})
_CHANGING = frozenset({"POST", "PUT", "PATCH"})
MAX_FUNCTIONS = 400


def endpoints(project: Project) -> tuple[Endpoint, ...]:
    """One row a route, by path and method."""
    rows = [_row(project, route) for route in project.routes]
    return tuple(sorted(rows, key=lambda row: (row.path, row.method)))


def _row(project: Project, route: Route) -> Endpoint:
    reached = list(_reached(project, route))
    found = answers(project, route.handler) if route.handler is not None else []
    statuses = sorted(
        {item.status for item in found if item.status is not None and not item.failed}
        | ({route.status} if route.status else set())
    )
    errors = sorted({item.status for item in found if item.failed and item.status is not None})
    return Endpoint(
        method="|".join(route.methods) or "ANY",
        path=route.path,
        handler=route.handler.fqn if route.handler is not None else route.cls.fqn if route.cls is not None else "",
        place=route.place,
        auth=", ".join(project.access.authentication(route)[:2])
        or ("public" if project.access.exempt(route) else "none"),
        authorization=", ".join(project.access.authorization(route)[:2]) or "none",
        validation=_validation(project, route),
        rate_limit=", ".join(project.access.rate_limits(route)[:1]) or "none",
        pagination=_pagination(route, reached),
        codes=", ".join(str(status) for status in statuses) or "-",
        docs=_docs(route),
        transaction=_transaction(project, reached),
        wait=_wait(project, route),
        queries=_queries(project, reached),
        errors=", ".join(str(status) for status in errors) or "none",
    )


def _reached(project: Project, route: Route) -> Iterator[tuple[Fn, bool]]:
    """Functions that run while the client waits, and whether in a loop."""
    starts = [*([route.handler] if route.handler is not None else []), *route.dependencies]
    queue = deque((fn, False) for fn in starts)
    seen: set[str] = set()
    while queue and len(seen) < MAX_FUNCTIONS:
        fn, looped = queue.popleft()
        if fn.fqn in seen:
            continue
        seen.add(fn.fqn)
        yield fn, looped
        for edge in project.graph.callees(fn):
            if edge.kind in ("call", "inject", "property", "thread"):
                inside = edge.call is not None and fn.inside(edge.call.block, *LOOPS) is not None
                queue.append((edge.callee, looped or inside))


def _validation(project: Project, route: Route) -> str:
    bodies = [param for param in route.params if param.origin in ("body", "form")]
    if any(param.type == "model" for param in bodies):
        return "schema"
    if route.handler is not None:
        for call in route.handler.facts.calls:
            if any(model.schema in ("validate", "parse") for model in project.models(route.handler, call)):
                return "in the handler"
            if any(
                ref.kind == "class"
                and project.hierarchy.role(project.classes[ref.name]) in ("schema", "serializer", "form")
                for ref in project.callees(route.handler, call)
            ):
                return "in the handler"
    if route.cls is not None and any(
        "serializer_class" in cls.facts.attributes for cls in project.hierarchy.mro(route.cls)
    ):
        return "serializer"
    if not _CHANGING.intersection(route.methods) or (route.documented and not bodies):
        return "typed" if any(param.type for param in route.params) else "-"
    return "none"


def _pagination(route: Route, reached: list[tuple[Fn, bool]]) -> str:
    if "GET" not in route.methods or not route.is_collection:
        return "-"
    names = [param.name for fn, _ in reached[:1] for param in fn.facts.params]
    names += [param.name for fn in route.dependencies for param in fn.facts.params]
    names += [
        value[1]
        for fn, _ in reached[:1]
        for value in fn.facts.values
        if value[0] == "const" and isinstance(value[1], str) and len(value[1]) < 20
    ]
    return "yes" if any(_PAGE.fullmatch(name) for name in names) else "none"


def _docs(route: Route) -> str:
    if not route.documented:
        return "docstring" if route.description else "-"
    if not route.in_schema:
        return "hidden"
    model = route.response_model is not None or (
        route.handler is not None and route.handler.facts.returns_annotation >= 0
    )
    text = bool(route.summary or route.description)
    return "full" if model and text else "model only" if model else "text only" if text else "none"


def _transaction(project: Project, reached: list[tuple[Fn, bool]]) -> str:
    kinds = {site.model.transaction for fn, _ in reached for site in project.effects.direct(fn)}
    for fn, _ in reached:
        kinds.update(model.transaction for model in decorator_models(project, fn) if model.transaction)
    if kinds & {"atomic", "begin"}:
        return "explicit"
    return "commit" if "commit" in kinds else "-"


def _wait(project: Project, route: Route) -> str:
    """The longest wait along the call graph, in words."""
    found = project.waits.route(route)
    if any(not _DATABASE.issuperset(site.model.effect) for site in found.endless):
        return "unbounded"
    open_ended = "+" if found.open else ""
    return f"{round(found.seconds, 1):g} s{open_ended}" if found.seconds else "-"


def _queries(project: Project, reached: list[tuple[Fn, bool]]) -> str:
    count = looped = 0
    for fn, in_loop in reached:
        for site in project.effects.direct(fn):
            if _QUERIES.intersection(site.model.effect) and "commit" not in site.model.effect:
                count += 1
                looped += in_loop or fn.inside(site.call.block, *LOOPS) is not None
    return f"{count}, {looped} in a loop" if looped else str(count)
