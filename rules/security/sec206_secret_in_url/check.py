from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from backendlint.api import (
    PUT_IN,
    Call,
    Flow,
    Fn,
    Hit,
    Location,
    Project,
    Vid,
    evident,
    flow_hit,
    for_developers,
    here_and_in,
    identifier_words,
    ingredients,
    name_of_value,
    place_flows,
    sensitive,
    told_once,
)

HARM = "so proxies, error texts and the other side's access logs keep it; send it in a header or the body where that is taken."
KEPT = "so browsers' histories, proxies and access logs keep it; take it in the body."
ENDS = re.compile(
    r"[?&]((?:api_?|access_?|auth_?)?(?:key|token)|password|passwd|secret|client_secret)=$", re.IGNORECASE
)
ONLY_THERE = re.compile(r"://api\.telegram\.org/(file/)?bot$")
QUERY = frozenset({"GET", "args", "query_params"})
PATH = re.compile(r"[^?]*/")
SEGMENT = re.compile(r"/(\w+)/$")
TOO_SHORT = frozenset({"key", "token"})
"""Keys of pages and places as often as secrets."""
FEW_OF_ONE = 2
FAR = 3
"""Helpers through which an address is followed to those who write it."""
PASSWORD = re.compile(r"(^|_)(password|passwd|passphrase)$", re.IGNORECASE)
SETTINGS = re.compile(r"_?(settings|config|conf|cfg)")
SHOWN = frozenset({"PUBLIC", "PUBLISHABLE", "SITE"})
"""Words of keys that pages show."""


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    """A client that sends its key so does it in each of its requests: of one secret, a file is told once."""
    styles: dict[tuple[str, str], list[Hit]] = {}
    for hit, name in hits(project, tuple(options["only_in_query"]), frozenset(options["userinfo_as_header"])):
        if hit.profile == "strict":
            yield hit
        else:
            styles.setdefault((hit.location.path, name), []).append(hit)
    files = [hit for alike in styles.values() for hit in told_once(alike, told, few=FEW_OF_ONE, severity=None)]
    yield from (hit for hit in files if hit.profile == "strict")
    yield from told_once((hit for hit in files if hit.profile != "strict"), all_over, severity=None)


def told(hit: Hit, others: str) -> str:
    return here_and_in(hit, others, before=", so proxies")


def all_over(hit: Hit, others: str) -> str:
    return f"{hit.message} So do other requests, in {others}."


def hits(project: Project, only_there: tuple[str, ...], as_header: frozenset[str]) -> Iterator[tuple[Hit, str]]:
    """Each place, with the name of the secret."""
    known: set[Location] = set()
    doubtful = []
    for flow in place_flows(project, ("url",), ("secret",)):
        if is_address(flow):
            continue
        hit = flow_hit(project, flow, HARM)
        hit = replace(hit, location=put_in(hit) or listed_in(flow) or hit.location)
        name = flow.source.path[0] if flow.source.path else ""
        if identifier_words(name)[:1] == ("url",):
            continue  # `url_token`: made to stand there
        meant = (
            is_userinfo(flow, as_header)
            or is_resource(flow, name)
            or is_taken_there_only(flow, name, only_there)
            or sent_in_query(project, flow)
        )
        if meant or for_developers(flow.site.fn.path):
            hit = replace(hit, profile="strict")
        if flow.weak or evident(project, flow):
            known |= {hit.location, flow.location}
            yield hit, name
        else:
            doubtful.append((replace(hit, profile="strict", confidence="low"), name))
    for site in project.taint.sinks("url"):
        for fn, call, name, location in named_at(project, site.fn, site.vid, site.call):
            if location not in known:
                known.add(location)
                way = f"in `{fn.name}()`" if call is site.call else f"through `{fn.callee_name(call)}()`"
                yield (
                    Hit(f"A secret (`{name}`) reaches `{site.called}()` {way}, {HARM}", location, function=fn.fqn),
                    name,
                )
    yield from (item for item in doubtful if item[0].location not in known)
    yield from queried(project)
    asked = {site.fn.fqn for site in project.taint.sinks("url")}
    yield from (item for fn in project.reviewed() if fn.fqn not in asked for item in handed_out(project, fn))


