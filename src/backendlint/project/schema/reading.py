"""A convenient look at facts' values: constants, calls, lists and dicts, across modules through `Links`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from backendlint.facts.model import Call, ClassFacts, FileFacts, FunctionFacts, Span, Value
from backendlint.findings.model import Location

BASE_MAKERS = frozenset({"declarative_base", "generate_base"})
_DEPTH = 12
"""How many names and calls are followed from one value."""


class Links(Protocol):
    """What readers need to know about other files."""

    def canonical(self, dotted: str, importer: str = "") -> str:
        """The name under which `dotted` is defined, re-exports followed; itself where nothing is known."""

    def find_value(self, dotted: str, importer: str = "") -> Node | None:
        """The value of a module-level name of the project."""

    def find_class(self, dotted: str, importer: str = "") -> tuple[FileFacts, ClassFacts] | None:
        """The project's class of that name."""

    def find_function(self, dotted: str, importer: str = "") -> tuple[FileFacts, int] | None:
        """The project's function of that name: its file and its index there."""

    def source(self, path: str) -> str:
        """The text of a file; "" where it is not to be had."""

    @property
    def lineages(self) -> dict[tuple[str, str], list[tuple[FileFacts, ClassFacts]]]:
        """Classes with their bases, by path and qualified name: remembered, as readers ask for them again and again."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value of one function, with all that is needed to look around it."""

    file: FileFacts
    function: int
    vid: int
    links: Links
    bound: tuple[tuple[int, Node], ...] = ()
    """Values to be read as others: a loop's variables in one of its rounds."""

    @property
    def facts(self) -> FunctionFacts:
        """The function whose table holds the value."""
        return self.file.functions[self.function]

    @property
    def value(self) -> Value:
        """The raw value."""
        return self.facts.values[self.vid] if self.vid >= 0 else ("unknown",)

    @property
    def span(self) -> Span:
        """Where the expression stands."""
        return self.facts.span_of(self.vid)

    @property
    def location(self) -> Location:
        """The same as a report's location."""
        return location_of(self.file.path, self.span)

    def at(self, vid: int) -> Node:
        """Another value of the same table."""
        for known, node in self.bound:
            if known == vid:
                return node
        return Node(self.file, self.function, vid, self.links, self.bound)

    def resolve(self) -> Node:
        """The value behind names, guards and closures; itself where it leads nowhere."""
        node = self
        for _ in range(_DEPTH):
            following = node._step()
            if following is None:
                return node
            node = following
        return node

    def _step(self) -> Node | None:
        value = self.value
        if value[0] in ("guard", "setattr"):
            return self.at(value[1])
        if value[0] == "outer":
            function = self.function
            for _ in range(value[2] if len(value) > 2 else 1):
                function = self.file.functions[function].parent
                if function < 0:
                    return None
            return Node(self.file, function, value[1], self.links)
        if value[0] == "name":
            return self.links.find_value(value[1], self.file.module)
        return None

    def const(self, default: Any = None) -> Any:
        """The constant that it is: also a text built of constants alone, or unary minus; else `default`."""
        node = self.resolve()
        value = node.value
        if value[0] == "const":
            return value[1]
        if value[0] == "fmt":
            parts = [node.at(vid).const(_MISSING) for vid in value[2]]
            if all(part is not _MISSING and isinstance(part, (str, int)) for part in parts):
                return "".join(str(part) for part in parts)
        if value[0] == "conv":
            return node.at(value[1]).const(default)
        return default

    def text(self) -> str:
        """The constant text that it is, or ""."""
        found = self.const("")
        return found if isinstance(found, str) else ""

    def dotted(self) -> str:
        """The dotted name that it is: names, attributes of names, definitions; "" for other values."""
        value = self.value
        if value[0] == "name":
            return self.links.canonical(value[1], self.file.module)
        if value[0] == "def":
            return f"{self.file.module}.{value[1]}"
        if value[0] == "attr":
            inner = self.at(value[1]).dotted()
            return self.links.canonical(f"{inner}.{value[2]}", self.file.module) if inner else ""
        if value[0] == "guard" or self._parameterised():
            return self.at(value[1]).dotted()
        if value[0] == "outer":
            step = self._step()
            return step.dotted() if step else ""
        return ""

    def last(self) -> str:
        """The last part of what it names, whatever it hangs on: `sa.Column` and `db.Column` give `Column`."""
        value = self.value
        if value[0] == "attr":
            return str(value[2])
        if self._parameterised():
            return self.at(value[1]).last()
        return self.dotted().rpartition(".")[2]

    def _parameterised(self) -> bool:
        """`models.ForeignKey["Owner"]`: the subscript of a class is that class."""
        value = self.value
        if value[0] != "item":
            return False
        base = self.at(value[1])
        return base.value[0] in ("name", "attr", "outer") and base.last()[:1].isupper()

    def where(self) -> Callable[[int, int], Location]:
        """From offsets in the constant text that it is to places in the file."""
        from backendlint.project.sqltext.literals import where_in

        node = self.resolve()
        return where_in(self.links.source(node.file.path), node.file.path, node.span, node.text())

    def call(self) -> CallNode | None:
        """The call whose result it is."""
        node = self.resolve()
        value = node.value
        if value[0] != "call":
            return None
        return CallNode(node, node.facts.calls[value[1]])

    def elements(self) -> list[Node] | None:
        """The elements of a list, tuple or set, concatenations and append/extend included; None when not known."""
        node = self.resolve()
        value = node.value
        if value[0] in {"list", "tuple", "set"}:
            found: list[Node] = []
            for vid in value[1]:
                inner = node.at(vid)
                if inner.value[0] == "star":
                    spread = inner.at(inner.value[1]).elements()
                    if spread is None:
                        return None
                    found.extend(spread)
                else:
                    found.append(inner)
            return found
        if value[0] == "call":
            call = node.facts.calls[value[1]]
            if len(call.args) == 1 and node.at(call.func).value in _COLLECTIONS:
                return node.at(call.args[0]).elements()
            return _of_helper(CallNode(node, call))
        if value[0] == "binop" and value[1] == "+":
            return _joined(node.at(value[2]), node.at(value[3]))
        if value[0] == "mut" and value[2] in {"append", "add"}:
            before = node.at(value[1]).elements()
            return None if before is None else [*before, *(node.at(vid) for vid in value[3])]
        if value[0] == "mut" and value[2] in {"extend", "update"} and len(value[3]) == 1:
            return _joined(node.at(value[1]), node.at(value[3][0]))
        return None

    def pairs(self) -> list[tuple[Node, Node]] | None:
        """Keys and values of a dict display, None when it is not one; `**` parts are spread where known."""
        node = self.resolve()
        value = node.value
        if value[0] == "store":
            before = node.at(value[1]).pairs()
            return None if before is None else [*before, (node.at(value[2]), node.at(value[3]))]
        if value[0] != "dict":
            return None
        found: list[tuple[Node, Node]] = []
        for key, item in value[1]:
            if key < 0:
                found.extend(node.at(item).pairs() or [])
            else:
                found.append((node.at(key), node.at(item)))
        return found


