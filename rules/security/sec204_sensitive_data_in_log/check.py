from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from operator import attrgetter

from backendlint.api import (
    Call,
    Flow,
    Fn,
    Hit,
    Location,
    Project,
    Vid,
    evident,
    filled_fields,
    flow_hit,
    held_whole,
    here_and_in,
    identifier_words,
    in_main_block,
    name_of_value,
    only_by_hand,
    place_flows,
    place_words,
    sensitive,
    told_once,
    whole_request,
)

from .codes import is_code, made_up

HARM = "so everybody who reads the logs has it; log an identifier or a masked value instead."
PRINTED_TYPES = frozenset({"str", "bytes", "dict", "Mapping", "MutableMapping", "list", "tuple"})
"""Classes whose objects print all that they hold."""
TOKENS = frozenset({"headers", "META", "cookies", "COOKIES"})
"""Parts of a request in which whoever is signed in sends what proves it."""
HELD = "whatever secrets it holds"
KEEPING = frozenset(
    "user account login signin signup register registration password passwd auth authentication oauth token key secret "
    "credential session member profile invite payment card billing bank graphql proxy forward gateway".split()
)
"""Words of places to which people send secrets, or anything."""
DEVELOPING = frozenset({"debug", "development", "dev", "developer"})
FEW_OF_ONE = 2
"""So many places of one function, or of a file that hands it to one helper, that log one secret are told one by one."""
FAR = 2
"""Calls through which an exception is followed upwards."""
BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})
COPIES = frozenset({"builtins.dict", "builtins.str", "builtins.repr", "copy.copy", "json.dumps"})
"""What shows all that it is given."""
NEAR = 2
"""Helpers through which what is logged is followed to those who pass it."""
PRINTS = frozenset({"builtins.print", "click.echo", "click.secho", "typer.echo"})
OPERATOR = ("command", "migration")


def check(project: Project) -> Iterator[Hit]:
    reported: set[Location] = set()
    alike: dict[tuple[str | None, str], list[Hit]] = {}
    opened: set[str] | None = None
    for found in place_flows(project, ("log",), ("secret", "personal")):
        flow, is_sure = surest(project, found)
        fn, vid = flow.site.fn, flow.site.vid
        code = is_code(flow)
        is_sure = is_sure or code
        if not is_sure and (
            entry_with_secret(project, fn, vid, flow.site.call) or handed_with_secret(project, fn, vid)
        ):
            continue  # surely, below
        if opened is None:
            opened = {name_of_value(site.fn, site.vid) for site in project.taint.sinks("path")}
        if flow.source.path[:1] and flow.source.path[0] in opened:
            continue  # where it is kept
        hit = flow_hit(project, flow, HARM)
        hit = replace(hit, profile=None, confidence="medium") if code else hit
        reported.add(hit.location)
        if not is_sure:
            yield replace(hit, profile="strict", confidence="low")
        elif is_told(project, flow):
            yield replace(hit, profile="strict")
        else:
            reported.add(fn.location(flow.site.call.span))
            helper = f"{hit.location.path} {flow.site.fn.fqn}" if flow.forwarded else hit.function
            alike.setdefault((helper, flow.source.path[0] if flow.source.path else ""), []).append(hit)
    for hits in alike.values():
        yield from told_once(hits, partial(here_and_in, before=", so everybody"), few=FEW_OF_ONE, severity=None)
    for hit in urls_in_exceptions(project):
        if hit.location not in reported:
            reported.add(hit.location)
            yield hit
    sure = {hit.location for hits in alike.values() for hit in hits}
    for hit in made_up(project):
        if hit.location not in sure:
            reported.add(hit.location)
            yield hit
    told = partial(here_and_in, before="; log the fields")
    said_in_file = attrgetter("location.path", "message")
    yield from told_once(shown_whole(project, reported), told, severity=None, each=said_in_file, by_function=True)


def shown_whole(project: Project, reported: set[Location]) -> Iterator[Hit]:
    """Requests, objects and mappings that are logged with all that is in them."""
    for site in project.taint.reviewed_sinks("log"):
        for fn, what, location in written(project, site.fn, site.vid, site.call, NEAR):
            if location not in reported:
                reported.add(location)
                hit = Hit(f"{what}; log the fields that are needed.", location, confidence="medium", function=fn.fqn)
                plain = what.startswith("`") and what.endswith(HELD) and not may_hold_secrets(project, fn)
                yield replace(hit, profile="strict", confidence="low") if plain else hit


