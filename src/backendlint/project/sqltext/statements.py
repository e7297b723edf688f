"""Statements: a SQL text cut into its statements, each parsed by sqlglot, with its places, holes and schema.

Importing this module does not import sqlglot; asking a statement for its tree does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backendlint.findings.model import Edit, Fix, Hit, Location, Step
from backendlint.project.entities import Fn
from backendlint.project.schema.history import is_migration_path
from backendlint.project.schema.model import Schema, Table
from backendlint.project.sqltext.assemble import HOLE, Hole
from backendlint.project.sqltext.find import SqlText
from backendlint.project.values.sqllex import Token, blank_psql
from backendlint.project.values.sqllex import statements as split

if TYPE_CHECKING:
    from sqlglot import exp

    from backendlint.project.model import Project

_OTHER_DIALECTS = ("postgres", "", "mysql", "sqlite", "tsql", "oracle")
_FOREIGN = ("clickhouse", "bigquery", "snowflake", "duckdb")
"""Databases for analysis: tried last, for whole statements; what only they take proves nothing about the project's own
dialect."""
_WAREHOUSES = frozenset({"spark", "bigquery", "snowflake", "duckdb"})
"""What is asked there lies in tables of its own, whatever the project's database has under their names."""
MAX_LENGTH = 60_000
"""Longer statements (data loads) are not parsed."""
_RESERVED = frozenset(
    "alter and as between create cross distinct drop else except fetch for from grant having inner insert intersect into join like not "
    "notnull on or outer returning revoke select then union using values when where with".split()
)
"""Key words that sqlglot (30) does not take as names of placeholders, as databases do: `VALUES (:from, :to)`."""
_TYPED = ("DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ")
"""Types that are written before a literal of theirs."""


@dataclass(slots=True)
class Parsed:
    """A parse's outcome: `tree` None and `error` set when no dialect takes it; `dialect` is the one that did.

    `foreign`: only a database for analysis does.
    """

    tree: Any
    error: str = ""
    dialect: str = ""
    offset: int = -1
    """Where the parser stopped, in the statement's text."""
    foreign: bool = False


