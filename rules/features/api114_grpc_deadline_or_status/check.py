from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project

STATUS_CALLS = ("abort", "abort_with_status", "set_code", "set_trailing_metadata")


def check(project: Project) -> Iterator[Hit]:
    if not project.imports("grpc"):
        return
    for fn in project.all_functions():
        for call in fn.facts.calls:
            name = stub_method(project, fn, call)
            if name and call.kwarg("timeout") < 0 and not call.open_ended and len(call.args) < 2:
                yield Hit(
                    f"`{name}` in `{fn.name}()` has no deadline: gRPC waits for ever by default. Pass `timeout=` in seconds.",
                    fn.location(call.span),
                    function=fn.fqn,
                )
        if is_service_method(project, fn):
            yield from unmapped(project, fn)


def stub_method(project: Project, fn: Fn, call: Call) -> str:
    """`Stub.Method` where a generated stub's method is called, else ""."""
    value = fn.facts.values[call.func]
    if value[0] != "attr":
        return ""
    for ref in project.refs(fn, value[1]):
        owner = ref.name.rpartition(".")[2]
        generated = "_pb2_grpc" in ref.name and owner.endswith("Stub")
        if ref.kind in ("libinst", "inst") and (generated or ref.name == "grpc.Stub"):
            return f"{owner}.{value[2]}"
    return ""


def is_service_method(project: Project, fn: Fn) -> bool:
    """A public method of a class that implements a generated servicer."""
    if fn.cls is None or fn.kind != "method" or fn.name.startswith("_") or len(fn.facts.params) != 3:
        return False
    return any(base.endswith("Servicer") for base in project.hierarchy.library_bases(fn.cls)) or any(
        cls.name.endswith("Servicer") and cls is not fn.cls for cls in project.hierarchy.mro(fn.cls)
    )


def unmapped(project: Project, fn: Fn) -> Iterator[Hit]:
    """Exceptions of the project or of its dependencies that leave the method."""
    for name, escape in sorted(project.exceptions.escaping(fn).items()):
        model = project.libraries.exception(name)
        if name not in project.classes and (
            model is None or model.kind not in ("infrastructure", "not-found", "integrity", "validation")
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
