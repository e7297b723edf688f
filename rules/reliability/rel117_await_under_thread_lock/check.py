"""REL117: coroutines that wait while they hold a lock which stops the whole thread."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, only_by_hand


def check(project: Project) -> Iterator[Hit]:
    """One hit a lock, at the first await under it."""
    for held in project.locks.awaited():
        yield Hit(
            message=f"`{held.fn.name}()` awaits while it holds the thread lock `{held.lock}`: the next coroutine that wants "
            "the lock stops the event loop, and nobody is left to release it.",
            location=held.fn.location(held.span),
            related=(held.fn.step(held.taken, "the lock is taken here"),),
            function=held.fn.fqn,
            profile="strict" if only_by_hand(project, held.fn) else None,
        )