class Parser:
    """Parses each distinct statement once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, bool], Parsed] = {}

    def parse(self, text: str, dialect: str, *, foreign: bool = True) -> Parsed:
        """Parse in the dialect; where that fails, the others are tried (`foreign` ones too) and the error kept."""
        key = (text, dialect, foreign)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._parse(text, dialect, _FOREIGN if foreign else ())
        return found

    def _parse(self, text: str, dialect: str, foreign: tuple[str, ...]) -> Parsed:
        if len(text) > MAX_LENGTH:
            return Parsed(None, "too long to be parsed")
        first = _parse_in(text, dialect)
        if first.tree is not None:
            return first
        for other in (*_OTHER_DIALECTS, *foreign):
            if other != dialect:
                found = _parse_in(text, other)
                if found.tree is not None:
                    found.error, found.offset, found.foreign = first.error, first.offset, other in _FOREIGN
                    return found
        return first


def _parse_in(text: str, dialect: str) -> Parsed:
    import logging

    import sqlglot
    from sqlglot.errors import ParseError

    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=dialect or None) if tree is not None]
    except ParseError as error:
        details = error.errors[0] if error.errors else {}
        line, column = details.get("line") or 1, details.get("col") or 1
        return Parsed(None, str(details.get("description") or error), dialect, _offset(text, line, column))
    except Exception as error:  # noqa: BLE001 - on broken text sqlglot also raises IndexError, TypeError and others
        return Parsed(None, f"{type(error).__name__}: {error}", dialect)
    finally:
        logger.setLevel(level)
    return Parsed(trees[0] if trees else None, "" if trees else "empty", dialect)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return min(len(text), sum(len(item) + 1 for item in lines[: line - 1]) + max(0, column - 1))


@dataclass(slots=True, weakref_slot=True)
class _Lazy:
    parsed: Parsed | None = None


@dataclass(slots=True)
class Statement:
    """One statement. Offsets are into `text`; `location` turns them, or a node of `tree`, into a place in a file.

    `certain`: a driver executes it. `partial`: something unknown was left out of it, so what is missing may be there.
    """

    text: str
    tokens: list[Token]
    offset: int
    """Where it begins in `source.text`."""
    limit: int
    """Where the next one begins in `source.text`, or the text ends."""
    source: SqlText
    project: Project
    _parser: Parser
    _lazy: _Lazy = field(default_factory=_Lazy)

    @property
    def certain(self) -> bool:
        return self.source.certain

    @property
    def executed(self) -> bool:
        """True for what is run as a statement of its own: not a constant whose use is not known, nor a piece of a query."""
        name = self.source.fn.facts.values[self.source.call.func] if self.source.fn and self.source.call else ("",)
        return self.source.role != "constant" and not str(name[-1]).endswith("RawSQL")

    @property
    def function(self) -> Fn | None:
        """The function whose call executes it (or that holds it); None in .sql files."""
        return self.source.fn

    @property
    def path(self) -> str:
        """The file that holds its text."""
        return self.source.path

    @property
    def partial(self) -> bool:
        return any(hole.kind == "fragment" for hole in self.holes)

    @property
    def holes(self) -> list[Hole]:
        """Its holes; their offsets are into `source.text`."""
        return [hole for hole in self.source.holes if self.offset <= hole.start < self.limit]

    @property
    def in_migration(self) -> bool:
        """True for a statement of a migration, which runs once."""
        path, data = self.source.path, self.project.data
        return path in data.migration_paths or path in data.sent_by_migrations or is_migration_path(path)

    @property
    def schema(self) -> Schema:
        """What is known of the tables of the database that it is for."""
        data = self.project.data
        elsewhere = self.source.dialect in _WAREHOUSES and self.source.dialect != data.dialect
        return Schema(complete=False) if elsewhere else data.schema

    @property
    def parsed(self) -> Parsed:
        if self._lazy.parsed is None:
            foreign = self._whole and not (self.holes and self.project.data.dialects.isdisjoint(_FOREIGN))
            text = parseable(self.text, self.tokens)
            self._lazy.parsed = self._parser.parse(text, self.source.dialect, foreign=foreign)
        return self._lazy.parsed

    @property
    def _whole(self) -> bool:
        """Whether it looks like more than the beginning of a statement, or the template of one."""
        open_ones = self.text.count("(") - self.text.count(")")
        return len(self.tokens) > 4 and open_ones == 0 and "{" not in self.text

    @property
    def tree(self) -> exp.Expression | None:
        """sqlglot's tree; None where it does not parse or is a command that sqlglot does not look into."""
        from sqlglot import exp

        tree = self.parsed.tree
        return None if tree is None or isinstance(tree, exp.Command) else tree

    @property
    def dialect(self) -> str:
        """The dialect in which it was read."""
        return self.source.dialect

    def verb(self) -> str:
        """Its first word, upper case."""
        return self.tokens[0].text if self.tokens else ""

    def words(self) -> list[str]:
        """All its words, upper case; other tokens as they are."""
        return [token.text if token.kind == "word" else token.raw for token in self.tokens]

    def is_hole(self, name: str) -> bool:
        """True for a name that stands for (or contains) something unknown."""
        return HOLE.search(name) is not None

    def table(self, name: str) -> Table | None:
        """The table of that name, if the project defines it."""
        return self.schema.find(name)

    def location(self, node: exp.Expression | None = None) -> Location:
        """The place of a node (from its first token to its last), or of the statement's first word."""
        start, end = self.range(node)
        return self.source.location(self.offset + start, self.offset + end)

    def range(self, node: exp.Expression | None = None) -> tuple[int, int]:
        """Offsets of a node's tokens in `text`; the first word's without a node or where nothing is known."""
        if node is not None:
            spots = [(item.meta["start"], item.meta["end"] + 1) for item in node.walk() if "start" in item.meta]
            if spots:
                return min(spot[0] for spot in spots), max(spot[1] for spot in spots)
        first = self.tokens[0]
        return first.start - self.offset, first.end - self.offset

    def hit(
        self,
        message: str,
        node: exp.Expression | None = None,
        *,
        at: tuple[int, int] | None = None,
        related: tuple[Step, ...] = (),
        **more: Any,
    ) -> Hit:
        """A hit at a node, at offsets, or at the statement's first word, as `told_at` says. The other places are added as related."""
        start, end = at if at is not None else self.range(node)
        part = self.source.location(self.offset + start, self.offset + end)
        place, call, where = self.told_at(part), self._called(), self._executed()
        if place != part:
            related = (*related, Step(part, "this part of the statement"))
        if where is not None and (where != call or not call.has_line_of(part)):
            related = (*related, Step(where, "executed here"))
        return Hit(HOLE.sub("...", message), place, related, function=self.function_name(), **more)

    def told_at(self, place: Location) -> Location:
        """Where a part of the statement is told: at the call that executes it, or hands it to a helper that does, where the text
        stands in that call on several lines."""
        call = self._called()
        return call if call is not None and call.has_line_of(place) and call.line != place.line else place

    def function_name(self) -> str | None:
        """Qualified name of the function it belongs to."""
        return self.source.fn.fqn if self.source.fn is not None and not self.source.fn.is_module else None

    @property
    def placeholders(self) -> list[Token]:
        """The parameter placeholders in order, of the statement's own text."""
        return [token for token in self.tokens if token.kind == "param" and not token.raw.startswith("@")]

    def bound(self, node: Any) -> object:
        """The constant that is bound to a placeholder, where the call shows it; Ellipsis otherwise."""
        from sqlglot import exp

        if not isinstance(node, exp.Placeholder | exp.Parameter):
            return ...
        parameter = self.parameter(node)
        fn = self.source.fn
        return fn.const(parameter) if fn is not None and parameter >= 0 else ...

    def parameter(self, node: exp.Expression) -> int:
        """The value (of the calling function's table) that is bound to a placeholder, or -1."""
        fn, params = self.source.fn, self.source.params
        if self.source.spread and not node.this:
            position = self._position(node)
            return self.source.spread[position] if 0 <= position < len(self.source.spread) else -1
        if fn is None or params < 0:
            return -1
        value = fn.facts.values[params]
        name = node.name if node.this else ""
        if name and value[0] == "dict":
            return next((item for key, item in value[1] if key >= 0 and fn.const(key) == name), -1)
        if value[0] not in {"tuple", "list"}:
            return -1
        position = self._position(node)
        return value[1][position] if 0 <= position < len(value[1]) else -1

    def _position(self, node: exp.Expression) -> int:
        ordered = in_order(self.parsed.tree) if self.parsed.tree is not None else []
        if len(ordered) != len(self.placeholders):
            return -1
        return next((index for index, item in enumerate(ordered) if item is node), -1)

    def _called(self) -> Location | None:
        """The call that is given the text."""
        source = self.source
        return None if source.fn is None or source.call is None else source.fn.location(source.call.span)

    def _executed(self) -> Location | None:
        """Where a driver gets it: the same call, or one of a helper."""
        called = self._called()
        return None if called is None else self.source.sink or called

    def fix(self, description: str, start: int, end: int, replacement: str, safe: bool = False) -> Fix | None:
        """A fix that replaces the characters from `start` to before `end`; None where they are not written in one place."""
        place = self.source.location(self.offset + start, self.offset + end)
        if place.line != place.end_line or place.end_column - place.column != end - start:
            return None
        return Fix(description, (Edit(place, replacement),), safe)


