"""REL101: outbound calls that nothing bounds, by the library's data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    SLIPS,
    CallModel,
    Fn,
    Hit,
    Made,
    Profile,
    Project,
    Site,
    Wait,
    aliases,
    at_once,
    decorator_models,
    exclusive,
    here_and_in,
    in_main_block,
    ingredients,
    of_all_modules,
    only_by_hand,
    receiver,
    told_once,
)

OUTBOUND = frozenset(
    ["http", "db-connect", "cache-read", "cache-write", "mail", "socket", "grpc", "cloud", "search", "subprocess"]
)
GENERATED = ".Stub.*"
"""The model of all methods of generated stubs, whose deadlines API114 is about."""
MADE = "made "
UNBOUNDED = Wait("forever", default=True)
STATES = frozenset({"state", "status", "ready", "successful", "failed"})
"""What a job's result tells of whether it is there."""
ASKS_NOBODY = frozenset({"connect", "send", "sendto", "sendall"})
"""Methods of a datagram socket that are done at once."""
FAR = 4
"""Calls from a queue's job down to what it waits for."""
REQUEST_LAYERS = frozenset(["controller", "service", "repository", "client", "task", "middleware"])
FEW_TOGETHER = 2
"""So many calls of one function or class are told one by one."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call, or a client's constructor where that decides for all of the client's calls.

    A library that is called without a timeout everywhere is told once, where a client waits for it if one does: the remedy is
    one too. So is what one function calls, or one class, and a kind of client that several places make.
    """
    served: dict[str, list[Hit]] = {}
    others: dict[str, list[Hit]] = {}
    clients: dict[str, list[Hit]] = {}
    for hit, name in _hits(project):
        fn = project.functions.get(hit.function or "")
        if name.startswith(MADE) and hit.profile is None:
            clients.setdefault(name, []).append(hit)
        elif name and hit.profile is None and fn is not None:
            styles = served if fn in project.in_request else others
            styles.setdefault(name.partition(".")[0], []).append(hit)
        else:
            yield hit
    for hits in clients.values():
        yield from told_once(hits, partial(here_and_in, before=": every call"), FEW_TOGETHER, severity=None)
    for library in {**served, **others}:
        waited, rest = served.get(library, []), others.get(library, [])
        told = partial(_everywhere, library)
        if max(len(waited), len(rest)) > SLIPS:
            first, *more = _by_place(waited) + _by_place(rest)
            yield replace(first, message=told(first, f"{len(more)} more places"))
            yield from (replace(hit, profile="strict") for hit in more)
            continue
        for group in _together(project, [*waited, *rest]):
            yield from told_once(group, told, FEW_TOGETHER, severity=None)


def _by_place(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (hit.confidence == "low", hit.location.path, hit.location.line))


def _together(project: Project, hits: list[Hit]) -> Iterable[list[Hit]]:
    """What one function or class calls."""
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        fn = project.functions[hit.function or ""]
        groups.setdefault(fn.fqn if fn.cls is None else fn.cls.fqn, []).append(hit)
    return groups.values()


def _everywhere(library: str, hit: Hit, others: str) -> str:
    return here_and_in(hit, f"{others} with {library}", before=": if")


def _hits(project: Project) -> Iterator[tuple[Hit, str]]:
    """Each hit, and what is called there, or MADE with the client that is made; "" for others."""
    sockets: dict[tuple[str, Made], list[int]] = {}
    clients: dict[Made, tuple[Site, Wait]] = {}
    left_out: dict[Made, Site] = {}
    asked: dict[Made, bool] = {}
    found: list[tuple[Site, Hit]] = []
    for site in project.effects.sites:
        wait = project.timeouts.of(site.fn, site.call, site.model)
        if wait is None or wait.kind != "forever" or project.layer(site.fn) == "migration" or _otherwise(site):
            continue
        if site.model.name.endswith(GENERATED):
            continue
        if wait.left_out and _waits(project, site):
            left_out.update(dict.fromkeys(wait.left_out, site))
        elif wait.at is not None:
            asked[wait.at] = asked.get(wait.at, False) or not _streams(site, wait)
            clients.setdefault(wait.at, (site, wait))
        elif _waits(project, site) and _first(project, site, sockets):
            found.append((site, _hit(project, site, wait)))
        elif site.model.opens and not site.model.effect and not wait.default:
            clients.setdefault(Made(site.fn, site.call), (site, wait))
    for made, (site, wait) in clients.items():
        if asked.get(made, True):
            yield _client(project, made, site, wait), f"{MADE}{project.models(made.fn, made.call)[0].name}"
    kinds = {model.returns or model.name for made in clients for model in project.models(made.fn, made.call)}
    for site, hit in found:
        told = any(site.model.name.startswith(f"{kind}.") for kind in kinds)  # where its client is made, most likely
        yield replace(hit, profile="strict") if told else hit, site.model.name
    for made, site in left_out.items():
        yield _caller(project, made, site), ""
    for site in project.effects.sites:
        for model in project.timeouts.handed_over(site):
            if OUTBOUND.intersection(model.effect):
                yield _hit(project, Site(site.fn, site.call, model), UNBOUNDED), model.name
    yield from ((hit, "") for hit in _passed(project))


