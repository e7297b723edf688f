"""What is read statically equals what real databases say after the framework has made the schema."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from live import SCHEMAS, comparable, django_tables, introspect, links_of, postgres, read_facts

from backendlint.project.schema.alembic import read_alembic
from backendlint.project.schema.apply import apply_all
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.django_migrations import read_django_migrations
from backendlint.project.schema.django_models import read_django_models
from backendlint.project.schema.model import Schema
from backendlint.project.schema.operations import Migration
from backendlint.project.schema.sqlalchemy_models import read_sqlalchemy

Tables = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A private PostgreSQL, for all tests of the session."""
    with postgres() as where:
        yield where


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> Iterator[sqlalchemy.Engine]:
    """A fresh database on it."""
    name = "t" + str(abs(hash(request.node.name)))
    admin = sqlalchemy.create_engine(f"postgresql+psycopg://{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://{server}/{name}")
    yield engine
    engine.dispose()
    admin.dispose()


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample packages can be imported."""
    monkeypatch.syspath_prepend(str(SCHEMAS))


def metadata_of(name: str) -> sqlalchemy.MetaData:
    module = importlib.import_module(f"{name}.tables")
    found = getattr(module, "metadata", None) or getattr(module, "Base", None) or module.SQLModel
    return found if isinstance(found, sqlalchemy.MetaData) else found.metadata


def read_models(name: str) -> Tables:
    files = read_facts(SCHEMAS / name)
    return comparable(read_sqlalchemy(files, links_of(files)))


def played(migrations: list[Migration]) -> Tables:
    schema = Schema()
    for migration in migrations:
        apply_all(schema, migration.operations)
    return comparable(schema)


@pytest.mark.parametrize("name", ["classic", "modern", "heroes"])
@pytest.mark.usefixtures("samples")
@pytest.mark.filterwarnings("ignore:Computed column")
def test_sqlalchemy_models_on_postgresql(name: str, database: sqlalchemy.Engine) -> None:
    metadata_of(name).create_all(database)
    assert read_models(name) == introspect(database)


@pytest.mark.parametrize("name", ["classic", "heroes"])
@pytest.mark.usefixtures("samples")
def test_sqlalchemy_models_on_sqlite(name: str) -> None:
    """SQLite has no enums, and its inspector sees no functional index."""
    engine = sqlalchemy.create_engine("sqlite://")
    metadata_of(name).create_all(engine)
    static, live = read_models(name), introspect(engine)
    assert static.keys() == live.keys()
    for table, parts in static.items():
        for part in ("primary_key", "uniques", "foreign_keys"):
            assert parts[part] == live[table][part], (table, part)
        assert {name: null for name, (_, null) in parts["columns"].items()} == {
            name: null for name, (_, null) in live[table]["columns"].items()
        }


@pytest.fixture(scope="session")
def django_live(server: str) -> Tables:
    """The sample project's own tables after `migrate`."""
    found = django_tables(server, SCHEMAS / "django_shop")
    return {name: table for name, table in found.items() if not name.startswith(("django_", "auth_"))}


def test_django_models_on_postgresql(django_live: Tables) -> None:
    files = read_facts(SCHEMAS / "django_shop")
    _, schema = read_django_models(files, links_of(files))
    static = comparable(schema)
    assert not schema.tables["legacy_codes"].managed
    del static["legacy_codes"]
    assert static == django_live


def test_django_migrations_on_postgresql(django_live: Tables) -> None:
    files = read_facts(SCHEMAS / "django_shop")
    history = read_django_migrations(files, links_of(files), "postgres")
    assert played(history.migrations) == django_live


def test_alembic_on_postgresql(database: sqlalchemy.Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCHEMAS / "alembic_shop"))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    files = read_facts(SCHEMAS / "alembic_shop")
    migrations = read_alembic(files, links_of(files), "postgres")
    live = introspect(database)
    del live["alembic_version"]
    assert [migration.id for migration in migrations] == ["a1", "b1", "b2", "c1", "d1"]
    assert played(migrations) == live


def test_ddl_on_postgresql(database: sqlalchemy.Engine) -> None:
    text = (SCHEMAS / "ddl" / "postgres.sql").read_text()
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in split(text):
            connection.exec_driver_sql(statement)
    script = read_script(text, "postgres")
    schema = apply_all(Schema(), script.operations)
    assert script.unread == []
    assert list(schema.tables["big_orders"].columns) == ["id", "worth"]
    assert comparable(schema) == introspect(database)


def split(text: str) -> list[str]:
    """The statements, cut by hand: at the semicolons that end a line, function bodies kept whole."""
    found, current, body = [], "", False
    for line in text.splitlines():
        current += line + "\n"
        body ^= line.count("$body$") == 1
        if line.rstrip().endswith(";") and not body:
            found.append(current)
            current = ""
    return found


def test_ddl_on_sqlite(tmp_path: Path) -> None:
    text = (SCHEMAS / "ddl" / "sqlite.sql").read_text()
    with sqlite3.connect(tmp_path / "books.db") as connection:
        connection.executescript(text)
        schema = apply_all(Schema(), read_script(text, "sqlite").operations)
        for name, table in schema.tables.items():
            rows = connection.execute(f"PRAGMA table_info({name})").fetchall()
            assert [row[1] for row in rows] == list(table.columns)
            assert {row[1]: row[4] is not None for row in rows} == {
                column.name: column.default is not None for column in table.columns.values()
            }
            assert {row[1] for row in rows if row[5]} == set(table.primary_key)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(schema.tables) == tables - {"sqlite_sequence"}
