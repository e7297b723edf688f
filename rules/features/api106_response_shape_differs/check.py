from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from backendlint.api import Answer, Cls, Hit, Location, Project, Route, Step, answers

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
LISTS = ("items", "results", "data", "rows", "records")
"""Keys under which the rows of a list stand."""
TOKEN = re.compile(r"(access_?|refresh_?|id_?|auth_?)?(token|jwt)", re.IGNORECASE)
"""What OAuth, and who signs in, finds at the top of an answer."""
PRESCRIBED = re.compile(r"(^|[/_-])(openai|dify|opensearch|completions)(?=[/_-])", re.IGNORECASE)
"""Parts of paths below which another's protocol says what is answered."""
ACKNOWLEDGES = frozenset({"success", "status", "ok", "code", "message", "error", "errors", "detail"})
"""Keys that say how it went: an answer of these alone wraps nothing."""
FEWEST = 3
BARE = "list"


def check(project: Project) -> Iterator[Hit]:
    groups: dict[Location | None, list[tuple[Route, Answer]]] = {}
    declared: Counter[Location | None] = Counter()
    unseen: Counter[Location | None] = Counter()
    for route in project.routes:
        written = list(bodies(project, route))
        groups.setdefault(route.inner, []).extend(written)
        declared[route.inner] += not written and is_declared(project, route)
        unseen[route.inner] += not written and shows_several(route) and is_plural(route)
    seen: set[Location] = set()
    for inner, shaped in groups.items():
        for found in (*differing(shaped, declared[inner]), *bare_lists(shaped, unseen[inner])):
            if found.location not in seen:
                seen.add(found.location)
                yield found
    yield from (found for found in unwrapped(project) if found.location not in seen)


def shows_several(route: Route) -> bool:
    return route.kind == "http" and "GET" in route.methods and not route.path.rstrip("/").endswith("}")


def bare_lists(shaped: list[tuple[Route, Answer]], unseen: int) -> Iterator[Hit]:
    """Lists that are written out bare, where most lists stand under one key, whatever single resources look like; what the
    `unseen` ones answer is not written out."""
    shown = [(route, answer) for route, answer in shaped if shows_several(route)]
    bare = [(route, answer) for route, answer in shown if answer.shape == BARE]
    under = {key: [item for item in shown if key in (item[1].keys or ())] for key in LISTS}
    key = max(LISTS, key=lambda name: number_of(under[name]))
    wrapped, number = number_of(under[key]), number_of(bare)
    if not bare or wrapped < FEWEST or wrapped < 2 * (number + unseen):
        return
    example = step(*under[key][0], key)
    for route, answer in bare:
        most = f"{wrapped} of {wrapped + number} lists stand under `{key}`"
        yield hit(route, place_of(route, answer), "a bare list", most, example)


def number_of(shaped: list[tuple[Route, Answer]]) -> int:
    """How many routes the answers are of."""
    return len({id(route) for route, _ in shaped})


def step(route: Route, answer: Answer, key: str) -> Step:
    assert route.handler is not None
    return Step(route.handler.location(answer.span), f"{route.label} answers with `{key}`")


def place_of(route: Route, answer: Answer) -> Location:
    assert route.handler is not None
    return route.place if route.documented else route.handler.location(answer.span)


def hit(route: Route, place: Location, what: str, most: str, example: Step) -> Hit:
    return Hit(
        f"{route.label} answers {what}, while {most}: clients need a special case. Use the same shape.",
        place,
        related=(example,),
        function=route.function,
    )


def unwrapped(project: Project) -> Iterator[Hit]:
    """Lists that are declared bare, where most are declared as an envelope of the project's own: `Page[OrderOut]`."""
    groups: dict[Location | None, list[tuple[Route, str]]] = {}
    for route in project.routes:
        kind = listed(project, route)
        if kind:
            groups.setdefault(route.inner, []).append((route, kind))
    for found in groups.values():
        counts = Counter(kind for _, kind in found if kind != BARE)
        name, times = counts.most_common(1)[0] if counts else ("", 0)
        if times < FEWEST or times * 3 < len(found) * 2:
            continue
        wrapped = [route for route, kind in found if kind == name]
        wrapper = name.rpartition(".")[2]
        example = Step(wrapped[0].place, f"{wrapped[0].label} answers with `{wrapper}`")
        custom = sum(is_plural(route) for route in wrapped) * 2 > len(wrapped)
        for route, kind in found:
            if kind == BARE and (is_plural(route) or not custom):
                most = f"{times} of {len(found)} lists are wrapped in `{wrapper}`"
                yield hit(route, route.place, "a bare list", most, example)


