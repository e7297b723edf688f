from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Edge, Fn, Hit, Location, Project, Route, Site, Step

KEY = re.compile(
    r"idempot|dedup|client_token|request_token|unique_request|already_(processed|paid|charged)|exactly_once|nonce",
    re.IGNORECASE,
)
MONEY = re.compile(
    r"pay|charge|refund|transfer|payout|withdraw|invoice|billing|checkout|purchase|subscri|deposit|order|ship|book|reserv|issue|topup|top_up|settle",
    re.IGNORECASE,
)
ACTS = re.compile(r"create|capture|confirm|charge|pay|sale|transfer|refund|submit", re.IGNORECASE)
WRITES = {"POST", "PUT", "PATCH"}
DUPLICATE = re.compile(r"IntegrityError|UniqueViolation|DuplicateKey|AlreadyExists|Duplicate", re.IGNORECASE)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    payments = tuple(f"{name}." for name in options["payments"])
    seen: set[Location] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or (route.methods and "POST" not in route.methods):
            continue
        found = external(project, fn, payments)
        if found is None:
            continue
        site, chain = found
        place = site.fn.location(site.call.span)
        functions = [fn, *(edge.callee for edge in chain)]
        if place in seen or protected(project, route, functions):
            continue
        seen.add(place)
        yield Hit(
            f"`{site.model.name}` in `{site.fn.name}()` acts at another service for {route.label}, and "
            "nothing recognises a repeated "
            "request: a retry does it twice. Take an idempotency key, store it uniquely, and pass it on.",
            place,
            related=(Step(route.place, f"{route.label}"),),
            flow=(
                *(Step(edge.caller.location(edge.span), f"calls {edge.callee.name}()") for edge in chain),
                Step(place, site.model.name),
            ),
            function=site.fn.fqn,
        )


def external(project: Project, start: Fn, payments: tuple[str, ...]) -> tuple[Site, tuple[Edge, ...]] | None:
    """The nearest call that moves money or goods at another service."""
    queue: list[tuple[Fn, tuple[Edge, ...]]] = [(start, ())]
    seen = {start.fqn}
    while queue:
        fn, chain = queue.pop(0)
        for site in project.effects.direct(fn):
            names = " ".join(
                (
                    fn.name,
                    fn.cls.name if fn.cls else "",
                    fn.path.rpartition("/")[2],
                    *(edge.callee.name for edge in chain[-1:]),
                )
            )
            if acts(site, payments) and (site.model.name.startswith(payments) or MONEY.search(names)):
                return site, chain
        if len(chain) < 6:
            for edge in project.graph.callees(fn):
                if edge.kind == "call" and edge.callee.fqn not in seen:
                    seen.add(edge.callee.fqn)
                    queue.append((edge.callee, (*chain, edge)))
    return None


def acts(site: Site, payments: tuple[str, ...]) -> bool:
    """A call that changes something elsewhere."""
    if site.model.name.startswith(payments):
        return bool(ACTS.search(site.model.name)) and bool(site.model.effect)
    if "http" not in site.model.effect:
        return False
    method = site.model.method
    if method.startswith("arg:"):
        index = int(method[4:])
        text = (
            site.fn.const(site.call.args[index])
            if index < len(site.call.args)
            else site.fn.const(site.call.kwarg("method"))
        )
        method = text if isinstance(text, str) else ""
    return method.upper() in WRITES


def protected(project: Project, route: Route, functions: list[Fn]) -> bool:
    """A key or a caught duplicate on the way, in the handler's dependencies, or in the body's schema."""
    for fn in (*functions, *route.dependencies, *route.hooks):
        if names_key(fn) or any(
            catches_duplicate(project, fn, index)
            for index, block in enumerate(fn.facts.blocks)
            if block.kind == "except"
        ):
            return True
    for ref in route.guards:
        if KEY.search(ref.name):
            return True
    assert route.handler is not None
    for param in route.params:
        for ref in project.resolver.param(route.handler, param.index):
            cls = project.classes.get(ref.name)
            if cls is not None and any(
                KEY.search(name) for item in project.hierarchy.mro(cls) for name in item.facts.annotations
            ):
                return True
    return False


def names_key(fn: Fn) -> bool:
    facts = fn.facts
    if (
        KEY.search(fn.name)
        or any(KEY.search(param.name) for param in facts.params)
        or any(KEY.search(item.name) for item in facts.bindings)
    ):
        return True
    if any(KEY.search(key) for call in facts.calls for key, _ in call.kwargs):
        return True
    for value in facts.values:
        text = value[2] if value[0] == "attr" else value[1] if value[0] in ("const", "name") else ""
        if isinstance(text, str) and len(text) < 200 and KEY.search(text):
            return True
    return False


def catches_duplicate(project: Project, fn: Fn, index: int) -> bool:
    return any(DUPLICATE.search(name) for name in project.exceptions.caught_types(fn, fn.facts.blocks[index]))
