"""Relations that are read once for each item of a loop, and that the items' query did not load."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Span, Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import barred, given
from backendlint.project.linking.binding import bind
from backendlint.project.loops.loops import behind, block_at, grows, loops_around, plain, side_by_side, stops_early
from backendlint.project.loops.responsemodels import schema_reads
from backendlint.project.rows.associations import AWAITED, Relation, declared
from backendlint.project.rows.inhand import rows_in_hand
from backendlint.project.rows.loaders import by_callers
from backendlint.project.rows.origins import Origin, Path
from backendlint.project.rows.origins import Step as Sent

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 4
"""Calls through which a relation read of a parameter is followed."""
SESSIONS = frozenset({"sqlalchemy", "flask_extensions", "sqlmodel"})
"""Libraries whose sessions hold each row once."""
MAX_READS = 24
"""Reads through callees that are kept of one function."""


class LazyRead(NamedTuple):
    """A relation that is read once for each item, and asks the database each time."""

    fn: Fn
    span: Span
    loop: Span
    relation: Relation
    path: Path
    steps: tuple[Step, ...]
    """The way to the attribute where it is read in a callee."""
    query: Step | None
    """The query that should load it."""


class _Root(NamedTuple):
    """What a relation is read from: an item of a loop (its iterable's vid) or a parameter, and the relations between."""

    kind: str
    vid: Vid
    path: Path


class ParamRead(NamedTuple):
    """A relation that a function reads from one of its parameters."""

    slot: int
    """The parameter's index."""
    path: Path
    relation: Relation
    steps: tuple[Step, ...]
    span: Span | None = None
    """Where the function reads it, or calls what does."""

    @property
    def key(self) -> tuple[int, Path, Relation]:
        """What is read, by whatever way."""
        return self.slot, self.path, self.relation


class LazyReads:
    """Relations read in loops; reads of parameters are followed from callees to the loop."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._by_attribute: dict[str, dict[tuple[str, Span], list[Vid]]] = {}
        self._reads: dict[str, list[tuple[Vid, Relation]]] = {}

    @cached_property
    def found(self) -> list[LazyRead]:
        """All of them in reviewed files, the first one of each relation and function."""
        reads: list[LazyRead] = []
        looping = set(self.project.functions_with("for", "comp"))
        for fn in self.project.reviewed():
            reads += self._own(fn)
            reads += self._passed(fn, loops=fn in looping)
            if fn in looping:
                reads += self._validated(fn)
        unique: dict[tuple[str, str, str], LazyRead] = {}
        for read in sorted(reads, key=lambda item: (item.fn.fqn, item.span)):
            unique.setdefault((read.fn.fqn, read.relation.owner, read.relation.name), read)
        return list(unique.values())

    def _relations(self, fn: Fn) -> list[tuple[Vid, Relation]]:
        """The relations that the function reads, with the values that are the reads."""
        known = self._reads.get(fn.fqn)
        if known is None:
            known = self._reads[fn.fqn] = list(self._find(fn))
        return known

    def _find(self, fn: Fn) -> Iterator[tuple[Vid, Relation]]:
        names = self.project.associations.names
        awaited = {fn.facts.values[vid][1] for vid in fn.made_by("await")}
        for vid in fn.made_by("attr"):
            if fn.facts.values[vid][2] in names:
                relation = declared(self.project, fn, vid)
                if relation is not None and (relation.loads or (relation.lazy == AWAITED and vid in awaited)):
                    yield vid, relation

    def _own(self, fn: Fn) -> Iterator[LazyRead]:
        for vid, relation in self._relations(fn):
            span = fn.facts.span_of(vid)
            root = self._root(fn, fn.facts.values[vid][1], ())
            if root is None or root.kind != "item":
                continue
            yield from self._judged(fn, span, root, relation, (), block_at(fn, span))

    def _judged(
        self, fn: Fn, span: Span, root: _Root, relation: Relation, steps: tuple[Step, ...], block: int
    ) -> Iterator[LazyRead]:
        loop = self._loop_over(fn, root.vid, block)
        if loop < 0 or stops_early(fn, block, loop) or not grows(self.project, fn, loop) or rows_in_hand(fn, loop):
            return
        for origin in self.project.origins.of(fn, root.vid):
            path = (*origin.path, *root.path, relation.name)
            if self.project.associations.leads_back(path[:-1], relation) or self._of_one(origin, root.path, relation):
                continue
            asks = origin.known and origin.steps and not origin.awaited and not origin.ops & {"values", "none"}
            asks = asks and not by_callers(self.project, origin, path)
            if asks and not origin.loads.has(path) and not self._one_for_all(origin, (*root.path, relation.name)):
                last = origin.steps[0]
                query = last.fn.step(last.call.span, f"the query does not load `{relation.name}`")
                yield LazyRead(fn, span, fn.facts.blocks[loop].span, relation, root.path, steps, query)
                return

    def _of_one(self, origin: Origin, path: Path, relation: Relation) -> bool:
        """Whether the path to the relation's owner is the way back to the one row that has all items: `ship.harbour.country` of
        `harbour.ships` is read of one harbour."""
        owner = self.project.classes[relation.owner]
        came = self.project.associations.find(owner, origin.path[-1]) if origin.path and len(path) == 1 else None
        item = self.project.classes.get(came.target) if came is not None else None
        back = self.project.associations.find(item, path[0]) if item is not None else None
        return back is not None and self.project.hierarchy.subclass_of(back.target, relation.owner)

    def _one_for_all(self, origin: Origin, path: Path) -> bool:
        """Whether the query picks the items by the first relation of the path, so that all of them have the same one, which a
        session holds after the first read: `query.filter_by(harbour_id=...)`, then `item.harbour`."""
        if origin.path:
            return False
        names = {path[0], f"{path[0]}_id"}
        return any(_picks(self.project, step, names) for step in origin.steps if step.model.library in SESSIONS)

    def _loop_over(self, fn: Fn, iterable: Vid, block: int) -> int:
        for number, item in loops_around(fn, block):
            if item.value >= 0 and iterable in (item.value, plain(fn, item.value), *side_by_side(fn, item.value)):
                return number
        return -1

    def _root(self, fn: Fn, vid: Vid, path: Path, depth: int = 12) -> _Root | None:
        value = fn.facts.values[vid]
        if depth == 0:
            return None
        if value[0] in ("guard", "await", "setattr", "mut", "store"):
            return self._root(fn, value[1], path, depth - 1)
        source = behind(fn, value)
        if source >= 0 or value[0] in ("elem", "unpack"):
            return _Root("item", source if source >= 0 else value[1], path)
        if value[0] == "param":
            return _Root("param", value[1], path)
        if value[0] == "attr":
            relation = declared(self.project, fn, vid)
            return self._root(fn, value[1], (value[2], *path), depth - 1) if relation is not None else None
        return None

    def _validated(self, fn: Fn) -> Iterator[LazyRead]:
        """`Schema.model_validate(item)`: what filling the schema reads of the item."""
        for call in fn.calls:
            if not call.args or not any(
                model.schema in ("validate", "serialize") for model in self.project.models(fn, call)
            ):
                continue
            schemas = [ref for ref in self.project.refs(fn, call.value) if ref.kind == "inst"]
            entities = [ref for ref in self.project.refs(fn, call.args[0]) if ref.kind == "inst"]
            root = self._root(fn, call.args[0], ()) if schemas and entities else None
            if root is None or root.kind != "item":
                continue
            schema, entity = self.project.classes[schemas[0].name], self.project.classes[entities[0].name]
            for read in schema_reads(self.project, schema, entity):
                if read.relation.loads:
                    step = Step(read.location, f"the field reads `{read.path[-1]}`, which asks the database")
                    whole = root._replace(path=(*root.path, *read.path[:-1]))
                    yield from self._judged(fn, call.span, whole, read.relation, (step,), call.block)

    # reads in callees

    def of_self(self, method: Fn) -> list[ParamRead]:
        """Relations that a method or property reads from its own object, itself or through what it calls."""
        return [read for read in self._by_param.get(method.fqn, ()) if read.slot == 0]

    @cached_property
    def _by_param(self) -> dict[str, list[ParamRead]]:
        """Relations that functions read from their parameters, themselves or through what they call."""
        found: dict[str, dict[tuple[int, Path, Relation], ParamRead]] = {}
        for fn in self.project.all_functions():
            for vid, relation in self._relations(fn):
                root = self._root(fn, fn.facts.values[vid][1], ())
                if root is not None and root.kind == "param" and not _of_new(fn, root, fn.facts.span_of(vid)):
                    step = fn.step(fn.facts.span_of(vid), f"reads `{relation.name}`, which asks the database")
                    read = ParamRead(root.vid, root.path, relation, (step,), fn.facts.span_of(vid))
                    found.setdefault(fn.fqn, {}).setdefault(read.key, read)
        frontier = {fqn: list(reads.values()) for fqn, reads in found.items()}
        for _ in range(MAX_DEPTH):
            following: dict[str, list[ParamRead]] = {}
            for fqn, reads in frontier.items():
                for edge in self.project.graph.callers(self.project.functions[fqn]):
                    for read, root in self._arguments(edge, reads):
                        if root.kind == "param" and not _of_new(edge.caller, root, edge.span):
                            step = edge.caller.step(edge.span, f"calls {edge.callee.name}()")
                            path, steps = (*root.path, *read.path), (step, *read.steps)
                            lifted = ParamRead(root.vid, path, read.relation, steps, edge.span)
                            known = found.setdefault(edge.caller.fqn, {})
                            if lifted.key not in known and len(known) < MAX_READS:
                                known[lifted.key] = lifted
                                following.setdefault(edge.caller.fqn, []).append(lifted)
            frontier = following
        return {fqn: list(reads.values()) for fqn, reads in found.items()}

    def _attributes(self, fn: Fn) -> dict[tuple[str, Span], list[Vid]]:
        """What attributes of this name are read from, by name and place."""
        known = self._by_attribute.get(fn.fqn)
        if known is None:
            known = self._by_attribute[fn.fqn] = {}
            for vid in fn.made_by("attr"):
                _, base, name = fn.facts.values[vid]
                known.setdefault((name, fn.facts.span_of(vid)), []).append(base)
        return known

    def _arguments(self, edge: Edge, reads: list[ParamRead]) -> Iterator[tuple[ParamRead, _Root]]:
        caller = edge.caller
        if edge.kind == "property" and edge.call is None:
            for vid in self._attributes(caller).get((edge.callee.name, edge.span), ()):
                root = self._root(caller, vid, ())
                yield from ((read, root) for read in reads if read.slot == 0 and root is not None)
            return
        if edge.call is None or edge.kind != "call":
            return
        bound, known = bind(caller, edge.call, edge.callee), given(edge)
        for read in reads:
            span = read.span  # `show(row, with_lines=False)` may not come to it
            if known and span is not None and barred(edge.callee, block_at(edge.callee, span), span, known):
                continue
            for vid, part in bound.get(read.slot, ()):
                root = self._root(caller, vid, ()) if not part else None
                if root is not None:
                    yield read, root

    def _untyped(self, fn: Fn, edge: Edge) -> list[ParamRead]:
        """What a callee without annotations reads of the loop's items that are passed to it."""
        if edge.kind != "call" or edge.call is None:
            return []
        passed = edge.call.passed
        if not any(fn.facts.values[plain(fn, vid)][0] in ("elem", "unpack") for vid in passed):
            return []
        found: list[ParamRead] = []
        for slot, items in bind(fn, edge.call, edge.callee).items():
            if self.project.resolver.param(edge.callee, slot):
                continue
            for vid, part in items:
                entity = next((ref.name for ref in self.project.refs(fn, vid) if ref.kind == "inst"), "")
                if not part and entity and fn.facts.values[plain(fn, vid)][0] in ("elem", "unpack"):
                    found += self._read_of(edge.callee, slot, self.project.classes[entity])
        return found

    def _read_of(self, fn: Fn, slot: int, entity: Cls) -> Iterator[ParamRead]:
        """Relations that a function reads of a parameter, given what is passed."""
        if self.project.hierarchy.role(entity) != "model":
            return
        for vid in fn.made_by("attr"):
            names = _attributes_of(fn, vid, slot)
            if not names:
                continue
            found = list(self.project.associations.along(entity, names))
            if len(found) == len(names) and found[-1].loads and not any(relation.manager for relation in found[:-1]):
                step = fn.step(fn.facts.span_of(vid), f"reads `{names[-1]}`, which asks the database")
                yield ParamRead(slot, tuple(names[:-1]), found[-1], (step,))

    def _passed(self, fn: Fn, *, loops: bool) -> Iterator[LazyRead]:
        for edge in self.project.graph.callees(fn):
            reads = self._by_param.get(edge.callee.fqn) or (self._untyped(fn, edge) if loops else None)
            if not reads:
                continue
            for read, root in self._arguments(edge, reads):
                if root.kind == "item":
                    whole = root._replace(path=(*root.path, *read.path))
                    yield from self._judged(fn, edge.span, whole, read.relation, read.steps, edge.block)


def _of_new(fn: Fn, root: _Root, span: Span) -> bool:
    """Whether a method comes there only for a row that is not stored yet, which no query gives: `if is_new and self.owner`."""
    if root.vid != 0 or fn.cls is None:
        return False
    tests = (*fn.tests_of(block_at(fn, span)), *fn.operands_before(span))
    return any(_says_new(fn, vid, outcome) for vid, outcome in tests)


def _says_new(fn: Fn, vid: Vid, outcome: bool) -> bool:
    """`self.pk is None`, `not self.id`, `self._state.adding`, also where a name holds it."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "not":
        return _says_new(fn, value[1], not outcome)
    if value[0] == "bool":
        return (value[1] == "and") is outcome and any(_says_new(fn, part, outcome) for part in value[2])
    if value[0] == "compare" and value[1][0] in ("is", "is not") and fn.const(value[2][1]) is None:
        vid, outcome = value[2][0], outcome is (value[1][0] == "is not")
        value = fn.unguarded(vid)
    elif value[0] == "attr" and value[2] == "adding":
        return outcome and fn.unguarded(value[1])[-1] == "_state"
    return not outcome and value[0] == "attr" and value[2] in ("id", "pk") and fn.unguarded(value[1]) == ("param", 0)


def _picks(project: Project, step: Sent, names: set[str]) -> bool:
    """Whether a condition of a query's call compares a column or relation of one of these names with one value."""
    fn, call = step.fn, step.call
    if call.kwargs and fn.callee_name(call) == "filter_by" and any(key in names for key, _ in call.kwargs):
        return True
    return any(_fixes(project, fn, vid, names) for vid in call.args)


def _fixes(project: Project, fn: Fn, vid: Vid, names: set[str]) -> bool:
    """`Berth.harbour_id == number`, `Berth.harbour_id.is_(None)`."""
    value = fn.unguarded(vid)
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        owner, _, method = fn.dotted(call.func).rpartition(".")
        null = bool(call.args) and fn.const(call.args[0]) is None
        return method == "is_" and null and owner.rpartition(".")[2] in names
    if value[0] != "compare" or value[1] != ("==",):
        return False
    columns = [side for side in value[2] if _is_column(project, fn, side)]
    return len(columns) == 1 and fn.dotted(columns[0]).rpartition(".")[2] in names


def _is_column(project: Project, fn: Fn, vid: Vid) -> bool:
    """An attribute of a class."""
    value = fn.unguarded(vid)
    if value[0] == "attr":
        return any(ref.kind == "class" for ref in project.refs(fn, value[1]))
    if value[0] != "name":
        return False
    target = project.modules.resolve(str(value[1]).rpartition(".")[0], fn.file.module)
    return target.kind == "class"


def _attributes_of(fn: Fn, vid: Vid, slot: int) -> tuple[str, ...]:
    """The names in `parameter.a.b`; empty for anything else."""
    names: tuple[str, ...] = ()
    value = fn.facts.values[vid]
    while value[0] == "attr":
        names = (str(value[2]), *names)
        value = fn.facts.values[plain(fn, value[1])]
    return names if value == ("param", slot) else ()