def is_plural(route: Route) -> bool:
    """`/orders`: what is listed there; `/orders/growth` is worked out of it, and nobody turns its pages."""
    return not route.is_collection or route.path.rstrip("/").endswith("s")


def listed(project: Project, route: Route) -> str:
    """How a route that lists something declares its answer: bare, or the generic schema that wraps the list; "" for others."""
    fn, origin = route.handler, route.response_model
    if fn is None or fn.parent is None or route.kind != "http" or not route.documented or "GET" not in route.methods:
        return ""
    home, vid = (origin.fn, origin.vid) if origin is not None else (fn.parent, fn.facts.returns_annotation)
    for ref in project.resolver.types.annotation(home, vid) if vid >= 0 else ():
        if ref.name == "builtins.list" and ref.arg is not None and ref.arg.kind == "inst":
            return BARE
        cls = project.classes.get(ref.name) if ref.kind == "inst" and ref.arg is not None else None
        if cls is not None and project.hierarchy.role(cls) == "schema" and holds_list(project, cls):
            return ref.name
    return ""


def holds_list(project: Project, cls: Cls) -> bool:
    fields = [vid for name, vid in cls.facts.annotations.items() if name in ENVELOPES]
    return any(
        ref.name == "builtins.list" for vid in fields for ref in project.resolver.types.annotation(cls.owner, vid)
    )


def is_declared(project: Project, route: Route) -> bool:
    """Whether it answers with a model of its own, which nothing wraps where the answer is made."""
    fn = route.handler
    if route.kind != "http" or not route.documented or fn is None or fn.parent is None:
        return False
    if route.response_model is not None:
        return route.body_model is not None
    noted = fn.facts.returns_annotation
    refs = project.resolver.types.annotation(fn.parent, noted) if noted >= 0 else ()
    kept = [ref.arg if ref.name == "builtins.list" and ref.arg is not None else ref for ref in refs]
    classes = [project.classes[ref.name] for ref in kept if ref.name in project.classes]
    return any(project.hierarchy.role(cls) == "schema" for cls in classes)


def differing(shaped: list[tuple[Route, Answer]], declared: int) -> Iterator[Hit]:
    """Answers of one application that are not wrapped as most of them are, the `declared` ones included."""
    routes = {id(route) for route, _ in shaped}
    if len(routes) < FEWEST:
        return
    counts: Counter[str] = Counter()
    for route_id in routes:
        keys = {key for route, answer in shaped if id(route) == route_id for key in answer.keys or ()}
        counts.update(keys & set(ENVELOPES))
    total = len(routes) + declared
    common = [key for key in ENVELOPES if counts[key] * 3 >= total * 2 and counts[key] >= 2]
    if not common:
        return
    key = max(common, key=lambda name: (counts[name], -ENVELOPES.index(name)))
    example = next(step(route, answer, key) for route, answer in shaped if key in (answer.keys or ()))
    seen = set()
    for route, answer in shaped:
        place = place_of(route, answer)
        if key in (answer.keys or ()) or place in seen or (answer.keys is not None and not answer.keys):
            continue
        seen.add(place)
        what = f"an object with {', '.join(f'`{name}`' for name in answer.keys[:3])}" if answer.keys else "a bare list"
        yield hit(route, place, what, f"{counts[key]} of {total} routes wrap their body in `{key}`", example)


def bodies(project: Project, route: Route) -> Iterator[tuple[Route, Answer]]:
    """Successful answers whose shape is written out."""
    if route.handler is None or route.kind != "http" or "health" in route.path or "metrics" in route.path:
        return
    if PRESCRIBED.search(f"{route.path.rstrip('/')}/"):
        return
    for answer in answers(project, route.handler):
        said = answer.keys is not None and len(answer.keys) > 0 and ACKNOWLEDGES.issuperset(answer.keys)
        if (
            not answer.failed
            and not answer.special
            and not said
            and not any(map(TOKEN.fullmatch, answer.keys or ()))
            and (answer.keys is not None or answer.shape == "list")
        ):
            yield route, answer
