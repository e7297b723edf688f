"""Queries of SQLAlchemy over several models that nothing connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.sqltext.orm import Tables

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 12
_FILTERS = frozenset({"where", "filter"})
_HARMLESS = frozenset(
    {"order_by", "limit", "offset", "distinct", "all", "group_by", "label", "scalars", "first", "yield_per"}
)
"""Calls of a chain that connect nothing."""
_TAKEN = frozenset({"execute", "scalars", "stream", "stream_scalars", "all", "first", "one", "one_or_none", "exec"})


class Unconnected(NamedTuple):
    """A query whose rows are all combinations of two tables."""

    fn: Fn
    span: Span
    left: str
    right: str


def unconnected(project: Project) -> Iterator[Unconnected]:
    """Selects of columns of two tables, with their conditions known, none of which compares one with the other."""
    if not project.imports("sqlalchemy"):
        return
    tables = Tables(project)
    if not tables.sqlalchemy:
        return
    for fn, call in project.graph.in_order(project.graph.calls_written("select", "query")):
        if len(call.args) > 1 and _is_select(project, fn, call):
            found = _Query(tables, fn, call).judge()
            if found is not None:
                yield found


def _is_select(project: Project, fn: Fn, call: Call) -> bool:
    return any(model.orm is not None and model.orm.op == "select" for model in project.models(fn, call))


class _Query:
    def __init__(self, tables: Tables, fn: Fn, call: Call) -> None:
        self.tables = tables
        self.fn = fn
        self.call = call

    def judge(self) -> Unconnected | None:
        """The first two tables that stay apart; None where anything is not understood."""
        sources = [self._source(vid) for vid in self.call.args]
        named = list(dict.fromkeys(item for item in sources if item))
        if len(named) < 2 or not all(sources):
            return None
        chain = self._chain()
        if chain is None:
            return None
        group = {name: name for name in named}
        for item in chain:
            for vid in item.args:
                linked = self._mentioned(vid, 0)
                if linked is None:
                    return None
                for name in linked:
                    group.setdefault(name, name)
                first = linked[0] if linked else ""
                for name in linked[1:]:
                    old, new = group[name], group[first]
                    group = {key: new if value == old else value for key, value in group.items()}
        other = next((name for name in named if group[name] != group[named[0]]), "")
        return Unconnected(self.fn, self.call.span, named[0], other) if other else None

    def _source(self, vid: Vid) -> str:
        """The table that a selected column or entity is of."""
        found = self.tables.mapped(self.fn, vid)
        if found is not None:
            return found[0].name
        table = self.tables.sqlalchemy.get(self.tables.class_of(self.fn, vid))
        return table.name if table is not None else ""

    def _chain(self) -> list[Call] | None:
        """The filters that follow in the same expression or variable, where the query is sent at its end; else None."""
        filters: list[Call] = []
        current, taken = self.call.value, False
        for call in self.fn.calls:
            func = self.fn.facts.values[call.func]
            if func[0] == "attr" and func[1] == current:
                name = str(func[2])
                if name in _FILTERS:
                    filters.append(call)
                elif name not in _HARMLESS and name not in _TAKEN:
                    return None
                taken = taken or name in _TAKEN
                current = call.value
            elif current in call.args:
                taken = self.fn.callee_name(call) in _TAKEN
                if not taken:
                    return None
        return filters if taken else None

    def _mentioned(self, vid: Vid, depth: int) -> list[str] | None:
        """Tables whose columns a condition mentions; None where it may mention others."""
        value = self.fn.facts.values[vid]
        if depth > MAX_DEPTH:
            return None
        found = self.tables.mapped(self.fn, vid)
        if found is not None:
            return [found[0].name]
        if value[0] in ("const", "param"):
            return []
        parts: list[Vid] = []
        if value[0] == "compare":
            parts = list(value[2])
        elif value[0] == "binop":
            parts = list(value[2:4])
        elif value[0] in ("unary", "not"):
            parts = [value[-1]]
        elif value[0] == "call":
            call = self.fn.facts.calls[value[1]]
            func = self.fn.facts.values[call.func]
            owner = self.tables.mapped(self.fn, func[1]) if func[0] == "attr" else None
            if func[0] == "name":
                owner = self.tables.dotted(self.fn, str(func[1]).rpartition(".")[0])
            if owner is None:
                return None
            return self._all([*call.args], depth, [owner[0].name])
        else:
            return None
        return self._all(parts, depth, [])

    def _all(self, vids: list[Vid], depth: int, known: list[str]) -> list[str] | None:
        for vid in vids:
            inner = self._mentioned(vid, depth + 1)
            if inner is None:
                return None
            known = [*known, *inner]
        return list(dict.fromkeys(known))
