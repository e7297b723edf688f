"""The call graph, effects and escaping exceptions, with their witnesses."""

from __future__ import annotations

from collections.abc import Iterable

from building import build, fn

from backendlint.facts.model import Call
from backendlint.project.entities import Fn

SOURCES = {
    "client": """
        import requests
        class PaymentError(Exception): ...
        def charge(amount):
            return requests.post("https://pay", json={"amount": amount})
        def charge_safely(amount):
            try:
                return charge(amount)
            except requests.RequestException as error:
                raise PaymentError("no") from error
    """,
    "service": """
        from client import charge, charge_safely
        def place(order):
            return charge(order.total)
        def place_safely(order):
            return charge_safely(order.total)
        def recursive(order):
            return recursive(order) or place(order)
    """,
    "api": """
        import asyncio
        from service import place
        async def direct(order):
            place(order)
        async def in_thread(order):
            await asyncio.to_thread(place, order)
    """,
}


def test_effects_are_transitive_with_the_shortest_witness() -> None:
    project = build(**SOURCES)
    assert project.effects.has(fn(project, "service.recursive"), "http")
    steps = project.effects.witness(fn(project, "service.place"), "http")
    assert [(step.location.path, step.location.line) for step in steps] == [("service.py", 4), ("client.py", 5)]


def test_a_thread_takes_the_waiting_away() -> None:
    project = build(**SOURCES)
    assert project.effects.has(fn(project, "api.direct"), "blocking")
    assert not project.effects.has(fn(project, "api.in_thread"), "blocking")
    kinds = {edge.kind for edge in project.graph.callees(fn(project, "api.in_thread"))}
    assert kinds == {"thread"}


def test_what_an_awaited_thread_or_a_helper_runs_is_waited_for() -> None:
    project = build(
        quay="""
            import asyncio
            import requests

            class Breaker:
                def run(self, work):
                    return work()

            def post(text):
                requests.post("https://harbour", data=text, timeout=2)

            async def tell(text):
                await asyncio.to_thread(post, text)

            def aside(text, loop):
                asyncio.create_task(asyncio.to_thread(post, text))

            def ask(breaker: Breaker):
                def fetch():
                    return requests.get("https://harbour", timeout=2)
                return breaker.run(fetch)

            def keep(breaker: Breaker, kept: list):
                def fetch():
                    return requests.get("https://harbour", timeout=2)
                kept.append(fetch)
        """
    )
    of = {name: set(project.effects.of(fn(project, f"quay.{name}"))) for name in ("tell", "aside", "ask", "keep")}
    assert of["tell"] == {"http"}
    assert "http" not in of["aside"]
    assert "http" in of["ask"]
    assert "http" not in of["keep"]


def test_start_of_a_threads_own_class_leads_to_its_run() -> None:
    project = build(
        main="""
        import threading, time
        class Mailer(threading.Thread):
            def run(self):
                time.sleep(1)
        def beside():
            Mailer().start()
        def at_once():
            Mailer().run()
        """
    )
    (edge,) = [edge for edge in project.graph.callees(fn(project, "main.beside")) if edge.callee.name == "run"]
    assert edge.kind == "thread"
    assert not project.effects.has(fn(project, "main.beside"), "blocking")
    assert project.effects.has(fn(project, "main.at_once"), "blocking")


def test_exceptions_escape_until_they_are_caught_and_wrapped() -> None:
    project = build(**SOURCES)
    assert "requests.RequestException" in project.exceptions.escaping(fn(project, "service.place"))
    safe = project.exceptions.escaping(fn(project, "service.place_safely"))
    assert "client.PaymentError" in safe
    assert not any(name.startswith("requests.") for name in safe)
    steps = project.exceptions.witness(fn(project, "service.place"), "requests.RequestException")
    assert [step.location.path for step in steps] == ["service.py", "client.py"]


