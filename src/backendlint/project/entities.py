"""Handles to functions and classes of the project, and what a value may refer to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backendlint.facts.model import Block, Call, ClassFacts, FileFacts, FunctionFacts, Span, Value, Vid
from backendlint.findings.model import Location, Step
from backendlint.project.values.uses import operands


class Ref(NamedTuple):
    """What a value may be.

    kinds: `func` and `class` (of the project, `name` its fqn), `inst` (an instance of a project class), `lib` (a
    library's function, class, module or object by its canonical dotted name), `libinst` (an instance of a library
    type), `module` (of the project), `super` (of a project class).
    """

    kind: str
    name: str
    arg: Ref | None = None
    """The element of a container, the model of a queryset, the receiver's class of a bound method ..."""


Refs = tuple[Ref, ...]


@dataclass(slots=True, eq=False)
class Fn:
    """A function of the project; the module's own code is one too (`is_module`)."""

    fqn: str
    """Module and qualified name with dots; the module's own code is `module.<module>`."""
    file: FileFacts
    facts: FunctionFacts
    index: int
    parent: Fn | None = None
    cls: Cls | None = None
    decorators: tuple[Ref, ...] = ()
    """What its decorators refer to (a decorator that is called counts as what is called)."""
    kind: str = "function"
    """function, method, classmethod, staticmethod, property, lambda, module."""
    filled: int = 0
    """So many leading parameters its decorator fills, whoever calls it (`self` of a bound task)."""
    known: dict[Vid, tuple[Ref, ...]] = field(default_factory=dict)
    """What its values refer to, as far as asked for: the resolver's memory."""
    worked_out: dict[Callable[..., Any], Any] = field(default_factory=dict)
    """What else was asked of it (see project.perfunction), by what works it out."""
    _by_operation: dict[str, list[Vid]] | None = None
    _users: dict[Vid, list[Vid]] | None = None
    _results: dict[Vid, list[Vid]] | None = None

    def made_by(self, operation: str) -> Sequence[Vid]:
        """The values of one operation (`attr`, `const`, `compare` ...), by vid: the table is walked through once only."""
        table = self._by_operation
        if table is None:
            table = self._by_operation = defaultdict(list)
            for vid, value in enumerate(self.facts.values):
                table[value[0]].append(vid)
        return table.get(operation, ())

    def made_of(self, vid: Vid) -> Sequence[Vid]:
        """The values that are made of one (see `operands`), by vid: the table is walked through once only."""
        users = self._users
        if users is None:
            users = self._users = {}
            for user, value in enumerate(self.facts.values):
                for operand in operands(value):
                    users.setdefault(operand, []).append(user)
        return users.get(vid, ())

    def results_of(self, vid: Vid) -> Sequence[Vid]:
        """The results of calls to which a value is passed, or of which it is what is called."""
        results = self._results
        if results is None:
            results = self._results = {}
            for call in self.facts.calls:
                for operand in (call.func, *call.passed):
                    results.setdefault(operand, []).append(call.value)
        return results.get(vid, ())

    @property
    def is_module(self) -> bool:
        return self.index == 0

    @property
    def is_abstract(self) -> bool:
        """Whether a decorator says that subclasses implement it."""
        return any(ref.name.endswith("abstractmethod") for ref in self.decorators)

    @property
    def name(self) -> str:
        return self.facts.name or "<module>"

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def calls(self) -> list[Call]:
        return self.facts.calls

    @property
    def returned(self) -> list[Vid]:
        """The values that it returns or yields; a bare `return` has none."""
        return [item.value for item in self.facts.returns if item.value >= 0]

    def place_of(self, call: Call) -> int:
        """The call's position among the function's calls; of one that a library makes of what it is handed, that call's."""
        return next(number for number, item in enumerate(self.facts.calls) if item.value == call.value)

    def lies_in(self, outer: Fn) -> bool:
        """Whether it is the function, or is defined in it, at any depth."""
        home: Fn | None = self
        while home is not None and home is not outer:
            home = home.parent
        return home is outer

    def value(self, vid: Vid) -> Value:
        return self.facts.values[vid]

    def unguarded(self, vid: Vid) -> Value:
        """The value itself, where tests before say more of it."""
        value = self.facts.values[vid]
        while value[0] == "guard":
            value = self.facts.values[value[1]]
        return value

    def untested(self, vid: Vid) -> Vid:
        """The vid of that value."""
        while self.facts.values[vid][0] == "guard":
            vid = self.facts.values[vid][1]
        return vid

    def callee_name(self, call: Call) -> str:
        """The last part of what is called (`load` of `self.rows.load()`); "" for what has no name, such as `table[key]()`."""
        func = self.facts.values[call.func]
        return str(func[-1]).rpartition(".")[2] if func[0] in ("attr", "name") else ""

    def func_of(self, value: Value) -> Value:
        """What is called where a call gives the value (`orders.first` of `orders.first()`); ("",) where none does."""
        return self.unguarded(self.facts.calls[value[1]].func) if value[0] == "call" else ("",)

    def key_of(self, vid: Vid, *getters: str) -> Vid:
        """The key of `table[key]`, or of a call of one of these (`table.get(key)`; of any where none is named); -1 for other values."""
        value = self.unguarded(vid)
        if value[0] != "call":
            return int(value[2]) if value[0] == "item" else -1
        call = self.facts.calls[value[1]]
        return call.args[0] if call.args and (not getters or self.callee_name(call) in getters) else -1

    def dotted(self, vid: Vid) -> str:
        """A name with its attributes; where only the attributes are known, these (`.user.id`)."""
        value = self.unguarded(vid)
        if value[0] == "attr":
            return f"{self.dotted(value[1])}.{value[2]}"
        return str(value[1]) if value[0] == "name" else ""

    def const(self, vid: Vid) -> object:
        """The constant's Python value; Ellipsis where the value is absent (-1) or no constant."""
        if vid < 0:
            return ...
        value = self.unguarded(vid)
        return value[1] if value[0] == "const" else ...

    def outer(self, value: Value) -> Fn | None:
        """The enclosing function in whose table an `("outer", vid[, depth])` value's vid counts."""
        found: Fn | None = self
        for _ in range(value[2] if len(value) > 2 else 1):
            found = found.parent if found else None
        return found

    def blocks_of(self, block: int) -> list[tuple[int, Block]]:
        """The block and all that enclose it, innermost first."""
        found = []
        while block >= 0:
            item = self.facts.blocks[block]
            found.append((block, item))
            block = item.parent
        return found

    def handlers_of(self, block: int) -> list[int]:
        """The `except` blocks of every `try` around a block, in order."""
        tries = {number for number, item in self.blocks_of(block) if item.kind == "try"}
        blocks = enumerate(self.facts.blocks) if tries else ()
        return [number for number, item in blocks if item.kind == "except" and item.group in tries]

    def tests_of(self, block: int) -> Iterator[tuple[Vid, bool]]:
        """The tests on the way to a block, innermost first, each with how it came out."""
        for _, item in self.blocks_of(block):
            if item.kind == "if":
                yield item.value, True
            elif item.kind == "else":
                yield self.facts.blocks[item.group].value, False

    def operands_before(self, span: Span) -> Iterator[tuple[Vid, bool]]:
        """The operands of `and` and `or` that are asked before a place in a later one, each with how it must come out."""
        for vid in self.made_by("bool"):
            if not self.facts.span_of(vid).holds(span):
                continue
            _, op, parts = self.facts.values[vid]
            number = next((n for n, part in enumerate(parts) if self.facts.span_of(part).holds(span)), 0)
            yield from ((part, op == "and") for part in parts[:number])

    def left_before(self, block: int, span: Span, exits: Collection[str]) -> Iterator[Block]:
        """Every `if` before a place and beside its way that leaves so (`return`, `raise` ...): beyond it, its test failed."""
        around = {number for number, _ in self.blocks_of(block)}
        for item in self.facts.blocks:
            if item.kind == "if" and item.exits in exits and item.parent in around and item.span[2:] <= span[:2]:
                yield item

    def tests_before(self, block: int, span: Span, exits: Collection[str]) -> Iterator[tuple[Vid, bool]]:
        """The tests on the way to a place, and those of what leaves before it, each with how it came out."""
        yield from self.tests_of(block)
        yield from ((item.value, False) for item in self.left_before(block, span, exits))

    def inside(self, block: int, *kinds: str) -> Block | None:
        """The innermost enclosing block of one of these kinds."""
        return next((item for _, item in self.blocks_of(block) if item.kind in kinds), None)

    def location(self, span: Span) -> Location:
        """A place in its file, 1-based."""
        return Location(self.file.path, span.line, span.column + 1, span.end_line, span.end_column + 1)

    def place(self, vid: Vid) -> Location:
        """Where a value's expression stands."""
        return self.location(self.facts.span_of(vid))

    @property
    def header(self) -> Location:
        """The name in the `def` line."""
        return self.location(self.facts.header)

    def step(self, span: Span, message: str) -> Step:
        return Step(self.location(span), message)

    def decorator_span(self, vid: Vid) -> Span:
        """Where one of its decorators stands. A bare name is known by its first mention only: it stands above what follows it."""
        home = self.parent or self
        value = home.facts.values[vid]
        if value[0] != "name":
            return home.facts.span_of(vid)
        later = self.facts.decorators[self.facts.decorators.index(vid) + 1 :]
        below = self.decorator_span(later[0]).line if later else self.facts.span.line
        start = self.facts.span.column
        return Span(below - 1, start, below - 1, start + 1 + len(value[1].rpartition(".")[2]))

    def __repr__(self) -> str:
        return f"Fn({self.fqn})"


@dataclass(slots=True, eq=False)
class Cls:
    """A class of the project."""

    fqn: str
    file: FileFacts
    facts: ClassFacts
    owner: Fn
    """The function in whose table the class body's values lie."""
    methods: dict[str, Fn] = field(default_factory=dict)
    bases: tuple[Ref, ...] = ()
    """Direct bases: `class` or `lib` refs."""
    subclasses: list[Cls] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def header(self) -> Location:
        span = self.facts.header
        return Location(self.file.path, span.line, span.column + 1, span.end_line, span.end_column + 1)

    def __repr__(self) -> str:
        return f"Cls({self.fqn})"
