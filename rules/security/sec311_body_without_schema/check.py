from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Location,
    Project,
    Ref,
    Route,
    Vid,
    for_development,
    operands,
    request_reads,
    told_once,
)

from .bodies import DEPTH, alike, methods, taken_whole, uses_fields
from .fields import refuses, required
from .validation import validated

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
HOOK = re.compile(r"hooks?\b|events?$|events?[-_]?api|callback|notif|^/_?internal/", re.IGNORECASE)
"""Another service decides what it sends there."""
WEB_HOOK = re.compile(r"web[-_]?hooks?\b", re.IGNORECASE)
SIGNED = re.compile(r"signature|hmac", re.IGNORECASE)
"""Calls that look at who has signed the body."""
FORMS = ("the body (`form`)", "the body (`POST`)")
"""Fields of HTML forms: a missing one answers 400 by itself."""
QUERIES = ("filter", "get", "exclude")
TEXTUAL = re.compile(r"(token|secret|key|code|name|e?mail|slug|hash)$", re.IGNORECASE)
PARSERS = ("json.loads", "orjson.loads", "ujson.loads")
RAW = ("body", "stream", "data", "get_data", "read")
"""Reads that give the body's bytes."""
FAILS = "it ends in a 500"


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    habits: dict[bool, list[Hit]] = {True: [], False: []}
    for hit in loose_routes(project, frozenset(options["bodies"])):
        if hit.profile == "default":
            habits[FAILS in hit.message].append(hit)
        else:
            yield hit
    for habit in habits.values():
        yield from told_once(habit, everywhere, severity=None)


def everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So do the routes in {places}."


def loose_routes(project: Project, bodies: frozenset[str]) -> Iterator[Hit]:
    seen: set[Location] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or (route.methods and not CHANGING.intersection(route.methods)):
            continue
        found = loose_body(project, route, fn, bodies)
        if found is None or found[0] in seen:
            continue
        place, what, start = found
        if any(validated(project, fn, item) for item in same_body(project, fn, what, start)):
            continue
        seen.add(place)
        field = "" if what == FORMS[0] else required(fn, start)
        missing = f"without a field `{field}` {FAILS}, and " if field else ""
        yield Hit(
            f"{route.label} uses {what} without a schema: {missing}wrong types and sizes travel on. Declare or load a schema.",
            place,
            function=route.function,
            profile="strict"
            if what in FORMS
            or for_development(fn.path)
            or (HOOK.search(route.path) and knows_sender(project, route, fn))
            or any(SIGNED.search(fn.callee_name(call)) for call in fn.calls)
            or refuses(project, fn, start, field)
            or (not field and (only_asked_for(project, fn, start) or asked_first(fn, start)))
            else "default",
        )


def knows_sender(project: Project, route: Route, fn: Fn) -> bool:
    """What comes from a service that is known has that service's form; not what a web hook takes from anybody."""
    if WEB_HOOK.search(route.path) is None:
        return True
    read = (str(fn.value(vid)[-1]).rpartition(".")[2] for vid in (*fn.made_by("attr"), *fn.made_by("name")))
    if not {"META", "headers"}.isdisjoint(read):
        return True  # some header says which hook it is
    return bool(project.credentials.of(fn)) or bool(project.access.authentication(route))


def only_asked_for(project: Project, fn: Fn, start: Vid) -> bool:
    """`filter(token=data.get("token"))`: what is given is compared with stored texts, and goes nowhere else."""
    same = alike(fn, start)
    fields = {call.value for call, method in methods(fn, same) if method == "get"}
    fields |= {vid for vid, value in enumerate(fn.facts.values) if value[0] == "guard" and value[1] in fields}
    read = {fn.calls[fn.value(vid)[1]].func for vid in fields if fn.value(vid)[0] == "call"}
    passed = [(call, vid) for call in fn.calls for vid in call.passed if vid in fields | same]
    kept = {item.value for item in fn.facts.stores} | {item.value for item in fn.facts.returns}
    used = (vid for vid, value in enumerate(fn.facts.values) if not (fields | same).isdisjoint(operands(value)))
    return (
        bool(passed)
        and all(vid in fields and compares(project, fn, call, vid) for call, vid in passed)
        and kept.isdisjoint(fields | same)
        and all(vid in fields | same | read for vid in used)
    )


def asked_first(fn: Fn, start: Vid) -> bool:
    """`name = data.get("name")`, and then `if name:`: whether each field is there decides how it goes on, and nothing takes
    the body as a whole."""
    same = alike(fn, start)
    read = list(methods(fn, same))
    tests = asked_of(fn, [item.value for item in fn.facts.blocks if item.kind == "if" and item.value >= 0])
    parts = any(fn.value(vid)[1] in same for vid in fn.made_by("item"))
    whole = parts or any(not same.isdisjoint(call.passed) for call in fn.calls)
    return bool(read) and not whole and all(method == "get" and call.value in tests for call, method in read)


