from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from backendlint.api import (
    FEW,
    SLIPS,
    Block,
    Call,
    Edit,
    FileFacts,
    Fix,
    Fn,
    FunctionFacts,
    Hit,
    Project,
    Raise,
    around,
    asks_nobody,
    below,
    block_at,
    by_style,
    called_name,
    calls_in,
    caught,
    clause,
    clause_text,
    here_and_in,
    lines_of,
    only_converts,
    siblings,
    told_once,
)

from .accepted import is_accepted

CANCELLED = ("asyncio.CancelledError", "asyncio.exceptions.CancelledError", "anyio.get_cancelled_exc_class")
EVERYTHING = ("builtins.BaseException",)
STOPS = ("builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.GeneratorExit", *CANCELLED, *EVERYTHING)
PASSES_ON = ("set_exception", "put", "put_nowait", "append", "throw", "with_traceback", "completed", "send")
ENDS = ("sys.exit", "os._exit", "builtins.SystemExit", "builtins.exit")
OF_TEXTS = frozenset({"split", "rsplit", "partition", "rpartition", "splitlines", "strip", "decode", "encode"})
ACTIVE, IDLE = "active", "idle"
"""The habit to write `except:` wherever others write `except Exception:`, where something happens then, and where nothing does."""
HARMS = (" also swallows", " also turns")


@dataclass(frozen=True)
class Place:
    """A handler for everything."""

    fn: Fn
    block: int

    @property
    def function(self) -> FunctionFacts:
        return self.fn.facts

    @property
    def file(self) -> FileFacts:
        return self.fn.file

    @property
    def facts(self) -> Block:
        return self.fn.facts.blocks[self.block]


def check(project: Project) -> Iterator[Hit]:
    everywhere = project.functions_with("except")
    styles = by_style(project, everywhere, partial(hits_in, project))
    yield from styles.pop("", ())
    active, idle = styles.get(ACTIVE, []), styles.get(IDLE, [])
    few = SLIPS if usually_narrower(everywhere, len(active) + len(idle)) else FEW
    if active and len(active) + len(idle) > few:
        yield from (replace(hit, profile="strict") for hit in idle)  # what they drop is REL201's matter
        idle = []
    yield from told_once([*active, *idle], said_once, few, severity=None, by_function=True)


