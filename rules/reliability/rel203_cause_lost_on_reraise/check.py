from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Edit, FileFacts, Fix, FunctionFacts, Hit, Raise, Span, SyntaxSite, around, caught, name_of

UNKNOWN = "?"
NAMES = ("err", "error", "exc", "cause")


def suspects(_file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
    """Raises below an `except` that neither name a cause nor raise a caught exception again."""
    for item in function.raises:
        if item.exc >= 0 and item.cause < 0 and handler_of(function, item) >= 0 and is_new(function, item.exc):
            yield item.span


def handler_of(function: FunctionFacts, item: Raise) -> int:
    """The innermost `except` around the raise; -1 without one, and where a nested `try` catches what is raised."""
    for block in around(function, item.block):
        if function.blocks[block].kind == "except":
            return block
        if function.blocks[block].kind == "try":
            return -1
    return -1


def is_new(function: FunctionFacts, vid: int) -> bool:
    """Whether the raised value is made here: a call of a class, or a class."""
    value = function.values[vid]
    if value[0] == "call":
        callee = function.values[function.calls[value[1]].func]
        if callee[0] == "attr":
            return str(callee[2])[:1].isupper()
        return callee[0] in ("name", "def") and last(callee[1])[:1].isupper()
    return value[0] in ("name", "def") and last(value[1])[:1].isupper()


def last(dotted: str) -> str:
    return dotted.rpartition(".")[2].lstrip("_")


def check(site: SyntaxSite) -> Iterator[Hit]:
    function = site.function
    item = next(found for found in function.raises if found.span == site.span)
    name = name_of(site.file, function, item.exc).removesuffix("()")
    if name in as_strings(site.options["control_flow"]) or sets_cause(site, item):
        return
    handler = handler_of(function, item)
    types = ", ".join(short(kind) for kind in caught(function, handler) if kind != UNKNOWN) or "what was caught"
    where = f" in `{function.name}()`" if function.name else ""
    yield Hit(
        f"`{short(name)}` raised{where} replaces {types} without `from`: the traceback reads as if the handler had failed "
        f"by accident, and the cause is not recorded; write `raise {short(name)}(...) from "
        f"{function.blocks[handler].name or 'err'}`.",
        site.location(),
        function=function.qualname or None,
        fix=fix(site, handler),
    )


def short(dotted: str) -> str:
    """The class's name; `socket.error` keeps its module, which says what it is."""
    owner, _, name = dotted.rpartition(".")
    return name if name[:1].isupper() or not owner else f"{owner.rpartition('.')[2]}.{name}"


def as_strings(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, list | tuple) else frozenset()


def sets_cause(site: SyntaxSite, item: Raise) -> bool:
    """Whether the exception's `__cause__` is set by hand before, or by with_traceback-like chaining."""
    blocks = set(around(site.function, item.block))
    return any(store.name == "__cause__" and store.block in blocks for store in site.function.stores)


def fix(site: SyntaxSite, handler: int) -> Fix | None:
    """`from` the handler's name; a handler that binds none gets one that the function does not use."""
    block = site.function.blocks[handler]
    edits: list[Edit] = []
    name = block.name
    if not name:
        function = site.function
        if block.value < 0 or not ends_clause(site, function.span_of(block.value)):
            return None
        used = {item.name for item in function.bindings} | {param.name for param in function.params}
        used |= {other.name for other in function.blocks} | set(site.file.names)
        free = [candidate for candidate in NAMES if candidate not in used]
        if not free:
            return None
        name = free[0]
        edits.append(insert(site, function.span_of(block.value), f" as {name}"))
    edits.append(insert(site, site.span, f" from {name}"))
    return Fix(f"Name `{name}` as the cause", tuple(edits), safe=True)


def ends_clause(site: SyntaxSite, types: Span) -> bool:
    """Whether the colon follows the caught types: no closing bracket or comment stands between."""
    return site.lines[types.end_line - 1][types.end_column :].lstrip().startswith(":")


def insert(site: SyntaxSite, after: Span, text: str) -> Edit:
    """Insert the text behind the span."""
    end = Span(after.end_line, after.end_column, after.end_line, after.end_column)
    return Edit(site.location(end), text)
