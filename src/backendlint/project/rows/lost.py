"""Lost updates: stored values that are read, changed in Python and written back without a lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Store, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import bind, object_root, receiver, unchanged
from backendlint.project.rows.isolation import isolated_folders, runs_isolated
from backendlint.project.rows.races import FROM, asked, fetches
from backendlint.project.rows.rowlocks import FOR_UPDATE, locked, locked_afresh, runs_locked, serialized
from backendlint.project.rows.transactions import before, exclusive
from backendlint.project.rows.writes import collection
from backendlint.project.schema import types
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.origins import Origin
    from backendlint.project.rows.writes import Write

_GUARDS = re.compile(r"version|revision|etag|lock", re.IGNORECASE)
"""Attributes by which a `save()` of one's own may notice that another was faster."""
VERSION = re.compile(r"(?:\b|_)(?:version|revision|etag)(?:\b|_)", re.IGNORECASE)
"""What a condition compares so that none but the first of two changes is made."""
_ARITHMETIC = ("+", "-", "*", "/", "//")
_UPDATE = re.compile(r"\s*UPDATE\s+[\"`]?(\w+)", re.IGNORECASE)
_NO_AMOUNT = frozenset({"bool", "date", "time", "timestamp", "interval", "uuid", "json", "bytes", "network"})
"""Families of columns whose sums are no tallies: dates that are moved, documents that are put together."""
_SETTERS = frozenset({"update", "set", "assign", "modify", "change", "edit", "patch", "update_fields"})
"""Names of methods of models that set the attributes which they are given."""
_USERS = ("flask_login.UserMixin", "django.contrib.auth.models.AbstractBaseUser")
_HOOKS = frozenset({"save", "asave", "delete", "clean", "full_clean", "refresh_from_db"})
_CONTAINERS = frozenset(dir(dict)) | frozenset(dir(set)) | frozenset(dir(list)) | frozenset(dir(str))
MAX_CHAIN = 12
_PARTS = ("guard", "await", "attr", "item", "elem", "unpack", "mut", "store", "star")
_CONVERSIONS = frozenset(
    {
        "builtins.int",
        "builtins.float",
        "builtins.round",
        "decimal.Decimal",
        "builtins.next",
        "builtins.max",
        "builtins.min",
    }
)


class Lost(NamedTuple):
    """A read-modify-write of an entity's attribute."""

    fn: Fn
    store: Store
    entity: Cls
    name: str
    origin: Origin | None
    """The query that gave the entity; None in a method of the entity itself, whose callers are not seen."""
    save: Call | None
    """The call that writes it back, where the object has one."""


def read_modify_writes(project: Project) -> Iterator[Lost]:
    """Attributes of stored entities that are set to something computed from their own old value, without a lock."""
    isolated = isolated_folders(project)
    for fn in project.all_functions():
        for store in (*fn.facts.stores, *_handed_over(project, fn)) if not runs_isolated(fn, isolated) else ():
            if not store.name or not _from_itself(fn, store) or _counted_anew(project, fn, store):
                continue
            origins = [item for item in project.origins.of(fn, store.base) if item.known and item.steps]
            unseen = not origins and _of_stored_row(project, fn, store)
            user = _of_signed_in(project, fn, store) if not (origins or unseen) else None
            if not (origins or unseen or user) or any(locked(item) for item in origins):
                continue
            own = fn.cls if unseen else user
            entity = own or stored_in(project, fn, store.base) or _asked_for(project, origins[0])
            if entity is None or _versioned(project, entity) or not _tallies(project, entity, store.name):
                continue
            written, save = _saved(project, fn, store, entity)
            step = origins[0].steps[0] if origins else None
            given = fn.facts.values[object_root(fn, store.base)][0] == "param"
            if written and not (
                (step is not None and serialized(project, step.fn, step.call, fn))
                or (not given and (runs_locked(project, fn) or locked_afresh(project, fn, store.base)))
            ):
                yield Lost(fn, store, entity, store.name, origins[0] if origins else None, save)


