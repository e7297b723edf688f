"""Retry policies: what is retried, and by what name."""

from __future__ import annotations

from textwrap import indent

import pytest
from building import build

HEAD = """
import requests
from tenacity import retry, Retrying, stop_after_attempt
class Api:
    def send(self, order):
        return requests.post('https://orders.internal', json=order, timeout=3)
"""
LOOP = "    while True:\n        try:\n            return {}\n        except Exception:\n            pass\n"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def place(order):\n" + LOOP.format("requests.post('u', timeout=3)"), "`post()` in `place()`"),
        ("def place(api: Api, order):\n" + LOOP.format("api.send(order)"), "`send()` in `place()`"),
        ("def again(action):\n" + LOOP.format("action()"), "`action()` in `again()`"),
        ("def again(action):\n    def tried():\n" + indent(LOOP.format("action()"), "    "), "`action()` in `tried()`"),
        ("@retry(stop=stop_after_attempt(3))\ndef place(order):\n    requests.post('u', timeout=3)", "`place()`"),
        (
            "def place():\n    for n in Retrying(stop=stop_after_attempt(3)):\n        with n:\n            requests.get('u', timeout=3)",
            "`get()` in `place()`",
        ),
    ],
)
def test_what_is_retried_has_a_name(code: str, name: str) -> None:
    (policy,) = (item for item in build(app=HEAD + code).retries.all if item.kind != "client")
    assert policy.retried == name


def test_what_an_object_is_given_to_run_has_a_name() -> None:
    made = "    again = Retrying(stop=stop_after_attempt(3), reraise=True)\n"
    code = "def place(api: Api, order):\n" + made + "    return again(api.send, order)\n"
    (policy,) = (item for item in build(app=HEAD + code).retries.all if item.handed)
    assert policy.retried == "`send()` in `place()`"


def test_an_end_that_is_chosen_anew_in_a_loop_is_no_endless_one() -> None:
    code = """
from tenacity import stop_never
def place(names, tries):
    stop = stop_never
    for name in names:
        if name == "last":
            stop = stop if tries else stop_after_attempt(3)
        @retry(stop=stop)
        def send():
            return requests.get('u', timeout=3)
        send()
"""
    (policy,) = (item for item in build(app=HEAD + code).retries.all if item.kind == "decorator")
    assert policy.bounded
