"""Queries of SQLAlchemy over several models that nothing connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.sqltext.ormtables import Tables

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
    implicit: bool = False
    """Nothing but a filter mentions the right one."""


def unconnected(project: Project) -> Iterator[Unconnected]:
    """Selects of columns of two tables, with their conditions known, none of which compares one with the other."""
    if not (project.imports("sqlalchemy") or project.imports("flask_sqlalchemy")):
        return
    tables = Tables(project)
    if not tables.classes:
        return
    for fn, call in project.graph.in_order(project.graph.calls_written("select", "query", *_FILTERS)):
        query: _Query | None = None
        if fn.callee_name(call) in _FILTERS:
            query = _of_class(tables, fn, call)
        elif call.args and _is_select(project, fn, call):
            query = _Query(tables, fn, call.value, call.span, call.args)
        found = query.judge() if query is not None else None
        if found is not None:
            yield found


def _of_class(tables: Tables, fn: Fn, call: Call) -> _Query | None:
    """`Person.query.filter(...)`, of Flask-SQLAlchemy."""
    func = fn.facts.values[call.func]
    if func[0] == "name":
        dotted = str(func[1]).rpartition(".")[0]
        entity = tables.named(fn, dotted.removesuffix(".query")) if dotted.endswith(".query") else ""
        return _Query(tables, fn, call.value, call.span, (), entity, call) if entity in tables.classes else None
    base = fn.facts.values[func[1]] if func[0] == "attr" else func
    entity = tables.class_of(fn, base[1]) if base[0] == "attr" and base[2] == "query" else ""
    return _Query(tables, fn, call.value, call.span, (), entity, call) if entity in tables.classes else None


def _is_select(project: Project, fn: Fn, call: Call) -> bool:
    found = [model for model in project.models(fn, call) if model.orm is not None and model.orm.op == "select"]
    return any(not model.name.startswith("peewee.") for model in found)  # which joins by the foreign key that there is


class _Query:
    def __init__(
        self,
        tables: Tables,
        fn: Fn,
        start: Vid,
        span: Span,
        selected: tuple[Vid, ...],
        entity: str = "",
        first: Call | None = None,
    ) -> None:
        self.tables = tables
        self.fn = fn
        self.start = start
        self.span = span
        self.selected = selected
        self.entity = entity
        self.first = first
        """The first filter, where the chain begins with it."""

    def judge(self) -> Unconnected | None:
        """The first two tables that stay apart; None where anything is not understood."""
        sources = [self._source(vid) for vid in self.selected]
        sources += [self.tables.classes[self.entity].name] if self.entity else []
        named = list(dict.fromkeys(item for item in sources if item))
        if not named or not all(sources):
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
        apart = [name for name in group if group[name] != group[named[0]]]
        other = next((name for name in named if name in apart), apart[0] if apart else "")
        return Unconnected(self.fn, self.span, named[0], other, other not in named) if other else None

    def _source(self, vid: Vid, depth: int = 0) -> str:
        """The table that a selected column or entity is of."""
        found = self.tables.mapped(self.fn, vid)
        if found is not None:
            return found[0].name
        table = self.tables.classes.get(self.tables.class_of(self.fn, vid))
        if table is not None:
            return table.name
        inner = {self._source(item, depth + 1) for item in self._computed_of(vid)} if depth < MAX_DEPTH else set()
        return inner.pop() if len(inner) == 1 else ""

    def _computed_of(self, vid: Vid) -> tuple[Vid, ...]:
        """What `func.sum(Level.stock)` and `Level.stock.label("stock")` are made of."""
        value = self.fn.unguarded(vid)
        if value[0] != "call":
            return ()
        call = self.fn.facts.calls[value[1]]
        func = self.fn.value(call.func)
        if func[0] == "attr" and func[2] in ("label", "desc", "asc"):
            return (int(func[1]),)
        return call.args if self.fn.dotted(call.func).rpartition(".")[0].rpartition(".")[2] == "func" else ()

    def _chain(self) -> list[Call] | None:
        """The filters that follow in the same expression or variable, where the query is sent at its end; else None."""
        filters = [self.first] if self.first is not None else []
        current, taken = self.start, False
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
        if value[0] in ("const", "param") or self._of_object(vid):
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

    def _of_object(self, vid: Vid) -> bool:
        """`project.id`, `g.project.id`: an attribute of an object that is known to be no model, or was got from somewhere."""
        value = self.fn.facts.values[vid]
        if self.tables.unmapped(self.fn, vid):
            return False
        if value[0] == "name":
            target = self.tables.project.modules.resolve(str(value[1]), self.fn.file.module)
            return target.kind == "library"
        steps = 0
        while value[0] in ("attr", "guard", "await") and steps < MAX_DEPTH:
            vid, steps = value[1], steps + 1
            value = self.fn.facts.values[vid]
        refs = self.tables.project.refs(self.fn, vid)
        plain = all(ref.kind in ("inst", "libinst") for ref in refs)
        return steps > 0 and value[0] in ("call", "param", "elem") and bool(refs) and plain

    def _all(self, vids: list[Vid], depth: int, known: list[str]) -> list[str] | None:
        for vid in vids:
            inner = self._mentioned(vid, depth + 1)
            if inner is None:
                return None
            known = [*known, *inner]
        return list(dict.fromkeys(known))
