"""Which code changes which stored data: ORM operations and SQL statements, with the entity they write."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given
from backendlint.project.graph.effects import Site
from backendlint.project.graph.openways import is_open, other_ways
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import unchanged
from backendlint.project.loops.loops import plain
from backendlint.project.rows.rowmakers import RowMakers
from backendlint.project.rows.saved import abstract, leading, of_itself, only_made, overridden, received
from backendlint.project.rows.signals import heard
from backendlint.project.rows.transactions import before, exclusive
from backendlint.project.sqltext.assemble import HOLE

if TYPE_CHECKING:
    from backendlint.project.model import Project

CREATES = frozenset({"create", "add", "bulk_create", "insert"})
WRITES = frozenset(
    {
        "create",
        "save",
        "add",
        "update",
        "delete",
        "bulk_create",
        "bulk_update",
        "get_or_create",
        "update_or_create",
        "merge",
    }
)
_BY_ARGUMENT = frozenset({"add", "delete", "merge", "create", "update", "save", "bulk_create"})
_REPEATABLE = frozenset({"get_or_create", "update_or_create"})
_ENDS = frozenset({"commit", "rollback", "begin", "atomic", "savepoint", "flush", "on_commit"})
_SQL = re.compile(
    r"\s*(?:WITH\b.*?\)\s*)?(INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|MERGE\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM)\s+"
    r"[\"`\[]?((?:\w+[\"`\]]?\.[\"`\[]?)?\w+)",
    re.IGNORECASE | re.DOTALL,
)
_UPSERTS = re.compile(
    r"\bON\s+CONFLICT\b.*\bDO\s+UPDATE\b|\bON\s+DUPLICATE\s+KEY\s+UPDATE\b|^\s*(REPLACE|MERGE)\s+INTO\b",
    re.IGNORECASE | re.DOTALL,
)
_FETCHERS = ("get_object", "get_object_or_404", "aget_object")
MAX_DEPTH = 12


class Write(NamedTuple):
    """A call that changes stored data."""

    fn: Fn
    call: Call
    op: str
    """As in the ORM models; `insert`, `update`, `delete` for SQL; `write` where only that much is known."""
    entity: str
    """The model class's fqn, a table's name, or ""."""
    upserts: bool = False
    """An SQL statement that changes the row, where it is there already."""

    @property
    def creates(self) -> bool:
        return self.op in CREATES

    @property
    def update_fields(self) -> list[object]:
        """The columns that `save(update_fields=[...])` names; `...` for one that is not written out."""
        vid = self.call.kwarg("update_fields")
        value = self.fn.unguarded(vid) if vid >= 0 else ("",)
        return [self.fn.const(item) for item in value[1]] if value[0] in ("list", "tuple", "set") else []

    def calls(self, chain: tuple[Edge, ...]) -> list[tuple[Fn, Call | None]]:
        """The calls that lead to it, with its own."""
        return [*((edge.caller, edge.call) for edge in chain), (self.fn, self.call)]


class Writes:
    """All writes of the project, by function; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.by_function: dict[str, list[Write]] = {}
        found: dict[tuple[str, int], Write] = {}
        for write in (*self._statements(), *self._operations()):
            known = found.setdefault((write.fn.fqn, write.call.value), write)
            if known.creates and write.op in _REPEATABLE:  # `insert(Tag).values(...).on_conflict_do_nothing()`
                found[write.fn.fqn, write.call.value] = known._replace(op=write.op)
        for write in found.values():
            self.by_function.setdefault(write.fn.fqn, []).append(write)

    def direct(self, fn: Fn) -> list[Write]:
        """Writes in the function itself."""
        return self.by_function.get(fn.fqn, [])

    @cached_property
    def heard(self) -> frozenset[tuple[str, str]]:
        """Models with the operations of which a function of the project is told."""
        return heard(self.project)

    @cached_property
    def makers(self) -> RowMakers:
        """Who makes the rows of a table."""
        return RowMakers(self.project)

    def all(self) -> Iterator[Write]:
        """Every write."""
        for writes in self.by_function.values():
            yield from writes

    def reached(self, fn: Fn, kinds: tuple[str, ...] = ("call",)) -> list[tuple[Write, tuple[Edge, ...]]]:
        """Writes of the function and of what it calls, nearest first, with the calls that lead there and whose arguments
        do not rule the write out."""
        if fn.fqn not in self.storing:
            return []
        found: list[tuple[Write, tuple[Edge, ...]]] = []
        closed: list[tuple[Write, tuple[Edge, ...]]] = []
        passed: dict[str, Given | None] = {}
        for write, chain in self._nearest(fn, kinds):
            (found if is_open(chain, write.fn, write.call, passed) else closed).append((write, chain))
        if not closed:
            return found
        wanted = {(write.fn.fqn, write.call.value): write.call for write, _ in closed}
        others = other_ways(fn, wanted, partial(self._storing_calls, kinds))
        for write, _ in closed:
            other = others.get((write.fn.fqn, write.call.value))
            if other is not None and not only_made(write.fn, write.call, other):
                found.append((self.received(write, other), other))
        return found

    def _storing_calls(self, kinds: tuple[str, ...], fn: Fn) -> Iterator[Edge]:
        for edge in self.project.graph.callees(fn):
            if edge.kind in kinds and edge.callee.fqn in self.storing:
                yield edge

    def _nearest(self, fn: Fn, kinds: tuple[str, ...]) -> list[tuple[Write, tuple[Edge, ...]]]:
        """The shortest way to each, whatever the calls pass."""
        found: list[tuple[Write, tuple[Edge, ...]]] = []
        queue: deque[tuple[Fn, tuple[Edge, ...]]] = deque([(fn, ())])
        seen = {fn.fqn}
        while queue:
            item, chain = queue.popleft()
            direct = (write for write in self.direct(item) if not only_made(write.fn, write.call, chain))
            found.extend((self.received(write, chain), chain) for write in direct)
            if len(chain) >= MAX_DEPTH:
                continue
            for edge in self._storing_calls(kinds, item):
                if edge.callee.fqn not in seen:
                    saved = self.saved(edge)
                    if saved is not None:
                        found.append((saved, chain))
                    seen.add(edge.callee.fqn)
                    queue.append((edge.callee, (*chain, edge)))
        return found

    def received(self, write: Write, chain: Sequence[Edge]) -> Write:
        """The write with the model for which the calls lead to it: a base's method writes that of its receiver."""
        cls, chain = write.fn.cls, leading(chain, write.fn)
        handed = self._handed(write, chain)
        if handed:
            return write._replace(entity=handed)
        if not chain or cls is None or cls.fqn not in self._bases:
            return write
        if write.entity != cls.fqn and (write.entity or not of_itself(self.project, write.fn, write.call)):
            return write
        ref = Ref("inst", received(self.project, cls.fqn, chain))
        return write._replace(entity=self._class(ref) or self._serialized(ref))

    def _handed(self, write: Write, chain: Sequence[Edge]) -> str:
        """The class of what the calls hand to a function that adds or deletes whatever it is given: `repo.add(Order(...))`."""
        if write.op not in _BY_ARGUMENT or not write.call.args:
            return ""
        fn, vid = write.fn, write.call.args[0]
        for edge in reversed(chain):
            value = unchanged(fn, vid)
            if value[0] != "param" or edge.callee is not fn or edge.call is None:
                break
            passed = edge.passed(value[1])
            if len(passed) != 1 or passed[0][1]:
                return ""
            fn, vid = edge.caller, passed[0][0]
        if fn is write.fn:
            return ""
        found = {self._class(ref) for ref in self.project.refs(fn, vid)} - {""}
        return found.pop() if len(found) == 1 else ""

    def saved(self, edge: Edge) -> Write | None:
        """`order.save()` of a model that overrides it: first of all, the order is written."""
        op, entity = overridden(self.project, edge)
        return Write(edge.caller, edge.call, op, entity) if op and edge.call is not None else None

    @cached_property
    def _bases(self) -> set[str]:
        """Classes of the project that others inherit from."""
        return {base.fqn for cls in self.project.classes.values() for base in self.project.hierarchy.mro(cls)[1:]}

    @cached_property
    def storing(self) -> set[str]:
        """Functions that write or commit, themselves or through any callee: from others no write can be reached."""
        committing = (site.fn.fqn for site in self.project.effects.sites if site.model.transaction == "commit")
        found = {*self.by_function, *committing}
        queue = deque(found)
        while queue:
            for edge in self.project.graph.callers(self.project.functions[queue.popleft()]):
                if edge.caller.fqn not in found:
                    found.add(edge.caller.fqn)
                    queue.append(edge.caller.fqn)
        return found

    def steps(self, write: Write, chain: tuple[Edge, ...]) -> tuple[Step, ...]:
        """The chain as steps for a report."""
        steps = [Step(edge.caller.location(edge.span), f"calls {edge.callee.name}()") for edge in chain]
        return (*steps, Step(write.fn.location(write.call.span), f"writes ({write.op})"))

    def _operations(self) -> Iterator[Write]:
        for site in self.project.effects.sites:
            model = site.model
            op = model.orm.op if model.orm is not None else ""
            if model.transaction in _ENDS or op == "execute":
                continue
            if op in WRITES and not _unsaved(site.fn, site.call) and not (op == "save" and self._makes_only(site)):
                lazy = model.orm is not None and model.orm.lazy
                call = self._executed(site.fn, site.call) if lazy else site.call
                done = "update_or_create" if _upserts(site) else self._done_by_own(site, op)
                yield Write(site.fn, call, done, self._entity(site.fn, site.call, op))
            elif not op and "db-write" in model.effect and model.sql is None and "commit" not in model.effect:
                yield Write(site.fn, site.call, "write", "")
        yield from self._of_fetched()
        for site in self.project.effects.sites:
            if site.model.transaction == "commit":
                yield from self._changed(site.fn, site.call)
        for name in self.project.transactions.only_committing:
            for edge in self.project.graph.callers(self.project.functions[name]):
                if edge.kind == "call" and edge.call is not None:
                    yield from self._changed(edge.caller, edge.call)
        yield from self._in_scopes()

    def _of_fetched(self) -> Iterator[Write]:
        """`self.get_object().delete()`: a generic view's object, whose type nothing tells."""
        graph = self.project.graph
        for fn, call in graph.in_order(graph.calls_written("save", "delete")):
            value = fn.facts.values[call.func]
            if value[0] != "attr" or self.project.targets(fn, call):
                continue
            receiver = fn.facts.values[value[1]]
            while receiver[0] in ("guard", "setattr", "mut", "await"):
                receiver = fn.facts.values[receiver[1]]
            func = fn.func_of(receiver)
            if func[0] == "attr" and func[2] in _FETCHERS:
                yield Write(fn, call, value[2], "")

    def _in_scopes(self) -> Iterator[Write]:
        """Attributes of rows assigned in a `with` that commits where it ends: `with session_scope():`, `with Unit() as unit:`,
        `with Session.begin() as session:`."""
        entering = self.project.functions_with("with")
        for fn in entering if self.project.imports("sqlalchemy") else ():
            for store in fn.facts.stores:
                entity = self._mapped(fn, store.base) if store.name else ""
                opening = self.project.transactions.around(fn, store.block) if entity else None
                if opening is not None and opening.kind == "with":
                    entered = fn.unguarded(fn.facts.blocks[opening.block].value)
                    if entered[0] == "call":
                        done = fn.facts.calls[entered[1]]._replace(block=store.block, span=store.span)
                        yield Write(fn, done, "update", entity)  # by the scope's end, but here is what it stores
                        break

    def _mapped(self, fn: Fn, vid: Vid) -> str:
        """The class of a row that its session stores without being told."""
        for ref in self.project.refs(fn, vid):
            cls = self.project.classes[ref.name] if ref.kind == "inst" else None
            if cls is not None and stored_entity(self.project, cls):
                bases = self.project.hierarchy.library_bases(cls)
                return ref.name if any(base.startswith(("sqlalchemy.", "sqlmodel.")) for base in bases) else ""
        return ""

    def _changed(self, fn: Fn, commit: Call) -> Iterator[Write]:
        """Attributes of entities assigned in a function that commits, since the commit before."""
        since = max((call.span for call in fn.facts.calls if self._commits_before(fn, call, commit)), default=None)
        for store in fn.facts.stores:
            if not store.name or (since is not None and before(store.span, since)):
                continue
            for ref in self.project.refs(fn, store.base):
                if ref.kind == "inst" and stored_entity(self.project, self.project.classes[ref.name]):
                    yield Write(fn, commit, "update", ref.name)
                    return

    def _commits_before(self, fn: Fn, call: Call, commit: Call) -> bool:
        """Whether a call commits on the way to the commit."""
        if not before(call.span, commit.span) or exclusive(fn, call.block, commit.block):
            return False
        committers = self.project.transactions.only_committing
        return any(model.transaction == "commit" for model in self.project.models(fn, call)) or any(
            target.fqn in committers for target in self.project.targets(fn, call)
        )

    def _executed(self, fn: Fn, built: Call) -> Call:
        """The call that sends a lazily built statement: around it, or its own `execute`."""
        family = _made_of(fn, built.value)
        for call in fn.facts.calls:
            func = fn.facts.values[call.func]
            if call is not built and (
                (family.intersection(call.args) and call.value not in family)
                or (func[0] == "attr" and func[2] == "execute" and func[1] in family)
            ):
                return call
        return built

    def _statements(self) -> Iterator[Write]:
        for text in self.project.data.texts:
            if text.fn is None or text.call is None or text.role in ("text", "fragment", "identifier", "literal"):
                continue
            match = _SQL.match(text.text)
            if match:
                op = {"I": "insert", "R": "insert", "M": "insert", "U": "update", "D": "delete"}[match[1][0].upper()]
                table = re.sub(r"[\"`\[\]]", "", match[2]).rpartition(".")[2]
                entity = "" if HOLE.search(table) else table
                yield Write(text.fn, text.call, op, entity, _UPSERTS.search(text.text) is not None)

    def _entity(self, fn: Fn, call: Call, op: str) -> str:
        if op in _BY_ARGUMENT:
            for vid in call.args[:1]:
                for ref in self.project.refs(fn, vid):
                    found = self._class(ref) or (self._class(ref.arg) if ref.arg else "")
                    if found:
                        return found
        for ref in self.project.callees(fn, call):
            arg = ref.arg
            for owner in (arg, arg.arg if arg is not None else None):
                serialized = self._serialized(owner) if owner is not None else ""
                if serialized:
                    return serialized
            if arg is not None:
                found = self._class(arg) or (self._class(arg.arg) if arg.arg else "")
                if found:
                    return found
        return self._named(fn, call) or collection(self.project, fn, call)

    def _named(self, fn: Fn, call: Call) -> str:
        """The class at the head of the chain, where its manager's type is not known: `Issue.objects.create(...)`."""
        value = fn.facts.values[call.func]
        for _ in range(MAX_DEPTH):
            if value[0] in ("attr", "guard", "await"):
                value = fn.facts.values[value[1]]
            elif value[0] == "call":
                value = fn.facts.values[fn.facts.calls[value[1]].func]
            else:
                break
        return named_entity(self.project, fn, str(value[1])) if value[0] == "name" else ""

    def _makes_only(self, site: Site) -> bool:
        """`serializer.save()` of one whose own `create` stores nothing, and which has nothing else to store by."""
        for cls in self._serializers(site):
            own = [self.project.method(cls, name) for name in ("create", "update", "save")]
            stores = any(fn is not None and self.project.effects.has(fn, "db-write") for fn in own)
            return own[0] is not None and not stores and f"{cls.fqn}.Meta" not in self.project.classes
        return False

    def _done_by_own(self, site: Site, op: str) -> str:
        """`get_or_create` for `serializer.save()` of one whose own `create` does only that."""
        for cls in self._serializers(site) if op == "save" else ():
            own = self.project.method(cls, "create")
            if own is not None:
                orms = [item.model.orm for item in self.project.effects.direct(own) if item.model.orm is not None]
                ops = {orm.op for orm in orms if orm.op in WRITES}
                return ops.pop() if len(ops) == 1 and ops <= _REPEATABLE else op
        return op

    def _serializers(self, site: Site) -> Iterator[Cls]:
        """The serializers one of which is the object whose method is called."""
        for ref in self.project.callees(site.fn, site.call):
            owners = (ref.arg, ref.arg.arg) if ref.arg is not None else ()
            for cls in (self.project.classes.get(owner.name) for owner in owners if owner is not None):
                if cls is not None and self.project.hierarchy.role(cls) == "serializer":
                    yield cls

    def _serialized(self, ref: Ref) -> str:
        """The model that a serializer or form stores, by its `Meta`."""
        meta = self.project.classes.get(f"{ref.name}.Meta") if ref.kind in ("class", "inst") else None
        vid = meta.facts.attributes.get("model", -1) if meta is not None else -1
        if meta is None or vid < 0:
            return ""
        return next((item.name for item in self.project.refs(meta.owner, vid) if item.kind == "class"), "")

    def _class(self, ref: Ref) -> str:
        cls = self.project.classes.get(ref.name) if ref.kind in ("class", "inst") else None
        stored = cls is not None and stored_entity(self.project, cls) and not abstract(self.project, cls)
        return ref.name if stored else ""


