"""Stores that all processes share, beside which the state is a copy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Fn, Project, object_root

from .contents import put_into

_SHARED = frozenset({"cache-read", "cache-write", "queue-publish"})
_STORES = re.compile(r"(^|[._])(redis|valkey|memcached?)(_?(client|conn|connection|pool|cache|db))?$", re.IGNORECASE)


def mirrors(project: Project, fn: Fn, name: str, how: str) -> bool:
    """Whether a store that all processes share is kept beside it: `if redis: await redis.set(key, value)`,
    `else: _values[key] = value`. What is here is a copy, or for when there is no such store."""
    if how in ("replaces", "adds to"):
        return _shares(project, fn)
    putters = [owner for owner in project.functions_of(fn.file) if put_into(project, owner, name)]
    return bool(putters) and all(_shares(project, owner) or _handed_sharing(project, owner) for owner in putters)


def _handed_sharing(project: Project, fn: Fn) -> bool:
    """A helper of those that give the shared store the same: `await redis.set(key, mode)`, then `remember(name, mode)`."""
    for edge in project.graph.callers(fn):
        told = [edge.caller.unguarded(vid) for vid in edge.call.passed] if edge.call is not None else []
        told = [value for value in told if value[0] != "const"]
        for call in _shared_calls(project, edge.caller) if told else ():
            if any(edge.caller.unguarded(vid) in told for vid in call.passed):
                return True
    return False


def _shares(project: Project, fn: Fn) -> bool:
    return any(True for _ in _shared_calls(project, fn))


def _shared_calls(project: Project, fn: Fn) -> Iterator[Call]:
    """What asks, or tells, a store that is shared: by its library's model, or by what it is called; who has a job done keeps
    nothing there."""
    sites = (site for site in project.effects.direct(fn) if _SHARED & {*site.model.effect} and site.model.task is None)
    yield from (site.call for site in sites)
    for call in fn.calls:
        func = fn.value(call.func)
        if func[0] == "name":
            shown = str(func[1]).rpartition(".")[0]
        else:
            owner = fn.value(object_root(fn, func[1])) if func[0] == "attr" else ("",)
            owner = fn.unguarded(owner[1]) if owner[0] == "await" else owner
            shown = fn.callee_name(fn.facts.calls[owner[1]]) if owner[0] == "call" else str(owner[-1])
        if _STORES.search(shown):
            yield call
