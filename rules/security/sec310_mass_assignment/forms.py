"""Forms and serializers that take every field of their model."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import SAFE, Cls, Hit, Location, Project, Route, Step

USERS = frozenset(f"django.contrib.auth.models.{name}" for name in ("User", "AbstractUser", "PermissionsMixin"))


def everything(project: Project) -> Iterator[Hit]:
    """`fields = "__all__"` in forms and serializers."""
    for cls in project.classes.values():
        if cls.name != "Meta" or cls.owner.const(cls.facts.attributes.get("fields", -1)) != "__all__":
            continue
        outer = project.classes.get(cls.fqn.rpartition(".")[0])
        if outer is None or project.hierarchy.role(outer) not in ("serializer", "form"):
            continue
        route = _given_to_anybody(project, outer) if _is_user(project, cls) else None
        if route is not None:
            yield Hit(
                f"`{outer.name}` accepts every field of a user, and {route.label} takes it from whoever calls: anybody can set "
                "`is_superuser` and `is_staff`. List the fields that clients may set.",
                _place(cls),
                related=(Step(route.place, "taken here"),),
            )
            continue
        yield Hit(
            f"`{outer.name}` accepts every field of its model, also those that are added later. List the fields.",
            _place(cls),
            related=(Step(outer.header, "the serializer or form"),),
            profile="strict",
            severity="warning",
        )


def _is_user(project: Project, meta: Cls) -> bool:
    """Whether the model has Django's flags of users, none of which `Meta` makes read-only."""
    if not {"read_only_fields", "extra_kwargs", "exclude"}.isdisjoint(meta.facts.attributes):
        return False
    vid = meta.facts.attributes.get("model", -1)
    refs = project.refs(meta.owner, vid) if vid >= 0 else ()
    models = [project.classes[ref.name] for ref in refs if ref.kind == "class"]
    bases = [base for cls in models for base in project.hierarchy.library_bases(cls)]
    return not USERS.isdisjoint((*bases, *(ref.name for ref in refs)))


def _given_to_anybody(project: Project, serializer: Cls) -> Route | None:
    """A route that changes something, asks for no permission, and fills the serializer with what the client sends."""
    if {"is_superuser", "is_staff"} & set(serializer.facts.attributes):
        return None  # declared by itself: read-only most often
    for route in project.routes:
        if SAFE.issuperset(route.methods) or project.access.authorization(route):
            continue
        if route.handler is None:
            owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
            owner = next((item for item in owners if "serializer_class" in item.facts.attributes), None)
            refs = project.refs(owner.owner, owner.facts.attributes["serializer_class"]) if owner is not None else ()
            if any(ref.name == serializer.fqn for ref in refs):
                return route
            continue
        for call in route.handler.calls:
            made = call.kwarg("data") >= 0 and project.callees(route.handler, call)
            if made and any(ref.name == serializer.fqn for ref in made):
                return route
    return None


def _place(cls: Cls) -> Location:
    """Where the class `Meta` says which fields there are."""
    return cls.owner.location(cls.facts.field_spans["fields"])
