"""Tables and values that each process makes when it first needs them."""

from __future__ import annotations

from backendlint.api import Fn, Project, Span, Store, Vid, asked, bounded, ingredients, keeps_client, keeps_result

from .state import MUTABLE, dotted, is_container, is_named, root, stored_at

_IMPORTS = frozenset({"importlib.import_module", "django.utils.module_loading.import_string"})
_FROM_OUTSIDE = ("param", "outer", "await", "enter", "exc", "unknown")
CLOCKS = frozenset({"time.monotonic", "time.monotonic_ns", "time.perf_counter"})


def keeps_results(project: Project, fn: Fn, name: str, span: Span | None) -> bool:
    """Whether what is written there, or (without a place) all that its file writes into it, is remembered results."""
    owners = [fn] if span is not None else project.functions_of(fn.file)
    stores = [
        (owner, store)
        for owner in owners
        for store in owner.facts.stores
        if store.key >= 0
        and not owner.is_module
        and (store.span == span if span else is_named(project, owner, store, name))
    ]
    return bool(stores) and all(keeps_result(project, owner, store) for owner, store in stores)


def made_anew(project: Project, fn: Fn, store: Store, name: str) -> bool:
    """A clock's time, a client, what is made again where what there is is no longer fresh; or None, so that it is."""
    if by_clock(project, fn, store.value) or keeps_client(project, fn, store.value) or _stale(fn, store, name):
        return True
    if fn.const(store.value) is not None:
        return False
    return any(
        keeps_client(project, owner, other.value)
        or _stale(owner, other, name)
        or (owner.value(root(owner, other.value))[0] == "call" and _tests(owner, name))
        for owner in project.functions_of(fn.file)
        for other in owner.facts.stores
        if other.key < 0 and not owner.is_module and is_named(project, owner, other, name)
    )


def _tests(fn: Fn, name: str) -> bool:
    return any(item.kind == "if" and item.value >= 0 and mentions(fn, item.value, name) for item in fn.facts.blocks)


def _stale(fn: Fn, store: Store, name: str) -> bool:
    """`if _machine and fresh(_machine): return _machine` before `_machine = look_up()`."""
    if fn.value(root(fn, store.value))[0] not in ("call", "await"):
        return False
    return any(
        item.value >= 0
        and item.span < store.span
        and name in {str(fn.value(vid)[-1]).rpartition(".")[2] for vid in ingredients(fn.facts, (item.value,))}
        and any(mentions(fn, test, name) for test, _ in fn.tests_of(item.block))
        for item in fn.facts.returns
    )


