from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, in_main_block, runs_by_hand

STREAMS = ("sys.stdout.write", "sys.stderr.write")


def check(project: Project) -> Iterator[Hit]:
    served = bool(project.routes) or any(project.layer(fn) == "task" for fn in project.all_functions())
    for fn, call, name in printed(project):
        if in_main_block(fn, call) or runs_by_hand(project, fn) or project.layer(fn) == "migration":
            continue
        if fn.is_module and not served:
            continue
        where = "at import" if fn.is_module else f"in `{fn.name}()`"
        yield Hit(
            f"`{name}` {where} writes past the log: no level, no time, no request id. Use a logger.",
            fn.location(call.span),
            function=fn.fqn,
            profile="default" if served else "strict",
        )


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


def goes_to_a_stream(fn: Fn, call: Call) -> bool:
    """No `file=`, or one of the process's own streams."""
    vid = max(call.kwarg("file"), call.kwarg("stream"))
    if vid < 0 or fn.const(vid) is None:
        return True
    value = fn.facts.values[vid]
    return value[0] == "name" and str(value[1]) in ("sys.stdout", "sys.stderr")
