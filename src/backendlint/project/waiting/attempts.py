"""How often a piece of code tries again, by its counters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import below, calls_in
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import bind, object_root
from backendlint.project.values.lengths import is_cut
from backendlint.project.values.uses import aliases, ingredients, is_used, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_PAUSES = re.compile(r"(^|_)(wait|sleep|pause|delay|back_?off)(_|$)")
_SAID = ("headers", "response")
"""Where a pause comes from that the other side asks for."""
_TAKES = ("pop", "popleft", "popitem", "heappop")
_MAX_CHAIN = 40
_OFF_A_QUEUE = frozenset({"get", "get_nowait", "pop", "popleft", "recv", "receive", "poll"})


def same_again(fn: Fn, call: Call, handler: int) -> bool:
    """The function's own parameters, passed on unchanged, whatever happened before."""
    tests = [
        number
        for number, item in enumerate(fn.facts.blocks)
        if item.kind in ("if", "case") and any(outer == handler for outer, _ in fn.blocks_of(number))
    ]
    if tests or call.open_ended:
        return False
    for index, passed in bind(fn, call, fn).items():
        for vid, part in passed:
            if part or fn.unguarded(vid) != ("param", index):
                return False
    return True


def counted_again(fn: Fn, call: Call, asked: tuple[Call, ...]) -> Vid:
    """The parameter with which a function counts its own attempts, or -1: `return send(text, tries + 1)`, all else
    unchanged, where a test asks for `tries`, and what is asked does not depend on it."""
    counters = []
    for index, passed in {} if call.open_ended else bind(fn, call, fn).items():
        for vid, part in passed:
            value = fn.unguarded(vid)
            if value == ("param", index) and not part:
                continue
            steps = value[0] == "binop" and value[1] in ("+", "-") and not part
            if not steps or fn.unguarded(value[2]) != ("param", index) or fn.const(value[3]) != 1:
                return -1
            counters.append(index)
    sent = ingredients(fn.facts, (vid for item in asked for vid in item.passed))
    tested = ingredients(fn.facts, (block.value for block in fn.facts.blocks if block.kind == "if"))
    return counters[0] if len(counters) == 1 and counters[0] in tested - sent else -1


def counted_tries(fn: Fn, counter: Vid) -> float | None:
    """How many attempts `def send(text, tries=0)` makes that gives up `if tries > 2`, or `left=3` `if left == 0`; None where
    that is open."""
    start = fn.parent.const(fn.facts.params[counter].default) if counter >= 0 and fn.parent is not None else ...
    if not isinstance(start, int):
        return None
    for block in fn.facts.blocks:
        value = fn.unguarded(block.value) if block.kind == "if" and block.exits in ("raise", "return") else ("",)
        if value[0] != "compare" or len(value[1]) != 1 or fn.unguarded(value[2][0]) != ("param", counter):
            continue
        limit = fn.const(value[2][1])
        if isinstance(limit, int) and value[1][0] in (">", "<", ">=", "<=", "=="):
            return float(abs(limit - start) + (2 if value[1][0] in (">", "<") else 1))
    return None


def rounds(fn: Fn, test: Vid) -> float | None:
    """How often `while tries < 3` with a counter from 0 goes round."""
    value = fn.facts.values[test]
    if value[0] != "compare" or len(value[1]) != 1 or value[1][0] not in ("<", "<="):
        return None
    counter, limit = fn.facts.values[value[2][0]], fn.const(value[2][1])
    starts = [fn.const(item) for item in counter[1]] if counter[0] == "phi" else []
    start = next((item for item in starts if type(item) is int), None)
    if type(limit) is not int or start is None:
        return None
    return float(max(0, limit - start + (value[1][0] == "<=")))


def until_success(fn: Fn, loop: int) -> bool:
    """`while not done:` where nothing but a success sets the flag: no handler, and no test of anything else."""
    parts = ingredients(fn.facts, (fn.facts.blocks[loop].value,))
    meant = {vid for vid in parts if isinstance(fn.const(vid), bool)}
    if any(fn.value(vid)[0] not in ("not", "phi", "guard") for vid in parts - meant):
        return False
    inside = below(fn.facts, loop)
    sets = [item.block for item in fn.facts.bindings if item.value in meant and item.block in inside]
    kinds = {fn.facts.blocks[number].kind for start in sets for number, _ in fn.blocks_of(start) if number in inside}
    return bool(sets) and kinds <= {"while", "try", "try-else", "with"}


