"""Where the conflict of two inserts is caught: the violated constraint itself, or the project's own error for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.decorators import wrapping_calls
from backendlint.project.rows.transactions import before

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
_FARTHEST = 10
"""So many calls up from an insert a handler of its conflict is looked for."""


def conflict_handled(project: Project, fn: Fn, insert: Call) -> bool:
    """Whether the violated constraint is caught: around the insert, the flush or commit that sends it, or the caller."""
    return conflict_handled_in(project, fn, insert) or conflict_handled_around(project, project.graph.callers(fn))


def conflict_handled_in(project: Project, fn: Fn, insert: Call) -> bool:
    """Whether the function itself catches it, whatever its callers do."""
    if handles_conflict(project, fn, insert.block) or _answered(project, fn, insert) or _wrapped(project, fn, insert):
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
    return False


def _wrapped(project: Project, fn: Fn, insert: Call) -> bool:
    """Whether what a decorator puts around the function catches it, if the function itself sends the insert."""
    added = any(model.orm is not None and model.orm.op == "add" for model in project.models(fn, insert))
    if not fn.decorators or (added and not any(_stores(project, fn, call) for call in fn.calls)):
        return False
    return any(
        handles_conflict(project, wrapper, call.block, broad=False) for wrapper, call in wrapping_calls(project, fn)
    )


def conflict_handled_around(project: Project, edges: Iterable[Edge]) -> bool:
    """Whether it is caught around one of these calls."""
    return any(
        edge.call is not None and handles_conflict(project, edge.caller, edge.call.block, broad=False) for edge in edges
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


def conflict_handled_above(project: Project, fn: Fn) -> bool:
    """Whether what leads there from afar handles a violated constraint, and nothing else that the database may say: the base class
    of all jobs that tries once more."""
    todo = deque([(fn, 0)])
    seen = {fn.fqn}
    while todo:
        item, depth = todo.popleft()
        ways = [(edge.caller, edge.call) for edge in project.graph.callers(item) if edge.kind == "call" and edge.call]
        for caller, call in (*ways, *_called_by_base(project, item)):
            if _only_conflict_handled(project, caller, call.block):
                return True
            if caller.fqn not in seen and depth < _FARTHEST:
                seen.add(caller.fqn)
                todo.append((caller, depth + 1))
    return False


def _called_by_base(project: Project, fn: Fn) -> Iterator[tuple[Fn, Call]]:
    """Where a base class calls a method that it leaves to its subclasses: `self.run_impl(...)`."""
    if fn.cls is None or fn.kind != "method":
        return
    bases = {base.fqn for base in project.hierarchy.mro(fn.cls)[1:] if fn.name not in base.methods}
    for caller, call in project.graph.calls_written(fn.name) if bases else ():
        func = caller.facts.values[call.func]
        own = func[0] == "attr" and caller.facts.values[func[1]] == ("param", 0)
        if own and caller.cls is not None and caller.cls.fqn in bases:
            yield caller, call


def _only_conflict_handled(project: Project, fn: Fn, block: int) -> bool:
    """Whether a handler around the block names the violated constraint, and does not let it go on."""
    return any(
        fn.facts.blocks[number].exits != "raise" and any(project.exception_kind(name) == "integrity" for name in types)
        for number, types in project.exceptions.handlers(fn, block)
        if fn.facts.blocks[number].kind == "except"
    )


def _stores(project: Project, fn: Fn, call: Call) -> bool:
    return any(model.transaction in ("commit", "flush") for model in project.models(fn, call))


def handles_conflict(project: Project, fn: Fn, block: int, broad: bool = True) -> bool:
    """Whether a failed insert (a violated constraint) is caught around the block; `broad`: also by `except Exception`."""
    for number, types in project.exceptions.handlers(fn, block):
        if _asks_for_conflict(project, fn, number):
            return True
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


def _asks_for_conflict(project: Project, fn: Fn, handler: int) -> bool:
    """`except StorageError as error:`, `if isinstance(error.__cause__, IntegrityError): ...`."""
    if fn.facts.blocks[handler].kind != "except":
        return False
    inside = below(fn.facts, handler)
    asked = (
        call.args[1]
        for call in fn.calls
        if call.block in inside and len(call.args) == 2 and fn.dotted(call.func) == "builtins.isinstance"
    )
    names = (ref.name for vid in asked for part in _listed(fn, vid) for ref in project.refs(fn, part))
    return any(project.exception_kind(name) == "integrity" for name in names)


def _listed(fn: Fn, vid: Vid) -> tuple[Vid, ...]:
    """The value, or the parts of a tuple."""
    value = fn.unguarded(vid)
    return tuple(value[1]) if value[0] == "tuple" else (vid,)


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
