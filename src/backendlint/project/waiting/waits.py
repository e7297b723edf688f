"""The longest that functions and endpoints can wait for what lies outside: timeouts x attempts + pauses, along the call graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge, argument_of
from backendlint.project.graph.certain import Given, Present, given, truth
from backendlint.project.graph.effects import Site, called
from backendlint.project.graph.letgo import handed_on, let_go
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import is_job
from backendlint.project.loops.once import first_time_only, once_a_request
from backendlint.project.values.numbers import number, rounds_of
from backendlint.project.values.turns import Rounds, decided
from backendlint.project.values.uses import ingredients
from backendlint.project.waiting.retry_settings import Policy
from backendlint.project.waiting.sums import Part, Sum, duration, longest

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

COUNTED = frozenset(
    "http grpc mail socket subprocess sleep cloud search cache-read cache-write db-connect db db-read db-write".split()
)
DEFAULT_BUDGETS = {"api_ms": 30_000, "job_ms": 900_000}
MAX_ROUNDS = 20
MAX_VARIANTS = 4
"""Of a function, by its arguments."""
MAX_DEPTH = 60
_LEAVES = ("return", "raise")
_MADE = ("list", "tuple", "set", "dict", "fmt")
_TESTS = ("if", "for", "while", "comp", "case")
_CARRIES = ("guard", "await", "star", "mut")


class Waits:
    """Answers `of(fn)` and `route(route)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, dict[frozenset[tuple[int, object]], Sum]] = {}
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

    def of(self, fn: Fn, known: Given | None = None) -> Sum:
        """Of a function, called once, with `known` for its arguments; a recursion counts once."""
        sums = self._known.setdefault(fn.fqn, {})
        key = frozenset((known or {}).items())
        if key not in sums and len(sums) > MAX_VARIANTS:
            key = frozenset()
        if key in sums:
            return sums[key]
        if fn.fqn in self._active or len(self._active) > MAX_DEPTH or (not fn.facts.calls and not fn.facts.params):
            return Sum()
        self._active.add(fn.fqn)
        try:
            found = _Body(self, fn, dict(key)).sum()
            policy = self._decorated.get(fn.fqn)
            if policy is not None:
                found = self._retried(found, policy)
        finally:
            self._active.discard(fn.fqn)
        sums[key] = found
        return found

    def called(self, edge: Edge, known: Given) -> Sum:
        """Of what a call leads to, with its arguments; `known` is what is known of the caller's own."""
        deciding = self._deciding(edge.callee)
        passed = given(edge, known, self._there) if deciding else {}
        return self.of(edge.callee, {index: value for index, value in passed.items() if index in deciding})

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


class _Body:
    """Adds up one function, block by block."""

    def __init__(self, waits: Waits, fn: Fn, known: Given) -> None:
        self.waits = waits
        self.project = waits.project
        self.fn = fn
        self.known = known
        self.children: dict[int, list[int]] = {}
        self.calls: dict[int, list[Call]] = {}
        for index, block in enumerate(fn.facts.blocks):
            if index and block.kind not in ("lambda", "class"):
                self.children.setdefault(block.parent, []).append(index)
        for call in fn.calls:
            self.calls.setdefault(call.block, []).append(call)
        self.edges: dict[Vid, list[Edge]] = {}
        for edge in self.project.graph.callees(fn):
            self.edges.setdefault(edge.call.value if edge.call is not None else -1, []).append(edge)
        self.limits = {
            call.args[0]: limit for call in fn.calls if call.args and (limit := self._limit(call.value)) is not None
        }
        """By the value that a call with a limit (`wait_for`) is given to run."""
        self.side = self._side_by_side()

    def sum(self) -> Sum:
        through, left = self._block(0, {})
        for edge in self.project.graph.callees(self.fn):
            if edge.kind == "inject":
                before = self.waits.of(edge.callee).kept()  # asked for on several ways, it runs once a request
                through, left = before.plus(through), [before.plus(item) for item in left]
        return longest([through, *left])

    # blocks

    def _block(self, index: int, rounds: Rounds) -> tuple[Sum, list[Sum]]:
        """What passes through the block takes, and what leaves the function inside it."""
        through: Sum = Sum()
        left: list[Sum] = []
        for item in self._items(index):
            if isinstance(item, Call):
                through = through.plus(self._call(item, rounds))
                continue
            onward, leaving = self._group(item, rounds)
            left += [through.plus(found) for found in leaving]
            through = through.plus(onward)
            if any(self.fn.facts.blocks[arm].exits for arm in self._decided(item, rounds) or ()):
                break
        return through, left

    def _items(self, index: int) -> list[Call | list[int]]:
        """Calls and groups of blocks (an `if` with its `else`, a `try` with its handlers), by place."""
        blocks = self.fn.facts.blocks
        groups: dict[object, list[int]] = {}
        for child in self.children.get(index, ()):
            block = blocks[child]
            key: object = ("case", block.value) if block.kind == "case" else block.group
            groups.setdefault(key, []).append(child)
        items: list[Call | list[int]] = [*self.calls.get(index, ()), *groups.values()]
        return sorted(items, key=lambda item: item.span[:2] if isinstance(item, Call) else blocks[item[0]].span[:2])

    def _group(self, group: list[int], rounds: Rounds) -> tuple[Sum, list[Sum]]:
        blocks = self.fn.facts.blocks
        first = blocks[group[0]]
        if first.kind in ("if", "else", "case"):
            return self._alternatives(group, rounds, first)
        if first.kind == "try":
            return self._try(group, rounds)
        if first.kind in ("for", "while", "comp"):
            return self._loop(group, rounds)
        through, left = self._block(group[0], rounds)
        if first.kind == "with" and (limit := self._limit(first.value)) is not None:
            through, left = through.capped(limit), [item.capped(limit) for item in left]
        return (Sum(), [*left, through]) if first.exits in _LEAVES else (through, left)

    def _alternatives(self, group: list[int], rounds: Rounds, first: Block) -> tuple[Sum, list[Sum]]:
        onward: list[Sum] = [] if len(group) > 1 and first.kind == "if" else [Sum()]
        left: list[Sum] = []
        arm = self._decided(group, rounds)
        if arm is not None:
            onward, group = ([] if arm else [Sum()]), arm
        for index in group:
            through, leaving = self._block(index, rounds)
            left += leaving
            (left if self.fn.facts.blocks[index].exits in _LEAVES else onward).append(through)
        return longest(onward), left

    def _decided(self, group: list[int], rounds: Rounds) -> list[int] | None:
        """The arm of an `if` that this round of the loop takes (none, where it has no `else`); None where that is open."""
        blocks = self.fn.facts.blocks
        first = blocks[group[0]]
        if first.kind != "if":
            return None
        runs = truth(self.fn, first.value, self.known)
        if runs is None and rounds:
            runs = decided(self.project, self.fn, first.value, rounds)
        return None if runs is None else [index for index in group if (blocks[index].kind == "if") is runs]

    def _try(self, group: list[int], rounds: Rounds) -> tuple[Sum, list[Sum]]:
        """The body and its longest handler: the call may fail at its very end."""
        blocks = self.fn.facts.blocks
        through, left = self._block(group[0], rounds)
        handlers: list[Sum] = [] if blocks[group[0]].exits in _LEAVES else [Sum()]
        if not handlers:
            left = [*left, through]
        for index in group[1:]:
            onward, leaving = self._block(index, rounds)
            left += [through.plus(item) for item in leaving]
            if blocks[index].kind != "except":
                through = through.plus(onward)
            elif blocks[index].exits in _LEAVES:
                left.append(through.plus(onward))
            else:
                handlers.append(onward)
        return through.plus(longest(handlers)), left

    def _loop(self, group: list[int], rounds: Rounds) -> tuple[Sum, list[Sum]]:
        index = group[0]
        effects = self.project.effects.call_effects
        inside = (call for arm in group for item in below(self.fn.facts, arm) for call in self.calls.get(item, ()))
        if not any(call.awaited or call.value in self.edges or effects(self.fn, call) & COUNTED for call in inside):
            return Sum(), []  # a series of numbers, say: whatever its rounds are, nobody waits
        policy = self.waits.loop(self.fn, index)
        block = self.fn.facts.blocks[index]
        count = rounds_of(self.project, self.fn, index)
        if count is None and policy is not None and policy.attempts is not None:
            count = int(policy.attempts)
        if block.value >= 0 and truth(self.fn, block.value, self.known) is False:
            count = 0
        if count is None and block.kind == "while":
            count = next((n + 1 for n in range(MAX_ROUNDS) if self._leaves(index, {**rounds, index: n})), None)
        total: Sum = Sum()
        left: list[Sum] = []
        most = MAX_ROUNDS if rounds else MAX_ROUNDS * 10
        times = 1 if count is None else min(count, most)
        for turn in range(times):
            through, leaving = self._block(index, {**rounds, index: turn})
            if policy is not None and turn == times - 1 and times > 1:
                through = self._without_last_pause(through, policy)
            left += [total.plus(item.of_round(turn)) for item in leaving]
            total = total.plus(through.of_round(turn))
            if count is not None and self._leaves(index, {**rounds, index: turn}):
                count = turn + 1
                break
        if count is None and total.parts:
            total = total._replace(longer=True)
        if count is not None and count > most:
            total = total.repeated(count / most)
        for other in group[1:]:
            through, leaving = self._block(other, rounds)
            left += [total.plus(item) for item in leaving]
            total = total.plus(through)
        return total, left

    def _leaves(self, loop: int, rounds: Rounds) -> bool:
        """Whether this round is the last by a test that it decides: `if attempt == 2: raise`."""
        todo = list(self.children.get(loop, ()))
        while todo:
            index = todo.pop()
            block = self.fn.facts.blocks[index]
            if block.kind == "if" and self._decided([index], rounds):
                if block.exits in (*_LEAVES, "break"):
                    return True
                todo += self.children.get(index, ())
            elif block.kind in ("try", "except", "with"):
                todo += self.children.get(index, ())
        return False

    def _without_last_pause(self, through: Sum, policy: Policy) -> Sum:
        """Nobody waits after the last attempt; a pause that stands before it is one between attempts."""
        first = min((call.span.line for call in policy.calls), default=0)
        path = self.fn.header.path
        kept = [
            part
            for part in through.parts
            if part.kind != "sleep" or (part.location.path == path and part.location.line < first)
        ]
        return through._replace(parts=tuple(kept))

    # calls

    def _call(self, call: Call, rounds: Rounds) -> Sum:
        if id(call) in self.side:
            return Sum()  # counted where it is awaited with the others
        found = self._own(call, rounds)
        beside = self._together(call)
        if beside:
            found = found.plus(longest(self._own(item, rounds) for item in beside))
        limit = self.limits.get(call.value)
        return found if limit is None else found.capped(limit)

    def _own(self, call: Call, rounds: Rounds) -> Sum:
        found = Sum()
        for model in self.project.models(self.fn, call):
            found = found.plus(self._modelled(call, model, rounds))
        kinds = ("call", "thread") if call.awaited else ("call",)
        edges = [edge for edge in self.edges.get(call.value, ()) if edge.kind in kinds and not handed_on(self.fn, edge)]
        if edges and first_time_only(self.fn, call):
            return found  # made once for the whole process
        theirs = longest(self.waits.called(edge, self.known) for edge in edges)
        return found.plus(theirs.kept() if edges and once_a_request(self.project, self.fn, call) else theirs)

    def _modelled(self, call: Call, model: CallModel, rounds: Rounds) -> Sum:
        kind = next((effect for effect in model.effect if effect in COUNTED), "")
        if not kind:
            return Sum()
        site = Site(self.fn, call, model)
        if kind == "sleep":
            seconds = number(self.project, self.fn, call.args[0], rounds) if call.args else None
            return self._part(site, kind, seconds, False) if seconds else Sum()
        wait = self.project.timeouts.of(self.fn, call, model)
        if wait is None or model.timeout is None or model.timeout.covers in ("acquire", "idle"):
            return Sum()
        if wait.kind == "unknown" or wait.left_out:
            return Sum(unknown=(site,))
        if wait.kind == "forever":
            return Sum(endless=(site,))
        return self._part(site, kind, wait.seconds, wait.default and not self.waits.plain_client(model))

    def _part(self, site: Site, kind: str, seconds: float, soft: bool) -> Sum:
        label = called(self.project, site) + ("" if self.fn.is_module else f" in {self.fn.name}()")
        return Sum((Part(self.fn.location(site.call.span), label, seconds, 1, kind, soft, library=site.model.library),))

    def _limit(self, vid: Vid) -> Part | None:
        """The limit that `asyncio.timeout(5)` or `wait_for(..., 5)` sets to what it holds."""
        value = self.fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] != "call":
            return None
        call = self.fn.facts.calls[value[1]]
        wait = self.project.timeouts.limit(self.fn, call)
        if wait is None or wait.kind != "seconds":
            return None
        name = self.project.models(self.fn, call)[0].name
        return Part(self.fn.location(call.span), f"{name} in {self.fn.name}()", wait.seconds, 1, "limit", False)

    # what runs side by side

    def _side_by_side(self) -> set[int]:
        """Ids of calls that only make coroutines, which a gather, task or task group runs together."""
        found: set[int] = set()
        for call in self.fn.calls:
            if self._concurrent(call):
                found.update(id(item) for item in self._members(call))
        return found

    def _concurrent(self, call: Call) -> bool:
        return any(model.spawn is not None for model in self.project.models(self.fn, call))

    def _kind(self, call: Call) -> str:
        models = self.project.models(self.fn, call)
        return next((model.concurrency.kind for model in models if model.concurrency is not None), "task")

    def _together(self, call: Call) -> list[Call]:
        """Calls that the caller waits for at this one, all at once."""
        if not self._concurrent(call):
            return []
        if self._kind(call) == "gather":
            return self._members(call)
        first = next((item for item in self.fn.calls if self._waited(item)), None)
        if call is not first:
            return []
        return [member for item in self.fn.calls if self._waited(item) for member in self._members(item)]

    def _waited(self, call: Call) -> bool:
        """A task that is awaited later, or belongs to a group that waits for it."""
        kind = self._kind(call)
        if not self._concurrent(call) or kind not in ("task", "taskgroup") or id(call) in self.side:
            return False
        return kind == "taskgroup" or not let_go(self.fn, call.value)

    def _members(self, call: Call, depth: int = 6) -> list[Call]:
        vids = call.passed
        return [item for vid in vids for item in self._coroutines(vid, depth)]

    def _coroutines(self, vid: Vid, depth: int) -> Iterator[Call]:
        """The calls whose unawaited results a value is made of."""
        value = self.fn.facts.values[vid]
        if depth == 0:
            return
        if value[0] == "call":
            call = self.fn.facts.calls[value[1]]
            if self._concurrent(call):
                yield call
                yield from self._members(call, depth - 1)
            elif not call.awaited:
                yield call
            return
        inner: list[Vid] = []
        if value[0] in _CARRIES and value[0] != "await":
            inner = [value[1], *(value[3] if value[0] == "mut" else ())]
        elif value[0] == "comp":
            inner = [value[2]]
        elif value[0] in ("list", "tuple", "phi"):
            inner = list(value[1])
        for item in inner:
            yield from self._coroutines(item, depth - 1)
