"""What the body of an answer tells: of a failure, of nothing at all, or of what is denied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from backendlint.api import Answer, Call, Fn, Project, Vid

from .statuses import OK

_TELLING = frozenset({"error", "errors", "detail", "exception", "err", "error_message", "traceback"})
"""Keys of a body that tells of a failure."""
_SAYS = frozenset({"error", "errors"})
"""Those that an answer has only where something went wrong."""
_TEXTS = frozenset({"message", "detail", "description", "msg", "strerror", "reason", "args"})
"""Attributes of exceptions that say what happened."""
_RPC = "jsonrpc"
"""Key of a body of JSON-RPC, whose errors travel in answers of 200."""
_ASIDE = frozenset({"warning", "warnings", "note", "notes", "hint"})
"""Keys of what is said beside a success."""
_WENT_WRONG = re.compile(
    r"\b(failed|failure|error|could not|couldn't|cannot|can't|unable to|unavailable|went wrong)\b", re.IGNORECASE
)
"""Words of a sentence that tells of a failure."""
_FAILED = re.compile(r"(^|[_-])(error|fail(ed|ure)?)$", re.IGNORECASE)
_FLAGS = ("success", "ok")
_MADE = re.compile(r"(^|\.)_*[A-Z]\w*$")
"""A class that is called."""
_NOTHING = (("dict", ()), ("list", ()), ("tuple", ()))


class Given(NamedTuple):
    """An answer, and the values that its body is made of."""

    answer: Answer
    parts: list[Vid]
    spelled: Vid = -1
    """The call whose keywords the body is."""


def refuses(fn: Fn, given: Given, usual: list[Given]) -> bool:
    """`return jsonify(error="..."), 200` in a branch, where the function's other answers have no error to tell."""
    answer = given.answer
    if (
        answer.status != OK
        or answer.failed
        or answer.special
        or fn.inside(answer.block, "if", "else", "case") is None
        or not _SAYS.intersection(answer.keys or ())
    ):
        return False
    others = [item.answer for item in usual if item is not given and not item.answer.failed]
    told = [said for vid in given.parts for name, said in _entries(fn, vid) if name in _SAYS]
    return all(told) and bool(others) and not any(_SAYS.intersection(item.keys or ()) for item in others)


def given_by(project: Project, fn: Fn, answer: Answer) -> Given:
    """`return fail("stock_down", text, 200)`: of an answer that a function of the project makes, what that is given."""
    value = fn.unguarded(answer.body) if answer.body >= 0 else ("",)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None or not project.targets(fn, call):
        return Given(answer, [answer.body], _spelled(fn, answer))
    keys = _keys(project.targets(fn, call)) if answer.made and answer.keys is None else ()
    if keys:
        return Given(answer._replace(keys=keys), list(call.passed))
    open_ended = not answer.made and answer.keys is None and answer.status is None  # whatever the function makes of it
    return Given(answer._replace(unsaid=answer.unsaid or open_ended), list(call.passed))


def _spelled(fn: Fn, answer: Answer) -> Vid:
    """The call of `return jsonify(stored=False)`, whose keywords are the body."""
    calls = (call for call in fn.calls if answer.made and answer.span.holds(call.span))
    return next((call.value for call in calls if answer.body in (vid for _, vid in call.kwargs)), -1)


def _keys(makers: Sequence[Fn]) -> tuple[str, ...]:
    """Those of the body that functions make: `def problem(code, text): return {"error": {"code": code, "text": text}}`."""
    found: list[str] = []
    for maker in makers:
        for vid in maker.returned:
            value = maker.unguarded(vid) if vid >= 0 else ("",)
            if value[0] != "dict":
                return ()
            found += [said for key, _ in value[1] if isinstance(said := maker.const(key), str)]
    return tuple(found)


def tells(fn: Fn, handler: int, given: Given, usual: Sequence[Given] = ()) -> bool:
    """Whether a body tells of a failure by what it says, or by a key that the usual answers do not have."""
    keys = given.answer.keys or ()
    if _RPC in keys:
        return False
    if any(key.lower() in _TELLING for key in keys) and not _says_so_anyway(given, usual):
        return True
    if _says_aside(fn, handler, given):
        return True
    return any(
        _flagged(fn, vid) or _is_text_of(fn, handler, vid) or (handler >= 0 and _complains(fn, vid))
        for vid in given.parts
    )


def _says_aside(fn: Fn, handler: int, given: Given) -> bool:
    """`jsonify(rows=[], note=str(error))`: beside nothing at all, what is said aside is all that is told."""
    for vid in (*given.parts, given.spelled):
        pairs = _pairs(fn, vid)
        aside = [item for key, item in pairs if key in _ASIDE]
        rest = [item for key, item in pairs if key not in _ASIDE]
        nothing = all(_no_data(fn, item) for item in rest)
        if rest and nothing and any(_is_text_of(fn, handler, item) for item in aside):
            return True
    return False


