from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    SAFE,
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    Route,
    Step,
    Vid,
    limited_inside,
    name_of_value,
    request_reads,
    snake,
)

from .signing import BY_OTHERS, NOT_SIGN_IN, about_signing_in, is_sign_in
from .slowed import is_slowed

SIGN_UP = re.compile(r"regist|sign[-_]?up", re.IGNORECASE)
MAY = re.compile(r"(^|_)(can|may)_(log|sign)_?in($|_)", re.IGNORECASE)
"""What a page asks before it shows a form."""
FORGOTTEN = re.compile(r"password|forgot|reset|recover|magic_?link|send_?code|resend", re.IGNORECASE)
"""Routes that send mail to whoever is named, or take what was in it."""
CONFIRMS = re.compile(r"confirm|complete|finish", re.IGNORECASE)
"""The end of what was begun by a mail."""
ADDRESS = frozenset(
    {"host", "url", "path", "full_path", "base_url", "scheme", "get_host", "build_absolute_uri", "headers", "cookies"}
)
"""Reads of a request that are no credentials."""
CREDENTIAL = re.compile(
    r"(\w+_)?(pass(word|wd|code|phrase)?|pwd|otp|totp|pin|code|token|secret|credentials?|assertion|proof|answer)s?_?\d?(_\w+)?",
    re.IGNORECASE,
)
"""What a client sends to get in."""
MAILED = re.compile(r"(\w+_)?(otp|totp|pin|code|token|key|e?mail|username|phone)s?(_\w+)?", re.IGNORECASE)
"""What whoever has forgotten a password gives instead: a text out of a mail, or where to send one."""
COMPARES = re.compile(
    r"authenticat|verif|check_|validat|log_?in|sign_?in|log_?user|magic|two_?factor|otp|send|mail", re.IGNORECASE
)
"""Calls that look at it, or let somebody in."""
STORED = re.compile(
    r"(\w+_)?(hashed_(password|passwd|pwd|pin)|(password|passwd|pwd|pin|passcode)_?(hash|digest))", re.IGNORECASE
)
"""What a database keeps of a password."""
CALLER = frozenset({"user", "user_id", "current_user"})
REACHES = re.compile(r"mail|phone|password", re.IGNORECASE)
PLAIN_SERIALIZER = "rest_framework.serializers.Serializer"
SEEN = frozenset({"is_authenticated", "is_anonymous", "is_active"})
"""What a page asks of a visitor before it lets him sign in."""
OF_ACCOUNT = re.compile(r"change|update|edit|delete|remove|confirm", re.IGNORECASE)
"""What somebody who has signed in does, and gives the password for once more."""
CHECKS_SIGNED = "check_token"
"""A method of Django's makers of signed tokens, and of those that are made after them."""
LINKED = frozenset({"token", "reset_token", "invitation", "invitation_token", "invite_token"})
"""What a link in a mail has in it."""
VERBS = frozenset({"post", "put"})
IN_HEADER = frozenset({"HTTP_AUTHORIZATION", "Authorization"})


def check(project: Project) -> Iterator[Hit]:
    seen = set()
    modules: dict[str, list[Route]] = {}
    for route in project.routes:
        if route.handler is not None:
            modules.setdefault(route.handler.path, []).append(route)
    for route in project.routes:
        counts = route.kind == "http" and route.place not in seen and project.counts(route.place)
        if not counts or project.access.rate_limits(route):
            continue
        if (is_sign_in(route) or tries_password(project, route)) and not project.access.guarded(route):
            if limited_inside(project, route):
                continue
            if takes_signed(project, route):
                continue
            what = harm(project, route)
            message = f"can be tried without end: {what} that way. Limit attempts per account and per address."
            seen.add(route.place)
            guessed = asks(project, route) and tries(project, route) and not elsewhere(project, route)
            known = route.handler is not None or bool(route.entry.handlers)  # else nobody knows what answers
            known = known and not by_unknown_view(project, route) and not is_slowed(project, route)
            profile: Profile = "default" if guessed and known else "strict"
            yield Hit(f"{route.label} {message}", told_at(route), function=route.function, profile=profile)
            continue
        if route.handler is None or project.access.authentication(route):
            continue
        example = limited_sibling(project, route, modules[route.handler.path])
        if example is not None:
            seen.add(route.place)
            yield Hit(
                f"{route.label} is open to everybody and has no rate limit, as {example.label} beside it does. Limit how often it "
                "can be called.",
                route.place,
                related=(Step(example.place, f"{example.label} is limited"),),
                function=route.function,
            )


