"""Which model's row a write stores, through overrides, mixins and abstract bases."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.model import Project

DJANGO = """
    from django.db import models
    from django.forms import ModelForm

    class Stamp(models.Model): pass

    class Loud:
        def save(self, *args, **kwargs):
            super().save(*args, **kwargs)

    class Base(models.Model):
        class Meta:
            abstract = True
        def mark(self):
            self.save()
        def close(self):
            self.mark()

    class Middle(Base):
        def close(self):
            super().close()

    class Boat(Loud, Middle):
        def save(self, *args, **kwargs):
            Stamp.objects.create()
            super().save(*args, **kwargs)

    class Raft(Middle): pass

    class Form(ModelForm):
        def save(self, by, *args, **kwargs):
            return super().save(*args, **kwargs)

    class RaftForm(Form):
        class Meta:
            model = Raft

    def of_override(key):
        boat = Boat.objects.get(pk=key)
        boat.save()

    def by_super(key):
        raft = Raft.objects.get(pk=key)
        raft.close()

    def by_form(data):
        form = RaftForm(data)
        form.save("me")

    def only_made(data):
        form = RaftForm(data)
        form.save("me", commit=False)
"""


@pytest.fixture(scope="module")
def boats() -> Project:
    return build(app=DJANGO)


@pytest.mark.parametrize(
    ("name", "first"),
    [("of_override", "app.Boat"), ("by_super", "app.Raft"), ("by_form", "app.Raft"), ("only_made", None)],
)
def test_the_first_write_is_of_what_is_saved(boats: Project, name: str, first: str | None) -> None:
    found = [write.entity for write, _ in boats.writes.reached(fn(boats, f"app.{name}"))]
    assert (found[0] if found else None) == first


def test_an_abstract_base_is_no_entity(boats: Project) -> None:
    assert [write.entity for write in boats.writes.direct(fn(boats, "app.Base.mark"))] == [""]


@pytest.mark.parametrize(
    "base",
    [
        "from sqlalchemy.orm import DeclarativeBase\n\nclass Base(DeclarativeBase): pass",
        "from sqlalchemy.orm import declarative_base\n\nBase = declarative_base()",
    ],
)
def test_what_inherits_from_a_declarative_base_is_an_entity(base: str) -> None:
    body = "class Boat(Base):\n    __tablename__ = 'boats'\n\ndef add(session):\n    session.add(Boat())\n"
    project = build(
        app=f"from sqlalchemy.orm import Session\n{base}\n\n{body.replace('session)', 'session: Session)', 1)}"
    )
    assert [write.entity for write in project.writes.direct(fn(project, "app.add"))] == ["app.Boat"]


def test_what_is_handed_to_a_function_that_adds_anything_is_the_entity() -> None:
    project = build(
        app="""
    from sqlalchemy.orm import DeclarativeBase, Session

    class Base(DeclarativeBase): pass
    class Boat(Base): __tablename__ = "boats"
    class Raft(Base): __tablename__ = "rafts"

    class Rows:
        def __init__(self, session: Session): self.session = session
        def add(self, row: Boat | Raft): self.session.add(row)
        def put(self, row): self.add(row)

    def build_raft(session: Session):
        Rows(session).put(Raft())
"""
    )
    assert [write.entity for write, _ in project.writes.reached(fn(project, "app.build_raft"))] == ["app.Raft"]
