"""Retry policies: hand-written loops, decorators and retrying clients, in one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Call, Span, Vid
from backendlint.facts.within import below, calls_in
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import Retry
from backendlint.project.linking.decorators import wrapping_calls
from backendlint.project.loops.loops import loop_at
from backendlint.project.values import numbers
from backendlint.project.values.uses import ingredients
from backendlint.project.waiting.attempts import (
    are_numbers,
    brought,
    counted_again,
    counted_tries,
    gives_up,
    hands_out,
    leaves_anyhow,
    may_pause,
    next_item,
    of_a_round,
    probes,
    rounds,
    said,
    same_again,
    sets,
    takes,
    tended,
    told_to_stop,
    until_success,
    varies,
)
from backendlint.project.waiting.retry_settings import Policy, RetrySettings, plain_name, told_what_to_catch

if TYPE_CHECKING:
    from backendlint.project.model import Project

OUTBOUND = frozenset(
    "http db-connect db-read db-write db cache-read cache-write mail socket grpc cloud search queue-publish".split()
)
"""Effects that are worth another attempt."""
_INSIDE = frozenset({"sleep", "log", "cpu", "blocking"})
BROAD = frozenset({"all", "builtins.Exception", "builtins.BaseException"})
_WAITS = re.compile(r"(^|_)(wait|await|poll|watch|watchdog|probe|readiness)(_|$|for|until)")
"""Words in names of functions that ask until something is ready."""


class Retries:
    """Finds all retry policies of the project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._settings = RetrySettings(project)

    @cached_property
    def all(self) -> list[Policy]:
        """Every policy, by place."""
        found: list[Policy] = []
        handling = set(self.project.functions_with("except"))
        for fn in self.project.all_functions():
            if fn in handling:
                found.extend(self._loops(fn))
                found.extend(self._recursions(fn))
            found.extend(self._decorators(fn))
            found.extend(self._clients(fn))
        return found

    @cached_property
    def wrapped(self) -> list[Policy]:
        """Functions below a retry decorator of the project's own, whose loop is one of `all`."""
        loops = self._by_function
        ways = {call for policy in loops.values() for call in policy.calls if self._handed_in(policy.fn, call)}
        return [
            loops[wrapper]._replace(kind="wrapped", fn=fn, calls=(), block=-1)
            for fn in (self.project.all_functions() if ways else ())
            for wrapper, call in wrapping_calls(self.project, fn)
            if call in ways and wrapper in loops
        ]

    @cached_property
    def told(self) -> list[Policy]:
        """Of the project's own decorators, those that are told what to catch: `@retrying(on=(Exception,))`."""
        return list(told_what_to_catch(self.project, self._by_function))

    @cached_property
    def _by_function(self) -> dict[Fn, Policy]:
        return {policy.fn: policy for policy in self.all if policy.kind == "loop"}

    # loops

    def _loops(self, fn: Fn) -> Iterator[Policy]:
        for index, block in enumerate(fn.facts.blocks):
            if block.kind not in ("for", "while"):
                continue
            handlers = [item for item in self._retrying_handlers(fn, index) if self._outbound_in(fn, index, [item])]
            calls = self._outbound_in(fn, index, handlers) if handlers else ()
            if calls and self._repeats(fn, index, block, calls):
                yield self._loop(fn, index, block, handlers, calls)

    def _recursions(self, fn: Fn) -> Iterator[Policy]:
        """`except Timeout: return fetch(url)` in `fetch`, also with a parameter that counts the attempts."""
        for call in fn.calls:
            number = next((number for number, item in fn.blocks_of(call.block) if item.kind == "except"), -1)
            if number < 0 or fn not in self.project.targets(fn, call):
                continue
            handler = fn.facts.blocks[number]
            outbound = self._outbound_in(fn, 0, [number])
            counter = counted_again(fn, call, outbound)
            if outbound and self._failure(fn, handler) and (counter >= 0 or same_again(fn, call, number)):
                backoff, jitter = self._pauses(fn, number)
                backoff = "exponential" if backoff == "constant" and self._grows_by(fn, counter) else backoff
                on = tuple(self.project.exceptions.surely_caught(fn, handler))
                most, tends = counted_tries(fn, counter), self._tends(fn, outbound)
                yield Policy("loop", fn, call.span, fn, most, counter >= 0, backoff, jitter, on, outbound, tends=tends)

    def _grows_by(self, fn: Fn, counter: Vid) -> bool:
        """Whether a pause is made of the parameter that counts the attempts."""
        pauses = [call for call in fn.calls if any("sleep" in model.effect for model in self.project.models(fn, call))]
        return counter in ingredients(fn.facts, (vid for call in pauses for vid in call.args))

    def _retrying_handlers(self, fn: Fn, loop: int) -> list[int]:
        """`except` blocks of a try in the loop after which the loop goes on."""
        found = []
        for number, block in enumerate(fn.facts.blocks):
            if block.kind != "except" or block.exits in ("return", "raise", "break"):
                continue
            around = fn.facts.blocks[block.group]
            if loop_at(fn, around.parent) != loop or not self._failure(fn, block):
                continue
            if leaves_anyhow(fn, loop, number):
                continue
            if (self._counts_rounds(fn, loop) and sets(fn, loop, block.group)) or not next_item(fn, loop, block.group):
                found.append(number)
        return found

    def _failure(self, fn: Fn, handler: Block) -> bool:
        """True for what a broken dependency raises; a lost race (`WatchError`) or a missing row is no outage."""
        caught = self.project.exceptions.caught_types(fn, handler)
        models = {name: self.project.libraries.exception(name) for name in caught}
        # beside a violated constraint, the project's own exceptions mean that too
        lost = any(model is not None and model.kind == "integrity" for model in models.values())
        for name, model in models.items():
            if name in BROAD or (model is None and not lost):
                return True
            if model is not None and (model.transient or model.kind == "infrastructure"):
                return True
        told = not caught and fn.unguarded(handler.value)[0] in ("param", "outer")  # by whoever makes the decorator
        return handler.value < 0 or told

    def _outbound_in(self, fn: Fn, loop: int, handlers: list[int]) -> tuple[Call, ...]:
        tries = {fn.facts.blocks[handler].group for handler in handlers}
        found = []
        for call in fn.calls:
            inside = {number for number, _ in fn.blocks_of(call.block)}
            if not (inside & tries and loop in inside):
                continue
            if OUTBOUND & self.project.effects.call_effects(fn, call) or self._handed_in(fn, call):
                found.append(call)
        return tuple(found)

    @staticmethod
    def _handed_in(fn: Fn, call: Call) -> bool:
        """A function that was passed in, such as what a retry decorator wraps: why else would it be tried again?"""
        home: Fn | None = fn
        value = fn.facts.values[call.func]
        if value[0] == "outer":
            home = fn.outer(value)
            value = home.facts.values[value[1]] if home is not None else ("",)
        if home is None or value[0] != "param":
            return False
        return not (value[1] == 0 and home.cls is not None)

    def _repeats(self, fn: Fn, loop: int, block: Block, calls: tuple[Call, ...]) -> bool:
        """True where success leaves the loop: another round means another attempt, not another item."""
        if block.kind == "for" and (not self._counts(fn, block) or varies(fn, loop, calls)):
            return False
        if self._polls(fn, loop) or self._advances(fn, block) or probes(fn, calls):
            return False
        if brought(fn, loop, calls) or hands_out(fn, loop):
            return False
        inside = below(fn.facts, loop)
        for item in fn.facts.returns:
            if not item.is_yield and item.block in inside and not told_to_stop(fn, loop, item.block):
                return True
        return any(
            inner.exits == "break" and loop_at(fn, number_of) == loop and not told_to_stop(fn, loop, number_of)
            for number_of, inner in enumerate(fn.facts.blocks)
            if inner.kind in ("try", "try-else", "if", "else")
        ) or self._counts_rounds(fn, loop)

    def _advances(self, fn: Fn, block: Block) -> bool:
        """The next round takes the next rows (`while done < total: rows = load(); done += len(rows)`), or asks the next of
        several (`peer = peers[number]`): the counter looks up something else than a pause."""
        asked = ingredients(fn.facts, (block.value,))
        sums = (fn.value(vid) for vid in asked if fn.value(vid)[:2] == ("binop", "+"))
        added = (fn.value(part) for value in sums for part in value[2:4])
        if any(value[0] == "call" and fn.value(fn.calls[value[1]].func) == ("name", "builtins.len") for value in added):
            return True
        counters = {fn.value(vid) for vid in asked if fn.value(vid)[0] == "phi"}
        looked_up = ((vid, value) for vid, value in enumerate(fn.facts.values) if value[0] == "item" and value[2] >= 0)
        taken = {vid for vid, value in looked_up if fn.unguarded(value[2]) in counters}
        pauses = (call for call in fn.calls if taken and self._pauses_here(fn, call))
        return bool(taken - ingredients(fn.facts, (vid for call in pauses for vid in call.passed)))

    def _counts_rounds(self, fn: Fn, loop: int) -> bool:
        block = fn.facts.blocks[loop]
        return block.kind == "while" and block.value >= 0 and self._depends_on_rounds(fn, block.value)

    def _depends_on_rounds(self, fn: Fn, vid: Vid, depth: int = 5) -> bool:
        """A test of something that the loop itself changes: a counter, a success flag; not `while not stop.is_set()`."""
        value = fn.facts.values[vid]
        if depth == 0:
            return False
        if value[0] == "phi":
            return len(value[1]) > 1 and not self._brought(fn, vid)
        if value[0] == "not" and fn.unguarded(value[1])[0] == "phi":
            return len(fn.unguarded(value[1])[1]) > 1
        if value[0] in ("not", "guard"):
            return self._depends_on_rounds(fn, value[1], depth - 1)
        if value[0] in ("compare", "bool"):
            return any(self._depends_on_rounds(fn, item, depth - 1) for item in value[2])
        return False

    def _brought(self, fn: Fn, flag: Vid) -> bool:
        """`going = deleted > 0`: what the other side answered says that there is more to do, so success goes on."""
        values = (fn.facts.values[vid] for vid in ingredients(fn.facts, (flag,)))
        calls = (fn.facts.calls[value[1]] for value in values if value[0] == "call")
        return any(OUTBOUND & self.project.effects.call_effects(fn, call) for call in calls)

    def _counts(self, fn: Fn, block: Block) -> bool:
        """`for attempt in range(...)`, `itertools.count()`, a list of delays: not a loop over things to do."""
        value = fn.facts.values[block.value]
        if value[0] == "call":
            names = {ref.name for ref in self.project.callees(fn, fn.facts.calls[value[1]])}
            if names & {"builtins.range", "itertools.count", "itertools.repeat"}:
                return True
            return "builtins.enumerate" in names and are_numbers(fn, fn.facts.calls[value[1]].args[0])
        return are_numbers(fn, block.value)

    def _polls(self, fn: Fn, loop: int) -> bool:
        """A loop that takes work from a queue, asks a person, or asks at a fixed pace until something is ready is no retry."""
        block = fn.facts.blocks[loop]
        if block.kind == "while":
            if self._paced(fn, loop) or takes(fn, block.value) or self._periodic(fn, loop):
                return True
            if _WAITS.search(fn.name) and (fn.const(block.value) is ... or gives_up(self.project, fn, loop)):
                return True
        for call in calls_in(fn.facts, loop):
            if any(ref.name == "builtins.input" for ref in self.project.callees(fn, call)):
                return True
            if any("queue-consume" in model.effect for model in self.project.models(fn, call)):
                return True
        return False

    def _paced(self, fn: Fn, loop: int) -> bool:
        """True where each round begins with a pause, whatever the last one brought."""
        first = next(iter(calls_in(fn.facts, loop)), None)
        if first is None or any(number > loop and item.kind != "try" for number, item in fn.blocks_of(first.block)):
            return False
        return any("sleep" in model.effect for model in self.project.models(fn, first))

    def _periodic(self, fn: Fn, loop: int) -> bool:
        """True where success and failure alike come to a pause at the end of the round, and then to the next one."""
        blocks = fn.facts.blocks
        tries = [item for item in blocks if item.kind == "try" and item.parent == loop]
        for call in fn.calls:
            around = fn.blocks_of(call.block)
            path = [
                item.kind for number, item in around[: next((i for i, (n, _) in enumerate(around) if n == loop), 0)]
            ]
            if (
                not self._pauses_here(fn, call)
                or loop not in {number for number, _ in around}
                or set(path) - {"try", "with", "for"}
            ):
                continue
            before = [item for item in tries if item.span[2:] < call.span[:2]]
            if before and not any(item.exits for item in before) and not self._leaves_before(fn, loop, call, before[0]):
                return True
        return False

    def _leaves_before(self, fn: Fn, loop: int, pause: Call, tried: Block) -> bool:
        """Whether something leaves the loop before the pause: not in a handler, and not where there is nothing to go on with,
        nor for a reason that no round has a part in."""
        exits = [(item.block, item.span) for item in fn.facts.returns if not item.is_yield]
        ends = {number for number, _ in fn.blocks_of(pause.block)}  # `try: await wait_for(stop.wait(), 5); break`
        breaks = ((number, item) for number, item in enumerate(fn.facts.blocks) if item.exits == "break")
        exits += [(number, item.span) for number, item in breaks if number not in ends]
        paced = loop_at(fn, pause.block)  # `for _ in range(30): if stop.is_set(): return; sleep(1)`
        for number, span in exits:
            around = fn.blocks_of(number)
            inside = {index for index, _ in around}
            if loop not in inside or span[:2] > pause.span[:2] or (paced != loop and paced in inside):
                continue
            if span < tried.span and not of_a_round(fn, loop, around[0][1]):
                continue
            refused = any(item.kind == "if" and fn.value(item.value)[0] == "not" for _, item in around)
            if not refused and not any(item.kind == "except" for _, item in around):
                return True
        return False

    def _pauses_here(self, fn: Fn, call: Call) -> bool:
        """`sleep(5)`, `stop.wait(5)`, `await wait_for(stop.wait(), timeout=5)`."""
        if any("sleep" in model.effect for model in self.project.models(fn, call)):
            return True
        limited = bool(call.args) or call.kwarg("timeout") >= 0
        waits = [fn.callee_name(other) == "wait" for other in fn.calls if other.value in call.args]
        return limited and (fn.callee_name(call) == "wait" or (fn.callee_name(call) == "wait_for" and any(waits)))

    def _pause(self, fn: Fn, call: Call) -> Vid:
        """How long a call pauses, or -1."""
        if not self._pauses_here(fn, call):
            return -1
        timeout = call.kwarg("timeout")
        return timeout if timeout >= 0 else call.args[-1] if call.args else -1

    def _loop(self, fn: Fn, loop: int, block: Block, handlers: list[int], calls: tuple[Call, ...]) -> Policy:
        backoff, jitter = self._pauses(fn, loop, calls)
        bounded, attempts = self._bound(fn, loop, block)
        on = tuple(
            name for handler in handlers for name in self.project.exceptions.surely_caught(fn, fn.facts.blocks[handler])
        )
        span = Span(block.span.line, block.span.column, block.span.line, block.span.column + len(block.kind))
        pauses = [(call, vid) for call in calls_in(fn.facts, loop) if (vid := self._pause(fn, call)) >= 0]
        known = [numbers.usual(self.project, fn, vid) or 0.0 for _, vid in pauses]
        pause, tends = max(known, default=None), self._tends(fn, calls)
        paused = pauses[0][0] if pauses and backoff == "constant" else None
        policy = Policy("loop", fn, span, fn, attempts, bounded, backoff, jitter, on, calls, loop)
        return policy._replace(pause=pause, paused=paused, tends=tends)

    def _tends(self, fn: Fn, calls: tuple[Call, ...]) -> bool:
        return all(self._handed_in(fn, call) for call in calls) and tended(self.project, fn)

    def _bound(self, fn: Fn, loop: int, block: Block) -> tuple[bool, float | None]:
        if block.kind == "for":
            value = fn.facts.values[block.value]
            if value[0] == "call":
                call = fn.facts.calls[value[1]]
                names = {ref.name for ref in self.project.callees(fn, call)}
                if names & {"itertools.count", "itertools.repeat"} and len(call.args) < 2:
                    return gives_up(self.project, fn, loop), None
                known = self.project.constants(fn, call.args[0]) if len(call.args) == 1 else None
                if known and isinstance(known[0], int):
                    return True, known[0]
            return True, numbers.rounds_of(self.project, fn, loop)
        if fn.const(block.value) is not ... or until_success(fn, loop):
            return gives_up(self.project, fn, loop), None
        return True, rounds(fn, block.value)

    def _pauses(self, fn: Fn, loop: int, tried: tuple[Call, ...] = ()) -> tuple[str, bool]:
        """What the loop does between attempts, and whether chance plays a part; what is tried may have pauses of its own."""
        backoff, jitter, within = "none", False, False
        for call in calls_in(fn.facts, loop):
            pause = self._pause(fn, call)
            if pause >= 0:
                grows, random = self._grows(fn, pause)
                inner = loop_at(fn, call.block)
                if inner != loop and fn.facts.blocks[inner].kind == "while" and not grows:
                    backoff = "unknown"  # waits for a time that was worked out before
                else:
                    backoff = "exponential" if grows else "constant" if backoff == "none" or within else backoff
                jitter = jitter or random
            targets = self.project.targets(fn, call)
            if backoff == "none" and (
                any(self.project.effects.has(target, "sleep") for target in targets)
                or (not targets and pause < 0 and may_pause(fn, call))
            ):
                backoff, within = "unknown", call in tried
        return backoff, jitter

    def _grows(self, fn: Fn, vid: Vid, depth: int = 8) -> tuple[bool, bool]:
        """Whether a pause depends on the attempt (or on what the server says), and on chance."""
        value = fn.facts.values[vid]
        if depth == 0 or value[0] in ("const", "name"):
            return False, False
        if value[0] in ("elem", "item", "unpack", "attr", "param"):
            return value[0] != "param", False
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            random = any(
                ref.name.startswith(("random.", "secrets.", "numpy.random")) for ref in self.project.callees(fn, call)
            )
            parts = [self._grows(fn, item, depth - 1) for item in call.args]
            if said(fn, call.func):
                return True, random
            own = any(ref.kind == "func" for ref in self.project.callees(fn, call)) and bool(call.args)
            return own or any(grow for grow, _ in parts), random or any(chance for _, chance in parts)
        operands: list[int] = []
        if value[0] == "binop":
            operands = [value[2], value[3]]
        elif value[0] in ("phi", "bool"):
            operands = list(value[1] if value[0] == "phi" else value[2])
        elif value[0] in ("guard", "unary", "await"):
            operands = [value[2] if value[0] == "unary" else value[1]]
        parts = [self._grows(fn, item, depth - 1) for item in operands if item != vid]
        changes = value[0] == "phi" and len(operands) > 1
        return changes or any(grow for grow, _ in parts), any(chance for _, chance in parts)

    # decorators and clients

    def _decorators(self, fn: Fn) -> Iterator[Policy]:
        home = fn.parent
        if home is None:
            return
        for ref, vid in zip(fn.decorators, fn.facts.decorators, strict=False):
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and model.retry is not None and not (self._never_ends(fn) or self._stays_inside(fn)):
                value = home.facts.values[vid]
                call = home.facts.calls[value[1]] if value[0] == "call" else None
                yield self._settings.policy("decorator", fn, home, fn.decorator_span(vid), call, model.retry)

    def _stays_inside(self, fn: Fn) -> bool:
        """True where nothing that a function does leaves the process, as far as every call in it is known: it may be tried
        again for reasons of its own, and there is no other side."""
        if not fn.calls or OUTBOUND & self.project.effects.of(fn).keys():
            return False
        effects = [self.project.effects.call_effects(fn, call) for call in fn.calls]
        known = all(self.project.models(fn, call) or self.project.targets(fn, call) for call in fn.calls)
        return known and all(_INSIDE.issuperset(item) for item in effects) and "sleep" in set().union(*effects)

    def _never_ends(self, fn: Fn) -> bool:
        """True for a consumer: an endless loop that nothing leaves but an exception."""
        for number, block in enumerate(fn.facts.blocks):
            if block.kind != "while" or block.value < 0 or fn.const(block.value) is not True:
                continue
            leaves = [item.block for item in fn.facts.returns if not item.is_yield]
            leaves += [
                inner
                for inner, item in enumerate(fn.facts.blocks)
                if item.exits == "break" and loop_at(fn, inner) == number
            ]
            if below(fn.facts, number).isdisjoint(leaves):
                return True
        return False

    def _clients(self, fn: Fn) -> Iterator[Policy]:
        for site in self.project.effects.direct(fn):
            retry = site.model.retry
            if retry is None or retry.attempts is None or site.model.task is not None:
                continue
            loop = next((n for n, item in enumerate(fn.facts.blocks) if item.value == site.call.value), -1)
            if loop >= 0 and fn.facts.blocks[loop].kind == "for":  # `for attempt in Retrying(...)`
                inside = tuple(call for call in calls_in(fn.facts, loop) if call is not site.call)
                policy = self._settings.policy("object", fn, fn, site.call.span, site.call, retry)
                yield policy._replace(calls=inside, block=loop)
                continue
            if self._settings.argument(site.call, retry.attempts) >= 0:
                policy = self._settings.policy("client", fn, fn, site.call.span, site.call, retry)
                if retry.wait is None and policy.backoff == "none":  # the library does not let one choose
                    policy = policy._replace(backoff="unknown")
                run = next((item for item in fn.calls if fn.unguarded(item.func) == fn.value(site.call.value)), None)
                handed = plain_name(fn, run.args[0]) if run is not None and run.args else ""
                yield policy._replace(methods=self._methods(fn, site.call, retry), handed=handed)

    def _methods(self, fn: Fn, call: Call, retry: Retry) -> tuple[str, ...]:
        vid = self._settings.argument(call, retry.methods)
        if vid < 0:
            return ()
        value = fn.facts.values[vid]
        if value[0] == "call" and fn.facts.calls[value[1]].args:  # frozenset([...])
            value = fn.facts.values[fn.facts.calls[value[1]].args[0]]
        if value[0] in ("list", "tuple", "set"):
            return tuple(str(fn.const(item)).upper() for item in value[1])
        return ("ANY",) if value[0] == "const" and value[1] in (None, False) else ()
