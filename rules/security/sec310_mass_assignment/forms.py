"""Forms and serializers that take every field of their model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Cls, Hit, Location, Project, Route, Step

from .privileges import columns

RIGHTS = re.compile(
    r"is_(admin|superuser|staff)|(is_)?(\w+_)?verified|permissions?|balance|credits?|wallet|credit_limit", re.IGNORECASE
)
"""Fields that are not for whoever the row is about to set; a `role` may be what somebody does for a living."""
USERS = frozenset(f"django.contrib.auth.models.{name}" for name in ("User", "AbstractUser", "PermissionsMixin"))
WRITING = frozenset({"POST", "PUT", "PATCH"})
OWN_ROWS = frozenset({"get_object", "get_queryset"})
"""Methods of views that give whoever asks rows of their own: of these, too, not everything is theirs to set."""


def everything(project: Project) -> Iterator[Hit]:
    """`fields = "__all__"` and `exclude = [...]` in forms and serializers."""
    for cls in project.classes.values():
        if cls.name != "Meta" or not _takes_the_rest(cls):
            continue
        outer = project.classes.get(cls.fqn.rpartition(".")[0])
        if outer is None or project.hierarchy.role(outer) not in ("serializer", "form"):
            continue
        rights = _rights(project, cls, outer)
        route = _given_to_anybody(project, outer) if rights or _is_user(project, cls) else None
        if route is not None and rights:
            yield _taken(
                cls,
                route,
                f"`{outer.name}` accepts every field that it does not exclude, and so `{rights[0]}`, which {route.label} takes from "
                "whoever calls. List the fields that clients may set, or make this one read-only.",
            )
            continue
        if "exclude" in cls.facts.attributes:
            continue
        if route is not None:
            yield _taken(
                cls,
                route,
                f"`{outer.name}` accepts every field of a user, and {route.label} takes it from whoever calls: anybody can set "
                "`is_superuser` and `is_staff`. List the fields that clients may set.",
            )
            continue
        yield Hit(
            f"`{outer.name}` accepts every field of its model, also those that are added later. List the fields.",
            _place(cls),
            related=(Step(outer.header, "the serializer or form"),),
            profile="strict",
            severity="warning",
        )


def _taken(meta: Cls, route: Route, message: str) -> Hit:
    return Hit(message, _place(meta), related=(Step(route.place, "taken here"),))


def _takes_the_rest(meta: Cls) -> bool:
    """Whether it names no fields, but all, or those that are left out."""
    stated = meta.facts.attributes
    return meta.owner.const(stated.get("fields", -1)) == "__all__" or ("exclude" in stated and "fields" not in stated)


def _rights(project: Project, meta: Cls, outer: Cls) -> list[str]:
    """The model's fields that give rights or money and that a client may set so."""
    vid = meta.facts.attributes.get("model", -1)
    models = (
        [project.classes[ref.name] for ref in project.refs(meta.owner, vid) if ref.kind == "class"] if vid >= 0 else []
    )
    closed = set(outer.facts.attributes)
    for name in ("exclude", "read_only_fields", "extra_kwargs"):
        listed = meta.owner.unguarded(meta.facts.attributes[name]) if name in meta.facts.attributes else ("list", ())
        if listed[0] not in ("list", "tuple", "set", "dict"):
            return []
        keys = (item[0] for item in listed[1]) if listed[0] == "dict" else listed[1]
        closed.update(str(meta.owner.const(key)) for key in keys)
    fields = (name for model in models for name in columns(project, model))
    return [name for name in fields if RIGHTS.fullmatch(name) and name not in closed]


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
        if WRITING.isdisjoint(route.methods or WRITING) or set(project.access.authorization(route)) - OWN_ROWS:
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
    spans = cls.facts.field_spans
    return cls.owner.location(spans["fields"] if "fields" in spans else spans["exclude"])
