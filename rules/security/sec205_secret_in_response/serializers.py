"""Secret fields that serializers of Django REST framework send."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Cls, Hit, Project, Ref, sensitive

from .names import ISSUED, ISSUING, PASSWORD_HASH, STORED

USERS = tuple(f"django.contrib.auth.models.{name}" for name in ("User", "AbstractUser", "AbstractBaseUser"))


def serializer_fields(project: Project) -> Iterator[Hit]:
    """Secret fields that serializers send: those that they list, then those of models of which they send all."""
    serializers = {cls.fqn: cls for cls in _answering(project)}.values()
    for cls in serializers:
        yield from _listed_fields(project, cls)
    for cls in serializers:
        yield from _unlisted_fields(project, cls)


def _listed_fields(project: Project, cls: Cls) -> Iterator[Hit]:
    """Secret fields that a serializer lists and does not make write-only, where they are listed."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    vid = meta.facts.attributes.get("fields", -1) if meta is not None else -1
    if meta is None or vid < 0 or ISSUING.search(cls.name):
        return
    value = meta.owner.facts.values[vid]
    for item in value[1] if value[0] in ("list", "tuple") else ():
        name = meta.owner.const(item)
        if not isinstance(name, str) or sensitive(name) != "secret" or ISSUED.search(name):
            continue
        if _write_only(project, cls, meta, name) or _replaces(project, cls, name):
            continue
        stored = STORED.search(name) or "password" in name
        yield Hit(
            f"`{cls.name}` sends `{name}` to every client that it answers; take it from `fields`, or make it write-only.",
            meta.owner.place(item),
            profile=None if stored else "strict",
            confidence=None if stored else "low",
        )


def _unlisted_fields(project: Project, cls: Cls) -> Iterator[Hit]:
    """Secret columns of a model of which a serializer sends all (`fields = "__all__"`), or all but some (`exclude`)."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    if meta is None or ISSUING.search(cls.name):
        return
    key = "exclude" if "exclude" in meta.facts.attributes else "fields"
    vid = meta.facts.attributes.get(key, -1)
    if key == "fields" and meta.owner.const(vid) != "__all__":
        return
    value = meta.owner.value(vid)
    left = {meta.owner.const(item) for item in value[1]} if value[0] in ("list", "tuple") else set()
    if key == "exclude" and not left:
        return
    for model in project.refs(meta.owner, meta.facts.attributes.get("model", -1)):
        why = f"it sends all fields of `{model.name.rpartition('.')[2]}`" if key == "fields" else "`exclude` lacks it"
        for name in sorted(_secret_columns(project, model) - left):
            if not (_write_only(project, cls, meta, name) or _replaces(project, cls, name)):
                yield Hit(
                    f"`{cls.name}` sends `{name}` to every client that it answers: {why}; list the fields that clients may see.",
                    meta.owner.place(vid),
                    profile=None if name == "password" or PASSWORD_HASH.search(name) else "strict",
                    fingerprint_key=f"{cls.fqn} {name}",
                )


def _secret_columns(project: Project, model: Ref) -> set[str]:
    """Columns of a model that are called secret, and the password that every user of Django's has."""
    cls = project.classes.get(model.name)
    own = project.hierarchy.mro(cls) if cls is not None else ()
    users = (model.name, *(project.hierarchy.library_bases(cls) if cls is not None else ()))
    named = {name for owner in own for name in owner.facts.attributes if STORED.search(name)}
    return named | ({"password"} if any(name.startswith(USERS) for name in users) else set())


def _answering(project: Project) -> Iterator[Cls]:
    """Serializers that write responses: those of views, and those that are made of an object."""
    refs: list[Ref] = []
    for cls in project.classes.values():
        if project.hierarchy.role(cls) == "controller":
            refs += project.refs(cls.owner, cls.facts.attributes.get("serializer_class", -1))
            chosen = cls.methods.get("get_serializer_class")
            if chosen is not None:
                refs += [ref for item in chosen.facts.returns for ref in project.refs(chosen, item.value)]
    for ref in refs:
        if ref.kind == "class" and project.hierarchy.role(project.classes[ref.name]) == "serializer":
            yield project.classes[ref.name]
    for cls in project.classes.values():
        if project.hierarchy.role(cls) == "serializer":
            plain = ((fn, call) for fn, call in project.graph.calls_of(cls.fqn) if call.kwarg("fields") < 0)
            made = [(fn, call) for fn, call in plain if call.args and call.kwarg("data") < 0]
            if any(ref == Ref("class", cls.fqn) for fn, call in made for ref in project.callees(fn, call)):
                yield cls


def _replaces(project: Project, cls: Cls, name: str) -> bool:
    """Whether the field only takes a new one (`ChangePasswordSerializer`), or what is shown in its place is made by code of the
    project."""
    if "password" in cls.name.lower():
        return True
    method = project.method(cls, "to_representation")
    if method is not None and any(method.const(vid) == name for vid in method.made_by("const")):
        return True
    owner = next((item for item in project.hierarchy.mro(cls) if name in item.facts.attributes), None)
    refs = project.refs(owner.owner, owner.facts.attributes[name]) if owner is not None else ()
    fields = [project.classes[ref.name] for ref in refs if ref.kind == "inst" and ref.name in project.classes]
    return any(project.method(item, "to_representation") is not None for item in fields)


def _write_only(project: Project, cls: Cls, meta: Cls, name: str) -> bool:
    """A field that is only read from requests, or that a method of the serializer fills."""
    declared = next((owner for owner in project.hierarchy.mro(cls) if name in owner.facts.attributes), None)
    if declared is not None:
        value = declared.owner.facts.values[declared.facts.attributes[name]]
        call = declared.owner.facts.calls[value[1]] if value[0] == "call" else None
        return call is None or declared.owner.const(call.kwarg("write_only")) is True or not call.kwargs
    vid = meta.facts.attributes.get("extra_kwargs", -1)
    extra = meta.owner.facts.values[vid] if vid >= 0 else ("unknown",)
    options = [item for key, item in extra[1] if meta.owner.const(key) == name] if extra[0] == "dict" else []
    for option in options:
        shown = meta.owner.facts.values[option]
        if shown[0] == "dict" and any(meta.owner.const(key) == "write_only" for key, _ in shown[1]):
            return True
    return False
