"""PERF111: one INSERT or UPDATE for each item of a loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Hit,
    Profile,
    Project,
    Query,
    Vid,
    accumulates,
    aliases,
    around,
    before,
    bind,
    certain,
    depends,
    for_tests,
    given,
    grows,
    identifier_words,
    ingredients,
    is_used,
    loops_around,
    one_row,
    only_by_hand,
    stops_early,
    stored_by_itself,
    told_once,
    unchanged,
)

CHECKING = frozenset({"get_or_create", "update_or_create", "merge", "bulk_create", "bulk_update"})
"""Writes that a bulk write does not replace one to one; nor does it the deletion of objects, with their signals."""
SERIALIZER = "rest_framework.serializers.BaseSerializer.save"
"""Validates and stores one object; with `many=True` it goes through them too."""
MAX_CHAIN = 20
OUTSIDE = ("http", "mail", "queue-publish", "subprocess", "cloud", "sleep")
BESIDE = frozenset({*OUTSIDE, "file", "db-read", "db-write", "db"})
ASKED = frozenset({"db", "db-read", "db-write", "flush", "commit"})
MANY_ROWS = re.compile(r"^\s*INSERT\b.*\bSELECT\b|\bWHERE\b.*\bIN\s*\(|;\s*[A-Z]", re.IGNORECASE | re.DOTALL)
"""Statements that write what another gives, or a group of rows; several statements."""
CHANGING = frozenset({"insert", "update", "delete"})
ERRORS = re.compile(r"(\w+_)?(error|failure|problem|violation)", re.IGNORECASE)
WARNS = frozenset({"warning", "warn", "error"})
FETCHES = frozenset(
    {"fetchall", "fetch_all", "fetch", "fetchmany", "json", "reader", "DictReader", "iter_rows", "execute"}
)
BODY = frozenset({"data", "json", "POST", "GET", "body", "form", "get_json", "getlist", "query_params"})
VIEWS = frozenset({"items", "keys", "values"})
OF_ONE_ROW = frozenset(
    {"get", "first", "one", "create", "get_or_create", "update_or_create", "add", "save", "execute", "lock"}
)
ROWS = frozenset({"row", "record", "entry"})
BY_PARENT = re.compile(r"\bWHERE\b.*\w_id\s*=\s*[%?:$]", re.IGNORECASE | re.DOTALL)
WHOLE_SYSTEM = re.compile(r"(tenant|org|organi[sz]ation|workspace|site)(_|$)")
"""Whose system this is, for whom it has as much in it as for one who has it alone."""
BULK = frozenset(
    """
    row rows record records entry entries lines items batch batches bulk many all csv import imports importer imported ingest sync
    synchronize backfill populate migrate export upload uploaded dump feed results readings events messages notifications users members
    customers subscribers followers recipients students employees patients contacts accounts participants devices orders products
    documents
    """.split()
)
"""Words of what comes in numbers, and of functions that take it."""
CLOCKS = frozenset({"now", "utcnow", "today", "time"})
OF_ONE = frozenset(
    "author owner address addr email publisher host device domain certificate key role company photo picture".split()
)
"""Words of relations of which one thing has a few, although there are many of them in all."""


def check(project: Project) -> Iterator[Hit]:
    """Writes in the loop's body, and calls whose function writes one row."""
    told: list[Hit] = []
    for fn in filter(project.counts, project.functions_with("for", "comp")):
        if for_tests(project, fn):
            continue
        hits = list(_written_in(project, fn))
        yield from (hit for hit in hits if hit.profile is not None)
        told += told_once((hit for hit in hits if hit.profile is None), _together, few=1, severity=None)
    yield from told_once(told, _alike, severity=None, each=_habit)


def _together(hit: Hit, others: str) -> str:
    """What a function writes so in several loops is told once, with their number."""
    return f"{hit.message[:-1]}. So it is with {others.replace('more place', 'other write')} of the function."


def _habit(hit: Hit) -> tuple[str, str]:
    """The same write in one function after the other: of one file, or of the project where the model is named."""
    written = hit.message.split("`")[1]
    return ("" if written.endswith(".objects.create") else hit.location.path), written


def _alike(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others}{'' if '.objects.create`' in hit.message else ' of the file'}."


