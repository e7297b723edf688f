from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from backendlint.api import (
    Call,
    FileFacts,
    Fix,
    FunctionFacts,
    Hit,
    LogCall,
    Raise,
    Span,
    Step,
    SyntaxSite,
    around,
    below,
    called_name,
    calls_in,
    caught,
    log_call,
)

FAILED = ("error", "critical", "fatal")
TOLD = ("warning", "warn", "exception", *FAILED)
REPORTERS = (
    "capture_exception",
    "capture_message",
    "print_exc",
    "format_exc",
    "format_exception",
    "record_exception",
    "notify",
)


def suspects(file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
    """Log calls, by their spans, that repeat a raised error or lose the traceback of a broad one."""
    for index, block in enumerate(function.blocks):
        if block.kind == "except":
            for found, _ in judged(file, function, index):
                yield found.call.span


def judged(file: FileFacts, function: FunctionFacts, handler: int) -> Iterator[tuple[LogCall, Raise | None]]:
    """The handler's log calls that are wrong: with the raise that repeats them, or None where the traceback is lost."""
    logged = [found for call in own_calls(function, handler) if (found := log_call(file, function, call))]
    told = [found for found in logged if found.level in TOLD]
    if not told:
        return
    again = reraised(function, handler)
    if again is not None:
        repeated = [found for found in told if falls_through(function, found.call.block, handler)]
        if repeated:
            yield repeated[-1], again
        return
    if any(found.traceback for found in logged) or raises_other(function, handler):
        return
    if any(called_name(file, function, call).rpartition(".")[2] in REPORTERS for call in calls_in(function, handler)):
        return
    failed = [found for found in told if found.level in FAILED]
    if failed:
        yield failed[0], None


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


def check(site: SyntaxSite) -> Iterator[Hit]:
    for index, block in enumerate(site.function.blocks):
        if block.kind != "except":
            continue
        for found, again in judged(site.file, site.function, index):
            if found.call.span == site.span:
                if again is not None:
                    yield twice(site, found, again)
                else:
                    yield from lost(site, found, index)


def twice(site: SyntaxSite, found: LogCall, again: Raise) -> Hit:
    name = called_name(site.file, site.function, found.call)
    return Hit(
        f"`{short(name)}` logs an error that is raised again below, so every layer above logs it once more and one "
        "failure looks like several; log it only where it is handled, or raise it without logging.",
        site.location(),
        related=(Step(site.location(again.span), "The error goes on here"),),
        severity="note",
        function=site.function.qualname or None,
    )


def lost(site: SyntaxSite, found: LogCall, handler: int) -> Iterator[Hit]:
    types = caught(site.function, handler)
    broad = site.options["broad"]
    is_broad = not types or (isinstance(broad, list | tuple) and any(name in broad for name in types))
    name = short(called_name(site.file, site.function, found.call))
    kind = ", ".join(item.rpartition(".")[2] for item in types) or "any exception"
    yield Hit(
        f"`{name}` reports {kind} without its traceback, so nobody can tell from the log where it came from; "
        f"use `{name.rpartition('.')[0]}.exception(...)` or pass `exc_info=True`.",
        site.location(),
        profile=None if is_broad else "strict",
        severity=None if is_broad else "note",
        function=site.function.qualname or None,
        fix=with_traceback(site, found),
    )


def short(name: str) -> str:
    """`logger.error` for `package.module.logger.error`."""
    return ".".join(name.split(".")[-2:])


def with_traceback(site: SyntaxSite, found: LogCall) -> Fix | None:
    """`logger.error(...)` becomes `logger.exception(...)`; other levels get no fix, they would change."""
    node = site.node
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or found.level != "error":
        return None
    if any(argument.keyword is not None and argument.keyword.value == "exc_info" for argument in node.args):
        return None
    return Fix("Log the traceback as well", (site.edit(node.func.attr, "exception"),), safe=True)
