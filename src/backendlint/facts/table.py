"""The value table of one function under construction, and the file that it belongs to."""

from __future__ import annotations

import ast
from typing import Any

from backendlint.facts.model import Block, FileFacts, FunctionFacts, Span, Value, Vid
from backendlint.parse import split_lines

Env = dict[str, Vid]
Position = tuple[int, int, int, int]
"""Line, column, end line, end column in characters, as Span."""


class Source:
    """Positions of one file: `ast` counts columns in UTF-8 bytes, facts count characters."""

    def __init__(self, text: str) -> None:
        self.wide: dict[int, bytes] = {}
        self._yields = _lines_with(text, "yield")
        self._declares = _lines_with(text, "global", "nonlocal")
        if not text.isascii():
            for number, line in enumerate(split_lines(text), 1):
                if not line.isascii():
                    self.wide[number] = line.encode("utf-8", "surrogatepass")

    def may_yield(self, span: Span) -> bool:
        """Whether looking for `yield` between these lines can be of use at all."""
        return any(span.line <= line <= span.end_line for line in self._yields)

    def may_declare(self, span: Span) -> bool:
        """The same for `global` and `nonlocal`."""
        return any(span.line <= line <= span.end_line for line in self._declares)

    def column(self, line: int, offset: int) -> int:
        """The 0-based character column of a byte offset."""
        data = self.wide.get(line)
        return offset if data is None else len(data[:offset].decode("utf-8", "replace"))

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        line, end_line = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        column, end_column = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        if self.wide:
            return Span(line, self.column(line, column), end_line, self.column(end_line, end_column))
        return Span(line, column, end_line, end_column)


def _lines_with(text: str, *words: str) -> list[int]:
    """Numbers of the lines that hold one of the words."""
    if not any(word in text for word in words):
        return []
    return [number for number, line in enumerate(split_lines(text), 1) if any(word in line for word in words)]


class FileContext:
    """What the functions of one file share while they are read."""

    def __init__(self, facts: FileFacts, source: Source, leaving: frozenset[str]) -> None:
        self.facts = facts
        self.source = source
        self.leaving = leaving
        """Functions that never return."""
        self.imports: dict[str, str] = {}
        """Module-level import names to dotted targets."""
        self.taken: set[str] = set()
        """Qualified names in use."""
        self.globals: frozenset[str] = frozenset()
        """Names that the module itself binds."""


class Table:
    """A function's values, blocks and environment, and how values are added."""

    def __init__(self, file: FileContext, facts: FunctionFacts, index: int, outer: Table | None) -> None:
        self.file = file
        self.facts = facts
        self.index = index
        self.outer = outer
        self.env: Env = {}
        self.dead = False
        """True after return, raise, continue or break: what follows is never reached."""
        self.block = 0
        self.globals_declared: frozenset[str] = frozenset()
        self.class_prefix = ""
        """Qualified name of the class whose body is being read, else ""."""

    def add(self, value: Value, node: ast.AST) -> Vid:
        """Append a value that stands where `node` does."""
        facts = self.facts
        vid = len(facts.values)
        facts.values.append(value)
        line, end_line = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        column, end_column = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        wide = self.file.source.wide
        if wide:
            column = self.file.source.column(line, column)
            end_column = self.file.source.column(end_line, end_column)
        facts.starts.append(line << 32 | column)
        facts.ends.append(end_line << 32 | end_column)
        return vid

    def derive(self, value: Value, like: Vid) -> Vid:
        """Append a value that stands where another does."""
        facts = self.facts
        facts.values.append(value)
        facts.starts.append(facts.starts[like])
        facts.ends.append(facts.ends[like])
        return len(facts.values) - 1

    def value(self, vid: Vid) -> Value:
        return self.facts.values[vid]

    def const(self, vid: Vid) -> tuple[bool, Any]:
        """Whether the value is a constant, and which."""
        value = self.facts.values[vid]
        return (True, value[1]) if value[0] == "const" else (False, None)

    def open_block(self, kind: str, node: ast.AST, value: Vid = -1, group: int = -1, *, is_async: bool = False) -> int:
        """Begin a block below the current one and make it current; gives its index."""
        blocks = self.facts.blocks
        index = len(blocks)
        span = self.file.source.span(node)
        blocks.append(Block(kind, self.block, value, index if group < 0 else group, "", is_async, "", span))
        self.block = index
        return index

    def close_block(self, index: int, exits: str = "") -> None:
        """End a block, noting how control leaves it; its parent is current again."""
        block = self.facts.blocks[index]
        if exits:
            self.facts.blocks[index] = block._replace(exits=exits)
        self.block = block.parent

    def phi(self, left: Vid, right: Vid) -> Vid:
        """The value that is one of two."""
        if left == right:
            return left
        values = self.facts.values
        a, b = values[left], values[right]
        if a[0] == "guard" and (a[1] == right or (b[0] == "guard" and b[1:3] == a[1:3] and b[3] != a[3])):
            return int(a[1])
        if b[0] == "guard" and b[1] == left:
            return left
        return self.derive(("phi", (left, right)), right)

    def join(self, left: Env | None, right: Env | None) -> Env | None:
        """The environment where two paths meet; None stands for a path that never arrives."""
        if left is None or right is None or left is right:
            return right if left is None else left
        merged = dict(left)
        for name, vid in right.items():
            known = merged.get(name)
            merged[name] = vid if known is None else self.phi(known, vid)
        return merged

    def lookup(self, name: str, node: ast.AST) -> Vid:
        """The value of a name that is read."""
        if name in self.env and name not in self.globals_declared:
            return self.env[name]
        depth, table = 1, self.outer
        while table is not None and table.index != 0:
            if name in table.env:
                return self.add(self._outer_value(table.env[name], depth), node)
            depth, table = depth + 1, table.outer
        return self.add(("name", self.dotted(name)), node)

    @staticmethod
    def _outer_value(vid: Vid, depth: int) -> Value:
        return ("outer", vid) if depth == 1 else ("outer", vid, depth)

    def dotted(self, name: str) -> str:
        """The dotted name of a global of this file, an import or a builtin."""
        file = self.file
        target = file.imports.get(name)
        if target is not None:
            return target
        if name in file.globals or name not in BUILTINS:
            return f"{file.facts.module}.{name}" if file.facts.module else name
        return f"builtins.{name}"


def _builtin_names() -> frozenset[str]:
    import builtins

    return frozenset(dir(builtins))


BUILTINS = _builtin_names()
