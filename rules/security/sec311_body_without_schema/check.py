from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Vid,
    answers,
    derived,
    request_reads,
    validated_by_decorator,
    validates,
)

CHANGING = {"POST", "PUT", "PATCH"}
HOOK = re.compile(r"hooks?\b|events?$|callback|notif", re.IGNORECASE)
"""Another service decides what it sends there."""
FORMS = ("the body (`form`)", "the body (`POST`)")
"""Fields of HTML forms: a missing one answers 400 by itself."""
READERS = ("get", "pop", "items", "values", "keys", "setdefault", "copy")


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    bodies = frozenset(options["bodies"])
    seen: set[Location] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or (route.methods and not CHANGING.intersection(route.methods)):
            continue
        found = loose_body(project, route, fn, bodies)
        if found is None or found[0] in seen:
            continue
        place, what, start = found
        if validated(project, fn, start):
            continue
        seen.add(place)
        yield Hit(
            f"{route.label} uses {what} without a schema: missing fields end in a 500, and wrong types and sizes travel on. Declare or "
            "load a schema.",
            place,
            function=route.function,
            profile="strict" if refuses(project, fn, start) or what in FORMS or HOOK.search(route.path) else "default",
        )


def loose_body(project: Project, route: Route, fn: Fn, bodies: frozenset[str]) -> tuple[Location, str, Vid] | None:
    """Where the handler takes the body as a plain mapping whose fields it uses."""
    for param in route.params:
        if (param.origin == "body" and param.type != "model") or (
            param.origin == "body"
            and any(ref.name == "builtins.dict" for ref in project.resolver.param(fn, param.index))
        ):
            start = next((vid for vid, value in enumerate(fn.facts.values) if value == ("param", param.index)), -1)
            if start >= 0 and uses_fields(fn, start):
                return route.place, f"its body `{param.name}` as a plain dict", start
    for read in request_reads(project, fn):
        if read.name in bodies and uses_fields(fn, read.vid):
            return fn.location(read.span), f"the body (`{read.name}`)", read.vid
    return None


def uses_fields(fn: Fn, start: Vid) -> bool:
    """Whether fields are read, or the whole is passed on."""
    same = aliases(fn, start)
    for value in fn.facts.values:
        if value[0] == "item" and value[1] in same and isinstance(fn.const(value[2]), str):
            return True
    for call in fn.facts.calls:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[1] in same and func[2] in READERS:
            return True
        if any(key == "**" and vid in same for key, vid in call.kwargs):
            return True
    return False


def aliases(fn: Fn, start: Vid) -> set[Vid]:
    found = {start}
    for vid, value in enumerate(fn.facts.values):
        if (
            (value[0] in ("guard", "await", "mut", "store", "elem") and value[1] in found)
            or (value[0] == "phi" and found.intersection(value[1]))
            or (value[0] == "bool" and found.intersection(value[2]))
        ):
            found.add(vid)
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            name = fn.facts.values[call.func]
            if (
                call.args
                and call.args[0] in found
                and name[0] == "name"
                and name[1] in ("json.loads", "builtins.dict", "orjson.loads")
            ):
                found.add(vid)
    return found


def validated(project: Project, fn: Fn, start: Vid) -> bool:
    """The body, or what is made of it, goes into a schema, serializer, form or validating function."""
    carried = derived(fn, start)
    for call in fn.facts.calls:
        passed = set(call.passed)
        if not passed & carried:
            continue
        if any(validates(project, model) for model in project.models(fn, call)):
            return True
        for ref in project.callees(fn, call):
            if ref.kind == "class" and takes_data(project, fn, project.classes[ref.name], call, carried):
                return True
            if ref.kind == "func" and any(
                word in ref.name.rpartition(".")[2].lower() for word in ("valid", "parse", "schema", "clean", "check")
            ):
                return True
            if ref.kind == "lib" and any(word in ref.name.lower() for word in ("valid", "schema", "serializer")):
                return True
        value = fn.facts.values[call.func]
        last = (
            str(value[2] if value[0] == "attr" else value[1] if value[0] == "name" else "").rpartition(".")[2].lower()
        )
        known = any(ref.kind == "class" for ref in project.callees(fn, call))
        if not known and any(word in last for word in ("valid", "schema", "serializer", "form")):
            return True
    return validated_by_decorator(project, fn)


def takes_data(project: Project, fn: Fn, cls: Cls, call: Call, carried: set[Vid]) -> bool:
    """A schema or form that is given the body; a serializer shows its first argument and validates its `data`."""
    role = project.hierarchy.role(cls)
    if role == "serializer":
        return bool({*call.args[1:], call.kwarg("data")} & carried)
    return role in ("schema", "form", "settings")


def refuses(project: Project, fn: Fn, start: Vid) -> bool:
    """Hand-written checks that answer 400 or 422, here or in a helper that is given the body."""
    carried = derived(fn, start)
    helpers = [
        edge.callee
        for edge in project.graph.callees(fn)
        if edge.kind == "call" and edge.call is not None and carried.intersection(edge.call.args)
    ]
    return any(
        answer.failed and answer.status in (400, 422) for item in (fn, *helpers) for answer in answers(project, item)
    )
