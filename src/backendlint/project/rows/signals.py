"""Models whose rows somebody listens to: `post_save.connect(reindex, sender=Order)`, `history = HistoricalRecords()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, FileFacts, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.decorators import decorations
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SIGNALS = ("_save", "_delete")
_IMPORTED = (*_SIGNALS, ".m2m_changed", ".signals")
_ASKS = ("isinstance", "hasattr")
_Announced = dict[str, tuple[str, ...]]
"""What operations a name announces, by the names that were looked up."""


def heard(project: Project) -> frozenset[tuple[str, str]]:
    """Models with the operations on their rows that call a function of the project, or that a library keeps a history of: what writes
    many rows at once sends no signal.

    Whatever call names a signal and a model connects the two, be it the framework's or the project's own.
    """
    announced: _Announced = {}
    found: set[tuple[str, str]] = set()
    for fn in _beside_signals(project, announced):
        for call in fn.calls:
            for name in _named(fn, call):
                if _announces(project, name, announced):
                    found.update((model, op) for model in _models(project, fn, call) for op in announced[name])
        for target, signals in _of_any_sender(project, fn):
            ops = {op for name in signals if _announces(project, name, announced) for op in announced[name]}
            found.update((model, op) for model in _told_of(project, target) for op in ops)
    return frozenset((*found, *_recorded(project, announced)))


def _recorded(project: Project, announced: _Announced) -> Iterator[tuple[str, str]]:
    """Models that state in their body that their changes are written down (`history = HistoricalRecords()`), and their heirs."""
    stated: _Announced = {}
    files = {file.path for file in _announcing(project, announced)}
    for cls in (cls for cls in project.classes.values() if cls.owner.path in files):
        for value in (cls.owner.facts.values[vid] for vid in cls.facts.attributes.values() if vid >= 0):
            name = cls.owner.dotted(cls.owner.calls[value[1]].func) if value[0] == "call" else ""
            if _announces(project, name, announced):
                stated[cls.fqn] = announced[name]
    for cls in project.classes.values() if stated else ():
        bases = (base.fqn for base in project.hierarchy.mro(cls))
        yield from ((cls.fqn, op) for base in bases for op in stated.get(base, ()))


def _of_any_sender(project: Project, fn: Fn) -> Iterator[tuple[Fn, list[str]]]:
    """Functions that hear signals whoever sends them: `@receiver(post_save)`, `post_save.connect(note_down)`."""
    found = (item for vid in fn.facts.decorators for item in decorations(project, fn.parent or fn, vid))
    for item, call in ((item, item.call) for item in found if item.call is not None):
        model = project.libraries.decorator(item.ref.name)
        if call is not None and model is not None and model.hears is not None and not arguments(call, model.hears):
            yield fn, [ref.name for part in _parts(item.fn, call) for ref in project.refs(item.fn, part)]
    for call in fn.calls:
        of_one = len(call.args) > 1 or call.kwarg("sender") >= 0 or call.open_ended
        if fn.callee_name(call) == "connect" and not of_one:
            handlers = [*call.args, *(vid for key, vid in call.kwargs if key == "receiver")]
            names = (ref.name for vid in handlers for ref in project.refs(fn, vid) if ref.kind == "func")
            signal = fn.dotted(call.func).rpartition(".")[0]
            yield from ((project.functions[name], [signal]) for name in names)


def _told_of(project: Project, fn: Fn) -> set[str]:
    """The models of whose rows a function that hears of all goes on to do something: those that it asks for
    (`isinstance(instance, Order)`), that have what it asks for (`hasattr(instance, "as_change")`), else all."""
    senders = [("param", index) for index, param in enumerate(fn.facts.params) if param.name == "sender"]
    tests = (block.value for block in fn.facts.blocks if block.kind == "if" and block.value >= 0)
    if any(fn.unguarded(vid) in senders for vid in ingredients(fn.facts, tests)):
        return set()
    asked = (call for call in fn.calls if fn.callee_name(call) in _ASKS and len(call.args) == 2)
    told = [_asked_for(project, fn, call) for call in asked if fn.unguarded(call.args[0])[0] == "param"]
    models = {cls.fqn for cls in project.classes.values() if project.hierarchy.role(cls) == "model"}
    return models.intersection(*told)


def _asked_for(project: Project, fn: Fn, call: Call) -> set[str]:
    name = fn.const(call.args[1])
    if isinstance(name, str):
        having = (cls for cls in project.classes.values() if project.method(cls, name) is not None)
        return {cls.fqn for cls in having}
    value = fn.unguarded(call.args[1])
    parts = value[1] if value[0] == "tuple" else (call.args[1],)
    bases = {ref.name for vid in parts for ref in project.refs(fn, vid) if ref.kind == "class"}
    mro = project.hierarchy.mro
    return {cls.fqn for cls in project.classes.values() if bases.intersection(base.fqn for base in mro(cls))}


def receivers_inside(project: Project) -> frozenset[str]:
    """Functions that hear a signal which the ORM sends inside a transaction of its own: `@receiver(post_delete)`,
    `post_delete.connect(recount, sender=Order)`."""
    found: set[str] = set()
    for fn in _beside_signals(project, {}):
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


def _beside_signals(project: Project, announced: _Announced) -> Iterator[Fn]:
    """The functions of files that import what is called like a signal of rows."""
    for file in _announcing(project, announced):
        yield from project.functions_of(file)


def _announcing(project: Project, announced: _Announced) -> Iterator[FileFacts]:
    """The files that import what is called like a signal, or keeps a history by them."""
    for file in project.files.values():
        if any(item.target.endswith(_IMPORTED) or _announces(project, item.target, announced) for item in file.imports):
            yield file


def _announces(project: Project, dotted: str, known: _Announced) -> bool:
    if dotted not in known:
        model = project.libraries.attribute(dotted) if dotted else None
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
