"""Errors whose record lacks what is needed to mend them."""

from __future__ import annotations

from collections.abc import Mapping

from backendlint.api import (
    Call,
    Edit,
    Fix,
    Fn,
    Hit,
    LogCall,
    Project,
    Span,
    below,
    called_name,
    caught,
    ingredients,
    listed,
    of_caught,
    siblings,
)

from .verdicts import Verdict
from .wording import LOST, written

_MANY = 2
_TRACEBACKS = ("format_exc", "format_exception", "format_tb", "print_exc", "print_exception")


def formats_traceback(project: Project, fn: Fn, call: Call) -> bool:
    """`log.error(described(err))`, where that function of the project writes the traceback out."""
    made = (fn.value(vid) for vid in ingredients(fn.facts, call.passed))
    helpers = (target for value in made if value[0] == "call" for target in project.targets(fn, fn.calls[value[1]]))
    return any(helper.callee_name(inner) in _TRACEBACKS for helper in helpers for inner in helper.calls)


def lost(project: Project, fn: Fn, verdict: Verdict, handler: int, options: Mapping[str, object]) -> Hit | None:
    types = caught(fn.facts, handler)
    is_broad = not types or bool(listed(options, "broad").intersection(types))
    is_broad = is_broad or (verdict.why == "untraced" and _any_of_many(project, fn, handler))
    if not is_broad and verdict.why != "untraced":
        return None
    name = written(project, fn, verdict.found.call)
    kind = ", ".join(item.rpartition(".")[2] for item in types) or "any exception"
    what, so = LOST[verdict.why]
    decided = fn.const(verdict.found.call.kwarg("exc_info")) is False
    better = f"`{name.rpartition('.')[0]}.exception(...)`{_otherwise(fn, verdict.found, options)}"
    return Hit(
        f"`{name}` reports {kind} {what}, so {so}; use {better}.",
        fn.location(verdict.found.call.span),
        profile=None if is_broad and not decided else "strict",
        severity=None if is_broad and not decided else "note",
        function=fn.fqn,
        fix=_with_traceback(fn, verdict.found),
    )


def _any_of_many(project: Project, fn: Fn, handler: int) -> bool:
    """A class of the project from which others derive: that it is one of them does not say what went wrong, nor where."""
    if _names_class(fn, handler) or _answers(fn, handler):
        return False
    names = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    classes = (project.classes.get(name) for name in names)
    treated = {
        name
        for other in siblings(fn.facts, handler, "except")
        if other < handler
        for name in project.exceptions.caught_types(fn, fn.facts.blocks[other])
    }
    return any(cls is not None and sum(item.fqn not in treated for item in cls.subclasses) >= _MANY for cls in classes)


def _answers(fn: Fn, handler: int) -> bool:
    """Whether whoever has asked is told what went wrong: `return refused(f"{number}: {error}")`."""
    inside = below(fn.facts, handler)
    given = [item.value for item in fn.facts.returns if item.block in inside and item.value >= 0]
    return of_caught(fn.facts, handler, given)


def _names_class(fn: Fn, handler: int) -> bool:
    """Whether the handler logs which class it is: `type(error).__name__`, `error.__class__.__name__`, `repr(error)`."""
    shown = (call for call in fn.calls if fn.value(call.func) == ("name", "builtins.repr"))
    if any(fn.unguarded(vid) == ("exc", handler) for call in shown for vid in call.args):
        return True
    for _, base, name in map(fn.value, fn.made_by("attr")):
        if name in ("__name__", "__qualname__"):
            owner = fn.value(base)
            parts = owner[1:2] if owner[0] == "attr" else fn.calls[owner[1]].args if owner[0] == "call" else ()
            if any(fn.value(vid) == ("exc", handler) for vid in parts):
                return True
    return False


def _otherwise(fn: Fn, found: LogCall, options: Mapping[str, object]) -> str:
    """How the library of the logger adds a traceback to a record of any level, where the file shows which library it is."""
    ways = options["traceback"]
    if not isinstance(ways, Mapping):
        return ""
    imported = fn.file.packages & ways.keys()
    named = called_name(fn.file, fn.facts, found.call).partition(".")[0]
    library = named if named in ways else imported.pop() if len(imported) == 1 else ""
    return f" or {ways[library]}" if library else ""


def _with_traceback(fn: Fn, found: LogCall) -> Fix | None:
    """`logger.error(...)` becomes `logger.exception(...)`; other levels get no fix, they would change."""
    call, end = found.call, fn.facts.span_of(found.call.func)
    if found.level != "error" or fn.value(call.func)[0] not in ("attr", "name") or call.kwarg("exc_info") >= 0:
        return None
    place = Span(end.end_line, end.end_column - len("error"), end.end_line, end.end_column)
    return Fix("Log the traceback as well", (Edit(fn.location(place), "exception"),), safe=True)
