"""Requests that go past the session which the same file keeps for its others."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Cls, Fn, Project, Vid, for_tests, only_by_hand, only_planned

SESSION = "http-session"
ONE_OFF = frozenset({"requests", "httpx"})
"""Modules whose functions make a session for the one request."""


def strays(project: Project) -> Iterator[tuple[Fn, Call, str, str]]:
    """`requests.get(...)` beside a kept session: where, under which name, and the session's."""
    kept: dict[tuple[str, str], str] = {}
    for fn, call, model in project.effects.sites:
        module, _, verb = model.name.rpartition(".")
        if module not in ONE_OFF or not model.method or fn.is_module or for_tests(project, fn):
            continue
        if only_by_hand(project, fn) or only_planned(project, fn):
            continue
        key = (fn.path, module)
        if key not in kept:
            kept[key] = session_of(project, fn, module)
        if kept[key]:
            yield fn, call, f"{module}.{verb}", kept[key]


def session_of(project: Project, fn: Fn, library: str) -> str:
    """The name of a session of the library's that the module, or objects of a class in it, keep."""
    home = project.module_function(fn.file)
    for item in home.facts.bindings:
        if is_session(project, home, item.value, library):
            return item.name
    classes = (project.classes.get(f"{fn.file.module}.{name}") for name in fn.file.classes)
    return next((name for cls in classes if cls is not None for name in kept_by(project, cls, library)), "")


def kept_by(project: Project, cls: Cls, library: str) -> Iterator[str]:
    """Attributes of its objects, its bases' included, that hold one."""
    makers = (item.methods.get("__init__") for item in project.hierarchy.mro(cls))
    for maker in filter(None, makers):
        for store in maker.facts.stores:
            if store.name and is_session(project, maker, store.value, library):
                yield f"self.{store.name}"


def is_session(project: Project, fn: Fn, vid: Vid, library: str) -> bool:
    """Whether it is the library's own, made here or by a function of the project's: others have ends of their own."""
    value = fn.unguarded(vid)
    makers = project.callees(fn, fn.calls[value[1]]) if value[0] == "call" else ()
    if any(ref.kind == "lib" and not ref.name.startswith(library) for ref in makers):
        return False
    names = [ref.name for ref in project.refs(fn, vid) if ref.kind == "libinst" and ref.name.startswith(library)]
    return any(model.resource == SESSION for name in names for model in project.libraries.lineage(name))
