"""What a handler answers: for each `return` and each raised HTTP error its status and the shape of its body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.errors.owncodes import (
    Frame,
    exception_status,
    handed_on,
    response_status,
    spread_out,
    status_in,
)
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Response
from backendlint.project.linking.binding import bind
from backendlint.project.perfunction import per_function

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 5
HELPERS = 3
"""Functions below a handler that may make its answer: `return ok(data, 201)`."""
OK = 200
"""As a default, it says no more than that nothing was said."""
_PASSED = ("guard", "await", "conv")


class Answer(NamedTuple):
    """One way in which a handler ends."""

    span: Span
    """Of the `return` or `raise`."""
    status: int | None
    """None where the route's own or the framework's default holds."""
    keys: tuple[str, ...] | None
    """Keys of a body that is a dict display; None for other bodies."""
    shape: str
    """dict, list, none, text, or "" where not known."""
    body: Vid
    """-1 where there is none."""
    block: int
    special: str = ""
    """redirect, template or file."""
    raised: bool = False
    headers: Vid = -1
    made: bool = False
    """A modelled call makes the response."""
    content: str = ""
    """The content type that such a call sends by default, or that of what a schema writes out."""
    unsaid: bool = False
    """A status is passed that is not known (`status=error.status_code`)."""

    @property
    def failed(self) -> bool:
        return self.raised or (self.status is not None and self.status >= 400)


@per_function
def answers(project: Project, fn: Fn) -> list[Answer]:
    """All answers of a handler, in source order."""
    found: list[Answer] = []
    frame = Frame(fn)
    for item in fn.facts.returns:
        if not item.is_yield:
            found.extend(_returned(project, frame, item.value, item.span, item.block, 0))
    for statement in fn.facts.raises:
        if statement.exc >= 0:
            found.extend(_raised(project, frame, statement.exc, statement.span, statement.block))
    returned = set(map(fn.unguarded, fn.returned))
    for call in fn.facts.calls:
        for model in project.models(fn, call):
            if model.exits and model.response is not None and fn.value(call.value) not in returned:
                yielded = _response(project, frame, call, model.response, call.span, call.block)
                found.append(yielded._replace(raised=True))
    return sorted(dict.fromkeys(found), key=lambda item: item.span)


def _returned(project: Project, frame: Frame, vid: Vid, span: Span, block: int, depth: int) -> Iterator[Answer]:
    if vid < 0:
        yield Answer(span, None, None, "none", -1, block)
        return
    given = vid
    fn = frame.fn
    value = fn.facts.values[vid]
    while value[0] in _PASSED:
        vid = value[1]
        value = fn.facts.values[vid]
    if value[0] == "setattr" and depth < MAX_DEPTH:
        whole = _returned(project, frame, value[1], span, block, depth + 1)
        yield from _marked(project, frame, value[3], whole) if value[2] == "status_code" else whole
        return
    if value[0] == "phi" and depth < MAX_DEPTH:
        for item in value[1]:
            if item != vid:
                yield from _returned(project, frame, item, span, block, depth + 1)
        return
    if value[0] == "tuple" and len(value[1]) in (2, 3):
        paired = list(_with_status(project, frame, value[1], span, block, depth + 1))
        if paired:
            yield from paired
            return
    if value[0] == "call":
        made = list(_called(project, frame, fn.facts.calls[value[1]], span, block))
        if made:
            yield from made
            return
    keys, shape = _shape(project, frame, vid)
    body = given if value[0] == "call" else vid  # a test may say more of a result
    yield Answer(span, None, keys, shape, body, block, content=_sent(project, fn, vid))


def _with_status(
    project: Project, frame: Frame, items: tuple[Vid, ...], span: Span, block: int, depth: int
) -> Iterator[Answer]:
    """A body and its status (and headers), or the status first (`return 404, {"message": ...}`), as django-ninja has it."""
    code = frame.fn.const(items[0]) if len(items) == 2 else ...
    first = isinstance(code, int) and 200 <= code < 600
    body, said = (items[1], items[0]) if first else (items[0], items[1])
    statuses = _statuses(project, frame, said)
    bodies = list(_returned(project, frame, body, span, block, depth))
    if statuses:
        headers = items[2] if len(items) == 3 else -1
        for inner in bodies:
            for status in statuses:
                yield inner._replace(status=status, headers=headers if headers >= 0 else inner.headers)
    elif not _headers(frame.fn, said):  # with a status that is not known (`return reply, code`)
        yield from (item._replace(unsaid=True) for item in bodies)


def _statuses(project: Project, frame: Frame, vid: Vid) -> list[int]:
    """The one status, or those of `201 if created else 200`; none where one is not known."""
    value = frame.fn.unguarded(vid)
    parts = value[1] if value[0] == "phi" else (vid,)
    found = [status_in(project, frame, part) for part in parts]
    known = [status for status in found if status is not None]
    return list(dict.fromkeys(known)) if len(known) == len(found) else []


def _headers(fn: Fn, vid: Vid) -> bool:
    """`return body, {"X-Total": total}`, and what is no status at all."""
    value = fn.unguarded(vid)
    return value[0] in ("dict", "list", "tuple", "set", "fmt", "const")


def _sent(project: Project, fn: Fn, vid: Vid) -> str:
    """What is sent where a schema writes out the data: `return order_schema.dumps(order)`."""
    value = fn.facts.values[vid]
    models = project.models(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
    return "application/json" if any(model.schema == "serialize" for model in models) else ""


def _marked(project: Project, frame: Frame, status: Vid, whole: Iterator[Answer]) -> Iterator[Answer]:
    """`response.status_code = status` before the `return`."""
    said = status_in(project, frame, status)
    return (item._replace(status=said, unsaid=said is None) for item in whole)


def _called(project: Project, frame: Frame, call: Call, span: Span, block: int) -> Iterator[Answer]:
    """What a call answers with that makes a response: a library's, an own class's, or that of a helper."""
    for model in project.models(frame.fn, call):
        if model.response is not None:
            yield _response(project, frame, call, model.response, span, block)._replace(raised=model.exits)
            return
    own = response_status(project, frame, call)
    if own is not None:
        yield _own(call, *own, span, block)
        return
    targets = project.targets(frame.fn, call) if frame.depth < HELPERS else []
    if len(targets) == 1 and targets[0].name != "__init__" and frame.runs(targets[0]):
        inner = Frame(targets[0], call, frame)
        returned = [item for item in targets[0].facts.returns if item.value >= 0 and not item.is_yield]
        found = [answer for item in returned for answer in _returned(project, inner, item.value, span, block, 0)]
        shown = _renders(project, targets[0]) if found else False
        for answer in found:
            if answer.made or answer.status is not None:  # else `None`: the handler goes on
                special = "template" if shown and not answer.failed else answer.special
                yield answer._replace(body=call.value, headers=-1, special=special)


def _renders(project: Project, fn: Fn) -> bool:
    """Whether a helper puts a page together (also one that it sends as a part of JSON)."""
    models = (model for call in fn.calls for model in project.models(fn, call))
    return any(model.response is not None and model.response.template for model in models)


def _response(project: Project, frame: Frame, call: Call, model: Response, span: Span, block: int) -> Answer:
    fn = frame.fn
    status: int | None = None
    unsaid = False
    if model.status is not None:
        vid = next((call.kwarg(key) for key in model.status.keywords if call.kwarg(key) >= 0), -1)
        if vid < 0 and 0 <= model.status.position < len(call.args):
            vid = call.args[model.status.position]
        if vid >= 0:
            status = status_in(project, frame, vid)
            unsaid = status is None and fn.const(vid) is not None
        elif (given := handed_on(project, frame, call, model.status.keywords)) is not None:
            status = given
        elif call.kwarg("**") >= 0:
            spread, known = spread_out(frame, call, model.status.keywords)
            status = status_in(project, frame, min(spread)) if len(spread) == 1 else None
            unsaid = status is None and (bool(spread) or not known)
        elif isinstance(model.status.default, int) and model.status.default != OK:
            status = model.status.default  # `HttpResponseBadRequest()`
    body = next(iter(arguments(call, model.body)), -1) if model.body else -1
    headers = next(iter(arguments(call, model.headers)), -1) if model.headers else call.kwarg("headers")
    special = "redirect" if model.redirect else "template" if model.template else "file" if model.file else ""
    keys, shape = _shape(project, frame, body) if body >= 0 else (None, "")
    if (model.body is not None and model.body.all_keywords) or (body < 0 and call.kwargs and not special):
        names = tuple(key for key, _ in call.kwargs if key not in _NOT_BODY)
        named = model.body is not None and (model.body.all_keywords or (body < 0 and model.body.rest == 0))
        if names and named and not call.args:
            keys, shape = names, "dict"
            said = fn.const(call.kwarg("status"))
            status = said if isinstance(said, int) and 400 <= said < 600 else status
    return Answer(
        span, status, keys, shape, body, block, special, headers=headers, made=True, content=model.content_type,
        unsaid=unsaid,
    )  # fmt: skip


def _own(call: Call, model: Response, status: int | None, span: Span, block: int) -> Answer:
    """A response of a class of the project's own: its constructor says what becomes of the body."""
    special = "redirect" if model.redirect else "template" if model.template else "file" if model.file else ""
    return Answer(span, status, None, "", call.value, block, special, unsaid=status is None and bool(call.passed))


