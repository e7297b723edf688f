"""Where the conflict of two inserts is caught: the violated constraint itself, or the project's own error for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.transactions import before

if TYPE_CHECKING:
    from backendlint.project.model import Project

_CONFLICTS = (
    "IntegrityError",
    "UniqueViolation",
    "UniqueViolationError",
    "DuplicateKeyError",
    "DatabaseError",
    "SQLAlchemyError",
)


def conflict_handled(project: Project, fn: Fn, insert: Call) -> bool:
    """Whether the violated constraint is caught: around the insert, the flush or commit that sends it, or the caller."""
    if handles_conflict(project, fn, insert.block) or _answered(project, fn, insert):
        return True
    for call in fn.calls:
        if not before(insert.span, call.span):
            continue
        if _stores(project, fn, call):
            if handles_conflict(project, fn, call.block):
                return True
            break
        inner = ((target, item) for target in project.targets(fn, call) for item in target.calls)
        if any(
            _stores(project, target, item) and handles_conflict(project, target, item.block) for target, item in inner
        ):
            return True  # `await self._commit_or_conflict()`
    return any(
        edge.call is not None and handles_conflict(project, edge.caller, edge.call.block, broad=False)
        for edge in project.graph.callers(fn)
    )


def _answered(project: Project, fn: Fn, insert: Call) -> bool:
    """Whether it comes out as the project's own error for a conflict, which the application answers: a `with` around the insert,
    here or in the function that does it, sees to that."""
    handlers = {ref.name for refs in project.error_handlers.values() for ref in refs}
    places = [(fn, insert), *((target, call) for target in project.targets(fn, insert) for call in target.calls)]
    for name, translators in project.conflict_errors.items():
        if any(cls.fqn in handlers for cls in project.hierarchy.mro(project.classes[name])) and any(
            _within(project, place, call, translators) for place, call in places
        ):
            return True
    return False


def _within(project: Project, fn: Fn, call: Call, managers: set[str]) -> bool:
    """Whether the call writes inside `with manager():`."""
    if not any(model.orm is not None or model.transaction for model in project.models(fn, call)):
        return False
    opened = [
        fn.unguarded(item.value) for _, item in fn.blocks_of(call.block) if item.kind == "with" and item.value >= 0
    ]
    targets = (target for value in opened if value[0] == "call" for target in project.targets(fn, fn.calls[value[1]]))
    return any(target.fqn in managers for target in targets)


def _stores(project: Project, fn: Fn, call: Call) -> bool:
    return any(model.transaction in ("commit", "flush") for model in project.models(fn, call))


def handles_conflict(project: Project, fn: Fn, block: int, broad: bool = True) -> bool:
    """Whether a failed insert (a violated constraint) is caught around the block; `broad`: also by `except Exception`."""
    for _, types in project.exceptions.handlers(fn, block):
        for name in types:
            if name in ("builtins.Exception", "builtins.BaseException"):
                if broad:
                    return True
            elif (
                project.exception_kind(name) == "integrity"
                or name.endswith(_CONFLICTS)
                or _stands_for(project, fn, block, name)
            ):
                return True
    return False


def _stands_for(project: Project, fn: Fn, block: int, name: str) -> bool:
    """Whether it is the project's own error for a conflict, and a function that raises it so is called inside the `try` around
    the block: as a `with`, or to store."""
    translators = project.conflict_errors.get(name, ())
    if not translators:
        return False
    tries = [number for number, item in fn.blocks_of(block) if item.kind == "try"]
    inside = {number for item in tries for number in below(fn.facts, item)}
    called = [target for call in fn.calls if call.block in inside for target in project.targets(fn, call)]
    return any(
        item.fqn in translators or any(edge.callee.fqn in translators for edge in project.graph.callees(item))
        for item in called
    )


def conflict_errors(project: Project) -> dict[str, set[str]]:
    """The project's own exceptions that handlers of nothing but a violated constraint raise in its place, with the functions
    that do: `except IntegrityError as exc: raise Duplicate() from exc`; ask `project.conflict_errors` for them."""
    found: dict[str, set[str]] = {}
    for fn in project.functions_with("except"):
        for number, block in enumerate(fn.facts.blocks):
            types = project.exceptions.caught_types(fn, block) if block.kind == "except" and block.value >= 0 else ()
            if not types or not all(project.exception_kind(name) == "integrity" for name in types):
                continue
            inside = below(fn.facts, number)
            for item in fn.facts.raises:
                value = fn.facts.values[item.exc] if item.block in inside and item.exc >= 0 else ("",)
                vid = fn.facts.calls[value[1]].func if value[0] == "call" else item.exc
                if value[0]:
                    for name in project.exceptions.class_names(fn, vid):
                        found.setdefault(name, set()).add(fn.fqn)
    return {name: where for name, where in found.items() if name in project.classes}