def _written_in(project: Project, fn: Fn) -> Iterator[Hit]:
    for query in project.queries.sent(fn):
        loop = _loop(project, fn, query.block)
        if loop >= 0 and query.call is not None and _stores(project, query) and not _bulk(project, fn, query):
            yield _hit(project, fn, query.call, loop, query, None)
    yield from _flushed(project, fn)
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        loop = _loop(project, fn, edge.call.block)
        if loop >= 0 and _flushed_below(project, edge) and not _does_more(project, fn, loop, edge.call, edge):
            yield _flushes(project, fn, edge.call, loop)
            continue
        written = _written(project, edge) if loop >= 0 else None
        if written is not None and not _behind_interface(project, edge):
            yield _hit(project, fn, edge.call, loop, written, edge)


def _flushed(project: Project, fn: Fn) -> Iterator[Hit]:
    """`session.flush()` for each added row, although nothing asks for the new key, nor for that of another one in the loop."""
    sites = project.effects.direct(fn)
    added = [site.call for site in sites if site.model.orm is not None and site.model.orm.op == "add"]
    loops: dict[int, list[Call]] = {}
    for site in sites if added else ():
        loop = _loop(project, fn, site.call.block) if site.model.transaction == "flush" else -1
        if loop >= 0 and not _now_and_then(fn, site.call, loop):
            loops.setdefault(loop, []).append(site.call)
    for loop, flushes in loops.items():
        rows = [call.args[0] for call in added if call.args and fn.blocks_of(call.block)[0][0] >= loop]
        if rows and not any(_asked_after(fn, vid, call) for call in flushes for vid in rows):
            yield from (_flushes(project, fn, call, loop) for call in flushes)


def _now_and_then(fn: Fn, call: Call, loop: int) -> bool:
    """`if number % 500 == 0: session.flush()`"""
    for number, block in fn.blocks_of(call.block):
        if number == loop:
            break
        tested = ingredients(fn.facts, (block.value,)) if block.kind == "if" and block.value >= 0 else ()
        if any(fn.value(vid)[:2] == ("binop", "%") for vid in tested):
            return True
    return False


def _flushes(project: Project, fn: Fn, call: Call, loop: int) -> Hit:
    line = fn.facts.blocks[loop].span.line
    return Hit(
        f"`{fn.name}()` flushes after each row of the loop in line {line}: an INSERT and a round trip each, which one flush "
        "after the loop would send together.",
        fn.location(call.span),
        function=fn.fqn,
        profile="strict" if only_by_hand(project, fn) else None,
    )


def _flushed_below(project: Project, edge: Edge) -> bool:
    """`repository.add(Line(...))` of a function that adds and flushes what it is given and does nothing else with the database,
    where the caller asks for nothing of the row afterwards; not one that flushes when it is told to (`flush=False`)."""
    fn, callee, call = edge.caller, edge.callee, edge.call
    if call is None or "flush" not in project.effects.of(callee) or is_result_used(fn, call):
        return False
    sites = [site for site in project.effects.direct(callee) if not ASKED.isdisjoint(site.model.effect)]
    added = [site.call for site in sites if site.model.orm is not None and site.model.orm.op == "add"]
    known = given(edge)
    flushes = any(site.model.transaction == "flush" and certain(callee, site.call, known) for site in sites)
    plain = len(sites) == len(added) + 1 == 2 and flushes
    if (
        not plain
        or not added[0].args
        or any(e.kind == "call" and _asks(project, e) for e in project.graph.callees(callee))
    ):
        return False
    row = unchanged(callee, added[0].args[0])
    given_rows = bind(fn, call, callee).get(row[1], []) if row[0] == "param" else []
    return len(given_rows) == 1 and not given_rows[0][1] and not _asked_after(fn, given_rows[0][0], call)


def _asks(project: Project, edge: Edge) -> bool:
    return not ASKED.isdisjoint(project.effects.of(edge.callee))


def is_result_used(fn: Fn, call: Call) -> bool:
    """Whether anything is done with what a call gives, awaited or not."""
    awaited = next((vid for vid, value in enumerate(fn.facts.values) if value == ("await", call.value)), call.value)
    return is_used(fn.facts, awaited)


def _asked_after(fn: Fn, vid: Vid, flush: Call) -> bool:
    """Whether the object, or one of its attributes, is read after the flush."""
    held = aliases(fn.facts, vid)
    later = [n for n, value in enumerate(fn.facts.values) if value[0] == "attr" and value[1] in held]
    return any(before(flush.span, fn.facts.span_of(n)) for n in later) or _handed_on(fn, held, flush)


