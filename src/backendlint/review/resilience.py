"""The resilience matrix: every external dependency, and what happens to the endpoints when it is down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.project.entities import Fn
from backendlint.review.model import Dependency
from backendlint.review.outbound import Outbound, outbound

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_HOSTS = 200


def dependencies(project: Project) -> tuple[Dependency, ...]:
    """One row a dependency, those without a bound first."""
    groups: dict[tuple[str, str], list[Outbound]] = {}
    for call in outbound(project):
        groups.setdefault((call.kind, call.dependency), []).append(call)
    rows = [_row(project, kind, name, calls) for (kind, name), calls in groups.items()]
    order = {"bad": 0, "warn": 1, "good": 2}
    return tuple(sorted(rows, key=lambda row: (order[row.worst], -len(row.endpoints), row.kind, row.name)))[:MAX_HOSTS]


def _row(project: Project, kind: str, name: str, calls: list[Outbound]) -> Dependency:
    functions = list(dict.fromkeys(call.site.fn for call in calls))
    timeout, bounded = _timeouts(project, calls)
    retry, backoff = _retries(project, functions)
    breaker = _breakers(project, functions)
    fallback = _fallbacks(project, calls)
    endpoints = tuple(dict.fromkeys(route.label for fn in functions for route in project.endpoints.leading_to(fn.fqn)))
    libraries = sorted({call.site.model.library for call in calls})
    worst = "bad" if not bounded else "good" if breaker != "none" or fallback != "none" else "warn"
    return Dependency(
        name=name,
        kind=kind,
        library=", ".join(libraries),
        calls=len(calls),
        timeout=timeout,
        retry=retry,
        backoff=backoff,
        breaker=breaker,
        pool=_pools(project, libraries),
        fallback=fallback,
        endpoints=endpoints,
        place=calls[0].site.fn.location(calls[0].site.call.span),
        worst=worst,
    )


def _timeouts(project: Project, calls: list[Outbound]) -> tuple[str, bool]:
    """How long calls wait, in words, and whether all are bounded as far as is known."""
    seconds: list[float] = []
    forever = unknown = 0
    for call in calls:
        wait = project.timeouts.of(call.site.fn, call.site.call, call.site.model)
        if wait is None:
            continue
        if wait.kind == "forever":
            forever += 1
        elif wait.kind == "seconds":
            seconds.append(wait.seconds)
        else:
            unknown += 1
    parts = []
    if forever:
        parts.append(f"none on {forever} of {len(calls)}" if forever < len(calls) else "none")
    if seconds:
        low, high = min(seconds), max(seconds)
        parts.append(f"{low:g} s" if low == high else f"{low:g}-{high:g} s")
    if unknown:
        parts.append("by a setting")
    return ", ".join(parts) or "not known", not forever


def _retries(project: Project, functions: list[Fn]) -> tuple[str, str]:
    names = {fn.fqn for fn in functions}
    callers = {edge.caller.fqn for fn in functions for edge in project.graph.callers(fn)}
    found = [policy for policy in project.retries.all if policy.fn.fqn in names or policy.fn.fqn in callers]
    if not found:
        return "none", "none"
    attempts = []
    for policy in found:
        if not policy.bounded:
            attempts.append("without end")
        elif policy.attempts is not None and policy.attempts == policy.attempts:
            attempts.append(f"{policy.attempts:g} x")
        else:
            attempts.append("bounded")
    backoff = [
        f"{policy.backoff}{' + jitter' if policy.jitter and policy.backoff != 'none' else ''}" for policy in found
    ]
    return ", ".join(dict.fromkeys(attempts)), ", ".join(dict.fromkeys(backoff))


def _breakers(project: Project, functions: list[Fn]) -> str:
    for fn in _with_callers(project, functions):
        for ref in fn.decorators:
            model = project.libraries.decorator(ref.name) if ref.kind in ("lib", "libinst") else None
            if (model is not None and model.breaker is not None) or _is_breaker(project, ref.name):
                return ref.name.rpartition(".")[2]
        for site in project.effects.direct(fn):
            if site.model.breaker is not None:
                return site.model.name.rpartition(".")[2]
    return "none"


def _is_breaker(project: Project, name: str) -> bool:
    model = project.libraries.call(name)
    return model is not None and model.breaker is not None


def _with_callers(project: Project, functions: Iterable[Fn]) -> Iterator[Fn]:
    for fn in functions:
        yield fn
        yield from (edge.caller for edge in project.graph.callers(fn))


def _pools(project: Project, libraries: list[str]) -> str:
    pooled = {site.model.library for site in project.effects.sites if site.model.pool is not None}
    return "yes" if pooled.intersection(libraries) else "-"


def _fallbacks(project: Project, calls: list[Outbound]) -> str:
    """Handlers around the calls, or around their callers, that go on without the dependency."""
    caught = 0
    for call in calls:
        site = call.site
        raised = [project.libraries.canonical(name) for name in site.model.raises] or ["builtins.ConnectionError"]
        if _survives(project, site.fn, site.call.block, raised):
            caught += 1
    if not caught:
        return "none"
    return "yes" if caught == len(calls) else f"on {caught} of {len(calls)}"


def _survives(project: Project, fn: Fn, block: int, raised: list[str]) -> bool:
    for name in raised:
        handler = project.exceptions.caught_by(fn, block, name)
        if handler < 0 or fn.facts.blocks[handler].kind == "with":
            return handler >= 0
        inside = {
            index
            for index, _ in enumerate(fn.facts.blocks)
            if any(number == handler for number, _ in fn.blocks_of(index))
        }
        if any(item.block in inside for item in fn.facts.raises):
            return False
    return True
