"""GraphQL resolvers that ask the database once for each object of a list, and no DataLoader between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Span, Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.passing import decides, made_from, parts_of
from backendlint.project.linking.spelling import chain_name
from backendlint.project.loops.loops import plain
from backendlint.project.rows.associations import declared
from backendlint.project.rows.loaders import NOTHING, Loads
from backendlint.project.rows.managedrows import managed_path

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 4
_MANY = ("List", "Connection", "Connections")
"""Endings of the names of field types for many objects, in graphene and what builds upon it."""
_BATCHING = ".DataLoader"
PARENT = {0}
"""A resolver's parameter that is the parent object."""


class Resolved(NamedTuple):
    """A query that runs for each object of a list."""

    fn: Fn
    span: Span
    parent: Cls
    """The type of the objects."""
    what: str
    relation: str
    """The relation of the parent that loading with the list would spare, or ""."""
    steps: tuple[Step, ...]


class _Field(NamedTuple):
    """A field of a type, and what it gives."""

    target: str
    many: bool
    resolver: Fn | None


def resolved(project: Project) -> Iterator[Resolved]:
    """The resolvers of types that are listed somewhere, with their own queries."""
    if any(project.imports(name) for name in ("strawberry", "graphene", "strawberry_django", "graphene_django")):
        yield from _Types(project).found()


