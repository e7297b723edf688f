"""How deep a source is nested, measured before libcst's parser sees it.

That parser is native and recursive: too many brackets in each other, or too long a chain such as `a.b.c`, overflow its
stack and end the whole process, and brackets in a `case` pattern double its time with every level. Measured with
libcst 1.9 on 64-bit Linux: a level of brackets takes up to 8 KB of stack and a token of a chain up to 1.7 KB, so what
stays within the bounds below needs less than 3 MB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BRACKETS = 100
"""CPython itself takes at most 200."""
MAX_CHAIN = 1_200
"""Tokens on the way from a statement's start to its innermost part, without what commas end."""
MAX_WORK = 2_000_000
"""Of about ten microseconds each; an ordinary file of 600 kB has 300,000."""
_STRINGS = 4
"""Strings that stand next to each other take a quarter of another token's stack."""

_CODE = re.compile(
    r"""(?P<space>[ \t\f]+ | \\(?:\r\n|\r|\n)? | \#[^\r\n]*)
    | (?P<newline>[\r\n]+)
    | (?P<formatted>(?i:[ft]r?|r[ft])(?:\"{3}|'{3}|["']))
    | (?P<string>(?i:[bru]{0,2})(?:
        \"{3}(?:[^"\\]++|\\.|"(?!""))*+\"{3} | '{3}(?:[^'\\]++|\\.|'(?!''))*+'{3}
        | "(?:[^"\\\r\n]++|\\.)*+" | '(?:[^'\\\r\n]++|\\.)*+'))
    | (?P<open>[\[({])
    | (?P<close>[\])}])
    | (?P<mark>[,;:]|(?<![=!<>:])=(?!=))
    | (?P<word>\w+)
    | .""",
    re.VERBOSE | re.DOTALL,
)
_TEXT = re.compile(r"[^\\{}\"'\r\n]+|\{\{|\}\}|\\N\{[^{}\"'\r\n]*\}|\\[^{}]|\"{3}|'{3}|.", re.DOTALL)
_SPEC = re.compile(r"[^{}\"'\r\n]+|\"{3}|'{3}|.", re.DOTALL)


@dataclass(slots=True)
class _Level:
    """An open bracket, a field of an f-string, or the text or format specification of one.

    `chain` counts tokens since the last comma or equals sign, `lambdas` those whose colon is still to come; `quote`
    closes the text.
    """

    kind: str
    quote: str = ""
    cost: int = 1
    chain: int = 0
    lambdas: int = 0


def too_deep(text: str) -> int | None:
    """Offset of the first place where the text is nested too deeply for libcst, or None."""
    return _Measure(text).run()


class _Measure:
    def __init__(self, text: str) -> None:
        self.text = text
        self.levels = [_Level("code")]
        self.brackets = 0
        self.depth = 0
        self.work = 0
        self.line_start = 0
        self.strings = 0
        self.fresh = True
        self.in_case = False
        self.elifs: dict[int, int] = {}
        self.elif_depth = 0

    def run(self) -> int | None:
        offset, size = 0, len(self.text)
        while offset < size:
            kind = self.levels[-1].kind
            if kind == "text":
                offset = self._string_text(offset)
            elif kind == "spec":
                offset = self._specification(offset)
            else:
                offset = self._code(offset)
            if self.brackets > MAX_BRACKETS or self.depth + self.elif_depth > MAX_CHAIN or self.work > MAX_WORK:
                return min(offset, size - 1)
        return None

    def _code(self, offset: int) -> int:
        found = _CODE.match(self.text, offset)
        assert found is not None
        group, end = found.lastgroup, found.end()
        if group == "newline":
            self._newline(end)
        elif group != "space":
            self.strings = self.strings + 1 if group == "string" else 0
            if not self.strings or self.strings % _STRINGS == 1:
                self._count()
            if group == "formatted":
                self.levels.append(_Level("text", found.group().lstrip("fFtTrR"), self.levels[-1].cost))
            elif group == "open":
                self._open("code", found.group())
            elif group == "close":
                self._close()
            elif group == "mark":
                self._mark(found.group())
            elif group == "word":
                self._word(found.group(), offset)
            self.fresh = False
        return end

    def _count(self) -> None:
        level = self.levels[-1]
        level.chain += 1
        self.depth += 1
        self.work += level.cost * (1 + self.brackets + (self.depth >> 5))

    def _open(self, kind: str, bracket: str, quote: str = "") -> None:
        growth = 1 if not self.in_case else 4 if bracket == "{" else 2
        self.levels.append(_Level(kind, quote, self.levels[-1].cost * growth))
        self.brackets += 1

    def _close(self) -> None:
        if len(self.levels) > 1:
            self.depth -= self.levels.pop().chain
            self.brackets -= 1

    def _reset(self) -> None:
        level = self.levels[-1]
        self.depth -= level.chain
        level.chain = 0

    def _newline(self, end: int) -> None:
        """A statement ends, unless a bracket is open. A string in single quotes ends with its line in any case."""
        if len(self.levels) == 1:
            self._reset()
            self.levels[0].lambdas = 0
            self.fresh = True
            self.in_case = False
            self.line_start = end

    def _mark(self, written: str) -> None:
        level = self.levels[-1]
        if written == ":":
            if level.kind == "field" and not level.lambdas:
                self.levels.append(_Level("spec", level.quote, level.cost))
            level.lambdas = max(level.lambdas - 1, 0)
        elif written == ";" or not level.lambdas:
            self._reset()

    def _word(self, written: str, offset: int) -> None:
        if written == "lambda":
            self.levels[-1].lambdas += 1
        if not self.fresh:
            return
        self.in_case = written == "case"
        indent = offset - self.line_start
        for column in [column for column in self.elifs if column > indent]:
            self.elif_depth -= self.elifs.pop(column)
        if written == "elif":
            self.elifs[indent] = self.elifs.get(indent, 0) + 1
            self.elif_depth += 1
        elif written != "else":
            self.elif_depth -= self.elifs.pop(indent, 0)

    def _string_text(self, offset: int) -> int:
        """A piece of an f-string's text: its end, or the opening of a field, or neither."""
        found = _TEXT.match(self.text, offset)
        assert found is not None
        written, quote = found.group(), self.levels[-1].quote
        if written == "{":
            self._open("field", written, quote)
        elif written.startswith(quote):
            self.levels.pop()
            return offset + len(quote)
        elif len(quote) == 1 and written in "\r\n":
            self.levels.pop()
            return offset
        return found.end()

    def _specification(self, offset: int) -> int:
        """A piece of a format specification, which ends with its field, or with the string if that is broken."""
        found = _SPEC.match(self.text, offset)
        assert found is not None
        written, quote = found.group(), self.levels[-1].quote
        if written == "{":
            self._open("field", written, quote)
        elif written == "}":
            self.levels.pop()
            self._close()
            return found.end()
        elif written.startswith(quote) or (len(quote) == 1 and written in "\r\n"):
            self.levels.pop()
            self._close()
            return offset
        return found.end()
