"""Lines of a source text, as parsers and editors count them."""

from __future__ import annotations


def source_lines(text: str) -> list[str]:
    """The lines without their ends; only `\\n`, `\\r\\n` and `\\r` end a line, unlike `str.splitlines`."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def line_at(lines: list[str], number: int) -> str:
    """The 1-based line, or "" outside the text."""
    return lines[number - 1] if 0 < number <= len(lines) else ""
