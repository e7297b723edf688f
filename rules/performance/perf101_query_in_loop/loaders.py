"""What loads for all objects at once what is read of each."""

from __future__ import annotations

from backendlint.api import LazyRead, Project, Serialized, TemplateRead, is_django

TORTOISE = "tortoise.models.Model"


def advice(project: Project, item: LazyRead) -> str:
    return loader(project, item.relation.owner, (*item.path, item.relation.name))


def loader(project: Project, owner: str, path: tuple[str, ...]) -> str:
    """What loads the last relation of the path, which belongs to `owner`."""
    relation = project.associations.find(project.classes[owner], path[-1])
    if is_django(project, owner):
        call = "prefetch_related" if relation is None or relation.many else "select_related"
        return f"`{call}('{'__'.join(path)}')`"
    if project.hierarchy.is_a(project.classes[owner], TORTOISE):
        return f"`prefetch_related('{'__'.join(path)}')`"
    return f"`selectinload({project.classes[owner].name}.{path[-1]})`"


def counting(item: TemplateRead) -> str:
    """Rows that are only counted are better counted by the database than loaded."""
    asked = item.steps[-1].message if item.steps else item.what
    rows = "__".join(item.path)
    if asked.endswith(".count"):
        return f"count them in the list's own query (`annotate(Count('{rows}'))`)"
    return (
        f"ask for it in the list's own query (`annotate` with `Exists` of `{rows}`)"
        if asked.endswith(".exists")
        else ""
    )


def loading(project: Project, item: Serialized) -> str:
    if item.read.sends or not item.read.path:
        return "compute it for all objects in the list's own query (`annotate`, `prefetch_related`)"
    if project.hierarchy.is_a(item.serializer, "marshmallow.Schema"):
        return f"load it with the list's query (`selectinload` or `joinedload` of `{'.'.join(item.read.path)}`)"
    return f"load it with the list's query (`select_related` or `prefetch_related` of `{'__'.join(item.read.path)}`)"
