"""Tables by the classes that map them, as code names these: `Order.total` of SQLAlchemy, `Order.objects` of Django."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.schema import types
from backendlint.project.schema.django_state import Model
from backendlint.project.schema.model import Column, Table
from backendlint.project.schema.reading import Node
from backendlint.project.schema.sa_types import type_of

if TYPE_CHECKING:
    from backendlint.project.model import Project

MANAGERS = frozenset({"objects", "all", "_default_manager", "_base_manager"})
_RELATED = frozenset({"DoesNotExist", "MultipleObjectsReturned"})
_QUERYSET_METHODS = frozenset(
    "all filter exclude order_by select_related prefetch_related only defer distinct annotate using reverse values values_list "
    "select_for_update get_queryset complex_filter alias".split()
)


class Tables:
    """Tables by the class that maps them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        data = project.data
        self.classes = {
            table.owner: data.schema.find(table.name) or table
            for table in data.attribute_mapped.tables.values()
            if table.owner
        }
        """What maps its columns to attributes of the class."""
        self.django = data.django_state
        self.any = bool(self.classes) or bool(self.django.models)
        self._tables: dict[str, Table | None] = {}

    def mapped(self, fn: Fn, vid: Vid) -> tuple[Table, Column] | None:
        """The column that `Model.attribute` means."""
        value = fn.facts.values[vid]
        if value[0] == "attr":
            owner, name = self.class_of(fn, value[1]), str(value[2])
        elif value[0] == "name":
            dotted, _, name = str(value[1]).rpartition(".")
            owner = self.named(fn, dotted)
        elif value[0] == "call":
            return self._cast(fn, fn.facts.calls[value[1]])
        else:
            return None
        table = self.classes.get(owner) if owner else None
        if table is None:
            return None
        column = next((item for item in table.columns.values() if name in {item.attribute, item.name}), None)
        column = column or table.columns.get(table.relations().get(name, ""))
        return (table, column) if column is not None else None

    def _cast(self, fn: Fn, call: Call) -> tuple[Table, Column] | None:
        """`typing.cast(Any, Model.column)`, and SQLAlchemy's `cast(Model.key, UUID)` to the type that the column has: both are
        the column itself."""
        if len(call.args) != 2 or fn.callee_name(call) != "cast":
            return None
        if fn.facts.values[call.func] == ("name", "typing.cast"):
            return self.mapped(fn, call.args[1])
        found = self.mapped(fn, call.args[0])
        wanted = type_of(Node(fn.file, fn.index, call.args[1], self.project.data.links)) if found is not None else ""
        return found if found is not None and wanted and types.base(wanted) == types.base(found[1].type) else None

    def dotted(self, fn: Fn, dotted: str) -> tuple[Table, Column] | None:
        """The same for `Model.attribute` as one name."""
        owner, _, name = dotted.rpartition(".")
        table = self.classes.get(self.named(fn, owner)) if owner else None
        columns = table.columns.values() if table is not None else ()
        column = next((item for item in columns if name in {item.attribute, item.name}), None)
        return (table, column) if table is not None and column is not None else None

    def unmapped(self, fn: Fn, vid: Vid) -> bool:
        """True for `Model.attribute` that is no column (a hybrid property, a relation)."""
        value = fn.facts.values[vid]
        if value[0] == "attr":
            owner = self.class_of(fn, value[1])
        elif value[0] == "name":
            owner = self.named(fn, str(value[1]).rpartition(".")[0])
        else:
            return False
        return owner in self.classes and self.mapped(fn, vid) is None

    def class_of(self, fn: Fn, vid: Vid) -> str:
        value = fn.facts.values[vid]
        if value[0] == "name":
            return self.named(fn, str(value[1]))
        return next((ref.name for ref in self.project.refs(fn, vid) if ref.kind == "class"), "")

    def named(self, fn: Fn, dotted: str) -> str:
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind != "class" or target.file is None or target.rest:
            return ""
        return f"{target.file.module}.{target.name}" if target.file.module else target.name

    def model(self, fn: Fn, vid: Vid) -> Model | None:
        """Django's model that a queryset, manager or class is about."""
        return self.spelled(fn, vid) or (self._own(fn, vid) if vid >= 0 else None)

    def _own(self, fn: Fn, vid: Vid) -> Model | None:
        """The same of `self` in the class of one model's querysets, and of what its methods make of it."""
        if fn.cls is None or not _is_of_self(fn, vid):
            return None
        rows = self.project.resolver.managers.rows(self.project.refs(fn, vid))
        keys = (self.django.classes.get(row.name) for row in rows if row.kind == "inst")
        return next((self.django.models.get(key) for key in keys if key is not None), None)

    def spelled(self, fn: Fn, vid: Vid, depth: int = 0) -> Model | None:
        """The same as far as the chain of calls says it, from the model's name on."""
        if vid < 0 or depth > 12:
            return None
        value = fn.facts.values[vid]
        if value[0] == "name":
            return self._of_name(fn, str(value[1]))
        if value[0] == "attr":
            return self.spelled(fn, value[1], depth + 1) if value[2] not in _RELATED else None
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            return self.spelled(fn, call.func, depth + 1) if fn.callee_name(call) in _QUERYSET_METHODS else None
        if value[0] in {"guard", "phi"}:
            inner = value[1] if value[0] == "guard" else next((item for item in value[1] if item != vid), -1)
            return self.spelled(fn, inner, depth + 1)
        if value[0] == "def":
            key = self.django.classes.get(f"{fn.file.module}.{value[1]}")
            return self.django.models.get(key) if key else None
        return None

    def _of_name(self, fn: Fn, dotted: str) -> Model | None:
        """`models.Order`, `models.Order.objects`, `models.Order.objects.get`."""
        for number in range(4):
            key = self.django.classes.get(self.named(fn, dotted))
            if key is not None:
                return self.django.models.get(key)
            dotted, _, last = dotted.rpartition(".")
            if not dotted or (number and last not in MANAGERS):
                return None
        return None

    def django_table(self, model: Model) -> Table | None:
        """The table of a Django model, with what migrations know of it."""
        if model.key not in self._tables:
            self._tables[model.key] = self.project.data.schema.find(model.table)
        return self._tables[model.key]


def _is_of_self(fn: Fn, vid: Vid) -> bool:
    """`self`, `self.unpaid()`"""
    value = fn.facts.values[object_root(fn, vid)]
    while value[0] == "call":
        func = fn.facts.values[fn.facts.calls[value[1]].func]
        if func[0] != "attr":
            return False
        value = fn.facts.values[object_root(fn, func[1])]
    return value == ("param", 0)
