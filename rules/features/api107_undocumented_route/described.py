"""Views of Django REST framework whose answers only a decorator can describe: no serializer tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from backendlint.api import Cls, Fn, Hit, Location, Project, Route, Vid, answers, told_once

DESCRIBES = re.compile(r"schema|swagger|openapi", re.IGNORECASE)
"""In names of decorators that say what a view takes and answers, and of attributes that leave it out of the document."""
TOLD = frozenset({"serializer_class", "get_serializer_class", "get_serializer", "schema", "swagger_schema"})
"""By which a generator finds it out, or is told to leave the view out."""
PROBE = re.compile(
    r"/_*(lb|lb-)?(health[_-]?(z|y|checks?)?|live(ness|z)?|ready(z)?|readiness|ping|heartbeat)_*/?$", re.IGNORECASE
)
"""Paths that load balancers and orchestrators ask: nobody reads about them."""
VIEW = "rest_framework.views.APIView"
BEFORE = frozenset({"dispatch", "initial"})
"""Methods that run before the one that answers."""
FEWEST = 5
"""Described views that show that the project writes its document so; three of four must be."""


def undescribed(project: Project) -> Iterator[Hit]:
    """Those without one, where their siblings have it."""
    described: set[Location] = set()
    bare: dict[Location, Route] = {}
    for route in project.routes:
        fn = route.handler
        if route.kind != "http" or fn is None or not is_view(project, route) or not is_data(project, fn):
            continue
        classes = project.hierarchy.mro(route.cls) if route.cls is not None else ()
        homes = [(fn.parent or fn, fn.facts.decorators), *((cls.owner, cls.facts.decorators) for cls in classes)]
        if any(describes(home, decorators) for home, decorators in homes):
            described.add(fn.header)
        elif "/api/" in f"{route.path}/" and not PROBE.search(route.path) and not any(map(has_serializer, classes)):
            bare.setdefault(fn.header, route)
    if len(described) < max(FEWEST, 3 * len(bare)):
        return
    hits = (
        Hit(
            f"{route.label} says nothing of its answer, while {len(described)} handlers of the project describe theirs: the "
            "generated API documentation cannot say what it answers.",
            header,
            help="Decorate it as its siblings are, with what it takes and answers.",
            function=route.function,
        )
        for header, route in bare.items()
    )
    yield from told_once(hits, partial(elsewhere, len(described)), 2)


def elsewhere(number: int, hit: Hit, others: str) -> str:
    return hit.message.replace(f", while {number} handlers", f", nor do others in {others}, while {number} handlers", 1)


def is_view(project: Project, route: Route) -> bool:
    if route.handler is not None and route.handler.name in BEFORE:
        return False  # what answers is a library's
    if route.cls is not None:
        return project.hierarchy.is_a(route.cls, VIEW)
    return any(model.route is not None and model.library == "drf" for model in route.decorators)


def describes(home: Fn, decorators: Sequence[Vid]) -> bool:
    """`@extend_schema(...)` above a function, `@extend_schema_view(...)` above a class."""
    return any(DESCRIBES.search(decorator_name(home, vid)) for vid in decorators)


def decorator_name(home: Fn, vid: Vid) -> str:
    value = home.value(vid)
    return home.callee_name(home.calls[value[1]]) if value[0] == "call" else home.dotted(vid)


def has_serializer(cls: Cls) -> bool:
    return not TOLD.isdisjoint((*cls.facts.attributes, *cls.methods))


def is_data(project: Project, fn: Fn) -> bool:
    """Whether it answers with a body that is data, as far as is seen."""
    return any(
        not answer.failed
        and not answer.special
        and answer.shape != "none"
        and answer.status != 204
        and answer.content in ("", "application/json")
        for answer in answers(project, fn)
    )
