"""Work that is done for each item, of which the query is only one step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from backendlint.api import (
    Block,
    Call,
    CallModel,
    Edge,
    Fn,
    LazyRead,
    Project,
    Repeated,
    Span,
    Vid,
    aliases,
    depends,
    identifier_words,
    is_used,
    name_of,
    receiver,
    stored_entity,
)

from .answers import asked_by, by_answer, is_missing, where_there

WORK = ("commit", "http", "mail", "queue-publish", "subprocess", "cloud", "db-write")
"""Effects that make the loop's body a unit of work of its own: its query is one step among others."""
DELETES = ("delete", "adelete")
SERIALIZER = "rest_framework.serializers.BaseSerializer.save"
"""Validates and stores one object: larger work than the look-up of that object."""
OUTSIDE = frozenset({"http", "mail", "queue-publish", "subprocess", "cloud", "grpc"})
"""Effects beside the query that make the loop's body such a unit."""
STORES = ("db", "sql", "mongo", "redis", "cache", "supabase", "test", "session")
"""Words of what is a client of the database itself, or of none."""
ACTS = re.compile(
    r"_*((send|publish|notify|dispatch|emit|enqueue|export|broadcast|trigger|save|upload|delete|purge|destroy|shred|archive|release"
    r"|deactivate|ensure|upsert)(_|$)|\w+_or_create(_|$))"
)
"""Names of functions that do something for each item, even where what they do it with could not be followed."""
SENDS = re.compile(r"_*(send|notify|publish|broadcast|emit)(_|$)")
"""Names of functions that bring something to somebody, whatever library or plugin they do it with."""
STOWS = re.compile(r"_*(write|save|store|upload|remove|delete|unlink|move|copy|rm|rmtree|extract)(_|$)")
"""Names of functions that change what lies in the file system, where files are what they work on."""
DOES = frozenset(
    "create revoke grant remove reset merge cancel assign restore expire close migrate sync switch activate".split()
)
"""First words of functions that, called for nothing that they give, change something for each item."""
MAKES = frozenset({"create", "update_or_create"})
FINDS = re.compile(r"_or_create(_|$)")
"""Names of functions that seldom write: what is wanted is there already."""
CLEARS = re.compile(
    r"_*((full|hard|soft|really|do)_)?(purge|destroy|shred|erase|wipe|archive|release|clean|cleanup|clear|anonymi[sz]e|unregister|tear_?down)(_|$)"
)
"""Names of functions that take something apart, with all that belongs to it: seldom, and nobody waits for long."""


def beside_work(project: Project, item: Repeated | LazyRead) -> bool:
    """Whether the loop's body also calls other services, commits or sends something for each item: the query is one step of a
    unit of work."""
    fn, own = item.fn, isinstance(item, LazyRead) and not item.steps
    outside_of = OUTSIDE - {"http"} if own else OUTSIDE  # its query loads it by a word, whatever else a page fetches
    if _transaction_each(project, fn, item.loop, item.span):
        return True
    branches: set[tuple[int, str]] = set()
    decided: set[tuple[int, str]] = set()
    perhaps: set[tuple[int, str]] = set()
    for call, within in _beside(item):
        effects = project.effects.call_effects(fn, call)
        outside = not outside_of.isdisjoint(effects) or (not own and _asks_client(project, fn, call, effects))
        stored = _stores_row(item, call)
        seldom = own or stored or any(block.kind == "except" for _, block in within)
        writes = not seldom and _sends_write(project, fn, call)
        acts = not own and _does_something(project, fn, call)
        if outside or writes or (acts and _says_what_it_does(fn.callee_name(call))):
            if not by_answer(item, within) or (writes and _makes_row(project, fn, call)):
                return True
            decided.add(_branch(within))
        elif acts:
            perhaps.add(_branch(within))
        name, models = fn.callee_name(call), project.models(fn, call)
        if own and name in DELETES and not call.passed:
            branches.add(_branch(within))
        itself = any("commit" in model.effect or model.name == SERIALIZER for model in models)
        if "file" in effects and STOWS.match(name):
            return True
        commits = itself or ("commit" in effects and not stored and not FINDS.search(name))
        if SENDS.match(name) or (commits and not own):
            each = [part for part in within if not where_there(item, part[1]) and not _where_valid(fn, part[1])]
            branches.add(_branch(each) if itself or not _may_be_left(item, call) else (-2, ""))
    either = any(_either_way({*perhaps, branch}) for branch in decided)
    return (-1, "") in branches or _either_way(branches) or _either_way(decided) or either


