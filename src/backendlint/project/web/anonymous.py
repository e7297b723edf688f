"""What middleware and base classes of views do with callers who may not go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Span, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.routes import SAFE, Route, status_of
from backendlint.project.routes.params import injections
from backendlint.project.values.uses import ingredients, operands

if TYPE_CHECKING:
    from backendlint.project.graph.calls import Edge
    from backendlint.project.libraries.model import CallModel, DecoratorModel
    from backendlint.project.model import Project

SIGNED_IN = {"is_authenticated": True, "is_anonymous": False}
"""The attributes (of Django's and Flask-Login's users) that tell, and what they say of those who have signed in."""
REFUSED = (401, 403)
_OPEN_TO_READ = re.compile(r"Or(Anon(ymous)?)?ReadOnly$|^ReadOnly(Permission)?s?$")
"""Permissions by whose names anybody may read."""
_LEAVES = ("return", "raise")
_NONE = (("list", ()), ("tuple", ()))
_REQUEST = (("name", "flask.g"), ("name", "quart.g"))
_CHECKS = ("permission", "authentication", "throttle")
_SENT = frozenset(
    {"method", "GET", "POST", "FILES", "META", "COOKIES", "headers", "path", "path_info", "body", "content_type"}
)
"""Attributes of Django's requests that the client decides."""


def turns_away(project: Project, fn: Fn, refusals: Callable[[Fn], Iterable[str]]) -> bool:
    """Whether it redirects or refuses those who have not signed in; what it does with others says nothing. `refusals`
    gives the kinds of refusal that a function raises."""
    if all(value[2] not in SIGNED_IN for value in map(fn.value, fn.made_by("attr"))):
        return False
    return any(_anonymous(fn, block, span) for block, span in _refusals(project, fn, refusals))


def lets_through(fn: Fn) -> bool:
    """Whether what tells who calls may say that it knows nobody, and so lets the call go on."""
    given = [item.value for item in fn.facts.returns if not item.is_yield]
    return not fn.facts.blocks[0].exits or any(vid < 0 or fn.value(vid) == ("const", None) for vid in given)


def serves_strangers(fn: Fn, edge: Edge) -> bool:
    """Whether a handler asks a helper who calls, which may say that it knows nobody (`return None`), and does not stop for that."""
    given = [item.value for item in edge.callee.facts.returns if not item.is_yield]
    nobody = [vid for vid in given if vid < 0 or edge.callee.unguarded(vid) == ("const", None)]
    if edge.call is None or not nobody or len(nobody) == len(given):
        return False
    left = (block for block in fn.facts.blocks if block.kind in ("if", "else") and block.exits in ("return", "raise"))
    tests = {(fn.facts.blocks[block.group] if block.kind == "else" else block).value for block in left}
    return edge.call.value not in ingredients(fn.facts, tests)


def raised_at_strangers(project: Project, fn: Fn) -> list[str]:
    """Exceptions that leave a function, without what helpers raise that only refuse those who give a wrong name."""
    found = project.exceptions.escaping(fn).items()
    return [name for name, way in found if way.edge is None or not serves_strangers(fn, way.edge)]


def open_to_read(project: Project) -> Callable[[Route, str], bool]:
    """Whether a route only reads, and a permission of that name lets anybody: by the name, or because its code says so."""
    methods = ((cls.name, cls.methods.get("has_permission")) for cls in project.classes.values())
    named = {name for name, method in methods if method is not None and _lets_read(method)}

    def opens(route: Route, name: str) -> bool:
        reads = bool(route.methods) and SAFE.issuperset(route.methods)
        return reads and (name in named or _OPEN_TO_READ.search(name) is not None)

    return opens


