"""What makes a path absolute, or says what several have in common."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint.same import stripped

COMMON = frozenset({"commonpath", "commonprefix"})
RESOLVERS = COMMON | {"resolve", "realpath", "abspath", "normpath", "absolute"}


def resolved(fn: Fn, vid: Vid) -> bool:
    """True where the path was made absolute before its prefix was tested."""
    value = fn.facts.values[stripped(fn, vid)]
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    name = fn.callee_name(call)
    return name in RESOLVERS or (name == "str" and bool(call.args) and resolved(fn, call.args[0]))


def compared(fn: Fn, call: Call) -> Iterator[Vid]:
    """The paths of `os.path.commonpath([base, path])`."""
    for vid in call.args if fn.callee_name(call) in COMMON else ():
        value = fn.unguarded(vid)
        yield from value[1] if value[0] in ("list", "tuple") else ()
