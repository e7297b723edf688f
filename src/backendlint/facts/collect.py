"""The facts of all Python files: from the cache, or read by a pool of processes that survives what kills a worker."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backendlint.cache import Cache
from backendlint.digests import code_digest, digest
from backendlint.discover import SourceFile
from backendlint.facts.model import FileFacts
from backendlint.facts.read import Outcome, Task, empty, read_many, read_one
from backendlint.findings.model import Location, Notification, Severity

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Progress = Callable[[int, int], None]
"""Called with (done, total) files."""

CACHE_KIND = "facts"
EXTRACTOR = ("parse.py", "lower", "facts")
"""The modules that decide what a file's facts are."""
INLINE_FILES = 30
"""Below this many files a pool costs more than it saves."""
CHUNK_BYTES = 200_000
KEPT_AT_ONCE = 50
"""Files whose facts are written to the cache in one go."""

_LEVELS: Mapping[str, Severity] = {"file-failed": "error", "file-timeout": "error", "worker-died": "error"}
"""Kinds of problems that mean a part of the scan is missing for a reason of ours; the others are the file's own."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Facts by path, in path order."""

    files: dict[str, FileFacts]
    notifications: tuple[Notification, ...]
    changed: dict[str, str]
    """New digests of files that changed after they were hashed."""
    from_cache: int


def module_name(path: str) -> tuple[str, bool]:
    """The dotted name of a file by its path from the root, and whether it is a package's `__init__`."""
    parts = path.rsplit(".", 1)[0].split("/") if "." in path.rpartition("/")[2] else path.split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        return ".".join(parts[:-1]), True
    return ".".join(parts), parts[-1] == "__init__"


def collect(
    sources: Sequence[SourceFile],
    digests: Mapping[str, str],
    *,
    cache: Cache,
    jobs: int,
    seconds: float,
    progress: Progress | None = None,
    leaving: frozenset[str] = frozenset(),
) -> Collection:
    """Facts of every Python file that has a digest; `seconds` is the time limit of one file, `leaving` never returns."""
    found = [file for file in sources if file.kind == "python" and file.path in digests]
    tasks = [Task(file, *module_name(file.path), leaving) for file in found]
    version = "\0".join([code_digest(EXTRACTOR), *sorted(leaving)])
    keys = {task.file.path: _key(task, digests[task.file.path], version) for task in tasks}
    with _without_gc():
        known = cache.get_many(CACHE_KIND, keys.values())
        files: dict[str, FileFacts] = {}
        missing = []
        for task in tasks:
            value = known.pop(keys[task.file.path], None)
            if value is None:
                missing.append(task)
            else:
                files[task.file.path] = pickle.loads(value)
        reading = _Reading(files, digests, version, {task.file.path: task for task in missing})
        for outcome in _outcomes(missing, jobs, seconds, _counted(progress, len(files), len(tasks))):
            reading.take(outcome)
            if len(reading.fresh) >= KEPT_AT_ONCE:  # while others still read
                reading.keep(cache)
        reading.keep(cache)
    ordered = {task.file.path: files[task.file.path] for task in tasks}
    notifications = (*reading.notifications, *_problems(ordered))
    return Collection(ordered, notifications, reading.changed, len(tasks) - len(missing))


class _Reading:
    """Takes outcomes as they come in."""

    def __init__(
        self, files: dict[str, FileFacts], digests: Mapping[str, str], version: str, tasks: Mapping[str, Task]
    ) -> None:
        self.files = files
        self.digests = digests
        self.version = version
        self.tasks = tasks
        self.fresh: dict[str, bytes] = {}
        self.changed: dict[str, str] = {}
        self.notifications: list[Notification] = []

    def keep(self, cache: Cache) -> None:
        """Hand what is new to the cache."""
        cache.put_many(CACHE_KIND, self.fresh)
        self.fresh = {}

    def take(self, outcome: Outcome) -> None:
        task = self.tasks[outcome.path]
        if outcome.problem is None:
            self.files[outcome.path] = pickle.loads(outcome.facts)
            self.fresh[_key(task, outcome.digest, self.version)] = outcome.facts
        else:
            kind, message = outcome.problem
            place = Location(outcome.path, 1, 1, 1, 1)
            self.notifications.append(Notification(kind, message, _LEVELS.get(kind, "warning"), place))
            self.files[outcome.path] = empty(task)
        if outcome.digest != self.digests[outcome.path]:
            self.changed[outcome.path] = outcome.digest


