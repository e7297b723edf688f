from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from backendlint.api import (
    FEW,
    SLIPS,
    Call,
    Edit,
    FileFacts,
    Fix,
    Fn,
    FunctionFacts,
    Hit,
    LogCall,
    Project,
    Raise,
    Span,
    Step,
    around,
    asks_nobody,
    below,
    by_style,
    called_name,
    calls_in,
    caught,
    for_developers,
    for_tests,
    here_and_in,
    in_main_block,
    ingredients,
    lines_of,
    log_call,
    of_caught,
    only_converts,
    runs_by_hand,
    siblings,
    told_once,
)

ANSWER = frozenset({"text", "content"})
"""Where responses of HTTP clients keep what the other side said."""
TAKEN = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "msg"})
"""Keywords of the standard library's loggers."""
LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
BROAD, BROADEST = "builtins.Exception", "builtins.BaseException"
MANY = 2
MAX_DEPTH = 5
DECIDED = re.compile(r"best[- ]effort|swallow|(never|not|n't|without|instead of) rais(e|es|ing)\b", re.IGNORECASE)
CHAIN = re.compile(r"\w+(\.\w+)+")
TRACEBACKS = ("format_exc", "format_exception", "format_tb", "print_exc", "print_exception")
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
ENDS = re.compile(
    r"a?close(_\w+)?|shutdown|stop|cancel|kill|terminate|disconnect|dispose|quit|clean_?up|wait_closed|logout"
)
TRIES = re.compile(r"_*((try|maybe|guess|detect|probe|best_effort)_|(\w+_)?(health_?check|ping|heartbeat)s?(_|$))")
"""Functions that only try, or ask again and again whether somebody is there."""
TEXTS = [("name", f"builtins.{name}") for name in ("str", "repr", "type", "getattr")]
"""Callees that make texts of an exception."""

REASON = re.compile(
    r"#\s*(?:(?:noqa|pylint|type|pragma|nosec)\b[^-#]*-+)?\s*(?!noqa|pylint|type:|pragma|nosec)[^\W\d]\w*\s\w"
)
"""A comment of words, behind a marker for another tool perhaps: `# noqa: BLE001 -- never break telemetry`."""


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
    if reported(file, function, handler) or takes_traceback(function, handler):
        return
    failed = [found for found in told if found.level in FAILED]
    if failed:
        yield Verdict(failed[0], None, "untraced")
        return
    calls = [found.call for found in logged]
    tried = function.blocks[handler].group
    if only_imports(file, function, tried):
        return  # the text says what is missing
    if only_ends(file, function, tried):
        return  # what ends has no news
    if kept(function, handler, calls) or (not told and others(function, handler, calls)):
        return
    if not any(of_caught(function, handler, inputs(call)) for call in calls):
        yield Verdict((told or logged)[0], None, "untold")
    elif not told and not TRIES.match(function.name) and not raises_in_the_end(function, handler):
        yield Verdict(logged[0], None, "hidden")


def raises_in_the_end(function: FunctionFacts, handler: int) -> bool:
    """`while tries < MOST: try: ... except ...: log.debug(...)`, and below it a `raise`: the failure does come out."""
    blocks = function.blocks
    loop = next((number for number in around(function, handler) if blocks[number].kind in ("while", "for")), -1)
    return loop >= 0 and any(
        item.block == blocks[loop].parent and item.span[:2] > blocks[loop].span[2:] for item in function.raises
    )


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


def only_ends(file: FileFacts, function: FunctionFacts, tried: int) -> bool:
    """Whether nothing is tried but to close, stop or cancel something."""
    calls = [call for call in calls_in(function, tried) if log_call(file, function, call) is None]
    names = [called_name(file, function, call).rpartition(".")[2] for call in calls]
    return bool(names) and all(ENDS.fullmatch(name) for name in names)


def reported(file: FileFacts, function: FunctionFacts, handler: int) -> bool:
    """Whether the handler gives the exception to an error tracker, or to a helper that logs it."""
    for call in calls_in(function, handler):
        name = called_name(file, function, call).rpartition(".")[2]
        if name in REPORTERS or (REPORTS.search(name) and of_caught(function, handler, inputs(call))):
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
        if function.values[call.func] not in TEXTS and not any(other.span.holds(call.span) for other in logging)
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


