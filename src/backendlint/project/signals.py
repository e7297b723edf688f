"""Models whose rows somebody listens to: `post_save.connect(reindex, sender=Order)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.binding import receiver
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
        signals = {vid for vid in fn.made_by("name") if _announces(project, str(fn.facts.values[vid][1]), announced)}
        for call in fn.calls if signals else ():
            named = [vid for vid in _parts(fn, call) if vid in signals]
            for vid in named:
                operations = announced[str(fn.facts.values[vid][1])]
                found.update((model, op) for model in _models(project, fn, call) for op in operations)
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


def _parts(fn: Fn, call: Call) -> Iterator[Vid]:
    """What is passed, also in a list, and what the method is called of."""
    yield receiver(fn, call)
    for vid in call.passed:
        value = fn.value(vid)
        yield from value[1] if value[0] in ("list", "tuple") else (vid,)


def _models(project: Project, fn: Fn, call: Call) -> Iterator[str]:
    for vid in call.passed:
        yield from (ref.name for ref in project.refs(fn, vid) if ref.kind == "class")
