"""Jobs that are handed to a queue before the transaction that they depend on is committed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import below
from backendlint.findings.model import Step
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge, arguments
from backendlint.project.graph.certain import Given, Present, barred, given, ruled_out
from backendlint.project.graph.effects import Site
from backendlint.project.graph.programs import only_by_hand
from backendlint.project.linking.binding import object_root, receiver
from backendlint.project.linking.decorators import decorations, wrapping_calls
from backendlint.project.loops.memos import same
from backendlint.project.rows.lost import stored_in
from backendlint.project.rows.writes import CREATES, WRITES, Write
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

OPENS = frozenset({"atomic", "begin"})
MAX_CALLERS = 6
OUTSIDE = frozenset("db-read db-write db commit flush http grpc mail cache-write".split())
"""Effects of a function that does more than to hand over a job."""


_WAITS = frozenset({"get", "result", "flush"})
"""Methods that wait until what was sent before is there."""


class EarlyJob(NamedTuple):
    """A job dispatched while a transaction is open."""

    site: Site
    steps: tuple[Step, ...]
    """Where the transaction opens, the calls from there to the dispatch, and the commit that comes too late, if it is written out."""
    how: str
    """block, decorator, session, signal or request."""
    place: tuple[Fn, Call]
    """Where it is handed over: the dispatch, or the call of a helper that is given the job's function."""
    by_hand: bool = False
    """Nothing but what is run by hand sends the signal in a transaction."""


