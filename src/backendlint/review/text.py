"""The review as text, JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from backendlint.review.columns import ENDPOINTS, RESILIENCE, Column, score_rules
from backendlint.review.model import Review

MARKS = {"pass": "+", "findings": "!", "not applicable": " ", "runtime": "o", "planned": "-"}
MAX_COMMENT = 65_000
"""Characters; GitHub takes 65,536 a comment."""


def as_text(review: Review) -> str:
    """Plain tables for a terminal."""
    lines = [f"{review.root}: {review.files} files, {review.lines} lines", ""]
    lines += [f"  {figure.name}: {figure.value}  ({figure.detail})" for figure in review.figures]
    for pillar, rows in groupby(review.scorecard, key=lambda row: row.pillar):
        lines += ["", pillar.capitalize()]
        for row in rows:
            told = f"  {score_rules(row)}" if row.rules else ""
            lines.append(f"  {MARKS[row.state]} {row.item:<20}{row.question}{told}")
    states = {state: sum(row.state == state for row in review.scorecard) for state in MARKS}
    lines += [
        "",
        ", ".join(
            f"{count} {state} ({MARKS[state]})" if MARKS[state].strip() else f"{count} {state}"
            for state, count in states.items()
        ),
    ]
    lines += ["", "Resilience", *_table(RESILIENCE, review.dependencies)]
    lines += ["", "Endpoints", *_table(ENDPOINTS, review.endpoints)]
    lines += ["", *(f"not covered: {problem}" for problem in review.problems)] if review.problems else []
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[Column], rows: Sequence[Any], widest: int = 44) -> list[str]:
    if not rows:
        return ["  none found"]
    cells = [[name for name, _ in columns], *([_cut(value(row), widest) for _, value in columns] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def as_json(review: Review) -> str:
    """All views as one object; places are `{path, line, column, end_line, end_column}`."""
    return json.dumps(asdict(review), indent=2) + "\n"


def as_markdown(review: Review) -> str:
    """Tables that fit a pull-request comment; the longest views are cut, and say so."""
    head = [f"# Review of {review.root}", "", f"{review.files} files, {review.lines} lines.", ""]
    if review.figures:
        head += ["| Figure | Value | |", "|---|---|---|"]
        head += [f"| {figure.name} | **{figure.value}** | {_cell(figure.detail)} |" for figure in review.figures]
    score = ["", "## Scorecard", "", "| | Item | Question | Findings |", "|---|---|---|---|"]
    marks = {"pass": "✅", "findings": "❌", "not applicable": "·", "runtime": "⏱️", "planned": "…"}
    score += [
        f"| {marks[row.state]} | {row.item} | {_cell(row.question)} | {_cell(score_rules(row)) or row.state} |"
        for row in review.scorecard
    ]
    sections = [
        *_markdown_table("Resilience", RESILIENCE, review.dependencies),
        *_markdown_table("Endpoints", ENDPOINTS, review.endpoints),
    ]
    problems = ["", *(f"- not covered: {_cell(problem)}" for problem in review.problems)] if review.problems else []
    room = MAX_COMMENT - sum(len(line) + 1 for line in (*head, *score, *problems)) - 200
    kept: list[str] = []
    for line in sections:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"\n{len(sections) - len(kept)} more lines are left out; `--format html` shows all.")
            break
        kept.append(line)
    return "\n".join([*head, *score, *kept, *problems]) + "\n"


def _markdown_table(title: str, columns: Sequence[Column], rows: Sequence[Any]) -> list[str]:
    lines = ["", f"## {title}", ""]
    if not rows:
        return [*lines, "None found."]
    lines += ["| " + " | ".join(name for name, _ in columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(_cell(value(row)) for _, value in columns) + " |" for row in rows)]


def _cell(text: str) -> str:
    """Text that cannot break a table or start markup."""
    cleaned = " ".join(text.split())
    for sign in ("\\", "|", "`", "<", "*", "_"):
        cleaned = cleaned.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return cleaned
