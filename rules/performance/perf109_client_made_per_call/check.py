"""PERF109: connections, clients and engines that every request makes anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    MadePerCall,
    Profile,
    Project,
    Ref,
    Value,
    Vid,
    aliases,
    exclusive,
    few,
    identifier_words,
    ingredients,
    stored_entity,
    told_once,
)

from .stray import strays

LOSES = {
    "db-connection": "each costs a handshake and a server process, and nothing limits their number",
    "db-engine": "each brings a pool of its own, which is never reused",
    "db-pool": "a pool that lives for one call pools nothing",
    "http-session": "no connection is kept alive, so each call pays for TCP and TLS again",
    "redis-client": "each brings a pool of its own, which is never reused",
    "grpc-channel": "each opens and closes an HTTP/2 connection",
    "queue-connection": "each costs several round trips to the broker",
}
STORES = ("db-", "redis-", "queue-")
"""Whose connections the server counts."""
NAMED = re.compile(r"key|token|secret|auth|user|password|server|host|url", re.IGNORECASE)
ACCOUNT = re.compile(r"(^|_)(credentials?|passw(or)?d|access_token)$", re.IGNORECASE)
"""Names of what only the one has who is served."""
KEY = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
LENT = "session_token"
"""Ends the name of what belongs to credentials that expire: a client for good would outlive them."""
METHOD_FIRST = frozenset({"request", "stream", "build_request"})
SERVICE = re.compile(r"api|base|server|service|endpoint|host|sandbox", re.IGNORECASE)
SETTINGS = re.compile(r"conf|cfg|setting|option|env|app|ctx|context|args|param", re.IGNORECASE)
OWNERS = frozenset("organization organisation workspace tenant team account user owner customer shop company".split())
"""Words for whom a row belongs to."""
HOOKS = re.compile(r"(web_?hook|callback)_?ur[il]", re.IGNORECASE)
"""Names of addresses that customers give; the one in the settings stands there by its whole name."""
PROBE = re.compile(r"/_*(health|live|ready|readiness|ping|heartbeat)[\w-]*/?$", re.IGNORECASE)
TRIES = re.compile(
    r"(^|_)(test|check|verify|validate|try|ping|probe)_(\w+_)?(conn(ection)?s?|credentials?|db|database)$"
)
LOOPS = ("for", "while", "comp")
REMAKES = frozenset({"urlparse", "urlsplit", "urlunparse", "urlunsplit", "urljoin", "str"})
SAME = frozenset({"_replace", "rstrip", "strip", "geturl", "format"})
RECORDS = frozenset({"schema", "model"})
MAX_LINKS = 20
FEW_CLIENTS = 2
"""So many of one kind are told one by one."""
CHEAPER = frozenset({"executor", "ssh"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a constructor call, and a function that makes the same in several branches; clients of one kind that are made all
    over the project are told once."""
    kinds: dict[str, list[Hit]] = {}
    told: set[tuple[str, str]] = set()
    for made in project.per_call.all():
        hit, key = _hit(project, made), (made.site.fn.fqn, made.cls.name)
        if hit.profile is not None or key in told:
            yield replace(hit, profile="strict")
            continue
        told.add(key)
        kinds.setdefault(made.site.model.name, []).append(hit)
    for fn, call, name, kept in strays(project):
        if not _goes_anywhere(project, fn, [call]):
            kinds.setdefault(name, []).append(_stray(fn, call, name, kept))
    for hits in kinds.values():
        yield from told_once(hits, _throughout, FEW_CLIENTS, severity=None)


def _stray(fn: Fn, call: Call, name: str, kept: str) -> Hit:
    return Hit(
        message=f"`{name}` in `{fn.name}()` makes a session for this one request, although `{kept}` is one: "
        f"{LOSES['http-session']}.",
        location=fn.location(call.span),
        help="Send it by the session that is there.",
        function=fn.fqn,
    )


def _throughout(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]} (here and in {others})."


def _hit(project: Project, made: MadePerCall) -> Hit:
    site = made.site
    last = made.asked_by or site.fn
    route = project.in_request.route(last)
    when = "in each round of a loop" if made.loop or route is None else f"with each request (`{route.label}`)"
    if made.beside:
        when = f"in each call, although `{made.beside}` is one,"
    loses = LOSES.get(made.cls.resource, "making it costs more than using it")
    return Hit(
        message=f"`{site.model.name}` is made {when} in `{site.fn.name}()`: {loses}.",
        location=site.fn.location(site.call.span),
        flow=project.in_request.way(last),
        function=site.fn.fqn,
        profile=_profile(project, made),
    )


