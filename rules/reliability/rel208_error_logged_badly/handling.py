"""What a handler does with its exception, besides logging it."""

from __future__ import annotations

import re

from backendlint.api import Call, FileFacts, FunctionFacts, Raise, around, below, called_name, calls_in, of_caught

_REPORTERS = (
    "capture_exception",
    "notice_error",
    "record_exception",
    "capture_message",
    "print_exc",
    "format_exc",
    "format_exception",
    "notify",
)
_REPORTS = re.compile(r"(^|_)(log|report|capture|record|notify|track|trace|alert|send|handle)(_|$)")
"""Names of helpers that do something with an exception that they are given."""
_TEXTS = [("name", f"builtins.{name}") for name in ("str", "repr", "type", "getattr")]
"""Callees that make texts of an exception."""


def reported(file: FileFacts, function: FunctionFacts, handler: int) -> bool:
    """Whether the handler gives the exception to an error tracker, or to a helper that logs it."""
    for call in calls_in(function, handler):
        name = called_name(file, function, call).rpartition(".")[2]
        if name in _REPORTERS or (_REPORTS.search(name) and of_caught(function, handler, inputs(call))):
            return True
    return False


def takes_traceback(function: FunctionFacts, handler: int) -> bool:
    """`err.__traceback__`: the code reads out itself where it happened."""
    return any(
        value[0] == "attr" and value[2] == "__traceback__" and function.values[value[1]] == ("exc", handler)
        for value in function.values
    )


def kept(function: FunctionFacts, handler: int, logging: list[Call]) -> bool:
    """Whether the exception goes anywhere else than into the log: returned, stored, bound, given to a call."""
    inside = below(function, handler)
    values = [item.value for item in function.returns if item.block in inside]
    values += [item.value for item in function.stores if item.block in inside]
    values += [item.value for item in function.bindings if item.block in inside]
    for call in others(function, handler, logging):
        values += inputs(call)
    return of_caught(function, handler, values)


def others(function: FunctionFacts, handler: int, logging: list[Call]) -> list[Call]:
    """What the handler calls besides the log, and besides what makes the log's texts."""
    return [
        call
        for call in calls_in(function, handler)
        if function.values[call.func] not in _TEXTS and not any(other.span.holds(call.span) for other in logging)
    ]


def inputs(call: Call) -> list[int]:
    return [call.func, *call.passed]


def own_calls(function: FunctionFacts, handler: int) -> list[Call]:
    """Calls of the handler that belong to no handler inside it."""
    inside = below(function, handler)
    for index in inside - {handler}:
        if function.blocks[index].kind in ("except", "finally"):
            inside -= below(function, index)
    return [call for call in function.calls if call.block in inside]


def falls_through(function: FunctionFacts, block: int, handler: int) -> bool:
    """Whether control comes from the block to the end of the handler: no return or jump on the way."""
    return all(
        index == handler or not function.blocks[index].exits
        for index in around(function, block)
        if index in below(function, handler)
    )


def reraised(function: FunctionFacts, handler: int) -> Raise | None:
    """The raise of the caught exception itself, at the handler's own level: on every way through it."""
    for item in function.raises:
        if item.block == handler and (item.exc < 0 or function.values[item.exc] == ("exc", handler)):
            return item
    return None


def raises_other(function: FunctionFacts, handler: int) -> bool:
    """Whether the error goes on in another exception, which carries the traceback."""
    inside = below(function, handler)
    return any(item.block in inside for item in function.raises)
