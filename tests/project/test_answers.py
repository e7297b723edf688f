"""What handlers answer, by responses and exceptions of the project's own."""

from __future__ import annotations

from building import build, fn

from backendlint.project.answers import answers, refusals

REPLIES = """
from flask import Flask, Response
app = Flask(__name__)
class Reply(Response):
    def __init__(self, text=None, code=None):
        super().__init__(response=text, status=code)
class Refusal(Reply):
    def __init__(self, text, code=400):
        super().__init__(text or "no", code=code)
def fixed(): return Refusal("a")
def given(): return Refusal("a", 409)
def unknown(code): return Refusal("a", code=code)
def usual(): return Reply("a")
"""

ERRORS = """
from flask import Flask, jsonify
from werkzeug.exceptions import HTTPException
app = Flask(__name__)
class Sunk(Exception):
    code = 500
    def __init__(self, text, code=None):
        super().__init__(text)
        if code is not None:
            self.code = code
class Adrift(Sunk):
    def __init__(self): super().__init__("adrift", 404)
class Full(HTTPException):
    code = 507
class Unknown(Exception): ...
@app.errorhandler(Sunk)
def refuse(error):
    return jsonify(text=str(error)), error.code
def usual(): raise Sunk("a")
def given(): raise Sunk("a", 422)
def passed(code): raise Sunk("a", code)
def inherited(): raise Adrift()
def library(): raise Full()
def unhandled(): raise Unknown()
"""


def test_the_status_of_own_responses_comes_through_their_constructors() -> None:
    project = build(app=REPLIES)
    found = {name: [item.status for item in answers(project, fn(project, f"app.{name}"))] for name in NAMES}
    assert found == {"fixed": [400], "given": [409], "unknown": [None], "usual": [None]}


NAMES = ("fixed", "given", "unknown", "usual")


def test_the_status_of_own_exceptions_is_that_of_their_handler() -> None:
    project = build(app=ERRORS)
    names = ("usual", "given", "passed", "inherited", "library", "unhandled")
    found = {name: [status for status, _ in refusals(project, fn(project, f"app.{name}"))] for name in names}
    assert found == {
        "usual": [500],
        "given": [422],
        "passed": [],
        "inherited": [404],
        "library": [507],
        "unhandled": [],
    }
