"""Flows through functions, objects and files."""

from __future__ import annotations

from building import build
from flowing import lines, reaches

APP = """
from fastapi import Depends, FastAPI
from helpers import *

app = FastAPI()
"""


def test_through_a_helper_in_another_file() -> None:
    app = APP + '\n\n@app.get("/")\ndef handler(name: str):\n    run("ls " + name)\n'
    helpers = "import os\n\n\ndef run(command):\n    os.system(command)\n"
    assert lines("command", app=app, helpers=helpers) == ["app.py:10"]


def test_built_in_the_helper_is_reported_there() -> None:
    app = APP + '\n\n@app.get("/")\ndef handler(name: str):\n    run(name)\n'
    helpers = 'import os\n\n\ndef run(name):\n    os.system("ls " + name)\n'
    assert lines("command", app=app, helpers=helpers) == ["helpers.py:5"]


def test_only_the_caller_that_passes_data_is_meant() -> None:
    app = APP + '\n\n@app.get("/")\ndef handler(name: str):\n    run("ls")\n    run(name)\n'
    helpers = "import os\n\n\ndef run(command):\n    os.system(command)\n"
    assert lines("command", app=app, helpers=helpers) == ["app.py:11"]


def test_what_a_function_returns() -> None:
    head = "def pick(a, b):\n    return b"
    assert reaches('os.system(pick("ls", request.args["a"]))', head=head)
    assert not reaches('os.system(pick(request.args["a"], "ls"))', head=head)


def test_keyword_default_and_star_arguments() -> None:
    head = 'def keep(*args, first="ls", **rest):\n    return (args, first, rest)'
    assert reaches('os.system(keep("a", first=request.args["a"])[1])', head=head)
    assert not reaches('os.system(keep("a", first=request.args["a"])[0])', head=head)
    assert reaches('os.system(keep(request.args["a"])[0])', head=head)


def test_fields_of_objects() -> None:
    head = (
        "class Job:\n    def __init__(self, name, command):\n        self.name = name\n        self.command = command"
    )
    assert reaches('job = Job("x", request.args["a"])\nos.system(job.command)', head=head)
    assert not reaches('job = Job("x", request.args["a"])\nos.system(job.name)', head=head)


def test_methods_and_properties() -> None:
    head = (
        "class Job:\n    def __init__(self, command):\n        self.command = command\n\n"
        "    @property\n    def text(self):\n        return self.command\n\n"
        "    def run(self):\n        os.system(self.command)"
    )
    assert reaches('Job(request.args["a"]).run()', head=head)
    assert reaches('os.system(Job(request.args["a"]).text)', head=head)
    assert not reaches('Job("ls").run()', head=head)


def test_data_classes() -> None:
    head = "from dataclasses import dataclass\n\n\n@dataclass\nclass Job:\n    name: str\n    command: str"
    assert reaches('os.system(Job("x", request.args["a"]).command)', head=head)
    assert not reaches('os.system(Job("x", request.args["a"]).name)', head=head)


def test_generators_and_context_managers() -> None:
    head = (
        "from contextlib import contextmanager\n\n\ndef parts(x):\n    yield x\n\n\n"
        "@contextmanager\ndef held(x):\n    yield x"
    )
    assert reaches('for x in parts(request.args["a"]):\n    os.system(x)', head=head)
    assert reaches('with held(request.args["a"]) as x:\n    os.system(x)', head=head)


def test_dependency_injection() -> None:
    app = APP + (
        '\n\ndef wanted(name: str):\n    return "ls " + name\n\n\n'
        '@app.get("/")\ndef handler(command: str = Depends(wanted)):\n    run(command)\n'
    )
    helpers = "import os\n\n\ndef run(command):\n    os.system(command)\n"
    assert lines("command", app=app, helpers=helpers) == ["app.py:14"]


def test_fields_of_a_request_model_are_narrowed_by_their_types() -> None:
    app = """
    import os
    from uuid import UUID
    from fastapi import FastAPI
    from pydantic import BaseModel

    app = FastAPI()


    class Job(BaseModel):
        name: str
        count: int
        key: UUID


    @app.post("/")
    def handler(job: Job):
        os.system(f"ls {job.count} {job.key}")
        os.system(f"ls {job.name}")
    """
    assert lines("command", app=app) == ["app.py:19"]


def test_parameters_are_narrowed_by_their_types() -> None:
    app = """
    import os
    from typing import Literal
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/{number}/{name}")
    def handler(number: int, kind: Literal["a", "b"], name: str):
        os.system(f"ls {number} {kind}")
        os.system(f"ls {name}")
    """
    assert lines("command", app=app) == ["app.py:12"]


def test_patterns_narrow_parameters() -> None:
    app = """
    import os
    from typing import Annotated
    from fastapi import FastAPI, Query

    app = FastAPI()
    Word = Annotated[str, Query(pattern="^[a-z]+$")]


    @app.get("/")
    def handler(word: Word, other: str = Query(pattern="^[a-z]+$"), text: str = Query(pattern="^.*$")):
        os.system(f"ls {word} {other}")
        os.system(f"ls {text}")
    """
    assert lines("command", app=app) == ["app.py:13"]


def test_recursion_and_loops_end() -> None:
    head = (
        "def walk(x, n):\n    if n:\n        return walk(x + 'a', n - 1)\n    return other(x)\n\n\n"
        "def other(x):\n    return walk(x, 0) or x"
    )
    assert reaches('os.system(walk(request.args["a"], 3))', head=head)


def test_unknown_functions_are_a_guess() -> None:
    body = 'os.system(frobnicate(request.args["a"]))'
    assert not reaches(body)
    project = build(app="import os\nfrom flask import request\n\n\ndef f():\n    " + body + "\n")
    assert [flow.weak for flow in project.taint.flows(("command",), ("request",))] == [True]


def test_steps_lead_from_source_to_sink() -> None:
    app = APP + '\n\n@app.get("/")\ndef handler(name: str):\n    text = "ls " + name\n    run(text)\n'
    project = build(app=app, helpers="import os\n\n\ndef run(command):\n    os.system(command)\n")
    (flow,) = project.taint.flows(("command",), ("request",))
    places = [f"{step.location.path}:{step.location.line}" for step in project.taint.steps(flow)]
    assert places[0] == "app.py:9"
    assert places[-1] == "helpers.py:5"
    assert "app.py:11" in places


def test_secrets_go_by_their_names_until_hidden() -> None:
    def logged(body: str) -> bool:
        return reaches(body, "log", "import logging\n\n\ndef mask(x):\n    return x[:2]", ("secret",))

    assert logged('password = request.form["password"]\nlogging.info("got %s", password)')
    assert not logged('password = request.form["password"]\nlogging.info("got %s", mask(password))')
    assert not logged('password = request.form["password"]\nlogging.info("got %s", bool(password))')
    assert not logged('token = request.form["token"]\nlogging.info("got %s", token[-4:])')
    assert not logged('logging.info("length %s", request.form["password_length"])')