class Jobs:
    """Answers `early()`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def dispatches(self) -> Iterator[Site]:
        """Calls that put a job in a queue from which other processes take it."""
        for site in self.project.effects.with_effect("queue-publish"):
            if site.model.task is not None and site.model.transaction != "on_commit":
                yield site

    def messages(self) -> Iterator[Site]:
        """Calls that send a message to a broker, which keeps it for others."""
        for site in self.project.effects.with_effect("queue-publish"):
            library = self.project.libraries.library(site.model.library)
            waits = site.model.exits or site.fn.callee_name(site.call) in _WAITS
            if site.model.task is None and library is not None and library.kind != "cache" and not waits:
                yield site

    def early(self) -> Iterator[EarlyJob]:
        """Dispatches inside an open transaction, one a place: of what helpers hand over for others, one for each of those."""
        for site in (*self.dispatches(), *self.messages()):
            told: set[tuple[str, Call]] = set()
            for found in self._found(site):
                place = (found.place[0].fqn, found.place[1])
                if place not in told:
                    told.add(place)
                    yield found
                if found.place == (site.fn, site.call):
                    break

    def _found(self, site: Site) -> Iterator[EarlyJob]:
        for find in (self._in_scope, self._before_commit, self._after_write, self._in_request):
            yield from find(site)

    # scopes: `with transaction.atomic()`, decorators, also of callers

    def _in_scope(self, site: Site) -> Iterator[EarlyJob]:
        for fn, call, edges in self.project.graph.outwards(site.fn, site.call, MAX_CALLERS):
            if _never(site, edges) or self._waits(edges) or _rolls_back(site, edges):
                continue
            opened = self._scope(fn, call)
            if opened is not None and not self._writes_in(fn, opened[2]):
                return  # the job waits for nothing that this transaction makes
            if opened is not None:
                step, how, _ = opened
                place = self._shown(_place(site, edges), edges) if how == "block" else _place(site, edges)
                yield EarlyJob(site, (step, *_way(edges), _end(site)), how, place)

    def _shown(self, place: tuple[Fn, Call], edges: tuple[Edge, ...]) -> tuple[Fn, Call]:
        """`with transaction(): ...; self._tell(order)`: the call in the block, of a helper that does nothing but hand over a job."""
        fn, call = place
        first = edges[0] if edges else None
        if first is None or first.callee is not fn or first.call is None:
            return place
        others = (self.project.effects.call_effects(fn, other) for other in fn.calls if other is not call)
        return place if any(map(OUTSIDE.intersection, others)) else (first.caller, first.call)

    def _in_request(self, site: Site) -> Iterator[EarlyJob]:
        """Django's `ATOMIC_REQUESTS`: after a write, here or on the way from the handler."""
        for fn, _, edges in self.project.graph.outwards(site.fn, site.call, MAX_CALLERS):
            step = self.project.transactions.of_django_request(fn)
            if step is None or _never(site, edges) or self._waits(edges) or _rolls_back(site, edges):
                continue
            ways = [(edge.caller, edge.call) for edge in edges if edge.call is not None]
            if any(self._written_before(*way) for way in (*ways, (site.fn, site.call))):
                yield EarlyJob(site, (step, *_way(edges), _end(site)), "request", _place(site, edges))

    def _written_before(self, fn: Fn, dispatch: Call) -> bool:
        return any(
            "db-write" in self.project.effects.call_effects(fn, call) and not self._excluded(fn, call, dispatch)
            for call in fn.calls[: fn.place_of(dispatch)]
        )

    def _waits(self, edges: tuple[Edge, ...]) -> bool:
        """Whether a call on the way is left to the commit: `on_commit(partial(send, order.pk))`."""
        return any(
            model.transaction == "on_commit"
            for edge in edges
            if edge.call is not None
            for call in edge.caller.calls
            if edge.call.value in call.passed
            for model in self.project.models(edge.caller, call)
        )

    def _after_write(self, site: Site) -> Iterator[EarlyJob]:
        """`@receiver(post_save, sender=Order)`: it runs in the transaction in which somebody saves one."""
        for fn, call, edges in self.project.graph.outwards(site.fn, site.call, MAX_CALLERS):
            for entity, operations in self._heard(fn) if not _never(site, edges) else ():
                by_hand, steps = self._written(entity, operations, (fn, call))
                if steps:
                    yield EarlyJob(site, (*steps, *_way(edges), _end(site)), "signal", _place(site, edges), by_hand)

    def signalled(self, fn: Fn, call: Call) -> tuple[Step, ...]:
        """Where a transaction opens in which a signal is sent whose receiver makes the call, down to where it is sent."""
        ways = (self._written(entity, operations, (fn, call)) for entity, operations in self._heard(fn))
        return next((steps for by_hand, steps in ways if not by_hand), ())

    def _written(
        self, entity: str, operations: tuple[str, ...], heard: tuple[Fn, Call]
    ) -> tuple[bool, tuple[Step, ...]]:
        """Where a transaction opens in which one of these is done to the model, down to it: the shortest way, and whether that,
        as all others, is one of what is run by hand."""
        ways = [
            (only_by_hand(self.project, write.fn), (*opened, write.fn.step(write.call.span, "sends the signal")))
            for write in self.project.writes.all()
            if write.entity == entity and write.op in operations and _leads_to(write, *heard)
            if (opened := self._opened(write.fn, write.call))
        ]
        return min(ways, key=lambda way: (way[0], len(way[1])), default=(False, ()))

    def _heard(self, fn: Fn) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Models, and the operations on them that call a function."""
        home = fn.parent
        for vid in fn.facts.decorators if home is not None else ():
            for item in decorations(self.project, home or fn, vid):
                model = self.project.libraries.decorator(item.ref.name) if item.ref.kind == "lib" else None
                if model is None or model.hears is None or item.call is None or not item.call.args:
                    continue
                signals = [ref.name for ref in self.project.refs(item.fn, item.call.args[0])]
                known = [found for name in signals if (found := self.project.libraries.attribute(name)) is not None]
                for sender in arguments(item.call, model.hears):
                    names = [ref.name for ref in self.project.refs(item.fn, sender) if ref.kind == "class"]
                    yield from ((name, signal.announces) for name in names for signal in known)

    def _opened(self, fn: Fn, call: Call) -> tuple[Step, ...]:
        """Where the transaction opens in which a call is made, and the calls from there."""
        for owner, inner, edges in self.project.graph.outwards(fn, call, MAX_CALLERS):
            opened = self._scope(owner, inner)
            if opened is not None:
                return (opened[0], *_way(edges))
        return ()

    def _writes_in(self, fn: Fn, block: int) -> bool:
        """Whether anything in the transaction's block changes data, as far as that can be seen."""
        within = below(fn.facts, block)
        inside = [call for call in fn.calls if call.block in within]
        direct = {id(write.call) for write in self.project.writes.direct(fn)}
        return self._changes_row(fn, within) or any(
            id(call) in direct
            or any(self.project.writes.reached(target) for target in self.project.targets(fn, call))
            or self._may_write(fn, call)
            for call in inside
        )

    def _changes_row(self, fn: Fn, within: frozenset[int]) -> bool:
        """`order.state = "paid"` in a session's transaction: it is written at its end."""
        stores = (item for item in fn.facts.stores if item.name and item.base >= 0 and item.block in within)
        return any(stored_in(self.project, fn, item.base) is not None for item in stores)

    def _may_write(self, fn: Fn, call: Call) -> bool:
        """A method such as `save()` of something unknown, which is no table of the function's own (`by_day[day].add(visit)`)."""
        value = fn.facts.values[call.func]
        if value[0] != "attr" or value[2] not in WRITES or self.project.callees(fn, call):
            return False
        base = fn.unguarded(value[1])
        while base[0] == "item":
            base = fn.unguarded(object_root(fn, base[1]))
        table = fn.calls[base[1]] if base[0] == "call" and fn.unguarded(value[1])[0] == "item" else None
        return table is None or all(ref.name != "collections.defaultdict" for ref in self.project.callees(fn, table))

    def _scope(self, fn: Fn, call: Call) -> tuple[Step, str, int] | None:
        """The transaction that is open at a call by the structure of its function, and its block."""
        for number, block in fn.blocks_of(call.block):
            if block.kind == "with" and block.value >= 0 and self._transaction(fn, block, call):
                return fn.step(fn.facts.span_of(block.value), "the transaction opens here"), "block", number
        for ref, vid in zip(fn.decorators, fn.facts.decorators, strict=False):
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and model.transaction in OPENS and fn.parent is not None:
                step = fn.step(fn.decorator_span(vid), "the decorator runs the whole function in a transaction")
                return step, "decorator", 0
        return None

    def _transaction(self, fn: Fn, block: Block, call: Call) -> bool:
        value = fn.facts.values[block.value]
        if value[0] == "call" and fn.facts.calls[value[1]] is call:
            return False
        return self.project.transactions.is_transaction(fn, block)

    # sessions: written, dispatched, committed

    def _before_commit(self, site: Site) -> Iterator[EarlyJob]:
        """`session.add(x)`, dispatch, `session.commit()`; the function may also be called between the two."""
        for fn, call, edges in self.project.graph.outwards(site.fn, site.call, MAX_CALLERS, self._commits):
            steps = self._straddled(fn, call) if not self._waits(edges) else None
            if steps is not None:
                yield EarlyJob(site, (steps[0], *_way(edges), _end(site), *steps[1:]), "session", _place(site, edges))

    def _commits(self, fn: Fn) -> bool:
        """A callee that commits by itself, or whose decorator does, has ended what its callers began."""
        effects = self.project.effects
        around = wrapping_calls(self.project, fn) if fn.decorators else ()
        return effects.has(fn, "commit") or any(effects.has(wrapper, "commit") for wrapper, _ in around)

    def _committed(self, fn: Fn, call: Call) -> bool:
        """Whether what a call writes is committed on the way, by a decorator."""
        for target in self.project.targets(fn, call):
            edges, _ = self.project.effects.chain(target, "db-write")
            if any(map(self._commits, (target, *(edge.callee for edge in edges)))):
                return True
        return False

    def _straddled(self, fn: Fn, dispatch: Call) -> tuple[Step, ...] | None:
        """The write before and the commit after a call of the function, without a commit between."""
        number = fn.place_of(dispatch)
        written: Call | None = None
        for call in fn.calls[:number]:
            effects = self.project.effects.call_effects(fn, call)
            if {"commit", "rollback"} & effects or ("db-write" in effects and self._committed(fn, call)):
                written = None if not self._excluded(fn, call, dispatch) else written
            elif "db-write" in effects and not self._excluded(fn, call, dispatch):
                written = call
        if written is None:
            return None
        first = fn.step(written.span, "written, not committed yet")
        for call in fn.calls[number + 1 :]:
            effects = self.project.effects.call_effects(fn, call)
            if "commit" in effects and not self._excluded(fn, call, dispatch):
                return first, fn.step(call.span, "the commit comes after the job")
        return (first, *late) if (late := self._late_commit(fn)) else None

    def _late_commit(self, fn: Fn) -> tuple[Step, ...]:
        """A dependency that commits when the handler is done: `yield session; session.commit()`."""
        for index in range(len(fn.facts.params)):
            for source in self.project.graph.injected(fn, index):
                yields = [item for item in source.facts.returns if item.is_yield]
                lines = [item.span.line for item in yields]
                for item in yields:
                    for _, block in source.blocks_of(item.block):
                        if block.kind == "with" and self.project.transactions.is_transaction(source, block):
                            return (source.step(source.facts.span_of(block.value), "commits when the handler is done"),)
                for call in source.calls:
                    effects = self.project.effects.call_effects(source, call)
                    if lines and call.span.line > min(lines) and "commit" in effects:
                        return (source.step(call.span, "commits when the handler is done"),)
        return ()

    def _excluded(self, fn: Fn, call: Call, dispatch: Call) -> bool:
        """True where the two cannot happen in one run: other branches, handlers, or a branch that leaves."""
        if self._contradict(fn, call.block, dispatch.block):
            return True
        mine = {number for number, _ in fn.blocks_of(call.block)}
        other = {number for number, _ in fn.blocks_of(dispatch.block)}
        for number, block in fn.blocks_of(call.block):
            if number not in other and (block.kind == "except" or block.exits in ("return", "raise")):
                return True
            if block.kind in ("else", "case") and number not in other and block.group in other:
                return True
        earlier = fn.place_of(dispatch) < fn.place_of(call)
        for number, block in fn.blocks_of(dispatch.block):
            if number not in mine and block.kind == "else" and block.group in mine:
                return True
            if number not in mine and earlier and block.exits in ("return", "raise"):
                return True
        return False

    def _contradict(self, fn: Fn, one: int, other: int) -> bool:
        """`if kind == "mail": ...`, and then `if kind == "text": ...`."""
        for (subject, wanted), (asked, meant) in product(_cases(fn, one), _cases(fn, other)):
            if same(fn, subject, asked):
                first, second = (self.project.constants(fn, vid) for vid in (wanted, meant))
                if first and second and not any(item in second for item in first):
                    return True
        return False


