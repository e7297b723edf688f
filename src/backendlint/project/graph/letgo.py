"""Tasks that are started and let go: nobody waits for what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_KEEPS = frozenset({"add", "append", "discard", "remove", "appendleft"})
_OWN = frozenset({"add_done_callback", "set_name", "get_name"})
"""Methods of tasks that do not wait."""


def runs_beside(project: Project, edge: Edge) -> bool:
    """Whether a call only makes the coroutine of a task that is let go: `create_task(deliver(it))`."""
    fn, call = edge.caller, edge.call
    if edge.kind != "call" or call is None or call.awaited or not edge.callee.facts.is_async:
        return False
    starts = [other for other in fn.calls if call.value in other.args and _starts(project, fn, other)]
    return bool(starts) and all(let_go(fn, start.value) for start in starts)


def _starts(project: Project, fn: Fn, call: Call) -> bool:
    models = [model for model in project.models(fn, call) if model.spawn is not None]
    return bool(models) and all(model.concurrency is not None and model.concurrency.kind == "task" for model in models)


def handed_on(fn: Fn, edge: Edge) -> bool:
    """Whether a call makes a generator that is handed on, as to a streaming response: who asked has an answer from the first
    item on."""
    made, call = edge.callee.facts, edge.call
    if call is None or not made.is_generator or made.decorators:
        return False
    return any(call.value in other.passed for other in fn.calls)


def let_go(fn: Fn, task: Vid) -> bool:
    """Whether a task is at most kept (in a set of the module or of the object) and told what to call when it is done."""
    facts = fn.facts
    held = {task}
    for number, value in enumerate(facts.values):
        if value[0] == "guard" and value[1] in held:
            held.add(number)
        elif value[0] == "attr" and value[1] in held:
            if value[2] not in _OWN:
                return False
        elif value[0] == "mut" and held & set(value[3]):
            if value[2] not in _KEEPS or facts.values[value[1]][0] not in ("name", "attr", "mut"):
                return False
        elif number not in held and held & set(operands(value)):
            return False
    for call in facts.calls:
        if held & set(call.passed):
            func = facts.values[call.func]
            method = fn.callee_name(call)
            if method not in _KEEPS or (func[0] == "attr" and facts.values[func[1]][0] not in ("name", "attr", "mut")):
                return False
    return not any(item.value in held for item in facts.returns) and not any(
        item.value in held for item in facts.stores
    )
