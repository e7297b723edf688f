"""What runs side by side without a bound: gathers over any number of items, threads and tasks per item, endless queues."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import argument_of
from backendlint.project.graph.effects import Site
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import object_root, receiver
from backendlint.project.loops.loops import VIEWS, loop_at, plain
from backendlint.project.taint.naming import identifier_words
from backendlint.project.values.lengths import Lengths
from backendlint.project.values.limited import limited
from backendlint.project.values.uses import aliases
from backendlint.project.waiting.handoffs import filled_by_requests, measured, of_one_call, seldom_filled

if TYPE_CHECKING:
    from backendlint.project.model import Project

OUTSIDE = frozenset(
    "http db-connect db-read db-write db cache-read cache-write mail socket grpc cloud search queue-publish subprocess "
    "sleep".split()
)
"""Effects of which many at once exhaust something: connections, the peer, processes."""
_ANSWERS = frozenset("http db-read cache-read grpc cloud search".split())
"""Of those, what brings as much as the other side has."""
_SAME = ("guard", "await", "star", "mut", "store")
_ENDS = frozenset({"join", "wait", "result"})
_STARTS = frozenset({"task", "taskgroup", "thread", "process"})


def _is_comp(found: tuple[int, Block]) -> bool:
    return found[1].kind == "comp"


class Fanout(NamedTuple):
    """A place where the number of things that run at once has no bound."""

    site: Site
    kind: str
    """gather, task, thread, process, queue or pool."""
    what: str
    """The function or library call that runs many times, where known."""
    shared: str = ""
    """The class of the one database session that all of them use, if they do."""
    source: Vid = -1
    """What is gone through, or counted."""


class Fanouts:
    """Answers `unbounded()`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lengths = Lengths(project)

    def unbounded(self) -> Iterator[Fanout]:
        """All such places, in the order of the effects' sites."""
        for site in self.project.effects.sites:
            concurrency = site.model.concurrency
            if concurrency is None:
                continue
            if concurrency.kind == "gather":
                found = self._gather(site)
            elif concurrency.kind in _STARTS and site.model.spawn is not None:
                found = self._started(site, concurrency.kind)
            elif concurrency.kind == "queue":
                bounded = seldom_filled(self.project, site) or measured(self.project, site)
                found = None if bounded else self._queue(site)
            else:
                found = self._pool(site, concurrency.kind)
            if found is not None:
                yield found

    def evident(self, fanout: Fanout) -> bool:
        """Whether requests (or jobs) make many of it: they fill the queue, or start the rest; not for the parts of an object that
        lives beside them. So does whoever goes through what others have answered."""
        fn = fanout.site.fn
        if fanout.kind == "queue":
            return filled_by_requests(self.project, fanout.site) and not of_one_call(self.project, fanout.site)
        asked, layer = fn in self.project.in_request, self.project.layer(fn)
        if fanout.kind in ("thread", "process"):
            return asked or layer in ("task", "service")
        if asked or not self.project.routes or (layer in ("task", "service") and not self._own(fn, fanout.source)):
            return True
        value = fn.value(plain(fn, fanout.source)) if fanout.source >= 0 else ("",)
        return value[0] == "call" and not _ANSWERS.isdisjoint(self.project.effects.call_effects(fn, fn.calls[value[1]]))

    def _own(self, fn: Fn, vid: Vid) -> bool:
        """`self._schedules.items()`"""
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        while value[0] == "call":
            call = fn.calls[value[1]]
            func = fn.value(call.func)
            inner = func[1] if func[0] == "attr" and func[2] in VIEWS else next(iter(call.args), -1)
            value = fn.unguarded(inner) if inner >= 0 else ("",)
        return value[0] == "attr" and fn.cls is not None and fn.value(object_root(fn, value[1])) == ("param", 0)

    def _few(self, fn: Fn, loop: int) -> bool:
        """Whether a loop goes over something small, or more were refused before."""
        source = fn.facts.blocks[loop].value
        return self.lengths.small(fn, source) or limited(self.project, fn, source, loop)

    # gather(*[f(x) for x in items])

    def _gather(self, site: Site) -> Fanout | None:
        fn = site.fn
        for vid in site.call.args:
            for comp in self._comprehensions(fn, vid):
                _, _, element, _, block = fn.facts.values[comp]
                around = [number for number, item in takewhile(_is_comp, fn.blocks_of(block))]
                if all(self._few(fn, number) for number in around):
                    continue
                what = self._runs(fn, element)
                if what:
                    source = fn.facts.blocks[around[0]].value
                    return Fanout(site, "gather", what, self._shared(fn, element), source)
            for element, loop in self._appended(fn, vid):
                if fn.facts.blocks[loop].kind == "while" or self._few(fn, loop):
                    continue
                what = self._runs(fn, element)
                if what:
                    return Fanout(site, "gather", what, self._shared(fn, element), fn.facts.blocks[loop].value)
            what = self._mapped(fn, vid)
            if what:
                return Fanout(site, "gather", what)
        return None

    def _mapped(self, fn: Fn, vid: Vid) -> str:
        """`gather(*map(fetch, urls))`."""
        value = fn.facts.values[vid]
        while value[0] in _SAME:
            value = fn.facts.values[value[1]]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is None or len(call.args) < 2 or self.lengths.small(fn, call.args[1]):
            return ""
        if "builtins.map" not in {ref.name for ref in self.project.callees(fn, call)}:
            return ""
        return self._function(fn, call.args[0])

    def _function(self, fn: Fn, vid: Vid) -> str:
        """The name of a function that is handed over to be run, where it leaves the process and nothing limits it."""
        for ref in self.project.refs(fn, vid):
            target = self.project.functions.get(ref.name) if ref.kind == "func" else None
            if target is not None and self.project.effects.has(target, *OUTSIDE) and not self._limited(target):
                return f"`{target.name}()`"
        return ""

    def _appended(self, fn: Fn, vid: Vid, depth: int = 8) -> Iterator[tuple[Vid, int]]:
        """What `tasks.append(...)` put into a list, with the loop in which it stands."""
        value = fn.facts.values[vid]
        if depth == 0:
            return
        if value[0] == "mut" and value[2] == "append" and value[3]:
            call = next(
                (item for item in fn.calls if item.args == value[3] and fn.value(item.func)[-1] == "append"), None
            )
            loop = loop_at(fn, call.block) if call else -1
            if loop >= 0:
                yield value[3][0], loop
        if value[0] in _SAME:
            yield from self._appended(fn, value[1], depth - 1)
        elif value[0] == "phi":
            for item in value[1]:
                yield from self._appended(fn, item, depth - 1)

    def _comprehensions(self, fn: Fn, vid: Vid, depth: int = 6) -> Iterator[Vid]:
        """The comprehensions that a value may be."""
        value = fn.facts.values[vid]
        if depth == 0:
            return
        if value[0] == "comp" and value[1] != "dict":
            yield vid
        elif value[0] in _SAME:
            yield from self._comprehensions(fn, value[1], depth - 1)
        elif value[0] == "phi":
            for item in value[1]:
                yield from self._comprehensions(fn, item, depth - 1)
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            names = {ref.name for ref in self.project.callees(fn, call)}
            if names & {"builtins.list", "builtins.tuple", "builtins.set"}:
                for item in call.args:
                    yield from self._comprehensions(fn, item, depth - 1)

    def _runs(self, fn: Fn, vid: Vid, depth: int = 4) -> str:
        """The name of what an element of the gather runs, where it leaves the process and nothing limits it; else ""."""
        value = fn.facts.values[vid]
        if depth == 0:
            return ""
        if value[0] in ("guard", "await"):
            return self._runs(fn, value[1], depth - 1)
        if value[0] != "call":
            return ""
        call = fn.facts.calls[value[1]]
        for model in self.project.models(fn, call):
            if model.spawn is not None or model.executor is not None or model.bridges is not None:
                if model.executor is not None or self._kind(model) == "task":
                    return ""  # the executor's workers are the bound; a task for each item is a finding of its own
                return next((name for item in call.args if (name := self._runs(fn, item, depth - 1))), "")
            if OUTSIDE.intersection(model.effect):
                return f"`{model.name}`"
        for target in self.project.targets(fn, call):
            if self.project.effects.has(target, *OUTSIDE) and not self._limited(target):
                return f"`{target.name}()`"
        return ""

    def _shared(self, fn: Fn, vid: Vid) -> str:
        """The session that each of the coroutines is given, or finds around it (`gather(*[load(session, x) for x in xs])`)."""
        value = fn.unguarded(vid)
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is None:
            return ""
        given = [item for item in call.passed if fn.unguarded(item)[0] in ("param", "outer", "enter")]
        for target in self.project.targets(fn, call):
            if not self.project.effects.has(target, "db-read", "db-write", "db"):
                continue
            around = target.made_by("outer") if target.parent is fn else ()
            found = [self._session(fn, item) for item in given] + [self._session(target, item) for item in around]
            if any(found):
                return next(name for name in found if name)
        return ""

    def _session(self, fn: Fn, vid: Vid) -> str:
        for ref in self.project.refs(fn, vid):
            cls = self.project.libraries.cls(ref.name) if ref.kind == "libinst" else None
            if cls is not None and cls.resource == "db-session" and cls.thread_safe is False:
                return ref.name.rpartition(".")[2]
        return ""

    @staticmethod
    def _kind(model: CallModel) -> str:
        return model.concurrency.kind if model.concurrency is not None else ""

    def _limited(self, fn: Fn, depth: int = 4) -> bool:
        """True where a semaphore or limiter is held in the function or in what it calls."""
        if any(block.kind == "with" and self._limits(fn, block.value) for block in fn.facts.blocks):
            return True
        if any("lock" in site.model.effect and site.model.opens == "lock" for site in self.project.effects.direct(fn)):
            return True
        edges = self.project.graph.callees(fn) if depth else []
        return any(self._limited(edge.callee, depth - 1) for edge in edges if edge.kind == "call")

    def _limits(self, fn: Fn, vid: Vid) -> bool:
        if vid < 0:
            return False
        for ref in self.project.refs(fn, vid):
            for name in self.project.libraries.mro(ref.name) if ref.kind == "libinst" else ():
                model = self.project.libraries.call(name)
                if model is not None and model.concurrency is not None and model.concurrency.kind == "semaphore":
                    return True
        value = fn.facts.values[vid]
        word = str(value[-1]).lower() if value[0] in ("attr", "name") else ""
        if value[0] in ("param", "outer"):
            word = fn.facts.params[value[1]].name.lower() if value[0] == "param" else "semaphore"
        return any(part in word for part in ("sem", "limit", "throttle", "slots"))

    # one task, thread or process an item or a request

    def _started(self, site: Site, kind: str) -> Fanout | None:
        fn, call = site.fn, site.call
        group = fn.unguarded(receiver(fn, call)) if receiver(fn, call) >= 0 else ("",)
        around = takewhile(lambda found: group != ("enter", found[1].value), fn.blocks_of(call.block))
        number, loop = next(((number, item) for number, item in around if item.kind in ("for", "comp")), (-1, None))
        if loop is None or self._few(fn, number) or self._acquires(fn, number, call) or self._drained(fn, number, call):
            return None
        if kind in ("thread", "process"):
            return None if self._guarded(fn, call) else Fanout(site, kind, self._target(site), source=loop.value)
        if self._guarded(fn, call) or self._replaces(fn, call):
            return None
        what = next((name for vid in call.args if (name := self._runs(fn, vid) or self._function(fn, vid))), "")
        return Fanout(site, "task", what, source=loop.value) if what else None

    @staticmethod
    def _replaces(fn: Fn, call: Call) -> bool:
        """`buffer.timer.cancel()`, then `buffer.timer = create_task(...)`: one lives at a time."""
        cancelled = [
            fn.facts.values[item.func][1]
            for item in fn.calls
            if fn.facts.values[item.func][0] == "attr" and fn.callee_name(item) == "cancel" and item.span < call.span
        ]
        if not aliases(fn.facts, call.value).isdisjoint(cancelled):
            return True
        slots = {
            (fn.value(object_root(fn, value[1])), value[2])
            for vid in cancelled
            if (value := fn.unguarded(vid))[0] == "attr"
        }
        kept = [store for store in fn.facts.stores if store.value == call.value and store.name and store.base >= 0]
        return any((fn.value(object_root(fn, store.base)), store.name) in slots for store in kept)

    def _guarded(self, fn: Fn, call: Call) -> bool:
        """A semaphore is taken around or before the start, or a bound on the number is tested in the loop."""
        blocks = fn.blocks_of(call.block)
        if any(block.kind == "with" and self._limits(fn, block.value) for _, block in blocks):
            return True
        return any(
            site.model.opens == "lock" and site.call.span < call.span and site.call is not call
            for site in self.project.effects.direct(fn)
        )

    def _acquires(self, fn: Fn, loop: int, start: Call) -> bool:
        """Whether each round gets hold of something first (`limiter.acquire_nowait()`), of which there is but so much."""
        before = (
            call for call in fn.calls if call.span < start.span and "acquire" in identifier_words(fn.callee_name(call))
        )
        return any(number == loop for call in before for number, _ in fn.blocks_of(call.block))

    def _drained(self, fn: Fn, loop: int, start: Call) -> bool:
        """`if len(pending) >= 5: done, pending = await asyncio.wait(pending, ...)`, before the next one is started."""
        inside = below(fn.facts, loop)
        for number, block in enumerate(fn.facts.blocks):
            if number not in inside or block.kind not in ("if", "while") or block.value < 0 or block.span > start.span:
                continue
            test = fn.unguarded(block.value)
            if (
                test[0] != "compare"
                or test[1] not in ((">",), (">=",), ("==",))
                or not self.lengths.counts_up(fn, test[2][0])
            ):
                continue
            full = below(fn.facts, number)
            if any(item.block in full and (item.awaited or fn.callee_name(item) in _ENDS) for item in fn.calls):
                return True
        return False

    def _target(self, site: Site) -> str:
        edges = self.project.graph.callees(site.fn)
        return next((f"`{edge.callee.name}()`" for edge in edges if edge.call is site.call), "")

    # queues and pools

    def _queue(self, site: Site) -> Fanout | None:
        concurrency = site.model.concurrency
        assert concurrency is not None
        if concurrency.bound is None:
            return Fanout(site, "queue", "")
        vid = argument_of(site.call, concurrency.bound)
        if vid < 0:
            return None if site.call.open_ended else Fanout(site, "queue", "")
        known = self.project.constants(site.fn, vid)
        endless = known is not None and all(isinstance(item, int) and item <= 0 for item in known)
        return Fanout(site, "queue", "") if endless else None

    def _pool(self, site: Site, kind: str) -> Fanout | None:
        """`ThreadPoolExecutor(max_workers=len(items))`: as many workers as there are items."""
        bound = site.model.concurrency.bound if site.model.concurrency is not None else None
        vid = argument_of(site.call, bound) if bound is not None and kind in ("executor", "pool") else -1
        if vid < 0:
            return None
        return Fanout(site, "pool", "") if self._counts_items(site.fn, vid) else None

    def _counts_items(self, fn: Fn, vid: Vid) -> bool:
        """`len(items)`, also where that is at least one: `len(items) or 1`, `max(1, len(items))`."""
        value = fn.unguarded(vid)
        if value[0] == "bool":
            return value[1] == "or" and self._counts_items(fn, value[2][0])
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        names = {ref.name for ref in self.project.callees(fn, call)}
        if "builtins.max" in names:
            return any(self._counts_items(fn, item) for item in call.args)
        return "builtins.len" in names and bool(call.args) and not self.lengths.small(fn, call.args[0])