def _cases(fn: Fn, block: int) -> Iterator[tuple[Vid, Vid]]:
    """What is equal to what where a block runs."""
    for test, outcome in fn.tests_of(block):
        value = fn.unguarded(test)
        parts = value[2] if value[0] == "bool" and value[1] == "and" else (test,)
        for part in map(fn.unguarded, parts if outcome else ()):
            if part[0] == "compare" and part[1] == ("==",):
                yield part[2][0], part[2][1]


def _place(site: Site, edges: tuple[Edge, ...]) -> tuple[Fn, Call]:
    """The dispatch, or where helpers that hand over what they are given are told the job or the message."""
    task = site.model.task
    if task is None:
        given = list(ingredients(site.fn.facts, site.call.passed))
    else:
        given = arguments(site.call, task.function) if task.function is not None else []
    given = [*given, *(vid for vid in (receiver(site.fn, site.call),) if vid >= 0)]  # `def enqueue(task): task.delay()`
    fn, call = site.fn, site.call
    for edge in reversed(edges):
        told = {index for vid in given for index in _told(fn, vid) if fn.cls is None or index}
        if not told or edge.call is None:
            break
        bound = edge.bound()
        given = [vid for index in told for vid, part in bound.get(index, ()) if not part]
        fn, call = edge.caller, edge.call
    return fn, call


