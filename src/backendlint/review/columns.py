"""The columns of the views' tables, once for all formats."""

from __future__ import annotations

from collections.abc import Callable

from backendlint.review.model import Dependency, Endpoint, Score

Column = tuple[str, Callable[..., str]]


def _place(row: Dependency | Endpoint) -> str:
    return f"{row.place.path}:{row.place.line}"


def score_rules(row: Score) -> str:
    """The rules with findings, with their numbers."""
    return ", ".join(f"{rule.id} x{rule.count}" for rule in row.rules)


SCORECARD: tuple[Column, ...] = (
    ("Item", lambda row: row.item),
    ("Question", lambda row: row.question),
    ("State", lambda row: row.state),
    ("Findings", lambda row: str(row.count) if row.count else ""),
    ("Rules", score_rules),
    ("Note", lambda row: row.note),
)
RESILIENCE: tuple[Column, ...] = (
    ("Dependency", lambda row: row.name),
    ("Kind", lambda row: row.kind),
    ("Library", lambda row: row.library),
    ("Calls", lambda row: str(row.calls)),
    ("Timeout", lambda row: row.timeout),
    ("Retry", lambda row: row.retry),
    ("Backoff", lambda row: row.backoff),
    ("Breaker", lambda row: row.breaker),
    ("Pool", lambda row: row.pool),
    ("Fallback", lambda row: row.fallback),
    ("Endpoints", lambda row: str(len(row.endpoints))),
    ("First call", _place),
)
ENDPOINTS: tuple[Column, ...] = (
    ("Method", lambda row: row.method),
    ("Path", lambda row: row.path),
    ("Auth", lambda row: row.auth),
    ("Permission", lambda row: row.authorization),
    ("Validation", lambda row: row.validation),
    ("Rate limit", lambda row: row.rate_limit),
    ("Pages", lambda row: row.pagination),
    ("Codes", lambda row: row.codes),
    ("Errors", lambda row: row.errors),
    ("Docs", lambda row: row.docs),
    ("Transaction", lambda row: row.transaction),
    ("Worst wait", lambda row: row.wait),
    ("Queries", lambda row: row.queries),
    ("Place", _place),
)