def told_at(route: Route) -> Location:
    """A class of views names its limits for all of its methods."""
    fn = route.handler
    by_class = fn is not None and route.cls is fn.cls is not None and fn.name in VERBS
    return route.cls.header if by_class and route.cls is not None else route.place


def harm(project: Project, route: Route) -> str:
    if mails_to(project, route):
        return "accounts are found out and their mailboxes filled"
    if SIGN_UP.search(f"{route.path} {snake(route.name)}"):
        return "accounts are made in any number"
    return "passwords and codes are guessed"


def tries_password(project: Project, route: Route) -> bool:
    """Whether the handler compares a password that the client sends, whatever it is called; not one that each request has in
    its header, as those of an API have it."""
    if "POST" not in route.methods or NOT_SIGN_IN.search(route.path) or OF_ACCOUNT.search(f"{route.path} {route.name}"):
        return False
    if route.handler is not None and uses_caller(route.handler):
        return False  # whoever has signed in gives it once more
    fns = reached(project, route)
    if any(fn.value(vid)[1] in IN_HEADER for fn in fns for vid in fn.made_by("const")):
        return False
    for fn in fns:
        for site in project.effects.direct(fn):
            model = site.model
            asks_who = model.auth is not None and model.auth.role == "authenticate"
            given = {key for key, _ in site.call.kwargs} & {"password", "**"}
            if (asks_who and given) or (model.password is not None and model.password.op == "verify"):
                return True
        if compares_stored(fn):
            return True
    return False


def compares_stored(fn: Fn) -> bool:
    """`account.password_hash != digest_of(given)`."""
    for vid in fn.made_by("compare"):
        _, operators, sides = fn.value(vid)
        names = [name_of_value(fn, side) for side in sides if fn.unguarded(side)[0] == "attr"]
        if operators in (("==",), ("!=",)) and any(STORED.fullmatch(name) for name in names):
            return not any(fn.const(side) is None for side in sides)
    return False


def elsewhere(project: Project, route: Route) -> bool:
    """Whether the route is about signing in, and its words say that the password is asked for at another place."""
    parts = [part for part in route.path.split("/") if part and "{" not in part]
    words = [snake(re.sub(r"[-.]+", "_", part)) for part in (*parts[-2:], route.name)]
    others = any(BY_OTHERS.search(word) or MAY.search(word) for word in words)
    return others and not asks_password(project, reached(project, route), ops=("verify",))


def asks_password(project: Project, fns: list[Fn], ops: tuple[str, ...] = ()) -> bool:
    """Whether something that they call looks at a password (in one of these ways), or at who gave one."""
    models = [site.model for fn in fns for site in project.effects.direct(fn)]
    return any(
        (model.password is not None and (not ops or model.password.op in ops))
        or (model.auth is not None and model.auth.role == "authenticate")
        for model in models
    )


def tries(project: Project, route: Route) -> bool:
    """Whether something is compared there that can be guessed, or mail is sent: not what somebody does who is in already."""
    if route.handler is None:
        return not takes_no_credential(project, route)
    if sends(project, route):
        return True
    if "/admin/" in route.path and FORGOTTEN.search(route.path):
        return False  # what those who run the service do for others
    fns = reached(project, route)
    if asks_password(project, fns):
        return True
    bases = project.hierarchy.library_bases(route.cls) if route.cls is not None else ()
    goes_on = bool(bases) and any(hands_on(project, route.handler, call) for call in route.handler.calls)
    if goes_on and any(re.search("log_?in|sign_?in|token|auth", snake(name.rpartition(".")[2])) for name in bases):
        return True
    if any(uses_caller(fn) for fn in (route.handler, *route.called, *(fn for fn in fns if fn.cls is route.cls))):
        return False
    if goes_on:
        return True
    given = MAILED if FORGOTTEN.search(route.path) else CREDENTIAL
    return any(takes_credential(fn, given) for fn in fns)


def by_unknown_view(project: Project, route: Route) -> bool:
    """A view of a package that nobody describes, which may count attempts, and nothing of the project's looks at a password."""
    if route.cls is None:
        views = [] if route.handler is not None else [ref.name for ref in route.entry.handlers if ref.kind == "lib"]
        return bool(views) and all(project.libraries.library_of(name) is None for name in views)
    unknown = any(project.libraries.library_of(base) is None for base in project.hierarchy.library_bases(route.cls))
    own = [fn for cls in project.hierarchy.mro(route.cls) for fn in cls.methods.values()]
    return unknown and not asks_password(project, [*reached(project, route), *own])