def _joined(left: Node, right: Node) -> list[Node] | None:
    first, second = left.elements(), right.elements()
    return None if first is None or second is None else first + second


def _of_helper(view: CallNode) -> list[Node] | None:
    """`*timestamps()`: the elements of the list or tuple that a function of the project always gives."""
    found = view.node.links.find_function(view.dotted, view.node.file.module)
    if found is None or len(found[0].functions[found[1]].returns) != 1:
        return None
    result = returned(*found, view.node.links)
    if result is None or result.value[0] not in {"list", "tuple"}:
        return None
    items = [result.at(vid) for vid in result.value[1]]
    return None if any(item.value[0] == "star" for item in items) else items


_MISSING: Any = object()
_COLLECTIONS = frozenset(("name", f"builtins.{kind}") for kind in ("list", "tuple", "set", "frozenset", "sorted"))


@dataclass(frozen=True, slots=True)
class CallNode:
    """A call with its arguments as nodes."""

    node: Node
    call: Call

    @property
    def func(self) -> Node:
        """What is called."""
        return self.node.at(self.call.func)

    @property
    def name(self) -> str:
        """The last part of the callee's name."""
        return self.func.last()

    @property
    def dotted(self) -> str:
        """The callee's dotted name, or ""."""
        return self.func.dotted()

    @property
    def args(self) -> list[Node]:
        """Positional arguments, `*args` spread where its elements are known."""
        found: list[Node] = []
        for vid in self.call.args:
            node = self.node.at(vid)
            if node.value[0] == "star":
                found.extend(node.at(node.value[1]).elements() or [])
            else:
                found.append(node)
        return found

    def kwarg(self, name: str) -> Node | None:
        """The argument passed by keyword, or None; `**{...}` displays are looked into."""
        vid = self.call.kwarg(name)
        if vid >= 0:
            return self.node.at(vid)
        for key, item in self.call.kwargs:
            if key == "**":
                for inner, value in self.node.at(item).pairs() or []:
                    if inner.const() == name:
                        return value
        return None

    def argument(self, position: int, name: str) -> Node | None:
        """The argument at `position` or passed as `name`."""
        found = self.kwarg(name)
        if found is not None:
            return found
        args = self.args
        return args[position] if 0 <= position < len(args) else None

    def flag(self, name: str, default: bool | None = None) -> bool | None:
        """A boolean keyword's constant."""
        node = self.kwarg(name)
        found = node.const() if node is not None else default
        return found if isinstance(found, bool) else default

    @property
    def location(self) -> Location:
        """Where the call stands."""
        return location_of(self.node.file.path, self.call.span)