def _told(fn: Fn, vid: Vid, depth: int = 6) -> Iterator[int]:
    """The parameters that say which job it is: `task.delay()`, `signed(task, number).apply_async()`; not those that say for what."""
    value = fn.unguarded(vid)
    if value[0] == "param":
        yield value[1]
    parts: tuple[Vid, ...] = value[1] if value[0] == "phi" and depth else ()
    if value[0] == "call" and depth:
        call = fn.facts.calls[value[1]]
        func = fn.unguarded(call.func)
        parts = (func[1],) if func[0] == "attr" else call.args[:1]
    for part in parts:
        yield from _told(fn, part, depth - 1)


def _leads_to(write: Write, fn: Fn, call: Call) -> bool:
    """Whether a receiver comes to a call after a write: not where that is for what was `created`, and `save(update_fields=...)`
    only changes, nor where that is for what was not, after a `create()`."""
    fields = write.call.kwarg("update_fields")
    changes = fields >= 0 and write.fn.const(fields) is not None
    if not changes and write.op not in CREATES:
        return True
    says: dict[str, object] = {"created": not changes, "update_fields": Present.FULL if changes else None}
    known: Given = {number: says[item.name] for number, item in enumerate(fn.facts.params) if item.name in says}
    return not (known and barred(fn, call.block, call.span, known))


