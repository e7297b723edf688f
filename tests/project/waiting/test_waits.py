"""Worst-case waits: what adds up, what alternates, what runs side by side, what is cut off."""

from __future__ import annotations

import pytest
from building import build, fn

HEAD = """
import asyncio, time
import httpx, requests
from tenacity import retry, stop_after_attempt, wait_fixed
client = httpx.AsyncClient(timeout=5)
async def one():
    await client.get('https://a.internal')
async def two():
    await client.get('https://b.internal', timeout=8)
"""


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("def f():\n    requests.get('u', timeout=3)\n    requests.get('u', timeout=4)", 7),
        (
            "def f(x):\n    if x:\n        requests.get('u', timeout=3)\n    else:\n        requests.get('u', timeout=9)",
            9,
        ),
        (
            "def f(x):\n    if x:\n        return requests.get('u', timeout=3)\n    return requests.get('u', timeout=4)",
            4,
        ),
        ("def f():\n    for x in range(3):\n        requests.get('u', timeout=3)", 9),
        ("def f(xs):\n    for x in xs:\n        requests.get('u', timeout=3)", 3),
        (
            "def f():\n    try:\n        requests.get('u', timeout=3)\n    except OSError:\n        requests.get('u', timeout=4)",
            7,
        ),
        ("def f():\n    time.sleep(2)", 2),
        (
            (
                "def f():\n    for n in range(3):\n        try:\n            return requests.get('u', timeout=10)\n"
                "        except requests.RequestException:\n            time.sleep(2 ** n)"
            ),
            33,
        ),
        ("@retry(stop=stop_after_attempt(3), wait=wait_fixed(2))\ndef f():\n    requests.get('u', timeout=10)", 34),
        ("async def f():\n    await one()\n    await two()", 13),
        ("async def f():\n    await asyncio.gather(one(), two())", 8),
        ("async def f():\n    await asyncio.gather(*[one() for _ in range(5)])", 5),
        (
            "async def f():\n    async with asyncio.TaskGroup() as g:\n        g.create_task(one())\n        g.create_task(two())",
            8,
        ),
        ("async def f():\n    await asyncio.wait_for(two(), 2)", 2),
        ("async def f():\n    async with asyncio.timeout(4):\n        await one()\n        await two()", 4),
        ("async def f():\n    await asyncio.to_thread(g)\ndef g():\n    requests.get('u', timeout=6)", 6),
        ("def f():\n    requests.get('u', timeout=1)\n    f()", 1),
        ("def f():\n    requests.get('u')", 0),
        (
            "def f():\n    pause = 2\n    for n in range(3):\n        time.sleep(pause)\n        pause = int(pause * 2.5)",
            19,
        ),
        ("def f():\n    n = 0\n    while n < 4:\n        n += 1\n        time.sleep(n * 3)", 30),
        ("def f(ok):\n    n = 5\n    while n > 0 and not ok():\n        time.sleep(n)\n        n -= 1", 15),
        ("def f():\n    for n in range(3):\n        if n > 0:\n            time.sleep(10 * n)", 30),
        (
            "def f():\n    for n in range(4):\n        if n == 2:\n            raise OSError\n        time.sleep(10 ** n)",
            11,
        ),
        ("def f():\n    for n in range(1, 10, 4):\n        time.sleep(n)", 15),
        ("def f():\n    for n, _ in enumerate('abc', 1):\n        time.sleep(2)", 2),
        (
            (
                "def f(ask):\n    tries, pause = 0, 100\n    while tries < 4:\n        if tries > 0:\n            time.sleep(pause)\n"
                "            pause = pause + 10\n        try:\n            return requests.get('u', timeout=1)\n"
                "        except requests.RequestException:\n            print('again')\n        tries += 1"
            ),
            334,
        ),
    ],
)
def test_the_wait_of_a_function(body: str, seconds: float) -> None:
    project = build(main=f"{HEAD}{body}\n")
    assert project.waits.of(fn(project, "main.f")).seconds == seconds


@pytest.mark.parametrize(
    ("call", "seconds"),
    [
        ("fetch('u')", 3),
        ("fetch('u', deep=True)", 12),
        ("fetch('u', deep=deep)", 12),
        ("fetch('u', pages=['a', 'b'])", 7),
        ("fetch('u', pages=deep)", 7),
        ("fetch('u', row={'id': 1})", 0),
        ("through('u')", 3),
        ("through('u', True)", 12),
    ],
)
def test_the_arguments_of_a_call_rule_waits_out(call: str, seconds: float) -> None:
    body = f"""
def fetch(url, deep=False, pages=None, row=None):
    if row is not None:
        return row
    if deep:
        requests.get(url, timeout=9)
    for page in pages or []:
        requests.get(page, timeout=4)
    return requests.get(url, timeout=3)
def through(url, deep=None):
    return fetch(url, deep)
def f(deep):
    {call}
"""
    project = build(main=f"{HEAD}{body}")
    assert project.waits.of(fn(project, "main.f")).seconds == seconds


