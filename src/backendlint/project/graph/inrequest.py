"""What runs while a client waits: functions that endpoints call, without jobs, background tasks and threads that are let go,
and without what is made once for the whole process, or served where one develops alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import barred, given
from backendlint.project.graph.effects import SAME_THREAD
from backendlint.project.graph.jobs import left_to_worker
from backendlint.project.graph.letgo import runs_beside
from backendlint.project.loops.once import first_time_only, refilled
from backendlint.project.values.stages import made_for_trial

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

_LEAVES = ("return", "raise")


class InRequest:
    """Answers which endpoint leads to a function, and by which calls."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._from: dict[str, Edge | None] = {}
        self._route: dict[str, Route] = {}
        todo: deque[Fn] = deque()
        for route in project.routes:
            for fn in route.begun:
                if fn.fqn not in self._from and not made_for_trial(fn):
                    self._from[fn.fqn] = None
                    self._route[fn.fqn] = route
                    todo.append(fn)
        shut: dict[str, list[Edge]] = {}
        while todo:
            fn = todo.popleft()
            for edge in project.graph.callees(fn):
                for item in self._led_to(edge, shut):
                    if item.callee.fqn not in self._from:
                        self._from[item.callee.fqn] = item
                        self._route[item.callee.fqn] = self._route[item.caller.fqn]
                        todo.append(item.callee)

    def _led_to(self, edge: Edge, shut: dict[str, list[Edge]]) -> list[Edge]:
        """What is reached by a call that was found: its function, unless all that call the caller rule that out, where it joins
        the `shut` calls of the caller; of a function that was reached before, those of its `shut` calls which this one lets run."""
        if edge.callee.fqn in self._from:
            waiting = shut.get(edge.callee.fqn)
            return [item for item in waiting if not _rules_out(edge, item)] if waiting and _waits_for(edge) else []
        if not self._runs(edge):
            return []
        if self._never(edge):
            shut.setdefault(edge.caller.fqn, []).append(edge)
            return []
        return [edge]

    def _runs(self, edge: Edge) -> bool:
        """Whether the caller waits for it, and the endpoint with it."""
        return (
            _waits_for(edge) and not runs_beside(self.project, edge) and not left_to_worker(self.project, edge.callee)
        )

    def _never(self, edge: Edge) -> bool:
        """Whether all that have been seen to call the caller rule a call in it out: `add(later=True)`, where it stands below
        `if not later`."""
        fn = edge.caller
        if self._from[fn.fqn] is None or not any(True for _ in fn.tests_before(edge.block, edge.span, _LEAVES)):
            return False
        ways = (way for way in self.project.graph.callers(fn) if way.caller.fqn in self._from and _waits_for(way))
        return all(_rules_out(way, edge) for way in ways)

    def __contains__(self, fn: object) -> bool:
        return isinstance(fn, Fn) and fn.fqn in self._from

    def route(self, fn: Fn) -> Route | None:
        """The endpoint with the shortest way to the function."""
        return self._route.get(fn.fqn)

    def way(self, fn: Fn) -> tuple[Step, ...]:
        """The calls from the endpoint's handler to the function."""
        steps = [Step(edge.caller.location(edge.span), f"calls {edge.callee.name}()") for edge in self._back(fn)]
        return tuple(reversed(steps))

    def in_thread(self, fn: Fn) -> bool:
        """Whether the endpoint hands it to a thread that it awaits: the event loop goes on meanwhile."""
        return any(edge.kind == "thread" for edge in self._back(fn))

    def seldom(self, fn: Fn) -> bool:
        """Whether the endpoint comes to it only where what the process keeps for a while is too old, or something is broken."""
        return any(
            edge.call is not None and (refilled(edge.caller, edge.call) or self._broken(edge.caller, edge.call.block))
            for edge in self._back(fn)
        )

    def _broken(self, fn: Fn, block: int) -> bool:
        """Below `except OperationalError:`, where a dependency has failed; not `except Order.DoesNotExist:`."""
        handlers = (item for _, item in fn.blocks_of(block) if item.kind == "except")
        caught = (self.project.exceptions.caught_types(fn, item) for item in handlers)
        return any(bool(names) and all(map(self._is_outage, names)) for names in caught)

    def _is_outage(self, name: str) -> bool:
        model = self.project.libraries.exception(name)
        return model is not None and (model.transient or model.kind == "infrastructure")

    def _back(self, fn: Fn) -> Iterator[Edge]:
        """The calls on the way back from the function to the endpoint's handler."""
        edge = self._from.get(fn.fqn)
        while edge is not None:
            yield edge
            edge = self._from.get(edge.caller.fqn)


def _rules_out(way: Edge, edge: Edge) -> bool:
    """Whether a function, called so, never comes to a call in it."""
    known = given(way)
    return bool(known) and barred(edge.caller, edge.block, edge.span, known)


def _waits_for(edge: Edge) -> bool:
    if edge.call is not None and first_time_only(edge.caller, edge.call):
        return False
    if edge.kind == "thread":
        return edge.call is not None and edge.call.awaited
    return edge.kind in SAME_THREAD


def layers_down(project: Project, edges: Iterable[Edge], sends: Cls | None) -> int:
    """Calls down to the one that goes out; those that the methods of the object which sends make of each other are one."""
    kin = project.hierarchy.mro
    ways = ((edge.caller.cls, edge.callee.cls) for edge in edges)
    return 1 + sum(caller is None or sends not in kin(caller) or callee not in kin(caller) for caller, callee in ways)
