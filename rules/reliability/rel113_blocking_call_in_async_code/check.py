"""REL113: synchronous waiting on the event loop, at any depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import BLOCKING, Call, Fn, Hit, Project, Step, waits


def check(project: Project) -> Iterator[Hit]:
    """One hit a call of an async function that waits synchronously, or calls what does."""
    for fn in project.all_functions():
        if fn.facts.is_async:
            for call in fn.calls:
                hit = _direct(project, fn, call) or _through(project, fn, call)
                if hit is not None:
                    alone = project.layer(fn) == "command" or _starts_up(project, fn, call)
                    yield replace(hit, profile="strict") if alone else hit


def _starts_up(project: Project, fn: Fn, call: Call) -> bool:
    """In a start-up hook, or before a lifespan's `yield`: nobody is served yet."""
    if not project.lifecycle.starts(fn):
        return False
    yields = [item.span for item in fn.facts.returns if item.is_yield]
    return not yields or call.span < min(yields)


def _direct(project: Project, fn: Fn, call: Call) -> Hit | None:
    if call.awaited:
        return None
    for model in project.models(fn, call):
        if waits(model):
            what = model.effect[0] if model.effect else "input/output"
            return _hit(project, fn, call, f"`{model.name}` blocks the event loop in `{fn.name}()`", what, ())
    return None


def _through(project: Project, fn: Fn, call: Call) -> Hit | None:
    for target in project.targets(fn, call):
        if target.facts.is_async or target.facts.is_generator or not project.effects.has(target, BLOCKING):
            continue
        edges, site = project.effects.chain(target, BLOCKING)
        if site is None or any(edge.caller.facts.is_async for edge in edges):
            continue
        chain = " → ".join([f"{target.name}()", *(f"{edge.callee.name}()" for edge in edges)])
        what = site.model.effect[0] if site.model.effect else "input/output"
        start = f"`{target.name}()` blocks the event loop in `{fn.name}()`: {chain} → `{site.model.name}`"
        steps = (
            fn.step(call.span, f"calls {target.name}() on the event loop"),
            *project.effects.witness(target, BLOCKING),
        )
        return _hit(project, fn, call, start, what, steps)
    return None


def _hit(project: Project, fn: Fn, call: Call, start: str, what: str, steps: tuple[Step, ...]) -> Hit:
    waiting = "sleeps" if what == "sleep" else f"waits for {what}"
    return Hit(
        message=f"{start}; while it {waiting}, no other request of this process is served.",
        location=fn.location(call.span),
        related=steps[-1:],
        flow=steps,
        function=fn.fqn,
    )