def hits_in(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which part of the habit it is one of; "" for those that are told for themselves."""
    for fn in functions:
        suspected = list(suspects(fn.facts))
        lines = lines_of(project, fn.path) if suspected else ()
        for block in suspected:
            site = Place(fn, block)
            for hit in judged(project, site, lines):
                alone = hit.profile is not None or waits(site)
                yield hit, "" if alone else IDLE if is_idle(site) else ACTIVE


def usually_narrower(functions: Iterable[Fn], broad: int) -> bool:
    """Whether the project usually writes `except Exception:`."""
    return (
        sum(
            block.kind == "except" and caught(fn.facts, number) == ("builtins.Exception",)
            for fn in functions
            for number, block in enumerate(fn.facts.blocks)
        )
        >= broad
    )


def said_once(hit: Hit, others: str) -> str:
    return here_and_in(hit, f"{others},", before=next(words for words in HARMS if words in hit.message))


def waits(site: Place) -> bool:
    """Where a stop does come: what is tried waits for something, or is tried again and again."""
    blocks = site.function.blocks
    return (
        only_cancelled(caught(site.function, site.block))
        or is_awaiting(site)
        or any(blocks[number].kind == "while" for number in around(site.function, site.block))
    )


def hardly_stops(project: Project, site: Place) -> bool:
    """Whether nothing is tried but to make values of others: over so soon that a stop comes elsewhere."""
    return not waits(site) and all(
        asks_nobody(project, site.fn, call) for call in calls_in(site.function, site.facts.group)
    )


def only_makes_a_value(project: Project, site: Place) -> bool:
    """`int(text)`, `json.dumps(row)`, `line.split(",", 1)`: by functions alone, no method of who knows what (`rows.get(pk=1)`)."""
    calls = calls_in(site.function, site.facts.group)
    by_name = bool(calls) and all(
        site.function.values[call.func][0] == "name" or site.fn.callee_name(call) in OF_TEXTS for call in calls
    )
    return by_name and only_converts(project, site.fn, site.block)


def only_looks_at_error(site: Place) -> bool:
    """`error.detail["message"]` of an error that was caught, and nothing else."""
    fn, inside = site.fn, below(site.function, site.facts.group)
    if calls_in(site.function, site.facts.group) or waits(site):
        return False
    looked = [vid for kind in ("attr", "item") for vid in fn.made_by(kind)]
    there = [vid for vid in looked if block_at(fn, fn.facts.span_of(vid)) in inside]
    bases = [fn.untested(fn.value(vid)[1]) for vid in there]
    return bool(there) and all(base in there or fn.value(base)[0] == "exc" for base in bases)


def is_idle(site: Place) -> bool:
    """Whether nothing happens in the handler but a jump or a `return`."""
    function = site.function
    done = {item.block for item in function.calls} | {item.block for item in function.stores}
    done |= {item.block for item in function.statements} | {item.block for item in function.bindings}
    done |= {item.block for item in function.raises}
    return done.isdisjoint(below(function, site.block))


def only_cancelled(types: Sequence[str]) -> bool:
    """Whether of what ends a program only the cancellation of its task is caught."""
    return bool(types) and not any(name in EVERYTHING for name in types)


def suspects(function: FunctionFacts) -> Iterator[int]:
    """Handlers for everything below which it is not raised again."""
    if function.name == "__del__":
        return
    for index, block in enumerate(function.blocks):
        if block.kind != "except" or not catches_stops(function, index):
            continue
        inside = below(function, index)
        if not any(item.block in inside and goes_on(function, item) for item in function.raises):
            yield index


def goes_on(function: FunctionFacts, item: Raise) -> bool:
    """Whether a `raise` lets what was caught go on, or stops the program itself: all but a new exception of a class."""
    value = function.values[item.exc] if item.exc >= 0 else ("unknown",)
    if value[0] == "call":
        value = function.values[function.calls[value[1]].func]
    name = str(value[2]) if value[0] == "attr" else str(value[1]) if value[0] in ("name", "def") else ""
    return name in STOPS or not name.rpartition(".")[2][:1].isupper()


def catches_stops(function: FunctionFacts, index: int) -> bool:
    """Whether the handler catches what ends a program or cancels a task."""
    types = caught(function, index)
    return not types or any(name in EVERYTHING or name in CANCELLED for name in types)


def judged(project: Project, site: Place, lines: Sequence[str]) -> Iterator[Hit]:
    function = site.function
    types = caught(function, site.block)
    cancelled = only_cancelled(types)
    if stopped_earlier(site) or passes_on(site) or (cancelled and is_awaiting_what_it_cancelled(site)):
        return
    if ends_the_process(project, site):
        return
    loops_on = goes_on_looping(site)
    advice = (
        (cancelled and not loops_on)
        or is_shielded(site)
        or is_accepted(lines, clause(function, site.block).end_line)
        or only_collects(site)
    )
    advice = advice or project.layer(site.fn) == "migration" or "/migrations/" in f"/{site.fn.path}"
    advice = advice or only_makes_a_value(project, site) or only_looks_at_error(site)
    advice = advice or site.fn.is_module  # who stops it tries once more
    advice = advice or is_thread(project, site.fn)
    advice = advice or (only_awaits(site) and is_awaiting_what_it_cancelled(site))
    where = f" in `{function.name}()`" if function.name else ""
    yield Hit(
        f"{clause_text(types)}{where} {consequence(site, cancelled, loops_on)}",
        site.fn.location(clause(function, site.block)),
        profile="strict" if advice else None,
        severity="warning" if advice else None,
        confidence="medium" if advice else "low" if hardly_stops(project, site) else None,
        function=site.fn.fqn,
        fix=None if cancelled else narrowed(site),
    )


def consequence(site: Place, cancelled: bool, loops_on: bool) -> str:
    if cancelled:
        so = "and goes on with its loop, so the task cannot be cancelled" if loops_on else "and does not raise it again"
        return f"catches the cancellation of its task {so}; shutdown and timeouts wait for it; end it with `raise`."
    stops = "KeyboardInterrupt, SystemExit and the cancellation of its task" if is_awaiting(site) else ""
    stops = stops or "KeyboardInterrupt and SystemExit"
    if site.facts.exits == "raise":
        return (
            f"also turns {stops} into an error of its own, so a stop that comes there is handled like a failure; "
            "catch `Exception`."
        )
    return f"also swallows {stops}, so a stop that comes there is lost; catch `Exception`, or end the handler with `raise`."


def is_awaiting(site: Place) -> bool:
    """Whether the tried code waits anywhere: a task is cancelled nowhere else."""
    function, tried = site.function, site.function.blocks[site.facts.group]
    return any(
        value[0] == "await" and tried.span.holds(function.span_of(vid)) for vid, value in enumerate(function.values)
    ) or any(function.blocks[number].is_async for number in below(function, site.facts.group))


def stopped_earlier(site: Place) -> bool:
    """Whether an earlier handler of the same try takes what must not be swallowed."""
    for other in siblings(site.function, site.block, "except"):
        if other >= site.block:
            return False
        if any(name in STOPS for name in caught(site.function, other)):
            return True
    return False


def passes_on(site: Place) -> bool:
    """Whether the exception is kept for someone else: stored, returned, yielded or given to a future or queue."""
    function, inside = site.function, below(site.function, site.block)
    exception = {vid for vid, value in enumerate(function.values) if value == ("exc", site.block)}
    for vid, value in enumerate(function.values):
        if value[0] == "call" and called_name(site.file, function, function.calls[value[1]]) == "sys.exc_info":
            exception.add(vid)
    kept = [item.value for item in function.stores if item.block in inside]
    kept += [item.value for item in function.bindings if item.block in inside]
    kept += [item.value for item in function.returns if item.block in inside]
    if exception.intersection(spread(function, kept)):
        return True
    for call in calls_in(function, site.block):
        name = called_name(site.file, function, call)
        given = list(call.passed)
        if name.rpartition(".")[2] in PASSES_ON and exception.intersection(spread(function, given)):
            return True
        if name.endswith((".reraise", ".abort", "os.kill", ".unraisablehook")) or name in ENDS:
            return True
    return False


def ends_the_process(project: Project, site: Place) -> bool:
    """`except BaseException: return 1` in a function whose result is a process's status: `os._exit(monitor(pipe))`."""
    edges = project.graph.callers(site.fn) if site.facts.exits == "return" else []
    return bool(edges) and all(edge.call is not None and is_status(edge.caller, edge.call) for edge in edges)


def is_thread(project: Project, fn: Fn) -> bool:
    """`run()` of a thread, to which no stop ever comes: signals are for the main one."""
    return fn.name == "run" and fn.cls is not None and "threading.Thread" in project.hierarchy.library_bases(fn.cls)


def is_status(fn: Fn, call: Call) -> bool:
    """Whether nothing is done with what a call gives but to end the process with it."""
    takers = [other for other in fn.calls if call.value in map(fn.untested, other.passed)]
    names = [called_name(fn.file, fn.facts, other) for other in takers]
    return bool(names) and all(name in ENDS for name in names)


def spread(function: FunctionFacts, vids: list[int]) -> set[int]:
    """The values and what tuples, lists and constructors among them hold."""
    found: set[int] = set()
    todo = [vid for vid in vids if vid >= 0]
    while todo:
        vid = todo.pop()
        if vid in found:
            continue
        found.add(vid)
        value = function.values[vid]
        if value[0] in ("tuple", "list", "phi"):
            todo.extend(value[1])
        elif value[0] == "call":
            todo.extend(function.calls[value[1]].args)
            todo.extend(item for _, item in function.calls[value[1]].kwargs)
        elif value[0] in ("attr", "item", "mut"):
            todo.append(value[1])
    return found


def is_awaiting_what_it_cancelled(site: Place) -> bool:
    """`task.cancel()`, then `await task` in a try: the error is the task's, and expected."""
    return any(
        called_name(site.file, site.function, call).rpartition(".")[2] in ("cancel", "aclose", "cancel_scope")
        for call in site.function.calls
    )


def only_awaits(site: Place) -> bool:
    """`await self.task`, and nothing else: it is the task's end that comes there."""
    function, tried = site.function, site.facts.group
    body = [item for item in function.statements if item.block == tried]
    return (
        len(body) == 1
        and function.values[body[0].value][0] == "await"
        and not calls_in(function, tried)
        and not site.facts.exits
    )


def only_collects(site: Place) -> bool:
    """`task.result()` where nothing waits: what comes there is what the task ended with, also its cancellation."""
    calls = calls_in(site.function, site.facts.group)
    names = [called_name(site.file, site.function, call).rpartition(".")[2] for call in calls]
    return names in (["result"], ["exception"]) and not calls[0].passed and not is_awaiting(site)


def is_shielded(site: Place) -> bool:
    """Whether nothing is tried but waiting for a task that a cancellation must not reach: that it goes on is the plan."""
    calls = calls_in(site.function, site.facts.group)
    names = [called_name(site.file, site.function, call).rpartition(".")[2] for call in calls]
    return names == ["shield"]


def goes_on_looping(site: Place) -> bool:
    """Whether the try is in a loop of this function and the handler does not leave it."""
    if site.facts.exits in ("return", "break"):
        return False
    blocks = site.function.blocks
    loop = next((index for index in around(site.function, site.block) if blocks[index].kind in ("while", "for")), -1)
    if loop < 0:
        return False
    ends = blocks[loop].exits in ("return", "break", "raise") and not site.facts.exits
    return not ends or blocks[blocks[site.facts.group].parent].kind not in ("while", "for")


def narrowed(site: Place) -> Fix | None:
    """`except:` and `except BaseException` become `except Exception`."""
    function, types = site.function, site.facts.value
    if types < 0:
        edit = Edit(site.fn.location(clause(function, site.block)), "except Exception")
    elif function.values[types] == ("name", *EVERYTHING):
        edit = Edit(site.fn.place(types), "Exception")
    else:
        return None
    return Fix("Catch `Exception`", (edit,), safe=False)
