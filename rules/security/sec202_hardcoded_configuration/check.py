from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Call, Fn, Hit, Project, Site, Vid, place_kind, sink_arguments, written

EFFECTS = frozenset(
    "http db-connect db cache-read cache-write queue-publish queue-consume mail socket grpc search cloud dns".split()
)
OPENS = frozenset(
    {"db-connection", "db-engine", "db-pool", "http-session", "socket", "smtp", "grpc-channel", "ssh", "redis"}
)
NAMES = frozenset(
    "host hostname url uri dsn server servers broker brokers base_url endpoint_url endpoint bootstrap_servers address "
    "hosts nodes node contact_points database_url broker_url backend conninfo target".split()
)
KINDS = {"url": "URL", "host": "host", "dsn": "connection string", "path": "path"}


def check(project: Project) -> Iterator[Hit]:
    seen = set()
    for site in project.effects.sites:
        for vid, wanted in arguments(site):
            place = written(project, site.fn, vid)
            if place is None or is_setting(project, *place):
                continue
            fn, literal = place
            value = fn.facts.values[literal][1]
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            kind = place_kind(text) if isinstance(text, str) else ""
            location = fn.location(fn.facts.span_of(literal))
            if not kind or (kind == "path") != (wanted == "path") or location in seen:
                continue
            seen.add(location)
            yield report(project, site, kind, fn, literal)


def report(project: Project, site: Site, kind: str, fn: Fn, literal: Vid) -> Hit:
    called = ".".join(site.model.name.rsplit(".", 2)[-2:])
    where = f" in `{site.fn.name}()`" if not site.fn.is_module else ""
    hit = Hit(
        f"The {KINDS[kind]} for `{called}`{where} is written in the code, so each environment needs its own build; "
        "read it from settings.",
        fn.location(fn.facts.span_of(literal)),
        function=site.fn.fqn,
    )
    tool = project.layer(site.fn) in ("command", "migration", "entry") or kind == "path"
    return replace(hit, profile="strict", confidence="medium") if tool else hit


def arguments(site: Site) -> Iterator[tuple[Vid, str]]:
    """Arguments that say where to connect, and what kind of place is meant."""
    model, call = site.model, site.call
    for sink in model.sinks:
        if sink.kind in ("ssrf", "path"):
            wanted = "path" if sink.kind == "path" else "host"
            yield from ((vid, wanted) for vid in sink_arguments(site.fn, call, sink.arg))
    if not EFFECTS.isdisjoint(model.effect) or model.opens in OPENS or model.pool is not None or model.app is not None:
        yield from ((vid, "host") for key, vid in call.kwargs if key in NAMES)
        if connects(site, call):
            yield call.args[0], "host"


def connects(site: Site, call: Call) -> bool:
    return bool(call.args) and (
        site.model.opens in OPENS or "db-connect" in site.model.effect or site.model.pool is not None
    )


def is_setting(project: Project, fn: Fn, vid: Vid) -> bool:
    """Written where settings are: a settings class or module, or the default of a lookup."""
    if project.layer(fn) == "config":
        return True
    return any(vid in site.call.args for site in project.effects.direct(fn) if site.model.env is not None)
