"""REL103: attempts that follow each other at once or at a fixed pace."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Policy, Project, runs_by_hand


def check(project: Project) -> Iterator[Hit]:
    """One hit a policy, where it is written."""
    for policy in project.retries.all:
        if policy.backoff in ("none", "constant") and _retries(policy):
            yield _hit(project, policy)


def _retries(policy: Policy) -> bool:
    """Several attempts, made by the policy itself (a task that calls `retry()` has its own pace)."""
    if policy.kind in ("decorator", "object"):
        return bool(policy.on) and policy.attempts not in (0.0, 1.0)
    if policy.kind == "client":
        return policy.backoff == "none" and policy.attempts not in (0.0, 1.0)
    return policy.kind == "loop" and policy.attempts != 1


def _hit(project: Project, policy: Policy) -> Hit:
    what = (
        "The retrying client" if policy.kind == "client" else "The retry loop" if policy.kind == "loop" else "The retry"
    )
    pace = "without a pause" if policy.backoff == "none" else "at a fixed pace"
    random = policy.kind == "loop" and policy.jitter
    soft = random or runs_by_hand(project, policy.fn)  # such as a script that waits for its database
    return Hit(
        message=f"{what} of `{policy.fn.name}()` tries again {pace}: all callers hammer a struggling service together."
        if not random
        else f"{what} of `{policy.fn.name}()` tries again after pauses that do not grow: a struggling service gets no rest.",
        location=policy.home.location(policy.span),
        related=tuple(policy.fn.step(call.span, "what is retried") for call in policy.calls[:3]),
        confidence=None if policy.backoff == "none" else "medium",
        function=policy.fn.fqn,
        profile="strict" if soft else None,
    )
