"""What names a body binds, found before its code is walked."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

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
        name = _bound(node)
        if name:
            names.add(name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return names


def _bound(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id if not isinstance(node.ctx, ast.Load) else None
    if isinstance(node, ast.Attribute | ast.Subscript):
        stored = not isinstance(node.ctx, ast.Load)
        return node.value.id if stored and isinstance(node.value, ast.Name) else None
    if isinstance(node, ast.Call):
        func = node.func
        changes = isinstance(func, ast.Attribute) and func.attr in MUTATORS
        return (
            func.value.id if changes and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else None
        )
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return node.name
    return node.rest if isinstance(node, ast.MatchMapping) else None


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
