"""Where transactions are open, what is stored for good, and which code is exclusive."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.graph.certain import certain, given
from backendlint.project.model import Project
from backendlint.project.rows.steps import durable_steps
from backendlint.project.rows.transactions import exclusive, openings

DJANGO = """
    from contextlib import contextmanager
    from django.db import models, transaction
    from slots import Slot

    class A(models.Model): pass
    class B(models.Model): pass

    def atomic():
        with transaction.atomic():
            A.objects.create()

    @transaction.atomic
    def decorated():
        helper()

    def helper():
        A.objects.create()

    def alone():
        A.objects.create()
        B.objects.create()

    @contextmanager
    def unit():
        with transaction.atomic():
            yield

    def by_unit():
        with unit():
            A.objects.create()

    class Late(Slot):
        def __call__(self, *args):
            return self.target(*args)

    in_transaction = Late()
    in_order = Late()

    def begin():
        return transaction.atomic()

    def begun():
        return begin()

    def by_late():
        with in_transaction():
            A.objects.create()

    def by_other_late():
        with in_order():
            A.objects.create()

    def by_begun():
        with begun():
            A.objects.create()

    class Holder:
        @property
        def fresh(self):
            A.objects.create()

        @property
        def stale(self):
            A.objects.create()

    def holding(holder: Holder):
        with transaction.atomic():
            if holder.fresh:
                return 1
        return holder.stale

    def either(x):
        if x:
            A.objects.create()
        else:
            B.objects.create()

    def early(x):
        if x:
            A.objects.create()
            return
        B.objects.create()
"""


def opened(project: Project, name: str) -> str:
    owner = fn(project, name)
    opening = project.transactions.open_at(owner, owner.calls[-1].block)
    return opening.kind if opening is not None else ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("atomic", "with"),
        ("decorated", "decorator"),
        ("helper", "caller"),
        ("alone", ""),
        ("by_unit", "with"),
        ("by_late", "with"),
        ("by_other_late", ""),
        ("by_begun", "with"),
        ("Holder.fresh", "caller"),
        ("Holder.stale", ""),
    ],
)
def test_open_transactions(name: str, kind: str) -> None:
    assert opened(build(app=DJANGO), name) == kind


def test_every_write_of_an_autocommitting_library_is_a_step() -> None:
    project = build(app=DJANGO)
    steps = durable_steps(project, fn(project, "alone"))
    assert [(step.write.op, step.write.entity, step.committed) for step in steps] == [
        ("create", "app.A", False),
        ("create", "app.B", False),
    ]


@pytest.mark.parametrize(("name", "expected"), [("alone", False), ("either", True), ("early", True)])
def test_exclusive(name: str, expected: bool) -> None:
    owner = fn(build(app=DJANGO), name)
    assert exclusive(owner, owner.calls[0].block, owner.calls[1].block) is expected


SESSION = """
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

    class Base(DeclarativeBase): pass

    class A(Base):
        __tablename__ = "a"
        id: Mapped[int] = mapped_column(primary_key=True)

    sessions = sessionmaker()

    def once(session: Session):
        session.add(A())
        session.add(A())
        session.commit()

    def twice(session: Session):
        session.add(A())
        session.commit()
        session.add(A())
        session.commit()

    def flushed(session: Session):
        session.add(A())
        session.flush()

    def begun():
        with sessions.begin() as session:
            session.add(A())

    class Unit:
        def __enter__(self):
            self.session = sessions()
            return self
        def __exit__(self, *error):
            self.session.commit()

    def by_class():
        with Unit() as unit:
            unit.session.add(A())

    def caller(session: Session):
        once(session)
        once(session)