def surest(project: Project, flow: Flow) -> tuple[Flow, bool]:
    """The flow, or another one to the same place that comes by no call and surely shows a secret:
    `self.token = token or settings.SMS_TOKEN`."""
    if not flow.weak and evident(project, flow):
        return flow, True
    for other in project.taint.flows_to(flow.site, ("secret",)):
        if other.source != flow.source and not (other.chain or other.weak) and evident(project, other):
            return other, True
    return flow, False


def is_told(project: Project, flow: Flow) -> bool:
    """Printed for whoever has asked for it: by a command, by hand, while somebody develops."""
    fn, call = flow.site.fn, flow.site.call
    prints = flow.site.model.name in PRINTS
    if prints and (is_command(fn) or only_by_hand(project, flow.fn) or in_main_block(fn, call)):
        return True
    return project.layer(flow.fn) in OPERATOR or for_developer(fn, call)


def may_hold_secrets(project: Project, fn: Fn) -> bool:
    """Whether what is sent there may well have secrets in it: it is about users or keys, or whatever is sent to any route."""
    if project.layer(fn) == "middleware" or fn.fqn in project.error_handlers:
        return True
    routes = project.route_functions.get(fn.fqn, ())
    named = place_words(fn).union(*(identifier_words(route.path) for route in routes))
    return any(word.rstrip("s") in KEEPING for word in named)


def for_developer(fn: Fn, call: Call) -> bool:
    """Below `if settings.DEBUG:`, `if settings.is_development() and verbose:`, `if stage == "dev":`."""
    return any(outcome and asks_stage(fn, test) for test, outcome in fn.tests_of(call.block))


def asks_stage(fn: Fn, test: Vid) -> bool:
    value = fn.unguarded(test)
    if value[0] == "bool" and value[1] == "and":
        return any(asks_stage(fn, part) for part in value[2])
    if value[0] == "compare" and value[1] == ("==",):
        return any(fn.const(side) in DEVELOPING for side in value[2])
    key: object = ...
    if value[0] == "call":  # `config.get("DEBUG", False)`
        call = fn.calls[value[1]]
        key = fn.const(call.args[0]) if call.args else ...
        value = fn.unguarded(call.func)
    elif value[0] == "item":
        key = fn.const(value[2])
    name = str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name") else ""
    name = key if isinstance(key, str) else name
    return not DEVELOPING.isdisjoint(identifier_words(name))


def is_command(fn: Fn) -> bool:
    """A function that a command line runs: `@app.cli.command("new-token")`; what it prints is for whoever asked."""
    home = fn.parent
    for vid in fn.facts.decorators if home is not None else ():
        assert home is not None
        value = home.facts.values[vid]
        func = home.facts.values[home.facts.calls[value[1]].func] if value[0] == "call" else value
        if func[0] in ("attr", "name") and str(func[-1]).rpartition(".")[2] == "command":
            return True
    return False


def written(project: Project, fn: Fn, vid: Vid, call: Call, depth: int) -> Iterator[tuple[Fn, str, Location]]:
    """What goes to the log that should not, with where it is to be reported; else what callers pass to a helper that only hands
    it on."""
    what = shown(project, fn, vid, call)
    if what:
        yield fn, what, fn.location(call.span)
        return
    index = project.taint.forwarded(fn, vid) if depth else -1
    for edge in project.graph.callers(fn) if index >= 0 else ():
        if edge.call is not None:
            for passed, _ in project.taint.bound(edge).get(index, ()):
                yield from written(project, edge.caller, passed, edge.call, depth - 1)


def shown(project: Project, fn: Fn, vid: Vid, call: Call) -> str:
    """What a log line says that no one should read there, or ""."""
    whole = held_whole(project, fn, vid)
    if whole:
        return f"{whole} goes to the log"
    what = whole_request(project, fn, vid)
    if what:
        held = "passwords and tokens in it" if what in TOKENS else HELD
        return f"`{what}` of the request goes to the log as a whole, with {held}"
    name = object_with_secret(project, fn, vid)
    if name:
        return f"The logged object prints its `{name}`"
    key = entry_with_secret(project, fn, vid, call)
    if key:
        return f"What is logged holds the `{key}` that is read from it here"
    key = handed_with_secret(project, fn, vid)
    if key:
        return f"What is logged holds the `{key}` that callers put into it"
    for part in printed(fn, vid):
        for cls, field in filled_fields(project, fn, part):
            if sensitive(field) in ("secret", "personal"):
                return f"All fields of `{cls.name}` go to the log, and with them `{field}`"
    return ""


