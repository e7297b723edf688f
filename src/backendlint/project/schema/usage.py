"""Where code still names a table or column: models and SQL texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.findings.model import Step
from backendlint.project.values.sqllex import tokens

if TYPE_CHECKING:
    from backendlint.project.model import Project

SHOWN = 3


def users_of(project: Project, table: str, column: str = "") -> tuple[Step, ...]:
    """Up to SHOWN places outside of migrations that name the table, or its column."""
    found: list[Step] = []
    for step in _users(project, table, column):
        if step.location not in [item.location for item in found]:
            found.append(step)
        if len(found) == SHOWN:
            break
    return tuple(found)


def _users(project: Project, table: str, column: str) -> Iterator[Step]:
    model = project.data.models.find(table)
    if model is not None and not column and model.location is not None:
        yield Step(model.location, f"the model of `{table}` is still here")
    known = model.column(column) if model is not None and column else None
    if known is not None and known.location is not None:
        yield Step(known.location, f"the model still has `{column}`")
    migrations = project.data.migration_paths
    wanted = re.compile(rf"\b{re.escape(table)}\b", re.IGNORECASE)
    for text in project.data.texts:
        if text.path in migrations or text.role == "file" or not wanted.search(text.text):
            continue
        name = (column or table).lower()
        for token in tokens(text.text, text.dialect):
            if token.kind in {"word", "name"} and token.identifier.lower() == name:
                yield Step(text.location(token.start, token.end), f"still names `{column or table}`")
                break
