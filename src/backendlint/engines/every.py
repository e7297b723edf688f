"""All engines on one project; what one of them cannot do is said, and the others go on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backendlint.engines.base import EngineContext, Result, has_check, rule_failed
from backendlint.findings.model import Hit, Notification

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.project.model import Project
    from backendlint.ruleset.manifest import Rule

HERE = "reliability"
"""The pillar whose project rules, with those about SQL, are about half of the work, and share what is known of exceptions."""
SQL = "sql"
"""The need of rules that share SQL texts, their trees and the schema: they run in this process, and first, so that those
which the other one takes over are others."""
FILES_FOR_A_PROCESS = 15
"""From so many files on a second process takes a share of the rules."""


@dataclass(slots=True)
class Found:
    """What the engines found, and of the run itself."""

    hits: list[tuple[Rule, Hit]] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    """Ids of rules that did not run to their end."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rules look at."""

    project: Project
    reviewed: Mapping[str, FileFacts]
    """The files in which findings count."""
    sql: Sequence[str]
    """Paths of the project's .sql files."""


_Answer = tuple[list[tuple[str, Hit]], list[Notification], set[str], dict[str, float]]
"""What a forked process tells: hits by rule id, notifications, ids of rules that failed, seconds by rule."""


def run(rules: Sequence[Rule], subject: Subject, ctx: EngineContext) -> Found:
    """Run the rules.

    semgrep starts first, since it runs in a process of its own, and is waited for last. In a large project a forked
    process takes the cst engine and half of the project rules (which share the taint analysis), this one the others and
    the sql engine; whoever is done first helps the other.
    """
    from backendlint.engines import semgrep

    external = [rule for rule in rules if rule.engine == "semgrep"]
    found = Found()
    handles: list[semgrep.Handle] = []

    def start() -> Iterator[Result]:
        handles.append(semgrep.start(external, subject.reviewed, ctx))
        return iter(())

    _guarded(found, "semgrep", external, start, ctx)
    by_engine = {name: [rule for rule in rules if rule.engine == name] for name in ("project", "cst", "sql")}
    if _worth_two(by_engine, subject, ctx):
        _in_two(by_engine, subject, ctx, found)
    else:
        _project(found, by_engine["project"], by_engine["project"], subject, ctx)
        _collect_garbage()
        _exact(found, "cst", by_engine, subject, ctx)
        _exact(found, "sql", by_engine, subject, ctx)
    results = (item for handle in handles for result in handle.results() for item in _judged(result, subject, ctx))
    _guarded(found, "semgrep", external, lambda: results, ctx)
    found.failed.update(_failed_rules(rules, found.notifications))
    return found


def _judged(result: Result, subject: Subject, ctx: EngineContext) -> Iterator[Result]:
    """A hit of semgrep's, or what its rule's check.py makes of it, which knows the project."""
    if isinstance(result, Notification) or not has_check(result[0]):
        yield result
        return
    rule, hit = result
    try:
        with ctx.timed(rule.id):
            yield from [(rule, item) for item in ctx.load_check(rule)(subject.project, hit)]
    except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
        yield rule_failed(rule, hit.location.path, error)


def _project(found: Found, rules: Sequence[Rule], turn: Iterable[Rule], subject: Subject, ctx: EngineContext) -> None:
    """The project rules in `turn`; `rules` are all that may come up there."""
    from backendlint.engines import project as whole

    _guarded(found, "project", rules, lambda: whole.run(turn, subject.project, ctx), ctx)


def _exact(
    found: Found, engine: str, by_engine: Mapping[str, Sequence[Rule]], subject: Subject, ctx: EngineContext
) -> None:
    """The engines that parse again."""
    from backendlint.engines import cst, sql

    rules = by_engine[engine]
    if engine == "cst":
        _guarded(found, engine, rules, lambda: cst.run(rules, subject.reviewed, ctx), ctx)
    else:
        _guarded(found, engine, rules, lambda: sql.run(rules, subject.project, subject.sql, ctx), ctx)