def _loop(project: Project, fn: Fn, block: int) -> int:
    for number, _ in loops_around(fn, block):
        if stops_early(fn, block, number) or not grows(project, fn, number) or _of_one_row(project, fn, number):
            return -1
        return number
    return -1


def _of_one_row(project: Project, fn: Fn, loop: int) -> bool:
    """`for row in Order.objects.filter(pk=number):`, where there is one at most."""
    value = fn.unguarded(fn.facts.blocks[loop].value)
    return value[0] == "call" and one_row(project, fn, fn.calls[value[1]])


def _stores(project: Project, query: Query) -> bool:
    """Whether the query writes rows: by an ORM's operation, or by a statement that is known to (DDL is none)."""
    if query.kind != "write" or query.model.sql is None:
        return query.kind == "write"
    return any(write.call is query.call for write in project.writes.direct(query.fn))


def _bulk(project: Project, fn: Fn, query: Query) -> bool:
    """Whether one call writes many rows: a bulk operation, `execute(statement, rows)`, or `INSERT ... SELECT`."""
    if query.call is not None and MANY_ROWS.search(project.queries.text(fn, query.call)):
        return True
    if query.model.sql is not None and query.model.sql.role == "many":
        return True
    if query.call is not None and _grouped(fn, query.call):
        return True
    if query.model.library == "sqlalchemy" and query.call is not None and len(query.call.args) > 1:
        return bool(fn.facts.values[query.call.args[1]][0] not in ("dict", "elem", "unpack"))
    return query.model.orm is not None and query.model.orm.bulk and query.model.orm.op not in ("update", "delete")


def _grouped(fn: Fn, call: Call) -> bool:
    """`filter(id__in=ids).update(...)`, `where(Order.id.in_(ids))`: many rows at once, one group an item."""
    todo, seen = [call.func, *call.args[:1]], 0
    while todo and seen < MAX_CHAIN:
        seen += 1
        value = fn.facts.values[todo.pop()]
        if value[:2] == ("binop", "<<"):  # peewee's IN
            return True
        if value[0] in ("attr", "guard", "await"):
            todo.append(value[1])
        elif value[0] == "call":
            inner = fn.calls[value[1]]
            if any(key.endswith("__in") for key, _ in inner.kwargs) or _called_in(fn, inner):
                return True
            todo += [inner.func, *inner.args]
    return False


def _own_columns(query: Query) -> bool:
    """`Order.update(**changed).where(...)`: which columns are written differs from row to row, so one statement cannot."""
    fn, todo = query.fn, [query.call] if query.call is not None else []
    for call in todo:
        spread = [fn.unguarded(vid) for key, vid in call.kwargs if key == "**"]
        if fn.callee_name(call) == "update" and any(value[0] != "dict" or not value[1] for value in spread):
            return True
        func = fn.unguarded(call.func)
        value = fn.unguarded(func[1]) if func[0] == "attr" and len(todo) < MAX_CHAIN else ("",)
        todo += [fn.calls[value[1]]] if value[0] == "call" else []
    return False


def _called_in(fn: Fn, call: Call) -> bool:
    value = fn.facts.values[call.func]
    return value[0] in ("attr", "name") and str(value[-1]).rpartition(".")[2] == "in_"


def _written(project: Project, edge: Edge) -> Query | None:
    """The one write of a callee that does little else."""
    found = [item for item in project.queries.sent(edge.callee) if _stores(project, item)]
    if (
        len(found) != 1
        or not _reads_alike(project, edge.callee)
        or _bulk(project, edge.callee, found[0])
        or _other_writes(project, edge.callee)
    ):
        return None
    call = found[0].call
    return found[0] if call is not None and certain(edge.callee, call, given(edge)) else None


def _behind_interface(project: Project, edge: Edge) -> bool:
    """Whether the loop may as well reach what writes no row: a cache that keeps its entries in Redis, or in a table."""
    reached = project.graph.implementations(edge)
    return any(_written(project, item) is None for item in reached if item.kind == "call")


