"""All engines on one project; what one of them cannot do is said, and the others go on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backendlint.engines.base import EngineContext, Result
from backendlint.findings.model import Hit, Notification

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.project.model import Project
    from backendlint.ruleset.manifest import Rule

AWAY = frozenset({"security", "features", "convenience"})
"""Pillars whose project rules, with the cst engine, are about half of the work."""
FILES_FOR_A_PROCESS = 100
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


def run(rules: Sequence[Rule], subject: Subject, ctx: EngineContext) -> Found:
    """Run the rules.

    semgrep starts first, since it runs in a process of its own, and is waited for last. A forked process takes the
    cst engine and the security pillar (whose rules share the taint analysis), this one the others.
    """
    from backendlint.engines import semgrep

    external = [rule for rule in rules if rule.engine == "semgrep"]
    away = [rule for rule in rules if rule.engine == "cst" or (rule.engine == "project" and rule.pillar in AWAY)]
    here = [rule for rule in rules if rule not in external and rule not in away]
    found = Found()
    handles: list[semgrep.Handle] = []

    def start() -> Iterator[Result]:
        handles.append(semgrep.start(external, subject.reviewed, ctx))
        return iter(())

    _guarded(found, "semgrep", external, start, ctx)
    finish = _split(away, subject, ctx, found)
    _run_engines(found, here, subject, ctx)
    finish(found)
    results = (result for handle in handles for result in handle.results())
    _guarded(found, "semgrep", external, lambda: results, ctx)
    found.failed.update(_failed_rules(rules, found.notifications))
    return found


def _run_engines(found: Found, rules: Sequence[Rule], subject: Subject, ctx: EngineContext) -> None:
    """The engines that run in this process; those whose trees are full of circles come last, collected as they go."""
    from backendlint.engines import cst, sql
    from backendlint.engines import project as whole

    by_engine = {name: [rule for rule in rules if rule.engine == name] for name in ("project", "cst", "sql")}
    _guarded(found, "project", by_engine["project"], lambda: whole.run(by_engine["project"], subject.project, ctx), ctx)
    gc.freeze()
    gc.enable()
    _guarded(found, "cst", by_engine["cst"], lambda: cst.run(by_engine["cst"], subject.reviewed, ctx), ctx)
    _guarded(found, "sql", by_engine["sql"], lambda: sql.run(by_engine["sql"], subject.project, subject.sql, ctx), ctx)


def _split(rules: Sequence[Rule], subject: Subject, ctx: EngineContext, found: Found) -> Callable[[Found], None]:
    """Start the rules in a process of their own where that pays; the result adds what they found."""
    from backendlint.engines.beside import beside, can_fork

    if not rules or len(subject.reviewed) < FILES_FOR_A_PROCESS or ctx.jobs == 1 or not can_fork():
        return lambda found: _run_engines(found, rules, subject, ctx)
    if any(rule.engine == "project" for rule in rules):
        _guarded(found, "project", rules, lambda: _shared(subject), ctx)

    def work() -> tuple[list[tuple[str, Hit]], list[Notification], set[str], dict[str, float]]:
        mine, own = Found(), replace(ctx, seconds={})
        _run_engines(mine, rules, subject, own)
        return [(rule.id, hit) for rule, hit in mine.hits], mine.notifications, mine.failed, own.seconds

    wait = beside(work)
    by_id = {rule.id: rule for rule in rules}

    def finish(found: Found) -> None:
        try:
            hits, notifications, failed, seconds = wait()
        except Exception as error:  # noqa: BLE001 - whatever happened there, the others go on
            found.notifications.append(_engine_failed("second process's", error))
            found.failed.update(by_id)
            return
        found.hits += [(by_id[rule_id], hit) for rule_id, hit in hits]
        found.notifications += [item for item in notifications if item not in found.notifications]
        found.failed |= failed
        for key, value in seconds.items():
            ctx.seconds[key] = max(ctx.seconds.get(key, 0.0), value)  # they ran at the same time

    return finish


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
