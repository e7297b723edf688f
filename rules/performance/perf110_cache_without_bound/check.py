"""PERF110: caches that never forget, keep objects alive, or are keyed by what cannot be a key."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import CacheUse, Hit, Project

MESSAGES = {
    "unbounded": "`{name}()` is cached without a bound: each new argument stays in memory until the process ends.",
    "method": "`{name}()` is a method with a cache: the cache keeps each object (`self`) alive and is shared by all of them.",
    "shared": "`{name}()` is a method with a cache of {size} in all, which all objects share: they push each other's results out.",
    "no-expiry": "`{name}` in `{fn}()` stores an entry that never expires: it goes stale, and the cache only grows.",
    "grows": "`{fn}()` adds to `{name}`, which nothing ever shrinks: it grows until the process ends{stale}.",
    "mutable-key": "`{name}()` is cached by its arguments, and `{fn}()` passes one that is not hashable: the call raises TypeError.",
}
HELPS = {
    "method": "Cache a function of plain values, use `cached_property`, or keep a bounded cache in the object.",
    "shared": "Cache a function of plain values, use `cached_property`, or keep a cache in the object.",
    "no-expiry": "Pass a time to live.",
    "mutable-key": "Pass a tuple or a frozenset.",
}
LOCKS = frozenset({"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Event", "Condition"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a problem."""
    for use in project.caches.problems():
        yield _hit(use)


def _hit(use: CacheUse) -> Hit:
    return Hit(
        message=MESSAGES[use.problem].format(name=use.name, fn=use.fn.name, size=_entries(use.size), stale=_stale(use)),
        location=use.fn.location(use.span),
        help=HELPS.get(use.problem),
        function=use.fn.fqn,
        profile=None if use.sure else "strict",
    )


def _stale(use: CacheUse) -> str:
    """What is kept may change meanwhile; not a lock."""
    fn = use.fn
    put = [fn.unguarded(store.value) for store in fn.facts.stores if store.span == use.span and store.value >= 0]
    locks = any(value[0] == "call" and fn.callee_name(fn.calls[value[1]]) in LOCKS for value in put)
    return "" if locks else ", and what it holds goes stale"


def _entries(size: int) -> str:
    return "one entry" if size == 1 else f"{size} entries"
