from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    Project,
    Ref,
    Route,
    Site,
    Unbounded,
    accumulates,
    answers,
    doubtful,
    for_tests,
    operands,
    unbounded,
)

PAGE = re.compile(
    r"_?(page(_?(size|number|num|token|no|index))?|per_?page|limit|offset|cursor|skip|take|top|first|last|after|before|size|count|start|"
    r"max_results|batch_size|pagination\w*|paging|paginator?|params)_?",
    re.IGNORECASE,
)
MANY = {
    "all",
    "filter",
    "exclude",
    "iterate",
    "values",
    "order",
    "select",
    "execute",
    "stream",
    "raw",
    "join",
    "distinct",
}
ONE = {"get", "first", "one", "last", "get_or_404", "count", "exists", "aggregate"}
ADDS = ("append", "extend", "insert")
BOUNDS = {"limit", "slice", "first", "one", "last"}


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    """One hit a list; a view that only inherits its list from another view that is told is advice."""
    found = list(_judged(project, options))
    told = {home for hit, route, home in found if home is not None and home is route.cls and hit.profile is None}
    for hit, route, home in found:
        inherited = home is not None and home is not route.cls and home in told
        yield replace(hit, profile="strict") if inherited else hit


def _judged(project: Project, options: Mapping[str, Any]) -> Iterator[tuple[Hit, Route, Cls | None]]:
    """Hits, with the class that says what is listed, where a generic view does."""
    seen = set()
    paged_by_default = sets_default(project, tuple(options["settings"]))
    for route in project.routes:
        if route.kind != "http" or route.methods not in (("GET",), ("GET", "HEAD")) or not route.is_collection:
            continue
        if route.place in seen or (route.handler is not None and for_tests(project, route.handler)):
            continue
        if route.handler is None:
            if paged_by_default or not lists_by_itself(project, route, options):
                continue
        elif paged(project, route) or not returns_many(project, route):
            continue
        seen.add(route.place)
        rows = fetched(project, route)
        narrowed = "{" in route.path or bool(rows and all(item.filtered for item in rows))
        hit = Hit(
            f"{route.label} returns every {'matching ' if narrowed else ''}row, as many as there are, and takes neither limit nor page: "
            "the answer grows until it times out. Take a bounded limit with an offset or cursor.",
            route.place,
            function=route.function,
            profile=None if (grows(rows) if route.handler is not None else lists_growing(project, route)) else "strict",
        )
        yield hit, route, listed_by(project, route) if route.handler is None else None


def listed_by(project: Project, route: Route) -> Cls | None:
    """The class that declares the queryset of a generic view."""
    for cls in project.hierarchy.mro(route.cls) if route.cls is not None else ():
        if "queryset" in cls.facts.attributes or "get_queryset" in cls.methods:
            return cls
    return None


def fetched(project: Project, route: Route) -> list[Unbounded]:
    """The queries without a limit to which the handler leads."""
    if route.handler is None:
        return []
    return [item for fn in reached(project, route.handler) for item in unbounded(project, fn)]


def grows(rows: list[Unbounded]) -> bool:
    """Whether a whole table is listed, or what a condition leaves of it: nothing says that few rows are, and they are not
    one user's own."""
    return any(not doubtful(item) and not item.own for item in rows)


def selects(project: Project, fn: Fn, call: Call) -> bool:
    """`Notice.objects.current()`: a method of the project's own manager, which leaves who knows how many rows."""
    asked = (ref.arg for ref in project.callees(fn, call) if ref.kind == "func" and ref.arg is not None)
    return any(project.resolver.managers.gives_rows(ref) for ref in asked)


def lists_growing(project: Project, route: Route) -> bool:
    """Whether a generic view lists things that keep coming, and not only those of whoever asks."""
    assert route.cls is not None
    method = project.method(route.cls, "get_queryset")
    if "{" in route.path or (method is not None and any(value[-1] == "user" for value in method.facts.values)):
        return False
    if method is not None and (any(selects(project, method, call) for call in method.calls) or asks_for_owner(method)):
        return False
    vid = route.cls.facts.attributes.get("queryset", -1)
    rows = list(project.refs(route.cls.owner, vid)) if vid >= 0 else []
    if method is not None:
        rows += [ref for item in method.facts.returns for ref in project.refs(method, item.value)]
    listed = [ref.arg.name for ref in rows if ref.arg is not None]
    return any(accumulates(name.rpartition(".")[2]) and not named_by_hand(project, name) for name in listed)


