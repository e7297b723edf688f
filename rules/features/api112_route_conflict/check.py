from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    UNKNOWN,
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Step,
    exclusive,
    is_parameter,
    object_root,
    public_name,
    segments,
    told_once,
)

NAME = re.compile(r"\{[^{}]*\}")
CONVERTER = re.compile(r"<(?:([\w-]+)(?:\([^<>]*\))?:)?\w+>")
GROUP = re.compile(r"\(\?P<\w+>")
LITERAL = re.compile(r"\^?[\w/-]+/?\$|[\w/-]+")
PLAIN = re.compile(r"[\w/<>:-]*")
KNOWN = {"", "str", "string", "path", "default", "slug", "int", "float", "uuid", "any"}
"""Converters of the frameworks."""

REQUESTS = (".Request", ".HTTPConnection", ".WebSocket")
BESIDE_PATH = frozenset({"app", "state", "headers", "cookies", "client", "query_params", "session", "user", "auth"})
"""What of a request says nothing of its path."""
MISNAMED = " has the path parameter "
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
DISPATCHING = frozenset({"dispatch", "dispatch_request", "setup", "initial", "prepare", "__call__", "as_view"})
DECORATING = frozenset({"decorators", "method_decorators"})


def check(project: Project) -> Iterator[Hit]:
    seen: set[Location] = set()
    found: list[Hit] = []
    for hit in (*conflicts(project), *mismatches(project)):
        if hit.location not in seen:
            seen.add(hit.location)
            found.append(hit)
    misnamed = [hit for hit in found if MISNAMED in hit.message]
    yield from (hit for hit in found if MISNAMED not in hit.message)
    yield from told_once(misnamed, everywhere, severity=None, each=lambda hit: (hit.location.path, parameter_of(hit)))


def parameter_of(hit: Hit) -> str:
    return hit.message.partition(MISNAMED)[2].partition(", which")[0]


def everywhere(hit: Hit, others: str) -> str:
    """A module whose handlers take no notice of one parameter has that habit."""
    return hit.message.replace(" does not take:", f" does not take, nor do others in {others}:", 1)


def conflicts(project: Project) -> Iterator[Hit]:
    """Later routes that never run because an earlier one matches first."""
    groups: dict[tuple[object, int, str], list[tuple[Route, list[str]]]] = {}
    mounted: dict[int, set[str]] = {}
    for route in sorted(project.routes, key=lambda item: item.order):
        if route.kind == "http" and UNKNOWN not in route.path and is_readable(route):
            # What nobody is seen to register in an application may be one for each function that is given one.
            parts = segments(route.path)
            key = (route.app.location if route.app else registered_in(route), len(parts), route.framework)
            groups.setdefault(key, []).append((route, parts))
            mounted.setdefault(id(route.entry), set()).add(route.path)
    for routes in groups.values():
        for position, (later, ours) in enumerate(routes):
            before = routes[:position] if project.counts(later.location) else ()
            for earlier in (route for route, theirs in before if may_meet(theirs, ours)):
                message = conflict(earlier, later)
                if message and certain(earlier, later, mounted) and not kept_apart(project, earlier, later):
                    yield Hit(
                        message,
                        later.location,
                        related=(Step(earlier.location, f"registers {earlier.label}"),),
                        function=later.function,
                    )
                    break


def registered_in(route: Route) -> object:
    """What has a route of no application that is seen: of its module's, where it is mounted, else the router itself, wherever
    that will be."""
    fn, call = route.mounts[-1] if route.mounts else (route.entry.fn, route.entry.call)
    func = fn.value(call.func) if call is not None else ("",)
    router = object_root(fn, func[1]) if func[0] == "attr" else str(func[-1]).rpartition(".")[0]
    return route.entry.fn.fqn, fn.fqn, router


def is_readable(route: Route) -> bool:
    """Whether its path is no regular expression, or one that stands for a single text."""
    return route.entry.syntax != "regex" or LITERAL.fullmatch(route.entry.path) is not None


def may_meet(theirs: list[str], ours: list[str]) -> bool:
    """Whether one path may match both: nowhere does the one have another text than the other."""
    pairs = zip(theirs, ours, strict=True)
    return all(their == our or is_parameter(their) or is_parameter(our) for their, our in pairs)


