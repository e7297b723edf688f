"""Flask-SQLAlchemy's models, whose base is an attribute of an object that lies in another module."""

from __future__ import annotations

from building import build

EXTENSIONS = """
    from flask_sqlalchemy import SQLAlchemy

    db = SQLAlchemy()
"""
MODELS = """
    from extensions import db

    class Line(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        sku = db.Column(db.String(20), index=True)
"""


def test_an_imported_db_makes_tables() -> None:
    data = build(extensions=EXTENSIONS, models=MODELS).data
    table = data.models.find("line")
    assert table is not None
    assert data.by_class["models.Line"] is table
    assert list(table.columns) == ["id", "sku"]
