"""Races on stored data: values read, changed and written back; checks before an insert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Store, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.requests import derived
from backendlint.project.transactions import before, exclusive
from backendlint.project.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.origins import Origin
    from backendlint.project.writes import Write

_VERSION = re.compile(r"version|revision|etag|lock", re.IGNORECASE)
_ARITHMETIC = ("+", "-", "*", "/", "//")
_NAMES = ("guard", "await", "setattr", "mut", "unpack", "item", "elem")
_SAME = ("guard", "await", "setattr", "mut", "store")
_FOR_UPDATE = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bFOR\s+SHARE\b", re.IGNORECASE)
_UPDATE = re.compile(r"\s*UPDATE\s+[\"`]?(\w+)", re.IGNORECASE)
_INSERT = re.compile(r"\s*INSERT\s+(?:OR\s+\w+\s+)?INTO\s+[\"`]?(\w+)", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\s+[\"`]?(\w+)", re.IGNORECASE)
_SAFE_INSERT = re.compile(
    r"\bON\s+CONFLICT\b|\bON\s+DUPLICATE\b|INSERT\s+(OR\s+)?IGNORE|WHERE\s+NOT\s+EXISTS", re.IGNORECASE
)


class Lost(NamedTuple):
    """A read-modify-write of an entity's attribute."""

    fn: Fn
    store: Store
    entity: Cls
    name: str
    origin: Origin


def read_modify_writes(project: Project) -> Iterator[Lost]:
    """Attributes of stored entities that are set to something computed from their own old value, without a lock."""
    for fn in project.all_functions():
        for store in fn.facts.stores:
            if not store.name or not _from_itself(fn, store):
                continue
            entity = _entity(project, fn, store.base)
            if entity is None or _versioned(project, entity):
                continue
            origins = [item for item in project.origins.of(fn, store.base) if item.known and item.steps]
            if not origins or any(_locked(item) for item in origins) or not _saved(project, fn, store, entity):
                continue
            yield Lost(fn, store, entity, store.name, origins[0])


def _entity(project: Project, fn: Fn, vid: Vid) -> Cls | None:
    for ref in project.refs(fn, vid):
        if ref.kind == "inst" and project.hierarchy.role(project.classes[ref.name]) == "model":
            return project.classes[ref.name]
    return None


def root(fn: Fn, vid: Vid) -> Vid:
    """The object behind changes and guards of it."""
    value = fn.facts.values[vid]
    while value[0] in _SAME or (value[0] == "phi" and value[1]):
        following = value[1][0] if value[0] == "phi" else value[1]
        if following == vid:
            break
        vid = following
        value = fn.facts.values[vid]
    return vid


def _from_itself(fn: Fn, store: Store) -> bool:
    """`x.a = x.a - n` or `x.a -= n`: arithmetic on the attribute's own old value."""
    value = fn.facts.values[store.value]
    while value[0] == "guard":
        value = fn.facts.values[value[1]]
    if value[0] != "binop" or value[1] not in _ARITHMETIC:
        return False
    base = root(fn, store.base)
    todo, seen = list(value[2:4]), set()
    while todo:
        vid = todo.pop()
        if vid in seen or vid < 0:
            continue
        seen.add(vid)
        item = fn.facts.values[vid]
        if item[0] == "attr" and item[2] == store.name and root(fn, item[1]) == base:
            return True
        if item[0] in ("binop", "guard", "conv", "bool", "phi"):
            todo.extend(operands(item))
        elif item[0] == "call":
            todo.extend(fn.facts.calls[item[1]].args)
    return False


def _locked(origin: Origin) -> bool:
    return "lock" in origin.ops or any(any("for_update" in key for key, _ in step.call.kwargs) for step in origin.steps)


def _versioned(project: Project, entity: Cls) -> bool:
    """A version column with which the ORM itself notices lost updates."""
    for cls in project.hierarchy.mro(entity):
        vid = cls.facts.attributes.get("__mapper_args__", -1)
        value = cls.owner.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "dict" and any(cls.owner.const(key) == "version_id_col" for key, _ in value[1] if key >= 0):
            return True
        for method in cls.methods.values():
            if method.name == "save" and any(_VERSION.search(name) for name in cls.facts.attributes):
                return True
    return False


