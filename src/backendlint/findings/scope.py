"""Which lines a suppression comment speaks for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backendlint.findings.text import line_at

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.findings.directive import Directive

Lines = tuple[int, int]
"""First and last line, both included."""


@dataclass(frozen=True, slots=True)
class FileShape:
    """Statements of several lines, and definitions by each line of their decorators and headers."""

    statements: dict[int, int]
    definitions: dict[int, Lines]
    lines: list[str]
    comment_mark: str = "#"

    def covered(self, directive: Directive) -> Lines:
        """The lines for which the directive speaks; (0, 0) for a comment of its own with nothing below it."""
        if directive.whole_file:
            return (1, sys.maxsize)
        line = self._below(directive.line) if directive.own_line else directive.line
        if not line:
            return (0, 0)
        if line in self.definitions:
            return self.definitions[line]
        first, last = self.statement(line)
        return (first, last) if line in (first, last) else (line, line)

    def statement(self, line: int) -> Lines:
        """The innermost statement around the line."""
        around = [(first, last) for first, last in self.statements.items() if first <= line <= last]
        return max(around, default=(line, line))

    def _below(self, line: int) -> int:
        """The code line right below a comment of its own, over further comments; 0 for a blank line or the end."""
        number = line + 1
        while line_at(self.lines, number).lstrip().startswith(self.comment_mark):
            number += 1
        return number if line_at(self.lines, number).strip() else 0


def python_shape(facts: FileFacts, lines: list[str]) -> FileShape:
    """The shape of a Python file."""
    return FileShape(facts.statement_lines, dict(_definitions(facts)), lines)


def _definitions(facts: FileFacts) -> Iterable[tuple[int, Lines]]:
    functions = facts.functions
    found = [
        (function.header.line, function.span, function.decorators, max(function.parent, 0))
        for function in functions[1:]
        if not function.name.startswith("<")
    ]
    found += [(item.header.line, item.span, item.decorators, item.owner) for item in facts.classes.values()]
    for header, span, decorators, owner in found:
        first = min([functions[owner].span_of(vid).line for vid in decorators if vid >= 0], default=header)
        last = max(header, facts.statement_lines.get(header, header))
        for line in range(min(first, header), last + 1):
            yield line, (min(first, header), span.end_line)


def text_shape(lines: list[str], path: str) -> FileShape:
    """The shape of a file that is not Python: SQL statements end with a line that ends with `;`."""
    if not path.endswith(".sql"):
        return FileShape({}, {}, lines)
    statements: dict[int, int] = {}
    first = 0
    for number, line in enumerate(lines, 1):
        code = line.partition("--")[0].strip()
        if code and not first:
            first = number
        if first and code.endswith(";"):
            statements[first] = number
            first = 0
    if first:
        statements[first] = len(lines)
    return FileShape(statements, {}, lines, "--")
