"""Adds up how long one function waits, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, truth
from backendlint.project.graph.effects import Site, called
from backendlint.project.graph.letgo import handed_on, let_go
from backendlint.project.libraries.model import CallModel
from backendlint.project.loops.once import first_time_only, once_a_request
from backendlint.project.values.numbers import number, rounds_of
from backendlint.project.values.turns import Rounds, decided
from backendlint.project.waiting.limits import Limits, parameters
from backendlint.project.waiting.retry_settings import Policy
from backendlint.project.waiting.sums import Part, Sum, longest
from backendlint.project.waiting.wait import Wait

if TYPE_CHECKING:
    from backendlint.project.waiting.waits import Waits

COUNTED = frozenset(
    "http grpc mail socket subprocess sleep cloud search cache-read cache-write db-connect db db-read db-write".split()
)
MAX_ROUNDS = 20
_LEAVES = ("return", "raise")
_CARRIES = ("guard", "await", "star", "mut")


class Body:
    """One function, called with what is known of its arguments (`known`) and of the timeouts among them (`limits`)."""

    def __init__(self, waits: Waits, fn: Fn, known: Given, limits: Limits) -> None:
        self.waits = waits
        self.project = waits.project
        self.fn = fn
        self.known = known
        self.passed = limits
        self.children: dict[int, list[int]] = {}
        self.calls: dict[int, list[Call]] = {}
        for index, block in enumerate(fn.facts.blocks):
            if index and block.kind not in ("lambda", "class"):
                self.children.setdefault(block.parent, []).append(index)
        for call in fn.calls:
            self.calls.setdefault(call.block, []).append(call)
        self.edges: dict[int, list[Edge]] = {}
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
        count = rounds_of(self.project, self.fn, index, self.known)
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
        theirs = longest(self._led_to(edge) for edge in edges if edge.through is None)
        theirs = theirs.plus(longest(self._led_to(edge) for edge in edges if edge.through is not None))
        return found.plus(theirs.kept() if edges and once_a_request(self.project, self.fn, call) else theirs)

    def _led_to(self, edge: Edge) -> Sum:
        """What a call leads to; by a helper that makes it again and again, as often as that does."""
        found = self.waits.called(edge, self.known, self.passed)
        for helper, call in edge.through.ways() if edge.through is not None else ():
            policies = (self.waits.loop(helper, block) for block, _ in helper.blocks_of(call.block))
            attempts = next((policy.attempts for policy in policies if policy is not None and policy.attempts), None)
            found = found.repeated(attempts) if attempts else found
        return found

    def _modelled(self, call: Call, model: CallModel, rounds: Rounds) -> Sum:
        kind = next((effect for effect in model.effect if effect in COUNTED), "")
        if not kind:
            return Sum()
        site = Site(self.fn, call, model)
        if kind == "sleep":
            seconds = number(self.project, self.fn, call.args[0], rounds) if call.args else None
            return self._part(site, kind, seconds, False) if seconds else Sum()
        wait = self._wait(call, model)
        if wait is None or model.timeout is None or model.timeout.covers in ("acquire", "idle"):
            return Sum()
        if wait.kind == "unknown" or wait.left_out:
            return Sum(unknown=(site,))
        if wait.kind == "forever":
            return Sum(endless=(site,))
        return self._part(site, kind, wait.seconds, wait.default and self._by_itself(wait, model))

    def _by_itself(self, wait: Wait, model: CallModel) -> bool:
        """Whether a default is no choice of whoever wrote the code: of services' SDKs, and what is over the budget alone."""
        return not self.waits.plain_client(model) or wait.seconds > self.waits.budget("api_ms")

    def _wait(self, call: Call, model: CallModel) -> Wait | None:
        """How long a call can take, where its timeout is a parameter by what was passed for that."""
        timeouts = self.project.timeouts
        for way in parameters(self.fn, call, model.timeout) if self.passed and model.timeout is not None else ():
            if way in self.passed:
                seconds = self.passed[way]
                return timeouts.without(self.fn, call, model) if seconds is None else Wait("seconds", seconds)
        return timeouts.of(self.fn, call, model)

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