def _pairs(fn: Fn, vid: Vid) -> list[tuple[object, Vid]]:
    """What a dict holds, or a call like `jsonify(rows=rows)` is given, by constant keys; Ellipsis for others (`**` of a call)."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        return [] if call.args else list(call.kwargs)
    return [(fn.const(key), item) for key, item in value[1]] if value[0] == "dict" else []


def _complains(fn: Fn, vid: Vid) -> bool:
    """`{"message": "the gateway failed"}`, with nothing else in it."""
    entries = _entries(fn, vid)
    return len(entries) == 1 and all(
        name in _TEXTS and isinstance(said, str) and _WENT_WRONG.search(said) is not None for name, said in entries
    )


def _says_so_anyway(given: Given, usual: Sequence[Given]) -> bool:
    """`{"detail": "already so"}`, where success is `{"detail": "done"}`: a key that tells of anything."""
    keys = set(given.answer.keys or ())
    return bool(keys) and _SAYS.isdisjoint(keys) and any(keys == set(item.answer.keys or ()) for item in usual)


def _flagged(fn: Fn, vid: Vid) -> bool:
    """`{"success": False}`, `{"status": "refund_failed"}`."""
    for name, said in _entries(fn, vid):
        if name in _FLAGS and said is False:
            return True
        if name in ("status", "state", "result") and isinstance(said, str) and _FAILED.search(said):
            return True
    return False


def reports(fn: Fn, given: Given) -> bool:
    """`{"success": reached}`: whether it went well is what the answer is there to say."""
    dicts = (fn.unguarded(vid) for vid in given.parts if vid >= 0)
    flags = (vid for value in dicts if value[0] == "dict" for key, vid in value[1] if fn.const(key) in _FLAGS)
    return any(fn.const(vid) is ... for vid in flags)


def _entries(fn: Fn, vid: Vid) -> list[tuple[object, object]]:
    """The same with the constants that are held; Ellipsis for others."""
    return [(key, fn.const(item)) for key, item in _pairs(fn, vid) if key != "**"]


def _is_text_of(fn: Fn, handler: int, vid: Vid) -> bool:
    """`str(error)`, `error.message`, `f"no: {error}"`, also as a value of a dict."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    caught = ("exc", handler)
    if value[0] == "dict":
        said = [item for key, item in value[1] if fn.const(key) not in _ASIDE]
        return any(_is_text_of(fn, handler, item) for item in said)
    if value[0] == "fmt":
        return any(caught in (fn.facts.values[part], fn.unguarded(_unconverted(fn, part))) for part in value[2])
    if value[0] == "attr":
        return value[2] in _TEXTS and fn.facts.values[value[1]] == caught
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    texts = call is not None and fn.unguarded(call.func) in (("name", "builtins.str"), ("name", "builtins.repr"))
    return call is not None and texts and any(fn.facts.values[item] == caught for item in call.args)


def _unconverted(fn: Fn, vid: Vid) -> Vid:
    value = fn.facts.values[vid]
    return int(value[1]) if value[0] == "conv" else vid


def is_fixed(fn: Fn, vid: Vid) -> bool:
    """`{"data": {"reserved": False}}`: a body of constants."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "dict":
        return bool(value[1]) and all(is_fixed(fn, item) for _, item in value[1])
    return value[0] == "const" and value[1] is not None


def is_empty(fn: Fn, given: Given) -> bool:
    """A body that holds no data at all: `[]`, `{}`, `{"sun": None}`; where it is passed on beside a status, all that is passed."""
    found = [_no_data(fn, vid) for vid in given.parts if not isinstance(fn.const(vid), int)]
    return bool(found) and all(found)


def denies(fn: Fn, given: Given, usual: list[Given]) -> bool:
    """`{"stored": False}`, where another answer is `{"stored": True}`, or `{"stored": count > 0}`."""
    said = [
        (name, truth)
        for item in usual
        if not item.answer.failed
        for vid in (*item.parts, item.spelled)
        for name, truth in _entries(fn, vid)
    ]
    return any(
        not truth and ((name, True) in said or (name, ...) in said)
        for vid in (*given.parts, given.spelled)
        for name, truth in _flags(fn, vid)
    )


def _flags(fn: Fn, vid: Vid) -> list[tuple[str, bool]]:
    return [(name, said) for name, said in _entries(fn, vid) if isinstance(name, str) and isinstance(said, bool)]


def _makes(fn: Fn, call: Call) -> bool:
    """Whether a class is called, also one of some type: `Page[dict](items=[])`."""
    func = fn.unguarded(call.func)
    func = fn.unguarded(func[1]) if func[0] == "item" else func
    return _MADE.search(str(func[-1])) is not None


def _empty(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "dict":
        return bool(value[1]) and all(_empty(fn, item) for _, item in value[1])
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and call.kwargs and not call.args and _makes(fn, call):
        return all(_no_data(fn, item) for _, item in call.kwargs)  # `Page(items=[])`
    return value == ("const", None)


def _no_data(fn: Fn, vid: Vid) -> bool:
    return _empty(fn, vid) or (vid >= 0 and fn.unguarded(vid) in _NOTHING)
