from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import SAFE, UNKNOWN, Call, Fn, Hit, Project, Route, Step, answers

from .asking import STRANGERS, asks_who
from .public import public

CATCH_ALL = re.compile(r"/?\{\w+\}/?")
"""Whatever no other route answers: the files of a front end."""
SEARCH = re.compile(r"search|query|filter|lookup|preview|list|decode|parse|convert", re.IGNORECASE)
SHOWN = re.compile(r"(is_)?(published|public)")
SECRET = re.compile(r"(\w+_)?(token|secret|signature)(_hash)?", re.IGNORECASE)
CAPABILITY = re.compile(r"(\w+_)?(token|secret|signature|(secret|access|activation|share)_?key)", re.IGNORECASE)
"""Parameters of links that let in whoever has them."""
FINDS = ("filter", "get", "get_or_404")
SIGN_UP = re.compile(r"sign[-_]?up|regist", re.IGNORECASE)
LASTING = ("db-write", "commit", "mail", "queue-publish")
PASSING = frozenset({"log", "cpu", "blocking"})
"""Effects that leave nothing behind and give nothing away."""
STAFF = re.compile(r"staff|admin|superuser", re.IGNORECASE)
"""Guards that let in those who run the service alone."""
LOGGER = "logging.Logger"
BESIDE = "beside it"
CHANGING = frozenset({"PUT", "PATCH", "DELETE"})
DECIDING = frozenset(
    "get_permissions get_queryset get_object filter_queryset check_permissions check_object_permissions get_authenticators initial "
    "dispatch perform_update perform_destroy".split()
)
"""Methods of generic views that may ask who calls, or pick the rows."""
NEUTRAL = re.compile(r"^((api|rest|v\d+)/)+")
"""What all paths begin with, which says nothing of what they are about."""
DEEPEST = 6
"""Levels of what a fixed answer holds."""


def check(project: Project) -> Iterator[Hit]:
    signs_up = any(SIGN_UP.search(route.own_path) or SIGN_UP.search(route.name) for route in project.routes)
    routes = [route for route in project.routes if route.kind in ("http", "websocket") and not public(route, signs_up)]
    seen = set()
    for hit in (*misplaced(project), *thrown_open(project, routes)):
        seen.add(hit.location)
        yield hit
    for route in routes:
        if (
            not project.counts(route.place)
            or (route.handler is None and route.cls is None)
            or project.access.authentication(route)
            or only_redirects(project, route)
            or project.access.exempt(route)
            or is_plain_page(project, route)
            or knows_strangers(project, route)
            or (not signs_up and takes_password(project, route))
        ):
            continue
        group = siblings(project, route, routes)
        place = route.handler.location(route.handler.facts.span) if route.handler is not None else route.place
        if group is None or not seen.isdisjoint((route.place, place)) or asks_who(project, route):
            continue
        seen.update((route.place, place))
        guarded, where = group
        example, name = shown(project, guarded)
        yield Hit(
            f"{route.label} needs no authentication, while {len(guarded)} routes {where} do{f' (`{name}`)' if name else ''}: "
            "anybody can call it. Require the same, or mark it as public.",
            route.place,
            related=(
                Step(
                    example.place, f"{example.label} is authenticated{f' by `{name}`' if name else ' in its handler'}"
                ),
            ),
            function=route.function,
            profile=None
            if where == BESIDE and UNKNOWN not in route.own_path and exceptional(project, route, routes, len(guarded))
            else "strict",
        )


def takes_password(project: Project, route: Route) -> bool:
    """`POST /members`, which stores the hash of a password: where nothing else is for signing up, this is."""
    if route.handler is None or route.methods != ("POST",):
        return False
    models = (site.model for fn, _ in project.graph.below(route.handler, 3) for site in project.effects.direct(fn))
    return any(model.password is not None and model.password.op in ("hash", "verify") for model in models)


def shown(project: Project, guarded: list[Route]) -> tuple[Route, str]:
    """A sibling and what stands before it; "" where all check the caller in their own bodies."""
    for route in guarded:
        for name in project.access.authentication(route):
            if route.handler is None or name != route.handler.name:
                return route, name
    return guarded[0], ""


def exceptional(project: Project, route: Route, routes: list[Route], guarded: int) -> bool:
    """Whether the route does what enough siblings guard: it changes something, or it gives data away where no other does so."""
    if guarded < (3 if route.methods == ("POST",) or reads(project, route) else 2):
        return False
    if not reads(project, route):
        return True
    near = [other for other in routes if other is not route and beside(route, other) and reads(project, other)]
    if any(other.handler is not route.handler and not project.access.authentication(other) for other in near):
        return False
    if route.handler is None:
        return not shows_page(project, route)
    return not any(answer.special == "template" for answer in answers(project, route.handler))


