"""The log calls of a handler that are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from backendlint.api import (
    FileFacts,
    FunctionFacts,
    LogCall,
    Raise,
    around,
    called_name,
    calls_in,
    caught,
    log_call,
    of_caught,
)

from .handling import falls_through, inputs, kept, others, own_calls, raises_other, reported, reraised, takes_traceback

_STOPS = (
    "builtins.KeyboardInterrupt",
    "builtins.SystemExit",
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
    "celery.exceptions.SoftTimeLimitExceeded",
    "billiard.exceptions.SoftTimeLimitExceeded",
    "rq.timeouts.JobTimeoutException",
)
_FAILED = ("error", "critical", "fatal")
_TOLD = ("warning", "warn", "exception", *_FAILED)
ANSWERS = re.compile(r"(^|\.)(HTTPException|Http404|PermissionDenied|APIException|Abort)$|^rest_framework\.")
"""Exceptions that are answers."""
_IMPORTERS = frozenset({"import_module", "import_string", "__import__", "find_spec"})
_ENDS = re.compile(
    r"a?close(_\w+)?|shutdown|stop|cancel|kill|terminate|disconnect|dispose|quit|clean_?up|wait_closed|logout"
)
_TRIES = re.compile(
    r"_*((try|maybe|guess|detect|probe|best_effort)_|(\w+_)?(health_?check|ping|heartbeat)s?(_|$))|"
    r"_*(is|has)_valid(_\w+)?$|_*(is|has|can|supports)_\w*(available|installed|supported|present|running|reachable|online|alive)$"
)
"""Functions that only try, or ask again and again whether somebody is there."""


class Verdict(NamedTuple):
    """A log call that is wrong, and why."""

    found: LogCall
    again: Raise | None
    """The raise that repeats what is logged."""
    why: str
    """repeated, untraced (no traceback), untold (not even the error's text), hidden (below warning)"""


def judged(file: FileFacts, function: FunctionFacts, handler: int) -> Iterator[Verdict]:
    """The handler's log calls that are wrong."""
    own = own_calls(function, handler)
    logged = [found for call in own if (found := log_call(file, function, call))]
    if not logged:
        return
    told = [found for found in logged if found.level in _TOLD]
    again = reraised(function, handler)
    types = caught(function, handler)
    if again is not None and types and all(ANSWERS.search(name) for name in types):
        return  # no layer above logs it: the framework makes the response of it
    if again is not None and any(name in _STOPS for name in types):
        return  # who stops the program is not told of it
    if again is not None and _starts_a_thread(file, function):
        return
    if again is not None:
        repeated = [found for found in told if falls_through(function, found.call.block, handler)]
        if repeated:
            yield Verdict(repeated[-1], again, "repeated")
        return
    if any(found.traceback for found in logged) or raises_other(function, handler):
        return
    if reported(file, function, handler) or takes_traceback(function, handler):
        return
    failed = [found for found in told if found.level in _FAILED]
    if failed:
        yield Verdict(failed[0], None, "untraced")
        return
    calls = [found.call for found in logged]
    tried = function.blocks[handler].group
    if _only_imports(file, function, tried):
        return  # the text says what is missing
    if _only_ends(file, function, tried):
        return  # what ends has no news
    if kept(function, handler, calls) or (not told and others(function, handler, calls)):
        return
    if not any(of_caught(function, handler, inputs(call)) for call in calls):
        yield Verdict((told or logged)[0], None, "untold")
    elif not told and not _TRIES.match(function.name) and not _comes_out(file, function, handler):
        yield Verdict(logged[0], None, "hidden")


def _comes_out(file: FileFacts, function: FunctionFacts, handler: int) -> bool:
    return _raises_in_the_end(function, handler) or _told_around(file, function, handler)


def _told_around(file: FileFacts, function: FunctionFacts, handler: int) -> bool:
    """What is tried on the way out of a failure (`except Exception: log.warning(...); try: drop(connection) ...`) that the outer
    handler tells of, or raises again."""
    blocks = function.blocks
    outer = next((number for number in around(function, blocks[handler].parent) if blocks[number].kind == "except"), -1)
    if outer < 0:
        return False
    logs = (log_call(file, function, call) for call in own_calls(function, outer))
    return reraised(function, outer) is not None or any(found is not None and found.level in _TOLD for found in logs)


def _raises_in_the_end(function: FunctionFacts, handler: int) -> bool:
    """`while tries < MOST: try: ... except ...: log.debug(...)`, and below it a `raise`: the failure does come out."""
    blocks = function.blocks
    loop = next((number for number in around(function, handler) if blocks[number].kind in ("while", "for")), -1)
    return loop >= 0 and any(
        item.block == blocks[loop].parent and item.span[:2] > blocks[loop].span[2:] for item in function.raises
    )


def _starts_a_thread(file: FileFacts, function: FunctionFacts) -> bool:
    """`Thread(target=ping)`: above it is nothing that could log."""
    targets = (
        other.values[vid] for other in file.functions for call in other.calls if (vid := call.kwarg("target")) >= 0
    )
    return any(
        str(value[-1]).rpartition(".")[2] == function.name for value in targets if value[0] in ("name", "attr", "def")
    )


def _only_imports(file: FileFacts, function: FunctionFacts, tried: int) -> bool:
    """Whether nothing but an optional import is tried."""
    names = [called_name(file, function, call).rpartition(".")[2] for call in calls_in(function, tried)]
    if names:
        return all(name in _IMPORTERS for name in names)
    start, end = function.blocks[tried].span[:2], function.blocks[tried].span[2:]
    return any(start <= item.span[:2] and item.span[2:] <= end for item in file.imports)


def _only_ends(file: FileFacts, function: FunctionFacts, tried: int) -> bool:
    """Whether nothing is tried but to close, stop or cancel something, or to wait for what has been cancelled."""
    calls = [call for call in calls_in(function, tried) if log_call(file, function, call) is None]
    names = [called_name(file, function, call).rpartition(".")[2] for call in calls]
    if not calls:
        before = (call for call in function.calls if call.span < function.blocks[tried].span)
        return any(called_name(file, function, call).rpartition(".")[2] == "cancel" for call in before)
    return all(_ENDS.fullmatch(name) for name in names)
