"""SQL that Django printed of a migration (`manage.py sqlmigrate`), kept beside it: the same change a second time."""

from __future__ import annotations

import re
from collections.abc import Collection

_PRINTED = re.compile(r"^--\r?\n-- [A-Z][a-z]+ .*\r?\n--\r?$", re.MULTILINE)
"""What stands above each operation's statements: `-- Add field state to order`."""


def is_printed(path: str, text: str, migrations: Collection[str]) -> bool:
    """Whether the file has the name of one of these Python files, or begins with it (`0002_state_replica.sql`)."""
    stem = path.removesuffix(".sql")
    while not stem.endswith("/"):
        if f"{stem}.py" in migrations:
            return _PRINTED.search(text) is not None
        stem, mark, _ = stem.rpartition("_")
        if not mark:
            break
    return False
