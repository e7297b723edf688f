"""PERF117: awaits in a row of which none needs the other."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project


def check(project: Project) -> Iterator[Hit]:
    """One hit a run, at its second await."""
    for run in project.sequences.independent():
        first, second = run.calls[:2]
        names = " and ".join(f"`{name}`" for name in dict.fromkeys(run.names))
        yield Hit(
            message=f"`{run.fn.name}()` awaits {len(run.calls)} calls ({names}) one after the other, though none needs "
            "another's result: their waits add up.",
            location=run.fn.location(second.span),
            related=(run.fn.step(first.span, "the first of them"),),
            function=run.fn.fqn,
            profile=None if run.fn in project.in_request else "strict",
        )
