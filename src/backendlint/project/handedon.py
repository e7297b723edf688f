"""Where functions are handed to code of the project, which calls them: `run_hook(_delete_action, thread)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.calls import Edge
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project


def handed_on(project: Project) -> dict[str, list[Edge]]:
    """By the full name of a function that nothing calls by its name: the calls that hand it on, as if they called it.

    What a library takes has its own meaning (a thread's target, a signal's receiver), and is left out.
    """
    wanted = {fn.name for fn in project.all_functions() if fn.name and not project.graph.callers(fn)}
    found: dict[str, list[Edge]] = {}
    for fn in project.all_functions():
        for call in fn.facts.calls:
            for target in _passed(project, fn, call, wanted):
                if not any(ref.kind == "lib" for ref in project.callees(fn, call)):
                    found.setdefault(target.fqn, []).append(Edge(fn, target, call, "call", call.span))
    return found


def _passed(project: Project, fn: Fn, call: Call, wanted: set[str]) -> Iterator[Fn]:
    for vid in call.passed:
        if _last(fn, vid) in wanted:
            refs = project.refs(fn, vid)
            yield from (project.functions[ref.name] for ref in refs if ref.kind == "func")


def _last(fn: Fn, vid: Vid) -> str:
    """The last part of what is passed by its name."""
    value = fn.facts.values[vid]
    return str(value[-1]).rpartition(".")[2] if value[0] in ("name", "def", "attr") else ""
