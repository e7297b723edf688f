"""All engines on one project; what one of them cannot do is said, and the others go on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backendlint.engines.base import EngineContext, Result
from backendlint.findings.model import Hit, Notification

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.project.model import Project
    from backendlint.ruleset.manifest import Rule


FILES_FOR_A_PROCESS = 100
"""From so many files on the cst engine works in a process of its own."""


@dataclass(slots=True)
class Found:
    """What the engines found, and of the run itself."""

    hits: list[tuple[Rule, Hit]] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    """Ids of rules that did not run to their end."""

    def take(self, results: Iterable[Result]) -> None:
        """Sort the results."""
        for result in results:
            if isinstance(result, Notification):
                self.notifications.append(result)
            else:
                self.hits.append(result)


def run(
    rules: Sequence[Rule], project: Project, reviewed: Mapping[str, FileFacts], sql: Sequence[str], ctx: EngineContext
) -> Found:
    """Run the rules. `reviewed` are the files in which findings count, `sql` the paths of the project's .sql files.

    semgrep starts first, since it runs in a process of its own, and is waited for last.
    """
    from backendlint.engines import project as whole
    from backendlint.engines import semgrep

    found = Found()
    by_engine: dict[str, list[Rule]] = {}
    for rule in rules:
        by_engine.setdefault(rule.engine, []).append(rule)

    def guarded(engine: str, work: Callable[[], Iterator[Result]]) -> None:
        mine = by_engine.get(engine, [])
        if not mine:
            return
        try:
            with ctx.timed(f"engine:{engine}"):
                found.take(work())
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the others go on
            found.notifications.append(_engine_failed(engine, error))
            found.failed.update(rule.id for rule in mine)

    external: list[semgrep.Handle] = []

    def start() -> Iterator[Result]:
        external.append(semgrep.start(by_engine["semgrep"], reviewed, ctx))
        return iter(())

    guarded("semgrep", start)
    exact = _exact(by_engine.get("cst", []), reviewed, ctx)
    guarded("project", lambda: whole.run(by_engine["project"], project, ctx))
    gc.freeze()
    gc.enable()
    guarded("cst", exact)
    guarded("sql", lambda: _sql(by_engine["sql"], project, sql, ctx))
    guarded("semgrep", lambda: (result for handle in external for result in handle.results()))
    found.failed.update(_failed_rules(rules, found.notifications))
    return found


def _exact(rules: Sequence[Rule], files: Mapping[str, FileFacts], ctx: EngineContext) -> Callable[[], Iterator[Result]]:
    """The cst engine's results: already on their way in a process of its own where there are enough files for one."""
    from backendlint.engines import cst
    from backendlint.engines.beside import beside, can_fork

    if not rules or len(files) < FILES_FOR_A_PROCESS or ctx.jobs == 1 or not can_fork():
        return lambda: cst.run(rules, files, ctx)

    def work() -> tuple[list[tuple[str, Hit] | Notification], dict[str, float]]:
        before = dict(ctx.seconds)
        results = [
            item if isinstance(item, Notification) else (item[0].id, item[1]) for item in cst.run(rules, files, ctx)
        ]
        return results, {key: value for key, value in ctx.seconds.items() if key not in before}

    wait = beside(work)

    def results() -> Iterator[Result]:
        by_id = {rule.id: rule for rule in rules}
        found, seconds = wait()
        ctx.seconds.update(seconds)
        for item in found:
            yield item if isinstance(item, Notification) else (by_id[item[0]], item[1])

    return results


def _sql(rules: Sequence[Rule], project: Project, paths: Sequence[str], ctx: EngineContext) -> Iterator[Result]:
    from backendlint.engines import sql

    return sql.run(rules, project, paths, ctx)


def _engine_failed(engine: str, error: Exception) -> Notification:
    message = f"the {engine} engine failed: {type(error).__name__}: {error}; the findings of its rules are missing"
    return Notification("engine-failed", message, "error")


def _failed_rules(rules: Sequence[Rule], notifications: Iterable[Notification]) -> set[str]:
    """Rules that a notification says have failed (their message begins with the id) or whose engine has."""
    words = {item.message.partition(" ")[0] for item in notifications if item.kind == "rule-failed"}
    return {rule.id for rule in rules if rule.id in words}
