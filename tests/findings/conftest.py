"""Rules, hits and files for the findings stage."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from backendlint.facts.extract import extract
from backendlint.facts.model import FileFacts
from backendlint.findings.collect import Collected, CollectOptions, collect
from backendlint.findings.model import Hit, Location
from backendlint.ruleset.manifest import Rule


def rule(rule_id: str = "REL101", name: str = "call-without-timeout", **more: object) -> Rule:
    defaults: dict[str, object] = {
        "pillar": "reliability",
        "engine": "project",
        "severity": "error",
        "confidence": "high",
        "profile": "default",
        "summary": "Outbound call without a timeout",
        "help": "Pass a timeout.",
        "checklist": ("R-TIMEOUT",),
    }
    return Rule(id=rule_id, name=name, **(defaults | more))  # type: ignore[arg-type]


RULES = (
    rule(),
    rule("REL103", "retry-without-backoff", yields_to=("REL101",)),
    rule("SEC101", "sql-built-from-text", pillar="security"),
    rule("PERF102", "select-star", pillar="performance", severity="warning"),
    rule("OPS101", "print", pillar="convenience", severity="note", profile="strict"),
)


def hit(path: str, line: int, column: int = 1, **more: object) -> Hit:
    message = str(more.pop("message", "`x` can hang"))
    place = Location(path, line, column, line, column + 1)
    return Hit(message, place, **more)  # type: ignore[arg-type]


def facts_of(path: str, text: str) -> FileFacts:
    return extract(ast.parse(text), text, path=path, module=path.removesuffix(".py"), is_package=False)


def run(
    hits: list[tuple[str, Hit]],
    texts: dict[str, str],
    *,
    baseline: object = None,
    reach: Callable[[str | None], int] = lambda _function: 0,
    **options: object,
) -> Collected:
    """Collect hits, each with its rule's id, in files with these texts."""
    by_id = {item.id: item for item in RULES}
    defaults: dict[str, object] = {
        "rules": RULES,
        "ran": frozenset(by_id),
        "other_files": tuple(path for path in texts if not path.endswith(".py")),
    }
    return collect(
        [(by_id[rule_id], item) for rule_id, item in hits],
        files={path: facts_of(path, text) for path, text in texts.items() if path.endswith(".py")},
        sources=texts.__getitem__,
        baseline=baseline,  # type: ignore[arg-type]
        options=CollectOptions(**(defaults | options)),  # type: ignore[arg-type]
        reach=reach,
    )


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """`rule`, `hit`, `run`, `facts_of` and RULES."""
    return SimpleNamespace(rule=rule, hit=hit, run=run, facts_of=facts_of, RULES=RULES)
