"""What a check of the cst engine gets: one statement, exactly as written, and what is known around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, FileFacts, FunctionFacts, Span
from backendlint.findings.model import Edit, Location

if TYPE_CHECKING:
    import libcst as cst

    from backendlint.engines.snippet import Snippet


class UnreadableError(Exception):
    """The statement's text cannot be parsed, or it is not where the facts say."""


@dataclass(frozen=True)
class SyntaxSite:
    """A statement that the facts nominated. It is parsed when a check first asks for `node` or what needs it.

    `block` indexes `function.blocks`: the block that was nominated (an `except` of the Try, say), else the one in which
    the statement stands.
    """

    file: FileFacts
    function: FunctionFacts
    block: int
    span: Span
    compound: bool
    """Whether it is a compound statement: try, with, for, while."""
    lines: Sequence[str]
    """The whole file's, with their ends."""
    parse: Callable[[Span], Snippet]
    """The parsed part of the file that holds the span; raises UnreadableError."""
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_step(self) -> bool:
        """Whether it belongs to the steps of tests in plain words."""
        from backendlint.project.graph.programs import holds_steps

        return holds_steps(self.file)

    @cached_property
    def snippet(self) -> Snippet:
        """The parsed text around; raises UnreadableError."""
        return self.parse(self.span)

    @cached_property
    def node(self) -> cst.CSTNode:
        """Its libcst node: a compound statement, a small one (Raise, Assert, ...), or an expression."""
        import libcst as cst

        kinds: tuple[type[cst.CSTNode], ...] = (cst.BaseSmallStatement, cst.BaseExpression)
        found = self.snippet.find((cst.BaseCompoundStatement,) if self.compound else kinds, self.span)
        if found is None:
            raise UnreadableError("it was not found where the facts say")
        return found

    @property
    def facts(self) -> Block:
        """The nominated block."""
        return self.function.blocks[self.block]

    @property
    def handler(self) -> cst.ExceptHandler | cst.ExceptStarHandler:
        """The `except` that `block` means; raises LookupError where it means none."""
        import libcst as cst

        found = self.snippet.find((cst.ExceptHandler, cst.ExceptStarHandler), self.facts.span)
        if not isinstance(found, cst.ExceptHandler | cst.ExceptStarHandler):
            raise LookupError(f"{self.file.path}:{self.facts.span.line}: no `except` here")
        return found

    def span_of(self, node: cst.CSTNode) -> Span:
        """Where a node of this statement stands in the file."""
        return self.snippet.positions[node]

    def location(self, node: cst.CSTNode | Span | None = None) -> Location:
        """A node's or span's location; the whole statement's without one."""
        span = self.span if node is None else node if isinstance(node, Span) else self.span_of(node)
        return Location(self.file.path, span.line, span.column + 1, span.end_line, span.end_column + 1)

    def code(self, node: cst.CSTNode) -> str:
        """The node's source text."""
        return self.snippet.module.code_for_node(node).strip()

    def resolve(self, node: cst.CSTNode | None) -> str | None:
        """The dotted name that a name or attribute chain means through the file's imports, or None.

        Names that the file binds itself are given with the module's name; others unbound are `builtins.x`.
        """
        import libcst as cst

        parts: list[str] = []
        while isinstance(node, cst.Attribute):
            parts.append(node.attr.value)
            node = node.value
        if not isinstance(node, cst.Name):
            return None
        return ".".join([self._name(node.value), *reversed(parts)])

    def edit(self, node: cst.CSTNode, new: cst.CSTNode | str) -> Edit:
        """Replace just the node's region; a node is written out by libcst in the file's own indentation style."""
        text = new if isinstance(new, str) else self.snippet.rewritten(node, new)
        return Edit(self.location(node), text)

    def _name(self, name: str) -> str:
        for item in self.file.imports:
            if item.name == name:
                return item.target
        if name in self.file.names or name in self.file.classes:
            return f"{self.file.module}.{name}" if self.file.module else name
        return f"builtins.{name}"
