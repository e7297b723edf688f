"""Answers that are kept: what was asked once for a key is not asked again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from backendlint.facts.model import Block, Call, Span, Value, Vid
from backendlint.facts.within import around
from backendlint.project.entities import Fn
from backendlint.project.values.uses import ingredients

MAX_STEPS = 16
_PUTS = re.compile(r"(set|put|add|store)(_\w+)?|setdefault")
_GETS = re.compile(r"get(_\w+)?")
_LEAVES = ("return", "continue")


def remembered(fn: Fn, loop: int, call: Call) -> bool:
    """`if key not in known: known[key] = load(key)`: what was asked once is not asked again."""
    for number, item in fn.blocks_of(call.block):
        if number == loop:
            return False
        held = made(fn, _looked_up_in(fn, item))
        stores = (store for store in fn.facts.stores if store.key >= 0 and store.base >= 0)
        if held >= 0 and any(
            made(fn, store.base) == held
            and number in around(fn.facts, store.block)
            and call.value in ingredients(fn.facts, [store.value])
            for store in stores
        ):
            return True
    return False


def _looked_up_in(fn: Fn, block: Block) -> Vid:
    """The mapping in which the block knows that the key was not found, or -1: `key not in known`, the `else` of `key in known`,
    `known.get(key)` that is None or nothing, `except KeyError` after `known[key]`."""
    if block.kind == "except":
        tried = next((item for n, item in enumerate(fn.facts.blocks) if n == block.group), None)
        read = (vid for vid in fn.made_by("item") if tried is not None and tried.span.holds(fn.facts.span_of(vid)))
        return next((fn.facts.values[vid][1] for vid in read), -1)
    if block.kind not in ("if", "else"):
        return -1
    holds = block.kind == "if"
    vid = block.value if holds else fn.facts.blocks[block.group].value
    test = fn.unguarded(vid) if vid >= 0 else ("",)
    while test[0] == "not":
        holds, vid = not holds, test[1]
        test = fn.unguarded(vid)
    if test[0] != "compare" or len(test[2]) != 2:
        return _got_from(fn, vid) if not holds else -1
    operator, (key, other) = test[1][0], test[2]
    if operator in ("in", "not in"):
        return other if (operator == "not in") is holds else -1
    none = fn.const(other) is None and (operator in ("is", "==")) is holds
    return _got_from(fn, key) if none and operator in ("is", "is not", "==", "!=") else -1


def _got_from(fn: Fn, vid: Vid) -> Vid:
    """The mapping of `known.get(key)`, or -1."""
    func = fn.func_of(fn.unguarded(vid))
    return func[1] if func[0] == "attr" and func[2] == "get" else -1


def made(fn: Fn, vid: Vid) -> Vid:
    """The display or call with which a local dictionary began, or one that is handed in or is of the function around; or -1."""
    return begun(fn, vid, lambda value: value[0] in ("dict", "call", "outer", "param"))


def begun(fn: Fn, vid: Vid, begins: Callable[[Value], bool], depth: int = MAX_STEPS) -> Vid:
    """The value of that kind with which a collection began, before it was filled; or -1."""
    if depth == 0 or vid < 0:
        return -1
    value = fn.facts.values[vid]
    if value[0] in ("guard", "store", "mut"):
        return begun(fn, value[1], begins, depth - 1)
    if value[0] == "phi":
        ways = (begun(fn, item, begins, depth // 2) for item in value[1] if item != vid)
        return next((found for found in ways if found >= 0), -1)
    return vid if begins(value) else -1


class _Put(NamedTuple):
    """`known[key] = value`, `region.set(key, value)`: something outlives the function and keeps the value; or that it was
    asked for (`known.add(key)`), then the value is -1."""

    holders: frozenset[Value]
    key: Value
    value: Vid
    span: Span
    block: int


def kept(fn: Fn, *, one: bool = False) -> frozenset[Vid]:
    """The calls whose answers a store from outside the function keeps: `known.get(key)` was asked first, and had nothing; of
    `one` answer, whoever asks: `cache.get("rates")`."""
    puts = [put for put in _puts(fn) if not one or put.key[0] == "const"]
    if not puts:
        return frozenset()
    found: set[Vid] = set()
    for put in puts:
        parts = ingredients(fn.facts, (put.value,)) if put.value >= 0 else None
        found.update(
            call.value
            for call in fn.calls
            if _announced(fn, call, put)
            or ((parts is None or call.value in parts) and call.span < put.span and _missed(fn, call, put))
        )
    return frozenset(found)


def _announced(fn: Fn, call: Call, put: _Put) -> bool:
    """`if key not in known: known[key] = {}`, and below the same `if` what fills it: the key is not asked for again."""
    around = {number for number, item in fn.blocks_of(put.block) if item.kind == "if"}
    return put.span.end_line < call.span.line and any(
        number in around and any(_lacks(fn, vid, put) for vid in ingredients(fn.facts, (item.value,)))
        for number, item in fn.blocks_of(call.block)
    )


def _lacks(fn: Fn, vid: Vid, put: _Put) -> bool:
    """`key not in known`, of the key under which something is put."""
    value = fn.facts.values[vid]
    return (
        value[0] == "compare"
        and value[1][0] == "not in"
        and fn.unguarded(value[2][0]) == put.key
        and _asks(fn, vid, put)
    )


def _puts(fn: Fn) -> Iterator[_Put]:
    for store in fn.facts.stores:
        if store.key >= 0 and store.base >= 0 and (holders := _outer(fn, store.base)):
            yield _Put(holders, fn.unguarded(store.key), store.value, store.span, store.block)
    for call in fn.calls:
        holders, value, name = frozenset[Value](), -1, fn.callee_name(call)
        if len(call.args) > 1 and _PUTS.fullmatch(name):
            holders, value = _holder(fn, call), call.args[1]
        elif len(call.args) == 1 and name == "add":  # a set that is handed in only tells what this run has seen
            holders = frozenset(holder for holder in _holder(fn, call) if holder[0] in ("attr", "name"))
        if holders:
            yield _Put(holders, fn.unguarded(call.args[0]), value, call.span, call.block)


def _holder(fn: Fn, call: Call) -> frozenset[Value]:
    """`cache` in `cache.get(key)`, where it outlives the function."""
    func = fn.unguarded(call.func)
    if func[0] == "attr":
        return _outer(fn, func[1])
    owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
    return frozenset({("name", owner)}) if owner else frozenset()


def _outer(fn: Fn, vid: Vid, depth: int = MAX_STEPS) -> frozenset[Value]:
    """What outlives the function and may be the value: a parameter, a name of the module, an attribute of either."""
    value = fn.facts.values[vid]
    if depth == 0:
        return frozenset()
    if value[0] in ("guard", "store", "mut", "setattr"):
        return _outer(fn, value[1], depth - 1)
    if value[0] == "phi":
        return frozenset().union(*(_outer(fn, item, depth // 2) for item in value[1] if item != vid))
    if value[0] == "attr":
        return frozenset(("attr", base, value[2]) for base in _outer(fn, value[1], depth - 1))
    args = fn.facts.calls[value[1]].args if fn.func_of(value) == ("name", "builtins.getattr") else ()
    if len(args) > 1:  # `getattr(app, "cache", None)`
        return frozenset(("attr", base, fn.const(args[1])) for base in _outer(fn, args[0], depth - 1))
    return frozenset({value}) if value[0] in ("param", "name", "outer") else frozenset()


def _missed(fn: Fn, call: Call, put: _Put) -> bool:
    """Whether the call is made only where the store did not have the answer."""
    tests = [test for test, _ in fn.tests_of(call.block)]
    tests += [
        item.value
        for item in fn.facts.blocks
        if item.kind == "if" and item.exits in _LEAVES and item.span[2:] <= call.span[:2]
    ]  # also where it is asked under a condition of its own: `if use_cache:`
    if any(_asks(fn, vid, put) for test in tests if test >= 0 for vid in ingredients(fn.facts, (test,))):
        return True
    handler = fn.inside(call.block, "except")
    tried = fn.facts.blocks[handler.group].span if handler is not None else None
    return tried is not None and any(
        tried.holds(fn.facts.span_of(vid)) and not put.holders.isdisjoint(_outer(fn, fn.facts.values[vid][1]))
        for vid in fn.made_by("item")
    )


def _mapping(fn: Fn, vid: Vid) -> Vid:
    """`known` for `known.keys()`."""
    func = fn.func_of(fn.unguarded(vid))
    return func[1] if func[0] == "attr" and func[2] == "keys" else vid


def _asks(fn: Fn, vid: Vid, put: _Put) -> bool:
    """`known.get(key)`, `key in known`; of methods with longer names (`get_blob(key)`) those that are given the same key."""
    value = fn.facts.values[vid]
    if value[0] == "compare":
        return value[1][0] in ("in", "not in") and not put.holders.isdisjoint(_outer(fn, _mapping(fn, value[2][1])))
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    name = fn.callee_name(call) if call is not None else ""
    if call is None or not call.args or not _GETS.fullmatch(name) or put.holders.isdisjoint(_holder(fn, call)):
        return False
    return name == "get" or fn.unguarded(call.args[0]) == put.key
