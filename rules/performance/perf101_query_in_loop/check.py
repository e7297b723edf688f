"""PERF101: one statement for each item of a loop."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Hit,
    LazyRead,
    Location,
    Profile,
    Project,
    Relation,
    Repeated,
    Serialized,
    Span,
    Step,
    TemplateRead,
    Vid,
    depends,
    fills_database,
    for_tests,
    grows,
    identifier_words,
    is_django,
    loops_around,
    name_of,
    only_by_hand,
    receiver,
    repeated,
    resolved,
    responded,
    serialized,
    stays_small,
    stored_entity,
    template_reads,
    told_once,
)

ONCE = frozenset({"migration", "command"})
"""Layers whose code runs by hand."""
WORK = ("commit", "http", "mail", "queue-publish", "subprocess", "cloud", "db-write")
"""Effects that make the loop's body a unit of work of its own: its query is one step among others."""
OUTSIDE = frozenset({"http", "mail", "queue-publish", "subprocess", "cloud", "grpc"})
"""Effects beside the query that make the loop's body such a unit."""
STORES = ("db", "sql", "mongo", "redis", "cache", "supabase", "test", "session")
"""Words of what is a client of the database itself, or of none."""
ACTS = re.compile(
    r"_*((send|publish|notify|dispatch|emit|enqueue|export|broadcast|trigger|save|upload|delete|purge|destroy|shred|archive|release"
    r"|deactivate|ensure|upsert)(_|$)|\w+_or_create(_|$))"
)
"""Names of functions that do something for each item, even where what they do it with could not be followed."""
CLEARS = re.compile(
    r"_*((full|hard|soft|really|do)_)?(purge|destroy|shred|erase|wipe|archive|release|clean|cleanup|clear|anonymi[sz]e|unregister|tear_?down)(_|$)"
)
"""Names of functions that take something apart, with all that belongs to it: seldom, and nobody waits for long."""
UPGRADES = re.compile(r"(^|_)(upgrades?|upgrader|backfills?|data_?migrations?|data_?fixes)(_|$)")
"""Names of files, functions and decorators of what runs once, where a new version is put in place."""
LOOKS_UP = re.compile(r"_*(\w+_)??(get|find|fetch|load|look_?up|resolve|retrieve|search|query|select|read|by)(_|$)")
"""Names of functions that look up one row by its key: each loop that calls one is to ask for all of its keys."""
READS_TABLE = re.compile(
    r"^\s*(?!\s|(?:SELECT|WITH)\b)|\b(?:FROM|JOIN)\s+(?!\w+\s*\(|information_schema\.|pg_)(\w+|\S)", re.IGNORECASE
)
"""Statements other than a SELECT, and those of one that reads more than what a function gives, or the server says of itself."""
CTE = re.compile(r"\b(\w+)\s+AS\s*\(", re.IGNORECASE)
WARNS = ("warning", "warn", "error")
ENDS = frozenset({"any", "all", "next"})
MAX_CHAIN = 3
"""So many calls on what was asked are followed back."""
FAR = 3
"""Calls between the loop and the query from which on the loop's author cannot be expected to know."""

TORTOISE = "tortoise.models.Model"
KINDS = 3
"""So many names that a function tells apart make it a switch."""
SHOWN = 3
"""So many other loops of a habit are named."""
FEW_RELATIONS = 2
"""So many of one query are told where each is read."""


def check(project: Project) -> Iterator[Hit]:
    """Queries in loops, then relations read in loops, then what serializers and templates read of each object, then
    properties that ask."""
    seen: set[Location] = set()
    items = list(repeated(project))
    read = [item for item in items if item.edges and item.edges[0].call is None]
    called = [item for item in items if not (item.edges and item.edges[0].call is None)]
    told = [item for item in called if _profile(project, item) is None]
    # What the rows of these queries lack, the one query will load that takes their place.
    single = frozenset((item.fn.path, item.query.fn.location(item.query.span)) for item in told)
    serving = (*_serializers(project), *_responses(project), *_resolvers(project), *_templates(project))
    properties = _beside(_queries(project, read), read, told)
    for hit in (*_queries(project, called), *_relations(project, single), *serving, *properties):
        if hit.location not in seen:
            seen.add(hit.location)
            yield hit


