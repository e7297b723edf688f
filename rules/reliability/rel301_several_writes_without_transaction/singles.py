"""Writes that need no other beside them: they make what is missing, mark a row, clear away or make up for a failure."""

from __future__ import annotations

import re

from backendlint.api import Call, Durable, Fn, Project, before, identifier_words, name_of, object_root, operands

from .objects import path_of, stored_object

_TOUCH = re.compile(
    r"(updated|modified|changed?|seen|touched)(_|$)|^(last|date)_|_(at|since)$|timestamp", re.IGNORECASE
)
_BEGUN = re.compile(
    r"[._](IN_?PROGRESS|STARTED"
    r"|(PROCESS|RUNN|START|SYNC|SYNCHRONI[SZ]|PUSH|PULL|FETCH|IMPORT|EXPORT|DOWNLOAD|UPLOAD|INDEX|GENERAT|EXECUT|PUBLISH)ING)$"
)
_ATTEMPT = re.compile(r"attempt|retry|retries|tries|^try", re.IGNORECASE)
CLEANS = re.compile(
    r"(^|_)(clean(_?up)?|purge|prune|expired?|stale|tidy|housekeeping|gc|garbage(_collect(ion)?)?)(_|$)", re.IGNORECASE
)
_ENSURES = re.compile(r"(^|_)(ensure|(get|find)_or_create|if_not_(exists?|present)|if_missing)(_|$)", re.IGNORECASE)
"""What makes only what is missing, and may do so alone."""
_PROGRESS = re.compile(
    r"(^|_)(progress|processed|percent(age)?|total|remaining|eta|started|queued|finished|completed|failed|heartbeat)(_|$)",
    re.IGNORECASE,
)
JOBS = frozenset("job jobs task run import export sync batch scan".split())
"""Rows that stand for work."""
_REPEATABLE = frozenset({"get_or_create", "update_or_create", "write"})


def counts(project: Project, fn: Fn, step: Durable) -> bool:
    """Whether a write may need another beside it."""
    return (
        step.write.op not in _REPEATABLE
        and not _makes_missing(project, step.write.fn, step.write.call)
        and not _makes_missing(project, fn, step.call)
        and not _compensates(fn, step)
        and not _ensures(fn, step)
        and not _touches(step)
        and not _purges(step)
        and not begins(fn, step)
        and not _tells_progress(fn, step)
        and not any(_ENSURES.search(edge.callee.name) for edge in step.edges)
    )


def _makes_missing(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call inserts what was looked for and not found."""
    return any(raced.insert.value == call.value and not raced.refuses for raced in project.checked_inserts(fn))


def _compensates(fn: Fn, step: Durable) -> bool:
    """A write in a handler undoes or marks what failed; so does one behind the `break` of an attempt that did not. What is
    done `finally` (a lock let go, an attempt noted) is done whether or not the rest worked."""
    return fn.inside(step.call.block, "except", "finally") is not None or _of_failed_attempt(fn, step)


def _of_failed_attempt(fn: Fn, step: Durable) -> bool:
    """`for attempt in range(3): answer = ask(); if answer.ok: break; note(answer)`."""
    for number, block in fn.blocks_of(step.call.block):
        if block.kind == "for" and any(
            item.block == number and _ATTEMPT.search(item.name) and item.span.line == block.span.line
            for item in fn.facts.bindings
        ):
            return any(
                item.parent == number and item.exits == "break" and item.span[2:] <= step.call.span[:2]
                for item in fn.facts.blocks
            )
    return False


def _ensures(fn: Fn, step: Durable) -> bool:
    """`if row is None: row = create(...)`: what is missing is made, and may well stay alone."""
    made = {step.call.value, *(n for n, value in enumerate(fn.facts.values) if value == ("await", step.call.value))}
    names = {item.name for item in fn.facts.bindings if item.value in made}
    block = fn.inside(step.call.block, "if")
    if not names or block is None or block.value < 0:
        return False
    todo, tested = [block.value], set()
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[0] in ("not", "compare", "guard", "bool"):
            todo += operands(value)
        else:
            tested.add(vid)
    return any(item.name in names and item.value in tested for item in fn.facts.bindings)


def _purges(step: Durable) -> bool:
    """`remove_expired(...)`: what a helper clears away is as well gone whatever follows."""
    return step.write.op == "delete" and any(CLEANS.search(edge.callee.name) for edge in step.edges)


def begins(fn: Fn, step: Durable) -> bool:
    """`set_state(job, State.IN_PROGRESS)`, `job.state = State.RUNNING` before `job.save()`: it says that the work is being done, and
    is to be seen while it is."""
    told = list(step.call.passed)
    if step.write.op == "save" and step.write.call is step.call:
        root = stored_object(fn, step)
        told += [item.value for item in fn.facts.stores if item.name and object_root(fn, item.base) == root
                 and before(item.span, step.call.span)]  # fmt: skip
    return any(_BEGUN.search(name_of(fn.file, fn.facts, vid)) for vid in told if fn.value(vid)[0] in ("name", "attr"))


def _tells_progress(fn: Fn, step: Durable) -> bool:
    """`job.progress = n`, `job.save()`: how far the work is, to be seen while it is done."""
    if JOBS.isdisjoint(identifier_words(step.write.entity.rpartition(".")[2])) or step.write.call is not step.call:
        return False
    told = [name for name, _ in step.call.kwargs] if step.write.op == "update" else []
    if step.write.op == "save":
        root = stored_object(fn, step)
        told = [item.name for item in fn.facts.stores if item.name and object_root(fn, item.base) == root]
    return bool(told) and all(_PROGRESS.search(name) or _TOUCH.search(name) for name in told)


def _touches(step: Durable) -> bool:
    """`save(update_fields=["modified_at"])`, `update(last_seen=now)`, or a function that sets such a field alone."""
    fn, call = step.write.fn, step.write.call
    if step.edges and step.write.op == "update":
        stored = [store.name for store in fn.facts.stores if store.name]
        given = [name for name, _ in call.kwargs] if not (stored or call.args) else stored
        return bool(given) and all(_TOUCH.search(name) for name in given)
    if step.write.op == "update" and call.kwargs and not call.args:
        return all(_TOUCH.search(name) for name, _ in call.kwargs)
    if step.write.op == "save" and call is step.call and fn.value(call.func)[0] == "attr":
        saved = path_of(fn, fn.value(call.func)[1])
        stored = [item.name for item in fn.facts.stores if item.name and path_of(fn, item.base) == saved]
        if (len(saved) > 1 or _only_saved(fn, saved)) and stored and all(_TOUCH.search(name) for name in stored):
            return True  # `line.order.modified_at = now`, `line.order.save()`
    names = step.write.update_fields
    return bool(names) and all(isinstance(name, str) and _TOUCH.search(name) for name in names)


def _only_saved(fn: Fn, saved: tuple[object, ...]) -> bool:
    """Whether nothing else is done with an object that was looked up: no method of it but its `save()` is called, and no
    function is given it."""
    for call in fn.calls:
        func = fn.value(call.func)
        own = func[0] == "attr" and func[2] != "save" and path_of(fn, func[1]) == saved
        if own or any(path_of(fn, vid) == saved for vid in call.passed):
            return False
    return True
