"""SEC303: what is left of the patterns' hits where the project tells by what callers show who they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    HEADER,
    SAFE,
    SESSION,
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    calls_at,
    decorator_models,
    functions_in,
    object_root,
    of_all_modules,
    request_reads,
    variable,
)

VERBS = ("post", "put", "patch", "delete")
LASTING = ("db-write", "commit", "mail", "queue-publish", "file", "subprocess", "http", "cache")
SIGNS_IN = re.compile(r"(^|[/_-])(log_?-?in|sign_?-?in|sso|saml2?|acs|oidc|oauth2?)([/_-]|$)", re.IGNORECASE)
READS = re.compile(r"(get|list|fetch|show|poll)_")
"""Names of what only reads, as far as anybody knows."""
IN_HEADER = re.compile(r"digest|basic|bearer|hmac|signature|jwt|api_?key", re.IGNORECASE)
"""Words of classes that look for the caller in a header."""
BY_COOKIE = re.compile(r"session|cookie|remoteuser", re.IGNORECASE)
"""Classes that take what a browser sends by itself."""
WHO = frozenset({"user", "COOKIES", "cookies", "current_user"})
FORM = "CSRF protection of forms"
"""How the message about a form begins."""
MIDDLEWARE = "`MIDDLEWARE` has sessions"
"""How the message about a whole project begins."""
OPEN = (
    "takes requests without a CSRF token; where it, or what it calls, goes by the session, any website can send them in the "
    "signed-in user's name: drop `csrf_exempt`, or verify a signature or header token."
)


HOOK = re.compile(r"web_?hooks?", re.IGNORECASE)
BODIES = frozenset({"body", "data", "POST", "get_json", "json", "form"})
FORGED = (
    "asks for no CSRF token, and for no signature either: anybody can send it events and have them written down; verify a "
    "signature of the body (`hmac.compare_digest`)."
)


def check(project: Project, hit: Hit) -> Iterator[Hit]:
    if hit.message.startswith(FORM):
        yield from form(project, hit)
        return
    if hit.message.startswith(MIDDLEWARE):
        yield replace(hit, profile="strict", confidence="low") if by_header_alone(project) else hit
        return
    if without_effect(project, hit.location):
        return
    found = list(exempted(project, hit.location))
    hit = replace(hit, location=switched_off(project, hit.location))
    if not found:
        yield replace(hit, profile="strict", confidence="low") if for_signing_in(project, hit.location) else hit
        return
    views = [(fn, route) for fn, route in found if changes(project, fn, route)]
    asked = [evidence(project, fn, route) for fn, route in views]
    if any(SESSION in seen and HEADER not in seen for seen in asked):
        yield replace(hit, profile="default")
    elif any(HEADER not in seen for seen in asked):
        name = hit.message.partition("`")[2].partition("`")[0] if hit.message.startswith("`") else ""
        hooks = [is_hook(project, fn, route) and not seen for (fn, route), seen in zip(views, asked, strict=True)]
        message = f"`{name}`" if name else "This route"
        if all(hooks):
            yield replace(hit, message=f"{message} {FORGED}", profile="default", confidence="medium")
        else:
            yield replace(hit, message=f"{message} {OPEN}", profile="strict", confidence="low")


def is_hook(project: Project, fn: Fn, route: Route | None) -> bool:
    """`vendor_webhook(request)`, which writes what a body says that anybody may have sent."""
    named = HOOK.search(fn.name) or (route is not None and HOOK.search(route.path))
    guarded = route is not None and project.access.authentication(route)
    reads = any(read.name in BODIES for item, _ in project.graph.below(fn, 2) for read in request_reads(project, item))
    return bool(named) and not guarded and reads and project.effects.has(fn, "db-write", "commit", "mail")


def by_header_alone(project: Project) -> bool:
    """Whether the REST framework's views look for callers in headers alone, and no other view that changes something asks for
    who has signed in; the admin's pages have a check of their own."""
    found = []
    for fn, vid in of_all_modules(project, "REST_FRAMEWORK"):
        value = fn.unguarded(vid)
        for key, item in value[1] if value[0] == "dict" else ():
            if key >= 0 and fn.const(key) == "DEFAULT_AUTHENTICATION_CLASSES":
                listed = fn.unguarded(item)
                found += [str(fn.const(part)) for part in (listed[1] if listed[0] in ("list", "tuple") else (item,))]
    if not found or any(BY_COOKIE.search(name) or name == "Ellipsis" for name in found):
        return False
    others = (route for route in project.routes if route.handler is not None and not is_rest_view(project, route))
    changing = (route for route in others if not route.methods or not SAFE.issuperset(route.methods))
    return not any(project.access.authentication(route) for route in changing)


