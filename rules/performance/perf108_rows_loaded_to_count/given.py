"""Rows that a function of the project fetches for whoever calls it: `len(repository.waiting(pier))`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from backendlint.api import Call, Fn, Project, Vid

SAME = ("guard", "await")
BINDS = ("builtins.staticmethod", "builtins.classmethod", "builtins.property")
"""Decorators that give the function's own result; others may keep it for whoever asks next."""
MAX_HELPERS = 3
"""Functions that hand on what the next one has fetched."""
SUMS_UP = re.compile(r"\bGROUP\s+BY\b|\bDISTINCT\b|\bUNION\b|\bLIMIT\s+(?!\d{2})\S", re.IGNORECASE)
"""Statements whose rows another statement would have to count, and those that give a few, or as many as somebody says."""

Place = tuple[Fn, Vid]


def given(project: Project, fn: Fn, call: Call, is_rows: Callable[[Project, Fn, Vid], bool]) -> Place | None:
    """Where the rows are fetched that a call gives, all of them as they come, by functions that do nothing else."""
    texts: list[str] = []
    for _ in range(MAX_HELPERS):
        target = _plainly(project, fn, call)
        if target is None:
            return None
        texts += filter(None, (project.queries.text(fn, call), *_texts(project, target)))
        vid = _result(target)
        if vid >= 0 and is_rows(project, target, vid):
            counts = not any(map(SUMS_UP.search, texts))
            return (target, vid) if counts and (texts or not _of_driver(project, target, vid)) else None
        value = target.value(vid) if vid >= 0 else ("",)
        if value[0] != "call":
            return None
        fn, call = target, target.calls[value[1]]
    return None


def _plainly(project: Project, fn: Fn, call: Call) -> Fn | None:
    """The one function that is called, where it only reads, and nothing keeps its answer."""
    targets = project.targets(fn, call)
    if (
        len(targets) != 1
        or targets[0].facts.is_generator
        or any(ref.name not in BINDS for ref in targets[0].decorators)
    ):
        return None
    sent = (*project.queries.sent(targets[0]), *(query for query in project.queries.sent(fn) if query.call is call))
    return None if any(query.kind == "write" for query in sent) else targets[0]


def _result(fn: Fn) -> Vid:
    """The one value that a function returns, without what is awaited; -1 where there are several."""
    return plain(fn, fn.returned[0]) if len(fn.returned) == 1 else -1


def plain(fn: Fn, vid: Vid) -> Vid:
    """The value itself, without tests that say more of it, or that it is awaited."""
    while fn.facts.values[vid][0] in SAME:
        vid = fn.facts.values[vid][1]
    return vid


def _texts(project: Project, fn: Fn) -> Iterator[str]:
    calls = (query.call for query in project.queries.sent(fn))
    return (project.queries.text(fn, call) for call in calls if call is not None)


def _of_driver(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a cursor gives the rows, of whatever statement it was given."""
    value = fn.value(vid)
    models = project.models(fn, fn.calls[value[1]]) if value[0] == "call" else []
    return any(model.name.endswith("fetchall") for model in models)