def asked_of(fn: Fn, tests: list[Vid]) -> set[Vid]:
    """The values of which tests ask whether they are there, or what they are."""
    found: set[Vid] = set()
    todo = list(tests)
    while todo:
        vid = todo.pop()
        if vid not in found:
            found.add(vid)
            value = fn.value(vid)
            todo += value[2] if value[0] in ("bool", "compare") else value[1:2] if value[0] in ("not", "guard") else ()
    return found


def compares(project: Project, fn: Fn, call: Call, vid: Vid) -> bool:
    """Whether a query compares it with a column that is a text, by its name: no wrong type makes that fail."""
    queries = any(model.orm is not None and model.orm.op in QUERIES for model in project.models(fn, call))
    return queries and all(TEXTUAL.search(key) for key, given in call.kwargs if given == vid) and vid not in call.args


def same_body(project: Project, fn: Fn, what: str, start: Vid) -> list[Vid]:
    """All reads of the body: it may be validated in one place and used in another."""
    return [start, *(read.vid for read in request_reads(project, fn) if what == named(read.name))]


def named(read: str) -> str:
    return f"the body (`{read}`)"


def declared(fn: Fn, index: int) -> Location:
    """The annotation that says `dict`; the function's name where the file's first such word stands elsewhere."""
    annotation = fn.facts.params[index].annotation
    if fn.parent is None or annotation < 0 or not fn.facts.span.holds(fn.parent.facts.span_of(annotation)):
        return fn.header
    return fn.parent.place(annotation)


def loose_body(project: Project, route: Route, fn: Fn, bodies: frozenset[str]) -> tuple[Location, str, Vid] | None:
    """Where the handler takes the body as a plain mapping whose fields it uses."""
    for param in route.params:
        kinds = project.resolver.param(fn, param.index) if param.origin == "body" else ()
        if any(is_schema(project, ref.arg) for ref in kinds):
            continue
        if param.origin == "body" and (param.type != "model" or any(ref.name == "builtins.dict" for ref in kinds)):
            start = next((vid for vid, value in enumerate(fn.facts.values) if value == ("param", param.index)), -1)
            if start >= 0 and used(project, fn, start):
                return declared(fn, param.index), f"its body `{param.name}` as a plain dict", start
    for read in request_reads(project, fn):
        if read.name in bodies and used(project, fn, read.vid):
            return fn.location(read.span), named(read.name), read.vid
    for call in fn.calls:
        name = parsed_below(project, fn, call)
        if name and uses_fields(fn, call.value):
            return fn.location(call.span), named(name), call.value
    for call in fn.calls:
        name = read_below(project, fn, call)
        if name and used(project, fn, call.value):
            return fn.location(call.span), named(name), call.value
    return None


def is_schema(project: Project, ref: Ref | None) -> bool:
    """`dict[str, BoatChange]`: each value is validated."""
    cls = project.classes.get(ref.name) if ref is not None and ref.kind == "inst" else None
    return cls is not None and project.hierarchy.role(cls) == "schema"


def parsed_below(project: Project, fn: Fn, call: Call) -> str:
    """The helper that parses the body of the request that it is given, and gives it back: `body_of(request).get("hours")`."""
    given = [fn.unguarded(vid) for vid in call.args]
    targets = project.targets(fn, call) if len(given) == 1 and given[0][0] == "param" else ()
    for target in targets:
        made = [target.unguarded(vid) for vid in target.returned]
        calls = [target.calls[value[1]] for value in made if value[0] == "call"]
        parsed = bool(calls) and len(calls) == len(made) and all(target.dotted(item.func) in PARSERS for item in calls)
        labels = project.taint.labels(fn, call.value)
        if parsed and any(item.what == "request" and item.fn == target.fqn and item.path[:1] for item in labels):
            return target.name
    return ""


def read_below(project: Project, fn: Fn, call: Call) -> str:
    """Which read of a helper's a call parses: `json.loads(await limited(request))`."""
    func = fn.value(call.func)
    if func[0] != "name" or func[1] not in PARSERS or not call.args:
        return ""
    labels = project.taint.labels(fn, call.args[0])
    found = (item.path[0] for item in labels if item.what == "request" and item.fn != fn.fqn and item.path)
    return next((name for name in found if name in RAW), "")


def used(project: Project, fn: Fn, start: Vid, depth: int = DEPTH) -> bool:
    """Whether its fields are used here, or by a function that is handed the whole and does not validate it."""
    if uses_fields(fn, start):
        return True
    return depth > 0 and any(
        used(project, target, vid, depth - 1) and not validated(project, target, vid)
        for target, vid in taken_whole(project, fn, start)
    )
