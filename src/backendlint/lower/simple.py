"""Statements that fit on one line."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import libcst as cst

from .arguments import COMMA, type_parameters
from .cursor import DEL, STORE, Cursor
from .expressions import OPERATORS, elements

_TYPE_ALIAS = getattr(ast, "TypeAlias", None)
_SEMICOLON = ord(";")
# An augmented assignment's operator is the plain one and an equals sign.
_AUGMENTED = {
    getattr(cst, plain.__name__ + "Assign"): (operator, length + 1) for plain, (operator, length) in OPERATORS.items()
}


def simple_statement(c: Cursor, node: cst.BaseSmallStatement) -> ast.stmt:
    """One small statement and the semicolon behind it."""
    start = c.pos
    result = c.place(_HANDLERS[type(node)](c, node), start)
    c.take_if(_SEMICOLON)
    return result


def _expr(c: Cursor, node: cst.Expr) -> ast.stmt:
    return ast.Expr(c.expr(node.value))


def _assign(c: Cursor, node: cst.Assign) -> ast.stmt:
    targets = []
    for target in node.targets:
        targets.append(c.expr(target.target, STORE))
        c.take(1)
    return ast.Assign(targets, c.expr(node.value), None)


def _annotated(c: Cursor, node: cst.AnnAssign) -> ast.stmt:
    target: Any = c.expr(node.target, STORE)
    simple = isinstance(node.target, cst.Name) and not node.target.lpar
    c.take(1)
    annotation = c.expr(node.annotation.annotation)
    value = None
    if node.value is not None:
        c.take(1)
        value = c.expr(node.value)
    return ast.AnnAssign(target, annotation, value, int(simple))


def _augmented(c: Cursor, node: cst.AugAssign) -> ast.stmt:
    target: Any = c.expr(node.target, STORE)
    operator, length = _AUGMENTED[type(node.operator)]
    c.take(length)
    return ast.AugAssign(target, operator, c.expr(node.value))


def _return(c: Cursor, node: cst.Return) -> ast.stmt:
    c.take(6)
    return ast.Return(c.optional(node.value))


def _raise(c: Cursor, node: cst.Raise) -> ast.stmt:
    c.take(5)
    raised = c.optional(node.exc)
    if node.cause is None:
        return ast.Raise(raised, None)
    c.take(4)
    return ast.Raise(raised, c.expr(node.cause.item))


def _assert(c: Cursor, node: cst.Assert) -> ast.stmt:
    c.take(6)
    test = c.expr(node.test)
    if node.msg is None:
        return ast.Assert(test, None)
    c.take(1)
    return ast.Assert(test, c.expr(node.msg))


def _delete(c: Cursor, node: cst.Del) -> ast.stmt:
    c.take(3)
    if isinstance(node.target, cst.Tuple) and not node.target.lpar:
        return ast.Delete(elements(c, node.target.elements, DEL))
    return ast.Delete([c.expr(node.target, DEL)])


def _pass(c: Cursor, node: cst.Pass) -> ast.stmt:
    c.take(4)
    return ast.Pass()


def _break(c: Cursor, node: cst.Break) -> ast.stmt:
    c.take(5)
    return ast.Break()


def _continue(c: Cursor, node: cst.Continue) -> ast.stmt:
    c.take(8)
    return ast.Continue()


def _global(c: Cursor, node: cst.Global) -> ast.stmt:
    c.take(6)
    return ast.Global(_names(c, node))


def _nonlocal(c: Cursor, node: cst.Nonlocal) -> ast.stmt:
    c.take(8)
    return ast.Nonlocal(_names(c, node))


def _names(c: Cursor, node: cst.Global | cst.Nonlocal) -> list[str]:
    result = []
    for item in node.names:
        result.append(c.name(item.name.value))
        c.take_if(COMMA)
    return result


def _import(c: Cursor, node: cst.Import) -> ast.stmt:
    c.take(6)
    return ast.Import([_alias(c, alias) for alias in node.names])


def _import_from(c: Cursor, node: cst.ImportFrom) -> ast.stmt:
    c.take(4)
    for _ in node.relative:
        c.take(1)
    module = None if node.module is None else _dotted(c, node.module)
    c.take(6)
    if isinstance(node.names, cst.ImportStar):
        start = c.pos
        c.take(1)
        return ast.ImportFrom(module, [c.place(ast.alias("*", None), start)], len(node.relative))
    if node.lpar is not None:
        c.take(1)
    names = [_alias(c, alias) for alias in node.names]
    if node.rpar is not None:
        c.take(1)
    return ast.ImportFrom(module, names, len(node.relative))


def _alias(c: Cursor, node: cst.ImportAlias) -> ast.alias:
    start = c.pos
    name = _dotted(c, node.name)
    asname = None
    if node.asname is not None:
        c.take(2)
        bound: Any = node.asname.name
        asname = c.name(bound.value)
    result = c.place(ast.alias(name, asname), start)
    c.take_if(COMMA)
    return result


def _dotted(c: Cursor, node: Any) -> str:
    names: list[str] = []
    while isinstance(node, cst.Attribute):
        names.append(node.attr.value)
        node = node.value
    names.append(node.value)
    taken: list[str] = []
    for name in reversed(names):
        if taken:
            c.take(1)
        taken.append(c.name(name))
    return ".".join(taken)


def _type_alias(c: Cursor, node: cst.TypeAlias) -> ast.stmt:
    """`type X[T] = value`; a plain assignment where the running Python has no node for it."""
    c.take(4)
    name = c.expr(node.name, STORE)
    params = type_parameters(c, node.type_parameters)
    c.take(1)
    value = c.expr(node.value)
    if _TYPE_ALIAS is None:
        return ast.Assign([name], value, None)
    result: ast.stmt = _TYPE_ALIAS(name, params, value)
    return result


_HANDLERS: dict[type, Callable[[Cursor, Any], ast.stmt]] = {
    cst.AnnAssign: _annotated,
    cst.Assert: _assert,
    cst.Assign: _assign,
    cst.AugAssign: _augmented,
    cst.Break: _break,
    cst.Continue: _continue,
    cst.Del: _delete,
    cst.Expr: _expr,
    cst.Global: _global,
    cst.Import: _import,
    cst.ImportFrom: _import_from,
    cst.Nonlocal: _nonlocal,
    cst.Pass: _pass,
    cst.Raise: _raise,
    cst.Return: _return,
    cst.TypeAlias: _type_alias,
}