def urls_in_exceptions(project: Project) -> Iterator[Hit]:
    """Logged texts of exceptions of calls whose URL holds a secret: clients name the URL in them."""
    asked: dict[tuple[str, int], str] = {}
    for flow in project.taint.flows(("url",), ("secret",)):
        if not flow.weak and "http" in flow.site.model.effect and evident(project, flow):
            name = flow.source.path[0] if flow.source.path else "a secret"
            for handler in on_the_way(project, flow):
                asked.setdefault(handler, name)
    named = {fqn for fqn, _ in asked}
    for site in project.taint.sinks("log"):
        for origin in project.taint.labels(site.fn, site.vid) if site.fn.fqn in named else ():
            value = site.fn.facts.values[origin.slot] if origin.fn == site.fn.fqn else ("unknown",)
            name = asked.get((origin.fn, value[1]), "") if origin.what == "exception" and value[0] == "exc" else ""
            if name:
                yield Hit(
                    f"The text of an exception goes to the log in `{site.fn.name}()`, and with it the URL that was asked for, "
                    f"which holds a secret (`{name}`); log the type and the status instead.",
                    site.fn.location(site.call.span),
                    confidence="medium",
                    function=site.fn.fqn,
                )


def on_the_way(project: Project, flow: Flow) -> Iterator[tuple[str, int]]:
    """Handlers around the call, and around the calls through which the secret came to it."""
    fn, block = flow.site.fn, flow.site.call.block
    for hop in reversed(flow.chain):
        found = list(handlers(project, fn, block, 0))
        if found:
            yield from found
            return
        fn, block = hop.edge.caller, hop.edge.block
    yield from handlers(project, fn, block, FAR)


def handlers(project: Project, fn: Fn, block: int, depth: int) -> Iterator[tuple[str, int]]:
    """Handlers that get what a place raises, in the function itself or in those that call it."""
    inside = [number for number, item in fn.blocks_of(block) if item.kind == "try"]
    found = [
        (fn.fqn, number)
        for number, item in enumerate(fn.facts.blocks)
        if item.kind == "except" and item.group in inside and catches(project, fn, item.value)
    ]
    yield from found
    if found or depth == 0:
        return
    for edge in project.graph.callers(fn):
        if edge.call is not None and edge.kind == "call":
            yield from handlers(project, edge.caller, edge.call.block, depth - 1)


def catches(project: Project, fn: Fn, vid: Vid) -> bool:
    """Everything, or the errors of clients."""
    if vid < 0:
        return True
    value = fn.facts.values[vid]
    names = [ref.name for item in (value[1] if value[0] == "tuple" else (vid,)) for ref in project.refs(fn, item)]
    models = [project.libraries.exception(name) for name in names]
    return not BROAD.isdisjoint(names) or any(model is not None and model.kind == "infrastructure" for model in models)


def object_with_secret(project: Project, fn: Fn, vid: Vid) -> str:
    """The secret field of a data object that is printed whole."""
    return next((name for part in printed(fn, vid) if (name := secret_field(project, fn, part))), "")


def entry_with_secret(project: Project, fn: Fn, vid: Vid, shown_by: Call) -> str:
    """The secret that the function itself takes out of the mapping that is printed: `answer["access_token"]`; one that a test
    around the place has found missing is none, and nothing is in what is no mapping there."""
    for part in printed(fn, vid, COPIES):
        if is_missing(fn, fn.untested(part), shown_by):
            continue
        if fn.facts.values[part][0] not in ("call", "await", "param", "attr", "name", "unpack"):
            continue
        same = {part}
        for number in fn.made_by("guard"):
            if fn.facts.values[number][1] in same:
                same.add(number)
        items = ((number, fn.facts.values[number]) for number in fn.made_by("item"))
        keys = [(number, fn.const(value[2])) for number, value in items if value[1] in same]
        for call in fn.calls:
            func = fn.facts.values[call.func]
            if func[0] == "attr" and func[1] in same and func[2] in ("get", "pop") and call.args:
                keys.append((call.value, fn.const(call.args[0])))
        for taken, key in keys:
            if not isinstance(key, str) or sensitive(key) != "secret" or is_missing(fn, taken, shown_by):
                continue
            if not project.taint.is_no_secret(fn, taken, key):
                return key
    return ""