def _profile(project: Project, made: MadePerCall) -> Profile | None:
    """Advice for what scripts and jobs do, for pools of threads, for a session that serves several calls at least, for what is
    made when something failed, and for what only administrators do."""
    if made.cls.resource in CHEAPER or _reused(made) or not (made.beside or made.site.fn in project.in_request):
        return "strict"
    if _for_probes(project, made.site.fn) or _instead_of_pool(project, made.site.fn, made.site.call):
        return "strict"
    after_failure = made.site.fn.inside(made.site.call.block, "except") is not None
    apart = _for_this_call(project, made) or _for_any_host(project, made) or _keeps_cookies(made)
    seldom = project.endpoints.only_for_admins(made.site.fn.fqn) and not made.cls.resource.startswith(STORES)
    return "strict" if after_failure or apart or (seldom and not made.beside) else None


def _instead_of_pool(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the function takes one out of a pool on its other way: what asks for its own knows of both."""
    return any(
        exclusive(fn, call.block, other.block)
        and any(ref.arg is not None and _is_pool(project, ref.arg) for ref in project.callees(fn, other))
        for other in fn.calls
    )


def _is_pool(project: Project, ref: Ref) -> bool:
    cls = project.classes.get(ref.name) if ref.kind == "inst" else None
    names = project.hierarchy.library_bases(cls) if cls is not None else (ref.name,)
    return any(item.resource == "db-pool" for name in names for item in project.libraries.lineage(name))


def _for_probes(project: Project, fn: Fn) -> bool:
    """Whether only health checks come there, or it tries settings by its name: what opens a connection sees whether it can be
    opened."""
    if TRIES.search(fn.name):
        return True
    paths = [route.path for route in project.endpoints.leading_to(fn.fqn)]
    return bool(paths) and all(map(PROBE.search, paths))


def _for_this_call(project: Project, made: MadePerCall) -> bool:
    """A client for whom the caller names: credentials or a host that are parameters or columns of a row (each shop's own
    key), or a transport for hosts of all kinds."""
    if made.cls.resource.startswith(STORES):
        return False
    fn, call = made.site.fn, made.site.call
    if fn.name == "__init__" and _for_whom_it_may_be(project, fn):
        return True
    if any(key.endswith(LENT) for item in fn.calls for key, _ in item.kwargs):
        return True
    passed = [vid for key, vid in call.kwargs if NAMED.search(key)]
    values = [fn.value(vid) for vid in (*call.args, *passed)]
    params = [vid for vid in (*call.args, *passed) if fn.value(vid)[0] == "param" and not few(project, fn, vid)]
    if any(fn.facts.params[fn.value(vid)[1]].default < 0 for vid in params) or any(
        key == "transport" for key, _ in call.kwargs
    ):
        return True
    return any(
        (value[0] == "attr" and (_row(project, fn, value[1]) or _own_key(project, fn, value)))
        or (value[0] == "item" and (_looked_up(project, fn, value[1]) or _handed(fn, value[1])))
        for value in values
    )


def _for_whom_it_may_be(project: Project, fn: Fn) -> bool:
    """A client of one account: its constructor is told whose (`credentials`, `password`), and not by settings alone."""
    told = [index for index, param in enumerate(fn.facts.params) if index and ACCOUNT.search(param.name)]
    values = [vid for vid in fn.made_by("param") if fn.value(vid)[1] in told]
    return bool(values) and not all(few(project, fn, vid) for vid in values)


def _own_key(project: Project, fn: Fn, value: Value) -> bool:
    """`Client(self.api_key)` of a record that has it as a field: each has a key of its own."""
    if fn.cls is None or fn.unguarded(value[1]) != ("param", 0) or not KEY.search(str(value[2])):
        return False
    classes = [cls for cls in project.hierarchy.mro(fn.cls) if str(value[2]) in cls.facts.annotations]
    return any(project.hierarchy.role(cls) in RECORDS and SETTINGS.search(cls.name) is None for cls in classes)


def _looked_up(project: Project, fn: Fn, vid: Vid) -> bool:
    """`keys_of(studio.id)["secret"]`: what a function gives for the one that is passed."""
    value = fn.unguarded(vid)
    call = fn.calls[value[1]] if value[0] == "call" else None
    if call is None or not project.targets(fn, call):
        return False
    made = (fn.facts.values[item] for item in ingredients(fn.facts, call.passed))
    return any(item[0] == "param" and _names_another(fn, item[1]) for item in made)


def _row(project: Project, fn: Fn, vid: Vid) -> bool:
    """A row of the database, the body of a request, or a parameter of which nothing is known but that its name tells of no
    settings."""
    refs = project.refs(fn, vid)
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "inst"]
    if refs and not any(_sent(project, cls) for cls in classes):
        return any(stored_entity(project, cls) for cls in classes)
    return _handed(fn, vid)


def _sent(project: Project, cls: Cls) -> bool:
    """The body of a request: what a client asks for, with keys of its own."""
    return project.hierarchy.role(cls) == "schema" and SETTINGS.search(cls.name) is None


def _handed(fn: Fn, vid: Vid) -> bool:
    """A parameter that tells of whoever is served, and not of settings: `credentials["secret_key"]`."""
    value = fn.unguarded(vid)
    return bool(value[0] == "param") and _names_another(fn, value[1])


def _names_another(fn: Fn, index: int) -> bool:
    """A parameter that is not the method's own object, and whose name tells of no settings."""
    own = index == 0 and fn.cls is not None
    return not own and SETTINGS.search(fn.facts.params[index].name) is None


def _for_any_host(project: Project, made: MadePerCall) -> bool:
    """A session for one address that the caller names, or a record holds, which can be any: the next one goes to another host."""
    return _goes_anywhere(project, made.site.fn, _calls_of(made) if made.cls.resource == "http-session" else [])


def _goes_anywhere(project: Project, fn: Fn, uses: list[Call]) -> bool:
    answers = {item.value for item in uses}
    addresses = [vid for item in uses if (vid := _address(fn, item)) >= 0]
    links = [vid for vid in addresses if not answers.isdisjoint(ingredients(fn.facts, (vid,)))]  # in an answer
    starts = [_starts(project, fn, vid) for vid in addresses if vid not in links]
    return bool(starts) and all(_open(project, fn, value) for found in starts for value in found)


def _address(fn: Fn, call: Call) -> Vid:
    """Behind the method in `session.request("GET", url)`."""
    place = 1 if fn.callee_name(call) in METHOD_FIRST else 0
    return call.args[place] if len(call.args) > place else call.kwarg("url")


def _open(project: Project, fn: Fn, value: Value) -> bool:
    if value[0] == "param":
        return _any_host(project, fn, value[1])
    if value[0] == "outer":
        home = fn.outer(value)
        return home is not None and _open(project, home, home.unguarded(value[1]))
    if value[0] != "attr":
        return False
    if fn.cls is None or fn.unguarded(value[1]) != ("param", 0):
        told = HOOKS.search(str(value[2])) is not None and SETTINGS.search(fn.dotted(value[1])) is None
        return told or _row(project, fn, value[1])
    return _holds(project, fn.cls, str(value[2]))


def _holds(project: Project, cls: Cls, name: str) -> bool:
    """Whether a class of records (a schema, a row) has the attribute as a field for each of them; not settings."""
    record = project.hierarchy.role(cls) in RECORDS and SETTINGS.search(cls.name) is None
    return (
        record
        and SERVICE.search(name) is None
        and any(name in item.facts.annotations for item in project.hierarchy.mro(cls))
    )


def _starts(project: Project, fn: Fn, vid: Vid) -> list[Value]:
    """What an address begins with, on each way that it may be made."""
    value = _start(project, fn, vid)
    parts = value[1] if value[0] == "phi" else ()
    return [_start(project, fn, part) for part in parts] or [value]


def _keeps_cookies(made: MadePerCall) -> bool:
    """`session.cookies.get_dict()`: a session of whoever asks, whose cookies one for all would mix with those of others."""
    fn = made.site.fn
    held = aliases(fn.facts, made.site.call.value) if made.cls.resource == "http-session" else frozenset()
    return any(value[2] == "cookies" and value[1] in held for value in map(fn.value, fn.made_by("attr")))


def _start(project: Project, fn: Fn, vid: Vid) -> Value:
    """What an address is made from: the first part of a text, what is parsed, checked, put together again or stripped."""
    value = fn.unguarded(vid)
    for _ in range(MAX_LINKS):
        call = fn.calls[value[1]] if value[0] == "call" else None
        if call is not None and call.args and (fn.callee_name(call) in REMAKES or _hands_back(project, fn, call)):
            following = call.args[0]
        elif call is not None and fn.callee_name(call) in SAME and fn.value(call.func)[0] == "attr":
            following = fn.value(call.func)[1]
        elif value[0] == "fmt" and value[2]:
            scheme = len(value[2]) > 1 and str(fn.const(value[2][0])).endswith("://")
            following = value[2][1 if scheme else 0]
        elif value[0] == "await":
            following = value[1]
        else:
            break
        value = fn.unguarded(following)
    return value


def _hands_back(project: Project, fn: Fn, call: Call) -> bool:
    """`checked(url)`: a function that gives its argument back, once it has looked at it."""
    targets = project.targets(fn, call)
    return bool(targets) and all(
        bool(target.facts.returns)
        and all(
            item.value >= 0
            and ("param", 0 if target.cls is None else 1) in map(target.value, ingredients(target.facts, (item.value,)))
            for item in target.facts.returns
        )
        for target in targets
    )


def _any_host(project: Project, fn: Fn, index: int, depth: int = 3) -> bool:
    """A parameter that is no service's address by its name, and for which no caller names the host."""
    if fn.fqn in project.route_functions:
        return True
    if SERVICE.search(fn.facts.params[index].name):
        return _of_records(project, fn, index, depth)
    for edge in project.graph.callers(fn) if depth else ():
        for vid, _ in edge.passed(index):
            value = edge.caller.unguarded(vid)
            start = value[2][0] if value[0] == "fmt" and value[2] else vid
            if few(project, edge.caller, start):
                return False
            if value[0] == "param" and not _any_host(project, edge.caller, value[1], depth - 1):
                return False
    return True


def _of_records(project: Project, fn: Fn, index: int, depth: int) -> bool:
    """Whether all callers pass what a row of the database or a request's body holds."""
    given = [
        (edge.caller, vid)
        for edge in (project.graph.callers(fn) if depth else ())
        for vid, part in edge.passed(index)
        if not part
    ]
    return bool(given) and all(_is_held(project, caller, vid, depth) for caller, vid in given)


def _is_held(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    """`supplier.base_url or ""`, also through parameters."""
    value = fn.unguarded(vid)
    if value[0] in ("bool", "phi"):
        parts = value[2] if value[0] == "bool" else value[1]
        return any(item != vid and _is_held(project, fn, item, depth - 1) for item in parts) if depth else False
    if value[0] == "param":
        return _any_host(project, fn, value[1], depth - 1)
    return value[0] == "attr" and _row(project, fn, value[1]) and _is_customers(project, fn, value[1])


def _is_customers(project: Project, fn: Fn, vid: Vid) -> bool:
    """Not a row that belongs to nobody: what an operator has set up is one service, asked again and again."""
    classes = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    rows = [cls for cls in classes if stored_entity(project, cls)]
    return not rows or any(
        not OWNERS.isdisjoint(identifier_words(name))
        for cls in rows
        for item in project.hierarchy.mro(cls)
        for name in (*item.facts.annotations, *item.facts.attributes)
    )


def _calls_of(made: MadePerCall) -> list[Call]:
    """Calls of the methods of what was made."""
    fn = made.site.fn
    held = aliases(fn.facts, made.site.call.value)
    return [item for item in fn.calls if fn.value(item.func)[0] == "attr" and fn.value(item.func)[1] in held]


def _reused(made: MadePerCall) -> bool:
    fn, call = made.site.fn, made.site.call
    if made.cls.resource != "http-session":
        return False
    held = aliases(fn.facts, call.value)
    uses = _calls_of(made) + [item for item in fn.calls if not held.isdisjoint(item.passed)]
    return any(_in_inner_loop(fn, item, call) for item in uses)


def _in_inner_loop(fn: Fn, use: Call, made: Call) -> bool:
    """Whether it is used round after round, and not made as often."""
    around = {number for number, _ in fn.blocks_of(made.block)}
    return any(item.kind in LOOPS and number not in around for number, item in fn.blocks_of(use.block))
