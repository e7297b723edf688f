"""REL204: an exception leaves a handler, and the client gets a bare 500."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    SLIPS,
    BadInput,
    Call,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    Span,
    Step,
    Unmapped,
    bad_inputs,
    comment_above,
    here_and_in,
    told_once,
)

SHOWN = 10
"""Of those others, as related places."""
MANY = 5
"""Handlers that one `raise` leaves, each told by itself; of more, the first is told and the others are named with it."""
UNTURNED = ": nobody turns it"
FAR = 4
"""So many functions below the handler the request still decides: further down, it may be anything."""
SERVERS_OWN = re.compile(r"\((?:HTTP )?500\)|\bHTTP 500\b|\b(?:a|as) 500\b|\binternal server error\b", re.IGNORECASE)
"""Words of a docstring that say which status is meant."""
FAILURES = ("infrastructure", "integrity")
SERVICES = frozenset({"http", "grpc"})
ALL = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    """Domain exceptions, rows that are not there, failures of other services."""
    found = list(project.error_paths.unmapped())
    caught = Counter(name for fqn in project.route_functions for name in _caught(project, project.functions[fqn]))
    open_ones = Counter(item.name for item in found)
    treated = {name: _treated(project, name) for name in {item.name for item in found if item.kind == "builtin"}}
    told: dict[tuple[str, Profile | None, Location], list[Unmapped]] = {}
    judged = [
        (item, _profile(project, item, caught, open_ones[item.name], treated.get(item.name, set()))) for item in found
    ]
    for item, profile in _worst(judged):
        told.setdefault((item.name, profile, _raised_at(project, item)), []).append(item)
    sizes: Counter[tuple[str, Location]] = Counter()
    for (name, _, place), group in told.items():
        sizes[name, place] += len(group)
    lookups: list[Hit] = []
    for (name, profile, place), group in told.items():
        for item, *others in [group] if sizes[name, place] > MANY else _by_class(project, group):
            hit = _hit(project, item, profile, others)
            if _considered(project, item):
                hit = replace(hit, profile="strict")
            elif _is_forgotten(project, item, caught, open_ones[item.name]):
                known = f", which {caught[item.name]} other handlers catch{UNTURNED}"
                hit = replace(hit, message=hit.message.replace(UNTURNED, known, 1))
            if item.kind == "not-found" and hit.profile is None:
                lookups.append(hit)
            else:
                yield hit
    yield from told_once(lookups, partial(here_and_in, before=UNTURNED), SLIPS, severity=None)
    for item in project.error_paths.of_decorators():
        yield _of_decorator(project, item)
    yield from _of_bad_input(project)


def _by_class(project: Project, group: list[Unmapped]) -> Iterator[list[Unmapped]]:
    """Handlers of one class together: they are mended together."""
    found: dict[tuple[str, bool], list[Unmapped]] = {}
    for item in group:
        owner = item.fn.cls or item.fn
        found.setdefault((owner.fqn, _considered(project, item)), []).append(item)
    yield from found.values()


def _worst(judged: list[tuple[Unmapped, Profile | None]]) -> Iterator[tuple[Unmapped, Profile | None]]:
    """Of each kind and place one: the first by default, else the first at all."""
    found: dict[tuple[str, Span, str], tuple[Unmapped, Profile | None]] = {}
    for item, profile in judged:
        key = (item.fn.fqn, item.escape.span, item.kind)
        if profile != "audit" and (key not in found or (found[key][1] is not None and profile is None)):
            found[key] = (item, profile)
    yield from found.values()


def _of_decorator(project: Project, item: Unmapped) -> Hit:
    """What a decorator raises before it calls the handler."""
    steps = project.exceptions.witness(item.fn, item.name)
    short = item.name.rpartition(".")[2]
    handler = item.handler or item.fn
    decorator = item.fn.facts.qualname.partition(".")[0]
    route = next((route.label for route in project.route_functions[handler.fqn]), handler.name)
    return Hit(
        f"`{short}` can leave the decorator `{decorator}()` around `{handler.name}()` of {route} and whatever else it stands on: "
        "nobody turns it into a response, so the client gets a 500; catch it there.",
        item.fn.location(item.escape.span),
        related=(*steps[-1:], Step(handler.header, "it stands on this handler, for one")),
        flow=steps if len(steps) > 1 else (),
        function=item.fn.fqn,
        profile=None if project.error_paths.provoked(item.fn, item.name) else "strict",
    )


def _of_bad_input(project: Project) -> Iterator[Hit]:
    """`int(request.args["page"])`, `request.FILES["photo"]` in a handler: one hit of each sort a handler."""
    for fqn, routes in project.route_functions.items():
        fn = project.functions[fqn]
        route = next((route for route in routes if route.kind == "http"), None)
        if route is None:
            continue
        told: dict[bool, list[BadInput]] = {}
        for item in bad_inputs(project, fn):
            if not project.error_paths.mapped.covers(fn, "builtins.ValueError" if item.call else item.error):
                told.setdefault(item.call is None, []).append(item)
        for first, *others in told.values():
            yield Hit(
                _of_conversion(fn, first.call, first.error, route.label) if first.call else _of_upload(fn, route.label),
                fn.location(first.span),
                related=tuple(fn.step(item.span, "and here") for item in others[: SHOWN - 1]),
                function=fqn,
                severity="warning",
            )


def _of_conversion(fn: Fn, call: Call, error: str, label: str) -> str:
    return (
        f"`{fn.callee_name(call)}()` in the handler `{fn.name}()` of {label} takes what the client sent: any other text "
        f"raises {error.rpartition('.')[2]}, and the client gets a 500 for its own mistake; catch it and answer 400, or let the "
        "framework convert it."
    )


def _of_upload(fn: Fn, label: str) -> str:
    return (
        f"The handler `{fn.name}()` of {label} takes a file of the request without asking whether it is there: where none was chosen "
        "that raises KeyError, and the client gets a 500 for its own mistake; use `.get()` and answer 400, or a form."
    )


def _raised_at(project: Project, item: Unmapped) -> Location:
    steps = project.exceptions.witness(item.fn, item.name)
    return steps[-1].location if steps else item.fn.location(item.escape.span)


def _caught(project: Project, fn: Fn) -> set[str]:
    """Classes that a handler names in its `except` blocks."""
    return {
        name
        for block in fn.facts.blocks
        if block.kind == "except"
        for name in project.exceptions.caught_types(fn, block)
        if name not in ALL
    }


def _profile(
    project: Project, item: Unmapped, caught: Counter[str], open_ones: int, treated: set[Location]
) -> Profile | None:
    """Domain exceptions that hang on what the request says, or tell of an outage and are caught in most handlers;
    failures of libraries where most handlers treat them, or of a service that the handler asks itself; rows that the request asked
    for; built-in exceptions where a handler expects them. `audit`: none."""
    if item.kind == "domain":
        near = len(project.exceptions.witness(item.fn, item.name)) <= FAR
        provoked = near and project.error_paths.provoked(item.fn, item.name)
        return None if provoked or _is_forgotten(project, item, caught, open_ones) else "strict"
    if item.kind == "not-found":
        return None if project.error_paths.asked_for(item.fn, item.name) else "audit"
    if item.kind == "infrastructure":
        handled = sum(
            count
            for name, count in caught.items()
            if project.hierarchy.subclass_of(item.name, name) and project.exception_kind(name) in FAILURES
        )
        usual = handled > open_ones and project.exception_kind(item.name) != "integrity" and not _endless(item)
        told = item.escape.edge is None and (usual or _asks_by_itself(project, item))
        return None if told else "strict" if handled else "audit"
    raised = project.exceptions.witness(item.fn, item.name)
    if not raised or not raised[-1].message.startswith("raises "):
        return "audit"
    meant = raised[-1].location in treated and project.error_paths.provoked(item.fn, item.name)
    return None if meant else "strict"


def _asks_by_itself(project: Project, item: Unmapped) -> bool:
    """Whether a handler asks another service on its own, where the project turns such failures into exceptions of its own elsewhere."""
    site = item.escape.site
    return (
        site is not None
        and not SERVICES.isdisjoint(site.model.effect)
        and project.error_paths.wrapped_elsewhere(item.name)
    )


def _is_forgotten(project: Project, item: Unmapped, caught: Counter[str], open_ones: int) -> bool:
    """An outage by the project's own name for it, which most handlers catch, where nobody answers outages for all."""
    usual = item.kind == "domain" and caught[item.name] > open_ones
    paths = project.error_paths
    return usual and paths.of_failure(item.fn, item.name) and not paths.mapped.answers_500(item.fn)