def _saved(project: Project, fn: Fn, store: Store, entity: Cls) -> bool:
    """Whether the change is written: by the session's commit, or by a `save()` of the object."""
    django = any(base.startswith("django.") for base in project.hierarchy.library_bases(entity))
    if not django:
        return not any(project.transactions.ends(fn, call) == "rollback" for call in fn.calls if call.block == 0)
    base = root(fn, store.base)
    for call in fn.calls:
        value = fn.facts.values[call.func]
        if value[0] == "attr" and root(fn, value[1]) == base:
            if any(model.orm is not None and model.orm.op == "save" for model in project.models(fn, call)):
                return True
            if value[2] in ("save", "asave"):
                return True
    return False


class Stale(NamedTuple):
    """A value that SQL reads, Python changes, and SQL writes back."""

    fn: Fn
    read: Call
    write: Call
    table: str


def sql_read_modify_writes(project: Project) -> Iterator[Stale]:
    """`SELECT balance ...`, arithmetic, `UPDATE ... SET balance = %s` on the same table, without `FOR UPDATE`."""
    for fn in project.all_functions():
        statements = [
            (query.call, project.queries.text(fn, query.call))
            for query in project.queries.direct(fn)
            if query.call is not None
        ]
        for write, text in statements:
            match = _UPDATE.match(text)
            if match is None:
                continue
            for read, other in statements:
                tables = {name.lower() for name in _FROM.findall(other)}
                if (
                    match[1].lower() in tables
                    and before(read.span, write.span)
                    and not _FOR_UPDATE.search(other)
                    and not exclusive(fn, read.block, write.block)
                    and _computed(project, fn, read, write)
                ):
                    yield Stale(fn, read, write, match[1])
                    break


def _computed(project: Project, fn: Fn, read: Call, write: Call) -> bool:
    """Whether a parameter of the write is arithmetic on what the read gave."""
    made = derived(fn, read.value)
    made |= {
        vid for call in fn.calls for vid in derived(fn, call.value)
        if before(read.span, call.span) and _fetches(project, fn, read, call)
    }  # fmt: skip
    todo = [*write.args[1:], *(vid for _, vid in write.kwargs)]
    seen: set[Vid] = set()
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "binop" and value[1] in ("+", "-") and any(item in made for item in value[2:4]):
            return True
        todo.extend(operands(value))
    return False


def _fetches(project: Project, fn: Fn, read: Call, call: Call) -> bool:
    """`cursor.fetchone()` after `cursor.execute(...)` on the same cursor."""
    first, second = fn.facts.values[read.func], fn.facts.values[call.func]
    return (
        first[0] == second[0] == "attr"
        and root(fn, first[1]) == root(fn, second[1])
        and str(second[2]).startswith("fetch")
    )


class Raced(NamedTuple):
    """A check for a row before it is inserted."""

    fn: Fn
    check: Call
    insert: Call
    entity: str
    deep: bool
    """The check or the insert is in a callee."""


def checks_before_insert(project: Project) -> Iterator[Raced]:
    """Inserts that depend on a query which did not find the row."""
    for fn in project.all_functions():
        inserts = list(_inserts(project, fn))
        if not inserts or not any(block.kind == "if" for block in fn.facts.blocks):
            continue
        checks = list(_checks(project, fn))
        for insert, entity, deep_insert in inserts:
            for check, found, deep in checks:
                if found == entity and before(check.span, insert.span) and _decides(fn, check, insert):
                    yield Raced(fn, check, insert, entity, deep or deep_insert)
                    break


def _checks(project: Project, fn: Fn) -> Iterator[tuple[Call, str, bool]]:
    for query in project.queries.direct(fn):
        if query.call is not None and query.kind == "read":
            text = project.queries.text(fn, query.call)
            if _FOR_UPDATE.search(text):
                continue
            tables = _FROM.findall(text)
            entity = tables[0].lower() if tables else _asked(project, fn, query.call)
            if entity and not _locking(project, fn, query.call):
                yield query.call, entity, False
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        edges, last = project.queries.chain(edge.callee)
        if last is None or last.call is None or len(edges) > 2:
            continue
        if project.writes.reached(edge.callee):
            continue
        text = project.queries.text(last.fn, last.call)
        tables = _FROM.findall(text)
        entity = tables[0].lower() if tables else _asked(project, last.fn, last.call)
        if entity and not _locking(project, last.fn, last.call) and not _FOR_UPDATE.search(text):
            yield edge.call, entity, True


