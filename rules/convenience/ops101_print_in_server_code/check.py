from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from backendlint.api import (
    SERVING,
    SLIPS,
    Call,
    FileFacts,
    Fn,
    Hit,
    Project,
    Vid,
    by_style,
    called_name,
    calls_in,
    for_developers,
    for_development,
    for_tests,
    here_and_in,
    identifier_words,
    in_main_block,
    log_call,
    only_by_hand,
    operands,
    told_once,
)

CONSOLE = frozenset(["console.py", "terminal.py", ".github"])
SHOWS = frozenset(["cli", "console", "terminal", "stdout", "print", "printer"])
"""Words in names of files and classes whose work it is to show something."""
SWITCHES = frozenset(
    [
        "verbose",
        "verbosity",
        "debug",
        "debugging",
        "quiet",
        "echo",
        "tty",
        "isatty",
        "dev",
        "developer",
        "development",
        "test",
        "testing",
    ]
)
"""Words for what says that somebody looks at the output."""
SERVED = frozenset(["controller", "task", "middleware"])
"""Layers of code to which requests and jobs lead."""
NEAR = 3
"""Imports through which a class is known to whoever serves: who has an object of it may call its methods, seen or not."""
OF_CLASSES = frozenset(["service", "model", "client", "schema"])
"""Layers whose classes they use, seen or not."""
TOOLS = frozenset(["tools", "qa", "bin", "noxfile", "noxfiles"])
"""Folders and files of what people run by hand."""
WORDS = 3
"""So many words the name of a switch has."""
SHOWING = re.compile(r"_*(print|debug_|(write|stream|show|echo|relay)_(\w+_)?(output|std(out|err))(_|$))")
"""Names of functions that are there to show something, or to pass on what another program says."""
LOGGING = frozenset(["logging.Handler", "logging.Formatter", "logging.Filter"])
PAST = "writes past the log"
STREAMS = ("sys.stdout.write", "sys.stderr.write")


def check(project: Project) -> Iterator[Hit]:
    styles = by_style(project, list(project.all_functions()), partial(hits_in, project))
    yield from styles.pop("", ())
    for hits in styles.values():
        yield from told_once(hits, partial(here_and_in, after=PAST), SLIPS, slip=partial(of_function, project))


def of_function(project: Project, hit: Hit) -> str:
    """The outermost one: what registers handlers defines them."""
    fn = project.functions.get(hit.function or "")
    while fn is not None and fn.parent is not None and not fn.parent.is_module:
        fn = fn.parent
    return fn.fqn if fn is not None else hit.location.path


