"""The longest that functions and endpoints can wait for what lies outside: timeouts x attempts + pauses, along the call graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge, argument_of
from backendlint.project.graph.certain import Given, Present, given
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import bind
from backendlint.project.linking.decorators import is_job
from backendlint.project.values.numbers import number
from backendlint.project.values.uses import ingredients
from backendlint.project.waiting.bodies import COUNTED, Body
from backendlint.project.waiting.limits import Limits
from backendlint.project.waiting.retry_settings import Policy
from backendlint.project.waiting.sums import Part, Sum, duration

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

DEFAULT_BUDGETS = {"api_ms": 30_000, "job_ms": 900_000}
MAX_VARIANTS = 8
"""Of a function, by its arguments."""
MAX_DEPTH = 60
_MADE = ("list", "tuple", "set", "dict", "fmt")
_TESTS = ("if", "for", "while", "comp", "case")


class Waits:
    """Answers `of(fn)` and `route(route)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, dict[frozenset[object], Sum]] = {}
        self._active: set[str] = set()
        self._tested: dict[str, set[int]] = {}
        self._loops: dict[tuple[str, int], Policy] = {}
        self._decorated: dict[str, Policy] = {}
        for policy in project.retries.all:
            if policy.kind == "loop":
                self._loops[policy.fn.fqn, policy.block] = policy
            elif policy.kind == "decorator" and not is_job(self.project, policy.fn):  # nobody waits for a job
                self._decorated[policy.fn.fqn] = policy

    def budget(self, key: str) -> float:
        """The longest acceptable wait in seconds: `api_ms` of endpoints, `job_ms` of jobs."""
        budgets = self.project.options.get("budget")
        limit = budgets.get(key) if isinstance(budgets, Mapping) else None
        return float(limit if limit is not None else DEFAULT_BUDGETS[key]) / 1000

    def stated(self, key: str) -> str:
        """The budget in words, saying where nobody has set it."""
        assumed = "assumed " if self.assumed(key) else ""
        return f"the {assumed}budget of {duration(self.budget(key))}"

    def assumed(self, key: str) -> bool:
        """Whether nobody has set the budget."""
        return self.budget(key) * 1000 == DEFAULT_BUDGETS[key]

    @staticmethod
    def counts(model: CallModel) -> bool:
        """Whether the call waits for something outside."""
        return not COUNTED.isdisjoint(model.effect)

    def plain_client(self, model: CallModel) -> bool:
        """Whose defaults everybody should know: HTTP clients and the standard library, not SDKs of services."""
        library = self.project.libraries.library(model.library)
        return library is not None and library.kind in ("http-client", "stdlib", "web-framework")

    def route(self, route: Route) -> Sum:
        """Of an endpoint: its dependencies, each once a request, then its handler."""
        if route.handler is None:
            return Sum()
        found = self.of(route.handler)
        own = {edge.callee.fqn for edge in self.project.graph.callees(route.handler) if edge.kind == "inject"}
        for fn in route.dependencies:
            if fn.fqn not in own:
                found = self.of(fn).kept().plus(found)
        return found

    def of(self, fn: Fn, known: Given | None = None, limits: Limits | None = None) -> Sum:
        """Of a function, called once, with `known` for its arguments and `limits` for the timeouts among them; a recursion
        counts once."""
        sums = self._known.setdefault(fn.fqn, {})
        known, limits = known or {}, limits or {}
        key = frozenset[object]((*known.items(), *limits.items()))
        if key not in sums and len(sums) > MAX_VARIANTS:
            key, known, limits = frozenset(), {}, {}
        if key in sums:
            return sums[key]
        if fn.fqn in self._active or len(self._active) > MAX_DEPTH or (not fn.facts.calls and not fn.facts.params):
            return Sum()
        self._active.add(fn.fqn)
        try:
            found = Body(self, fn, known, limits).sum()
            policy = self._decorated.get(fn.fqn)
            if policy is not None:
                found = self._retried(found, policy)
        finally:
            self._active.discard(fn.fqn)
        sums[key] = found
        return found

    def called(self, edge: Edge, known: Given, limits: Limits) -> Sum:
        """Of what a call leads to, with its arguments; `known` and `limits` are what is known of the caller's own."""
        deciding = self._deciding(edge.callee)
        passed = given(edge, known, self._there) if deciding else {}
        passed |= self._numbers(edge, deciding.difference(passed))
        known = {index: value for index, value in passed.items() if index in deciding}
        return self.of(edge.callee, known, self.project.timeouts.passed.at(edge, limits))

    def _numbers(self, edge: Edge, indexes: set[int]) -> Given:
        """Numbers with a name that are passed (`attempts=MAX_ATTEMPTS`)."""
        found: Given = {}
        bound = bind(edge.caller, edge.call, edge.callee) if indexes and edge.call and edge.kind == "call" else {}
        for index in indexes:
            for vid, part in bound.get(index, ()):
                known = self.project.constants(edge.caller, vid) if not part else None
                if known is not None and len(known) == 1 and isinstance(known[0], int | float):
                    found[index] = known[0]
        return found

    def _there(self, fn: Fn, vid: Vid) -> Present | None:
        """What is made on the spot is not None; attributes and results may be."""
        value = fn.unguarded(vid)
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is not None and any(ref.kind == "class" for ref in self.project.callees(fn, call)):
            return Present.FULL
        return Present.FULL if value[0] in _MADE and value[1] else None

    def _deciding(self, fn: Fn) -> set[int]:
        """Parameters that a test, a loop or another call may depend on."""
        known = self._tested.get(fn.fqn)
        if known is None:
            vids = [block.value for block in fn.facts.blocks if block.kind in _TESTS]
            vids += [vid for call in fn.calls for vid in call.passed]
            values = (fn.facts.values[vid] for vid in ingredients(fn.facts, vids))
            known = self._tested[fn.fqn] = {value[1] for value in values if value[0] == "param"}
        return known

    def loop(self, fn: Fn, block: int) -> Policy | None:
        """The retry policy that a loop is."""
        return self._loops.get((fn.fqn, block))

    def _retried(self, found: Sum, policy: Policy) -> Sum:
        if not self._can_catch(found, policy):
            return found
        attempts = policy.attempts or 1
        found = found.repeated(attempts)
        pause = self._pause(policy)
        if found.parts and attempts > 1 and pause:
            label = f"pauses between {attempts:g} attempts of {policy.fn.name}()"
            place = policy.home.location(policy.span)
            return found.plus(Sum((Part(place, label, pause * (attempts - 1), 1, "backoff", False),)))
        return found

    def _can_catch(self, found: Sum, policy: Policy) -> bool:
        """False where a decorator waits for what one HTTP client raises, and other libraries make all the calls."""
        on = [self.project.libraries.library_of(name) for name in policy.on]
        made = [self.project.libraries.library(name) for name in found.libraries]
        raised = bool(on) and all(item is not None and item.kind == "http-client" for item in on)
        return not (raised and made) or any(item is None or item.kind == "http-client" for item in made)

    def _pause(self, policy: Policy) -> float:
        """The longest pause that a decorator's `wait` names, in seconds."""
        home = policy.home
        for call in home.calls:
            if call.span != policy.span:
                continue
            for ref in self.project.callees(home, call):
                model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
                if model is not None and model.retry is not None and model.retry.wait is not None:
                    return self._longest_wait(home, argument_of(call, model.retry.wait))
        return 0.0

    def _longest_wait(self, home: Fn, vid: Vid) -> float:
        if vid < 0:
            return 0.0
        value = home.facts.values[vid]
        if value[0] == "binop":
            return self._longest_wait(home, value[2]) + self._longest_wait(home, value[3])
        if value[0] != "call":
            return number(self.project, home, vid, {}) or 0.0
        call = home.facts.calls[value[1]]
        for model in self.project.models(home, call):
            if model.retry is not None and model.retry.wait is not None:
                return self._longest_wait(home, argument_of(call, model.retry.wait))
        return 0.0
