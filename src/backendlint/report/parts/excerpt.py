"""Source lines with the span underlined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.findings.text import line_at, source_lines
from backendlint.report.parts.clean import printable, source
from backendlint.report.parts.terminal import TAB, Style, columns

if TYPE_CHECKING:
    from backendlint.findings.model import Location
    from backendlint.report.parts.options import RenderOptions

_MAX_LINES = 4
_LEAD = 20
"""Characters kept before the span where a long line is cut."""


class Excerpts:
    """Excerpts of a report's files; each file is split once."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._style = Style(options.color)
        self._lines: dict[str, list[str]] = {}

    def of(self, place: Location, indent: str) -> str:
        """The place's lines (at most four) with marks below, or "" where the text cannot be had."""
        lines = self._text(place.path)
        if not 0 < place.line <= len(lines):
            return ""
        last = min(max(place.line, place.end_line), len(lines))
        numbers = list(range(place.line, last + 1))
        shown = numbers if len(numbers) <= _MAX_LINES else numbers[: _MAX_LINES - 1]
        gutter = len(str(shown[-1]))
        out = []
        for number in shown:
            code, marks = self._marked(line_at(lines, number), number, place)
            out.append(f"{indent}{self._style('dim', f'{number:>{gutter}} |')} {code}")
            if marks.strip():
                out.append(f"{indent}{' ' * gutter} {self._style('dim', '|')} {marks}")
        if len(shown) < len(numbers):
            out.append(f"{indent}{' ' * gutter} {self._style('dim', f'| ... to line {last}')}")
        return "\n".join(out)

    def _marked(self, line: str, number: int, place: Location) -> tuple[str, str]:
        start = place.column - 1 if number == place.line else len(line) - len(line.lstrip())
        end = place.end_column - 1 if number == place.end_line else len(line.rstrip())
        start = min(max(start, 0), len(line))
        end = min(max(end, start + 1), max(len(line), start + 1))
        before, span, after = (_shown(part) for part in (line[:start], line[start:end], line[end:]))
        room = max(40, self._options.width - 12)
        if columns(before) + columns(span) + columns(after) > room:
            before = before if len(before) <= _LEAD else "..." + before[-_LEAD:]
            span = _cut(span, room - columns(before))
            after = _cut(after, room - columns(before) - columns(span))
        marks = " " * columns(before) + self._style("span", "^" * max(1, columns(span)))
        return before + self._style("span", span) + after, marks

    def _text(self, path: str) -> list[str]:
        if path not in self._lines:
            text = source(self._options, path)
            self._lines[path] = [] if text is None else source_lines(text)
        return self._lines[path]


def _shown(code: str) -> str:
    return printable(code.replace("\t", TAB))


def _cut(text: str, room: int) -> str:
    """The beginning of the text, in at most `room` columns and a few dots."""
    if columns(text) <= max(room, 0):
        return text
    kept, used = [], 3
    for char in text:
        used += columns(char)
        if used > room:
            break
        kept.append(char)
    return "".join(kept) + "..."