def certain(earlier: Route, later: Route, mounted: dict[int, set[str]]) -> bool:
    """Whether one application has both: not two branches of an `if`, nor what helpers register, who
    knows when, in routers that they are given or make for several callers."""
    helpers = [route.entry.through for route in (earlier, later) if route.entry.through]
    if any(list(helper.tests_of(call.block)) for helper, call in helpers):
        return False  # it may leave one out
    first, second = earlier.entry.call, later.entry.call
    if earlier.entry.fn is later.entry.fn and first is not None and second is not None:
        if (earlier.entry.through or later.entry.through) and first.span > second.span:
            return False  # the helper is called later
        return not exclusive(earlier.entry.fn, first.block, second.block)
    return all(
        len(mounted[id(route.entry)]) == 1 and not (route.entry.through or route.entry.fn.facts.params)
        for route in (earlier, later)
    )


def kept_apart(project: Project, earlier: Route, later: Route) -> bool:
    """Whether the later one has a use of its own: for its name, or for what its parameters may be."""
    return has_own_name(project, earlier, later) or expressions(project, earlier) != expressions(project, later)


def expressions(project: Project, route: Route) -> set[str]:
    """The regular expressions by which a viewset, or its `@action`, says what a parameter may be."""
    found = project.hierarchy.attribute(route.cls, "lookup_value_regex") if route.cls is not None else None
    texts = [found[0].const(found[1])] if found is not None else []
    fn = route.handler
    if fn is not None and (home := fn.parent) is not None:
        made = [home.value(vid) for vid in fn.facts.decorators]
        texts += [home.const(home.calls[value[1]].kwarg("url_path")) for value in made if value[0] == "call"]
    return {str(text) for text in texts if text is not ... and not PLAIN.fullmatch(str(text))}


def has_own_name(project: Project, earlier: Route, later: Route) -> bool:
    """A copy of the earlier handler that is there for its name alone: `url_for("pages.files_as_they_are")`."""
    first, second = earlier.handler, later.handler
    if first is None or second is None or first.facts.values != second.facts.values:
        return False
    spoken = (fn.const(call.args[0]) for fn, call in project.graph.calls_written("url_for") if call.args)
    return any(isinstance(name, str) and name.rpartition(".")[2] == later.name != earlier.name for name in spoken)


def conflict(earlier: Route, later: Route) -> str:
    shadowed = overlap(earlier, later)
    if earlier.location == later.location or not shadowed or not (later.handler or later.cls):
        return ""
    by_path = later.framework in ("django", "drf")  # where the first path that matches is taken, whatever the method
    partly = [name for name in shadowed if name] if shadowed != answered(later) and not by_path else []
    ours, theirs = segments(later.path), segments(earlier.path)
    if trailing(earlier) != trailing(later):
        return ""
    if apart(earlier, later):
        return ""
    if [NAME.sub("{}", part) for part in ours] == [NAME.sub("{}", part) for part in theirs]:
        if list(types(earlier).values()) != list(types(later).values()) and any(types(earlier).values()):
            return ""
        if earlier.handler is not None and earlier.handler is later.handler:
            return ""
        when = f" for {' and '.join(partly)}" if partly else ""
        advice = "Leave that method to one of them" if partly or later.entry.model.actions else "Remove one"
        return (
            f"{later.label} is registered twice: the handler `{named(earlier)}` answers, and `{named(later)}` never "
            f"runs{when}. {advice}."
        )
    if not later.entry.model.ordered or not shadows(earlier, theirs, ours) or sorted_by_router(earlier, later):
        return ""
    what = f"{' and '.join(partly)} {later.path}" if partly else later.label
    return (
        f"{what} never runs: {earlier.label} is registered before it and takes `{ours[first_difference(theirs, ours)]}` as "
        "its parameter. Register the fixed path first."
    )


def sorted_by_router(earlier: Route, later: Route) -> bool:
    """Whether both are of one viewset, whose fixed paths the router puts before those with a parameter."""
    return earlier.framework == later.framework == "drf" and earlier.cls is not None and earlier.cls is later.cls


def named(route: Route) -> str:
    """The handler; of a viewset the one of its methods."""
    return f"{route.cls.name}.{route.action}" if route.cls and route.entry.model.actions else route.name


def apart(earlier: Route, later: Route) -> bool:
    """Whether converters keep the routes apart: those of the project's own, and all where the order does not decide."""
    if patterns(earlier) != patterns(later):
        return True
    first, second = (CONVERTER.findall(route.entry.path) for route in (earlier, later))
    return first != second and (not later.entry.model.ordered or not KNOWN.issuperset(first))


def patterns(route: Route) -> list[str]:
    """The regular expressions below which it is mounted (`^api/(?P<version>v[12])/`), without the names in them."""
    texts = (fn.const(call.args[0]) for fn, call in route.mounts if call.args)
    return [GROUP.sub("(", text) for text in texts if isinstance(text, str) and GROUP.search(text)]


