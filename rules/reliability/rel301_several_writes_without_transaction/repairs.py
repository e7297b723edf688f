"""What is mended, or stands for itself, when the second write fails."""

from __future__ import annotations

import re

from backendlint.api import (
    Durable,
    Fn,
    Project,
    called_name,
    durable_steps,
    exclusive,
    identifier_words,
    name_of,
    object_root,
    receiver,
)

from .objects import by_callee, same, saved, stored_object
from .singles import CLEANS, JOBS, begins

_STAGES = 4
"""So many commits of one job are no oversight."""
_REPEATS = re.compile(
    r"(^|_)((re)?sync|synchroni[sz]e|backfill|rebuild|recalculate|recompute|reindex|rescore|refresh)(_|$)",
    re.IGNORECASE,
)
"""What is run again and again, and mends what its last run left."""


_DONE = re.compile(
    r"(^|[._])(complete[sd]?|completed|done|finish(es|ed)?|succeed(s|ed)?|success|processed)(_|$)",
    re.IGNORECASE,
)


def heals(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether what a failure between the two leaves is mended, stands for itself, or could not be kept from being left."""
    return (
        _reconciles(first, second)
        or _each_alone(fn, first, second)
        or _item_by_item(fn, first, second)
        or _clears_up(fn, first, second)
        or _gone_already(project, fn, first, second)
        or (_REPEATS.search(fn.name) is not None and fn not in project.in_request)
        or (_clears(fn, first) and _clears(fn, second) and project.layer(fn) == "task")
        or _in_stages(project, fn)
        or _tracked(project, fn)
        or _reports(project, fn, second)
        or _elsewhere(project, first)
        or _elsewhere(project, second)
    )


def _in_stages(project: Project, fn: Fn) -> bool:
    """A job that commits itself after each of its many stages means to keep what is done, and does the rest when it is run again."""
    if project.layer(fn) != "task" or fn in project.in_request:
        return False
    commits = project.transactions.commits(fn)
    return sum(not exclusive(fn, call.block, commits[-1].block) for call in commits) >= _STAGES


def _tracked(project: Project, fn: Fn) -> bool:
    """What marks a row as being worked on and marks it anew later tells by it what is to be done again."""
    steps = durable_steps(project, fn)
    begun = [saved(project, fn, step) for step in steps if begins(fn, step)]
    return any(
        same(fn, row, saved(project, fn, step)) for row in begun for step in steps if row >= 0 and not begins(fn, step)
    )


def _reports(project: Project, fn: Fn, step: Durable) -> bool:
    """`task.complete_job()`, `run.state = State.DONE` as the last that a job does: without it the row says that the job is to be
    done again."""
    if project.layer(fn) != "task" or fn in project.in_request:
        return False
    callee = step.edges[0].callee.name if step.edges else ""
    root = stored_object(fn, step)
    set_here = (item.value for item in fn.facts.stores if item.name and object_root(fn, item.base) == root >= 0)
    told = [callee, *(name_of(fn.file, fn.facts, vid) for vid in (*step.call.passed, *set_here))]
    words = {*identifier_words(step.write.entity.rpartition(".")[2]), *identifier_words(callee)}
    return any(_DONE.search(name) for name in told) and not JOBS.isdisjoint(words)


def _elsewhere(project: Project, step: Durable) -> bool:
    """Stored by what opens a session for itself, behind a function that knows of none: `invite(email)` calls
    `settings.store(key, emails)`. That cannot take part in the transaction of another, no more than a service could."""
    if len(step.edges) < 2:
        return False
    fn, vid = step.write.fn, receiver(step.write.fn, step.write.call)
    while vid >= 0:  # `db.query(Setting).filter_by(key=key).delete()`
        made = fn.value(object_root(fn, vid))
        call = fn.facts.calls[made[1]] if made[0] == "call" else None
        if made[0] == "enter" or (call is not None and any(model.opens for model in project.models(fn, call))):
            return True
        vid = receiver(fn, call) if call is not None else -1
    return False


def _reconciles(first: Durable, second: Durable) -> bool:
    """What is new in a list is stored, then what is no longer in it deleted: the next round mends what this one left."""
    return (
        first.write.op in ("bulk_create", "save", "create")
        and second.write.op == "delete"
        and not (by_callee(first) or by_callee(second))
        and first.write.entity == second.write.entity != ""
    )


def _each_alone(fn: Fn, first: Durable, second: Durable) -> bool:
    """Rows of one kind that stand for themselves: one more or one less for each item by the same function, or constants set
    on others."""
    if first.write.entity != second.write.entity:
        return False
    if first.edges and second.edges:
        func = fn.value(second.call.func)
        changes = func[0] == "attr" and fn.value(object_root(fn, func[1]))[0] in ("elem", "item", "unpack")
        made = first.write.creates and second.write.creates and not changes
        gone = first.write.op == second.write.op == "delete"
        same = called_name(fn.file, fn.facts, first.call) == called_name(fn.file, fn.facts, second.call)
        return (made or gone) and same and fn.inside(second.call.block, "for") is not None
    given = [{name: object_root(fn, vid) for name, vid in step.call.kwargs} for step in (first, second)]
    return (
        not (first.edges or second.edges)
        and all(step.write.op == "update" and step.call.kwargs for step in (first, second))
        and all(
            _set_alike(fn, vid) or given[0].get(name) == given[1].get(name)
            for step in (first, second)
            for name, vid in step.call.kwargs
        )
    )


def _set_alike(fn: Fn, vid: int) -> bool:
    """A constant, also one by its name, or the time: it depends on nothing that the other rows are given."""
    value = fn.value(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    named = value[0] == "name" and str(value[1]).rpartition(".")[2].isupper()
    if call is not None and fn.value(call.func)[0] == "name" and call.passed:
        return all(isinstance(fn.const(item), str) for item in call.passed)  # a text in the reader's language
    return named or fn.const(vid) is not ... or (call is not None and not call.passed and fn.callee_name(call) == "now")


def _item_by_item(fn: Fn, first: Durable, second: Durable) -> bool:
    """Changes of what is there, then additions of what is not, each in a loop of its own: what is done of them stands, and is not
    done again by the next run. That each is a transaction is REL310's."""
    loops = [{n for n, item in fn.blocks_of(step.call.block) if item.kind == "for"} for step in (first, second)]
    return (
        all(loops)
        and loops[0].isdisjoint(loops[1])
        and not first.write.creates
        and second.write.creates
        and first.write.entity == second.write.entity
    )


def _clears_up(fn: Fn, first: Durable, second: Durable) -> bool:
    """Two removals by a function that clears away: its next run goes on where this one failed."""
    return CLEANS.search(fn.name) is not None and first.write.op == second.write.op == "delete"


def _gone_already(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Two removals each of which takes it that there may be nothing to remove, or has a transaction of its own: whoever does it
    once more removes the rest."""
    if not first.write.op == second.write.op == "delete":
        return False
    return all(
        _may_be_gone(project, fn, step.call.block) or project.transactions.around(fn, step.call.block) is not None
        for step in (first, second)
    )


def _may_be_gone(project: Project, fn: Fn, block: int) -> bool:
    """`try: Follow.objects.get(...).delete()`, `except Follow.DoesNotExist: ...`, after which the function goes on."""
    for handler, types in project.exceptions.handlers(fn, block):
        goes_on = not fn.facts.blocks[handler].exits and not project.exceptions.reraises(fn, handler)
        if goes_on and any(project.exception_kind(name) == "not-found" for name in types):
            return True
    return False


def _clears(fn: Fn, step: Durable) -> bool:
    """`update(channel=None)`, or `row.channel = None` before `row.save()`: a job that is run again does the same again."""
    if step.edges or step.committed:
        return False
    if step.write.op == "delete":
        return CLEANS.search(fn.name) is not None
    if step.write.op == "update":
        given = [fn.const(vid) for _, vid in step.call.kwargs]
    else:
        root = stored_object(fn, step)
        given = [
            fn.const(store.value) for store in fn.facts.stores if store.name and object_root(fn, store.base) == root
        ]
    return step.write.op in ("update", "save") and bool(given) and all(value is None for value in given)
