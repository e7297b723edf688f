"""Routes of the project: what a client can ask for, and which function answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.libraries.model import App, DecoratorModel
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.routes.paths import names_in

UNKNOWN = "{?}"
"""Stands in a path for a part that is not known statically."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that ask and change nothing (RFC 9110, 9.2.1)."""

_TRIALS = frozenset("test tests testing debug dev development fixture fixtures mock mocks cypress e2e".split())
"""Words of settings that production leaves off."""


class Origin(NamedTuple):
    """Where an object is made: a value of a function's table."""

    fn: Fn
    vid: Vid

    @property
    def key(self) -> tuple[str, Vid]:
        return self.fn.fqn, self.vid


@dataclass(frozen=True, slots=True)
class RouteParam:
    """A handler's parameter that the framework fills from the request."""

    index: int
    """Position among the handler's parameters."""
    name: str
    """As the client knows it: an alias where one is given."""
    origin: str
    """path query body header cookie form file"""
    type: str
    """What narrows it: int float bool uuid enum literal date decimal slug model, or "" where it is free text."""
    required: bool


@dataclass(slots=True, eq=False)
class Application:
    """The object that the server runs, or the module with the root URL configuration."""

    name: str
    location: Location
    origin: Origin | None
    library: str
    model: App | None = None


@dataclass(slots=True, eq=False)
class Entry:
    """A registration as it stands in the code, before prefixes are known."""

    model: RouteModel
    library: str
    fn: Fn
    """In whose table the registration's values lie."""
    call: Call | None
    location: Location
    path: str
    syntax: str
    methods: tuple[str, ...]
    handlers: tuple[Ref, ...]
    wrappers: tuple[Ref, ...] = ()
    """Decorators applied at the registration (`login_required(view)`)."""
    decorator: bool = False
    explicit: bool = True
    """False where the methods are the framework's default."""
    through: tuple[Fn, Call] | None = None
    """The registering call in a helper, where `call` is the helper's."""


