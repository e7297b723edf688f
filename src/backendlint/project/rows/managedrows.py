"""Relations whose rows a query takes as they come with what was prefetched: `self.tags.all()`, `line.order.tags.count()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.passing import read_from
from backendlint.project.linking.binding import receiver
from backendlint.project.loops.loops import plain
from backendlint.project.rows.associations import declared
from backendlint.project.rows.loaders import Path
from backendlint.project.rows.queries import CACHED, Query, attributes

if TYPE_CHECKING:
    from backendlint.project.model import Project


def managed_path(project: Project, query: Query, param: int) -> Path:
    """The way from a parameter of the query's function to the to-many relation of which it takes all rows; () where it is none."""
    fn, op = query.fn, query.model.orm.op if query.model.orm is not None else ""
    for vid in fn.made_by("attr") if op in CACHED else ():
        root, between = attributes(fn, fn.facts.values[vid][1])
        if fn.value(root) == ("param", param):
            way = _relation(project, fn, vid)
            if way and _plain_rows(project, fn, query.vid, vid):
                return (*between, *way)
    return ()


def _relation(project: Project, fn: Fn, vid: Vid) -> Path:
    """The relation that an attribute is, or to which a property leads: `return self.course.programs`."""
    _, base, name = fn.facts.values[vid]
    if declared(project, fn, vid) is not None:
        return (str(name),)
    for ref in project.refs(fn, base):
        method = project.method(project.classes[ref.name], str(name)) if ref.kind == "inst" else None
        for back in method.returned if method is not None and method.kind == "property" else ():
            root, between = attributes(method, back) if method is not None else (back, ())
            if between and method is not None and method.value(root) == ("param", 0):
                return between
    return ()


def _plain_rows(project: Project, fn: Fn, vid: Vid, relation: Vid) -> bool:
    """Whether a query takes all rows of a to-many relation, which prefetching would have brought: no `filter()` between, and
    no method of the project's own."""
    value = fn.unguarded(vid)
    while value[0] == "call":
        call = fn.facts.calls[value[1]]
        models = project.models(fn, call)
        if not models or any(model.orm is not None and model.orm.op not in CACHED for model in models):
            return False
        vid = receiver(fn, call)
        value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    return vid >= 0 and (vid == relation or value == fn.facts.values[relation])


def handed_down(edges: tuple[Edge, ...], slot: int) -> tuple[Vid, Path] | None:
    """What the last callee gets as the parameter, as the first caller has it, and the attributes that lead on from it."""
    above: Path = ()
    for edge in reversed(edges):
        passed = _passed(edge, slot)
        if len({edge.caller.facts.values[plain(edge.caller, vid)] for vid in passed}) != 1:
            return None
        vid, names = attributes(edge.caller, passed[0])
        above = (*names, *above)
        if edge is edges[0]:
            return vid, above
        value = edge.caller.facts.values[vid]
        if value[0] != "param":
            return None
        slot = value[1]
    return None


def _passed(edge: Edge, slot: int) -> list[Vid]:
    """What an edge passes for the callee's parameter; the object of a property."""
    if edge.call is None:
        return read_from(edge) if slot == 0 else []
    return [vid for vid, part in edge.passed(slot) if not part]