def _beside(hits: Iterable[Hit], read: list[Repeated], told: list[Repeated]) -> Iterator[Hit]:
    """A property that is read in a loop which is told already for what it calls is advice."""
    loops = {(item.fn.fqn, item.loop) for item in told}
    places = {item.fn.location(item.span) for item in read if (item.fn.fqn, item.loop) in loops}
    return (replace(hit, profile="strict") if hit.location in places else hit for hit in hits)


def _queries(project: Project, items: list[Repeated]) -> Iterator[Hit]:
    loops: dict[tuple[str, int], list[Repeated]] = {}
    for item in (*items, *_elsewhere(project, items)):
        loops.setdefault((item.fn.fqn, item.loop.line), []).append(item)
    habits: dict[Hashable, list[Hit]] = {}
    causes: dict[Location, Hashable] = {}
    for found in loops.values():
        for hit, item in _loop(project, found):
            causes[hit.location] = _cause(item)
            if hit.profile is None:
                habits.setdefault(_habit(item), []).append(hit)
            else:
                yield hit
    told = [hit for hits in habits.values() for hit in _again(hits)]
    told = list(told_once(told, _in_other_loops, severity=None, each=lambda hit: hit.function))
    yield from told_once(told, _by_others, severity=None, each=lambda hit: causes[hit.location])


def _cause(item: Repeated) -> Hashable:
    """What is to be mended: what several loops call, where the query lies below it (`order.as_json()`); or the loop."""
    if len(item.edges) < 2 or LOOKS_UP.match(item.edges[0].callee.name):
        return item.fn.location(item.span)
    return item.edges[0].callee.fqn, item.query.fn.fqn, item.query.span


def _elsewhere(project: Project, items: list[Repeated]) -> list[Repeated]:
    """The loops of files that are not reviewed which call the same: how many there are decides what is told."""
    if project.focus is None:
        return []
    shared = {item.edges[0].callee for item in items if len(item.edges) > 1}
    callers = {edge.caller for callee in shared for edge in project.graph.callers(callee)}
    others = sorted((fn for fn in callers if not project.counts(fn)), key=lambda fn: fn.fqn)
    return list(repeated(project, others)) if others else []


def _by_others(hit: Hit, others: str) -> str:
    """Loops that come to one query through what they share are told at the first."""
    return f"{hit.message[:-1]}. Loops in {others} come to the same query."


def _in_other_loops(hit: Hit, others: str) -> str:
    """A function whose loops ask one thing after the other is told at the first."""
    return f"{hit.message[:-1]}. Its other loops ask so in {others}."


def _habit(item: Repeated) -> Hashable:
    """What a function, or the methods of a class, ask so in one loop after the other; through a helper of the file, all of it."""
    owner = item.fn.cls.fqn if item.fn.cls is not None else item.fn.fqn
    edge = item.edges[0] if item.edges else None
    if edge is None:  # `cursor.execute(...)` does not say what it asks
        plain = item.query.call is None or not item.query.call.args
        return owner, item.query.name if plain else item.span
    if edge.call is None:
        return owner, edge.callee.fqn
    if edge.callee.cls is None and edge.callee.path == item.fn.path:
        return edge.callee.fqn
    return owner, edge.callee.fqn, name_of(item.fn.file, item.fn.facts, edge.call.func)


def _again(hits: list[Hit]) -> Iterator[Hit]:
    """The first of one habit, with where it is so too."""
    first, *others = sorted(hits, key=lambda hit: hit.location.line)
    if others:
        lines = [str(hit.location.line) for hit in others]
        where = f"lines {', '.join(lines[:-1])} and {lines[-1]}" if lines[1:] else f"line {lines[0]}"
        where = where if len(lines) <= SHOWN else f"{len(lines)} more loops"
        also = tuple(Step(hit.location, "asks so too") for hit in others[:SHOWN])
        first = replace(first, message=f"{first.message[:-1]}. So it is in {where}.", related=(*first.related, *also))
    yield first
    yield from (replace(hit, profile="strict") for hit in others)