def location_of(path: str, span: Span) -> Location:
    """A report's location (columns from 1) of a span (columns from 0)."""
    return Location(path, span.line, span.column + 1, span.end_line, span.end_column + 1)


def strings(node: Node | None) -> tuple[str, ...]:
    """The constant texts of a list or tuple, or of a single text."""
    if node is None:
        return ()
    single = node.const()
    if isinstance(single, str):
        return (single,)
    return tuple(text for item in node.elements() or [] if (text := item.text()))


def returned(file: FileFacts, function: int, links: Links) -> Node | None:
    """What a function with a single `return` returns."""
    values = [item.value for item in file.functions[function].returns if not item.is_yield and item.value >= 0]
    return Node(file, function, values[-1], links) if values else None


def class_node(file: FileFacts, cls: ClassFacts, vid: int, links: Links) -> Node:
    """A value of a class's body."""
    return Node(file, cls.owner, vid, links)


def lineage(file: FileFacts, cls: ClassFacts, links: Links) -> list[tuple[FileFacts, ClassFacts]]:
    """The class and its bases in the project, in the order in which Python looks attributes up (nearly)."""
    key = (file.path, cls.qualname)
    known = links.lineages.get(key)
    if known is None:
        links.lineages[key] = known = list(_lineage(file, cls, links))
    return known


def _lineage(file: FileFacts, cls: ClassFacts, links: Links) -> Iterator[tuple[FileFacts, ClassFacts]]:
    """From the last base's roots back to the class; each class once, after all that inherit from it."""
    order: dict[tuple[str, str], tuple[FileFacts, ClassFacts]] = {}
    seen: set[tuple[str, str]] = set()

    def visit(where: FileFacts, item: ClassFacts) -> None:
        key = (where.path, item.qualname)
        if key in seen:
            return
        seen.add(key)
        for base in reversed(item.bases):
            node = class_node(where, item, base, links)
            found = links.find_class(base_name(node)) or links.find_class(mixed_in(node))
            if found is not None:
                visit(*found)
        order[key] = (where, item)

    visit(file, cls)
    yield from reversed(order.values())


def base_name(node: Node) -> str:
    """The dotted name of a base class, generic parameters dropped."""
    value = node.value
    if value[0] == "item":
        return base_name(node.at(value[1]))
    return node.dotted()


def mixed_in(base: Node) -> str:
    """The class that SQLAlchemy's or Flask-SQLAlchemy's own base is told to inherit from (`declarative_base(cls=Common)`), or ""."""
    node = base.resolve()
    if node.value[0] == "attr":  # `db.Model`
        node = node.at(node.value[1]).resolve()
    elif node.value[0] == "name":
        node = node.links.find_value(str(node.value[1]).rpartition(".")[0], node.file.module) or node
    call = node.call()
    given = (call.kwarg("cls") or call.kwarg("model_class")) if call is not None else None
    return given.dotted() if given is not None else ""


def foreign_bases(file: FileFacts, cls: ClassFacts, links: Links) -> list[str]:
    """Dotted names of the bases, anywhere up the lineage, that are not in the project."""
    found: list[str] = []
    for where, item in lineage(file, cls, links):
        for base in item.bases:
            node = class_node(where, item, base, links)
            name = base_name(node)
            if name and links.find_class(name) is None and not _made_here(node):
                found.append(name)
    return found


def _made_here(base: Node) -> bool:
    """`Base = declarative_base()`, also of another module: it brings no columns but those of its `cls`, which counts as a base."""
    call = base.call()
    return call is not None and call.name in BASE_MAKERS
