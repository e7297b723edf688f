"""Why one transaction around both is not the function's to open: others decide about it, or are asked meanwhile."""

from __future__ import annotations

import re

from backendlint.api import Call, Durable, Fn, Project, before, called_name, decorator_models, is_job, operands

_OUTSIDE = ("http", "mail", "grpc", "cloud", "subprocess", "sleep")
_QUEUED = "queue-publish"
_WAITED_FOR = frozenset({"call", "inject", "property"})
"""Calls in the thread, and so in the transaction, of the caller."""
_SENDS = re.compile(r"(send|post|notify|publish|email|upload)_", re.IGNORECASE)
_HOOKS = frozenset({"save", "delete", "clean", "full_clean", "create", "update", "__init__"})


def in_a_request(project: Project, fn: Fn) -> bool:
    """Under `ATOMIC_REQUESTS` what a view of an unknown library or a decorator that nobody here knows leads to is in a transaction
    unless a job, a command or the start of the application is seen to lead to it."""
    if project.transactions.atomic_requests is None:
        return False
    seen, todo = {fn.fqn}, [fn]
    while todo:
        item = todo.pop()
        if is_job(project, item) or project.layer(item) in ("task", "command") or project.lifecycle.starts(item):
            return False
        for edge in project.graph.callers(item):
            if edge.kind not in _WAITED_FOR or edge.caller.is_module:
                return False
            todo += [edge.caller] if edge.caller.fqn not in seen else []
            seen.add(edge.caller.fqn)
    return True


def outside(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether another system is asked between the two or by them: a transaction around all would hold its locks all
    the while."""
    return any(
        not before(call.span, first.call.span)
        and not before(second.call.span, call.span)
        and (
            _SENDS.match(called_name(fn.file, fn.facts, call).rpartition(".")[2])
            or project.effects.call_effects(fn, call).intersection(_OUTSIDE)
            or _by_workers(project, fn, call)
            or (_QUEUED in project.effects.call_effects(fn, call) and _keeps(project, fn, call))
        )
        for call in fn.calls
    )


def _by_workers(project: Project, fn: Fn, call: Call) -> bool:
    """`pool.submit(upload, part)`, whose outcome the function stores."""
    return any(
        edge.call is call and edge.kind == "thread" and project.effects.has(edge.callee, *_OUTSIDE)
        for edge in project.graph.callees(fn)
    )


def _keeps(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the number of a job that is queued here, or by what is called, is stored."""
    below = [(target, inner) for target in project.targets(fn, call) for inner in target.calls]
    return _kept(project, fn, call) or any(
        _QUEUED in project.effects.call_effects(target, inner) and _kept(project, target, inner)
        for target, inner in below
    )


def _kept(project: Project, fn: Fn, call: Call) -> bool:
    """`item.task_id = work.delay(item.id).id`, `job = work.delay(item.id)` and `Job.objects.create(number=job.id)`: in one
    transaction with that, the job could begin before the row is there."""
    if any(
        store.name and store.span.line >= call.span.line and _of(fn, store.value, call) for store in fn.facts.stores
    ):
        return True
    return any(
        before(call.span, other.span)
        and any(_of(fn, vid, call) for vid in other.passed)
        and "db-write" in project.effects.call_effects(fn, other)
        for other in fn.calls
    )


def _of(fn: Fn, vid: int, call: Call) -> bool:
    """Whether a value is what the call gives, or is read from it."""
    todo = [vid]
    for _ in range(6):
        item = todo.pop() if todo else -1
        if item == call.value:
            return True
        value = fn.value(item) if item >= 0 else ("",)
        todo += operands(value) if value[0] in ("attr", "call", "guard", "await") else ()
    return False


def for_framework(project: Project, fn: Fn) -> bool:
    """Hooks of models, forms and signals, and what receivers of signals alone call: whoever saves the object decides about the
    transaction."""
    if fn.fqn in project.route_functions:
        return False
    nested = fn.cls is not None and project.hierarchy.role(fn.cls) == "serializer" and fn.name in ("create", "update")
    layer = project.layer(fn)
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.kind == "call"]
    own = fn.name not in _HOOKS and bool(callers)
    framed = layer == "middleware" or (layer in ("model", "schema") and fn.cls is not None and not nested and not own)
    hooked = any(model.hook for model in decorator_models(project, fn))
    return hooked or framed or fn.name in ("save", "delete") or (bool(callers) and all(map(_hears, callers)))


def _hears(fn: Fn) -> bool:
    """`@receiver(post_save)`."""
    return any(ref.name.endswith(".receiver") for ref in fn.decorators)