@dataclass(slots=True, eq=False)
class Route:
    """One path with its methods and the function that answers."""

    methods: tuple[str, ...]
    """Empty where the framework passes every method on."""
    path: str
    """The whole path, with the prefixes of all routers and mounts; parameters as `{name}`."""
    own_path: str
    """As the registration has it."""
    handler: Fn | None
    """None for handlers that the library implements (a generic view)."""
    cls: Cls | None
    """The class whose method answers."""
    action: str
    """Name of the handler method of a class, else ""."""
    location: Location
    """The decorator's or registration's line."""
    framework: str
    kind: str
    entry: Entry
    app: Application | None
    status: int | None
    """The declared success status, or the framework's default; None where only the response says."""
    status_declared: bool
    response_model: Origin | None
    dependencies: tuple[Fn, ...]
    """What runs before the handler by injection, directly or of routers; see `guards` for library objects."""
    guards: tuple[Ref, ...]
    """Everything between client and handler: decorators, dependencies, permission classes, wrappers, middleware."""
    params: tuple[RouteParam, ...]
    documented: bool
    """The framework documents it (OpenAPI)."""
    summary: str
    description: str
    in_schema: bool
    decorators: tuple[DecoratorModel, ...] = ()
    """Models of the handler's (and class's) decorators."""
    hooks: tuple[Fn, ...] = ()
    """Middleware functions and before-request hooks that cover it."""
    also: list[Application] = field(default_factory=list)
    """Other applications that have it too."""
    prefixes: tuple[str, ...] = field(default=())
    order: int = 0
    """Position in which the application tries it."""
    converters: dict[str, str] = field(default_factory=dict)
    """Types that converters give to the parameters of the whole path."""
    called: tuple[Fn, ...] = ()
    """Methods of the class that a handler of the library calls (`get_queryset`, `perform_create`)."""
    filled: tuple[Fn, ...] = ()
    """Methods of its serializer that such a handler calls (`create`, `validate`)."""
    idle: tuple[Ref, ...] = ()
    """Decorators above the one that registers the route, which takes the function without what they put around it."""
    view: Location | None = None
    """The decorator that makes a view of the handler, whose path is registered elsewhere."""
    inner: Location | None = None
    """Where the innermost application is made that has the route: a mounted one, else the root."""
    mounts: tuple[tuple[Fn, Call], ...] = ()
    """The calls that mount what has it, outermost first."""

    @property
    def label(self) -> str:
        """`POST /orders`, as reports name it."""
        return f"{'|'.join(self.methods) or 'ANY'} {self.path}"

    @property
    def begun(self) -> tuple[Fn, ...]:
        """What the framework calls for a request: the handler, what the library's part of it calls, and dependencies."""
        handler = (self.handler,) if self.handler is not None else ()
        return (*handler, *self.called, *self.filled, *self.dependencies)

    @property
    def body_model(self) -> Origin | None:
        """The response model, where it is one: `response_model=None` says that there is none."""
        origin = self.response_model
        return None if origin is None or origin.fn.const(origin.vid) is None else origin

    @property
    def registering(self) -> Iterator[tuple[Fn, Call]]:
        """The calls that bring it into the application, and its own."""
        yield from self.mounts
        if self.entry.call is not None:
            yield self.entry.fn, self.entry.call

    @property
    def held_by(self) -> Iterator[str]:
        """Names of the lists and routers in which it stands: `internal_urls = [path(...)]`, `router_v1.register(...)`."""
        for fn, call in self.registering:
            func = fn.facts.values[call.func]
            owner = func[1] if func[0] == "attr" else -1
            for item in fn.facts.bindings:
                if item.value >= 0 and (item.value == owner or fn.facts.span_of(item.value).holds(call.span)):
                    yield item.name

    @property
    def trial(self) -> bool:
        """Whether it is there only where a switch for tests or development is on: below `if settings.ALLOW_FIXTURES:`."""
        tests = ((fn, vid) for fn, call in self.registering for vid, on in fn.tests_of(call.block) if on)
        return any(not _TRIALS.isdisjoint(_setting(fn, vid).lower().split("_")) for fn, vid in tests)

    @property
    def place(self) -> Location:
        """Where findings about the route point: its decorator, else the `def`, else the class, else the registration."""
        if self.view is not None:
            return self.view
        if self.handler is None and self.cls is not None and self.location == self.entry.location:
            return self.cls.header
        if self.handler is None or (self.entry.decorator and self.cls is None):
            return self.location
        if self.location != self.entry.location or (self.entry.decorator and not self.action):
            return self.location
        return self.handler.header

    @property
    def name(self) -> str:
        """Of the handler."""
        if self.handler is not None:
            return self.handler.name
        return self.cls.name if self.cls is not None else ""

    @property
    def path_names(self) -> list[str]:
        """Names of the parameters in its path."""
        return names_in(self.path)

    @property
    def own_names(self) -> list[str]:
        """Those in its own path, as the registration has it."""
        return names_in(self.own_path)

    @property
    def is_collection(self) -> bool:
        """Whether the path ends in a fixed part: a resource as a whole, not one item."""
        last = self.path.rstrip("/").rpartition("/")[2]
        return bool(last) and "{" not in last

    @property
    def function(self) -> str:
        """Qualified name of the handler, for reach."""
        return self.handler.fqn if self.handler else self.entry.fn.fqn


def _setting(fn: Fn, test: Vid) -> str:
    """The setting that is asked: `settings.TESTING`, `config["TESTING"]`, `config.get("TESTING")`."""
    value = fn.unguarded(test)
    if value[0] in ("attr", "name"):
        return str(value[-1]).rpartition(".")[2]
    key = value[2] if value[0] == "item" else fn.calls[value[1]].args[:1] if value[0] == "call" else ()
    return next((str(fn.const(vid)) for vid in (key if isinstance(key, tuple) else (key,))), "")
