"""REL301: two writes that are stored one by one, so that a failure between them leaves half of the work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Durable,
    Fn,
    Hit,
    Project,
    Step,
    durable_steps,
    exclusive,
    for_tests,
    object_root,
    only_by_hand,
    related,
)

ASIDE = re.compile(r"log|audit|event|history|session|notification|metric|stat", re.IGNORECASE)
"""Entities whose loss beside the main write is bearable."""
REPEATABLE = frozenset({"get_or_create", "update_or_create", "write"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a function, at the second step that stands alone."""
    found = {}
    for fn in project.all_functions():
        if fn.is_module or project.layer(fn) == "migration" or for_tests(project, fn):
            continue
        pair = _pair(project, fn)
        if pair is not None:
            found[fn.fqn] = (fn, *pair)
    for fn, first, second in found.values():
        inner = {edge.callee.fqn for step in (first, second) for edge in step.edges}
        if not inner.intersection(found):
            yield _hit(project, fn, first, second)


def _pair(project: Project, fn: Fn) -> tuple[Durable, Durable] | None:
    steps = [
        step
        for step in durable_steps(project, fn)
        if step.write.op not in REPEATABLE and project.transactions.around(fn, step.call.block) is None
    ]
    if len(steps) < 2 or project.transactions.entered_in(fn) is not None:
        return None
    for number, first in enumerate(steps):
        for second in steps[number + 1 :]:
            apart = exclusive(fn, first.call.block, second.call.block) or not _different(fn, first, second)
            if not apart and related(project, fn, first, second):
                return first, second
    return None


def _different(fn: Fn, first: Durable, second: Durable) -> bool:
    """Two objects: of different kinds, or the same kind by different receivers or SQL statements."""
    if first.write.call is second.write.call:
        return False
    if first.write.entity != second.write.entity:
        return True
    if first.edges or second.edges:
        return False
    return _receiver(fn, first) != _receiver(fn, second) or first.write.op != second.write.op == "delete"


def _receiver(fn: Fn, step: Durable) -> object:
    value = fn.facts.values[step.write.call.func]
    if step.write.op == "save" and value[0] == "attr":
        return object_root(fn, value[1])
    return step.write.op


def _aside(step: Durable) -> bool:
    """By the entity's name, or by the names of the functions that store it."""
    names = [step.write.entity.rpartition(".")[2], *(edge.callee.name for edge in step.edges)]
    return any(ASIDE.search(name) for name in names)


def _hit(project: Project, fn: Fn, first: Durable, second: Durable) -> Hit:
    one, two = _what(first), _what(second)
    aside = _aside(first) or _aside(second)
    managed = any("related_descriptors" in model.name for model in project.models(second.write.fn, second.write.call))
    by_hand = only_by_hand(project, fn) or _for_framework(project, fn)
    return Hit(
        f"`{fn.name}()` stores {one} in line {first.call.span.line} and {two} here, each for good by itself: if the second fails, "
        "the first stays; put both into one transaction.",
        fn.location(second.call.span),
        related=(fn.step(first.call.span, "stored first"),),
        flow=_flow(fn, second),
        function=fn.fqn,
        profile="strict" if aside or managed or by_hand else None,
    )


def _for_framework(project: Project, fn: Fn) -> bool:
    """Hooks of models, forms and signals: whoever saves the object decides about the transaction."""
    if fn.fqn in project.route_functions:
        return False
    hooked = any(
        ref.kind == "lib" and (model := project.libraries.decorator(ref.name)) and model.hook for ref in fn.decorators
    )
    return bool(hooked) or project.layer(fn) in ("model", "schema", "middleware") or fn.name in ("save", "delete")


def _what(step: Durable) -> str:
    name = step.write.entity.rpartition(".")[2]
    return f"`{name}`" if name else "data"


def _flow(fn: Fn, step: Durable) -> tuple[Step, ...]:
    if not step.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in step.edges]
    return (*steps, step.write.fn.step(step.write.call.span, f"writes ({step.write.op})"))
