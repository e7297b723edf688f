"""REL314: handlers that change what their module or class holds, of which each worker process has a copy of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project, Span, Step, for_development, object_root, runs_by_hand

from .contents import keeps_clients, keeps_sent, of_process, reads_first
from .filling import fills, keeps_foreign, keeps_results, made_anew, made_before, made_of_key, of_few_keys
from .lifetimes import ended, restored, under_way
from .mutations import changes
from .shared import mirrors
from .state import written_at

LOCAL_CACHE = re.compile(
    r"cache|memo|registry|registered|pool|singleton|instances?$|loaded|compiled|warned", re.IGNORECASE
)
SET_UP = re.compile(r"conf$|config|settings|logger", re.IGNORECASE)
"""What is read anew as a whole when it is set up."""
LOCK = re.compile(r"lock|mutex|semaphore|guard|atomic", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    decorators = {ref.name for fn in project.all_functions() for ref in fn.decorators if ref.kind == "func"}
    for fn in project.reviewed():
        if fn.is_module or fn.fqn in decorators or not _in_handler(project, fn) or runs_by_hand(project, fn):
            continue  # a decorator runs at import, once for each function that it is put on
        if fn.parent is not None and fn.parent.fqn in decorators and _decorates(fn):
            continue
        seen: set[tuple[str, int]] = set()
        for name, span, block, how in changes(project, fn):
            key = (name, 0 if how == "replaces" else span.line)
            if key in seen or _locked(fn, block) or keeps_clients(project, fn, span) or of_process(project, fn, name):
                continue
            seen.add(key)
            count = project.reach(fn.fqn)
            where = (
                f", which {count} route{'s' if count != 1 else ''} reach{'' if count != 1 else 'es'}," if count else ""
            )
            yield Hit(
                f"`{fn.name}()`{where} {how} the {_level(name)}-level `{name}`: {_consequence(fn, span, block, name, how)}",
                fn.location(span),
                related=_definition(project, fn, name),
                function=fn.fqn,
                profile="strict"
                if for_development(fn.path) or _of_each(project, fn, span, block, name, how)
                else "default",
            )


def _consequence(fn: Fn, span: Span, block: int, name: str, how: str) -> str:
    """What happens, and what to do."""
    if how == "replaces" and restored(fn, block, name):
        return "what else this process does meanwhile sees the change. Keep it in a `contextvars.ContextVar`."
    reads = how == "adds to" or reads_first(fn, span, name)
    lost = ", and threads lose updates" if reads and not fn.facts.is_async else ""
    return f"each worker process has its own copy{lost}. Keep it in a shared store."


def _of_each(project: Project, fn: Fn, span: Span, block: int, name: str, how: str) -> bool:
    """Whether each process may well have its own: what only tests fill, caches, tables that are filled when first needed, clocks, what is
    under way in the process, and whatever nothing of a client's is kept in."""
    if any(project.literals.for_trial(fn, vid) for vid in written_at(fn, span)):
        return True
    if _advice(name, how) or not keeps_sent(project, fn, span, block, name, how) or mirrors(project, fn, name, how):
        return True
    if how == "replaces":
        return any(made_anew(project, fn, store, name) for store in fn.facts.stores if store.span == span)
    if how == "writes into" and (of_few_keys(project, fn, span) or made_of_key(project, fn, span)):
        return True
    if how != "adds to" and keeps_results(project, fn, name, span if how == "writes into" else None):
        return True
    if how == "writes into" and keeps_foreign(project, fn, span, block, name):
        return True
    if how in ("writes into", "changes") and (fills(fn, block, name) or made_before(project, fn, span, name)):
        return True
    return how != "replaces" and (ended(project, fn, name) or (how == "changes" and under_way(project, fn, name)))


def _decorates(fn: Fn) -> bool:
    """`def register(kind): def put(function): ...; return function`: what a decorator with arguments gives runs at import."""
    kinds = [fn.value(object_root(fn, vid)) for vid in fn.returned]
    return bool(kinds) and all(value == ("param", 0) or value[0] == "def" for value in kinds)


def _in_handler(project: Project, fn: Fn) -> bool:
    """Reached from an endpoint, or a handler that no route is known for, or a middleware; not what only start-up code calls."""
    if project.reach(fn.fqn):
        return True
    layer = project.layer(fn)
    return (layer == "controller" or (layer == "middleware" and fn.name != "__init__")) and not project.graph.callers(
        fn
    )


def _advice(name: str, how: str) -> bool:
    return bool(LOCAL_CACHE.search(name)) or (how == "replaces" and bool(SET_UP.search(name)))


def _level(name: str) -> str:
    return "class" if name.startswith("self.") else "module"


def _locked(fn: Fn, block: int) -> bool:
    """Inside `with lock:`."""
    for _, item in fn.blocks_of(block):
        if item.kind == "with" and item.value >= 0:
            value = fn.facts.values[item.value]
            text = value[2] if value[0] == "attr" else value[1] if value[0] == "name" else ""
            if value[0] == "call":
                func = fn.facts.values[fn.facts.calls[value[1]].func]
                text = func[2] if func[0] == "attr" else func[1] if func[0] == "name" else ""
                inner = fn.facts.values[func[1]] if func[0] == "attr" else ("",)
                text = f"{text} {inner[1] if inner[0] == 'name' else inner[2] if inner[0] == 'attr' else ''}"
            if isinstance(text, str) and LOCK.search(text):
                return True
    return False


def _definition(project: Project, fn: Fn, name: str) -> tuple[Step, ...]:
    module = project.module_function(fn.file)
    return tuple(
        module.step(item.span, f"`{name}` is made here") for item in module.facts.bindings if item.name == name
    )[:1]
