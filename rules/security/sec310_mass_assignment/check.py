from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from backendlint.api import Call, Cls, Fn, Hit, Project, Step, Vid, stored_entity, validated_by_decorator, validates

WRITES = {"create", "update", "get_or_create", "update_or_create", "values"}
VALIDATED = ("validated_data", "cleaned_data", "validated")
DUMPS = ("model_dump", "dict", "dump", "asdict")


def check(project: Project) -> Iterator[Hit]:
    for fn, call in candidates(project):
        target = assigned(project, fn, call)
        if target is None:
            continue
        vid, name = target
        if not from_request(project, fn, vid) or own_value(project, fn, call):
            continue
        yield Hit(
            f"`{fn.name}()` assigns whatever fields the request has to `{name}`: a client can set any of them. Name the fields "
            "that clients may set.",
            fn.location(call.span),
            function=fn.fqn,
        )
    yield from everything(project)


def candidates(project: Project) -> Iterator[tuple[Fn, Call]]:
    """Calls that spread a mapping, set an attribute or update something; each once."""
    updates = ((fn, call) for fn, call, model in project.effects.sites if model.orm and model.orm.op == "update")
    graph = project.graph
    spread = graph.calls_with("**")
    found = chain(graph.calls_of("builtins.setattr"), graph.calls_written("update"), updates, spread)
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


def from_request(project: Project, fn: Fn, vid: Vid) -> bool:
    """Request data that no schema has narrowed to named fields, and no list of allowed names guards."""
    if narrowed(project, fn, vid) or guarded(fn, vid) or validated_by_decorator(project, fn):
        return False
    return requested(project, fn, vid)


def requested(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(origin.what == "request" for origin in project.taint.labels(fn, vid))


def guarded(fn: Fn, vid: Vid) -> bool:
    """`if key in ALLOWED:`."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "conv"):
        if value[0] == "guard":
            test = fn.facts.values[value[2]]
            if test[0] == "compare" and set(test[1]) & {"in", "not in"}:
                return True
        value = fn.facts.values[value[1]]
    return False


def narrowed(project: Project, fn: Fn, vid: Vid, depth: int = 0) -> bool:
    """Validated data, or a declared schema's own fields."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "mut", "store"):  # however many entries are set one by one
        if value[0] == "store" and fn.const(value[2]) is ... and requested(project, fn, value[2]):
            return False
        value = fn.facts.values[value[1]]
    if depth > 12:
        return False
    if value[0] in ("await", "item", "slice", "elem", "unpack", "star"):
        return narrowed(project, fn, value[1], depth + 1)
    if value[0] == "attr":
        return value[2] in VALIDATED or narrowed(project, fn, value[1], depth + 1)
    if value[0] == "comp":
        return True
    if value[0] == "phi":
        return all(narrowed(project, fn, item, depth + 1) for item in value[1] if item != vid)
    if value[0] in ("dict", "const"):
        keys = value[1] if value[0] == "dict" else ()
        return all(key >= 0 or narrowed(project, fn, item, depth + 1) for key, item in keys)
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        targets = project.targets(fn, call)
        if targets and depth < 6 and all(names_fields(project, target, depth) for target in targets):
            return True
        func = fn.facts.values[call.func]
        dumped = func[0] == "attr" and func[2] in DUMPS and not of_framework(project, fn, func[1])
        if func[0] == "attr" and (dumped or narrowed(project, fn, func[1], depth + 1)):
            return True
        if any(validates(project, model) for model in project.models(fn, call)):
            return True
        return bool(call.args) and narrowed(project, fn, call.args[0], depth + 1)
    return any(ref.kind == "inst" for ref in project.refs(fn, vid))


def of_framework(project: Project, fn: Fn, vid: Vid) -> bool:
    """`request.POST.dict()` has what the client sent, unlike a schema's `dict()`."""
    models = [project.libraries.library_of(ref.name) for ref in project.refs(fn, vid) if ref.kind == "libinst"]
    return any(model is not None and model.kind == "web-framework" for model in models)


def names_fields(project: Project, fn: Fn, depth: int) -> bool:
    """A helper that writes down which fields its result has."""
    found = [item.value for item in fn.facts.returns if item.value >= 0]
    return bool(found) and all(narrowed(project, fn, vid, depth + 6) for vid in found)


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
    return not any(origin.what == "request" for origin in project.taint.labels(fn, vid))


def everything(project: Project) -> Iterator[Hit]:
    """`fields = "__all__"` in forms and serializers."""
    for cls in project.classes.values():
        if cls.name != "Meta" or cls.owner.const(cls.facts.attributes.get("fields", -1)) != "__all__":
            continue
        outer = project.classes.get(cls.fqn.rpartition(".")[0])
        if outer is None or project.hierarchy.role(outer) not in ("serializer", "form"):
            continue
        yield Hit(
            f"`{outer.name}` accepts every field of its model, also those that are added later. List the fields.",
            place(cls),
            related=(Step(outer.header, "the serializer or form"),),
            profile="strict",
            severity="warning",
        )


def place(cls: Cls):  # type: ignore[no-untyped-def]
    return cls.owner.location(cls.facts.field_spans["fields"])
