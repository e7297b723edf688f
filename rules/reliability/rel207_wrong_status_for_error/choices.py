"""Where somebody has chosen the answer for this very failure."""

from __future__ import annotations

import re

from backendlint.api import Answer, Fn, Project, calls_in, ingredients, lines_of, slots

from .statuses import ALL

_WORDS = 6
"""So many a comment has that says why."""


def is_explained(project: Project, fn: Fn, handler: int, named: list[str]) -> bool:
    """Whether a comment in the handler says why it is this status or this exception, by its name."""
    span = fn.facts.blocks[handler].span
    lines = lines_of(project, fn.path)[span.line - 1 : span.end_line]
    said = " ".join(line.strip("# \t") for line in lines if line.lstrip().startswith("#"))
    words = {name.rpartition(".")[2] for name in named if name not in ALL}
    return len(said.split()) >= _WORDS and any(re.search(rf"\b{re.escape(word)}\b", said) for word in words)


def is_chosen(fn: Fn, handler: int, answer: Answer) -> bool:
    """`if "not found" in str(error): raise HTTPException(404)`: the answer is for this failure, not for every one."""
    for number, block in fn.blocks_of(answer.block):
        if number == handler:
            return False
        tested = ingredients(fn.facts, [block.value]) if block.kind in ("if", "case") else ()
        if any(fn.facts.values[vid][0] == "exc" for vid in tested):
            return True
    return False


def sorted_out(project: Project, fn: Fn, handler: int) -> bool:
    """`return answer_for(error)`, where that function raises again what it has no answer for."""
    for call in calls_in(fn.facts, handler):
        given = {vid for vid in call.passed if fn.facts.values[vid] == ("exc", handler)}
        for target in project.targets(fn, call) if given else ():
            taken = slots(fn, call, target, given)
            again = (target.unguarded(item.exc) for item in target.facts.raises if item.exc >= 0)
            if any(value[0] == "param" and value[1] in taken for value in again):
                return True
    return False