def _lets_read(fn: Fn) -> bool:
    """`if request.method in SAFE_METHODS: return True`, whatever else it may ask of others."""
    granted = [
        fn.facts.blocks[item.block] for item in fn.facts.returns if item.value >= 0 and fn.const(item.value) is True
    ]
    tests = (
        fn.value(block.value) for block in granted if block.kind == "if" and block.parent == 0 and block.value >= 0
    )
    return any(
        test[0] == "compare"
        and tuple(test[1]) == ("in",)
        and str(fn.unguarded(test[2][1])[-1]).rpartition(".")[2] == "SAFE_METHODS"
        for test in tests
    )


def lists_none(project: Project, cls: Cls | None) -> bool:
    """`permission_classes = []` of a view or its bases: what the settings say does not hold."""
    return _set_to(project, cls, "permission_classes") in _NONE


def lists_own(project: Project, cls: Cls | None) -> bool:
    """Whether a view or its bases list permission classes, which stand in the place of the settings'."""
    value = _set_to(project, cls, "permission_classes")
    return value[0] in ("list", "tuple") and value not in _NONE


def _set_to(project: Project, cls: Cls | None, name: str) -> Value:
    """The value of an attribute of a view, its own or of the nearest of its bases that has one."""
    found = project.hierarchy.attribute(cls, name) if cls is not None else None
    return found[0].value(found[1]) if found is not None else ("",)


def is_lenient(project: Project, route: Route, ref: Ref) -> bool:
    """An object that the project makes only so that it lets everybody through (`HTTPBearer(auto_error=False)`), where
    dependencies ask for it, and not the handler itself, which looks at what it gives."""
    model = project.libraries.call(ref.name) if ref.kind == "libinst" else None
    keyword = model.auth.strict if model is not None and model.auth is not None else ""
    made = project.graph.calls_of(ref.name) if keyword else ()
    if not made or any(fn.const(call.kwarg(keyword)) is not False for fn, call in made):
        return False
    return route.handler is None or ref not in injections(project, route.handler)


def by_list(project: Project, fn: Fn | None) -> set[str]:
    """Decorators that say no more than the list of known classes which they are given: `@permission_classes([AllowAny])`."""
    found = _listing(project, fn) if fn is not None else ()
    return {name for name, vids, home in found if all(_known(project, home, vid) for vid in vids)}


def _listing(project: Project, fn: Fn) -> Iterator[tuple[str, tuple[Vid, ...], Fn]]:
    """The decorators that are given one list, by name, with its items."""
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        made = home.value(vid)
        if made[0] != "call":
            continue
        call = home.calls[made[1]]
        given = home.value(call.args[0]) if len(call.args) == 1 else ("",)
        if given[0] in ("list", "tuple"):
            yield from ((ref.name, given[1], home) for ref in project.callees(home, call))


