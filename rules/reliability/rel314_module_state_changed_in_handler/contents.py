"""What functions put into the state, and whether it comes from requests."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import RUNNING, Fn, Project, Span, Vid, ingredients, keeps_client, runs, sent

from .filling import CLOCKS, by_clock
from .lifetimes import restored
from .state import class_state, dotted_state, is_named, module_name, root, stored_at, written_at

_PUTS = frozenset({"append", "appendleft", "add", "update", "extend", "insert", "setdefault", "__setitem__"})
_ADDS = frozenset({"append", "appendleft", "add", "insert"})
_TIMES = CLOCKS | {"time.time", "datetime.datetime.now", "datetime.datetime.utcnow", "django.utils.timezone.now"}


def keeps_sent(project: Project, fn: Fn, span: Span, block: int, name: str, how: str) -> bool:
    """Whether somebody's requests change what others see: a count of them, a switch for as long as one runs, or what is
    kept of what they say or of who sends them."""
    if how == "adds to":
        return _is_handler(project, fn)  # further down it is a figure of the process
    if how == "replaces":
        return restored(fn, block, name) or sent(project, fn, written_at(fn, span))
    owners = project.functions_of(fn.file)
    counted = how == "writes into" and _counts(fn, span, name) and _is_handler(project, fn)
    kept = counted or any(sent(project, owner, put_into(project, owner, name)) for owner in owners)
    return kept and not any(
        _of_own_time(project, owner, store.value)
        for owner in owners
        for store in owner.facts.stores
        if store.key >= 0 and is_named(project, owner, store, name)
    )


def reads_first(fn: Fn, span: Span, name: str) -> bool:
    """`hits[page] = hits.get(page, 0) + 1`: what is written was read before."""
    names = (fn.value(vid) for vid in ingredients(fn.facts, written_at(fn, span)))
    last = name.rpartition(".")[2]
    return any(value[0] in ("name", "attr") and last in str(value[-1]).split(".") for value in names)


def _counts(fn: Fn, span: Span, name: str) -> bool:
    """Whether what was read before is added to."""
    written = (fn.value(root(fn, vid)) for vid in written_at(fn, span))
    return reads_first(fn, span, name) and any(value[:2] == ("binop", "+") for value in written)


def _of_own_time(project: Project, fn: Fn, vid: Vid) -> bool:
    """A point in time (`now + TTL`), or a count of what is under way (`running - 1`)."""
    value = fn.value(root(fn, vid))
    if value[0] == "binop":
        return value[1] == "-" or any(_of_own_time(project, fn, part) for part in value[2:])
    return by_clock(project, fn, vid, _TIMES)


def _is_handler(project: Project, fn: Fn) -> bool:
    return fn.fqn in project.route_functions or (project.layer(fn) == "controller" and not project.graph.callers(fn))


def put_into(project: Project, fn: Fn, name: str) -> list[Vid]:
    """Keys and values that a function puts into the container."""
    found: list[Vid] = []
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        dotted, _, method = str(value[-1]).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
        if method in _PUTS:
            own = value[0] == "attr" and (class_state(project, fn, value[1]) or module_name(project, fn, value[1]))
            if own == name or (value[0] == "name" and dotted_state(project, fn, dotted)[0] == name):
                found += call.passed
    for store in fn.facts.stores:
        owner = store.base if not store.name and store.key >= 0 and not fn.is_module else -1
        if owner >= 0 and name in (module_name(project, fn, owner), class_state(project, fn, owner)):
            found += (store.key, store.value)
    return found


def of_process(project: Project, fn: Fn, name: str) -> bool:
    """`_tasks: set[asyncio.Task]`, `_tasks.add(asyncio.create_task(...))`: what runs in a process is of no use to another."""
    for home, annotation in _said_of(project, fn, name):
        inner = (home.facts.values[vid] for vid in ingredients(home.facts, [annotation]))
        if any(value[0] == "name" and project.libraries.canonical(str(value[1])) in RUNNING for value in inner):
            return True
    return any(
        runs(project, owner, vid) for owner in project.functions_of(fn.file) for vid in _kept(project, owner, name)
    )


def _said_of(project: Project, fn: Fn, name: str) -> Iterator[tuple[Fn, Vid]]:
    """What the module, or the class for `self.name`, says that the variable holds."""
    module = project.module_function(fn.file)
    for item in module.facts.bindings:
        if item.name == name and item.annotation >= 0:
            yield module, item.annotation
    for cls in project.hierarchy.mro(fn.cls) if fn.cls is not None and name.startswith("self.") else ():
        annotation = cls.facts.annotations.get(name.removeprefix("self."), -1)
        if annotation >= 0:
            yield cls.owner, annotation


def _kept(project: Project, fn: Fn, name: str) -> Iterator[Vid]:
    """What a function puts into the container."""
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        owner, _, method = str(value[1]).rpartition(".") if value[0] == "name" else ("", "", "")
        if method in _ADDS and dotted_state(project, fn, owner)[0] == name:
            yield from call.args
    for store in fn.facts.stores:
        if is_named(project, fn, store, name):
            yield store.value


def keeps_clients(project: Project, fn: Fn, span: Span) -> bool:
    """`_clients[url] = redis.Redis(...)`: each process is meant to have connections of its own."""
    return any(keeps_client(project, fn, store.value) for store in stored_at(fn, span))
