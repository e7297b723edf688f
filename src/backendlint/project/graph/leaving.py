"""Blocks from whose end control does not go on: `return`, `raise`, or a call from which nothing comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.perfunction import per_function

if TYPE_CHECKING:
    from backendlint.project.model import Project

_NEVER = frozenset({"NoReturn", "Never"})
_UNWRITTEN = "builtins.NotImplementedError"


def exits(project: Project, fn: Fn, number: int) -> str:
    """How control leaves at the end of a block, a helper that always raises included (`refuse(404)`); else ""."""
    return fn.facts.blocks[number].exits or ("raise" if number in _ended(project, fn) else "")


@per_function
def _ended(project: Project, fn: Fn) -> frozenset[int]:
    """The blocks that end with such a call."""
    calls = {item.value: item.block for item in fn.facts.statements if item.kind == "expr"}
    return frozenset(calls[call.value] for call in fn.calls if call.value in calls and _ends(project, fn, call))


def _ends(project: Project, fn: Fn, call: Call) -> bool:
    if any(model.exits for model in project.models(fn, call)):
        return True
    targets = project.targets(fn, call)
    return bool(targets) and all(map(never_returns, targets))


def never_returns(fn: Fn) -> bool:
    """A function that says so (`-> NoReturn`), or that raises at its end and gives nothing back before; no abstract one."""
    annotation = fn.facts.returns_annotation
    said = fn.parent.value(annotation)[-1] if fn.parent is not None and annotation >= 0 else ""
    if str(said).rpartition(".")[2] in _NEVER:
        return True
    if fn.facts.blocks[0].exits != "raise" or fn.facts.returns or fn.is_abstract:
        return False
    return not any(fn.dotted(_class_of(fn, item.exc)) == _UNWRITTEN for item in fn.facts.raises if item.exc >= 0)


def _class_of(fn: Fn, vid: Vid) -> Vid:
    value = fn.value(vid)
    return fn.calls[value[1]].func if value[0] == "call" else vid
