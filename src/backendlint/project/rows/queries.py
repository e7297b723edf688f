"""Which code asks the database: calls that send a statement, and query objects that send one when iterated."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Span, Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.effects import SAME_THREAD
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.decorators import made_within
from backendlint.project.linking.spelling import chain_name, shown
from backendlint.project.loops.keeping import asks_cache
from backendlint.project.loops.loops import going_through, iterables, plain
from backendlint.project.loops.remembered import kept
from backendlint.project.rows.associations import declared
from backendlint.project.values.sqllex import writes_with
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.forwarded import Forwarded

READS = frozenset({"db-read"})
_CONSUMERS = frozenset(
    f"builtins.{name}"
    for name in ("list", "tuple", "set", "sorted", "dict", "sum", "min", "max", "any", "all", "next", "len", "bool")
)
"""Builtins that iterate over their argument at once."""
_READING = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(SELECT|WITH|SHOW|EXPLAIN|VALUES|PRAGMA)\b", re.IGNORECASE | re.DOTALL
)
_WRITING = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)
"""Statements that write, also where a method fetches what they give back (`INSERT ... RETURNING`)."""
_ACTORS = r"(nextval|setval|set_config|pg_notify|pg_(try_)?advisory_\w*lock\w*)"
_ACTING = re.compile(rf"\s*SELECT\s+{_ACTORS}\s*\((?!.*\bFROM\b)", re.IGNORECASE | re.DOTALL)
"""Statements that fetch nothing from a table: they take a lock or a number."""
_ACTS = re.compile(rf"(^|\.){_ACTORS}$", re.IGNORECASE)
CACHED = frozenset({"count", "exists", "all", "iterate", "first"})
"""Operations of a to-many manager that use rows which were prefetched."""
_COPIES = (("name", "copy.copy"), ("name", "copy.deepcopy"))
_KEEPS = frozenset({"set", "get", "memoize", "memoized", "remember", "wrap"})
"""Methods of a cache that are decorators: `@page_cache.set("berths-{harbour_id}")`."""
_CHANGING = frozenset({"insert", "update", "delete"})
"""Functions, and methods of tables, with which a statement begins that writes."""


class Query(NamedTuple):
    """One statement sent to the database."""

    fn: Fn
    span: Span
    block: int
    vid: Vid
    kind: str
    """read or write"""
    name: str
    """What sends it, for messages: `session.get`, `Order.objects.filter`."""
    model: CallModel
    call: Call | None
    """None where a query object is iterated."""


class Reason(NamedTuple):
    """Why a function reads: its own query, or the edge to a callee that has one."""

    query: Query | None
    edge: Edge | None


class Queries:
    """Answers `direct(fn)` and `reads(fn)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._direct: dict[str, list[Query]] = {}
        self._reasons: dict[str, Reason] = {}
        self._kept: dict[str, frozenset[Vid]] = {}
        self._memoizing: dict[str, bool] = {}
        self._texts: dict[tuple[str, Vid], str] = {}
        for text in project.data.texts:
            if text.fn is not None and text.call is not None:
                self._texts.setdefault((text.fn.fqn, text.call.value), text.text)
        consumers: dict[str, dict[Vid, Call]] = {}
        for fn, call in (*project.graph.calls_of(*_CONSUMERS), *_serializations(project)):
            consumers.setdefault(fn.fqn, {})[call.value] = call
        for fn in project.all_functions():
            found = [*self._calls(fn), *self._iterations(fn, consumers.get(fn.fqn, {}))]
            if found:
                self._direct[fn.fqn] = sorted(found, key=lambda item: item.span)
        self._spread()

    def direct(self, fn: Fn) -> list[Query]:
        """Statements that the function itself sends, in source order."""
        return self._direct.get(fn.fqn, [])

    def reason(self, fn: Fn) -> Reason | None:
        """Why the function reads from the database, itself or through callees; None where it does not."""
        return self._reasons.get(fn.fqn)

    def chain(self, fn: Fn) -> tuple[list[Edge], Query | None]:
        """The shortest way to a read."""
        edges: list[Edge] = []
        reason = self.reason(fn)
        while reason is not None and reason.edge is not None and len(edges) < 40:
            edges.append(reason.edge)
            reason = self.reason(reason.edge.callee)
        return edges, reason.query if reason else None

    def steps(self, fn: Fn) -> tuple[Step, ...]:
        """The way as steps for a report."""
        edges, query = self.chain(fn)
        found = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in edges]
        if query is not None:
            found.append(query.fn.step(query.span, f"asks the database: {query.name}"))
        return tuple(found)

    def cached(self, fn: Fn) -> bool:
        """Whether the function's result is kept, so that a second call asks nobody."""
        for ref in fn.decorators:
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and model.cache is not None:
                return True
            owner, _, name = ref.name.rpartition(".")
            if "cache" in name.lower() and "property" not in ref.name:
                return True
            if "cache" in owner.rpartition(".")[2].lower() and name in _KEEPS:
                return True
            made = self.project.functions.get(ref.name)
            if made is not None and self._memoizes(made):
                return True
        return asks_cache(self.project, fn)

    def _memoizes(self, decorator: Fn) -> bool:
        """Whether a decorator of the project keeps answers: what it puts around a function fills a cache, and returns what is there."""
        known = self._memoizing.get(decorator.fqn)
        if known is None:
            known = self._memoizing[decorator.fqn] = any(
                asks_cache(self.project, fn) and self._gives_kept(fn) for fn in made_within(self.project, decorator)
            )
        return known

    def _gives_kept(self, fn: Fn) -> bool:
        returned = ingredients(fn.facts, fn.returned)
        return any(
            "cache-read" in site.model.effect and site.call.value in returned
            for site in self.project.effects.direct(fn)
        )

    def filled_in(self, fn: Fn) -> bool:
        """Whether some code fills in the cached property beforehand: `ping.duration = ...` for all that it lists."""
        cached = any(ref.name.rpartition(".")[2] == "cached_property" for ref in fn.decorators)
        return cached and fn.name in self._assigned

    @cached_property
    def _assigned(self) -> frozenset[str]:
        """Attributes that are set from outside: not of `self`."""
        return frozenset(
            store.name
            for fn in self.project.all_functions()
            for store in fn.facts.stores
            if store.name and store.base >= 0 and fn.unguarded(store.base)[0] in ("elem", "unpack", "setattr")
        )

    def remembered(self, fn: Fn, call: Call | None) -> bool:
        """Whether the function asks only for what a cache does not have yet, and puts the answer there."""
        if call is None:
            return False
        found = self._kept.get(fn.fqn)
        if found is None:
            found = self._kept[fn.fqn] = kept(fn)
        return call.value in found

    def hands_write(self, edge: Edge) -> bool:
        """Whether the callee executes what it is given, and is given a statement that writes."""
        text = self._handed_text(edge)
        return text != "" and not reads(text)

    def _handed_text(self, edge: Edge) -> str:
        return self._texts.get((edge.caller.fqn, edge.call.value), "") if edge.call is not None else ""

    def handed(self, fn: Fn) -> list[Forwarded]:
        """Statements that the function hands to a helper which executes what it is given."""
        return self._handed.get(fn.fqn, [])

    def sent(self, fn: Fn) -> list[Query]:
        """Statements of the function's own, whoever executes them for it."""
        return [*self.direct(fn), *(item.query for item in self.handed(fn))]

    def ended(self, fn: Fn, call: Call, edge: Edge | None = None) -> bool:
        """Whether a helper stores the statement that it is handed for good; `edge`: as the function is called there."""
        from backendlint.project.rows.forwarded import ended

        return ended(self.project, fn, call, edge)

    @cached_property
    def _handed(self) -> dict[str, list[Forwarded]]:
        from backendlint.project.rows.forwarded import forwarded

        return forwarded(self.project)

    def text_of(self, edges: Sequence[Edge], last: Query) -> str:
        """The text that is sent at the end of a chain, also where a call on the way hands it to what executes it."""
        own = self.text(last.fn, last.call) if last.call is not None else ""
        return own or next(filter(None, map(self._handed_text, reversed(edges))), "")

    def text(self, fn: Fn, call: Call) -> str:
        """The SQL text that a call sends, as far as it is known."""
        found = self._texts.get((fn.fqn, call.value), "")
        for vid in call.args[:1]:
            value = fn.facts.values[vid]
            while value[0] in ("guard", "await"):
                value = fn.facts.values[value[1]]
            if not found and value[0] == "call":
                found = self.text(fn, fn.facts.calls[value[1]]) if fn.facts.calls[value[1]] is not call else ""
        return found

    # own statements

    def _calls(self, fn: Fn) -> list[Query]:
        found = []
        for site in self.project.effects.direct(fn):
            model, call = site.model, site.call
            if model.transaction or model.auth is not None or not (model.blocking or call.awaited or model.awaitable):
                continue
            if model.orm is not None and model.orm.op == "prefetch":
                continue
            kind = self._kind(fn, call, model)
            if kind and not self._prefetched(fn, call, model):
                found.append(
                    Query(fn, call.span, call.block, call.value, kind, shown(fn, call) or model.name, model, call)
                )
        return found

    def _kind(self, fn: Fn, call: Call, model: CallModel) -> str:
        effects = model.effect
        if "db-write" in effects:
            return "write"
        if "db-read" in effects:
            if model.sql is not None and _WRITING.match(self.text(fn, call)):
                return "write"
            one = model.orm is not None and model.orm.rows in ("one", "scalar")
            text = self._texts.get((fn.fqn, call.value), "")
            stores = text != "" and (
                not _READING.match(text) or writes_with(text)
            )  # `fetch_one("INSERT ... RETURNING id")`
            return "write" if stores or (one and self._numbers(fn, call)) else "read"
        if "db" not in effects:
            return ""
        return self.statement_kind(fn, call) or "read"

    def statement_kind(self, fn: Fn, call: Call) -> str:
        """read or write, by the statement that is executed; "" where it is not known."""
        text = self.text(fn, call)
        if text:
            return "read" if reads(text) else "write"
        if self._numbers(fn, call):
            return "write"
        for vid in call.args[:1]:
            for ref in self.project.refs(fn, vid):
                last = ref.name.rpartition(".")[2]
                if last in ("Insert", "Update", "Delete") or last.startswith(("Create", "Drop", "Add")):
                    return "write"
                if last == "Select":
                    return "read"
            if self._changes(fn, vid):
                return "write"
        return ""

    def _changes(self, fn: Fn, vid: Vid) -> bool:
        """Whether a statement's chain begins as a write: `table.update().where(...)`, `insert(table).from_select(...)`."""
        value = fn.unguarded(vid)
        while value[0] == "call":
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            own = any(ref.kind == "func" for ref in self.project.callees(fn, call))
            if not own and func[0] in ("attr", "name") and str(func[-1]).rpartition(".")[2] in _CHANGING:
                return True
            value = fn.unguarded(func[1]) if func[0] == "attr" else ("unknown",)
        return False

    def _numbers(self, fn: Fn, call: Call, depth: int = 6) -> bool:
        """Whether the statement only calls a function that acts: `session.query(func.nextval(...)).scalar()`, a lock."""
        for vid in call.args:
            value = fn.facts.values[vid]
            if value[0] == "call" and _ACTS.search(str(fn.facts.values[fn.facts.calls[value[1]].func][-1])):
                return True
            if value[0] == "call" and depth and self._numbers(fn, fn.facts.calls[value[1]], depth - 1):
                return True
        base = fn.facts.values[receiver(fn, call)] if receiver(fn, call) >= 0 else ("unknown",)
        return base[0] == "call" and depth > 0 and self._numbers(fn, fn.facts.calls[base[1]], depth - 1)

    def _prefetched(self, fn: Fn, call: Call, model: CallModel) -> bool:
        if model.orm is None or model.orm.op not in CACHED:
            return False
        return self.loaded(fn, receiver(fn, call))

    def loaded(self, fn: Fn, vid: Vid) -> bool:
        """Whether the value is (`.all()` of) a relation that came with its owner's query."""
        value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            models = self.project.models(fn, call)
            if not models or models[0].orm is None or models[0].orm.op != "all":
                return False
            return self.loaded(fn, receiver(fn, call))
        if value[0] != "attr":
            return False
        return any(
            origin.known and origin.loads.has((*origin.path, value[2]))
            for origin in self.project.origins.of(fn, value[1])
        )

    def _iterations(self, fn: Fn, consumers: Mapping[Vid, Call]) -> list[Query]:
        found = []
        for block in fn.facts.blocks:
            if block.kind in ("for", "comp") and block.value >= 0:
                for vid in iterables(fn, block.value):
                    model = self.unsent(fn, vid) or self._either(fn, block, vid) or self._returned(fn, vid)
                    if model is not None:
                        span, at = fn.facts.span_of(vid), _first_sent(fn, vid, block.parent, model)
                        found.append(Query(fn, span, at, vid, "read", chain_name(fn, vid), model, None))
        for call in consumers.values():
            vid = _sliced_here(fn, call.args[0]) if call.args else -1
            model = self.unsent(fn, vid) or self._returned(fn, vid) if vid >= 0 else None
            if model is not None:
                name, at = chain_name(fn, vid), _first_sent(fn, vid, call.block, model)
                found.append(Query(fn, call.span, at, vid, "read", name, model, None))
        known = {plain(fn, item.vid) for item in found}
        for call in fn.facts.calls:  # `rows = await Order.filter(...)`
            model = self.unsent(fn, call.value) if call.awaited and call.value not in known else None
            if model is not None:
                name = chain_name(fn, call.value)
                found.append(Query(fn, call.span, call.block, call.value, "read", name, model, None))
        return [*found, *self._asked_for_truth(fn, {plain(fn, item.vid) for item in found})]

    def _asked_for_truth(self, fn: Fn, known: set[Vid]) -> Iterator[Query]:
        """`if order.lines.filter(...):` of Django's, which fetches the rows."""
        for block in fn.facts.blocks if self.project.imports("django") else ():
            vid = plain(fn, block.value) if block.kind in ("if", "while") and block.value >= 0 else -1
            vid = plain(fn, fn.facts.values[vid][1]) if vid >= 0 and fn.facts.values[vid][0] == "not" else vid
            model = self.unsent(fn, vid) if vid >= 0 and vid not in known else None
            if model is not None and model.library == "django":
                known.add(vid)
                yield Query(fn, fn.facts.span_of(vid), block.parent, vid, "read", chain_name(fn, vid), model, None)

    def _either(self, fn: Fn, block: Block, vid: Vid) -> CallModel | None:
        """The same for one of several query objects (`if recent: rows = rows[:8]`), outside of loops."""
        value = fn.unguarded(vid)
        around = (item.kind for _, item in fn.blocks_of(block.parent))
        if value[0] != "phi" or not {"for", "comp", "while"}.isdisjoint(around):
            return None
        found = [self.unsent(fn, vid) for vid in value[1] if fn.unguarded(vid)[0] != "slice"]
        return found[0] if found and None not in found else None

    def unsent(self, fn: Fn, vid: Vid) -> CallModel | None:
        """The model of the call that built the query object which the value is: iterating it sends the query."""
        value = fn.facts.values[vid]
        while value[0] in ("guard", "await"):
            value = fn.facts.values[value[1]]
        if value[0] != "call":
            return None
        call = fn.facts.calls[value[1]]
        for model in self.project.models(fn, call):
            if model.orm is None or not model.orm.lazy or self.loaded(fn, call.value):
                continue
            if not READS.isdisjoint(going_through(self.project, fn, vid)):
                return model
        return None

    def _returned(self, fn: Fn, vid: Vid, depth: int = 2) -> CallModel | None:
        """The same of what functions of the project return: `for order in open_orders():`."""
        value = fn.unguarded(vid)
        call = fn.facts.calls[value[1]] if value[0] == "call" and depth else None
        if call is None:
            return None
        first: CallModel | None = None
        for target in self.project.targets(fn, call):
            if target.facts.is_async or self.cached(target):
                return None
            for item in target.facts.returns:
                model = None if item.value < 0 or item.is_yield else self._given(target, item.value, depth)
                if model is None:
                    return None
                first = first or model
        return None if first is not None and self.remembered(fn, call) else first

    def _given(self, fn: Fn, vid: Vid, depth: int) -> CallModel | None:
        """The same of one value that a function returns."""
        own = self.unsent(fn, vid)
        if own is None:
            return self._returned(fn, vid, depth - 1)
        return None if self._of_relation(fn, vid) else own

    def _of_relation(self, fn: Fn, vid: Vid) -> bool:
        """`self.lines.all()`: rows that may have been prefetched."""
        value = fn.unguarded(vid)
        base = receiver(fn, fn.facts.calls[value[1]]) if value[0] == "call" else -1
        return base >= 0 and fn.value(base)[0] == "attr" and declared(self.project, fn, base) is not None

    def _spread(self) -> None:
        queue: deque[Fn] = deque()
        for found in self._direct.values():
            asked = (item for item in found if item.kind == "read" and not self.remembered(item.fn, item.call))
            first = next(asked, None)
            if first is not None:
                self._reasons[first.fn.fqn] = Reason(first, None)
                queue.append(first.fn)
        while queue:
            fn = queue.popleft()
            if self.cached(fn):
                continue
            for edge in self.project.graph.callers(fn):
                if edge.kind not in SAME_THREAD or edge.caller.fqn in self._reasons:
                    continue
                if not self.remembered(edge.caller, edge.call) and not self.hands_write(edge):
                    self._reasons[edge.caller.fqn] = Reason(None, edge)
                    queue.append(edge.caller)


def reads(text: str) -> bool:
    """Whether a statement fetches rows, and does nothing else."""
    return bool(_READING.match(text) and not _ACTING.match(text) and not writes_with(text))


def _serializations(project: Project) -> Iterator[tuple[Fn, Call]]:
    """`OrderSerializer(rows, many=True)` goes through the rows; not where they are paged first, if there are pages."""
    for fn, call in project.graph.calls_with("many"):
        if fn.const(call.kwarg("many")) is not True or not call.args:
            continue
        if any(fn.callee_name(other) == "paginate_queryset" for other in fn.calls):
            continue
        classes = (project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class")
        if fn.callee_name(call) == "get_serializer" or "serializer" in map(project.hierarchy.role, classes):
            yield fn, call


def _first_sent(fn: Fn, vid: Vid, block: int, model: CallModel) -> int:
    """The block that decides how often a query object is sent: Django's keeps its rows, so one that was made before a loop
    asks once, however often the loop goes through it."""
    value = fn.unguarded(vid)
    if model.library != "django" or value[0] != "call":
        return block
    made = fn.facts.calls[value[1]].block
    return made if any(number == made for number, _ in fn.blocks_of(block)) or made == 0 else block


def _sliced_here(fn: Fn, vid: Vid) -> Vid:
    """The query of `list(rows.order_by("id")[:50])`; a part that has a name is kept with its rows."""
    value = fn.unguarded(vid)
    named = any(item.value == vid for item in fn.facts.bindings)
    return value[1] if value[0] == "slice" and not named else vid


def attributes(fn: Fn, vid: Vid, depth: int = 8) -> tuple[Vid, tuple[str, ...]]:
    """The object at the head of `row.order.owner`, also of a copy of it, and the names behind it."""
    names: tuple[str, ...] = ()
    while True:
        vid = plain(fn, vid)
        value = fn.facts.values[vid]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if value[0] == "attr":
            names = (str(value[2]), *names)
            vid = value[1]
        elif value[0] in ("setattr", "mut", "store"):
            vid = value[1]
        elif call is not None and call.args and fn.value(call.func) in _COPIES:
            vid = call.args[0]
        elif value[0] == "phi" and depth:
            heads = {attributes(fn, item, depth - 1) for item in value[1] if item != vid}
            head = next(iter(heads))
            return (head[0], (*head[1], *names)) if len(heads) == 1 else (vid, names)
        else:
            return vid, names
