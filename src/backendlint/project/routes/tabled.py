"""Registrations in a loop over a written table: `for path, view in ROUTES: app.add_url_rule(path, view_func=view)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.routes.model import UNKNOWN, Entry, Origin
from backendlint.project.routes.uses import Place, Use, parameter, uses
from backendlint.project.values.tables import entries

if TYPE_CHECKING:
    from backendlint.project.routes.collect import Registrations

Found = tuple[Entry, tuple[Origin, ...]]
_SAME = ("guard", "conv", "await")
MAX_STEPS = 40
"""Values that are looked through on the way from a view to the cell that it is made of."""


class Cell(NamedTuple):
    """A column of the row that a loop is at."""

    row: Vid
    """The loop's element."""
    key: int | str


class Looping:
    """Finds what a registering call in a loop registers, row by row; the table may be given by the helper's callers."""

    def __init__(self, registrations: Registrations) -> None:
        self.project = registrations.project
        self.reading = registrations.reading
        self.origins = registrations.origins

    def by_call(self, fn: Fn, call: Call, route: RouteModel, library: str) -> list[Found]:
        """Entries of a registering call whose path and view lie in one row of a table; none for other calls."""
        row = self._row(fn, call, route)
        if row < 0:
            return []
        found: list[Found] = []
        receiver = fn.facts.values[call.func]
        looped = fn.facts.values[row][1]
        helper = parameter(fn, looped)
        for use in uses(self.project, helper) if helper is not None else (None,):
            places = use.places(fn, looped) if use is not None else [(fn, looped)]
            taken = use.places(fn, receiver[1]) if use is not None and receiver[0] == "attr" else []
            near = tuple(origin for place in taken for origin in self.origins.of(*place))
            near = near or self.origins.receiver(fn, call)
            for place in places:
                found.extend((entry, near) for entry in self._entries(fn, call, (route, library), row, place, use))
        return found

    def _row(self, fn: Fn, call: Call, route: RouteModel) -> Vid:
        """The row from which both the path and the view come, or -1."""
        if not any(block.kind == "for" for _, block in fn.blocks_of(call.block)):
            return -1
        paths = {cell.row for vid in _given(call, route.path) for cell in _cells(fn, vid)}
        views = (cell.row for vid in _given(call, route.handler) for cell in _cells(fn, vid))
        return next((row for row in views if row in paths), -1)

    def _entries(
        self, fn: Fn, call: Call, model: tuple[RouteModel, str], row: Vid, table: Place, use: Use | None
    ) -> Iterator[Entry]:
        route, library = model
        home, at = (use.outermost.caller, use.outermost.call) if use is not None else (fn, call)
        for item in entries(self.project, *table):
            line = (item.fn, item.value)
            views = [cell for vid in _given(call, route.handler) for cell in _cells(fn, vid) if cell.row == row]
            handlers: tuple[Ref, ...] = ()
            wrappers: tuple[Ref, ...] = ()
            for cell in dict.fromkeys(views):
                found, around = self._view(line, cell)
                handlers, wrappers = handlers + found, wrappers + around
            if not handlers:
                continue
            path = next((self._path(fn, vid, row, line) for vid in _given(call, route.path)), UNKNOWN)
            methods = self._methods(fn, call, route, row, line)
            place = item.fn.place(item.value)
            made = Entry(route, library, home, at, place, path, route.syntax, methods, handlers, wrappers)
            made.explicit = bool(route.methods) or bool(_given(call, route.methods_arg))
            made.through = (fn, call) if use is not None else None
            yield made

    def _view(self, line: Place, cell: Cell) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        written = _at(*line, cell.key)
        return self.reading.handlers(line[0], written) if written >= 0 else ((), ())

    def _path(self, fn: Fn, vid: Vid, row: Vid, line: Place) -> str:
        """A path with the row's own texts in it."""
        cell = _cell(fn, vid)
        if cell is not None and cell.row == row:
            written = _at(*line, cell.key)
            return self.reading.path(line[0], written) if written >= 0 else UNKNOWN
        value = fn.facts.values[vid]
        if value[0] == "fmt":
            return "".join(self._path(fn, part, row, line) for part in value[2])
        return self.reading.path(fn, vid)

    def _methods(self, fn: Fn, call: Call, route: RouteModel, row: Vid, line: Place) -> tuple[str, ...]:
        for vid in _given(call, route.methods_arg) if not route.methods else ():
            cell = _cell(fn, vid)
            written = _at(*line, cell.key) if cell is not None and cell.row == row else -1
            found = self.reading.texts(line[0], written) if written >= 0 else []
            if found:
                return tuple(text.upper() for text in found)
        return self.reading.methods(fn, call, route)


def _given(call: Call, arg: Arg | None) -> list[Vid]:
    return arguments(call, arg) if arg is not None else []


def _cell(fn: Fn, vid: Vid) -> Cell | None:
    """`path` of `for path, view in ROWS`, `row[0]`, `row["path"]`."""
    value = fn.facts.values[vid]
    while value[0] in _SAME:
        value = fn.facts.values[value[1]]
    if value[0] not in ("unpack", "item"):
        return None
    row = value[1]
    while fn.facts.values[row][0] in _SAME:
        row = fn.facts.values[row][1]
    key = value[2] if value[0] == "unpack" else fn.const(value[2])
    if fn.facts.values[row][0] != "elem" or not isinstance(key, int | str):
        return None
    return Cell(row, key)


def _cells(fn: Fn, vid: Vid) -> Iterator[Cell]:
    """The cells of which a value is made: `view`, `view.as_view("x")`, `protected(view)`, f"/api{path}"."""
    todo, seen = [vid], {vid}
    while todo and len(seen) < MAX_STEPS:
        item = todo.pop(0)
        cell = _cell(fn, item)
        if cell is not None:
            yield cell
            continue
        value = fn.facts.values[item]
        parts: tuple[Vid, ...] = ()
        if value[0] == "call":
            made = fn.facts.calls[value[1]]
            parts = (made.func, *made.args)
        elif value[0] in ("phi", "bool", "fmt"):
            parts = value[1] if value[0] == "phi" else value[2]
        elif value[0] in ("attr", *_SAME):
            parts = (value[1],)
        for part in parts:
            if part >= 0 and part not in seen:
                seen.add(part)
                todo.append(part)


def _at(fn: Fn, vid: Vid, key: int | str) -> Vid:
    """The cell of a row as it is written, or -1."""
    value = fn.facts.values[vid]
    if value[0] in ("tuple", "list") and isinstance(key, int) and 0 <= key < len(value[1]):
        return int(value[1][key])
    if value[0] == "dict":
        return next((item for name, item in value[1] if name >= 0 and fn.const(name) == key), -1)
    return -1
