"""What names a body binds, found before its code is walked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

MUTATORS = frozenset(
    [
        "append",
        "appendleft",
        "add",
        "extend",
        "extendleft",
        "insert",
        "update",
        "setdefault",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "write",
        "writelines",
        "set",
        "put",
        "put_nowait",
        "push",
        "sort",
        "reverse",
        "add_header",
        "set_header",
        "add_section",
        "__setitem__",
    ]
)
"""Methods that usually change the object on which they are called."""

_SCOPES = frozenset([ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef])
_LEAVES = frozenset([ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal])
_BRANCHES = (ast.expr, ast.stmt, ast.arguments, ast.pattern)
"""What a single-valued field may hold that has nodes of its own (operators and contexts have none)."""


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of a body without those of nested functions and classes (whose own node is given).

    Spelled out instead of using ast.iter_child_nodes, and silent about `Load()` and its like: half of the time of
    reading a file went there.
    """
    todo = list(body)
    pop, push = todo.pop, todo.append
    while todo:
        node = pop()
        yield node
        kind = type(node)
        if kind in _LEAVES:
            continue
        if kind in _SCOPES:
            if not isinstance(node, ast.Lambda):
                todo.extend(node.decorator_list)  # type: ignore[attr-defined]
            continue
        for name in kind._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        push(item)
            elif isinstance(value, _BRANCHES):
                push(value)


def bound_names(body: Iterable[ast.AST]) -> set[str]:
    """Names that the statements bind or whose object they change in place (see MUTATORS)."""
    names: set[str] = set()
    for node in own_nodes(body):
        bound = _BOUND.get(type(node))
        name = bound(node) if bound is not None else None
        if name:
            names.add(name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return names


def _of_name(node: ast.Name) -> str | None:
    return node.id if type(node.ctx) is not ast.Load else None


def _of_part(node: ast.Attribute | ast.Subscript) -> str | None:
    return node.value.id if type(node.ctx) is not ast.Load and isinstance(node.value, ast.Name) else None


def _of_call(node: ast.Call) -> str | None:
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr not in MUTATORS:
        return None
    return func.value.id if isinstance(func.value, ast.Name) else None


def _of_named(node: ast.FunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs) -> str | None:
    return node.name


_BOUND: dict[type[ast.AST], Callable[[Any], str | None]] = {
    ast.Name: _of_name, ast.Attribute: _of_part, ast.Subscript: _of_part, ast.Call: _of_call,
    ast.MatchMapping: lambda node: node.rest,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), _of_named),
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar), _of_named),
}  # fmt: skip
"""What binds a name, or changes its object, by kind of node."""


class Traits(NamedTuple):
    """What a function's body says about its scope."""

    is_generator: bool
    globals: frozenset[str]
    nonlocals: frozenset[str]


def traits(body: Iterable[ast.AST]) -> Traits:
    """Look for `yield`, `global` and `nonlocal` of the body's own."""
    generator = False
    globals_: set[str] = set()
    nonlocals: set[str] = set()
    for node in own_nodes(body):
        kind = type(node)
        if kind is ast.Yield or kind is ast.YieldFrom:
            generator = True
        elif isinstance(node, ast.Global):
            globals_.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            nonlocals.update(node.names)
    return Traits(generator, frozenset(globals_), frozenset(nonlocals))
