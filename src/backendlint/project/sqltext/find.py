"""All SQL texts of the project: arguments of modelled calls, other texts that are SQL beyond doubt, and .sql files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import CallModel
from backendlint.project.sqltext.assemble import Assembled, Hole, SourceMap, assemble
from backendlint.project.sqltext.detect import is_statement, may_be_sql, starts_like_sql
from backendlint.project.sqltext.dialects import file_dialect
from backendlint.project.sqltext.forward import Taker, forwarded
from backendlint.project.sqltext.named import Block, Named, without
from backendlint.project.sqltext.pieces import Builder
from backendlint.project.sqltext.places import place_in

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DRIVER_METHODS = frozenset(
    "execute executemany executescript execute_async execute_sync fetch fetchrow fetchval fetch_all fetch_one fetch_val "
    "fetchall read_sql read_sql_query run_sql sql query mogrify copy_expert iterate raw exec_driver_sql runQuery runsql "
    "execute_query execute_sql select_all select_one".split()
)
"""Methods that take SQL, on receivers whose type is not known: enough together with a leading key word."""
_SPEAKERS = frozenset(
    "print echo debug info warning warn error exception critical log secho fail abort add_argument ValueError RuntimeError "
    "TypeError KeyError AssertionError Exception HTTPException write help Option Argument Field append_message flash gettext "
    "_ ugettext gettext_lazy".split()
)
"""Calls whose argument is told to somebody, not executed."""


@dataclass(slots=True)
class SqlText:
    """One SQL text. `certain`: a driver executes it; `role` as in the library models (`execute`, `script`, `text`, `file` ...)."""

    text: str
    path: str
    dialect: str
    role: str
    certain: bool
    holes: list[Hole] = field(default_factory=list)
    fragments: bool = False
    """Something unknown was left out."""
    fn: Fn | None = None
    call: Call | None = None
    params: Vid = -1
    """The bound parameters' value, in `fn`'s table."""
    spread: tuple[Vid, ...] = ()
    """The bound parameters one by one, where a helper collects them."""
    paramstyle: str = ""
    map: SourceMap | Block | None = None
    alternative: int = 0
    """Which of the texts that the value may be."""
    others: tuple[str, ...] = ()
    """The other texts that the value may be."""
    bare: bool = False
    """Certainly no bound parameters are passed."""
    sink: Location | None = None
    """Where a helper executes what `call` passes to it."""
    again: bool = False
    """Another call sends the same named statement: it is judged there."""

    @property
    def files(self) -> set[str]:
        """The files in which a part of it stands, or that have it executed."""
        found = {self.path}
        if isinstance(self.map, SourceMap):
            found.update(piece.fn.path for piece in self.map.assembled.pieces)
        elif self.map is not None:
            found.add(self.map.path)
        if self.fn is not None:
            found.add(self.fn.path)
        return found if self.sink is None else found | {self.sink.path}

    def location(self, start: int, end: int) -> Location:
        """Where the characters from `start` to before `end` stand."""
        if self.map is not None:
            return self.map.location(start, end)
        return place_in(self.path, self.text, start, end)


def sql_texts(project: Project, sql_files: Sequence[str]) -> list[SqlText]:
    """All texts: those of the .sql files, then what is executed, then what is only written down; each text once."""
    dialect = project.data.dialect
    builder = Builder(project)
    spoken = {path: file_dialect(file) or dialect for path, file in project.files.items()}
    names = _sql_names(project)
    made: dict[tuple[tuple[str, Vid], ...], SqlText] = {}
    taken: set[tuple[str, Vid]] = set()
    takers = [
        taker
        for fn, call in project.graph.in_order(project.graph.calls_written(*names))
        if call.args or call.kwargs
        for taker in _takers(project, fn, call, spoken[fn.path])
    ]
    takers += forwarded(project, takers)
    named = _named(project, takers)
    found = [*_files(project, sql_files, named), *named]
    for taker in takers:
        for key, text_ in _texts(builder, taker, taken, project):
            known = made.get(key)
            if known is None or _says_less(known, text_):
                made[key] = text_
    found.extend(made.values())
    for fn, vids in project.literals.texts.items():
        for vid in _roots(fn, vids):
            if (fn.fqn, vid) in taken:
                continue
            for number, pieces in enumerate(builder.alternatives(fn, vid)):
                if any((piece.fn.fqn, piece.vid) in taken for piece in pieces if not piece.hole):
                    continue
                whole = assemble(pieces)
                if is_statement(whole.text):
                    found.append(_text(project, whole, fn, None, "constant", spoken[fn.path], False, number))
    return found


def _named(project: Project, takers: Sequence[Taker]) -> list[SqlText]:
    """What calls send that .sql files keep under a name."""
    named, found, seen = Named(project), [], set()
    for taker in takers:
        block = named.asked(taker.fn, taker.sql)
        if block is not None:
            found.append(
                SqlText(
                    block.text, block.path, taker.dialect, taker.role, True, fn=taker.fn, call=taker.call,
                    params=taker.params, paramstyle=taker.paramstyle, map=block, bare=taker.bare, sink=taker.sink,
                    again=block in seen,
                )
            )  # fmt: skip
            seen.add(block)
    return found


def _files(project: Project, sql_files: Sequence[str], named: Sequence[SqlText]) -> Iterator[SqlText]:
    """The texts of the .sql files, without what calls send by its name."""
    for path in sql_files:
        text = project.sources(path)
        if "{{" not in text and "{%" not in text:
            sent = [item.map for item in named if item.path == path and isinstance(item.map, Block)]
            yield SqlText(without(text, sent), path, project.data.dialect, "file", certain=True)


def _sql_names(project: Project) -> frozenset[str]:
    """Last parts of the names of calls that take SQL."""
    modelled = {name.rpartition(".")[2] for name in project.libraries.names_saying("calls", "sql")}
    return _DRIVER_METHODS | modelled


def _says_less(known: SqlText, other: SqlText) -> bool:
    """True where the other call tells more about the same text: that it is executed, and by a driver."""
    return (known.role == "text" and other.role != "text") or (other.certain and not known.certain)


def _takers(project: Project, fn: Fn, call: Call, dialect: str) -> Iterator[Taker]:
    """The SQL arguments of a call that executes them, or makes statements of them."""
    model = next((item for item in project.models(fn, call) if item.sql is not None), None)
    if model is None or model.sql is None:
        if fn.callee_name(call) in _DRIVER_METHODS and call.args and not _asks_service(project, fn, call):
            yield Taker(fn, call, call.args[0], -1, dialect, "execute", False, "")
        return
    piece = model.name.endswith(".sql.SQL")  # psycopg's: what is executed is what is composed of it
    if piece or model.sql.role in {"fragment", "identifier", "literal", "compose"}:
        return
    chosen = _dialect_of(project, model) or dialect
    params = arguments(call, model.sql.params) if model.sql.params is not None else []
    style = model.sql.paramstyle or _paramstyle_of(project, model)
    for vid in arguments(call, model.sql.arg):
        bare = model.sql.params is not None and len(call.args) + len(call.kwargs) == 1 and not call.open_ended
        yield Taker(fn, call, vid, params[0] if params else -1, chosen, model.sql.role, True, style, bare)


def _asks_service(project: Project, fn: Fn, call: Call) -> bool:
    """A query for a service, in a language of its own (SOQL, JQL), which looks like SQL."""
    heads = [project.libraries.library(model.library) for model in project.models(fn, call)]
    return bool(heads) and all(head is not None and head.kind in ("cloud", "http-client") for head in heads)


def _texts(
    builder: Builder, taker: Taker, taken: set[tuple[str, Vid]], project: Project
) -> Iterator[tuple[tuple[tuple[str, Vid], ...], SqlText]]:
    """The texts that a call executes, with what identifies them."""
    alternatives = builder.alternatives(taker.fn, taker.sql)
    assembled = [assemble(pieces) for pieces in alternatives]
    for number, (pieces, whole) in enumerate(zip(alternatives, assembled, strict=True)):
        if not starts_like_sql(whole.text) or (not taker.certain and not may_be_sql(whole.text)):
            continue
        key = tuple((piece.fn.fqn, piece.vid) for piece in pieces)
        taken.update((piece.fn.fqn, piece.vid) for piece in pieces if not piece.hole)
        text = _text(project, whole, taker.fn, taker.call, taker.role, taker.dialect, taker.certain, number)
        text.others = tuple(other.text for other in assembled if other is not whole)
        text.params, text.paramstyle, text.bare, text.sink = taker.params, taker.paramstyle, taker.bare, taker.sink
        text.spread = taker.spread
        yield key, text


def _dialect_of(project: Project, model: CallModel) -> str:
    assert model.sql is not None
    if model.sql.dialect:
        return model.sql.dialect
    head = project.libraries.library(model.library)
    return head.dialect if head is not None else ""


def _paramstyle_of(project: Project, model: CallModel) -> str:
    head = project.libraries.library(model.library)
    return head.paramstyle if head is not None else ""


def _text(
    project: Project, made: Assembled, fn: Fn, call: Call | None, role: str, dialect: str, certain: bool, number: int
) -> SqlText:
    first = next((piece for piece in made.pieces if not piece.hole), made.pieces[0])
    return SqlText(
        made.text, first.fn.path, dialect, role, certain, made.holes, made.fragments, fn, call,
        map=SourceMap(made, project.sources), alternative=number,
    )  # fmt: skip


def _roots(fn: Fn, texts: Sequence[Vid]) -> Iterator[Vid]:
    """The largest string values that begin like SQL and are not told to somebody; `texts` are the function's literals."""
    values = fn.facts.values
    starts = {vid for vid in texts if isinstance(values[vid][1], str) and may_be_sql(values[vid][1])}
    if not starts:
        return
    inside: set[Vid] = set()
    grown = set(starts)
    for vid, value in enumerate(values):
        parts = _parts(value)
        if any(part in grown for part in parts):
            inside.update(part for part in parts if part in grown)
            grown.add(vid)
    silent = _silent(fn)
    for vid in sorted(grown - inside - silent):
        yield vid


def _parts(value: tuple[object, ...]) -> tuple[Vid, ...]:
    """The operands through which a string value grows."""
    op = value[0]
    if op == "fmt":
        template = (value[3],) if len(value) > 3 and value[3] != -1 else ()
        return (*value[2], *template)  # type: ignore[misc]
    if op == "binop":
        return (value[2], value[3])  # type: ignore[return-value]
    if op == "phi":
        return value[1]  # type: ignore[return-value]
    if op in {"guard", "conv"}:
        return (value[1],)  # type: ignore[return-value]
    return ()


def _silent(fn: Fn) -> set[Vid]:
    """Values that are no statements to be run: messages, docstrings, compared texts, keys."""
    found: set[Vid] = set()
    facts = fn.facts
    for call in facts.calls:
        name = fn.callee_name(call)
        if name in _SPEAKERS or name.endswith(("Error", "Exception", "Warning")) or name in {"startswith", "endswith"}:
            found.update(call.args)
        found.update(
            vid
            for key, vid in call.kwargs
            if key in {"help", "description", "msg", "message", "title", "label", "help_text", "detail"}
        )
    found.update(item.value for item in facts.statements if item.kind == "expr")
    for vid in fn.made_by("compare"):
        found.update(facts.values[vid][2])
    return found
