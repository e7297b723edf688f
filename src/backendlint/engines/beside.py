"""Work in a forked process beside our own, on a second core, with all that we know at hand and nothing to send there."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from backendlint.errors import EngineError

T = TypeVar("T")
TOKEN = 2
"""Bytes."""


def can_fork() -> bool:
    """Whether a fork is possible and safe, and there is a core for it."""
    return hasattr(os, "fork") and threading.active_count() == 1 and (os.cpu_count() or 1) > 1


class Shares(Generic[T]):
    """Items in groups, one for each process: who has taken all of its own goes on with the others'.

    What is left lies in a pipe for each group, two bytes an item, so that no item is taken twice. Made before the fork.
    """

    def __init__(self, groups: Sequence[Sequence[T]]) -> None:
        self._groups = groups
        self._pipes = [_filled(len(group)) for group in groups]
        self.taken: list[T] = []
        """By this process."""

    def take(self, first: int) -> Iterator[T]:
        """Items for the process whose group is number `first`."""
        for number in (first, *(other for other in range(len(self._groups)) if other != first)):
            while token := os.read(self._pipes[number], TOKEN):
                item = self._groups[number][int.from_bytes(token, "big")]
                self.taken.append(item)
                yield item
        for pipe in self._pipes:
            os.close(pipe)


def _filled(count: int) -> int:
    """The reading end of a pipe that gives the numbers below `count` and then ends; a pipe holds thousands."""
    reader, writer = os.pipe()
    os.write(writer, b"".join(number.to_bytes(TOKEN, "big") for number in range(count)))
    os.close(writer)
    return reader


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Start `work`; the function returned waits for its (pickled) result, and raises EngineError where it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(work, writer)
    os.close(writer)
    return lambda: _result(child, reader)


def _serve(work: Callable[[], T], writer: int) -> None:
    """In the child: never returns."""
    try:
        gc.freeze()
        gc.enable()
        try:
            answer = pickle.dumps((True, work()), 5)
        except Exception as error:  # noqa: BLE001 - told to the parent, which decides
            answer = pickle.dumps((False, f"{type(error).__name__}: {error}"), 5)
        with open(writer, "wb") as stream:
            stream.write(answer)
    finally:
        os._exit(0)


def _result(child: int, reader: int) -> Any:
    with open(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    if not data:
        raise EngineError("its process ended without a result")
    done, value = pickle.loads(data)
    if not done:
        raise EngineError(str(value))
    return value
