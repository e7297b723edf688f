"""Patterns of `match` statements."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from .arguments import COMMA
from .cursor import Cursor

_SINGLETONS = {"None": None, "True": True, "False": False}

Block = Callable[[Cursor, cst.BaseSuite], list[ast.stmt]]


def match_case(c: Cursor, node: cst.MatchCase, block: Block) -> ast.match_case:
    """`case pattern if guard:` and its block."""
    c.take(4)
    pattern = lower_pattern(c, node.pattern)
    guard = None
    if node.guard is not None:
        c.take(2)
        guard = c.expr(node.guard)
    return ast.match_case(pattern, guard, block(c, node.body))


def lower_pattern(c: Cursor, node: Any) -> ast.pattern:
    """Lower a pattern with the parentheses around it."""
    outer = len(node.lpar) - isinstance(node, cst.MatchTuple)
    for _ in range(outer):
        c.take(1)
    result = _HANDLERS[type(node)](c, node)
    for _ in range(outer):
        c.take(1)
    return result


def _value(c: Cursor, node: cst.MatchValue) -> ast.pattern:
    """Its parentheses are those of the value, and taken already."""
    start = c.pos
    value = c.handlers[type(node.value)](c, node.value, ast.Load())
    return c.place(ast.MatchValue(value), start)


def _singleton(c: Cursor, node: cst.MatchSingleton) -> ast.pattern:
    start = c.pos
    return c.place(ast.MatchSingleton(_SINGLETONS[c.name(node.value.value)]), start)


def _sequence(c: Cursor, node: cst.MatchList | cst.MatchTuple) -> ast.pattern:
    """With brackets, parentheses, or neither."""
    start = c.pos
    closed = isinstance(node, cst.MatchTuple) or node.lbracket is not None
    if closed:
        c.take(1)
    patterns = _elements(c, node.patterns)
    if closed:
        c.take(1)
    return c.place(ast.MatchSequence(patterns), start)


def _elements(c: Cursor, items: Sequence[Any]) -> list[ast.pattern]:
    result: list[ast.pattern] = []
    for item in items:
        result.append(_star(c, item) if isinstance(item, cst.MatchStar) else lower_pattern(c, item.value))
        c.take_if(COMMA)
    return result


def _star(c: Cursor, node: cst.MatchStar) -> ast.pattern:
    start = c.pos
    c.take(1)
    return c.place(ast.MatchStar(_captured(c, node.name)), start)


def _captured(c: Cursor, name: cst.Name | None) -> str | None:
    """A name to bind, or None for the wildcard."""
    written = c.name("_" if name is None else name.value)
    return None if written == "_" else written


def _mapping(c: Cursor, node: cst.MatchMapping) -> ast.pattern:
    start = c.pos
    c.take(1)
    keys: list[ast.expr] = []
    patterns: list[ast.pattern] = []
    for element in node.elements:
        keys.append(c.expr(element.key))
        c.take(1)
        patterns.append(lower_pattern(c, element.pattern))
        c.take_if(COMMA)
    rest = None
    if node.rest is not None:
        c.take(2)
        rest = c.name(node.rest.value)
        c.take_if(COMMA)
    c.take(1)
    return c.place(ast.MatchMapping(keys, patterns, rest), start)


def _class(c: Cursor, node: cst.MatchClass) -> ast.pattern:
    start = c.pos
    cls = c.expr(node.cls)
    c.take(1)
    patterns = _elements(c, node.patterns)
    names: list[str] = []
    values: list[ast.pattern] = []
    for keyword in node.kwds:
        names.append(c.name(keyword.key.value))
        c.take(1)
        values.append(lower_pattern(c, keyword.pattern))
        c.take_if(COMMA)
    c.take(1)
    return c.place(ast.MatchClass(cls, patterns, names, values), start)


def _as(c: Cursor, node: cst.MatchAs) -> ast.pattern:
    start = c.pos
    if node.pattern is None:
        return c.place(ast.MatchAs(None, _captured(c, node.name)), start)
    pattern = lower_pattern(c, node.pattern)
    c.take(2)
    return c.place(ast.MatchAs(pattern, _captured(c, node.name)), start)


def _or(c: Cursor, node: cst.MatchOr) -> ast.pattern:
    start = c.pos
    patterns: list[ast.pattern] = []
    for element in node.patterns:
        if patterns:
            c.take(1)
        patterns.append(lower_pattern(c, element.pattern))
    return c.place(ast.MatchOr(patterns), start)


_HANDLERS: dict[type, Callable[[Cursor, Any], ast.pattern]] = {
    cst.MatchAs: _as,
    cst.MatchClass: _class,
    cst.MatchList: _sequence,
    cst.MatchMapping: _mapping,
    cst.MatchOr: _or,
    cst.MatchSingleton: _singleton,
    cst.MatchTuple: _sequence,
    cst.MatchValue: _value,
}