def _never(site: Site, edges: tuple[Edge, ...]) -> bool:
    """Whether a call on the way rules a later one, or the dispatch, out: `index(row, later=False)`, also where it is handed on."""
    places = [*((edge.caller, edge.call) for edge in edges[1:]), (site.fn, site.call)]
    known: Given = {}
    for edge, (fn, call) in zip(edges, places, strict=False):
        known = given(edge, known)
        if call is not None and ruled_out(fn, call.block, known):
            return True
    return False


def _rolls_back(site: Site, edges: tuple[Edge, ...]) -> bool:
    """In a handler that raises again: the transaction is lost by then, and the job is meant to run all the same."""
    blocks = [(edge.caller, edge.block) for edge in edges] + [(site.fn, site.call.block)]
    return any(
        block.kind == "except" and block.exits == "raise" for fn, number in blocks for _, block in fn.blocks_of(number)
    )


def _way(edges: tuple[Edge, ...]) -> tuple[Step, ...]:
    return tuple(edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in edges)


def _end(site: Site) -> Step:
    return site.fn.step(site.call.span, "the job is handed over here")


def left_to_worker(project: Project, fn: Fn) -> bool:
    """A method that returns at once unless its object was made by a job (`if not self.in_worker: return`), where the
    object's `__init__` puts a job into a queue instead and sets the flag to False."""
    flag = _required_flag(fn)
    init = fn.cls.methods.get("__init__") if fn.cls is not None and flag else None
    if init is None or not any(
        store.name == flag
        and init.facts.values[object_root(init, store.base)] == ("param", 0)
        and init.const(store.value) is False
        for store in init.facts.stores
    ):
        return False
    return any("queue-publish" in site.model.effect for site in project.effects.direct(init))


def _required_flag(fn: Fn) -> str:
    """The attribute of `self` without which a method returns before it has done anything."""
    block = next((item for item in fn.facts.blocks if item.kind == "if"), None)
    if fn.cls is None or block is None or block.exits != "return" or block.value < 0 or block.parent != 0:
        return ""
    value = fn.facts.values[block.value]
    tested = fn.facts.values[value[1]] if value[0] == "not" else ("",)
    early = any(call.span < block.span for call in fn.calls)
    return str(tested[2]) if tested[0] == "attr" and fn.facts.values[tested[1]] == ("param", 0) and not early else ""
