"""Statements that hold other statements."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from .arguments import COMMA, call_arguments, parameters, type_parameters
from .cursor import STORE, Cursor
from .patterns import match_case
from .simple import simple_statement

_OPENING = ord("(")
_HAS_TYPE_PARAMS = "type_params" in ast.FunctionDef._fields


def statements(c: Cursor, nodes: Sequence[Any]) -> list[ast.stmt]:
    """A body: lines of small statements, and compound statements."""
    result: list[ast.stmt] = []
    for node in nodes:
        if isinstance(node, cst.SimpleStatementLine):
            result.extend([simple_statement(c, small) for small in node.body])
        else:
            result.append(_HANDLERS[type(node)](c, node))
    return result


def block(c: Cursor, node: cst.BaseSuite) -> list[ast.stmt]:
    """The colon and what follows it, on the same line or indented."""
    c.take(1)
    if isinstance(node, cst.SimpleStatementSuite):
        return [simple_statement(c, small) for small in node.body]
    return statements(c, node.body)


def _else(c: Cursor, node: cst.Else | cst.Finally | None) -> list[ast.stmt]:
    if node is None:
        return []
    c.take(4 if isinstance(node, cst.Else) else 7)
    return block(c, node.body)


def _if(c: Cursor, node: cst.If) -> ast.stmt:
    """An `elif` is an `if` inside the `else`; long chains are walked without recursion."""
    chain: list[tuple[int, ast.If]] = []
    link: cst.If | cst.Else | None = node
    while isinstance(link, cst.If):
        start = c.pos
        c.take(4 if chain else 2)
        test = c.expr(link.test)
        lowered = ast.If(test, block(c, link.body), [])
        if chain:
            chain[-1][1].orelse.append(lowered)
        chain.append((start, lowered))
        link = link.orelse
    chain[-1][1].orelse = _else(c, link)
    for start, lowered in chain:
        c.place(lowered, start)
    return chain[0][1]


def _while(c: Cursor, node: cst.While) -> ast.stmt:
    start = c.pos
    c.take(5)
    test = c.expr(node.test)
    body = block(c, node.body)
    return c.place(ast.While(test, body, _else(c, node.orelse)), start)


def _for(c: Cursor, node: cst.For) -> ast.stmt:
    start = c.pos
    if node.asynchronous is not None:
        c.take(5)
    c.take(3)
    target = c.expr(node.target, STORE)
    c.take(2)
    iterated = c.expr(node.iter)
    body = block(c, node.body)
    kind = ast.For if node.asynchronous is None else ast.AsyncFor
    return c.place(kind(target, iterated, body, _else(c, node.orelse), None), start)


def _with(c: Cursor, node: cst.With) -> ast.stmt:
    start = c.pos
    if node.asynchronous is not None:
        c.take(5)
    c.take(4)
    grouped = isinstance(node.lpar, cst.LeftParen)
    if grouped:
        c.take(1)
    items = []
    for item in node.items:
        manager = c.expr(item.item)
        bound = None
        if item.asname is not None:
            c.take(2)
            bound = c.expr(item.asname.name, STORE)
        items.append(ast.withitem(manager, bound))
        c.take_if(COMMA)
    if grouped:
        c.take(1)
    kind = ast.With if node.asynchronous is None else ast.AsyncWith
    return c.place(kind(items, block(c, node.body), None), start)


def _try(c: Cursor, node: cst.Try | cst.TryStar) -> ast.stmt:
    start = c.pos
    c.take(3)
    body = block(c, node.body)
    handlers = [_handler(c, handler) for handler in node.handlers]
    orelse = _else(c, node.orelse)
    kind = ast.TryStar if isinstance(node, cst.TryStar) else ast.Try
    return c.place(kind(body, handlers, orelse, _else(c, node.finalbody)), start)


def _handler(c: Cursor, node: cst.ExceptHandler | cst.ExceptStarHandler) -> ast.ExceptHandler:
    start = c.pos
    c.take(6)
    if isinstance(node, cst.ExceptStarHandler):
        c.take(1)
    caught = c.optional(node.type)
    name = None
    if node.name is not None:
        c.take(2)
        bound: Any = node.name.name
        name = c.name(bound.value)
    return c.place(ast.ExceptHandler(caught, name, block(c, node.body)), start)


def _match(c: Cursor, node: cst.Match) -> ast.stmt:
    start = c.pos
    c.take(5)
    subject = c.expr(node.subject)
    c.take(1)
    return c.place(ast.Match(subject, [match_case(c, case, block) for case in node.cases]), start)


def _decorators(c: Cursor, nodes: Sequence[cst.Decorator]) -> list[ast.expr]:
    result = []
    for node in nodes:
        c.take(1)
        result.append(c.expr(node.decorator))
    return result


def _function(c: Cursor, node: cst.FunctionDef) -> ast.stmt:
    decorators = _decorators(c, node.decorators)
    start = c.pos
    if node.asynchronous is not None:
        c.take(5)
    c.take(3)
    name = c.name(node.name.value)
    type_params = type_parameters(c, node.type_parameters)
    c.take(1)
    params = parameters(c, node.params)
    c.take(1)
    returns = None
    if node.returns is not None:
        c.take(2)
        returns = c.expr(node.returns.annotation)
    kind = ast.FunctionDef if node.asynchronous is None else ast.AsyncFunctionDef
    result = kind(name, params, block(c, node.body), decorators, returns, None)
    return c.place(_generic(result, type_params), start)


def _class(c: Cursor, node: cst.ClassDef) -> ast.stmt:
    decorators = _decorators(c, node.decorators)
    start = c.pos
    c.take(5)
    name = c.name(node.name.value)
    type_params = type_parameters(c, node.type_parameters)
    bases: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    if c.take_if(_OPENING):
        bases, keywords = call_arguments(c, [*node.bases, *node.keywords])
        c.take(1)
    result = ast.ClassDef(name, bases, keywords, block(c, node.body), decorators)
    return c.place(_generic(result, type_params), start)


def _generic(node: ast.stmt, type_params: list[Any]) -> ast.stmt:
    if _HAS_TYPE_PARAMS:
        vars(node)["type_params"] = type_params
    return node


_HANDLERS: dict[type, Callable[[Cursor, Any], ast.stmt]] = {
    cst.ClassDef: _class,
    cst.For: _for,
    cst.FunctionDef: _function,
    cst.If: _if,
    cst.Match: _match,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.While: _while,
    cst.With: _with,
}
