"""Tables from peewee's models."""

from __future__ import annotations

from building import build, fn

from backendlint.project.rows.uniqueness import stopped_by

FIELDS = """
    from peewee import ForeignKeyField, TextField

    class ShortText(TextField):
        pass

    class KeeperField(ForeignKeyField):
        pass
"""
MODELS = """
    from fields import KeeperField, ShortText
    from peewee import (
        SQL, BooleanField, CharField, CompositeKey, DateTimeField, DecimalField, ForeignKeyField, IntegerField, Model,
        PostgresqlDatabase,
    )

    database = PostgresqlDatabase("harbour")

    class Base(Model):
        made = DateTimeField(index=True)

        class Meta:
            database = database

    class Keeper(Base):
        name = CharField(64, unique=True)

    class Berth(Base):
        keeper = ForeignKeyField(Keeper, null=True, backref="berths")
        other = KeeperField(model=Keeper, index=False, column_name="second_keeper")
        pier = CharField()
        number = IntegerField()
        fee = DecimalField(max_digits=8, decimal_places=2)
        note = ShortText(null=True)
        free = BooleanField(default=True)
        rank = IntegerField(constraints=[SQL("DEFAULT 0")])

        class Meta:
            table_name = "berths"
            indexes = ((("pier", "number"), True), (("keeper", "free"), False))

    class Pass(Base):
        berth = ForeignKeyField(Berth)
        day = CharField()
        gate = IntegerField()

        class Meta:
            primary_key = CompositeKey("berth", "day")

    Pass.add_index(Pass.gate, Pass.berth, unique=True)

    def place(pier, number):
        if Berth.select().where((Berth.pier == pier) & (Berth.number == number)).first() is None:
            Berth.create(pier=pier, number=number)

    def engage(name):
        if Keeper.get_or_none(name=name) is None:
            Keeper.create(name=name)
"""


def test_fields_and_meta_make_tables() -> None:
    models = build(fields=FIELDS, models=MODELS).data.models
    assert list(models.tables) == ["keeper", "berths", "pass"]
    berths = models.tables["berths"]
    assert {name: column.type for name, column in berths.columns.items()} == {
        "id": "INTEGER", "keeper_id": "", "second_keeper": "", "pier": "VARCHAR(255)", "number": "INTEGER",
        "fee": "DECIMAL(8, 2)", "note": "TEXT", "free": "BOOLEAN", "rank": "INTEGER", "made": "TIMESTAMP",
    }  # fmt: skip
    assert [name for name, column in berths.columns.items() if column.nullable] == ["keeper_id", "note"]
    assert berths.columns["rank"].default and berths.columns["free"].client_default
    assert [key.columns for key in berths.uniques] == [("pier", "number")]
    assert {index.columns for index in berths.indexes} == {("keeper_id",), ("made",), ("keeper_id", "free")}
    assert {(key.columns, key.target) for key in berths.foreign_keys} == {
        (("keeper_id",), "keeper"), (("second_keeper",), "keeper"),
    }  # fmt: skip


def test_keys_of_several_fields_and_indexes_written_below() -> None:
    table = build(fields=FIELDS, models=MODELS).data.models.tables["pass"]
    assert table.primary_key == ("berth_id", "day")
    assert [key.columns for key in table.uniques] == [("gate", "berth_id")]


def test_queries_are_known_by_their_columns() -> None:
    project = build(fields=FIELDS, models=MODELS)
    found = {
        name: stopped_by(project, next(iter(project.checked_inserts(fn(project, f"models.{name}")))))
        for name in ("place", "engage")
    }
    assert found == {"place": ("berths", ("pier", "number")), "engage": ("keeper", ("name",))}


REVISION = """
    import sqlalchemy as sa
    from alembic import op

    revision = "a1"
    down_revision = None

    def upgrade():
        op.create_table(
            "keeper",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("name", sa.String(64), nullable=False),
            sa.Column("made", sa.DateTime(), nullable=False, server_default=sa.func.now()),
        )
"""


def test_migrations_say_what_the_database_fills_in() -> None:
    schema = build(fields=FIELDS, models=MODELS, a1_keepers=REVISION).data.schema
    assert schema.tables["keeper"].source == "peewee"
    assert schema.tables["keeper"].columns["made"].default is not None
    assert schema.tables["berths"].columns["made"].default is None
