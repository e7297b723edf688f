"""What handlers answer, by responses and exceptions of the project's own."""

from __future__ import annotations

from building import build, fn

from backendlint.project.web.answers import answers, refusals

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

HELPERS = """
from flask import Flask, jsonify
app = Flask(__name__)
def reply(data, status=200, extra=None):
    body = {"ok": True, "data": data}
    if extra is not None:
        body["extra"] = extra
    return jsonify(body), status
def created(data): return reply(data, 201)
def bare(data=None, code=200): return jsonify(data), code
def refused(text, status): return jsonify({"ok": False, "error": text}), status
def pair(): return [], "total"
def default(): return reply({"id": 1})
def passed(): return created({"id": 1})
def named(): return reply([1], status=202)
def plain(): return bare([1])
def empty(): return bare(code=204)
def failed(): return refused("no", 409)
def unknown(code): return refused("no", code)
def tuples(): return pair()
def forever(): return forever()
def refusal(row): return refused("no", 409) if row else None
def checked(row):
    refusing = refusal(row)
    if refusing:
        return refusing
    return "", 204
"""


def test_helpers_answer_with_what_the_handler_passes() -> None:
    project = build(app=HELPERS)
    names = ("default", "passed", "named", "plain", "empty", "failed", "unknown", "tuples", "forever", "checked")
    found = {name: [item[1:4] for item in answers(project, fn(project, f"app.{name}"))] for name in names}
    envelope = ("ok", "data")
    assert found == {
        "default": [(200, envelope, "dict")],
        "passed": [(201, envelope, "dict")],
        "named": [(202, envelope, "dict")],
        "plain": [(200, None, "list")],
        "empty": [(204, None, "none")],
        "failed": [(409, ("ok", "error"), "dict")],
        "unknown": [(None, ("ok", "error"), "dict")],
        "tuples": [(None, None, "")],
        "forever": [(None, None, "")],
        "checked": [(409, ("ok", "error"), "dict"), (204, None, "text")],
    }
    (told,) = answers(project, fn(project, "app.named"))
    assert told.made and told.span[0] == 15  # where the handler answers


def test_a_helper_that_renders_a_part_of_a_page_answers_with_a_page() -> None:
    project = build(
        app="""
        from flask import jsonify, render_template
        def part(name): return jsonify(html=render_template(name), ok=True)
        def shown(): return part("row.html")
        """
    )
    assert [item.special for item in answers(project, fn(project, "app.shown"))] == ["template"]


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


def test_the_status_may_be_set_on_the_response() -> None:
    project = build(
        app="""
            from flask import Flask, jsonify
            app = Flask(__name__)
            def send(body, status_code):
                response = jsonify(body)
                response.status_code = status_code
                return response
            def refused(text): return send({"error": text}, status_code=409)
            def open_one(text, status): return send({"error": text}, status_code=status)
        """
    )
    found = [answers(project, fn(project, name)) for name in ("refused", "open_one")]
    assert [[(item.status, item.unsaid) for item in every] for every in found] == [[(409, False)], [(None, True)]]


def test_what_is_returned_of_an_abort_is_raised_all_the_same() -> None:
    project = build(
        shop="from flask import Flask, abort\napp = Flask(__name__)\n"
        "@app.get('/orders')\ndef orders():\n    return abort(403, 'Not yours.')\n"
    )
    assert [(item.status, item.raised, item.shape) for item in answers(project, fn(project, "shop.orders"))] == [
        (403, True, "text")
    ]
