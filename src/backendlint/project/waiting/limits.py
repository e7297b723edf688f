"""Timeouts that callers choose: which parameters become the timeout of a call further down, and what is passed for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.libraries.model import Timeout
from backendlint.project.linking.allocations import Made

if TYPE_CHECKING:
    from backendlint.project.model import Project

Way = tuple[int, str]
"""A parameter, by index; of `**options`, under which key, else ""."""
Limits = Mapping[Way, float | None]
"""Seconds that one call passes; None where it leaves out what others put into `**options`."""
MAX_HELPERS = 4
"""Functions through which a timeout is handed on."""
_READS = ("setdefault", "update", "pop", "get")


class PassedLimits:
    """Answers `at(edge)`: how long the callee's own calls may wait when it is called so."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._ways: dict[tuple[str, int], dict[Way, Timeout]] = {}

    def at(self, edge: Edge, known: Limits) -> Limits:
        """What a call passes for the callee's timeouts, as far as that is certain; `known` is what was passed to the caller."""
        if edge.call is None or edge.kind != "call":
            return {}
        found: dict[Way, float | None] = {}
        for way, timeout in self.ways(edge.callee).items():
            vid, own = self._given(edge, way)
            if own is not None and own in known:
                found[way] = known[own]
            elif vid >= 0:
                wait = self.project.timeouts.value(edge.caller, vid, timeout)
                if wait.kind == "seconds":
                    found[way] = wait.seconds
            elif own is None and way[1] and not edge.call.open_ended:
                found[way] = None
        return found

    def by_callers(self, fn: Fn, call: Call, timeout: Timeout) -> Iterator[tuple[Made, float]]:
        """The seconds that callers of a function pass for the timeout of a call in it, each with the caller's call."""
        seen: set[tuple[str, Way]] = set()
        todo = [(fn, way) for way in parameters(fn, call, timeout)]
        while todo:
            callee, way = todo.pop()
            if (callee.fqn, way) in seen:
                continue
            seen.add((callee.fqn, way))
            for edge in self.project.graph.callers(callee):
                if edge.call is None or edge.kind != "call" or edge.caller is callee:
                    continue
                vid, own = self._given(edge, way)
                if own is not None:
                    todo.append((edge.caller, own))
                wait = self.project.timeouts.value(edge.caller, vid, timeout) if vid >= 0 else None
                if wait is not None and wait.kind == "seconds":
                    yield Made(edge.caller, edge.call), wait.seconds

    def ways(self, fn: Fn, depth: int = MAX_HELPERS) -> Mapping[Way, Timeout]:
        """The parameters of a function that become the timeout of a call in it, or in what it calls."""
        if not fn.facts.params or not depth:
            return {}
        known = self._ways.get((fn.fqn, depth))
        if known is None:
            known = self._ways[fn.fqn, depth] = {}
            for call in fn.calls:
                for model in self.project.models(fn, call):
                    if model.timeout is not None:
                        known.update(dict.fromkeys(parameters(fn, call, model.timeout), model.timeout))
            for edge in self.project.graph.callees(fn):
                for way, timeout in self.ways(edge.callee, depth - 1).items() if edge.kind == "call" else ():
                    own = self._given(edge, way)[1]
                    if own is not None:
                        known[own] = timeout
        return known

    @staticmethod
    def _given(edge: Edge, way: Way) -> tuple[Vid, Way | None]:
        """The value that a call passes, or -1; the caller's own parameter where it is handed on."""
        index, key = way
        call, caller = edge.call, edge.caller
        if call is None:
            return -1, None
        vid = call.kwarg(key) if key else next((vid for vid, part in edge.passed(index) if not part), -1)
        if vid >= 0:
            value = caller.unguarded(vid)
            return vid, (value[1], "") if value[0] == "param" else None
        options = _options(caller, call) if key and call.open_ended else ("",)
        return -1, (options[1], key) if options[0] == "param" else None


def parameters(fn: Fn, call: Call, timeout: Timeout) -> Iterator[Way]:
    """The function's parameters that are the timeout of a call in it."""
    whole = [key for key in timeout.keywords if key not in timeout.partial]
    for key in whole:
        value = fn.unguarded(call.kwarg(key)) if call.kwarg(key) >= 0 else ("",)
        if value[0] == "param":
            yield value[1], ""
    value = _options(fn, call) if call.open_ended else ("",)
    if value[0] == "param" and fn.facts.params[value[1]].kind == "kwargs":
        yield from ((value[1], key) for key in whole)


def _options(fn: Fn, call: Call) -> Value:
    """What stands behind the `**options` of a call, whatever was read of it or put into it."""
    value = fn.unguarded(call.kwarg("**")) if call.kwarg("**") >= 0 else ("",)
    while value[0] == "mut" and value[2] in _READS:
        value = fn.unguarded(value[1])
    return value
