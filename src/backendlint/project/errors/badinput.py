"""What a client sent wrong that nobody catches: `int(request.args.get("page", 1))`, `request.FILES["photo"]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.loops.loops import block_at
from backendlint.project.values.uses import ingredients
from backendlint.project.web.requests import request_reads, validated_by_decorator

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes.model import Route

_REFUSED = "builtins.ValueError"
_MISSING = "django.utils.datastructures.MultiValueDictKeyError"
_UPLOADS = "FILES"
_CHECKED = "form_valid"
"""What Django's views call with a form that holds what it asks for."""
_CONVERTS = {
    "builtins.int": _REFUSED,
    "builtins.float": _REFUSED,
    "uuid.UUID": _REFUSED,
    "decimal.Decimal": "decimal.InvalidOperation",
}
"""What makes a value of a text, and what it raises for any other."""
_FIELDS = frozenset({"args", "values", "form", "GET", "POST", "query_params", "query"})
"""Parts of a request that hold texts which the client chooses freely."""
_BODY = frozenset({"data", "json", "get_json"})
"""And what may have been held against a schema first."""
_NAMED = re.compile(r"\{(\w+)\}")
_PASSES = frozenset({"guard", "mut", "store", "setattr"})
_KEEPS = frozenset({"get", "pop", "copy", "strip", "replace", "lower", "upper", "getlist", "split"})
_TESTS = frozenset(
    {"isdigit", "isdecimal", "isnumeric", "match", "fullmatch", "is_valid", "validate", "validate_on_submit"}
)
_CHECKS = frozenset({"is_valid", "validate", "model_validate", "load", "parse_obj"})
"""What holds a body against a schema."""
_LEAVES = ("return", "raise", "continue", "break")
MAX_STEPS = 10


class BadInput(NamedTuple):
    """Where a handler takes what may be wrong."""

    span: Span
    error: str
    """What leaves it then."""
    call: Call | None = None
    """The conversion; None where something may not be there at all."""


def bad_inputs(project: Project, fn: Fn) -> Iterator[BadInput]:
    """What a handler takes as the client sent it."""
    yield from (BadInput(call.span, error, call) for call, error in _unguarded_conversions(project, fn))
    yield from _unasked_uploads(project, fn)


def _unasked_uploads(project: Project, fn: Fn) -> Iterator[BadInput]:
    """`request.FILES["photo"]` of a form in which nobody has chosen a file (Django's; Flask answers 400 itself)."""
    reads = {item.vid for item in request_reads(project, fn) if item.name == _UPLOADS}
    if not reads or fn.name == _CHECKED or any(fn.callee_name(call) in _CHECKS for call in fn.calls):
        return
    for vid in fn.made_by("item"):
        base, key = fn.value(vid)[1:3]
        span = fn.facts.span_of(vid)
        block = block_at(fn, span)
        if fn.untested(base) not in reads or not isinstance(fn.const(key), str):
            continue
        tests = [test for test, _ in fn.tests_before(block, span, _LEAVES)]
        tests += [test for test, _ in fn.operands_before(span)]
        asked = not reads.isdisjoint(ingredients(fn.facts, tests))
        if not asked and project.exceptions.caught_by(fn, block, _MISSING) < 0:
            yield BadInput(span, _MISSING)


def _unguarded_conversions(project: Project, fn: Fn) -> Iterator[tuple[Call, str]]:
    """Conversions of query parameters, form fields and parts of the body in a handler, each with the error that leaves it."""
    calls = [(call, error) for call in fn.calls if len(call.args) == 1 and (error := _refusal(fn, call))]
    if not calls or validated_by_decorator(project, fn):
        return
    checked = any(fn.callee_name(call) in _CHECKS for call in fn.calls)
    parts = _FIELDS if checked else _FIELDS | _BODY
    reads = {item.vid for item in request_reads(project, fn) if item.name in parts} | set(_texts(project, fn))
    for call, error in calls if reads else ():
        read = _is_client_text(fn, call.args[0], reads)
        if (
            read
            and not _is_asked_for(fn, call)
            and not _is_tested(fn, call)
            and project.exceptions.caught_by(fn, call.block, error) < 0
        ):
            yield call, error


