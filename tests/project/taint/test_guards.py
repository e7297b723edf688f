"""Tests that make a value harmless, and tests that do not."""

from __future__ import annotations

import pytest
from flowing import reaches

HEAD = """
import logging
import os
import re
from pathlib import Path
from uuid import UUID
from urllib.parse import urlparse, urlsplit, urlunsplit
import requests
from flask import abort, redirect
from flask_restful import abort as refuse

ALLOWED = ("a", "b")
HOSTS = {"example.com"}
MIRROR = "https://example.com/feeds"
BASE = Path("/srv/files").resolve()
NEWLINES = re.compile("[\\r\\n]+")


BERTHS = {"a": 1}


def below(path):
    if os.path.realpath(path).startswith("/srv/files/"):
        return True, None
    return False, "outside"


def tell(name):
    logging.info("got %s", name)


def is_known(name):
    return name in ALLOWED


def check_name(name):
    if name not in ALLOWED:
        raise ValueError(name)


def is_number(text, base=10):
    try:
        int(text, base)
        return True
    except (TypeError, ValueError):
        return False


def is_amount(text):
    try:
        amount = float(text)
    except ValueError:
        return False
    else:
        return amount > 0


def is_key(text):
    try:
        key = UUID(text)
    except ValueError:
        return False
    return str(key) == text


def is_anything(text):
    try:
        int(text)
    except ValueError:
        logging.info("no number")
    return True


def is_no_number(text):
    try:
        int(text)
        return False
    except ValueError:
        return True


def is_perhaps_number(text, strict=False):
    try:
        if strict:
            int(text)
        strict and int(text)
        return True
    except ValueError:
        return False


def is_short(text):
    if not isinstance(text, str):
        return False
    if len(text) > 9:
        return False
    return True


def is_safe_url(url):
    return frobnicate(url)
"""
GOOD = {
    "conversion tried": ("command", 'x = request.args["x"]\nif not is_number(x):\n    abort(400)\nos.system(x)'),
    "conversion tried, else": ("command", 'x = request.args["x"]\nif not is_amount(x):\n    abort(400)\nos.system(x)'),
    "conversion tried before": ("command", 'x = request.args["x"]\nif not is_key(x):\n    abort(400)\nos.system(x)'),
    "where it is given": (
        "command",
        'x = request.args.get("x")\nif x is not None:\n    if x not in ALLOWED:\n        abort(400)\nos.system(x)',
    ),
    "scheme and host at once": (
        "ssrf",
        'p, m = urlsplit(x := request.args["x"]), urlsplit(MIRROR)\nif (p[0], p.netloc) != (m[0], m.netloc):\n    exit()\nrequests.get(x)',
    ),
    "found in a table": (
        "command",
        'x = request.args["x"]\nberth = BERTHS.get(x)\nif not berth:\n    abort(404)\nos.system(x)',
    ),
    "found in a table, in a text": (
        "log",
        'x = request.args["x"]\nberth = BERTHS.get(x)\nif berth is not None:\n    logging.info(f"berth {x}")',
    ),
    "first of two answers": (
        "path",
        'x = os.path.realpath(request.args["x"])\nok, text = below(x)\nif not ok:\n    abort(400)\nopen(x)',
    ),
    "tested before a helper": ("log", 'x = request.args["x"]\nif x not in ALLOWED:\n    abort(400)\ntell(x)'),
    "attribute tested before a helper": (
        "log",
        'if request.form["x"] not in ALLOWED:\n    abort(400)\ntell(request.form["x"])',
    ),
    "test of an inner function": (
        "redirect",
        'def is_safe_url(x):\n    return frobnicate(x)\nx = request.args["x"]\nif is_safe_url(x):\n    redirect(x)',
    ),
    "abort of another library": (
        "command",
        'x = request.args["x"]\nif x not in ALLOWED:\n    refuse(404)\nos.system(x)',
    ),
    "other characters taken out": ("path", 'x = re.sub(r"[^a-z0-9_-]+", "", request.args["x"])\nopen("/srv/" + x)'),
    "line breaks made blanks": ("log", 'x = NEWLINES.sub(" ", request.args["x"])\nlogging.info("got " + x)'),
    "one of the lines": ("log", 'for x in request.args["x"].splitlines():\n    logging.info("got " + x)'),
    "in a tuple": ("command", 'x = request.args["x"]\nif x in ("a", "b"):\n    os.system(x)'),
    "own test by keyword": ("command", 'x = request.args["x"]\nif is_known(name=x):\n    os.system(x)'),
    "begins with a word": ("redirect", 'x = request.args["x"]\nif re.match("/[a-z]", x):\n    redirect(x)'),
    "in a constant": ("command", 'x = request.args["x"]\nif x not in ALLOWED:\n    abort(400)\nos.system(x)'),
    "equal": ("command", 'x = request.args["x"]\nif x == "a":\n    os.system(x)'),
    "ordered among numbers": ("command", 'x = request.json["x"]\nif x <= 0:\n    abort(400)\nos.system(f"seq {x}")'),
    "digits": ("command", 'x = request.args["x"]\nif x.isdigit():\n    os.system(x)'),
    "not digits, return": ("command", 'x = request.args["x"]\nif not x.isalnum():\n    return ""\nos.system(x)'),
    "full match": ("command", 'x = request.args["x"]\nif re.fullmatch("[a-z]+", x):\n    os.system(x)'),
    "own test": ("command", 'x = request.args["x"]\nif is_known(x):\n    os.system(x)'),
    "own check": ("command", 'x = request.args["x"]\ncheck_name(x)\nos.system(x)'),
    "and": ("command", 'x = request.args["x"]\nif x and x in ALLOWED:\n    os.system(x)'),
    "or, negated": ("command", 'x = request.args["x"]\nif not x or x not in ALLOWED:\n    return ""\nos.system(x)'),
    "written twice": ("command", 'if request.args["x"] in ALLOWED:\n    os.system(request.args["x"])'),
    "default or": ("command", 'x = request.args.get("x") or request.form.get("x")\nif x in ALLOWED:\n    os.system(x)'),
    "below base": (
        "path",
        'p = (BASE / request.args["x"]).resolve()\nif not p.is_relative_to(BASE):\n    abort(404)\nopen(p)',
    ),
    "real path": (
        "path",
        'p = os.path.realpath(request.args["x"])\nif not p.startswith("/srv/files/"):\n    abort(404)\nopen(p)',
    ),
    "no dots": ("path", 'x = request.args["x"]\nif ".." in x:\n    abort(400)\nopen("/srv/" + x)'),
    "host": ("ssrf", 'x = request.args["x"]\nif urlparse(x).hostname in HOSTS:\n    requests.get(x)'),
    "fixed host": ("ssrf", 'requests.get("https://example.com/" + request.args["x"])'),
    "no host": ("redirect", 'x = request.args["x"]\nif urlparse(x).netloc:\n    abort(400)\nreturn redirect(x)'),
    "no host, as a bool": (
        "redirect",
        'x = request.args["x"]\nelsewhere = bool(urlparse(x).netloc)\nif x and not elsewhere:\n    return redirect(x)',
    ),
    "host emptied": (
        "redirect",
        'return redirect(urlunsplit(urlsplit(request.args["x"])._replace(scheme="", netloc="")))',
    ),
    "named test": ("redirect", 'x = request.args["x"]\nif is_safe_url(x):\n    return redirect(x)'),
}
BAD = {
    "measured": ("command", 'x = request.args["x"]\nif not is_short(x):\n    abort(400)\nos.system(x)'),
    "conversion failed, and on": (
        "command",
        'x = request.args["x"]\nif not is_anything(x):\n    abort(400)\nos.system(x)',
    ),
    "conversion failed": ("command", 'x = request.args["x"]\nif not is_no_number(x):\n    abort(400)\nos.system(x)'),
    "conversion made at times": (
        "command",
        'x = request.args["x"]\nif not is_perhaps_number(x):\n    abort(400)\nos.system(x)',
    ),
    "another where it is given": (
        "command",
        'x, y = request.args["x"], request.args["y"]\nif x is not None:\n    if y not in ALLOWED:\n        abort(400)\nos.system(x)',
    ),
    "looked up, not tested": (
        "log",
        'x = request.args["x"]\nberth = BERTHS.get(x)\nlogging.info(f"berth {x} {berth}")',
    ),
    "looked up in what was sent": ("command", 'x = request.args["x"]\nif request.form.get(x):\n    os.system(x)'),
    "another part of the answer": (
        "path",
        'x = os.path.realpath(request.args["x"])\nok, text = below(x)\nif text:\n    open(x)',
    ),
    "two values in a text": (
        "log",
        'x, y = request.args["x"], request.args["y"]\nif x in ALLOWED:\n    logging.info(f"{x} {y}")',
    ),
    "a word taken out": ("path", 'x = re.sub("foo", "", request.args["x"])\nopen("/srv/" + x)'),
    "slashes left in": ("path", 'x = re.sub(r"[^a-z/.]", "", request.args["x"])\nopen("/srv/" + x)'),
    "slashes put in": ("path", 'x = re.sub(r"[^a-z.]", "/", request.args["x"])\nopen("/srv/" + x)'),
    "lines put together again": (
        "log",
        'x = "\\n".join(request.args["x"].splitlines())\nlogging.info("got " + x)',
    ),
    "not aborted": ("command", 'x = request.args["x"]\nif x not in ALLOWED:\n    report(404)\nos.system(x)'),
    "begins with a slash": ("redirect", 'x = request.args["x"]\nif re.match("/", x):\n    redirect(x)'),
    "begins with a slash and anything": ("redirect", 'x = request.args["x"]\nif re.match("/.+", x):\n    redirect(x)'),
    "holds a word": ("redirect", 'x = request.args["x"]\nif re.search("/[a-z]", x):\n    redirect(x)'),
    "begins with perhaps a word": ("redirect", 'x = request.args["x"]\nif re.match("/[a-z]*", x):\n    redirect(x)'),
    "other branch": ("command", 'x = request.args["x"]\nif x in ALLOWED:\n    pass\nelse:\n    os.system(x)'),
    "after the test": ("command", 'x = request.args["x"]\nif x in ALLOWED:\n    pass\nos.system(x)'),
    "other value": ("command", 'x, y = request.args["x"], request.args["y"]\nif y in ALLOWED:\n    os.system(x)'),
    "tested against input": ("command", 'x = request.args["x"]\nif x in request.args.getlist("y"):\n    os.system(x)'),
    "changed after": (
        "command",
        'x = request.args["x"]\nif x in ALLOWED:\n    x = x + request.args["y"]\n    os.system(x)',
    ),
    "or": ("command", 'x = request.args["x"]\nif x in ALLOWED or os.name:\n    os.system(x)'),
    "truth": ("command", 'x = request.args["x"]\nif x:\n    os.system(x)'),
    "length": ("command", 'x = request.args["x"]\nif len(x) > 3:\n    abort(400)\nos.system(x)'),
    "ordered among texts": ("command", 'x = request.args["x"]\nif x > "a":\n    os.system(x)'),
    "prefix": ("path", 'x = os.path.join("/srv", request.args["x"])\nif x.startswith("/srv"):\n    open(x)'),
    "host check is no shell check": (
        "command",
        'x = request.args["x"]\nif urlparse(x).hostname in HOSTS:\n    os.system(x)',
    ),
    "host prefix": ("ssrf", 'requests.get("https://" + request.args["x"])'),
    "slash": ("redirect", 'x = request.args["x"]\nif x.startswith("/"):\n    return redirect(x)'),
}


@pytest.mark.parametrize(("kind", "body"), GOOD.values(), ids=GOOD)
def test_test_that_helps(kind: str, body: str) -> None:
    assert not reaches(body, kind, HEAD)


@pytest.mark.parametrize(("kind", "body"), BAD.values(), ids=BAD)
def test_test_that_does_not_help(kind: str, body: str) -> None:
    assert reaches(body, kind, HEAD)
