"""Ways from a call to a query that the call's own arguments leave open."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import name_of
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, OfClass, Present, barred, given
from backendlint.project.graph.effects import SAME_THREAD, Site, felt
from backendlint.project.graph.letgo import runs_beside
from backendlint.project.loops.loops import plain
from backendlint.project.rows.queries import Query

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_VISITED = 200
MAX_DEPTH = 6
_MADE = ("attr", "elem", "unpack", "item", "fmt", "comp", "mut", "store", "setattr", "binop")
"""Operations whose result is taken to be there."""
_ADDRESS = re.compile(r"ur[li]s?(?![a-z])|link|href|address|endpoint|^https?:", re.IGNORECASE)
_LEAVES = ("return", "raise", "continue", "break")
_DISPLAYS = ("list", "tuple", "set", "dict")


def way(project: Project, edge: Edge) -> tuple[list[Edge], Query | None]:
    """From the callee to a read that happens with these arguments; no query where they rule out all of them."""
    search = _Search(project, edge)
    edges, query = project.queries.chain(edge.callee)
    return (edges, query) if query is None or search.open((*edges,), query) else search.other()


def happens(project: Project, edge: Edge, effects: Collection[str]) -> bool:
    """Whether the callee, called with these arguments, may come to a library call with one of the effects."""
    search, wanted = _Search(project, edge), frozenset(effects)
    queue: deque[tuple[Edge, Given]] = deque([(edge, search.given(edge, {}))])
    seen: set[tuple[str, frozenset[tuple[int, object]]]] = set()
    while queue and len(seen) < MAX_VISITED:
        entry, known = queue.popleft()
        fn = entry.callee
        state = (fn.fqn, frozenset(known.items()))
        if state in seen:
            continue
        seen.add(state)
        for site in project.effects.direct(fn):
            if wanted.isdisjoint(site.model.effect) or gives_way(site, known):
                continue
            if barred(fn, site.call.block, site.call.span, known):
                continue
            if not _for_addresses(entry, site.call):
                return True
        for inner in project.graph.callees(fn):
            asks = any(felt(inner, item) and project.effects.has(inner.callee, item) for item in effects)
            if asks and not runs_beside(project, inner) and not barred(fn, inner.block, inner.span, known):
                queue.append((inner, search.given(inner, known)))
    return bool(queue)


def gives_way(site: Site, known: Given) -> bool:
    """`asyncio.sleep(0)`, also of a parameter that is 0 in this call: others may run, but nobody waits."""
    pause = site.call.args[0] if "sleep" in site.model.effect and site.call.args else -1
    passed = site.fn.unguarded(pause) if pause >= 0 else ("",)
    return (known.get(passed[1]) if passed[0] == "param" else site.fn.const(pause)) == 0


def _for_addresses(edge: Edge, call: Call) -> bool:
    """Whether the callee makes the call for addresses alone (`if not source.startswith("http"): return ...`), and is given
    what by its name is none."""
    fn = edge.callee
    tests = fn.tests_before(call.block, call.span, _LEAVES)
    asked = {number for vid, outcome in tests for number in _address(fn, vid, outcome)}
    if not asked or edge.call is None:
        return False
    bound = edge.bound()
    passed = [vid for number in asked for vid, _ in bound.get(number, [])]
    return not any(_ADDRESS.search(_named(edge.caller, vid)) for vid in passed)


def _address(fn: Fn, test: Vid, outcome: bool) -> Iterator[int]:
    """The parameter that the test says to be an address."""
    value = fn.unguarded(test)
    if value[0] == "not":
        value, outcome = fn.unguarded(value[1]), not outcome
    if value[0] == "call" and outcome:
        call = fn.facts.calls[value[1]]
        func = fn.value(call.func)
        start = fn.const(call.args[0]) if call.args else None
        tested = fn.unguarded(func[1]) if func[0] == "attr" and func[2] == "startswith" else ("",)
        if tested[0] == "param" and isinstance(start, str) and start.startswith("http"):
            yield tested[1]


def _named(fn: Fn, vid: Vid) -> str:
    known = fn.const(vid)
    return known if isinstance(known, str) else name_of(fn.file, fn.facts, vid)


class _Search:
    def __init__(self, project: Project, edge: Edge) -> None:
        self.project = project
        self.start = edge

    def open(self, edges: Iterable[Edge], query: Query) -> bool:
        """Whether nothing on this way is ruled out."""
        fn, known = self.start.callee, self.given(self.start, {})
        for edge in edges:
            if self._closed(fn, edge, known):
                return False
            fn, known = edge.callee, self.given(edge, known)
        return not _never(fn, query, known)

    def other(self) -> tuple[list[Edge], Query | None]:
        """The shortest way of all that are open."""
        queue: deque[tuple[Fn, Given, tuple[Edge, ...]]] = deque()
        queue.append((self.start.callee, self.given(self.start, {}), ()))
        seen: set[tuple[str, frozenset[tuple[int, object]]]] = set()
        while queue and len(seen) < MAX_VISITED:
            fn, known, edges = queue.popleft()
            state = (fn.fqn, frozenset(known.items()))
            if state in seen:
                continue
            seen.add(state)
            for query in self.project.queries.direct(fn):
                asked = query.kind == "read" and not self.project.queries.remembered(fn, query.call)
                if asked and not _never(fn, query, known):
                    return list(edges), query
            queue.extend((edge.callee, self.given(edge, known), (*edges, edge)) for edge in self._edges(fn, known))
        return [], None

    def _edges(self, fn: Fn, known: Given) -> Iterator[Edge]:
        queries = self.project.queries
        for edge in self.project.graph.callees(fn):
            asks = edge.kind in SAME_THREAD and queries.reason(edge.callee) is not None
            asks = asks and not queries.cached(edge.callee) and not queries.remembered(fn, edge.call)
            asks = asks and not queries.hands_write(edge)
            if asks and not self._closed(fn, edge, known):
                yield edge

    def given(self, edge: Edge, known: Given) -> Given:
        """What is known of the callee's parameters, by what is known of the caller's."""
        found = given(
            edge, known, lambda fn, vid: self._class(fn, vid) or self._left(edge, vid) or self._there(fn, vid)
        )
        if edge.callee is edge.caller:  # a recursion goes on with the kind of values that it began with
            found = {slot: value for slot, value in known.items() if isinstance(value, Present)} | found
        return found

    def _class(self, fn: Fn, vid: Vid) -> OfClass | None:
        """What an item of rows, or what one refers to, is, where its type leaves no doubt: one class, from which nothing
        derives; and what a test before says of a value."""
        if (name := _asked_class(fn, vid)) != "":
            return OfClass(name, frozenset({name}), frozenset(), empty=fn.unguarded(vid)[0] not in _DISPLAYS)
        if fn.facts.values[plain(fn, vid)][0] not in ("elem", "unpack", "attr"):
            return None
        refs = self.project.refs(fn, vid)
        cls = self.project.classes[refs[0].name] if len(refs) == 1 and refs[0].kind == "inst" else None
        if cls is None or cls.subclasses or self.project.hierarchy.role(cls) != "model":
            return None
        bases = frozenset(item.name for item in self.project.hierarchy.mro(cls))
        return OfClass(cls.name, bases, self.project.associations.models)

    def _left(self, edge: Edge, vid: Vid) -> Present | None:
        """Whether a test before the call leaves where the value is nothing: `if row is None or ...: continue`."""
        fn, call = edge.caller, edge.call
        left = fn.left_before(call.block, edge.span, _LEAVES) if call is not None else ()
        return Present.FULL if any(_tells(fn, item.value, vid, False) for item in left) else None

    def _there(self, fn: Fn, vid: Vid, depth: int = MAX_DEPTH, met: frozenset[Vid] = frozenset()) -> Present | None:
        """Whether a value is something, as far as its own expression and the tests before say."""
        value = fn.facts.values[vid]
        while value[0] == "guard":
            if _tells(fn, value[2], value[1], value[3]):
                return Present.FULL
            value = fn.facts.values[value[1]]
        if depth == 0:
            return None
        if value[0] == "await":
            return self._there(fn, value[1], depth - 1)
        if value[0] == "phi":
            met |= {plain(fn, vid)}
            return _one_of(self._there(fn, item, depth - 1, met) for item in value[1] if plain(fn, item) not in met)
        if value[0] in _DISPLAYS:
            return Present.FULL if value[1] else Present.EMPTY
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            if any(ref.kind == "class" for ref in self.project.callees(fn, call)):
                return Present.FULL
            returns = [
                (target, item.value) for target in self.project.targets(fn, call) for item in target.facts.returns
            ]
            return _one_of(self._there(target, item, depth - 1) if item >= 0 else None for target, item in returns)
        return Present.FULL if value[0] in _MADE else None

    def _closed(self, fn: Fn, edge: Edge, known: Given) -> bool:
        return barred(fn, edge.block, edge.span, known)


def _asked_class(fn: Fn, vid: Vid) -> str:
    """The one class of which the value is by a test before (`if isinstance(value, dict): ...`), or by how it is written; or ""."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "store", "mut"):
        test = fn.unguarded(value[2]) if value[0] == "guard" and value[3] is True else ("",)
        call = fn.facts.calls[test[1]] if test[0] == "call" else None
        if call is not None and len(call.args) == 2 and fn.facts.values[call.func] == ("name", "builtins.isinstance"):
            named = fn.unguarded(call.args[1])
            if plain(fn, call.args[0]) == plain(fn, value[1]) and named[0] in ("name", "def", "attr"):
                return str(named[-1]).rpartition(".")[2]
        value = fn.facts.values[value[1]]
    return value[0] if value[0] in _DISPLAYS and value[1] else ""


