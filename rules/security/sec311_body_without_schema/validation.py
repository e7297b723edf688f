"""Whether the body goes into a schema, a form, or a function that validates it."""

from __future__ import annotations

import re

from backendlint.api import Call, Cls, Fn, Project, Vid, derived, validated_by_decorator, validates

from .bodies import DEPTH, handed, taken_whole

VALIDATES = re.compile(
    r"valid|schema|serializer|(?<!trans)(?<!per)(?<!plat)(?<!con)(?<!re)(?<!in)form(set)?$|(^|_)form_"
)
"""Names of what is called, in lower case; `format()` and `transform()` look at nothing."""
STORAGE = {"db", "db-read", "db-write", "commit"}
DEFINED = ("create", "update", "partial_update", "post", "put", "patch")
"""Methods of library views that hold the body against the view's serializer or form."""


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