def in_order(tree: Any) -> list[Any]:
    """The tree's placeholders as the text has them: a generator visits nodes in the order in which it writes them."""
    from sqlglot import exp
    from sqlglot.generator import Generator

    found: list[Any] = []

    def record(_generator: Generator, node: exp.Placeholder) -> str:
        found.append(node)
        return "?"

    class Recorder(Generator):
        TRANSFORMS = {**Generator.TRANSFORMS, exp.Placeholder: record}  # noqa: RUF012 - sqlglot's way

    Recorder().generate(tree, copy=False)
    return found


def parseable(text: str, tokens: list[Token]) -> str:
    """The text with drivers' placeholders in a spelling that every dialect parses, at the same length."""
    base = tokens[0].start if tokens else 0
    out = list(text)
    _spell_commands(out, tokens, base)
    _spell_literals(out, tokens, base)
    previous: Token | None = None
    for token in tokens:
        start = token.start - base
        if token.kind == "param" and token.raw == "%s":
            out[start : start + 2] = "? "
        elif token.kind == "param" and token.raw.startswith("%("):
            name = _safe(re.sub(r"\W", "_", token.raw[2:-2]) or "p")
            out[start : start + len(token.raw)] = f":{name}".ljust(len(token.raw))
        elif token.kind == "param" and token.raw.startswith(":"):
            out[start + 1 : start + len(token.raw)] = _safe(token.raw[1:])
        elif token.raw == "%" and previous is not None and previous.raw == "%" and previous.end == token.start:
            out[start] = " "
        elif token.raw == "::" and previous is not None and previous.raw == "?" and previous.end == token.start:
            out[start - 1] = "0"  # sqlglot reads `?::` as an operator
        elif token.raw in {"<<=", ">>="}:
            out[start : start + 3] = f"{token.raw[0]}= "
        previous = token
    return "".join(out)