def shows_page(project: Project, route: Route) -> bool:
    """A view of the library's handlers that fills a template, or sends clients on."""
    classes = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    return any("template_name" in cls.facts.attributes or "get_redirect_url" in cls.methods for cls in classes)


def misplaced(project: Project) -> Iterator[Hit]:
    """Routes whose check of the caller stands above the decorator that registers them."""
    for route in project.routes:
        names = project.access.unapplied(route) if project.counts(route.place) else ()
        if names and not project.access.authentication(route) and not project.access.exempt(route):
            yield Hit(
                f"{route.label} is registered without `{names[0]}`, which stands above the route's decorator and so never runs: "
                "anybody can call it. Move it below.",
                route.place,
                function=route.function,
            )


def thrown_open(project: Project, routes: list[Route]) -> Iterator[Hit]:
    """Generic views that anybody may call by their own word (`AllowAny`), and that change or delete whatever row is named."""
    told = set()
    for route in routes:
        cls = route.cls
        changes = bool(route.methods) and CHANGING.issuperset(route.methods)
        if (
            not changes
            or cls is None
            or route.handler is not None
            or cls.fqn in told
            or not project.counts(route.place)
        ):
            continue
        own = {name for owner in project.hierarchy.mro(cls) for name in owner.methods}
        if DECIDING.isdisjoint(own) and project.access.exempt(route) and not project.access.authentication(route):
            told.add(cls.fqn)
            does = "delete" if "DELETE" in route.methods else "change"
            yield Hit(
                f"{route.label} is open to everybody by the permissions of `{cls.name}`, and nothing asks whose row it is: anybody can "
                f"{does} any of them. Open the reading only.",
                cls.header,
            )


def only_redirects(project: Project, route: Route) -> bool:
    """It sends clients on to where they are checked, or away; or the path itself is signed or a part of pages."""
    taken = set(re.findall(r"\{(\w+)\}", route.path))
    if route.handler is not None:  # a path's group may have no name
        taken |= {param.name for param in route.handler.facts.params if param.default < 0}
    if any(map(CAPABILITY.fullmatch, taken)) or re.search(r"\.(js|css|svg|png|ico|txt)$", route.path):
        return True
    found = answers(project, route.handler) if route.handler is not None else []
    if route.handler is not None and project.effects.has(route.handler, *LASTING):
        return False  # a form that is done with
    kinds = ("redirect", "file", "template") if CATCH_ALL.fullmatch(route.path) else ("redirect",)
    return bool(found) and all(answer.special in kinds or answer.failed for answer in found)


def knows_strangers(project: Project, route: Route) -> bool:
    """It shows less to those who have not signed in, or only what is published, or takes a secret from the body that leads to
    the row."""
    if route.handler is None:
        return False
    if any(route.handler.value(vid)[1] == "Authorization" for vid in route.handler.made_by("const")):
        return True  # handed on to those who look at it
    for fn, _ in project.graph.below(route.handler, 2, ("call", "property")):
        if any(fn.value(vid)[2] in STRANGERS for vid in fn.made_by("attr")):
            return True
        if reads(project, route) and any(picks_published(fn, call) for call in fn.calls):
            return True
        asked = [call for call in fn.calls if any(SECRET.fullmatch(key) for key, _ in call.kwargs)]
        models = [model for call in asked for model in project.models(fn, call)]
        if any(model.orm is not None and model.orm.op in FINDS for model in models):
            return True
    return False


def picks_published(fn: Fn, call: Call) -> bool:
    """`Post.objects.filter(published=True)`: rows that are for everybody."""
    return any(SHOWN.fullmatch(key) and fn.const(vid) is True for key, vid in call.kwargs)


def is_plain_page(project: Project, route: Route) -> bool:
    """A fixed page or text (a probe), or a page that calculates with what the client sends."""
    found = answers(project, route.handler) if route.handler is not None else []
    if route.handler is not None and not (found or route.handler.calls or route.handler.facts.raises):
        return True  # a stub
    if route.handler is not None and found and not project.effects.has(route.handler, *LASTING):
        bodies = [answer.body for answer in found if not answer.failed]
        if bodies and all(vid >= 0 and is_fixed(project, route.handler, vid) for vid in bodies):
            return True
    pages = [answer for answer in found if answer.special == "template"]
    if not pages or any(not answer.special and not answer.failed for answer in found):
        return False
    return route.handler is not None and holds_nothing(project, route.handler)


