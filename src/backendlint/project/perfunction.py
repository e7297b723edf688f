"""What is worked out of a function once, however many ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

T = TypeVar("T")


def per_function(work: Callable[[Project, Fn], T]) -> Callable[[Project, Fn], T]:
    """Remember with each function what `work` says of it; whoever asks must leave that as it is."""

    @wraps(work)
    def asked(project: Project, fn: Fn) -> T:
        if work in fn.worked_out:
            known: T = fn.worked_out[work]
            return known
        found = work(project, fn)
        if project.resolver.idle:  # else something may be missing that is being worked out right now
            fn.worked_out[work] = found
        return found

    return asked
