"""Code that runs the first time only: what a module or class keeps for the process is made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Span, Store, Vid
from backendlint.facts.within import around
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

Slot = tuple[str, str]
"""A global's dotted name and "", or "class" (or "self") and the name of its attribute."""


def first_time_only(fn: Fn, call: Call) -> bool:
    """Whether a call is made only while something that outlives the function, and is set here, is still missing:
    `if cls._it is None: cls._it = make()`, or the same after `if cls._it: return cls._it`; or what an object starts
    once: `if not self.running: self.running = True`; or what is kept for a key that no caller chooses."""
    kept = ((_slot(fn, store.base, store.name), store.value) for store in fn.facts.stores if store.key < 0)
    filled = {slot for slot, value in kept if slot is not None and (slot[0] != "self" or fn.const(value) is True)}
    return (bool(filled) and _while_missing(fn, filled, call.block, call.span)) or _kept_for_key(fn, call)


def _kept_for_key(fn: Fn, call: Call) -> bool:
    """`if loop not in CLIENTS: CLIENTS[loop] = connect()`, where the loop, or the process, is what the function asks for."""
    outer = set(around(fn.facts, call.block))
    for number, block in enumerate(fn.facts.blocks):
        test = fn.unguarded(block.value) if block.kind == "if" and number in outer else ("",)
        if test[0] != "compare" or test[1] != ("not in",):
            continue
        key, table = test[2]
        given = (fn.facts.values[vid][0] for vid in ingredients(fn.facts, (key,)))
        own = fn.facts.values[object_root(fn, table)]
        stores = [item for item in fn.facts.stores if item.key >= 0 and number in around(fn.facts, item.block)]
        if own[0] == "name" and not {"param", "outer", "elem"} & {*given}:
            return any(fn.facts.values[object_root(fn, item.base)] == own for item in stores)
    return False


def set_once(fn: Fn, store: Store) -> bool:
    """Whether what outlives the function is set only while it is missing: `if _client is None: _client = connect()`."""
    slot = _slot(fn, store.base, store.name) if store.key < 0 and store.base >= 0 else None
    return slot is not None and _while_missing(fn, {slot}, store.block, store.span)


def refilled(fn: Fn, call: Call) -> bool:
    """Whether a call is made only where what the process keeps is missing, or too old: `if _it and time() < _until: return _it`."""
    kept = (_slot(fn, store.base, store.name) for store in fn.facts.stores if store.key < 0)
    slots = {slot for slot in kept if slot is not None}
    outer = set(around(fn.facts, call.block))
    for number, block in enumerate(fn.facts.blocks if slots else ()):
        leaves = block.kind in ("if", "else") and block.exits == "return"
        if leaves and block.span < call.span and number not in outer:
            way = [(inner, item) for inner, item in fn.blocks_of(number) if inner not in outer]
            tests = [part for _, item in way if item.kind == "if" for part in _all_of(fn, item.value)]
            whole = all(item.kind in ("if", "else", "with", "try") for _, item in way)
            if whole and any(_tested(fn, vid, missing=False) in slots for vid in tests):
                return True
    return False


def _all_of(fn: Fn, test: Vid) -> tuple[Vid, ...]:
    """The parts of `a and b`."""
    value = fn.unguarded(test)
    return tuple(value[2]) if value[0] == "bool" and value[1] == "and" else (test,)


def _while_missing(fn: Fn, slots: set[Slot], inner: int, span: Span) -> bool:
    """Whether a test leads to a place only where one of these is not there yet."""
    outer = set(around(fn.facts, inner))
    return any(
        (_tested(fn, block.value, missing=True) in slots)
        if number in outer
        else (block.exits == "return" and block.parent in outer and block.span < span)
        and _tested(fn, block.value, missing=False) in slots
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "if"
    )


def once_a_process(project: Project, fn: Fn) -> bool:
    """Whether a cache of the process keeps the only result that a function can have: `@lru_cache` without parameters."""
    if fn.parent is None or not fn.parent.is_module:  # a function in a function is made anew, with a cache of its own
        return False
    models = (project.libraries.decorator(ref.name) for ref in fn.decorators if ref.kind == "lib")
    caches = [model.cache for model in models if model is not None and model.cache is not None]
    return not fn.facts.params and any(item.process_local and item.expiry is None for item in caches)


def once_a_request(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a call is made only while what a request keeps is still missing: `if "db" not in g: g.db = connect()`; or what
    the process keeps for a while is too old."""
    if refilled(fn, call):
        return True
    if not any(store.base >= 0 and per_request(project, fn, store.base) for store in fn.facts.stores):
        return False
    outer = set(around(fn.facts, call.block))
    return any(
        block.kind == "if"
        and (number in outer or (block.exits == "return" and block.parent in outer and block.span < call.span))
        and any(per_request(project, fn, vid) for vid in ingredients(fn.facts, (block.value,)))
        for number, block in enumerate(fn.facts.blocks)
    )


def per_request(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is an object such as `flask.g`, or lies in one: the next request finds it empty again."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    while value[0] in ("store", "setattr", "mut"):
        value = fn.unguarded(value[1])
    if value[0] != "name":
        return False
    dotted = str(value[1])
    models = (project.libraries.attribute(name) for name in (dotted, dotted.rpartition(".")[0]) if name)
    return any(model is not None and model.per_request for model in models)


def _slot(fn: Fn, base: Vid, name: str) -> Slot | None:
    value = fn.unguarded(base)
    if not name and value[0] == "name":
        owner, _, last = str(value[1]).rpartition(".")
        return ("class", last) if owner.rpartition(".")[2][:1].isupper() else (str(value[1]), "")
    if not name:
        return None
    own = value == ("param", 0) and fn.kind == "classmethod"
    if not own and fn.cls is not None and fn.value(object_root(fn, base)) == ("param", 0):
        return ("self", name)
    named = value[0] in ("name", "def") and str(value[1]).rpartition(".")[2][:1].isupper()
    return ("class", name) if own or named else None


def _tested(fn: Fn, vid: Vid, missing: bool) -> Slot | None:
    """What a test finds missing (or there, as asked)."""
    value = fn.facts.values[vid]
    while value[0] == "not":
        vid, missing = value[1], not missing
        value = fn.facts.values[vid]
    if value[0] == "compare" and len(value[1]) == 1 and fn.const(value[2][1]) is None:
        wanted = ("is", "==") if missing else ("is not", "!=")
        return _place(fn, value[2][0]) if value[1][0] in wanted else None
    return None if missing else _place(fn, vid)


def _place(fn: Fn, vid: Vid) -> Slot | None:
    value = fn.unguarded(vid)
    return _slot(fn, value[1], value[2]) if value[0] == "attr" else _slot(fn, vid, "")
