"""Errors that are logged and raised again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Block,
    Call,
    Fn,
    FunctionFacts,
    Hit,
    LogCall,
    Project,
    Raise,
    Step,
    below,
    called_name,
    in_main_block,
    ingredients,
    log_call,
    of_caught,
    runs_by_hand,
)

from .handling import inputs, reported, reraised
from .verdicts import ANSWERS
from .wording import LOST, written

_ANSWER = frozenset({"text", "content"})
"""Where responses of HTTP clients keep what the other side said."""
_BROAD = "builtins.Exception"
_BROADEST = "builtins.BaseException"
_MAX_DEPTH = 5
_ELSEWHERE = frozenset({"thread", "spawn"})
_RETRIES = re.compile(r"retr(y|ie)|backoff|attempts", re.IGNORECASE)
"""What runs a function again where it fails."""


def twice(project: Project, fn: Fn, found: LogCall, again: Raise) -> Hit:
    said = found.traceback or of_caught(fn.facts, again.block, inputs(found.call))  # else it tells what was under way
    alone = (
        not said
        or _tells_the_answer(fn, found)
        or _outermost(project, fn)
        or _is_tried_again(fn)
        or _is_left_alone(project, fn)
        or _parts_ways(fn.facts, found, again)
        or not _logged_above(project, fn, again)
    )
    return Hit(
        f"`{written(project, fn, found.call)}` logs an error {LOST['repeated'][0]}, so {LOST['repeated'][1]}; log it only where "
        "it is handled, or raise it without logging.",
        fn.location(found.call.span),
        related=(Step(fn.location(again.span), "The error goes on here"),),
        severity="note",
        function=fn.fqn,
        profile="strict" if alone else None,
    )


def _tells_the_answer(fn: Fn, found: LogCall) -> bool:
    """`extra={"answer": response.text}`: what the other side said, which the error that goes on does not carry."""
    read = (fn.value(vid) for vid in ingredients(fn.facts, found.call.passed))
    return any(value[0] == "attr" and value[2] in _ANSWER and fn.unguarded(value[1])[0] != "exc" for value in read)


def _is_tried_again(fn: Fn) -> bool:
    """`@retry(...)`, `again = Retry(times=3)` and `again(ask)` of a function within: each attempt but the last is told here alone."""
    if any(_RETRIES.search(ref.name) for ref in fn.decorators):
        return True
    home = fn.parent
    if home is None or home.is_module:
        return False
    own = ("def", fn.facts.qualname)
    takers = [call for call in home.calls if any(home.unguarded(vid) == own for vid in call.passed)]
    return any(_RETRIES.search(name) for call in takers for name in _names(home, call))


def _is_left_alone(project: Project, fn: Fn) -> bool:
    """`pool.submit(self._fill, key)`: what it raises is kept until somebody asks, if anybody does."""
    edges = project.graph.callers(fn)
    begun = [edge for edge in edges if edge.kind in _ELSEWHERE and edge.call is not None and not edge.call.awaited]
    return bool(begun) and len(begun) == len(edges)


def _names(fn: Fn, call: Call) -> Iterator[str]:
    """What is called, and of which class the object is whose method it is (`Retry(times=3).run(ask)`)."""
    yield fn.callee_name(call)
    func = fn.unguarded(call.func)
    owner = fn.unguarded(func[1]) if func[0] == "attr" else func
    if owner[0] == "call":
        yield fn.callee_name(fn.calls[owner[1]])


def _logged_above(project: Project, fn: Fn, again: Raise) -> bool:
    """Whether a layer above logs the error once more: a handler, or what runs the program where nothing catches it. Not
    where all that catch it drop it or answer with it: then this record is the only one."""
    types = project.exceptions.caught_types(fn, fn.facts.blocks[again.block])
    name = types[0] if types and types[0] != _BROADEST else _BROAD
    todo, met, quiet = [(fn, again.block, _MAX_DEPTH)], {(fn.fqn, again.block)}, False
    while todo:
        at, block, depth = todo.pop()
        end = project.exceptions.caught_by(at, block, name)
        if end >= 0 and at.facts.blocks[end].kind == "except" and reraised(at.facts, end) is None:
            if _speaks(at, end):
                return True
            quiet = True
        elif end >= 0:
            if _speaks_below(project, at, at.facts.blocks[end]):
                return True
            quiet |= at.facts.blocks[end].kind != "except"
            todo += [(at, end, depth)] if at.facts.blocks[end].kind == "except" else []
        else:
            edges = project.graph.callers(at) if depth else []
            if not edges:
                return True
            todo += [(edge.caller, edge.block, depth - 1) for edge in edges]
        todo = [item for item in todo if (item[0].fqn, item[1]) not in met]
        met |= {(item[0].fqn, item[1]) for item in todo}
    return not quiet


def _speaks(fn: Fn, handler: int) -> bool:
    """Whether a handler logs what it has caught, or raises something else of it that is no answer."""
    inside = below(fn.facts, handler)
    if any(call.block in inside and log_call(fn.file, fn.facts, call) for call in fn.calls) or reported(
        fn.file, fn.facts, handler
    ):
        return True
    raised = [item for item in fn.facts.raises if item.block in inside]
    return any(not ANSWERS.search(_raised_name(fn, item)) for item in raised)


def _speaks_below(project: Project, fn: Fn, block: Block) -> bool:
    """The same of a handler in the context manager of a `with`."""
    value = fn.value(block.value) if block.kind == "with" and block.value >= 0 else ("",)
    managers = project.targets(fn, fn.calls[value[1]]) if value[0] == "call" else ()
    return any(
        item.kind == "except" and _speaks(manager, number)
        for manager in managers
        for number, item in enumerate(manager.facts.blocks)
    )


def _raised_name(fn: Fn, item: Raise) -> str:
    value = fn.value(item.exc) if item.exc >= 0 else ("",)
    return called_name(fn.file, fn.facts, fn.calls[value[1]]) if value[0] == "call" else str(value[-1])


def _parts_ways(function: FunctionFacts, found: LogCall, again: Raise) -> bool:
    """Whether a branch between the two handles the error and leaves: for that one the log is needed."""
    return any(
        item.kind in ("if", "else")
        and item.exits in ("return", "continue", "break")
        and item.parent == again.block
        and found.call.span[:2] < item.span[:2] < again.span[:2]
        for item in function.blocks
    )


def _outermost(project: Project, fn: Fn) -> bool:
    """A management command's `handle()`, a migration, the program itself: no layer above logs what leaves it, it ends
    the process."""
    path = f"/{fn.path}"
    command = fn.name == "handle" and "/management/commands/" in path
    return (
        command or fn.is_module or "/migrations/" in path or _starts_program(project, fn) or _of_commands(project, fn)
    )


def _of_commands(project: Project, fn: Fn) -> bool:
    """What nothing but commands calls, and none of them catches anything."""
    edges = project.graph.callers(fn)
    return bool(edges) and all(
        runs_by_hand(project, edge.caller) and project.exceptions.caught_by(edge.caller, edge.block, _BROAD) < 0
        for edge in edges
    )


def _starts_program(project: Project, fn: Fn) -> bool:
    """`main()` that only `if __name__ == "__main__":` calls."""
    module = project.module_function(fn.file)
    calls = [call for call in module.calls if module.value(call.func) == ("def", fn.facts.qualname)]
    return bool(calls) and all(in_main_block(module, call) for call in calls)
