"""REL103: attempts that follow each other at once or at a fixed pace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Policy, Project, Vid, ingredients, name_of, only_by_hand, runs_by_hand

PHASES = ("status", "state", "phase")
"""Names under which answers say how far the other side has got."""
ASKS = frozenset({"http", "db-connect", "socket", "grpc", "cloud"})
NOT_YET = re.compile(r"(Yet|NotReady|Pending|InProgress|StillRunning)([A-Z]\w*)?$")
"""Names of exceptions that say so."""
REPORTS = re.compile(r"notif|report|alert|send|publish|log(?!_?in)|record|capture|mark", re.IGNORECASE)
PATIENT, FEW = 10, 5
"""Seconds between so many attempts hammer nobody."""
BRIEFLY, ONCE_OR_TWICE = 2, 3
"""So do a second and a third attempt that come so many seconds later."""
FAR_APART = 60
"""Seconds between any number of attempts."""
STEADY = 2
"""Seconds between the attempts of a loop that no client waits for."""
CONFLICT = re.compile(r"Serialization|Deadlock|LockNotAvailable|40001|40P01|\b(database|table) is locked")
"""What databases raise when two transactions get in each other's way: the next attempt finds the other one gone."""
CLOCKS = frozenset({"time", "monotonic", "perf_counter"})
LOCKS = re.compile(r"(^|_)acquire\w*_(lock|mutex|lease)s?$", re.IGNORECASE)
"""Names of functions that take a lock, if nobody else has it."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a policy, where it is written."""
    for policy in project.retries.all:
        if policy.backoff in ("none", "constant") and _retries(policy) and not _polls(policy):
            yield _hit(project, policy)


def _retries(policy: Policy) -> bool:
    """Several attempts, made by the policy itself (a task that calls `retry()` has its own pace)."""
    if policy.kind in ("decorator", "object"):
        return bool(policy.on) and policy.attempts not in (0.0, 1.0)
    if policy.kind == "client":
        return policy.backoff == "none" and policy.attempts not in (0.0, 1.0)
    return policy.kind == "loop" and policy.attempts != 1


def _polls(policy: Policy) -> bool:
    """`if order["status"] != "issued": raise NotYet`: the decorated function asks until the other side is ready."""
    fn = policy.fn
    if policy.on and all(NOT_YET.search(name) for name in policy.on):
        return True
    for statement in fn.facts.raises if policy.kind == "decorator" else ():
        for _, block in fn.blocks_of(statement.block):
            value = fn.facts.values[block.value] if block.kind == "if" and block.value >= 0 else ("",)
            if value[0] == "compare" and any(isinstance(fn.const(vid), str) for vid in value[2]):
                if any(name_of(fn.file, fn.facts, vid).rpartition(".")[2] in PHASES for vid in value[2]):
                    return True
                if any(_key(fn, vid) in PHASES for vid in value[2]):
                    return True
    return False


def _key(fn: Fn, vid: Vid) -> object:
    """The key of `order["status"]` and `order.get("status")`."""
    value = fn.facts.values[vid]
    if value[0] == "item":
        return fn.const(value[2])
    if value[0] == "call" and fn.calls[value[1]].args:
        return fn.const(fn.calls[value[1]].args[0])
    return None


def _mends(project: Project, policy: Policy) -> bool:
    """`except Stale: renew(session)` before the next attempt: it is another one than that which failed."""
    if policy.kind != "loop":
        return False
    fn = policy.fn
    handlers = {number for call in policy.calls for number in fn.handlers_of(call.block)}
    return any(
        ASKS & project.effects.call_effects(fn, call)
        and not REPORTS.search(fn.callee_name(call))
        and fn not in project.targets(fn, call)
        and handlers.intersection(number for number, _ in fn.blocks_of(call.block))
        for call in fn.calls
    )


