from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Edge, Fn, Hit, Project, Route, Write

SAFE = {"GET", "HEAD", "OPTIONS"}
TRACES = re.compile(
    r"audit|log(s|ged|ging)?(_|$)|history|histories|event|metric|stat(s|istics)?|visit|view(s|ed|_count)|count(er)?|hit(s)?|last_(seen|login|access)|"
    r"session|token|cache|seen|track|usage|analytics|nonce|touch|refresh|lock|challenge|otp|impression|click|captcha|login|callback",
    re.IGNORECASE,
)
FARTHEST = 3
"""Calls between handler and write; what lies deeper serves something else (configuration, caches)."""
LOADING = re.compile(r"_?(get|load|ensure|fetch|current|resolve|default|init|setup)(_|$)", re.IGNORECASE)
"""Functions that make what they find missing."""
LAZY = {"get_or_create", "update_or_create", "merge"}


def check(project: Project) -> Iterator[Hit]:
    seen = set()
    for route in project.routes:
        if route.handler is None or route.kind != "http" or not route.methods or not SAFE.issuperset(route.methods):
            continue
        found = changing(project, route)
        if found is None or route.place in seen:
            continue
        seen.add(route.place)
        write, chain = found
        entity = write.entity.rpartition(".")[2]
        name = f"`{entity}`" if entity else "stored data"
        yield Hit(
            f"{route.label} changes data: it writes {name} ({write.op}) in `{write.fn.name}()`, and GET is repeated by crawlers, "
            "caches and retries at will. Use POST, PUT, PATCH or DELETE.",
            route.place,
            flow=project.writes.steps(write, chain),
            function=route.function,
        )


def changing(project: Project, route: Route) -> tuple[Write, tuple[Edge, ...]] | None:
    assert route.handler is not None
    if re.search(r"oauth|openid|oidc|sso|saml|callback", f"{route.path} {route.name}", re.IGNORECASE):
        return None  # the way back from a sign-in elsewhere
    if counts_only(route.handler):
        return None
    if TRACES.search(route.name) or TRACES.search(route.path.rpartition("/")[2]):
        return None
    for write, chain in project.writes.reached(route.handler, ("call", "property")):
        names = (write.entity.rpartition(".")[2], write.fn.name, *(edge.callee.name for edge in chain))
        if (
            write.op in LAZY
            or len(chain) > FARTHEST
            or any(LOADING.match(fn.name) for fn in (write.fn, *(edge.callee for edge in chain)))
            or any(TRACES.search(snake(name)) for name in names)
        ):
            continue
        return write, chain
    return None


def counts_only(fn: Fn) -> bool:
    """`topic.views += 1` before it is saved, and nothing else."""
    changed = [store.name for store in fn.facts.stores if store.name]
    return bool(changed) and all(TRACES.search(name) for name in changed)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
