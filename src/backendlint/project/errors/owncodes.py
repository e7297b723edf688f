"""Statuses that the project's own response and exception classes stand for, followed through their constructors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.errors.errorhandlers import exception_parameter
from backendlint.project.graph.calls import argument_of
from backendlint.project.libraries.model import Response
from backendlint.project.linking.binding import bind
from backendlint.project.routes import status_of

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 8
_NAMES = ("status_code", "code", "status")
"""Attributes by which libraries' exceptions and responses tell their status."""


class Frame(NamedTuple):
    """A function as it runs for one call."""

    fn: Fn
    call: Call | None = None
    """The call in `outer.fn` that runs it; None at the outermost."""
    outer: Frame | None = None

    @property
    def depth(self) -> int:
        """How many calls it lies below the outermost."""
        return self.outer.depth + 1 if self.outer is not None else 0

    def runs(self, fn: Fn) -> bool:
        """Whether it can call this function without being in it already."""
        return fn is not self.fn and (self.outer is None or self.outer.runs(fn))


def response_status(project: Project, frame: Frame, call: Call) -> tuple[Response, int | None] | None:
    """The model of the response that a call of an own class makes, and its status; None for other calls."""
    for ref in project.callees(frame.fn, call):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        model = _response(project, cls) if cls is not None else None
        if cls is not None and model is not None:
            return model, _of_class(project, cls, frame, call, model)
    return None


def exception_status(project: Project, fn: Fn, vid: Vid) -> int | None:
    """The status with which an own exception ends: as a library's, or by the handler that is registered for it."""
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    for ref in project.callees(fn, call) if call is not None else project.refs(fn, vid):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        if cls is None:
            continue
        handled = _handled(project, cls, Frame(fn), call)
        if handled is not None:
            return handled
        model = _response(project, cls)
        status = _of_class(project, cls, Frame(fn), call, model) if model is not None else None
        return status if status is not None else _inherited(project, cls)
    return None


def failure_status(project: Project, name: str) -> int | None:
    """The status of a failure that an own exception class states for itself: `status_code = 503`."""
    cls = project.classes.get(name)
    said = _stated(project, cls) if cls is not None else ()
    return next((status for status in said if 400 <= status < 600), None)


def _response(project: Project, cls: Cls) -> Response | None:
    models = (project.libraries.call(base) for base in project.hierarchy.library_bases(cls))
    return next((model.response for model in models if model is not None and model.response is not None), None)


def _inherited(project: Project, cls: Cls) -> int | None:
    """The status of the library's exception from which it derives, or the class's own."""
    bases = project.hierarchy.library_bases(cls)
    models = [project.libraries.exception(base) for base in bases]
    statuses = [model.status for model in models if model is not None and model.status]
    return next(_stated(project, cls), statuses[0]) if statuses else None


def _of_class(project: Project, cls: Cls, frame: Frame, call: Call | None, model: Response) -> int | None:
    """By what reaches the library's constructor, else by an attribute of the class."""
    made = _library_call(project, cls, frame, call)
    if made is not None and model.status is not None and made.call is not None and made.outer is not None:
        vid = argument_of(made.call, model.status)
        found = status_in(project, made.outer, vid) if vid >= 0 else None
        if found is not None or (vid >= 0 and not _left_out(made.outer, vid)):
            return found
    own = next(_stated(project, cls), None)
    default = model.status.default if model.status is not None else None
    return own if own is not None else default if isinstance(default, int) and default >= 400 else None


def _library_call(project: Project, cls: Cls, frame: Frame, call: Call | None, depth: int = MAX_DEPTH) -> Frame | None:
    """The call that runs the library's constructor, below those of the project."""
    init = project.method(cls, "__init__")
    if init is None or call is None:
        return Frame(frame.fn, call, frame)
    inner: Frame | None = Frame(init, call, frame)
    while inner is not None and depth:
        above = _super_call(inner.fn)
        if above is None:
            return None
        targets = [item for item in project.targets(inner.fn, above) if item.name == "__init__"]
        if not targets:
            return Frame(inner.fn, above, inner)
        inner = Frame(targets[0], above, inner)
        depth -= 1
    return None


def _super_call(fn: Fn) -> Call | None:
    """`super().__init__(...)`, or the base class's by its name."""
    return next((call for call in fn.calls if fn.callee_name(call) == "__init__"), None)


def _stated(project: Project, cls: Cls) -> Iterator[int]:
    """The statuses that the class has in its attributes, the usual name's first."""
    found = (_class_status(project, cls, name) for name in _NAMES)
    return (status for status in found if status is not None)


def _class_status(project: Project, cls: Cls, name: str) -> int | None:
    found = project.hierarchy.attribute(cls, name)
    return status_of(project, *found) if found is not None else None


def status_in(project: Project, frame: Frame, vid: Vid, depth: int = MAX_DEPTH) -> int | None:
    """A status as it is in this run of the function."""
    found = status_of(project, frame.fn, vid)
    value = frame.fn.unguarded(vid)
    if found is not None or depth == 0:
        return found
    if value[0] == "bool" and value[1] == "or":
        return next((status for item in value[2] if (status := status_in(project, frame, item, depth - 1))), None)
    if value[0] != "param" or frame.call is None or frame.outer is None:
        return None
    bound = bind(frame.outer.fn, frame.call, frame.fn)
    if value[1] in bound:
        given = [item for item, part in bound[value[1]] if not part]
        return status_in(project, frame.outer, given[0], depth - 1) if given else None
    param = frame.fn.facts.params[value[1]]
    home = frame.fn.parent
    return status_of(project, home, param.default) if home is not None and param.default >= 0 else None


