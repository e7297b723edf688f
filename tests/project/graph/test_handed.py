"""Helpers of the project's own that call what they are given."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.model import Project

CODE = """
import asyncio, time
import requests

class Closed(Exception): ...

def plainly(work, *args, **options):
    return work(*args, **options)

def guarded(work, *args, **options):
    try:
        return work(*args, **options)
    except requests.RequestException as error:
        raise Closed("upstream") from error

def outer(work, path):
    return guarded(work, path)

def again(work, path):
    for attempt in range(3):
        try:
            return work(path)
        except requests.RequestException:
            time.sleep(1)
    raise Closed(path)

async def beside(work, path):
    return await asyncio.to_thread(work, path)

class Kept:
    def __init__(self):
        self.known = {}
    def get(self, name, make):
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]

def load(path, timeout=4):
    return requests.get("https://x" + path, timeout=timeout)

async def f(kept: Kept):
    {call}
"""


def built(call: str) -> Project:
    return build(main=CODE.replace("{call}", call))


@pytest.mark.parametrize(
    ("call", "failures"),
    [
        ("plainly(load, '/a')", True),
        ("guarded(load, '/a')", False),
        ("outer(load, '/a')", False),
        ("kept.get('a', load)", False),
    ],
)
def test_what_a_helper_catches_goes_no_further(call: str, failures: bool) -> None:
    project = built(call)
    escaping = project.exceptions.escaping(fn(project, "main.f"))
    assert any(name.startswith("requests.") for name in escaping) is failures


@pytest.mark.parametrize(
    ("call", "seconds"),
    [
        ("plainly(load, '/a')", 4),
        ("plainly(load, '/a', timeout=9)", 9),
        ("outer(load, '/a')", 4),
        ("again(load, '/a')", 14),
        ("await beside(load, '/a')", 4),
        ("kept.get('a', load)", 0),
    ],
)
def test_what_a_helper_calls_is_waited_for(call: str, seconds: float) -> None:
    project = built(call)
    assert project.waits.of(fn(project, "main.f")).seconds == seconds
