"""One file to its facts, within a time limit, whatever the file holds. Runs in the workers."""

from __future__ import annotations

import gc
import io
import pickle
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from backendlint import digests
from backendlint.discover import SourceFile
from backendlint.facts import model
from backendlint.facts.model import Block, FileFacts, FunctionFacts, Span
from backendlint.limits import OutOfTimeError, in_main_thread, time_limit

KILL_FACTOR = 3
"""A worker that is stuck where Python cannot interrupt it ends itself after this many time limits of CPU time."""


class Task(NamedTuple):
    """A file to read."""

    file: SourceFile
    module: str
    is_package: bool
    leaving: frozenset[str] = frozenset()
    """Functions that never return."""


class Outcome(NamedTuple):
    """What came of it: the pickled facts of the content with that digest, or the problem (kind, message)."""

    path: str
    digest: str
    facts: bytes
    problem: tuple[str, str] | None = None


def read_many(tasks: Sequence[Task], seconds: float) -> list[Outcome]:
    """Read each file; in a worker process that may end itself when stuck."""
    gc.disable()
    outcomes = []
    for task in tasks:
        with _last_resort(seconds * KILL_FACTOR):
            outcomes.append(read_one(task, seconds))
    gc.collect()
    return outcomes


def read_one(task: Task, seconds: float) -> Outcome:
    """Read one file. Never raises: what goes wrong is the outcome's problem."""
    path = task.file.path
    try:
        data = digests.read(task.file)
    except OSError as error:
        return Outcome(path, "", b"", ("unreadable-file", digests.unreadable(path, error).message))
    digest = digests.digest(data)
    try:
        with time_limit(seconds):
            return Outcome(path, digest, _pickled(_facts(task, data)))
    except OutOfTimeError:
        return Outcome(path, digest, b"", ("file-timeout", f"{path} was given up after {seconds:g} s"))
    except (RecursionError, MemoryError):
        return Outcome(path, digest, b"", ("too-deep", f"{path} is nested too deeply, or too large, to be analysed"))
    except Exception as error:  # noqa: BLE001 - one file must not end the scan of the others
        return Outcome(path, digest, b"", ("file-failed", f"{path} was not analysed: {type(error).__name__}: {error}"))


def _parts(record: tuple[Any, ...]) -> tuple[type, tuple[Any, ...]]:
    return record.__class__, tuple(record)


_TAKEN_APART = {kind: _parts for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, tuple)}
"""How named tuples are pickled: the way over their `__getnewargs__` takes a third longer for all facts."""


def _pickled(facts: FileFacts) -> bytes:
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 5)
    pickler.dispatch_table = _TAKEN_APART
    pickler.dump(facts)
    return stream.getvalue()


def _facts(task: Task, data: bytes) -> FileFacts:
    from backendlint.facts.extract import comments, extract
    from backendlint.parse import parse

    parsed = parse(data, task.file.path)
    if parsed.tree is None:
        facts = empty(task, parsed.text)
        if "backendlint" in parsed.text:
            facts.comments = comments(parsed.text)
    else:
        facts = extract(
            parsed.tree,
            parsed.text,
            path=task.file.path,
            module=task.module,
            is_package=task.is_package,
            leaving=task.leaving,
        )
    if parsed.problem is not None:
        problem = parsed.problem
        facts.problems.append((problem.kind, problem.message, problem.line, problem.column))
    return facts


def empty(task: Task, text: str = "") -> FileFacts:
    """The facts of a file of which nothing is known but its text."""
    lines = text.count("\n") + (not text.endswith("\n")) if text else 0
    span = Span(1, 0, lines + 1, 0)
    module = FunctionFacts("", "", -1, "", False, False, span, Span(1, 0, 1, 0))
    module.blocks.append(Block("func", -1, -1, 0, "", False, "", span))
    return FileFacts(task.file.path, task.module, task.is_package, lines, functions=[module])


@contextmanager
def _last_resort(seconds: float) -> Iterator[None]:
    """Let the system end this process if the block uses so much CPU time: SIGPROF's default action."""
    if not in_main_thread():
        yield
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