def refusals(project: Project, fn: Fn) -> Iterator[tuple[int, int]]:
    """Errors that a function answers with or that end in them, also by exceptions of the project's own: status and block."""
    for answer in answers(project, fn):
        if answer.failed and answer.status is not None:
            yield answer.status, answer.block
    for item in fn.facts.raises:
        status = exception_status(project, fn, item.exc) if item.exc >= 0 else None
        if status is not None and status >= 400:
            yield status, item.block


_NOT_BODY = frozenset({"status", "status_code", "headers", "mimetype", "content_type", "media_type"})


def _shape(project: Project, frame: Frame, vid: Vid, depth: int = 0) -> tuple[tuple[str, ...] | None, str]:
    fn = frame.fn
    value = fn.facts.values[vid]
    while value[0] in (*_PASSED, "store", "mut") and depth < MAX_DEPTH:
        vid = value[1]
        value = fn.facts.values[vid]
        depth += 1
    op = value[0]
    if op == "dict":
        keys = [fn.const(key) for key, _ in value[1] if key >= 0]
        spread = any(key < 0 for key, _ in value[1])
        texts = tuple(str(key) for key in keys if isinstance(key, str))
        return (None if spread and not texts else texts), "dict"
    if op == "param" and frame.call is not None and frame.outer is not None:
        return _passed_shape(project, frame, value[1], depth)
    if op == "phi" and depth < MAX_DEPTH:
        shapes = [_shape(project, frame, item, depth + 1) for item in value[1] if item != vid]
        return shapes[0] if shapes and len(set(shapes)) == 1 else (None, "")
    if op == "call":
        call = fn.facts.calls[value[1]]
        if any(ref.name == "builtins.dict" for ref in project.callees(fn, call)) and call.kwargs and not call.args:
            return tuple(key for key, _ in call.kwargs if key != "**"), "dict"
        for model in project.models(fn, call):
            if model.response is not None and model.response.body is not None and depth < MAX_DEPTH:
                body = next(iter(arguments(call, model.response.body)), -1)
                if body >= 0:
                    return _shape(project, frame, body, depth + 1)
    if op in ("list", "tuple") or (op == "comp" and value[1] in ("list", "gen")):
        return None, "list"
    if op == "comp":
        return None, value[1]
    if op == "const":
        return None, "none" if value[1] is None else "text" if isinstance(value[1], str | bytes) else ""
    if op in ("fmt", "join"):
        return None, "text"
    refs = project.refs(fn, vid)
    if refs and all(ref.name == "builtins.list" for ref in refs):
        return None, "list"
    return None, ""


def _passed_shape(project: Project, frame: Frame, index: int, depth: int) -> tuple[tuple[str, ...] | None, str]:
    """The shape of what the call passes for a helper's parameter, or of its default."""
    assert frame.call is not None and frame.outer is not None
    given = bind(frame.outer.fn, frame.call, frame.fn).get(index)
    if given is not None:
        whole = [vid for vid, part in given if not part]
        return _shape(project, frame.outer, whole[0], depth) if len(whole) == len(given) == 1 else (None, "")
    default, home = frame.fn.facts.params[index].default, frame.fn.parent
    return _shape(project, Frame(home), default, depth) if home is not None and default >= 0 else (None, "")


def _raised(project: Project, frame: Frame, vid: Vid, span: Span, block: int) -> Iterator[Answer]:
    fn = frame.fn
    value = fn.facts.values[vid]
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        for model in project.models(fn, call):
            if model.response is not None and model.response.error:
                answer = _response(project, frame, call, model.response, span, block)
                status = answer.status
                if status is None:
                    exception = project.libraries.exception(model.name)
                    status = exception.status if exception and exception.status else None
                yield answer._replace(raised=True, status=status)
                return
