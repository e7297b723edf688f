"""Races on inserts: rows that are looked for, and inserted where they were not found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.errors.conflicts import (
    conflict_handled,
    conflict_handled_above,
    conflict_handled_around,
    conflict_handled_in,
)
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import object_root
from backendlint.project.perfunction import per_function
from backendlint.project.rows.rowlocks import FOR_UPDATE, held_above, locked, serialized
from backendlint.project.rows.saved import by_super
from backendlint.project.rows.transactions import before, exclusive
from backendlint.project.rows.writes import collection, named_entity
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.writes import Write

_NAMES = ("guard", "await", "setattr", "mut", "unpack", "item", "elem")
FROM = re.compile(r"\bFROM\s+[\"`]?(\w+)", re.IGNORECASE)
_SAFE_INSERT = re.compile(
    r"\bON\s+CONFLICT\b|\bON\s+DUPLICATE\b|INSERT\s+(OR\s+)?IGNORE|WHERE\s+NOT\s+EXISTS", re.IGNORECASE
)
_MISSING = ("DoesNotExist", "DoesNotExistError", "NoResultFound", "NotFound", "NotFoundError")

MAX_PARTS = 30
MAX_EDGES = 3


def same_receiver(fn: Fn, first: Call, second: Call) -> bool:
    """Whether two calls are methods of one object."""
    one, two = fn.facts.values[first.func], fn.facts.values[second.func]
    return bool(one[0] == two[0] == "attr" and object_root(fn, one[1]) == object_root(fn, two[1]))


def fetches(fn: Fn, read: Call, call: Call) -> bool:
    """`cursor.fetchone()` after `cursor.execute(...)` on the same cursor."""
    return same_receiver(fn, read, call) and str(fn.facts.values[call.func][2]).startswith("fetch")


class Raced(NamedTuple):
    """A check for a row before it is inserted."""

    fn: Fn
    check: Call
    insert: Call
    entity: str
    deep: bool
    """The check or the insert is in a callee."""
    inner: str
    """The callee that inserts, or ""."""
    handled: str
    """caught: a conflict of two such inserts is; above: what leads there from afar handles conflicts; locked: a lock prevents it; or ""."""
    held: bool = False
    """Each way there holds a lock further up, which may be one for something else."""
    refuses: bool = False
    """Where the row was found, an error is raised: run again after a failure, it does not make up for what is missing."""


@per_function
def checks_before_insert(project: Project, fn: Fn) -> tuple[Raced, ...]:
    """Inserts of the function that depend on a query which did not find the row; ask `project.checked_inserts` for them."""
    return tuple(_checked(project, fn))


def _checked(project: Project, fn: Fn) -> Iterator[Raced]:
    if fn.fqn not in project.writes.storing or not any(item.kind in ("if", "except") for item in fn.facts.blocks):
        return
    inserts = list(_inserts(project, fn))
    checks = list(_checks(project, fn)) if inserts else []
    for insert, entity, inner, caught in inserts:
        decisive = [
            (check, deep, decides)
            for check, found, deep in checks
            if found == entity and before(check.span, insert.span)
            if (decides := _decides(project, fn, check, insert))
        ]
        if decisive:
            check, deep, decides = decisive[0]
            handled = _handled(project, fn, [check for check, _, _ in decisive], insert, caught=caught)
            held = held_above(project, fn)
            yield Raced(fn, check, insert, entity, deep or bool(inner), inner, handled, held, decides == "refuses")


def _handled(project: Project, fn: Fn, checks: list[Call], insert: Call, *, caught: bool) -> str:
    """A lock serves that is taken before one of the checks: what was asked without it may have changed."""
    if any(serialized(project, fn, check) for check in checks):
        return "locked"
    if caught or conflict_handled(project, fn, insert):
        return "caught"
    return "above" if conflict_handled_above(project, fn) else ""


def _checks(project: Project, fn: Fn) -> Iterator[tuple[Call, str, bool]]:
    for query in project.queries.direct(fn):
        if query.call is not None and query.kind == "read":
            text = project.queries.text(fn, query.call)
            if FOR_UPDATE.search(text):
                continue
            tables = FROM.findall(text)
            entity = tables[0].lower() if tables else asked(project, fn, query.call)
            if entity and not _locking(project, fn, query.call):
                yield query.call, entity, False
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        edges, last = project.queries.chain(edge.callee)
        if last is None or last.call is None or len(edges) > MAX_EDGES:
            continue
        if project.writes.reached(edge.callee):
            continue
        if not _gives(project, edge.callee):
            continue
        text = project.queries.text_of((edge, *edges), last)
        tables = FROM.findall(text)
        entity = tables[0].lower() if tables else asked(project, last.fn, last.call)
        entity = _inheriting(project, fn, edge, entity) or entity or _found(project, fn, edge.call)
        if entity and not _locking(project, last.fn, last.call, (fn, edge.call)) and not FOR_UPDATE.search(text):
            yield edge.call, entity, True


def _inheriting(project: Project, fn: Fn, edge: Edge, entity: str) -> str:
    """`User.get_by(email=email)` of a mixin, which asks for whatever class it is called on; "" where it asks for another."""
    received = project.classes.get(_receiving(project, fn, edge))
    bases = {cls.fqn for cls in project.hierarchy.mro(received)} if received is not None else set()
    return received.fqn if received is not None and (not entity or entity in bases) else ""


def _found(project: Project, fn: Fn, call: Call) -> str:
    """The model of which a helper gives a row, by its type: its statement may go through others (`self.one_or_none(query)`)."""
    names = [ref.name for ref in project.refs(fn, call.value) if ref.kind == "inst"]
    return next((name for name in names if project.hierarchy.role(project.classes[name]) == "model"), "")


def _gives(project: Project, fn: Fn) -> bool:
    """Whether the result says what was found: not where all there is to return is nothing, or an object made of constants, as
    a check does that answers with its error."""
    found = [vid for vid in fn.returned if fn.const(vid) is not None]
    return not found or not all(_made_of_constants(project, fn, vid) for vid in found)


def _made_of_constants(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    kinds = [ref.kind for ref in project.callees(fn, call)]
    makes = bool(kinds) and all(kind in ("class", "lib") for kind in kinds)
    return (
        makes
        and bool(call.passed)
        and not any(
            fn.facts.values[item][0] in ("call", "param", "attr", "item", "elem", "unpack", "phi", "guard", "await")
            for item in ingredients(fn.facts, call.passed)
        )
    )


def _locking(project: Project, fn: Fn, call: Call, asking: tuple[Fn, Call] | None = None) -> bool:
    """Whether the check locks what it reads (as far as it is asked to), counts, or answers 404 by itself: then it is no check
    before an insert."""
    for model in project.models(fn, call):
        if model.orm is not None and model.orm.op in ("count", "aggregate", "get_or_404", "refresh"):
            return True
    found = project.origins.of(asking[0], asking[1].value) if asking is not None else ()
    known = [origin for origin in found if origin.known and origin.steps] or project.origins.of(fn, call.value)
    return any(locked(origin) for origin in known)


def asked(project: Project, fn: Fn, call: Call) -> str:
    """The model that a query asks for: by the types on the way, else by the classes that its parts name."""
    for ref in project.callees(fn, call):
        arg = ref.arg
        while arg is not None:
            if arg.kind in ("inst", "class"):
                return arg.name
            arg = arg.arg
    todo: list[Vid] = [call.value, *call.args[:1]]
    seen: set[Vid] = set()
    while todo and len(seen) < MAX_PARTS:
        vid = todo.pop(0)
        if vid < 0 or vid in seen:
            continue
        seen.add(vid)
        found = _model_of(project, fn, vid)
        if found:
            return found
        value = fn.facts.values[vid]
        if value[0] == "call":
            inner = fn.facts.calls[value[1]]
            todo += [inner.func, *inner.args[:1]]
        elif value[0] in ("attr", "await", "guard"):
            todo.append(value[1])
    return collection(project, fn, call).lower()


def _model_of(project: Project, fn: Fn, vid: Vid) -> str:
    for ref in project.refs(fn, vid):
        model = project.hierarchy.model_in(ref)
        if model is not None:
            return model.fqn
    value = fn.facts.values[vid]
    return named_entity(project, fn, str(value[1])) if value[0] == "name" else ""


def _replaces(project: Project, write: Write) -> bool:
    """Whether the store puts the row in the place of one with the same key, so that none is there twice."""
    models = project.models(write.fn, write.call)
    return any(model.orm is not None and "*" in model.orm.upserts for model in models)


def _inserts(project: Project, fn: Fn) -> Iterator[tuple[Call, str, str, bool]]:
    """The insert, its entity, and the callee that carries it out, with whether that catches a conflict."""
    for write in project.writes.direct(fn):
        if write.creates and write.entity and not _SAFE_INSERT.search(project.queries.text(fn, write.call)):
            if not _stored_already(project, write):
                yield write.call, _key(write.entity), "", False
        elif write.op == "save" and write.entity and _new(project, fn, write.call) and not _replaces(project, write):
            yield write.call, write.entity, "", False
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        saved = project.writes.saved(edge)
        if saved is not None and saved.op == "save" and saved.entity and _new(project, fn, edge.call):
            yield edge.call, saved.entity, "", False
        for found, chain in project.writes.reached(edge.callee):
            told = found.entity or _made(project, fn, edge.call) or by_super(project, fn, edge.call)
            # else it may store again what was there
            write = project.writes.received(found, (edge, *chain)) if told else found
            if write.op == "add" and _of_a_row(project, fn, edge.call):
                break
            text = project.queries.text(write.fn, write.call)
            entity = write.entity or _receiving(project, fn, edge)
            if write.creates and entity and len(chain) <= 1 and not _SAFE_INSERT.search(text):
                if not _stored_already(project, write):
                    caught = conflict_handled_in(project, write.fn, write.call) or conflict_handled_around(
                        project, chain
                    )
                    yield edge.call, _key(entity), edge.callee.fqn, caught
                break


def _made(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call is given an object that is made here: `orders.create(Order(...))`."""
    values = [fn.value(object_root(fn, vid)) for vid in call.passed]
    makers = (fn.facts.calls[value[1]] for value in values if value[0] == "call")
    return any(ref.kind == "class" for maker in makers for ref in project.callees(fn, maker))


