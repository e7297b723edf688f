"""What the project's own decorators pass to the function below them: `return f(user, *args, **kwargs)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DEPTH = 3
"""Functions in functions: a factory, its decorator, the wrapper."""


class Handed(NamedTuple):
    """A value that a wrapper passes."""

    fn: Fn
    vid: Vid
    path: tuple[str, ...] = ()


def handed(project: Project, fn: Fn, index: int) -> list[Handed] | None:
    """What the decorators pass for a parameter, nothing where none does; None where that cannot be told."""
    name, position = fn.facts.params[index].name, index
    from_end = sum(param.kind in ("pos", "any") for param in fn.facts.params) - index
    home = fn.parent or fn
    for vid in reversed(fn.facts.decorators):
        value = home.facts.values[vid]
        refs = project.refs(home, home.facts.calls[value[1]].func if value[0] == "call" else vid)
        if not refs:
            return None
        if all(ref.kind == "lib" for ref in refs):
            if any(project.libraries.decorator(ref.name) is None for ref in refs):
                return None
            continue
        calls = list(_calls(project, refs[0])) if len(refs) == 1 else []
        if len(calls) != 1:
            return None
        wrapper, call = calls[0]
        passed = _appended(wrapper, call, from_end) or _argument(wrapper, call, name, position)
        if isinstance(passed, Handed) and wrapper.facts.values[passed.vid][0] != "param":
            return [passed]
        if isinstance(passed, Handed):
            position = wrapper.facts.values[passed.vid][1]
            name = wrapper.facts.params[position].name
        else:
            position = passed
    return []


def _calls(project: Project, ref: Ref, depth: int = _DEPTH) -> Iterator[tuple[Fn, Call]]:
    """Calls of the decorated function in what a decorator, or a factory of one, returns."""
    fn = project.functions.get(ref.name) if ref.kind == "func" else None
    if ref.kind == "inst":
        fn = project.method(project.classes[ref.name], "__call__")
    if fn is None:
        return
    yield from ((fn, call) for call in fn.facts.calls if _is_decorated(fn, call.func))
    for item in fn.facts.returns if depth else ():
        for inner in project.refs(fn, item.value) if item.value >= 0 else ():
            if inner.kind == "func" and inner.name.startswith(f"{fn.fqn}."):
                yield from _calls(project, inner, depth - 1)


def _is_decorated(fn: Fn, vid: Vid) -> bool:
    """The parameter of a function around this one, or what makes it one that can be called (`ensure_sync(f)`)."""
    value = fn.unguarded(vid)
    if value[0] == "call":
        args = fn.facts.calls[value[1]].args
        return len(args) == 1 and _is_decorated(fn, args[0])
    owner = fn.outer(value) if value[0] == "outer" else None
    return owner is not None and owner.unguarded(value[1])[0] == "param"


def _argument(wrapper: Fn, call: Call, name: str, position: int) -> Handed | int:
    """What a wrapper passes for a parameter, or at which place of its own arguments it hands it on."""
    for key, vid in call.kwargs:
        if key == name:
            return Handed(wrapper, vid)
        if key == "**" and _stored(wrapper, vid, name):
            return Handed(wrapper, vid, (f"[{name!r}]",))
        added = _added(wrapper, vid, name) if key == "**" else -1
        if added >= 0:
            return Handed(wrapper, added)
    for number, vid in enumerate(call.args):
        if wrapper.facts.values[vid][0] == "star":
            own = sum(param.kind in ("pos", "any") for param in wrapper.facts.params)
            return position - number + own
        if number == position:
            return Handed(wrapper, vid)
    return position


def _appended(wrapper: Fn, call: Call, from_end: int) -> Handed | None:
    """`args = args + (folder,)` and `f(*args, **kwargs)`: what the wrapper puts behind its own arguments."""
    for vid in call.args:
        value = wrapper.facts.values[vid]
        joined = wrapper.unguarded(value[1]) if value[0] == "star" else value
        if joined[0] == "binop" and joined[1] == "+":
            own, more = wrapper.unguarded(joined[2]), wrapper.unguarded(joined[3])
            if own[0] == "param" and more[0] == "tuple" and 0 < from_end <= len(more[1]):
                return Handed(wrapper, more[1][-from_end])
    return None


def _stored(fn: Fn, vid: Vid, name: str) -> bool:
    """Whether a mapping was given an entry of that name before (`kwargs["user"] = ...`)."""
    value = fn.facts.values[vid]
    while value[0] in ("store", "mut", "guard", "star"):
        if value[0] == "store" and fn.const(value[2]) == name:
            return True
        value = fn.facts.values[value[1]]
    if value[0] == "dict":
        return any(fn.const(key) == name for key, _ in value[1] if key >= 0)
    return False


def _added(fn: Fn, vid: Vid, name: str) -> Vid:
    """The entry of that name with which a mapping was updated before (`kwargs.update({"user": ...})`), else -1."""
    value = fn.facts.values[vid]
    while value[0] in ("store", "mut", "guard", "star"):
        if value[0] == "mut" and value[2] == "update":
            for item in value[3]:
                given = fn.facts.values[item]
                found = [entry for key, entry in (given[1] if given[0] == "dict" else ()) if fn.const(key) == name]
                if found:
                    return int(found[-1])
        value = fn.facts.values[value[1]]
    return -1