def is_rest_view(project: Project, route: Route) -> bool:
    bases = project.hierarchy.library_bases(route.cls) if route.cls is not None else ()
    return any(name.startswith("rest_framework.") for base in bases for name in project.libraries.mro(base))


def for_signing_in(project: Project, place: Location) -> bool:
    """A library's view below a path like `login/` or `sso/acs/`: nobody is signed in yet, and other sites send people there."""
    for route in project.routes:
        where = route.place
        around = where.path == place.path and where.line <= place.line <= where.end_line
        if around and route.handler is None and SIGNS_IN.search(route.path):
            return True
    return False


def form(project: Project, hit: Hit) -> Iterator[Hit]:
    """A form that a handler makes: who signs in by a header, or not at all, needs no token."""
    fn = enclosing(project, hit.location)
    routes = project.route_functions.get(fn.fqn, []) if fn is not None else []
    asked = [evidence(project, fn, route) for route in routes] if fn is not None else []
    if not asked or any(SESSION in seen and HEADER not in seen for seen in asked):
        yield hit


def exempted(project: Project, place: Location) -> Iterator[tuple[Fn, Route | None]]:
    """The functions that answer where protection is switched off: of a view, of a class of views, or at a registration."""
    for fn in functions_in(project, place)[1:]:
        if start(fn.header) == start(place):
            yield from of_class(project, fn.cls) if fn.cls is not None else of_function(project, fn)
    for fn, call in calls_at(project, place):
        if call.args:
            yield from registered(project, fn, call.args[0])
    for cls in project.classes.values():
        if cls.path == place.path and start(cls.header) == start(place):
            yield from of_class(project, cls)


def switched_off(project: Project, place: Location) -> Location:
    """The decorator that does it, above the function or class of that name."""
    owners = [(fn.parent or fn, fn.facts.decorators, fn.header) for fn in functions_in(project, place)[1:]]
    owners += [
        (cls.owner, cls.facts.decorators, cls.header) for cls in project.classes.values() if cls.path == place.path
    ]
    for home, decorators, header in owners:
        for vid in decorators if start(header) == start(place) else ():
            if exempts(home, vid):
                return home.place(vid)
    return place


def without_effect(project: Project, place: Location) -> bool:
    """Django asks the view, which `as_view` makes of `dispatch`: `csrf_exempt` on a view's `post` changes nothing."""
    return any(
        start(fn.header) == start(place) and fn.cls is not None and fn.name in ("get", *VERBS) and uses_django(fn)
        for fn in functions_in(project, place)[1:]
    )


def uses_django(fn: Fn) -> bool:
    return any(item.target.startswith("django.views.decorators.csrf") for item in fn.file.imports)


def exempts(home: Fn, vid: int) -> bool:
    """`csrf_exempt`, `csrf.exempt`, `method_decorator(csrf_exempt)`."""
    value = home.value(vid)
    if value[0] == "call":
        return any(exempts(home, item) for item in (home.calls[value[1]].func, *home.calls[value[1]].args))
    return value[0] in ("name", "attr") and str(value[-1]).rpartition(".")[2] in ("csrf_exempt", "exempt")


def registered(project: Project, fn: Fn, vid: int) -> Iterator[tuple[Fn, Route | None]]:
    """`csrf_exempt(view)` and `csrf_exempt(View.as_view())`."""
    func = fn.func_of(fn.unguarded(vid))
    base = func[1] if func[0] == "attr" and func[2] == "as_view" else vid
    named = func[1].rpartition(".") if func[0] == "name" else ("", "", "")
    if named[2] == "as_view" and f"{named[0]}" in project.classes:
        yield from of_class(project, project.classes[named[0]])
        return
    yield from of_blueprint(project, fn, vid)
    for ref in project.refs(fn, base):
        if ref.kind == "func":
            yield from of_function(project, project.functions[ref.name])
        elif ref.kind == "class":
            yield from of_class(project, project.classes[ref.name])


def of_blueprint(project: Project, fn: Fn, vid: int) -> Iterator[tuple[Fn, Route | None]]:
    """`csrf.exempt(billing.bp)`: all that is registered with that variable."""
    meant = kept_in(project, fn, vid)
    for route in project.routes if meant is not None else ():
        call, home = route.entry.call, route.entry.fn
        func = home.value(call.func) if call is not None else ("",)
        if func[0] == "attr":
            owner = kept_in(project, home, func[1])
        else:
            owner = variable(project, home, str(func[1]).rpartition(".")[0]) if func[0] == "name" else None
        if route.handler is not None and owner == meant:
            yield route.handler, route