def test_a_handler_that_reraises_lets_pass() -> None:
    project = build(
        main="""
        import contextlib
        def f():
            try:
                raise KeyError("x")
            except Exception:
                log()
                raise
        def g():
            with contextlib.suppress(KeyError):
                f()
        def h():
            try:
                f()
            except LookupError:
                return None
        """
    )
    assert "builtins.KeyError" in project.exceptions.escaping(fn(project, "main.f"))
    assert not project.exceptions.escaping(fn(project, "main.g"))
    assert not project.exceptions.escaping(fn(project, "main.h"))


def test_injected_dependencies_are_edges() -> None:
    project = build(
        main="""
        from typing import Annotated
        from fastapi import Depends
        def connect(): ...
        Connection = Annotated[object, Depends(connect)]
        def handler(db: Connection): ...
        """
    )
    edges = project.graph.callees(fn(project, "main.handler"))
    assert [(edge.kind, edge.callee.fqn) for edge in edges] == [("inject", "main.connect")]


def test_what_an_alias_injects_is_placed_where_the_parameter_names_it() -> None:
    project = build(
        deps="""
            from typing import Annotated
            from fastapi import Depends
            # far below
            # everything else
            def caller(): ...
            Caller = Annotated[str, Depends(caller)]
        """,
        main="""
            from deps import Caller
            def me(who: Caller): ...
        """,
    )
    edges = project.graph.callees(fn(project, "main.me"))
    assert [(edge.kind, edge.callee.fqn, edge.span.line) for edge in edges] == [("inject", "deps.caller", 2)]


def test_calls_are_found_by_what_they_call_and_by_how_they_are_written() -> None:
    project = build(
        m="""
        from builtins import len as size
        measure = len
        table = {"a": len}
        class Box:
            def update(self, values): ...
        def go(box: Box, items):
            size(items)
            measure(items)
            box.update(items)
            table["a"](items)
            unknown.update(items)
        """
    )
    graph = project.graph

    def lines(calls: Iterable[tuple[Fn, Call]]) -> list[int]:
        return [call.span.line for _, call in calls]

    assert lines(graph.calls_of("builtins.len")) == [8, 9, 11]
    assert lines(graph.calls_of("m.Box.update")) == [10]
    assert lines(graph.calls_written("update")) == [10, 12]
    assert lines(graph.calls_written("")) == [11]


def test_only_functions_that_lead_to_a_write_or_commit_count_as_storing() -> None:
    project = build(
        m="""
        import sqlite3
        connection = sqlite3.connect("x")
        def write(name):
            connection.execute("INSERT INTO users (name) VALUES (?)", (name,))
        def commit():
            connection.commit()
        def above(name):
            write(name)
        def read():
            return connection.execute("SELECT name FROM users").fetchall()
        """
    )
    storing = project.writes.storing
    assert {name for name in ("write", "commit", "above", "read") if f"m.{name}" in storing} == {
        "write",
        "commit",
        "above",
    }
    assert [write.op for write, _ in project.writes.reached(fn(project, "m.above"))] == ["insert"]


def test_methods_that_a_spelled_part_of_a_name_may_mean_are_called() -> None:
    project = build(
        app="""
            class Mails:
                def send(self, kind, name):
                    getattr(self, f"_send_{kind}_mail")()
                    getattr(self, "on_" + kind)(kind)
                    getattr(self, name)()
                def _send_first_mail(self): ...
                def _send_last_mail(self): ...
                def _send_mail(self): ...
                def on_paid(self, kind): ...
                def other(self): ...
        """
    )
    called = [edge.callee.name for edge in project.graph.callees(fn(project, "app.Mails.send"))]
    assert called == ["_send_first_mail", "_send_last_mail", "on_paid"]


def test_what_is_wrapped_for_a_thread_is_called_with_the_arguments_of_the_outer_call() -> None:
    project = build(
        app="""
            import time
            from asgiref.sync import sync_to_async
            def load(number):
                time.sleep(number)
            async def one(number):
                await sync_to_async(load)(number)
            aload = sync_to_async(load)
            async def two(number):
                await aload(number)
        """
    )
    for name in ("app.one", "app.two"):
        edges = project.graph.callees(fn(project, name))
        assert [(edge.kind, edge.callee.name, len(edge.call.args) if edge.call else -1) for edge in edges] == [
            ("call", "load", 1)
        ]
        assert project.effects.has(fn(project, name), "sleep")
        assert not project.effects.has(fn(project, name), "blocking")


