"""Mappings that hold named fields alone: validated ones, a schema's, and those that the code writes down."""

from __future__ import annotations

import re

from backendlint.api import Call, Fn, Project, Value, Vid, validates

from .origins import requested

DROPS = re.compile(r"omit|without|exclu|drop|remove|reject", re.IGNORECASE)
"""Functions that take the named fields away."""
VALIDATED = ("validated_data", "cleaned_data", "validated")
DUMPS = ("model_dump", "dict", "dump", "asdict")
DEEPEST = 6


def narrowed(project: Project, fn: Fn, vid: Vid, depth: int = 0) -> bool:
    """Validated data, or a declared schema's own fields."""
    roots, keys = _unrolled(fn, vid)
    if depth > 2 * DEEPEST or not all(depth >= DEEPEST or _known_key(project, fn, key) for key in keys):
        return False
    if roots != [vid]:
        return all(narrowed(project, fn, item, depth + 1) for item in roots)
    value = fn.facts.values[vid]
    filled = _gathered(fn, value[1]) if value[0] == "elem" else []
    if filled:
        return all(narrowed(project, fn, item, depth + 1) for item in filled)
    if value[0] == "unpack" and _part_narrowed(project, fn, value, depth):
        return True
    if value[0] in ("await", "item", "slice", "elem", "unpack", "star"):
        return narrowed(project, fn, value[1], depth + 1)
    if value[0] == "attr":
        return value[2] in VALIDATED or _is_shown(project, fn, value) or narrowed(project, fn, value[1], depth + 1)
    if value[0] == "comp":
        return True
    if value[0] in ("dict", "const"):
        entries = value[1] if value[0] == "dict" else ()
        return all(
            key >= 0 or _by_name(project, fn, item) or narrowed(project, fn, item, depth + 1) for key, item in entries
        )
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        targets = project.targets(fn, call)
        if targets and depth < DEEPEST and all(_names_fields(project, target, depth) for target in targets):
            return True
        func = fn.facts.values[call.func]
        named = _names_dumped(project, fn, call)
        if named is not None or (func[0] == "attr" and narrowed(project, fn, func[1], depth + 1)):
            return named is not False
        if any(validates(project, model) for model in project.models(fn, call)) or (not targets and _picks(fn, call)):
            return True
        if any(ref.name == "builtins.dict" for ref in project.callees(fn, call)):  # `dict(name=name, **dumped)`
            parts = (*call.args, *(vid for key, vid in call.kwargs if key == "**"))
            return all(narrowed(project, fn, part, depth + 1) for part in parts)
        return bool(call.args) and narrowed(project, fn, call.args[0], depth + 1)
    return _is_object(project, fn, vid)


def _is_shown(project: Project, fn: Fn, value: Value) -> bool:
    """`serializer.data`: the serializer's own fields."""
    refs = project.refs(fn, value[1]) if value[2] == "data" else ()
    classes = [project.classes.get(ref.name) for ref in refs if ref.kind == "inst"]
    return bool(classes) and all(cls is not None and project.hierarchy.role(cls) == "serializer" for cls in classes)


def _names_dumped(project: Project, fn: Fn, call: Call) -> bool | None:
    """Whether what a dump gives are the fields of a schema; None for other calls."""
    func = fn.facts.values[call.func]
    if func[0] != "attr" or func[2] not in DUMPS or _of_framework(project, fn, func[1]):
        return None
    return call.kwarg("include") >= 0 or not _takes_extra(project, fn, func[1])


def _is_object(project: Project, fn: Fn, vid: Vid) -> bool:
    """An object of the project's, of which the fields are known."""
    return any(ref.kind == "inst" for ref in project.refs(fn, vid)) and not _takes_extra(project, fn, vid)


def _takes_extra(project: Project, fn: Fn, vid: Vid) -> bool:
    """An object of a schema that keeps what it does not declare: `extra="allow"`."""
    schemas = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    return any(project.taint.takes_extra(cls) for cls in schemas)


def _unrolled(fn: Fn, vid: Vid) -> tuple[list[Vid], list[Vid]]:
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


def _known_key(project: Project, fn: Fn, vid: Vid) -> bool:
    """A key that nobody sends, or one of a validated mapping, in a text too: `data[f"{group}_{name}"] = value`."""
    value = fn.unguarded(vid)
    parts = value[2] if value[0] == "fmt" else (vid,)
    inner = [fn.value(part)[1] if fn.value(part)[0] == "conv" else part for part in parts]
    return all(narrowed(project, fn, item, DEEPEST) for item in inner if requested(project, fn, item))


def _by_name(project: Project, fn: Fn, vid: Vid) -> bool:
    """`**kwargs` of the function's own, which its callers fill with names that they write down."""
    value = fn.unguarded(vid)
    if value[0] != "param" or fn.facts.params[value[1]].kind != "kwargs":
        return False
    calls = [edge.call for edge in project.graph.callers(fn) if edge.call is not None]
    return all(key != "**" for call in calls for key, _ in call.kwargs)


def _gathered(fn: Fn, vid: Vid) -> list[Vid]:
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


def _picks(fn: Fn, call: Call) -> bool:
    """`pick(data, ["title", "text"])`: what is left are the named fields."""
    named = any(fn.facts.values[vid][0] in ("list", "tuple", "set") and _names_texts(fn, vid) for vid in call.args[1:])
    return named and not DROPS.search(fn.callee_name(call))


def _names_texts(fn: Fn, vid: Vid) -> bool:
    items = fn.facts.values[vid][1]
    return bool(items) and all(isinstance(fn.const(item), str) for item in items)


def _of_framework(project: Project, fn: Fn, vid: Vid) -> bool:
    """`request.POST.dict()` has what the client sent, unlike a schema's `dict()`."""
    models = [project.libraries.library_of(ref.name) for ref in project.refs(fn, vid) if ref.kind == "libinst"]
    return any(model is not None and model.kind == "web-framework" for model in models)


def _names_fields(project: Project, fn: Fn, depth: int) -> bool:
    """A helper that writes down which fields its result has."""
    found = fn.returned
    return bool(found) and all(narrowed(project, fn, vid, depth + DEEPEST) for vid in found)


def _part_narrowed(project: Project, fn: Fn, value: Value, depth: int) -> bool:
    """`sent, answer = send(order)`: that part of each pair that a helper gives."""
    inner = fn.unguarded(value[1])
    targets = project.targets(fn, fn.calls[inner[1]]) if inner[0] == "call" and depth < DEEPEST else ()
    pairs = [(target, target.value(vid)) for target in targets for vid in target.returned]
    return bool(pairs) and all(
        pair[0] == "tuple"
        and 0 <= value[2] < len(pair[1])
        and narrowed(project, target, pair[1][value[2]], depth + DEEPEST)
        for target, pair in pairs
    )
