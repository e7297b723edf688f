"""What is short, by how it is written: displays, what is cut to a size or asked for up to a number, and loops over such."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.errors.lookups import sent
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import bind
from backendlint.project.loops.loops import LOOPS, VIEWS

if TYPE_CHECKING:
    from backendlint.project.model import Project

_LIMIT = re.compile(r"(?:^|[._])(?:MAX|LIMIT|CONCURRENCY|WORKERS|POOL)(?:_|$)")
"""A setting that bounds how many run at once."""
_SETTING = re.compile(r"(?:^|\.)(?:settings|config|conf)\.\w+$")
"""What whoever runs the service lists."""
_CONFIG = re.compile(r"_?(settings|config|conf|cfg)")
"""Of which an attribute is that: `self._config.peers`."""
_SIZE = re.compile(r"(max_|page_)?(limit|size|count|per_page|top)")
"""Parameters that say how many there may be."""
CALLERS = 3
"""Calls up to where it is said how many there are."""
_PUTS = frozenset({"append", "appendleft", "add", "insert", "setdefault"})


def _gathers(model: CallModel) -> bool:
    return model.concurrency is not None and model.concurrency.kind == "gather"


def is_cut(fn: Fn, value: Value) -> bool:
    """`rows[:25]`."""
    return bool(value[0] == "slice" or (value[0] == "item" and fn.unguarded(value[2])[0] == "slice"))


def _is_setting(fn: Fn, owner: Vid | str, key: Vid) -> bool:
    """`config["peers"]`, `self._config.get("peers", [])`: what whoever runs the service lists."""
    named = owner if isinstance(owner, str) else str(fn.unguarded(owner)[-1])
    return isinstance(fn.const(key), str) and _CONFIG.fullmatch(named.rpartition(".")[2]) is not None


class Lengths:
    """Answers `small()`, `bounded()` and `counts_up()`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._few: dict[str, bool] = {}
        self._rising: list[tuple[str, int]] = []
        """Parameters whose callers are being asked."""

    def bounded(self, fn: Fn, block: int, depth: int = 6, seen: frozenset[Vid] = frozenset()) -> bool:
        """True where every loop of the comprehension goes over something small."""
        around = (item for _, item in fn.blocks_of(block))
        return all(
            self.small(fn, item.value, depth, seen) for item in takewhile(lambda item: item.kind == "comp", around)
        )

    def small(self, fn: Fn, vid: Vid, depth: int = 6, seen: frozenset[Vid] = frozenset()) -> bool:
        """True for what is written out, cut to a size, counted by a constant, or filled up to a number."""
        value = fn.facts.values[vid]
        if depth == 0 or vid in seen:
            return vid in seen  # a table as it was in the round before
        if value[0] in ("list", "tuple", "set"):
            spread = [fn.facts.values[item][1] for item in value[1] if fn.facts.values[item][0] == "star"]
            return all(self.small(fn, item, depth - 1) for item in spread)
        if value[0] == "comp":
            return self.bounded(fn, value[4], depth - 1, seen | {vid})
        if value[0] in ("dict", "const", "fmt") or is_cut(fn, value):
            return True
        if value[0] in ("guard", "await", "star"):
            return self.small(fn, value[1], depth - 1, seen)
        if value[0] == "phi":
            return all(self.small(fn, item, depth - 1, seen | {vid}) for item in value[1] if item != vid)
        if value[0] in ("store", "mut"):
            return self._few_put(fn, value) and self.small(fn, value[1], depth, seen | {vid})
        if value[0] == "elem":
            return self._in_batches(fn, value[1])
        if value[0] == "name":
            return self._constant_name(fn, str(value[1])) or self._enumerated(fn, vid)
        if value[0] == "param":
            return self._passes_few(fn, value[1])
        if value[0] == "item":
            return self._of_cut(fn, value[1]) or _is_setting(fn, value[1], value[2])
        if value[0] == "attr":
            owner = fn.unguarded(value[1])
            named = str(owner[-1]).rpartition(".")[2]
            stated = _CONFIG.fullmatch(named) is not None or (owner[0] == "attr" and named == "schema")
            return stated or (value[2] == "values" and self._of_cut(fn, value[1]))
        if value[0] == "call":
            return self._small_call(fn, fn.facts.calls[value[1]], depth)
        return False

    def _passes_few(self, fn: Fn, index: int) -> bool:
        if len(self._rising) >= CALLERS or (fn.fqn, index) in self._rising:
            return False
        self._rising.append((fn.fqn, index))
        few = self._passed(fn, index, self.small)
        self._rising.pop()
        return few

    def _passed(self, fn: Fn, index: int, test: Callable[[Fn, Vid], bool]) -> bool:
        """Whether all callers are seen, and what each passes for the parameter meets the test."""
        edges = self.project.graph.callers(fn)
        for edge in edges:
            bound = edge.passed(index)
            if not bound or any(part or not test(edge.caller, vid) for vid, part in bound):
                return False
        return bool(edges)

    def _of_cut(self, fn: Fn, vid: Vid) -> bool:
        """The rows of a table from one to another (`frame.iloc[start:end]`, also passed by all callers), or a column of them."""
        value = fn.unguarded(vid)
        if value[0] == "item" and not is_cut(fn, value):
            return self._of_cut(fn, value[1])
        if value[0] == "param":
            return self._passed(fn, value[1], lambda caller, item: is_cut(caller, caller.unguarded(item)))
        return is_cut(fn, value)

    def _few_put(self, fn: Fn, value: Value) -> bool:
        """Whether a change of a table puts in one thing, or one a round only up to a number: `if n < MOST: pages[url] = n`."""
        if value[0] == "mut" and value[2] not in _PUTS:
            return value[2] not in ("update", "extend") or all(self.small(fn, item) for item in value[3])
        if value[0] == "store":
            blocks = [item.block for item in fn.facts.stores if (item.key, item.value) == tuple(value[2:4])]
        else:
            blocks = [call.block for call in fn.calls if call.args == value[3] and fn.callee_name(call) == value[2]]
        return bool(blocks) and all(self._few_rounds(fn, block) for block in blocks)

    def _few_rounds(self, fn: Fn, block: int) -> bool:
        for _, item in fn.blocks_of(block):
            if item.kind in LOOPS:
                return False
            test = fn.unguarded(item.value) if item.kind == "if" and item.value >= 0 else ("",)
            upto = test[0] == "compare" and test[1] in (("<",), ("<=",)) and self.counts_up(fn, test[2][0])
            if upto and fn.unguarded(test[2][1])[0] in ("const", "param", "name"):
                return True
        return True

    def counts_up(self, fn: Fn, vid: Vid) -> bool:
        """The number that `enumerate` gives, or the length of something."""
        value = fn.unguarded(vid)
        inner = fn.unguarded(value[1]) if value[0] == "unpack" and value[2] == 0 else value
        source = fn.unguarded(inner[1]) if inner[0] == "elem" else inner
        call = fn.facts.calls[source[1]] if source[0] == "call" else None
        names = {ref.name for ref in self.project.callees(fn, call)} if call is not None else set()
        return ("builtins.enumerate" if inner[0] == "elem" else "builtins.len") in names

    def _small_call(self, fn: Fn, call: Call, depth: int) -> bool:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] in VIEWS:
            return self.small(fn, func[1], depth - 1)
        if call.args and fn.callee_name(call) == "get" and func[0] in ("attr", "name"):
            owner = func[1] if func[0] == "attr" else str(func[1]).rpartition(".")[0]
            if _is_setting(fn, owner, call.args[0]):
                return True
        if any(_gathers(model) for model in self.project.models(fn, call)):
            return all(
                self.small(fn, value[1], depth - 1) for vid in call.args if (value := fn.value(vid))[0] == "star"
            )
        names = {ref.name for ref in self.project.callees(fn, call)}
        if "builtins.range" in names:
            return bool(call.args) and self._counted(fn, call.args[-1])
        if names & {"builtins.enumerate", "builtins.zip", "builtins.list", "builtins.sorted", "builtins.reversed"}:
            return any(self.small(fn, item, depth - 1) for item in call.args)
        return "itertools.islice" in names or self._gives_few(fn, call) or self._asked_for_few(fn, call)

    def _asked_for_few(self, fn: Fn, call: Call) -> bool:
        """`by_ids(ids[:25])`, `page(limit=50)`: the project's function is told of how many at most."""
        for target in self.project.targets(fn, call):
            for index, passed in bind(fn, call, target).items():
                values = [fn.unguarded(vid) for vid, part in passed if not part]
                cut = any(is_cut(fn, value) for value in values)
                most = _SIZE.fullmatch(target.facts.params[index].name) is not None
                if cut or (most and any(type(value[1]) is int for value in values if value[0] == "const")):
                    return True
        return False

    def _gives_few(self, fn: Fn, call: Call) -> bool:
        """Whether what the function gives back is written out there: `found = [disk]`, `if CLOUD: found.append(cloud)`."""
        targets = self.project.targets(fn, call)
        return bool(targets) and all(self._returns_few(target) for target in targets)

    def _returns_few(self, fn: Fn) -> bool:
        if fn.fqn not in self._few:
            self._few[fn.fqn] = False  # of a recursion nothing is known
            given = fn.facts.returns
            self._few[fn.fqn] = bool(given) and all(
                not item.is_yield and item.value >= 0 and self.small(fn, item.value) for item in given
            )
        return self._few[fn.fqn]

    def _counted(self, fn: Fn, vid: Vid) -> bool:
        """A constant number, a setting, or `min(...)` of several: whoever writes that sets a bound."""
        value = fn.facts.values[vid]
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            names = {ref.name for ref in self.project.callees(fn, call)}
            most = "builtins.max" in names and all(self._counted(fn, item) for item in call.args)
            return "builtins.min" in names or most
        named = value[0] == "name" and _LIMIT.search(str(value[1])) is not None
        told = value[0] == "param" and not sent(self.project, fn, [vid])  # `range(threads)`: no collection, a number
        return named or told or self.project.constants(fn, vid) is not None

    def _in_batches(self, fn: Fn, vid: Vid) -> bool:
        """An element of `batched(items, 10)` or of one's own `chunks(items, 10)`."""
        value = fn.facts.values[vid]
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        name = fn.facts.values[call.func]
        word = str(name[-1]).rpartition(".")[2].lower()
        return len(call.args) + len(call.kwargs) > 1 and any(part in word for part in ("batch", "chunk", "slice"))

    def _enumerated(self, fn: Fn, vid: Vid) -> bool:
        """`for size in Size:`"""
        classes = [self.project.classes[ref.name] for ref in self.project.refs(fn, vid) if ref.kind == "class"]
        return bool(classes) and all(self.project.hierarchy.is_a(cls, "enum.Enum") for cls in classes)

    def _constant_name(self, fn: Fn, dotted: str) -> bool:
        if _SETTING.search(dotted):
            return True
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind != "variable" or target.file is None or target.vid < 0:
            return False
        owner = self.project.module_function(target.file)
        return owner.facts.values[target.vid][0] in ("list", "tuple", "set", "dict", "const")