def is_fixed(project: Project, fn: Fn, vid: int, depth: int = DEEPEST) -> bool:
    """Text, or a structure of constants, also under the name of one."""
    value = fn.value(vid) if vid >= 0 and depth else ("",)
    if value[0] == "const":
        return value[1] not in (None, "") or depth < DEEPEST
    if depth == DEEPEST and value[0] in ("list", "tuple", "dict") and not value[1]:
        return False  # nothing is said yet
    if value[0] in ("list", "tuple", "set"):
        return all(is_fixed(project, fn, item, depth - 1) for item in value[1])
    if value[0] == "dict":
        return all(is_fixed(project, fn, item, depth - 1) for pair in value[1] for item in pair)
    if value[0] != "name":
        return False
    target = project.modules.resolve(str(value[1]), fn.file.module)
    if target.kind != "variable" or target.file is None or target.rest:
        return False
    return is_fixed(project, project.module_function(target.file), target.vid, depth - 1)


def holds_nothing(project: Project, fn: Fn, depth: int = 2) -> bool:
    """No effect, no call that nobody knows, and no data of the module."""
    if depth == 0 or fn.facts.stores or set(project.effects.of(fn)) - PASSING:
        return False
    for vid in fn.made_by("name"):
        target = project.modules.resolve(str(fn.value(vid)[1]), fn.file.module)
        if (
            target.kind == "variable"
            and project.constants(fn, vid) is None
            and not project.is_instance(fn, vid, LOGGER)
        ):
            return False
    for call in fn.calls:
        if not project.callees(fn, call) or not all(
            holds_nothing(project, item, depth - 1) for item in project.targets(fn, call)
        ):
            return False
    return True


def siblings(project: Project, route: Route, routes: list[Route]) -> tuple[list[Route], str] | None:
    """The authenticated routes that make this one an exception: beside it, else in the whole application."""
    routes = [other for other in routes if other is not route and other.kind == route.kind]
    near = [other for other in routes if beside(route, other)]
    found = exception_among(project, route, near, 2)
    if found:
        return found, BESIDE
    if any(project.access.authentication(other) for other in near):
        return None
    everywhere = [other for other in routes if same_app(route, other)]
    found = exception_among(project, route, everywhere, 4 if SAFE.issuperset(route.methods) else 3)
    return (found, "of the application") if found else None


def exception_among(project: Project, route: Route, others: list[Route], fewest: int) -> list[Route]:
    """The authenticated ones, if they are the rule for routes of this kind."""
    reading = reads(project, route)
    alike = [other for other in others if reads(project, other) is reading]
    if reading or len(alike) >= 2:
        others = alike
    guarded = [other for other in others if project.access.authentication(other)]
    if much_is_open(others, guarded, 1):  # among the tools of a few, there are pages for others too
        tools = [other for other in guarded if all(map(STAFF.search, project.access.authentication(other)))]
        others, guarded = ([other for other in group if other not in tools] for group in (others, guarded))
    if reading and much_is_open(others, guarded, 2):
        return []
    share = 2 / 3 if reading else 1 / 2
    if len(guarded) < fewest or len(guarded) <= len(others) * share:
        return []
    return guarded


def much_is_open(others: list[Route], guarded: list[Route], few: int) -> bool:
    return len(others) - len(guarded) > max(few, len(others) // 8)


def reads(project: Project, route: Route) -> bool:
    """Safe methods, views of all methods and pages with a form that change nothing, and forms that only search."""
    if route.methods and SAFE.issuperset(route.methods):
        return True
    handler = route.handler
    if handler is None:
        return not route.methods
    shown = not route.methods or "GET" in route.methods or bool(SEARCH.search(f"{route.own_path} {handler.name}"))
    return shown and not project.effects.has(handler, "db-write", "commit", "mail", "queue-publish")


def same_app(route: Route, other: Route) -> bool:
    return route.inner == other.inner


def beside(route: Route, other: Route) -> bool:
    """In the same module, or below the same first part of the paths that one list holds."""
    if route.entry.fn is other.entry.fn and not route.entry.decorator and route.entry.call is not None:
        first, theirs = (NEUTRAL.sub("", item.own_path.strip("/")).partition("/")[0] for item in (route, other))
        if first == theirs and first and "{" not in first:
            return True
    ours = route.handler.path if route.handler else route.location.path
    theirs = other.handler.path if other.handler else other.location.path
    return ours == theirs