def _loop(project: Project, items: list[Repeated]) -> Iterator[tuple[Hit, Repeated]]:
    """One hit for all that is asked in a loop; what is advice is told for itself."""
    told: set[str] = set()
    own: list[tuple[Hit, Repeated]] = []
    for item in items:
        key = item.query.name.rpartition(".")[0] or item.query.name
        if key in told:
            continue
        told.add(key)
        target = _called(item.edges[0]) if item.edges else f"`{item.query.name}`"
        asks = f" asks the database (`{item.query.name}`)" if item.edges else " asks the database"
        hit = Hit(
            f"{target} in `{item.fn.name}()`{asks} once for each item of the loop in line {item.loop.line}; "
            "fetch what all items need in one query before the loop.",
            item.fn.location(item.span),
            related=(Step(item.query.fn.location(item.query.span), "the query"),) if item.edges else (),
            flow=_flow(item),
            function=item.fn.fqn,
            profile=_profile(project, item),
        )
        if hit.profile is None:
            own.append((hit, item))
        else:
            yield hit, item
    if own:
        (first, item), *others = sorted(own, key=lambda found: found[0].location.line)
        also = tuple(Step(hit.location, f"asks too (`{other.query.name}`)") for hit, other in others)
        told_of = replace(first, message=_and_others(first.message, len(others)), related=(*first.related, *also))
        yield told_of, item
        yield from ((replace(hit, profile="strict"), other) for hit, other in others)


def _and_others(message: str, others: int) -> str:
    """The message, with how much else the loop asks."""
    if not others:
        return message
    return (
        f"{message[:-1]}. So do{'es' if others == 1 else ''} {others} other quer{'y' if others == 1 else 'ies'} in it."
    )


def _called(edge: Edge) -> str:
    """What the loop's body calls, or reads: a class by its name, a property without brackets."""
    fn = edge.callee
    name = fn.cls.name if fn.cls is not None and fn.name == "__init__" else fn.name
    return f"`{name}`" if edge.call is None else f"`{name}()`"


def _flow(item: Repeated) -> tuple[Step, ...]:
    if not item.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in item.edges]
    return (*steps, item.query.fn.step(item.query.span, f"asks the database: {item.query.name}"))


def _profile(project: Project, item: Repeated) -> Profile | None:
    op = item.query.model.orm.op if item.query.model.orm is not None else ""
    if _by_hand(project, item.fn) or not item.varies or len(item.edges) > FAR or op == "refresh":
        return "strict"
    apart = item.grouped or item.remembered or item.borrowed or _dispatched(item) or _locks_each(project, item)
    if apart or (item.edges and _works(project, item.edges[0].callee)):
        return "strict"
    filled = any(edge.kind == "property" and project.queries.filled_in(edge.callee) for edge in item.edges)
    if (
        filled
        or _clears(project, item.fn, item.loop)
        or _loops_below(project, item)
        or _computes(project, item)
        or _until_found(item)
        or _after_failure(item)
        or _beside_work(project, item)
    ):
        return "strict"
    return None


def _locks_each(project: Project, item: Repeated) -> bool:
    """`for order in late: with transaction.atomic(): order = Order.objects.select_for_update().get(pk=order.pk)`: one by one,
    each as briefly as can be, because others may be at it."""
    fn, call = item.fn, item.query.call
    if item.edges or call is None or project.transactions.around(fn, item.query.block) is None:
        return False
    way = [block for _, block in fn.blocks_of(item.query.block)]
    within = way[: next((number for number, block in enumerate(way) if block.span == item.loop), 0)]
    return any(block.kind == "with" for block in within) and "select_for_update" in item.query.name.split(".")


