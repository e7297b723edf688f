"""REL313: the network is waited for while a transaction is open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from backendlint.api import (
    SLIPS,
    Call,
    Fn,
    Hit,
    Location,
    Project,
    Step,
    before,
    below,
    comment_above,
    decorator_models,
    exclusive,
    happens,
    here_and_in,
    identifier_words,
    left_to_worker,
    locks_rows,
    object_root,
    only_by_hand,
    openings,
    receiver,
    told_once,
)

WAITS = ("http", "mail", "grpc", "cloud", "search", "subprocess", "sleep")
ASKS = frozenset({"db", "db-read", "db-write", "flush", "begin"})
READS = frozenset({"db", "db-read"})
ALIKE = 2
"""So many calls in the transaction of one decorator are told one by one; more are its style."""
ALL = ("builtins.Exception", "builtins.BaseException", "builtins.OSError", "builtins.MemoryError")
LOCKS = frozenset({"lock", "locked"})
SPEAKS = re.compile(r"roll(ed|s)? ?back|transaction|atomic|\block(s|ed)?\b", re.IGNORECASE)
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LEVELS = 2
"""So far down is looked for what ends the transaction."""
WORDS = {
    "http": "calls another service", "mail": "sends mail", "grpc": "calls another service", "cloud": "calls a cloud service",
    "search": "asks the search engine", "subprocess": "runs a process", "sleep": "sleeps",
}  # fmt: skip


class Held(NamedTuple):
    """A call that waits for the outside in the block of a transaction, with the project's decorator that opens it, or ""."""

    fn: Fn
    block: int
    call: Call
    effect: str
    opened: Step
    wrapper: str


def check(project: Project) -> Iterator[Hit]:
    """Calls inside a transaction's block that wait for the outside, directly or through callees; of one that leads to another
    transaction nothing is told that is told there."""
    seen: set[tuple[str, int]] = set()
    held: list[Held] = []
    for fn, block, opening in openings(project):
        if project.layer(fn) in ("migration", "command") or project.lifecycle.starts(fn) or _meant(fn, block):
            continue
        inside = below(fn.facts, block)
        for call in fn.calls:
            if call.block not in inside or (fn.fqn, call.value) in seen:
                continue
            effect = _waited_for(project, fn, call)
            if effect and not _ended(project, fn, call) and not _let_go(project, fn, call, effect):
                seen.add((fn.fqn, call.value))
                wrapper = _wrapper(project, fn) if opening.kind == "decorator" else ""
                held.append(Held(fn, block, call, effect, opening.step, wrapper))
    wrapped: dict[str, list[Hit]] = {}
    plain: dict[tuple[str, Location], list[Hit]] = {}
    told: set[tuple[str, str]] = set()
    openers: dict[Location, str] = {}
    for fn, block, call, effect, opened, wrapper in held:
        if not _told_below(project, fn, call, seen):
            hit = _hit(project, fn, call, effect, opened)
            again = (fn.fqn, hit.message) in told and bool(hit.flow)  # the same helper of the same function
            told.add((fn.fqn, hit.message))
            again = again or _after_failure(project, fn, call, effect) or _explained(project, hit, opened)
            hit = replace(hit, profile="strict") if again or _alone(project, fn) else hit
            openers[hit.location] = _opener(project, fn, block)
            alike = wrapped.setdefault(wrapper, []) if wrapper else plain.setdefault((fn.fqn, opened.location), [])
            alike.append(hit)
    yield from _by_opener(_of_file(hit for hits in plain.values() for hit in _together(hits)), openers)
    for hits in wrapped.values():
        yield from told_once(hits, partial(here_and_in, before=": its locks"), severity=None, few=ALIKE)
    for fn in project.reviewed():
        if fn.facts.decorators:
            yield from _signalled(project, fn, seen)
        if "commit" in project.effects.of(fn) and project.layer(fn) not in ("migration", "command"):
            yield from _flushed(project, fn, seen)


def _opener(project: Project, fn: Fn, block: int) -> str:
    """The project's own function or class that opens the transaction: `async with session_scope() as session`; or ""."""
    call = _entered(fn, block)
    refs = project.callees(fn, call) if call is not None else ()
    return next((ref.name for ref in refs if ref.kind in ("func", "class")), "")