def overlap(earlier: Route, later: Route) -> list[str]:
    """Methods of the later route that the earlier one answers."""
    if not earlier.methods:
        return answered(later)
    if not later.methods:
        return answered(earlier)
    return [name for name in answered(later) if name in earlier.methods]


def answered(route: Route) -> list[str]:
    """What the handler is there for, "" for all methods: OPTIONS and HEAD are answered by frameworks and CORS."""
    return [name for name in route.methods if name not in ("OPTIONS", "HEAD")] if route.methods else [""]


def trailing(route: Route) -> bool:
    return route.path.endswith("/")


def types(route: Route) -> dict[str, str]:
    return route.converters


def shadows(earlier: Route, theirs: list[str], ours: list[str]) -> bool:
    """Whether every path of the later route matches the earlier one, which has a parameter where the later has text."""
    narrowed = types(earlier)
    wider = False
    for mine, other in zip(ours, theirs, strict=True):
        if mine == other:
            continue
        if not is_parameter(other) or other.count("{") > 1 or not (other.startswith("{") and other.endswith("}")):
            return False
        if is_parameter(mine):
            continue
        kind = narrowed.get(other.strip("{}"), "")
        if kind in ("int", "float", "uuid", "date", "decimal") and not (kind in ("int", "float") and mine.isdigit()):
            return False
        wider = True
    return wider


def first_difference(theirs: list[str], ours: list[str]) -> int:
    return next(
        index
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        if not is_parameter(mine) and mine != other
    )


def mismatches(project: Project) -> Iterator[Hit]:
    """Path parameters that the handler does not take, or parameters that no path supplies."""
    fitting = set(served(project))
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or route.entry.model.actions:
            continue
        if route.cls is not None and (passed_on(project, route, route.cls) or (route.cls.fqn, fn.fqn) in fitting):
            continue
        names = route.own_names
        taken = {param.name: param for param in fn.facts.params}
        if any(param.kind == "kwargs" for param in taken.values()) or UNKNOWN in route.path or wrapped(project, route):
            continue
        if route.framework in ("starlette", "aiohttp", "tornado") or any(name == "?" for name in names):
            continue
        if any(reads_path(project, dependency) for dependency in route.dependencies):
            continue
        supplied = {param.name for param in route.params if param.origin == "path"}
        missing = [name for name in names if name not in taken and name not in supplied]
        below = set(taken_below(project, route)) if missing else set()
        missing = [name for name in missing if name not in below and "" not in below]
        queried = any(param.origin == "query" for param in route.params)
        if route.documented and not queried and takes_request(project, fn):
            continue  # it may read the path itself
        if route.documented and route.cls is None and not misread(fn, route):
            continue  # the handler does not need it
        if missing and (route.documented or route.entry.syntax in ("angle", "named", "regex")):
            what = ", ".join(f"`{name}`" for name in missing)
            yield Hit(
                f"{route.label}{MISNAMED}{what}, which `{fn.name}()` does not take: {effect(route, missing, queried)}. Use the "
                "same name.",
                route.location,
                related=(Step(fn.header, "the handler"),),
                function=route.function,
            )


def effect(route: Route, missing: list[str], queried: bool) -> str:
    """What comes of parameters that the handler does not take."""
    if route.documented and route.cls is None:
        return f"the value is dropped{', and a parameter with another name is read from the query' if queried else ''}"
    optional = all(f"{{{name}}}?" in route.path for name in missing)
    return "every call with it fails" if optional else "every call fails"


def misread(fn: Fn, route: Route) -> bool:
    """Whether the handler requires something from the query that was meant to come from the path, or takes nothing at all."""
    asked = [param for param in route.params if param.origin == "query"]
    return not asked or any(param.required and fn.facts.params[param.index].default < 0 for param in asked)


def served(project: Project) -> Iterator[tuple[str, str]]:
    """Methods of classes that take what some path of the class supplies: one class may serve several, each method its own."""
    for route in project.routes:
        taken = {param.name for param in route.handler.facts.params} if route.handler is not None else set()
        if route.cls is not None and route.handler is not None and taken.issuperset(route.own_names):
            yield route.cls.fqn, route.handler.fqn


def passed_on(project: Project, route: Route, cls: Cls) -> bool:
    """Whether something else than the path may decide what the method of a class is given."""
    handler = route.handler
    if handler is None or handler.name != route.action or handler.name.upper() not in METHODS:
        return True
    classes = project.hierarchy.mro(cls)
    listed = any(owner.facts.attributes.keys() & DECORATING for owner in classes)
    return listed or any(owner.methods.keys() & DISPATCHING for owner in classes) or bool(cls.facts.decorators)


