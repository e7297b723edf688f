"""REL104: retrying for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Policy, Project, is_job, runs_by_hand

BEATS = re.compile(r"heart_?beat|keep_?alive", re.IGNORECASE)
"""Names of what has nothing to do but to get through."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a policy that nothing ends."""
    for policy in project.retries.all:
        if policy.bounded or policy.attempts is not None:
            continue
        if policy.kind in ("decorator", "object") and not policy.on and not _comes_back(project, policy.fn):
            continue  # a predicate decides: that may be polling
        yield _hit(project, policy)


def _comes_back(project: Project, fn: Fn) -> bool:
    """A job that calls `retry()` itself and does not count how often it did."""
    if not is_job(project, fn):
        return False
    compared = (side for vid in fn.made_by("compare") for side in fn.value(vid)[2])
    counts = any(value[0] == "attr" and value[2] == "retries" for value in map(fn.unguarded, compared))
    return not counts and not any(call.kwarg("max_retries") >= 0 for call in fn.calls)


def _goes_on_anyway(project: Project, fn: Fn) -> bool:
    """What only endless loops call, round after round, such as a heartbeat's thread: there is nothing that it keeps waiting."""
    edges = project.graph.callers(fn)
    return bool(edges) and all(
        any(
            item.kind == "while" and edge.caller.const(item.value) is True
            for _, item in edge.caller.blocks_of(edge.block)
        )
        for edge in edges
    )


def _is_soft(project: Project, fn: Fn) -> bool:
    """A script that waits for its database, and a thread's duty."""
    return runs_by_hand(project, fn) or bool(BEATS.search(fn.name)) or _goes_on_anyway(project, fn)


def _hit(project: Project, policy: Policy) -> Hit:
    reach = project.reach(policy.fn.fqn)
    held = f"; {reach} endpoint{'s wait' if reach > 1 else ' waits'} with it" if reach else ""
    ends = "the job comes back for ever" if is_job(project, policy.fn) else f"it never returns{held}"
    return Hit(
        message=f"{policy.retried} is retried without an end: while the other side is down, {ends}.",
        location=policy.home.location(policy.span),
        related=tuple(policy.fn.step(call.span, "what is retried") for call in policy.calls[:3]),
        function=policy.fn.fqn,
        profile="strict" if policy.tends or _is_soft(project, policy.fn) else None,
    )
