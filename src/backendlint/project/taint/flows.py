"""Flows: a source's data at a sink, through any number of functions and files."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Location, Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.errors.loglines import LogLines
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, Present, given, ruled_out
from backendlint.project.libraries.model import AttributeModel
from backendlint.project.linking.binding import below, receiver
from backendlint.project.linking.variables import variable
from backendlint.project.routes.params import within_segment
from backendlint.project.taint import labels as lb
from backendlint.project.taint.barren import Search, State
from backendlint.project.taint.declared import takes_extra
from backendlint.project.taint.eachtested import each_tested
from backendlint.project.taint.helpers import only_helps
from backendlint.project.taint.instances import holds_no_text
from backendlint.project.taint.labels import Labels, Mark, Origin, Path, Trail
from backendlint.project.taint.reads import Reader
from backendlint.project.taint.sinks import RESPONSE, SinkSite, find_assignments, find_sinks
from backendlint.project.taint.stored import Stored
from backendlint.project.templates.raw import RawTemplates

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

MAX_CHAIN = 12
"""Callers through which a parameter is followed upwards."""
_FLAWED = frozenset({"code", "xml", "deserialize"})
"""Kinds whose sink itself is the flaw: reported there, whoever forwards to it."""
FAR = 4
"""Calls and returns after which a name no longer says what a value is: what renders texts or settings gives other things too."""
_TESTED = frozenset({"call", "attr", "item", "param", "unpack", "elem", "bool", "phi"})
"""Values that a test may name once more, or by what was looked up with them."""
MAX_FLOWS = 2
"""Sources reported at one place."""
_PLUGINS = re.compile(r"plug-?in|extension|add-?on|module|package", re.IGNORECASE)
_OPERATOR = re.compile(r"(?<![a-z])(admins?|super_?users?)(?![a-z])", re.IGNORECASE)


class Hop(NamedTuple):
    """A call on the way from the source to the sink, and how the value goes on inside the callee."""

    edge: Edge
    trail: Trail | None


class Flow(NamedTuple):
    """Data of one source that reaches one sink."""

    site: SinkSite
    source: Origin
    mark: Mark
    """Its `trail` leads back to the source."""
    fn: Fn
    """Where it is to be reported: the sink's function, or the caller for whom a helper only forwards the value."""
    location: Location
    chain: tuple[Hop, ...]
    """Calls from the function in which the data enters down to the sink's."""
    forwarded: bool
    """True where the sink's function only hands on what it is given."""

    @property
    def weak(self) -> bool:
        """True where a step was a guess, or where what a name says is too far away to be believed."""
        named = self.source.what in ("secret", "personal")
        return self.mark.is_guess(self.site.kind) or (named and self.calls > FAR)

    @property
    def calls(self) -> int:
        """How often the value went from one function to another."""
        left = sum(step.before is not None and step.before.fn != step.fn for step in self._trails())
        return len(self.chain) + left

    @property
    def turns(self) -> int:
        """The same, and how often it went through a function and came back."""
        return self.calls + sum(step.note.startswith(lb.PASSED) for step in self._trails())

    @property
    def handed_to(self) -> str:
        """The function of the project that is given the data where it enters; empty where it goes on without one."""
        steps = [step for step in _walked(self.mark.trail) if step.fn == self.source.fn]
        names = [step.note for step in steps if step.note.startswith(lb.PASSED)]
        if not names and self.chain and self.chain[0].edge.caller.fqn == self.source.fn:
            return self.chain[0].edge.callee.name
        return names[-1].removeprefix(lb.PASSED).removesuffix("()") if names else ""

    def _trails(self) -> Iterator[Trail]:
        """The steps of all its trails."""
        yield from _walked(self.mark.trail)
        for _, trail in self.chain:
            yield from _walked(trail)

    @property
    def functions(self) -> tuple[Fn, ...]:
        """The functions on its way, of which one may be a route's handler."""
        return self.site.fn, self.fn, *(hop.edge.caller for hop in self.chain)

    def routes(self, project: Project) -> list[Route]:
        """The routes that the functions on its way answer."""
        return [route for fn in self.functions for route in project.route_functions.get(fn.fqn, ())]

    def installs(self, project: Project) -> bool:
        """`POST /plugins`, for those who run the service alone: to choose what code it has, and where that lies, is what they
        are asked for."""
        routes = self.routes(project)
        return bool(routes) and all(
            _PLUGINS.search(route.path) and any(map(_OPERATOR.search, project.access.authentication(route)))
            for route in routes
        )

    def parameter(self, project: Project) -> tuple[Fn, int] | None:
        """The handler's parameter in which the data enters, with its function; None where it enters otherwise."""
        fn = project.functions[self.source.fn]
        value = fn.facts.values[self.source.slot]
        return (fn, value[1]) if value[0] == "param" else None

    @property
    def behind(self) -> bool:
        """True where a part of the program's own stands before the data, and so most often names the host."""
        return lb.BEHIND in self.mark.cleared

    @property
    def doubled(self) -> bool:
        """True where each quote in it is two (`text.replace("'", "''")`)."""
        return lb.DOUBLED in self.mark.cleared

    def within_a_segment(self, project: Project) -> bool:
        """Whether the data is a part of one segment of the request's path, as it came: no slash is in it."""
        entered = self.parameter(project)
        return entered is not None and not self.mark.decoded and within_segment(project, *entered)


