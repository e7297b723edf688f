"""Relations between models: which attributes of an entity are other entities, and whether reading them asks the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import unchanged
from backendlint.project.linking.variables import of_all_modules
from backendlint.project.rows.loaders import Path, loads_of

if TYPE_CHECKING:
    from backendlint.project.model import Project

EAGER = frozenset({"joined", "selectin", "subquery", "immediate", "False"})
"""Loader strategies of a relationship itself that fetch it together with its owner."""
NEVER = frozenset({"raise", "raise_on_sql", "noload", "dynamic", "write_only", "None"})
"""Strategies with which reading the attribute sends nothing by itself."""
AWAITED = "awaited"
"""Reading gives something that asks the database when it is awaited (Tortoise's relations)."""
_MANAGER = "django.db.models.fields.related_descriptors.RelatedManager"


class Relation(NamedTuple):
    """`owner.name` is another entity, or many of them."""

    owner: str
    """Fqn of the model's class."""
    name: str
    target: str
    """Fqn of the other model's class, or ""."""
    many: bool
    manager: bool
    """Reading the attribute gives a manager: only its methods ask the database (Django's to-many relations)."""
    lazy: str
    """The loader strategy that the relationship states (SQLAlchemy's `lazy=`), or ""."""

    @property
    def loads(self) -> bool:
        """Whether reading the attribute of an entity that came without it asks the database."""
        return not self.manager and self.lazy not in EAGER and self.lazy not in NEVER and self.lazy != AWAITED


class Associations:
    """Relations of all models by class and attribute; built when the project is linked."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._by_class: dict[str, dict[str, Relation]] = {}
        self.names: set[str] = set()
        """Names that are relations of some model."""
        self._models: dict[str, list[Cls]] = {}

    def build(self) -> None:
        """Read the relations of all model classes (bases must be known)."""
        models = [cls for cls in self.project.classes.values() if self.project.hierarchy.role(cls) == "model"]
        for cls in models:
            self._models.setdefault(cls.name, []).append(cls)
        for cls in models:
            for name, vid in cls.facts.attributes.items():
                for call, model in self._declarations(cls.owner, vid):
                    self._declare(cls, name, call, model)
        for cls in {item.fqn: item for model in models for item in self.project.hierarchy.mro(model)}.values():
            self._computed(cls)

    @cached_property
    def models(self) -> frozenset[str]:
        """The names of all model classes."""
        return frozenset(self._models)

    @cached_property
    def loaded(self) -> frozenset[Path]:
        """Pairs of relations of which some query loads the second by way of the first: `prefetch_related("lines__product")`."""
        project = self.project
        paths = {
            path for fn, call, model in project.graph.modelled for path in loads_of(project, fn, call, model).paths
        }
        return frozenset(path[number : number + 2] for path in paths for number in range(len(path) - 1))

    def find(self, cls: Cls, name: str) -> Relation | None:
        """The relation that an entity's attribute is, inherited ones included."""
        if name not in self.names:
            return None
        for owner in self.project.hierarchy.mro(cls):
            found = self._by_class.get(owner.fqn, {}).get(name)
            if found is not None:
                return found
        return None

    def along(self, cls: Cls, names: Iterable[str]) -> Iterator[Relation]:
        """The relations at the beginning of a path, each of the entity to which the one before leads."""
        at: Cls | None = cls
        for name in names:
            relation = self.find(at, name) if at is not None else None
            if relation is None:
                return
            yield relation
            at = self.project.classes.get(relation.target)

    def leads_back(self, path: tuple[str, ...], relation: Relation) -> bool:
        """Whether the relation is the way back: `line.order` of `order.lines` is known without a query."""
        target = self.project.classes.get(relation.target)
        came = self.find(target, path[-1]) if target is not None and path else None
        return came is not None and self.project.hierarchy.subclass_of(came.target, relation.owner)

    def of(self, cls: Cls) -> Iterator[Relation]:
        """All relations of a model."""
        for owner in self.project.hierarchy.mro(cls):
            yield from self._by_class.get(owner.fqn, {}).values()

    def member(self, cls: Cls, name: str) -> tuple[Ref, ...]:
        """What an entity's attribute is, where it is a relation to a model of the project."""
        relation = self.find(cls, name)
        if relation is None or not relation.target:
            return ()
        target = Ref("inst", relation.target)
        if relation.manager:
            return (Ref("libinst", _MANAGER, target),)
        if relation.lazy == "dynamic":
            return (Ref("libinst", "sqlalchemy.orm.Query", target),)
        return (Ref("libinst", "builtins.list", target),) if relation.many else (target,)

    def _computed(self, cls: Cls) -> None:
        """SQLAlchemy's `@declared_attr def customer(cls): return relationship(...)`, in models and their mixins."""
        for name, method in cls.methods.items():
            if any(ref.name.endswith(".declared_attr") for ref in method.decorators):
                for item in method.facts.returns:
                    for call, _ in self._declarations(method, item.value) if item.value >= 0 else ():
                        stated = self._annotated(method.parent or cls.owner, method.facts.returns_annotation)
                        self._sqlalchemy(cls, name, call, method, stated)

    def _annotated(self, home: Fn, vid: Vid) -> tuple[Ref, ...]:
        return tuple(self.project.resolver.types.annotation(home, vid)) if vid >= 0 else ()

    def _declarations(self, home: Fn, vid: Vid) -> list[tuple[Call, CallModel]]:
        value = unchanged(home, vid)
        if value[0] != "call":
            return []
        call = home.facts.calls[value[1]]
        found = []
        for ref in self.project.refs(home, call.func):
            names = [ref.name] if ref.kind == "lib" else []
            if ref.kind == "class":
                names = list(self.project.hierarchy.library_bases(self.project.classes[ref.name]))
            for name in names:
                model = self.project.libraries.call(name)
                if model is not None and model.orm is not None and model.orm.op in ("relationship", "foreign_key"):
                    found.append((call, model))
        return found[:1]

    def _declare(self, cls: Cls, name: str, call: Call, model: CallModel) -> None:
        if model.library == "django":
            self._django(cls, name, call, model)
        elif model.name.startswith("tortoise."):
            self._tortoise(cls, name, call)
        elif model.orm is not None and model.orm.op == "relationship":
            stated = self._annotated(cls.owner, cls.facts.annotations.get(name, -1))
            self._sqlalchemy(cls, name, call, cls.owner, stated)

    def _put(self, relation: Relation) -> None:
        self._by_class.setdefault(relation.owner, {}).setdefault(relation.name, relation)
        self.names.add(relation.name)

    # Django

    def _django(self, cls: Cls, name: str, call: Call, model: CallModel) -> None:
        home = cls.owner
        to = call.args[0] if call.args else call.kwarg("to")
        target = self._target(cls, to)
        many = model.orm is not None and model.orm.op == "relationship"
        self._put(Relation(cls.fqn, name, target, many, many, ""))
        if not target or model.name.endswith("GenericRelation"):
            return
        unique = model.name.endswith("OneToOneField")
        stated = home.const(call.kwarg("related_name"))
        for owner in self._concrete(cls):
            back = stated if isinstance(stated, str) else owner.name.lower() + ("" if unique else "_set")
            back = back.replace("%(class)s", owner.name.lower())
            if not back.endswith("+"):
                self._put(Relation(target, back, owner.fqn, not unique, not unique, ""))

    def _concrete(self, cls: Cls) -> list[Cls]:
        """The class itself, or where it is abstract its subclasses."""
        meta = self.project.classes.get(f"{cls.fqn}.Meta")
        abstract = meta is not None and meta.owner.const(meta.facts.attributes.get("abstract", -1)) is True
        return self.project.subclasses(cls) if abstract else [cls]

    # Tortoise

    def _tortoise(self, cls: Cls, name: str, call: Call) -> None:
        target = self._target(cls, call.args[0] if call.args else call.kwarg("model_name"))
        self._put(Relation(cls.fqn, name, target, False, False, AWAITED))
        back = cls.owner.const(call.kwarg("related_name"))
        if target and isinstance(back, str):
            self._put(Relation(target, back, cls.fqn, True, False, AWAITED))

    # SQLAlchemy

    def _sqlalchemy(self, cls: Cls, name: str, call: Call, home: Fn, stated: tuple[Ref, ...]) -> None:
        """A relationship that a class's body or a method of it makes; `stated`: what its annotation says."""
        many: bool | None = None
        target = ""
        for ref in stated:
            inner = ref.arg if ref.kind == "libinst" else ref
            if inner is not None and inner.kind == "inst":
                target, many = inner.name, ref.kind == "libinst"
        target = target or self._target(cls, call.args[0] if call.args else call.kwarg("argument"), home)
        if many is None:
            many = _stated(home, call, "uselist") is not False and not self._points_to(cls, target)
        lazy = _stated(home, call, "lazy")
        lazy = "" if lazy in (..., True, "select") else str(lazy)
        self._put(Relation(cls.fqn, name, target, many, False, lazy))
        self._backref(cls, call, target, many, home)

    def _backref(self, cls: Cls, call: Call, target: str, many: bool, home: Fn) -> None:
        """`backref="orders"`, or `backref("orders", lazy=...)`, puts the other direction on the target."""
        vid = call.kwarg("backref")
        if vid < 0 or not target:
            return
        lazy: object = ...
        value = home.facts.values[vid]
        single = False
        if value[0] == "call":
            inner = home.facts.calls[value[1]]
            lazy = home.const(inner.kwarg("lazy"))
            single = home.const(inner.kwarg("uselist")) is False
            vid = inner.args[0] if inner.args else -1
        name = home.const(vid)
        if isinstance(name, str):
            text = "" if lazy in (..., True, "select") else str(lazy)
            self._put(Relation(target, name, cls.fqn, not many and not single, False, text))

    def _points_to(self, cls: Cls, target: str) -> bool:
        """Whether the class itself has a foreign key to the target's table: then the relationship is to one."""
        other = self.project.classes.get(target)
        table = other.owner.const(other.facts.attributes.get("__tablename__", -1)) if other is not None else ...
        home, span = cls.owner, cls.facts.span
        for call in home.calls:
            if not span.line <= call.span.line <= span.end_line:
                continue
            for model in self.project.models(home, call):
                if model.orm is not None and model.orm.op == "foreign_key" and call.args:
                    named = home.const(call.args[0])
                    owner = str(named).rpartition(".")[0] if isinstance(named, str) else ""
                    if owner and (
                        owner == table or (table is ... and other is not None and _table_like(owner, other.name))
                    ):
                        return True
        return False

    # targets

    def _target(self, cls: Cls, vid: Vid, home: Fn | None = None) -> str:
        """The model that an argument names: a class, its name as text, a lambda, Django's user model."""
        if vid < 0:
            return ""
        home = home or cls.owner
        text = home.const(vid)
        if isinstance(text, str):
            return cls.fqn if text == "self" else self._named(text, cls)
        value = home.facts.values[vid]
        for ref in self.project.refs(home, vid):
            if ref.kind == "class":
                return ref.name
            if ref.kind == "func":
                lambda_ = self.project.functions[ref.name]
                return next((item.name for out in lambda_.facts.returns
                             for item in self.project.refs(lambda_, out.value) if item.kind == "class"), "")  # fmt: skip
        named = str(value[1]) if value[0] == "name" else str(value[-1])
        return self._user_model(cls) if named.endswith("AUTH_USER_MODEL") or value[0] == "call" else ""

    def _user_model(self, cls: Cls) -> str:
        for module, vid in of_all_modules(self.project, "AUTH_USER_MODEL"):
            text = module.const(vid)
            if isinstance(text, str):
                return self._named(text, cls)
        return ""

    def _named(self, text: str, cls: Cls) -> str:
        """The model class that a text names; of several the one nearest to the class that names it. Django asks for neither
        capitals nor small letters (`"quays.berth"`)."""
        app, _, name = text.rpartition(".")
        found = self._models.get(name) or [
            item for known, named in self._models.items() if known.lower() == name.lower() for item in named
        ]
        if app:
            found = [item for item in found if app.rpartition(".")[2].lower() in item.fqn.lower().split(".")] or found
        return max(found, key=lambda item: _shared(item.fqn, cls.fqn)).fqn if found else ""


def _stated(home: Fn, call: Call, name: str) -> object:
    """What a relationship says by a keyword; SQLModel's in a dictionary: `Relationship(sa_relationship_kwargs={"lazy": "joined"})`."""
    given = home.value(call.kwarg("sa_relationship_kwargs")) if call.kwarg("sa_relationship_kwargs") >= 0 else ("",)
    entries = {home.const(key): vid for key, vid in given[1] if key >= 0} if given[0] == "dict" else {}
    return home.const(entries.get(name, call.kwarg(name)))


def _table_like(table: str, name: str) -> bool:
    """Whether a table's name is that of the class, as naming conventions make it: `OrderLine`, `order_line`, `orderlines`."""
    plain, lower = table.rpartition(".")[2].replace("_", "").lower(), name.lower()
    return plain in (lower, f"{lower}s", f"{lower}es")


def _shared(left: str, right: str) -> int:
    count = 0
    for one, other in zip(left.split("."), right.split("."), strict=False):
        if one != other:
            break
        count += 1
    return count


def is_inner(fn: Fn, vid: Vid) -> bool:
    """Whether the rows of a manager are compared within another query, of which they are a part: `id__in=ship.ports.all()`."""
    span = fn.facts.span_of(vid)
    compared = (item for call in fn.calls for key, item in call.kwargs if key.endswith("__in"))
    return any(fn.facts.span_of(item).holds(span) for item in compared)


def declared(project: Project, fn: Fn, vid: Vid) -> Relation | None:
    """The relation that a value reads: `order.customer`."""
    value = fn.facts.values[vid]
    if value[0] != "attr" or value[2] not in project.associations.names:
        return None
    for ref in project.refs(fn, value[1]):
        if ref.kind == "inst":
            found = project.associations.find(project.classes[ref.name], value[2])
            if found is not None:
                return found
    return None


def is_django(project: Project, owner: str) -> bool:
    """Whether a model (by fqn) is one of Django's."""
    cls = project.classes.get(owner)
    return cls is not None and any(base.startswith("django.") for base in project.hierarchy.library_bases(cls))