def asks_for_owner(method: Fn) -> bool:
    """`rows.filter(ship=params["ship"])`, and else `rows.none()`: what belongs to the one thing that the client must name."""
    made = {vid: method.calls[value[1]] for vid in method.returned if (value := method.unguarded(vid))[0] == "call"}
    named = {vid: method.callee_name(call) for vid, call in made.items()}
    some = [made[vid] for vid in made if named[vid] != "none"]
    return (
        "none" in named.values()
        and bool(some)
        and all(
            any("__" not in key and method.const(vid) is ... for key, vid in call.kwargs)
            and method.callee_name(call) == "filter"
            for call in some
        )
    )


def named_by_hand(project: Project, name: str) -> bool:
    """`slug = models.SlugField(primary_key=True)`: a catalogue, of which somebody has written down each name."""
    cls = project.classes.get(name)
    if cls is None:
        return False
    home = cls.owner
    made = (home.unguarded(vid) for vid in cls.facts.attributes.values() if vid >= 0)
    fields = [home.calls[value[1]] for value in made if value[0] == "call"]
    slugs = [call for call in fields if home.callee_name(call) == "SlugField"]
    return any(key == "primary_key" and home.const(vid) is True for call in slugs for key, vid in call.kwargs)


def lists_by_itself(project: Project, route: Route, options: Mapping[str, Any]) -> bool:
    """A generic view that lists its queryset and has no pagination class of its own."""
    if route.cls is None or not any(project.hierarchy.is_a(route.cls, base) for base in options["lists"]):
        return False
    for cls in project.hierarchy.mro(route.cls):
        if "paginat" in cls.name.lower():
            return False
        for name in options["attributes"]:
            vid = cls.facts.attributes.get(name, -1)
            if vid >= 0:
                return cls.owner.const(vid) is None
    return True


def sets_default(project: Project, names: tuple[str, ...]) -> bool:
    """Settings that page every list, with a value that is not None."""
    for file in project.files.values():
        for function in file.functions[:1]:
            for value in function.values:
                for key, item in value[1] if value[0] == "dict" else ():
                    named = key >= 0 and function.values[key][0] == "const" and function.values[key][1] in names
                    if named and function.values[item] != ("const", None):
                        return True
    return False


def paged(project: Project, route: Route) -> bool:
    """Page parameters in the signature, dependencies, request reads or what it calls."""
    assert route.handler is not None
    for fn in (route.handler, *route.dependencies):
        if any(PAGE.fullmatch(param.name) for param in fn.facts.params):
            return True
    for param in route.params:
        if PAGE.fullmatch(param.name) or (param.origin == "query" and param.type == "model"):
            return True
    for fn in reached(project, route.handler):
        for value in fn.facts.values:
            if value[0] == "const" and isinstance(value[1], str) and PAGE.fullmatch(value[1]):
                return True
        for call in fn.facts.calls:
            if any(PAGE.fullmatch(key) for key, _ in call.kwargs):
                return True
        for site in project.effects.direct(fn):
            if site.model.paginates or (site.model.orm is not None and site.model.orm.op in BOUNDS):
                return True
        if any(value[0] == "slice" for value in fn.facts.values) or "paginat" in fn.name:
            return True
        if any(re.search(r"\bLIMIT\b|\bTOP\b|FETCH\s+(FIRST|NEXT)", text, re.IGNORECASE) for text in texts(fn)):
            return True
    if route.cls is not None:
        return any("paginat" in name for cls in project.hierarchy.mro(route.cls) for name in cls.facts.attributes)
    return False


def texts(fn: Fn) -> Iterator[str]:
    return (value[1] for value in fn.facts.values if value[0] == "const" and isinstance(value[1], str))


def reached(project: Project, fn: Fn) -> list[Fn]:
    """A function and what it calls."""
    return [item for item, _ in project.graph.below(fn, 4)]


def returns_many(project: Project, route: Route) -> bool:
    """A list by its declaration or its returns, made of rows."""
    assert route.handler is not None
    fn = route.handler
    if any(answer.special for answer in answers(project, fn)):
        return False
    if not project.effects.has(fn, "db-read", "db") and not reads_lazily(project, fn):
        return False
    declared = list(declared_refs(project, route))
    if any(ref.name in ("builtins.list", "typing.Iterator", "builtins.tuple", "builtins.set") for ref in declared):
        return True
    if declared and not any(ref.name in project.classes and ref.arg is not None for ref in declared):
        return False  # `Page[Order]` holds a list
    many = any(is_many(site) for item in reached(project, fn) for site in whole_chains(project, item))
    return many and any(is_list(project, fn, item.value) for item in fn.facts.returns)


