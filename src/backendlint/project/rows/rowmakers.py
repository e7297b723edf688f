"""Which tables fill up while the system is used: their rows are made by what requests and jobs run, and not by migrations,
commands and administrators alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.programs import fills_database, for_tests, only_by_hand
from backendlint.project.rows.growth import accumulates, stays_small
from backendlint.project.taint.naming import identifier_words
from backendlint.project.web.webapi import for_admins

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.schema.model import Table

_DJANGO = ("create", "get_or_create", "update_or_create", "bulk_create")
_MAKERS = (*_DJANGO, *(f"a{name}" for name in _DJANGO), "insert_many")
_MANAGERS = ("", "objects", "manager", "model", "_default_manager", "queryset")
_ASK = frozenset(
    """
    query select filter filter_by where get join outerjoin exists isinstance issubclass aliased get_object_or_404 aget_object_or_404
    get_list_or_404 get_or_404 Prefetch joinedload selectinload contains_eager subqueryload with_loader_criteria load_only ForeignKey
    OneToOneField ManyToManyField relationship count delete update get_for_model cast register scalars scalar exec execute order_by
    group_by select_from options with_entities refresh getattr hasattr TypeVar connect receiver Optional Union and_ or_ func type
    """.split()
)
"""Calls that are given a model and make no row of it."""
_CONTAINERS = ("list", "tuple", "dict", "set")
_SOME = 3
_ROLES = frozenset({"admin", "test", "migration"})


class RowMakers:
    """Answers `fills_up(table)`; owned by Writes, remembers answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, bool] = {}
        self._by_hand: dict[str, bool] = {}

    def fills_up(self, table: Table) -> bool:
        """Whether a table's name tells of what keeps coming, or neither that it has few rows for good, nor anything shows that
        it is filled by hand: where no class is known whose rows they are, where requests or jobs make some, and where little
        is seen of who makes rows at all."""
        name = table.owner.rpartition(".")[2]
        if stays_small(name or table.name):
            return False
        if not name or accumulates(name) or accumulates(table.name) or self.in_use(name, table.name):
            return True
        return not (name in self._made_by_hand or self._shown)

    def in_use(self, model: str, table: str = "") -> bool:
        """Whether anything but migrations, commands, tests and administrators makes rows of the model that is called so."""
        if model not in self._known:
            self._known[model] = (
                any(self._serves(fn) for fn in (*self._called(model), *self._given.get(model, ())))
                or any(self._open(cls) for cls in self._named.get(model, ()))
                or self._in_sql(model, table)
            )
        return self._known[model]

    @cached_property
    def _shown(self) -> bool:
        """Whether it is seen of some models where their rows are made: of others nobody makes any, then."""
        return sum(1 for _ in islice(filter(self.in_use, sorted(self._models)), _SOME)) == _SOME

    @cached_property
    def _made_by_hand(self) -> frozenset[str]:
        """Models that a page of Django's admin is for."""
        calls = self.project.graph.calls_written("register")
        return frozenset(_class_name(fn, vid) for fn, call in calls for vid in call.args) & self._models

    def _called(self, model: str) -> Iterator[Fn]:
        """Functions that make rows by the class itself, its managers, or others that lead to it."""
        yield from (fn for fn, _ in self.project.graph.calls_written(model))
        yield from (fn for fn, call in self._makers if _makes(fn, call, model))

    @cached_property
    def _makers(self) -> list[tuple[Fn, Call]]:
        return [(fn, call) for fn, call in self.project.graph.calls_written(*_MAKERS) if self._serves(fn)]

    def _in_sql(self, model: str, table: str) -> bool:
        names = {model.lower(), table.lower()} - {""}
        return any(name in names and self._serves(fn) for name, fn in self._stored)

    @cached_property
    def _stored(self) -> list[tuple[str, Fn]]:
        writes = (write for write in self.project.writes.all() if write.creates and write.entity)
        return [(write.entity.rpartition(".")[2].lower(), write.fn) for write in writes]

    def _serves(self, fn: Fn) -> bool:
        """Not run by hand, and not for administrators alone."""
        known = self._by_hand.get(fn.fqn)
        if known is None:
            project = self.project
            known = self._by_hand[fn.fqn] = (
                project.layer(fn) in ("migration", "command", "test")
                or project.endpoints.only_for_admins(fn.fqn)
                or only_by_hand(project, fn)
                or for_tests(project, fn)
                or fills_database(project, fn)
            )
        return not known

    def _open(self, cls: Cls) -> bool:
        """A class that names the model is no page of Django's admin and no view for administrators alone."""
        roles = {self.project.hierarchy.role(cls)}
        outer = self.project.classes.get(cls.fqn.rpartition(".")[0])
        if outer is not None:
            roles.add(self.project.hierarchy.role(outer))
        if roles & _ROLES:
            return False
        methods = [fn for item in (cls, outer) if item is not None for fn in item.methods.values()]
        routes = [route for fn in methods for route in self.project.endpoints.leading_to(fn.fqn)]
        routes += [route for route in self.project.routes if route.cls in (cls, outer) and route.cls is not None]
        return not routes or not all(map(for_admins, routes))

    @cached_property
    def _models(self) -> frozenset[str]:
        return self.project.associations.models

    @cached_property
    def _given(self) -> dict[str, list[Fn]]:
        """Functions that hand a model's class to a call that may make rows, or put it into a table of classes."""
        found: dict[str, list[Fn]] = {}
        for fn in self.project.all_functions():
            for call in fn.calls:
                if fn.callee_name(call) not in _ASK:
                    self._note(found, fn, call.passed)
            for kind in _CONTAINERS:
                for vid in fn.made_by(kind):
                    self._note(found, fn, _parts(fn, vid))
        return found

    def _note(self, found: dict[str, list[Fn]], fn: Fn, vids: Iterator[Vid] | tuple[Vid, ...]) -> None:
        for vid in vids:
            name = _class_name(fn, vid)
            if name in self._models:
                found.setdefault(name, []).append(fn)

    @cached_property
    def _named(self) -> dict[str, list[Cls]]:
        """Classes with an attribute that is a model, or with one in their bases (`class Orders(Repository[Order])`)."""
        found: dict[str, list[Cls]] = {}
        for cls in self.project.classes.values():
            vids = [vid for vid in cls.facts.attributes.values() if vid >= 0]
            for base in cls.facts.bases:
                value = cls.owner.value(base)
                vids += value[2:3] if value[0] == "item" else ()
            for name in {_class_name(cls.owner, vid) for vid in vids} & self._models:
                found.setdefault(name, []).append(cls)
        return found


def _class_name(fn: Fn, vid: Vid) -> str:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "def":
        return str(value[1])
    return fn.dotted(vid).rpartition(".")[2] if value[0] in ("name", "attr") else ""


def _parts(fn: Fn, vid: Vid) -> Iterator[Vid]:
    value = fn.value(vid)
    for item in value[1]:
        yield from item if value[0] == "dict" else (item,)


def _makes(fn: Fn, call: Call, name: str) -> bool:
    """Whether a call may make rows of the model: by its own manager (also `cls.objects` and a manager's `self.create()`), or by
    one that is called after it (`order.items` for OrderItem). What makes rows of any model is given the class somewhere."""
    before = fn.dotted(call.func).split(".")[:-1]
    if name in before or any(part[:1].isupper() for part in before):
        return name in before
    last = before[-1] if before else ""
    if last in _MANAGERS or last in ("self", "cls"):
        return fn.cls is not None and name in fn.cls.name
    return any(word.lower() in last.lower() for word in identifier_words(name))
