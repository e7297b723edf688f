from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Step,
    Store,
    Write,
    name_of,
    object_root,
    receiver,
)

from .records import AUDIT, PASSING, SENSITIVE, audit, makes_missing
from .siblings import unlike_siblings

LOADING = re.compile(r"_?(get|load|ensure|fetch|find)_", re.IGNORECASE)
JOURNAL = re.compile(
    r"(^|[/_])(audit\w*|(action|event|activity|change)?logs?|logging|journals?|histor(y|ies)|activit(y|ies)|events?)(?=[/_.]|$)",
    re.IGNORECASE,
)
"""Places of modules that are about such records: all their functions keep one."""
TRIFLES = re.compile(
    r"avatar|picture|thumbnail|bookmark|favou?rite|(^|_|/)(like|follow|starred|star)s?(_|/|$)", re.IGNORECASE
)
"""The same of paths."""
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
Change = tuple[Route, Write, tuple[Edge, ...]]


def check(project: Project) -> Iterator[Hit]:
    sensitive: list[Change] = []
    for route in project.routes:
        if route.handler is None or (not CHANGING.intersection(route.methods) and route.methods):
            continue
        found = sensitive_change(project, route)
        if found is not None:
            sensitive.append((route, *found))
    told = [hit for group in by_application(sensitive) for hit in unrecorded(project, group)]
    yield from told
    functions = {hit.function for hit in told}
    yield from (hit for hit in unlike_siblings(project) if hit.function not in functions)


def by_application(sensitive: list[Change]) -> list[list[Change]]:
    """What one service keeps is no practice of another that lies beside it."""
    groups: dict[Location | None, list[Change]] = {}
    for item in sensitive:
        groups.setdefault(item[0].app.location if item[0].app is not None else None, []).append(item)
    return list(groups.values())


def unrecorded(project: Project, sensitive: list[Change]) -> Iterator[Hit]:
    """The changes of one application that leave no record, where most of its others do."""
    records = {id(item[0]): recorded(project, item[0], frozenset()) for item in sensitive}
    journals = frozenset(fn.path for fn in records.values() if fn is not None and JOURNAL.search(fn.path))
    kept: list[tuple[Route, Fn]] = []
    changes: list[Change] = []
    for item in sensitive:
        record = records[id(item[0])] or (recorded(project, item[0], journals) if journals else None)
        if record is not None:
            kept.append((item[0], record))
        else:
            changes.append(item)
    for home in sorted({home_of(project, route) for route, _ in kept}):
        own = [item for item in kept if home_of(project, item[0]) == home]
        yield from untold(project, own, [item for item in changes if home_of(project, item[0]) == home])


def recorded(project: Project, route: Route, journals: frozenset[str]) -> Fn | None:
    """What the route keeps its record with."""
    return audit(project, route.handler, journals) if route.handler is not None else None


def home_of(project: Project, route: Route) -> str:
    """Where the program of a route lies: another one beside it has its own practice."""
    return project.modules.distribution(route.handler.path) if route.handler is not None else ""


def untold(project: Project, kept: list[tuple[Route, Fn]], changes: list[Change]) -> Iterator[Hit]:
    """The changes of one program without a record, where most of its have one."""
    if len(changes) * 2 > len(kept) and len(changes) > 1:
        return  # what many routes do without is no practice of the project
    example, record = next((item for item in kept if AUDIT.search(item[1].name)), kept[0])
    shown = record.cls.name if record.name == "__init__" and record.cls is not None else f"{record.name}()"
    seen = set()
    for route, write, chain in changes:
        place = where(project, write, chain)
        if place in seen:
            continue
        seen.add(place)
        yield Hit(
            f"{route.label} changes `{write.entity.rpartition('.')[2] or 'stored data'}` ({write.op}) "
            "without an audit record, which "
            f"{len(kept)} of {len(kept) + len(changes)} sensitive routes write (`{shown}`). Record "
            "it in the same transaction.",
            place,
            related=(Step(example.place, f"{example.label} writes `{shown}`"), Step(route.place, route.label)),
            function=write.fn.fqn,
        )


