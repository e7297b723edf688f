from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

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
    ingredients,
    log_call,
)

FAILED = ("error", "critical", "fatal")
TOLD = ("warning", "warn", "exception", *FAILED)
REPORTERS = (
    "capture_exception",
    "notice_error",
    "record_exception",
    "capture_message",
    "print_exc",
    "format_exc",
    "format_exception",
    "notify",
)
REPORTS = re.compile(r"(^|_)(log|report|capture|record|notify|track|trace|alert|send|handle)(_|$)")
"""Names of helpers that do something with an exception that they are given."""
ANSWERS = re.compile(r"(^|\.)(HTTPException|Http404|PermissionDenied|APIException|Abort)$")
"""Exceptions that are answers."""
IMPORTERS = frozenset({"import_module", "import_string", "__import__", "find_spec"})
TRIES = re.compile(r"_*(try|maybe|guess|detect|probe|best_effort)_")
"""Functions that only try."""
TEXTS = [("name", f"builtins.{name}") for name in ("str", "repr", "type", "getattr")]
"""Callees that make texts of an exception."""


class Verdict(NamedTuple):
    """A log call that is wrong, and why."""

    found: LogCall
    again: Raise | None
    """The raise that repeats what is logged."""
    why: str
    """repeated, untraced (no traceback), untold (not even the error's text), hidden (below warning)"""


