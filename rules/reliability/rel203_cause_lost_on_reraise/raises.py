"""What a `raise` raises, and in which handler it stands."""

from __future__ import annotations

from backendlint.api import FunctionFacts, Raise, around


def handler_of(function: FunctionFacts, item: Raise) -> int:
    """The innermost `except` around the raise; -1 without one, and where a nested `try` catches what is raised."""
    for block in around(function, item.block):
        if function.blocks[block].kind == "except":
            return block
        if function.blocks[block].kind == "try":
            return -1
    return -1


def is_new(function: FunctionFacts, vid: int) -> bool:
    """Whether the raised value is made here: a call of a class, or a class."""
    value = function.values[vid]
    if value[0] == "call":
        callee = function.values[function.calls[value[1]].func]
        if callee[0] == "attr":
            return str(callee[2])[:1].isupper()
        return callee[0] in ("name", "def") and last(callee[1])[:1].isupper()
    return value[0] in ("name", "def") and last(value[1])[:1].isupper()


def last(dotted: str) -> str:
    return dotted.rpartition(".")[2].lstrip("_")
