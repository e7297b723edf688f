"""Where dropping the error is a decision that a reader can follow."""

from __future__ import annotations

import re

from backendlint.api import (
    Block,
    Call,
    Fn,
    Span,
    Value,
    around,
    asks_nobody,
    below,
    ingredients,
    log_call,
    loop_at,
    siblings,
)

from .comments import has_comment
from .expected import HELD
from .outcomes import answers_failure, returned_values, tells_failure
from .places import CHANGES, WORKS, Place

_QUIET_FUNCTION = re.compile(
    r"_*(is|has|can|try|safe|maybe|looks|supports|check|should|guess|detect|probe|best_effort)(_\w+)?|\w+_safe(ly)?"
)
_ASKING = re.compile(r"_*(is|has|looks|supports|check|should|detect|probe)_")
_DEED = re.compile(r"submit|save|charge|refund|mark_as_\w+|send_(mail|email|message|notification)\w*")
_STATE_FUNCTION = re.compile(
    r"(\w+_)?health_?check|_*(validate|test|ping)(_\w+)?|(\w+_)?(valid|ok|exists?|alive|ready|health|healthy|online|\w+(ed|able|ing|ken))"
)
"""Functions that ask something; together with _QUIET_FUNCTION."""
_BOOLEANS = ("returns `False`", "returns `True`")
_PROBE = re.compile(r"_*((validate|test|ping)(_\w+)?|(\w+_)?(ping|health_?check))")
"""Functions that ask whether something is there: that it is not is their answer, whatever they say then."""
_ASKS = re.compile(r"ping|head|raise_for_status|is_alive|health_?check")
"""What is asked to find that out."""
_UNKNOWN = frozenset({"unknown", "n/a", "na", "?", "-", "undefined", "unavailable", "not available"})
_EXITS = frozenset({"exit", "_exit", "fail"})
_BOOLS = (("const", True), ("const", False))
_WARNS = ("warning", "warn", "error", "critical", "fatal", "exception")


def is_quiet(site: Place, outcome: str) -> bool:
    """Where dropping it is a decision that a reader can follow: advice at most."""
    function = site.function
    if has_comment(site) or (
        _QUIET_FUNCTION.fullmatch(function.name) and not (_ASKING.match(function.name) and _does(site))
    ):
        return True
    if outcome.startswith("sets") or (outcome in _BOOLEANS and not _is_deed(site)):
        return True
    if _is_probe(site) or _says_unknown(site) or _takes_result(site):
        return True
    if _is_on_the_way_to_raise(site) or _tries_candidates(site) or _is_missed_below(site):
        return True
    if _is_computed_below(site) or _asks_until_there(site):
        return True
    # where the tried code returns, the code below is what happens instead
    if outcome != "goes on":
        return False
    if function.blocks[site.tried].exits in ("return", "continue"):
        return True
    return _ends_in_failure(site) or _tries_first(site) or _fails_right_below(site)


def _does(site: Place) -> bool:
    """Whether something is changed or sent where a name says that it is asked: `_check_payment()` that submits the invoice."""
    return not site.effects.isdisjoint(CHANGES - {"mail"}) or any(
        _DEED.fullmatch(site.word(call)) for call in site.calls
    )


def _is_probe(site: Place) -> bool:
    """Where it is only asked whether something is there: `status = agent.ping()`, `return requests.head(url).ok`, in `ping()`
    whatever is returned that is no value of its own."""
    said = returned_values(site)
    if _PROBE.fullmatch(site.function.name) and said and all(_is_plain(item) for item in said):
        return True
    return any(_ASKS.fullmatch(site.word(call)) for call in site.calls) and all(
        _ASKS.fullmatch(site.word(call)) or asks_nobody(site.project, site.fn, call) for call in site.calls
    )


def _is_plain(value: Value) -> bool:
    """None, a number or a boolean."""
    return value[0] == "const" and (value[1] is None or isinstance(value[1], int | float))


def _says_unknown(site: Place) -> bool:
    """`return "unknown"`."""
    return any(
        value[0] == "const" and isinstance(value[1], str) and value[1].strip().lower() in _UNKNOWN
        for value in returned_values(site)
    )


def _takes_result(site: Place) -> bool:
    """`task.result()` alone, whose result nobody uses: it marks the failure as seen."""
    body = [item for item in site.function.statements if item.block == site.tried]
    return [site.word(call) for call in site.calls] in ([name] for name in HELD) and any(
        item.value == site.calls[0].value for item in body
    )


def _is_on_the_way_to_raise(site: Place) -> bool:
    """Where the code right below raises in any case, and what was tried would say more about it; also where success has
    left the function, so that it raises for what failed."""
    function, block = site.function, site.facts
    outer = function.blocks[site.tried].parent if block.kind == "except" else block.parent
    tried = below(function, site.tried)
    succeeds = any(item.block in tried for item in function.returns)
    levels = set(around(function, outer)) if succeeds else {outer}
    if block.exits and not (succeeds and block.exits == "continue"):
        return False
    ends = [(item.span, True, item.block) for item in function.raises]
    ends += [(item.span, False, item.block) for item in function.returns]
    after = [item for item in ends if item[0][:2] > block.span[2:] and item[2] in levels]
    return bool(after) and min(after)[1]


