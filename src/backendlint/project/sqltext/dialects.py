"""Which SQL dialect the project speaks: configuration, engine URLs, Django settings, drivers, dependencies, in this order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from backendlint.dependency_files import dependency_texts
from backendlint.facts.model import FileFacts

if TYPE_CHECKING:
    from backendlint.project.model import Project

_URL = re.compile(
    r"^(postgres(?:ql)?|mysql|mariadb|sqlite|oracle|mssql|cockroachdb|psycopg2?|asyncpg|aiomysql)(?:\+\w+)?://"
)
_ENGINES = {
    "postgresql": "postgres",
    "postgis": "postgres",
    "mysql": "mysql",
    "sqlite3": "sqlite",
    "oracle": "oracle",
    "psqlextra": "postgres",
}
_NAMES = {
    "postgres": "postgres", "postgresql": "postgres", "psycopg": "postgres", "psycopg2": "postgres", "asyncpg": "postgres",
    "aiopg": "postgres", "cockroachdb": "postgres", "mysql": "mysql", "mariadb": "mysql", "aiomysql": "mysql", "pymysql": "mysql",
    "MySQLdb": "mysql", "sqlite": "sqlite", "sqlite3": "sqlite", "aiosqlite": "sqlite", "oracle": "oracle", "mssql": "tsql",
    "pyodbc": "tsql", "pymssql": "tsql", "clickhouse_driver": "clickhouse", "duckdb": "duckdb", "snowflake": "snowflake",
}  # fmt: skip
_DRIVERS = {
    "psycopg": "postgres", "psycopg2": "postgres", "psycopg2-binary": "postgres", "asyncpg": "postgres", "postgres": "postgres",
    "pymysql": "mysql", "mysqlclient": "mysql", "aiomysql": "mysql", "mysql-connector-python": "mysql", "asyncmy": "mysql",
    "mysql": "mysql", "mariadb": "mysql",
}  # fmt: skip
_DRIVER = re.compile(
    r"""^(?:\s*-?\s*["']?|.*image:\s*["']?)(psycopg2-binary|psycopg2?|asyncpg|pymysql|mysqlclient|aiomysql|mysql-connector-python|asyncmy|"""
    r"""postgres|mysql|mariadb)(?=[\s\[=<>~!;:"',]|$)""",
    re.IGNORECASE | re.MULTILINE,
)
WRITTEN_FOR = 5
"""Modules that use one database's own types show for which one the project is written."""
_PREFERRED = ("postgres", "mysql", "oracle", "tsql", "sqlite", "clickhouse", "duckdb", "snowflake")


def project_dialect(project: Project) -> str:
    """sqlglot's name of the dialect, or "" where nothing tells."""
    chosen = project.options.get("dialect")
    if isinstance(chosen, str) and chosen:
        return {"postgresql": "postgres"}.get(chosen, chosen)
    special = Counter(name for file in project.files.values() for name in _special(file))
    for name, count in special.most_common(1):
        if name != "sqlite" and count >= WRITTEN_FOR and count > 3 * (special.total() - count):
            return name
    told = Counter(_told(project))
    imported: Counter[str] = Counter()
    for file in project.files.values():
        imported.update(_imported(file))
    for counts in (told, imported, Counter(_declared(project.root))):
        servers = [name for name in _PREFERRED if counts[name] and name != "sqlite"]
        if servers:
            return max(servers, key=lambda name: counts[name])
    return "sqlite" if told["sqlite"] or imported["sqlite"] else ""


def file_dialect(file: FileFacts) -> str:
    """The dialect of the drivers that a module imports, where all are of one; "" otherwise."""
    spoken = set(_imported(file))
    return spoken.pop() if len(spoken) == 1 else ""


def _declared(root: Path) -> list[str]:
    """Dialects of the drivers and servers that the project's dependency and compose files name: SQLite is often only for tests."""
    return [_DRIVERS[name.lower()] for text in dependency_texts(root) for name in _DRIVER.findall(text)]


_ASKED = "asked for"
"""Stands for the name of SQLite with which a setting is compared."""


def several_servers(project: Project) -> bool:
    """Whether Django's settings let whoever installs it choose between kinds of database servers: what only one of them
    understands cannot be in its migrations. SQLite alone tells nothing, which is often for tests, unless a setting is asked
    whether it is to be that (`if OPTIONS["engine"] == "sqlite":`)."""
    found: dict[str, set[str]] = {}
    for fn, _, text in project.literals.all:
        engine = _engine(text) or (_ASKED if text.lower() in ("sqlite", "sqlite3") else "")
        if engine and "test" not in fn.path:
            found.setdefault(fn.fqn, set()).add(engine)
    if any({_ASKED, "sqlite"} < engines for engines in found.values()):
        return True
    return len(set[str]().union(*found.values()) - {_ASKED, "sqlite"}) > 1


def _told(project: Project) -> list[str]:
    """Dialects that URLs and Django's ENGINE settings in the code name."""
    found: list[str] = []
    for _, _, text in project.literals.all:
        if not 6 < len(text) < 400:
            continue
        match = _URL.match(text)
        if match:
            found.append(_NAMES[match.group(1)])
        elif engine := _engine(text):
            found.append(engine)
    return found


def _engine(text: str) -> str:
    """The dialect of one of Django's ENGINE settings; "" for other texts."""
    if not text.startswith("django.") or ".backends." not in text:
        return ""
    return _ENGINES.get(text.rpartition(".")[2], "")


def _special(file: FileFacts) -> list[str]:
    """The databases whose own types and statements a module uses: its tables are made for them, whatever else it connects to."""
    own = ("sqlalchemy.dialects.", "django.contrib.postgres.")
    return [name for item in file.imports if item.target.startswith(own) for name in _dialects((item.target,))]


def _imported(file: FileFacts) -> list[str]:
    return _dialects(item.target for item in file.imports)


def _dialects(targets: Iterable[str]) -> list[str]:
    found: list[str] = []
    for target in targets:
        parts = target.split(".")
        name = parts[2] if parts[:2] == ["sqlalchemy", "dialects"] and len(parts) > 2 else parts[0]
        if parts[:3] == ["django", "contrib", "postgres"]:
            name = "postgres"
        if name in _NAMES:
            found.append(_NAMES[name])
    return found