def _reads_alike(project: Project, fn: Fn) -> bool:
    """Whether a function reads nothing, or by calls that are told nothing: the same for each row, and so once for all of them."""
    if project.queries.reason(fn) is None or any(item.kind == "read" for item in project.queries.direct(fn)):
        return project.queries.reason(fn) is None
    reading = (edge for edge in project.graph.callees(fn) if project.queries.reason(edge.callee) is not None)
    return all(
        edge.call is not None and edge.kind == "call" and not edge.call.passed and edge.callee.cls is None
        for edge in reading
    )


def _other_writes(project: Project, fn: Fn) -> bool:
    """`other.save()` of an object whose type nothing tells."""
    for call in fn.calls:
        value = fn.facts.values[call.func]
        if value[0] == "attr" and value[2] in ("save", "delete", "update") and not project.callees(fn, call):
            return True
    return False


def _hit(project: Project, fn: Fn, call: Call, loop: int, query: Query, edge: Edge | None) -> Hit:
    line = fn.facts.blocks[loop].span.line
    name = f"`{edge.callee.name}()`" if edge is not None else f"`{query.name}`"
    return Hit(
        f"{name} writes one row for each item of the loop in line {line} of `{fn.name}()`: a round trip each; collect the rows and write "
        "them in one statement.",
        fn.location(call.span),
        related=(query.fn.step(query.span, "writes one row"),) if edge is not None else (),
        function=fn.fqn,
        profile=_profile(project, fn, loop, call, query, edge),
    )


def _profile(project: Project, fn: Fn, loop: int, call: Call, query: Query, edge: Edge | None) -> Profile | None:
    op = query.model.orm.op if query.model.orm is not None else ""
    if op in CHECKING or "related_descriptors" in query.model.name or _of_object(op, query):
        return "strict"
    if only_by_hand(project, fn) or project.layer(fn) in ("migration", "command"):
        return "strict"
    if op == "save" and (_own_save(project, query) or (edge is not None and edge.callee.name == "save")):
        return "strict"
    if query.model.name == SERIALIZER:
        return "strict"
    if (op == "create" and _no_plain_rows(project, query)) or _heard(project, query):
        return "strict"
    if _own_columns(query) or _composite(project, fn, loop, query) or _by_item(fn, loop, query):
        return "strict"
    if _given_back(fn, call, edge) or (edge is not None and _does_it_all(project, fn, loop, call)):
        return "strict"
    few = _of_one_parent(project, fn, loop) or not _may_be_many(project, fn, loop)
    if few and not _same_for_all(fn, loop, call, op if edge is None else ""):
        return "strict"
    if (
        _repairs(fn, loop)
        or _of_errors(fn, loop)
        or _may_fail_alone(fn, loop, call)
        or (edge is None and _judged(fn, call))
    ):
        return "strict"
    if not _of_this_round(fn, loop, call, op if edge is None else "") or _does_more(project, fn, loop, call, edge):
        return "strict"
    return None


def _repairs(fn: Fn, loop: int) -> bool:
    """Whether the loop puts right what should not be so, after a failure or in a branch that warns of it."""
    if fn.inside(loop, "except") is not None:
        return True
    branches = {number for number, item in fn.blocks_of(loop) if item.kind in ("if", "else", "except")}
    return any(call.block in branches and fn.callee_name(call) in WARNS for call in fn.calls)


def _of_errors(fn: Fn, loop: int) -> bool:
    """`for error in errors:` notes what was wrong with one value, which seldom is more than one thing."""
    line, iterable = fn.facts.blocks[loop].span.line, fn.facts.blocks[loop].value
    items = (item for item in fn.facts.bindings if item.span.line == line and ERRORS.fullmatch(item.name))
    return any(fn.unguarded(item.value)[:2] == ("elem", iterable) for item in items)


def _of_this_round(fn: Fn, loop: int, call: Call, op: str) -> bool:
    """Whether the item decides what is written; what `save()` writes is an object of this round, not one that shows the progress."""
    if op != "save":
        return depends(fn, [call.func, *call.passed], loop)
    func = fn.unguarded(call.func)
    vid, steps = func[1] if func[0] == "attr" else -1, 0
    while (
        vid >= 0
        and (value := fn.facts.values[vid])[0] in ("guard", "setattr", "mut", "store", "phi")
        and steps < MAX_CHAIN
    ):
        vid, steps = value[1][0] if value[0] == "phi" else value[1], steps + 1
    made = fn.calls[fn.facts.values[vid][1]] if vid >= 0 and fn.facts.values[vid][0] == "call" else None
    here = made is not None and loop in around(fn.facts, made.block)
    return vid < 0 or here or depends(fn, [vid], loop)


