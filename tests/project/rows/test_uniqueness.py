"""Which unique constraint stops the second of two racing inserts."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.model import Project
from backendlint.project.rows.uniqueness import of_others, stopped_by, table_of

SQLALCHEMY = """
    from sqlalchemy import UniqueConstraint, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Berth(Base):
        __tablename__ = "berths"
        __table_args__ = (UniqueConstraint("pier", "number"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        pier: Mapped[str]
        number: Mapped[int]
        owner: Mapped[str]
        tag: Mapped[str] = mapped_column(unique=True)

    def by_place(session: Session, pier, number):
        return session.scalars(select(Berth).where(Berth.pier == pier, Berth.number == number)).first()

    def place(session: Session, pier, number):
        if session.scalars(select(Berth).where(Berth.pier == pier, Berth.number == number)).first() is None:
            session.add(Berth(pier=pier, number=number))
            session.commit()

    def helped(session: Session, pier, number):
        if by_place(session, pier, number) is None:
            session.add(Berth(pier=pier, number=number))
            session.commit()

    def owned(session: Session, owner, tag):
        if session.query(Berth).filter_by(owner=owner).first() is None:
            session.add(Berth(owner=owner, tag=tag))
            session.commit()

    def pier_only(session: Session, pier, number):
        if session.query(Berth).filter_by(pier=pier).first() is None:
            session.add(Berth(pier=pier, number=number))
            session.commit()

    def by_key(session: Session, key):
        if session.get(Berth, key) is None:
            session.add(Berth(id=key))
            session.commit()

    def by_other_key(session: Session, key, owner):
        if session.get(Berth, key) is None:
            session.add(Berth(owner=owner))
            session.commit()
"""
FLASK = """
    from flask_sqlalchemy import SQLAlchemy

    db = SQLAlchemy()

    class Sign(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        pier = db.Column(db.Integer)
        text = db.Column(db.String(9))
        __table_args__ = (db.UniqueConstraint("pier", "text"),)

    def found(pier, number):
        return Sign.query.filter_by(pier=pier).filter_by(id=number).first()

    def by_number(pier, number):
        if found(pier, number) is None:
            sign = Sign()
            sign.pier = pier
            db.session.add(sign)
            db.session.commit()

    def by_text(pier, text):
        if Sign.query.filter_by(pier=pier).filter_by(text=text).first() is None:
            sign = Sign()
            sign.pier = pier
            sign.text = text
            db.session.add(sign)
            db.session.commit()

    def by_either(pier, text, number):
        signs = Sign.query.filter_by(pier=pier)
        if number:
            signs = signs.filter_by(id=number)
        if signs.first() is None:
            sign = Sign()
            sign.pier = pier
            db.session.add(sign)
            db.session.commit()
"""
DJANGO = """
    from uuid import uuid4
    from django.db import models

    class Berth(models.Model):
        pier = models.CharField(max_length=9)
        number = models.IntegerField()
        main = models.BooleanField()
        name = models.CharField(max_length=50, unique=True)

        class Meta:
            db_table = "berths"
            constraints = [models.UniqueConstraint(fields=["pier"], condition=models.Q(main=True), name="main")]

    def main(pier, key):
        if key:
            if not Berth.objects.filter(id=key).exists():
                raise ValueError(key)
        elif not Berth.objects.filter(pier=pier, main=True).exists():
            Berth.objects.create(pier=pier, main=True)

    def numbered(number):
        if not Berth.objects.filter(number=number).exists():
            Berth.objects.create(number=number)

    def named(number, boat):
        if not Berth.objects.filter(number=number).exists():
            Berth.objects.create(number=number, name=boat.name)

    def named_anew(number):
        if not Berth.objects.filter(number=number).exists():
            Berth.objects.create(number=number, name=uuid4().hex)
"""
SQL = """
    import sqlite3

    SCHEMA = "CREATE TABLE berths (id INTEGER PRIMARY KEY, pier TEXT UNIQUE, number INTEGER)"

    def make(db: sqlite3.Connection):
        db.execute(SCHEMA)

    def pier(db: sqlite3.Connection, pier):
        if db.execute("SELECT id FROM berths WHERE pier = ?", (pier,)).fetchone() is None:
            db.execute("INSERT INTO berths (pier) VALUES (?)", (pier,))

    def numbered(db: sqlite3.Connection, number):
        if db.execute("SELECT id FROM berths WHERE number = ?", (number,)).fetchone() is None:
            db.execute("INSERT INTO berths (number) VALUES (?)", (number,))
"""


def columns(project: Project, name: str) -> tuple[str, ...]:
    (raced,) = project.checked_inserts(fn(project, name))
    table, found = stopped_by(project, raced)
    assert table == ("berths" if found else "")
    return found


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        (SQLALCHEMY, "place", ("pier", "number")),
        (SQLALCHEMY, "helped", ("pier", "number")),
        (SQLALCHEMY, "owned", ()),
        (SQLALCHEMY, "pier_only", ()),
        (SQLALCHEMY, "by_key", ("id",)),
        (SQLALCHEMY, "by_other_key", ()),
        (DJANGO, "main", ("pier",)),
        (DJANGO, "numbered", ()),
        (DJANGO, "named", ("name",)),
        (DJANGO, "named_anew", ()),
        (SQL, "pier", ("pier",)),
        (SQL, "numbered", ()),
    ],
)
def test_the_constraint_that_stops_the_second(source: str, name: str, expected: tuple[str, ...]) -> None:
    assert columns(build(app=source), name) == expected


def test_an_abstract_model_has_no_table() -> None:
    project = build(
        shelf__models="from django.db import models\n"
        "class Labelled(models.Model):\n    text = models.TextField()\n    class Meta:\n        abstract = True\n"
        "class Box(Labelled):\n    pass\n"
    )
    assert table_of(project, "shelf.models.Labelled") is None
    box = table_of(project, "shelf.models.Box")
    assert box is not None
    assert "text" in box.columns


COMPUTED = """
    import re
    from sqlalchemy import Column, ForeignKey, Integer, String, UniqueConstraint
    from sqlalchemy.orm import DeclarativeBase, Session, declared_attr, relationship

    def in_words(name):
        return "_".join(part.lower() for part in re.split("(?=[A-Z])", name) if part)

    class Base(DeclarativeBase):
        @declared_attr.directive
        def __tablename__(cls):
            return in_words(cls.__name__)

    class Harbour(Base):
        id = Column(Integer, primary_key=True)

    class HarbourPilot(Base):
        __table_args__ = (UniqueConstraint("name", "harbour_id"),)
        id = Column(Integer, primary_key=True)
        name = Column(String)
        harbour_id = Column(Integer, ForeignKey("harbour.id"))
        harbour = relationship("Harbour")

        @classmethod
        def of(cls, session: Session, harbour):
            return session.query(cls).filter(cls.harbour == harbour)

        @classmethod
        def named(cls, session: Session, harbour, name):
            return cls.of(session, harbour).filter(cls.name == name).one_or_none()

    def hired(session: Session, harbour, name):
        pilot = HarbourPilot.named(session, harbour, name)
        if pilot is None:
            pilot = HarbourPilot(name=name, harbour=harbour)
            session.add(pilot)
            session.commit()
        return pilot

    def enlist(session: Session, asked):
        pilot = HarbourPilot(**asked.dict())
        session.add(pilot)
        session.commit()
        return pilot

    def enlisted(session: Session, asked):
        pilot = session.query(HarbourPilot).filter(HarbourPilot.name == asked.name).first()
        if pilot is None:
            pilot = enlist(session, asked)
        return pilot
"""


def test_tables_are_called_what_a_function_makes_of_the_class_and_relations_are_compared() -> None:
    project = build(app=COMPUTED)
    (raced,) = project.checked_inserts(fn(project, "hired"))
    assert stopped_by(project, raced) == ("harbour_pilot", ("name", "harbour_id"))


def test_a_part_of_a_constraint_may_stop_what_is_not_seen_whole() -> None:
    project = build(app=COMPUTED)
    (raced,) = project.checked_inserts(fn(project, "enlisted"))
    assert stopped_by(project, raced) == ("", ())
    assert stopped_by(project, raced, likely=True) == ("harbour_pilot", ("name", "harbour_id"))


@pytest.mark.parametrize(("name", "other"), [("by_number", True), ("by_text", False), ("by_either", False)])
def test_rows_looked_for_by_their_number(name: str, other: bool) -> None:
    project = build(piers=FLASK)
    [raced] = project.checked_inserts(fn(project, name))
    assert of_others(project, raced) is other


def test_columns_given_one_by_one() -> None:
    project = build(piers=FLASK)
    [raced] = project.checked_inserts(fn(project, "by_text"))
    assert stopped_by(project, raced) == ("sign", ("pier", "text"))