def test_a_librarys_method_calls_those_of_the_projects_serializer() -> None:
    project = build(
        serializers="""
            from rest_framework import serializers
            class CrewSerializer(serializers.Serializer):
                def validate_name(self, value): return value
                def validate(self, attrs): return attrs
                def create(self, validated_data): return validated_data
                def other(self): ...
        """,
        views="""
            from rest_framework.views import APIView
            from serializers import CrewSerializer
            class Crews(APIView):
                def post(self, request):
                    form = CrewSerializer(data=request.data)
                    form.is_valid(raise_exception=True)
                    form.save()
        """,
    )
    edges = project.graph.callees(fn(project, "Crews.post"))
    assert sorted(edge.callee.name for edge in edges) == ["create", "validate", "validate_name"]
    assert {edge.kind for edge in edges} == {"call"}


def test_a_table_by_what_the_value_is_leads_nowhere() -> None:
    project = build(
        app="""
        def of_list(value): return value
        def of_dict(value): return value
        BY_TYPE = {list: of_list, dict: of_dict}
        BY_NAME = {"list": of_list, "dict": of_dict}

        def converted(value):
            return BY_TYPE[type(value)](value)

        def named(kind, value):
            return BY_NAME[kind](value)
        """
    )
    called = {name: len(project.graph.callees(project.functions[f"app.{name}"])) for name in ("converted", "named")}
    assert called["named"] == 2
    assert called["converted"] < 2


def test_what_a_function_is_given_and_runs_is_led_to() -> None:
    project = build(
        main="""
        import asyncio, requests
        def load(path, **options):
            return requests.get("https://x" + path, **options)
        def keep(work):
            return [work]
        class Breaker:
            def run(self, work, *args, **kwargs):
                return work(*args, **kwargs)
            def name(self, work):
                return work.__name__
            def once(self, work):
                self.kept = work()
            def later(self, work):
                if self.kept:
                    work()
                else:
                    self.queue.append(work)
        def through(breaker: Breaker):
            return breaker.run(load, "/a", timeout=3)
        def inner(breaker: Breaker):
            def ask():
                return load("/b")
            return breaker.run(ask)
        def not_run(breaker: Breaker):
            keep(load)
            breaker.once(lambda: load("/c"))
            breaker.later(lambda: load("/d"))
            return breaker.name(load)
        """
    )
    edges = [edge for edge in project.graph.callees(fn(project, "main.through")) if edge.callee.name == "load"]
    assert [(edge.kind, [vid for vid, _ in edge.passed(0)] == list(edge.call.args)) for edge in edges if edge.call] == [
        ("call", True)
    ]
    assert project.effects.has(fn(project, "main.inner"), "http")
    assert not project.effects.has(fn(project, "main.not_run"), "http")


def test_what_a_runner_hands_on_is_bound_to_what_it_runs() -> None:
    source = """
        import pybreaker
        from concurrent.futures import ThreadPoolExecutor
        breaker = pybreaker.CircuitBreaker()
        pool = ThreadPoolExecutor(2)
        class Gateway:
            def send(self, path, data=None): ...
            def ask(self, path):
                return breaker.call(self.send, path)
            def later(self, path):
                pool.submit(self.send, path, data={})
            def each(self, paths):
                return list(map(self.send, paths))
    """
    project = build(app=source)
    bound = {edge.caller.name: edge for edge in project.graph.callers(fn(project, "app.Gateway.send"))}
    for name in ("ask", "later"):
        given = {index: [bound[name].caller.value(vid) for vid, _ in bound[name].passed(index)] for index in (0, 1)}
        assert given == {0: [("param", 0)], 1: [("param", 1)]}
    assert bound["each"].handed < 0