def _does_more(project: Project, fn: Fn, loop: int, call: Call, edge: Edge | None) -> bool:
    """Whether the body, or what it calls to write, also reads, writes files or calls others for each item: one bulk write would
    not spare the round trips."""
    if not project.effects.call_effects(fn, call).isdisjoint(OUTSIDE):
        return True
    for other in fn.calls:
        if call.span.holds(other.span) or loop not in around(fn.facts, other.block):
            continue
        if any(model.transaction for model in project.models(fn, other)):
            continue
        if not BESIDE.isdisjoint(project.effects.call_effects(fn, other)) or _likely_asks(project, fn, loop, other):
            return True
    if any(item.kind == "read" and loop in around(fn.facts, item.block) for item in project.queries.direct(fn)):
        return True
    return edge is not None and project.effects.has(edge.callee, "file")


def _likely_asks(project: Project, fn: Fn, loop: int, call: Call) -> bool:
    """A method of something made of the item, whose class nothing tells, where all methods of that name ask or write."""
    known = project.targets(fn, call) or project.models(fn, call)
    if known or fn.facts.values[call.func][0] != "attr" or not depends(fn, [call.func], loop):
        return False
    name = fn.callee_name(call)
    found = [cls.methods[name] for cls in project.classes.values() if name in cls.methods]
    return bool(found) and all(not BESIDE.isdisjoint(project.effects.of(method)) for method in found)


def _may_fail_alone(fn: Fn, loop: int, call: Call) -> bool:
    """A `try` inside the loop, around the write: one item's failure is not the others'."""
    for number, item in fn.blocks_of(call.block):
        if number == loop:
            return False
        if item.kind in ("try", "except"):
            return True
    return False


def _judged(fn: Fn, call: Call) -> bool:
    """Whether the loop looks at how many rows this write found: `if updated != 1`."""
    made = {call.value, *(vid for vid, value in enumerate(fn.facts.values) if value == ("await", call.value))}
    return any(block.kind == "if" and made & ingredients(fn.facts, (block.value,)) for block in fn.facts.blocks)


def _own_save(project: Project, query: Query) -> bool:
    """A model with a `save` of its own does more than a bulk write would."""
    assert query.call is not None
    value = query.fn.facts.values[query.call.func]
    refs = project.refs(query.fn, value[1]) if value[0] == "attr" else ()
    return any(ref.kind == "inst" and project.method(project.classes[ref.name], "save") is not None for ref in refs)


def _no_plain_rows(project: Project, query: Query) -> bool:
    """Whether `bulk_create` would skip the model's own `save`, or is refused: its rows lie in its parent's table too."""
    entities = {write.entity for write in project.writes.direct(query.fn) if write.call is query.call}
    for cls in (project.classes[name] for name in entities if name in project.classes):
        parents = [item for item in project.hierarchy.mro(cls)[1:] if project.hierarchy.role(item) == "model"]
        django = project.hierarchy.is_a(cls, "django.db.models.Model")
        if project.method(cls, "save") is not None or (
            django and any(stored_by_itself(project, item) for item in parents)
        ):
            return True
    return False


def _heard(project: Project, query: Query) -> bool:
    """Whether somebody listens to each row that is saved: a bulk write would send no signal."""
    found = (write for write in project.writes.direct(query.fn) if write.call is query.call)
    return any((write.entity, write.op) in project.writes.heard for write in found)


def _of_object(op: str, query: Query) -> bool:
    return op == "delete" and not (query.model.orm is not None and query.model.orm.bulk)


def _composite(project: Project, fn: Fn, loop: int, query: Query) -> bool:
    """Whether the row is one part of larger work: other writes in the loop, or its new key is used at once."""
    others = 0
    for item in project.queries.sent(fn):
        if item.kind == "write" and item.call is not query.call and loop in around(fn.facts, item.block):
            others += 1
    if query.fn is not fn or query.call is None:
        return others > 0
    op = query.model.orm.op if query.model.orm is not None else ""
    used = is_result_used(fn, query.call)
    return others > 0 or (used and op in ("create", "add")) or (op == "save" and _needed_after(project, fn, query.call))