def _loops_below(project: Project, item: Repeated) -> bool:
    """Whether what is called loops itself over what it asks for, or goes on batch by batch: that loop is the place to mend."""
    fn, query = item.query.fn, item.query
    if not item.edges:
        return False
    ways = [(edge.caller, edge.block, list(edge.call.passed)) for edge in item.edges[1:] if edge.call is not None]
    ways.append((fn, query.block, [query.vid]))
    return fn.inside(query.block, "while") is not None or any(
        grows(project, caller, number) and depends(caller, vids, number)
        for caller, block, vids in ways
        for number, _ in loops_around(caller, block)
    )


def _computes(project: Project, item: Repeated) -> bool:
    """`SELECT regexp_replace(%s, ...)`, `SELECT 1 FROM pg_class ...`, which reads no table: there are no rows to fetch beforehand."""
    text = project.queries.text_of(item.edges, item.query) if item.query.model.sql is not None else ""
    named = {found[1].lower() for found in CTE.finditer(text)}
    reads = READS_TABLE.finditer(text)
    return text != "" and all(found[1] is not None and found[1].lower() in named for found in reads)


def _beside_work(project: Project, item: Repeated | LazyRead) -> bool:
    """Whether the loop's body also calls other services or commits for each item: the query is one step of a unit of work."""
    fn = item.fn
    if _transaction_each(project, fn, item.loop):
        return True
    for call in fn.calls:
        way = [block for _, block in fn.blocks_of(call.block)]
        if call.span == item.span or all(block.span != item.loop for block in way):
            continue
        within = way[: next(number for number, block in enumerate(way) if block.span == item.loop)]
        always = all(block.kind not in ("if", "else") for block in within)
        commits = always and any("commit" in model.effect for model in project.models(fn, call))
        effects = project.effects.call_effects(fn, call)
        if commits or not OUTSIDE.isdisjoint(effects) or _asks_client(fn, call, effects):
            return True
    return False


def _asks_client(fn: Fn, call: Call, effects: set[str]) -> bool:
    """`search_client.index(row)`: by its name the client of another service, whatever library that is of."""
    owner = name_of(fn.file, fn.facts, call.func).rpartition(".")[0].rpartition(".")[2].removesuffix("()").lower()
    own = any(effect.startswith(("db", "cache")) for effect in effects) or any(word in owner for word in STORES)
    return owner.endswith("client") and not own


def _transaction_each(project: Project, fn: Fn, loop: Span) -> bool:
    """Whether each round has a transaction of its own, that may fail by itself."""
    for number, block in enumerate(fn.facts.blocks):
        if block.kind == "with" and project.transactions.is_transaction(fn, block):
            way = [part for _, part in fn.blocks_of(number)]
            end = next((index for index, part in enumerate(way) if part.span == loop), 0)
            if end and all(part.kind in ("with", "try") for part in way[:end]):
                return True
    return False


def _until_found(item: Repeated) -> bool:
    """Whether the loop tries one after the other until one is there: `if found: return found`, `next(... if found)`."""
    call = item.edges[0].call if item.edges else item.query.call
    asked = [call.value] if call is not None else []
    if item.edges and call is None:  # `if version.in_use: return False`
        asked = [vid for vid in item.fn.made_by("attr") if item.fn.facts.span_of(vid) == item.span]
    return any(_leaves_by(item.fn, vid, item.loop) for vid in asked) or _asked_of_any(item.fn, item.loop)


def _asked_of_any(fn: Fn, loop: Span) -> bool:
    """`any(is_taken(name) for name in names)`, which ends at the first that is."""
    for call in fn.calls:
        value = fn.value(call.args[0]) if call.args and fn.callee_name(call) in ENDS else ("",)
        if value[:2] == ("comp", "gen") and fn.facts.blocks[value[4]].span == loop:
            return True
    return False


