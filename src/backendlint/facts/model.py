"""The facts of one file: a compact, picklable value-flow form of its functions.

A function is a table of **values** (static single assignment: each assignment of a name is another value), the
**calls** that it makes in evaluation order, and a tree of **blocks** (branches, loops, try parts, with bodies) that says under
what circumstances each happens. Nothing here knows any library: that is the project stage's work.

Lines are 1-based, columns 0-based characters. A *vid* is an index into the owning function's `values`; -1 means none.

Values are tuples whose first item is the operation::

    ("const", x)              a literal, None and Ellipsis included; constant expressions are folded to it
    ("param", i)              the function's i-th parameter (`params` order); its vid is i
    ("name", dotted)          a name from outside: imports as written (relative ones made absolute), own globals with
                              the module's name, `builtins.x`
    ("outer", vid[, depth])   a value of an enclosing function's table (closures); depth 1 is the next one
    ("def", qualname)         a function, lambda or class defined in this file, by its qualified name in the file
    ("call", i)               the result of `calls[i]`
    ("attr", v, name)         an attribute
    ("item", v, k)            a subscript; a slice is ("slice", v, lower, upper, step)
    ("fmt", kind, parts, t)   a string built from parts (vids) in order; kind is `f` `%` `format` `+` `join`; t is the
                              vid of the format string (else -1)
    ("conv", v, spec)         a formatted part: `!r`, `!s`, `:d`, `:>10`, `%s` ...
    ("join", sep, v)          `sep.join(v)` where v's elements are not known one by one
    ("binop", op, l, r)       also ("unary", op, v), ("compare", ops, vids), ("not", v); op as in Python's source
    ("bool", op, vids)        `and` / `or`: one of vids
    ("phi", vids)             one of vids, whichever path was taken (may refer to itself through loops)
    ("guard", v, test, truth) v, where value `test` is known to be truthy (`truth` True), falsy (False), or a check that
                              returned (None)
    ("list", vids)            also tuple, set; ("dict", ((k, v), ...)) with k = -1 for `**v`; ("star", v) inside
    ("comp", kind, e, k, b)   a comprehension of element e (k: key for dict, else -1), kind list/set/dict/gen, its
                              innermost `comp` block
    ("elem", v)               an element of iterable v
    ("unpack", v, i)          the i-th value unpacked from v (-1 where a starred target makes it unknown)
    ("enter", v)              what `with v as x` binds
    ("exc", block)            the exception caught by the `except` block
    ("await", v)              also ("yield", v), ("star", v)
    ("mut", v, method, vids)  object v after `v.method(*vids)`, for methods that usually change their object
    ("store", v, k, x)        v after `v[k] = x`; ("setattr", v, name, x): v after `v.name = x`
    ("unknown",)              anything else
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Vid = int
Value = tuple[Any, ...]

MODULE = ""
"""Qualified name of the function that stands for the module's own code."""


class Span(NamedTuple):
    """Lines 1-based, columns 0-based characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def holds(self, other: Span) -> bool:
        """Whether all of the other lies in it."""
        return self[:2] <= other[:2] and other[2:] <= self[2:]

    def text_in(self, lines: Sequence[str]) -> str:
        """What stands there, of a file's lines with their ends."""
        if self.line == self.end_line:
            return lines[self.line - 1][self.column : self.end_column]
        middle = lines[self.line : self.end_line - 1]
        return "".join([lines[self.line - 1][self.column :], *middle, lines[self.end_line - 1][: self.end_column]])


class Block(NamedTuple):
    """A part of a function's body; block 0 is the body itself."""

    kind: str
    """func if else for while loop-else try except try-else finally with case comp lambda class"""
    parent: int
    value: Vid
    """The test, iterable, context manager, subject, or the caught types; -1 where there is none (bare except)."""
    group: int
    """The `if` of an else, the `try` of an except/try-else/finally, the loop of a loop-else; else its own index."""
    exits: str
    """How control leaves at its end: "" (falls through), return, raise, continue, break."""
    is_async: bool
    name: str
    """What an `except ... as name` binds."""
    span: Span

    @property
    def keyword(self) -> Span:
        """The word `except` with which a handler begins."""
        line, column = self.span[:2]
        return Span(line, column, line, column + len("except"))


class Call(NamedTuple):
    """A call; calls are listed in evaluation order."""

    func: Vid
    args: tuple[Vid, ...]
    kwargs: tuple[tuple[str, Vid], ...]
    """A `**v` argument has the name "**"."""
    value: Vid
    block: int
    awaited: bool
    span: Span

    def kwarg(self, name: str) -> Vid:
        """The value passed by keyword `name`, or -1."""
        for key, vid in self.kwargs:
            if key == name:
                return vid
        return -1

    @property
    def passed(self) -> tuple[Vid, ...]:
        """The values of all arguments, those without a keyword first."""
        return (*self.args, *(vid for _, vid in self.kwargs))

    @property
    def open_ended(self) -> bool:
        """True when `**kwargs` may carry keywords that are not visible here."""
        return any(key == "**" for key, _ in self.kwargs)