def sets(fn: Fn, loop: int, group: int) -> bool:
    """Whether the `try`, what follows from it, or each round changes what `while` tests: an attempt counts, or a success ends
    it; not where a branch elsewhere does."""
    inside, parts = below(fn.facts, loop), ingredients(fn.facts, (fn.facts.blocks[loop].value,))
    changed = [item.block for item in fn.facts.bindings if item.value in parts and item.block in inside]
    near = {number for number, item in enumerate(fn.facts.blocks) if group in (number, item.group)}
    for block in changed:
        path = [(number, item) for number, item in fn.blocks_of(block) if number in inside and number != loop]
        if any(number in near for number, _ in path) or all(item.kind in ("with", "try") for _, item in path):
            return True
    return not changed


def counted(fn: Fn, block: Block) -> bool:
    value = fn.facts.values[block.value] if block.value >= 0 else ("",)
    return value[0] == "compare" and value[1][0] in (">", ">=", "<", "<=", "==")


_QUESTIONS = frozenset("ping search health info status count exists is_ready".split())


def probes(fn: Fn, tried: tuple[Call, ...]) -> bool:
    """Whether what is tried is a question whose answer nobody looks at (`client.ping()`): is the other side there by now?"""
    return all(fn.callee_name(call) in _QUESTIONS and not is_used(fn.facts, call.value) for call in tried)


def gives_up(project: Project, fn: Fn, loop: int) -> bool:
    """A handler of an endless loop that leaves on some condition, or calls a helper that does."""
    for number, block in enumerate(fn.facts.blocks):
        if block.exits in ("raise", "return", "break") and block.kind in ("if", "else", "case"):
            above = fn.blocks_of(number)
            in_handler = any(item.kind in ("except", "finally") for _, item in above)
            if loop in {index for index, _ in above} and (in_handler or counted(fn, block)):
                return True
    told = (call for call in calls_in(fn.facts, loop) if call.passed and fn.inside(call.block, "except"))
    return any(_raises_at_last(target) for call in told for target in project.targets(fn, call))


def _raises_at_last(fn: Fn) -> bool:
    """`def check(attempt, most): if attempt > most: raise`."""
    return any(
        block.kind == "if"
        and block.exits == "raise"
        and counted(fn, block)
        and any(fn.facts.values[vid][0] == "param" for vid in ingredients(fn.facts, (block.value,)))
        for block in fn.facts.blocks
    )


def next_item(fn: Fn, loop: int, group: int) -> bool:
    """Whether the loop goes on after the `try` has succeeded, to the next item: nothing leaves it from there on, or what
    the `try` took is worked on afterwards, round after round."""
    blocks = fn.facts.blocks
    failed = {
        number for number, item in enumerate(blocks) if item.kind in ("except", "finally") and item.group == group
    }
    inside = below(fn.facts, loop).difference(*(below(fn.facts, number) for number in failed))
    exits = [(item.block, item.span[:2]) for item in fn.facts.returns if item.block in inside and not item.is_yield]
    exits += [(number, blocks[number].span[:2]) for number in inside if blocks[number].exits == "break"]
    leaves = [
        place
        for number, place in exits
        if not (_settled(fn, loop, number) or _refused(fn, loop, number) or _of_another(fn, number, group))
    ]
    start, end = blocks[group].span[:2], blocks[group].span[2:]
    if blocks[loop].exits:
        return False
    if _continued(fn, loop, group, leaves):
        return True
    if any(place >= end for place in leaves):
        return False
    if not any(place >= start for place in leaves) and not any(
        item.kind == "try-else" and item.group == group and item.exits for item in blocks
    ):
        return True
    taken = _taken(fn, group)
    later = (call for call in fn.calls if call.block in inside and call.span[:2] >= end)
    return any(not taken.isdisjoint(call.passed) for call in later)


def _of_another(fn: Fn, number: int, group: int) -> bool:
    """Whether a place lies in a handler of a later `try`: what fails there is something else."""
    tried = fn.facts.blocks[group].span
    return any(
        item.kind == "except" and fn.facts.blocks[item.group].span[:2] >= tried[2:] for _, item in fn.blocks_of(number)
    )


def _continued(fn: Fn, loop: int, group: int, leaves: list[tuple[int, int]]) -> bool:
    """Whether a branch that the `try` stands in ends in `continue`, which nothing in it leaves before."""
    tried = fn.facts.blocks[group]
    for number, item in fn.blocks_of(tried.parent):
        if number == loop:
            return False
        if item.exits == "continue" and item.kind in ("if", "else", "case"):
            return not any(tried.span[:2] <= place <= item.span[2:] for place in leaves)
    return False


