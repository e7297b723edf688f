"""What .sql files are for."""

from __future__ import annotations

import re

from backendlint.api import SqlStatement

_BY_HAND = re.compile(r"(?:^|/)(?:scripts?|tools|bin|ad[_-]?hoc|one[_-]?offs?)/", re.IGNORECASE)
_STORES = re.compile(r"^\s*(?:INSERT|CREATE|ALTER|DROP|MERGE|TRUNCATE|BEGIN)\b", re.IGNORECASE | re.MULTILINE)


def run_by_hand(statement: SqlStatement) -> bool:
    """Whether the statement is of a file among scripts, or of one that no code names, nor its folder, and that fills no database."""
    if statement.source.role != "file":
        return False
    if _BY_HAND.search(statement.path):
        return True
    return not _STORES.search(statement.source.text) and not _named(statement)


def _named(statement: SqlStatement) -> bool:
    """Whether code names the file, also as `f"{name}.sql"`, or its folder, if no code lies there."""
    folder, _, name = statement.path.rpartition("/")
    alone = folder and not any(path.startswith(f"{folder}/") for path in statement.project.files)
    named = statement.project.data.named_in_code
    return (
        name in named
        or (".sql" in named and name.removesuffix(".sql") in named)
        or (bool(alone) and folder.rpartition("/")[2] in named)
    )