class Raise(NamedTuple):
    """A `raise`: `exc` is -1 for a bare one; `cause` is -1 without `from`."""

    exc: Vid
    cause: Vid
    block: int
    span: Span


class Return(NamedTuple):
    """A `return` (value -1 when bare) or, with `is_yield`, a `yield`."""

    value: Vid
    block: int
    span: Span
    is_yield: bool = False


class Store(NamedTuple):
    """An assignment to an attribute (`name` set) or an item (`key` set) of `base`, or to a global (`base` its name)."""

    base: Vid
    name: str
    key: Vid
    value: Vid
    block: int
    span: Span
    augmented: bool = False


class Binding(NamedTuple):
    """A name bound to a value: assignments, `for`, `with ... as`, walrus."""

    name: str
    value: Vid
    block: int
    span: Span
    annotation: Vid = -1
    augmented: bool = False


class Statement(NamedTuple):
    """Other statements that rules ask for: assert, delete, expr (a bare expression, its result discarded)."""

    kind: str
    value: Vid
    block: int
    span: Span


class Param(NamedTuple):
    """A parameter; annotation and default are vids of the *enclosing* function's table."""

    name: str
    kind: str
    """pos, any, kw, args, kwargs"""
    annotation: Vid
    default: Vid


@dataclass(slots=True)
class FunctionFacts:
    """One function, lambda, or the module's own code (qualname "")."""

    qualname: str
    """Dotted within the file, without `<locals>`: `Class.method`, `outer.inner`, `outer.<lambda@12:4>`."""
    name: str
    parent: int
    """Index in FileFacts.functions of the function whose table closures and annotations refer to; -1 for the module."""
    cls: str
    """Qualified name of the class whose body holds it, or ""."""
    is_async: bool
    is_generator: bool
    span: Span
    """From `def` (not its decorators) to the end of the body."""
    header: Span
    """The name in the `def` line."""
    decorators: tuple[Vid, ...] = ()
    """In the parent's table."""
    params: tuple[Param, ...] = ()
    returns_annotation: Vid = -1
    """In the parent's table."""
    docstring: str = ""
    values: list[Value] = field(default_factory=list)
    starts: array[int] = field(default_factory=lambda: array("Q"))
    """Where each value begins: line << 32 | column; see `span_of`."""
    ends: array[int] = field(default_factory=lambda: array("Q"))
    blocks: list[Block] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    raises: list[Raise] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def span_of(self, vid: Vid) -> Span:
        """Where the value's expression stands."""
        start, end = self.starts[vid], self.ends[vid]
        return Span(start >> 32, start & 0xFFFFFFFF, end >> 32, end & 0xFFFFFFFF)


@dataclass(slots=True)
class ClassFacts:
    """A class; all vids are of the table of `owner`."""

    qualname: str
    name: str
    owner: int
    """Index of the function (usually 0, the module) in whose table its body's values lie."""
    bases: tuple[Vid, ...]
    keywords: tuple[tuple[str, Vid], ...]
    decorators: tuple[Vid, ...]
    span: Span
    header: Span
    attributes: dict[str, Vid] = field(default_factory=dict)
    """Class-level assignments."""
    annotations: dict[str, Vid] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    """Name to index in FileFacts.functions (the last definition wins)."""
    field_spans: dict[str, Span] = field(default_factory=dict)
    """Statement that defines an attribute or annotation."""
    docstring: str = ""


class Import(NamedTuple):
    """`import target as name` or `from module import x as name` (target `module.x`; name "*" for a star import)."""

    name: str
    target: str
    span: Span
    function: int
    """Index of the function in which it stands; 0 at module level."""
    type_checking: bool = False


class Comment(NamedTuple):
    """A comment that addresses backendlint; `text` is what follows `# backendlint:`."""

    line: int
    column: int
    text: str
    own_line: bool
    """True where nothing else stands on the line."""


@dataclass(slots=True)
class FileFacts:
    """All that later stages know about one Python file."""

    path: str
    module: str
    """The path from the root with dots: unique, e.g. `backend.app.main`; `__init__` files bear the package's name."""
    is_package: bool
    lines: int
    functions: list[FunctionFacts] = field(default_factory=list)
    """functions[0] is the module's own code."""
    classes: dict[str, ClassFacts] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    names: dict[str, Vid] = field(default_factory=dict)
    """Module-level names to their final value in functions[0]'s table."""
    exports: tuple[str, ...] | None = None
    """`__all__` where it is a constant."""
    comments: list[Comment] = field(default_factory=list)
    statement_lines: dict[int, int] = field(default_factory=dict)
    """First line to last line of statements that span several lines, in files with comments for us (suppressions)."""
    docstring: str = ""
    problems: list[tuple[str, str, int, int]] = field(default_factory=list)
    """(kind, message, line, column) of what could not be read."""

    @property
    def packages(self) -> set[str]:
        """The first parts of all that it imports: `django` of `django.db.models`."""
        return {item.target.partition(".")[0] for item in self.imports}