class _Types:
    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def fields(self) -> dict[str, list[_Field]]:
        """Fields with a type of the project, by the class that has them."""
        found: dict[str, list[_Field]] = {}
        for cls in self.project.classes.values():
            if self._annotated(cls):
                found[cls.fqn] = list(self._by_annotation(cls))
            elif self._prefix(cls):
                found[cls.fqn] = list(self._by_call(cls))
        return found

    @cached_property
    def listed(self) -> frozenset[str]:
        """Types of which a response may have many objects: in a list, or in what is in a list."""
        todo = [item.target for items in self.fields.values() for item in items if item.many]
        found: set[str] = set()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += [item.target for item in self.fields.get(name, ())]
        return frozenset(found)

    def found(self) -> Iterator[Resolved]:
        """What the resolvers of listed types ask."""
        for name in self.fields:
            if name not in self.listed:
                continue
            cls = self.project.classes[name]
            prefix = self._prefix(cls)
            for method in cls.methods.values():
                if method.name.startswith(prefix) if prefix else self._resolves(method):
                    yield from self._judged(cls, method)

    # the types

    def _annotated(self, cls: Cls) -> bool:
        """A class whose annotations are fields: `@strawberry.type`."""
        home = cls.owner
        for vid in cls.facts.decorators:
            value = home.facts.values[vid]
            func = home.facts.calls[value[1]].func if value[0] == "call" else vid
            for ref in self.project.refs(home, func):
                model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
                if model is not None and model.dataclass and model.library == "graphql":
                    return True
        return False

    def _prefix(self, cls: Cls) -> str:
        """How the names of the class's resolvers begin."""
        return self.project.hierarchy.resolvers(cls)

    def _resolves(self, method: Fn) -> bool:
        return any(
            model is not None and model.resolver
            for ref in method.decorators
            for model in [self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None]
        )

    def _by_annotation(self, cls: Cls) -> Iterator[_Field]:
        types = self.project.resolver.types
        for annotation in cls.facts.annotations.values():
            yield from self._targets(types.annotation(cls.owner, annotation), None)
        for method in cls.methods.values():
            if method.facts.returns_annotation >= 0:
                refs = types.annotation(method.parent or method, method.facts.returns_annotation)
                yield from self._targets(refs, method)

    def _targets(self, refs: tuple[Ref, ...], resolver: Fn | None) -> Iterator[_Field]:
        for ref in refs:
            if ref.kind == "inst":
                yield _Field(ref.name, False, resolver)
            if ref.arg is not None and ref.arg.kind == "inst":
                yield _Field(ref.arg.name, True, resolver)

    def _by_call(self, cls: Cls) -> Iterator[_Field]:
        for name, vid in cls.facts.attributes.items():
            if cls.owner.facts.values[vid][0] == "call":
                resolver = cls.methods.get(f"{self._prefix(cls)}{name}")
                yield from self._called(cls.owner, vid, False, resolver)

    def _called(self, home: Fn, vid: Vid, many: bool, resolver: Fn | None, depth: int = 0) -> Iterator[_Field]:
        """`graphene.Field(graphene.List(lambda: Post))`."""
        if depth > MAX_DEPTH or vid < 0:
            return
        value = home.facts.values[vid]
        if value[0] == "call":
            call = home.facts.calls[value[1]]
            func = home.facts.values[call.func]
            name = str(func[1] if func[0] == "name" else func[2] if func[0] == "attr" else "").rpartition(".")[2]
            inner = many or name.replace("Field", "").endswith(_MANY)
            for arg in (*call.args[:1], call.kwarg("of_type"), call.kwarg("type_")):
                yield from self._called(home, arg, inner, resolver, depth + 1)
            return
        for ref in self._classes(home, vid):
            node = self._node(self.project.classes[ref])
            yield _Field(node or ref, many or bool(node), resolver)

    def _classes(self, home: Fn, vid: Vid) -> Iterator[str]:
        """The class that a value names, also by a lambda or as text."""
        text = home.const(vid)
        if isinstance(text, str):
            yield from (ref.name for ref in self.project.resolver.dotted(text, home.file.module) if ref.kind == "class")
            return
        for ref in self.project.refs(home, vid):
            if ref.kind == "class":
                yield ref.name
            elif ref.kind == "func":
                function = self.project.functions[ref.name]
                for item in function.facts.returns:
                    yield from (
                        inner.name for inner in self.project.refs(function, item.value) if inner.kind == "class"
                    )

    def _node(self, cls: Cls) -> str:
        """`Meta.node` of a connection."""
        meta = self.project.classes.get(f"{cls.fqn}.Meta")
        vid = meta.facts.attributes.get("node", -1) if meta is not None else -1
        return next(iter(self._classes(meta.owner, vid)), "") if meta is not None and vid >= 0 else ""

    # what resolvers ask

    def _judged(self, cls: Cls, fn: Fn) -> Iterator[Resolved]:
        """The first query that is made from the parent object."""
        for query in self.project.queries.direct(fn):
            if query.kind == "read" and made_from(fn, parts_of(query), PARENT):
                relation = managed_path(self.project, query, 0)
                if not relation or not self._loaded(cls).has(relation):
                    yield Resolved(fn, query.span, cls, query.name, ".".join(relation), ())
                return
        for edge in self.project.graph.callees(fn):
            if edge.call is None or edge.kind != "call" or self.project.queries.cached(edge.callee):
                continue
            edges, deep = self.project.queries.chain(edge.callee)
            way = (edge, *edges)
            if deep is None or any(self._batches(item.callee) for item in way):
                continue
            if decides(way, deep, lambda vid: made_from(fn, (vid,), PARENT), closures=False):
                yield Resolved(fn, edge.call.span, cls, deep.name, "", self.project.queries.steps(edge.callee))
                return
        yield from self._returned(cls, fn)

    def _returned(self, cls: Cls, fn: Fn) -> Iterator[Resolved]:
        """Query objects and relations that are handed to the library, which reads them."""
        for item in fn.facts.returns:
            if item.value < 0:
                continue
            vid = plain(fn, item.value)
            while fn.facts.values[vid][0] == "slice":
                vid = plain(fn, fn.facts.values[vid][1])
            if not made_from(fn, (vid,), PARENT):
                continue
            relation = declared(self.project, fn, vid)
            if relation is not None:
                asks = relation.loads and fn.facts.values[fn.facts.values[vid][1]] == ("param", 0)
                if asks and not self._loaded(cls).has((relation.name,)):
                    yield Resolved(fn, fn.facts.span_of(vid), cls, relation.name, relation.name, ())
                    return
            elif self.project.queries.unsent(fn, vid) is not None:
                managed = self._manager(fn, vid)
                if not managed or not self._loaded(cls).has((managed,)):
                    yield Resolved(fn, fn.facts.span_of(vid), cls, chain_name(fn, vid), managed, ())
                    return

    def _manager(self, fn: Fn, vid: Vid) -> str:
        """`root.comments.all()`: the relation, which prefetching would load."""
        value = fn.facts.values[vid]
        if value[0] != "call":
            return ""
        func = fn.facts.values[fn.facts.calls[value[1]].func]
        if func[0] != "attr" or func[2] != "all":
            return ""
        relation = declared(self.project, fn, func[1])
        return relation.name if relation is not None else ""

    def _loaded(self, cls: Cls) -> Loads:
        """What the resolvers load that list the type."""
        found = NOTHING
        for items in self.fields.values():
            for item in items:
                if item.target == cls.fqn and item.many and item.resolver is not None:
                    for out in item.resolver.facts.returns:
                        for origin in self.project.origins.of(item.resolver, out.value) if out.value >= 0 else ():
                            found = found.merged(origin.loads)
        return found

    def _batches(self, fn: Fn) -> bool:
        return fn.cls is not None and any(
            base.endswith(_BATCHING) for base in self.project.hierarchy.library_bases(fn.cls)
        )
