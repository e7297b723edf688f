"""Violations that Django's code catches in the very transaction that they have spoilt."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from backendlint.api import Call, Fn, Hit, Project, before, below, exclusive, runs_by_hand

ASKS = frozenset({"db", "db-read", "db-write"})
SAFE = frozenset({"get_or_create", "update_or_create"})
"""Writes with a savepoint of their own."""
UNDOES = ("savepoint", "set_rollback", "rollback", "on_commit")


def spoilt(project: Project, fn: Fn) -> Iterator[Hit]:
    """`except IntegrityError: pass` inside `transaction.atomic()`, where the transaction goes on or has stored something before."""
    if not any(block.kind == "except" for block in fn.facts.blocks) or not project.imports("django"):
        return
    if any(fn.callee_name(call).startswith(UNDOES) for call in fn.calls):
        return
    for number, block in enumerate(fn.facts.blocks):
        if block.kind != "except" or not _of_database(project, fn, number) or block.exits == "raise":
            continue
        opening = project.transactions.around(fn, block.group)
        failed = next(_failing(project, fn, block.group), None) if opening is not None else None
        if opening is None or failed is None:
            continue
        scope = below(fn.facts, opening.block) if opening.kind == "with" else range(len(fn.facts.blocks))
        lost = _lost(project, fn, number, failed, scope)
        if lost:
            by_hand = project.layer(fn) == "migration" or runs_by_hand(project, fn)
            yield Hit(
                f"`{fn.name}()` catches a violation inside a transaction, all of which Django rolls back then: {lost}; "
                "put what may fail into a `transaction.atomic()` of its own, inside the `try`.",
                fn.location(block.keyword),
                related=(opening.step, fn.step(failed.span, "what may fail")),
                function=fn.fqn,
                profile="strict" if by_hand else None,
            )


def _of_database(project: Project, fn: Fn, number: int) -> bool:
    types = project.exceptions.caught_types(fn, fn.facts.blocks[number])
    raised = {number for item in fn.facts.raises for number, _ in fn.blocks_of(item.block)}
    return number not in raised and any(project.exception_kind(name) == "integrity" for name in types)


def _failing(project: Project, fn: Fn, group: int) -> Iterator[Call]:
    """Writes of Django's in the `try` that no savepoint guards."""
    tried, opening = below(fn.facts, group), project.transactions.around(fn, group)
    for write in project.writes.direct(fn):
        bare = write.op not in SAFE and project.transactions.around(fn, write.call.block) == opening
        known = any(model.name.startswith("django.") for model in project.models(fn, write.call))
        if bare and known and write.call.block in tried:
            yield write.call


def _lost(project: Project, fn: Fn, handler: int, failed: Call, scope: Collection[int]) -> str:
    """What comes of it; "" where nothing else is done in the transaction, or the function ends with an answer that tells."""
    block = fn.facts.blocks[handler]
    inside, tried = below(fn.facts, handler), fn.facts.blocks[block.group].span
    others = [
        call
        for call in fn.calls
        if call.block in scope and call is not failed and ASKS & project.effects.call_effects(fn, call)
    ]
    looped = [number for number, item in fn.blocks_of(block.group) if item.kind in ("for", "while") and number in scope]
    later = [call for call in others if call.block in inside]
    if not block.exits or (block.exits in ("continue", "break") and looped):
        later += [call for call in others if call.span[:2] > tried[2:]]
        if later or (looped and block.exits != "break"):
            later = later or [failed]
        elif any(_stored(project, fn, call, failed) for call in others):
            return "what it has stored before is lost, though nothing says so"
    return f"the next query (line {min(later, key=lambda call: call.span).span.line}) is refused" if later else ""


def _stored(project: Project, fn: Fn, call: Call, failed: Call) -> bool:
    earlier = before(call.span, failed.span) and not exclusive(fn, call.block, failed.block)
    return earlier and "db-write" in project.effects.call_effects(fn, call)