def _leaves_by(fn: Fn, asked: Vid, loop: Span) -> bool:
    """Whether what is asked decides that the loop ends; where it must fail for that, that the item is what was looked for."""
    for number, block in enumerate(fn.facts.blocks):
        leaves = block.kind == "if" and block.exits in ("return", "break")
        if not leaves or all(around.span != loop for _, around in fn.blocks_of(block.parent)):
            continue
        test = fn.unguarded(block.value)
        if test[0] == "not" and _gives_item(fn, number, loop):  # `if not is_taken(name): return name`
            test = fn.unguarded(test[1])
        if test[0] == "compare" and test[1][0] == "is not" and fn.const(test[2][1]) is None:
            test = fn.unguarded(test[2][0])
        for _ in range(MAX_CHAIN):  # `row = session.execute(query).scalars().first()`
            if test[0] == "await":
                test = fn.unguarded(test[1])
            if test == fn.facts.values[asked]:
                return True
            base = receiver(fn, fn.calls[test[1]]) if test[0] == "call" else -1
            test = fn.unguarded(base) if base >= 0 else ("",)
    return False


def _gives_item(fn: Fn, block: int, loop: Span) -> bool:
    """Whether a branch returns what is made of the loop's item."""
    number = next((index for index, part in fn.blocks_of(block) if part.span == loop), -1)
    returned = [item.value for item in fn.facts.returns if item.block == block and item.value >= 0]
    return number >= 0 and depends(fn, returned, number)


def _after_failure(item: Repeated) -> bool:
    """Whether the query is sent only where something failed: in an `except`, or on the way to a `raise`."""
    for edge in item.edges[:1]:
        if _failed(edge.caller, edge.block, item.loop):
            return True
    inner = [(edge.caller, edge.block) for edge in item.edges[1:]]
    place = (item.query.fn, item.query.block)
    return any(_failed(fn, block, None if item.edges else item.loop) for fn, block in (*inner, place))


def _failed(fn: Fn, block: int, loop: Span | None) -> bool:
    for number, part in fn.blocks_of(block):
        if part.span == loop:
            return fn.inside(number, "except") is not None  # one by one, where all at once has failed
        branch = part.kind in ("if", "else", "case")
        if part.kind == "except" or (branch and (part.exits == "raise" or _warns(fn, number))):
            return True
    return False


def _warns(fn: Fn, block: int) -> bool:
    """Whether a branch logs that it should not have come to this."""
    return any(call.block == block and fn.callee_name(call) in WARNS for call in fn.calls)


def _dispatched(item: Repeated) -> bool:
    """`if name == "search": ... if name == "count": ...` in what is called: each item names another thing to do."""
    if not item.edges:
        return False
    fn, block = item.edges[0].callee, item.edges[1].block if len(item.edges) > 1 else item.query.block
    chosen = {subject for test, outcome in fn.tests_of(block) if outcome and (subject := _told_apart(fn, test)) >= 0}
    kinds = [_told_apart(fn, vid) for vid in fn.made_by("compare")]
    return any(kinds.count(subject) >= KINDS for subject in chosen)


def _told_apart(fn: Fn, test: Vid) -> int:
    """The parameter that a test compares with a constant, or -1."""
    value = fn.value(test)
    if value[0] != "compare" or value[1] != ("==",) or not isinstance(fn.const(value[2][1]), str):
        return -1
    subject = fn.unguarded(value[2][0])
    return subject[1] if subject[0] == "param" else -1


def _works(project: Project, fn: Fn) -> bool:
    """Whether what is done for each item is a piece of work, of which the query is only a part."""
    if ACTS.match(fn.name) is not None or project.effects.has(fn, *WORK):
        return True
    if any(query.kind == "write" for query in project.queries.direct(fn)) or _changes_rows(project, fn):
        return True
    return any(project.queries.hands_write(edge) for edge in project.graph.callees(fn))


def _changes_rows(project: Project, fn: Fn) -> bool:
    """`service.active = False`: what the session then writes; not `self._known = ...`, which is no column."""
    stores = (store for store in fn.facts.stores if store.name.lstrip("_") == store.name != "" and store.base >= 0)
    rows = (store.base for store in stores if fn.name != "__init__")
    refs = (ref for vid in rows for ref in project.refs(fn, vid) if ref.kind == "inst")
    return any(stored_entity(project, project.classes[ref.name]) for ref in refs)


