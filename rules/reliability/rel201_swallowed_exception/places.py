"""Blocks that are suspect: handlers in which nothing happens and `with suppress(...)`, what they catch and what is tried there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from backendlint.api import (
    Block,
    Call,
    Fn,
    FunctionFacts,
    Project,
    Statement,
    around,
    below,
    called_name,
    calls_in,
    caught,
    lines_of,
    listed,
)

_EXCEPTION = re.compile(r"[A-Z]\w*(Error|Exception)")
_SUPPRESS = "contextlib.suppress"
CHANGES = frozenset({"db-write", "commit", "flush", "queue-publish", "mail"})
STORES = CHANGES | {"db", "db-read", "cache-read", "cache-write"}
WORKS = STORES | {"http", "cloud", "grpc", "search", "socket", "db-connect", "subprocess", "ssh", "dns"}


@dataclass
class Place:
    """A block that was found suspect."""

    project: Project
    fn: Fn
    block: int
    options: Mapping[str, object]

    @property
    def function(self) -> FunctionFacts:
        return self.fn.facts

    @property
    def facts(self) -> Block:
        return self.fn.facts.blocks[self.block]

    @cached_property
    def lines(self) -> Sequence[str]:
        return lines_of(self.project, self.fn.path)

    @property
    def tried(self) -> int:
        """The block of the code that is tried."""
        return self.block if self.facts.kind == "with" else self.facts.group

    @cached_property
    def calls(self) -> list[Call]:
        """What is called in the code that is tried."""
        return [call for call in calls_in(self.function, self.tried) if not _is_suppress(self.function, call.value)]

    @cached_property
    def effects(self) -> frozenset[str]:
        """What these calls do."""
        return frozenset[str]().union(*(self.project.effects.call_effects(self.fn, call) for call in self.calls))

    @cached_property
    def parsing(self) -> frozenset[str]:
        """Names of what reads a value."""
        return listed(self.options, "parses")

    def name(self, call: Call) -> str:
        return called_name(self.fn.file, self.function, call)

    def word(self, call: Call) -> str:
        """The last part of the name."""
        return self.name(call).rpartition(".")[2]


def suspects(function: FunctionFacts) -> Iterator[int]:
    """Handlers in which nothing happens, and `with suppress(...)`."""
    idle = unraised(function)
    active = {item.block for item in function.calls if not any(made.span.holds(item.span) for made in idle)}
    active |= {item.block for item in function.statements if item not in idle}
    active |= {item.block for item in function.raises} | {item.block for item in function.stores}
    used = {value[1] for value in function.values if value[0] == "exc"} & _referred(function)
    used -= {number for made in idle for number in around(function, made.block)}
    for index, block in enumerate(function.blocks):
        if block.kind == "except":
            if index not in used and active.isdisjoint(below(function, index)):
                yield index
        elif block.kind == "with" and block.value >= 0 and _is_suppress(function, block.value):
            yield index


def unraised(function: FunctionFacts) -> list[Statement]:
    """`ApiError(text, 500)` as a statement: it is made, and nobody raises it."""
    calls = {call.value: call for call in function.calls}
    found = []
    for item in function.statements:
        call = calls.get(item.value) if item.kind == "expr" else None
        func = function.values[call.func] if call is not None else ("",)
        if func[0] == "name" and _EXCEPTION.fullmatch(str(func[1]).rpartition(".")[2]):
            found.append(item)
    return found


def _referred(function: FunctionFacts) -> set[int]:
    """Blocks whose caught exception some other value or statement refers to."""
    exceptions = {vid: value[1] for vid, value in enumerate(function.values) if value[0] == "exc"}
    found: set[int] = set()
    for value in function.values if exceptions else ():
        for part in value[1:]:
            for vid in part if isinstance(part, tuple) else (part,):
                if isinstance(vid, int) and not isinstance(vid, bool) and vid in exceptions and value[0] != "exc":
                    found.add(exceptions[vid])
    found |= {exceptions[item.value] for item in function.returns if item.value in exceptions}
    return found | {exceptions[item.value] for item in function.bindings if item.value in exceptions}


def _is_suppress(function: FunctionFacts, vid: int) -> bool:
    value = function.values[vid]
    if value[0] != "call":
        return False
    return function.values[function.calls[value[1]].func] == ("name", _SUPPRESS)


def what_is_caught(site: Place) -> tuple[str, tuple[str, ...]]:
    """ "broad", "failure" or "" (an exception that may well be expected), and the types."""
    function, block = site.function, site.facts
    if block.kind == "with":
        call = function.calls[function.values[block.value][1]]
        values = [function.values[vid] for vid in call.args]
        types = tuple(str(value[1]) if value[0] == "name" else "?" for value in values)
        if not types:
            return "", ()
    else:
        types = caught(function, site.block)
    if not types or listed(site.options, "broad").intersection(types):
        return "broad", types
    return ("failure" if set(types) <= listed(site.options, "failures") else ""), types
