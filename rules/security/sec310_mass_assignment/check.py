from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from backendlint.api import (
    SAFE,
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Step,
    Value,
    Vid,
    ingredients,
    object_root,
    stored_entity,
    told_once,
    validated_by_decorator,
    validates,
)

WRITES = {"create", "update", "get_or_create", "update_or_create", "values"}
DROPS = re.compile(r"omit|without|exclu|drop|remove|reject", re.IGNORECASE)
"""Functions that take the named fields away."""
COLUMNS = ("psycopg.sql.Identifier", "psycopg2.sql.Identifier")
COPIES = ("set", "frozenset", "dict", "list", "sorted")
VALIDATED = ("validated_data", "cleaned_data", "validated")
DUMPS = ("model_dump", "dict", "dump", "asdict")
FAR = 3
"""Calls through which a mapping is followed up to the request."""
MAX_STEPS = 6
MAX_CHAIN = 12
DEEPEST = 6
PRIVILEGED = re.compile(
    r"roles?|is_(admin|superuser|staff|verified)|permissions?|scopes|balance|credits?|wallet|credit_limit",
    re.IGNORECASE,
)
"""Fields that are not for whoever the row is about to set."""
USERS = frozenset(f"django.contrib.auth.models.{name}" for name in ("User", "AbstractUser", "PermissionsMixin"))
SAVES = frozenset({"save", "asave", "save_model", "bulk_update", "abulk_update"})
CHANGES = re.compile(r"\b(UPDATE|INSERT)\b", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    """Rows that are made of whatever was sent all over a project are its way of writing them."""
    seen: set[Location] = set()
    sites = [(fn, call, target) for fn, call in candidates(project) if (target := assigned(project, fn, call))]
    yield from told_once(whole(project, sites, seen), everywhere, severity=None)
    yield from privileged(project, [(fn, call, vid) for fn, call, (vid, _) in sites], seen)
    yield from everything(project)


def whole(project: Project, sites: list[tuple[Fn, Call, tuple[Vid, str]]], seen: set[Location]) -> Iterator[Hit]:
    """Mappings of a request that become attributes of a row, as they are."""
    for fn, call, (vid, name) in sites:
        for owner, place in arrivals(project, fn, vid, fn.location(call.span), FAR, forwards=True):
            if place in seen or own_value(project, fn, call) or only_shown(project, fn, call):
                continue
            seen.add(place)
            through = "" if owner is fn else f" through `{fn.name}()`"
            yield Hit(
                f"`{owner.name}()` assigns whatever fields the request has to `{name}`{through}: a client can set any of them. "
                "Name the fields that clients may set.",
                place,
                function=owner.fqn,
            )


def everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So does the code in {places}."


def privileged(project: Project, sites: list[tuple[Fn, Call, Vid]], seen: set[Location]) -> Iterator[Hit]:
    """All fields of a schema that a route takes whoever calls it, assigned to a stored row, with one that gives rights or money."""
    for fn, call, vid in sites:
        dump = dumped(fn, vid) if project.counts(fn) else None
        entity = changed(project, fn, call) if dump is not None else None
        if dump is None or entity is None or fn.location(call.span) in seen:
            continue
        owner = fn.value(dump.func)[1]
        for ref in project.refs(fn, owner):
            schema = project.classes.get(ref.name) if ref.kind == "inst" else None
            if schema is None or project.hierarchy.role(schema) != "schema":
                continue
            held = columns(project, entity)
            names = [name for name in columns(project, schema) if PRIVILEGED.fullmatch(name) and name in held]
            names = [name for name in names if not speaks_of(fn, name)]
            route = taken_from_anybody(project, fn, schema, names) if names else None
            if route is not None:
                seen.add(fn.location(call.span))
                yield Hit(
                    f"`{fn.name}()` assigns every field of `{schema.name}` to `{entity.name}`, and so `{names[0]}`, which {route.label} "
                    "takes from whoever calls it. Leave it out of the schema, or set it where a permission is asked for.",
                    fn.location(call.span),
                    related=(Step(schema.header, f"the schema has `{names[0]}`"), Step(route.place, "taken here")),
                    function=fn.fqn,
                )


def dumped(fn: Fn, vid: Vid) -> Call | None:
    """The `payload.model_dump()` whose keys or entries a value is, with nothing left out."""
    for _ in range(MAX_STEPS):
        value = fn.unguarded(vid)
        if value[0] in ("unpack", "elem"):
            vid = value[1]
            continue
        call = fn.calls[value[1]] if value[0] == "call" else None
        func = fn.value(call.func) if call is not None else ("",)
        if call is None or func[0] != "attr":
            return None
        if func[2] in DUMPS:
            return call if not {"include", "exclude"} & {key for key, _ in call.kwargs} else None
        if func[2] not in ("items", "keys"):
            return None
        vid = func[1]
    return None


def changed(project: Project, fn: Fn, call: Call) -> Cls | None:
    """The model of the row that is made, or whose attributes are set."""
    refs = project.callees(fn, call)
    if any(ref.name == "builtins.setattr" for ref in refs):
        refs = project.refs(fn, call.args[0])
    found = [project.classes[ref.name] for ref in refs if ref.kind in ("class", "inst")]
    return next((cls for cls in found if stored_entity(project, cls)), None)


def columns(project: Project, cls: Cls) -> dict[str, None]:
    """Names of the fields that a class or one of its bases declares, in order."""
    return {
        name: None
        for owner in project.hierarchy.mro(cls)
        for name in (*owner.facts.annotations, *owner.facts.attributes)
    }


def speaks_of(fn: Fn, name: str) -> bool:
    """Whether the function treats the field by itself: takes it out, tests or overwrites it."""
    values = fn.facts.values
    return any((v[0] == "const" and v[1] == name) or (v[0] == "attr" and v[2] == name) for v in values)


def taken_from_anybody(project: Project, fn: Fn, schema: Cls, names: list[str]) -> Route | None:
    """A route that leads here with the schema as its body, and asks for no permission."""
    for route in project.endpoints.leading_to(fn.fqn):
        handler = route.handler
        if handler is None or project.access.authorization(route) or any(speaks_of(handler, name) for name in names):
            continue
        given = (ref for vid in handler.made_by("param") for ref in project.refs(handler, vid))
        if any(ref[:2] == ("inst", schema.fqn) for ref in given):
            return route
    return None


def arrivals(
    project: Project, fn: Fn, vid: Vid, place: Location, depth: int, *, forwards: bool
) -> Iterator[tuple[Fn, Location]]:
    """Where request data comes in that no schema has narrowed to named fields, and no list of allowed names guards: the
    place itself, or the caller of a helper that only hands on the mapping, or has several callers."""
    if narrowed(project, fn, vid) or guarded(fn, vid) or validated_by_decorator(project, fn):
        return
    if refuses_others(project, fn, vid):
        return
    labels = project.taint.labels(fn, vid)
    if any(origin.what == "request" for origin in labels):
        yield fn, place
        return
    given = {item.slot for item, mark in labels.items() if item.what == "param" and item.fn == fn.fqn and not mark.weak}
    if fn.cls is not None and project.hierarchy.role(fn.cls) in ("serializer", "form"):
        given.discard(0)  # `self.context["owner"]`: what it was made with, and not what was sent
    edges = (
        [edge for edge in project.graph.callers(fn) if edge.call is not None and edge.kind == "call"] if given else []
    )
    shared = forwards and (len(edges) > 1 or project.taint.forwarded(fn, vid) in given)
    for edge in edges if depth else ():
        for passed, path in (item for index in sorted(given) for item in project.taint.bound(edge).get(index, ())):
            there = edge.caller.location(edge.span) if shared else place
            found = arrivals(project, edge.caller, passed, there, depth - 1, forwards=shared) if not path else ()
            yield from ((owner if shared else fn, where) for owner, where in found)


def candidates(project: Project) -> Iterator[tuple[Fn, Call]]:
    """Calls that spread a mapping, set an attribute or update something; each once."""
    updates = ((fn, call) for fn, call, model in project.effects.sites if model.orm and model.orm.op == "update")
    graph = project.graph
    spread = graph.calls_with("**")
    columns = graph.calls_written("Identifier")
    found = chain(graph.calls_of("builtins.setattr"), graph.calls_written("update"), updates, spread, columns)
    yield from {(fn.fqn, call.value): (fn, call) for fn, call in found}.values()


def assigned(project: Project, fn: Fn, call: Call) -> tuple[Vid, str] | None:
    """The mapping or key whose content becomes attributes of an entity, and the entity's name."""
    spread = next((vid for key, vid in call.kwargs if key == "**"), -1)
    for ref in project.callees(fn, call):
        if spread >= 0 and ref.kind == "class" and stored_entity(project, project.classes[ref.name]):
            return spread, project.classes[ref.name].name
        if ref.name == "builtins.setattr" and len(call.args) == 3 and fn.const(call.args[1]) is ...:
            return call.args[1], "an object"
        if ref.name in ("builtins.dict.update", "dict.update") and call.args and on_attributes(fn, call):
            return call.args[0], "an object"
        if ref.name in COLUMNS and len(call.args) == 1 and changes_rows(fn):
            keys = keys_of(fn, call.args[0])
            return (keys, "a row") if keys >= 0 else None
    if call.args and on_attributes(fn, call):
        return call.args[0], "an object"
    for model in project.models(fn, call):
        if spread >= 0 and model.orm is not None and model.orm.op in WRITES:
            return spread, "a row"
        if (
            model.orm is not None
            and model.orm.op == "update"
            and model.name.endswith(".update")
            and len(call.args) == 1
            and not call.kwargs
        ):
            return call.args[0], "rows"
    return None


def on_attributes(fn: Fn, call: Call) -> bool:
    """`obj.__dict__.update(...)`."""
    value = fn.facts.values[call.func]
    if value[0] != "attr" or value[2] != "update":
        return False
    owner = fn.facts.values[value[1]]
    return bool(owner[0] == "attr" and owner[2] == "__dict__")


def keys_of(fn: Fn, vid: Vid) -> Vid:
    """The mapping whose keys are gone through, of which the value is one; -1 where it is something else."""
    value = fn.unguarded(vid)
    if value[0] != "elem":
        return -1
    inner = fn.unguarded(value[1])
    called = fn.facts.calls[inner[1]] if inner[0] == "call" else None
    func = fn.facts.values[called.func] if called is not None else ("unknown",)
    return int(func[1] if func[0] == "attr" and func[2] == "keys" else value[1])


def changes_rows(fn: Fn) -> bool:
    """Whether the function writes an UPDATE or INSERT."""
    return any(
        value[0] == "const" and isinstance(value[1], str) and CHANGES.search(value[1]) for value in fn.facts.values
    )


def requested(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(origin.what == "request" for origin in project.taint.labels(fn, vid))


def guarded(fn: Fn, vid: Vid) -> bool:
    """`if key in ALLOWED:`, not `if "name" in data:`."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "conv"):
        if value[0] == "guard":
            test = fn.facts.values[value[2]]
            if test[0] == "compare" and set(test[1]) & {"in", "not in"} and fn.const(test[2][0]) is ...:
                return True
        value = fn.facts.values[value[1]]
    return False


def refuses_others(project: Project, fn: Fn, vid: Vid) -> bool:
    """`if data.keys() - ALLOWED: raise`: whoever sends another field is turned away."""
    source = mapping_of(fn, vid)
    for block in fn.facts.blocks:
        if block.kind != "if" or block.exits not in ("raise", "return") or block.value < 0:
            continue
        parts = ingredients(fn.facts, [block.value])
        tests = (fn.facts.values[part][2] for part in parts if fn.facts.values[part][0] == "guard")
        for sides in (compared_keys(fn, part) for part in (*parts, *tests)):
            if sides is not None and mapping_of(fn, sides[0]) == source and not requested(project, fn, sides[1]):
                return True
    return False


def compared_keys(fn: Fn, vid: Vid) -> tuple[Vid, Vid] | None:
    """The mapping (or its keys) and the names that it may have: `keys - names`, `keys <= names`, `key not in names`,
    `keys.difference(names)`."""
    value = fn.facts.values[vid]
    if value[0] == "binop" and value[1] == "-":
        return value[2], value[3]
    if value[0] == "compare" and value[1] in (("<=",), ("not in",)):
        return value[2][0], value[2][1]
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] in ("difference", "issubset") and call.args:
            return func[1], call.args[0]
    return None


def mapping_of(fn: Fn, vid: Vid) -> Vid:
    """The mapping behind its keys, a set of them, one of them, or itself with entries set or taken out."""
    for _ in range(MAX_CHAIN):
        value = fn.facts.values[vid]
        if value[0] in ("guard", "mut", "store", "setattr", "await", "elem", "conv"):
            vid = value[1]
        elif value[0] == "phi":
            vid = next((item for item in value[1] if item != vid), value[1][0])
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            if func[0] == "attr" and func[2] in ("keys", "copy") and not call.args:
                vid = func[1]
            elif fn.callee_name(call) in COPIES and len(call.args) == 1:
                vid = call.args[0]
            else:
                return vid
        else:
            return vid
    return vid


def narrowed(project: Project, fn: Fn, vid: Vid, depth: int = 0) -> bool:
    """Validated data, or a declared schema's own fields."""
    roots, keys = unrolled(fn, vid)
    if depth > 2 * DEEPEST or not all(depth >= DEEPEST or known_key(project, fn, key) for key in keys):
        return False
    if roots != [vid]:
        return all(narrowed(project, fn, item, depth + 1) for item in roots)
    value = fn.facts.values[vid]
    filled = gathered(fn, value[1]) if value[0] == "elem" else []
    if filled:
        return all(narrowed(project, fn, item, depth + 1) for item in filled)
    if value[0] in ("await", "item", "slice", "elem", "unpack", "star"):
        return narrowed(project, fn, value[1], depth + 1)
    if value[0] == "attr":
        return value[2] in VALIDATED or is_shown(project, fn, value) or narrowed(project, fn, value[1], depth + 1)
    if value[0] == "comp":
        return True
    if value[0] in ("dict", "const"):
        entries = value[1] if value[0] == "dict" else ()
        return all(
            key >= 0 or by_name(project, fn, item) or narrowed(project, fn, item, depth + 1) for key, item in entries
        )
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        targets = project.targets(fn, call)
        if targets and depth < DEEPEST and all(names_fields(project, target, depth) for target in targets):
            return True
        func = fn.facts.values[call.func]
        named = names_dumped(project, fn, call)
        if named is not None or (func[0] == "attr" and narrowed(project, fn, func[1], depth + 1)):
            return named is not False
        if any(validates(project, model) for model in project.models(fn, call)) or (not targets and picks(fn, call)):
            return True
        if any(ref.name == "builtins.dict" for ref in project.callees(fn, call)):  # `dict(name=name, **dumped)`
            parts = (*call.args, *(vid for key, vid in call.kwargs if key == "**"))
            return all(narrowed(project, fn, part, depth + 1) for part in parts)
        return bool(call.args) and narrowed(project, fn, call.args[0], depth + 1)
    return is_object(project, fn, vid)


def is_shown(project: Project, fn: Fn, value: Value) -> bool:
    """`serializer.data`: the serializer's own fields."""
    refs = project.refs(fn, value[1]) if value[2] == "data" else ()
    classes = [project.classes.get(ref.name) for ref in refs if ref.kind == "inst"]
    return bool(classes) and all(cls is not None and project.hierarchy.role(cls) == "serializer" for cls in classes)


def names_dumped(project: Project, fn: Fn, call: Call) -> bool | None:
    """Whether what a dump gives are the fields of a schema; None for other calls."""
    func = fn.facts.values[call.func]
    if func[0] != "attr" or func[2] not in DUMPS or of_framework(project, fn, func[1]):
        return None
    return call.kwarg("include") >= 0 or not takes_extra(project, fn, func[1])


def is_object(project: Project, fn: Fn, vid: Vid) -> bool:
    """An object of the project's, of which the fields are known."""
    return any(ref.kind == "inst" for ref in project.refs(fn, vid)) and not takes_extra(project, fn, vid)


def takes_extra(project: Project, fn: Fn, vid: Vid) -> bool:
    """An object of a schema that keeps what it does not declare: `extra="allow"`."""
    schemas = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    return any(project.taint.takes_extra(cls) for cls in schemas)


def unrolled(fn: Fn, vid: Vid) -> tuple[list[Vid], list[Vid]]:
    """What a mapping is on all ways, before entries were set or taken out however often, and the keys that were no constants."""
    todo, seen, roots, keys = [vid], set[Vid](), list[Vid](), list[Vid]()
    while todo:
        item = todo.pop()
        if item in seen:
            continue
        seen.add(item)
        value = fn.facts.values[item]
        if value[0] in ("guard", "mut", "store", "setattr"):
            todo.append(value[1])
            keys += [value[2]] if value[0] == "store" and fn.const(value[2]) is ... else []
        elif value[0] == "phi":
            todo += value[1]
        else:
            roots.append(item)
    return roots, keys


def known_key(project: Project, fn: Fn, vid: Vid) -> bool:
    """A key that nobody sends, or one of a validated mapping, in a text too: `data[f"{group}_{name}"] = value`."""
    value = fn.unguarded(vid)
    parts = value[2] if value[0] == "fmt" else (vid,)
    inner = [fn.value(part)[1] if fn.value(part)[0] == "conv" else part for part in parts]
    return all(narrowed(project, fn, item, DEEPEST) for item in inner if requested(project, fn, item))


def by_name(project: Project, fn: Fn, vid: Vid) -> bool:
    """`**kwargs` of the function's own, which its callers fill with names that they write down."""
    value = fn.unguarded(vid)
    if value[0] != "param" or fn.facts.params[value[1]].kind != "kwargs":
        return False
    calls = [edge.call for edge in project.graph.callers(fn) if edge.call is not None]
    return all(key != "**" for call in calls for key, _ in call.kwargs)


def gathered(fn: Fn, vid: Vid) -> list[Vid]:
    """What a list of the function's own was filled with (`rows.append(row)`); nothing where it may be another."""
    todo, seen, found = [vid], set[Vid](), list[Vid]()
    while todo:
        item = todo.pop()
        value = fn.facts.values[item]
        if item in seen:
            continue
        seen.add(item)
        if value[0] == "phi":
            todo += value[1]
        elif value[0] == "guard":
            todo.append(value[1])
        elif value[0] == "mut" and value[2] == "append":
            todo.append(value[1])
            found += value[3]
        elif value[0] == "list":
            found += value[1]
        else:
            return []
    return found


def picks(fn: Fn, call: Call) -> bool:
    """`pick(data, ["title", "text"])`: what is left are the named fields."""
    named = any(fn.facts.values[vid][0] in ("list", "tuple", "set") and names_texts(fn, vid) for vid in call.args[1:])
    return named and not DROPS.search(fn.callee_name(call))


def names_texts(fn: Fn, vid: Vid) -> bool:
    items = fn.facts.values[vid][1]
    return bool(items) and all(isinstance(fn.const(item), str) for item in items)


def of_framework(project: Project, fn: Fn, vid: Vid) -> bool:
    """`request.POST.dict()` has what the client sent, unlike a schema's `dict()`."""
    models = [project.libraries.library_of(ref.name) for ref in project.refs(fn, vid) if ref.kind == "libinst"]
    return any(model is not None and model.kind == "web-framework" for model in models)


def names_fields(project: Project, fn: Fn, depth: int) -> bool:
    """A helper that writes down which fields its result has."""
    found = [item.value for item in fn.facts.returns if item.value >= 0]
    return bool(found) and all(narrowed(project, fn, vid, depth + DEEPEST) for vid in found)


def own_value(project: Project, fn: Fn, call: Call) -> bool:
    """`setattr(obj, name, value)` where only the name, one of a known form's, comes from outside."""
    if len(call.args) != 3:
        return False
    vid = call.args[2]
    value = fn.facts.values[vid]
    if value[0] == "call":  # `getattr(other, name)`: what the other has under that name
        inner = fn.facts.calls[value[1]]
        if len(inner.args) > 1 and any(ref.name == "builtins.getattr" for ref in project.callees(fn, inner)):
            vid = inner.args[0]
    sources = ("request",) if requested(project, fn, call.args[1]) else ("request", "param")
    return not any(origin.what in sources for origin in project.taint.labels(fn, vid))


def only_shown(project: Project, fn: Fn, call: Call) -> bool:
    """A row of Django's (`Chart.objects.get()`) that neither the function nor who calls it saves: a preview."""
    made = fn.unguarded(object_root(fn, call.args[0])) if len(call.args) == 3 else ("",)
    if made[0] != "call" or ".objects." not in fn.dotted(fn.calls[made[1]].func):
        return False
    callers = [edge.caller for edge in project.graph.callers(fn)]
    called = {item.callee_name(other) for item in (fn, *callers) for other in item.calls}
    return bool(callers) and SAVES.isdisjoint(called)


def everything(project: Project) -> Iterator[Hit]:
    """`fields = "__all__"` in forms and serializers."""
    for cls in project.classes.values():
        if cls.name != "Meta" or cls.owner.const(cls.facts.attributes.get("fields", -1)) != "__all__":
            continue
        outer = project.classes.get(cls.fqn.rpartition(".")[0])
        if outer is None or project.hierarchy.role(outer) not in ("serializer", "form"):
            continue
        route = given_to_anybody(project, outer) if is_user(project, cls) else None
        if route is not None:
            yield Hit(
                f"`{outer.name}` accepts every field of a user, and {route.label} takes it from whoever calls: anybody can set "
                "`is_superuser` and `is_staff`. List the fields that clients may set.",
                place(cls),
                related=(Step(route.place, "taken here"),),
            )
            continue
        yield Hit(
            f"`{outer.name}` accepts every field of its model, also those that are added later. List the fields.",
            place(cls),
            related=(Step(outer.header, "the serializer or form"),),
            profile="strict",
            severity="warning",
        )


def is_user(project: Project, meta: Cls) -> bool:
    """Whether the model has Django's flags of users, none of which `Meta` makes read-only."""
    if not {"read_only_fields", "extra_kwargs", "exclude"}.isdisjoint(meta.facts.attributes):
        return False
    vid = meta.facts.attributes.get("model", -1)
    refs = project.refs(meta.owner, vid) if vid >= 0 else ()
    models = [project.classes[ref.name] for ref in refs if ref.kind == "class"]
    bases = [base for cls in models for base in project.hierarchy.library_bases(cls)]
    return not USERS.isdisjoint((*bases, *(ref.name for ref in refs)))


def given_to_anybody(project: Project, serializer: Cls) -> Route | None:
    """A route that changes something, asks for no permission, and fills the serializer with what the client sends."""
    if {"is_superuser", "is_staff"} & set(serializer.facts.attributes):
        return None  # declared by itself: read-only most often
    for route in project.routes:
        if SAFE.issuperset(route.methods) or project.access.authorization(route):
            continue
        if route.handler is None:
            owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
            owner = next((item for item in owners if "serializer_class" in item.facts.attributes), None)
            refs = project.refs(owner.owner, owner.facts.attributes["serializer_class"]) if owner is not None else ()
            if any(ref.name == serializer.fqn for ref in refs):
                return route
            continue
        for call in route.handler.calls:
            made = call.kwarg("data") >= 0 and project.callees(route.handler, call)
            if made and any(ref.name == serializer.fqn for ref in made):
                return route
    return None


def place(cls: Cls) -> Location:
    """Where the class `Meta` says which fields there are."""
    return cls.owner.location(cls.facts.field_spans["fields"])
