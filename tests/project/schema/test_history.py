"""Migrations in order: squashed ones, branches, age, what is new in a migration, and doubts about the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from live import links_of, read_facts

from backendlint.project.schema import operations as ops
from backendlint.project.schema.apply import apply_all
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.django_migrations import History, read_django_migrations
from backendlint.project.schema.django_models import read_django_models
from backendlint.project.schema.history import moments, natural, played, read_sql_files
from backendlint.project.schema.model import Schema
from backendlint.project.schema.released import dates_of, long_released
from backendlint.project.schema.sqlalchemy_models import read_sqlalchemy

HEAD = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
CREATE = "migrations.CreateModel('T', [('id', models.BigAutoField(primary_key=True)), ('a', models.TextField())])"


def django(tmp_path: Path, **bodies: str) -> History:
    folder = tmp_path / "app" / "migrations"
    folder.mkdir(parents=True)
    for file in (tmp_path / "app" / "__init__.py", folder / "__init__.py"):
        file.touch()
    for name, body in bodies.items():
        (folder / f"{name}.py").write_text(HEAD + body)
    files = read_facts(tmp_path)
    return read_django_migrations(files, links_of(files), "postgres")


def body(operations: str, depends: str = "", more: str = "") -> str:
    needed = f"('app', '{depends}')" if depends else ""
    return f"    dependencies = [{needed}]\n    operations = [{operations}]\n{more}"


def test_a_squash_is_left_out_while_what_it_replaces_is_there(tmp_path: Path) -> None:
    history = django(
        tmp_path,
        m0001=body(CREATE),
        m0002=body("migrations.AddField('T', 'b', models.TextField(null=True))", "m0001"),
        m0001_squashed=body(CREATE, more="    replaces = [('app', 'm0001'), ('app', 'm0002')]\n"),
        m0003=body("migrations.RemoveField('T', 'a')", "m0001_squashed"),
    )
    assert [migration.id for migration in history.migrations] == ["app.m0001", "app.m0002", "app.m0003"]
    assert list(played(history.migrations).tables["app_t"].columns) == ["id", "b"]


def test_a_squash_stands_for_what_is_gone(tmp_path: Path) -> None:
    history = django(
        tmp_path,
        m0001_squashed=body(CREATE, more="    replaces = [('app', 'm0001'), ('app', 'm0002')]\n"),
        m0003=body("migrations.RenameField('T', 'a', 'c')", "m0002"),
    )
    assert [migration.id for migration in history.migrations] == ["app.m0001_squashed", "app.m0003"]
    assert list(played(history.migrations).tables["app_t"].columns) == ["id", "c"]


def test_what_a_wider_squash_replaces_is_no_step_but_a_migration_still(tmp_path: Path) -> None:
    history = django(
        tmp_path,
        m0001=body(CREATE),
        m0001_squashed=body(
            f"{CREATE}, migrations.CreateModel('U', [('id', models.BigAutoField(primary_key=True))])",
            more="    replaces = [('app', 'm0001'), ('app', 'm0002')]\n",
        ),
    )
    assert [migration.id for migration in history.migrations] == ["app.m0001_squashed"]
    assert {Path(path).name for path in history.paths} == {"m0001.py", "m0001_squashed.py"}


def test_state_and_database_can_part(tmp_path: Path) -> None:
    history = django(
        tmp_path,
        m0001=body(CREATE),
        m0002=body(
            "migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField('T', 'a')],"
            " database_operations=[migrations.RunSQL('ALTER TABLE app_t ADD COLUMN z int')])",
            "m0001",
        ),
    )
    assert list(played(history.migrations).tables["app_t"].columns) == ["id", "a", "z"]
    assert list(history.state.models["app.t"].fields) == ["id"]


def test_custom_fields_set_their_own_options(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(
        "from django.db import models\n\n\nclass Code(models.CharField):\n"
        "    def __init__(self, *args, **kwargs):\n        kwargs['null'] = True\n        kwargs.setdefault('max_length', 12)\n"
        "        super().__init__(*args, unique=True, **kwargs)\n\n\nclass Thing(models.Model):\n"
        "    code = Code()\n    plain = Code(max_length=5)\n"
    )
    files = read_facts(tmp_path)
    _, schema = read_django_models(files, links_of(files))
    table = schema.tables["shop_thing"]
    assert (table.columns["code"].type, table.columns["code"].nullable) == ("VARCHAR(12)", True)
    assert table.columns["plain"].type == "VARCHAR(5)"
    assert [unique.columns for unique in table.uniques] == [("code",), ("plain",)]


def test_computed_operations_leave_the_app_in_doubt(tmp_path: Path) -> None:
    known = django(tmp_path, one=body(CREATE), two="    dependencies = [('app', 'one')]\n    operations = made()\n")
    assert known.unread == {"app"}


def test_a_table_may_leave_its_metadata_to_the_extension(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "from app import db\nimport flask_sqlalchemy\n"
        "seats = db.Table('seats', db.Column('row', db.Integer), db.Column('number', db.Integer))\n"
        "rooms = db.Table('rooms', db.metadata, db.Column('id', db.Integer))\n"
    )
    files = read_facts(tmp_path)
    tables = read_sqlalchemy(files, links_of(files)).tables
    assert {name: list(table.columns) for name, table in tables.items()} == {
        "seats": ["row", "number"],
        "rooms": ["id"],
    }


def test_sql_files_run_in_natural_order_without_their_way_back() -> None:
    texts = [
        ("db/migrations/10_more.sql", "ALTER TABLE t ADD COLUMN c int;"),
        ("db/migrations/2_add.sql", "ALTER TABLE t ADD COLUMN b int;\n-- migrate:down\nDROP TABLE t;"),
        ("db/migrations/1_start.sql", "CREATE TABLE t (a int);"),
        ("db/migrations/1_start.down.sql", "DROP TABLE t;"),
        ("schema.sql", "CREATE TABLE other (x int);"),
    ]
    migrations, schema = read_sql_files(texts, "postgres")
    assert [migration.path.rpartition("/")[2] for migration in migrations] == [
        "1_start.sql",
        "2_add.sql",
        "10_more.sql",
    ]
    assert list(played(migrations).tables["t"].columns) == ["a", "b", "c"]
    assert list(schema.tables) == ["other"]
    assert sorted(["a10", "a2"], key=natural) == ["a2", "a10"]


def test_numbered_files_are_no_migrations_beside_those_of_a_framework() -> None:
    texts = [
        ("report/01_tables.sql", "CREATE TABLE seats (a int);"),
        ("report/02_fill.sql", "TRUNCATE seats;"),
        ("db/migrations/1.sql", "CREATE TABLE t (a int);"),
    ]
    migrations, schema = read_sql_files(texts, "postgres", numbered=False)
    assert [migration.path for migration in migrations] == ["db/migrations/1.sql"]
    assert list(schema.tables) == ["seats"]
    assert len(read_sql_files(texts, "postgres")[0]) == 3


def test_moments_know_what_is_new_and_how_old_they_are() -> None:
    texts = [
        ("migrations/1.sql", "CREATE TABLE t (a int); CREATE INDEX i ON t (a);"),
        ("migrations/2.sql", "CREATE INDEX j ON t (a);"),
    ]
    migrations, _ = read_sql_files(texts, "postgres")
    found = [
        (moment.age, moment.existing("t"))
        for moment in moments(migrations)
        if isinstance(moment.operation, ops.CreateIndex)
    ]
    assert found == [(1, False), (0, True)]


@pytest.mark.parametrize(
    ("change", "complete", "table"),
    [
        ("ALTER TABLE t ADD COLUMN b int", True, True),
        ("ALTER TABLE elsewhere ADD COLUMN b int", False, True),
        ("CREATE INDEX i ON t (unseen)", True, False),
        ("CREATE INDEX i ON t (lower(a))", True, True),
        ("ALTER TABLE t DROP COLUMN unseen", True, False),
    ],
)
def test_a_change_of_the_unknown_casts_doubt(change: str, complete: bool, table: bool) -> None:
    schema = apply_all(Schema(), read_script(f"CREATE TABLE t (a text); {change};").operations)
    assert (schema.complete, schema.tables["t"].complete) == (complete, table)


@pytest.mark.parametrize(
    ("part", "column"),
    [
        ("key text PRIMARY KEY", True),
        ("key varchar(20) NOT NULL", True),
        ("index int", True),
        ("period text NOT NULL", True),
        ("KEY (a)", False),
        ("KEY name (a)", False),
        ("INDEX by_a USING BTREE (a)", False),
        ("KEY name (a(10))", False),
        ("PERIOD FOR SYSTEM_TIME (a, b)", False),
        ("UNIQUE KEY one (a)", False),
    ],
)
def test_columns_may_be_called_like_parts_of_a_table(part: str, column: bool) -> None:
    schema = apply_all(Schema(), read_script(f"CREATE TABLE t (a text, {part});").operations)
    assert (len(schema.tables["t"].columns) == 2) is column


def test_files_that_set_up_the_database_come_first_and_hold_what_an_archive_did() -> None:
    texts = [
        ("db/migrations/001-more.sql", "ALTER TABLE t ADD COLUMN c int; CREATE INDEX i ON t (c);"),
        ("db/migrations/archived/001-old.sql", "CREATE TABLE gone (a int); ALTER TABLE t ADD COLUMN old int;"),
        ("db/migrations/init/2-keys.sql", "ALTER TABLE t ADD PRIMARY KEY (a); CREATE INDEX k ON s (b);"),
        ("db/migrations/init/1-tables.sql", "CREATE TABLE t (a int);"),
        ("db/migrations/init/shared/1-tables.sql", "CREATE TABLE s (b int);"),
        ("db/migrations/init/other/schema.sql", "CREATE TABLE t (a int, d int);"),
    ]
    migrations, _ = read_sql_files(texts, "postgres")
    tables = played(migrations).tables
    assert {name: sorted(table.columns) for name, table in tables.items()} == {"t": ["a", "c", "d"], "s": ["b"]}
    assert tables["s"].complete and not tables["t"].complete, "two definitions of one table: neither proves an absence"
    found = [moment.existing("t") for moment in moments(migrations) if isinstance(moment.operation, ops.CreateIndex)]
    assert found == [False, True]


def test_an_archive_without_them_is_history() -> None:
    texts = [
        ("db/migrations/archive/001-old.sql", "CREATE INDEX i ON t (a);"),
        ("db/migrations/001-new.sql", "CREATE INDEX j ON t (b);"),
    ]
    migrations, _ = read_sql_files(texts, "postgres")
    assert [moment.profile for moment in moments(migrations)] == ["strict", None]


def test_migrations_a_year_older_than_the_newest_are_long_released() -> None:
    written = {
        "one/migrations/0001_a.py": "# Generated by Django 3.2 on 2021-05-01 10:00\n",
        "one/migrations/0002_b.py": "",
        "one/migrations/0003_c.py": "# Generated by Django 4.0 on 2022-05-01 10:00\n",
        "one/migrations/0004_d.py": "",
        "two/migrations/0001_e.py": "# Generated by Django 5.0 on 2024-05-01 10:00\n",
        "two/migrations/20240612_0100_f.py": "",
    }
    migrations = [ops.Migration(path, path, "django") for path in written]
    released = long_released(migrations, dates_of(migrations, written.__getitem__))
    assert [path[4:] for path in sorted(released)] == [
        f"migrations/{name}.py" for name in ("0001_a", "0002_b", "0003_c")
    ]
    assert all(
        moment.profile == "strict" for moment in moments(migrations, released) if moment.migration.path in released
    )
