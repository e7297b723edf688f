from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Project,
    Site,
    Vid,
    for_development,
    only_by_hand,
    place_kind,
    receiver,
    shape_of,
    sink_arguments,
    written,
)

EFFECTS = frozenset(
    "http db-connect db cache-read cache-write queue-publish queue-consume mail socket grpc search cloud dns".split()
)
OPENS = frozenset(
    "db-connection db-engine db-pool http-session socket smtp grpc-channel ssh redis-client redis-pool queue-connection "
    "cache-client ldap".split()
)
NAMES = frozenset(
    "host hostname url uri dsn server servers broker brokers base_url endpoint_url endpoint bootstrap_servers address "
    "hosts nodes node contact_points database_url broker_url backend conninfo target".split()
)
KINDS = {"url": "URL", "host": "host", "dsn": "connection string", "path": "path"}


HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)
PRIVATE = re.compile(
    r"(\d+\.){3}\d+|[^.]+|.*\.(local|localhost|localdomain|internal|intranet|private|corp|lan|home|svc|cluster|consul|test|example|invalid|arpa)"
    r"|(.*\.)?example\.(com|net|org)",
    re.IGNORECASE,
)
"""Addresses, names without a domain, names that only one network knows, and those that stand for another (RFC 2606)."""
HERE = frozenset({"ASGITransport", "WSGITransport", "UnixConnector", "NamedPipeConnector"})
"""What carries requests to the same process or machine."""
STORES = OPENS - {"http-session", "socket", "grpc-channel", "ssh"}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
DATA = frozenset(
    "db-connect db db-read db-write cache-read cache-write queue-publish queue-consume mail search".split()
)
"""Effects of clients of what has a machine of its own in production."""
STAGE = re.compile(
    r"\b(dev|development|stag(e|ing)|test(ing)?|qa|uat|preprod|prod|production|sandbox|internal|local)\d*\b",
    re.IGNORECASE,
)
"""Words that say which environment is meant."""
TOOLS = ("command", "migration", "entry")
FAR = 2
"""Helpers through which an address is followed to where it is written."""
USER = re.compile(r"[a-z][a-z0-9+.-]*://\w*:", re.IGNORECASE)
"""What stands before a password."""
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://(\w+:\w*@)?", re.IGNORECASE)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    seen = set()
    services = tuple(options["services"])
    for site in project.effects.sites:
        for owner, vid, wanted in (item for given in arguments(site) for item in passed(project, site.fn, *given, FAR)):
            place = located(project, owner, vid)
            if place is None or is_setting(project, *place):
                continue
            fn, literal = place
            value = fn.facts.values[literal][1]
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            kind = place_kind(text) if isinstance(text, str) else ""
            location = fn.location(fn.facts.span_of(literal))
            if isinstance(text, str) and (shape_of(text) or is_neighbour(text)):
                continue
            if not kind or (kind == "path") != (wanted == "path") or location in seen or in_process(project, site):
                continue
            seen.add(location)
            whole = shown(owner, vid) or str(text)
            yield report(project, site, kind, fn, literal, published(whole, services) or beside(whole, site))


def in_process(project: Project, site: Site) -> bool:
    """A client whose requests a program of this process answers, `httpx.AsyncClient(transport=ASGITransport(app=app))`, or one
    behind a socket of this machine: the host of its URLs is looked up nowhere."""
    base = receiver(site.fn, site.call)
    made = [(item.fn, item.call) for item in project.allocations.of(site.fn, base)] if base >= 0 else []
    return any(stays_here(fn, call) for fn, call in ((site.fn, site.call), *made))


def stays_here(fn: Fn, call: Call) -> bool:
    for key in ("transport", "connector"):
        value = fn.unguarded(call.kwarg(key)) if call.kwarg(key) >= 0 else ("",)
        inner = fn.calls[value[1]] if value[0] == "call" else None
        if inner is not None and (fn.callee_name(inner) in HERE or inner.kwarg("uds") >= 0):
            return True
    return False


def passed(project: Project, fn: Fn, vid: Vid, wanted: str, depth: int) -> Iterator[tuple[Fn, Vid, str]]:
    """The argument itself, and of a helper that only hands it on to a request what its callers pass."""
    yield fn, vid, wanted
    for caller, _, given in project.taint.passed_for(fn, vid) if depth and wanted == "host" else ():
        yield from passed(project, caller, given, wanted, depth - 1)


def located(project: Project, fn: Fn, vid: Vid) -> tuple[Fn, Vid] | None:
    """Where the place is written; the host of `f"http://{HOST}/x"`."""
    place = written(project, fn, vid)
    value = fn.facts.values[vid]
    if place is not None and value[0] == "fmt" and len(value[2]) > 1:
        text = place[0].const(place[1])
        if isinstance(text, str) and SCHEME.fullmatch(text):
            return written(project, fn, value[2][1])
        if isinstance(text, str) and USER.fullmatch(text):
            host = behind_password(fn, value[2])
            return place if isinstance(fn.const(host), str) else written(project, fn, host)
    return place