def put_in(hit: Hit) -> Location | None:
    """Where the secret is put into the text that the URL is made of, in the file that asks: there it can be left out."""
    built = (step.location for step in hit.flow if step.message == PUT_IN)
    return next((place for place in built if place.path == hit.location.path), None)


def listed_in(flow: Flow) -> Location | None:
    """The same where the call itself lists the parameters: `get(url, params={"key": KEY})`."""
    fn, vid = flow.site.fn, flow.site.vid
    listed = not flow.chain and fn.value(vid)[0] == "dict" and flow.site.call.span.holds(fn.facts.span_of(vid))
    return fn.place(vid) if listed else None


Named = tuple[Fn, Call, str, Location]
"""A call with an address that names a secret, and where that is put in."""


def named_at(project: Project, fn: Fn, vid: Vid, call: Call, depth: int = FAR) -> Iterator[Named]:
    """The call with an address that names a secret: the one that asks for it, or else those of a helper that is given the
    address or a part of it (`self.get(f"/tides?key={KEY}")`)."""
    name = named_secret(project, fn, vid)
    if name:
        built = fn.unguarded(vid)[0] == "fmt"
        yield fn, call, name, fn.place(fn.untested(vid)) if built else fn.location(call.span)
        return
    value = fn.unguarded(vid)
    parts = value[2] if value[0] == "fmt" else value[2:4] if value[0] == "binop" else (vid,)
    for caller, made, passed in (item for part in parts if depth for item in project.taint.passed_for(fn, part)):
        yield from named_at(project, caller, passed, made, depth - 1)


def queried(project: Project) -> Iterator[tuple[Hit, str]]:
    """`def login(email: str, password: str)` of a FastAPI route: what no form or body is declared for comes in the query."""
    seen = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or fn.header in seen or not project.counts(fn.header):
            continue
        asked = [item for item in route.params if item.origin == "query" and item.type != "bool"]
        named = [item.name for item in asked if PASSWORD.search(item.name)]
        if named:
            seen.add(fn.header)
            text = f"{route.label} takes `{named[0]}` from the query, {KEPT}"
            yield Hit(text, fn.header, function=fn.fqn), named[0]


def handed_out(project: Project, fn: Fn) -> Iterator[tuple[Hit, str]]:
    """`return f"{HOST}/receipts?api_key={settings.SHOP_TOKEN}"`: a link with the service's own key, for whoever gets it."""
    texts = [item for item in fn.facts.returns if item.value >= 0 and fn.unguarded(item.value)[0] == "fmt"]
    callers = (edge.caller for edge in project.graph.callers(fn) if edge.kind == "call")
    if not texts or any(project.effects.has(caller, "http") for caller in callers):
        return  # a request that is made of it is judged where it is sent
    for item in texts:
        for before, part in pairwise(fn.unguarded(item.value)[2]):
            text = fn.const(before)
            match = ENDS.search(text) if isinstance(text, str) and fn.const(part) is ... else None
            if match and is_key_setting(fn, part):
                name = name_of_value(fn, part)
                text = f"A secret (`{name}`) is in the URL that `{fn.name}()` returns, {HARM}"
                yield Hit(text, fn.location(fn.facts.span_of(item.value)), function=fn.fqn), name


def is_resource(flow: Flow, name: str) -> bool:
    """`f"/cards/token/{token}/groups"`: what the other side calls the thing that is asked for."""
    fn: Fn | None = flow.site.fn
    while fn is not None and not fn.is_module:
        for before, part in neighbours(fn):
            ends = SEGMENT.search(str(fn.const(before)))
            if ends and name_of_value(fn, part) == name and ends[1].rstrip("s") == name.rstrip("s"):
                return True
        fn = fn.parent
    return False


def is_taken_there_only(flow: Flow, name: str, hosts: tuple[str, ...]) -> bool:
    """Where the other side knows no other place for it: the log and the error's text are what can be mended."""
    fn = flow.site.fn
    texts = [text for vid in fn.made_by("const") if isinstance(text := fn.value(vid)[1], str) and "://" in text]
    if any(f"://{host}" in text for text in texts for host in hosts):
        return True
    return any(
        ONLY_THERE.search(str(fn.const(before))) and name_of_value(fn, part) == name for before, part in neighbours(fn)
    ) or in_path(fn, name)


