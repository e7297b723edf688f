"""REL303: an attribute of a stored entity is read, changed in Python and written back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    comment_above,
    for_tests,
    handed_updates,
    identifier_words,
    object_root,
    only_by_hand,
    read_modify_writes,
    sql_read_modify_writes,
    stale_updates,
)

MARKER = re.compile(r"(^|_)(version|revision|generation|epoch)$")
"""What only tells that something has changed: two changes at once may as well count as one."""

RACES = re.compile(r"\braces?\b|\bracy\b|\bconcurren|\boverwrit|\bat the same time\b|\bat once\b", re.IGNORECASE)
"""What a comment speaks of that accepts a race."""
JOBS = frozenset({"job", "attempt", "run", "migration", "batch"})
"""Rows that stand for work: who does it has them for itself."""
TAKEN = re.compile(r"attempt|retr(y|ies)|tries|claim", re.IGNORECASE)
"""What counts how often somebody took the work, which two may do at once."""


def check(project: Project) -> Iterator[Hit]:
    """ORM attributes first, one hit an object; then SQL."""
    seen: set[tuple[str, int]] = set()
    for lost in read_modify_writes(project):
        changed = (lost.fn.fqn, object_root(lost.fn, lost.store.base))
        if changed in seen or for_tests(project, lost.fn):
            continue
        seen.add(changed)
        name = f"{lost.entity.name}.{lost.name}"
        query = lost.origin.steps[0] if lost.origin is not None else None
        place = lost.save if lost.save is not None else lost.store
        told = (
            only_by_hand(project, lost.fn)
            or MARKER.search(lost.name) is not None
            or _of_own_job(project, lost.fn, lost.entity, lost.name)
            or _accepted(project, lost.fn.location(place.span))
        )
        yield Hit(
            f"`{name}` is read, changed in `{lost.fn.name}()` and written back: of two requests at once one change is lost; "
            f"let the database compute it (`{_advice(project, lost.entity, lost.name)}`) or lock the row when it is read.",
            lost.fn.location(place.span),
            related=(query.fn.step(query.call.span, "read here, without a lock"),) if query is not None else (),
            function=lost.fn.fqn,
            profile="strict" if told or project.layer(lost.fn) == "migration" else None,
        )
    for stale in (*sql_read_modify_writes(project), *stale_updates(project), *handed_updates(project)):
        yield Hit(
            f"`{stale.fn.name}()` reads `{stale.table}`, computes the new value in Python and writes it back: of two requests at "
            "once one change is lost; compute it in the UPDATE itself, or read it with FOR UPDATE.",
            stale.fn.location(stale.write.span),
            related=(stale.fn.step(stale.read.span, "read here, without a lock"),),
            function=stale.fn.fqn,
        )


def _accepted(project: Project, place: Location) -> bool:
    """`# two at once may overwrite each other, which is exact enough`: a comment above, or above the line before, knows of it."""
    lines = range(place.line, place.line - 2, -1)
    return any(RACES.search(text) for line in lines for text in comment_above(project, place.path, line))


def _of_own_job(project: Project, fn: Fn, entity: Cls, name: str) -> bool:
    """`run.done += len(batch)` outside of requests: one worker does the run."""
    inside = fn in project.in_request or project.reach(fn.fqn)
    return not (inside or TAKEN.search(name) or JOBS.isdisjoint(identifier_words(entity.name)))


def _advice(project: Project, entity: Cls, name: str) -> str:
    bases = project.hierarchy.library_bases(entity)
    if any(base.startswith("django.") for base in bases):
        return f"F('{name}')"
    return f"UPDATE ... SET {name} = {name} + :n"