def _safe(name: str) -> str:
    """A placeholder's name, as long as before, which no parser takes for a key word."""
    return f"_{name[1:]}" if name.lower() in _RESERVED else name


def _spell_commands(out: list[str], tokens: list[Token], base: int) -> None:
    """Statements that sqlglot reads in part only: `KILL` takes a number, `DROP FUNCTION f(arguments)` no arguments, and
    SQLite's `UPDATE OR IGNORE` no conflict clause."""
    verb = tokens[0] if tokens else None
    if len(tokens) > 2 and tokens[0].word("UPDATE") and tokens[1].word("OR"):
        _blank(out, tokens[1], tokens[2], base)
    if verb is not None and verb.word("KILL") and HOLE.fullmatch(tokens[-1].raw):
        start, end = tokens[-1].start - base, tokens[-1].end - base
        out[start:end] = "0".ljust(end - start)
    if verb is not None and verb.word("DROP") and tokens[1:] and tokens[1].word("FUNCTION", "PROCEDURE", "AGGREGATE"):
        inside = 0
        for token in tokens[2:]:
            inside += token.raw == "("
            if inside:
                _blank(out, token, token, base)
            inside -= token.raw == ")"


def _spell_literals(out: list[str], tokens: list[Token], base: int) -> None:
    """`>= date :start` stands for `date '2024-02-29'` once the driver has put the value in; sqlglot wants a literal there."""
    for before, kind, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
        opens = before.kind == "punct" or before.word("BETWEEN", "AND")
        if opens and kind.word(*_TYPED) and value.kind == "param" and value.raw[0] in ":%":
            _blank(out, kind, kind, base)


def _blank(out: list[str], first: Token, last: Token, base: int) -> None:
    start, end = first.start - base, last.end - base
    out[start:end] = " " * (end - start)


def statements(project: Project, paths: frozenset[str] | None = None) -> Iterator[Statement]:
    """The statements of all texts of the project, or of those that have to do with these files."""
    parser = Parser()
    for source in project.data.texts:
        if not source.again and (paths is None or not paths.isdisjoint(source.files)):
            yield from statements_of(project, source, parser)


def statements_of(project: Project, source: SqlText, parser: Parser) -> Iterator[Statement]:
    """The statements of one text."""
    text = blank_psql(source.text) if source.role == "file" else source.text
    found = list(split(text, source.dialect))
    for number, tokens in enumerate(found):
        end = tokens[-1].end
        limit = found[number + 1][0].start if number + 1 < len(found) else len(text) + 1
        if tokens[0].kind == "word" or tokens[0].raw == "(":
            yield Statement(text[tokens[0].start : end], tokens, tokens[0].start, limit, source, project, parser)