@pytest.mark.parametrize(
    ("call", "seconds"),
    [
        ("ask('u', timeout=9)", 9),
        ("ask('u')", 4),
        ("through('u', timeout=7)", 7),
        ("through('u', timeout=LONG)", 45),
        ("through('u', json={'timeout': 7})", 4),
        ("through('u', **given)", 0),
        ("named('u', 8)", 8),
        ("named('u')", 6),
        ("again('u', attempts=3, timeout=5)", 15),
        ("again('u', attempts=TWICE)", 8),
        ("again('u')", 4),
    ],
)
def test_timeouts_and_attempts_that_a_caller_passes(call: str, seconds: float) -> None:
    body = f"""
import httpx
LONG = httpx.Timeout(45, connect=2)
TWICE = 2
client = httpx.Client(timeout=4)
def ask(url, **options):
    return client.get(url, **options)
def through(url, **options):
    return ask(url, **options)
def named(url, limit=6):
    return requests.get(url, timeout=limit)
def again(url, *, attempts=1, **options):
    for attempt in range(attempts):
        try:
            return through(url, **options)
        except httpx.TransportError:
            continue
def f(given):
    {call}
"""
    project = build(main=f"{HEAD}{body}")
    assert project.waits.of(fn(project, "main.f")).seconds == seconds


@pytest.mark.parametrize(
    ("on", "seconds"),
    [("requests.HTTPError", 9), ("Exception", 29), ("(requests.HTTPError, OSError)", 29), ("openai.APIError", 29)],
)
def test_a_retry_repeats_what_raises_its_exceptions(on: str, seconds: float) -> None:
    body = f"""
import openai
from tenacity import retry_if_exception_type
model = openai.OpenAI()
@retry(stop=stop_after_attempt(3), wait=wait_fixed(1), retry=retry_if_exception_type({on}))
def f(text):
    return model.embeddings.create(input=text, timeout=9)
"""
    project = build(main=f"{HEAD}{body}")
    assert project.waits.of(fn(project, "main.f")).seconds == seconds


@pytest.mark.parametrize(
    "kept",
    [
        "if 'db' not in g:\n        g.db = connect()\n    return g.db",
        "if not hasattr(g, 'db'):\n        g.db = connect()\n    return g.db",
        "if getattr(g, 'db', None) is None:\n        g.db = connect()\n    return g.db",
        "db = g.get('db')\n    if db:\n        return db\n    g.db = connect()\n    return g.db",
    ],
)
def test_what_a_request_keeps_is_waited_for_once(kept: str) -> None:
    body = f"""
from flask import g
def connect():
    tries = 0
    while True:
        try:
            return requests.get('u', timeout=2)
        except OSError:
            tries += 1
            if tries > 3:
                raise
            time.sleep(2 ** tries)
def db():
    {kept}
def f():
    for _ in range(4):
        db()
    return db()
"""
    project = build(main=f"{HEAD}{body}")
    assert project.waits.of(fn(project, "main.f")).seconds == 2 * 4 + 2 + 4 + 8


@pytest.mark.parametrize(
    ("loop", "longer"), [("for x in xs", True), ("for x in range(3)", False), ("while xs()", True), ("if xs", False)]
)
def test_a_loop_of_unknown_length_takes_longer(loop: str, longer: bool) -> None:
    project = build(main=f"{HEAD}def f(xs):\n    {loop}:\n        requests.get('u', timeout=3)\n")
    found = project.waits.of(fn(project, "main.f"))
    assert (found.longer, found.open) == (longer, longer)


def test_calls_without_a_timeout_are_named() -> None:
    project = build(main="import requests\ndef f():\n    requests.get('u')\n")
    assert [site.model.name for site in project.waits.of(fn(project, "main.f")).endless] == ["requests.get"]


def test_an_endpoint_waits_for_its_dependencies_and_not_for_jobs() -> None:
    project = build(
        deps="import requests\ndef user():\n    return requests.get('u', timeout=2)\n",
        jobs="import requests\nfrom celery import shared_task\n@shared_task\ndef job():\n    requests.get('u', timeout=60)\n",
        main="""
            from fastapi import Depends, FastAPI
            from deps import user
            from jobs import job
            app = FastAPI()
            @app.get("/x")
            def x(who=Depends(user)):
                job.delay()
        """,
    )
    assert [project.waits.route(route).seconds for route in project.routes] == [2]


def test_the_sum_is_written_out() -> None:
    project = build(main="import requests\ndef f():\n    for _ in range(2):\n        requests.get('u', timeout=10)\n")
    assert [part.text for part in project.waits.of(fn(project, "main.f")).parts] == ["requests.get in f() 10 s x 2"]