def _of_stored_row(project: Project, fn: Fn, store: Store) -> bool:
    """`self.used += n` and `self.save()` in a method of a model of Django's that is called, on objects of unknown type: a row
    that was read before, without a lock as far as the callers' functions show."""
    if fn.cls is None or fn.kind != "method" or fn.name.startswith("_") or fn.name in _HOOKS or fn.decorators:
        return False
    if fn.facts.values[object_root(fn, store.base)] != ("param", 0) or project.graph.callers(fn):
        return False
    if not project.hierarchy.is_a(fn.cls, "django.db.models.Model") or store.name not in _columns(fn.cls, project):
        return False
    written = project.graph.calls_written(fn.name) if fn.name not in _CONTAINERS else ()
    callers = [caller for caller, call in written if not project.callees(caller, call)]
    return bool(callers) and not any(_takes_locks(caller) for caller in (fn, *callers))


def _of_signed_in(project: Project, fn: Fn, store: Store) -> Cls | None:
    """`current_user.quota -= n`, `request.user.quota -= n`: the row of who asks, which the framework has read without a lock."""
    value = fn.facts.values[object_root(fn, store.base)]
    names = [project.libraries.canonical(str(value[1]))] if value[0] == "name" else []
    if value[0] == "attr":
        names += [f"{ref.name}.{value[2]}" for ref in project.refs(fn, value[1]) if ref.kind in ("lib", "libinst")]
    models = (project.libraries.attribute(name) for name in names)
    if not any(model is not None and model.proof == "session" for model in models):
        return None
    users = [
        cls
        for cls in project.classes.values()
        if store.name in _columns(cls, project) and any(project.hierarchy.is_a(cls, name) for name in _USERS)
    ]
    return users[0] if len(users) == 1 else None


def _columns(cls: Cls, project: Project) -> set[str]:
    """Attributes that the class or a base declares in its body: fields."""
    return {name for item in project.hierarchy.mro(cls) for name in item.facts.attributes}


def _takes_locks(fn: Fn) -> bool:
    return any(fn.callee_name(call) == "select_for_update" for call in fn.calls)


def _handed_over(project: Project, fn: Fn) -> Iterator[Store]:
    """`order.update({"total": order.total + 1})`: what a method of the project's own models is told to set."""
    for call in fn.facts.calls:
        func = fn.facts.values[call.func]
        if func[0] != "attr" or func[2] not in _SETTERS:
            continue
        pairs: list[tuple[object, Vid]] = list(call.kwargs)
        for vid in call.args[:1]:
            value = fn.facts.values[vid]
            pairs += [(fn.const(key), item) for key, item in value[1] if key >= 0] if value[0] == "dict" else []
        if pairs and project.targets(fn, call):
            for name, vid in pairs:
                if isinstance(name, str):
                    yield Store(func[1], name, -1, vid, call.block, call.span)


def stored_in(project: Project, fn: Fn, vid: Vid) -> Cls | None:
    """The model of which the value is a row, by its type."""
    for ref in project.refs(fn, vid):
        if ref.kind == "inst" and project.hierarchy.role(project.classes[ref.name]) == "model":
            return project.classes[ref.name]
    return None


def _asked_for(project: Project, origin: Origin) -> Cls | None:
    """The entity by the query that gave it, where the function itself does not tell."""
    return stored_in(project, origin.steps[0].fn, origin.steps[0].call.value) if not origin.path else None


def _tallies(project: Project, entity: Cls, name: str) -> bool:
    """Whether the attribute may hold an amount: no relation, and no column of dates, documents or short texts (to a name that
    gets a suffix nothing is added; a long text may be a log that grows)."""
    if project.associations.find(entity, name) is not None:
        return False
    table = project.data.by_class.get(entity.fqn)
    column = table.column(name) if table is not None else None
    if column is None or types.family(column.type) in _NO_AMOUNT:
        return column is None
    return types.family(column.type) != "text" or types.length(column.type) is None


