"""Whether a handler finds out by itself who calls."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Project, Route, ingredients, operands

GIVEN = frozenset({"role", "principal", "actor", "identity", "caller", "viewer", "current_user", "auth", "auth_user"})
"""Parameters for whoever calls, which nobody sends."""
SWITCH = re.compile(r"(\w+_)?(allow|enable|public|anonym|open|dev)\w*|\w+_(enabled?|allowed|disabled)", re.IGNORECASE)
"""Settings that open a route, which is closed without them."""
PROOF = re.compile(
    r"(HTTP_|X[-_])[\w-]*(SIGNATURE|TOKEN|SECRET|HMAC|AUTH\w*|API[-_]?KEY)[\w-]*|authorization", re.IGNORECASE
)
ASKS = re.compile(
    r"authenticat|authori[sz]e|(validate|verify|check)_\w*(signature|token|hmac)|has_\w*perm", re.IGNORECASE
)
PARTS = frozenset("method GET POST FILES body META headers content_type path args form json data query_params".split())
"""What a client sends, which is looked at whoever it is."""
CALLER = re.compile(r"(^|\.)user(\.(id|pk|email|username))?$")
STRANGERS = ("is_authenticated", "is_anonymous")


def asks_who(project: Project, route: Route) -> bool:
    """Whether it finds out who calls below its handler, in a mixin, or by a signature; also what only another class answers."""
    if route.cls is not None and any(uses_caller(method) for method in route.cls.methods.values()):
        return True
    if looks_for_itself(project, route):
        return True
    if route.handler is None:
        return route.cls is not None and not project.hierarchy.library_bases(route.cls)
    if compares_caller(route.handler):
        return True
    if {"authenticate", "authorize"} & project.access.of_function(route.handler):
        return True
    if any(param.name in GIVEN for param in route.handler.facts.params) or is_switched(route.handler):
        return True
    sites = (site for fn, _ in project.graph.below(route.handler, 3) for site in project.effects.direct(fn))
    if any(site.model.constant_time for site in sites):
        return True
    mixed = (
        [owner for owner in project.hierarchy.mro(route.cls) if owner is not route.cls] if route.cls is not None else []
    )
    methods = [method for owner in mixed for method in owner.methods.values()]
    return any(fn.value(vid)[2] == "user" for fn in methods for vid in fn.made_by("attr"))


def looks_for_itself(project: Project, route: Route) -> bool:
    """Whether the handler reads a header that proves who sends (`X-Signature`), calls what asks who does
    (`authenticator.authenticate(request)`), or has before it what turns away by what an earlier step kept (`request.team`)."""
    fn = route.handler
    if fn is None:
        return False
    if any(isinstance(text := fn.value(vid)[1], str) and PROOF.fullmatch(text) for vid in fn.made_by("const")):
        return True
    if any(ASKS.search(fn.callee_name(call)) for call in fn.calls):
        return True
    before = [project.functions[ref.name] for ref in fn.decorators if ref.name in project.functions]
    return any(turns_away(inner) for owner in before for inner in inside(project, owner))


def inside(project: Project, owner: Fn) -> Iterator[Fn]:
    """The functions that a function makes: a decorator's wrapper."""
    for fn in project.functions_of(owner.file):
        if owner in (fn.parent, fn.parent.parent if fn.parent is not None else None):
            yield fn


def turns_away(fn: Fn) -> bool:
    """`if not request.team: raise Http404`."""
    tests = [block.value for block in fn.facts.blocks if block.kind == "if" and block.exits in ("return", "raise")]
    parts = (fn.value(part) for part in ingredients(fn.facts, [vid for vid in tests if vid >= 0]))
    return any(value[0] == "attr" and fn.unguarded(value[1])[0] == "param" and value[2] not in PARTS for value in parts)


def uses_caller(fn: Fn) -> bool:
    """`self.request.user.seats()`: nobody else has any."""
    users = {vid for vid in fn.made_by("attr") if fn.value(vid)[2] == "user" and is_request(fn, fn.value(vid)[1])}
    asked = {fn.value(vid)[1] for vid in fn.made_by("attr") if fn.value(vid)[2] in STRANGERS}
    return bool(users - asked)


def compares_caller(fn: Fn) -> bool:
    """`if sheet["owner"] != request.user.id: return ...`, whatever the answer is."""
    tests = [block.value for block in fn.facts.blocks if block.kind == "if" and block.exits and block.value >= 0]
    values = (fn.value(part) for part in ingredients(fn.facts, tests))
    compared = (value[2] for value in values if value[0] == "compare" and len(value[2]) == 2)
    return any(
        fn.const(sides[1]) is ... and any(CALLER.search(fn.dotted(side)) for side in sides) for sides in compared
    )


def is_request(fn: Fn, vid: int) -> bool:
    """`request` or `self.request`."""
    value = fn.unguarded(vid)
    return (value[0] == "attr" and value[2] == "request") or value == ("param", 1)


def is_switched(fn: Fn) -> bool:
    """Whether it answers nobody unless a setting says so: `if not settings.ALLOW_SIGN_UPS: raise ...`."""
    found = [block.value for block in fn.facts.blocks if block.kind == "if" and block.value >= 0 and block.parent == 0]
    return any(names_switch(fn, vid) for vid in found)


def names_switch(fn: Fn, vid: int, depth: int = 5) -> bool:
    value = fn.unguarded(vid)
    if value[0] in ("attr", "name"):
        owner, _, last = str(value[-1]).rpartition(".")
        held = owner or value[0] == "attr"
        return bool(
            held
            and SWITCH.fullmatch(last)
            and re.search("settings|config|conf|param|flags|env", fn.dotted(vid).lower())
        )
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        return (
            any(SWITCH.fullmatch(str(fn.const(item))) for item in call.args)
            and "config" in fn.dotted(call.func).lower()
        )
    return depth > 0 and any(names_switch(fn, item, depth - 1) for item in operands(value))