def takes_no_credential(project: Project, route: Route) -> bool:
    """A view of the library's whose serializer spells out its fields, none of which lets anybody in: the caller is known already."""
    serializer = serializer_of(project, route)
    if serializer is None or set(project.hierarchy.library_bases(serializer)) != {PLAIN_SERIALIZER}:
        return False
    names = [name for cls in project.hierarchy.mro(serializer) for name in cls.facts.attributes]
    return bool(names) and not any(CREDENTIAL.fullmatch(name) or REACHES.search(name) for name in names)


def serializer_of(project: Project, route: Route) -> Cls | None:
    """The project's class that the view's `serializer_class` names."""
    owners = project.hierarchy.mro(route.cls) if route.cls is not None else ()
    owner = next((cls for cls in owners if "serializer_class" in cls.facts.attributes), None)
    refs = project.refs(owner.owner, owner.facts.attributes["serializer_class"]) if owner is not None else ()
    return next((project.classes[ref.name] for ref in refs if ref.kind == "class"), None)


def uses_caller(fn: Fn) -> bool:
    """`request.user` as the one whom it is about, and not only to ask whether there is one."""
    asked = {fn.value(vid)[1] for vid in fn.made_by("attr") if fn.value(vid)[2] in SEEN}
    found = (vid for vid in fn.made_by("attr") if fn.value(vid)[2] in CALLER and vid not in asked)
    return any(of_request(fn, fn.value(vid)[1]) for vid in found)


def of_request(fn: Fn, vid: Vid) -> bool:
    """`request`, `self.request`, `request.state`."""
    value = fn.unguarded(vid)
    if value[0] == "attr":
        return value[2] == "request" or (value[2] == "state" and of_request(fn, value[1]))
    return value[0] == "param" and fn.facts.params[value[1]].name in ("request", "req")


def takes_credential(fn: Fn, given: re.Pattern[str]) -> bool:
    """A field, parameter or call of that name."""
    names = [param.name for param in fn.facts.params]
    names += [fn.value(vid)[2] for vid in fn.made_by("attr")]
    names += [text for vid in fn.made_by("const") if isinstance(text := fn.value(vid)[1], str) and len(text) < 40]
    called = [fn.callee_name(call) for call in fn.calls]
    return any(given.fullmatch(name) for name in names) or any(
        COMPARES.search(name) for name in called if not name[:1].isupper()
    )


def takes_signed(project: Project, route: Route) -> bool:
    """Whether it goes by a signed text, which nobody guesses, and compares no password."""
    if route.handler is None:  # a library's view, which takes what was in a mail
        return FORGOTTEN.search(route.path) is not None and CONFIRMS.search(route.path) is not None
    if FORGOTTEN.search(route.path) and (reads_token(project, route.handler) or is_given_token(route.handler)):
        return True
    if sends(project, route):
        return False  # whoever has no token yet has one sent
    fns = reached(project, route)
    if FORGOTTEN.search(route.path) and any(names_token(fn) for fn in fns):
        return True
    if any(fn.callee_name(call) == CHECKS_SIGNED for fn in fns for call in fn.calls) and not any(
        map(names_password, fns)
    ):
        return True
    models = [site.model for fn in fns for site in project.effects.direct(fn)]
    raised = {
        name: project.libraries.exception(name)
        for model in models
        if "trust" in model.sanitizes
        for name in model.raises
    }
    verifies = any(item is not None and item.kind == "auth" for item in raised.values())
    if any(names_password(fn) for fn in fns):
        return False  # by either
    return verifies and not any(model.password is not None and model.password.op == "verify" for model in models)


def sends(project: Project, route: Route) -> bool:
    return route.handler is not None and project.effects.has(route.handler, "mail", "queue-publish")


def mails_to(project: Project, route: Route) -> bool:
    """Whether it sends mail to whoever is named, by what it does or its name."""
    name = f"{route.path} {route.name}"
    compares = asks_password(project, reached(project, route), ops=("verify",))
    return bool(FORGOTTEN.search(name)) and (
        route.handler is None
        or (sends(project, route) and not compares)
        or bool(re.search("forgot|magic|send", name, re.IGNORECASE))
    )


