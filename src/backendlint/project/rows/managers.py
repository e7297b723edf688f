"""Methods that the project gives the managers and querysets of its models: `Order.objects.unpaid().of(customer)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.libraries.model import ClassModel
from backendlint.project.rows.saved import stored_by_itself

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver


class Managers:
    """Answers for the Resolver, which owns it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._classes: dict[str, tuple[Cls, ...]] = {}
        self._own: dict[str, Ref] = {}
        self._owners: dict[str, list[Cls]] | None = None

    def method(self, ref: Ref, name: str) -> Refs:
        """What a name that the library's manager or queryset does not have is in those of the model whose rows it gives."""
        model = (
            self.resolver.project.classes.get(ref.arg.name) if ref.arg is not None and ref.arg.kind == "inst" else None
        )
        if model is None or not self.gives_rows(ref):
            return ()
        manager = self.stands_for_owner(ref)
        for cls in sorted(self.of(model), key=lambda cls: self.stands_for_owner(Ref("inst", cls.fqn)) is not manager):
            method = self.resolver.project.method(cls, name)
            if method is not None:
                return (Ref("func", method.fqn, Ref("inst", cls.fqn, ref.arg)),)
        return ()

    def of(self, model: Cls) -> tuple[Cls, ...]:
        """The project's classes of the model's managers and of what these give."""
        found = self._classes.get(model.fqn)
        if found is None:
            self._classes[model.fqn] = ()
            made = (
                cls
                for owner in self.resolver.project.hierarchy.mro(model)
                for name in owner.facts.attributes
                for ref in self.field(owner, name)
                for cls in self._behind(ref)
            )
            found = self._classes[model.fqn] = tuple(dict.fromkeys(made))
        return found

    def field(self, owner: Cls, name: str) -> Refs:
        """What a class's attribute holds, where a call makes it."""
        value = owner.owner.value(owner.facts.attributes[name])
        return self.resolver.field(owner, name) if value[0] == "call" else ()

    def _behind(self, ref: Ref) -> Iterator[Cls]:
        """The class of a manager, those from which it takes methods, and that of the querysets which it makes."""
        project = self.resolver.project
        if not self.stands_for_owner(ref):
            return
        yield from self.taken(ref)
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        for owner in project.hierarchy.mro(cls) if cls is not None else ():
            yield owner
            for base in owner.bases:
                yield from self.taken(base)
            making = owner.methods.get("get_queryset")
            for made in self.resolver.results.of(making) if making is not None else ():
                if made.kind == "inst" and self.gives_rows(made):
                    yield project.classes[made.name]

    def taken(self, ref: Ref) -> Iterator[Cls]:
        """`UnpaidQuerySet.as_manager()`, `Manager.from_queryset(UnpaidQuerySet)`: the class whose methods the manager has."""
        held = ref.arg if ref.kind == "libinst" and self.stands_for_owner(ref) else None
        cls = self.resolver.project.classes.get(held.name) if held is not None else None
        if held is not None and cls is not None and self.gives_rows(Ref("inst", cls.fqn)):
            yield cls

    def own(self, cls: Cls) -> Ref:
        """`self` in a class; in the manager or queryset of one model alone it gives the rows of that."""
        known = self._own.get(cls.fqn)
        if known is None:
            ref = Ref("inst", cls.fqn)
            self._own[cls.fqn] = ref
            model = self._only_owner(cls) if self.gives_rows(ref) else None
            known = self._own[cls.fqn] = ref if model is None else ref._replace(arg=Ref("inst", model.fqn))
        return known

    def _only_owner(self, cls: Cls) -> Cls | None:
        """The model whose rows a class gives, or the one from which all these come."""
        if self._owners is None:
            self._owners = {}
            for model in list(self.resolver.project.classes.values()):
                if stored_by_itself(self.resolver.project, model):
                    for used in self._used(model):
                        self._owners.setdefault(used.fqn, []).append(model)
        owners = self._owners.get(cls.fqn, [])
        lines = [self.resolver.project.hierarchy.mro(owner) for owner in owners]
        return next((owner for owner in owners if all(owner in line for line in lines)), None)

    def _used(self, model: Cls) -> Iterable[Cls]:
        """The classes of a model's managers, those from which they take methods, and of querysets that they make by name."""
        fields = (
            ref
            for owner in self.resolver.project.hierarchy.mro(model)
            for name in owner.facts.attributes
            for ref in self.field(owner, name)
        )
        return dict.fromkeys(cls for ref in fields if self.stands_for_owner(ref) for cls in self._made_for(ref))

    def _made_for(self, ref: Ref) -> Iterator[Cls]:
        yield from self.taken(ref)
        project = self.resolver.project
        for cls in project.hierarchy.mro(project.classes[ref.name]) if ref.kind == "inst" else ():
            yield cls
            for base in cls.bases:
                yield from self.taken(base)
            making = cls.methods.get("get_queryset")
            yield from self._named(making) if making is not None else ()

    def _named(self, making: Fn) -> Iterator[Cls]:
        """`OrderQuerySet(self.model)`: the classes that a method calls by their names."""
        for call in making.calls:
            refs = self.resolver.refs(making, call.func) if making.value(call.func)[0] == "name" else ()
            made = (self.resolver.project.classes[ref.name] for ref in refs if ref.kind == "class")
            yield from (cls for cls in made if self.gives_rows(Ref("inst", cls.fqn)))

    def above(self, fn: Fn, call: Call) -> tuple[Ref, ...]:
        """What `super()` is in a method: for the rows that the object gives, where these are known; elsewhere the class that it
        names (`super(Order, order).save()`)."""
        if fn.cls is None:
            named = self.resolver.refs(fn, call.args[0]) if len(call.args) == 2 else ()
            return tuple(Ref("super", ref.name) for ref in named if ref.kind == "class")
        own = self.resolver.refs(fn, 0) if fn.kind in ("method", "property") else ()
        return (Ref("super", fn.cls.fqn, own[0].arg if own else None),)

    def rows(self, refs: Refs) -> list[Ref]:
        """The rows of managers and querysets."""
        return [ref.arg for ref in refs if ref.arg is not None and self.gives_rows(ref)]

    def of_rows(self, ref: Ref, row: Ref | None) -> Ref:
        """`OrderQuerySet(self.model)`, `-> "OrderQuerySet"` of a manager whose rows are known: a queryset of those."""
        cls = self.resolver.project.classes.get(ref.name) if ref.kind == "inst" and ref.arg is None else None
        if cls is None or row is None or not self.gives_rows(ref):
            return ref
        if self.stands_for_owner(ref):
            return ref._replace(arg=row)
        bases = self.resolver.project.hierarchy.library_bases(cls)
        return next((Ref("libinst", base, row) for base in bases if self.gives_rows(Ref("libinst", base))), ref)

    def owned(self, ref: Ref, cls: Cls) -> Ref:
        """`published = PublishedManager()` of a model gives the model's rows."""
        if ref.kind not in ("inst", "libinst") or not self.stands_for_owner(ref):
            return ref
        if ref.arg is not None and not any(self.taken(ref)):
            return ref
        return Ref(ref.kind, ref.name, Ref("inst", cls.fqn))

    def is_strange(self, cls: Cls, name: str, found: Refs) -> bool:
        """`objects = ScopedManager(space="space")` of a package that nobody describes: it stands for what the base has there."""
        project = self.resolver.project
        if any(ref.kind not in ("lib", "libinst") or any(project.libraries.lineage(ref.name)) for ref in found):
            return False
        return any(project.libraries.attribute(f"{base}.{name}") for base in project.hierarchy.library_bases(cls))

    def stands_for_owner(self, ref: Ref) -> bool:
        """Whether it is a manager, which gives the rows of the model that holds it."""
        return any(model.of_owner for model in self._models(ref))

    def gives_rows(self, ref: Ref) -> bool:
        """Whether it is a manager or a queryset."""
        return any(model.of_owner or (model.iter_effect and model.iterates) for model in self._models(ref))

    def have_none(self, refs: Refs) -> bool:
        """Whether all are objects of libraries that are neither managers nor querysets."""
        return bool(refs) and all(ref.kind == "libinst" and not self.gives_rows(ref) for ref in refs)

    def _models(self, ref: Ref) -> Iterable[ClassModel]:
        cls = self.resolver.project.classes.get(ref.name) if ref.kind in ("inst", "super") else None
        if cls is None:
            return self.resolver.project.libraries.lineage(ref.name)
        return self.resolver.project.hierarchy.library_models(cls)
