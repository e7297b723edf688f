"""Models whose rows somebody listens to: `post_save.connect(reindex, sender=Order)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SIGNALS = ("_save", "_delete")


def heard(project: Project) -> frozenset[tuple[str, str]]:
    """Models with the operations on their rows that call a function of the project: what writes many rows at once sends no signal.

    Whatever call names a signal and a model connects the two, be it the framework's or the project's own.
    """
    announced: dict[str, tuple[str, ...]] = {}
    found: set[tuple[str, str]] = set()
    for fn in _beside_signals(project):
        for call in fn.calls:
            for name in _named(fn, call):
                if _announces(project, name, announced):
                    found.update((model, op) for model in _models(project, fn, call) for op in announced[name])
    return frozenset(found)


def _beside_signals(project: Project) -> Iterator[Fn]:
    """The functions of files that import what is called like a signal of rows."""
    for file in project.files.values():
        if any(item.target.endswith(_SIGNALS) for item in file.imports):
            yield from project.functions_of(file)


def _announces(project: Project, dotted: str, known: dict[str, tuple[str, ...]]) -> bool:
    if dotted not in known:
        model = project.libraries.attribute(dotted) if dotted.endswith(_SIGNALS) else None
        known[dotted] = model.announces if model is not None else ()
    return bool(known[dotted])


def _named(fn: Fn, call: Call) -> Iterator[str]:
    """The dotted names that are passed, also in a list, and of which the method is called."""
    yield fn.dotted(call.func).rpartition(".")[0]
    yield from (str(value[1]) for vid in _parts(fn, call) if (value := fn.value(vid))[0] == "name")


def _parts(fn: Fn, call: Call) -> Iterator[Vid]:
    for vid in call.passed:
        value = fn.value(vid)
        yield from value[1] if value[0] in ("list", "tuple") else (vid,)


def _models(project: Project, fn: Fn, call: Call) -> Iterator[str]:
    for vid in call.passed:
        yield from (ref.name for ref in project.refs(fn, vid) if ref.kind == "class")
