"""Functions of the project that call what they are given: `breaker.run(load)`, `with_retries(send, message)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.binding import Bound, bind

if TYPE_CHECKING:
    from backendlint.project.model import Project

_ASKS = frozenset("callable iscoroutinefunction isawaitable getattr hasattr repr str id type".split())
"""Functions that only look at a function."""
_NO_FUNCTION = frozenset("const fmt join conv compare not binop list tuple set dict comp".split())
"""Values that nobody calls."""
MAX_HELPERS = 3
"""Helpers through which a function is handed on."""


class Run(NamedTuple):
    """Where a helper calls its parameter, or hands it to what does."""

    helper: Fn
    call: Call
    kind: str
    """As the edges' (`call`, or `thread`)."""
    inner: Run | None = None
    """Of another helper, to which it is handed."""

    def ways(self) -> Iterator[tuple[Fn, Call]]:
        """The helpers and their calls, from the one that calls the function outwards."""
        if self.inner is not None:
            yield from self.inner.ways()
        yield self.helper, self.call


class HandedFunctions:
    """Answers `calls(fn, call, helper)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._runs: dict[tuple[str, int], dict[int, Run]] = {}

    def calls(self, fn: Fn, call: Call, helper: Fn) -> Iterator[tuple[Call, Run]]:
        """The calls that a helper makes for its caller: of what function, with what of the caller's arguments."""
        runs = self.runs(helper) if any(fn.value(vid)[0] not in _NO_FUNCTION for vid in call.passed) else {}
        bound = bind(fn, call, helper) if runs else {}
        for index, run in runs.items():
            for vid, part in bound.get(index, ()):
                if not part:
                    yield _made(call, vid, index, run, bound), run

    def runs(self, fn: Fn, depth: int = MAX_HELPERS) -> dict[int, Run]:
        """The parameters that a function calls, by index."""
        if not fn.facts.params or not depth:
            return {}
        known = self._runs.get((fn.fqn, depth))
        if known is None:
            known = self._runs[fn.fqn, depth] = {}
            left: set[int] = set()
            """What it may leave to others too: `on_commit(work)`."""
            for call in fn.facts.calls:
                value = fn.unguarded(call.func)
                if value[0] == "param" and not _is_kept(fn, call):
                    known.setdefault(value[1], Run(fn, call, "call"))
                elif params := _params(fn, call):
                    runs = dict(self._handed_on(fn, call, depth))
                    known.update({index: run for index, run in runs.items() if index not in known})
                    left |= params - set(runs) if fn.callee_name(call) not in _ASKS else set()
            for index in left:
                known.pop(index, None)
        return known

    def _handed_on(self, fn: Fn, call: Call, depth: int) -> Iterator[tuple[int, Run]]:
        """Parameters that are handed to another helper, or to a library's function that runs them."""
        for target in self.project.targets(fn, call):
            inner = self.runs(target, depth - 1)
            bound = bind(fn, call, target) if inner else {}
            for index, run in inner.items():
                for vid, part in bound.get(index, ()):
                    value = fn.unguarded(vid)
                    if value[0] == "param" and not part:
                        yield value[1], Run(fn, call, run.kind, run)
        for model in self.project.models(fn, call):
            for arg, kind in ((model.executor, "thread"), (model.bridges, "call")):
                for vid in arguments(call, arg) if arg is not None and model.wraps is None else ():
                    value = fn.unguarded(vid)
                    if value[0] == "param":
                        yield value[1], Run(fn, call, kind)


def _params(fn: Fn, call: Call) -> set[int]:
    """The parameters that a call is passed, by index."""
    values = map(fn.unguarded, call.passed)
    return {value[1] for value in values if value[0] == "param"}


def _is_kept(fn: Fn, call: Call) -> bool:
    """`self._sessions[name] = make()`: what a factory gives is asked for once, and kept."""
    return any(
        store.value == call.value and fn.value(store.base)[0] in ("param", "attr", "name") for store in fn.facts.stores
    )


def _made(call: Call, vid: Vid, index: int, run: Run, bound: Bound) -> Call:
    """The call of the function itself, with what the helper passes on: `run(load, 1, x=2)` of `run(f, *args, **options)`."""
    helper, inner = run.helper, run.call
    params = helper.facts.params
    at = next((at for at, item in enumerate(inner.args) if helper.unguarded(item) == ("param", index)), -1)
    passed = inner.args[at + 1 :]
    if any(helper.facts.values[item][0] != "star" for item in passed):
        return call._replace(
            func=vid, args=(), kwargs=()
        )  # values of its own: which of the caller's follow is not known
    rest = next((number for number, param in enumerate(params) if param.kind == "args"), -1)
    named = {param.name for param in params if param.kind in ("any", "kw")}
    args = tuple(item for item, _ in bound.get(rest, ())) if passed else ()
    kwargs = tuple((key, item) for key, item in call.kwargs if key not in named) if inner.open_ended else ()
    return call._replace(func=vid, args=args, kwargs=kwargs)
