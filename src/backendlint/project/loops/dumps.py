"""Lists that are put through a serializer or a schema whose fields ask the database again: Django REST framework's and marshmallow's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.variables import display, variable
from backendlint.project.loops.adminlists import admin_lists
from backendlint.project.loops.responsemodels import entity_of
from backendlint.project.loops.serializers import MAX_DEPTH, FieldRead, Serialized
from backendlint.project.loops.serializers import serialized as by_serializers
from backendlint.project.rows.loaders import together
from backendlint.project.rows.origins import Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

__all__ = ["Serialized", "dumped_schemas", "serialized"]
SCHEMA = "marshmallow.Schema"
_NESTED, _LIST = ("Nested", "Pluck"), "List"


def serialized(project: Project) -> Iterator[Serialized]:
    """By Django REST framework's serializers, by Django's admin, then by marshmallow's schemas."""
    yield from by_serializers(project)
    yield from admin_lists(project)
    for fn, call in project.graph.calls_written("dump", "dumps"):
        if call.args:
            for schema, many in dumped_schemas(project, fn, call):
                if many or fn.const(call.kwarg("many")) is True:
                    yield from _dumped(project, fn, call, schema)


def dumped_schemas(project: Project, fn: Fn, call: Call) -> Iterator[tuple[Cls, bool]]:
    """The schema of `OrderSchema(many=True).dump(...)`, and whether it is for many; not one that is made to show less."""
    func = fn.value(call.func)
    if func[0] == "attr":
        owner, vid = display(project, fn, func[1])
    else:
        owner, vid = variable(project, fn, str(func[-1]).rpartition(".")[0]) or (fn, call.func)
    made = owner.unguarded(vid)
    maker = owner.calls[made[1]] if made[0] == "call" else None
    if maker is None or any(key in ("exclude", "only") for key, _ in maker.kwargs):
        return
    for ref in project.callees(owner, maker):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        if cls is not None and project.hierarchy.is_a(cls, SCHEMA):
            yield cls, owner.const(maker.kwarg("many")) is True


def _dumped(project: Project, fn: Fn, call: Call, schema: Cls) -> Iterator[Serialized]:
    rows = call.args[0]
    entity = entity_of(project, fn, rows, many=True)
    origins = project.origins.entities(fn, rows) if entity is not None else ()
    if entity is None or not origins or any(origin.awaited or not origin.known for origin in origins):
        return
    loads = together(origin.loads for origin in origins)
    for read in _reads(project, schema, entity, (), 0):
        if not loads.has((*origins[0].path, *read.path)):
            source = Step(fn.place(rows), "the objects come from here")
            yield Serialized(fn.location(call.span), fn.fqn, schema, read, source)


def _reads(project: Project, schema: Cls, entity: Cls, prefix: Path, depth: int) -> Iterator[FieldRead]:
    """Fields that read a relation of each object: nested schemas, and `fields.String(attribute="author.name")`."""
    seen: set[str] = set()
    for owner in project.hierarchy.mro(schema):
        for name, vid in owner.facts.attributes.items():
            home = owner.owner
            value = home.unguarded(vid)
            if value[0] != "call" or name in seen:
                continue
            seen.add(name)
            call = home.calls[value[1]]
            stated = home.const(call.kwarg("attribute"))
            parts = (stated if isinstance(stated, str) else name).split(".")
            path, target = _followed(project, entity, parts)
            nested, inner = _nested(project, home, call)
            if home.const(call.kwarg("load_only")) is True or not path or (len(path) == len(parts) and not nested):
                continue
            what = f"`{name}` reads `{'.'.join(path)}`"
            yield FieldRead((*prefix, *path), home.location(call.span), what, None)
            if inner is not None and target is not None and depth < MAX_DEPTH:
                yield from _reads(project, inner, target, (*prefix, *path), depth + 1)


def _followed(project: Project, entity: Cls, parts: list[str]) -> tuple[Path, Cls | None]:
    """The relations at the beginning of a dotted path, as far as reading them asks the database."""
    found = list(takewhile(lambda relation: relation.loads, project.associations.along(entity, parts)))
    return tuple(item.name for item in found), project.classes.get(found[-1].target) if found else entity


def _nested(project: Project, home: Fn, call: Call) -> tuple[bool, Cls | None]:
    """Whether a field is a nested schema, also in a list, and that of the project."""
    name = home.callee_name(call)
    first = call.args[0] if call.args else call.kwarg("nested")
    if name == _LIST and first >= 0:
        value = home.unguarded(first)
        return _nested(project, home, home.calls[value[1]]) if value[0] == "call" else (False, None)
    if name not in _NESTED or first < 0 or call.kwarg("only") >= 0:
        return name in _NESTED, None
    made = home.unguarded(first)
    refs = project.callees(home, home.calls[made[1]]) if made[0] == "call" else project.refs(home, first)
    return True, next((project.classes[ref.name] for ref in refs if ref.kind == "class"), None)
