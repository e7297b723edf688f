"""Who may call a route: evidence of authentication, authorisation and rate limits between client and handler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import FileFacts, Vid
from backendlint.facts.settings import setting
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.errors.owncodes import exception_status
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import unchanged
from backendlint.project.linking.variables import of_all_modules
from backendlint.project.routes import Route, status_of
from backendlint.project.web.anonymous import (
    asks_for,
    by_list,
    identities,
    is_foreign,
    is_lenient,
    items,
    lets_pass,
    lets_through,
    library_views,
    limiting_views,
    limits,
    limits_that_hold,
    lists_none,
    lists_own,
    open_to_read,
    raised_at_strangers,
    screens,
    serves_strangers,
    texts_in,
    turns_away,
)
from backendlint.project.web.answers import answers
from backendlint.project.web.passages import before_middleware
from backendlint.project.web.unasked import asks, opened, unasked

if TYPE_CHECKING:
    from backendlint.project.model import Project

AUTHENTICATE, AUTHORIZE, LIMIT, EXEMPT = "authenticate", "authorize", "limit", "exempt"
DEPTH = 3
"""Calls below a guard in which evidence counts."""
_REFUSALS = {401: AUTHENTICATE, 403: AUTHORIZE, 407: AUTHENTICATE, 429: LIMIT}
_ROLES = {"permission": AUTHORIZE, "authentication": AUTHENTICATE, "throttle": LIMIT}
_AUTH_NAME = re.compile(
    r"(current|authenticated|logged_?in|active)_?(active_?)?(user|customer|admin|account|principal|identity|superuser|member)"
    r"|(login|auth|jwt|token|permissions?|roles?|scopes?|admin|staff|api_?key|user|identity|session|signature)_?(is_)?required"
    r"|^(require|requires|need|needs|ensure|check|verify|validate|assert|must_be|enforce)_?\w*"
    r"(auth|login|user|admin|staff|role|permission|perm|scope|token|api_?key|jwt|access|owner|credential|principal|signature)"
    r"|^(authenticat|authoriz|authoris|unsign)|(_auth|_authenticated|_authorized|_permission)$|^(auth|protected|secured|permission_?checker|role_?checker)$",
    re.IGNORECASE,
)
_AUTHORIZE_NAME = re.compile(
    r"permi|role|scope|admin|staff|superuser|owner|authori[sz]|access|tenant|member", re.IGNORECASE
)
_MAY_NOT = re.compile(f"{_AUTHORIZE_NAME.pattern}|privilege|forbidden|denied|not_?allowed", re.IGNORECASE)
_LIMIT_NAME = re.compile(r"rate_?limit|throttl|limiter|token_?bucket", re.IGNORECASE)
_OPTIONAL_NAME = re.compile(r"optional|maybe|or_none|if_any|anonymous", re.IGNORECASE)
_IDENTITY_TEST = re.compile(
    r"is_(authenticated|staff|superuser|admin)|has_(object_)?perms?(ission)?(_for)?|has_role|can_\w+"
)
_BEFORE = ("dispatch", "prepare", "initial", "check_permissions")
"""Methods of a class of handlers that run before the one that answers."""
_ROWS = ("get_object", "get_queryset")
"""Methods of a class of handlers that fetch what it is about."""
_METHODS = tuple("__call__ dispatch process_request process_view has_permission authenticate allow_request".split())


class Access:
    """Answers who guards a route; remembers what functions do."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._functions: dict[str, frozenset[str]] = {}
        self._routes: dict[int, dict[str, tuple[str, ...]]] = {}
        self._spelled: dict[str, frozenset[str]] = {}
        """The texts in each middleware of the project's own."""
        self._defaults = self._project_defaults()
        self._opens_reads = open_to_read(project)

    def authentication(self, route: Route) -> tuple[str, ...]:
        """Names of what authenticates or authorises the caller; empty where nothing is known to."""
        found = self._of(route)
        return found.get(AUTHENTICATE, ()) + found.get(AUTHORIZE, ())

    def guarded(self, route: Route) -> bool:
        """Whether something checks the caller before the handler runs."""
        roles = {role for role, _ in before_middleware(self.project, route, self._before(route))}
        if roles & {AUTHENTICATE, AUTHORIZE}:
            return True
        open_to_all = EXEMPT in roles or lists_none(self.project, route.cls)
        return not open_to_all and any(role in (AUTHENTICATE, AUTHORIZE) for role, _ in self._by_default(route))

    def _by_default(self, route: Route) -> Iterator[tuple[str, str]]:
        """What the settings say of a route that says nothing itself: role, name."""
        own = lists_own(self.project, route.cls)
        for role, library, name in self._defaults:
            replaced = own and library == "rest_framework" and role != LIMIT
            applies = not replaced and (not library or self._uses(route, library))
            if applies and not lets_pass(route, self._spelled.get(name, ())):
                yield role, name

    def authorization(self, route: Route) -> tuple[str, ...]:
        """Names of what checks roles, permissions or ownership before or in the handler."""
        return self._of(route).get(AUTHORIZE, ())

    @cached_property
    def identities(self) -> frozenset[str]:
        """Attributes of the request's own object that say who calls."""
        return identities(self.project, lambda fn: AUTHENTICATE in self.of_function(fn))

    def unapplied(self, route: Route) -> tuple[str, ...]:
        """Names of what was to check the caller, but stands above the decorator that registers the route without it."""
        found = (item for ref in route.idle for item in self.of_ref(ref))
        return tuple(name for role, name in found if role in (AUTHENTICATE, AUTHORIZE))

    @cached_property
    def usual_limits(self) -> frozenset[str]:
        """Names of limits that settings give to all routes of a library."""
        return frozenset(name for role, _, name in self._defaults if role == LIMIT)

    def rate_limits(self, route: Route) -> tuple[str, ...]:
        """Names of what limits how often the route can be called."""
        return limits_that_hold(self.project, route, self._of(route).get(LIMIT, ()))

    def exempt(self, route: Route) -> bool:
        """Whether the code says that anybody may call it."""
        return EXEMPT in self._of(route) or bool(opened(self.project, route))

    def _of(self, route: Route) -> dict[str, tuple[str, ...]]:
        known = self._routes.get(id(route))
        if known is None:
            found: dict[str, dict[str, None]] = {}
            for role, name in self._evidence(route):
                opened = role in (AUTHENTICATE, AUTHORIZE) and self._opens_reads(route, name)
                found.setdefault(EXEMPT if opened else role, {})[name] = None
            known = self._routes[id(route)] = {role: tuple(names) for role, names in found.items()}
        return known

    def _evidence(self, route: Route) -> Iterator[tuple[str, str]]:
        own = list(self._route_evidence(route))
        yield from own
        roles = {role for role, _ in own}
        for role, name in self._by_default(route):
            if role == LIMIT or not roles & {role, EXEMPT}:
                yield role, name

    def _route_evidence(self, route: Route) -> Iterator[tuple[str, str]]:
        yield from before_middleware(self.project, route, self._before(route))
        if route.handler is not None:
            yield from self._body(route.handler)

    def _before(self, route: Route) -> Iterator[tuple[str, str]]:
        """What stands between client and handler."""
        told = opened(self.project, route)
        listing, bare = by_list(self.project, route.handler) | told, unasked(self.project, route)
        for ref in (ref for ref in route.guards if not is_lenient(self.project, route, ref)):
            for role, name in self.of_ref(ref) if ref.name not in listing else ():
                if asks(role, ref, bare) and (ref not in route.idle or role not in (AUTHENTICATE, AUTHORIZE)):
                    yield role, name
        for fn in (*route.dependencies, *route.hooks):
            yield from ((role, fn.name) for role in self.of_function(fn))
        if route.cls is not None:
            yield from self._class_evidence(route.cls, bare)
        yield from ((LIMIT, name) for name in limiting_views(self.project, route))
        if route.handler is not None:
            yield from self._decorator_arguments(route.handler)

    # refs

    def of_ref(self, ref: Ref) -> Iterator[tuple[str, str]]:
        """What a decorator, dependency, permission class or middleware contributes, with its name."""
        last = ref.name.rpartition(".")[2]
        if ref.kind == "func":
            fn = self.project.functions.get(ref.name)
            yield from ((role, last) for role in self.of_function(fn)) if fn else ()
        elif ref.kind in ("class", "inst"):
            cls = self.project.classes.get(ref.name)
            if cls is not None:
                yield from self._guard_class(cls)
        else:
            yield from self._library(ref, last)

    def _library(self, ref: Ref, last: str) -> Iterator[tuple[str, str]]:
        libraries = self.project.libraries
        known = False
        for model in (libraries.decorator(ref.name), libraries.call(ref.name)):
            if model is None:
                continue
            known = True
            if model.auth is not None and model.auth.role in (AUTHENTICATE, AUTHORIZE, EXEMPT):
                yield model.auth.role, last
            if model.ratelimit is not None and model.ratelimit.role == "limit":
                yield LIMIT, last
        for cls in libraries.lineage(ref.name):
            known = True
            if cls.subclass_role in _ROLES and not any(
                m is not None and m.auth is not None for m in (libraries.call(ref.name), libraries.decorator(ref.name))
            ):
                yield _ROLES[cls.subclass_role], last
        if not known:
            yield from _by_name(last)

    def _guard_class(self, cls: Cls) -> Iterator[tuple[str, str]]:
        role = _ROLES.get(self.project.hierarchy.role(cls))
        if role:
            yield role, cls.name
            return
        found = False
        for name in _METHODS:
            method = self.project.method(cls, name)
            if method is None or (name == "authenticate" and lets_through(method)):
                continue
            if self.project.layer(method) != "controller":
                for item in self.of_function(method):
                    found = True
                    yield item, cls.name
        if not found:
            for base in self.project.hierarchy.library_bases(cls):
                model = self.project.libraries.call(base)
                if model is not None and model.auth is not None:
                    yield model.auth.role, cls.name

    # functions

    def of_function(self, fn: Fn, depth: int = DEPTH) -> frozenset[str]:
        """Roles that the function plays when it stands before a handler."""
        known = self._functions.get(fn.fqn)
        if known is None:
            self._functions[fn.fqn] = frozenset()
            if _OPTIONAL_NAME.search(fn.name):
                return frozenset()
            found = {*self._direct(fn), *(role for role, _ in _by_name(fn.name))}
            if fn.parent is not None and _LIMIT_NAME.search(
                fn.parent.name
            ):  # `rate_limit("login", 5)` gives what counts
                found.add(LIMIT)
            for nested in self._nested(fn):
                found.update(self.of_function(nested, depth))
                found.update(role for ref in nested.decorators for role, _ in self.of_ref(ref))
            if depth > 0:
                for edge in self.project.graph.callees(fn):
                    if edge.kind in ("call", "inject"):
                        found.update(self.of_function(edge.callee, depth - 1))
            known = self._functions[fn.fqn] = frozenset(found)
        return known

    def _nested(self, fn: Fn) -> Iterator[Fn]:
        return (other for other in self.project.functions_of(fn.file) if other.parent is fn and not fn.is_module)

    def _direct(self, fn: Fn) -> Iterator[str]:
        for site in self.project.effects.direct(fn):
            if site.model.auth is not None and site.model.auth.role in (AUTHENTICATE, AUTHORIZE):
                yield site.model.auth.role
            if self._verifies(site.model) or (site.model.jwt is not None and site.model.jwt.op == "decode"):
                yield AUTHENTICATE
            if site.model.ratelimit is not None and site.model.ratelimit.role == "limit":
                yield LIMIT
            if site.model.response is not None and site.model.response.status is not None:
                yield from self._refusal(fn, site.call.args, site.call.kwargs, site.model.response.status)
        yield from self._raised(fn)
        yield from self._own_refusals(fn)
        for vid in fn.made_by("attr"):
            name = str(fn.facts.values[vid][2])
            if _IDENTITY_TEST.fullmatch(name):
                yield AUTHENTICATE if name == "is_authenticated" else AUTHORIZE

    def _verifies(self, model: CallModel) -> bool:
        """Whether it takes a signature, which only those have to whom it was given."""
        raised = (self.project.libraries.exception(name) for name in model.raises)
        return "trust" in model.sanitizes and any(item is not None and item.kind == "auth" for item in raised)

    def _refusal(
        self, fn: Fn, args: tuple[Vid, ...], kwargs: tuple[tuple[str, Vid], ...], status: object
    ) -> Iterator[str]:
        keywords = getattr(status, "keywords", ())
        position = getattr(status, "position", -1)
        vids = [vid for key, vid in kwargs if key in keywords]
        if 0 <= position < len(args):
            vids.append(args[position])
        for vid in vids:
            role = _REFUSALS.get(status_of(self.project, fn, vid) or 0)
            if role:
                yield role

    def _own_refusals(self, fn: Fn) -> Iterator[str]:
        """By responses and exceptions of the project's own. 403 is said of people who are not known as well: only names tell."""
        for answer in answers(self.project, fn):
            if answer.failed and not answer.raised and answer.status in _REFUSALS:
                yield LIMIT if answer.status == 429 else AUTHENTICATE
        for item in fn.facts.raises:
            status = exception_status(self.project, fn, item.exc) if item.exc >= 0 else None
            if status in _REFUSALS:
                value = fn.unguarded(item.exc)
                name = fn.callee_name(fn.calls[value[1]]) if value[0] == "call" else str(value[-1])
                said = _MAY_NOT.search(fn.name) or (_MAY_NOT.search(name) and "uthenticat" not in name)
                yield LIMIT if status == 429 else AUTHORIZE if status == 403 and said else AUTHENTICATE

    def _raised(self, fn: Fn) -> Iterator[str]:
        for name in raised_at_strangers(self.project, fn):
            model = self.project.libraries.exception(name)
            if model is not None and model.status in _REFUSALS:
                yield _REFUSALS[model.status]
            elif re.search(r"Unauthori[sz]ed|NotAuthenticated|AuthenticationFailed", name):
                yield AUTHENTICATE
            elif re.search(r"Forbidden|PermissionDenied|AccessDenied|NotAuthorized", name):
                yield AUTHORIZE

    # classes and bodies

    def _class_evidence(self, cls: Cls, bare: set[str]) -> Iterator[tuple[str, str]]:
        """Lists of permission, authentication and throttle classes, or of decorators, on a class of handlers; `bare` ones ask
        for nothing but that somebody is known."""
        for ref in self.listed(cls):
            yield from (item for item in self._permission(ref) if asks(item[0], ref, bare))
        for owner in self.project.hierarchy.mro(cls):
            for ref in self._elements(owner.owner, owner.facts.attributes.get("permission_classes", -1)):
                if not set(self._permission(ref)) and is_foreign(self.project, ref):
                    yield AUTHORIZE, ref.name.rpartition(".")[2]
            if "get_permissions" in owner.methods:
                yield AUTHORIZE, "get_permissions"
            for name, method in owner.methods.items():
                if name in _BEFORE or _AUTH_NAME.search(name.lstrip("_")):
                    for role in self.of_function(method):
                        yield role, name
                if name in _ROWS and asks_for(method):
                    yield AUTHORIZE, name
                if name == "dispatch" and screens(self.project, method):
                    yield AUTHORIZE, owner.name

    def listed(self, cls: Cls) -> Iterator[Ref]:
        """What lists among the class's attributes name: permission classes, decorators of its handlers."""
        for owner in self.project.hierarchy.mro(cls):
            for vid in owner.facts.attributes.values():
                yield from self._elements(owner.owner, vid)

    def _permission(self, ref: Ref) -> Iterator[tuple[str, str]]:
        if ref.kind in ("lib", "libinst", "func", "class", "inst"):
            cls = self.project.classes.get(ref.name) if ref.kind in ("class", "inst") else None
            if cls is not None and self.project.hierarchy.role(cls) in _ROLES:
                yield _ROLES[self.project.hierarchy.role(cls)], cls.name
            elif ref.kind in ("lib", "libinst", "func"):
                yield from self.of_ref(ref)

    def _elements(self, fn: Fn, vid: Vid) -> Iterator[Ref]:
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] in ("list", "tuple", "set"):
            for item in value[1]:
                part = fn.facts.values[item]
                if part[0] == "binop":
                    yield from self._elements(fn, item)
                elif part[0] == "call" and not self.project.refs(fn, item):
                    called = self.project.callees(fn, fn.facts.calls[part[1]])
                    yield from (ref for ref in called if ref.kind in ("lib", "func"))
                else:
                    yield from self.project.refs(fn, item)
        elif value[0] == "binop":
            for item in value[2:4]:
                yield from (*self._elements(fn, item), *self.project.refs(fn, item))

    def _decorator_arguments(self, fn: Fn) -> Iterator[tuple[str, str]]:
        """`@permission_classes([IsAdmin])`."""
        home = fn.parent or fn
        for vid in fn.facts.decorators:
            value = home.facts.values[vid]
            if value[0] != "call":
                continue
            for argument in home.facts.calls[value[1]].args:
                for ref in self._elements(home, argument):
                    if ref.kind in ("lib", "class"):
                        yield from self._permission(ref)

    def _body(self, fn: Fn) -> Iterator[tuple[str, str]]:
        """Checks in the handler itself."""
        for role in self._direct(fn):
            yield role, fn.name
        yield from self._handed_on(fn)
        for edge in self.project.graph.callees(fn):
            if edge.kind == "call" and (_AUTH_NAME.search(edge.callee.name) or _LIMIT_NAME.search(edge.callee.name)):
                for role in self.of_function(edge.callee) if not serves_strangers(fn, edge) else ():
                    yield role, edge.callee.name

    def _handed_on(self, fn: Fn) -> Iterator[tuple[str, str]]:
        """`return OrderController.create()`: what decorates the function that answers in the handler's place; of several
        (one for each method, say), what decorates all."""
        given = [fn.facts.values[vid] for vid in fn.returned]
        answers = {fn.facts.values[value[1]] if value[0] == "await" else value for value in given}
        found: list[dict[str, str]] = []
        for answer in answers:
            targets = self.project.targets(fn, fn.facts.calls[answer[1]]) if answer[0] == "call" else []
            evidence = (item for target in targets for ref in target.decorators for item in self.of_ref(ref))
            found.append(dict(evidence))
        for role in set(found[0]).intersection(*found[1:]) if found else ():
            yield role, found[0][role]

    # the whole project

    def _uses(self, route: Route, library: str) -> bool:
        guards = (*route.guards, *(route.handler.decorators if route.handler else ()))
        names = (ref.name for ref in guards)
        served = library == "django" and route.framework in ("django", "drf")
        owners = (owner for name in library_views(self.project, route) for owner in self.project.libraries.mro(name))
        return served or any(name.startswith(f"{library}.") for name in (*names, *owners))

    def _middleware(self, file: FileFacts) -> Iterator[tuple[str, str]]:
        """Django's middleware that lets nobody through who has not signed in, may not call the view, or calls too often."""
        fn = self.project.module_function(file)
        own = [name for name in file.names if name.startswith(("MIDDLEWARE", "DJANGO_MIDDLEWARE"))]
        names = dict.fromkeys(("MIDDLEWARE", *own))
        texts = [fn.const(item) for name in names for vid in setting(file, name) for item in items(fn, vid)]
        for text in texts:
            if not isinstance(text, str) or "." not in text:
                continue
            if text == "django.contrib.auth.middleware.LoginRequiredMiddleware":
                yield AUTHENTICATE, text.rpartition(".")[2]
            if limits(self.project, text):
                yield LIMIT, text.rpartition(".")[2]
            for ref in self.project.resolver.dotted(text, fn.file.module):
                cls = self.project.classes.get(ref.name) if ref.kind == "class" else None
                methods = [cls.methods[name] for name in _METHODS if name in cls.methods] if cls is not None else []
                if cls is not None and any(turns_away(self.project, method, self._raised) for method in methods):
                    self._spelled[cls.name] = texts_in(methods)
                    yield AUTHENTICATE, cls.name
                if cls is not None and any(LIMIT in self.of_function(method) for method in methods):
                    yield LIMIT, cls.name
                view = cls.methods.get("process_view") if cls is not None else None
                if cls is not None and view is not None and AUTHORIZE in self.of_function(view):
                    yield AUTHORIZE, cls.name

    def _project_defaults(self) -> list[tuple[str, str, str]]:
        """Defaults in settings: (role, library to whose handlers they apply, name)."""
        found = []
        for fn, vid in of_all_modules(self.project, "REST_FRAMEWORK"):
            written = unchanged(fn, vid)  # `REST_FRAMEWORK["X"] = ...` adds to it
            for key, item in written[1] if written[0] == "dict" else ():
                if key < 0 or fn.const(key) not in _SETTINGS:
                    continue
                value = fn.facts.values[item]
                for text in (str(fn.const(part)) for part in value[1]) if value[0] in ("list", "tuple") else ():
                    refs = self.project.resolver.dotted(text, fn.file.module)
                    for given, name in (item for ref in refs for item in self._permission(ref)):
                        if given != EXEMPT:
                            found.append((given, "rest_framework", name))
        for file in self.project.files.values():
            found.extend((role, "" if role == LIMIT else "django", name) for role, name in self._middleware(file))
        for site in self.project.effects.sites:
            limit = site.model.ratelimit
            if limit is None or limit.role != "setup" or limit.limit is None:
                continue
            if list(arguments(site.call, limit.limit)):
                found.append((LIMIT, "", site.model.name.rpartition(".")[2]))
        return found


_SETTINGS = frozenset({"DEFAULT_PERMISSION_CLASSES", "DEFAULT_THROTTLE_CLASSES"})
"""Settings of Django REST framework whose classes apply to every view."""


def _by_name(name: str) -> Iterator[tuple[str, str]]:
    if _OPTIONAL_NAME.search(name):
        return
    if _LIMIT_NAME.search(name):
        yield LIMIT, name
    elif _AUTH_NAME.search(name):
        yield AUTHORIZE if _AUTHORIZE_NAME.search(name) else AUTHENTICATE, name
