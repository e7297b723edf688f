"""Queues that cannot fill: nothing is put into them again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.effects import Site
from backendlint.project.linking.binding import receiver
from backendlint.project.loops.loops import loops_around
from backendlint.project.values.uses import aliases

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PUTS = ("put", "put_nowait", "send", "send_nowait")
_REGISTERS = frozenset({"append", "add", "insert", "setdefault", "register", "subscribe", "add_listener"})
"""By which others get to know of a queue, who then fill it."""


def seldom_filled(project: Project, site: Site) -> bool:
    """Whether a queue takes one item at most: whoever makes it (or a function in that) also puts it there, outside loops,
    and nobody else gets hold of it."""
    queue = _Queue(project, site)
    return not queue.shared() and all(queue.once(owner) for owner in queue.owners())


def measured(project: Project, site: Site) -> bool:
    """Whether somebody asks whether it holds so much that something must be done: `if queue.qsize() >= BATCH: flush()`."""
    queue = _Queue(project, site)
    for fn, call in project.graph.calls_written("qsize"):
        if not queue.kept_in(fn, receiver(fn, call)) and not queue.named(fn, call):
            continue
        for vid in fn.made_by("compare"):
            _, tests, sides = fn.value(vid)
            if call.value in sides and len(sides) == 2 and tests[0] in (">", ">=", "<", "<="):
                other = sides[1] if sides[0] == call.value else sides[0]
                if fn.const(other) not in (0, 1):
                    return True
    return False


def filled_by_requests(project: Project, site: Site) -> bool:
    """Whether what an endpoint waits for puts something into the queue: as often as clients ask."""
    queue = _Queue(project, site)
    return any(
        fn in project.in_request and (queue.kept_in(fn, receiver(fn, call)) or queue.named(fn, call))
        for fn, call in project.graph.calls_written(*_PUTS)
    )


def of_one_call(project: Project, site: Site) -> bool:
    """Whether the queue ends with the call that makes it (`events = Queue()` for what one request streams), or is filled there
    before anybody takes from it: a list of work."""
    queue = _Queue(project, site)
    fn = site.fn
    if fn.is_module or queue.name or any(item.value in queue.held for item in fn.facts.stores):
        return False
    bound = {vid for vid in fn.made_by("attr") if fn.value(vid)[1] in queue.held}  # `subscribe(events.put_nowait)`
    passing = [call for call in fn.calls if not (queue.held | bound).isdisjoint(call.passed)]
    if any(fn.callee_name(call) in _REGISTERS for call in passing):
        return False
    if not any(item.value in queue.held for item in fn.facts.returns):
        return True
    puts = [call for call in fn.calls if fn.callee_name(call) in _PUTS and receiver(fn, call) in queue.held]
    return bool(puts) and not passing and not any(queue.puts_into(inner) for inner in queue.owners() if inner is not fn)


class _Queue:
    def __init__(self, project: Project, site: Site) -> None:
        self.project = project
        self.fn = site.fn
        self.held = aliases(site.fn.facts, site.call.value)
        self.name = next((item.name for item in site.fn.facts.stores if item.value in self.held and item.name), "")
        """Of the attribute in which it is kept."""

    def shared(self) -> bool:
        """Whether it goes where its uses are not looked for."""
        facts = self.fn.facts
        if self.fn.is_module or any(item.value in self.held for item in facts.returns):
            return True
        if any(item.value in self.held and not item.name for item in facts.stores):
            return True
        puts = self.project.graph.calls_written(*_PUTS) if self.name else ()
        return any(
            self.named(fn, call) or (fn.file is not self.fn.file and self.is_it(fn, receiver(fn, call)))
            for fn, call in puts
        )

    def owners(self) -> list[Fn]:
        """Functions that may use it."""
        found = self.project.functions_of(self.fn.file)
        return [item for item in found if (not self._elsewhere(item) if self.name else item.lies_in(self.fn))]

    def _elsewhere(self, fn: Fn) -> bool:
        """A method, or a function in one, of a class that has nothing to do with the one in which the queue is kept."""
        home = fn
        while home.parent is not None and home.cls is None and not home.parent.is_module:
            home = home.parent
        if home.cls is None or self.fn.cls is None:
            return False
        mro = self.project.hierarchy.mro
        return self.fn.cls not in mro(home.cls) and home.cls not in mro(self.fn.cls)

    def once(self, owner: Fn) -> bool:
        for call in owner.calls:
            if any(self.is_it(owner, vid) for vid in call.passed):
                return False
            puts = owner.callee_name(call) in _PUTS and self.is_it(owner, receiver(owner, call))
            if puts and (loops_around(owner, call.block) or not self._runs_once(owner)):
                return False
        return True

    def puts_into(self, owner: Fn) -> bool:
        """Whether a function puts something into it."""
        return any(
            owner.callee_name(call) in _PUTS and self.is_it(owner, receiver(owner, call)) for call in owner.calls
        )

    def _runs_once(self, owner: Fn) -> bool:
        """The function that makes it, or one in that which is called or started there once: no callback."""
        if owner is self.fn:
            return True
        edges = self.project.graph.callers(owner) if owner.lies_in(self.fn) else []
        return bool(edges) and all(
            edge.caller is self.fn
            and edge.kind in ("call", "spawn", "thread")
            and edge.call is not None
            and not loops_around(self.fn, edge.call.block)
            for edge in edges
        )

    def is_it(self, fn: Fn, vid: Vid) -> bool:
        if vid < 0:
            return False
        value = fn.unguarded(vid)
        if self.name and value[0] == "attr":
            return bool(value[2] == self.name)
        if fn is self.fn:
            return vid in self.held
        return value[0] == "outer" and fn.outer(value) is self.fn and value[1] in self.held

    def kept_in(self, fn: Fn, vid: Vid) -> bool:
        """The queue, and in no attribute of the same name of some other class."""
        if not self.is_it(fn, vid):
            return False
        value = fn.unguarded(vid)
        refs = self.project.refs(fn, value[1]) if self.name and value[0] == "attr" and self.fn.cls is not None else ()
        classes = [self.project.classes[ref.name] for ref in refs if ref.kind == "inst"]
        mro = self.project.hierarchy.mro
        own = self.fn.cls
        return not classes or any(own in mro(cls) or (own is not None and cls in mro(own)) for cls in classes)

    def named(self, fn: Fn, call: Call) -> bool:
        """`letters.put(it)`, of a module's variable, or `hub.letters.put(it)`, of an object that one holds."""
        value = fn.unguarded(call.func)
        if value[0] != "name":
            return False
        dotted = str(value[1]).rpartition(".")[0]
        if not self.fn.is_module:
            return bool(self.name) and self._of_object(fn, dotted)
        target = self.project.modules.resolve(dotted, fn.file.module)
        return target.file is self.fn.file and target.vid in self.held

    def _of_object(self, fn: Fn, dotted: str) -> bool:
        owner, _, name = dotted.rpartition(".")
        own, mro = self.fn.cls, self.project.hierarchy.mro
        refs = self.project.resolver.dotted(owner, fn.file.module) if name == self.name and own is not None else ()
        return any(own in mro(self.project.classes[ref.name]) for ref in refs if ref.kind == "inst")
