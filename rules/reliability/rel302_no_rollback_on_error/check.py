"""REL302: a handler around writes that goes on without a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from backendlint.api import (
    Block,
    Call,
    Edge,
    Fn,
    Hit,
    Project,
    Site,
    before,
    below,
    object_root,
    runs_by_hand,
    siblings,
    told_once,
)

from .caught import spoilt

STORES = frozenset({"commit", "flush"})
ASKS = frozenset({"db", "db-read", "db-write", "commit", "flush"})
PENDING = frozenset({"add", "add_all", "delete", "merge", "execute"})
AUTOCOMMIT = "autocommit"
MAX_CHAIN = 6
TEARDOWNS = frozenset({"teardown_appcontext", "teardown_request"})
CAUGHT = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    """One hit a handler that swallows a failed commit, flush or statement and leaves the transaction as it is."""
    seen: set[tuple[str, int]] = set()
    begun: list[Hit] = []
    for fn in project.reviewed():
        for site in project.effects.direct(fn):
            handler = _handler(project, fn, site) if site.model.transaction or site.model.sql is not None else -1
            what = _what(project, fn, site) if handler >= 0 else ""
            if not what or (fn.fqn, handler) in seen or project.transactions.around(fn, site.call.block) is not None:
                continue
            if _rolled_back(project, fn, handler) or _closed(project, fn, site.call, fn.facts.blocks[handler]):
                continue
            if _raised_by_all(project, fn, handler):
                continue
            if what == "statement" and not _goes_on(project, fn, site.call):
                continue
            if what != "statement" and (
                _ends(project, fn, site.call, handler) or _stored_below(project, fn, site.call, handler)
            ):
                continue
            seen.add((fn.fqn, handler))
            yield _hit(project, fn, site.call, handler, what)
        for call, site in _below(project, fn):
            handler = _handler(project, fn, site._replace(call=call), ())
            if handler < 0 or (fn.fqn, handler) in seen or project.transactions.around(fn, call.block) is not None:
                continue
            left = _rolled_back(project, fn, handler) or _closed(project, fn, call, fn.facts.blocks[handler])
            if not left and not any(
                _own(project, fn, vid) and _last(project, fn, handler, vid) for vid in _given(fn, call)
            ):
                seen.add((fn.fqn, handler))
                yield _hit(project, fn, call, handler, site.model.transaction)
        begun += _begun(project, fn)
        yield from _left_open(project, fn)
        yield from spoilt(project, fn)
    yield from told_once(begun, _elsewhere, severity=None, each=lambda hit: hit.location.path)


def _elsewhere(hit: Hit, others: str) -> str:
    return f"{hit.message} So it is in {others} of this file."


def _begun(project: Project, fn: Fn) -> Iterator[Hit]:
    """A transaction of a connection from elsewhere that is begun and committed by calls, with nothing that rolls it back."""
    for begin, commit in project.transactions.begun(fn):
        ends = any(
            project.effects.call_effects(fn, call) & {"rollback"} or any(m.closes for m in project.models(fn, call))
            for call in fn.calls
        )
        if ends or not _from_elsewhere(project, fn, begin) or project.transactions.around(fn, begin.block) is not None:
            continue
        yield Hit(
            f"`{fn.name}()` begins a transaction here and commits it in line {commit.span.line}, but rolls it back nowhere: "
            "after an error between the two the connection goes on inside it, and what uses it next fails or is lost; "
            "open the transaction by `with`, or roll back on the way out.",
            fn.location(begin.span),
            related=(fn.step(commit.span, "committed here, if nothing failed"),),
            function=fn.fqn,
            profile="strict" if runs_by_hand(project, fn) else None,
        )


def _left_open(project: Project, fn: Fn) -> Iterator[Hit]:
    """`transaction.set_autocommit(False)`, work, `set_autocommit(True)`: an error between the two leaves the connection of the
    thread in a transaction that nobody ends."""
    switches = [
        site.call
        for site in project.effects.direct(fn)
        if site.model.transaction == AUTOCOMMIT and site.call.args and fn.const(site.call.args[0]) in (True, False)
    ]
    off = [call for call in switches if fn.const(call.args[0]) is False]
    kept = [call for call in fn.calls if call in switches or fn.callee_name(call) == "rollback"]
    if not off or any(fn.inside(call.block, "finally", "except") is not None for call in kept):
        return
    if len(off) < len(switches):
        yield Hit(
            f"`{fn.name}()` turns autocommit off here and on again at its end alone: after an error between the two the thread's "
            "connection stays in an open transaction, which nobody commits; use `transaction.atomic()`, or a `finally`.",
            fn.location(off[0].span),
            function=fn.fqn,
            profile="strict" if runs_by_hand(project, fn) else None,
        )


def _from_elsewhere(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the connection of a call was neither opened nor entered here: `self.conn.transaction()`."""
    for _ in range(MAX_CHAIN):
        func = fn.value(call.func)
        owner = fn.value(object_root(fn, func[1])) if func[0] == "attr" else func
        if owner[0] != "call":
            return owner[0] in ("param", "attr", "name")
        call = fn.calls[owner[1]]
        if any(model.opens for model in project.models(fn, call)):
            return False
    return False