def _refused(fn: Fn, loop: int, number: int) -> bool:
    """`line = dial(); if not line: return`, where what follows needs it: a way out for want of something, no success."""
    for outer, item in fn.blocks_of(number):
        if outer == loop:
            return False
        test = fn.unguarded(item.value) if item.kind == "if" and item.value >= 0 else ("",)
        if test[0] == "not" and fn.unguarded(test[1])[0] in ("call", "await"):
            held = aliases(fn.facts, test[1])
            inside = below(fn.facts, loop)
            return any(call.span > item.span and call.block in inside and held & set(call.passed) for call in fn.calls)
    return False


def _settled(fn: Fn, loop: int, number: int) -> bool:
    """Whether a branch of the loop is taken, or not, whatever happens in the loop: `if settings.ONCE: break`."""
    branch = fn.facts.blocks[number]
    if branch.kind not in ("if", "else") or branch.value < 0 or branch.parent != loop:
        return False
    inside = below(fn.facts, loop)
    calls = [call for call in fn.calls if call.block in inside]
    touched = {call.value for call in calls} | ingredients(
        fn.facts, (vid for call in calls for vid in (call.func, *call.passed))
    )
    return all(_lasts(fn, vid, touched) for vid in ingredients(fn.facts, (branch.value,)))


def _lasts(fn: Fn, vid: Vid, touched: set[Vid]) -> bool:
    """No value of a round, nor what the calls of a round may change."""
    value = fn.unguarded(vid)
    if value[0] in ("attr", "item"):
        root = fn.unguarded(value[1])
        while root[0] in ("attr", "item"):
            root = fn.unguarded(root[1])
        return bool(root[0] == "name")
    if value[0] == "name":
        stored = ((other, item) for other in fn.file.functions for item in other.stores if item.base >= 0)
        return not any(not item.name and item.key < 0 and other.values[item.base] == value for other, item in stored)
    if value[0] in ("param", "call"):
        return vid not in touched
    return value[0] in ("const", "compare", "not", "bool", "unary")


def are_numbers(fn: Fn, vid: Vid) -> bool:
    """A list of delays."""
    value = fn.facts.values[vid]
    return value[0] in ("list", "tuple") and all(isinstance(fn.const(item), int | float) for item in value[1])


def of_a_round(fn: Fn, loop: int, branch: Block) -> bool:
    """Whether a branch is taken for what an earlier round may have left behind, in a variable or an attribute."""
    asked = [fn.value(vid) for vid in ingredients(fn.facts, (branch.value,))] if branch.value >= 0 else []
    inside = below(fn.facts, loop)
    set_here = {store.name for store in fn.facts.stores if store.name and store.block in inside}
    return not asked or any(value[0] == "phi" or (value[0] == "attr" and value[2] in set_here) for value in asked)


def told_to_stop(fn: Fn, loop: int, number: int) -> bool:
    """Whether a way out of the loop is for whoever ends it (`if self.stopping: return`, `if stop.is_set(): break`): no round has
    brought that about."""
    block = fn.blocks_of(number)[0][1]
    value = fn.unguarded(block.value) if block.kind == "if" and block.value >= 0 else ("",)
    asked = fn.calls[value[1]] if value[0] == "call" else None
    if asked is not None and fn.callee_name(asked) == "is_set":
        return True
    inside = below(fn.facts, loop)
    own = value[0] == "attr" and fn.value(object_root(fn, value[1]))[0] in ("param", "outer", "name")
    return own and not any(store.name == value[2] and store.block in inside for store in fn.facts.stores)


def leaves_anyhow(fn: Fn, loop: int, handler: int) -> bool:
    """Whether the loop is left after a handler too, by what stands below its `try`: a step that may fail, then `return`."""
    blocks = fn.facts.blocks
    goes_on = any(blocks[number].exits == "continue" for number in below(fn.facts, handler))
    return not goes_on and _left_below(fn, loop, blocks[blocks[handler].group].parent)


def said(fn: Fn, vid: Vid, depth: int = 8) -> bool:
    """Something that the answer or the exception says: `error.response.headers.get("Retry-After")`."""
    value = fn.facts.values[vid]
    if depth == 0 or value[0] not in ("attr", "item", "guard", "exc"):
        return False
    return value[0] == "exc" or (value[0] == "attr" and value[2] in _SAID) or said(fn, value[1], depth - 1)


def may_pause(fn: Fn, call: Call) -> bool:
    """By its name: `self._wait_before_retry()`."""
    return _PAUSES.search(fn.callee_name(call)) is not None