def _by_hand(project: Project, fn: Fn) -> bool:
    """Whether it runs seldom and nobody waits: by hand, in tests, to fill a database for a demonstration, at the start."""
    if (
        project.layer(fn) in ONCE
        or _upgrades(project, fn)
        or only_by_hand(project, fn)
        or for_tests(project, fn)
        or project.importers.for_shell(fn)
    ):
        return True
    return fills_database(project, fn) or (fn.fqn in project.lifecycle.startup and not project.reach(fn.fqn))


def _upgrades(project: Project, fn: Fn) -> bool:
    """Whether it runs where a new version is put in place, and no endpoint leads there."""
    decorators = (ref.name.rpartition(".")[2] for ref in fn.decorators)
    named = (fn.path.rpartition("/")[2].removesuffix(".py"), fn.name, *decorators)
    return any(map(UPGRADES.search, named)) and not project.reach(fn.fqn)


def _clears(project: Project, fn: Fn, loop: Span) -> bool:
    """Whether the loop changes or deletes what belongs to what a function takes apart; a handler of `DELETE` is called for more."""
    if CLEARS.match(fn.name) is None or project.layer(fn) == "controller":
        return False
    inner = {n for n, _ in enumerate(fn.facts.blocks) if any(part.span == loop for _, part in fn.blocks_of(n))}
    if any(call.block in inner and ACTS.match(fn.callee_name(call)) for call in fn.calls):
        return True
    edges = (edge for edge in project.graph.callees(fn) if edge.call is not None and edge.block in inner)
    return any(query.kind == "write" and query.block in inner for query in project.queries.direct(fn)) or any(
        _works(project, edge.callee) for edge in edges
    )


