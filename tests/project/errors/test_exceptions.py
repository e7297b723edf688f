"""Which exceptions leave functions: wrapping, re-raising, suppressing, groups, finally, tasks; and what maps them."""

from __future__ import annotations

import textwrap

import pytest
from building import build, fn

ERRORS = """
    class ShopError(Exception): pass
    class OutOfStock(ShopError): pass
    class Other(Exception): pass

    def take():
        raise OutOfStock(1)
"""
MANAGER = (
    "from contextlib import contextmanager\ndef f():\n    with managed():\n        take()\n@contextmanager\ndef managed():\n    try:\n"
    "        yield\n"
)
PROPERTY = "class C:\n    @property\n    def p(self):\n        take()\ndef f(c: C):\n"


def escaping(body: str, name: str = "f", **files: str) -> set[str]:
    project = build(errors=ERRORS, app="from errors import *\nimport errors\n" + body, **files)
    return {item.rpartition(".")[2] for item in project.exceptions.escaping(fn(project, f"app.{name}"))}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def f():\n    take()\n", {"OutOfStock"}),
        ("def f():\n    try:\n        take()\n    except OutOfStock:\n        pass\n", set()),
        ("def f():\n    try:\n        take()\n    except ShopError:\n        pass\n", set()),
        ("def f():\n    try:\n        take()\n    except Other:\n        pass\n", {"OutOfStock"}),
        ("def f():\n    try:\n        take()\n    except (Other, ShopError):\n        pass\n", set()),
        ("def f():\n    try:\n        take()\n    except:\n        pass\n", set()),
        ("def f():\n    try:\n        take()\n    except ShopError:\n        raise\n", {"OutOfStock"}),
        ("def f():\n    try:\n        take()\n    except ShopError as e:\n        raise e\n", {"OutOfStock"}),
        ("def f():\n    try:\n        take()\n    except ShopError as e:\n        raise Other from e\n", {"Other"}),
        ("def f():\n    try:\n        take()\n    except ShopError:\n        raise Other()\n", {"Other"}),
        ("def f():\n    try:\n        pass\n    finally:\n        take()\n", {"OutOfStock"}),
        ("def f():\n    try:\n        take()\n    finally:\n        return 1\n", set()),
        ("def f():\n    try:\n        take()\n    finally:\n        print()\n", {"OutOfStock"}),
        (
            "def f():\n    try:\n        pass\n    except Other:\n        pass\n    else:\n        take()\n",
            {"OutOfStock"},
        ),
        (
            (
                "def f():\n    try:\n        try:\n            take()\n        except ShopError:\n            raise\n"
                "    except OutOfStock:\n        pass\n"
            ),
            set(),
        ),
        ("import contextlib\ndef f():\n    with contextlib.suppress(ShopError):\n        take()\n", set()),
        ("import contextlib\ndef f():\n    with contextlib.suppress(Other):\n        take()\n", {"OutOfStock"}),
        (MANAGER + "    except ShopError as e:\n        raise Other from e\n", {"Other"}),
        (MANAGER + "    except ShopError:\n        return\n", set()),
        (MANAGER + "    except ShopError:\n        raise\n", {"OutOfStock"}),
        (MANAGER + "    except Other:\n        return\n", {"OutOfStock"}),
        (MANAGER + "    finally:\n        print()\n", {"OutOfStock"}),
        ("ALL = (Other, ShopError)\ndef f():\n    try:\n        take()\n    except ALL:\n        pass\n", set()),
        ("def f():\n    return lambda: take()\n", set()),
        ("import threading\ndef f():\n    threading.Thread(target=take).start()\n", set()),
        (PROPERTY + "    return c.p\n", {"OutOfStock"}),
        (
            PROPERTY + "    try:\n        if not c.p:\n            return 1\n    except ShopError:\n        pass\n",
            set(),
        ),
        (PROPERTY + "    try:\n        pass\n    except ShopError:\n        return c.p\n", {"OutOfStock"}),
    ],
)
def test_escaping(body: str, expected: set[str]) -> None:
    assert escaping(body) == expected


def test_recursion_ends() -> None:
    assert escaping("def f(n):\n    if n:\n        return g(n)\n    take()\ndef g(n):\n    return f(n - 1)\n") == {
        "OutOfStock"
    }


DECORATED = """
    def guarded(method):
        def inner(*args, **kwargs):
            try:
                return method(*args, **kwargs)
            except {caught}:
                {answer}
        return inner

    @guarded
    def dig():
        take()

    def f():
        dig()
"""


