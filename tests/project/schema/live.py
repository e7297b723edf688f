"""Oracles: what real databases say of a schema, in a form that can be compared with what was read statically."""

from __future__ import annotations

import ast
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backendlint.facts.extract import extract
from backendlint.facts.model import FileFacts
from backendlint.project.libraries.compile import compile_files
from backendlint.project.libraries.lookup import Libraries
from backendlint.project.linking.modules import Modules
from backendlint.project.schema.links import ModuleLinks
from backendlint.project.schema.model import Schema, Table
from backendlint.project.schema.types import base, family, length, normalise

SCHEMAS = Path(__file__).parents[2] / "data" / "schemas"


def read_facts(root: Path) -> list[FileFacts]:
    """The facts of all Python files below `root`, modules named from there."""
    found: list[FileFacts] = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        parts = list(relative.with_suffix("").parts)
        package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if package else parts)
        text = path.read_text()
        found.append(extract(ast.parse(text), text, path=relative.as_posix(), module=module, is_package=package))
    return found


def links_of(files: list[FileFacts]) -> ModuleLinks:
    """Links over these files."""
    return ModuleLinks(Modules(files, Libraries(compile_files([]), "none")))


def comparable(schema: Schema) -> dict[str, dict[str, Any]]:
    """Tables as plain data: what both sides can know, without names that databases choose."""
    return {key: _table(table) for key, table in schema.tables.items() if table.kind == "table"}


def django_tables(where: str, project: Path) -> dict[str, dict[str, Any]]:
    """What `migrate` makes of a Django project, introspected; it runs in a process of its own, as Django is configured once."""
    code = (
        "import settings, sys\n"
        "host, port = sys.argv[1].rpartition('@')[2].split(':')\n"
        "settings.DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'postgres', 'USER': 'postgres',"
        " 'HOST': host, 'PORT': port}}\n"
        "import django\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "call_command('makemigrations', check=True, dry_run=True, verbosity=1)\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": str(project),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, where], env=environment, capture_output=True, text=True, check=False, cwd=project
    )
    assert done.returncode == 0, done.stdout + done.stderr
    from sqlalchemy import create_engine

    engine = create_engine(f"postgresql+psycopg://{where}/postgres")
    try:
        return introspect(engine)
    finally:
        engine.dispose()


def _table(table: Table) -> dict[str, Any]:
    uniques = {tuple(sorted(unique.columns)) for unique in table.uniques if not unique.where}
    uniques |= {
        tuple(sorted(index.columns)) for index in table.indexes
        if index.unique and not index.where and not index.expressions
    }  # fmt: skip
    return {
        "columns": {
            column.name: (kind(column.type), column.nullable) for column in table.columns.values()
        },
        "primary_key": table.primary_key,
        "uniques": uniques,
        "indexes": {
            tuple(name for position, name in enumerate(index.columns) if position not in index.expressions)
            for index in table.indexes
            if not index.unique
        },
        "partial": {index.columns for index in table.indexes if index.where},
        "functional": sum(1 for index in table.indexes if index.expressions),
        "foreign_keys": {
            (key.columns, key.target.rpartition(".")[2], key.on_delete.replace("NO ACTION", ""))
            for key in table.foreign_keys
            if key.enforced
        },
        "checks": sum(1 for check in table.checks),
    }  # fmt: skip


def kind(type_text: str) -> str:
    """A type as both sides can know it: the family, with the length of texts."""
    if base(type_text) == "ENUM":
        return "enum"
    size = length(type_text)
    return f"{family(type_text) or base(type_text).lower()}{size or ''}"


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A private PostgreSQL on a loopback port, its data in a temporary folder; gives the host:port part of a URL."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="backendlint-pg-"))
    user = _unprivileged(folder)
    data = folder / "data"
    port = _free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
    try:
        _run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], user, folder
        )
        _run([binaries / "pg_ctl", "-D", data, "-o", options, "-w", "-l", folder / "log", "start"], user, folder)
        yield f"postgres@127.0.0.1:{port}"
    finally:
        if (data / "postmaster.pid").exists():
            _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], user, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path is not None, "these tests need PostgreSQL's initdb and pg_ctl (.ci/run installs them)"
    return Path(on_path).resolve().parent


def _unprivileged(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then another user owns the folder."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return "postgres"


def _run(command: list[Path | str], user: str | None, cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], user=user, cwd=cwd, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def introspect(engine: Any) -> dict[str, dict[str, Any]]:
    """All tables of a live database, in `comparable`'s form, read by SQLAlchemy's inspector."""
    from sqlalchemy import inspect

    view = inspect(engine)
    return {table: _live_table(view, engine.dialect.name, table) for table in view.get_table_names()}


def _live_table(view: Any, dialect: str, table: str) -> dict[str, Any]:
    indexes = [index for index in view.get_indexes(table) if not _shadow(index)]
    uniques = {tuple(sorted(unique["column_names"])) for unique in view.get_unique_constraints(table)}
    for index in indexes:
        if index["unique"] and not _where(index) and None not in index["column_names"]:
            uniques.add(tuple(sorted(index["column_names"])))
    return {
        "columns": {
            column["name"]: (_live_kind(column["type"], dialect), column["nullable"]) for column in view.get_columns(table)
        },
        "primary_key": tuple(view.get_pk_constraint(table)["constrained_columns"]),
        "uniques": uniques,
        "indexes": {
            tuple(name for name in index["column_names"] if name is not None) for index in indexes if not index["unique"]
        },
        "partial": {tuple(index["column_names"]) for index in indexes if _where(index)},
        "functional": sum(1 for index in indexes if None in index["column_names"]),
        "foreign_keys": {
            (
                tuple(key["constrained_columns"]),
                key["referred_table"],
                key["options"].get("ondelete", "").replace("NO ACTION", ""),
            )
            for key in view.get_foreign_keys(table)
        },
        "checks": len(view.get_check_constraints(table)),
    }  # fmt: skip


def _where(index: Any) -> bool:
    return any(key.endswith("_where") for key in index.get("dialect_options", {}))


def _shadow(index: Any) -> bool:
    """Indexes that a database or framework adds to back a constraint, or for LIKE alone."""
    return bool(index.get("duplicates_constraint")) or str(index["name"]).endswith("_like")


def _live_kind(found: Any, dialect: str) -> str:
    if type(found).__name__ == "ENUM":
        return "enum"
    if type(found).__name__ in {"TIMESTAMP", "DATETIME"} and getattr(found, "timezone", False):
        return kind("TIMESTAMPTZ")
    return kind(normalise(str(found.compile())))