def is_userinfo(flow: Flow, as_header: frozenset[str]) -> bool:
    """`f"http://{USER}:{PASSWORD}@{HOST}/"`, given to a client that sends it as a header: only what prints the URL shows it."""
    if flow.site.model.name.partition(".")[0] not in as_header:
        return False
    fn = flow.site.fn
    made = ingredients(fn.facts, (flow.site.vid,))
    texts = [fn.value(vid)[2] for vid in fn.made_by("fmt") if vid in made]
    return any(
        str(fn.const(parts[number - 1])).endswith(":") and str(fn.const(parts[number + 1])).startswith("@")
        for parts in texts
        for number in range(1, len(parts) - 1)
        if sensitive(name_of_value(fn, parts[number])) == "secret"
    )


def sent_in_query(project: Project, flow: Flow) -> bool:
    """`token = request.GET.get("token")`: whoever sent it has put it into a URL before."""
    fn = project.functions[flow.source.fn]
    origins = project.taint.labels(fn, flow.source.slot) if flow.source.slot < len(fn.facts.values) else ()
    return any(item.what == "request" and QUERY.intersection(item.path) for item in origins)


def in_path(fn: Fn, name: str) -> bool:
    """`f"{host}/hooks/{secret}"`: a part of the path, which the other side has made the caller's own address."""
    for vid in fn.made_by("fmt"):
        said = ""
        for part in fn.value(vid)[2]:
            text = fn.const(part)
            if name_of_value(fn, part) == name and said.endswith("/") and "?" not in said:
                return True
            said += text if isinstance(text, str) else "{}"
    sums = (fn.value(vid) for vid in fn.made_by("binop"))
    return any(
        op == "+" and name_of_value(fn, right) == name and PATH.fullmatch(str(fn.const(left))) is not None
        for _, op, left, right in sums
    )


def neighbours(fn: Fn) -> Iterator[tuple[Vid, Vid]]:
    """Each two parts that stand side by side in a text of the function's."""
    for vid in fn.made_by("fmt"):
        yield from itertools.pairwise(fn.value(vid)[2])


def is_address(flow: Flow) -> bool:
    """A URL that is kept secret as a whole (a webhook's): there is nothing in it to send elsewhere."""
    fn, vid = flow.site.fn, flow.site.vid
    while fn.value(vid)[0] in ("guard", "await", "conv"):
        vid = fn.value(vid)[1]
    return flow.source.fn == fn.fqn and flow.source.slot == vid


def is_key_setting(fn: Fn, vid: Vid) -> bool:
    """`settings.BANK_KEY`, `API_TOKEN`, `self.config.bank_key`: what is called so among settings is a secret."""
    name = name_of_value(fn, vid)
    words = name.upper().split("_")
    value = fn.unguarded(vid)
    owner = fn.unguarded(value[1]) if value[0] == "attr" else ("",)
    if owner[0] == "param":
        owner = (fn.facts.params[owner[1]].name,)
    set_up = name.isupper() or SETTINGS.fullmatch(str(owner[-1]).rpartition(".")[2]) is not None
    return len(words) > 1 and set_up and words[-1].lower() in TOO_SHORT and SHOWN.isdisjoint(words)


def named_secret(project: Project, fn: Fn, vid: Vid) -> str:
    """What the URL (`...?api_key={x}`) or the query (`{"api_key": x}`) itself calls a secret, whatever its value is called."""
    value = fn.unguarded(vid)
    if value[0] == "fmt":
        for before, part in zip(value[2], value[2][1:], strict=False):
            text = fn.const(before)
            match = ENDS.search(text) if isinstance(text, str) and fn.const(part) is ... else None
            if match and (match[1].lower() not in TOO_SHORT or is_key_setting(fn, part)):
                return match[1]
    for key, item in value[1] if value[0] == "dict" else ():
        name = fn.const(key) if key >= 0 else ...
        if any(ref.name == "builtins.bool" for ref in project.refs(fn, item)):
            continue  # whether it is wanted
        if isinstance(name, str) and name not in TOO_SHORT and sensitive(name) == "secret" and fn.const(item) is ...:
            return name
    return ""
