"""Functions that only hand on what they are given: what is done with it is their callers' doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_WORK = frozenset("db http mail queue cache socket grpc cloud search subprocess".split())
"""First words of effects outside of the process."""
_OF_KIND = {"sql": "db", "nosql": "db"}
"""The work to which a sink of the kind belongs, whatever its call does itself (`text(statement)`)."""


def only_helps(project: Project, fn: Fn, call: Call, kind: str) -> bool:
    """Whether the function does nothing outside of the process but what this one of its calls, a sink of the kind, does: one
    that asks the database and logs a line about it is no helper for logging."""
    own = _work(project, fn, call) | {_OF_KIND.get(kind, "")}
    return all(_work(project, fn, other) <= own for other in fn.calls if other is not call)


def _work(project: Project, fn: Fn, call: Call) -> set[str]:
    effects = project.effects.call_effects(fn, call)
    return {effect.partition("-")[0] for effect in effects}.intersection(_WORK)
