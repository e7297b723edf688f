"""Calls that leave the process, by the dependency that they go to, with how long they may wait."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.effects import Site

if TYPE_CHECKING:
    from backendlint.project.model import Project

KINDS = {
    "http": "HTTP service", "grpc": "gRPC service", "cloud": "cloud service", "search": "search", "mail": "mail",
    "cache-read": "cache", "cache-write": "cache", "queue-publish": "queue", "queue-consume": "queue", "db-read": "database",
    "db-write": "database", "db": "database", "db-connect": "database", "socket": "socket", "subprocess": "subprocess",
}  # fmt: skip
"""Effects of calls that leave the process."""
_HOST = re.compile(r"https?://([^/\s\"'{}:?#]+)")
_PLAIN = re.compile(
    r"(client|service|api|adapter|gateway|integration|provider|connector|backend|manager|helper|utils?)s?$",
    re.IGNORECASE,
)


class Outbound(NamedTuple):
    """One call that leaves the process."""

    site: Site
    dependency: str
    kind: str


def outbound(project: Project) -> Iterator[Outbound]:
    """All such calls of the project, with the name of what they go to."""
    for site in project.effects.sites:
        kind = next((KINDS[effect] for effect in site.model.effect if effect in KINDS), "")
        if kind and project.layer(site.fn) != "migration":
            yield Outbound(site, dependency_name(project, site, kind), kind)


def dependency_name(project: Project, site: Site, kind: str) -> str:
    """The host where the code names it, else the client class or module; databases, caches and queues are one each."""
    if kind not in ("HTTP service", "gRPC service", "socket"):
        return kind
    host = next(
        (found for vid in site.call.passed if (found := host_of(project, site.fn, vid))),
        "",
    )
    return host or owner_name(site.fn)


def host_of(project: Project, fn: Fn, vid: Vid) -> str:
    """The host of a URL that is a constant, or begins with one."""
    for text in texts(project, fn, vid, 3):
        match = _HOST.match(text)
        if match:
            return urlsplit(f"//{match[1]}").hostname or ""
    return ""


def texts(project: Project, fn: Fn, vid: Vid, depth: int) -> Iterator[str]:
    """Constant texts with which a value may begin."""
    found = project.constants(fn, vid)
    if found:
        yield from (item for item in found if isinstance(item, str))
        return
    value = fn.facts.values[vid]
    if depth and value[0] == "fmt" and value[2]:
        yield from texts(project, fn, value[2][0], depth - 1)
    elif depth and value[0] == "binop":
        yield from texts(project, fn, value[2], depth - 1)


def owner_name(fn: Fn) -> str:
    """`PaymentClient.charge` -> payment; `clients/mailer.py` -> mailer."""
    if fn.cls is not None:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", fn.cls.name)
        return _PLAIN.sub("", words).strip().lower() or words.lower()
    return fn.path.rpartition("/")[2].rpartition(".")[0]
