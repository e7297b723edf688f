from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    RUNNING,
    Call,
    Fn,
    Hit,
    Project,
    Span,
    Step,
    Store,
    Vid,
    asked,
    bounded,
    for_development,
    ingredients,
    keeps_client,
    keeps_result,
    object_root,
    runs,
    runs_by_hand,
    sent,
)

CHANGES = frozenset({
    "append", "appendleft", "add", "update", "extend", "insert", "pop", "popleft", "popitem", "remove", "discard", "clear", "setdefault",
    "sort", "reverse", "subtract", "rotate", "__setitem__",
})  # fmt: skip
MUTABLE = frozenset({
    "builtins.dict", "builtins.list", "builtins.set", "collections.defaultdict", "collections.Counter", "collections.deque",
    "collections.OrderedDict",
})  # fmt: skip
LOCAL_CACHE = re.compile(
    r"cache|memo|registry|registered|pool|singleton|instances?$|loaded|compiled|warned", re.IGNORECASE
)
SET_UP = re.compile(r"conf$|config|settings|logger", re.IGNORECASE)
"""What is read anew as a whole when it is set up."""
PUTS = frozenset({"append", "appendleft", "add", "update", "extend", "insert", "setdefault", "__setitem__"})
ADDS = frozenset({"append", "appendleft", "add", "insert"})
IMPORTS = frozenset({"importlib.import_module", "django.utils.module_loading.import_string"})
CLOCKS = frozenset({"time.monotonic", "time.monotonic_ns", "time.perf_counter"})
TIMES = CLOCKS | {"time.time", "datetime.datetime.now", "datetime.datetime.utcnow", "django.utils.timezone.now"}
SHARED = frozenset({"cache-read", "cache-write", "queue-publish"})
STORES = re.compile(r"(^|[._])(redis|valkey|memcached?)(_?(client|conn|connection|pool|cache|db))?$", re.IGNORECASE)
LOCK = re.compile(r"lock|mutex|semaphore|guard|atomic", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    decorators = {ref.name for fn in project.all_functions() for ref in fn.decorators if ref.kind == "func"}
    for fn in project.reviewed():
        if fn.is_module or fn.fqn in decorators or not in_handler(project, fn) or runs_by_hand(project, fn):
            continue  # a decorator runs at import, once for each function that it is put on
        if fn.parent is not None and fn.parent.fqn in decorators and decorates(fn):
            continue
        seen: set[tuple[str, int]] = set()
        for name, span, block, how in changes(project, fn):
            key = (name, 0 if how == "replaces" else span.line)
            if key in seen or locked(fn, block) or keeps_clients(project, fn, span) or of_process(project, fn, name):
                continue
            seen.add(key)
            count = project.reach(fn.fqn)
            where = (
                f", which {count} route{'s' if count != 1 else ''} reach{'' if count != 1 else 'es'}," if count else ""
            )
            yield Hit(
                f"`{fn.name}()`{where} {how} the {level(name)}-level `{name}`: {consequence(fn, span, block, name, how)}",
                fn.location(span),
                related=definition(project, fn, name),
                function=fn.fqn,
                profile="strict"
                if for_development(fn.path) or of_each(project, fn, span, block, name, how)
                else "default",
            )


def consequence(fn: Fn, span: Span, block: int, name: str, how: str) -> str:
    """What happens, and what to do."""
    if how == "replaces" and restored(fn, block, name):
        return "what else this process does meanwhile sees the change. Keep it in a `contextvars.ContextVar`."
    reads = how == "adds to" or depends(fn, span, name)
    lost = ", and threads lose updates" if reads and not fn.facts.is_async else ""
    return f"each worker process has its own copy{lost}. Keep it in a shared store."


def depends(fn: Fn, span: Span, name: str) -> bool:
    """`hits[page] = hits.get(page, 0) + 1`: what is written was read before."""
    written = [store.value for store in fn.facts.stores if store.span == span]
    names = (fn.value(vid) for vid in ingredients(fn.facts, written))
    last = name.rpartition(".")[2]
    return any(value[0] in ("name", "attr") and last in str(value[-1]).split(".") for value in names)


def restored(fn: Fn, block: int, name: str) -> bool:
    """`flag = True`, `try: ...`, `finally: flag = False`: changed for as long as something runs."""
    homes = {
        store.block for store in fn.facts.stores if not store.name and store.key < 0
        and str(fn.facts.values[root(fn, store.base)][-1]).rpartition(".")[2] == name
    }  # fmt: skip
    return len(homes) > 1 and any(fn.inside(number, "finally") is not None for number in homes)


def of_each(project: Project, fn: Fn, span: Span, block: int, name: str, how: str) -> bool:
    """Whether each process may well have its own: caches, tables that are filled when first needed, clocks, what is
    under way in the process, and whatever nothing of a client's is kept in."""
    if advice(name, how) or not keeps_sent(project, fn, span, block, name, how) or mirrors(project, fn, name, how):
        return True
    if how == "replaces":
        return any(made_anew(project, fn, store, name) for store in fn.facts.stores if store.span == span)
    if how == "writes into" and (of_few_keys(project, fn, span) or made_of_key(fn, span)):
        return True
    if how != "adds to" and keeps_results(project, fn, name, span if how == "writes into" else None):
        return True
    if how == "writes into" and keeps_foreign(project, fn, span, block, name):
        return True
    if how in ("writes into", "changes") and (fills(fn, block, name) or made_before(project, fn, span, name)):
        return True
    return how != "replaces" and (ended(project, fn, name) or (how == "changes" and under_way(project, fn, name)))


def keeps_sent(project: Project, fn: Fn, span: Span, block: int, name: str, how: str) -> bool:
    """Whether somebody's requests change what others see: a count of them, a switch for as long as one runs, or what is
    kept of what they say or of who sends them."""
    if how == "adds to":
        return is_handler(project, fn)  # further down it is a figure of the process
    if how == "replaces":
        stored = [store.value for store in fn.facts.stores if store.span == span]
        return restored(fn, block, name) or sent(project, fn, stored)
    owners = project.functions_of(fn.file)
    return any(sent(project, owner, put_into(project, owner, name)) for owner in owners) and not any(
        of_own_time(project, owner, store.value)
        for owner in owners
        for store in owner.facts.stores
        if store.key >= 0 and is_named(project, owner, store, name)
    )


def mirrors(project: Project, fn: Fn, name: str, how: str) -> bool:
    """Whether a store that all processes share is kept beside it: `if redis: await redis.set(key, value)`,
    `else: _values[key] = value`. What is here is a copy, or for when there is no such store."""
    if how in ("replaces", "adds to"):
        return shares(project, fn)
    putters = [owner for owner in project.functions_of(fn.file) if put_into(project, owner, name)]
    return bool(putters) and all(shares(project, owner) or handed_sharing(project, owner) for owner in putters)


def handed_sharing(project: Project, fn: Fn) -> bool:
    """A helper of those that give the shared store the same: `await redis.set(key, mode)`, then `remember(name, mode)`."""
    for edge in project.graph.callers(fn):
        told = [edge.caller.unguarded(vid) for vid in edge.call.passed] if edge.call is not None else []
        told = [value for value in told if value[0] != "const"]
        for call in shared_calls(project, edge.caller) if told else ():
            if any(edge.caller.unguarded(vid) in told for vid in call.passed):
                return True
    return False


def shares(project: Project, fn: Fn) -> bool:
    return any(True for _ in shared_calls(project, fn))


def shared_calls(project: Project, fn: Fn) -> Iterator[Call]:
    """What asks, or tells, a store that is shared: by its library's model, or by what it is called."""
    yield from (site.call for site in project.effects.direct(fn) if SHARED & {*site.model.effect})
    for call in fn.calls:
        func = fn.value(call.func)
        if func[0] == "name":
            shown = str(func[1]).rpartition(".")[0]
        else:
            owner = fn.value(object_root(fn, func[1])) if func[0] == "attr" else ("",)
            owner = fn.unguarded(owner[1]) if owner[0] == "await" else owner
            shown = fn.callee_name(fn.facts.calls[owner[1]]) if owner[0] == "call" else str(owner[-1])
        if STORES.search(shown):
            yield call


def of_own_time(project: Project, fn: Fn, vid: Vid) -> bool:
    """A point in time (`now + TTL`), or a count of what is under way (`running - 1`)."""
    value = fn.value(root(fn, vid))
    if value[0] == "binop":
        return value[1] == "-" or any(of_own_time(project, fn, part) for part in value[2:])
    return by_clock(project, fn, vid, TIMES)


def is_handler(project: Project, fn: Fn) -> bool:
    return fn.fqn in project.route_functions or (project.layer(fn) == "controller" and not project.graph.callers(fn))


def put_into(project: Project, fn: Fn, name: str) -> list[Vid]:
    """Keys and values that a function puts into the container."""
    found: list[Vid] = []
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        dotted, _, method = str(value[-1]).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
        if method in PUTS:
            own = value[0] == "attr" and (class_state(project, fn, value[1]) or module_name(project, fn, value[1]))
            if own == name or (value[0] == "name" and dotted_state(project, fn, dotted)[0] == name):
                found += call.passed
    for store in fn.facts.stores:
        owner = store.base if not store.name and store.key >= 0 and not fn.is_module else -1
        if owner >= 0 and name in (module_name(project, fn, owner), class_state(project, fn, owner)):
            found += (store.key, store.value)
    return found


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


def is_named(project: Project, fn: Fn, store: Store, name: str) -> bool:
    return not store.name and module_name(project, fn, store.base) == name


def made_anew(project: Project, fn: Fn, store: Store, name: str) -> bool:
    """A clock's time, a client, what is made again where what there is is no longer fresh; or None, so that it is."""
    if by_clock(project, fn, store.value) or keeps_client(project, fn, store.value) or stale(fn, store, name):
        return True
    if fn.const(store.value) is not None:
        return False
    return any(
        keeps_client(project, owner, other.value)
        or stale(owner, other, name)
        or (owner.value(root(owner, other.value))[0] == "call" and tests(owner, name))
        for owner in project.functions_of(fn.file)
        for other in owner.facts.stores
        if other.key < 0 and not owner.is_module and is_named(project, owner, other, name)
    )


def tests(fn: Fn, name: str) -> bool:
    return any(item.kind == "if" and item.value >= 0 and mentions(fn, item.value, name) for item in fn.facts.blocks)


def stale(fn: Fn, store: Store, name: str) -> bool:
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
    if leaves_filled(fn, name, span):
        return True
    callers = project.graph.callers(fn)
    return bool(callers) and all(
        edge.call is not None
        and (empty_guard(edge.caller, edge.call.block, name) or leaves_filled(edge.caller, name, edge.span))
        for edge in callers
    )


def leaves_filled(fn: Fn, name: str, before: Span) -> bool:
    return any(
        item.kind == "if"
        and item.exits == "return"
        and item.value >= 0
        and item.span < before
        and is_itself(fn, item.value, name)
        for item in fn.facts.blocks
    )


def is_itself(fn: Fn, vid: Vid, name: str) -> bool:
    """The truth of the container: `_table`, `len(_table)`, `self._table`."""
    value = fn.facts.values[vid]
    if value[0] == "attr":
        return name == f"self.{value[2]}" and fn.facts.values[value[1]] == ("param", 0)
    return value[0] in ("name", "guard", "call", "mut", "store") and mentions(fn, root(fn, vid), name)


def empty_guard(fn: Fn, block: int, name: str) -> bool:
    """`if not _table:` around the block."""
    for _, item in fn.blocks_of(block):
        value = fn.facts.values[item.value] if item.kind == "if" and item.value >= 0 else ("",)
        if value[0] == "not" and is_itself(fn, value[1], name):
            return True
    return False


def under_way(project: Project, fn: Fn, name: str) -> bool:
    """A set from which a `finally` takes out again what was put in: what this process is at work on."""
    for owner in project.functions_of(fn.file):
        for call in owner.facts.calls:
            value = owner.facts.values[call.func]
            dotted, _, method = str(value[1]).rpartition(".") if value[0] == "name" else ("", "", "")
            taken = method in ("discard", "remove") and owner.inside(call.block, "finally") is not None
            if taken and dotted_state(project, owner, dotted)[0] == name:
                return True
    return False


def ended(project: Project, fn: Fn, name: str) -> bool:
    """`waiting[queue] = wish`, `finally: del waiting[queue]` of a queue that is made here: of use to this process alone, and for
    as long as the function runs."""
    made = (store for store in fn.facts.stores if store.key >= 0 and module_name(project, fn, store.base) == name)
    return any(fn.value(root(fn, store.key))[0] == "call" for store in made) and any(
        deleted == name and fn.inside(block, "finally") is not None for deleted, _, block, _ in deletions(project, fn)
    )


def decorates(fn: Fn) -> bool:
    """`def register(kind): def put(function): ...; return function`: what a decorator with arguments gives runs at import."""
    kinds = [fn.value(object_root(fn, item.value)) for item in fn.facts.returns if item.value >= 0]
    return bool(kinds) and all(value == ("param", 0) or value[0] == "def" for value in kinds)


def in_handler(project: Project, fn: Fn) -> bool:
    """Reached from an endpoint, or a handler that no route is known for, or a middleware; not what only start-up code calls."""
    if project.reach(fn.fqn):
        return True
    layer = project.layer(fn)
    return (layer == "controller" or (layer == "middleware" and fn.name != "__init__")) and not project.graph.callers(
        fn
    )


def advice(name: str, how: str) -> bool:
    return bool(LOCAL_CACHE.search(name)) or (how == "replaces" and bool(SET_UP.search(name)))


def of_process(project: Project, fn: Fn, name: str) -> bool:
    """`_tasks: set[asyncio.Task]`, `_tasks.add(asyncio.create_task(...))`: what runs in a process is of no use to another."""
    for home, annotation in said_of(project, fn, name):
        inner = (home.facts.values[vid] for vid in ingredients(home.facts, [annotation]))
        if any(value[0] == "name" and project.libraries.canonical(str(value[1])) in RUNNING for value in inner):
            return True
    return any(
        runs(project, owner, vid) for owner in project.functions_of(fn.file) for vid in kept(project, owner, name)
    )


def said_of(project: Project, fn: Fn, name: str) -> Iterator[tuple[Fn, Vid]]:
    """What the module, or the class for `self.name`, says that the variable holds."""
    module = project.module_function(fn.file)
    for item in module.facts.bindings:
        if item.name == name and item.annotation >= 0:
            yield module, item.annotation
    for cls in project.hierarchy.mro(fn.cls) if fn.cls is not None and name.startswith("self.") else ():
        annotation = cls.facts.annotations.get(name.removeprefix("self."), -1)
        if annotation >= 0:
            yield cls.owner, annotation


def kept(project: Project, fn: Fn, name: str) -> Iterator[Vid]:
    """What a function puts into the container."""
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        owner, _, method = str(value[1]).rpartition(".") if value[0] == "name" else ("", "", "")
        if method in ADDS and dotted_state(project, fn, owner)[0] == name:
            yield from call.args
    for store in fn.facts.stores:
        if is_named(project, fn, store, name):
            yield store.value


def keeps_clients(project: Project, fn: Fn, span: Span) -> bool:
    """`_clients[url] = redis.Redis(...)`: each process is meant to have connections of its own."""
    return any(keeps_client(project, fn, store.value) for store in stored_at(fn, span))


def stored_at(fn: Fn, span: Span) -> list[Store]:
    return [store for store in fn.facts.stores if store.span == span and store.key >= 0]


def of_few_keys(project: Project, fn: Fn, span: Span) -> bool:
    """`if key not in _ids: _ids[key] = look_up(key)` for keys that the settings name: another process finds the same."""
    return any(
        asked(fn, dotted(fn, store), store.key)
        and bounded(project, fn, store)
        and not is_container(project, fn, root(fn, store.value))
        for store in stored_at(fn, span)
    )


def made_of_key(fn: Fn, span: Span) -> bool:
    """`_signers[name] = Signer(name)`: of nothing but its key, it is the same in each process."""
    for store in stored_at(fn, span):
        value = fn.value(root(fn, store.value))
        passed = fn.facts.calls[value[1]].passed if value[0] == "call" else ()
        if passed and all(fn.unguarded(vid) == fn.unguarded(store.key) for vid in passed):
            return True
    return False


def dotted(fn: Fn, store: Store) -> str:
    value = fn.facts.values[root(fn, store.base)]
    return str(value[1]) if value[0] == "name" else ""


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
    if any(ref.name in IMPORTS for call in calls for ref in project.callees(fn, call)):
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


def level(name: str) -> str:
    return "class" if name.startswith("self.") else "module"


def changes(project: Project, fn: Fn) -> Iterator[tuple[str, Span, int, str]]:
    """Name, place, block and kind of what the function does to globals."""
    for store in fn.facts.stores:
        if store.name:
            owner = object_name(project, fn, store.base) if store.augmented else ""
            if owner:
                yield f"{owner}.{store.name}", store.span, store.block, "adds to"
            continue
        name = module_name(project, fn, store.base)
        if not name:
            own = class_state(project, fn, store.base)
            if own and store.key >= 0:
                yield own, store.span, store.block, "writes into"
            continue
        if store.key >= 0 and holds_state(project, fn, root(fn, store.base)):
            yield name, store.span, store.block, "writes into"
        elif store.key < 0 and (store.augmented or not once(fn, store.block, name)):
            yield name, store.span, store.block, "adds to" if store.augmented else "replaces"
    for call in fn.facts.calls:
        value = fn.facts.values[call.func]
        dotted, _, method = str(value[-1]).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
        if method not in CHANGES:
            continue
        if value[0] == "attr":
            own = class_state(project, fn, value[1])
            name = own or module_name(project, fn, value[1])
            state = bool(own) or holds_state(project, fn, root(fn, value[1]))
        else:
            name, state = dotted_state(project, fn, dotted)
        if name and state:
            yield name, call.span, call.block, "changes"
    yield from deletions(project, fn)


def deletions(project: Project, fn: Fn) -> Iterator[tuple[str, Span, int, str]]:
    """`del state[key]`."""
    for statement in fn.facts.statements:
        if statement.kind == "delete" and statement.value >= 0:
            value = fn.facts.values[statement.value]
            if value[0] == "item":
                name = module_name(project, fn, value[1])
                if name and holds_state(project, fn, root(fn, value[1])):
                    yield name, statement.span, statement.block, "deletes from"


def object_name(project: Project, fn: Fn, vid: Vid) -> str:
    """The module-level variable that holds the project's own object (`stats = Stats()`), or ""."""
    value = fn.facts.values[vid]
    if value[0] != "name" or not any(ref.kind == "inst" for ref in project.refs(fn, vid)):
        return ""
    target = project.modules.resolve(str(value[1]), fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
        return ""
    return target.name if is_made(project, project.module_function(target.file), target.vid) else ""


def is_made(project: Project, module: Fn, vid: Vid) -> bool:
    """Whether the project's code makes the object: a proxy, or what a cast says it is, may be another for each request."""
    value = module.unguarded(root(module, vid))
    call = module.facts.calls[value[1]] if value[0] == "call" else None
    return call is not None and any(ref.kind in ("class", "func") for ref in project.callees(module, call))


def root(fn: Fn, vid: Vid) -> Vid:
    """The outermost container of an item."""
    value = fn.facts.values[vid]
    while value[0] in ("item", "guard", "mut", "store"):
        vid = value[1]
        value = fn.facts.values[vid]
    return vid


def module_name(project: Project, fn: Fn, vid: Vid) -> str:
    """The name of the module-level variable that a value is (or lies in), or ""."""
    value = fn.facts.values[root(fn, vid)]
    if value[0] != "name":
        return ""
    target = project.modules.resolve(str(value[1]), fn.file.module)
    return target.name if target.kind == "variable" and target.file is not None and not target.rest else ""


def dotted_state(project: Project, fn: Fn, dotted: str) -> tuple[str, bool]:
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind != "variable" or target.file is None or target.rest or target.vid < 0:
        return "", False
    return target.name, is_container(project, project.module_function(target.file), target.vid)


def class_state(project: Project, fn: Fn, vid: Vid) -> str:
    """`self.hits`, where `hits = {}` stands in the class and no method gives the instance one of its own; or ""."""
    value = fn.facts.values[root(fn, vid)]
    if value[0] != "attr" or fn.cls is None or fn.facts.values[value[1]] != ("param", 0) or fn.kind != "method":
        return ""
    for cls in project.hierarchy.mro(fn.cls):
        own = cls.facts.attributes.get(value[2], -1)
        if own >= 0:
            kept = is_container(project, cls.owner, own) and not any(
                project.hierarchy.stores(item, value[2]) for item in project.hierarchy.mro(fn.cls)
            )
            return f"self.{value[2]}" if kept else ""
    return ""


def holds_state(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    return value[0] == "name" and dotted_state(project, fn, str(value[1]))[1]


def is_container(project: Project, module: Fn, vid: Vid) -> bool:
    """A list, dict or set of the module's own."""
    value = module.value(object_root(module, vid))
    if value[0] in ("list", "dict", "set") or (value[0] == "comp" and value[1] != "gen"):
        return True
    if value[0] != "call":
        return False
    made = project.callees(module, module.facts.calls[value[1]])
    return any(ref.name in MUTABLE for ref in made)


def once(fn: Fn, block: int, name: str) -> bool:
    """`if _client is None: _client = ...`: made when it is missing."""
    set_here = {name} | {
        str(fn.facts.values[root(fn, store.base)][-1]).rpartition(".")[2]
        for store in fn.facts.stores
        if store.block == block and not store.name and store.key < 0
    }
    for _, item in fn.blocks_of(block):
        tested = item.value if item.kind in ("if", "else") else -1
        if tested >= 0 and (not_there(fn, tested, name) or any(mentions(fn, tested, other) for other in set_here)):
            return True
    return any(
        item.kind == "if" and item.exits == "return" and item.value >= 0 and mentions(fn, item.value, name)
        for item in fn.facts.blocks
    )


def not_there(fn: Fn, vid: Vid, name: str) -> bool:
    """`"_client" not in globals()`."""
    value = fn.facts.values[vid]
    if value[0] != "compare" or tuple(value[1]) != ("not in",) or fn.const(value[2][0]) != name:
        return False
    asked = fn.facts.values[value[2][1]]
    return asked[0] == "call" and fn.value(fn.facts.calls[asked[1]].func) == ("name", "builtins.globals")


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


def locked(fn: Fn, block: int) -> bool:
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


def definition(project: Project, fn: Fn, name: str) -> tuple[Step, ...]:
    module = project.module_function(fn.file)
    return tuple(
        module.step(item.span, f"`{name}` is made here") for item in module.facts.bindings if item.name == name
    )[:1]
