"""What has routes: applications, routers and lists, and how one is put into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backendlint.facts.model import Call, Span, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries.model import App
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
    use: tuple[Fn, Call] | None = None
    """Where that call stands in a helper: the call of the helper."""
    instead: bool = False
    """The prefix stands instead of the child's own."""

    @property
    def at(self) -> tuple[str, Span]:
        """The function and the place in it where the child is mounted; of several in one function the first comes first."""
        fn, call = self.use or (self.fn, self.call)
        return fn.fqn, call.span if call is not None else Span(0, 0, 0, 0)


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


def in_order(mounts: Sequence[Mounted]) -> Sequence[Mounted]:
    """Those that helpers make in their places among the others: where the function calls the helper."""
    if all(mounted.use is None for mounted in mounts):
        return mounts
    of: dict[str, list[Mounted]] = {}
    for mounted in mounts:
        of.setdefault(mounted.at[0], []).append(mounted)
    turns = {name: iter(sorted(group, key=lambda item: item.at[1])) for name, group in of.items()}
    return [next(turns[mounted.at[0]]) for mounted in mounts]


def is_hidden(fn: Fn, call: Call) -> bool:
    """Whether an application, router or mount keeps its routes out of the OpenAPI documentation."""
    address = call.kwarg("openapi_url")
    shown = address < 0 or fn.const(address) not in (None, "")
    return not shown or fn.const(call.kwarg("include_in_schema")) is False