def _conflicts(policy: Policy) -> bool:
    """`except OperationalError as e: if not isinstance(e.orig, SerializationFailure): raise`: a transaction that lost a race."""
    fn = policy.fn
    for number, block in enumerate(fn.facts.blocks) if policy.kind == "loop" else ():
        if block.kind != "if" or fn.inside(number, "except") is None:
            continue
        asked = (fn.value(vid) for vid in ingredients(fn.facts, (block.value,)))
        if any(value[0] in ("name", "const", "attr") and CONFLICT.search(str(value[-1])) for value in asked):
            return True
    return False


def _until_a_deadline(policy: Policy) -> bool:
    """`while time.monotonic() < deadline:`, again after a pause: somebody waits there until another one is ready."""
    block = policy.fn.facts.blocks[policy.block] if policy.kind == "loop" and policy.block >= 0 else None
    if block is None or block.kind != "while" or policy.backoff != "constant":
        return False
    test = policy.fn.unguarded(block.value)
    asked = (policy.fn.unguarded(vid) for vid in test[2]) if test[0] == "compare" else ()
    return any(value[0] == "call" and policy.fn.callee_name(policy.fn.calls[value[1]]) in CLOCKS for value in asked)


def _takes_lock(policy: Policy) -> bool:
    """`if acquire_row_locks(rows): break`: what is waited for is that another one gives it back."""
    asked = [policy.fn.callee_name(call) for call in policy.calls] if policy.kind == "loop" else []
    return policy.backoff == "constant" and any(LOCKS.search(name) for name in asked)


def _is_slow(project: Project, policy: Policy) -> bool:
    """Three attempts with a pause, a few far apart, and those of a loop that no client waits for: jobs seldom come together."""
    if policy.backoff != "constant":
        return False
    pause = policy.pause or 0
    if 0 < (policy.attempts or 0) <= ONCE_OR_TWICE and pause >= BRIEFLY:
        return True
    slow = PATIENT if 0 < (policy.attempts or 0) <= FEW else FAR_APART
    beside = policy.fn not in project.in_request and project.layer(policy.fn) != "client"  # which any may call
    return pause >= slow or (policy.kind == "loop" and pause >= STEADY and beside)


def _for_commands(project: Project, policy: Policy) -> bool:
    """A script, and a loop that commands alone come to; but for a client's, which any may call."""
    alone = policy.kind == "loop" and project.layer(policy.fn) != "client"
    return runs_by_hand(project, policy.fn) or (alone and only_by_hand(project, policy.fn))


def _is_soft(project: Project, policy: Policy) -> bool:
    """What is slow, a second attempt alone, what runs once (a script that waits for its database), a lost race, a lock that
    another one has, what waits until a deadline, what mends the failure first, and what keeps a task alive."""
    return (
        _is_slow(project, policy)
        or policy.once_more
        or policy.tends
        or _conflicts(policy)
        or _takes_lock(policy)
        or _until_a_deadline(policy)
        or _for_commands(project, policy)
        or project.layer(policy.fn) == "migration"
        or _mends(project, policy)
    )


def _hit(project: Project, policy: Policy) -> Hit:
    what = (
        "The retrying client" if policy.kind == "client" else "The retry loop" if policy.kind == "loop" else "The retry"
    )
    pace = "without a pause" if policy.backoff == "none" else "at a fixed pace"
    random = policy.jitter and policy.backoff == "constant"
    return Hit(
        message=f"{what} of `{policy.fn.name}()` tries again {pace}: all callers hammer a struggling service together."
        if not random
        else f"{what} of `{policy.fn.name}()` tries again after pauses that do not grow: a struggling service gets no rest.",
        location=policy.home.location(policy.paused.span if policy.paused is not None else policy.span),
        related=tuple(policy.fn.step(call.span, "what is retried") for call in policy.calls[:3]),
        confidence=None if policy.backoff == "none" else "medium",
        function=policy.fn.fqn,
        profile="strict" if random or _is_soft(project, policy) else None,
    )
