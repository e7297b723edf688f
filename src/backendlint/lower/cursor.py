"""The place in the source where the walk stands: a tree's tokens are taken one after the other, and never looked up.

libcst keeps the white space between tokens in nodes of its own. They are not visited: the tree already says which token
comes next, so whatever white space, comments, line ends and continuations stand before it can be skipped in the source.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

LOAD = ast.Load()
STORE = ast.Store()
DEL = ast.Del()

Placed = ast.expr | ast.stmt | ast.pattern | ast.arg | ast.keyword | ast.alias | ast.excepthandler
NodeT = TypeVar("NodeT", bound=Placed)
ExprHandler = Callable[["Cursor", Any, ast.expr_context], ast.expr]

_SPACE = re.compile(rb"(?:[ \t\f\r\n]++|\\\r?\n|\\\r|#[^\r\n]*+)*+")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++")


class Cursor:
    """A walk over one source. `pos` is the byte offset of the next token, `end` the offset after the last one taken."""

    __slots__ = ("_first", "_line", "_skip", "end", "handlers", "own_parens", "pos", "src")

    def __init__(self, text: str, handlers: Mapping[type, ExprHandler], own_parens: frozenset[type]) -> None:
        """`handlers` lower one kind of expression each; types in `own_parens` take their innermost parentheses."""
        self.src = text.encode()
        self.handlers = handlers
        self.own_parens = own_parens
        self._skip = _SPACE.match
        self._line, self._first = _line_table(self.src)
        self.end = 0
        self.pos = self._after_space(0)

    def _after_space(self, offset: int) -> int:
        found = self._skip(self.src, offset)
        return found.end() if found else offset

    def take(self, length: int) -> None:
        """Take a token of `length` bytes and the white space behind it."""
        self.end = end = self.pos + length
        self.pos = self._skip(self.src, end).end()  # type: ignore[union-attr]  # the pattern matches the empty string

    def take_bare(self, length: int) -> None:
        """Take `length` bytes after which white space counts, as inside a string."""
        self.pos = self.end = self.pos + length

    def take_if(self, byte: int) -> bool:
        """Take the one-byte token if it is the next one."""
        if self.src[self.pos : self.pos + 1] != bytes((byte,)):
            return False
        self.take(1)
        return True

    def place(self, node: NodeT, start: int) -> NodeT:
        """Give the node the span from byte `start` to the end of the last token."""
        end = self.end
        node.lineno = line = self._line[start]
        node.col_offset = start - self._first[line]
        node.end_lineno = line = self._line[end]
        node.end_col_offset = end - self._first[line]
        return node

    def name(self, value: str) -> str:
        """Take an identifier and return it as the compiler knows it."""
        if value.isascii():
            self.take(len(value))
            return value
        self.take(len(value.encode()))
        return unicodedata.normalize("NFKC", value)

    def expr(self, node: Any, ctx: ast.expr_context = LOAD) -> ast.expr:
        """Lower an expression with the parentheses around it."""
        kind = node.__class__
        handler = self.handlers[kind]
        if not node.lpar:
            return handler(self, node, ctx)
        outer = len(node.lpar) - (kind in self.own_parens)
        for _ in range(outer):
            self.take(1)
        result = handler(self, node, ctx)
        for _ in range(outer):
            self.take(1)
        return result

    def optional(self, node: Any) -> ast.expr | None:
        """Lower an expression that may be missing."""
        return None if node is None else self.expr(node)


def _line_table(src: bytes) -> tuple[list[int], list[int]]:
    """The line number of every byte (and of the end), and the offset at which each line number starts."""
    line: list[int] = []
    first = [0]
    for number, found in enumerate(_LINE.finditer(src), 1):
        start, end = found.span()
        first.append(start)
        line.extend([number] * (end - start))
    line.append(max(len(first) - 1, 1))
    return line, first