def taken_below(project: Project, route: Route) -> Iterator[str]:
    """Path parameters that a dependency takes, or a hook."""
    for dependency in route.dependencies:
        yield from (public_name(project, dependency, param) for param in dependency.facts.params)
    yield from taken_out(route)


def taken_out(route: Route) -> Iterator[str]:
    """Path parameters that a hook takes out before the handler is called (`values.pop("project")`); "" where it may be any."""
    for hook in route.hooks:
        for call in hook.calls:
            func = hook.value(call.func)
            if func[0] == "attr" and func[2] == "pop" and is_parameter_of(hook, func[1]):
                name = hook.const(call.args[0]) if call.args else ""
                yield name if isinstance(name, str) else ""
        for item in hook.facts.statements:
            value = hook.value(item.value) if item.kind == "delete" and item.value >= 0 else ("",)
            if value[0] == "item" and is_parameter_of(hook, value[1]):
                name = hook.const(value[2])
                yield name if isinstance(name, str) else ""


def is_parameter_of(fn: Fn, vid: int, depth: int = 6) -> bool:
    """Whether a value is something that the function is given (`values or {}`)."""
    value = fn.value(vid)
    if value[0] in ("guard", "mut") and depth:
        return is_parameter_of(fn, value[1], depth - 1)
    if value[0] in ("phi", "bool") and depth:
        parts = value[1] if value[0] == "phi" else value[2]
        return any(is_parameter_of(fn, item, depth - 1) for item in parts if item != vid)
    return bool(value[0] == "param")


def reads_path(project: Project, fn: Fn) -> bool:
    """Whether a dependency is given the request and may take the path's parameters out of it: not where it asks for the
    application or a header alone (`request.app.state.pool`)."""
    if not takes_request(project, fn):
        return False
    given = {vid for vid in fn.made_by("param") if is_request(project, fn, fn.value(vid)[1])}
    handed = any(given.intersection(call.passed) for call in fn.calls)
    asked = {str(fn.value(vid)[2]) for vid in fn.made_by("attr") if fn.value(vid)[1] in given}
    return handed or not asked or not asked <= BESIDE_PATH


def is_request(project: Project, fn: Fn, index: int) -> bool:
    refs = project.resolver.param(fn, index)
    return any(ref.kind == "libinst" and ref.name.endswith(REQUESTS) for ref in refs)


def takes_request(project: Project, fn: Fn) -> bool:
    """A function that is given the request may read the path itself."""
    return any(is_request(project, fn, index) for index in range(len(fn.facts.params)))


def wrapped(project: Project, route: Route) -> bool:
    """A decorator of the project's own may change the signature."""
    assert route.handler is not None
    home = route.handler.parent
    if home is not None and not home.is_module and home is not route.entry.fn and route.cls is None:
        return True  # what some function of the project's made (`signed_in(view)`)
    own = [ref for ref in route.handler.decorators if ref.kind in ("func", "class", "inst")]
    known = len(route.handler.decorators) == len(route.handler.facts.decorators)
    return not known or not all(hands_all_on(project, project.functions.get(ref.name)) for ref in own)


def hands_all_on(project: Project, decorator: Fn | None) -> bool:
    """`def wrapper(*args, **kwargs):` of a decorator that calls the handler with just these."""
    if decorator is None:
        return False
    within = (fn for fn in project.functions_of(decorator.file) if fn is not decorator and fn.lies_in(decorator))
    wrappers = [fn for fn in within if {param.kind for param in fn.facts.params} == {"args", "kwargs"}]
    calls = [(fn, call) for fn in wrappers for call in fn.calls if fn.unguarded(call.func)[0] == "outer"]
    return bool(calls) and all(list(handed(fn, call)) == ["args", "kwargs"] for fn, call in calls)


def handed(fn: Fn, call: Call) -> Iterator[str]:
    """The kinds of the parameters that a call is given as they are; "" for what else it is given."""
    for vid in call.args:
        value = fn.value(vid)
        yield kind_of(fn, value[1]) if value[0] == "star" else ""
    yield from (kind_of(fn, vid) if name == "**" else "" for name, vid in call.kwargs)


def kind_of(fn: Fn, vid: int) -> str:
    value = fn.unguarded(vid)
    return fn.facts.params[value[1]].kind if value[0] == "param" else ""