def _considered(project: Project, item: Unmapped) -> bool:
    """Whether the comment above the call names the exception: `# LimitExceeded cannot come, the number was checked`; or its
    class says that it is a failure of the server's own."""
    cls = project.classes.get(item.name)
    if cls is not None and SERVERS_OWN.search(cls.facts.docstring):
        return True
    name = re.compile(rf"\b{re.escape(item.name.rpartition('.')[2])}\b")
    return any(map(name.search, comment_above(project, item.fn.path, item.escape.span.line)))


def _endless(item: Unmapped) -> bool:
    """`future.result()` without a limit of time never raises TimeoutError."""
    site = item.escape.site
    return item.name.endswith("TimeoutError") and site is not None and not site.call.passed


def _treated(project: Project, name: str) -> set[Location]:
    """Raises of a built-in exception that some handler catches by its name: there it is meant for handlers."""
    found: set[Location] = set()
    for fqn in project.route_functions:
        fn = project.functions[fqn]
        for edge in project.graph.callees(fn):
            steps = project.exceptions.witness(edge.callee, name)
            if edge.call is None or not steps:
                continue
            for _, types in project.exceptions.handlers(fn, edge.call.block):
                if any(item not in ALL and project.hierarchy.subclass_of(name, item) for item in types):
                    found.add(steps[-1].location)
    return found


def _hit(project: Project, item: Unmapped, profile: Profile | None, others: list[Unmapped]) -> Hit:
    steps: tuple[Step, ...] = project.exceptions.witness(item.fn, item.name)
    name = item.name.removeprefix("builtins.")
    short = ".".join(name.split(".")[-2:]) if name.endswith("DoesNotExist") else name.rpartition(".")[2]
    route = next((route.label for route in project.route_functions[item.fn.fqn]), item.fn.name)
    status = "404" if item.kind == "not-found" or "NotFound" in short else "its own HTTP status"
    more = f", and {len(others)} other handler{'s' if others[1:] else ''}" if others else ""
    plain = all(item.framework == "django" for item in project.route_functions[item.fn.fqn])  # it has no such handlers
    cure = (
        f"catch it and answer {status}"
        if plain
        else f"catch it, or register an exception handler that answers {status}"
    )
    return Hit(
        f"`{short}` can leave the handler `{item.fn.name}()` of {route}{more}{UNTURNED} into a response, so the client gets a 500; "
        f"{cure}.",
        item.fn.location(item.escape.span),
        related=(*steps[-1:], *(Step(other.fn.header, "it can leave this handler too") for other in others[:SHOWN])),
        flow=steps if len(steps) > 1 else (),
        function=item.fn.fqn,
        profile=profile,
    )