def _by_item(fn: Fn, loop: int, query: Query) -> bool:
    """`for model, key in rows: model.objects.filter(...).update(...)`: each item names its own table."""
    op = query.model.orm.op if query.model.orm is not None else ""
    if query.fn is not fn or query.call is None:
        return False
    if query.call.args and _statement_on_item(fn, query.call.args[0], loop):
        return True
    if op in ("save", "delete"):
        return False
    vid, steps = query.call.func, 0
    while steps < MAX_CHAIN and (value := fn.facts.values[vid])[0] in ("attr", "guard", "await", "call"):
        vid = fn.calls[value[1]].func if value[0] == "call" else value[1]
        steps += 1
    if value[0] == "unpack":
        value = fn.facts.values[value[1]]
    return steps > 1 and value[0] == "elem" and value[1] == fn.facts.blocks[loop].value


def _statement_on_item(fn: Fn, vid: Vid, loop: int) -> bool:
    """`execute(delete(model).where(...))`, `execute(table.delete())` of the loop's item"""
    for _ in range(MAX_CHAIN):
        value = fn.unguarded(vid)
        if value[0] != "call":
            return False
        call = fn.calls[value[1]]
        base = fn.unguarded(call.func)
        if fn.callee_name(call) in CHANGING and (call.args or base[0] == "attr"):
            subject = fn.unguarded(
                call.args[0] if base[0] == "name" and call.args else base[1] if base[0] == "attr" else vid
            )
            return subject[0] in ("elem", "unpack") and depends(fn, [call.func, *call.args[:1]], loop)
        if base[0] != "attr":
            return False
        vid = base[1]
    return False


def _given_back(fn: Fn, call: Call, edge: Edge | None) -> bool:
    """Whether the callee answers with the row or its key, and the loop goes on with it."""
    if edge is None or all(
        edge.callee.const(item.value) is not ... for item in edge.callee.facts.returns if item.value >= 0
    ):
        return False
    return is_result_used(fn, call)


def _does_it_all(project: Project, fn: Fn, loop: int, call: Call) -> bool:
    """Whether a function of the project is called on the loop's object, or given it whole: it does what is to be done with one
    (`order.archive(user)`), of which the write may be a part; or an attribute that some code filled is gone through."""
    iterable = fn.unguarded(fn.facts.blocks[loop].value)
    if iterable[0] == "attr" and not _is_sent(project, fn, iterable[1]):
        return True
    func = fn.value(call.func)
    on = func[1] if func[0] == "attr" else -1
    return any(_is_item(fn, vid, loop) and (vid == on or _is_row(project, fn, vid)) for vid in (on, *call.passed))


