"""Which query an entity or a list of entities comes from, and which relations that query loads with it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, given, never_made, taken
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import bind, receiver
from backendlint.project.linking.holding import assigned, parts
from backendlint.project.linking.parts import given_in_place
from backendlint.project.loops.loops import behind, going_through, plain
from backendlint.project.rows.associations import declared
from backendlint.project.rows.loaders import EVERYTHING, LOADS, NOTHING, Loads, by_its_name, loads_of
from backendlint.project.rows.managerrows import ManagerRows
from backendlint.project.rows.rowlocks import asks_for_none
from backendlint.project.rows.viewrows import named_rows
from backendlint.project.values.presence import of_query

if TYPE_CHECKING:
    from backendlint.project.model import Project

Path = tuple[str, ...]
"""Names of relations that lead from one entity to another."""
MAX_DEPTH = 30
MAX_ORIGINS = 12
MAX_CALLERS = 6
_BY_KEY = tuple(f"builtins.dict.{name}" for name in ("get", "pop", "setdefault"))
"""Their first argument is a key, and no row that they might give."""
_MADE = ("create", "bulk_create")
"""Operations that give the very objects that were put together for them."""


class Step(NamedTuple):
    """One call of a query's chain."""

    fn: Fn
    call: Call
    model: CallModel
    below: int = 0
    """How many relations lie between what the call works on and the value."""
    unlocked: bool = False
    """It takes no lock, as far as it says anything of one: `with_for_update=lock` of a function that is called without."""


class Origin(NamedTuple):
    """The query from which a value comes."""

    steps: tuple[Step, ...]
    """The chain's calls with a library model, the last one first."""
    loads: Loads
    path: Path
    """Relations from the query's own entity to the value."""
    known: bool
    """False where the value comes from elsewhere (an argument without known callers, a constructor ...)."""
    cut: bool = False
    """A slice with an upper bound was taken on the way."""
    open: bool = False
    """A method that is not known was called on the way: it may have narrowed, cut or loaded."""
    awaited: bool = False
    """Sent by an asynchronous session: a relation that it did not load raises when it is read, and asks nobody."""

    @property
    def ops(self) -> frozenset[str]:
        """The chain's ORM operations."""
        return frozenset(step.model.orm.op for step in self.steps if step.model.orm is not None)

    @property
    def filters(self) -> list[Step]:
        """The chain's calls that filter."""
        return [step for step in self.steps if step.model.orm is not None and step.model.orm.op == "filter"]

    def sent_in(self, fn: Fn) -> Step | None:
        """The call with which this function sends the query: the one that executes it, else the chain's last."""
        own = [step for step in self.steps if step.fn is fn and not _loads_later(step)]
        sent = (step for step in own if step.model.orm is not None and step.model.orm.op == "execute")
        return next(sent, own[0] if own else None)


def _loads_later(step: Step) -> bool:
    orm = step.model.orm
    return orm is not None and orm.op == "prefetch" and not orm.lazy


class _Context(NamedTuple):
    """How the function was entered: the call that was followed into it."""

    caller: Fn
    call: Call
    outer: _Context | None

    def edge(self, fn: Fn) -> Edge:
        """The call as a way into the function that was entered."""
        return Edge(self.caller, fn, self.call, "call", self.call.span)

    def ways(self) -> tuple[tuple[Fn, Call], ...]:
        """The calls by which it was entered, the last one first."""
        return ((self.caller, self.call), *(self.outer.ways() if self.outer is not None else ()))

    def says(self, project: Project, fn: Fn) -> Given:
        """What it says of the parameters of the function that was entered."""
        outer = self.outer.says(project, self.caller) if self.outer is not None else None
        return given(self.edge(fn), outer, lambda caller, vid: of_query(project, caller, vid))


