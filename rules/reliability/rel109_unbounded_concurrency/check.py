"""REL109: as many calls, threads or queued items at once as somebody cares to send."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fanout, Hit, Profile, Project, only_by_hand

STARTS = {
    "task": "starts a task for each item",
    "thread": "starts a thread for each item",
    "process": "starts a process for each item",
    "pool": "makes a pool with as many workers as there are items",
}


def check(project: Project) -> Iterator[Hit]:
    """One hit a gather, start, queue or pool."""
    for fanout in project.fanouts.unbounded():
        yield _hit(project, fanout)


def _hit(project: Project, fanout: Fanout) -> Hit:
    site = fanout.site
    return Hit(
        message=_message(fanout),
        location=site.fn.location(site.call.span),
        help="Await them one after the other, or give each a session of its own, so many at once."
        if fanout.shared
        else None,
        function=site.fn.fqn,
        profile=_profile(project, fanout),
    )


def _message(fanout: Fanout) -> str:
    site = fanout.site
    where = "" if site.fn.is_module else f" in `{site.fn.name}()`"
    if fanout.kind == "queue":
        return (
            f"`{site.model.name}`{where} has no bound: when its consumer is slower than its producers, it grows until "
            "memory runs out."
        )
    if fanout.kind == "gather" and fanout.shared:
        return (
            f"`{site.model.name}`{where} runs {fanout.what} for all items at once on one `{fanout.shared}`, which takes one "
            "operation at a time: with two items or more it can raise."
        )
    if fanout.kind == "gather":
        return (
            f"`{site.model.name}`{where} runs {fanout.what} for all items at once: a long list exhausts connections "
            "and floods the other side."
        )
    runs = f" ({fanout.what})" if fanout.what else ""
    return f"`{site.fn.name}()` {STARTS[fanout.kind]}{runs}: their number has no bound, and a long list exhausts the process."


def _profile(project: Project, fanout: Fanout) -> Profile | None:
    """A queue that no request fills, or of which the code says that it has no end (`Queue(0)`), threads that no request starts,
    and what a script starts, are advice."""
    site = fanout.site
    sizes = (*site.call.args[:1], site.call.kwarg("maxsize")) if fanout.kind == "queue" else ()
    if any(site.fn.const(vid) == 0 for vid in sizes if vid >= 0):
        return "strict"
    if only_by_hand(project, fanout.site.fn) or not project.fanouts.evident(fanout):
        return "strict"
    return None