def _tries_candidates(site: Place) -> bool:
    """`for word in passwords: try: open_with(word)`: a loop that ends with the first that does, where the code below it tells
    that none did."""
    function = site.function
    loop = loop_at(site.fn, site.facts.parent)
    if site.facts.kind != "except" or loop < 0 or function.blocks[loop].kind != "for":
        return False
    block, within = function.blocks[loop], below(function, loop) - below(function, site.block)
    made = ingredients(function, [vid for call in site.calls for vid in (call.func, *call.passed)])
    if ("elem", block.value) not in (function.values[vid] for vid in made):
        return False
    ends = any(function.blocks[number].exits in ("break", "return") for number in within)
    outer = {
        number
        for number, item in enumerate(function.blocks)
        if (item.kind in ("if", "else") and item.parent == block.parent)
        or (item.kind == "loop-else" and item.group == block.group)
    }
    return ends and any(span > block.span and number in {*outer, block.parent} for span, number in _tells(site))


def _is_missed_below(site: Place) -> bool:
    """`if self.size is None: raise ValueError(...)` right below, of what was tried to find: the failure does come out."""
    function, block = site.function, site.facts
    if block.kind != "except" or block.exits:
        return False
    tried = below(function, site.tried)
    set_there = {item.name for item in function.stores if item.block in tried and item.name}
    bound = {item.name for item in function.bindings if item.block in tried}
    first = next(iter(_beneath(site)), None)
    if first is None or first.kind != "if" or first.exits != "raise":
        return False
    made = ingredients(function, (first.value,))
    named = {str(value[2]) for value in map(function.values.__getitem__, made) if value[0] == "attr"}
    found = {call.value for call in site.calls}
    return not set_there.isdisjoint(named) or (bool(bound) and not made.isdisjoint(found))


def _is_computed_below(site: Place) -> bool:
    """`with suppress(ConnectionError): found = cache.get(key)`, then `if found is None: found = compute()`: the cache is away, the
    value is not."""
    function, block = site.function, site.facts
    asked = {call.value for call in site.calls if "cache-read" in site.project.effects.call_effects(site.fn, call)}
    if not asked or block.exits or site.effects & WORKS != {"cache-read"}:
        return False
    first = next((item for item in _beneath(site) if item.kind == "if"), None)
    return first is not None and not asked.isdisjoint(ingredients(function, (first.value,)))


def _beneath(site: Place) -> list[Block]:
    """The blocks that follow on the level of the code that is tried, in order."""
    outer = site.function.blocks[site.tried].parent
    after = (item for item in site.function.blocks if item.parent == outer and item.span[:2] > site.facts.span[2:])
    return sorted(after, key=lambda item: item.span)


def _asks_until_there(site: Place) -> bool:
    """`while True: try: get(url); break; except Exception: pass; if late(): sys.exit(1); sleep(1)`: a loop that asks until somebody
    answers, and tells where nobody does."""
    function = site.function
    loop = loop_at(site.fn, site.facts.parent)
    if site.facts.kind != "except" or loop < 0 or site.effects & CHANGES:
        return False
    tried = below(function, site.tried)
    around_it = below(function, loop) - tried
    ends = any(function.blocks[number].exits in ("break", "return") for number in tried)
    sleeps = any(site.word(call) == "sleep" and call.block in around_it for call in function.calls)
    told = [*_tells(site), *((call.span, call.block) for call in function.calls if site.word(call) in _EXITS)]
    beyond = function.blocks[loop].span
    return ends and sleeps and any(span > beyond or number in around_it for span, number in told)


def _tells(site: Place) -> list[tuple[Span, int]]:
    """Where the function raises, or logs that something is wrong: the place and its block."""
    function = site.function
    raised = [(item.span, item.block) for item in function.raises]
    return raised + [(call.span, call.block) for call in function.calls if _warns(site.fn, call)]


def _warns(fn: Fn, call: Call) -> bool:
    """Whether it logs that something is wrong."""
    found = log_call(fn.file, fn.facts, call)
    return found is not None and found.level in _WARNS


def _tries_first(site: Place) -> bool:
    """Where success returns in the tried code, which asks nobody else, and the code below makes the result in another way."""
    tried = below(site.function, site.tried)
    return (
        any(item.block in tried and item.value >= 0 for item in site.function.returns)
        and not site.effects & WORKS
        and any(call.span[:2] > site.facts.span[2:] for call in site.function.calls)
    )


def _ends_in_failure(site: Place) -> bool:
    """Where success returns in the tried code, and whatever comes below answers that it failed."""
    function, tried = site.function, below(site.function, site.tried)
    below_it = [item.value for item in function.returns if item.span[:2] > site.facts.span[2:]]
    return (
        any(item.block in tried for item in function.returns)
        and bool(below_it)
        and all(vid >= 0 and answers_failure(site, vid) for vid in below_it)
    )


def _fails_right_below(site: Place) -> bool:
    """Where the very next thing is to answer that it failed: what is dropped is no more than the clean-up of that."""
    outer = site.function.blocks[site.tried].parent
    ends = [item for item in site.function.returns if item.block == outer and item.span[:2] > site.facts.span[2:]]
    first = min(ends, key=lambda item: item.span, default=None)
    if first is None or first.value < 0 or any(block.span < first.span for block in _beneath(site)):
        return False
    return answers_failure(site, first.value) or tells_failure(site.function, first.value)


def _is_deed(site: Place) -> bool:
    """Whether the tried code does something and then says that it has: its `False` is a failure, not an answer."""
    function = site.function
    if _STATE_FUNCTION.fullmatch(function.name) or site.facts.kind != "except":
        return False
    tried = below(function, site.facts.group).union(
        *(below(function, part) for part in siblings(function, site.block, "try-else"))
    )
    said = [item.value for item in function.returns if item.block in tried]
    return bool(said) and all(vid >= 0 and function.values[vid] in _BOOLS for vid in said)