def _passed(project: Project) -> Iterator[Hit]:
    """`method(url, json=body)`, where callers pass `requests.get` or `requests.post` for `method`."""
    for fn in project.reviewed():
        for call in fn.calls:
            func = fn.unguarded(call.func)
            if func[0] != "param" or call.open_ended or project.layer(fn) == "migration":
                continue
            for model in _given(project, fn, func[1]):
                wait = project.timeouts.of(fn, call, model)
                if wait is not None and wait.kind == "forever" and OUTBOUND.intersection(model.effect):
                    yield _hit(project, Site(fn, call, model), wait)
                    break


def _given(project: Project, fn: Fn, index: int) -> Iterator[CallModel]:
    """The functions of libraries that callers pass for a parameter."""
    for edge in project.graph.callers(fn):
        for ref in (ref for vid, _ in edge.passed(index) for ref in project.refs(edge.caller, vid)):
            model = project.libraries.call(ref.name) if ref.kind == "lib" else None
            if model is not None and model.timeout is not None:
                yield model


def _otherwise(site: Site) -> bool:
    """`ask(request, timeout=limit) if limit is not None else ask(request)`: the other branch says how long it may take."""
    fn, timeout = site.fn, site.model.timeout
    if timeout is None:
        return False
    name = fn.callee_name(site.call)
    for test, outcome in fn.tests_of(site.call.block):
        value = fn.unguarded(test)
        if value[0] != "compare" or len(value[1]) != 1 or value[1][0] != ("is" if outcome else "is not"):
            continue
        limit, nothing = value[2]
        if fn.value(nothing) == ("const", None):
            for call in fn.calls:
                given = {fn.unguarded(vid) for key, vid in call.kwargs if key in timeout.keywords}
                same = fn.value(call.func) == fn.value(site.call.func) or (name and fn.callee_name(call) == name)
                if same and fn.unguarded(limit) in given:
                    return True
    return False


def _streams(site: Site, wait: Wait) -> bool:
    """`Timeout(30, read=None)` for `client.stream(...)`: chosen for what comes bit by bit, as long as it takes; so is one for
    `client.send(..., stream=True)`."""
    streams = site.model.name.endswith(".stream") or site.fn.const(site.call.kwarg("stream")) is True
    return wait.partly and streams


def _connects_only(project: Project, site: Site) -> bool:
    """`knock.connect(...)`, and nothing asked: the system itself gives up after some minutes."""
    if site.model.timeout is None or site.model.timeout.covers != "connect" or "socket" not in site.model.effect:
        return False
    func = site.fn.value(site.call.func)
    if func[0] != "attr":
        return False
    facts = site.fn.facts
    held = {vid for made in project.allocations.of(site.fn, func[1]) for vid in aliases(facts, made.call.value)}
    given = [vid for call in site.fn.calls for vid in call.passed] + [item.value for item in facts.returns]
    others = [item for item in project.effects.direct(site.fn) if item.call is not site.call]
    used = any("socket" in item.model.effect and item.model.blocking for item in others)
    return bool(held) and not used and held.isdisjoint(given)


def _ended(site: Site) -> bool:
    """`process.kill(); process.wait()`: it ends at once."""
    func = site.fn.value(site.call.func)
    if func[0] != "attr" or func[2] not in ("wait", "communicate"):
        return False
    before = (site.fn.value(call.func) for call in site.fn.calls if call.span < site.call.span)
    return any(value[0] == "attr" and value[2] in ("kill", "terminate") for value in before) or _polled(site)


