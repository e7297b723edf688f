"""What a project depends on at run time, and how its calls are protected."""

from __future__ import annotations

from building import build

from backendlint.project.model import Project
from backendlint.project.waiting.dependencies import Dependency


def only(project: Project, kind: str) -> Dependency:
    [found] = [item for item in project.dependencies.all if item.kind == kind]
    return found


def test_a_client_is_known_by_its_host_and_protected_by_what_is_around_it() -> None:
    project = build(
        clients="""
            import httpx, pybreaker
            from tenacity import retry, stop_after_attempt, wait_exponential
            breaker = pybreaker.CircuitBreaker()
            client = httpx.Client(base_url="https://stock.internal/api", timeout=3)
            @breaker
            @retry(stop=stop_after_attempt(3), wait=wait_exponential(max=5))
            def stock(item):
                return client.get(f"/stock/{item}").json()
        """,
        main="""
            import httpx
            from clients import stock
            from fastapi import FastAPI
            app = FastAPI()
            @app.get("/stock")
            def read():
                try:
                    return stock(1)
                except httpx.HTTPError:
                    return {}
        """,
    )
    found = only(project, "http")
    assert (found.name, found.library) == ("stock.internal", "httpx")
    assert (found.timeout, found.retry, found.backoff) == ("3 s", "3 attempts", "exponential")
    assert (found.breaker, found.fallback, found.pool) == ("yes", "yes", "100")
    assert [route.path for route in found.routes] == ["/stock"]


def test_what_nothing_protects() -> None:
    project = build(main="import requests\ndef f(x):\n    requests.get(f'https://a.internal/{x}')\n")
    found = only(project, "http")
    assert (found.name, found.timeout, found.retry, found.breaker, found.fallback) == (
        "a.internal",
        "none",
        "",
        "no",
        "no",
    )
    assert found.routes == ()


def test_calls_of_one_service_are_one_dependency() -> None:
    project = build(
        main="""
            import requests
            def f():
                requests.get('https://a.internal/1', timeout=3)
            def g():
                try:
                    requests.get('https://a.internal/2', timeout=10)
                except requests.RequestException:
                    return None
            def h():
                requests.get('https://b.internal/2', timeout=1)
        """
    )
    rows = [(item.name, len(item.calls), item.timeout, item.fallback) for item in project.dependencies.all]
    assert rows == [("a.internal", 2, "3 s to 10 s", "partly"), ("b.internal", 1, "1 s", "no")]
