"""String literals: plain, formatted, templated, and concatenated by standing next to each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

import libcst as cst

from .cursor import Cursor, ExprHandler

_TEMPLATE = getattr(ast, "TemplateStr", None)
_INTERPOLATION = getattr(ast, "Interpolation", None)
_NO_CONVERSION = -1
_REPR = ord("r")
_SPEC = ord(":")
_BRACES = re.compile(r"\{\{|\}\}")
_COMMENT = re.compile(r"(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|#[^\n]*", re.DOTALL)
_ESCAPES = re.compile(
    r"\{\{|\}\}|\\(?:N\{[^}]*\}|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?=[{}])|.)", re.DOTALL
)


def _string(c: Cursor, node: Any, ctx: ast.expr_context) -> ast.expr:
    """One literal, or several that the compiler joins."""
    start = c.pos
    parts: list[ast.expr] = []
    formatted = templated = False
    for piece in _pieces(node):
        if isinstance(piece, cst.SimpleString):
            parts.append(_plain(c, piece))
            continue
        formatted = True
        templated = templated or isinstance(piece, cst.TemplatedString)
        parts.extend(_formatted(c, piece))
    if not formatted:
        return parts[0] if len(parts) == 1 else c.place(_joined(parts), start)
    if templated and _TEMPLATE is not None:
        template: ast.expr = _TEMPLATE(_folded(parts))
        return c.place(template, start)
    return c.place(ast.JoinedStr(_folded(parts)), start)


def _pieces(node: Any) -> Iterator[Any]:
    while isinstance(node, cst.ConcatenatedString):
        yield node.left
        node = node.right
    yield node


def _joined(parts: list[ast.expr]) -> ast.Constant:
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    if isinstance(values[0], bytes):
        return ast.Constant(b"".join(value for value in values if isinstance(value, bytes)), None)
    return ast.Constant("".join(value for value in values if isinstance(value, str)), _kind(parts[0]))


def _kind(part: ast.expr) -> str | None:
    return part.kind if isinstance(part, ast.Constant) else None


def _folded(parts: Iterable[ast.expr]) -> list[ast.expr]:
    """Neighbouring constants become one, which spans them all; empty ones vanish."""
    result: list[ast.expr] = []
    for part in parts:
        last = result[-1] if result else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            joined = _joined([last, part])
            joined.lineno, joined.col_offset = last.lineno, last.col_offset
            joined.end_lineno, joined.end_col_offset = part.end_lineno, part.end_col_offset
            result[-1] = joined
        else:
            result.append(part)
    return [part for part in result if not isinstance(part, ast.Constant) or part.value]


def _plain(c: Cursor, node: cst.SimpleString) -> ast.expr:
    start = c.pos
    literal = node.value
    c.take(len(literal) if literal.isascii() else len(literal.encode()))
    return c.place(ast.Constant(_value(literal), "u" if literal[0] == "u" else None), start)


def _value(literal: str) -> str | bytes:
    """What the literal means; only those with escapes need the compiler for it."""
    if "\\" in literal or "\r" in literal:
        value: str | bytes = ast.literal_eval(literal)
        return value
    opening = 0
    while literal[opening] not in "'\"":
        opening += 1
    quotes = 3 if literal[opening : opening + 3] in ("'''", '"""') and len(literal) >= opening + 6 else 1
    text = literal[opening + quotes : -quotes]
    return text.encode("ascii") if "b" in literal[:opening].lower() else text


def _formatted(c: Cursor, node: Any) -> list[ast.expr]:
    """The parts of an f-string or t-string, not yet folded."""
    raw = "r" in node.start.lower()
    c.take_bare(len(node.start))
    parts = _parts(c, node.parts, raw)
    c.take(len(node.end))
    return parts


def _parts(c: Cursor, nodes: Any, raw: bool) -> list[ast.expr]:
    result: list[ast.expr] = []
    for part in nodes:
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            start = c.pos
            c.take_bare(len(part.value.encode()))
            result.append(c.place(ast.Constant(_text(part.value, raw), None), start))
        else:
            result.extend(_replacement(c, part, raw))
    return result


def _text(text: str, raw: bool) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (_BRACES if raw else _ESCAPES).sub(_escape, text) if "\\" in text or "{" in text or "}" in text else text


def _escape(found: re.Match[str]) -> str:
    written = found.group()
    if written in ("{{", "}}", "\\"):
        return written[0]
    value: str = ast.literal_eval(f'"{written}"')
    return value


def _replacement(c: Cursor, node: Any, raw: bool) -> list[ast.expr]:
    """`{value = !r:spec}`: the field, behind its text if it has an equals sign."""
    start = c.pos
    c.take(1)
    text_start = start + 1
    value = c.expr(node.expression)
    written = c.src[text_start : c.pos].decode()
    result: list[ast.expr] = []
    conversion = _NO_CONVERSION
    if node.equal is not None:
        c.take(1)
        c.end = c.pos
        shown = c.src[text_start : c.pos].decode()
        result.append(c.place(ast.Constant(_shown(shown), None), text_start))
        conversion = _REPR if node.conversion is None and node.format_spec is None else _NO_CONVERSION
    if node.conversion is not None:
        c.take(1)
        c.take(len(node.conversion))
        conversion = ord(node.conversion)
    spec = _spec(c, node, raw)
    c.take_bare(1)
    if isinstance(node, cst.TemplatedStringExpression) and _INTERPOLATION is not None:
        field: ast.expr = _INTERPOLATION(value, written.strip(), conversion, spec)
    else:
        field = ast.FormattedValue(value, conversion, spec)
    result.append(c.place(field, start))
    return result


def _shown(text: str) -> str:
    """The text of a field that shows itself, as the compiler keeps it: without comments."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _COMMENT.sub(lambda found: found["string"] or "", text) if "#" in text else text


def _spec(c: Cursor, node: Any, raw: bool) -> ast.JoinedStr | None:
    if node.format_spec is None:
        return None
    start = c.pos
    c.take_bare(1)
    return c.place(ast.JoinedStr(_folded(_parts(c, node.format_spec, raw))), start)


HANDLERS: dict[type, ExprHandler] = {
    cst.ConcatenatedString: _string,
    cst.FormattedString: _string,
    cst.SimpleString: _string,
    cst.TemplatedString: _string,
}
