"""What a function does to the state of its module or class."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Project, Span, Vid

from .filling import mentions
from .state import class_state, dotted_state, holds_state, module_name, object_name, root

_CHANGES = frozenset({
    "append", "appendleft", "add", "update", "extend", "insert", "pop", "popleft", "popitem", "remove", "discard", "clear", "setdefault",
    "sort", "reverse", "subtract", "rotate", "__setitem__",
})  # fmt: skip


def changes(project: Project, fn: Fn) -> Iterator[tuple[str, Span, int, str]]:
    """Name, place, block and kind of what the function does to globals."""
    for store in fn.facts.stores:
        if store.name:
            owner = object_name(project, fn, store.base) if store.augmented else ""
            if owner:
                yield f"{owner}.{store.name}", store.span, store.block, "adds to"
            continue
        name = module_name(project, fn, store.base)
        if not name:
            own = class_state(project, fn, store.base)
            if own and store.key >= 0:
                yield own, store.span, store.block, "writes into"
            continue
        if store.key >= 0 and holds_state(project, fn, root(fn, store.base)):
            yield name, store.span, store.block, "writes into"
        elif store.key < 0 and (store.augmented or not _once(fn, store.block, name)):
            yield name, store.span, store.block, "adds to" if store.augmented else "replaces"
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        dotted, _, method = str(value[-1]).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
        if method not in _CHANGES:
            continue
        if value[0] == "attr":
            own = class_state(project, fn, value[1])
            name = own or module_name(project, fn, value[1])
            state = bool(own) or holds_state(project, fn, root(fn, value[1]))
        else:
            name, state = dotted_state(project, fn, dotted)
        if name and state:
            yield name, call.span, call.block, "changes"
    yield from deletions(project, fn)


def deletions(project: Project, fn: Fn) -> Iterator[tuple[str, Span, int, str]]:
    """`del state[key]`."""
    for statement in fn.facts.statements:
        if statement.kind == "delete" and statement.value >= 0:
            value = fn.facts.values[statement.value]
            if value[0] == "item":
                name = module_name(project, fn, value[1])
                if name and holds_state(project, fn, root(fn, value[1])):
                    yield name, statement.span, statement.block, "deletes from"


def _once(fn: Fn, block: int, name: str) -> bool:
    """`if _client is None: _client = ...`: made when it is missing."""
    set_here = {name} | {
        str(fn.facts.values[root(fn, store.base)][-1]).rpartition(".")[2]
        for store in fn.facts.stores
        if store.block == block and not store.name and store.key < 0
    }
    for _, item in fn.blocks_of(block):
        tested = item.value if item.kind in ("if", "else") else -1
        if tested >= 0 and (_not_there(fn, tested, name) or any(mentions(fn, tested, other) for other in set_here)):
            return True
    return any(
        item.kind == "if" and item.exits == "return" and item.value >= 0 and mentions(fn, item.value, name)
        for item in fn.facts.blocks
    )


def _not_there(fn: Fn, vid: Vid, name: str) -> bool:
    """`"_client" not in globals()`."""
    value = fn.facts.values[vid]
    if value[0] != "compare" or tuple(value[1]) != ("not in",) or fn.const(value[2][0]) != name:
        return False
    asked = fn.facts.values[value[2][1]]
    return asked[0] == "call" and fn.value(fn.facts.calls[asked[1]].func) == ("name", "builtins.globals")
