"""Parameters, type parameters and call arguments."""

from __future__ import annotations

import ast
import sys
from typing import Any

import libcst as cst

from .cursor import Cursor

COMMA = ord(",")


def parameters(c: Cursor, node: cst.Parameters) -> ast.arguments:
    """Parameters of a function or lambda, in their order in the source."""
    result = ast.arguments([], [], None, [], [], None, [])
    for param in node.posonly_params:
        result.posonlyargs.append(_param(c, param, result.defaults))
    if node.posonly_params:
        c.take(1)
        c.take_if(COMMA)
    for param in node.params:
        result.args.append(_param(c, param, result.defaults))
    if isinstance(node.star_arg, cst.Param):
        result.vararg = _param(c, node.star_arg, [])
    elif isinstance(node.star_arg, cst.ParamStar):
        c.take(1)
        c.take_if(COMMA)
    for param in node.kwonly_params:
        defaults: list[ast.expr] = []
        result.kwonlyargs.append(_param(c, param, defaults))
        result.kw_defaults.append(defaults[0] if defaults else None)
    if node.star_kwarg is not None:
        result.kwarg = _param(c, node.star_kwarg, [])
    return result


def _param(c: Cursor, node: cst.Param, defaults: list[ast.expr]) -> ast.arg:
    """One parameter; its default is added to `defaults`."""
    if isinstance(node.star, str):
        c.take(len(node.star))
    start = c.pos
    name = c.name(node.name.value)
    annotation = None
    if node.annotation is not None:
        c.take(1)
        annotation = c.expr(node.annotation.annotation)
    result = c.place(ast.arg(name, annotation, None), start)
    if node.default is not None:
        c.take(1)
        defaults.append(c.expr(node.default))
    c.take_if(COMMA)
    return result


def call_arguments(c: Cursor, args: Any) -> tuple[list[ast.expr], list[ast.keyword]]:
    """Arguments between the parentheses of a call or class, which the caller takes."""
    positional: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    for arg in args:
        start = c.pos
        if arg.keyword is not None:
            name = c.name(arg.keyword.value)
            c.take(1)
            keywords.append(c.place(ast.keyword(name, c.expr(arg.value)), start))
        elif not arg.star:
            positional.append(c.expr(arg.value))
        elif arg.star == "*":
            positional.append(starred(c, arg.value))
        else:
            c.take(2)
            keywords.append(c.place(ast.keyword(None, c.expr(arg.value)), start))
        c.take_if(COMMA)
    return positional, keywords


def starred(c: Cursor, value: cst.BaseExpression) -> ast.Starred:
    """`*value` where libcst keeps the star outside of the expression."""
    start = c.pos
    c.take(1)
    return c.place(ast.Starred(c.expr(value), ast.Load()), start)


def type_parameters(c: Cursor, node: cst.TypeParameters | None) -> list[Any]:
    """`[T: bound = default, *Ts, **P]`; empty where the running Python has no nodes for it."""
    result: list[Any] = []
    if node is None:
        return result
    c.take(1)
    for param in node.params:
        lowered = _type_parameter(c, param)
        if lowered is not None:
            result.append(lowered)
        c.take_if(COMMA)
    c.take(1)
    return result


def _type_parameter(c: Cursor, node: cst.TypeParam) -> Any:
    start = c.pos
    if isinstance(node.param, cst.TypeVarTuple):
        c.take(1)
    elif isinstance(node.param, cst.ParamSpec):
        c.take(2)
    fields: list[Any] = [c.name(node.param.name.value)]
    if isinstance(node.param, cst.TypeVar):
        fields.append(None)
        if node.param.bound is not None:
            c.take(1)
            fields[1] = c.expr(node.param.bound)
    default = None
    if node.default is not None:
        c.take(1)
        default = starred(c, node.default) if node.star else c.expr(node.default)
    factory = getattr(ast, type(node.param).__name__, None)
    if factory is None:
        return None
    if sys.version_info >= (3, 13):
        fields.append(default)
    return c.place(factory(*fields), start)