def _key(task: Task, content: str, version: str) -> str:
    return digest(f"{content}\0{task.file.path}\0{task.module}\0{version}".encode())


def _problems(files: Mapping[str, FileFacts]) -> Iterator[Notification]:
    """What the facts say about their own reading."""
    for path, facts in files.items():
        for kind, message, line, column in facts.problems:
            yield Notification(kind, f"{path}:{line}: {message}", "warning", Location(path, line, column, line, column))


def _outcomes(tasks: Sequence[Task], jobs: int, seconds: float, progress: Progress) -> Iterator[Outcome]:
    if not tasks:
        return
    jobs = jobs or os.cpu_count() or 1
    done = 0
    if jobs == 1 or len(tasks) < INLINE_FILES:
        for task in tasks:
            yield read_one(task, seconds)
            done += 1
            progress(done, len(tasks))
        return
    for outcome in _pooled(tasks, jobs, seconds):
        yield outcome
        done += 1
        progress(done, len(tasks))


def _pooled(tasks: Sequence[Task], jobs: int, seconds: float) -> Iterator[Outcome]:
    """Outcomes of all tasks. When a worker dies, the tasks without an outcome are tried again one by one."""
    from concurrent.futures import BrokenExecutor, as_completed

    waiting = {task.file.path: task for task in tasks}
    try:
        with _pool(jobs) as pool, _ended_at_once():
            futures = [pool.submit(read_many, chunk, seconds) for chunk in _chunks(tasks)]
            for future in as_completed(futures):
                for outcome in future.result():
                    del waiting[outcome.path]
                    yield outcome
    except BrokenExecutor:
        yield from _one_by_one(list(waiting.values()), seconds)


def _one_by_one(tasks: Sequence[Task], seconds: float) -> Iterator[Outcome]:
    """Outcomes of tasks among which one kills its worker: that one is named, and the others go on in a new worker."""
    from concurrent.futures import BrokenExecutor

    left = list(tasks)
    while left:
        with _pool(1) as pool:
            while left:
                task = left.pop(0)
                try:
                    yield from pool.submit(read_many, [task], seconds).result()
                except BrokenExecutor:
                    path = task.file.path
                    problem = ("worker-died", f"{path} was not analysed: reading it ended the process that did so")
                    yield Outcome(path, "", b"", problem)
                    break


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Tasks in portions of about equal work, the largest files first: no worker is left alone with a long tail."""
    sized = sorted(((_size(task), task) for task in tasks), key=lambda item: -item[0])
    chunk: list[Task] = []
    total = 0
    for size, task in sized:
        chunk.append(task)
        total += size
        if total >= CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _size(task: Task) -> int:
    if task.file.data is not None:
        return len(task.file.data)
    try:
        return task.file.absolute.lstat().st_size
    except OSError:
        return 0


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that start quickly: forked, unless other threads make that unsafe."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    forkable = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork" if forkable else "spawn"))


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """On an interruption, end the workers: the pool would wait for all that it was given."""
    try:
        yield
    except KeyboardInterrupt:
        import multiprocessing

        for worker in multiprocessing.active_children():
            worker.terminate()
        raise


@contextmanager
def _without_gc() -> Iterator[None]:
    """Loading many small objects is much faster without the collector looking at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _counted(progress: Progress | None, before: int, total: int) -> Progress:
    return (lambda done, _: progress(before + done, total)) if progress else (lambda _done, _total: None)
