"""Handlers that fetch an object by the id in the path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Fn, Project, Route, Vid, derived

TENANCY = re.compile(r"(organi[sz]ation|org|workspace|tenant|company|team|slug)(_?(id|slug|name|key))?", re.IGNORECASE)
"""Parameters that say in whose data a collection lies."""
CAPABILITY = re.compile(r"(\w*_)?(token|signature|secret)", re.IGNORECASE)
"""What nobody can guess lets in whoever has it: a shared link."""
KEY = re.compile(r"(id|slug|pk)$", re.IGNORECASE)
FROM_PATH = frozenset({"match_info", "path_params", "view_args"})
"""Attributes of requests with what the path names."""
READS = {"db-read", "db"}
"""Reading may be open to all where changing takes a permission."""


def is_scoped(route: Route, call: Call) -> bool:
    """What is read is looked for with something that a decorator passes too: the project that the caller may enter."""
    fn = route.handler
    assert fn is not None
    given = {fn.unguarded(vid)[1] for vid in call.passed if fn.unguarded(vid)[0] == "param"}
    names = (fn.facts.params[index].name for index in given)
    return any(f"{{{name}" not in route.path for name in names if KEY.search(name)) and bool(fn.facts.decorators)


def fetch(project: Project, route: Route) -> Call | None:
    """The first call in the handler that reads an object by a path parameter."""
    fn = route.handler
    assert fn is not None
    last, _, rest = route.path.rpartition("{")[2].partition("}")
    if (TENANCY.fullmatch(last) and rest.strip("/")) or CAPABILITY.fullmatch(last):
        return None
    carried = set().union(*(derived(fn, vid) for vid in _named_by_path(fn, last)))
    for call in fn.facts.calls:
        if _reads_path(project, fn, call, last):
            return call
        passed = set(call.passed)
        receiver = fn.facts.values[call.func]
        chained = receiver[0] == "attr" and receiver[1] in carried
        if (passed & carried or chained) and READS & project.effects.call_effects(fn, call):
            if any(target.fqn in project.route_functions for target in project.targets(fn, call)):
                return None  # another route's handler, with what stands around it
            return call
    return None


def _named_by_path(fn: Fn, name: str) -> Iterator[Vid]:
    """The parameter of that name, and what is read of it out of the request: `request.match_info["id"]`."""
    yield from (vid for vid in fn.made_by("param") if fn.facts.params[fn.value(vid)[1]].name == name)
    for vid in fn.made_by("item"):
        value = fn.value(vid)
        owner = fn.unguarded(value[1])
        if owner[0] == "attr" and owner[2] in FROM_PATH and fn.const(value[2]) == name:
            yield vid


def _reads_path(project: Project, fn: Fn, call: Call, name: str) -> bool:
    """`await order_of(request)`: a helper that is given the request looks up what the path names, and reads it."""
    given = any(fn.unguarded(vid) == ("param", 0) for vid in call.passed)
    found = (any(_named_by_path(target, name)) for target in project.targets(fn, call)) if given else ()
    return any(found) and bool(READS & project.effects.call_effects(fn, call))