def _counted_anew(project: Project, fn: Fn, store: Store) -> bool:
    """`meter.units = 0` before the loop that adds to it, also by a function of its own: the sum does not rest on the old value."""
    helpers = [
        target
        for call in fn.calls
        if before(call.span, store.span)
        for target in project.targets(fn, call)
        if target.parent is fn or (target.cls is not None and target.cls is fn.cls)
    ]
    return any(
        other.name == store.name
        and (item is not fn or before(other.span, store.span))
        and item.const(other.value) in (0, None)
        for item in (fn, *helpers)
        for other in item.facts.stores
    )


def sums(fn: Fn, vid: Vid) -> list[Vid]:
    """What is reckoned with where the value is arithmetic, also cut off or converted: `max(0, total - n)`."""
    found: list[Vid] = []
    todo, seen = [vid], {-1}
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "binop" and value[1] in _ARITHMETIC:
            found += value[2:4]
        elif value[0] in ("guard", "phi"):
            todo += value[1] if value[0] == "phi" else value[1:2]
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            todo += call.args if func[0] == "name" and func[1] in _CONVERSIONS else ()
    return found


def _from_itself(fn: Fn, store: Store) -> bool:
    """`x.a = x.a - n` or `x.a -= n`: arithmetic on the attribute's own old value."""
    base = object_root(fn, store.base)
    todo, seen = sums(fn, store.value), set()
    while todo:
        vid = todo.pop()
        if vid in seen or vid < 0:
            continue
        seen.add(vid)
        item = fn.facts.values[vid]
        if item[0] == "attr" and item[2] == store.name and _same_object(fn, object_root(fn, item[1]), base):
            return True
        if item == ("name", f"{fn.facts.values[base][1]}.{store.name}") and fn.facts.values[base][0] == "name":
            return True
        if item[0] in ("binop", "guard", "conv", "bool", "phi"):
            todo.extend(operands(item))
        elif item[0] == "call":
            todo.extend(fn.facts.calls[item[1]].args)
    return False


def _versioned(project: Project, entity: Cls) -> bool:
    """A version column with which the ORM itself notices lost updates."""
    for cls in project.hierarchy.mro(entity):
        vid = cls.facts.attributes.get("__mapper_args__", -1)
        value = cls.owner.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "dict" and any(cls.owner.const(key) == "version_id_col" for key, _ in value[1] if key >= 0):
            return True
        for method in cls.methods.values():
            if method.name == "save" and any(_GUARDS.search(name) for name in cls.facts.attributes):
                return True
    return False


def _saved(project: Project, fn: Fn, store: Store, entity: Cls) -> tuple[bool, Call | None]:
    """Whether the change is written, by the session's commit or by a `save()` of the object, with the latter."""
    django = any(base.startswith("django.") for base in project.hierarchy.library_bases(entity))
    save = _save_of(project, fn, store)
    if django or save is not None:
        return save is not None, save
    return not any(project.transactions.ends(fn, call) == "rollback" for call in fn.calls if call.block == 0), None


def _save_of(project: Project, fn: Fn, store: Store) -> Call | None:
    """The object's `save()` behind the change, else any of them."""
    base = object_root(fn, store.base)
    found: list[Call] = []
    for call in fn.calls:
        value = fn.facts.values[call.func]
        if value[0] == "attr" and _same_object(fn, object_root(fn, value[1]), base):
            models = project.models(fn, call)
            if value[2] in ("save", "asave") or any(m.orm is not None and m.orm.op == "save" for m in models):
                found.append(call)
    found += [] if found else _handed_to_save(project, fn, base)
    found = [call for call in found if not exclusive(fn, store.block, call.block)]
    return next((call for call in found if not before(call.span, store.span)), found[0] if found else None)