"""


@pytest.mark.parametrize(("name", "count"), [("once", 1), ("twice", 2), ("flushed", 0), ("begun", 0), ("caller", 2)])
def test_commits_make_steps_of_what_was_pending(name: str, count: int) -> None:
    project = build(app=SESSION)
    assert len(durable_steps(project, fn(project, name))) == count


@pytest.mark.parametrize(("name", "kind"), [("once", ""), ("begun", "with"), ("by_class", "with")])
def test_sessions_and_units_of_work(name: str, kind: str) -> None:
    assert opened(build(app=SESSION), name) == kind


def test_a_dependency_that_commits_makes_the_request_a_transaction() -> None:
    project = build(
        app="""
        from fastapi import Depends, FastAPI
        from sqlalchemy.orm import Session, sessionmaker

        app = FastAPI()
        sessions = sessionmaker()

        def get_session():
            with sessions() as session:
                yield session
                session.commit()

        def get_plain():
            with sessions() as session:
                yield session

        @app.post("/a")
        def a(session: Session = Depends(get_session)):
            store(session)

        @app.post("/b")
        def b(session: Session = Depends(get_plain)):
            session.flush()

        def store(session: Session):
            session.flush()
        """
    )
    assert [opened(project, name) for name in ("app.a", "app.b", "app.store")] == ["request", "", "request"]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ('DATABASES = {"default": {"ENGINE": "x", "ATOMIC_REQUESTS": True}}\n', "request"),
        ('DATABASES = {"default": {"ENGINE": "x", "ATOMIC_REQUESTS": env.bool("ATOMIC", default=True)}}\n', "request"),
        ('DATABASES = {"default": env.db()}\nDATABASES["default"]["ATOMIC_REQUESTS"] = True\n', "request"),
        ('DATABASES = {"default": env.db()}\nDATABASES["default"].update(ATOMIC_REQUESTS=True)\n', "request"),
        ('DATABASES = {"default": env.db()}\nDATABASES["default"]["ATOMIC_REQUESTS"] = False\n', ""),
    ],
)
def test_atomic_requests(settings: str, kind: str) -> None:
    project = build(
        settings=settings,
        urls="from django.urls import path\nfrom views import a\nurlpatterns = [path('a/', a)]\n",
        views="def a(request):\n    print(request)\n",
    )
    assert opened(project, "views.a") == kind


def test_openings_are_listed_once() -> None:
    assert sorted(owner.name for owner, _, _ in openings(build(app=DJANGO))) == [
        "atomic",
        "by_begun",
        "by_late",
        "by_unit",
        "decorated",
        "holding",
        "unit",
    ]


CERTAIN = """
    def keep(row, commit=True, quiet=False):
        store(row)
        if commit and not quiet:
            end()

    def keeps(row): keep(row)
    def leaves(row): keep(row, commit=False)
    def hushes(row): keep(row, quiet=True)
    def passes(row, flag): keep(row, commit=flag)

    def found(rows):
        row = look(rows)
        if row:
            return row
        return make(rows)

    def refused(rows):
        row = look(rows)
        if not row:
            return None
        return make(rows)

    def store(row): ...
    def end(): ...
    def look(rows): ...
    def make(rows): ...
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("keeps", True), ("leaves", False), ("hushes", False), ("passes", False)]
)
def test_arguments_decide_what_a_call_runs(name: str, expected: bool) -> None:
    project = build(app=CERTAIN)
    edge = project.graph.callees(fn(project, name))[0]
    keep = fn(project, "keep")
    assert certain(keep, keep.calls[0], given(edge))
    assert certain(keep, keep.calls[1], given(edge)) is expected


@pytest.mark.parametrize(("name", "expected"), [("found", False), ("refused", True)])
def test_what_was_found_may_be_handed_back_instead(name: str, expected: bool) -> None:
    owner = fn(build(app=CERTAIN), name)
    assert certain(owner, owner.calls[-1]) is expected


BASES = """
    from peewee import CharField, Model

    class Kept(Model):
        @classmethod
        def delete(cls, *args):
            return super().delete(*args)

        @classmethod
        def make(cls, **values):
            return cls.create(**values)

    class Mast(Kept):
        name = CharField()

        @classmethod
        def forget(cls, name):
            cls.delete().where(cls.name == name).execute()

    class Sail(Kept):
        name = CharField()

    def masts(name):
        Mast.delete().where(Mast.name == name).execute()

    def sails(name):
        Sail.make(name=name)

    def forgotten(name):
        Mast.forget(name)
"""


@pytest.mark.parametrize(
    ("name", "entities"), [("masts", {"app.Mast"}), ("sails", {"app.Sail"}), ("forgotten", {"app.Mast"})]
)
def test_a_bases_method_writes_its_receivers_model(name: str, entities: set[str]) -> None:
    project = build(app=BASES)
    assert {write.entity for write, _ in project.writes.reached(fn(project, f"app.{name}"))} == entities
