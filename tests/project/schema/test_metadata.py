"""Which models Alembic's revisions are for."""

from __future__ import annotations

import pytest
from building import build

BASES = """
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import MetaData
    from sqlalchemy.orm import DeclarativeBase, declarative_base

    db = SQLAlchemy()
    Old = declarative_base()
    shared = MetaData()

    class New(DeclarativeBase):
        pass

    class Named(DeclarativeBase):
        metadata = shared
"""
MODELS = """
    from bases import Named, New, Old, db

    class Berth(db.Model):
        __tablename__ = "berths"

    class Crane(Old):
        __tablename__ = "cranes"

    class Mast(New):
        __tablename__ = "masts"

    class Sail(Named):
        __tablename__ = "sails"
"""
ENV = """
    import models
    from alembic import context
    from bases import New, Old, db, shared
    from models import Berth

    target_metadata = {}
"""


@pytest.mark.parametrize(
    ("named", "models"),
    [
        ("db.metadata", {"Berth"}),
        ("Berth.metadata", {"Berth"}),
        ("[Old.metadata, models.Mast.metadata]", {"Crane", "Mast"}),
        ("New.metadata", {"Mast"}),
        ("shared", {"Sail"}),
        ("None", {"Berth", "Crane", "Mast", "Sail"}),
        ("found_somewhere()", {"Berth", "Crane", "Mast", "Sail"}),
    ],
)
def test_models_of_other_databases(named: str, models: set[str]) -> None:
    project = build(bases=BASES, models=MODELS, env=ENV.format(named))
    names = ("Berth", "Crane", "Mast", "Sail")
    assert {name for name in names if not project.data.beside_migrations(f"models.{name}")} == models