def _locking(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the check locks what it reads, counts, or answers 404 by itself: then it is no check before an insert."""
    for model in project.models(fn, call):
        if model.orm is not None and model.orm.op in ("count", "aggregate", "get_or_404", "refresh"):
            return True
    return any(_locked(origin) for origin in project.origins.of(fn, call.value))


def _asked(project: Project, fn: Fn, call: Call) -> str:
    """The model that a query asks for."""
    for ref in project.callees(fn, call):
        arg = ref.arg
        while arg is not None:
            if arg.kind in ("inst", "class"):
                return arg.name
            arg = arg.arg
    for vid in (call.value, *call.args[:1]):
        for ref in project.refs(fn, vid):
            item = ref
            while item is not None:
                if item.kind in ("inst", "class") and project.hierarchy.role(project.classes[item.name]) == "model":
                    return item.name
                if item.arg is None:
                    break
                item = item.arg
    return ""


def _inserts(project: Project, fn: Fn) -> Iterator[tuple[Call, str, bool]]:
    for write in project.writes.direct(fn):
        if write.creates and write.entity and not _SAFE_INSERT.search(project.queries.text(fn, write.call)):
            if _stored_already(project, write):
                continue
            yield write.call, write.entity if "." in write.entity else write.entity.lower(), False
        elif write.op == "save" and write.entity and _new(project, fn, write.call):
            yield write.call, write.entity, False
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        for write, chain in project.writes.reached(edge.callee):
            text = project.queries.text(write.fn, write.call)
            if write.creates and write.entity and len(chain) <= 1 and not _SAFE_INSERT.search(text):
                if not _handles_conflict(project, write.fn, write.call) and not _stored_already(project, write):
                    yield edge.call, write.entity if "." in write.entity else write.entity.lower(), True
                break


def _stored_already(project: Project, write: Write) -> bool:
    """`session.add(item)` of an object that came from a query or by injection: that is an update."""
    if write.op != "add" or not write.call.args:
        return False
    origins = project.origins.of(write.fn, write.call.args[0])
    if origins and all(origin.known for origin in origins):
        return True
    value = write.fn.facts.values[root(write.fn, write.call.args[0])]
    return value[0] == "param" and bool(project.graph.injected(write.fn, value[1]))


def _new(project: Project, fn: Fn, call: Call) -> bool:
    """`Order(...).save()`: an object made here."""
    value = fn.facts.values[call.func]
    if value[0] != "attr":
        return False
    made = fn.facts.values[root(fn, value[1])]
    return made[0] == "call" and any(ref.kind == "class" for ref in project.callees(fn, fn.facts.calls[made[1]]))


def _handles_conflict(project: Project, fn: Fn, call: Call) -> bool:
    return handles_conflict(project, fn, call.block)


def handles_conflict(project: Project, fn: Fn, block: int) -> bool:
    """Whether a failed insert (a violated constraint) is caught around the block."""
    for _, types in project.exceptions.handlers(fn, block):
        for name in types:
            if name in ("builtins.Exception", "builtins.BaseException"):
                return True
            if any("integrity" in kind_of(project, item) for item in (name,)) or name.endswith(
                (
                    "IntegrityError",
                    "UniqueViolation",
                    "UniqueViolationError",
                    "DuplicateKeyError",
                    "DatabaseError",
                    "SQLAlchemyError",
                )
            ):
                return True
    return False


def kind_of(project: Project, name: str) -> str:
    """The kind of an exception class by the library models, through its bases."""
    libraries = project.libraries
    cls = project.classes.get(name)
    names = project.hierarchy.library_bases(cls) if cls is not None else (name,)
    for item in names:
        for base in (item, *libraries.mro(item)):
            model = libraries.exception(base)
            if model is not None and model.kind:
                return model.kind
    return ""


def _decides(fn: Fn, check: Call, insert: Call) -> bool:
    """Whether the insert runs only where the check found nothing: in the branch for that, or behind the other's exit."""
    made = _result(fn, check.value)
    around = {number for number, _ in fn.blocks_of(insert.block)}
    if exclusive(fn, check.block, insert.block):
        return False
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
            return True
        if found and block.exits in ("return", "raise", "continue") and block.span[2:] <= insert.span[:2]:
            return True
    return False


def _result(fn: Fn, start: Vid) -> set[Vid]:
    """The check's result under its other names: awaited, guarded, unpacked, and what its own methods give (`.first()`)."""
    found = {start}
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