def handed_with_secret(project: Project, fn: Fn, vid: Vid) -> str:
    """The secret that a caller puts into a mapping that is logged: `announce({"number": number, "pin": pin})`."""
    value = fn.unguarded(vid)
    entries = [item for _, item in value[1]] if value[0] == "dict" else []
    parts = (part for item in (vid, *entries) for part in printed(fn, item, COPIES))
    given = (item for part in parts for item in project.taint.passed_for(fn, part))
    return next((name for caller, _, passed in given if (name := secret_entry(project, caller, passed))), "")


def secret_entry(project: Project, fn: Fn, vid: Vid) -> str:
    """The key under which a mapping that is written here has a secret."""
    value = fn.unguarded(vid)
    for key, item in value[1] if value[0] == "dict" else ():
        name = fn.const(key)
        secret = isinstance(name, str) and sensitive(name) == "secret"
        if secret and any(origin.what == "secret" for origin in project.taint.labels(fn, item)):
            return str(name)
    return ""


def is_missing(fn: Fn, vid: Vid, place: Call) -> bool:
    """Whether a test around the place says that a value is none, or no text or mapping: `if token is None:`, `if not token:`,
    `if isinstance(answer, Refusal):`."""
    return any(denies(fn, test, holds, vid) for test, holds in fn.tests_of(place.block))


def denies(fn: Fn, test: Vid, holds: bool, vid: Vid) -> bool:
    """Whether a test that came out so says that the value is none, or an object of another class."""
    value = fn.unguarded(test)
    if value[0] == "not":
        return denies(fn, value[1], not holds, vid)
    if value[0] == "compare" and len(value[2]) == 2 and fn.const(value[2][1]) is None:
        return denies(fn, value[2][0], holds == (value[1][0] in ("is not", "!=")), vid)
    if value[0] == "bool":
        parts = [denies(fn, item, holds, vid) for item in value[2]]
        return any(parts) if (value[1] == "and") == holds else all(parts)
    call = fn.calls[value[1]] if holds and value[0] == "call" else None
    if call is not None and fn.callee_name(call) == "isinstance" and len(call.args) == 2:
        asked = fn.unguarded(call.args[1])
        named = asked[0] in ("name", "attr") and str(asked[-1]).rpartition(".")[2] not in PRINTED_TYPES
        return named and fn.untested(call.args[0]) == vid
    return not holds and fn.untested(test) == vid


def printed(fn: Fn, vid: Vid, copies: frozenset[str] = frozenset()) -> Iterator[Vid]:
    """The values that a text is made of, each once; also what the named functions only give in another form."""
    todo, seen = [vid], set()
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] in ("conv", "guard"):
            todo.append(value[1])
        elif value[0] == "fmt":
            todo += reversed(value[2])
        elif value[0] == "call" and len(copied := copy_of(fn, value[1], copies)) == 1:
            todo += copied
        else:
            yield vid


def copy_of(fn: Fn, number: int, copies: frozenset[str]) -> tuple[Vid, ...]:
    """What a call gives in another form: `row` of `dict(row)`."""
    call = fn.calls[number]
    func = fn.value(call.func)
    return call.args if func[0] == "name" and func[1] in copies and not call.kwargs else ()


def secret_field(project: Project, fn: Fn, vid: Vid) -> str:
    """The secret field of the object, where printing it prints all fields."""
    for ref in project.refs(fn, vid):
        cls = project.classes.get(ref.name) if ref.kind == "inst" else None
        if cls is None or project.hierarchy.role(cls) not in ("schema", "settings"):
            continue
        owners = project.hierarchy.mro(cls)
        if any(name in owner.methods for owner in owners for name in ("__repr__", "__str__")):
            continue
        for owner in owners:
            for name, annotation in owner.facts.annotations.items():
                types = project.refs(owner.owner, annotation)
                plain = not any("Secret" in item.name for item in types)
                if sensitive(name) == "secret" and plain and name not in owner.facts.attributes:
                    return name
    return ""
