"""Expressions other than strings."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import libcst as cst

from .arguments import COMMA, call_arguments, parameters, starred
from .cursor import LOAD, STORE, Cursor, ExprHandler

OPERATORS: dict[type, tuple[ast.operator, int]] = {
    cst.Add: (ast.Add(), 1),
    cst.Subtract: (ast.Sub(), 1),
    cst.Multiply: (ast.Mult(), 1),
    cst.MatrixMultiply: (ast.MatMult(), 1),
    cst.Divide: (ast.Div(), 1),
    cst.FloorDivide: (ast.FloorDiv(), 2),
    cst.Modulo: (ast.Mod(), 1),
    cst.Power: (ast.Pow(), 2),
    cst.LeftShift: (ast.LShift(), 2),
    cst.RightShift: (ast.RShift(), 2),
    cst.BitAnd: (ast.BitAnd(), 1),
    cst.BitOr: (ast.BitOr(), 1),
    cst.BitXor: (ast.BitXor(), 1),
}
_UNARY: dict[type, tuple[ast.unaryop, int]] = {
    cst.Not: (ast.Not(), 3),
    cst.Minus: (ast.USub(), 1),
    cst.Plus: (ast.UAdd(), 1),
    cst.BitInvert: (ast.Invert(), 1),
}
_COMPARE: dict[type, tuple[ast.cmpop, tuple[int, ...]]] = {
    cst.Equal: (ast.Eq(), (2,)),
    cst.NotEqual: (ast.NotEq(), (2,)),
    cst.LessThan: (ast.Lt(), (1,)),
    cst.LessThanEqual: (ast.LtE(), (2,)),
    cst.GreaterThan: (ast.Gt(), (1,)),
    cst.GreaterThanEqual: (ast.GtE(), (2,)),
    cst.In: (ast.In(), (2,)),
    cst.NotIn: (ast.NotIn(), (3, 2)),
    cst.Is: (ast.Is(), (2,)),
    cst.IsNot: (ast.IsNot(), (2, 3)),
}
_BOOLEAN: dict[type, tuple[ast.boolop, int]] = {cst.And: (ast.And(), 3), cst.Or: (ast.Or(), 2)}
_SINGLETONS = {"None": None, "True": True, "False": False}


def _name(c: Cursor, node: cst.Name, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    value = c.name(node.value)
    if value in _SINGLETONS:
        return c.place(ast.Constant(_SINGLETONS[value], None), start)
    return c.place(ast.Name(value, ctx), start)


def _constant(c: Cursor, value: Any, length: int) -> ast.expr:
    start = c.pos
    c.take(length)
    return c.place(ast.Constant(value, None), start)


def _integer(c: Cursor, node: cst.Integer, ctx: ast.expr_context) -> ast.expr:
    return _constant(c, int(node.value, 0), len(node.value))


def _float(c: Cursor, node: cst.Float, ctx: ast.expr_context) -> ast.expr:
    return _constant(c, float(node.value), len(node.value))


def _imaginary(c: Cursor, node: cst.Imaginary, ctx: ast.expr_context) -> ast.expr:
    return _constant(c, complex(0.0, float(node.value[:-1])), len(node.value))


def _ellipsis(c: Cursor, node: cst.Ellipsis, ctx: ast.expr_context) -> ast.expr:
    return _constant(c, ..., 3)


def _binary(c: Cursor, node: cst.BinaryOperation, ctx: ast.expr_context) -> ast.expr:
    """A chain such as `a + b + c` nests to the left; it is walked without recursion."""
    start = c.pos
    chain = [node]
    while isinstance(node.left, cst.BinaryOperation) and not node.left.lpar:
        node = node.left
        chain.append(node)
    result = c.expr(node.left)
    for link in reversed(chain):
        operator, length = OPERATORS[type(link.operator)]
        c.take(length)
        result = c.place(ast.BinOp(result, operator, c.expr(link.right)), start)
    return result


def _boolean(c: Cursor, node: cst.BooleanOperation, ctx: ast.expr_context) -> ast.expr:
    """`a and b and c` is one BoolOp of three values, `(a and b) and c` is not."""
    start = c.pos
    kind = type(node.operator)
    chain = [node]
    left = node.left
    while isinstance(left, cst.BooleanOperation) and type(left.operator) is kind and not left.lpar:
        chain.append(left)
        left = left.left
    operator, length = _BOOLEAN[kind]
    values = [c.expr(left)]
    for link in reversed(chain):
        c.take(length)
        values.append(c.expr(link.right))
    return c.place(ast.BoolOp(operator, values), start)


def _unary(c: Cursor, node: cst.UnaryOperation, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    operator, length = _UNARY[type(node.operator)]
    c.take(length)
    return c.place(ast.UnaryOp(operator, c.expr(node.expression)), start)


def _comparison(c: Cursor, node: cst.Comparison, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    left = c.expr(node.left)
    operators: list[ast.cmpop] = []
    comparators: list[ast.expr] = []
    for target in node.comparisons:
        operator, lengths = _COMPARE[type(target.operator)]
        for length in lengths:
            c.take(length)
        operators.append(operator)
        comparators.append(c.expr(target.comparator))
    return c.place(ast.Compare(left, operators, comparators), start)


def _primary(c: Cursor, node: cst.Attribute | cst.Call | cst.Subscript, ctx: ast.expr_context) -> ast.expr:
    """A chain such as `a.b(c)[d]` nests to the left; it is walked without recursion."""
    start = c.pos
    chain: list[cst.Attribute | cst.Call | cst.Subscript] = []
    inner: cst.BaseExpression = node
    while isinstance(inner, (cst.Attribute, cst.Call, cst.Subscript)) and (not chain or not inner.lpar):
        chain.append(inner)
        inner = inner.func if isinstance(inner, cst.Call) else inner.value
    result = c.expr(inner)
    while chain:
        link = chain.pop()
        own = LOAD if chain else ctx
        if isinstance(link, cst.Attribute):
            c.take(1)
            result = ast.Attribute(result, c.name(link.attr.value), own)
        elif isinstance(link, cst.Call):
            result = _call(c, result, link.args)
        else:
            c.take(1)
            result = ast.Subscript(result, _index(c, link.slice), own)
            c.take(1)
        c.place(result, start)
    return result


def _call(c: Cursor, func: ast.expr, args: Sequence[cst.Arg]) -> ast.Call:
    """CPython gives a generator that is the only argument the parentheses of the call."""
    start = c.pos
    c.take(1)
    positional, keywords = call_arguments(c, args)
    c.take(1)
    if len(args) == 1 and isinstance(args[0].value, cst.GeneratorExp) and not args[0].value.lpar:
        for argument in positional:
            c.place(argument, start)
    return ast.Call(func, positional, keywords)


def _index(c: Cursor, elements: Sequence[cst.SubscriptElement]) -> ast.expr:
    start = c.pos
    values: list[ast.expr] = []
    comma = False
    for element in elements:
        part = element.slice
        if isinstance(part, cst.Index):
            values.append(starred(c, part.value) if part.star else c.expr(part.value))
        elif isinstance(part, cst.Slice):
            values.append(_slice(c, part))
        comma = c.take_if(COMMA)
    if len(values) == 1 and not comma and not isinstance(values[0], ast.Starred):
        return values[0]
    return c.place(ast.Tuple(values, LOAD), start)


def _slice(c: Cursor, node: cst.Slice) -> ast.expr:
    start = c.pos
    lower = c.optional(node.lower)
    c.take(1)
    upper = c.optional(node.upper)
    step = None
    if isinstance(node.second_colon, cst.Colon):
        c.take(1)
        step = c.optional(node.step)
    return c.place(ast.Slice(lower, upper, step), start)


def elements(c: Cursor, items: Sequence[cst.BaseElement], ctx: ast.expr_context) -> list[ast.expr]:
    """Elements of a tuple, list, set or `del`, each with its comma."""
    result = []
    for item in items:
        result.append(_starred(c, item, ctx) if isinstance(item, cst.StarredElement) else c.expr(item.value, ctx))
        c.take_if(COMMA)
    return result


def _starred(c: Cursor, node: cst.StarredElement, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    return c.place(ast.Starred(c.expr(node.value, ctx), ctx), start)


def _tuple(c: Cursor, node: cst.Tuple, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    if not node.lpar:
        return c.place(ast.Tuple(elements(c, node.elements, ctx), ctx), start)
    c.take(1)
    values = elements(c, node.elements, ctx)
    c.take(1)
    return c.place(ast.Tuple(values, ctx), start)


def _list(c: Cursor, node: cst.List, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    values = elements(c, node.elements, ctx)
    c.take(1)
    return c.place(ast.List(values, ctx), start)


def _set(c: Cursor, node: cst.Set, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    values = elements(c, node.elements, LOAD)
    c.take(1)
    return c.place(ast.Set(values), start)


def _dict(c: Cursor, node: cst.Dict, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    keys: list[ast.expr | None] = []
    values: list[ast.expr] = []
    for element in node.elements:
        if isinstance(element, cst.DictElement):
            keys.append(c.expr(element.key))
            c.take(1)
        else:
            keys.append(None)
            c.take(2)
        values.append(c.expr(element.value))
        c.take_if(COMMA)
    c.take(1)
    return c.place(ast.Dict(keys, values), start)


def _generator(c: Cursor, node: cst.GeneratorExp, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    if node.lpar:
        c.take(1)
    result = ast.GeneratorExp(c.expr(node.elt), _comprehensions(c, node.for_in))
    if node.lpar:
        c.take(1)
    return c.place(result, start)


def _list_comp(c: Cursor, node: cst.ListComp, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    result = ast.ListComp(c.expr(node.elt), _comprehensions(c, node.for_in))
    c.take(1)
    return c.place(result, start)


def _set_comp(c: Cursor, node: cst.SetComp, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    result = ast.SetComp(c.expr(node.elt), _comprehensions(c, node.for_in))
    c.take(1)
    return c.place(result, start)


def _dict_comp(c: Cursor, node: cst.DictComp, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(1)
    key = c.expr(node.key)
    c.take(1)
    result = ast.DictComp(key, c.expr(node.value), _comprehensions(c, node.for_in))
    c.take(1)
    return c.place(result, start)


def _comprehensions(c: Cursor, node: cst.CompFor | None) -> list[ast.comprehension]:
    result = []
    while node is not None:
        if node.asynchronous is not None:
            c.take(5)
        c.take(3)
        target = c.expr(node.target, STORE)
        c.take(2)
        iterated = c.expr(node.iter)
        conditions = []
        for condition in node.ifs:
            c.take(2)
            conditions.append(c.expr(condition.test))
        result.append(ast.comprehension(target, iterated, conditions, int(node.asynchronous is not None)))
        node = node.inner_for_in
    return result


def _conditional(c: Cursor, node: cst.IfExp, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    body = c.expr(node.body)
    c.take(2)
    test = c.expr(node.test)
    c.take(4)
    return c.place(ast.IfExp(test, body, c.expr(node.orelse)), start)


def _lambda(c: Cursor, node: cst.Lambda, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(6)
    params = parameters(c, node.params)
    c.take(1)
    return c.place(ast.Lambda(params, c.expr(node.body)), start)


def _named(c: Cursor, node: cst.NamedExpr, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    target = c.expr(node.target, STORE)
    c.take(2)
    assert isinstance(target, ast.Name)
    return c.place(ast.NamedExpr(target, c.expr(node.value)), start)


def _await(c: Cursor, node: cst.Await, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(5)
    return c.place(ast.Await(c.expr(node.expression)), start)


def _yield(c: Cursor, node: cst.Yield, ctx: ast.expr_context) -> ast.expr:
    start = c.pos
    c.take(5)
    if isinstance(node.value, cst.From):
        c.take(4)
        return c.place(ast.YieldFrom(c.expr(node.value.item)), start)
    return c.place(ast.Yield(c.optional(node.value)), start)


HANDLERS: dict[type, ExprHandler] = {
    cst.Attribute: _primary,
    cst.Await: _await,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _boolean,
    cst.Call: _primary,
    cst.Comparison: _comparison,
    cst.Dict: _dict,
    cst.DictComp: _dict_comp,
    cst.Ellipsis: _ellipsis,
    cst.Float: _float,
    cst.GeneratorExp: _generator,
    cst.IfExp: _conditional,
    cst.Imaginary: _imaginary,
    cst.Integer: _integer,
    cst.Lambda: _lambda,
    cst.List: _list,
    cst.ListComp: _list_comp,
    cst.Name: _name,
    cst.NamedExpr: _named,
    cst.Set: _set,
    cst.SetComp: _set_comp,
    cst.StarredElement: _starred,
    cst.Subscript: _primary,
    cst.Tuple: _tuple,
    cst.UnaryOperation: _unary,
    cst.Yield: _yield,
}
OWN_PARENS: frozenset[type] = frozenset({cst.Tuple, cst.GeneratorExp})
