"""What .sql files are for."""

from __future__ import annotations

import re

from backendlint.api import SqlStatement

_BY_HAND = re.compile(r"(?:^|/)(?:scripts?|tools|bin|ad[_-]?hoc|one[_-]?offs?)/", re.IGNORECASE)
_STORES = re.compile(r"^\s*(?:INSERT|CREATE|ALTER|DROP|MERGE|TRUNCATE|BEGIN)\b", re.IGNORECASE | re.MULTILINE)


def run_by_hand(statement: SqlStatement) -> bool:
    """Whether the statement is of a file among scripts, or of one that no code names, nor its folder, and that fills no database."""
    if statement.source.role != "file" or _BY_HAND.search(statement.path):
        return statement.source.role == "file"
    if _STORES.search(statement.source.text):
        return False
    folder, _, name = statement.path.rpartition("/")
    alone = folder and not any(path.startswith(f"{folder}/") for path in statement.project.files)
    texts = [
        str(value[1])
        for fn in statement.project.all_functions()
        for vid in fn.made_by("const")
        if isinstance((value := fn.value(vid))[1], str)
    ]
    known = [name, *([folder.rpartition("/")[2]] if alone else ())]
    known += [name.removesuffix(".sql")] if ".sql" in texts else ()  # `f"{name}.sql"`
    named = re.compile(rf"(?:^|[/\\])(?:{'|'.join(map(re.escape, known))})[/\\]?$")
    return not any(map(named.search, texts))
