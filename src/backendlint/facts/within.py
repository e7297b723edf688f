"""Questions about one function's blocks that checks on handlers ask."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backendlint.facts.model import Call, FileFacts, FunctionFacts, Span, Vid

UNKNOWN = "?"
"""A caught type that is not a plain name."""
LEVELS = frozenset({"trace", "debug", "info", "success", "warning", "warn", "error", "exception", "critical", "fatal"})
_LOGGER = re.compile(r"_?(.*_)?(log|logger|logging)", re.IGNORECASE)
_FACTORY = re.compile(r"(^|\.)(getLogger|get_logger|getChild)$")


class LogCall(NamedTuple):
    """A call that writes a log record."""

    call: Call
    level: str
    traceback: bool
    """True where it carries a traceback, or may (`**kwargs`)."""


def below(function: FunctionFacts, block: int) -> frozenset[int]:
    """The block and everything nested in it."""
    found = {block}
    for index in range(block + 1, len(function.blocks)):
        if function.blocks[index].parent in found:
            found.add(index)
    return frozenset(found)


def only_for_types(function: FunctionFacts, span: Span) -> bool:
    """Whether it stands under `if TYPE_CHECKING:`, so that it is never run."""
    return any(
        block.kind == "if"
        and block.span.holds(span)
        and str(function.values[block.value][-1]).endswith("TYPE_CHECKING")
        for block in function.blocks
        if block.value >= 0
    )


def around(function: FunctionFacts, block: int) -> Iterator[int]:
    """The block and those around it, innermost first."""
    while block >= 0:
        yield block
        block = function.blocks[block].parent


def caught(function: FunctionFacts, block: int) -> tuple[str, ...]:
    """Dotted names of the types that an `except` catches; empty for a bare one."""
    vid = function.blocks[block].value
    if vid < 0:
        return ()
    value = function.values[vid]
    items = value[1] if value[0] == "tuple" else (vid,)
    return tuple(function.values[item][1] if function.values[item][0] == "name" else UNKNOWN for item in items)


def clause(function: FunctionFacts, block: int) -> Span:
    """An `except` from its keyword to the end of the types."""
    item = function.blocks[block]
    if item.value < 0:
        return item.keyword
    types = function.span_of(item.value)
    return item.span._replace(end_line=types.end_line, end_column=types.end_column)


def clause_text(types: Sequence[str]) -> str:
    """How messages name a handler for these types."""
    return f"`except {', '.join(name.rpartition('.')[2] for name in types)}`" if types else "The bare `except`"


def siblings(function: FunctionFacts, block: int, *kinds: str) -> list[int]:
    """The parts of the same `try` of these kinds, in order."""
    group = function.blocks[block].group
    return [index for index, item in enumerate(function.blocks) if item.group == group and item.kind in kinds]


def calls_in(function: FunctionFacts, block: int) -> list[Call]:
    """Calls in a block and below."""
    inside = below(function, block)
    return [call for call in function.calls if call.block in inside]


def called_name(file: FileFacts, function: FunctionFacts, call: Call) -> str:
    """A dotted text for what is called: `logging.error`, `self.client.get`; parts that have no name are `?`."""
    return name_of(file, function, call.func)


def name_of(file: FileFacts, function: FunctionFacts, vid: Vid, depth: int = 12) -> str:
    """A dotted text for a value that is a name, a parameter, or an attribute or call of one; `?` otherwise."""
    value = function.values[vid]
    operation = value[0]
    if operation == "name":
        return str(value[1])
    if operation == "param":
        return function.params[value[1]].name
    if operation == "attr" and depth:
        return f"{name_of(file, function, value[1], depth - 1)}.{value[2]}"
    if operation == "call" and depth:
        return f"{name_of(file, function, function.calls[value[1]].func, depth - 1)}()"
    if operation == "await" and depth:
        return name_of(file, function, value[1], depth - 1)
    if operation == "outer" and depth:
        owner = function
        for _ in range(value[2] if len(value) > 2 else 1):
            owner = file.functions[owner.parent]
        return name_of(file, owner, value[1], depth - 1)
    return UNKNOWN


def log_call(file: FileFacts, function: FunctionFacts, call: Call) -> LogCall | None:
    """What the call logs, if it is a call of logging, loguru, structlog or something that is named like a logger."""
    receiver, _, method = called_name(file, function, call).rpartition(".")
    if method not in LEVELS or not _is_logger(file, receiver):
        return None
    fills = receiver.startswith(_FILLS)
    keywords = {} if fills else {key: function.values[vid] for key, vid in call.kwargs}
    traceback = (
        method == "exception"
        or "**" in keywords
        or any(keywords.get(key, ("const", False)) not in _FALSE for key in ("exc_info", "exception", "stack_info"))
        or ".opt()" in receiver
        or any("traceback" in name for name in _argument_names(file, function, call))
    )
    return LogCall(call, method, traceback)


_FILLS = "loguru."
"""Loggers that take keywords for the braces of the message alone: `exc_info=True` adds nothing there."""
_FALSE = (("const", False), ("const", None))


def _argument_names(file: FileFacts, function: FunctionFacts, call: Call) -> Iterator[str]:
    """Names of what is called to make the arguments: calls that stand inside this one."""
    for other in function.calls:
        if other is not call and call.span.holds(other.span):
            yield called_name(file, function, other)


def _is_logger(file: FileFacts, receiver: str) -> bool:
    parts = [
        part for part in receiver.replace("()", "").split(".") if part not in ("bind", "opt", "new", "contextualize")
    ]
    if not parts:
        return False
    if parts[0] in ("logging", "loguru", "structlog") or _LOGGER.fullmatch(parts[-1]) or _FACTORY.search(receiver[:-2]):
        return True
    if len(parts) < 2 or ".".join(parts[:-1]) != file.module:
        return False
    module = file.functions[0]
    vid = file.names.get(parts[-1], -1)
    if vid < 0 or module.values[vid][0] != "call":
        return False
    return bool(_FACTORY.search(called_name(file, module, module.calls[module.values[vid][1]])))
