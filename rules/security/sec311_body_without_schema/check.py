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
    Value,
    Vid,
    bind,
    derived,
    for_development,
    operands,
    refusals,
    request_reads,
    told_once,
    validated_by_decorator,
    validates,
)

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
VALIDATES = re.compile(
    r"valid|schema|serializer|(?<!trans)(?<!per)(?<!plat)(?<!con)(?<!re)(?<!in)form(set)?$|(^|_)form_"
)
"""Names of what is called, in lower case; `format()` and `transform()` look at nothing."""
STORAGE = {"db", "db-read", "db-write", "commit"}
DEPTH = 3
"""Functions to which a handler's body is handed on as it is."""
HOOK = re.compile(r"hooks?\b|events?$|events?[-_]?api|callback|notif|^/_?internal/", re.IGNORECASE)
"""Another service decides what it sends there."""
FORMS = ("the body (`form`)", "the body (`POST`)")
"""Fields of HTML forms: a missing one answers 400 by itself."""
ABSENCE = ("KeyError", "LookupError", "Exception", "BaseException")
DEFINED = ("create", "update", "partial_update", "post", "put", "patch")
"""Methods of library views that hold the body against the view's serializer or form."""
QUERIES = ("filter", "get", "exclude")
TEXTUAL = re.compile(r"(token|secret|key|code|name|e?mail|slug|hash)$", re.IGNORECASE)
PARSERS = ("json.loads", "orjson.loads", "ujson.loads")
RAW = ("body", "stream", "data", "get_data", "read")
"""Reads that give the body's bytes."""
FAILS = "it ends in a 500"
READERS = ("get", "pop", "items", "values", "keys", "setdefault", "copy")


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
            or HOOK.search(route.path)
            or refuses(project, fn, start, field)
            or (not field and (only_asked_for(project, fn, start) or asked_first(fn, start)))
            else "default",
        )


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


def required(fn: Fn, start: Vid) -> str:
    """A field that is subscripted (or popped) where nothing has asked for it and nobody catches its absence; "" if there is none."""
    same = alike(fn, start)
    asked = set(tested(fn, same))
    for vid in fn.made_by("item"):
        _, base, key = fn.value(vid)
        field = fn.const(key)
        if base not in same or not isinstance(field, str) or field in asked or ... in asked:
            continue
        if not any(catches(fn, block) for block in enclosing(fn, vid)):
            return field
    for call, method in methods(fn, same):
        field = fn.const(call.args[0]) if method == "pop" and len(call.args) == 1 else ...
        if isinstance(field, str) and field not in asked and not any(catches(fn, n) for n in enclosing(fn, call.value)):
            return field
    return ""


def alike(fn: Fn, start: Vid) -> set[Vid]:
    """All that stands for what is read, also by other reads that are written the same way: `request.json` twice."""
    value = fn.value(start)
    if value[0] == "call":
        func = fn.value(fn.calls[value[1]].func)
        again = {call.value for call in fn.calls if fn.value(call.func) == func}
    else:
        wanted = untested(fn, start)
        again = {vid for vid in fn.made_by(value[0]) if untested(fn, vid) == wanted}
    return {vid for item in {start, *again} for vid in aliases(fn, item)}


def untested(fn: Fn, vid: Vid) -> Value:
    """The value, of what it is read of as that was before any test."""
    value = fn.value(vid)
    return (value[0], fn.untested(value[1]), *value[2:]) if value[0] in ("attr", "item") else value


def tested(fn: Fn, same: set[Vid]) -> Iterator[object]:
    """Fields that are asked for by `in` or `.get()`, or stored first; Ellipsis where it may be any."""
    for vid in fn.made_by("compare"):
        _, operators, sides = fn.value(vid)
        if set(operators) & {"in", "not in"} and set(sides[1:]) & same:
            yield fn.const(sides[0])
        elif set(operators) - {"in", "not in", "is", "is not"} and any(named_keys(fn, side, same) for side in sides):
            yield ...
    for vid in fn.made_by("store"):
        if fn.value(vid)[1] in same:
            yield fn.const(fn.value(vid)[2])
    for call, method in methods(fn, same):
        if method in ("get", "setdefault"):
            yield fn.const(call.args[0]) if call.args else ...
        elif method == "keys":
            yield ...


def methods(fn: Fn, same: set[Vid]) -> Iterator[tuple[Call, str]]:
    """Calls of the body's methods."""
    names = {fn.value(vid)[1] for vid in same if fn.value(vid)[0] == "name"}
    for call in fn.calls:
        func = fn.value(call.func)
        owner, _, last = str(func[1]).rpartition(".") if func[0] == "name" else ("", "", "")
        if func[0] == "attr" and func[1] in same:
            yield call, func[2]
        elif owner in names:  # `request.json.get` of an imported `request`
            yield call, last