def _beside(item: Repeated | LazyRead) -> Iterator[tuple[Call, list[tuple[int, Block]]]]:
    """The other calls of the loop's rounds, each with the blocks that lie around it in a round."""
    for call in item.fn.calls:
        way = item.fn.blocks_of(call.block)
        end = next((index for index, (_, block) in enumerate(way) if block.span == item.loop), -1)
        if end >= 0 and call.span != item.span:
            yield call, way[:end]


def _where_valid(fn: Fn, block: Block) -> bool:
    """`if form.is_valid(): form.save()`: nearly each round comes there."""
    value = fn.unguarded(block.value) if block.kind == "if" and block.value >= 0 else ("",)
    return value[0] == "call" and fn.callee_name(fn.calls[value[1]]) == "is_valid"


def _either_way(branches: set[tuple[int, str]]) -> bool:
    """`if known: update(row) else: send(row)`"""
    return any((number, "else") in branches for number, kind in branches if kind == "if")


def _does_something(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a function of the project is called for nothing that it gives."""
    return bool(project.targets(fn, call)) and is_statement(fn, call)


def is_statement(fn: Fn, call: Call) -> bool:
    """Whether nothing takes what a call gives, awaited or not."""
    awaited = next((vid for vid in fn.made_of(call.value) if fn.value(vid)[0] == "await"), call.value)
    return not is_used(fn.facts, awaited)


def _sends_write(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a call sends a statement that writes, each time: not `session.add(row)`, nor what else a session writes at its
    next flush."""
    if any(query.call is call and query.kind == "write" for query in project.queries.sent(fn)):
        return not any(_waits(model) for model in project.models(fn, call))
    if _saves(project, fn, call):
        return True
    for target in project.targets(fn, call):
        edges, site = project.effects.chain(target, "db-write")
        if site is not None and ACTS.match(target.name) and not FINDS.search(target.name):
            return True
        if site is not None and not _waits(site.model):
            return _each_time(target, edges[0].block if edges else site.call.block)
    return False


def _each_time(fn: Fn, block: int) -> bool:
    """Whether a function comes there nearly always: not below an `if` alone (`if not cached: self.fill()`), nor after a failure."""
    both = {part.group for part in fn.facts.blocks if part.kind == "else"}
    return all(part.kind != "except" and (part.kind != "if" or number in both) for number, part in fn.blocks_of(block))


def _waits(model: CallModel) -> bool:
    """Whether it writes at the next flush, or, as `get_or_create()`, seldom."""
    return model.orm is not None and (model.orm.deferred or model.orm.op == "get_or_create")


def _makes_row(project: Project, fn: Fn, call: Call) -> bool:
    """`if not Label.objects.filter(name=name).exists(): Label.objects.create(name=name)`: found or made, one by one."""
    models = project.models(fn, call)
    return any(model.orm is not None and (model.orm.op in MAKES or model.name.endswith(".add")) for model in models)


def _stores_row(item: Repeated | LazyRead, call: Call) -> bool:
    """`order = Order.objects.get(pk=key); order.paid = True; order.save()`, `crate.orders.add(order)`: the row that was asked
    for, which one query could fetch with the others, and one write store."""
    fn, name = item.fn, item.fn.callee_name(call)
    if not isinstance(item, Repeated) or name not in ("save", "asave", "add"):
        return False
    asked, owner = asked_by(item), receiver(fn, call)
    rows = aliases(fn.facts, asked) if asked >= 0 else set()
    if name != "add":
        return owner in rows
    around = next((number for number, block in enumerate(fn.facts.blocks) if block.span == item.loop), -1)
    return not rows.isdisjoint(call.args) and owner >= 0 and not depends(fn, [owner], around)


def _may_be_left(item: Repeated | LazyRead, call: Call) -> bool:
    """Whether some rounds end before the call: `if known: continue`; not where what was asked for is not there."""
    left = (block for block in item.fn.facts.blocks if block.exits in ("continue", "break"))
    before = (block for block in left if item.loop.holds(block.span) and block.span[2:] <= call.span[:2])
    return any(not is_missing(item.fn, block.value, item.span) for block in before)


def _branch(within: Sequence[tuple[int, Block]]) -> tuple[int, str]:
    """The `if` in whose branch a place of a loop lies, and which it is; (-1, "") where each round comes there."""
    tests = [(block.group, block.kind) for _, block in within if block.kind in ("if", "else")]
    return (-1, "") if not tests else tests[0] if len(tests) == 1 else (-2, "")


def _asks_client(project: Project, fn: Fn, call: Call, effects: set[str]) -> bool:
    """`search_client.index(row)`: by its name the client of another service, whatever library that is of; also one that is handed
    on (`register(row, documents_client)`), where it is an object of the project."""
    base, own = receiver(fn, call), any(effect.startswith(("db", "cache")) for effect in effects)
    if base >= 0 and not own and _is_client(fn, base):
        return True
    handed = [vid for vid in call.passed if _is_client(fn, vid)]
    return any(ref.kind == "inst" for vid in handed for ref in project.refs(fn, vid))


def _is_client(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    while value[0] in ("enter", "await"):
        vid = value[1]
        value = fn.unguarded(vid)
    name = name_of(fn.file, fn.facts, vid).rpartition(".")[2].removesuffix("()").lower()
    return name.endswith("client") and not any(word in name for word in STORES)


def _transaction_each(project: Project, fn: Fn, loop: Span, place: Span) -> bool:
    """Whether each round has a transaction of its own, that may fail by itself; or the one that asks has, in whatever branch."""
    for number, block in enumerate(fn.facts.blocks):
        if block.kind == "with" and project.transactions.is_transaction(fn, block):
            way = [part for _, part in fn.blocks_of(number)]
            end = next((index for index, part in enumerate(way) if part.span == loop), 0)
            alone = all(part.kind in ("with", "try") for part in way[:end])
            if end and (alone or block.span.holds(place)):
                return True
    return False


def works(project: Project, fn: Fn) -> bool:
    """Whether what is done for each item is a piece of work, of which the query is only a part."""
    if ACTS.match(fn.name) is not None or any(_does(project, fn, effect) for effect in WORK):
        return True
    if any(query.kind == "write" for query in project.queries.direct(fn)) or _changes_rows(project, fn):
        return True
    if any(_saves(project, fn, call) for call in fn.calls):
        return True
    if any(_asks_client(project, fn, call, project.effects.call_effects(fn, call)) for call in fn.calls):
        return True
    return any(project.queries.hands_write(edge) for edge in project.graph.callees(fn))


def does(edge: Edge) -> bool:
    """`revoke_role(user)`: called for nothing that it gives, by a name that says what it changes, however it does that."""
    named = _says_what_it_does(edge.callee.name)
    return edge.call is not None and named and is_statement(edge.caller, edge.call)


def _says_what_it_does(name: str) -> bool:
    return not DOES.isdisjoint(identifier_words(name)[:1])


def _saves(project: Project, fn: Fn, call: Call) -> bool:
    """`twin.save()` of what nothing tells the class of: whatever has such a method is stored by it."""
    named = fn.callee_name(call) in ("save", "asave") and not call.args and receiver(fn, call) >= 0
    return named and not project.targets(fn, call) and not project.models(fn, call)


def _does(project: Project, fn: Fn, effect: str) -> bool:
    """Whether it has the effect by what it calls; what a property does is only how something that is shown is computed."""
    if not project.effects.has(fn, effect):
        return False
    return all(edge.kind != "property" for edge in project.effects.chain(fn, effect)[0])


def _changes_rows(project: Project, fn: Fn) -> bool:
    """`service.active = False`: what the session then writes; not `self._known = ...`, which is no column."""
    stores = (store for store in fn.facts.stores if store.name.lstrip("_") == store.name != "" and store.base >= 0)
    rows = (store.base for store in stores if fn.name != "__init__")
    refs = (ref for vid in rows for ref in project.refs(fn, vid) if ref.kind == "inst")
    return any(stored_entity(project, project.classes[ref.name]) for ref in refs)


def clears(project: Project, fn: Fn, loop: Span) -> bool:
    """Whether the loop changes or deletes what belongs to what a function takes apart; a handler of `DELETE` is called for more."""
    if CLEARS.match(fn.name) is None or project.layer(fn) == "controller":
        return False
    inner = {n for n, _ in enumerate(fn.facts.blocks) if any(part.span == loop for _, part in fn.blocks_of(n))}
    if any(call.block in inner and ACTS.match(fn.callee_name(call)) for call in fn.calls):
        return True
    edges = (edge for edge in project.graph.callees(fn) if edge.call is not None and edge.block in inner)
    return any(query.kind == "write" and query.block in inner for query in project.queries.direct(fn)) or any(
        works(project, edge.callee) for edge in edges
    )