def _collect_garbage() -> None:
    """Before engines whose trees are full of circles; what is there already stays."""
    gc.freeze()
    gc.enable()


def _worth_two(by_engine: Mapping[str, Sequence[Rule]], subject: Subject, ctx: EngineContext) -> bool:
    from backendlint.engines.beside import can_fork

    many = len(subject.project.files) >= FILES_FOR_A_PROCESS and any(by_engine.values())
    return many and ctx.jobs != 1 and can_fork()


def _in_two(by_engine: Mapping[str, Sequence[Rule]], subject: Subject, ctx: EngineContext, found: Found) -> None:
    """Share the work with a forked process, and add what it found."""
    from backendlint.engines.beside import Shares, beside

    rules = by_engine["project"]
    if rules:
        _guarded(found, "project", rules, lambda: _shared(subject), ctx)
    away = [rule for rule in rules if rule.pillar != HERE and SQL not in rule.needs]
    here = sorted((rule for rule in rules if rule not in away), key=lambda rule: SQL not in rule.needs)
    shares = Shares([here, away])

    def work(mine: Found, own: EngineContext) -> None:
        _exact(mine, "cst", by_engine, subject, own)
        gc.disable()
        _project(mine, rules, shares.take(1), subject, own)

    second = beside(lambda: _answer(work, ctx))
    _project(found, rules, shares.take(0), subject, ctx)
    _collect_garbage()
    _exact(found, "sql", by_engine, subject, ctx)
    theirs = [*rules, *by_engine["cst"]]
    _add(found, second, theirs, {rule.id for rule in theirs} - {rule.id for rule in shares.taken}, ctx)


def _answer(work: Callable[[Found, EngineContext], None], ctx: EngineContext) -> _Answer:
    mine, own = Found(), replace(ctx, seconds={})
    work(mine, own)
    return [(rule.id, hit) for rule, hit in mine.hits], mine.notifications, mine.failed, own.seconds


def _add(found: Found, wait: Callable[[], _Answer], rules: Sequence[Rule], ids: set[str], ctx: EngineContext) -> None:
    """What another process found; where it failed, the findings of the rules with these ids are missing."""
    by_id = {rule.id: rule for rule in rules}
    try:
        hits, notifications, failed, seconds = wait()
    except Exception as error:  # noqa: BLE001 - whatever happened there, what was found here is kept
        found.notifications.append(_engine_failed("second process's", error))
        found.failed.update(ids)
        return
    found.hits += [(by_id[rule_id], hit) for rule_id, hit in hits]
    found.notifications += [item for item in notifications if item not in found.notifications]
    found.failed |= failed
    for key, value in seconds.items():
        ctx.seconds[key] = max(ctx.seconds.get(key, 0.0), value)  # they ran at the same time


def _shared(subject: Subject) -> Iterator[Result]:
    """Compute what both processes need: better once, before they part."""
    _ = subject.project.effects
    yield from ()


def _guarded(
    found: Found, engine: str, rules: Sequence[Rule], work: Callable[[], Iterable[Result]], ctx: EngineContext
) -> None:
    """Take an engine's results; where it raises, keep what came before and say so."""
    if not rules:
        return
    try:
        with ctx.timed(f"engine:{engine}"):
            for result in work():
                if isinstance(result, Notification):
                    found.notifications.append(result)
                else:
                    found.hits.append(result)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises, the others go on
        found.notifications.append(_engine_failed(engine, error))
        found.failed.update(rule.id for rule in rules)


def _engine_failed(engine: str, error: Exception) -> Notification:
    message = f"the {engine} engine failed: {type(error).__name__}: {error}; the findings of its rules are missing"
    return Notification("engine-failed", message, "error")


def _failed_rules(rules: Sequence[Rule], notifications: Iterable[Notification]) -> set[str]:
    """Rules that a notification says have failed: its message begins with the id."""
    words = {item.message.partition(" ")[0] for item in notifications if item.kind == "rule-failed"}
    return {rule.id for rule in rules if rule.id in words}