def handed_on(project: Project, frame: Frame, call: Call, keywords: tuple[str, ...]) -> int | None:
    """A status among the keywords that a helper hands on: `self.answer(data, status=400)` with `JsonResponse(data, **kwargs)`."""
    rest = call.kwarg("**")
    value = frame.fn.unguarded(rest) if rest >= 0 else ("",)
    if value[0] != "param" or frame.call is None or frame.outer is None:
        return None
    given = [vid for key in keywords if (vid := frame.call.kwarg(key)) >= 0]
    collects = frame.fn.facts.params[value[1]].kind == "kwargs"
    return status_in(project, frame.outer, given[0]) if collects and given else None


def spread_out(frame: Frame, call: Call, keywords: tuple[str, ...]) -> tuple[set[Vid], bool]:
    """The statuses in the dicts that are passed as `**fields`, and whether all of those dicts are written out."""
    fn, outer = frame.fn, frame.call
    found: set[Vid] = set()
    seen: set[Vid] = set()
    known, todo = True, [vid for key, vid in call.kwargs if key == "**"]
    while todo:
        vid = todo.pop()
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        if vid in seen:
            continue
        seen.add(vid)
        if value[0] == "phi":
            todo.extend(value[1])
        elif value[0] == "store":
            found.update({value[3]} if fn.const(value[2]) in keywords else ())
            todo.append(value[1])
        elif value[0] == "dict":
            found.update(item for key, item in value[1] if key >= 0 and fn.const(key) in keywords)
            todo.extend(item for key, item in value[1] if key < 0)
        elif value[0] != "param" or outer is None or fn.facts.params[value[1]].kind != "kwargs" or outer.open_ended:
            known = False  # else what a helper's caller wrote, of which `handed_on` has looked for the status
    return found, known


def _left_out(frame: Frame, vid: Vid) -> bool:
    """Whether it is a parameter that the call does not pass: its default says nothing."""
    value = frame.fn.unguarded(vid)
    if value[0] != "param" or frame.call is None or frame.outer is None:
        return value == ("const", None)
    given = bind(frame.outer.fn, frame.call, frame.fn).get(value[1], [])
    return all(not part and _left_out(frame.outer, item) for item, part in given)


# exceptions with a handler of the project's


def _handled(project: Project, cls: Cls, frame: Frame, call: Call | None) -> int | None:
    """What the handler registered for the class, or the nearest of its bases, answers."""
    for owner in project.hierarchy.mro(cls):
        names = [name for name, refs in project.error_handlers.items() if any(ref.name == owner.fqn for ref in refs)]
        statuses = {
            status
            for name in names
            if name in project.functions
            for status in _answered(project, project.functions[name], cls, frame, call)
        }
        if names:
            return next(iter(statuses)) if len(statuses) == 1 else None
    return None


def _answered(project: Project, handler: Fn, cls: Cls, frame: Frame, call: Call | None) -> Iterator[int | None]:
    parameter = exception_parameter(handler)
    for item in handler.facts.returns:
        for given in _statuses(project, handler, item.value):
            vid = _number(handler, given)
            value = handler.unguarded(vid)
            if value[0] == "attr" and handler.unguarded(value[1]) == ("param", parameter):
                yield _attribute(project, cls, value[2], frame, call)
            else:
                yield status_of(project, handler, vid)


def _number(fn: Fn, vid: Vid) -> Vid:
    """What `int(error.status)` is made of."""
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    return call.args[0] if call is not None and len(call.args) == 1 and fn.callee_name(call) == "int" else vid


def _statuses(project: Project, fn: Fn, vid: Vid, *, through: bool = True) -> Iterator[Vid]:
    """Values that a handler returns as the status: in a tuple, or of the response that it, or a helper, makes."""
    value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    if value[0] == "tuple" and len(value[1]) in (2, 3):
        yield value[1][1]
    elif value[0] == "call":
        call = fn.facts.calls[value[1]]
        for model in project.models(fn, call):
            status = model.response.status if model.response is not None else None
            given = argument_of(call, status) if status is not None else -1
            if given >= 0:
                yield given
        yield from _by_helper(project, fn, call) if through else ()
    else:  # `response.status_code = error.code; return response`
        yield from (item.value for item in fn.facts.stores if item.name == "status_code")


def _by_helper(project: Project, fn: Fn, call: Call) -> Iterator[Vid]:
    """What is given to a function of the project as the status of its answer: `return problem(error.status_code, ...)`."""
    for target in project.targets(fn, call):
        bound = bind(fn, call, target)
        for item in target.facts.returns:
            for vid in _statuses(project, target, item.value, through=False):
                value = target.unguarded(vid)
                given = bound.get(value[1], []) if value[0] == "param" else []
                yield from (outer for outer, part in given if not part)


def _attribute(project: Project, cls: Cls, name: str, frame: Frame, call: Call | None) -> int | None:
    """What an attribute of a new instance holds: stored by a constructor, else of the class."""
    init = project.method(cls, "__init__") if call is not None else None
    inner = Frame(init, call, frame) if init is not None else None
    while inner is not None:
        stored = [item.value for item in inner.fn.facts.stores if item.name == name]
        known = [status for vid in stored if (status := status_in(project, inner, vid)) is not None]
        if known or any(not _left_out(inner, vid) for vid in stored):
            return known[-1] if known else None
        above = _super_call(inner.fn)
        targets = project.targets(inner.fn, above) if above is not None else []
        inner = (
            Frame(targets[0], above, inner) if targets and inner.outer is not None and inner.depth < MAX_DEPTH else None
        )
    return _class_status(project, cls, name)