def _of_a_row(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call is given what belongs to another row, and so was stored before: `customers.update(record.customer)`."""
    roots = [object_root(fn, vid) for vid in call.args[:1]]
    owners = [fn.value(root)[1] for root in roots if fn.value(root)[0] == "attr"]
    return any(_model_of(project, fn, owner) for owner in owners)


def _receiving(project: Project, fn: Fn, edge: Edge) -> str:
    """The model whose inherited method is called: `User.create(...)` of a mixin, `User(...).save()`."""
    assert edge.call is not None
    for ref in project.callees(fn, edge.call):
        owner = project.classes.get(ref.arg.name) if ref.arg is not None else None
        if owner is not None and project.hierarchy.role(owner) == "model":
            made = edge.callee.kind == "classmethod" or _new(project, fn, edge.call)
            return owner.fqn if made else ""
    return ""


def _key(entity: str) -> str:
    """Classes by their full name, tables and collections whatever their case."""
    return entity if "." in entity else entity.lower()


def _stored_already(project: Project, write: Write) -> bool:
    """`session.add(item)` of an object that came from a query or by injection: that is an update."""
    if write.op != "add" or not write.call.args:
        return False
    origins = project.origins.of(write.fn, write.call.args[0])
    if origins and all(origin.known for origin in origins):
        return True
    value = write.fn.facts.values[object_root(write.fn, write.call.args[0])]
    return value[0] == "param" and bool(project.graph.injected(write.fn, value[1]))


def _new(project: Project, fn: Fn, call: Call) -> bool:
    """`Order(...).save()`: an object made here; a serializer or form only where it is given none to change."""
    value = fn.facts.values[call.func]
    if value[0] != "attr":
        return False
    made = fn.facts.values[object_root(fn, value[1])]
    if made[0] != "call":
        return False
    maker = fn.facts.calls[made[1]]
    roles = {
        project.hierarchy.role(project.classes[ref.name]) for ref in project.callees(fn, maker) if ref.kind == "class"
    }
    first = maker.args[:1] if "serializer" in roles else ()
    given = maker.kwarg("instance") if roles & {"serializer", "form"} else -1
    return bool(roles) and not any(vid >= 0 and fn.const(vid) is not None for vid in (*first, given))


def _decides(project: Project, fn: Fn, check: Call, insert: Call) -> str:
    """Whether the insert runs only where the check found nothing: in the branch for that (ensures), or behind the other's
    exit (refuses, where that is an error)."""
    around = {number for number, _ in fn.blocks_of(insert.block)}
    missing = _in_missing_handler(project, fn, check, insert, around)
    if missing:
        return missing
    if exclusive(fn, check.block, insert.block):
        return ""
    made = _result(fn, check)
    for number, block in enumerate(fn.facts.blocks):
        if block.kind != "if" or block.value < 0:
            continue
        found = _says_found(fn, block.value, made, 4)
        if found is None:
            continue
        partner = next(
            (i for i, item in enumerate(fn.facts.blocks) if item.kind == "else" and item.group == number), -1
        )
        if (number in around and not found) or (partner in around and found):
            return "ensures"
        if found and block.exits in ("return", "raise", "continue") and block.span[2:] <= insert.span[:2]:
            return "refuses" if block.exits == "raise" else "ensures"
    return ""


def _in_missing_handler(project: Project, fn: Fn, check: Call, insert: Call, around: set[int]) -> str:
    """`except DoesNotExist:` of the query, with the insert in it, or behind it where the `try` ends in an error if there was a
    row; where several catch it, the innermost does."""
    blocks = fn.facts.blocks
    for number, types in project.exceptions.handlers(fn, check.block):
        if blocks[number].kind == "except" and any(
            project.exception_kind(name) == "not-found" or name.endswith(_MISSING) for name in types
        ):
            tried = blocks[blocks[number].group]
            behind = tried.exits == "raise" and not blocks[number].exits and tried.span[2:] <= insert.span[:2]
            return "ensures" if number in around else "refuses" if behind else ""
    return ""


def _result(fn: Fn, check: Call) -> set[Vid]:
    """The check's result under its other names: awaited, guarded, unpacked, and what its own methods give (`.first()`);
    for a cursor's statement, what is fetched before its next one."""
    found = {check.value}
    following = [call for call in fn.calls if before(check.span, call.span) and same_receiver(fn, check, call)]
    for call in following:
        if not fetches(fn, check, call):
            break
        found.add(call.value)
    for vid, value in enumerate(fn.facts.values):
        if value[0] in _NAMES:
            same = value[1] in found
        elif value[0] == "phi":
            same = bool(found.intersection(value[1]))
        else:
            same = value[0] == "call" and _asks(fn, fn.facts.calls[value[1]], found)
        if same:
            found.add(vid)
    return found


def _asks(fn: Fn, call: Call, found: set[Vid]) -> bool:
    """A method of the result, or `len()` and `bool()` of it."""
    func = fn.facts.values[call.func]
    if func[0] == "attr":
        return func[1] in found
    return (
        func[0] == "name" and str(func[1]) in ("builtins.len", "builtins.bool") and bool(found.intersection(call.args))
    )


def _says_found(fn: Fn, vid: Vid, made: set[Vid], depth: int) -> bool | None:
    """What the truth of a test says of the checked row: there (True), not there (False), or nothing (None)."""
    value = fn.facts.values[vid]
    if depth == 0:
        return None
    if value[0] == "not":
        inner = _says_found(fn, value[1], made, depth - 1)
        return None if inner is None else not inner
    if value[0] == "compare" and len(value[2]) == 2 and value[2][0] in made:
        other = fn.const(value[2][1])
        if other is None or other == 0:
            return {"is": False, "==": False, "is not": True, "!=": True, ">": True, "<": None}.get(value[1][0])
        return True if value[1][0] in (">", ">=") and other == 1 else None
    if value[0] == "bool":
        found = [_says_found(fn, item, made, depth - 1) for item in value[2]]
        return next((item for item in found if item is not None), None) if value[1] == "and" else None
    return True if vid in made and value[0] != "compare" else None