def hits_in(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for advice."""
    wanted = set(functions)
    served = bool(project.routes) or any(project.layer(fn) == "task" for fn in project.all_functions())
    for fn, call, name in printed(project):
        if (
            fn not in wanted
            or in_main_block(fn, call)
            or project.layer(fn) == "migration"
            or by_intention(project, fn, call)
            or log_failed(fn, call)
            or (called_name(fn.file, fn.facts, call) in STREAMS and logged_too(project, fn, call))
        ):
            continue
        if (fn.is_module and not served) or from_script(project, fn):
            continue
        where = "at import" if fn.is_module else f"in `{named(fn).name}()`"
        sure = served and not fn.is_module and serves(project, fn)
        hit = Hit(
            f"`{name}` {where} {PAST}: no level, no time, no request id. Use a logger.",
            fn.location(call.span),
            function=fn.fqn,
            profile="default" if sure else "strict",
        )
        yield hit, "printed" if sure else ""


def serves(project: Project, fn: Fn, depth: int = 4) -> bool:
    """Whether requests or jobs lead to the function; code of a layer that only they use counts too, tools do not."""
    if for_development(fn.path) or for_developers(fn.path) or not TOOLS.isdisjoint(re.split(r"[/.]", fn.path.lower())):
        return False
    if project.reach(fn.fqn):
        return True
    if project.layer(fn) in SERVED:
        return True
    if fn.cls is not None and project.layer(fn) in OF_CLASSES and project.importers.of(fn.file):
        return True
    if fn.facts.is_async and any(app.location.path == fn.path for app in project.applications):
        return True
    own = fn.parent
    if own is not None and not own.is_module and serves(project, own, depth):
        return True
    callers = [edge.caller for edge in project.graph.callers(fn)]
    callers = callers or [item for item in project.functions_of(fn.file) if passes_on(item, fn)]
    if not callers:  # somebody calls it from a shell, or who knows what takes it by a decorator
        return fn.cls is not None and imported_to_serve(project, fn.file, NEAR)
    return depth > 0 and any(caller is not fn and serves(project, caller, depth - 1) for caller in callers)


def imported_to_serve(project: Project, file: FileFacts, depth: int) -> bool:
    """Whether handlers or jobs lie in the module, or in one that imports it."""
    if any(project.layer(fn) in SERVED for fn in project.functions_of(file) if not fn.is_module):
        return True
    return depth > 0 and any(imported_to_serve(project, other, depth - 1) for other in project.importers.of(file))


def passes_on(other: Fn, fn: Fn) -> bool:
    """Whether a function of the same file gives it to something: `context.Process(target=fn)`."""
    named = (("name", f"{fn.file.module}.{fn.name}"), ("def", fn.facts.qualname))
    return any(other.unguarded(vid)[:2] in named for call in other.calls for vid in call.passed)


def named(fn: Fn) -> Fn:
    """The function, or the one around a lambda."""
    while fn.name.startswith("<") and fn.parent is not None and not fn.parent.is_module:
        fn = fn.parent
    return fn


def is_script(project: Project, fn: Fn) -> bool:
    """A module that nothing imports and that serves nothing: whoever runs it reads what it prints."""
    if project.importers.of(fn.file) or any(app.location.path == fn.path for app in project.applications):
        return False
    return not fn.file.is_package and not any(project.layer(item) in SERVING for item in project.functions_of(fn.file))


def from_script(project: Project, fn: Fn, depth: int = 4) -> bool:
    """The code of such a module itself, and the functions to which only it leads."""
    if fn.is_module:
        return is_script(project, fn)
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.caller is not fn]
    module = project.module_function(fn.file)
    if not callers and passes_on(module, fn):  # `Worker(target=fn)`
        callers = [module]
    return (
        bool(callers)
        and depth > 0
        and all(caller.path == fn.path and from_script(project, caller, depth - 1) for caller in callers)
    )


def answers_command_line(project: Project, fn: Fn, depth: int = 4) -> bool:
    """A function that reads the command line, and those of its file to which only it leads (`set_defaults(func=...)` too)."""
    own: Fn | None = fn
    while own is not None:
        if any(own.callee_name(call) == "parse_args" for call in own.calls):
            return True
        own = own.parent if own.parent is not None and not own.parent.is_module else None
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.caller is not fn]
    return (
        bool(callers)
        and depth > 0
        and all(caller.path == fn.path and answers_command_line(project, caller, depth - 1) for caller in callers)
    )


def part_of_a_stream(project: Project, fn: Fn) -> bool:
    """A method of what is written to in place of a stream, or of logging itself and of what is beside it, which must not log."""
    if fn.cls is None:
        return False
    if {"write", "flush"} <= fn.cls.methods.keys():
        return True
    beside = (project.classes.get(f"{fn.file.module}.{facts.name}") for facts in fn.file.classes.values())
    return any(cls and not LOGGING.isdisjoint(project.hierarchy.library_bases(cls)) for cls in beside)


def serves_logging(project: Project, fn: Fn, depth: int = 3) -> bool:
    """A function to which only handlers of logging lead (`emit()` stores its records by it): a record would come back to it."""
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.caller is not fn]
    return bool(callers) and all(
        (caller.cls is not None and not LOGGING.isdisjoint(project.hierarchy.library_bases(caller.cls)))
        or (depth > 0 and serves_logging(project, caller, depth - 1))
        for caller in callers
    )


def sets_logging_up(project: Project, fn: Fn) -> bool:
    """Until it is done there is no log to write to, and where it fails there will be none."""
    models = (model for call in fn.calls for model in project.models(fn, call))
    return any(model.observability == "logging" and not model.returns for model in models)


def begins_line_anew(fn: Fn, call: Call) -> bool:
    """A progress line of a terminal: `print(f"\\r{done} of {total}")`, `write("%d done\\r" % done)`."""
    first, last = (str(fn.const(_end_of(fn, call.args[0], end))) if call.args else "" for end in (0, -1))
    return first.startswith("\r") or last.endswith("\r")


def _end_of(fn: Fn, vid: Vid, end: int) -> Vid:
    """The first part of a text (0), or its last one (-1)."""
    while vid >= 0 and fn.value(vid)[0] in ("fmt", "binop"):
        parts = tuple(operands(fn.value(vid)))
        vid = parts[end] if parts else -1
    return vid


def printed(project: Project) -> Iterator[tuple[Fn, Call, str]]:
    """Calls that print to a standard stream, with the name under which they do; each call once."""
    found: dict[tuple[str, int], tuple[Fn, Call, str]] = {}
    for fn, call, model in project.effects.sites:
        if model.prints and goes_to_a_stream(fn, call):
            found[fn.fqn, call.value] = fn, call, f"{model.name.rpartition('.')[2]}()"
    for name in STREAMS:
        for fn, call in project.graph.calls_of(name):
            found.setdefault((fn.fqn, call.value), (fn, call, f"{name}()"))
    yield from found.values()


def by_intention(project: Project, fn: Fn, call: Call) -> bool:
    """For a terminal: commands and what only they call, helpers of tests, consoles, and what the caller asked for."""
    if CONSOLE.intersection(fn.path.lower().split("/")) or SHOWS.intersection(words_of(fn)) or asked_for(fn, call):
        return True
    importers = project.importers.of(fn.file)
    if importers and all(SHOWS.intersection(identifier_words(stem_of(file.path))) for file in importers):
        return True
    if part_of_a_stream(project, fn) or begins_line_anew(fn, call) or answers_command_line(project, fn):
        return True
    if (
        sets_logging_up(project, fn)
        or serves_logging(project, fn)
        or ends_the_program(project, fn, call)
        or stands_in(fn, call)
    ):
        return True
    return only_by_hand(project, fn) or for_tests(project, fn)


def words_of(fn: Fn) -> tuple[str, ...]:
    return identifier_words(f"{stem_of(fn.path)} {fn.cls.name if fn.cls is not None else ''}")


def stem_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def logged_too(project: Project, fn: Fn, call: Call) -> bool:
    """Written raw on purpose: the values of the text stand in a record of the log just before (`dump=stacks`)."""
    records = (other for other in fn.calls if other.span < call.span and log_call(fn.file, fn.facts, other))
    logged = {fn.unguarded(vid) for other in records for vid in other.passed}
    parts = [part for vid in call.args for part in parts_of(fn, vid) if fn.const(part) is ...]
    return bool(parts) and all(fn.unguarded(part) in logged for part in parts)


def log_failed(fn: Fn, call: Call) -> bool:
    """Where logging what went wrong has itself gone wrong: nothing but the stream is left."""
    tried = [item.group for _, item in fn.blocks_of(call.block) if item.kind == "except"]
    return len(tried) > 1 and any(log_call(fn.file, fn.facts, other) for other in calls_in(fn.facts, tried[0]))


def parts_of(fn: Fn, vid: Vid) -> tuple[Vid, ...]:
    value = fn.value(vid)
    return tuple(operands(value)) if value[0] in ("fmt", "binop") else (vid,)


def asked_for(fn: Fn, call: Call) -> bool:
    """`def print_schedule()`, below `if verbosity > 1:` or `if settings.DEBUG:`, or by what the caller hands over
    (`def run(say=print)`): somebody wants to see it."""
    if fn.unguarded(call.func)[0] == "param" or any(map(SHOWING.match, fn.facts.qualname.split("."))):
        return True
    return any(outcome and is_switch(fn, test) for test, outcome in fn.tests_of(call.block)) or made_for_it(fn)


def made_for_it(fn: Fn) -> bool:
    """A function that is defined below such a test."""
    home = fn.parent
    return home is not None and any(
        block.kind == "if" and block.value >= 0 and block.span.holds(fn.facts.span) and is_switch(home, block.value)
        for block in home.facts.blocks
    )


def is_switch(fn: Fn, vid: int) -> bool:
    value = fn.unguarded(vid)
    if value[0] in ("bool", "compare"):
        return (all if value[1] == "or" else any)(is_switch(fn, item) for item in value[2])
    if value[0] == "call":
        call = fn.calls[value[1]]
        return is_switch(fn, call.func) or any(is_word(fn.const(vid)) for vid in call.args[:1])
    name = fn.facts.params[value[1]].name if value[0] == "param" else value[-1] if value[0] in ("attr", "name") else ""
    return is_word(str(name).rpartition(".")[2])


def is_word(name: object) -> bool:
    """`verbose`, `SQL_ECHO`, `settings.is_development`, the key of `environ.get("SHOP_DEV_SERVER")`."""
    words = identifier_words(name) if isinstance(name, str) else ()
    return name in ("print_output", "stream_output") or (len(words) <= WORDS and not SWITCHES.isdisjoint(words))


def ends_the_program(project: Project, fn: Fn, call: Call) -> bool:
    """`sys.exit(1)` comes next, or `os._exit(0)`, as what becomes a daemon leaves its starter: what is said is said to whoever
    has started it."""
    later = (item for item in fn.calls if item.block == call.block and item.span[:2] > call.span[:2])
    return any(
        model.name == "os._exit" or (model.exits and "builtins.SystemExit" in model.raises)
        for item in later
        for model in project.models(fn, item)
    )


def stands_in(fn: Fn, call: Call) -> bool:
    """The other branch of `if logger: logger.warning(text)`: for callers that give no logger."""
    absent = {test for test, outcome in fn.tests_of(call.block) if not outcome}
    logged = (other for other in fn.calls if absent and log_call(fn.file, fn.facts, other))
    return any(outcome and test in absent for other in logged for test, outcome in fn.tests_of(other.block))


def goes_to_a_stream(fn: Fn, call: Call) -> bool:
    """No `file=`, or one of the process's own streams."""
    vid = max(call.kwarg("file"), call.kwarg("stream"))
    if vid < 0 or fn.const(vid) is None:
        return True
    value = fn.facts.values[vid]
    return value[0] == "name" and str(value[1]) in ("sys.stdout", "sys.stderr")