def _polled(site: Site) -> bool:
    """`if process.poll() is not None: process.communicate()`, also after `while process.poll() is None: ...`: it has ended."""
    fn, process = site.fn, site.fn.unguarded(receiver(site.fn, site.call))
    around = {number for number, _ in fn.blocks_of(site.call.block)}
    over = [
        (block.value, False)
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "while" and block.value >= 0 and number not in around and block.span < site.call.span
    ]
    for test, outcome in (*over, *fn.tests_of(site.call.block)):
        value = fn.unguarded(test)
        asked = fn.unguarded(value[2][0]) if value[0] == "compare" and len(value[1]) == 1 else value
        if asked[0] != "call" or fn.callee_name(fn.calls[asked[1]]) != "poll":
            continue
        ended = value[0] != "compare" or value[1][0] in ("is not", "not in", "!=")
        if fn.unguarded(receiver(fn, fn.calls[asked[1]])) == process and ended is outcome:
            return True
    return False


def _watched(project: Project, site: Site) -> bool:
    """`try: server.wait()`, `except KeyboardInterrupt: server.stop()`: somebody sits before it, and ends it."""
    handlers = (site.fn.facts.blocks[number] for number in site.fn.handlers_of(site.call.block))
    return any("builtins.KeyboardInterrupt" in project.exceptions.caught_types(site.fn, item) for item in handlers)


def _datagram(project: Project, site: Site) -> bool:
    """`socket(AF_INET, SOCK_DGRAM).connect(...)` only notes the address, `send(...)` waits for nobody."""
    func = site.fn.value(site.call.func)
    if func[0] != "attr" or func[2] not in ASKS_NOBODY or "socket" not in site.model.effect:
        return False
    made = list(project.allocations.of(site.fn, func[1]))
    kinds = [vid for fn, call in made for vid in (*call.args[1:2], call.kwarg("type")) if vid >= 0 and fn is site.fn]
    return bool(kinds) and all(str(site.fn.value(vid)[-1]).endswith("SOCK_DGRAM") for vid in kinds)


def _first(project: Project, site: Site, seen: dict[tuple[str, Made], list[int]]) -> bool:
    """Of the calls of one socket in a function the first stands for all that may follow it."""
    func = site.fn.value(site.call.func)
    if func[0] != "attr" or "socket" not in site.model.effect:
        return True
    keys = {(site.fn.fqn, made) for made in project.allocations.of(site.fn, func[1])}
    known = [block for key in keys for block in seen.get(key, ())]
    for key in keys:
        seen.setdefault(key, []).append(site.call.block)
    return all(exclusive(site.fn, block, site.call.block) for block in known)


def _waits(project: Project, site: Site) -> bool:
    """For what is outside; for a job's result where a client waits meanwhile (a consumer may wait as long as it likes)."""
    if OUTBOUND.intersection(site.model.effect):
        return not _ended(site) and not _datagram(project, site) and not _connects_only(project, site)
    return "queue-consume" in site.model.effect and site.fn in project.in_request and not _is_done(site)


def _is_done(site: Site) -> bool:
    """`if not job.ready(): return None`, `if job.state == "FAILURE": ...` before `job.get()`: whoever asks it does so when it is
    there."""
    fn = site.fn
    job = fn.unguarded(receiver(fn, site.call)) if receiver(fn, site.call) >= 0 else ("",)
    tests = [block.value for block in fn.facts.blocks if block.kind == "if" and block.value >= 0]
    asked = (fn.value(vid) for vid in ingredients(fn.facts, tests))
    return any(value[0] == "attr" and value[2] in STATES and fn.unguarded(value[1]) == job for value in asked)


def _hit(project: Project, site: Site, wait: Wait) -> Hit:
    name = site.model.name
    place = "" if site.fn.is_module else f" in `{site.fn.name}()`"
    lacks = "a timeout for connecting alone" if wait.partly else "no timeout"
    when = "the command does not end" if "subprocess" in site.model.effect else "the other side does not answer"
    until = "until the queue ends the job" if _ends(project, site.fn, _is_limited) else "forever"
    return Hit(
        message=f"`{name}`{place} has {lacks}: if {when}, it hangs {until}{_reach(project, site.fn.fqn)}.",
        location=site.fn.location(site.call.span),
        help=_help(site),
        confidence=None if wait.sure else "medium",
        function=site.fn.fqn,
        profile=_profile(project, site),
    )


def _ends(project: Project, fn: Fn, limited: Callable[[Project, Fn], bool]) -> bool:
    """Whether it runs in jobs that are `limited`, and for no client."""
    if fn in project.in_request:
        return False
    known, rising = {fn.fqn}, [fn]
    for _ in range(FAR):
        if any(limited(project, item) for item in rising):
            return True
        callers = {edge.caller.fqn: edge.caller for item in rising for edge in project.graph.callers(item)}
        rising = [item for fqn, item in callers.items() if fqn not in known]
        known |= callers.keys()
    return False