def _below(project: Project, fn: Fn) -> Iterator[tuple[Call, Site]]:
    """Calls of functions that commit a session which is not their own, and leave a failure to their caller."""
    if not any(block.kind == "except" for block in fn.facts.blocks):
        return
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None or not project.effects.has(edge.callee, "commit"):
            continue
        edges, site = project.effects.chain(edge.callee, "commit")
        if site is None or edges or site.model.transaction not in STORES:
            continue
        value = site.fn.facts.values[site.call.func]
        base = site.fn.facts.values[object_root(site.fn, value[1])] if value[0] == "attr" else value
        alone = site.fn.inside(site.call.block, "with", "try") is None
        if alone and base[0] in ("attr", "param", "name"):
            yield edge.call, site


def _hit(project: Project, fn: Fn, call: Call, handler: int, what: str) -> Hit:
    block = fn.facts.blocks[handler]
    once = project.layer(fn) == "migration" or project.lifecycle.alone_leads_to(fn)
    return Hit(
        f"The handler in `{fn.name}()` goes on after a failed {what} without a rollback: the "
        "session stays in its failed transaction, and what uses it next fails too; call `rollback()` here.",
        fn.location(block.keyword),
        related=(fn.step(call.span, f"the {what} that can fail"),),
        function=fn.fqn,
        profile="strict" if once or runs_by_hand(project, fn) else None,
    )


def _what(project: Project, fn: Fn, site: Site) -> str:
    """commit or flush; statement for a write by a connection to PostgreSQL, whose transaction any error aborts; or ""."""
    if not project.transactions.implicit(site.model):
        return ""
    if site.model.transaction in STORES:
        return site.model.transaction
    library = project.libraries.library(site.model.library)
    dialect = (library.dialect if library is not None else "") or project.data.dialect
    writes = site.model.sql is not None and any(write.call is site.call for write in project.writes.direct(fn))
    if not writes or dialect != "postgres" or any(AUTOCOMMIT in line for line in _names(fn)):
        return ""
    return "statement"


def _names(fn: Fn) -> Iterator[str]:
    """Attributes and keywords that the file sets."""
    for owner in fn.file.functions:
        yield from (store.name for store in owner.stores)
        yield from (key.lower() for call in owner.calls for key, _ in call.kwargs)
        yield from (
            str(value[1]).lower() for value in owner.values if value[0] == "const" and isinstance(value[1], str)
        )