@pytest.mark.parametrize(
    ("caught", "answer", "expected"),
    [
        ("ShopError", "return None", set()),
        ("ShopError", "raise", {"OutOfStock"}),
        ("Other", "return None", {"OutOfStock"}),
    ],
)
def test_what_a_decorator_catches_does_not_reach_the_callers(caught: str, answer: str, expected: set[str]) -> None:
    body = textwrap.dedent(DECORATED.format(caught=caught, answer=answer))
    assert escaping(body) == expected
    assert escaping(body, "dig") == {"OutOfStock"}  # the function itself lets it pass


def test_the_witness_names_the_calls_and_the_raise() -> None:
    project = build(errors=ERRORS, app="from errors import take\ndef g():\n    take()\ndef f():\n    g()\n")
    steps = project.exceptions.witness(fn(project, "app.f"), "errors.OutOfStock")
    assert [step.message for step in steps] == ["calls g()", "calls take()", "raises OutOfStock"]


def test_a_models_own_exception_catches_what_its_manager_raises() -> None:
    project = build(
        app="""
        from django.db import models

        class Book(models.Model):
            pass

        def caught(key):
            try:
                return Book.objects.get(pk=key)
            except (Book.DoesNotExist, Book.MultipleObjectsReturned):
                return None

        def open_(key):
            return Book.objects.get(pk=key)
        """
    )
    assert not project.exceptions.escaping(fn(project, "app.caught"))
    assert "django.db.models.Model.DoesNotExist" in project.exceptions.escaping(fn(project, "app.open_"))


def test_handlers_decorators_and_middleware_map_exceptions() -> None:
    project = build(
        errors=ERRORS,
        app="""
        from flask import Flask
        from errors import *

        app = Flask(__name__)

        def answers(function):
            def wrapped():
                try:
                    return function()
                except Other:
                    return "", 400
            return wrapped

        @app.errorhandler(ShopError)
        def failed(error):
            return "", 409

        @app.get("/a")
        def a():
            take()

        @app.get("/b")
        def b():
            raise Other()

        @app.get("/c")
        @answers
        def c():
            raise Other()
        """,
    )
    assert [(item.fn.name, item.name) for item in project.error_paths.unmapped()] == [("b", "errors.Other")]


def test_wrapping_is_told_from_leaking() -> None:
    project = build(
        services__orders="""
        import httpx

        class Failed(Exception): pass

        def wrapped(client: httpx.Client):
            try:
                client.get("https://x.example")
            except httpx.HTTPError as error:
                raise Failed from error

        def leaking(client: httpx.Client):
            client.get("https://x.example")
        """
    )
    assert [item.fn.name for item in project.error_paths.unwrapped("service")] == ["leaking"]


PEEWEE = """
    from django.db import models
    from peewee import CharField, DoesNotExist, Model

    class Base(Model):
        @classmethod
        def get(cls, *query):
            return cls.select().where(*query).get()

    class Boat(Base):
        name = CharField()

    class Crew(models.Model):
        pass

    def chained(name):
        try:
            return Boat.select().where(Boat.name == name).get()
        except Boat.DoesNotExist:
            return None

    def overridden(name):
        try:
            return Boat.get(Boat.name == name)
        except Boat.DoesNotExist:
            return None

    def by_id(key):
        try:
            return Boat.get_by_id(key)
        except DoesNotExist:
            return None

    def other(name):
        try:
            return Boat.select().where(Boat.name == name).get()
        except Crew.DoesNotExist:
            return None

    def bare(key):
        return Boat.get_by_id(key)
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chained", set()),
        ("overridden", set()),
        ("by_id", set()),
        ("other", {"peewee.Model.DoesNotExist"}),
        ("bare", {"peewee.Model.DoesNotExist"}),
    ],
)
def test_the_exceptions_of_two_libraries_models_are_told_apart(name: str, expected: set[str]) -> None:
    project = build(app=PEEWEE)
    assert set(project.exceptions.escaping(fn(project, f"app.{name}"))) == expected


def test_a_handler_raises_only_where_something_was_tried() -> None:
    """`if wanted: ...` is all that is tried: without it nothing fails."""
    body = """
def keys(rows, wanted=None):
    try:
        if wanted is not None:
            rows = rows.only(wanted)
    except ValueError:
        raise Other(wanted)
    return rows

def both(rows, wanted=None):
    try:
        rows.load()
        if wanted is not None:
            rows = rows.only(wanted)
    except ValueError:
        raise Other(wanted)
    return rows

def f(rows):
    return keys(rows)

def g(rows, text):
    return keys(rows, text)

def h(rows):
    return both(rows)
"""
    assert [escaping(body, name) for name in ("f", "g", "h")] == [set(), {"Other"}, {"Other"}]
