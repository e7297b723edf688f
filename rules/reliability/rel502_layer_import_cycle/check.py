from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    FEW,
    FileFacts,
    Fn,
    Hit,
    Import,
    Project,
    Step,
    comment_above,
    here_and_in,
    lines_of,
    told_once,
)

RANKS = {
    "entry": 5, "controller": 4, "middleware": 4, "task": 3, "command": 3, "service": 3, "client": 2, "repository": 2,
    "schema": 1, "model": 1,
}  # fmt: skip
"""Higher layers may import lower ones. What is called settings may be anything: it has no rank."""

USUAL = ("model", "task")
"""Models that queue jobs, which read models: jobs are named by who queues them, and that is how it is done."""
REASON = re.compile(r"(^|#).*\b(circular|cycl(e|ic)|laz(y|ily)|deferred|put off|optional|heavy|slow)\b", re.IGNORECASE)
"""A comment on an import in a function."""
SHOWN = 5
NEAR = 2
"""Longer ways back go through half of the project: the knot is elsewhere than at this import."""


def check(project: Project) -> Iterator[Hit]:
    """Cycles between layers; what one layer has with another in many files is how the project is built, and told once, as is
    what one file has with it."""
    found: dict[tuple[str, str], list[Hit]] = {}
    files: set[tuple[str, tuple[str, str]]] = set()
    for layers, hit in cycles(project):
        place = (hit.location.path, layers)
        found.setdefault(layers, []).append(replace(hit, profile="strict") if place in files else hit)
        if hit.profile is None:
            files.add(place)
    for hits in found.values():
        near = [hit for hit in hits if hit.profile is None]
        yield from told_once(near, partial(here_and_in, after="which imports it in turn"), few=FEW, severity=None)
        yield from (hit for hit in hits if hit.profile is not None)


def cycles(project: Project) -> Iterator[tuple[tuple[str, str], Hit]]:
    """The lower and the higher layer of each."""
    edges = {file.path: imports(project, file) for file in project.files.values()}
    component = components({path: {target for target, _ in found} for path, found in edges.items()})
    for path, found in edges.items():
        in_cycle = [(target, item) for target, item in found if component[target] == component[path]]
        own = layer_of(project, path) if in_cycle else ""
        if own not in RANKS:
            continue
        seen: set[str] = set()
        for target, item in in_cycle:
            other = layer_of(project, target) if target not in seen else ""
            if other not in RANKS or RANKS[other] <= RANKS[own]:
                continue
            seen.add(target)
            back = way_back(edges, target, path)
            aside = (own, other) == USUAL or len(back) > NEAR
            file = project.files[path]
            delayed = item.function > 0 or any(way.function > 0 for _, way in back)
            so = (
                "an import put off into a function lets them load, but neither can be changed alone"
                if delayed
                else "neither can be loaded or changed alone"
            )
            yield (
                (own, other),
                Hit(
                    f"The {own} layer imports `{item.target}` from the {other} layer, which imports it in turn: {so}. "
                    "Move what both need into the lower one.",
                    project.module_function(file).location(item.span),
                    related=tuple(
                        Step(project.module_function(project.files[step]).location(way.span), f"imports `{way.target}`")
                        for step, way in back[:SHOWN]
                    ),
                    profile="strict" if aside or put_off(project, file, item, other) else None,
                ),
            )


def put_off(project: Project, file: FileFacts, item: Import, layer: str) -> bool:
    """`from shop.tasks import pack` in a function that queues it, or hands it on: all that is known of it is its name, as if it
    were sent by that; and an import in a function of which a comment says why it stands there."""
    if project.functions_of(file)[item.function].is_module:
        return False
    lines = lines_of(project, file.path)[item.span.line - 1 : item.span.end_line]
    said = [*comment_above(project, file.path, item.span.line), *lines]
    return layer == "task" or any(map(REASON.search, said))


def layer_of(project: Project, path: str) -> str:
    """What a file's handlers or its place say; a folder of controllers makes no controller of what has no handlers,
    and neither does a handler among helpers, or one that a helper makes."""
    own = [fn for fn in project.functions_of(project.files[path]) if not fn.is_module and is_outer(fn)]
    handlers = sum(fn.fqn in project.route_functions for fn in own)
    by_place = project.layers.certain(path)
    classes = project.layers.classes_of(path)
    if classes and all(project.hierarchy.role(cls) == "settings" for cls in classes):
        return ""
    if handlers and (by_place == "controller" or 2 * handlers >= len(own)):
        return "controller"
    return by_place if by_place != "controller" else ""


def is_outer(fn: Fn) -> bool:
    """A function of the module or a method of one of its classes."""
    return fn.cls is not None or fn.parent is None or fn.parent.is_module


def imports(project: Project, file: FileFacts) -> list[tuple[str, Import]]:
    """Files that a file imports at run time; what is imported from a package's `__init__` counts as its own module.
    The packages in which the file itself lies are loaded before it anyway."""
    found = []
    for item in file.imports:
        if item.type_checking:
            continue
        target = project.modules.resolve(item.target, file.module)
        own = target.kind == "module" and target.file is not None and file.module.startswith(f"{target.file.module}.")
        if target.file is not None and target.file.path != file.path and not own:
            found.append((target.file.path, item))
    return found


def components(graph: dict[str, set[str]]) -> dict[str, int]:
    """Strongly connected components by number (iterative Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    component: dict[str, int] = {}
    for root, first in graph.items():
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(sorted(first)))]
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(graph.get(target, ())))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    number = len(component)
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component[member] = number
                        if member == node:
                            break
    return component


def way_back(edges: dict[str, list[tuple[str, Import]]], start: str, goal: str) -> list[tuple[str, Import]]:
    """The shortest chain of imports from one file to another."""
    previous: dict[str, tuple[str, Import]] = {}
    queue = [start]
    while queue:
        path = queue.pop(0)
        for target, item in edges.get(path, ()):
            if target not in previous and target != start:
                previous[target] = (path, item)
                queue.append(target)
            if target == goal:
                chain = []
                while goal in previous and goal != start:
                    step, way = previous[goal]
                    chain.append((step, way))
                    goal = step
                return chain[::-1]
    return []
