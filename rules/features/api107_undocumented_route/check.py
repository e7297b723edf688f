from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Location, Project, Route, answers, is_signed, told_once

from .described import PROBE, undescribed

HABIT = 2
"""More routes than these that lack the same are told once."""


def check(project: Project) -> Iterator[Hit]:
    documented = [
        route
        for route in project.routes
        if route.documented and route.in_schema and route.handler is not None and not is_aside(project, route)
    ]
    described = sum(has_text(route) for route in documented)
    custom = described * 5 >= len(documented) * 4
    seen: set[Location] = set()
    styles: dict[str, list[Hit]] = defaultdict(list)
    for route in documented:
        model, text = has_model(project, route), has_text(route)
        if (model and text) or route.kind != "http" or not seen.isdisjoint((route.place, handler_of(route))):
            continue
        seen.update((route.place, handler_of(route)))
        missing = (
            "response model, summary or docstring"
            if not model and not text
            else "response model"
            if not model
            else "summary or docstring"
        )
        hit = Hit(
            f"{route.label} has no {missing}: the generated API documentation cannot say what it "
            f"{'answers' if not model else 'does'}.",
            route.place,
            function=route.function,
            profile="default" if not model or custom else "strict",
        )
        if model and not custom:
            yield hit
        else:
            styles["" if model else "model"].append(hit)
    for hits in styles.values():
        yield from told_once(hits, everywhere, HABIT)
    yield from undescribed(project)


def everywhere(hit: Hit, others: str) -> str:
    """What all of them lack."""
    message = hit.message.replace("response model, summary or docstring", "response model", 1)
    return message.replace(": the", f", here and in {others}: the", 1)


def handler_of(route: Route) -> Location:
    """One function may answer several routes, and says for all what it does."""
    assert route.handler is not None
    return route.handler.header


def is_aside(project: Project, route: Route) -> bool:
    """What no client is written for: probes and the root, what another system notifies, in its own form, and what a command answers."""
    if project.layers.of_path(route.location.path) == "command":
        return True
    if ".well-known" in route.path or PROBE.search(route.path) or not route.path.strip("/"):
        return True
    return route.handler is not None and (is_signed(route.handler) or hands_over(project, route.handler))


def hands_over(project: Project, fn: Fn) -> bool:
    """`return await bot.handle(request)`: what is given the request itself, and is none of the project's, answers."""
    values = [fn.unguarded(vid) for vid in fn.returned]
    values = [fn.unguarded(value[1]) if value[0] == "await" else value for value in values]
    calls = [fn.calls[value[1]] for value in values if value[0] == "call"]
    return bool(calls) and len(calls) == len(values) and all(takes_request(project, fn, call) for call in calls)


def has_text(route: Route) -> bool:
    return bool(route.summary or route.description)


def has_model(project: Project, route: Route) -> bool:
    """A declared result, or none to declare."""
    fn = route.handler
    assert fn is not None
    if route.body_model is not None or route.status == 204 or says_something(fn):
        return True
    found = [answer for answer in answers(project, fn) if not answer.failed]
    if not found and all(item.value < 0 for item in fn.facts.returns):
        return True  # it ends with an error, a redirect that is raised, or nothing
    if route.response_model is not None and all(
        answer.shape not in ("dict", "list") or answer.special for answer in found
    ):
        return True  # else it is `response_model=None` of a body that could have one
    call = route.entry.call
    if call is not None and any(key in ("response_class", "responses") for key, _ in call.kwargs):
        return True
    if found and all(answer.special or answer.shape == "none" for answer in found):
        return True
    return bool(found) and all(is_response(project, route, item.value) for item in fn.facts.returns)


def says_something(fn: Fn) -> bool:
    """`-> Any` is as good as nothing."""
    vid = fn.facts.returns_annotation
    return vid >= 0 and (fn.parent or fn).dotted(vid).rpartition(".")[2] != "Any"


def is_response(project: Project, route: Route, vid: int) -> bool:
    """An object that is a response already, also where headers were put into it since."""
    assert route.handler is not None
    value = route.handler.facts.values[vid] if vid >= 0 else ("",)
    while value[0] in ("store", "setattr", "mut", "guard"):
        value = route.handler.facts.values[value[1]]
    if value[0] == "param":  # that of the framework, which it fills itself
        refs = project.resolver.param(route.handler, value[1])
        return any(ref.kind == "libinst" and ref.name.endswith("Response") for ref in refs)
    if value[0] != "call":
        return False
    call = route.handler.facts.calls[value[1]]
    return any(
        model.response is not None and model.response.content_type != "application/json"
        for model in project.models(route.handler, call)
    )


def takes_request(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a call of what nobody knows is given the request itself."""
    if project.targets(fn, call) or project.models(fn, call):
        return False
    given = (fn.unguarded(vid) for vid in call.passed)
    refs = (ref for value in given if value[0] == "param" for ref in project.resolver.param(fn, value[1]))
    return any(ref.kind == "libinst" and ref.name.endswith(".Request") for ref in refs)
