"""One statement of a file as a libcst tree of its own, with positions in the file.

Parsing a whole file with libcst costs ten times what its facts cost, so checks get just the statement, cut out by its
span. Nothing in the text is changed: an indented statement is parsed below an `if` line, so strings that span lines
keep their content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from backendlint.facts.model import Span
from backendlint.parse import split_lines

_COMMENT = re.compile(r"[ \t]*#[^\r\n]*")
_BLANK = re.compile(r"[ \t\f]*")


@dataclass(slots=True)
class Snippet:
    """A parsed part of a file."""

    module: cst.Module
    span: Span
    """What it covers; statements within need not be parsed again."""
    positions: dict[cst.CSTNode, Span]
    above: int
    """How many of the file's lines lie above the parsed text."""
    right: int
    """How many columns of the file lie left of the parsed text's first line."""
    by_start: dict[tuple[int, int], list[cst.CSTNode]] = field(default_factory=dict)

    def find(self, kinds: tuple[type[cst.CSTNode], ...], span: Span) -> cst.CSTNode | None:
        """The node of one of the kinds that has the span, else the outermost that begins where the span does."""
        nodes = [
            node
            for node in self.by_start.get((span.line, span.column), ())
            if isinstance(node, kinds) and not isinstance(node, cst.Expr)
        ]
        exact = [node for node in nodes if self.positions[node] == span]
        return next(iter(exact or nodes), None)

    def rewritten(self, node: cst.CSTNode, new: cst.CSTNode) -> str:
        """The text of `new` in the place of `node`, indented as that place asks for."""
        span = self.positions[node]
        lines = split_lines(self.module.code)
        start = self._offset(lines, span.line, span.column)
        after = sum(map(len, lines)) - self._offset(lines, span.end_line, span.end_column)
        changed = self.module.deep_replace(node, new)
        if not isinstance(changed, cst.Module):
            raise TypeError(f"{type(new).__name__} cannot stand for a whole module")
        return changed.code[start : len(changed.code) - after]

    def _offset(self, lines: Sequence[str], line: int, column: int) -> int:
        row = line - self.above - 1
        return sum(map(len, lines[:row])) + column - (self.right if row == 0 else 0)

    def covers(self, span: Span) -> bool:
        """Whether the span lies in this part."""
        return self.span.holds(span)


def parse(lines: Sequence[str], span: Span) -> Snippet:
    """Parse the statement or expression at the span of a file's lines (with their ends).

    Raises libcst.ParserSyntaxError where neither the part nor the whole file can be parsed.
    """
    first = lines[span.line - 1]
    if _BLANK.fullmatch(first, 0, span.column):
        text, above, right = _whole_lines(lines, span)
    else:
        text, above, right = span.text_in(lines), span.line - 1, span.column
    try:
        return _snippet(text, span, above, right)
    except cst.ParserSyntaxError:
        pass
    try:  # an expression may break lines inside brackets that lie around it
        return _snippet(f"({span.text_in(lines)})", span, span.line - 1, span.column - 1)
    except cst.ParserSyntaxError:
        return _snippet("".join(lines), Span(1, 0, len(lines) + 1, 0), 0, 0)


def _whole_lines(lines: Sequence[str], span: Span) -> tuple[str, int, int]:
    """The text, how many lines of the file lie above it, and how far its first line is shifted."""
    last = lines[span.end_line - 1]
    comment = _COMMENT.match(last, span.end_column)
    end = comment.end() if comment else span.end_column
    body = [*lines[span.line - 1 : span.end_line - 1], last[:end]]
    if span.end_line == span.line:
        body = [last[:end]]
    text = "".join(body) + "\n"
    if span.column == 0:
        return text, span.line - 1, 0
    return "if 1:\n" + text, span.line - 2, 0


def _snippet(text: str, span: Span, above: int, right: int) -> Snippet:
    module = cst.parse_module(text)
    ranges = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    snippet = Snippet(module, span, {}, above, right)
    for node, place in ranges.items():
        start, end = place.start, place.end
        here = Span(
            start.line + above,
            start.column + (right if start.line == 1 else 0),
            end.line + above,
            end.column + (right if end.line == 1 else 0),
        )
        snippet.positions[node] = here
        snippet.by_start.setdefault((here.line, here.column), []).append(node)
    for nodes in snippet.by_start.values():
        nodes.sort(key=lambda node: snippet.positions[node][2:], reverse=True)
    return snippet
