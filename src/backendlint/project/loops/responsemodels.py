"""Relations that response models read of each entity of a list, and that the list's query did not load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.loops.loops import plain
from backendlint.project.rows.associations import Relation
from backendlint.project.rows.loaders import Loads, together
from backendlint.project.rows.origins import Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 5
_LIST = "builtins.list"
_FASTAPI = "fastapi"


class FieldRead(NamedTuple):
    """A field of a schema that is filled from a relation of the entity."""

    path: Path
    relation: Relation
    location: Location
    schema: Cls
    each: bool
    """A relation to many lies between: it is read for each even where only one entity is shown."""


class Responded(NamedTuple):
    """A relation that the response model reads of each entity in a list."""

    place: Location
    function: str
    schema: Cls
    """The model of the elements."""
    read: FieldRead
    many: bool
    """Whether a list is returned, not one object that has lists."""


def schema_reads(
    project: Project, schema: Cls, entity: Cls, prefix: Path = (), each: bool = False, depth: int = 0
) -> Iterator[FieldRead]:
    """Relations that filling the schema from the entity's attributes reads, nested schemas included."""
    if depth > MAX_DEPTH:
        return
    seen: set[str] = set()
    for owner in project.hierarchy.mro(schema):
        for name, annotation in owner.facts.annotations.items():
            if name in seen or project.associations.find(schema, name) is not None:
                continue
            seen.add(name)
            relation = project.associations.find(entity, name)
            path = (*prefix, name)
            location = _field(owner, name)
            if relation is not None:
                yield FieldRead(path, relation, location, owner, each)
                target = project.classes.get(relation.target)
                inner = _schema_of(project, owner.owner, annotation)
                if inner is not None and target is not None:
                    yield from schema_reads(project, inner, target, path, each or relation.many, depth + 1)
                continue
            method = project.method(entity, name)
            for read in project.lazy_reads.of_self(method) if method is not None and method.kind == "property" else ():
                whole = (*prefix, *read.path, read.relation.name)
                yield FieldRead(whole, read.relation, location, owner, each)


def _field(owner: Cls, name: str) -> Location:
    span = owner.facts.field_spans.get(name, owner.facts.header)
    return Location(owner.path, span.line, span.column + 1, span.end_line, span.end_column + 1)


def _schema_of(project: Project, home: Fn, annotation: Vid) -> Cls | None:
    """The schema that an annotation names, alone or as an element."""
    for ref in project.resolver.types.annotation(home, annotation):
        item: Ref | None = ref
        while item is not None:
            if item.kind == "inst":
                return project.classes[item.name]
            item = item.arg
    return None


def responded(project: Project) -> Iterator[Responded]:
    """What the response models of routes read of the entities that their handlers return."""
    done: set[tuple[str, str, Path]] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.framework != _FASTAPI or not route.documented:
            continue
        for ref in _declared(project, fn, route.response_model):
            for item in fn.facts.returns:
                for found in _Match(project, fn).values(item.value, ref, None):
                    key = (fn.fqn, found.schema.fqn, found.read.path)
                    if key not in done:
                        done.add(key)
                        yield found


def _declared(project: Project, fn: Fn, stated: object) -> tuple[Ref, ...]:
    """The type of the response: `response_model=`, else the annotation of the result."""
    from backendlint.project.routes import Origin

    types = project.resolver.types
    if isinstance(stated, Origin):
        return types.annotation(stated.fn, stated.vid)
    return types.annotation(fn.parent or fn, fn.facts.returns_annotation)


class _Match:
    """What a handler returns against the type that it is put into."""

    def __init__(self, project: Project, fn: Fn) -> None:
        self.project = project
        self.fn = fn

    def values(self, vid: Vid, ref: Ref, outer: Ref | None, depth: int = 0) -> Iterator[Responded]:
        """A value against a type; `outer` is the argument of the generic model around it."""
        if vid < 0 or depth > MAX_DEPTH:
            return
        vid = plain(self.fn, vid)
        value = self.fn.facts.values[vid]
        if value[0] in ("phi", "bool"):
            for item in value[1] if value[0] == "phi" else value[2]:
                yield from self.values(item, ref, outer, depth + 1)
        elif ref.kind == "libinst" and ref.name == _LIST:
            element = ref.arg or outer
            if element is not None and element.kind == "inst":
                yield from self._judged(vid, self.project.classes[element.name], many=True)
        elif ref.kind == "inst":
            schema = self.project.classes[ref.name]
            parts = dict(self._parts(vid))
            for name, item in parts.items():
                for inner in self._annotated(schema, name):
                    yield from self.values(item, inner, ref.arg, depth + 1)
            if not parts:
                yield from self._judged(vid, schema, many=False)

    def _parts(self, vid: Vid) -> Iterator[tuple[str, Vid]]:
        """`{"items": rows}` and `Page(items=rows)` by name."""
        value = self.fn.facts.values[vid]
        if value[0] == "dict":
            for key, item in value[1]:
                name = self.fn.const(key)
                if isinstance(name, str):
                    yield name, item
        elif value[0] == "call":
            call = self.fn.facts.calls[value[1]]
            if any(ref.kind == "class" for ref in self.project.callees(self.fn, call)):
                yield from ((key, item) for key, item in call.kwargs if key != "**")

    def _annotated(self, schema: Cls, name: str) -> tuple[Ref, ...]:
        for owner in self.project.hierarchy.mro(schema):
            if name in owner.facts.annotations:
                return self.project.resolver.types.annotation(owner.owner, owner.facts.annotations[name])
        return ()

    def _judged(self, vid: Vid, schema: Cls, *, many: bool) -> Iterator[Responded]:
        entity = entity_of(self.project, self.fn, vid, many=many)
        if entity is None:
            return
        origins = self.project.origins.entities(self.fn, vid)
        if not origins or any(origin.awaited for origin in origins):
            return
        base, loads = origins[0].path, together(origin.loads for origin in origins)
        for read in schema_reads(self.project, schema, entity):
            if (many or read.each) and self._asks(read, base, loads):
                place = self._place(vid)
                yield Responded(place, self.fn.fqn, schema, read, many)
                return

    def _asks(self, read: FieldRead, base: Path, loads: Loads) -> bool:
        path = (*base, *read.path)
        back = self.project.associations.leads_back(path[:-1], read.relation)
        return read.relation.loads and not back and not loads.has(path)

    def _place(self, vid: Vid) -> Location:
        """The query, where the handler itself makes it; else where it gets the result."""
        for origin in self.project.origins.of(self.fn, vid):
            step = origin.sent_in(self.fn)
            if step is not None:
                return step.fn.location(step.call.span)
        return self.fn.place(vid)


def entity_of(project: Project, fn: Fn, vid: Vid, *, many: bool) -> Cls | None:
    """The model of which a value is a row, or, if `many`, holds rows."""
    for ref in project.refs(fn, vid):
        for item in project.resolver.element(ref) if many else (ref,):
            cls = project.classes.get(item.name) if item.kind == "inst" else None
            if cls is not None and project.hierarchy.role(cls) == "model":
                return cls
    return None
