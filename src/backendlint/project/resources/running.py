"""Objects that live in one process and mean nothing to another: what runs there, and what holds something that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn, Ref

if TYPE_CHECKING:
    from backendlint.project.model import Project

RUNNING = frozenset({
    "asyncio.Task", "asyncio.Future", "asyncio.Lock", "asyncio.Semaphore", "asyncio.BoundedSemaphore", "asyncio.Event",
    "asyncio.Condition", "asyncio.Queue", "asyncio.AbstractEventLoop", "concurrent.futures.Future", "concurrent.futures.Executor",
    "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor", "threading.Thread", "threading.Lock",
    "threading.RLock", "threading.Event", "threading.Timer", "threading.Semaphore", "threading.Condition", "queue.Queue",
    "queue.SimpleQueue", "queue.PriorityQueue", "queue.LifoQueue", "multiprocessing.Process", "subprocess.Popen", "socket.socket",
})  # fmt: skip


def runs(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is such an object."""
    return any(_is_running(project, ref) for ref in project.refs(fn, vid))


def _is_running(project: Project, ref: Ref) -> bool:
    if ref.kind == "libinst":
        return ref.name in RUNNING
    return ref.kind == "inst" and _holds_running(project, project.classes[ref.name])


def _holds_running(project: Project, cls: Cls) -> bool:
    """A kind of thread, or a class whose objects have one of their own (`self.thread = Thread(...)`)."""
    if any(base in RUNNING for base in project.hierarchy.library_bases(cls)):
        return True
    names = {
        store.name
        for item in project.hierarchy.mro(cls)
        for method in item.methods.values()
        for store in method.facts.stores
    }
    return any(
        ref.kind == "libinst" and ref.name in RUNNING - _GUARDS
        for item in project.hierarchy.mro(cls)
        for name in names - {""}
        for method, vid in project.hierarchy.stores(item, name)
        for ref in project.refs(method, vid)
    )


_GUARDS = frozenset({"asyncio.Lock", "threading.Lock", "threading.RLock", "asyncio.Condition", "threading.Condition"})
"""What an object of plain data may have too."""