def _texts(project: Project, fn: Fn) -> Iterator[Vid]:
    """Parameters that the framework fills from the path or the query with whatever text the client has put there."""
    routes = [route for route in project.route_functions[fn.fqn] if route.kind == "http"]
    filled = [_free(project, fn, route) for route in routes]
    free = set.intersection(*filled) if filled else set()
    return (vid for vid in fn.made_by("param") if fn.facts.values[vid][1] in free)


def _free(project: Project, fn: Fn, route: Route) -> set[int]:
    """By its types, and of a view set (`{pk}`) by its pattern."""
    found = {param.index for param in route.params if param.origin in ("path", "query", "form") and not param.type}
    if fn.cls is None or project.hierarchy.attribute(fn.cls, "lookup_value_regex") is None:
        named = {param.name: index for index, param in enumerate(fn.facts.params)}
        found |= {named[name] for name in _NAMED.findall(route.path) if name in named and name not in route.converters}
    return found - {param.index for param in route.params if param.type}


def _refusal(fn: Fn, call: Call) -> str:
    """What a conversion raises for a text that is none of its own; "" for other calls."""
    value = fn.value(call.func)
    return _CONVERTS.get(str(value[1]), "") if value[0] == "name" else ""


def _is_client_text(fn: Fn, vid: Vid, reads: set[Vid]) -> bool:
    """A field of the request as it came: not what a converter, a default type or another function made of it."""
    for _ in range(MAX_STEPS):
        value = fn.facts.values[vid]
        if vid in reads:
            return True
        if value[0] in _PASSES or value[0] == "item":
            vid = value[1]
        elif value[0] == "bool" and value[1] == "or":
            vid = value[2][0]
        elif value[0] == "call":
            call = fn.calls[value[1]]
            func = fn.unguarded(call.func)
            if func[0] != "attr" or func[2] not in _KEEPS or len(call.args) > 2 or call.kwarg("type") >= 0:
                return _read_by_name(fn, call, reads)
            vid = func[1]
        else:
            return False
    return False


def _read_by_name(fn: Fn, call: Call, reads: set[Vid]) -> bool:
    """`request.args.get("page")`, where all of what is called is one name (`flask.request.args.get`)."""
    owner, _, method = str(fn.unguarded(call.func)[-1]).rpartition(".")
    typed = len(call.args) > 2 or call.kwarg("type") >= 0
    return method in _KEEPS and not typed and any(fn.value(vid) == ("name", owner) for vid in reads)


def _is_tested(fn: Fn, call: Call) -> bool:
    """Whether what leads to the call asks how the text looks (`if page.isdigit():`), or a form has been checked."""
    tests = [test for test, _ in fn.tests_of(call.block)]
    tests += [item.value for item in fn.left_before(call.block, call.span, _LEAVES)]
    value = fn.facts.values[call.args[0]]
    while value[0] == "guard":
        tests.append(value[2])
        value = fn.facts.values[value[1]]
    asked = ingredients(fn.facts, tests)
    text = fn.unguarded(call.args[0])
    return any(
        other.value in asked and (fn.callee_name(other) in _TESTS or _takes(fn, other, text)) for other in fn.calls
    )


def _is_asked_for(fn: Fn, call: Call) -> bool:
    """Whether a parameter has gone to another call before, which looks for it, and answers where there is no such thing."""
    text = fn.unguarded(call.args[0])
    before = (other for other in fn.calls if other.span[2:] <= call.span[:2]) if text[0] == "param" else ()
    return any(fn.unguarded(vid) == text for other in before for vid in other.passed)


def _takes(fn: Fn, call: Call, text: Value) -> bool:
    """`is_code(text)`: a function that is asked about it."""
    named = fn.value(call.func)[0] == "name" and not str(fn.value(call.func)[1]).startswith("builtins.")
    return named and any(fn.unguarded(vid) == text for vid in call.args)
