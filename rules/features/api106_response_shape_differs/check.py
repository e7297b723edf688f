from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backendlint.api import Answer, Hit, Location, Project, Route, Step, answers

ENVELOPES = (
    "data",
    "result",
    "results",
    "items",
    "payload",
    "success",
    "status",
    "meta",
    "response",
    "content",
    "ok",
    "code",
    "message",
    "error",
)
ACKNOWLEDGES = frozenset({"success", "status", "ok", "code", "message", "error", "errors", "detail"})
"""Keys that say how it went: an answer of these alone wraps nothing."""
FEWEST = 3


def check(project: Project) -> Iterator[Hit]:
    groups: dict[Location | None, list[tuple[Route, Answer]]] = {}
    for route in project.routes:
        groups.setdefault(route.inner, []).extend(bodies(project, route))
    for shaped in groups.values():
        yield from differing(shaped)


def differing(shaped: list[tuple[Route, Answer]]) -> Iterator[Hit]:
    """Answers of one application that are not wrapped as most of them are."""
    routes = {id(route) for route, _ in shaped}
    if len(routes) < FEWEST:
        return
    counts: Counter[str] = Counter()
    for route_id in routes:
        keys = {key for route, answer in shaped if id(route) == route_id for key in answer.keys or ()}
        counts.update(keys & set(ENVELOPES))
    common = [key for key in ENVELOPES if counts[key] * 3 >= len(routes) * 2 and counts[key] >= 2]
    if not common:
        return
    key = max(common, key=lambda name: (counts[name], -ENVELOPES.index(name)))
    example = next((route, answer) for route, answer in shaped if key in (answer.keys or ()))
    seen = set()
    for route, answer in shaped:
        assert route.handler is not None and example[0].handler is not None
        place = route.place if route.documented else route.handler.location(answer.span)
        if key in (answer.keys or ()) or place in seen or (answer.keys is not None and not answer.keys):
            continue
        seen.add(place)
        what = f"an object with {', '.join(f'`{name}`' for name in answer.keys[:3])}" if answer.keys else "a bare list"
        yield Hit(
            f"{route.label} answers {what}, while {counts[key]} of {len(routes)} routes wrap their body in `{key}`: clients need a "
            "special case. Use the same shape.",
            place,
            related=(Step(example[0].handler.location(example[1].span), f"{example[0].label} answers with `{key}`"),),
            function=route.function,
        )


def bodies(project: Project, route: Route) -> Iterator[tuple[Route, Answer]]:
    """Successful answers whose shape is written out."""
    if route.handler is None or route.kind != "http" or "health" in route.path or "metrics" in route.path:
        return
    for answer in answers(project, route.handler):
        said = answer.keys is not None and len(answer.keys) > 0 and ACKNOWLEDGES.issuperset(answer.keys)
        if (
            not answer.failed
            and not answer.special
            and not said
            and (answer.keys is not None or answer.shape == "list")
        ):
            yield route, answer
