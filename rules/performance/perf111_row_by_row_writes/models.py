"""Models of which a bulk write does not do all that is done for each row."""

from __future__ import annotations

from backendlint.api import Project, Query, stored_by_itself


def own_save(project: Project, query: Query) -> bool:
    """A model with a `save` of its own does more than a bulk write would."""
    assert query.call is not None
    value = query.fn.facts.values[query.call.func]
    refs = project.refs(query.fn, value[1]) if value[0] == "attr" else ()
    return any(ref.kind == "inst" and project.method(project.classes[ref.name], "save") is not None for ref in refs)


def no_plain_rows(project: Project, query: Query) -> bool:
    """Whether `bulk_create` would skip the model's own `save`, or is refused: its rows lie in its parent's table too."""
    entities = {write.entity for write in project.writes.direct(query.fn) if write.call is query.call}
    for cls in (project.classes[name] for name in entities if name in project.classes):
        parents = [item for item in project.hierarchy.mro(cls)[1:] if project.hierarchy.role(item) == "model"]
        django = project.hierarchy.is_a(cls, "django.db.models.Model")
        if project.method(cls, "save") is not None or (
            django and any(stored_by_itself(project, item) for item in parents)
        ):
            return True
    return False


def is_heard(project: Project, query: Query) -> bool:
    """Whether somebody listens to each row that is saved: a bulk write would send no signal."""
    found = (write for write in project.writes.direct(query.fn) if write.call is query.call)
    return any((write.entity, write.op) in project.writes.heard for write in found)


def of_object(op: str, query: Query) -> bool:
    return op == "delete" and not (query.model.orm is not None and query.model.orm.bulk)
