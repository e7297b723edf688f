"""Thread locks that are held while a coroutine waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import receiver

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Held(NamedTuple):
    """An await (or an `async with`, `async for`) while a thread lock is held."""

    fn: Fn
    span: Span
    taken: Span
    """Where the lock is taken."""
    lock: str


class Locks:
    """Answers `awaited()`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._yielding: dict[str, bool] = {}

    def awaited(self) -> Iterator[Held]:
        """The first await under each lock that a function holds."""
        for fn in self.project.all_functions():
            if fn.facts.is_async:
                yield from self._blocks(fn)
                yield from self._acquired(fn)

    def _blocks(self, fn: Fn) -> Iterator[Held]:
        for number, block in enumerate(fn.facts.blocks):
            if block.kind != "with" or block.is_async or block.value < 0:
                continue
            lock = self._lock(fn, block.value)
            span = self._first_wait(fn, number) if lock else None
            if span is not None:
                yield Held(fn, span, fn.facts.span_of(block.value), lock)

    def _first_wait(self, fn: Fn, inside: int) -> Span | None:
        spans = [
            call.span for call in fn.calls if call.awaited and any(n == inside for n, _ in fn.blocks_of(call.block))
        ]
        for number, block in enumerate(fn.facts.blocks):
            if block.is_async and number != inside and any(n == inside for n, _ in fn.blocks_of(block.parent)):
                spans.append(block.span)
        return min(spans, default=None)

    def _acquired(self, fn: Fn) -> Iterator[Held]:
        """`lock.acquire()` ... await ... `lock.release()`."""
        for site in self.project.effects.direct(fn):
            if site.model.opens != "lock" or site.model.awaitable or site.call.awaited or not site.model.blocking:
                continue
            ends = [
                item.call.span
                for item in self.project.effects.direct(fn)
                if item.model.closes == "lock" and item.call.span > site.call.span
            ]
            last = max(ends, default=fn.facts.span)
            waits = [call.span for call in fn.calls if call.awaited and site.call.span < call.span < last]
            if waits and ends:
                yield Held(fn, min(waits), site.call.span, self._text(fn, receiver(fn, site.call)))

    def _lock(self, fn: Fn, vid: Vid) -> str:
        """The lock's name where the value is a thread lock, or a context manager of the project that holds one."""
        for ref in self.project.refs(fn, vid):
            if ref.kind == "libinst" and self._is_thread_lock(ref.name):
                return self._text(fn, vid)
        value = fn.facts.values[vid]
        if value[0] == "call":
            for target in self.project.targets(fn, fn.facts.calls[value[1]]):
                if target.facts.is_generator and not target.facts.is_async and self._yields_locked(target):
                    return f"{target.name}()"
        return ""

    def _yields_locked(self, fn: Fn) -> bool:
        """Whether a generator yields while it holds a thread lock; one that enters itself adds nothing."""
        if fn.fqn not in self._yielding:
            self._yielding[fn.fqn] = False
            self._yielding[fn.fqn] = self._locked_at_yield(fn)
        return self._yielding[fn.fqn]

    def _locked_at_yield(self, fn: Fn) -> bool:
        for item in fn.facts.returns:
            blocks = fn.blocks_of(item.block) if item.is_yield else []
            if any(b.kind == "with" and not b.is_async and b.value >= 0 and self._lock(fn, b.value) for _, b in blocks):
                return True
        return False

    def _is_thread_lock(self, name: str) -> bool:
        model = self.project.libraries.call(f"{name}.acquire")
        return model is not None and model.opens == "lock" and model.blocking

    def _text(self, fn: Fn, vid: Vid) -> str:
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "attr":
            return str(value[2])
        return str(value[1]).rpartition(".")[2] if value[0] == "name" else "lock"
