"""Exceptions that a handler has met before: what it looked for is there, or it has left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.facts.within import called_name
from backendlint.project.entities import Fn
from backendlint.project.errors.exceptions import Escape
from backendlint.project.errors.lookups import behind, chain
from backendlint.project.graph.leaving import exits
from backendlint.project.linking.binding import bind
from backendlint.project.rows.ownrows import rows_read
from backendlint.project.values.samevalues import Key, key, passed_on, told

if TYPE_CHECKING:
    from backendlint.project.model import Project

_LEAVES = ("return", "raise")


def met_before(project: Project, fn: Fn, escape: Escape) -> bool:
    """`try: key = find(kid) except NoKey: return 404`, and below it `find(kid)` once more."""
    call = escape.site.call if escape.site is not None else escape.edge.call if escape.edge is not None else None
    if call is None:
        return False
    wanted = [value for vid in call.passed if (value := fn.unguarded(vid))[0] != "const"]
    around = {number for number, _ in fn.blocks_of(escape.block)}
    before = [other for other in fn.calls if other.span[2:] <= call.span[:2]] if wanted else []
    return any(_leaves_without(project, fn, other, call, wanted, around, escape.name) for other in before)


def _leaves_without(
    project: Project, fn: Fn, other: Call, call: Call, wanted: list[Value], around: set[int], name: str
) -> bool:
    """Whether another call asks the same of the same, in a `try` before that leaves where there is nothing."""
    same = called_name(fn.file, fn.facts, other) == called_name(fn.file, fn.facts, call)
    if not same or not any(fn.unguarded(vid) in wanted for vid in other.passed):
        return False
    handler = project.exceptions.caught_by(fn, other.block, name)
    if handler < 0 or fn.facts.blocks[handler].kind != "except":
        return False
    block = fn.facts.blocks[handler]
    return block.exits in _LEAVES and fn.facts.blocks[block.group].parent in around


def open_way(project: Project, fn: Fn, name: str) -> list[tuple[Fn, Escape]]:
    """The first way by which an exception may leave a handler: of those that end in one function, one that is not ruled out."""
    steps = chain(project, fn, name)
    if len(steps) < 2:
        return steps
    last = steps[-1][0]
    for escape in project.exceptions.ways(last, name):
        further = chain(project, escape.edge.callee, name) if escape.edge is not None else []
        way = [*steps[:-1], (last, escape), *further]
        told = escape == steps[-1][1] or not any(_passes_all(above) for _, above in way[len(steps) - 1 :])
        if told and (escape.edge is None or further) and not _ruled_out(project, way):
            return way
    return []


def _passes_all(escape: Escape) -> bool:
    """A call with `**options`: what those close is not known."""
    return escape.edge is not None and escape.edge.call is not None and escape.edge.call.open_ended


def _ruled_out(project: Project, way: list[tuple[Fn, Escape]]) -> bool:
    """Whether the arguments close it, or what is missed at its end was there on it."""
    return not project.exceptions.is_open(way) or _surely_there(project, way) or _asked_before(project, way)


def _surely_there(project: Project, steps: list[tuple[Fn, Escape]]) -> bool:
    """Whether what is missed at the end of the way was found, or made, on it before: `if not signed_in(name, word): return`, then
    `key_of(name)`; `add_keeper(name)`, then the same."""
    last, escape = steps[-1]
    sought = _sought(project, last, escape)
    kinds = _entities(project, last) if sought else frozenset()
    for caller, above in reversed(steps[:-1]):
        edge = above.edge
        wanted = behind(project, last, sought)
        if not kinds or not wanted or edge is None or edge.call is None or edge.call.open_ended:
            return False
        bound = bind(caller, edge.call, edge.callee)
        sought = [vid for index in wanted for vid, _ in bound.get(index, ())]
        keys = [key(caller, vid) for vid in sought]
        if not keys or not all(keys):
            return False
        if any(_finds_or_makes(project, caller, other, above, kinds) for other in _alike(caller, edge.call, keys)):
            return True
        last = caller
    return False


def _asked_before(project: Project, steps: list[tuple[Fn, Escape]]) -> bool:
    """Whether what is found to be missing at the end of the way was tested on it before: `if key in table and is_single(table, key)`,
    where that raises `if table.get(key) is None`."""
    last, escape = steps[-1]
    missing = {
        key(last, vid)
        for test, outcome in last.tests_of(escape.block)
        for vid, there in told(last, test, outcome)
        if not there
    }
    for caller, above in reversed(steps[:-1]):
        edge = above.edge
        if edge is None or edge.call is None or edge.call.open_ended:
            return False
        bound = bind(caller, edge.call, edge.callee)
        missing = {moved for one in missing if one and (moved := passed_on(one, caller, bound))}
        tests = [*caller.tests_before(above.block, above.span, (*_LEAVES, "continue"))]
        tests += caller.operands_before(above.span)
        known = {key(caller, vid) for test, outcome in tests for vid, there in told(caller, test, outcome) if there}
        if missing & known:
            return True
    return False


def _sought(project: Project, fn: Fn, escape: Escape) -> list[Vid]:
    """What the look-up is made of that finds nothing there."""
    if escape.site is not None:
        missing = project.exception_kind(escape.name) == "not-found"
        return [*escape.site.call.passed, escape.site.call.func] if missing else []
    read = rows_read(project, fn)
    return [
        vid
        for test, outcome in fn.tests_of(escape.block)
        for vid, there in told(fn, test, outcome)
        if not there and vid in read
    ]


def _alike(fn: Fn, call: Call, keys: list[Key]) -> Iterator[Call]:
    """Calls before that are given the same."""
    for other in fn.calls:
        if other.span[2:] <= call.span[:2]:
            given = [key(fn, vid) for vid in other.passed]
            if all(one in given for one in keys):
                yield other


def _finds_or_makes(project: Project, fn: Fn, call: Call, above: Escape, kinds: frozenset[str]) -> bool:
    """Whether the function has left where that call finds nothing of this kind, or it stores one."""
    targets = project.targets(fn, call)
    if not targets or not all(kinds & _entities(project, target) for target in targets):
        return False
    around = {number for number, _ in fn.blocks_of(above.block)}
    tried = fn.facts.blocks[call.block]
    certain = call.block in around or (tried.kind == "try" and tried.parent in around)
    if certain and all(_stores(project, target, kinds) for target in targets):
        return True
    left = (
        block
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "if" and block.parent in around and block.span[2:] <= above.span[:2]
        if exits(project, fn, number)
    )
    return any((call.value, True) in told(fn, block.value, False) for block in left)


def _stores(project: Project, fn: Fn, kinds: frozenset[str]) -> bool:
    """Whether the function makes one of these and writes to the database."""
    made = {ref.name for call in fn.calls for ref in project.callees(fn, call) if ref.kind == "class"}
    return bool(made & kinds) and project.effects.has(fn, "db-write", "commit", "flush")


def _entities(project: Project, fn: Fn) -> frozenset[str]:
    """Models that the function names."""
    named = [vid for operation in ("name", "def", "attr") for vid in fn.made_by(operation)]
    classes = [project.classes.get(ref.name) for vid in named for ref in project.refs(fn, vid) if ref.kind == "class"]
    return frozenset(cls.fqn for cls in classes if cls is not None and project.hierarchy.role(cls) == "model")
