"""What has routes: applications, routers and lists, and how one is put into another."""

from __future__ import annotations

from dataclasses import dataclass, field

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries_model import App
from backendlint.project.routes.model import Entry, Origin

Key = tuple[str, Vid]


@dataclass(slots=True, eq=False)
class Mounted:
    """A child with the prefix and dependencies that its mount adds."""

    child: Key
    prefix: str
    fn: Fn
    dependencies: tuple[Vid, ...]
    syntax: str = "braces"
    hidden: bool = False
    """Left out of the documentation."""
    call: Call | None = None


@dataclass(slots=True, eq=False)
class Holder:
    """An application, a router, or a list of routes."""

    origin: Origin
    location: Location
    library: str
    app: App | None = None
    call: Call | None = None
    entries: list[Entry] = field(default_factory=list)
    mounts: list[Mounted] = field(default_factory=list)
    hooks: list[Ref] = field(default_factory=list)
    """Middleware and before-request functions or classes."""


def is_hidden(fn: Fn, call: Call) -> bool:
    """Whether an application, router or mount keeps its routes out of the OpenAPI documentation."""
    address = call.kwarg("openapi_url")
    shown = address < 0 or fn.const(address) not in (None, "")
    return not shown or fn.const(call.kwarg("include_in_schema")) is False
