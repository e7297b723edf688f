from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    SERVING,
    Call,
    Fn,
    Hit,
    Project,
    for_tests,
    identifier_words,
    in_main_block,
    only_by_hand,
    operands,
)

CONSOLE = frozenset(["console.py", "terminal.py", ".github"])
SHOWS = frozenset(["console", "terminal", "stdout"])
"""Words in names of files and classes whose work it is to show something."""
SWITCHES = frozenset(["verbose", "verbosity", "debug", "quiet", "echo", "print_output", "is_tty", "isatty"])
"""What says that somebody looks at the output."""
LOGGING = frozenset(["logging.Handler", "logging.Formatter", "logging.Filter"])
STREAMS = ("sys.stdout.write", "sys.stderr.write")


def check(project: Project) -> Iterator[Hit]:
    served = bool(project.routes) or any(project.layer(fn) == "task" for fn in project.all_functions())
    for fn, call, name in printed(project):
        if in_main_block(fn, call) or project.layer(fn) == "migration" or by_intention(project, fn, call):
            continue
        if (fn.is_module and not served) or from_script(project, fn):
            continue
        where = "at import" if fn.is_module else f"in `{named(fn).name}()`"
        yield Hit(
            f"`{name}` {where} writes past the log: no level, no time, no request id. Use a logger.",
            fn.location(call.span),
            function=fn.fqn,
            profile="default" if served else "strict",
        )


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
    if not callers and is_handed_over(module, fn):  # `Worker(target=fn)`
        callers = [module]
    return (
        bool(callers)
        and depth > 0
        and all(caller.path == fn.path and from_script(project, caller, depth - 1) for caller in callers)
    )


def is_handed_over(module: Fn, fn: Fn) -> bool:
    """Whether the module's own code passes the function to something."""
    return any(module.unguarded(vid) == ("def", fn.facts.qualname) for call in module.calls for vid in call.passed)


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
    """A method of what is written to in place of a stream, or of logging itself, which must not log."""
    cls = fn.cls
    if cls is None:
        return False
    if {"write", "flush"} <= cls.methods.keys():
        return True
    return not LOGGING.isdisjoint(project.hierarchy.library_bases(cls))


def begins_line_anew(fn: Fn, call: Call) -> bool:
    """A progress line of a terminal: `print(f"\\r{done} of {total}")`."""
    vid = call.args[0] if call.args else -1
    while vid >= 0 and fn.value(vid)[0] in ("fmt", "binop"):
        vid = next(iter(operands(fn.value(vid))), -1)
    return str(fn.const(vid)).startswith("\r")


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
    if part_of_a_stream(project, fn) or begins_line_anew(fn, call) or answers_command_line(project, fn):
        return True
    if ends_the_program(project, fn, call):
        return True
    return only_by_hand(project, fn) or for_tests(project, fn)


def words_of(fn: Fn) -> tuple[str, ...]:
    stem = fn.path.rpartition("/")[2].removesuffix(".py")
    return identifier_words(f"{stem} {fn.cls.name if fn.cls is not None else ''}")


def asked_for(fn: Fn, call: Call) -> bool:
    """`def print_schedule()`, or below `if verbosity > 1:`, `if settings.DEBUG:`: somebody wants to see it."""
    if fn.name.lstrip("_").startswith("print"):
        return True
    return any(outcome and is_switch(fn, test) for test, outcome in fn.tests_of(call.block))


def is_switch(fn: Fn, vid: int) -> bool:
    value = fn.unguarded(vid)
    if value[0] in ("bool", "compare"):
        return value[1] != "or" and any(is_switch(fn, item) for item in value[2])
    if value[0] == "call":
        return is_switch(fn, fn.calls[value[1]].func)
    name = fn.facts.params[value[1]].name if value[0] == "param" else value[-1] if value[0] in ("attr", "name") else ""
    return str(name).rpartition(".")[2].lower() in SWITCHES


def ends_the_program(project: Project, fn: Fn, call: Call) -> bool:
    """`sys.exit(1)` comes next: what is said is said to whoever has started it."""
    later = (item for item in fn.calls if item.block == call.block and item.span[:2] > call.span[:2])
    return any(
        model.exits and "builtins.SystemExit" in model.raises for item in later for model in project.models(fn, item)
    )


def goes_to_a_stream(fn: Fn, call: Call) -> bool:
    """No `file=`, or one of the process's own streams."""
    vid = max(call.kwarg("file"), call.kwarg("stream"))
    if vid < 0 or fn.const(vid) is None:
        return True
    value = fn.facts.values[vid]
    return value[0] == "name" and str(value[1]) in ("sys.stdout", "sys.stderr")
