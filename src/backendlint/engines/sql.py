"""The sql engine: every statement of every SQL text, parsed once, handed to the rules that judge SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from backendlint.engines.base import EngineContext, Result, rule_failed
from backendlint.findings.model import Hit
from backendlint.project.sqltext.statements import Statement

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.ruleset.manifest import Rule

Check = Callable[[Statement], Iterable[Hit]]


def run(rules: Sequence[Rule], project: Project, paths: Sequence[str], ctx: EngineContext) -> Iterator[Result]:
    """All hits of the sql rules. `paths` are the .sql files; a rule that fails is reported and left out from then on."""
    checks: dict[str, tuple[Rule, Check]] = {}
    for rule in rules:
        if rule.engine == "sql":
            try:
                checks[rule.id] = (rule, ctx.load_check(rule))
            except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
                yield rule_failed(rule, "", error)
    if not checks:
        return
    reported: set[tuple[str, object]] = set()
    for statement in project.data.reviewed:
        for rule, check in list(checks.values()):
            with ctx.timed(rule.id):
                try:
                    hits = list(check(statement))
                except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
                    del checks[rule.id]
                    yield rule_failed(rule, statement.source.path, error)
                    continue
            for hit in hits:
                key = (rule.id, hit.location)
                if key not in reported:
                    reported.add(key)
                    yield rule, hit
