"""What is raised for mistakes of the code that calls, which no request can bring about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.errors.exceptions import Escape
from backendlint.project.graph.calls import Edge

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TYPES = frozenset({"builtins.isinstance", "builtins.issubclass", "builtins.hasattr", "builtins.callable"})
_SIGNED_IN = frozenset({"is_anonymous", "is_authenticated"})


def is_own_mistake(project: Project, fn: Fn, escape: Escape, edge: Edge | None) -> bool:
    """Whether it hangs on types alone, on an argument that the call does pass, or on whether somebody is signed in, which what
    asks for the user decides before; or comes where none of an enumeration's members is left."""
    tests = list(fn.tests_of(escape.block))
    if not tests:
        return False
    if _none_left(project, fn, [test for test, outcome in tests if not outcome]):
        return True
    passed = edge is not None and edge.call is not None and _left_out(project, fn, tests[0], edge.call)
    return passed or _asks_who(fn, tests[0][0]) or all(_asks_type(fn, test) for test, _ in tests)


def _asks_type(fn: Fn, vid: Vid) -> bool:
    """`isinstance(value, str) or value is None`."""
    value = fn.unguarded(vid)
    if value[0] == "bool":
        return any(_asks_type(fn, item) for item in value[2])
    name = fn.func_of(value)
    return name[0] == "name" and (name[1] in _TYPES or str(name[1]).startswith("inspect.is"))


def _asks_who(fn: Fn, vid: Vid) -> bool:
    """`if user.is_anonymous:`."""
    value = fn.unguarded(vid)
    value = fn.unguarded(value[1]) if value[0] == "not" else value
    return value[0] == "attr" and value[2] in _SIGNED_IN


def _none_left(project: Project, fn: Fn, tests: list[Vid]) -> bool:
    """`if mode == Mode.SAIL: ... elif mode == Mode.ROW: ... else: raise ...`, where that is all there are."""
    asked: dict[str, set[str]] = {}
    for test in tests:
        value = fn.unguarded(test)
        alike = value[0] == "compare" and len(value[2]) == 2 and value[1][0] in ("==", "is")
        for owner, member in filter(None, (_member(project, fn, vid) for vid in value[2])) if alike else ():
            asked.setdefault(owner, set()).add(member)
    return any(
        len(members) > 1
        and project.hierarchy.is_a(project.classes[owner], "enum.Enum")
        and members >= _members(project, owner)
        for owner, members in asked.items()
    )


def _member(project: Project, fn: Fn, vid: Vid) -> tuple[str, str] | None:
    value = fn.unguarded(vid)
    target = project.modules.resolve(str(value[1]), fn.file.module) if value[0] == "name" else None
    if target is None or target.kind != "class" or target.file is None or len(target.rest) != 1:
        return None
    return f"{target.file.module}.{target.name}", target.rest[0]


def _members(project: Project, owner: str) -> set[str]:
    return {name for name in project.classes[owner].facts.attributes if not name.startswith("_")}


def _left_out(project: Project, fn: Fn, test: tuple[Vid, bool], call: Call) -> bool:
    """`if "words" not in kwargs:`, of a call that passes `words`."""
    value = fn.unguarded(test[0])
    if value[0] != "compare" or tuple(value[1]) != (("not in",) if test[1] else ("in",)):
        return False
    key, held = value[2][0], fn.unguarded(value[2][1])
    if held[0] != "param" or fn.facts.params[held[1]].kind != "kwargs":
        return False
    names = project.constants(fn, key) or []
    return bool(names) and set(names) <= {name for name, _ in call.kwargs}
