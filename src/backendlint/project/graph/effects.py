"""What functions do, transitively: database, network, sleep ... each with the shortest chain of calls that shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call
from backendlint.findings.model import Step
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.linking.variables import variable

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Site(NamedTuple):
    """A call of the project that has effects by its library model."""

    fn: Fn
    call: Call
    model: CallModel


class Reason(NamedTuple):
    """Why a function has an effect: its own call, or the edge to a callee that has it."""

    site: Site | None
    edge: Edge | None


SAME_THREAD = frozenset({"call", "inject", "property"})
"""Edges over which waiting is felt by the caller."""
OUTSIDE = frozenset({"http", "mail", "grpc", "cloud", "search", "subprocess"})
"""Effects for which is waited all the same in an awaited thread (`await to_thread(send, text)`)."""
BLOCKING = "blocking"
"""Pseudo effect: synchronous waiting for something outside the machine, a sleep or a process; not passed on by executors,
threads and tasks. Files, logs and handing over a job do not count: they rarely stall."""
_QUICK = frozenset({"file", "log", "lock", "cpu", "queue-publish"})


def waits(model: CallModel) -> bool:
    """Whether a call of a library stalls its thread noticeably."""
    return _hashes(model) or (model.blocking and (not model.effect or not _QUICK.issuperset(model.effect)))


def _hashes(model: CallModel) -> bool:
    """A password's hash is slow on purpose; not one that is as slow as each call says (`pbkdf2_hmac`)."""
    password = model.password
    if password is None or password.op not in ("hash", "verify") or model.weak:
        return False
    return password.cost is None or password.cost.default is not None


class Effects:
    """Answers which effects a function has, and why."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.sites: list[Site] = []
        """Every call with a library model."""
        self._by_function: dict[str, list[Site]] = {}
        self._reasons: dict[str, dict[str, Reason]] = {}
        self._wrapped: set[tuple[str, int]] = set()
        """Calls that give a function to be run in a thread: the function in which they stand, and their number."""
        self._handed: dict[tuple[str, int], list[Site]] = {}
        """Library functions that a call is given to run (`breaker.call(session.post, url)`): by function and its value."""
        made = project.graph.made
        for modelled in project.graph.modelled:
            site = Site(*modelled)
            self.sites.append(site)
            self._by_function.setdefault(site.fn.fqn, []).append(site)
            if id(site.call) in made:
                self._handed.setdefault((site.fn.fqn, site.call.value), []).append(site)
            if site.model.wraps is not None and site.model.executor is not None:
                self._wrapped.add((site.fn.fqn, site.fn.place_of(site.call)))
        self._spread()

    def of(self, fn: Fn) -> dict[str, Reason]:
        """Effects of the function with the reason for each; `blocking` is one of them."""
        return self._reasons.get(fn.fqn, {})

    def has(self, fn: Fn, *effects: str) -> bool:
        """True where the function has any of the effects."""
        own = self._reasons.get(fn.fqn)
        return own is not None and any(effect in own for effect in effects)

    def direct(self, fn: Fn) -> list[Site]:
        """The function's own calls that have a library model."""
        return self._by_function.get(fn.fqn, [])

    def with_effect(self, *effects: str) -> Iterator[Site]:
        """All calls of the project that have one of these effects directly."""
        wanted = frozenset(effects)
        return (site for site in self.sites if not wanted.isdisjoint(site.model.effect))

    def chain(self, fn: Fn, effect: str) -> tuple[list[Edge], Site | None]:
        """The shortest way from the function to the call that has the effect."""
        edges: list[Edge] = []
        reason = self.of(fn).get(effect)
        while reason is not None and reason.edge is not None and len(edges) < 50:
            edges.append(reason.edge)
            reason = self.of(reason.edge.callee).get(effect)
        return edges, reason.site if reason else None

    def witness(self, fn: Fn, effect: str) -> tuple[Step, ...]:
        """The chain as steps for a report."""
        edges, site = self.chain(fn, effect)
        steps = [Step(edge.caller.location(edge.span), f"calls {edge.callee.name}()") for edge in edges]
        if site is not None:
            steps.append(Step(site.fn.location(site.call.span), f"{effect}: {site.model.name}"))
        return tuple(steps)

    def handed(self, fn: Fn, call: Call) -> Sequence[Site]:
        """Library functions that a call is given to run."""
        return self._handed.get((fn.fqn, call.value), ())

    def call_effects(self, fn: Fn, call: Call) -> set[str]:
        """Effects of one call: by its library model, or through the project functions that it runs."""
        found: set[str] = set()
        for model in self.project.models(fn, call):
            found.update(model.effect)
            if waits(model) and not call.awaited:
                found.add(BLOCKING)
        for site in self.handed(fn, call):
            if call.awaited or not site.call.awaited:  # else a thread does it, for which nobody waits here
                found.update(site.model.effect)
                found.update((BLOCKING,) if waits(site.model) and not site.call.awaited else ())
        for target in self.project.graph.run_by(fn, call):
            own = self.of(target)
            found.update(effect for effect in own if effect != BLOCKING or not self.in_thread(target))
        if BLOCKING in found and self.beside(fn, call):
            found.discard(BLOCKING)
        return found

    def beside(self, fn: Fn, call: Call) -> bool:
        """Whether what is called was wrapped for a thread (`sync_to_async(load)(row)`): its caller's loop goes on meanwhile."""
        if not self._wrapped:
            return False
        home, value = fn, fn.unguarded(call.func)
        if value[0] == "name":
            found = variable(self.project, fn, str(value[1]))
            if found is None:
                return False
            home, vid = found
            value = home.unguarded(vid)
        return value[0] == "call" and (home.fqn, value[1]) in self._wrapped

    def in_thread(self, fn: Fn) -> bool:
        """Whether a decorator makes the function run in a thread (`sync_to_async`): whoever calls it is not blocked."""
        return any(model.executor for model in decorator_models(self.project, fn))

    def _spread(self) -> None:
        queue: deque[tuple[Fn, str]] = deque()
        for site in self.sites:
            effects: list[str] = list(site.model.effect)
            if waits(site.model) and not site.call.awaited and not self.beside(site.fn, site.call):
                effects.append(BLOCKING)
            for effect in effects:
                if self._note(site.fn, effect, Reason(site, None)):
                    queue.append((site.fn, effect))
        graph = self.project.graph
        while queue:
            fn, effect = queue.popleft()
            if effect == BLOCKING and fn.decorators and self.in_thread(fn):
                continue
            for edge in graph.callers(fn):
                if effect == BLOCKING and edge.call is not None and self.beside(edge.caller, edge.call):
                    continue
                if felt(edge, effect) and self._note(edge.caller, effect, Reason(None, edge)):
                    queue.append((edge.caller, effect))

    def _note(self, fn: Fn, effect: str, reason: Reason) -> bool:
        known = self._reasons.setdefault(fn.fqn, {})
        if effect in known:
            return False
        known[effect] = reason
        return True


def felt(edge: Edge, effect: str) -> bool:
    """Whether the caller waits for the effect too."""
    awaited = edge.kind == "thread" and edge.call is not None and edge.call.awaited
    return edge.kind in SAME_THREAD or (awaited and effect in OUTSIDE)


def called(project: Project, site: Site) -> str:
    """The library's name of what is called; for models that cover many (`stripe.*`) the one that is meant."""
    if "*" not in site.model.name:
        return site.model.name
    refs = project.callees(site.fn, site.call)
    return next((ref.name for ref in refs if ref.kind == "lib"), site.model.name)
