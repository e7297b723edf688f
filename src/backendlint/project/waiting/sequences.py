"""Awaits that follow one another although neither needs the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge, arguments
from backendlint.project.graph.certain import Given, given
from backendlint.project.graph.effects import Site, called
from backendlint.project.linking.binding import receiver
from backendlint.project.loops.loops import loop_at
from backendlint.project.loops.once import set_once
from backendlint.project.routes.model import SAFE
from backendlint.project.rows.queries import Query
from backendlint.project.values.uses import operands
from backendlint.project.waiting.dependencies import OWN_BREAKER

if TYPE_CHECKING:
    from backendlint.project.model import Project

_FAR = frozenset({"http", "grpc", "search", "cloud", "cache-read", "db-read", "db"})
_ASKS = ("get_", "list_", "describe_", "head_", "query", "scan", "search", "lookup_", "batch_get_")
"""How operations of cloud services that change nothing are called."""
_HARMLESS = _FAR | {"log", "cpu", "dns", "socket", "file"}
_POOLS = ("db-pool", "redis-client", "redis-pool")
_ARGUMENT = "arg:"
"""Begins what says which argument names the method."""
_NEAR = 3
MAX_DEPTH = 8


class Run(NamedTuple):
    """Awaited calls in a row that could wait side by side."""

    fn: Fn
    calls: tuple[Call, ...]
    names: tuple[str, ...]


class Sequences:
    """Answers `independent()`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._reading: dict[tuple[object, ...], bool] = {}

    def independent(self) -> Iterator[Run]:
        """The longest runs of two or more, block by block."""
        for fn in self.project.all_functions():
            if fn.facts.is_async:
                yield from self._runs(fn)

    def _runs(self, fn: Fn) -> Iterator[Run]:
        blocks: dict[int, list[Call]] = {}
        for call in fn.calls:
            if call.awaited:
                blocks.setdefault(call.block, []).append(call)
        for calls in blocks.values():
            run: list[Call] = []
            for call in calls:
                fits = self._name(fn, call) != "" and not self._for_its_effect(fn, call)
                if run and fits and all(self._apart(fn, earlier, call) for earlier in run):
                    run.append(call)
                    continue
                yield from self._finished(fn, run)
                run = [call] if fits else []
            yield from self._finished(fn, run)

    def _finished(self, fn: Fn, run: list[Call]) -> Iterator[Run]:
        if len(run) > 1:
            yield Run(fn, tuple(run), tuple(self._name(fn, call) for call in run))

    @staticmethod
    def _for_its_effect(fn: Fn, call: Call) -> bool:
        """Whether the result is dropped: `await clean_up()` does something, whatever was seen of it."""
        return any(
            item.kind == "expr"
            and item.value >= 0
            and fn.unguarded(item.value) in (("await", call.value), fn.value(call.value))
            for item in fn.facts.statements
        )

    # what may run beside others

    def _name(self, fn: Fn, call: Call) -> str:
        """Of the call, where it only reads and what it reads is far away; else ""."""
        models = self.project.models(fn, call)
        for model in models:
            site = Site(fn, call, model)
            if _FAR.isdisjoint(model.effect) or not self._reads(site, {}):
                return ""
            return called(self.project, site)
        targets = self.project.targets(fn, call)
        if len(targets) == 1 and targets[0].facts.is_async and self.project.effects.has(targets[0], *_FAR):
            edge = Edge(fn, targets[0], call, "call", call.span)
            return f"{targets[0].name}()" if self._call_reads(edge) else ""
        return ""

    def _call_reads(self, edge: Edge, depth: int = 0, sent: Query | None = None, outer: Given | None = None) -> bool:
        """Whether the function that is called only reads, if need be since the statement that it is handed here does, or the
        method (`send("GET", path)`)."""
        known: Given = {index: item for index, item in given(edge, outer).items() if item in SAFE}
        if self.reads_only(edge.callee, depth, sent, known):
            return True
        queries = (
            item for item in self.project.queries.handed(edge.caller) if item.query.call is edge.call is not None
        )
        return any(
            item.query.kind == "read" and self.reads_only(edge.callee, depth, item.sent, known) for item in queries
        )

    def reads_only(self, fn: Fn, depth: int = 0, sent: Query | None = None, verbs: Given | None = None) -> bool:
        """True where the function, with all that it calls, changes nothing and shares no session or lock; `sent` executes what a
        caller is known to hand to it, `verbs` are the HTTP methods among its arguments."""
        verbs = verbs or {}
        key = (fn.fqn, sent.fn.fqn if sent else "", sent.vid if sent else -1, *verbs.items())
        known = self._reading.get(key)
        if known is not None:
            return known
        self._reading[key] = True  # a recursion adds nothing
        sites = self.project.effects.direct(fn)
        fine = (depth < MAX_DEPTH and not _left_open(fn)) and all(
            self._pooled(site) if sent is not None and site.call is sent.call else self._reads(site, verbs)
            for site in sites
        )
        fine = fine and not any(
            (store.key < 0 or store.base < 0) and not set_once(fn, store)
            for store in fn.facts.stores
            if not self._local(fn, store.base) and not _of_breaker(fn)
        )
        fine = fine and all(
            edge.kind in ("call", "property") and self._call_reads(edge, depth + 1, sent, verbs)
            for edge in self.project.graph.callees(fn)
        )
        self._reading[key] = fine
        return fine

    @staticmethod
    def _local(fn: Fn, vid: Vid) -> bool:
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        made = fn.name == "__init__" and value == ("param", 0)  # the object that is being made
        return vid >= 0 and (made or value[0] not in ("name", "param", "outer"))

    def _reads(self, site: Site, known: Given) -> bool:
        model = site.model
        if "sleep" in model.effect:  # the pause before another attempt
            return site.fn.inside(site.call.block, "except") is not None or _tries_again(site)
        if "cache-write" in model.effect and _keeps_for_a_while(site):
            return True
        if not _HARMLESS.issuperset(model.effect) or model.opens == "lock" or model.spawn is not None:
            return not model.effect and model.spawn is None
        if "http" in model.effect and _method(site, known) not in SAFE:
            return not model.method and model.idempotent is True
        if {"db-read", "db"}.intersection(model.effect):
            return self._pooled(site) and ("db-read" in model.effect or self._selects(site))
        if "cloud" in model.effect:
            return called(self.project, site).rpartition(".")[2].startswith(_ASKS)
        return True

    def _selects(self, site: Site) -> bool:
        """True where the SQL text is known to be a query."""
        sql = site.model.sql
        texts = [text for vid in (arguments(site.call, sql.arg) if sql else ()) for text in self._texts(site.fn, vid)]
        return bool(texts) and all(str(text).lstrip().upper().startswith(("SELECT", "WITH")) for text in texts)

    def _texts(self, fn: Fn, vid: Vid) -> list[object]:
        return self.project.constants(fn, vid) or [""]

    def _pooled(self, site: Site) -> bool:
        """True where each call takes a connection of its own."""
        base = receiver(site.fn, site.call)
        for ref in self.project.refs(site.fn, base) if base >= 0 else ():
            cls = self.project.libraries.cls(ref.name) if ref.kind == "libinst" else None
            if cls is not None and cls.resource in _POOLS:
                return True
        return False

    # what keeps two calls in order

    def _apart(self, fn: Fn, first: Call, second: Call) -> bool:
        """True where the second needs neither the first's result nor its outcome."""
        if any(self._needs(fn, vid, first.value) for vid in self._inputs(second)) or self._overlap(fn, first, second):
            return False
        between = (first.span[2:], second.span[:2])
        for block in fn.facts.blocks:
            if block.kind not in ("comp", "lambda", "func") and between[0] <= block.span[:2] <= between[1]:
                return False
        exits = (*(item.span for item in fn.facts.raises), *(item.span for item in fn.facts.returns))
        if any(between[0] <= span[:2] <= between[1] for span in exits) and not self._only_return(fn, second):
            return False
        for item in fn.facts.statements:
            if between[0] <= item.span[:2] < between[1] and self._needs(fn, item.value, first.value):
                return False
        return True

    def _overlap(self, fn: Fn, first: Call, second: Call) -> bool:
        """Whether one of them asks for what the other gives, which may be kept since then: `price(item)` calls `catalogue()`."""
        return any(self._asks_for(fn, *pair) for pair in ((first, second), (second, first)))

    def _asks_for(self, fn: Fn, asking: Call, asked: Call) -> bool:
        wanted = self.project.targets(fn, asked)
        return all(any(_alike(fn, vid, other) for other in asking.passed) for vid in asked.passed) and any(
            inner in wanted
            for target in self.project.targets(fn, asking)
            for inner, depth in self.project.graph.below(target, _NEAR)
            if depth
        )

    @staticmethod
    def _only_return(fn: Fn, second: Call) -> bool:
        """`return await second()` itself is no way out between the two."""
        return any(item.span[:2] <= second.span[:2] <= item.span[2:] for item in fn.facts.returns)

    @staticmethod
    def _inputs(call: Call) -> Iterator[Vid]:
        yield call.func
        yield from call.args
        yield from (vid for _, vid in call.kwargs)

    def _needs(self, fn: Fn, vid: Vid, wanted: Vid, seen: set[Vid] | None = None) -> bool:
        """Whether a value is made of another one."""
        seen = set() if seen is None else seen
        if vid == wanted:
            return True
        if vid < 0 or vid in seen:
            return False
        seen.add(vid)
        value = fn.facts.values[vid]
        inner = self._inputs(fn.facts.calls[value[1]]) if value[0] == "call" else operands(value)
        return any(self._needs(fn, item, wanted, seen) for item in inner)