def _entered(fn: Fn, block: int) -> Call | None:
    """The call of `with atomic():`."""
    item = fn.facts.blocks[block]
    value = fn.unguarded(item.value) if item.kind == "with" and item.value >= 0 else ("",)
    return fn.calls[value[1]] if value[0] == "call" else None


def _by_opener(hits: Iterable[Hit], openers: dict[Location, str]) -> Iterator[Hit]:
    """What dozens of functions do in a session that one helper gives them is how the project works with it: told once."""
    styles: dict[str, list[Hit]] = {}
    for hit in hits:
        opener = openers.get(hit.location, "") if hit.profile is None else ""
        if opener:
            styles.setdefault(opener, []).append(hit)
        else:
            yield hit
    for alike in styles.values():
        yield from told_once(alike, partial(here_and_in, before=": its locks"), SLIPS, severity=None)


def _of_file(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Of a file's transactions that wait for the same call somewhere below, the first, with the lines of the others; what many
    files reach by the same last helper is told once."""
    waits: dict[object, list[Hit]] = {}
    for hit in hits:
        alike = hit.profile is None and hit.flow
        key = (hit.location.path, hit.flow[-1].location) if alike else (hit.location, hit.message)
        waits.setdefault(key, []).append(hit)
    yield from told_once(
        (hit for found in waits.values() for hit in _of_call(found)), _elsewhere, severity=None, each=_helper
    )


def _of_call(found: list[Hit]) -> Iterator[Hit]:
    if len(found) <= ALIKE:
        yield from found
        return
    first, *others = sorted(found, key=lambda hit: hit.location)
    lines = ", ".join(str(hit.location.line) for hit in others)
    yield replace(first, message=f"{first.message} Other transactions wait for the same in lines {lines}.")
    yield from (replace(hit, profile="strict") for hit in others)


def _helper(hit: Hit) -> object:
    """The last calls that lead to the wait; those of one place alone stand for themselves."""
    steps = [step.location for step in hit.flow[-2:]]
    return tuple(steps) if len(hit.flow) > 2 else hit.location


def _elsewhere(hit: Hit, others: str) -> str:
    return f"{hit.message} Transactions in {others} wait for the same."


def _together(hits: list[Hit]) -> Iterator[Hit]:
    """Of the waits in one transaction the first, with the lines of the others: it is one transaction that is too long."""
    shown = [hit for hit in hits if hit.profile is None]
    if len(shown) <= ALIKE:
        yield from hits
        return
    lines = ", ".join(str(hit.location.line) for hit in shown[1:])
    for hit in hits:
        if lines and hit is shown[0]:
            yield replace(hit, message=f"{hit.message[:-1]}. So it is in lines {lines}.")
        else:
            yield replace(hit, profile="strict") if hit in shown[1:] else hit


def _signalled(project: Project, fn: Fn, seen: set[tuple[str, int]]) -> Iterator[Hit]:
    """What the receiver of a signal waits for that is sent inside a transaction: of several such calls the first is told."""
    for call in fn.calls:
        effect = _waited_for(project, fn, call) if (fn.fqn, call.value) not in seen else ""
        steps = project.jobs.signalled(fn, call) if effect else ()
        if steps:
            seen.add((fn.fqn, call.value))
            yield _hit(project, fn, call, effect, steps[0], "is called in")
            return


def _alone(project: Project, fn: Fn) -> bool:
    """What somebody starts: nobody waits for its locks. Not what lies with the jobs, though a command starts it."""
    return project.layer(fn) != "task" and only_by_hand(project, fn)


def _told_below(project: Project, fn: Fn, call: Call, told: set[tuple[str, int]], depth: int = LEVELS) -> bool:
    """Whether what is called waits in transactions of its own alone: each wait is told there."""
    targets = [target for target in project.targets(fn, call) if target is not fn]
    waits = [(target, item) for target in targets for item in target.calls if _waited_for(project, target, item)]
    return bool(waits) and all(
        (target.fqn, item.value) in told or (depth > 0 and _told_below(project, target, item, told, depth - 1))
        for target, item in waits
    )


def _meant(fn: Fn, block: int) -> bool:
    """`with rows.lock_context(ids):`: what is opened as a lock is held on purpose for as long as what it guards takes."""
    call = _entered(fn, block)
    return call is not None and not LOCKS.isdisjoint(identifier_words(fn.callee_name(call)))


def _wrapper(project: Project, fn: Fn) -> str:
    """The project's own decorator, which puts each function it is used on into a transaction; "" where a library's does."""
    if any(model.transaction for model in decorator_models(project, fn)):
        return ""
    return next((ref.name for ref in fn.decorators if ref.kind == "func"), "")


def _flushed(project: Project, fn: Fn, seen: set[tuple[str, int]]) -> Iterator[Hit]:
    """Calls between a flush, or a query that locks its rows, and the commit: the session began the transaction by itself."""
    effects = [(call, project.effects.call_effects(fn, call)) for call in fn.calls]
    ends = [call for call, found in effects if found & {"commit", "rollback"}]
    commits = [call for call, found in effects if "commit" in found and not found & {"flush", *WAITS}]
    flushes = [call for call, found in effects if "flush" in found and not found & {"commit", "rollback", *WAITS}]
    asked = [call for call, found in effects if commits and found & READS and not found & {"commit", *WAITS}]
    locks = [call for call in asked if locks_rows(project, fn, call)]
    for call, found in effects if (flushes or locks) and commits else ():
        if found & {"commit", "rollback"} or not found & {*WAITS} or (fn.fqn, call.value) in seen:
            continue
        sent = [item for item in (*locks, *flushes) if _follows(fn, item, call) and not _between(ends, item, call)]
        stored = [item for item in commits if _follows(fn, call, item)]
        effect = _waited_for(project, fn, call) if sent and stored else ""
        if effect:
            seen.add((fn.fqn, call.value))
            opened = fn.step(
                sent[-1].span, "locked here" if sent[-1] in locks else "sent to the database here, and locked"
            )
            hit = _hit(project, fn, call, effect, opened, "has open")
            yield replace(hit, profile="strict") if _alone(project, fn) else hit


def _follows(fn: Fn, first: Call, second: Call) -> bool:
    return before(first.span, second.span) and not exclusive(fn, first.block, second.block)


def _between(calls: list[Call], first: Call, second: Call) -> bool:
    return any(before(first.span, call.span) and before(call.span, second.span) for call in calls)


def _waited_for(project: Project, fn: Fn, call: Call) -> str:
    """The first of what the call waits for, or ""."""
    models = project.models(fn, call)
    if any(model.transaction == "on_commit" or model.task is not None for model in models):
        return ""
    targets = project.targets(fn, call)
    if targets and all(left_to_worker(project, target) for target in targets):
        return ""
    if targets and all(_tells_of_change(project, fn, call, target) for target in targets):
        return ""
    found = project.effects.call_effects(fn, call)
    own = {effect for model in models for effect in model.effect}
    edges = [edge for edge in project.graph.callees(fn) if edge.call is call]
    for effect in WAITS:
        if effect in found and (effect in own or not edges or any(happens(project, edge, (effect,)) for edge in edges)):
            return effect
    return ""


def _explained(project: Project, hit: Hit, opened: Step) -> bool:
    """Whether a comment above the call, or above what opens the transaction or below it, speaks of that: `# rolled back if no mail
    can be sent`. Somebody has thought of it."""
    path, first = opened.location.path, opened.location.line
    lines = [(hit.location.path, hit.location.line), (path, first)]
    lines += [(path, line) for line in range(first + 1, hit.location.line) if path == hit.location.path][:4]
    said = [text for path, line in lines for text in comment_above(project, path, line)]
    return any(map(SPEAKS.search, said)) and not any(map(LATER.search, said))


def _after_failure(project: Project, fn: Fn, call: Call, effect: str) -> bool:
    """Whether nothing but what handles a failure (`except Exception: mail_admins(...)`) comes to the wait: the transaction is
    about to end then, and seldom."""
    if _handles_failure(project, fn, call.block, effect):
        return True
    todo, seen = project.targets(fn, call), set[str]()
    if not todo:
        return False
    while todo:
        item = todo.pop()
        seen.add(item.fqn)
        if any(
            effect in site.model.effect and not _handles_failure(project, item, site.call.block, effect)
            for site in project.effects.direct(item)
        ):
            return False
        todo += [
            edge.callee
            for edge in project.graph.callees(item)
            if edge.callee.fqn not in seen
            and project.effects.has(edge.callee, effect)
            and not _handles_failure(project, item, edge.block, effect)
        ]
    return True


def _handles_failure(project: Project, fn: Fn, block: int, effect: str) -> bool:
    for _, item in fn.blocks_of(block):
        types = project.exceptions.caught_types(fn, item) if item.kind == "except" else ()
        if types and effect == "sleep":
            return True  # before the next attempt
        if any(name in ALL or project.exception_kind(name) == "infrastructure" for name in types):
            return True
    return False


def _tells_of_change(project: Project, fn: Fn, call: Call, target: Fn) -> bool:
    """`row.save()` of a model that tells others when one of its fields has changed (`if stored.state != self.state:`), of a row
    that was read here and in which other fields are set."""
    if target.name not in ("save", "asave"):
        return False
    row = receiver(fn, call)
    effect = next((item for item in WAITS if project.effects.has(target, item)), "")
    if row < 0 or fn.value(object_root(fn, row))[0] not in ("elem", "call") or not effect:
        return False
    edges, site = project.effects.chain(target, effect)
    asked = edges[0].call if edges else site.call if site is not None else None
    changed = _changed(target, asked.block) if asked is not None else set()
    return bool(changed) and changed.isdisjoint(store.name for store in fn.facts.stores)


def _changed(fn: Fn, block: int) -> set[str]:
    """The fields of the object that differ from another's of the same name wherever the block runs."""
    todo, found = [vid for vid, outcome in fn.tests_of(block) if outcome and vid >= 0], set[str]()
    while todo:
        value = fn.unguarded(todo.pop())
        if value[:2] == ("bool", "and"):
            todo += value[2]
        elif value[0] == "compare" and tuple(value[1]) == ("!=",):
            one, other = (fn.unguarded(vid) for vid in value[2])
            same = one[0] == other[0] == "attr" and one[2] == other[2] and one[1] != other[1]
            own = same and ("param", 0) in (fn.unguarded(one[1]), fn.unguarded(other[1]))
            found |= {one[2]} if own else set()
    return found


def _ended(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a commit or rollback stands before the call in its own block, and nothing asks the database in between."""
    same = [other for other in fn.calls if other.block == call.block and before(other.span, call.span)]
    last = max((other.span for other in same if project.transactions.ends(fn, other)), default=None)
    asked = [other for other in same if last is not None and before(last, other.span)]
    return last is not None and not any(ASKS & project.effects.call_effects(fn, other) for other in asked)


def _let_go(project: Project, fn: Fn, call: Call, effect: str, depth: int = LEVELS) -> bool:
    """Whether what is called ends the transaction itself before each wait: `db.commit()`, so that nothing is held."""
    targets = [target for target in project.targets(fn, call) if project.effects.has(target, effect)]
    return bool(targets) and all(_let_go_in(project, target, effect, depth) for target in targets)


def _let_go_in(project: Project, fn: Fn, effect: str, depth: int) -> bool:
    ends = [call for call in fn.calls if project.transactions.ends(fn, call)]
    waits = [call for call in fn.calls if _waited_for(project, fn, call)]
    written = [site.call for site in project.effects.direct(fn) if {"db-write", "flush"} & {*site.model.effect}]
    return bool(waits) and all(
        any(_follows(fn, end, call) and not _between(written, end, call) for end in ends)
        or (depth > 0 and _let_go(project, fn, call, effect, depth - 1))
        for call in waits
    )


def _hit(project: Project, fn: Fn, call: Call, effect: str, opened: Step, does: str = "opens") -> Hit:
    steps: tuple[Step, ...] = ()
    name = next((model.name for model in project.models(fn, call) if effect in model.effect), "")
    for target in project.targets(fn, call):
        if project.effects.has(target, effect):
            name = name or f"{target.name}()"
            steps = (fn.step(call.span, f"calls {target.name}()"), *project.effects.witness(target, effect))
    return Hit(
        f"`{name}` {WORDS[effect]} inside the transaction that `{fn.name}()` {does}: its locks and its connection are held all the "
        "while, and a rollback does not undo the call; do it before, or after the commit.",
        fn.location(call.span),
        related=(opened, *steps[-1:]),
        flow=steps,
        function=fn.fqn,
    )
