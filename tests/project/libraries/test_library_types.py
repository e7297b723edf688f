"""Types that library models give to values: what calls return, `with` binds and decorators make."""

from __future__ import annotations

from building import build, called, fn


def test_a_session_factory_gives_sessions_and_rows_keep_their_model() -> None:
    project = build(
        shop__db="""
            from sqlalchemy import create_engine, select
            from sqlalchemy.orm import sessionmaker
            from shop.models import User
            engine = create_engine("postgresql://db/shop")
            SessionLocal = sessionmaker(bind=engine)
            def load(uid):
                with SessionLocal() as session:
                    session.query(User).filter(User.id == uid).first().greet()
                    session.scalars(select(User)).one().greet()
                    session.commit()
        """,
        shop__models="class User:\n    def greet(self): ...\n",
    )
    names = [name for group in called(project, "db.load") for name in group]
    assert names.count("shop.models.User.greet") == 2
    assert {"sqlalchemy.orm.sessionmaker.__call__", "sqlalchemy.orm.Session.commit"} <= set(names)


def test_what_a_call_enters_may_differ_from_what_it_returns() -> None:
    project = build(
        jobs="""
            import asyncpg
            from sqlalchemy import create_engine
            engine = create_engine("sqlite://")
            def write():
                with engine.begin() as connection:
                    connection.execute("x")
            async def read(pool: asyncpg.Pool):
                async with pool.acquire() as connection:
                    await connection.fetch("x")
        """
    )
    assert called(project, "jobs.write")[-1] == ["sqlalchemy.engine.Connection.execute"]
    assert called(project, "jobs.read")[-1] == ["asyncpg.Connection.fetch"]


def test_a_task_is_called_through_its_decorators_object() -> None:
    project = build(
        worker="""
            import celery, dramatiq
            @celery.shared_task(bind=True)
            def charge(self, order): ...
            @dramatiq.actor
            def notify(order): ...
            def view(order):
                charge.delay(order)
                notify.send(order)
        """
    )
    assert called(project, "worker.view") == [["celery.Task.delay"], ["dramatiq.Actor.send"]]
    edges = {(edge.callee.name, edge.kind) for edge in project.graph.callees(fn(project, "worker.view"))}
    assert edges == {("charge", "task"), ("notify", "task")}


def test_an_annotated_context_manager_gives_what_it_says() -> None:
    project = build(
        db="""
            import contextlib
            from typing import AsyncContextManager
            from sqlalchemy.ext.asyncio import AsyncSession
            from sqlalchemy.orm import Session
            def plain() -> contextlib.AbstractContextManager[Session]: ...
            def waiting() -> AsyncContextManager[AsyncSession]: ...
            def write():
                with plain() as session:
                    session.commit()
            async def write_later():
                async with waiting() as session:
                    await session.commit()
        """
    )
    assert called(project, "write")[1] == ["sqlalchemy.orm.Session.commit"]
    assert called(project, "write_later")[1] == ["sqlalchemy.ext.asyncio.AsyncSession.commit"]


def test_methods_of_serializers_get_rows_of_their_model() -> None:
    project = build(
        shop="""
            from django.db import models
            from rest_framework import serializers
            class Order(models.Model):
                def total(self): ...
            class OrderSerializer(serializers.ModelSerializer):
                sum = serializers.SerializerMethodField()
                class Meta:
                    model = Order
                def get_sum(self, order):
                    return order.total()
                def get_rate(self, currency):
                    return currency.total()
                def update(self, order, values):
                    return order.total()
        """
    )
    assert called(project, "get_sum") == [["shop.Order.total"]]
    assert called(project, "get_rate") == [[]]
    assert called(project, "update") == [["shop.Order.total"]]
