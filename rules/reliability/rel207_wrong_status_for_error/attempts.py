"""What is tried: whether it knows an outage at all, and whether one makes a difference to the answer."""

from __future__ import annotations

import re

from backendlint.api import Answer, Call, Fn, Project, Vid, asks_nobody, below, calls_in

from .bodies import Given
from .statuses import ALL, OK, SERVER, states_another

_DEPTH = 3
_DONE_BEFORE = (409, 410)
"""Statuses by which a second attempt finds that it has been done: as well as if it had done it."""
_DONE = frozenset({"http", "db-write", "queue-publish", "mail", "cloud", "socket", "subprocess"})
_OUTSIDE = _DONE | {
    "db",
    "db-read",
    "commit",
    "flush",
    "db-connect",
    "grpc",
    "search",
    "cache-read",
    "cache-write",
    "dns",
    "ssh",
}
_COMPUTES = re.compile(
    r"(^|_)(parse|decode|deserialize|verify|validate|check|clean|convert|transform|normali[sz]e|loads|from|to|str|is|format)(_|$|r$)",
    re.IGNORECASE,
)
"""Words of functions that make something of a value, or say no to it."""


def computes(project: Project, fn: Fn, handler: int) -> bool:
    """Whether nothing that is tried knows an outage: what fails there is the value, or there is a bug."""
    if not any(name in ALL for name in project.exceptions.caught_types(fn, fn.facts.blocks[handler])):
        return False
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    calls = [call for call in fn.calls if call.block in tried]
    shared = any(item.block in tried and item.name and fn.unguarded(item.base)[0] == "name" for item in fn.facts.stores)
    return bool(calls) and not shared and all(_is_pure(project, fn, call) for call in calls)


def _is_pure(project: Project, fn: Fn, call: Call, depth: int = _DEPTH) -> bool:
    if _OUTSIDE & project.effects.call_effects(fn, call):
        return False
    models = project.models(fn, call)
    if call.awaited and (any(item.source == "request" for item in models) or (not models and _reads_upload(fn, call))):
        return True
    targets = project.targets(fn, call)
    if call.awaited and targets and not models:
        return _COMPUTES.search(fn.callee_name(call)) is not None or (
            depth > 0 and all(_is_pure(project, item, inner, depth - 1) for item in targets for inner in item.calls)
        )
    if call.awaited or any(item.orm or item.spawn or item.executor or set(item.effect) - {"log"} for item in models):
        return False
    return asks_nobody(project, fn, call) or _COMPUTES.search(fn.callee_name(call)) is not None


def _reads_upload(fn: Fn, call: Call) -> bool:
    """`await file.read()` of what the function is given."""
    func = fn.unguarded(call.func)
    return func[0] == "attr" and bool(func[2] == "read") and fn.unguarded(func[1])[0] == "param"


def is_the_same(
    project: Project, fn: Fn, handler: int, types: tuple[str, ...], answer: Answer, usual: list[Given]
) -> bool:
    """Whether an outage, or a refusal, of all that the handler does makes no difference to its answer, beside those where all
    went well."""
    failed = any(name in ALL or project.exception_kind(name) == "infrastructure" for name in types)
    if not failed and not states_another(project, types, _DONE_BEFORE):
        return False
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    told = [fn.const(vid) for call in calls_in(fn.facts, handler) for vid in call.passed]
    if any(isinstance(item, int) and SERVER - 100 <= item < SERVER + 100 for item in told):
        return False  # a function is given the status: `self.write_error(500)`
    others = [item.answer for item in usual if not item.answer.failed]
    works = [call.block for call in fn.calls if _DONE & project.effects.call_effects(fn, call)]
    return (
        bool(others)
        and all(_alike(fn, answer.body, item.body) and _as_good(answer, item) for item in others)
        and bool(works)
        and tried.issuperset(works)
    )


def _as_good(answer: Answer, other: Answer) -> bool:
    """The same status, or 200 without a body beside 204."""
    one, two = answer.status or OK, other.status or OK
    return one == two or (answer.body < 0 and other.body < 0 and one // 100 == two // 100 == 2)


def _alike(fn: Fn, left: Vid, right: Vid, depth: int = 5) -> bool:
    """Whether two values are written alike, of constants alone."""
    if left < 0 or right < 0 or depth == 0:
        return left == right
    a, b = fn.unguarded(left), fn.unguarded(right)
    if a[0] == b[0] == "call":
        one, other = fn.facts.calls[a[1]], fn.facts.calls[b[1]]
        if fn.unguarded(one.func) != fn.unguarded(other.func) or len(one.passed) != len(other.passed):
            return False
        return all(_alike(fn, x, y, depth - 1) for x, y in zip(one.passed, other.passed, strict=True))
    if a[0] == b[0] == "dict" and len(a[1]) == len(b[1]):
        pairs = [tuple(zip(one, other, strict=True)) for one, other in zip(a[1], b[1], strict=True)]
        return all(_alike(fn, *keys, depth - 1) and _alike(fn, *said, depth - 1) for keys, said in pairs)
    return a == b and a[0] in ("const", "name")