def _is_limited(project: Project, fn: Fn) -> bool:
    """`@job(...)` of a queue that gives each so much time above it, or `restock_job = job(restock)` in its module; or one that
    the project sets."""
    models = list(decorator_models(project, fn))
    home = project.module_function(fn.file)
    for call in home.calls if fn.parent is home else ():
        if len(call.args) == 1 and any(ref.name == fn.fqn for ref in project.refs(home, call.args[0])):
            found = (project.libraries.decorator(made.name) for made in project.callees(home, call))
            models += [model for model in found if model is not None]
    limits = (model.task.time_limit for model in models if model.task is not None)
    return any(limit is not None and limit.default is not None for limit in limits) or _sets_limit(project, fn)


def _sets_limit(project: Project, fn: Fn) -> bool:
    """`@app.task(time_limit=600)`, or a setting says it for all jobs."""
    tasks = [model.task for model in decorator_models(project, fn) if model.task is not None]
    keywords = {key for task in tasks if task.time_limit is not None for key in task.time_limit.keywords}
    home = fn.parent or fn
    calls = [home.calls[value[1]] for value in map(home.value, fn.facts.decorators) if value[0] == "call"]
    if any(call.kwarg(key) >= 0 for call in calls for key in keywords):
        return True
    return any(next(of_all_modules(project, name), None) is not None for task in tasks for name in task.limited_by)


def _client(project: Project, made: Made, site: Site, wait: Wait) -> Hit:
    used = () if made.call is site.call else (site.fn.step(site.call.span, f"{site.model.name} waits without end"),)
    name = project.models(made.fn, made.call)[0].name
    lacks = "with a timeout for connecting alone" if wait.partly else "without a timeout"
    return Hit(
        message=f"`{name}` is made {lacks}: every call through it can hang forever{_reach(project, site.fn.fqn)}.",
        location=made.fn.location(made.call.span),
        related=used,
        confidence=None if wait.sure else "medium",
        function=site.fn.fqn,
        profile="strict" if _own_pool(site) or only_by_hand(project, made.fn) else None,
    )


def _caller(project: Project, made: Made, site: Site) -> Hit:
    """Of a helper that hands a timeout on, the call that gives it none."""
    helper = next((fn.name for fn in project.targets(made.fn, made.call)), site.fn.name)
    return Hit(
        message=f"`{helper}()` is called without a timeout: if the other side does not answer, `{site.model.name}` hangs "
        f"forever{_reach(project, made.fn.fqn)}.",
        location=made.fn.location(made.call.span),
        related=(site.fn.step(site.call.span, f"{site.model.name} waits as long as its caller says"),),
        function=made.fn.fqn,
        profile="strict" if _own_pool(site) or only_by_hand(project, made.fn) else None,
    )


def _own_pool(site: Site) -> bool:
    """Whether it waits for a connection of one's own pool, or a lock, until another one gives it back."""
    return site.model.timeout is not None and site.model.timeout.covers == "acquire"


def _reach(project: Project, fqn: str) -> str:
    if project.functions[fqn] not in project.in_request:
        return ""  # a job hangs, and the endpoint that hands it over does not
    count = project.reach(fqn)
    return f", and {count} endpoint{'s' if count > 1 else ''} with it" if count else ""


def _help(site: Site) -> str | None:
    timeout = site.model.timeout
    if timeout is None or not timeout.keywords:
        return None
    return f"Pass `{timeout.keywords[0]}=` (seconds that your caller can afford to wait)."


def _profile(project: Project, site: Site) -> Profile | None:
    """Who started a script by hand can stop it, a subprocess may take its time, and a call that takes no timeout is cured elsewhere."""
    timeout = site.model.timeout
    if _own_pool(site):
        return "strict"
    settable = timeout is None or timeout.keywords or timeout.within or timeout.via or timeout.position >= 0
    if not settable and not (site.model.awaitable and project.reach(site.fn.fqn)):  # `wait_for` bounds what is awaited
        return "strict"
    if only_by_hand(project, site.fn) or project.literals.for_trial(site.fn, site.call.value):
        return "strict"
    if "subprocess" not in site.model.effect:
        return None
    if _ends(project, site.fn, _sets_limit):  # what takes long is meant to, and the queue ends it
        return "strict"
    if at_once(site.fn, site.call, always=True) or in_main_block(site.fn, site.call) or _watched(project, site):
        return "strict"
    serves = project.reach(site.fn.fqn) > 0 or project.layer(site.fn) in REQUEST_LAYERS
    return None if serves else "strict"