def declared_refs(project: Project, route: Route) -> Iterator[Ref]:
    origin = route.body_model
    if origin is not None:
        yield from project.resolver.types.annotation(origin.fn, origin.vid)
    elif route.documented and route.handler is not None and route.handler.parent is not None:
        yield from project.resolver.types.annotation(route.handler.parent, route.handler.facts.returns_annotation)


def reads_lazily(project: Project, fn: Fn) -> bool:
    sites = (site for item in reached(project, fn) for site in project.effects.direct(item))
    return any(site.model.orm is not None and site.model.orm.op in MANY for site in sites)


def whole_chains(project: Project, fn: Fn) -> list[Site]:
    """The function's library calls, without those whose result only goes into a number or one row (`.filter(...).count()`)."""
    sites = project.effects.direct(fn)
    by_value = {site.call.value: site.call for site in sites}
    ended: set[int] = set()
    for site in sites:
        value = site.call.value if site.model.orm is not None and site.model.orm.op in ONE else -1
        while value in by_value:
            ended.add(value)
            func = fn.unguarded(by_value[value].func)
            value = func[1] if func[0] == "attr" else -1
            if sum(value in operands(item) for item in fn.facts.values) > 1:
                break  # its rows are asked for besides
    return [site for site in sites if site.call.value not in ended]


def is_many(site: Site) -> bool:
    orm = site.model.orm
    if orm is None:
        return site.model.name.rpartition(".")[2] in ("fetchall", "fetch", "fetchmany", "find", "scan", "to_list")
    return orm.rows == "many" or (orm.op in MANY and orm.op not in ONE and orm.rows != "scalar")


def is_list(project: Project, fn: Fn, vid: int, depth: int = 0) -> bool:
    """A list, or an answer that contains one."""
    if vid < 0 or depth > 6:
        return False
    value = fn.facts.values[vid]
    if value[0] == "comp" and value[1] in ("list", "gen"):
        return True
    if value[0] == "list":  # as many as are written there
        return any(fn.facts.values[item][0] == "star" for item in value[1])
    if value[0] == "mut" and value[2] in ADDS:
        return True
    if value[0] in ("guard", "await", "mut", "store", "conv"):
        return is_list(project, fn, value[1], depth + 1)
    if value[0] == "tuple" and value[1]:
        return is_list(project, fn, value[1][0], depth + 1)
    if value[0] == "dict":
        return any(is_list(project, fn, item, depth + 1) for _, item in value[1])
    if value[0] == "call":
        return call_lists(project, fn, vid, fn.facts.calls[value[1]], depth)
    if value[0] == "attr":
        receiver = fn.unguarded(value[1])
        if receiver[0] == "call":
            call = fn.facts.calls[receiver[1]]
            if any(fn.const(item) is True for key, item in call.kwargs if key == "many"):
                return True
            if any(model.schema == "serialize" for model in project.models(fn, call)):  # `schema.dump(rows).data`
                return is_list(project, fn, value[1], depth + 1)
    return any(ref.name == "builtins.list" for ref in project.refs(fn, vid))


def call_lists(project: Project, fn: Fn, vid: int, call: Call, depth: int) -> bool:
    """Whether a call gives a list: rows, a schema or response made of a list, or what its type says."""
    passed = [*call.args, *(vid for key, vid in call.kwargs if key not in ("status", "safe", "context"))]
    models = project.models(fn, call)
    if any(model.response is not None or model.schema for model in models):
        return any(is_list(project, fn, item, depth + 1) for item in passed)
    targets = project.targets(fn, call)
    classes = [project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class"]
    if any(project.hierarchy.role(cls) == "schema" for cls in classes):
        return any(is_list(project, fn, item, depth + 1) for item in passed)
    if any(answer.made for target in targets for answer in answers(project, target)):  # `ok(rows)`
        return any(is_list(project, fn, item, depth + 1) for item in passed)
    if any(model.orm is not None and (model.orm.rows == "many" or model.orm.op in MANY) for model in models):
        return True
    value_refs = project.refs(fn, vid)
    return any(ref.name in ("builtins.list", "sqlalchemy.engine.ScalarResult") for ref in value_refs)