def sensitive_change(project: Project, route: Route) -> tuple[Write, tuple[Edge, ...]] | None:
    """A deletion, or a write on a route whose name says that it matters; what undoes a failure or makes what is missing
    is none."""
    assert route.handler is not None
    deletes = "DELETE" in route.methods
    named = deletes or bool(SENSITIVE.search(route.name)) or bool(SENSITIVE.search(route.own_path))
    trifle = deletes and TRIFLES.search(route.own_path)
    found = project.writes.reached(route.handler)
    for write, chain in sorted(found, key=lambda item: item[0].op != "delete"):
        if (
            AUDIT.search(write.entity)
            or any(AUDIT.search(edge.callee.name) for edge in chain)
            or AUDIT.search(write.fn.name)
            or any(aside(project, edge) for edge in chain)
            or makes_missing(project, write.fn, write.call)
            or (write.op == "delete" and PASSING.search(write.entity or _place(write.fn, chain)))
        ):
            continue
        if (write.op == "delete" or named) and not trifle:
            return write, chain
    edges, site = project.effects.chain(route.handler, "commit") if named and not (found or trifle) else ([], None)
    return (Write(site.fn, site.call, "update", ""), tuple(edges)) if site is not None else None


def aside(project: Project, edge: Edge) -> bool:
    """A call in a handler of exceptions, or one that makes what was looked for and not found, by the code or its name."""
    call = edge.call
    if call is None:
        return False
    if LOADING.match(edge.callee.name):
        return True
    return edge.caller.inside(call.block, "except") is not None or makes_missing(project, edge.caller, call)


def _place(fn: Fn, chain: tuple[Edge, ...]) -> str:
    """The names by which the deletion is called: `self.login_sessions.delete(...)`."""
    called = [
        name_of(edge.caller.file, edge.caller.facts, edge.call.func) for edge in chain[-1:] if edge.call is not None
    ]
    return " ".join((fn.cls.name if fn.cls else "", fn.name, *called))


def where(project: Project, write: Write, chain: tuple[Edge, ...]) -> Location:
    """The write; the caller of what only carries it out: of a repository, of a helper that stores what it is given, or of what
    stands in for the library's method."""
    fn, call = write.fn, write.call
    for edge in reversed(chain):
        shared = project.layer(fn) == "model" and fn.cls is not None and not write.entity  # a mixin's `save()`
        passes_on = call is write.call and (carries(fn, call) or stands_in(fn, call))
        if edge.call is None or not (shared or project.layer(fn) == "repository" or passes_on):
            break
        fn, call = edge.caller, edge.call
    changed = _set_first(project, fn, write) if call is write.call else None
    return fn.location(call.span) if changed is None else fn.location(changed.span)


def _set_first(project: Project, fn: Fn, write: Write) -> Store | None:
    """`invoice.status = "void"`, which a commit stores: the first that is set of the row."""
    if write.op != "update" or write.entity not in project.classes:
        return None
    stores = (store for store in fn.facts.stores if store.name)
    return next(
        (item for item in stores if any(ref[:2] == ("inst", write.entity) for ref in project.refs(fn, item.base))), None
    )


def carries(fn: Fn, call: Call) -> bool:
    """`session.add(item)` of a parameter, `session.add(self)`."""
    return any(fn.facts.values[object_root(fn, vid)][0] == "param" for vid in call.args)


def stands_in(fn: Fn, call: Call) -> bool:
    """`super().delete(...)` in the project's own `delete()` of all models."""
    owner = fn.unguarded(receiver(fn, call))
    above = owner[0] == "call" and fn.value(fn.facts.calls[owner[1]].func) == ("name", "builtins.super")
    return above and fn.cls is not None and fn.callee_name(call) == fn.name