def hands_out(fn: Fn, loop: int) -> bool:
    """Whether a generator's loop hands out one thing a round, or all that comes until a stream breaks off, and goes on:
    `line = read()`, `yield parse(line)`; or goes on with the rest of a list: `ids = ids[100:]`."""
    inside = below(fn.facts, loop)
    test = fn.facts.blocks[loop].value
    if test >= 0 and any(is_cut(fn, fn.value(vid)) for vid in ingredients(fn.facts, (test,))):
        return fn.facts.blocks[loop].kind == "while"
    return any(
        given.is_yield and given.block in inside and not _left_below(fn, loop, given.block)
        for given in fn.facts.returns
    )


def _left_below(fn: Fn, loop: int, block: int) -> bool:
    """Whether what follows in a block, or in those around it up to the loop, leaves the loop."""
    around = [number for number, _ in fn.blocks_of(block)]
    path = set(around[: around.index(loop) + 1]) if loop in around else set[int]()
    return any(
        item.exits in ("return", "break") and (number in path or (item.kind == "try-else" and item.group in path))
        for number, item in enumerate(fn.facts.blocks)
    )


def takes(fn: Fn, test: Vid) -> bool:
    """`while urls: url = urls.pop()`: each round has another thing to do."""
    todo, seen = [test], set[Vid]()
    while todo and len(seen) < _MAX_CHAIN:
        vid = todo.pop()
        if vid < 0 or vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "mut" and value[2] in _TAKES:
            return True
        if value[0] in ("mut", "guard", "not", "store"):
            todo.append(value[1])
        elif value[0] in ("phi", "bool", "compare"):
            todo += value[1] if value[0] == "phi" else value[2]
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            if not call.args and fn.facts.values[call.func][0] != "param" and fn.callee_name(call) in _OFF_A_QUEUE:
                return True  # `job = queue.get()` at the end of each round
            todo += call.args
    return False


def varies(fn: Fn, loop: int, calls: tuple[Call, ...]) -> bool:
    """Whether each round asks something else: what is called first and foremost is made of the loop's own variable."""
    start = fn.facts.blocks[loop].value
    items = {vid for vid, value in enumerate(fn.facts.values) if value == ("elem", start)}
    firsts = [call.args[0] if call.args else call.kwarg("url") for call in calls]
    asked = [vid for vid in firsts if vid >= 0]
    return bool(items and asked) and all(items & ingredients(fn.facts, (vid,)) for vid in asked)


def brought(fn: Fn, loop: int, calls: tuple[Call, ...]) -> bool:
    """Whether each round asks something else: what is passed first is what the round took before it tried, or any of it is
    what comes off a queue (`queue.get()`): what was taken from one of the process's own is gone after a failure."""
    inside = below(fn.facts, loop)
    taken = {call.value: call for call in fn.calls if call.block in inside and not call.args}
    queued = {vid for vid, call in taken.items() if fn.callee_name(call) in _OFF_A_QUEUE}
    for call in calls:
        given = ingredients(fn.facts, call.args[:1]) & taken.keys() | ingredients(fn.facts, call.passed) & queued
        gone = {vid for vid in given & queued if taken[vid] not in calls}
        if not any(
            taken[vid].span < call.span and (vid in gone or not _tried_with(fn, taken[vid], call)) for vid in given
        ):
            return False
    return True


def _tried_with(fn: Fn, first: Call, second: Call) -> bool:
    """Whether the nearest `try` around the second call is around the first one too."""
    group = next((number for number, item in fn.blocks_of(second.block) if item.kind == "try"), -1)
    return any(number == group for number, _ in fn.blocks_of(first.block))


def _taken(fn: Fn, group: int) -> set[Vid]:
    """What the calls of a `try` give, also where it was unpacked, tested or may be something else."""
    tried = below(fn.facts, group)
    found = {call.value for call in fn.calls if call.block in tried}
    for vid, value in enumerate(fn.facts.values):
        if value[0] in ("guard", "phi", "await", "unpack") and not found.isdisjoint(operands(value)):
            found.add(vid)
    return found


def tended(project: Project, fn: Fn) -> bool:
    """`create_task(kept_alive(work))`: a coroutine that all its callers only hand on, so nobody waits for what it goes through."""
    edges = [edge for edge in project.graph.callers(fn) if edge.caller is not fn]
    return fn.facts.is_async and bool(edges) and all(_handed_on(edge) for edge in edges)


def _handed_on(edge: Edge) -> bool:
    call = edge.call
    takers = [other for other in edge.caller.calls if call is not None and call.value in other.passed]
    return bool(takers) and not any(other.awaited for other in takers)
