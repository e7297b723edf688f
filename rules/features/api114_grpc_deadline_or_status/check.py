from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from backendlint.api import Call, Fn, Hit, Project, Vid, by_style, display, for_tests, here_and_in, told_once, variable

HABIT = 2
"""More calls than these are told once."""
WAITS = "has no deadline"


def check(project: Project) -> Iterator[Hit]:
    if not project.imports("grpc"):
        return
    styles = by_style(project, list(project.all_functions()), partial(hits_in, project))
    yield from styles.pop("", ())
    for hits in styles.values():  # a project that passes none has that habit
        yield from told_once(hits, partial(here_and_in, after=WAITS), HABIT, severity=None)


def hits_in(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and "" for those that are told for themselves."""
    for fn in functions:
        if for_tests(project, fn):
            continue
        for call in fn.facts.calls:
            name = stub_method(project, fn, call)
            if name and call.kwarg("timeout") < 0 and not call.open_ended and len(call.args) < 2:
                hit = Hit(
                    f"`{name}` in `{fn.name}()` {WAITS}: gRPC waits for ever by default. Pass `timeout=` in seconds.",
                    fn.location(call.span),
                    function=fn.fqn,
                )
                yield hit, WAITS
        if is_service_method(project, fn):
            yield from ((hit, "") for hit in unmapped(project, fn))


def stub_method(project: Project, fn: Fn, call: Call) -> str:
    """`Stub.Method` where a generated stub's method is called, else ""."""
    value = fn.facts.values[call.func]
    if value[0] == "attr":
        method = str(value[2])
        refs = project.refs(fn, value[1])
        made = made_by(project, fn, value[1])
    elif value[0] == "name":
        receiver, _, method = str(value[1]).rpartition(".")
        refs = tuple(project.resolver.dotted(receiver, fn.file.module))
        named = variable(project, fn, receiver)
        made = made_by(project, *named) if named is not None else ""
    else:
        return ""
    for ref in refs:
        owner = ref.name.rpartition(".")[2]
        generated = "_pb2_grpc" in ref.name and owner.endswith("Stub")
        if ref.kind in ("libinst", "inst") and (generated or ref.name == "grpc.Stub"):
            return f"{owner}.{method}"
    return f"{made.rpartition('.')[2]}.{method}" if "_pb2_grpc" in made and made.endswith("Stub") else ""


def made_by(project: Project, fn: Fn, vid: Vid) -> str:
    """The name of what is called to make a value of which nothing else is known (generated code is often left out)."""
    home, found = display(project, fn, vid)
    value = home.facts.values[found]
    if value[0] == "outer" and (owner := home.outer(value)) is not None:
        return made_by(project, owner, value[1])
    return home.dotted(home.facts.calls[value[1]].func) if value[0] == "call" else ""


def is_service_method(project: Project, fn: Fn) -> bool:
    """A public method of a class that implements a generated servicer."""
    if fn.cls is None or fn.kind != "method" or fn.name.startswith("_") or len(fn.facts.params) != 3:
        return False
    return (
        any(base.endswith("Servicer") for base in project.hierarchy.library_bases(fn.cls))
        or any(cls.name.endswith("Servicer") and cls is not fn.cls for cls in project.hierarchy.mro(fn.cls))
        or any(fn.cls.owner.dotted(base).endswith("Servicer") for base in fn.cls.facts.bases)
    )


def unmapped(project: Project, fn: Fn) -> Iterator[Hit]:
    """Exceptions of the project or of its dependencies that leave the method."""
    for name, escape in sorted(project.exceptions.escaping(fn).items()):
        model = project.libraries.exception(name)
        own = escape.statement is not None and name != "builtins.NotImplementedError"
        if (
            not own
            and name not in project.classes
            and (model is None or model.kind not in ("infrastructure", "not-found", "integrity", "validation"))
        ):
            continue
        yield Hit(
            f"`{name.rpartition('.')[2]}` leaves the service method `{fn.name}()`: the client gets UNKNOWN with its text. Catch it and "
            "end with `context.abort` and a status code that says what went wrong.",
            fn.header,
            flow=project.exceptions.witness(fn, name),
            related=(fn.step(escape.span, f"`{name.rpartition('.')[2]}` leaves here"),),
            function=fn.fqn,
        )
        return