def _made_of(fn: Fn, vid: Vid) -> set[Vid]:
    """The value, and what methods and branches make of it."""
    family = {vid}
    for number, value in enumerate(fn.facts.values):
        if (
            (value[0] in ("attr", "guard") and value[1] in family)
            or (value[0] == "phi" and family.intersection(value[1]))
            or (value[0] == "call" and fn.facts.calls[value[1]].func in family)
        ):
            family.add(number)
    return family


def named_entity(project: Project, fn: Fn, dotted: str) -> str:
    """The stored class that a dotted name, or the beginning of it, means."""
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind != "class" or target.file is None:
        return ""
    cls = project.classes.get(f"{target.file.module}.{target.name}")
    return cls.fqn if cls is not None and stored_entity(project, cls) else ""


def _upserts(site: Site) -> bool:
    """`bulk_create(rows, ignore_conflicts=True)`: what is there already is no conflict."""
    keywords = site.model.orm.upserts if site.model.orm is not None else ()
    return any(site.fn.const(site.call.kwarg(name)) is True for name in keywords if site.call.kwarg(name) >= 0)


def _unsaved(fn: Fn, call: Call) -> bool:
    """`form.save(commit=False)` only makes the object, `session.merge(row, load=False)` only brings it into the session."""
    return fn.const(call.kwarg("commit")) is False or fn.const(call.kwarg("load")) is False


