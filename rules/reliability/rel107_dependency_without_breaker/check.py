"""REL107: external calls without a breaker or fallback, in projects that protect others with one."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, Site, called

KINDS = ("http", "grpc")


def check(project: Project) -> Iterator[Hit]:
    """One hit a function and library, at its first call, if the project breaks the circuit elsewhere."""
    dependencies = project.dependencies
    sites = [site for site in project.effects.with_effect(*KINDS) if site.fn in project.in_request]
    broken = [site for site in project.effects.with_effect(*KINDS) if dependencies.breaks(site)]
    if not broken:
        return
    seen: set[tuple[str, str]] = set()
    for site in sites:
        key = (site.fn.fqn, site.model.library)
        if key in seen or dependencies.breaks(site) or dependencies.falls_back(site):
            continue
        seen.add(key)
        yield _hit(project, site, broken[0])


def _hit(project: Project, site: Site, example: Site) -> Hit:
    count = project.reach(site.fn.fqn)
    return Hit(
        message=f"`{called(project, site)}` in `{site.fn.name}()` has neither a circuit breaker nor a fallback, unlike "
        f"`{example.fn.name}()`: while the other side is down, {count} endpoint{'s' if count > 1 else ''} "
        f"wait{'' if count > 1 else 's'} for it with each request.",
        location=site.fn.location(site.call.span),
        related=(example.fn.step(example.call.span, "protected by a circuit breaker"),),
        flow=project.in_request.way(site.fn),
        function=site.fn.fqn,
    )
