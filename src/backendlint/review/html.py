"""The review as one self-contained HTML file."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from backendlint.review.columns import ENDPOINTS, RESILIENCE
from backendlint.review.model import Review

TEMPLATE = Path(__file__).with_name("review.html.jinja")
BAD = frozenset({"none", "unbounded", "without end"})


def as_html(review: Review) -> str:
    """No network, no files beside it; readable without scripts."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    pillars = [(pillar, list(rows)) for pillar, rows in groupby(review.scorecard, key=lambda row: row.pillar)]
    states = {
        state: sum(row.state == state for row in review.scorecard)
        for state in ("pass", "findings", "not applicable", "runtime", "planned")
    }
    tables = [
        ("resilience", "Resilience", "What happens when a dependency is down", RESILIENCE, review.dependencies),
        (
            "endpoints",
            "Endpoints",
            "What stands before each endpoint, what it does and how it can end",
            ENDPOINTS,
            review.endpoints,
        ),
    ]
    return template.render(review=review, pillars=pillars, states=states, tables=tables, tone=tone)


def tone(name: str, text: str) -> str:
    """The class of a cell: what a reviewer's eye should stop at."""
    if name in ("Timeout", "Worst wait", "Validation") and (text in BAD or text.startswith("none")):
        return "bad"
    if name in ("Auth", "Retry", "Breaker", "Fallback", "Pages", "Rate limit") and text == "none":
        return "faint"
    if "in a loop" in text:
        return "warn"
    return ""