def _relations(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[Hit]:
    """What the items of loops are asked; where a file's functions ask it one after the other, or of what one query gives, it
    is told at the first."""
    found = _by_query(_in_loops(project, single))
    kinds = {
        hit.location: (hit.location.path, item.relation.owner, item.relation.name)
        for hit, item in found
        if hit.profile is None
    }
    yield from told_once((hit for hit, _ in found), _in_file, severity=None, each=lambda hit: kinds[hit.location])


def _by_query(items: Iterable[tuple[Hit, LazyRead]]) -> list[tuple[Hit, LazyRead]]:
    """Of a file's loops over what one query gives, the first: the query is what is to be mended."""
    queries: dict[Hashable, list[tuple[Hit, LazyRead]]] = {}
    for hit, item in sorted(items, key=lambda found: found[0].location):
        query = item.query.location if item.query is not None and hit.profile is None else hit.location
        asked = (hit.location.path, query, item.relation.owner, item.path, item.relation.name)
        queries.setdefault(asked, []).append((hit, item))
    found = []
    for (first, read), *others in queries.values():
        number = len(others)
        where = f"{number} more place{'s' if number > 1 else ''} of the file"
        message = f"{first.message[:-1]}. Rows of the same query are read so in {where}." if others else first.message
        found.append((replace(first, message=message), read))
        found += [(replace(hit, profile="strict"), item) for hit, item in others]
    return found


def _in_file(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. It is read so in {others} of the file."


def _in_loops(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[tuple[Hit, LazyRead]]:
    """One hit for what the items of a loop are asked, where one query is to load all of it and several lines ask."""
    loops: dict[tuple[Location, Step | None, Profile | None], list[tuple[Hit, LazyRead]]] = {}
    for hit, item in _lazy(project, single):
        key = (item.fn.location(item.loop), item.query and replace(item.query, message=""), hit.profile)
        loops.setdefault(key, []).append((hit, item))
    for found in loops.values():
        if len({hit.location.line for hit, _ in found}) == len(found) <= FEW_RELATIONS and not _nested(found):
            yield from found
            continue
        (first, read), *others = found
        also = ", ".join(f"`{item.relation.name}`" for _, item in others)
        places = tuple(Step(hit.location, f"reads `{item.relation.name}`") for hit, item in others)
        message = f"{first.message[:-1]}. So it is with {also}." if also else first.message
        yield replace(first, message=message, related=(*first.related, *places)), read


def _nested(found: list[tuple[Hit, LazyRead]]) -> bool:
    """`ship.harbour`, then `ship.harbour.country`: what loads the one names the other."""
    ways = sorted([(*item.path, item.relation.name) for _, item in found], key=len)
    return any(way[: len(ways[0])] == ways[0] for way in ways[1:])


def _lazy(project: Project, single: frozenset[tuple[str, Location]]) -> Iterator[tuple[Hit, LazyRead]]:
    for item in project.lazy_reads.found:
        name, once = item.relation.name, _kept_by_session(project, item.relation)
        asks = (
            f"`{name}` asks the database again for each different one"
            if once
            else f"`{name}` of each item asks the database again"
        )
        few = once and _few_rows(project, item.relation)
        aside = few or _by_hand(project, item.fn) or (item.steps and _beside_work(project, item)) or _until_one(item)
        aside = aside or _of_work(project, item)
        aside = aside or (item.query is not None and (item.fn.path, item.query.location) in single)
        hit = Hit(
            f"{asks} in the loop in line {item.loop.line} of `{item.fn.name}()`; load it together with the items "
            f"({_advice(project, item)}).",
            item.fn.location(item.span),
            related=(item.query,) if item.query is not None else (),
            flow=item.steps,
            function=item.fn.fqn,
            profile="strict" if aside else None,
        )
        yield hit, item


def _of_work(project: Project, item: LazyRead) -> bool:
    """Whether it is read on the way by what deletes, sends or stores something for each item (`close_down(harbour)`)."""
    called = (edge for edge in project.graph.callees(item.fn) if edge.span == item.span and edge.call is not None)
    return bool(item.steps) and any(_works(project, edge.callee) for edge in called)


def _until_one(item: LazyRead) -> bool:
    """Whether the loop tries one item after the other until what it calls on one says that it will do."""
    return any(call.span == item.span and _leaves_by(item.fn, call.value, item.loop) for call in item.fn.calls)


def _kept_by_session(project: Project, relation: Relation) -> bool:
    """SQLAlchemy looks for the other end of a foreign key among what its session holds, before it asks for it."""
    if relation.many or is_django(project, relation.owner):
        return False
    return any(
        f"{relation.name}_id" in cls.facts.attributes for cls in project.hierarchy.mro(project.classes[relation.owner])
    )


def _few_rows(project: Project, relation: Relation) -> bool:
    """Roles, types, countries: as few different ones as there are."""
    target = project.classes.get(relation.target)
    return target is not None and any(stays_small(word) for word in identifier_words(target.name)[-1:])


def _advice(project: Project, item: LazyRead) -> str:
    return _loader(project, item.relation.owner, (*item.path, item.relation.name))


def _loader(project: Project, owner: str, path: tuple[str, ...]) -> str:
    """What loads the last relation of the path, which belongs to `owner`."""
    relation = project.associations.find(project.classes[owner], path[-1])
    if is_django(project, owner):
        call = "prefetch_related" if relation is None or relation.many else "select_related"
        return f"`{call}('{'__'.join(path)}')`"
    if project.hierarchy.is_a(project.classes[owner], TORTOISE):
        return f"`prefetch_related('{'__'.join(path)}')`"
    return f"`selectinload({project.classes[owner].name}.{path[-1]})`"


def _responses(project: Project) -> Iterator[Hit]:
    for item in responded(project):
        yield Hit(
            f"The response model `{item.schema.name}` reads `{'.'.join(item.read.path)}` of each of these objects, which asks the "
            f"database every time; load it with them ({_loader(project, item.read.relation.owner, item.read.path)}).",
            item.place,
            related=(Step(item.read.location, "read for each object"),),
            function=item.function,
            profile=None if item.many else "strict",
            fingerprint_key=f"{item.schema.fqn} {'.'.join(item.read.path)}",
        )


def _resolvers(project: Project) -> Iterator[Hit]:
    for item in resolved(project):
        load = (
            f"load `{item.relation}` with the list, or batch it with a DataLoader"
            if item.relation
            else "batch it with a DataLoader"
        )
        yield Hit(
            f"The resolver `{item.fn.name}()` asks the database (`{item.what}`) once for each `{item.parent.name}` of a list; {load}.",
            item.fn.location(item.span),
            flow=item.steps,
            function=item.fn.fqn,
            profile="strict" if len(item.steps) > FAR else None,
        )


def _templates(project: Project) -> Iterator[Hit]:
    for item in template_reads(project):
        advice = "compute it for all of them in one query"
        if item.path and item.owner:
            advice = _counting(item) or f"load it with them ({_loader(project, item.owner, item.path)})"
        yield Hit(
            f"The template `{item.template.rpartition('/')[2]}` reads `{item.what}` of each of these objects (line {item.shown.line}), "
            f"which asks the database every time; {advice}.",
            item.place,
            related=(Step(item.shown, "read for each object"),),
            flow=item.steps,
            function=item.function,
            fingerprint_key=f"{item.template} {item.what}",
        )


def _counting(item: TemplateRead) -> str:
    """Rows that are only counted are better counted by the database than loaded."""
    asked = item.steps[-1].message if item.steps else item.what
    rows = "__".join(item.path)
    if asked.endswith(".count"):
        return f"count them in the list's own query (`annotate(Count('{rows}'))`)"
    return (
        f"ask for it in the list's own query (`annotate` with `Exists` of `{rows}`)"
        if asked.endswith(".exists")
        else ""
    )


def _serializers(project: Project) -> Iterator[Hit]:
    """What a serializer reads of each object, at the first of the lists that do not load it."""
    lists: dict[Hashable, list[Hit]] = {}
    nested: dict[tuple[Location, str | None], Hashable] = {}
    for hit, key, read in _serialized(project):
        lists.setdefault((hit.location.path, key), []).append(hit)
        nested.setdefault((hit.location, hit.fingerprint_key), read)
    told: list[Hit] = []
    for first, *others in lists.values():
        number = len({hit.location for hit in others} - {first.location})
        where = f"{number} more list{'s' if number > 1 else ''} of this file"
        told.append(replace(first, message=f"{first.message[:-1]}. So it is with {where}.") if number else first)
        told += (replace(hit, profile="strict") for hit in others if hit.location != first.location)
    yield from told_once(
        told, _by_other_lists, severity=None, each=lambda hit: nested[hit.location, hit.fingerprint_key]
    )


def _by_other_lists(hit: Hit, others: str) -> str:
    """A field of a serializer that many others hold is told at the first list."""
    return f"{hit.message[:-1]}. Lists in {others} show it too."


def _serialized(project: Project) -> Iterator[tuple[Hit, str, Location]]:
    """The hits with what tells equal ones of a file, and of the project: the place of the field, where another serializer has
    it, else the list."""
    for item in serialized(project):
        kind = "list of" if project.hierarchy.role(item.serializer) == "admin" else "serializer"
        place, other = item.place, Step(item.read.location, "read for each object")
        if item.read.own:
            place, other = item.read.location, Step(item.place, "the objects are listed here")
        key = f"{item.serializer.fqn} {item.read.what}"
        hit = Hit(
            f"The {kind} `{item.serializer.name}` asks the database for each listed object: {item.read.what}; "
            f"{_loading(project, item)}.",
            place,
            related=(other,),
            flow=item.read.steps,
            function=item.function,
            fingerprint_key=key,
        )
        classes = project.hierarchy.mro(item.serializer)
        own = any(cls.path == item.read.location.path and _holds(cls.facts.span, item.read.location) for cls in classes)
        yield hit, key, place if own or item.read.own else item.read.location


def _holds(span: Span, place: Location) -> bool:
    return span.line <= place.line <= span.end_line


def _loading(project: Project, item: Serialized) -> str:
    if item.read.sends or not item.read.path:
        return "compute it for all objects in the list's own query (`annotate`, `prefetch_related`)"
    if project.hierarchy.is_a(item.serializer, "marshmallow.Schema"):
        return f"load it with the list's query (`selectinload` or `joinedload` of `{'.'.join(item.read.path)}`)"
    return f"load it with the list's query (`select_related` or `prefetch_related` of `{'__'.join(item.read.path)}`)"