def _same_object(fn: Fn, one: Vid, other: Vid) -> bool:
    """One value, or the same attribute of one: `request.user.quota -= 1`, `request.user.save()`."""
    first, second = fn.facts.values[one], fn.facts.values[other]
    alike = first[0] == second[0] == "attr" and first[2] == second[2]
    return one == other or (alike and object_root(fn, first[1]) == object_root(fn, second[1]))


def _handed_to_save(project: Project, fn: Fn, base: Vid) -> Iterator[Call]:
    """`orders.save(order)` of a function that saves what it is given."""
    for edge in project.graph.callees(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        saves = (write.call for write in project.writes.direct(edge.callee) if write.op == "save")
        objects = [unchanged(edge.callee, vid) for call in saves if (vid := receiver(edge.callee, call)) >= 0]
        saved = {value[1] for value in objects if value[0] == "param"}
        passed = bind(fn, edge.call, edge.callee) if saved else {}
        if any(object_root(fn, vid) == base for index in saved for vid, part in passed.get(index, ()) if not part):
            yield edge.call


class Stale(NamedTuple):
    """A value that a statement reads, Python changes, and another statement writes back."""

    fn: Fn
    read: Call
    write: Call
    table: str


def sql_read_modify_writes(project: Project) -> Iterator[Stale]:
    """`SELECT balance ...`, arithmetic, `UPDATE ... SET balance = %s` on the same table, without `FOR UPDATE`; the same
    with a document database's calls."""
    for fn in project.all_functions():
        statements = [
            (query.call, query.kind, project.queries.text(fn, query.call))
            for query in project.queries.sent(fn)
            if query.call is not None
        ]
        if len(statements) < 2:
            continue
        for write, kind, text in statements:
            table = _updated(project, fn, write, text) if kind == "write" else ""
            if table:
                yield from _read_before(project, fn, write, table, statements)


def _updated(project: Project, fn: Fn, write: Call, text: str) -> str:
    match = _UPDATE.match(text)
    if match is not None:
        return match[1]
    updates = any(model.orm is not None and model.orm.op == "update" for model in project.models(fn, write))
    return collection(project, fn, write) if updates else ""


def _read_before(
    project: Project, fn: Fn, write: Call, table: str, statements: list[tuple[Call, str, str]]
) -> Iterator[Stale]:
    for read, kind, text in statements:
        tables = {name.lower() for name in FROM.findall(text)} or {collection(project, fn, read).lower()}
        if (
            kind == "read"
            and table.lower() in tables
            and before(read.span, write.span)
            and not FOR_UPDATE.search(text)
            and not exclusive(fn, read.block, write.block)
            and _computed(project, fn, read, write)
        ):
            yield Stale(fn, read, write, table)
            return


def _computed(project: Project, fn: Fn, read: Call, write: Call) -> bool:
    """Whether a parameter of the write is arithmetic on what the read gave."""
    starts = [call.value for call in fn.calls if before(read.span, call.span) and fetches(fn, read, call)]
    made = _carried(project, fn, {read.value, *starts})
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
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is not None and any(ref.name in _CONVERSIONS for ref in project.callees(fn, call)):
            todo.extend(call.args)  # `max(0, current - count)`
    return False


def _carried(project: Project, fn: Fn, made: set[Vid]) -> set[Vid]:
    """The rows, their parts, and numbers made from them; not their count."""
    for vid, value in enumerate(fn.facts.values):
        if value[0] in _PARTS:
            same = value[1] in made
        elif value[0] in ("phi", "bool"):
            same = bool(made.intersection(value[1] if value[0] == "phi" else value[2]))
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            converts = any(ref.name in _CONVERSIONS for ref in project.callees(fn, call))
            same = (func[0] == "attr" and func[1] in made) or (converts and bool(made.intersection(call.args)))
        else:
            same = False
        if same:
            made.add(vid)
    return made


def stale_updates(project: Project) -> Iterator[Stale]:
    """`update(Account).values(balance=account.balance - n)`: an ORM's UPDATE with a sum that was made in Python."""
    isolated = isolated_folders(project)
    for write in project.writes.all():
        if runs_isolated(write.fn, isolated):
            continue
        if write.op == "update" and write.entity and not project.queries.text(write.fn, write.call):
            chain = chain_of(write.fn, write.call)
            read = next((found for call in chain for found in _stale_sum(project, write, call, chain)), None)
            if read is not None and not serialized(project, write.fn, read):
                yield Stale(write.fn, read, write.call, write.entity.rpartition(".")[2])


def chain_of(fn: Fn, call: Call) -> list[Call]:
    """The call, and those that build what it sends."""
    found, todo = [call], [call.func, *call.args[:1]]
    while todo and len(found) < MAX_CHAIN:
        value = fn.facts.values[todo.pop()]
        if value[0] in ("attr", "guard", "await"):
            todo.append(value[1])
        elif value[0] == "call":
            inner = fn.facts.calls[value[1]]
            found.append(inner)
            todo += [inner.func, *inner.args[:1]]
    return found


def _stale_sum(project: Project, write: Write, call: Call, chain: list[Call]) -> Iterator[Call]:
    """The reads on which the new values rest, unless a condition compares with the old ones."""
    fn = write.fn
    for key, vid in settings(fn, call):
        value = fn.facts.values[vid]
        summed = value[0] == "binop" and value[1] in ("+", "-")
        if summed and not compared(fn, chain, key) and not any(_in_database(fn, side, key) for side in value[2:4]):
            for side in value[2:4]:
                yield from _read_of(project, write, key, side)


def _in_database(fn: Fn, vid: Vid, key: str) -> bool:
    """`F("counter") + n`, `Account.balance - n`: the database adds to what it has then."""
    value = fn.unguarded(vid)
    if value[0] == "call":
        return fn.callee_name(fn.facts.calls[value[1]]) == "F"
    return value[0] == "name" and str(value[1]).rpartition(".")[2] == key


def settings(fn: Fn, call: Call) -> Iterator[tuple[str, Vid]]:
    """Columns that a call sets: keywords, or a dict's keys."""
    yield from call.kwargs
    for vid in call.args:
        value = fn.facts.values[vid]
        for key, item in value[1] if value[0] == "dict" else ():
            shown = fn.facts.values[key] if key >= 0 else ("",)
            yield str(shown[-1]).rpartition(".")[2], item


def compared(fn: Fn, chain: list[Call], key: str) -> bool:
    """Whether a condition of the statement names the column: compare and swap, or a floor; or the row's version."""
    for call in chain:
        if fn.callee_name(call) in ("where", "filter", "filter_by"):
            todo, seen = list(call.args), set[Vid]()
            while todo:
                vid = todo.pop()
                if vid in seen:
                    continue
                seen.add(vid)
                value = fn.facts.values[vid]
                if value[0] in ("attr", "name") and _swaps(str(value[-1]).rpartition(".")[2], key):
                    return True
                todo += operands(value)
            if any(_swaps(name.partition("__")[0], key) for name, _ in call.kwargs):
                return True
    return False


def _swaps(name: str, key: str) -> bool:
    return name == key or VERSION.search(name) is not None


def _read_of(project: Project, write: Write, key: str, vid: Vid) -> Iterator[Call]:
    fn = write.fn
    value = fn.facts.values[vid]
    if value[0] == "attr" and value[2] == key:
        for origin in project.origins.of(fn, value[1]):
            if origin.known and origin.steps and origin.steps[0].fn is fn and not locked(origin):
                yield origin.steps[0].call
        return
    for query in project.queries.direct(fn):
        if query.kind != "read" or query.call is None or not before(query.span, write.call.span):
            continue
        if vid in _carried(project, fn, {query.call.value}) and asked(project, fn, query.call) == write.entity:
            yield query.call
