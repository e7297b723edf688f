"""Data objects that are used as one value with all their fields: a form's cleaned data, what a schema loads or dumps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.linking.binding import bind, receiver

if TYPE_CHECKING:
    from backendlint.project.model import Project

VALIDATED = frozenset({"validated_data", "cleaned_data"})
"""Attributes of forms and serializers that hold what the fields let pass."""
DUMPS = frozenset({"model_dump", "model_dump_json", "dict", "json"})
_LOADS = frozenset({"load", "loads"})
_KEEPS = frozenset({"dict", "str", "repr", "dumps", "pformat", "copy", "jsonable_encoder", "asdict", "vars"})
"""Calls whose result shows all that they are given."""
_PARTIAL = ("include", "exclude", "only", "partial")
_HIDING = ("repr", "exclude", "dump_only", "read_only")
_SAME = frozenset({"conv", "guard", "await", "star"})
_DEPTH = 6


def filled_fields(project: Project, fn: Fn, vid: Vid, depth: int = _DEPTH) -> Iterator[tuple[Cls, str]]:
    """The fields, each with the class that declares it, of the data object that the value shows as a whole."""
    value = fn.facts.values[vid] if vid >= 0 and depth else ("unknown",)
    if value[0] in _SAME:
        yield from filled_fields(project, fn, value[1], depth - 1)
    elif value[0] == "dict":
        for key, item in value[1]:
            if fn.facts.values[item][0] in ("call", "attr") or key < 0:
                yield from filled_fields(project, fn, item, depth - 1)
    elif value[0] == "attr" and value[2] in VALIDATED:
        yield from _of_objects(project, project.refs(fn, value[1]), ("form", "serializer"))
    elif value[0] == "call":
        yield from _of_call(project, fn, fn.facts.calls[value[1]], depth)


def _of_call(project: Project, fn: Fn, call: Call, depth: int) -> Iterator[tuple[Cls, str]]:
    func, name = fn.facts.values[call.func], fn.callee_name(call)
    targets = project.targets(fn, call)
    whole = name in DUMPS and not call.args and all(call.kwarg(key) < 0 for key in _PARTIAL)
    if func[0] == "attr" and (whole or (name in _LOADS and not targets)):
        yield from _of_objects(project, project.refs(fn, func[1]), ("schema",))
    elif name in _KEEPS and not targets:
        inner = call.args[0] if call.args else receiver(fn, call)
        yield from filled_fields(project, fn, inner, depth - 1)
    elif len(targets) == 1 and targets[0] is not fn:
        yield from _of_helper(project, fn, call, targets[0], depth)


def _of_helper(project: Project, fn: Fn, call: Call, target: Fn, depth: int) -> Iterator[tuple[Cls, str]]:
    """What a helper gives back, `return schema.load(...)` with the schema that it is passed."""
    for item in target.facts.returns:
        value = target.unguarded(item.value) if item.value >= 0 and not item.is_yield else ("unknown",)
        index = _loading(target, value)
        if index >= 0:
            for passed, path in bind(fn, call, target).get(index, ()):
                yield from _of_objects(project, () if path else project.refs(fn, passed), ("schema",))
        elif value[0] in ("call", "attr"):
            yield from filled_fields(project, target, item.value, depth - 2 if depth > 1 else 0)


def _loading(fn: Fn, value: Value) -> int:
    """The parameter by which the value is loaded; -1 if it is made otherwise."""
    if value[0] != "call":
        return -1
    func = fn.facts.values[fn.facts.calls[value[1]].func]
    made = func[0] == "attr" and func[2] in _LOADS
    base = fn.unguarded(func[1]) if made else ("unknown",)
    return int(base[1]) if base[0] == "param" else -1


def _of_objects(project: Project, refs: tuple[Ref, ...], roles: tuple[str, ...]) -> Iterator[tuple[Cls, str]]:
    for ref in refs:
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        if cls is not None and project.hierarchy.role(cls) in roles:
            yield from ((owner, name) for owner in project.hierarchy.mro(cls) for name in _declared(project, owner))


def _declared(project: Project, cls: Cls) -> Iterator[str]:
    """The fields that a class declares, without those that it hides or masks."""
    for name, annotation in cls.facts.annotations.items():
        masked = any("Secret" in ref.name for ref in project.refs(cls.owner, annotation))
        if not masked and not _hidden(cls, cls.facts.attributes.get(name, -1)):
            yield name
    for name, vid in cls.facts.attributes.items():
        made = name not in cls.facts.annotations and cls.owner.facts.values[vid][0] == "call"
        if made and _is_field(project, cls, vid) and not _hidden(cls, vid):
            yield name


def _is_field(project: Project, cls: Cls, vid: Vid) -> bool:
    """`serializers.CharField()`, `fields.Str()`."""
    refs = project.callees(cls.owner, cls.owner.facts.calls[cls.owner.facts.values[vid][1]])
    return any(".fields." in ref.name or ref.name.endswith("Field") for ref in refs)


def _hidden(cls: Cls, vid: Vid) -> bool:
    value = cls.owner.facts.values[vid] if vid >= 0 else ("unknown",)
    call = cls.owner.facts.calls[value[1]] if value[0] == "call" else None
    flags = [cls.owner.const(call.kwarg(key)) for key in _HIDING if call.kwarg(key) >= 0] if call is not None else []
    return any(isinstance(flag, bool) for flag in flags)