def _goes_on(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the connection is used afterwards: it is an attribute or an argument, or the function itself goes on with it."""
    value = fn.facts.values[call.func]
    base = fn.facts.values[object_root(fn, value[1])] if value[0] == "attr" else value
    if base[0] in ("attr", "param", "name"):
        return True
    return any(before(call.span, site.call.span) and site.model.sql is not None for site in project.effects.direct(fn))


def _ends(project: Project, fn: Fn, call: Call, handler: int) -> bool:
    """Whether nothing uses the session afterwards: it is the request's, or was made here, and the function ends with the handler."""
    value = fn.facts.values[call.func]
    answers = fn.fqn in project.route_functions and not fn.facts.is_generator
    if answers and (project.transactions.of_request(fn, call) or _dropped(project, fn, call)):
        return _last(project, fn, handler, -1)
    if value[0] != "attr":
        return False
    root = object_root(fn, value[1])
    given = fn.facts.values[root][0] == "param"
    ends = _own(project, fn, root) or (given and (answers or _left_by_all(project, fn, fn.facts.values[root][1])))
    return ends and _last(project, fn, handler, root)


def _dropped(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the session is a module's that the application drops after each request: `@app.teardown_appcontext` above what
    calls its `remove()`."""
    session = _of_module(project, fn, call)
    return session is not None and any(
        _of_module(project, hook, other) == session
        for hook, other in project.graph.calls_written("remove")
        if any(ref.name.rpartition(".")[2] in TEARDOWNS for ref in hook.decorators)
    )


def _of_module(project: Project, fn: Fn, call: Call) -> tuple[str, str] | None:
    """The module's variable on which a method is called, by its file and name."""
    value = fn.facts.values[call.func]
    if value[0] != "name":
        return None
    target = project.modules.resolve(str(value[1]), fn.file.module)
    if target.kind != "variable" or target.file is None or len(target.rest) != 1:
        return None
    return target.file.path, target.name


def _left_by_all(project: Project, fn: Fn, slot: int) -> bool:
    """Whether all callers are done with the session that they hand over: it is their own or their request's, and is not used after
    the call."""
    edges = project.graph.callers(fn)
    for edge in edges:
        if edge.call is None or edge.kind != "call" or edge.caller.inside(edge.call.block, "for", "while") is not None:
            return False
        passed = edge.passed(slot)
        if len(passed) != 1:
            return False
        root = object_root(edge.caller, passed[0][0])
        answers = edge.caller.fqn in project.route_functions and edge.caller.facts.values[root][0] == "param"
        later = [other for other in edge.caller.calls if before(edge.call.span, other.span)]
        if not (answers or _own(project, edge.caller, root)) or any(_uses(edge.caller, call, root) for call in later):
            return False
    return bool(edges)


def _raised_by_all(project: Project, fn: Fn, handler: int) -> bool:
    """Whether all callers are about to raise, and ask the database nothing before: `except Exception: clear_up(row); raise`."""
    edges = project.graph.callers(fn)
    return bool(edges) and _last(project, fn, handler, -1) and all(_raises_next(project, edge) for edge in edges)


def _raises_next(project: Project, edge: Edge) -> bool:
    caller, call = edge.caller, edge.call
    if call is None or edge.kind != "call":
        return False
    around = next((number for number, item in caller.blocks_of(call.block) if item.kind == "except"), -1)
    inside = below(caller.facts, around) if around >= 0 else ()
    later = [other for other in caller.calls if other.block in inside and before(call.span, other.span)]
    raised = any(item.block in inside and before(call.span, item.span) for item in caller.facts.raises)
    return raised and not any(ASKS & project.effects.call_effects(caller, other) for other in later)


def _stored_below(project: Project, fn: Fn, commit: Call, handler: int) -> bool:
    """Whether all that the `try` writes before is committed where it is written, by callees that roll back themselves: then
    nothing is left for this commit that could fail."""
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    if any(store.name and store.block in tried for store in fn.facts.stores):
        return False
    earlier = [call for call in fn.calls if call.block in tried and before(call.span, commit.span)]
    if any(fn.callee_name(call) in PENDING and not project.targets(fn, call) for call in earlier):
        return False
    effects = [(call, project.effects.call_effects(fn, call)) for call in earlier]
    writing = [(call, found) for call, found in effects if found & {"db-write", "flush"}]
    return bool(writing) and all(
        {"commit", "rollback"} <= found and bool(project.targets(fn, call)) for call, found in writing
    )


def _given(fn: Fn, call: Call) -> list[int]:
    return [object_root(fn, vid) for vid in call.passed]


def _own(project: Project, fn: Fn, root: int) -> bool:
    """A session that was made here, or is entered by a `with`, whose end closes it."""
    made = fn.facts.values[root]
    opened = made[0] == "call" and any(model.opens for model in project.models(fn, fn.facts.calls[made[1]]))
    return opened or made[0] == "enter"


def _last(project: Project, fn: Fn, handler: int, root: int) -> bool:
    """Whether the handler and what follows it leave the session alone; with no root, anything that asks a database uses it."""
    group = fn.facts.blocks[handler].group
    leaves = fn.facts.blocks[handler].exits == "return"
    entered = _entered_in(fn, group, root)
    if not leaves and _repeated(fn, group, entered):
        return False
    inside, tried = below(fn.facts, handler), fn.facts.blocks[group].span
    later = [other for other in fn.calls if other.block in inside or (other.span[:2] > tried[2:] and not leaves)]
    if entered >= 0:
        held = below(fn.facts, entered)
        later = [other for other in later if other.block in held]
    if root < 0:
        return not any(ASKS & project.effects.call_effects(fn, other) for other in later)
    return not any(_uses(fn, other, root) for other in later)


def _entered_in(fn: Fn, block: int, root: int) -> int:
    """The `with` around a block that makes the session and closes it again; or -1."""
    made = fn.facts.values[root] if root >= 0 else ("",)
    return next(
        (
            number
            for number, item in fn.blocks_of(block)
            if item.kind == "with" and made[0] == "enter" and item.value >= 0 and item.value == made[1]
        ),
        -1,
    )


def _repeated(fn: Fn, block: int, entered: int) -> bool:
    """Whether a loop goes on with the session: one around the block, inside the `with` that makes it."""
    for number, item in fn.blocks_of(block):
        if number == entered:
            return False
        if item.kind in ("for", "while"):
            return True
    return False


def _uses(fn: Fn, call: Call, root: int) -> bool:
    """Whether a call is one of the object's methods, or is given it."""
    value = fn.facts.values[call.func]
    vids = [*call.passed, *((value[1],) if value[0] == "attr" else ())]
    return any(object_root(fn, vid) == root for vid in vids)


def _handler(project: Project, fn: Fn, site: Site, broad: tuple[str, ...] = CAUGHT) -> int:
    """The handler that catches a database error of the call, if it does not raise again."""
    for index, types in project.exceptions.handlers(fn, site.call.block):
        if fn.facts.blocks[index].kind != "except":
            continue
        if any(name in broad or _can_be(project, site, name) for name in types):
            return -1 if _raises(project, fn, index) else index
    return -1


def _raises(project: Project, fn: Fn, handler: int) -> bool:
    """By a `raise`, or by a function that does nothing else in the end."""
    inside = below(fn.facts, handler)
    if any(item.block in inside for item in fn.facts.raises):
        return True
    called = (project.targets(fn, call) for call in fn.calls if call.block in inside)
    return any(targets and all(target.facts.blocks[0].exits == "raise" for target in targets) for targets in called)


def _can_be(project: Project, site: Site, name: str) -> bool:
    """Whether the call may fail with this exception: it, a class above it or one below it is what the library raises."""
    if project.exception_kind(name) not in ("infrastructure", "integrity"):
        return False
    related = project.hierarchy.subclass_of
    raised = [project.libraries.canonical(item) for item in site.model.raises]
    return not raised or any(related(name, item) or related(item, name) for item in raised)


def _rolled_back(project: Project, fn: Fn, handler: int) -> bool:
    """A rollback or close in the handler or the finally block, directly or through a callee."""
    blocks = set(below(fn.facts, handler))
    for index in siblings(fn.facts, handler, "finally"):
        blocks |= below(fn.facts, index)
    return _rolls_back(project, fn, blocks)


def _rolls_back(project: Project, fn: Fn, blocks: AbstractSet[int]) -> bool:
    for call in fn.calls:
        if call.block not in blocks:
            continue
        if project.effects.call_effects(fn, call) & {"rollback"} or any(
            model.closes for model in project.models(fn, call)
        ):
            return True
        value = fn.facts.values[call.func]
        name = str(value[-1] if value[0] == "attr" else value[1]) if value[0] in ("attr", "name") else ""
        if "rollback" in name.lower() or name.endswith(("abort", "close", "exit")):
            return True
    return False


def _closed(project: Project, fn: Fn, call: Call, handler: Block) -> bool:
    """A `with` around the call but inside the handler's `try` ends the transaction before the handler runs, and so does a
    `finally` there that closes; one around the whole does it too, if nothing follows."""
    for number, item in fn.blocks_of(call.block):
        if number == handler.group:
            break
        if item.kind == "with" and item.value >= 0:
            return True
        ends = [n for n, other in enumerate(fn.facts.blocks) if other.kind == "finally" and other.group == number]
        if item.kind == "try" and any(_rolls_back(project, fn, below(fn.facts, end)) for end in ends):
            return True
    return (
        any(
            item.kind == "with" and project.is_instance(fn, item.value, *SESSIONS)
            for _, item in fn.blocks_of(handler.group)
        )
        and handler.exits == "return"
    )


SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession")
