"""Whether a query before an insert looks for one row that all share: the default plan, the only settings there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.rows.races import Raced
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_CHAIN = 12
_SETTINGS = frozenset({"config", "settings", "environ", "getenv"})
_FIXED = (
    "const",
    "name",
    "attr",
    "compare",
    "bool",
    "binop",
    "not",
    "unary",
    "tuple",
    "list",
    "guard",
    "await",
    "dict",
)


def shared_row(project: Project, raced: Raced) -> bool:
    """Whether every run asks for the same row: the query, and the function that makes it, name nothing but constants."""
    edge = next(
        (edge for edge in project.graph.callees(raced.fn) if edge.call is raced.check and edge.kind == "call"), None
    )
    if not _alike(project, raced.fn, raced.check, called=edge is not None):
        return False
    if edge is None:
        return True
    edges, last = project.queries.chain(edge.callee)
    if last is None or last.call is None:
        return False
    through = [(step.caller, step.call) for step in edges if step.call is not None]
    return all(_alike(project, fn, call, called=True, given=True) for fn, call in through) and _alike(
        project, last.fn, last.call, called=bool(edges), given=True
    )


def _alike(project: Project, fn: Fn, call: Call, *, called: bool, given: bool = False) -> bool:
    """Whether nothing in the chain of calls depends on the run; `given`: parameters are known to be constants."""
    item: Call | None = call
    for _ in range(MAX_CHAIN):
        if item is None:
            return True
        if not all(_fixed(project, fn, vid, given) for vid in item.passed):
            return False
        item, root = _receiver(fn, item)
        if item is None and root >= 0 and not called and not _general(project, fn, root):
            return False
    return False


def _receiver(fn: Fn, call: Call) -> tuple[Call | None, Vid]:
    """The call on whose result another is made, else the value at the head of the chain."""
    vid = call.func
    for _ in range(MAX_CHAIN):
        value = fn.facts.values[vid]
        if value[0] not in ("attr", "guard", "await"):
            break
        vid = value[1]
    return (fn.facts.calls[value[1]], vid) if value[0] == "call" else (None, call.func)


def _general(project: Project, fn: Fn, func: Vid) -> bool:
    """Whether a chain starts at a class or a session, and not at a row with its related ones or what a request carries."""
    value = fn.unguarded(func)
    if value[0] != "attr":
        return value[0] == "name" and _starts(project, fn, func)
    base = fn.unguarded(value[1])
    if base[0] != "attr":
        return _starts(project, fn, value[1])
    if fn.unguarded(base[1]) == ("param", 0) and fn.kind == "method":
        assert fn.cls is not None
        return project.hierarchy.role(fn.cls) != "model"  # `self.session.query(...)`
    return _general(project, fn, value[1])


def _starts(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether the value is a class or a session; not a query that was begun on one branch or another."""
    value = fn.unguarded(vid)
    if value[0] == "name":
        return _class(project, fn, str(value[1])) or _session(project, fn, vid)
    if value == ("param", 0) and fn.kind == "classmethod":
        return True
    return value[0] in ("param", "attr") and _session(project, fn, vid)


def _session(project: Project, fn: Fn, vid: Vid) -> bool:
    for ref in project.refs(fn, vid):
        cls = project.libraries.cls(ref.name) if ref.kind == "libinst" else None
        if cls is not None and cls.resource.startswith("db-"):
            return True
    return False


def _class(project: Project, fn: Fn, dotted: str) -> bool:
    return project.modules.resolve(dotted, fn.file.module).kind == "class"


def _fixed(project: Project, fn: Fn, start: Vid, given: bool) -> bool:
    """Whether an argument is the same in every run: made of constants, classes' columns and calls of libraries."""
    found = ingredients(fn.facts, (start,))
    called = {fn.facts.calls[fn.facts.values[vid][1]].func for vid in found if fn.facts.values[vid][0] == "call"}
    for vid in found:
        value = fn.facts.values[vid]
        if value[0] == "param":
            own = value[1] == 0 and fn.cls is not None
            if (own or not given) and not _session(project, fn, vid):
                return False
        elif value[0] == "name":
            dotted = str(value[1])
            constant = dotted.rpartition(".")[2].isupper() or fn.const(vid) is not ...
            if not (constant or vid in called or _class(project, fn, dotted)):
                return False
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            targets = project.targets(fn, call)
            if not targets and not (call.passed or fn.facts.values[call.func][0] == "attr"):
                return False
            if not all(_configured(target) for target in targets):
                return False
        elif value[0] not in _FIXED:
            return False
    return True


def _configured(fn: Fn) -> bool:
    """Whether all that a function returns is read from the application's settings: `return app.config.get(key)`."""
    given = fn.returned
    return bool(given) and all(
        any(
            not _SETTINGS.isdisjoint(str(fn.facts.values[vid][-1]).split("."))
            for vid in ingredients(fn.facts, (item,))
            if fn.facts.values[vid][0] in ("name", "attr")
        )
        for item in given
    )