def named_keys(fn: Fn, vid: Vid, same: set[Vid]) -> bool:
    """`set(data)` of `REQUIRED <= set(data)`."""
    value = fn.unguarded(vid)
    return vid in same or (value[0] == "call" and bool(same.intersection(fn.calls[value[1]].args)))


def enclosing(fn: Fn, vid: Vid) -> Iterator[int]:
    """Blocks around a value's place, innermost first."""
    span = fn.facts.span_of(vid)
    return (number for number, block in enumerate(fn.facts.blocks) if block.kind == "try" and block.span.holds(span))


def catches(fn: Fn, number: int) -> bool:
    """Whether a `try` has a handler that a missing key ends in."""
    for block in fn.facts.blocks:
        if block.kind == "except" and block.group == number:
            caught = fn.value(block.value) if block.value >= 0 else ("name", "builtins.Exception")
            names = [fn.value(item) for item in caught[1]] if caught[0] == "tuple" else [caught]
            if any(item[0] == "name" and str(item[1]).rpartition(".")[2] in ABSENCE for item in names):
                return True
    return False


def declared(fn: Fn, index: int) -> Location:
    """The annotation that says `dict`; the function's name where the file's first such word stands elsewhere."""
    annotation = fn.facts.params[index].annotation
    if fn.parent is None or annotation < 0 or not fn.facts.span.holds(fn.parent.facts.span_of(annotation)):
        return fn.header
    return fn.parent.place(annotation)


def loose_body(project: Project, route: Route, fn: Fn, bodies: frozenset[str]) -> tuple[Location, str, Vid] | None:
    """Where the handler takes the body as a plain mapping whose fields it uses."""
    for param in route.params:
        kinds = project.resolver.param(fn, param.index) if param.origin == "body" and param.type == "model" else ()
        if param.origin == "body" and (param.type != "model" or any(ref.name == "builtins.dict" for ref in kinds)):
            start = next((vid for vid, value in enumerate(fn.facts.values) if value == ("param", param.index)), -1)
            if start >= 0 and used(project, fn, start):
                return declared(fn, param.index), f"its body `{param.name}` as a plain dict", start
    for read in request_reads(project, fn):
        if read.name in bodies and used(project, fn, read.vid):
            return fn.location(read.span), named(read.name), read.vid
    for call in fn.calls:
        name = read_below(project, fn, call)
        if name and used(project, fn, call.value):
            return fn.location(call.span), named(name), call.value
    return None


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


def taken_whole(project: Project, fn: Fn, start: Vid) -> Iterator[tuple[Fn, Vid]]:
    """The functions to which the body is handed on as it is, with the parameter that takes it."""
    return handed(project, fn, aliases(fn, start))


def handed(project: Project, fn: Fn, values: set[Vid]) -> Iterator[tuple[Fn, Vid]]:
    """The functions that are called with one of these values, with the parameter that takes it."""
    for call in fn.calls:
        targets = project.targets(fn, call) if values.intersection(call.passed) else []
        if len(targets) == 1 and targets[0] is not fn:
            bound = bind(fn, call, targets[0])
            taken = {index for index, given in bound.items() if any(vid in values and not part for vid, part in given)}
            params = targets[0].made_by("param")
            yield from ((targets[0], vid) for vid in params if targets[0].value(vid)[1] in taken)


def uses_fields(fn: Fn, start: Vid) -> bool:
    """Whether fields are read, or the whole is passed on."""
    same = aliases(fn, start)
    for value in fn.facts.values:
        if value[0] == "item" and value[1] in same and isinstance(fn.const(value[2]), str):
            return True
        if value[0] == "dict" and any(key < 0 and vid in same for key, vid in value[1]):
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
            copied = name[0] == "attr" and name[2] == "copy" and name[1] in found
            read = name[0] == "name" and name[1] in ("json.loads", "builtins.dict", "orjson.loads")
            if copied or (read and call.args and call.args[0] in found):
                found.add(vid)
    return found


def validated(project: Project, fn: Fn, start: Vid, depth: int = DEPTH) -> bool:
    """The body, or what is made of it, goes into a schema, serializer, form or validating function; what a query gives for it
    says nothing of it."""
    carried = derived(fn, start)
    for call in fn.facts.calls:
        if call.value in carried and STORAGE.intersection(project.effects.call_effects(fn, call)):
            carried -= derived(fn, call.value)
    for call in fn.facts.calls:
        passed = set(call.passed)
        if not passed & carried:
            continue
        if any(validates(project, model) for model in project.models(fn, call)) or makes_schema(project, fn, call):
            return True
        for ref in project.callees(fn, call):
            if ref.kind == "class" and takes_data(project, project.classes[ref.name], call, carried):
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
        if not known and VALIDATES.search(last):
            return True
    return (
        validated_by_decorator(project, fn)
        or validated_above(project, fn)
        or (
            depth > 0 and any(validated(project, item, vid, depth - 1) for item, vid in taken_whole(project, fn, start))
        )
        or any(loads(project, target, vid) for target, vid in handed(project, fn, carried))
    )


