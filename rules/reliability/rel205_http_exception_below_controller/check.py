"""REL205: the layers below the controller speak HTTP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

from backendlint.api import (
    FEW,
    Fn,
    Hit,
    Profile,
    Project,
    Span,
    answers,
    by_style,
    identifier_words,
    told_once,
)

BELOW = frozenset({"service", "repository", "model"})


HARM = ": a job, a command or another protocol cannot use it"


def check(project: Project) -> Iterator[Hit]:
    """Raised HTTP exceptions, and calls that raise one (`abort`), in services, repositories and models."""
    styles = by_style(project, list(project.all_functions()), partial(_hits_in, project, _decorated(project)))
    yield from styles.pop("", ())
    for hits in styles.values():
        if len(hits) > FEW:
            yield from told_once(hits, _throughout)
        else:
            yield from told_once(hits, _throughout, severity=None, each=_owner)


def _owner(hit: Hit) -> str:
    """The class of a method, the module of a function: they are mended together."""
    return (hit.function or "").rpartition(".")[0]


def _throughout(hit: Hit, others: str) -> str:
    return hit.message.replace(HARM, f", as happens in {others}{HARM}", 1)


def _hits_in(project: Project, decorated: dict[str, list[Fn]], functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for advice."""
    for fn in functions:
        layer = project.layer(fn)
        raised = list(_raised(project, fn)) if layer in BELOW and not fn.is_module else []
        if (
            not raised
            or _above(project, fn)
            or _shows(project, fn)
            or _injected(project, fn)
            or _wraps_handlers(project, fn, decorated)
        ):
            continue
        for span, name, profile in raised:
            hit = Hit(
                f"`{fn.name}()` belongs to the {layer} layer and raises `{name}`{HARM}, "
                "and HTTP statuses are decided in two places; raise a domain exception instead.",
                fn.location(span),
                function=fn.fqn,
                profile=profile,
            )
            yield hit, "" if profile else "http"


def _above(project: Project, fn: Fn) -> bool:
    """What only the class's name puts below, and its place among the controllers."""
    return project.layers.certain(fn.path) == "controller"


def _shows(project: Project, fn: Fn) -> bool:
    """Who sends clients elsewhere or renders pages is a part of the views, wherever its file lies; so is who says it by name."""
    pages = any(item.special in ("redirect", "template") and not item.raised for item in answers(project, fn))
    return pages or "404" in identifier_words(fn.name)


def _raised(project: Project, fn: Fn) -> Iterator[tuple[Span, str, Profile | None]]:
    for statement in fn.facts.raises:
        for name in project.exceptions.raised(fn, statement):
            if project.exception_kind(name) != "http":
                continue
            own = name in project.classes
            core = ".core." in name
            yield statement.span, name.rpartition(".")[2], "strict" if own or core else None
    for _, call, model in project.effects.direct(fn):
        if model.exits and model.response is not None:
            yield call.span, model.name, None


def _injected(project: Project, fn: Fn) -> bool:
    """Dependencies that the framework calls, and what belongs to a request by its class or parameters."""
    if any(edge.kind == "inject" for edge in project.graph.callers(fn)) or fn.fqn in project.route_functions:
        return True
    return any(fn in (*route.dependencies, *route.hooks) for route in project.endpoints.leading_to(fn.fqn))


def _decorated(project: Project) -> dict[str, list[Fn]]:
    """What stands below each of the project's own decorators."""
    found: dict[str, list[Fn]] = defaultdict(list)
    for fn in project.all_functions():
        for ref in fn.decorators:
            if ref.kind == "func":
                found[ref.name].append(fn)
    return found


def _wraps_handlers(project: Project, fn: Fn, decorated: dict[str, list[Fn]]) -> bool:
    """The inside of a decorator that stands on handlers: there exceptions become statuses, wherever its file lies."""
    wrapped: set[Fn] = set()
    parent = fn.parent
    while parent is not None and not parent.is_module:
        wrapped.update(decorated.get(parent.fqn, ()))
        parent = parent.parent
    below = sum(project.layer(other) in BELOW for other in wrapped)
    return sum(project.layer(other) == "controller" for other in wrapped) > 2 * below