def names_password(fn: Fn) -> bool:
    """`authenticate(name, password=request.POST["password"])`: whatever looks at it then."""
    return any(
        fn.unguarded(vid)[0] in ("call", "item") and "password" in map(fn.const, parts_of(fn, vid))
        for call in fn.calls
        for key, vid in call.kwargs
        if key == "password"
    )


def parts_of(fn: Fn, vid: Vid) -> tuple[Vid, ...]:
    """The key of a reading: `form["password"]`, `form.get("password")`."""
    value = fn.unguarded(vid)
    return fn.calls[value[1]].args if value[0] == "call" else (value[2],)


def reads_token(project: Project, fn: Fn) -> bool:
    """`request.GET.get("token")`: out of a mail that was sent before."""
    for call in fn.calls:
        func = fn.value(call.func)
        asked = func[0] == "attr" and func[2] == "get" and bool(call.args) and fn.const(call.args[0]) == "token"
        if asked and any(origin.what == "request" for origin in project.taint.labels(fn, call.value)):
            return True
    return False


def is_given_token(fn: Fn) -> bool:
    """`body.invitation` of what the handler is given."""
    given = (fn.value(vid) for vid in fn.made_by("attr"))
    return any(value[2] in LINKED and fn.unguarded(value[1])[0] == "param" for value in given)


def names_token(fn: Fn) -> bool:
    """`body.token`, `data["invitation"]`: a long text out of a mail, to which the new password belongs."""
    attributes = (fn.value(vid)[2] for vid in fn.made_by("attr"))
    return not LINKED.isdisjoint((*attributes, *(fn.value(vid)[1] for vid in fn.made_by("const"))))


def asks(project: Project, route: Route) -> bool:
    """Whether anything that the client sends is seen to be read: who only sends people on to another site compares nothing."""
    if route.handler is None and route.cls is not None and not project.hierarchy.library_bases(route.cls):
        return False  # another class answers
    if route.handler is None or any(param.origin != "path" for param in route.params):
        return True
    for fn in reached(project, route):
        if any(read.name not in ADDRESS for read in request_reads(project, fn)) or takes_form(project, fn):
            return True
    return any(hands_on(project, route.handler, call) for call in route.handler.calls)


def hands_on(project: Project, fn: Fn, call: Call) -> bool:
    """`super().post(request)`: something that is not known gets what the function was given."""
    given = any(fn.unguarded(vid)[0] == "param" and fn.unguarded(vid) != ("param", 0) for vid in call.passed)
    given = given or (fn.cls is None and any(fn.unguarded(vid)[0] == "param" for vid in call.passed))
    return given and not project.targets(fn, call) and not project.models(fn, call)


def takes_form(project: Project, fn: Fn) -> bool:
    for call in fn.calls:
        for ref in project.callees(fn, call):
            cls = project.classes.get(ref.name) if ref.kind == "class" else None
            if cls is not None and project.hierarchy.role(cls) in ("form", "serializer", "schema"):
                return True
    return any(fn.value(vid)[2] in ("data", "POST", "get_serializer", "get_form", "body") for vid in fn.made_by("attr"))


def reached(project: Project, route: Route) -> list[Fn]:
    """The handler and what it calls, a serializer's check of its data included (`self.serializer_class(data=request.data)`)."""
    if route.handler is None:
        return []
    found = [fn for fn, _ in project.graph.below(route.handler, 3)]
    asks = {value[2] for fn in found for vid in fn.made_by("attr") if (value := fn.value(vid))[1] == 0}
    if route.cls is None or asks.isdisjoint({"serializer_class", "get_serializer"}):
        return found
    serializer = serializer_of(project, route)
    checked = project.method(serializer, "validate") if serializer is not None else None
    return found + ([fn for fn, _ in project.graph.below(checked, 2)] if checked is not None else [])


def limited_sibling(project: Project, route: Route, module: list[Route]) -> Route | None:
    """An open route of the same module that has a limit, where that is usual there."""
    if not route.methods or re.search(r"health|ready|live|ping|metrics|docs", route.path):
        return None  # of what answers all methods nobody knows what it does
    near = [other for other in module if other is not route and not project.access.authentication(other)]
    limited = [
        other
        for other in near
        if set(project.access.rate_limits(other)) - {other.name} - project.access.usual_limits
        and not about_signing_in(other)
        and other.methods
        and SAFE.issuperset(other.methods) == SAFE.issuperset(route.methods)
    ]
    return limited[0] if limited and len(limited) * 2 >= len(near) else None