def behind_password(fn: Fn, parts: tuple[Vid, ...]) -> Vid:
    """The host of `f"redis://:{PASSWORD}@{HOST}/0"`."""
    number = next((number for number, part in enumerate(parts) if str(fn.const(part)).startswith("@")), -1)
    alone = number >= 0 and fn.const(parts[number]) == "@" and number + 1 < len(parts)
    return parts[number + 1] if alone else parts[number]


def is_neighbour(text: str) -> bool:
    """The cloud's metadata service has the same address everywhere."""
    return "169.254.169.254" in text or "metadata.google.internal" in text


def shown(fn: Fn, vid: Vid) -> str:
    """A built address with its constant parts: the host may go on after a region's name."""
    value = fn.facts.values[vid]
    texts = [fn.const(part) for part in value[2]] if value[0] == "fmt" else []
    return "".join(text if isinstance(text, str) else "x" for text in texts) if texts and texts[0] is not ... else ""


def published(text: str, services: tuple[str, ...]) -> bool:
    """The address of a public service, which is the same in every environment."""
    match = HOST.match(text)
    host = match.group(1).lower() if match else ""
    if any(host == name or host.endswith(f".{name}") for name in services):
        return True
    below = host.rpartition(".")[0]
    web = text.lower().startswith(("https://", "wss://", "http://", "ws://"))
    return web and not PRIVATE.fullmatch(host) and not STAGE.search(below)


def beside(text: str, site: Site) -> bool:
    """A server of the same machine or container, which is started with this one; a database may be anywhere else."""
    host = HOST.match(text)
    data = not DATA.isdisjoint(site.model.effect) or site.model.opens in STORES
    return not data and (host.group(1) if host else text.partition(":")[0]).lower() in LOOPBACK


def report(project: Project, site: Site, kind: str, fn: Fn, literal: Vid, fixed: bool) -> Hit:
    called = ".".join(site.model.name.rsplit(".", 2)[-2:])
    where = f" in `{site.fn.name}()`" if not site.fn.is_module else ""
    hit = Hit(
        f"The {KINDS[kind]} for `{called}`{where} is written in the code, so each environment needs its own build; "
        "read it from settings.",
        fn.location(fn.facts.span_of(literal)),
        function=site.fn.fqn,
    )
    tool = kind == "path" or fixed or for_development(fn.path)
    tool = tool or any(project.layer(item) in TOOLS or only_by_hand(project, item) for item in (site.fn, fn))
    return replace(hit, profile="strict", confidence="medium") if tool else hit


def arguments(site: Site) -> Iterator[tuple[Vid, str]]:
    """Arguments that say where to connect, and what kind of place is meant."""
    model, call = site.model, site.call
    for sink in model.sinks:
        if sink.kind in ("ssrf", "path"):
            wanted = "path" if sink.kind == "path" else "host"
            yield from ((vid, wanted) for vid in sink_arguments(site.fn, call, sink.arg))
    if not EFFECTS.isdisjoint(model.effect) or model.opens in OPENS or model.pool is not None or model.app is not None:
        for key, vid in call.kwargs:
            if key in NAMES:
                yield from ((part, "host") for part in parts(site.fn, vid))
        if connects(site, call):
            yield from ((part, "host") for part in parts(site.fn, call.args[0]))


def parts(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """The places of a list, the host of a `(host, port)`, the host in `ConnectionParameters("...")`."""
    value = fn.facts.values[vid]
    if value[0] == "list" or (value[0] == "tuple" and value[1] and not isinstance(fn.const(value[1][-1]), int)):
        yield from value[1]
    elif value[0] == "tuple" and value[1]:
        yield value[1][0]
    elif value[0] == "call":
        inner = fn.facts.calls[value[1]]
        if fn.callee_name(inner)[:1].isupper():  # made here, not looked up: `config.get("redis.url")`
            yield from inner.args[:1]
        yield from (item for key, item in inner.kwargs if key in NAMES)
    else:
        yield vid


def connects(site: Site, call: Call) -> bool:
    return bool(call.args) and (
        site.model.opens in OPENS or "db-connect" in site.model.effect or site.model.pool is not None
    )


def is_setting(project: Project, fn: Fn, vid: Vid) -> bool:
    """Written where settings are: a settings class or module, or the default of a lookup."""
    if project.layer(fn) == "config":
        return True
    return any(vid in site.call.args for site in project.effects.direct(fn) if site.model.env is not None)
