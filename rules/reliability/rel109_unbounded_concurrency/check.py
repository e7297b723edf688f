"""REL109: as many calls, threads or queued items at once as somebody cares to send."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    Call,
    Cls,
    Fanout,
    Fn,
    Hit,
    Profile,
    Project,
    loop_at,
    only_by_hand,
    receiver,
    stops_early,
    told_once,
)

FEW_QUEUES = 3
"""So many are told one by one: of more it is how the project makes them."""
STARTS = {
    "task": "starts a task for each item",
    "thread": "starts a thread for each item",
    "process": "starts a process for each item",
    "pool": "makes a pool with as many workers as there are items",
}


def check(project: Project) -> Iterator[Hit]:
    """One hit a gather, start, queue or pool; of many queues of one kind, and of the pools that one file makes, the first."""
    queues: dict[str, list[Hit]] = {}
    pools: dict[str, list[Hit]] = {}
    for fanout in project.fanouts.unbounded():
        hit = _hit(project, fanout)
        if fanout.kind == "queue" and hit.profile is None:
            queues.setdefault(fanout.site.model.name, []).append(hit)
        elif fanout.kind == "pool" and hit.profile is None:
            pools.setdefault(hit.location.path, []).append(hit)
        else:
            yield hit
    for few, groups in ((FEW_QUEUES, queues), (1, pools)):
        for hits in groups.values():
            yield from told_once(hits, _in_all, few, severity=None)


def _in_all(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]} (here and in {others})."


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
    """A queue that no request fills, that ends with the call which makes it, or of which the code says that it has no end (`Queue(0)`),
    threads that no request starts, and what a script or the start of the application starts, are advice."""
    site = fanout.site
    sizes = (*site.call.args[:1], site.call.kwarg("maxsize")) if fanout.kind == "queue" else ()
    if any(site.fn.const(vid) == 0 for vid in sizes if vid >= 0):
        return "strict"
    if only_by_hand(project, site.fn) or not project.fanouts.evident(fanout):
        return "strict"
    if fanout.kind != "queue" and project.lifecycle.alone_leads_to(site.fn):
        return "strict"
    return "strict" if _leaves(site.fn, site.call) or _of_parts(project, site.fn, site.call) else None


def _leaves(fn: Fn, start: Call) -> bool:
    """`task = create_task(finish()); break`: the loop starts one at most."""
    loop = loop_at(fn, start.block, ("for", "while", "comp"))
    return loop >= 0 and stops_early(fn, start.block, loop)


def _of_parts(project: Project, fn: Fn, start: Call) -> bool:
    """`gather(*[listener.told(event) for listener in self.listeners])`, `create_task(tell(listener, event))`: objects that make up
    the program, which are as many as somebody has set up, and no rows of a table."""
    for call in fn.calls:
        for vid in (receiver(fn, call), *call.passed) if start.span.holds(call.span) else ():
            if vid < 0 or fn.unguarded(vid)[0] not in ("elem", "unpack"):
                continue
            classes = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
            if classes and all(_is_part(project, cls) for cls in classes):
                return True
    return False


def _is_part(project: Project, cls: Cls) -> bool:
    """Of a class from which others derive, and whose objects no database or client has: a plug-in, a listener."""
    return bool(cls.subclasses) and project.hierarchy.role(cls) not in ("model", "schema", "serializer")
