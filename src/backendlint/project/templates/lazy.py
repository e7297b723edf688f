"""Relations that a template reads once for each element that it shows, and that nobody loaded with the elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.findings.model import Location, Step
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.loops.loops import few
from backendlint.project.rows.loaders import NOTHING, Loads, together
from backendlint.project.rows.managedrows import managed_path
from backendlint.project.rows.origins import Origin, Path
from backendlint.project.templates.expand import Seen, Templates
from backendlint.project.templates.syntax import EACH
from backendlint.project.templates.views import Passed, Rendering, entity_of, renderings

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PREFETCHED = frozenset({"all", "count", "exists", "first", "iterate"})
"""Operations of a to-many manager that use rows which were prefetched."""


class TemplateRead(NamedTuple):
    """A query that a template causes for each element of a loop."""

    place: Location
    """The query that gives the elements, or where it is passed on."""
    function: str
    template: str
    shown: Location
    """The line of the template."""
    what: str
    """What the template reads, as `order.customer`."""
    path: Path
    """Relations that should be loaded; empty where something else asks the database."""
    owner: str
    """Fqn of the model that has the relation."""
    steps: tuple[Step, ...]


class _State(NamedTuple):
    """What an expression gives so far."""

    refs: tuple[Ref, ...]
    path: Path
    each: bool
    """Whether it is one of many."""
    pending: bool = False
    """A manager or query of a relation, not sent yet."""
    shared: bool = False
    """Reached by the way back to the one entity whose elements were passed: all of them have the very same."""


def template_reads(project: Project) -> Iterator[TemplateRead]:
    """All of them, each relation once a query."""
    templates = Templates(project.template_files, project.sources)
    if not templates:
        return
    told: set[tuple[Location, str]] = set()
    expanded: dict[str, dict[str, list[Seen]]] = {}
    for rendering in renderings(project):
        if not any(entity_of(project, item) for values in rendering.context.values() for item in values):
            continue
        for name in rendering.names:
            path = templates.find(name, rendering.fn.path)
            if not path:
                continue
            if path not in expanded:
                expanded[path] = _by_root(templates.reads(path))
            for item in _Judge(project, rendering, path).reads(expanded[path]):
                key = (item.place, item.what)
                if key not in told:
                    told.add(key)
                    yield item


def _by_root(seen: list[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for item in seen:
        if EACH in item.access.path:
            found.setdefault(item.access.root, []).append(item)
    return found


class _Judge:
    """One template's reads against the values that one view passes."""

    def __init__(self, project: Project, rendering: Rendering, template: str) -> None:
        self.project = project
        self.rendering = rendering
        self.template = template
        self.given: Path = ()
        """The relations that lead from a query's own entity to what is passed: `depot.crates.all()`."""

    def reads(self, by_root: dict[str, list[Seen]]) -> Iterator[TemplateRead]:
        """What asks the database for each element."""
        for name, values in self.rendering.context.items():
            for passed in values if name in by_root else ():
                origins = self.project.origins.entities(passed.fn, passed.vid) if not passed.entity else ()
                state = _State(self._refs(passed), origins[0].path if origins else (), False)
                if not state.refs or not (origins or passed.entity) or any(origin.awaited for origin in origins):
                    continue
                loads, place, function = self._source(passed, origins)
                self.given = state.path
                handful = passed.vid >= 0 and few(self.project, passed.fn, passed.vid)
                for seen in by_root[name]:
                    if handful and seen.access.path.count(EACH) == 1:
                        continue
                    for item in self._walk(seen, state, loads, place, function):
                        yield item._replace(path=item.path[len(state.path) :])

    def _refs(self, passed: Passed) -> tuple[Ref, ...]:
        if passed.entity:
            one = Ref("inst", passed.entity)
            return (one,) if passed.one else (Ref("libinst", "builtins.list", one),)
        refs = self.project.refs(passed.fn, passed.vid)
        return tuple(ref.arg for ref in refs if ref.arg is not None) if passed.one else refs

    def _source(self, passed: Passed, origins: tuple[Origin, ...]) -> tuple[Loads, Location, str]:
        """What the value's query loads, and where it stands."""
        if passed.entity:
            return NOTHING, passed.fn.location(passed.span or self.rendering.span), self.rendering.fn.fqn
        return together(origin.loads for origin in origins), self._place(passed, origins), passed.fn.fqn

    def _place(self, passed: Passed, origins: tuple[Origin, ...]) -> Location:
        """The query, where the view itself makes it; else where the view gets its result."""
        for origin in origins:
            step = origin.sent_in(passed.fn)
            if step is not None:
                return step.fn.location(step.call.span)
        if passed.fn.facts.values[passed.vid][0] in ("call", "await", "attr", "slice"):
            return passed.fn.place(passed.vid)
        return self.rendering.fn.location(self.rendering.span)

    def _walk(self, seen: Seen, state: _State, loads: Loads, place: Location, function: str) -> Iterator[TemplateRead]:
        shown = Location(seen.path, seen.line, 1, seen.line, 1)
        for index, name in enumerate(seen.access.path):
            if name == EACH:
                elements = tuple(item for ref in state.refs for item in self.project.resolver.element(ref))
                state = _State(elements, state.path, True)
                continue
            following, asked = self._member(state, name, loads)
            if asked is not None:
                path, owner, steps = asked
                text = ".".join(part for part in seen.access.path[: index + 1] if part != EACH)
                what = f"{seen.access.root}.{text}" if text else seen.access.root
                yield TemplateRead(place, function, self.template, shown, what, path, owner, steps)
                return
            if following is None:
                return
            state = following

    def _member(
        self, state: _State, name: str, loads: Loads
    ) -> tuple[_State | None, tuple[Path, str, tuple[Step, ...]] | None]:
        for ref in state.refs:
            if ref.kind == "inst":
                return self._of_entity(self.project.classes[ref.name], state, name, loads)
            if ref.kind == "libinst":
                return self._of_library(ref, state, name, loads)
        return None, None

    def _of_entity(
        self, cls: Cls, state: _State, name: str, loads: Loads
    ) -> tuple[_State | None, tuple[Path, str, tuple[Step, ...]] | None]:
        relation = self.project.associations.find(cls, name)
        path = (*state.path, name)
        if relation is not None:
            refs = self.project.associations.member(cls, name)
            back = self.project.associations.leads_back(state.path, relation)
            if state.each and relation.loads and not back and not state.shared and not loads.has(path):
                return None, (path, cls.fqn, ())
            shared = state.shared or (back and state.path == self.given)
            return _State(refs, path, state.each, relation.manager, shared), None
        method = self.project.method(cls, name)
        if method is None:
            return None, None
        if state.each and not self.project.queries.cached(method):
            return None, self._method(method, cls, state, loads)
        return None, None

    def _method(self, method: Fn, cls: Cls, state: _State, loads: Loads) -> tuple[Path, str, tuple[Step, ...]] | None:
        """A property, or a method that the template calls: the relations of `self` that it reads, or its query."""
        for read in self.project.lazy_reads.of_self(method):
            path = (*state.path, *read.path, read.relation.name)
            if loads.has(path) or self._of_parent(cls, state, read.path):
                continue
            if not self.project.associations.leads_back(path[:-1], read.relation):
                return path, read.relation.owner, read.steps
        query = next((item for item in self.project.queries.direct(method) if item.kind == "read"), None)
        if query is not None:
            managed = managed_path(self.project, query, 0)
            if not managed or not loads.has((*state.path, *managed)):
                path = (*state.path, *managed) if managed else ()
                return path, cls.fqn, (method.step(query.span, f"asks the database: {query.name}"),)
        return None

    def _of_parent(self, cls: Cls, state: _State, path: Path) -> bool:
        """Whether the path begins with the way back to the one entity whose elements were passed."""
        relation = self.project.associations.find(cls, path[0]) if path and state.path == self.given else None
        return relation is not None and self.project.associations.leads_back(state.path, relation)

    def _of_library(
        self, ref: Ref, state: _State, name: str, loads: Loads
    ) -> tuple[_State | None, tuple[Path, str, tuple[Step, ...]] | None]:
        model = self.project.libraries.call(f"{ref.name}.{name}")
        members = tuple(self.project.resolver.member(ref, name))
        if model is None or model.orm is None:
            return _State(members, state.path, state.each), None
        if state.each and state.path and ("db-read" in model.effect or model.orm.lazy):
            stays = model.orm.op in _PREFETCHED and loads.has(state.path)
            if not stays:
                owner = ref.arg.name if ref.arg is not None else ""
                return None, (state.path if model.orm.op in _PREFETCHED else (), owner, ())
        receiver = ref
        return _State((self.project.resolver.types.named(model.returns, receiver),), state.path, state.each), None
