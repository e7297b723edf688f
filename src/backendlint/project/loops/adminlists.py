"""Columns of Django's admin lists that read a relation of each row: methods named by `list_display`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import receiver
from backendlint.project.loops.serializers import FieldRead, Serialized
from backendlint.project.rows.associations import Relation

if TYPE_CHECKING:
    from backendlint.project.model import Project

_COLUMNS, _LOADS, _ROWS = "list_display", "list_select_related", "get_queryset"


def admin_lists(project: Project) -> Iterator[Serialized]:
    """One for each column and relation."""
    for cls in project.classes.values():
        if project.hierarchy.role(cls) != "admin" or project.method(cls, _ROWS) is not None:
            continue
        model, columns = _model(project, cls), _names(project, cls, _COLUMNS)
        loaded = _names(project, cls, _LOADS)
        if model is None or not columns or loaded is None:
            continue
        related = not loaded and any(project.associations.find(model, name) is not None for name in columns)
        loaded += ["*"] if related else []  # a list that says nothing itself loads all, where it shows a relation
        for name in columns:
            method = project.method(cls, name)
            if method is not None and not project.queries.cached(method):
                yield from _read(project, cls, model, method, loaded)


def _read(project: Project, cls: Cls, model: Cls, method: Fn, loaded: list[str]) -> Iterator[Serialized]:
    told: set[str] = set()
    for vid in method.made_by("attr"):
        _, base, name = method.facts.values[vid]
        relation = project.associations.find(model, name) if method.unguarded(base) == ("param", 1) else None
        if relation is None or name in told or not _asks(method, vid, relation, loaded):
            continue
        told.add(name)
        read = FieldRead((name,), method.place(vid), f"the column `{method.name}` reads `{name}`", None)
        yield Serialized(method.place(vid), method.fqn, cls, read, Step(cls.header, "the list"))


def _asks(method: Fn, vid: Vid, relation: Relation, loaded: list[str]) -> bool:
    """Whether each row's relation is asked for: of one that came with the rows nothing is."""
    if relation.manager:
        return any(receiver(method, call) == vid for call in method.calls)
    return relation.loads and "*" not in loaded and not any(name.split("__")[0] == relation.name for name in loaded)


def _names(project: Project, cls: Cls, attribute: str) -> list[str] | None:
    """The names that a list of the class holds; [] where it has none, None where nobody knows, or all is loaded."""
    stated = project.hierarchy.attribute(cls, attribute)
    if stated is None or stated[0].const(stated[1]) is False:
        return []
    value = stated[0].unguarded(stated[1])
    names = [stated[0].const(item) for item in value[1]] if value[0] in ("list", "tuple") else [...]
    known = [name for name in names if isinstance(name, str)]
    return known if len(known) == len(names) else None


def _model(project: Project, cls: Cls) -> Cls | None:
    """`@admin.register(Order)`, or `admin.site.register(Order, OrderAdmin)`."""
    home = cls.owner
    made = [home.value(vid) for vid in cls.facts.decorators]
    given = [vid for value in made if value[0] == "call" for vid in home.calls[value[1]].args]
    for fn, call in project.graph.calls_written("register") if not given else ():
        if len(call.args) == 2 and any(ref.name == cls.fqn for ref in project.refs(fn, call.args[1])):
            home, given = fn, [call.args[0]]
    for vid in given[:1]:
        for ref in project.refs(home, vid):
            if ref.kind == "class":
                return project.classes.get(ref.name)
    return None
