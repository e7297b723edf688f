from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, in_main_block, runs_by_hand

STREAMS = ("sys.stdout.write", "sys.stderr.write")


def check(project: Project) -> Iterator[Hit]:
    served = bool(project.routes) or any(project.layer(fn) == "task" for fn in project.all_functions())
    for fn in project.all_functions():
        for call in fn.facts.calls:
            name = printer(project, fn, call)
            if not name or in_main_block(fn, call) or runs_by_hand(project, fn) or project.layer(fn) == "migration":
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


def printer(project: Project, fn: Fn, call: Call) -> str:
    """The name under which a call prints to a standard stream, or ""."""
    for model in project.models(fn, call):
        if model.prints and goes_to_a_stream(project, fn, call):
            return f"{model.name.rpartition('.')[2]}()"
    for ref in project.callees(fn, call):
        if ref.name in STREAMS:
            return f"{ref.name}()"
    return ""


def goes_to_a_stream(project: Project, fn: Fn, call: Call) -> bool:
    """No `file=`, or one of the process's own streams."""
    vid = max(call.kwarg("file"), call.kwarg("stream"))
    if vid < 0 or fn.const(vid) is None:
        return True
    value = fn.facts.values[vid]
    return value[0] == "name" and str(value[1]) in ("sys.stdout", "sys.stderr")