def _known(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether it is a class of permission, authentication or throttling."""
    refs = project.refs(fn, vid)
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "class"]
    return any(project.hierarchy.role(cls) in _CHECKS for cls in classes) or any(
        model.subclass_role in _CHECKS
        for ref in refs
        if ref.kind == "lib"
        for model in project.libraries.lineage(ref.name)
    )


def identities(project: Project, authenticates: Callable[[Fn], bool]) -> frozenset[str]:
    """What functions that tell who calls keep for the request: `g.member_no = claims["sub"]`."""
    found = set()
    for fn in project.all_functions():
        kept = [store.name for store in fn.facts.stores if store.name and fn.value(store.base) in _REQUEST]
        if kept and (authenticates(fn) or (fn.parent is not None and authenticates(fn.parent))):
            found.update(kept)
    return frozenset(found)


def _is_exempt(model: CallModel | DecoratorModel | None) -> bool:
    """Whether a library takes its view or decorator out of the limits."""
    return model is not None and model.ratelimit is not None and model.ratelimit.role == "exempt"


def library_views(project: Project, route: Route) -> list[str]:
    """Names of a library's views that answer a route, themselves or as base classes."""
    bases = project.hierarchy.library_bases(route.cls) if route.cls is not None else ()
    return [*(ref.name for ref in route.entry.handlers if ref.kind == "lib"), *bases]


def limits_that_hold(project: Project, route: Route, names: tuple[str, ...]) -> tuple[str, ...]:
    """Of the limits that are set for a route: none where it is taken out of them, and no `ScopedRateThrottle` where its view
    names no scope, because that counts nothing then."""
    if _unlimited(project, route):
        return ()
    scoped = _set_to(project, route.cls, "throttle_scope") != ("",)
    return tuple(name for name in names if scoped or not name.endswith("ScopedRateThrottle"))


def _unlimited(project: Project, route: Route) -> bool:
    """Whether the route is taken out of the limits that hold elsewhere: `@limiter.exempt`, `@throttle_classes([])`."""
    fn = route.handler
    if any(_is_exempt(project.libraries.call(name)) for name in library_views(project, route)):
        return _set_to(project, route.cls, "throttle_classes") in (("",), *_NONE)
    if fn is None:
        return False
    for ref in fn.decorators:
        if _is_exempt(project.libraries.decorator(ref.name) or project.libraries.call(ref.name)):
            return True
    for name, vids, _ in _listing(project, fn):
        listing = project.libraries.decorator(name)
        if not vids and listing is not None and listing.ratelimit is not None:
            return True
    return _set_to(project, route.cls, "throttle_classes") in _NONE


def is_foreign(project: Project, ref: Ref) -> bool:
    """A permission of a package that nobody knows, or of the project's own that inherits from one."""
    if ref.kind in ("lib", "libinst"):
        return project.libraries.call(ref.name) is None and not project.libraries.lineage(ref.name)
    cls = project.classes.get(ref.name) if ref.kind == "class" else None
    return cls is not None and not project.hierarchy.role(cls)


def limits(project: Project, name: str) -> bool:
    """Whether a view or middleware of a library limits attempts by itself."""
    model = project.libraries.call(name)
    return model is not None and model.ratelimit is not None and model.ratelimit.role == "limit"


def limiting_views(project: Project, route: Route) -> Iterator[str]:
    """Names of such views that answer a route, themselves or as base classes."""
    call = route.entry.call if route.handler is None else None
    named = (ref for vid in call.args for ref in project.refs(route.entry.fn, vid)) if call is not None else ()
    views = [*(ref.name for ref in named if ref.kind == "lib"), *library_views(project, route)]
    return (name.rpartition(".")[2] for name in views if limits(project, name))


def screens(project: Project, fn: Fn) -> bool:
    """Whether a view's `dispatch` sends requests away for what a middleware has put on them (`request.tenant`)."""
    for block, _ in _refusals(project, fn, lambda _: ()):
        if any(outcome and not _SENT.issuperset(_put_on(fn, test)) for test, outcome in fn.tests_of(block)):
            return True
    return False


def asks_for(fn: Fn) -> bool:
    """Whether it leaves with an error for what a test says of the caller (`if not row.is_editable_by(request.user): raise`)."""
    tests = [test for item in fn.facts.raises for test, _ in fn.tests_of(item.block)]
    return any(_speaks_of_caller(fn, test) for test in tests)


def _speaks_of_caller(fn: Fn, vid: Vid, depth: int = 6) -> bool:
    value = fn.facts.values[vid] if vid >= 0 else ("",)
    if depth == 0:
        return False
    if value[0] == "attr" and value[2] in ("user", "current_user"):
        return True
    parts = [*operands(value)]
    if value[0] == "call":
        call = fn.calls[value[1]]
        parts = [call.func, *call.passed]
    return any(_speaks_of_caller(fn, item, depth - 1) for item in parts if item != vid)


def _put_on(fn: Fn, vid: Vid, depth: int = 6) -> Iterator[str]:
    """Attributes of the request (the first parameter after `self`) in a test."""
    value = fn.facts.values[vid] if vid >= 0 else ("",)
    if depth == 0:
        return
    if value[0] == "attr":
        if fn.unguarded(value[1]) == ("param", 1):
            yield value[2]
        yield from _put_on(fn, value[1], depth - 1)
    elif value[0] in ("not", "guard"):
        yield from _put_on(fn, value[1], depth - 1)
    elif value[0] in ("bool", "compare"):
        for item in value[2]:
            yield from _put_on(fn, item, depth - 1)


def _refusals(project: Project, fn: Fn, refusals: Callable[[Fn], Iterable[str]]) -> Iterator[tuple[int, Span]]:
    yield from ((item.block, item.span) for item in fn.facts.raises)
    for site in project.effects.direct(fn):
        response = site.model.response
        if response is None:
            continue
        codes = [status_of(project, fn, vid) for vid in site.call.passed] if response.status is not None else []
        default = response.status.default if response.status is not None else None
        if response.redirect or response.error or default in REFUSED or any(code in REFUSED for code in codes):
            yield site.call.block, site.call.span
    for call in fn.calls:
        if any(list(refusals(target)) for target in project.targets(fn, call)):
            yield call.block, call.span
    for item in fn.facts.returns:
        always = all(_denies(fn, test, outcome) for test, outcome in fn.tests_of(item.block))
        if item.value >= 0 and always and _asks_first(project, fn, item.value):
            yield item.block, item.span


def _asks_first(project: Project, fn: Fn, vid: Vid) -> bool:
    """`login_required(view)(request)`."""
    value = fn.unguarded(vid)
    func = fn.value(fn.calls[value[1]].func) if value[0] == "call" else value
    refs = project.callees(fn, fn.calls[func[1]]) if func[0] == "call" else ()
    models = [project.libraries.decorator(ref.name) for ref in refs if ref.kind == "lib"]
    return any(model is not None and model.auth is not None and model.auth.role == "authenticate" for model in models)


def texts_in(methods: Iterable[Fn]) -> frozenset[str]:
    """The texts that functions spell out."""
    found = (method.const(vid) for method in methods for vid in method.made_by("const"))
    return frozenset(text for text in found if isinstance(text, str))


def lets_pass(route: Route, texts: Collection[str]) -> bool:
    """Whether a middleware that spells these texts out lets a route pass, by the beginning of its path or by a mark that a
    decorator sets (`@login_exempt`)."""
    marks = {ref.name.rpartition(".")[2] for ref in route.guards}
    return any(text in marks or (text[:1] == "/" != text and route.path.startswith(text)) for text in texts)


def _anonymous(fn: Fn, block: int, span: Span) -> bool:
    """Whether a place is reached because the caller has not signed in."""
    if any(_denies(fn, test, outcome) for test, outcome in fn.tests_of(block)):
        return True
    return any(_denies(fn, item.value, False) for item in fn.left_before(block, span, _LEAVES))


def _denies(fn: Fn, vid: Vid, outcome: bool, depth: int = 6) -> bool:
    """Whether a test with this outcome speaks of somebody who has not signed in."""
    value = fn.facts.values[vid] if vid >= 0 else ("",)
    if depth == 0:
        return False
    if value[0] == "not":
        return _denies(fn, value[1], not outcome, depth - 1)
    if value[0] == "bool":
        return any(_denies(fn, item, outcome, depth - 1) for item in value[2])
    if value[0] == "guard":
        return _denies(fn, value[1], outcome, depth - 1)
    if value[0] == "call":  # Django's was a method once
        return _denies(fn, fn.calls[value[1]].func, outcome, depth - 1)
    return value[0] == "attr" and value[2] in SIGNED_IN and outcome is not SIGNED_IN[value[2]]


def items(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """Items of a list, also of a list that another name holds or that is added to (in a loop, too)."""
    todo, seen = [vid], set[Vid]()
    while todo:
        item = todo.pop(0)
        if item in seen:
            continue
        seen.add(item)
        value = fn.facts.values[item]
        if value[0] in ("list", "tuple"):
            yield from value[1]
        elif value[0] == "binop":
            todo += value[2:4]
        elif value[0] in ("mut", "guard"):
            todo.append(value[1])
        elif value[0] == "phi":
            todo += value[1]