def _is_sent(project: Project, fn: Fn, vid: Vid) -> bool:
    """The body of a request, whose lists are as long as a client likes."""
    classes = (project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst")
    return any(project.hierarchy.role(cls) == "schema" for cls in classes)


def _is_item(fn: Fn, vid: Vid, loop: int) -> bool:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return value[0] in ("elem", "unpack") and depends(fn, [vid], loop)


def _is_row(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(ref.kind == "inst" and ref.name in project.classes for ref in project.refs(fn, vid))


def _of_one_parent(project: Project, fn: Fn, loop: int) -> bool:
    """`for author in article.authors.all():` goes through what belongs to one, and no name tells that this is much."""
    vid = fn.facts.blocks[loop].value
    value = fn.unguarded(vid)
    if value[0] != "call" or project.targets(fn, fn.calls[value[1]]):
        return False
    origins = project.origins.of(fn, vid)
    return bool(origins) and all(item.path and _few_each(item.path[-1]) for item in origins)


def _may_be_many(project: Project, fn: Fn, loop: int) -> bool:
    """Whether anything tells that many come: rows that a query finds, and not for one parent, what a client or another system
    sends, and names (`rows`, `import_lines()`, `users`)."""
    vid = fn.facts.blocks[loop].value
    made = ingredients(fn.facts, (vid,))
    calls = [fn.calls[value[1]] for value in map(fn.value, made) if value[0] == "call"]
    steps = [step for origin in project.origins.of(fn, vid) if origin.ops - OF_ONE_ROW for step in origin.steps]
    texts = [text for call in calls if (text := project.queries.text(fn, call))]
    if steps or texts or any(fn.callee_name(call) in FETCHES for call in calls):
        return not any(_names_parent(project, step.fn, step.call) for step in steps) and not any(
            map(BY_PARENT.search, texts)
        )
    items = [item.name for item in fn.facts.bindings if item.name in ROWS and depends(fn, [item.value], loop)]
    words = {word.lower() for name in (fn.name, *items, *_names(fn, made)) for word in identifier_words(name)}
    return not words.isdisjoint(BULK) or any(_is_request(project, fn, part) for part in made)


def _names(fn: Fn, made: Iterable[Vid]) -> Iterator[str]:
    """What the values are called: parameters, attributes, variables, and what is called for them."""
    bound = {item.value: item.name for item in fn.facts.bindings}
    for vid in made:
        value = fn.value(vid)
        yield bound.get(vid, "")
        if value[0] == "param":
            yield fn.facts.params[value[1]].name
        elif value[0] in ("attr", "name") and (name := str(value[-1]).rpartition(".")[2]) not in VIEWS:
            yield name


def _names_parent(project: Project, fn: Fn, call: Call) -> bool:
    """`filter(order=order)`, `where(Line.order_id == number)`: the rows of one."""
    keys = [key for key, vid in call.kwargs if fn.const(vid) is ...]
    for value in map(fn.unguarded, call.args):
        if value[0] == "compare" and value[1] == ("==",):
            keys += [fn.dotted(vid).rpartition(".")[2] for vid in value[2]]
    names = project.associations.names
    parents = (key for key in keys if not WHOLE_SYSTEM.match(key))
    return any(key.endswith(("_id", "_pk")) or key.rpartition("__")[2] in names for key in parents)


def _is_request(project: Project, fn: Fn, vid: Vid) -> bool:
    """A list that a client sends: `request.data["ids"]`, or the body of the route."""
    value = fn.value(vid)
    if value[0] == "param":
        return fn.fqn in project.route_functions and value[1] in project.request_param_types(fn)
    owner, _, name = fn.dotted(vid).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
    base = fn.unguarded(value[1]) if value[0] == "attr" else ("",)
    if base[0] == "param":
        owner = fn.facts.params[base[1]].name
    return name in BODY and owner.lower().endswith(("request", "req"))


def _few_each(relation: str) -> bool:
    words = [word.lower().removesuffix("es").removesuffix("s") for word in identifier_words(relation)]
    return not accumulates(relation) or not OF_ONE.isdisjoint(words)


def _same_for_all(fn: Fn, loop: int, call: Call, op: str) -> bool:
    """`notice.read = True; notice.save()`: one `update()` of all of them does it."""
    func = fn.value(call.func)
    if op != "save" or func[0] != "attr":
        return False
    vid, changed = func[1], False
    for _ in range(MAX_CHAIN):
        value = fn.facts.values[vid]
        if value[0] == "setattr":
            if depends(fn, [value[3]], loop) or _made_here(fn, value[3], loop):
                return False
            changed = True
        elif value[0] not in ("guard", "mut"):
            break
        vid = value[1]
    return changed


def _made_here(fn: Fn, vid: Vid, loop: int) -> bool:
    """`uuid4()`, which is another one in each round; the time may as well be the same."""
    values = (fn.value(part) for part in ingredients(fn.facts, (vid,)))
    calls = [fn.calls[value[1]] for value in values if value[0] == "call"]
    return any(loop in around(fn.facts, call.block) and fn.callee_name(call) not in CLOCKS for call in calls)


def _needed_after(project: Project, fn: Fn, call: Call) -> bool:
    """`line.order = order` after `order.save()`, `order.add_lines()`: what is written next refers to the row."""
    value = fn.facts.values[call.func]
    held = aliases(fn.facts, value[1]) if value[0] == "attr" else set[Vid]()
    return _handed_on(fn, held, call) or any(
        before(call.span, other.span)
        and fn.facts.values[other.func][0] == "attr"
        and fn.facts.values[other.func][1] in held
        and "db-write" in project.effects.call_effects(fn, other)
        for other in fn.calls
    )


def _handed_on(fn: Fn, held: set[Vid], call: Call) -> bool:
    """Whether any of the values is stored, passed on or returned after the call."""
    later = [(item.span, item.value) for item in fn.facts.stores]
    later += [(item.span, item.value) for item in fn.facts.returns]
    later += [(other.span, vid) for other in fn.calls for vid in other.passed]
    return any(vid in held and before(call.span, span) for span, vid in later)