class _Pending(NamedTuple):
    fn: Fn
    slot: int
    path: Path
    mark: Mark
    chain: tuple[Hop, ...]
    report: tuple[Fn, Location]
    forwards: bool
    tested: int = -1
    """The block of the function in which it goes on, where a test decides whether it is run."""

    @property
    def state(self) -> State:
        return self.fn.fqn, self.slot, self.path, self.tested


class Taint:
    """Answers which data reaches which sinks; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.reader = Reader(project)
        self.stored = Stored(project)
        self.log_lines = LogLines(project)
        self._sinks: dict[str, list[SinkSite]] | None = None
        self._barren: dict[frozenset[str], set[State]] = {}
        self._bound: dict[int, dict[int, list[tuple[Vid, Path]]]] = {}
        """By the edge's identity: the call graph keeps its edges."""
        self._blocks: dict[int, int] = {}
        self._known: dict[int, Given] = {}
        """What a call says about the parameters, by the edge's identity."""

    def is_no_secret(self, fn: Fn, vid: Vid, name: str) -> bool:
        """Whether a value that is called like a secret is none: an object, a row's key, what is pinned somewhere."""
        return self.reader.identifiers.covers(fn, vid, name)

    @cached_property
    def assignments(self) -> list[tuple[Fn, Call, AttributeModel]]:
        """Assignments that are sinks or may be weak."""
        return find_assignments(self.project)

    @cached_property
    def raw_templates(self) -> RawTemplates:
        """What templates print unescaped."""
        return RawTemplates(self.project)

    def labels(self, fn: Fn, vid: Vid, path: Path = ()) -> Labels:
        """Where (a part of) a value comes from."""
        return self.reader.read(fn, vid, path)

    def sinks(self, *kinds: str) -> list[SinkSite]:
        """All sinks of these kinds, by the library models."""
        if self._sinks is None:
            self._sinks = find_sinks(self.project)
        return [site for kind in kinds for site in self._sinks.get(kind, ())]

    def reviewed_sinks(self, *kinds: str) -> Iterator[SinkSite]:
        """Sinks whose flows may be reported in a reviewed file: those that lie there, and helpers' that hand on what they get."""
        for site in self.sinks(*kinds):
            answers = site.kind == "response" and site.fn.fqn not in self.project.route_functions
            if self.project.counts(site.fn) or (
                (answers or self.forwarded(site.fn, site.vid) >= 0) and self._handed_by_reviewed(site.fn)
            ):
                yield site

    def _handed_by_reviewed(self, fn: Fn) -> bool:
        """Whether a reviewed function calls this one, maybe through others that hand on what they are given."""
        todo, seen = [fn], {fn}
        for callee in todo:
            for edge in self.project.graph.callers(callee):
                if self.project.counts(edge.caller):
                    return True
                hands_on = edge.call is not None and any(
                    self.forwarded(edge.caller, vid) >= 0 for vid in edge.call.passed
                )
                if hands_on and edge.caller not in seen:
                    seen.add(edge.caller)
                    todo.append(edge.caller)
        return False

    def flows(self, sink_kinds: Collection[str], source_kinds: Collection[str]) -> Iterator[Flow]:
        """All flows from such sources to such sinks, without those that were cleaned on the way."""
        for site in self.sinks(*sink_kinds):
            yield from self.flows_to(site, source_kinds)

    def flows_to(self, site: SinkSite, source_kinds: Collection[str]) -> Iterator[Flow]:
        """The flows that reach one sink."""
        arriving = self._arriving(site)
        queue = deque(self._begin(site, arriving, source_kinds))
        barren = self._barren.setdefault(frozenset(source_kinds), set())
        search = Search()
        reported: Counter[Location] = Counter()
        start = (site.fn, site.fn.location(site.call.span))
        for origin, mark in sorted(arriving.items(), key=lambda item: item[1].is_guess(site.kind)):
            if origin.what in source_kinds and not mark.clean_for(site.kind, origin.what):
                reported[start[1]] += 1
                if reported[start[1]] <= MAX_FLOWS:
                    yield Flow(site, origin, mark, *start, (), False)
        while queue:
            item = queue.popleft()
            if item.state in barren:
                continue
            told = not item.forwards and reported[item.report[1]] >= MAX_FLOWS
            if told or len(item.chain) >= MAX_CHAIN:
                search.fruitful.add(item.state)
                continue
            if not search.enter(item.state):
                continue
            for origin, mark, chain, report, edge in self._one_up(item, site, search, source_kinds):
                if origin.what == "param":
                    owner = self.project.functions[origin.fn]
                    forwards = item.forwards and self._shared(owner) and self._forwards(edge, origin)
                    tested = self._tested(edge) if edge.caller is owner else -1
                    queue.append(_Pending(owner, origin.slot, origin.path, mark, chain, report, forwards, tested))
                    search.link(item.state, queue[-1].state)
                elif origin.what in source_kinds:
                    search.fruitful.add(item.state)
                    reported[report[1]] += 1
                    if reported[report[1]] <= MAX_FLOWS:
                        yield Flow(site, origin, mark, *report, chain, report[1] != start[1])
        barren |= search.barren()

    def _one_up(
        self, item: _Pending, site: SinkSite, search: Search, source_kinds: Collection[str]
    ) -> Iterator[tuple[Origin, Mark, tuple[Hop, ...], tuple[Fn, Location], Edge]]:
        """What the callers pass for the pending parameter, with how it is to be reported."""
        block = item.tested
        if not item.chain and site.fn is item.fn and any(True for _ in item.fn.tests_of(site.call.block)):
            block = site.call.block
        for edge in self.project.graph.callers(item.fn):
            found = self._at_caller(site.kind, edge, item)
            if found and block >= 0 and ruled_out(item.fn, block, self._given(edge)):
                search.fruitful.add(item.state)
                continue
            report = (edge.caller, edge.caller.location(edge.span)) if item.forwards else item.report
            chain = (Hop(edge, item.mark.trail), *item.chain)
            for origin, mark in found.items():
                if mark.stops(site.kind, origin.what, source_kinds):
                    search.fruitful.add(item.state)
                else:
                    yield origin, mark, chain, report, edge

    def _tested(self, edge: Edge) -> int:
        """The edge's block, if a test decides whether it is run; else -1."""
        known = self._blocks.get(id(edge))
        if known is None:
            block = edge.block
            known = self._blocks[id(edge)] = block if any(True for _ in edge.caller.tests_of(block)) else -1
        return known

    def _given(self, edge: Edge) -> Given:
        known = self._known.get(id(edge))
        if known is None:
            known = self._known[id(edge)] = given(edge, there=self._there)
        return known

    def _there(self, fn: Fn, vid: Vid) -> Present | None:
        """An object that a module has made is something."""
        value = fn.unguarded(vid)
        found = variable(self.project, fn, value[1]) if value[0] == "name" else None
        if found is None:
            return None
        made = found[0].facts.values[found[1]][0] == "call"
        objects = made and all(ref.kind in ("inst", "libinst") for ref in self.project.refs(fn, vid))
        return Present.FULL if objects and self.project.refs(fn, vid) else None

    def _arriving(self, site: SinkSite) -> Labels:
        """What reaches the sink's argument, less what tests of the same expression around the call clear."""
        if site.kind == "ssrf" and self._refuses(site):
            return lb.NONE
        found = self._shown(site.kind, site.fn, site.vid, site.path, site.call, here=True)
        return self._tested_around(found, site.fn, site.vid, site.call)

    def _tested_around(self, found: Labels, fn: Fn, vid: Vid, call: Call) -> Labels:
        """Labels less what tests of the same value on the way to a call clear, whatever the test calls it."""
        subject = self.subject(fn, vid) if found else -1
        if subject < 0:
            return found
        guards, line = self.reader.guards, call.span.line
        kinds = guards.around(fn, subject, call.block, line) | guards.checked_before(fn, subject, call.block, line)
        return lb.clear(found, kinds)

    def subject(self, fn: Fn, vid: Vid) -> Vid:
        """The one value that is not constant in a text, or the value itself; -1 where there are several."""
        todo, seen, found = [vid], set[Vid](), set[Vid]()
        while todo:
            vid = todo.pop()
            value = fn.facts.values[vid]
            if vid in seen:
                continue
            seen.add(vid)
            if value[0] in ("conv", "guard"):
                todo.append(value[1])
            elif value[0] == "fmt" or (
                value[0] == "phi" and any(fn.facts.values[part][0] == "fmt" for part in value[1])
            ):
                todo += [part for part in value[2 if value[0] == "fmt" else 1] if self.labels(fn, part)]
            else:
                found.add(vid if value[0] in _TESTED else -1)
        return found.pop() if len(found) == 1 else -1

    def _refuses(self, site: SinkSite) -> bool:
        """A client whose transport, a class of the project, looks at the address of a host before it connects."""
        for made in self.project.allocations.of(site.fn, receiver(site.fn, site.call)):
            for ref in self.project.refs(made.fn, made.call.kwarg("transport")):
                cls = self.project.classes.get(ref.name) if ref.kind == "inst" else None
                methods = cls.methods.values() if cls is not None else ()
                if any(self.reader.guards.addresses.tested(method) for method in methods):
                    return True
        return False

    def _begin(self, site: SinkSite, found: Labels, source_kinds: Collection[str]) -> Iterator[_Pending]:
        report = (site.fn, site.fn.location(site.call.span))
        entered = {(origin.fn, origin.slot) for origin in found if origin.what in source_kinds}
        for origin, mark in found.items():
            if (origin.fn, origin.slot) in entered:
                continue  # a source by itself: who passes it does not matter
            if origin.what == "param" and not mark.stops(site.kind, origin.what, source_kinds):
                owner = self.project.functions[origin.fn]
                own = origin.fn == site.fn.fqn and site.kind not in _FLAWED
                forwards = own and (site.kind == "response" or self.forwarded(site.fn, site.vid) == origin.slot)
                forwards = forwards and only_helps(self.project, site.fn, site.call, site.kind)
                yield _Pending(owner, origin.slot, origin.path, mark, (), report, forwards)

    def forwarded(self, fn: Fn, vid: Vid, depth: int = 6) -> int:
        """The index of the parameter that the value is, unchanged; -1 where it is made here."""
        value = fn.facts.values[vid]
        if depth == 0:
            return -1
        if value[0] == "param":
            return int(value[1])
        if value[0] in ("guard", "await", "star"):
            return self.forwarded(fn, value[1], depth - 1)
        if value[0] in ("list", "tuple") and len(value[1]) == 1:  # `rows.extra(where=[condition])`
            return self.forwarded(fn, value[1][0], depth - 1)
        if value[0] in ("phi", "bool"):
            vids = value[1] if value[0] == "phi" else value[2]
            found = {self.forwarded(fn, item, depth - 1) for item in vids if fn.const(item) is ... and item != vid}
            return found.pop() if len(found) == 1 else -1
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            wraps = any(model.sql is not None and model.sql.role == "text" for model in self.project.models(fn, call))
            return self.forwarded(fn, call.args[0], depth - 1) if wraps and call.args else -1
        return -1

    def passed_for(self, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, Call, Vid]]:
        """What callers pass, as a whole, for a value that the function hands on unchanged; nothing for one that is made here."""
        index = self.forwarded(fn, vid)
        for edge in self.project.graph.callers(fn) if index >= 0 else ():
            if edge.call is not None:
                for passed, path in self.bound(edge).get(index, ()):
                    if not path:
                        yield edge.caller, edge.call, passed

    def _shared(self, fn: Fn) -> bool:
        """Whether several places call a function that passes a value on to a helper: each caller chooses it then."""
        return len(self.project.graph.callers(fn)) > 1

    def _forwards(self, edge: Edge, origin: Origin) -> bool:
        """True where the caller hands on its own parameter unchanged."""
        if edge.call is None or origin.fn != edge.caller.fqn:
            return False
        vids = list(edge.call.passed)
        return any(self.forwarded(edge.caller, vid) == origin.slot for vid in vids)

    def _shown(self, kind: str, fn: Fn, vid: Vid, path: Path, call: Call, here: bool = False) -> Labels:
        """Labels of what a call is given; for a log, of the text that it becomes, if it does so `here` even of bytes."""
        found = self.labels(fn, vid, path)
        if kind not in ("log", "xss") or not found:
            return found
        if not path and kind == "log":
            rendering = self.reader.rendering
            found = rendering.read(fn, vid) if here else rendering.shown(fn, vid, found)
        return self.stored.less(found, fn, vid, path, call, kind) if found else found

    def _at_caller(self, kind: str, edge: Edge, item: _Pending) -> Labels:
        """Labels of the argument that the caller passes for the pending parameter."""
        if edge.call is None:
            return lb.NONE
        result: Labels = {}
        for vid, part in self.bound(edge).get(item.slot, ()):
            path = below(part, item.path)
            if path is None:
                continue
            if not path and lb.TEXT in item.mark.cleared and holds_no_text(self.project, edge.caller, vid):
                continue
            path = path[: lb.MAX_PATH]
            found = self._shown(kind, edge.caller, vid, path, edge.call)
            if not path:
                found = self._tested_around(found, edge.caller, vid, edge.call)
            elif found:
                found = lb.clear(found, each_tested(self.reader.guards, edge.caller, vid, path, edge.call))
            for origin, mark in found.items():
                lb.add(result, origin, item.mark.after(mark, mark.trail))
        return result

    def bound(self, edge: Edge) -> dict[int, list[tuple[Vid, Path]]]:
        """The values that an edge's call passes, by the callee's parameter."""
        known = self._bound.get(id(edge))
        if known is None:
            assert edge.call is not None
            refs = self.project.callees(edge.caller, edge.call)
            ref = next((item for item in refs if edge.callee.fqn.startswith(item.name)), None)
            known = self._bound[id(edge)] = edge.bound(ref, entries=True)
        return known

    def takes_extra(self, cls: Cls) -> bool:
        """Whether objects of a schema keep fields that it does not declare."""
        return takes_extra(self.project, cls)

    # reports

    def steps(self, flow: Flow) -> tuple[Step, ...]:
        """The way from the source to the sink, for reports."""
        steps = trail_steps(self.project, flow.mark.trail)
        for edge, trail in flow.chain:
            steps.append(edge.caller.step(edge.span, f"is passed to {edge.callee.name}()"))
            steps.extend(trail_steps(self.project, trail))
        site = flow.site
        steps.append(site.fn.step(site.call.span, _arrival(site)))
        return tuple(step for i, step in enumerate(steps) if i == 0 or step != steps[i - 1])


def _walked(trail: Trail | None) -> Iterator[Trail]:
    """A trail's steps, the last one first."""
    while trail is not None:
        yield trail
        trail = trail.before


def _arrival(site: SinkSite) -> str:
    if site.model is RESPONSE:
        return "becomes the response"
    return f"is stored in {site.called}" if site.call.value == site.vid else f"reaches {site.called}()"


def trail_steps(project: Project, trail: Trail | None) -> list[Step]:
    """A trail as steps, source first."""
    return [project.functions[item.fn].step(item.span, item.note) for item in _walked(trail)][::-1]
