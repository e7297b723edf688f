"""REL301: two writes that are stored one by one, so that a failure between them leaves half of the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Durable,
    Fn,
    Hit,
    Project,
    Step,
    before,
    by_style,
    closed_steps,
    durable_steps,
    exclusive,
    for_development,
    for_tests,
    identifier_words,
    only_by_hand,
    only_planned,
    related,
    told_once,
)

from .asides import audit_trails, is_aside
from .branches import alternatives, answered, in_two_phases, is_left, separate
from .excuses import for_framework, in_a_request, outside
from .failures import closes, dispensable, undone
from .objects import copied, different, one_row, refills
from .repairs import heals
from .singles import counts

ALIKE = 2
"""So many functions of a file, or overrides of one method, are told one by one."""
COPIES = "copies"
MIGRATES = frozenset({"migrate", "migration", "migrations"})
"""Words of functions that change tables step by step, and begin again where they stopped."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a function, at the first of two steps that stand alone; that each change leaves a copy first is told once."""
    trails = audit_trails(project)
    styles = by_style(project, list(project.all_functions()), lambda functions: _judged(project, functions, trails))
    for style, hits in styles.items():
        if style == COPIES:
            yield from told_once(hits, _together, severity=None)
        elif style:
            yield from told_once(hits, partial(_overriding, style.rpartition(".")[2]), ALIKE, severity=None)
        else:
            alone = _of_classes(project, hits)
            yield from told_once(alone, _of_file, ALIKE, None, lambda hit: hit.location.path)


def _of_classes(project: Project, hits: list[Hit]) -> Iterator[Hit]:
    """Of methods of one class whose second step is the same method of it, the first."""
    told: set[tuple[str, str]] = set()
    for hit in hits:
        owner = str(hit.function).rpartition(".")[0]
        key = (owner, hit.flow[0].message if hit.flow and owner in project.classes else hit.message)
        yield replace(hit, profile="strict") if key in told else hit
        told |= {key} if hit.profile is None else set()


def _overridden(project: Project, fn: Fn) -> str:
    """The method that it overrides, as all importers do that one base class calls; "" for others."""
    bases = project.hierarchy.mro(fn.cls)[1:] if fn.cls is not None else ()
    return next((base.methods[fn.name].fqn for base in bases if fn.name in base.methods), "")


def _overriding(name: str, hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others} that override `{name}()`."


def _of_file(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others} of this file."


def _together(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others}."


def _judged(project: Project, functions: Iterable[Fn], trails: frozenset[str]) -> Iterator[tuple[Hit, str]]:
    for fn in functions:
        pair = _apart(project, fn, trails)
        inner = {edge.callee for step in pair or () for edge in step.edges}
        if pair is not None and not any(_apart(project, callee, trails) for callee in inner):
            hit = _hit(project, fn, *pair, trails)
            told = hit.profile is None
            yield hit, "" if not told else COPIES if copied(project, fn, *pair) else _overridden(project, fn)


def _apart(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """Two steps of the function that can fail one without the other."""
    if fn.is_module or project.layer(fn) == "migration" or for_tests(project, fn):
        return None
    return _pair(project, fn, trails) or _closed_pair(project, fn, trails)


def _pair(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """The first two steps that belong together, journals and the like only where nothing else does; what is inserted only
    where it is missing may well stay alone."""
    steps = [
        step
        for step in durable_steps(project, fn)
        if counts(project, fn, step) and project.transactions.around(fn, step.call.block) is None
    ]
    for begin, commit in project.transactions.begun(fn) if len(steps) > 1 else ():
        steps = [
            step for step in steps if not (before(begin.span, step.call.span) and before(step.call.span, commit.span))
        ]
    if len(steps) < 2 or project.transactions.entered_in(fn) is not None:
        return None
    main = [step for step in steps if not is_aside(fn, step, trails)]
    return next(_found(project, fn, main), None) or next(_found(project, fn, steps), None)


def _found(project: Project, fn: Fn, steps: list[Durable]) -> Iterator[tuple[Durable, Durable]]:
    for number, first in enumerate(steps):
        for second in steps[number + 1 :]:
            apart = exclusive(fn, first.call.block, second.call.block) or alternatives(project, fn, first, second)
            apart = apart or separate(fn, first, second) or is_left(project, fn, first, second)
            apart = apart or answered(fn, first, second) or in_two_phases(fn, first, second)
            apart = apart or dispensable(project, fn, first, second) or dispensable(project, fn, second, first)
            apart = apart or one_row(project, fn, first, second) or closes(project, fn, first, second)
            if apart or not different(project, fn, first, second) or undone(project, fn, first, second):
                continue
            if related(project, fn, first, second) or refills(first, second):
                yield first, second


def _closed_pair(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """Writes of two transactions, one after the other, that work on the same things. Where the second changes what the first
    has stored, the first's state is one to go on from."""
    closed = [
        [step for step in steps if step.write.entity and counts(project, fn, step) and not is_aside(fn, step, trails)]
        for steps in closed_steps(project, fn)
    ]
    if len(closed) < 2 or project.transactions.entered_in(fn) is not None:
        return None
    for number, firsts in enumerate(closed):
        for seconds in closed[number + 1 :]:
            both = {step.write.entity for step in firsts} & {step.write.entity for step in seconds}
            if both - trails:
                continue
            for first in firsts:
                for second in seconds:
                    apart = exclusive(fn, first.call.block, second.call.block) or alternatives(
                        project, fn, first, second
                    )
                    apart = apart or is_left(project, fn, first, second) or dispensable(project, fn, first, second)
                    if not apart and not undone(project, fn, first, second) and related(project, fn, first, second):
                        return first, second
    return None


def _hit(project: Project, fn: Fn, first: Durable, second: Durable, trails: frozenset[str]) -> Hit:
    one, two = _what(first), _what(second)
    two = two.removeprefix("stores ") if one.startswith("stores ") else two
    aside = is_aside(fn, first, trails) or is_aside(fn, second, trails)
    managed = any(
        "related_descriptors" in model.name
        for step in (first, second)
        for model in project.models(step.write.fn, step.write.call)
    )
    by_hand = (
        only_by_hand(project, fn) or for_framework(project, fn) or not MIGRATES.isdisjoint(identifier_words(fn.name))
    )
    planned = only_planned(project, fn) and not refills(first, second)  # the table is empty until the next run
    by_hand = by_hand or planned or project.lifecycle.alone_leads_to(fn)
    by_hand = by_hand or (for_development(fn.path) and not project.reach(fn.fqn)) or in_a_request(project, fn)
    mended = heals(project, fn, first, second)
    return Hit(
        f"`{fn.name}()` {one} here and {two} in line {second.call.span.line}, each for good by itself: if the "
        "second fails, the first stays; put both into one transaction.",
        fn.location(first.call.span),
        related=(fn.step(second.call.span, "stored by itself"),),
        flow=_flow(fn, second),
        function=fn.fqn,
        profile="strict" if aside or managed or by_hand or mended or outside(project, fn, first, second) else None,
    )


def _what(step: Durable) -> str:
    name = step.write.entity.rpartition(".")[2]
    by = f" (`{step.edges[0].callee.name}()`)" if step.edges else ""
    return f"{'deletes' if step.write.op == 'delete' else 'stores'} {f'`{name}`' if name else f'data{by}'}"


def _flow(fn: Fn, step: Durable) -> tuple[Step, ...]:
    if not step.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in step.edges]
    return (*steps, step.write.fn.step(step.write.call.span, f"writes ({step.write.op})"))