def check(project: Project, options: Mapping[str, object]) -> Iterator[Hit]:
    everywhere = project.functions_with("except")
    styles = by_style(project, everywhere, partial(hits_in, project, options))
    yield from styles.pop("", ())
    for why, hits in styles.items():
        few = SLIPS if len(hits) > FEW and why == "untraced" and traces(everywhere, len(hits)) else FEW
        yield from told_once(hits, partial(here_and_in, after=LOST[why][0]), few, by_function=True)


def hits_in(project: Project, options: Mapping[str, object], functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and why it is one; "" for advice."""
    for fn in functions:
        yield from ((hit, "") for hit in failing(project, fn))
        for index, block in enumerate(fn.facts.blocks):
            for verdict in judged(fn.file, fn.facts, index) if block.kind == "except" else ():
                hit = told(project, fn, verdict, index, options)
                if hit is not None:
                    lost_little = verdict.again is None and (
                        only_reads(project, fn, index) or (verdict.why == "hidden" and is_decided(project, fn, index))
                    )
                    advice = lost_little or for_developers(fn.path) or is_watched(project, fn, options)
                    # a migration has run, and nobody will mend it
                    advice |= for_tests(project, fn) or project.layer(fn) == "migration"
                    hit = replace(hit, profile="strict") if advice else hit
                    yield hit, verdict.why if hit.profile is None else ""


def failing(project: Project, fn: Fn) -> Iterator[Hit]:
    """Log calls of handlers with a keyword that the standard library's loggers do not take: structlog's way to say more."""
    for call in fn.calls:
        unknown = [key for key, _ in call.kwargs if key not in TAKEN]
        if not unknown or "**" in unknown or fn.inside(call.block, "except") is None:
            continue
        if fn.callee_name(call) in LEVELS and is_standard(project, fn, call) and not own_loggers(project):
            yield Hit(
                f"`{written(project, fn, call)}` takes no `{unknown[0]}`: it raises TypeError here, so the error is not logged and "
                "the handler does not go on; pass it in `extra`.",
                fn.location(call.span),
                function=fn.fqn,
                severity="error",
                confidence="high",
            )


def is_standard(project: Project, fn: Fn, call: Call) -> bool:
    """A method of what `logging.getLogger` gave, in a module of the project."""
    func = fn.value(call.func)
    owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
    target = project.modules.resolve(owner, fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
        return False
    module = project.module_function(target.file)
    value = module.value(target.vid)
    return value[0] == "call" and called_name(module.file, module.facts, module.calls[value[1]]) == "logging.getLogger"


def own_loggers(project: Project) -> bool:
    """Whether loggers are made of another class than the library's."""
    return any(True for _ in project.graph.calls_written("setLoggerClass"))


def only_reads(project: Project, fn: Fn, handler: int) -> bool:
    """Whether nothing is tried but to make a value of another: what failed there is the value."""
    calls = calls_in(fn.facts, fn.facts.blocks[handler].group)
    return only_converts(project, fn, handler) or (
        bool(calls) and all(asks_nobody(project, fn, call) for call in calls)
    )


def is_watched(project: Project, fn: Fn, options: Mapping[str, object]) -> bool:
    """What shows somebody how far it has come (`tqdm(posts)`), and no endpoint leads to."""
    shows = options["watched"]
    return isinstance(shows, list | tuple) and not fn.file.packages.isdisjoint(shows) and not project.reach(fn.fqn)


def is_decided(project: Project, fn: Fn, handler: int) -> bool:
    """Whether a comment in the handler or behind its `except` says why it is so little, or the docstring that failures are
    none."""
    span = fn.facts.blocks[handler].span
    lines = lines_of(project, fn.path)[span.line - 1 : span.end_line]
    if DECIDED.search(fn.facts.docstring) is not None or any(REASON.search(line) for line in lines[:1]):
        return True
    return any(line.lstrip().startswith("#") for line in lines)


def traces(functions: Iterable[Fn], without: int) -> bool:
    """Whether the project usually logs errors with their traceback."""
    handled = ((fn, call) for fn in functions for call in fn.calls if fn.inside(call.block, "except") is not None)
    logged = (log_call(fn.file, fn.facts, call) for fn, call in handled)
    return sum(found is not None and found.traceback for found in logged) >= without


def told(project: Project, fn: Fn, verdict: Verdict, handler: int, options: Mapping[str, object]) -> Hit | None:
    if verdict.again is not None:
        return twice(project, fn, verdict.found, verdict.again)
    return None if formats_traceback(project, fn, verdict.found.call) else lost(project, fn, verdict, handler, options)


def formats_traceback(project: Project, fn: Fn, call: Call) -> bool:
    """`log.error(described(err))`, where that function of the project writes the traceback out."""
    made = (fn.value(vid) for vid in ingredients(fn.facts, call.passed))
    helpers = (target for value in made if value[0] == "call" for target in project.targets(fn, fn.calls[value[1]]))
    return any(helper.callee_name(inner) in TRACEBACKS for helper in helpers for inner in helper.calls)


def twice(project: Project, fn: Fn, found: LogCall, again: Raise) -> Hit:
    said = found.traceback or of_caught(fn.facts, again.block, inputs(found.call))  # else it tells what was under way
    alone = (
        not said
        or tells_the_answer(fn, found)
        or outermost(project, fn)
        or parts_ways(fn.facts, found, again)
        or not logged_above(project, fn, again)
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


def tells_the_answer(fn: Fn, found: LogCall) -> bool:
    """`extra={"answer": response.text}`: what the other side said, which the error that goes on does not carry."""
    read = (fn.value(vid) for vid in ingredients(fn.facts, found.call.passed))
    return any(value[0] == "attr" and value[2] in ANSWER and fn.unguarded(value[1])[0] != "exc" for value in read)


def logged_above(project: Project, fn: Fn, again: Raise) -> bool:
    """Whether a layer above logs the error once more: a handler, or what runs the program where nothing catches it. Not
    where all that catch it drop it or answer with it: then this record is the only one."""
    types = project.exceptions.caught_types(fn, fn.facts.blocks[again.block])
    name = types[0] if types and types[0] != BROADEST else BROAD
    todo, seen, quiet = [(fn, again.block, MAX_DEPTH)], {(fn.fqn, again.block)}, False
    while todo:
        at, block, depth = todo.pop()
        end = project.exceptions.caught_by(at, block, name)
        if end >= 0 and at.facts.blocks[end].kind == "except" and reraised(at.facts, end) is None:
            if speaks(at, end):
                return True
            quiet = True
        elif end >= 0:
            quiet |= at.facts.blocks[end].kind != "except"
            todo += [(at, end, depth)] if at.facts.blocks[end].kind == "except" else []
        else:
            edges = project.graph.callers(at) if depth else []
            if not edges:
                return True
            todo += [(edge.caller, edge.block, depth - 1) for edge in edges]
        todo = [item for item in todo if (item[0].fqn, item[1]) not in seen]
        seen |= {(item[0].fqn, item[1]) for item in todo}
    return not quiet


def speaks(fn: Fn, handler: int) -> bool:
    """Whether a handler logs what it has caught, or raises something else of it that is no answer."""
    inside = below(fn.facts, handler)
    if any(call.block in inside and log_call(fn.file, fn.facts, call) for call in fn.calls) or reported(
        fn.file, fn.facts, handler
    ):
        return True
    raised = [item for item in fn.facts.raises if item.block in inside]
    return any(not ANSWERS.search(raised_name(fn, item)) for item in raised)


def raised_name(fn: Fn, item: Raise) -> str:
    value = fn.value(item.exc) if item.exc >= 0 else ("",)
    return called_name(fn.file, fn.facts, fn.calls[value[1]]) if value[0] == "call" else str(value[-1])


def parts_ways(function: FunctionFacts, found: LogCall, again: Raise) -> bool:
    """Whether a branch between the two handles the error and leaves: for that one the log is needed."""
    return any(
        item.kind in ("if", "else")
        and item.exits in ("return", "continue", "break")
        and item.parent == again.block
        and found.call.span[:2] < item.span[:2] < again.span[:2]
        for item in function.blocks
    )


def outermost(project: Project, fn: Fn) -> bool:
    """A management command's `handle()`, a migration, the program itself: no layer above logs what leaves it, it ends
    the process."""
    path = f"/{fn.path}"
    command = fn.name == "handle" and "/management/commands/" in path
    return command or fn.is_module or "/migrations/" in path or starts_program(project, fn) or of_commands(project, fn)


def of_commands(project: Project, fn: Fn) -> bool:
    """What nothing but commands calls, and none of them catches anything."""
    edges = project.graph.callers(fn)
    return bool(edges) and all(
        runs_by_hand(project, edge.caller) and project.exceptions.caught_by(edge.caller, edge.block, BROAD) < 0
        for edge in edges
    )


def starts_program(project: Project, fn: Fn) -> bool:
    """`main()` that only `if __name__ == "__main__":` calls."""
    module = project.module_function(fn.file)
    calls = [call for call in module.calls if module.value(call.func) == ("def", fn.facts.qualname)]
    return bool(calls) and all(in_main_block(module, call) for call in calls)


def lost(project: Project, fn: Fn, verdict: Verdict, handler: int, options: Mapping[str, object]) -> Hit | None:
    types = caught(fn.facts, handler)
    broad = options["broad"]
    is_broad = not types or (isinstance(broad, list | tuple) and any(name in broad for name in types))
    is_broad = is_broad or (verdict.why == "untraced" and any_of_many(project, fn, handler))
    if not is_broad and verdict.why != "untraced":
        return None
    name = written(project, fn, verdict.found.call)
    kind = ", ".join(item.rpartition(".")[2] for item in types) or "any exception"
    what, so = LOST[verdict.why]
    better = f"`{name.rpartition('.')[0]}.exception(...)`{otherwise(fn, verdict.found, options)}"
    return Hit(
        f"`{name}` reports {kind} {what}, so {so}; use {better}.",
        fn.location(verdict.found.call.span),
        profile=None if is_broad else "strict",
        severity=None if is_broad else "note",
        function=fn.fqn,
        fix=with_traceback(fn, verdict.found),
    )


def any_of_many(project: Project, fn: Fn, handler: int) -> bool:
    """A class of the project from which others derive: that it is one of them does not say what went wrong, nor where."""
    if names_class(fn, handler):
        return False
    names = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    classes = (project.classes.get(name) for name in names)
    treated = {
        name
        for other in siblings(fn.facts, handler, "except")
        if other < handler
        for name in project.exceptions.caught_types(fn, fn.facts.blocks[other])
    }
    return any(cls is not None and sum(item.fqn not in treated for item in cls.subclasses) >= MANY for cls in classes)


def names_class(fn: Fn, handler: int) -> bool:
    """Whether the handler logs which class it is: `type(error).__name__`, `error.__class__.__name__`."""
    for _, base, name in map(fn.value, fn.made_by("attr")):
        if name in ("__name__", "__qualname__"):
            owner = fn.value(base)
            parts = owner[1:2] if owner[0] == "attr" else fn.calls[owner[1]].args if owner[0] == "call" else ()
            if any(fn.value(vid) == ("exc", handler) for vid in parts):
                return True
    return False


def otherwise(fn: Fn, found: LogCall, options: Mapping[str, object]) -> str:
    """How the library of the logger adds a traceback to a record of any level, where the file shows which library it is."""
    ways = options["traceback"]
    if not isinstance(ways, Mapping):
        return ""
    imported = fn.file.packages & ways.keys()
    named = called_name(fn.file, fn.facts, found.call).partition(".")[0]
    library = named if named in ways else imported.pop() if len(imported) == 1 else ""
    return f" or {ways[library]}" if library else ""


LOST = {
    "repeated": (
        "that is raised again below",
        "the layer that handles it, or what runs the program, logs it once more, and one failure looks like several",
    ),
    "untraced": ("without its traceback", "nobody can tell from the log where it came from"),
    "untold": ("without saying what it was", "a bug and an outage look the same in the log"),
    "hidden": (
        "without its traceback and below warning",
        "production logs, which usually leave such levels out, show nothing",
    ),
}
"""What is wrong, and what follows."""


def written(project: Project, fn: Fn, call: Call) -> str:
    """The last two parts of the callee as it is written: `logger.error`."""
    span = fn.facts.span_of(call.func)
    lines = lines_of(project, fn.path)
    text = lines[span.line - 1][span.column : span.end_column] if span.line == span.end_line <= len(lines) else ""
    name = text if CHAIN.fullmatch(text) else called_name(fn.file, fn.facts, call)
    return ".".join(name.split(".")[-2:])


def with_traceback(fn: Fn, found: LogCall) -> Fix | None:
    """`logger.error(...)` becomes `logger.exception(...)`; other levels get no fix, they would change."""
    call, end = found.call, fn.facts.span_of(found.call.func)
    if found.level != "error" or fn.value(call.func)[0] not in ("attr", "name") or call.kwarg("exc_info") >= 0:
        return None
    place = Span(end.end_line, end.end_column - len("error"), end.end_line, end.end_column)
    return Fix("Log the traceback as well", (Edit(fn.location(place), "exception"),), safe=True)