def kept_in(project: Project, fn: Fn, vid: int) -> tuple[Fn, int] | None:
    """The variable of a module that a value is."""
    value = fn.unguarded(vid)
    if value[0] == "name":
        return variable(project, fn, str(value[1]))
    return (fn, vid) if fn.is_module and value[0] == "call" else None


def of_function(project: Project, fn: Fn) -> Iterator[tuple[Fn, Route | None]]:
    routes = project.route_functions.get(fn.fqn, [])
    yield from ((fn, route) for route in routes)
    if not routes:
        yield fn, None


def of_class(project: Project, cls: Cls) -> Iterator[tuple[Fn, Route | None]]:
    routes = [route for route in project.routes if route.cls is cls and route.handler is not None]
    yield from ((route.handler, route) for route in routes if route.handler is not None)
    if not routes:
        methods = [method for name in VERBS if (method := project.method(cls, name)) is not None]
        yield from ((method, None) for method in methods or cls.methods.values())


def changes(project: Project, fn: Fn, route: Route | None) -> bool:
    """Whether asking leaves something behind, as far as it is known."""
    said = [set(model.methods) for model in decorator_models(project, fn) if model.methods]
    methods = set(route.methods) if route is not None else said[0] if said else set()
    if (methods and methods <= SAFE) or (fn.cls is not None and fn.name.upper() in SAFE):
        return False
    if project.effects.has(fn, *LASTING):
        return True
    return READS.match(fn.name) is None and any(unknown(project, fn, call) for call in fn.calls)


def unknown(project: Project, fn: Fn, call: Call) -> bool:
    """Nothing says what the call does, its name neither."""
    if READS.match(fn.callee_name(call)) or project.models(fn, call) or project.targets(fn, call):
        return False
    refs = project.callees(fn, call)
    return not refs or not all(ref.name.startswith("builtins.") or ref.kind == "class" for ref in refs)


def evidence(project: Project, fn: Fn, route: Route | None) -> set[str]:
    """By what callers show who they are. A guard that lets nobody through without a header settles it."""
    required = project.credentials.required(route) if route is not None else []
    if any(seen == {HEADER} for seen in required):
        return {HEADER}
    if any(fn.callee_name(call) == "authenticate" and IN_HEADER.search(made_by(fn, call)) for call in fn.calls):
        return {HEADER}
    own = set(project.credentials.of(fn))
    if any(signs_in(project, item) for item in (fn, *(edge.callee for edge in project.graph.callees(fn)))):
        own.discard(SESSION)  # it makes the session
    elif only_fills(fn) and not any(
        SESSION in project.credentials.of(edge.callee) for edge in project.graph.callees(fn)
    ):
        own.discard(SESSION)
    return own.union(*(seen & {SESSION} for seen in required))  # a guard that takes either lets the cookie in


def made_by(fn: Fn, call: Call) -> str:
    """The class of which an object is whose method is called: `HttpDigestAuthenticator` of `authenticator.authenticate(request)`."""
    func = fn.value(call.func)
    made = fn.unguarded(object_root(fn, func[1])) if func[0] == "attr" else ("",)
    return fn.callee_name(fn.calls[made[1]]) if made[0] == "call" else ""


def only_fills(fn: Fn) -> bool:
    """`request.session["seat"] = seat`, and nothing is asked of who has signed in."""
    names = {vid: fn.value(vid)[2] for vid in fn.made_by("attr")}
    filled = {object_root(fn, item.base) for item in fn.facts.stores if item.key >= 0 and item.base >= 0}
    sessions = [vid for vid, name in names.items() if name == "session"]
    return bool(sessions) and filled.issuperset(sessions) and WHO.isdisjoint(names.values())


def signs_in(project: Project, fn: Fn) -> bool:
    return any(site.model.auth is not None and site.model.auth.role == "login" for site in project.effects.direct(fn))


def enclosing(project: Project, place: Location) -> Fn | None:
    around = [
        fn for fn in functions_in(project, place)[1:] if fn.facts.span.line <= place.line <= fn.facts.span.end_line
    ]
    return max(around, key=lambda fn: fn.facts.span.line, default=None)


def start(place: Location) -> tuple[int, int]:
    return place.line, place.column