def collection(project: Project, fn: Fn, call: Call) -> str:
    """The document database's collection on which a call works: `db.orders.find_one(...)`, `db["orders"]`."""
    value = fn.facts.values[call.func]
    if value[0] not in ("attr", "name") or not any(_documents(project, model) for model in project.models(fn, call)):
        return ""
    if value[0] == "name":
        return str(value[1]).rpartition(".")[0].rpartition(".")[2]
    owner = fn.value(plain(fn, value[1]))
    if owner[0] == "name":
        return str(owner[1]).rpartition(".")[2]
    name = owner[2] if owner[0] == "attr" else fn.const(owner[2]) if owner[0] == "item" else ""
    return name if isinstance(name, str) else ""


def _documents(project: Project, model: CallModel) -> bool:
    """A driver's own operations, of a database without SQL."""
    library = project.libraries.library(model.library)
    return model.orm is not None and library is not None and library.kind == "driver" and not library.dialect


def stored_entity(project: Project, cls: Cls) -> bool:
    """Whether the ORM stores the class; bases that serve for schemas too ask for a table by keyword."""
    if project.hierarchy.role(cls) != "model":
        return False
    for base in project.hierarchy.library_bases(cls):
        library = project.libraries.library_of(base)
        if base.startswith("sqlmodel.") or (library is not None and library.kind == "validation"):
            return any(key == "table" for key, _ in cls.facts.keywords)
    return True