def by_clock(project: Project, fn: Fn, vid: Vid, clocks: frozenset[str] = CLOCKS) -> bool:
    """A point in time by a clock that counts from the process's or machine's start."""
    value = fn.facts.values[root(fn, vid)]
    refs = project.callees(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
    return any(ref.name in clocks for ref in refs)


def made_before(project: Project, fn: Fn, span: Span, name: str) -> bool:
    """Behind `if _table: return _table[key]`, or in a function that is called only where the table is empty."""
    if _leaves_filled(fn, name, span):
        return True
    callers = project.graph.callers(fn)
    return bool(callers) and all(
        edge.call is not None
        and (_empty_guard(edge.caller, edge.call.block, name) or _leaves_filled(edge.caller, name, edge.span))
        for edge in callers
    )


def _leaves_filled(fn: Fn, name: str, before: Span) -> bool:
    return any(
        item.kind == "if"
        and item.exits == "return"
        and item.value >= 0
        and item.span < before
        and _is_itself(fn, item.value, name)
        for item in fn.facts.blocks
    )


def _is_itself(fn: Fn, vid: Vid, name: str) -> bool:
    """The truth of the container: `_table`, `len(_table)`, `self._table`."""
    value = fn.facts.values[vid]
    if value[0] == "attr":
        return name == f"self.{value[2]}" and fn.facts.values[value[1]] == ("param", 0)
    return value[0] in ("name", "guard", "call", "mut", "store") and mentions(fn, root(fn, vid), name)


def _empty_guard(fn: Fn, block: int, name: str) -> bool:
    """`if not _table:` around the block."""
    for _, item in fn.blocks_of(block):
        value = fn.facts.values[item.value] if item.kind == "if" and item.value >= 0 else ("",)
        if value[0] == "not" and _is_itself(fn, value[1], name):
            return True
    return False


def of_few_keys(project: Project, fn: Fn, span: Span) -> bool:
    """`if key not in _ids: _ids[key] = look_up(key)` for keys that the settings name: another process finds the same."""
    return any(
        asked(fn, dotted(fn, store), store.key)
        and bounded(project, fn, store)
        and not is_container(project, fn, root(fn, store.value))
        for store in stored_at(fn, span)
    )


def made_of_key(project: Project, fn: Fn, span: Span) -> bool:
    """`_signers[name] = Signer(name)`: of nothing but its key, it is the same in each process."""
    for store in stored_at(fn, span):
        value = fn.value(root(fn, store.value))
        passed = fn.facts.calls[value[1]].passed if value[0] == "call" else ()
        if passed and all(fn.unguarded(vid) == fn.unguarded(store.key) for vid in passed):
            return True
        if store.key >= 0 and store.value >= 0 and _only_of(project, fn, store):
            return True
    return False


def _only_of(project: Project, fn: Fn, store: Store) -> bool:
    """`_titles[name] = name.replace("_", " ").title()`: texts and figures worked out of the key."""
    keys = {fn.value(vid) for vid in ingredients(fn.facts, [store.key]) if fn.value(vid)[0] == "param"}
    parts = [fn.value(vid) for vid in ingredients(fn.facts, [store.value])]
    calls = [fn.facts.calls[value[1]] for value in parts if value[0] == "call"]
    return (
        bool(keys)
        and {value for value in parts if value[0] in _FROM_OUTSIDE} == keys
        and all(str(value[1]).startswith("builtins.") for value in parts if value[0] == "name")
        and not any(project.targets(fn, call) for call in calls)
    )


def fills(fn: Fn, block: int, name: str) -> bool:
    """`if not _providers: for ...: _providers[key] = ...`: a table that each process fills when it first needs it."""
    for _, item in fn.blocks_of(block):
        value = fn.facts.values[item.value] if item.kind == "if" and item.value >= 0 else ("",)
        empty = value[0] == "not" or (value[0] == "compare" and value[1] == ("==",) and fn.const(value[2][1]) == 0)
        if empty and mentions(fn, item.value, name) and fn.inside(block, "for") is not None:
            return True
    return False


def keeps_foreign(project: Project, fn: Fn, span: Span, block: int, name: str) -> bool:
    """`if name not in _models: _models[name] = Model(name)` with a library's class: each process makes its own, once;
    and what is imported when first needed."""
    stored = stored_at(fn, span)
    made = (fn.facts.values[vid] for vid in ingredients(fn.facts, [store.value for store in stored]))
    calls = [fn.facts.calls[value[1]] for value in made if value[0] == "call"]
    if any(ref.name in _IMPORTS for call in calls for ref in project.callees(fn, call)):
        return True
    if not any(
        item.kind in ("if", "else") and item.value >= 0 and mentions(fn, item.value, name)
        for _, item in fn.blocks_of(block)
    ) and not any(asked(fn, dotted(fn, store), store.key) for store in stored):
        return False
    for store in stored:
        value = fn.facts.values[root(fn, store.value)]
        while value[0] == "setattr":
            value = fn.facts.values[value[1]]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        refs = project.callees(fn, call) if call is not None else ()
        if any(ref.kind == "lib" and ref.name.rpartition(".")[2][:1].isupper() for ref in refs):
            return not any(ref.name in MUTABLE for ref in refs)
    return False


def mentions(fn: Fn, vid: Vid, name: str, depth: int = 0) -> bool:
    value = fn.facts.values[vid]
    if value[0] == "name":
        return str(value[1]).rpartition(".")[2] == name or f".{name}." in str(value[1])
    if depth > 4:
        return False
    parts = (
        value[2]
        if value[0] in ("compare", "bool")
        else (value[1],)
        if value[0] in ("not", "guard", "attr", "item")
        else fn.facts.calls[value[1]].args
        if value[0] == "call" and fn.value(fn.facts.calls[value[1]].func) == ("name", "builtins.len")
        else ()
    )
    return any(mentions(fn, part, name, depth + 1) for part in parts)