class Origins:
    """Answers `of(fn, vid)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[str, Vid], tuple[Origin, ...]] = {}
        self.managed = ManagerRows(project)

    @cached_property
    def loaded_later(self) -> dict[tuple[str, Vid], list[tuple[Call, CallModel]]]:
        """Calls that load relations of objects which are there already, by the value that holds the objects."""
        found: dict[tuple[str, Vid], list[tuple[Call, CallModel]]] = {}
        for fn, call, model in self.project.graph.modelled:
            if model.orm is not None and model.orm.op == "prefetch" and not model.orm.lazy and call.args:
                held = plain(fn, call.args[0])
                value = fn.facts.values[held]
                paged = (value[1],) if value[0] == "attr" and value[2] == "object_list" else ()
                for vid in (held, *(value[1] if value[0] == "list" else paged)):
                    found.setdefault((fn.fqn, plain(fn, vid)), []).append((call, model))
        return found

    def entities(self, fn: Fn, vid: Vid) -> tuple[Origin, ...]:
        """The queries, where they give whole entities and no other source is possible; else none."""
        found = self.of(fn, vid)
        if any(not item.known or "values" in item.ops for item in found):
            return ()
        return tuple(item for item in found if item.steps)

    def of(self, fn: Fn, vid: Vid) -> tuple[Origin, ...]:
        """The queries that may have given the value; empty where nothing is known at all."""
        key = (fn.fqn, vid)
        found = self._known.get(key)
        if found is None:
            walk = _Walk(self.project, self.managed)
            walk.visit(fn, vid, (), (), None, 0)
            found = self._known[key] = tuple(walk.found[:MAX_ORIGINS])
        return found


_Key = tuple[str, Vid, Path, int]
"""A value of a function, the part that is meant, and by which call the function was entered."""


class _Walk:
    def __init__(self, project: Project, managed: ManagerRows) -> None:
        self.project = project
        self.managed = managed
        self.found: list[Origin] = []
        self._seen: dict[_Key, tuple[int, int, int, int] | None] = {}
        """How many steps led to a value, which of the origins were found by it, and how many slices were taken before; None
        while it is being followed."""
        self._cut_by: list[int] = []
        """How many slices were taken on the way to each origin."""
        self._met = 0
        """How often a value was met again that has origins, or may have."""
        self._cuts = 0
        self._unknown = 0
        self._awaited = 0

    def visit(
        self, fn: Fn, vid: Vid, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        key = (fn.fqn, vid, path, id(context.call) if context is not None else 0)
        if vid < 0 or len(self.found) >= MAX_ORIGINS:
            return
        if depth > MAX_DEPTH:
            self._end(steps, path, known=False)
            return
        if key in self._seen:
            self._meet(key, steps)
            return
        later = self.project.origins.loaded_later.get((fn.fqn, vid), ())
        for call, model in later:
            steps = (*steps, Step(fn, call, model, len(path)))
        first = len(self.found)
        self._seen[key] = None
        self._follow(fn, vid, path, steps, context, depth + 1)
        if later and len(self.found) == first:
            self._end(steps, path)
        self._seen[key] = (len(steps), first, len(self.found), self._cuts)

    def _meet(self, key: _Key, steps: tuple[Step, ...]) -> None:
        """A value that was followed before, by other steps: `query` and `query.filter(...)` come from the same."""
        length, first, end, cuts = self._seen[key] or (0, -1, 0, 0)
        self._met += end > first
        for number in range(max(first, 0), end):
            origin, below = self.found[number], self._cut_by[number] - cuts
            if steps != origin.steps[:length] or (origin.cut and self._cuts + below == 0):
                before, self._cuts = self._cuts, self._cuts + below
                self._end((*steps, *origin.steps[length:]), origin.path, origin.known)
                self._cuts = before

    def _follow(
        self, fn: Fn, vid: Vid, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        value = fn.facts.values[vid]
        op = value[0]
        made_of = parts(value)
        if op == "slice" and len(value) > 3 and value[3] >= 0:
            self._cuts += 1
            self.visit(fn, value[1], path, steps, context, depth)
            self._cuts -= 1
        elif op == "await" and self._sends(fn, value[1]):
            self._awaited += 1
            self.visit(fn, value[1], path, steps, context, depth)
            self._awaited -= 1
        elif op == "binop" and value[1] in ("|", "&"):
            self._combined(fn, value, path, steps, context, depth)
        elif op == "phi" and context is not None:
            for item in taken(fn, made_of, context.says(self.project, fn)):
                self.visit(fn, item, path, steps, context, depth)
        elif op == "unpack" and (inner := given_in_place(self.project, fn, value)):
            for target, item, call in inner:
                self.visit(target, item, path, steps, _Context(fn, call, context), depth)
        elif made_of:
            source = behind(fn, value)
            for item in (source,) if source >= 0 else made_of:
                self.visit(fn, item, path, steps, context, depth)
        elif op == "attr":
            self._attribute(fn, vid, path, steps, context, depth)
        elif op == "name":
            self._name(fn, str(value[1]), path, steps, depth)
        elif op == "outer":
            self._outer(fn, value, path, steps, depth)
        elif op == "param":
            self._param(fn, value[1], path, steps, context, depth)
        elif op == "call":
            self._call(fn, fn.facts.calls[value[1]], path, steps, context, depth)

    def _outer(self, fn: Fn, value: Value, path: Path, steps: tuple[Step, ...], depth: int) -> None:
        target = fn.outer(value)
        if target is not None:
            self.visit(target, value[1], path, steps, None, depth)

    def _end(self, steps: tuple[Step, ...], path: Path, known: bool = True, loads: Loads = NOTHING) -> None:
        for step in steps:
            own = loads_of(self.project, step.fn, step.call, step.model)
            loads = loads.merged(own.under(path[: len(path) - step.below]))
        awaited = self._awaited > 0 or any(step.model.awaitable for step in steps)
        self._cut_by.append(self._cuts)
        self.found.append(Origin(steps, loads, path, known, self._cuts > 0, self._unknown > 0, awaited))

    def _combined(
        self, fn: Fn, value: Value, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        """`one | other` of querysets goes on with what the left one loads; `none() | other` is the other."""
        first = len(self.found)
        self.visit(fn, value[2], path, steps, context, depth)
        if all("none" in origin.ops for origin in self.found[first:]):
            self.visit(fn, value[3], path, steps, context, depth)

    def _sends(self, fn: Fn, vid: Vid) -> bool:
        """Whether what is awaited is a method of an object that is not known, such as a session without a type."""
        value = fn.facts.values[vid]
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        unknown = not self.project.callees(fn, call) and not self.project.models(fn, call)
        return unknown and fn.facts.values[call.func][0] == "attr"

    def _attribute(
        self, fn: Fn, vid: Vid, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        _, base, name = fn.facts.values[vid]
        put, begins = assigned(fn, base, name)
        for stored in put:
            self.visit(fn, stored, path, steps, context, depth)
        if put and not begins:
            return
        started = (len(self.found), self._met)
        for ref in self.project.refs(fn, base):
            if ref.kind not in ("inst", "class"):
                continue
            cls = self.project.classes[ref.name]
            if ref.kind == "class" and any(
                map(self.project.resolver.managers.stands_for_owner, self.project.refs(fn, vid))
            ):
                self._end(steps, path, loads=self.managed.loads(cls.fqn, name).under(path))  # `self.model.objects`
                return
            relation = self.project.associations.find(cls, name) if ref.kind == "inst" else None
            if relation is not None:
                before = len(self.found)
                self.visit(fn, base, (name, *path), steps, context, depth)
                if len(self.found) == before:
                    self._end(steps, (name, *path), known=not self._lent(fn, base))
                self.found[before:] = [self.managed.of_relation(item, relation, path) for item in self.found[before:]]
                return
            method = self.project.method(cls, name)
            if method is not None and method.kind == "property":
                for item in method.facts.returns:
                    self.visit(method, item.value, path, steps, None, depth)
                return
            for owner in self.project.hierarchy.mro(cls):
                for writer, stored in self.project.hierarchy.stores(owner, name):
                    if writer is not fn or not begins:  # of what it had when the method began
                        self.visit(writer, stored, path, steps, None, depth)
                self.visit(owner.owner, owner.facts.attributes.get(name, -1), path, steps, None, depth)
        nothing = (len(self.found), self._met) == started
        if nothing and any(ref.kind == "libinst" and ref.arg is not None for ref in self.project.refs(fn, base)):
            self.visit(fn, base, path, steps, context, depth)  # `page.object_list`
            nothing = (len(self.found), self._met) == started
        if nothing and any(ref.kind == "libinst" for ref in self.project.refs(fn, vid)):
            self._end(steps, path)

    @staticmethod
    def _lent(fn: Fn, vid: Vid) -> bool:
        """Whether it is a row of which only the calls tell that it is one: who calls may have loaded more with it."""
        value = fn.facts.values[plain(fn, vid)]
        return value[0] == "param" and value[1] >= (fn.cls is not None) and fn.facts.params[value[1]].annotation < 0

    def _name(self, fn: Fn, dotted: str, path: Path, steps: tuple[Step, ...], depth: int) -> None:
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind == "variable" and target.file is not None and not target.rest:
            self.visit(self.project.module_function(target.file), target.vid, path, steps, None, depth)
        elif target.kind == "class" and target.rest and target.file is not None:
            rows = self.managed.loads(f"{target.file.module}.{target.name}", target.rest[0])
            self._end(steps, path, loads=rows.under(path))

    def _of_all_rows(self, fn: Fn, index: int, context: _Context) -> bool:
        """Whether it is `self` of a manager's method, asked by the model's name (`Order.objects.unpaid()`)."""
        if index or fn.cls is None or not self._of_a_name(context.caller, context.call):
            return False
        return self.project.resolver.managers.gives_rows(Ref("inst", fn.cls.fqn))

    def _of_a_name(self, fn: Fn, call: Call) -> bool:
        """Whether a dotted name is called that begins in the project: `Order.objects.filter`, not `library.select`."""
        value = fn.facts.values[call.func]
        if value[0] != "name" or "." not in str(value[1]):
            return False
        return self.project.modules.resolve(str(value[1]).rpartition(".")[0], fn.file.module).kind in (
            "class",
            "variable",
        )

    def _param(
        self, fn: Fn, index: int, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        if context is not None:
            passed = bind(context.caller, context.call, fn).get(index, ())
            for vid, part in passed:
                if not part:
                    self.visit(context.caller, vid, path, steps, context.outer, depth)
            if not passed and self._of_all_rows(fn, index, context):
                self._name(
                    context.caller, context.caller.dotted(context.call.func).rpartition(".")[0], path, steps, depth
                )
            return
        for target in self.project.graph.injected(fn, index):
            for item in target.facts.returns:
                self.visit(target, item.value, path, steps, None, depth)
        callers = [edge for edge in self.project.graph.callers(fn) if edge.call is not None and edge.kind == "call"]
        for edge in callers[:MAX_CALLERS]:
            for vid, part in edge.passed(index):
                if not part:
                    self.visit(edge.caller, vid, path, steps, None, depth)

    def _call(
        self, fn: Fn, call: Call, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> None:
        targets = self.project.targets(fn, call)
        constructed = [ref for ref in self.project.callees(fn, call) if ref.kind == "class"]
        if constructed:
            rows = any(self.project.resolver.managers.gives_rows(ref._replace(kind="inst")) for ref in constructed)
            self._end(steps if rows else (), path, known=rows)  # `OrderQuerySet(self.model)`: all of them
            return
        if targets:
            first = len(self.found)
            for target in targets:
                inner = _Context(fn, call, context)
                for item in target.facts.returns:
                    self.visit(target, item.value, path, steps, inner, depth)
            self._of_manager(fn, receiver(fn, call), first, path)
            return
        if self._of_view(fn, call, path, steps, context, depth):
            return
        models = self.project.models(fn, call) or by_its_name(self.project, fn, call)
        if not models:
            base = receiver(fn, call)
            self._unknown += base >= 0
            first = len(self.found)
            for vid in (base, *call.args):
                rows = any(item.loads.wild for item in self.found[first:])
                if vid == base or not rows:  # `rows.visible_to(user)` gives rows, and no user
                    self.visit(fn, vid, path, steps, context, depth)
                if vid == base:
                    self._leave_row(fn, base, first, len(steps))
            self._unknown -= base >= 0
            return
        if models[0].name == "builtins.getattr":  # what is kept there, no part of the row that it is read from
            self._end(steps, path, known=False)
            for vid in call.args[2:]:
                self.visit(fn, vid, path, steps, context, depth)
            return
        self._library(fn, call, models[0], path, steps, context, depth)

    def _of_manager(self, fn: Fn, base: Vid, first: int, path: Path) -> None:
        """`harbour.ships.afloat()`, a method of the project's own, gives rows of the relation as `harbour.ships.all()` does."""
        relation = declared(self.project, fn, plain(fn, base)) if base >= 0 else None
        if relation is not None and relation.manager:
            for number, item in enumerate(self.found[first:], first):
                if item.path == path:
                    loads = item.loads.under((relation.name,))
                    self.found[number] = item._replace(path=(relation.name, *path), loads=loads)

    def _leave_row(self, fn: Fn, base: Vid, first: int, length: int) -> None:
        """What a method that nobody knows gives of one row (`shelf.boxes_of_today()`), or of what is no query
        (`request.user.rows_of(Order)`), comes from elsewhere."""
        rows = len(self.found) > first and not self.project.resolver.managers.have_none(self.project.refs(fn, base))
        for number, origin in enumerate(self.found[first:], first):
            orms = [step.model.orm for step in origin.steps[length:]]
            if any(orm is not None and orm.rows == "one" for orm in orms) or not (rows or orms):
                self.found[number] = origin._replace(known=False)

    def _of_view(
        self, fn: Fn, call: Call, path: Path, steps: tuple[Step, ...], context: _Context | None, depth: int
    ) -> bool:
        """`super().get_queryset()` of a library's view: what the class names as its `queryset`, also where that begins with a
        manager that is not known, and loads something; in a mixin, what the class of the object names that was asked."""
        base = receiver(fn, call)
        if base < 0 or fn.callee_name(call) != "get_queryset":
            return False
        before, obscure = (len(self.found), self._met), False
        rows = next((model.returns.partition("[")[0] for model in self.project.models(fn, call)), "")
        for stated in named_rows(self.project, fn, base, context.ways() if context is not None else ()):
            self.visit(*stated, path, steps, None, depth)
            obscure = obscure or self._obscure(*stated, rows)
        if obscure and (len(self.found), self._met) == before:
            self._end(steps, path, loads=EVERYTHING)
        return (len(self.found), self._met) != before

    def _library(
        self,
        fn: Fn,
        call: Call,
        model: CallModel,
        path: Path,
        steps: tuple[Step, ...],
        context: _Context | None,
        depth: int,
    ) -> None:
        op = model.orm.op if model.orm is not None else ""
        if op == "column":
            return  # what a class declares, and no query
        if op in _MADE:
            self._end((), path, known=False)
            return
        if model.orm is None:
            base = receiver(fn, call)
            for vid in (base, *call.args[model.name in _BY_KEY :]):
                self.visit(fn, vid, path, steps, context, depth)
            return
        way = context.edge(fn) if context is not None else None
        if way is not None and call.block and never_made(way, call):
            return  # the other way is taken: `if lock: query = query.with_for_update()`
        steps = (*steps, Step(fn, call, model, len(path), asks_for_none(fn, call, way)))
        base, owner = receiver(fn, call), model.name.rpartition(".")[0]
        before = (len(self.found), self._met)
        if model.orm.op == "execute" or (model.sql is not None and model.orm.op != "raw"):
            self.visit(fn, call.args[0] if call.args else -1, path, steps, context, depth)
        elif base >= 0:
            self.visit(fn, base, path, steps, context, depth)
        elif self._of_a_name(fn, call):
            self._name(fn, str(fn.facts.values[call.func][1]).rpartition(".")[0], path, steps, depth)
        elif call.args:
            self.visit(fn, call.args[0], path, steps, context, depth)
        if (len(self.found), self._met) == before:
            self._end(steps, path, known=bool(path) or not (self._handed(fn, base) or self._obscure(fn, base, owner)))

    def _handed(self, fn: Fn, base: Vid) -> bool:
        """Whether a chain goes on from a query that is only known to be one: by the annotation of a parameter, say."""
        if base < 0 or fn.facts.values[plain(fn, base)][0] != "param":
            return False
        return bool(going_through(self.project, fn, base))

    def _obscure(self, fn: Fn, base: Vid, owner: str) -> bool:
        """Whether a chain goes on from methods of an object without a type, one of which loads relations if the object is a
        query as what follows is."""
        for _ in range(MAX_DEPTH):
            value = fn.facts.values[plain(fn, base)] if base >= 0 else ("",)
            call = fn.facts.calls[value[1]] if value[0] == "call" else None
            if call is None or self.project.models(fn, call) or self.project.targets(fn, call):
                return False
            model = self.project.libraries.call(f"{owner}.{fn.callee_name(call)}")
            if model is not None and model.orm is not None and model.orm.op in LOADS:
                return True
            base = receiver(fn, call)
        return False
