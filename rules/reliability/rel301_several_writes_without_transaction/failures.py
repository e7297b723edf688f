"""What a `try` around the writes makes of a failure: the second may fail, or the first is undone."""

from __future__ import annotations

import re

from backendlint.api import Durable, Fn, Project, below, called_name, object_root

_UNDOES = re.compile(r"delete|remove|discard|undo|revert|cancel|clean_?up|roll_?back|purge|drop", re.IGNORECASE)
_ALL = ("builtins.Exception", "builtins.BaseException")


def dispensable(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether the second write may fail: its own `try` goes on then (`except IntegrityError: pass`), and the first stays. What
    a callee stores may fail by an error of the project's own (`except CheckFailed: log`), and in a loop by any."""
    blocks = fn.facts.blocks
    for handler, types in project.exceptions.handlers(fn, second.call.block):
        block = blocks[handler]
        goes_on = block.kind == "except" and not block.exits and not project.exceptions.reraises(fn, handler)
        if not goes_on or first.call.block in below(fn.facts, block.group):
            continue
        own = any(name in project.classes for name in types)
        tried = second.edges and (own or fn.inside(block.group, "for") is not None)
        if tried or any(name in _ALL or project.exception_kind(name) == "integrity" for name in types):
            return True
    return False


def undone(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether a handler around the second removes again what the first made, or sets it anew (`set_status(FAILED)`); or the
    first is entered (`with Draft.create() as draft:`), and its own end clears up."""
    if any(
        block.kind == "with" and block.value >= 0 and object_root(fn, block.value) == first.call.value
        for _, block in fn.blocks_of(second.call.block)
    ):
        return True
    handlers = set(fn.handlers_of(second.call.block))
    for call in fn.calls if handlers else ():
        above = {number for number, _ in fn.blocks_of(call.block)}
        if first.edges and handlers & above and first.edges[0].callee in project.targets(fn, call):
            return True
        name = called_name(fn.file, fn.facts, call).rpartition(".")[2]
        if _UNDOES.search(name) and handlers & above:
            func = fn.facts.values[call.func]
            given = (*call.args, *((func[1],) if func[0] == "attr" else ()))
            if any(object_root(fn, vid) == first.call.value for vid in given):
                return True
    return False


def closes(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether what stores the second is called after a failure of the first as well: `except Exception: job.finish(error)`,
    `else: job.finish()`; it does not belong to the first's work."""
    for number, item in fn.blocks_of(first.call.block) if second.edges else ():
        if item.kind != "try" or any(around == number for around, _ in fn.blocks_of(second.call.block)):
            continue
        handlers = {n for n, block in enumerate(fn.facts.blocks) if block.kind == "except" and block.group == number}
        closing = second.edges[0].callee
        if any(
            closing in project.targets(fn, call)
            for call in fn.calls
            if handlers.intersection(above for above, _ in fn.blocks_of(call.block))
        ):
            return True
    return False
