from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import Call, Flow, Fn, Hit, Origin, Project, Vid, bind, flow_hit, for_development, place_flows

HARM = "so code that trusts what it finds there acts on a caller's claim; check it, or take it from the signed-in user."
AUTHORITY = re.compile(
    r"user|account|role|admin|auth|login|logged|perm|scope|group|tenant|operator|staff|owner|(?<!re)member|customer|(?<![a-z])(?:org|uid|is_)",
    re.IGNORECASE,
)
OF_USER = re.compile(
    r"(time_?zone|lang|language|locale|theme|currency)$|(^|_)(tz|country|url|uri|next|path|state|nonce|agent|time|date)$|"
    r"(^|_)(e?mail|phone|mobile)(_|$)|"
    r"(^|_)(type|method|provider|kind|mode)$|(^|_)(auto|remember)(_|$)",
    re.IGNORECASE,
)
"""Keys about a user that give no rights: what he likes, where he is reached, where he comes from, by what he signs in."""
RIGHT = re.compile(
    r"admin|staff|superuser|supervis|manager|moderator|operator|role|perm|privilege|can_|verified|(^|_)is_[a-z]+(er|or|ian|ist)$",
    re.IGNORECASE,
)
"""Keys that stand for rights, which no caller may give to himself."""
CALLER = re.compile(r"(current_)?(user|account|customer|member|actor)(_?(id|pk|uuid))?", re.IGNORECASE)
"""Names of what is kept of who calls."""
BECOMES = "Request data becomes `{}` of the request in `{}()`, {}"
CALLED = "A header alone says who calls, which becomes `{}` of the request in `{}()`, {}"
INTERNAL = re.compile(r"internal|service|machine|proxy|gateway", re.IGNORECASE)
"""Names of guards that let in other parts of the same system, which know who calls."""
CONVERSIONS = frozenset({"builtins.int", "builtins.str", "uuid.UUID"})
HEADERS = re.compile(r"(^|\.)(headers|META)$")
PROXIED = re.compile(r"forward|remote|auth|amzn|goog|ms-client|sso|oidc|jwt|token|key|session", re.IGNORECASE)
CHECKED = frozenset({"trust", "all"})


def check(project: Project) -> Iterator[Hit]:
    for site in project.taint.sinks("trust"):
        keys = project.constants(site.fn, site.call.args[1]) if len(site.call.args) > 1 else None
        name = next((key for key in keys or () if isinstance(key, str) and RIGHT.search(key)), "")
        if name and decided(project, site.fn, site.vid):
            yield Hit(
                f"Request data decides on `{name}` in the session in `{site.fn.name}()`, {HARM}",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
            )
    for flow in place_flows(project, ("trust",)):
        if flow.weak:
            continue
        hit = flow_hit(project, flow, HARM)
        told = is_authority(project, flow) and not for_development(flow.site.fn.path)  # a mock signs in whom one likes
        told = told and flow.site.fn.unguarded(flow.site.vid)[0] != "dict"  # what a form says, kept for the next page
        yield hit if told else replace(hit, profile="strict")
    yield from kept(project)


def kept(project: Project) -> Iterator[Hit]:
    """A right, or who calls, in what the framework keeps for the request (`request.state`, `flask.g`), as a header or parameter
    says."""
    for fn in project.reviewed():
        for store in fn.facts.stores:
            caller = CALLER.fullmatch(store.name)
            if store.base < 0 or not (caller or RIGHT.search(store.name)) or not of_request(project, fn, store.base):
                continue
            if says_who(fn, store.value) if caller else says_right(project, fn, store.value):
                text = (CALLED if caller else BECOMES).format(store.name, fn.name, HARM)
                yield Hit(text, fn.location(store.span), function=fn.fqn)


def says_right(project: Project, fn: Fn, vid: Vid) -> bool:
    """Request data that nothing has checked."""
    labels = project.taint.labels(fn, vid).items()
    return any(item.what == "request" and not mark.weak and mark.cleared.isdisjoint(CHECKED) for item, mark in labels)