def makes_schema(project: Project, fn: Fn, call: Call) -> bool:
    """A helper that makes a schema of it (`-> Settings`), and stores nothing."""
    if STORAGE.intersection(project.effects.call_effects(fn, call)) or not project.targets(fn, call):
        return False
    made = (project.classes.get(ref.name) for ref in project.refs(fn, call.value) if ref.kind == "inst")
    return any(cls is not None and project.hierarchy.role(cls) in ("schema", "settings", "form") for cls in made)


def loads(project: Project, fn: Fn, start: Vid) -> bool:
    """Whether a helper puts a part of the body, or what was made of it, into a schema or a class of one."""
    carried = derived(fn, start)
    for call in fn.calls:
        if carried.intersection(call.passed):
            classes = [project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class"]
            if any(takes_data(project, cls, call, carried) for cls in classes):
                return True
            if any(validates(project, model) for model in project.models(fn, call)):
                return True
    return False


def validated_above(project: Project, fn: Fn) -> bool:
    """`return super().update(request, ...)`: the library's view goes on, with the serializer of the class."""
    for call in fn.calls:
        func = fn.value(call.func)
        above = fn.unguarded(func[1]) if func[0] == "attr" and func[2] in DEFINED else ("",)
        made = fn.calls[above[1]].func if above[0] == "call" else -1
        if made >= 0 and fn.value(made) == ("name", "builtins.super") and not project.targets(fn, call):
            return True
    return False


def takes_data(project: Project, cls: Cls, call: Call, carried: set[Vid]) -> bool:
    """A schema or form that is given the body; a serializer shows its first argument and validates its `data`."""
    role = project.hierarchy.role(cls)
    if role == "serializer":
        return bool({*call.args[1:], call.kwarg("data")} & carried)
    return role in ("schema", "form", "settings")


def refuses(project: Project, fn: Fn, start: Vid, field: str) -> bool:
    """Hand-written checks that answer 400 or 422, here or in a helper that is given the body. Where a field is used
    without having been asked for, only those count that look at fields."""
    whole = alike(fn, start)
    parts = fields(fn, whole) if field else set()
    own = [block for status, block in refusals(project, fn) if status in (400, 422)]
    if any(not field or looks_at(fn, block, parts) for block in own) or asks_types(fn, whole):
        return True
    carried = whole if field else derived(fn, start)
    helpers = [
        edge.callee
        for edge in project.graph.callees(fn)
        if edge.kind == "call" and edge.call is not None and carried.intersection(edge.call.args)
    ]
    return any(status in (400, 422) for item in helpers for status, _ in refusals(project, item))


def asks_types(fn: Fn, whole: set[Vid]) -> bool:
    """`if not isinstance(data["names"], list): return ...`, whatever status that has."""
    parts = fields(fn, whole)
    asked = {call.value for call in fn.calls if fn.callee_name(call) == "isinstance" and parts.intersection(call.args)}
    leaving = (block for block in fn.facts.blocks if block.kind == "if" and block.exits in ("return", "raise"))
    return bool(asked) and any(tests(fn, block.value, asked) for block in leaving if block.value >= 0)


def fields(fn: Fn, same: set[Vid]) -> set[Vid]:
    """Values that are fields of the body, or what their own methods and a test make of them."""
    found = {vid for vid in fn.made_by("item") if fn.value(vid)[1] in same}
    found |= {call.value for call, _ in methods(fn, same)}
    for vid, value in enumerate(fn.facts.values):
        if made_of(fn, value, found) or (value[0] == "compare" and same.intersection(value[2])):
            found.add(vid)
    return found


def made_of(fn: Fn, value: Value, found: set[Vid]) -> bool:
    if value[0] == "compare":
        return bool(found.intersection(value[2]))
    if value[0] != "call":
        return value[0] in ("item", "attr", "elem", "guard", "not") and value[1] in found
    call = fn.calls[value[1]]
    func = fn.value(call.func)
    if func[0] == "name":
        return str(func[1]).startswith("builtins.") and bool(found.intersection(call.passed))
    return func[0] == "attr" and func[1] in found


def looks_at(fn: Fn, block: int, parts: set[Vid]) -> bool:
    """Whether a place is reached by a test of one of these values, or because reading one failed."""
    if any(tests(fn, test, parts) for test, _ in fn.tests_of(block)):
        return True
    failed = [item.group for _, item in fn.blocks_of(block) if item.kind == "except" and catches(fn, item.group)]
    tried = [fn.facts.blocks[number].span for number in failed]
    return any(span.holds(fn.facts.span_of(vid)) for span in tried for vid in parts)


def tests(fn: Fn, vid: Vid, parts: set[Vid], depth: int = 6) -> bool:
    if vid in parts or depth == 0:
        return vid in parts
    return any(tests(fn, item, parts, depth - 1) for item in operands(fn.value(vid)) if item != vid)