def suspects(file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
    """Log calls, by their spans, that repeat a raised error or lose the traceback of a broad one."""
    for index, block in enumerate(function.blocks):
        if block.kind == "except":
            for verdict in judged(file, function, index):
                yield verdict.found.call.span


def judged(file: FileFacts, function: FunctionFacts, handler: int) -> Iterator[Verdict]:
    """The handler's log calls that are wrong."""
    own = own_calls(function, handler)
    logged = [found for call in own if (found := log_call(file, function, call))]
    if not logged:
        return
    told = [found for found in logged if found.level in TOLD]
    again = reraised(function, handler)
    types = caught(function, handler)
    if again is not None and types and all(ANSWERS.search(name) for name in types):
        return  # no layer above logs it: the framework makes the response of it
    if again is not None and starts_a_thread(file, function):
        return
    if again is not None:
        repeated = [found for found in told if falls_through(function, found.call.block, handler)]
        if repeated:
            yield Verdict(repeated[-1], again, "repeated")
        return
    if any(found.traceback for found in logged) or raises_other(function, handler):
        return
    if reported(file, function, handler):
        return
    failed = [found for found in told if found.level in FAILED]
    if failed:
        yield Verdict(failed[0], None, "untraced")
        return
    calls = [found.call for found in logged]
    if only_imports(file, function, function.blocks[handler].group):
        return  # the text says what is missing
    if kept(function, handler, calls) or (not told and others(function, handler, calls)):
        return
    if not any(mentions(function, handler, inputs(call)) for call in calls):
        yield Verdict((told or logged)[0], None, "untold")
    elif not told and not TRIES.match(function.name):
        yield Verdict(logged[0], None, "hidden")


def starts_a_thread(file: FileFacts, function: FunctionFacts) -> bool:
    """`Thread(target=ping)`: above it is nothing that could log."""
    targets = (
        other.values[vid] for other in file.functions for call in other.calls if (vid := call.kwarg("target")) >= 0
    )
    return any(
        str(value[-1]).rpartition(".")[2] == function.name for value in targets if value[0] in ("name", "attr", "def")
    )


def only_imports(file: FileFacts, function: FunctionFacts, tried: int) -> bool:
    """Whether nothing but an optional import is tried."""
    names = [called_name(file, function, call).rpartition(".")[2] for call in calls_in(function, tried)]
    if names:
        return all(name in IMPORTERS for name in names)
    start, end = function.blocks[tried].span[:2], function.blocks[tried].span[2:]
    return any(start <= item.span[:2] and item.span[2:] <= end for item in file.imports)


def reported(file: FileFacts, function: FunctionFacts, handler: int) -> bool:
    """Whether the handler gives the exception to an error tracker, or to a helper that logs it."""
    for call in calls_in(function, handler):
        name = called_name(file, function, call).rpartition(".")[2]
        if name in REPORTERS or (REPORTS.search(name) and mentions(function, handler, inputs(call))):
            return True
    return False


def kept(function: FunctionFacts, handler: int, logging: list[Call]) -> bool:
    """Whether the exception goes anywhere else than into the log: returned, stored, bound, given to a call."""
    inside = below(function, handler)
    values = [item.value for item in function.returns if item.block in inside]
    values += [item.value for item in function.stores if item.block in inside]
    values += [item.value for item in function.bindings if item.block in inside]
    for call in others(function, handler, logging):
        values += inputs(call)
    return mentions(function, handler, values)


def others(function: FunctionFacts, handler: int, logging: list[Call]) -> list[Call]:
    """What the handler calls besides the log, and besides what makes the log's texts."""
    return [
        call
        for call in calls_in(function, handler)
        if function.values[call.func] not in TEXTS and not any(other.span.holds(call.span) for other in logging)
    ]


def mentions(function: FunctionFacts, handler: int, values: list[int]) -> bool:
    """Whether values are made of the exception that the handler has caught."""
    return any(function.values[vid] == ("exc", handler) for vid in ingredients(function, values))


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


def check(site: SyntaxSite) -> Iterator[Hit]:
    for index, block in enumerate(site.function.blocks):
        if block.kind != "except":
            continue
        for verdict in judged(site.file, site.function, index):
            if verdict.found.call.span == site.span:
                if verdict.again is not None:
                    yield twice(site, verdict.found, verdict.again)
                else:
                    yield from lost(site, verdict, index)


def twice(site: SyntaxSite, found: LogCall, again: Raise) -> Hit:
    return Hit(
        f"`{written(site, found.call)}` logs an error that is raised again below, so every layer above logs it once more and one "
        "failure looks like several; log it only where it is handled, or raise it without logging.",
        site.location(),
        related=(Step(site.location(again.span), "The error goes on here"),),
        severity="note",
        function=site.function.qualname or None,
        profile="strict" if outermost(site) or parts_ways(site.function, found, again) else None,
    )


def parts_ways(function: FunctionFacts, found: LogCall, again: Raise) -> bool:
    """Whether a branch between the two handles the error and leaves: for that one the log is needed."""
    return any(
        item.kind in ("if", "else")
        and item.exits in ("return", "continue", "break")
        and item.parent == again.block
        and found.call.span[:2] < item.span[:2] < again.span[:2]
        for item in function.blocks
    )


def outermost(site: SyntaxSite) -> bool:
    """A management command's `handle()`, a migration, the program itself: no layer above logs what leaves it, it ends
    the process."""
    path = f"/{site.file.path}"
    command = site.function.name == "handle" and "/management/commands/" in path
    return command or not site.function.name or "/migrations/" in path or starts_program(site)


def starts_program(site: SyntaxSite) -> bool:
    """`main()` that only `if __name__ == "__main__":` calls."""
    module = site.file.functions[0]
    calls = [call for call in module.calls if module.values[call.func] == ("def", site.function.qualname)]
    return bool(calls) and all(
        any(
            module.blocks[number].kind == "if" and "__main__" in shown(module, module.blocks[number].value)
            for number in around(module, call.block)
        )
        for call in calls
    )


def shown(function: FunctionFacts, vid: int) -> list[object]:
    """The constants of a comparison."""
    value = function.values[vid] if vid >= 0 else ("",)
    parts = (function.values[item] for item in value[2]) if value[0] == "compare" else ()
    return [part[1] for part in parts if part[0] == "const"]


def lost(site: SyntaxSite, verdict: Verdict, handler: int) -> Iterator[Hit]:
    types = caught(site.function, handler)
    broad = site.options["broad"]
    is_broad = not types or (isinstance(broad, list | tuple) and any(name in broad for name in types))
    if not is_broad and verdict.why != "untraced":
        return
    name = written(site, verdict.found.call)
    kind = ", ".join(item.rpartition(".")[2] for item in types) or "any exception"
    what, so = LOST[verdict.why]
    yield Hit(
        f"`{name}` reports {kind} {what}, so {so}; use `{name.rpartition('.')[0]}.exception(...)`{otherwise(site, verdict.found)}.",
        site.location(),
        profile=None if is_broad else "strict",
        severity=None if is_broad else "note",
        function=site.function.qualname or None,
        fix=with_traceback(site, verdict.found),
    )


def otherwise(site: SyntaxSite, found: LogCall) -> str:
    """How the library of the logger adds a traceback to a record of any level, where the file shows which library it is."""
    ways = site.options["traceback"]
    if not isinstance(ways, Mapping):
        return ""
    imported = {item.target.partition(".")[0] for item in site.file.imports} & ways.keys()
    named = called_name(site.file, site.function, found.call).partition(".")[0]
    library = named if named in ways else imported.pop() if len(imported) == 1 else ""
    return f" or {ways[library]}" if library else ""


LOST = {
    "untraced": ("without its traceback", "nobody can tell from the log where it came from"),
    "untold": ("without saying what it was", "a bug and an outage look the same in the log"),
    "hidden": (
        "without its traceback and below warning",
        "production logs, which usually leave such levels out, show nothing",
    ),
}
"""What is missing, and what follows."""


def written(site: SyntaxSite, call: Call) -> str:
    """The last two parts of the callee as it is written: `logger.error`."""
    node = site.node.func if isinstance(site.node, cst.Call) else None
    plain = isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name | cst.Attribute)
    name = site.code(node) if node is not None and plain else called_name(site.file, site.function, call)
    return ".".join(name.split(".")[-2:])


def with_traceback(site: SyntaxSite, found: LogCall) -> Fix | None:
    """`logger.error(...)` becomes `logger.exception(...)`; other levels get no fix, they would change."""
    node = site.node
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or found.level != "error":
        return None
    if any(argument.keyword is not None and argument.keyword.value == "exc_info" for argument in node.args):
        return None
    return Fix("Log the traceback as well", (site.edit(node.func.attr, "exception"),), safe=True)