def _alike(fn: Fn, one: Vid, other: Vid, depth: int = 6) -> bool:
    """Whether both say the same (`config.ports[name].url`)."""
    first, second = fn.unguarded(one), fn.unguarded(other)
    if first == second or depth == 0:
        return depth > 0
    if first[0] != second[0] or first[0] not in ("attr", "item"):
        return False
    key = first[2] == second[2] if first[0] == "attr" else _alike(fn, first[2], second[2], depth - 1)
    return key and _alike(fn, first[1], second[1], depth - 1)


def _method(site: Site, known: Given) -> object:
    """The HTTP method of a call, also where an argument says it, or one of its function's own."""
    method = site.model.method
    if not method.startswith(_ARGUMENT):
        return method
    place = int(method.removeprefix(_ARGUMENT))
    vid = site.call.args[place] if len(site.call.args) > place else site.call.kwarg("method")
    value = site.fn.unguarded(vid) if vid >= 0 else ("",)
    return known.get(value[1]) if value[0] == "param" else site.fn.const(vid)


def _left_open(fn: Fn) -> bool:
    """Whether subclasses do the work, and who knows what: `raise NotImplementedError`."""
    raised = [fn.dotted(fn.calls[value[1]].func if (value := fn.value(item.exc))[0] == "call" else item.exc)
              for item in fn.facts.raises if item.exc >= 0]  # fmt: skip
    return fn.is_abstract or (not fn.facts.returns and any(name.endswith("NotImplementedError") for name in raised))


def _keeps_for_a_while(site: Site) -> bool:
    """`cache.set(key, value, ex=60)`: what was read is kept for whoever asks next; not a lock."""
    cache, call = site.model.cache, site.call
    if cache is None or cache.role != "set" or cache.expiry is None or call.kwarg("nx") >= 0:
        return False
    expiry = cache.expiry
    told = any(call.kwarg(name) >= 0 for name in expiry.keywords) or 0 <= expiry.position < len(call.args)
    return told or expiry.default is not None


def _of_breaker(fn: Fn) -> bool:
    """Whether it keeps how often something failed, for whoever asks next: that says nothing of an order."""
    return fn.cls is not None and OWN_BREAKER.search(fn.cls.name) is not None


def _tries_again(site: Site) -> bool:
    """The pause at the end of a round in which something was tried."""
    loop = loop_at(site.fn, site.call.block, ("for", "while"))
    tries = (number for number, block in enumerate(site.fn.facts.blocks) if block.kind == "try")
    return loop >= 0 and any(loop in {around for around, _ in site.fn.blocks_of(number)} for number in tries)
