"""Models whose rows somebody listens to: `post_save.connect(reindex, sender=Order)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.binding import receiver
from backendlint.project.decorators import decorations
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SIGNALS = ("_save", "_delete")
_IMPORTED = (*_SIGNALS, ".m2m_changed", ".signals")


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


def receivers_inside(project: Project) -> frozenset[str]:
    """Functions that hear a signal which the ORM sends inside a transaction of its own: `@receiver(post_delete)`,
    `post_delete.connect(recount, sender=Order)`."""
    found: set[str] = set()
    for fn in _beside_signals(project):
        home = fn.parent or fn
        for vid in fn.facts.decorators:
            for item in decorations(project, home, vid):
                args = item.call.args[:1] if item.call is not None and item.ref.kind == "lib" else ()
                if any(_sent_inside(project, item.fn, arg) for arg in args):
                    found.add(fn.fqn)
        for call in fn.calls:
            if fn.callee_name(call) == "connect" and call.args and _of_inner_signal(project, fn, call):
                found |= {ref.name for ref in project.refs(fn, call.args[0]) if ref.kind == "func"}
    return frozenset(found)


def _of_inner_signal(project: Project, fn: Fn, call: Call) -> bool:
    func = fn.value(call.func)
    named = project.libraries.attribute(str(func[1]).rpartition(".")[0]) if func[0] == "name" else None
    return _sent_inside(project, fn, receiver(fn, call)) or (named is not None and named.in_transaction)


def _sent_inside(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is such a signal, or a list with one."""
    value = fn.value(vid) if vid >= 0 else ("",)
    parts = value[1] if value[0] in ("list", "tuple") else (vid,) if vid >= 0 else ()
    signals = (project.libraries.attribute(ref.name) for part in parts for ref in project.refs(fn, part))
    return any(signal is not None and signal.in_transaction for signal in signals)


def _beside_signals(project: Project) -> Iterator[Fn]:
    """The functions of files that import what is called like a signal of rows."""
    for file in project.files.values():
        if any(item.target.endswith(_IMPORTED) for item in file.imports):
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