def _never(fn: Fn, query: Query, known: Given) -> bool:
    return barred(fn, query.block, query.span, known)


def _tells(fn: Fn, test: Vid, vid: Vid, truth: bool | None, depth: int = MAX_DEPTH) -> bool:
    """Whether a test that came out so says that the value is something: `if row is None or not row.id: continue`."""
    value = fn.facts.values[test]
    same = {plain(fn, vid)}
    if truth is None or depth == 0:
        return False
    if value[0] == "guard":
        return _tells(fn, value[1], vid, truth, depth)
    if value[0] == "not":
        return _tells(fn, value[1], vid, not truth, depth - 1)
    if value[0] == "bool":
        return (value[1] == "and") is truth and any(_tells(fn, part, vid, truth, depth - 1) for part in value[2])
    if value[0] == "compare":
        sides = value[2]
        none = len(sides) == 2 and fn.const(sides[1]) is None and plain(fn, sides[0]) in same
        return none and value[1][0] in ("is not", "!=") if truth else none and value[1][0] in ("is", "==")
    return truth and plain(fn, test) in same


def _one_of(found: Iterable[Present | None]) -> Present | None:
    """What can be said of a value that is one of these; what begins empty is filled where there is something to do."""
    parts = set(found)
    return None if not parts or None in parts else Present.FULL if Present.FULL in parts else Present.EMPTY