def says_who(fn: Fn, vid: Vid) -> bool:
    """A header alone, where it is not another part of the same system that calls."""
    return said_by_header(fn, vid) and not INTERNAL.search(fn.facts.qualname)


def said_by_header(fn: Fn, vid: Vid) -> bool:
    """`int(request.headers["X-Act-As"])`, whatever it is converted to: nothing but the header says who calls."""
    value = fn.unguarded(vid)
    called = fn.dotted(fn.calls[value[1]].func) if value[0] == "call" else ""
    if called in CONVERSIONS:
        args = fn.calls[value[1]].args
        return len(args) == 1 and said_by_header(fn, args[0])
    held = called.rpartition(".")[0] if called else fn.dotted(value[1]) if value[0] == "item" else ""
    return HEADERS.search(held) is not None and names_caller(fn, fn.key_of(vid, "get"))


def names_caller(fn: Fn, key: Vid) -> bool:
    """A header of the project's own that no proxy of a sign-in service sets (`X-Forwarded-User`, `X-Auth-Request-User`)."""
    name = str(fn.const(key))
    return name.upper().startswith(("X-", "HTTP_X_")) and not PROXIED.search(name)


def of_request(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is an object on which a framework keeps what belongs to one request."""
    value = fn.unguarded(vid)
    while value[0] in ("setattr", "store"):
        value = fn.unguarded(value[1])
    names = [str(value[1])] if value[0] == "name" else []
    if value[0] == "attr":
        names = [f"{ref.name}.{value[2]}" for ref in project.refs(fn, value[1]) if ref.kind in ("lib", "libinst")]
    models = (project.libraries.attribute(project.libraries.canonical(name)) for name in names)
    return any(model is not None and model.per_request for model in models)


def is_authority(project: Project, flow: Flow) -> bool:
    """Whether the key stands for identity or rights, or is the caller's choice."""
    args = flow.site.call.args
    if len(args) < 2:
        return False
    keys = project.constants(flow.site.fn, args[1])
    if keys is None:
        keys = [text for text in written(flow.site.fn, args[1]) if text]
    if not keys:
        return any(origin.what == "request" for origin in project.taint.labels(flow.site.fn, args[1]))
    return any(AUTHORITY.search(str(key)) and not OF_USER.search(str(key)) for key in keys)


def written(fn: Fn, vid: Vid) -> Iterator[str]:
    """The parts of a key that the code writes, `page_of_` in `f"page_of_{number}"`: the caller chooses no other key."""
    value = fn.unguarded(vid)
    parts = value[2] if value[0] == "fmt" else value[2:4] if value[0] == "binop" else ()
    yield from (str(fn.const(part)) for part in parts if isinstance(fn.const(part), str))


def decided(project: Project, fn: Fn, vid: Vid) -> bool:
    """`request.args["admin"] == "1"`, here or in a helper: the caller chooses how it comes out."""
    value = fn.unguarded(vid)
    if compared(project, fn, vid, lambda operand: project.taint.labels(fn, operand)):
        return True
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    for target in project.targets(fn, call) if call is not None else ():
        assert call is not None
        origins = partial(passed, project, fn, call, target)
        if any(item.value >= 0 and compared(project, target, item.value, origins) for item in target.facts.returns):
            return True
    return False


def passed(project: Project, fn: Fn, call: Call, target: Fn, operand: Vid) -> Iterable[Origin]:
    """Where a value of a helper comes from, by what the call passes."""
    bound = bind(fn, call, target)
    for origin in project.taint.labels(target, operand):
        yield origin
        for given, _ in bound.get(origin.slot, ()) if origin.what == "param" else ():
            yield from project.taint.labels(fn, given, origin.path)


def compared(project: Project, fn: Fn, vid: Vid, origins: Callable[[Vid], Iterable[Origin]]) -> bool:
    """Whether request data is compared with a constant."""
    value = fn.unguarded(vid)
    if value[0] != "compare" or len(value[1]) != 1 or value[1][0] not in ("==", "!=", "in", "not in"):
        return False
    left, right = value[2]
    closed = project.constants(fn, right) is not None or fn.facts.values[right][0] in ("tuple", "list", "set")
    return closed and any(origin.what == "request" for origin in origins(left))
