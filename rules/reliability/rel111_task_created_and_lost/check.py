"""REL111: background tasks that nobody holds, coroutines that nobody awaits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Call, Fn, Hit, Project, is_used, only_by_hand

RUNS = frozenset({"run_forever", "run_until_complete"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a call whose result is dropped."""
    for fn, call, model in project.effects.sites:
        starts = model.concurrency is not None and model.concurrency.awaited and not call.awaited
        if starts and (_dropped(fn, call) or not _kept(fn, call)):
            hit = _hit(
                fn, call, "starts a task that nothing refers to", "it may vanish halfway, and its exception is lost"
            )
            yield replace(hit, profile="strict") if _runs_it_all(fn) or only_by_hand(project, fn) else hit
    for fn in project.reviewed():
        for item in fn.facts.statements:
            value = fn.facts.values[item.value] if item.kind == "expr" else ("",)
            made = fn.calls[value[1]] if value[0] == "call" else None
            if made is not None and not made.awaited and _is_coroutine(project, fn, made):
                yield _hit(fn, made, "makes a coroutine that is never awaited", "its body never runs")


def _runs_it_all(fn: Fn) -> bool:
    """`loop.create_task(work()); loop.run_forever()`: a loop of its own, which does nothing else."""
    return any(fn.callee_name(call) in RUNS for call in fn.calls)


def _dropped(fn: Fn, call: Call) -> bool:
    return any(item.kind == "expr" and item.value == call.value for item in fn.facts.statements)


def _is_coroutine(project: Project, fn: Fn, call: Call) -> bool:
    """A call of the project's own async functions, and of nothing else."""
    refs = project.callees(fn, call)
    targets = [project.functions[ref.name] for ref in refs if ref.kind == "func"]
    return len(targets) == len(refs) > 0 and all(
        target.facts.is_async and not target.facts.is_generator and not target.facts.decorators for target in targets
    )


def _kept(fn: Fn, call: Call) -> bool:
    """True where the result is read later, here or in a nested function, or is given to a name of the function around."""
    captured = any(value[:2] == ("outer", call.value) for inner in fn.file.functions for value in inner.values)
    return captured or fn.is_module or is_used(fn.facts, call.value) or _is_nonlocal(fn, call)


def _is_nonlocal(fn: Fn, call: Call) -> bool:
    """`nonlocal watcher; watcher = create_task(watch())`: why else would both have the name?"""
    names = {item.name for item in fn.facts.bindings if item.value == call.value}
    around = fn.parent
    while around is not None and not around.is_module:
        if not names.isdisjoint(item.name for item in around.facts.bindings):
            return True
        around = around.parent
    return False


def _hit(fn: Fn, call: Call, what: str, then: str) -> Hit:
    return Hit(message=f"`{fn.name}()` {what}: {then}.", location=fn.location(call.span), function=fn.fqn)
