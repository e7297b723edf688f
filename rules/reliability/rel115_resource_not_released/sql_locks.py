"""Locks that a statement takes for the connection's whole life, and another one gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backendlint.api import Call, Fn, Hit, Project, Vid, ingredients, only_by_hand

PAIRS = (("pg_advisory_lock(", "pg_advisory_unlock("), ("GET_LOCK(", "RELEASE_LOCK("))
"""What takes and what gives back; locks that end with the transaction have other names."""


def sql_locks(project: Project) -> Iterator[Hit]:
    """One hit a lock whose release is skipped when something fails between the two."""
    texts: dict[Fn, dict[str, list[Vid]]] = {}
    for fn, vid, text in project.literals.all:
        for name in (name for pair in PAIRS for name in pair if name in text):
            texts.setdefault(fn, {}).setdefault(name, []).append(vid)
    for fn, found in texts.items():
        for taken, given_back in PAIRS:
            locks, ends = (_executing(fn, found.get(name, ())) for name in (taken, given_back))
            if locks and ends and not _in_finally(fn, ends) and _risky(fn, locks[0], ends[-1]):
                yield _hit(project, fn, taken, locks[0], ends[-1])


def _executing(fn: Fn, vids: Sequence[Vid]) -> list[Call]:
    """The calls that are handed the statements, the outermost of each."""
    calls = [call for call in fn.calls if not ingredients(fn.facts, call.passed).isdisjoint(vids)]
    return [call for call in calls if not any(other is not call and other.span.holds(call.span) for other in calls)]


def _in_finally(fn: Fn, ends: list[Call]) -> bool:
    return any(fn.inside(call.block, "finally") is not None for call in ends)


def _risky(fn: Fn, lock: Call, end: Call) -> bool:
    """Whether anything comes between the two that may fail: a call, or what the `yield` gives way to."""
    yields = any(item.is_yield and lock.span < item.span < end.span for item in fn.facts.returns)
    return yields or any(lock.span < call.span < end.span and not lock.span.holds(call.span) for call in fn.calls)


def _hit(project: Project, fn: Fn, name: str, lock: Call, end: Call) -> Hit:
    return Hit(
        message=f"`{fn.name}()` acquires a lock of the database (`{name.rstrip('(')}`) that stays held when what comes before the "
        "release fails: the connection goes back to its pool with it; release it in `finally`.",
        location=fn.location(lock.span),
        related=(fn.step(end.span, "the release that is skipped"),),
        function=fn.fqn,
        profile="strict" if only_by_hand(project, fn) else None,
    )
