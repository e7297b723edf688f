"""What library models say, as plain dataclasses; `docs/library-models.md` explains the YAML that they are read from.

Durations are in seconds unless a `unit` says otherwise. Argument positions count from 0 and leave `self` out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Const = str | int | float | bool | None
"""A constant in a model; dotted names of objects (`yaml.SafeLoader`) are written as strings."""

LibraryKind = Literal[
    "auth",
    "breaker",
    "broker",
    "builtin",
    "cache",
    "cli",
    "cloud",
    "config",
    "crypto",
    "data",
    "driver",
    "graphql",
    "http-client",
    "logger",
    "mail",
    "metrics",
    "migration",
    "orm",
    "payment",
    "queue",
    "resilience",
    "rpc",
    "search",
    "serializer",
    "stdlib",
    "template",
    "tracing",
    "validation",
    "values",
    "web-framework",
    "web-extension",
    "xml",
]
Effect = Literal[
    "http",
    "db-connect",
    "db-read",
    "db-write",
    "db",
    "commit",
    "rollback",
    "flush",
    "begin",
    "savepoint",
    "cache-read",
    "cache-write",
    "queue-publish",
    "queue-consume",
    "mail",
    "subprocess",
    "sleep",
    "file",
    "socket",
    "dns",
    "grpc",
    "cloud",
    "search",
    "log",
    "lock",
    "thread",
    "task",
    "spawn",
    "exit",
    "cpu",
]
SinkKind = Literal[
    "sql",
    "command",
    "code",
    "path",
    "ssrf",
    "redirect",
    "xss",
    "template",
    "xml",
    "deserialize",
    "ldap",
    "ldap-dn",
    "xpath",
    "nosql",
    "javascript",
    "log",
    "header",
    "regex",
    "trust",
    "mail-header",
    "archive",
    "response",
    "url",
]
SourceKind = Literal["request", "queue", "secret", "personal", "exception", "env", "file", "database", "response"]
TaintKind = Literal[SinkKind, "all", "secret", "personal", "exception", "upload"]


@dataclass(slots=True)
class Arg:
    """Which arguments of a call are meant.

    YAML: `0`, `url`, `[0, url]`, `receiver`, `"*"` (all), `"1*"` (positional from 1), `"**"` (keywords).
    """

    positions: tuple[int, ...] = ()
    keywords: tuple[str, ...] = ()
    receiver: bool = False
    rest: int = -1
    """All positional arguments from this one on; -1: none."""
    all_keywords: bool = False


@dataclass(slots=True)
class Param:
    """One parameter and what holds when it is left out. YAML: a keyword, or `{keyword:, position:, default:}`."""

    keywords: tuple[str, ...] = ()
    position: int = -1
    default: Const = None


@dataclass(slots=True)
class Condition:
    """A condition on one argument. YAML: `{"1,Loader": [yaml.SafeLoader]}` (position and keyword, values)."""

    arg: Arg
    values: tuple[Const, ...]
    """Any of these constants or dotted names.

    `<present>`, `<absent>`, `<non-constant>`, `<string>`, `<list>` test the shape instead.
    """


@dataclass(slots=True)
class Timeout:
    """How long a call can wait, and what sets it."""

    default: float | None
    """Without any setting, in `unit`; null: forever."""
    keywords: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    """Those of `keywords` and `keys` that bound connecting and the like alone: the wait for the answer stays as it was."""
    answer: str = ""
    """The keyword that alone decides on the wait for the answer where it is given."""
    position: int = -1
    unit: Literal["s", "ms", "us", "min", "object"] = "s"
    """Of the argument; `object`: an object such as `httpx.Timeout` or `aiohttp.ClientTimeout` (a number may do too)."""
    none_disables: bool = True
    """False: passing None means the default, not "forever"."""
    zero_disables: bool = False
    negative_disables: bool = False
    via: tuple[str, ...] = ()
    """Calls that set it instead: the receiver's constructor or setter, or a module-wide setting."""
    within: tuple[str, ...] = ()
    """Keyword whose dict or config object carries it (`connect_args`, `config`), with the keys in `keys`."""
    keys: tuple[str, ...] = ()
    """Names inside that dict, that object's constructor, or the URL/DSN string's parameters."""
    dsn: bool = False
    """True where `keys` may stand in the DSN or URL argument."""
    dsn_usual: bool = True
    """False: such strings seldom carry it, so one that the code does not show counts as if it did not."""
    covers: Literal["total", "read", "connect", "statement", "acquire", "idle"] = "read"
    unless: tuple[Condition, ...] = ()
    """Any of them means that it does not wait at all (`blocking=False`)."""
    when: tuple[Condition, ...] = ()
    """All must hold for a setter to be about time (`set_option(OPT_TIMEOUT, 5)`)."""


@dataclass(slots=True)
class Sink:
    """An argument that must not carry tainted data of this kind."""

    kind: SinkKind
    arg: Arg
    when: tuple[Condition, ...] = ()
    """All must hold for it to be a sink."""
    unless: tuple[Condition, ...] = ()
    """Any of them makes it harmless."""
    element: int = -1
    """Only this element of a list display (the program of an argument vector)."""


@dataclass(slots=True)
class Weak:
    """A use that is weak whatever the data: broken hash, no TLS verification, unsafe parser option ..."""

    reason: str
    cwe: int
    kind: Literal[
        "hash",
        "cipher",
        "mode",
        "key-size",
        "random",
        "tls",
        "tempfile",
        "permissions",
        "xml",
        "deserialize",
        "template",
        "debug",
        "cookie",
        "jwt",
        "password",
        "transport",
        "bind",
        "ssh",
        "cors",
        "csrf",
        "iv",
        "salt",
        "regex",
        "archive",
        "other",
    ]
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


@dataclass(slots=True)
class Sql:
    """SQL text in an argument."""

    arg: Arg
    role: Literal["execute", "many", "script", "text", "fragment", "identifier", "literal", "compose"] = "execute"
    """`text`: makes a statement object; `fragment`: a piece; `identifier`, `literal`: quotes; `compose`: joins."""
    params: Arg | None = None
    """The bound parameters."""
    dialect: str = ""
    """sqlglot's name; empty: the library's, or the engine URL's."""
    paramstyle: Literal["", "qmark", "format", "pyformat", "named", "numeric", "dollar"] = ""


@dataclass(slots=True)
class Log:
    """A log call."""

    level: Literal["debug", "info", "warning", "error", "critical", "exception", "any"]
    message: Arg | None = None
    lazy: bool = True
    """The message is a %-format whose arguments are passed on unformatted."""
    structured: bool = False
    """Takes key=value pairs."""
    root: bool = False
    """Logs to the root logger."""
    traceback: bool = False
    """Writes the traceback by itself."""
    exc_info: str = ""
    """Keyword that adds the traceback."""


@dataclass(slots=True)
class Renders:
    """A template that is filled: its name, and the values that it sees."""

    name: Arg
    """`receiver`: the first argument of the call that made the receiver (`env.get_template("a.html").render(...)`)."""
    context: Arg | None = None
    """A dict of names to values; `"**"`: each keyword is one. On decorators left out: what the function returns."""
    escapes: tuple[str, ...] = ()
    """How names of templates end that are escaped; others are not. Empty: all are, or none."""


@dataclass(slots=True)
class Response:
    """A call that makes an HTTP response, or an HTTP exception."""

    body: Arg | None = None
    status: Param | None = None
    content_type: str = ""
    """Default content type; `text/html` bodies are XSS sinks."""
    headers: Arg | None = None
    redirect: bool = False
    template: bool = False
    file: bool = False
    error: bool = False
    """Raised instead of returned."""


@dataclass(slots=True)
class Route:
    """A route's registration, by decorator or by call."""

    path: Arg | None = None
    methods: tuple[str, ...] = ()
    """Fixed by the decorator (`@app.get`)."""
    methods_arg: Arg | None = None
    """Where methods are passed."""
    default_methods: tuple[str, ...] = ()
    handler: Arg | None = None
    """For calls: which argument is the handler (or class of handlers)."""
    kind: Literal["http", "websocket", "rpc", "graphql"] = "http"
    syntax: Literal["braces", "angle", "named", "regex", "colon", "none"] = "braces"
    """How path parameters are written: `{id}`, `<int:id>`, `<id:int>`, a regex, `:id`."""
    status: Param | None = None
    response_model: Arg | None = None
    documented: bool = False
    """The framework makes OpenAPI documentation of it."""
    body: str = ""
    """The name of the parameter that takes the body, where it has one; other objects are injected by their names."""
    ordered: bool = True
    """The first route that matches wins; False: the most specific one does."""
    dependencies: Arg | None = None
    """List of dependencies (authentication, rate limits) declared with it."""
    dependencies_replace: bool = False
    """They take the place of those that the routers and the application name (`auth=None`)."""
    middlewares: Arg | None = None
    detail: Arg | None = None
    """DRF `@action`: whether it is for one object."""
    html: bool = False
    """Text that the handler returns is sent as HTML."""
    html_class: Arg | None = None
    """Class of the response that the handler's result is put in."""
    actions: dict[str, str] = field(default_factory=dict)
    """Handler methods of a class to HTTP method and sub-path (`retrieve: GET {pk}`)."""


@dataclass(slots=True)
class App:
    """A call that makes an application or a router."""

    role: Literal["application", "router", "worker", "scheduler", "admin"] = "application"
    prefix: Arg | None = None
    dependencies: Arg | None = None
    lifespan: Arg | None = None
    debug: Arg | None = None
    routes: Arg | None = None
    middlewares: Arg | None = None
    error_handlers: Arg | None = None
    inside: Arg | None = None
    """The application or router that it puts itself in (`Api(blueprint)`)."""
    name: Arg | None = None
    """Stands for the prefix where that is left out: `Namespace("orders")` lies below `/orders`."""
    item: Arg | None = None
    """Names the parameter of one item after the prefix: `lookup="order"` makes it `orders/{order_pk}`."""
    above: Arg | None = None
    """The router of those items, whose own prefix goes before."""


@dataclass(slots=True)
class Mount:
    """A call that mounts a router or application in another."""

    child: Arg
    prefix: Arg | None = None
    dependencies: Arg | None = None
    into: Arg | None = None
    """What takes the child, where it is not the receiver (`api.init_app(app)`, with the receiver as `child`)."""
    instead: bool = False
    """The prefix stands instead of the child's own, and is not put before it."""


@dataclass(slots=True)
class ErrorHandler:
    """Registers a function that turns an exception into a response."""

    exception: Arg | None = None
    """Class or status code; None: all exceptions."""
    handler: Arg | None = None
    """For calls; a decorator's is the function."""
    all: bool = False


@dataclass(slots=True)
class Retry:
    """A retry policy. A field left out cannot be set there; `default` is what holds when the caller leaves it out."""

    attempts: Param | None = None
    """Default null: without end. Some libraries take a `stop` object: see `stop_calls`."""
    max_time: Param | None = None
    wait: Param | None = None
    backoff: Literal["none", "constant", "exponential", "by-argument"] = "none"
    """What it does by default."""
    pause: Param | None = None
    """Seconds between the attempts of a constant pace; where left out, `wait` says it."""
    longer: Param | None = None
    """Seconds by which each pause is longer than the one before."""
    jitter: bool = False
    on: Param | None = None
    """Exceptions that are retried; default `all` or a dotted name."""
    methods: Param | None = None
    """HTTP methods that are retried."""
    counts_first: bool = True
    """Attempts include the first call."""


@dataclass(slots=True)
class Breaker:
    """A circuit breaker."""

    failures: Param | None = None
    reset: Param | None = None
    fallback: Param | None = None


@dataclass(slots=True)
class Cache:
    """A cache, a cache decorator, or a write to one."""

    role: Literal["store", "decorator", "get", "set", "delete", "add"] = "store"
    expiry: Param | None = None
    """Default null: never expires; `default` text `settings` where configuration decides."""
    bound: Param | None = None
    """Default null: unbounded."""
    key: Arg | None = None
    keyed_by_args: bool = False
    """A decorator that keys by the function's arguments (keeps `self` alive on methods)."""
    process_local: bool = False


@dataclass(slots=True)
class Pool:
    """A connection pool's bounds."""

    size: Param | None = None
    overflow: Param | None = None
    timeout: Param | None = None
    recycle: Param | None = None
    ping: Param | None = None


@dataclass(slots=True)
class Concurrency:
    """Something that runs things side by side."""

    kind: Literal["gather", "executor", "queue", "task", "taskgroup", "thread", "process", "semaphore", "pool", "map"]
    bound: Param | None = None
    """Default null: unbounded."""
    awaited: bool = False
    """The result must be kept or awaited, or the task may vanish."""


@dataclass(slots=True)
class Orm:
    """An ORM operation."""

    op: Literal[
        "select",
        "filter",
        "exclude",
        "get",
        "get_or_404",
        "first",
        "last",
        "all",
        "one",
        "count",
        "exists",
        "iterate",
        "aggregate",
        "annotate",
        "values",
        "order",
        "limit",
        "offset",
        "slice",
        "distinct",
        "join",
        "group",
        "union",
        "create",
        "save",
        "add",
        "update",
        "delete",
        "bulk_create",
        "bulk_update",
        "get_or_create",
        "update_or_create",
        "select_related",
        "prefetch",
        "lazy_load",
        "defer",
        "lock",
        "refresh",
        "merge",
        "execute",
        "raw",
        "stream",
        "expire",
        "relationship",
        "column",
        "foreign_key",
        "index",
        "unique",
        "check",
        "in_bulk",
        "reverse",
        "none",
        "using",
        "returning",
    ]
    lazy: bool = False
    """Only builds the query: nothing is sent."""
    deferred: bool = False
    """Written at the session's next flush or commit, with what else there is then."""
    fields: Arg | None = None
    """Columns or lookups; `"**"`: keywords are lookups."""
    rows: Literal["", "one", "many", "scalar"] = ""
    bulk: bool = False
    upserts: tuple[str, ...] = ()
    """Keywords by which rows that are there already are kept or changed: `ignore_conflicts=True`; `"*"`: they always are."""


@dataclass(slots=True)
class Jwt:
    """Makes or checks a token."""

    op: Literal["encode", "decode", "header", "unverified"]
    token: Arg | None = None
    key: Arg | None = None
    algorithms: Arg | None = None
    options: Arg | None = None
    verify: Arg | None = None
    claims: Arg | None = None
    requires_algorithms: bool = False
    """The library itself refuses to decode without `algorithms`."""
    verifies_exp: bool = True


@dataclass(slots=True)
class Password:
    """Hashes or checks a password."""

    op: Literal["hash", "verify", "context", "salt"]
    scheme: str = ""
    password: Arg | None = None
    cost: Param | None = None
    min_cost: int = 0


@dataclass(slots=True)
class Cookie:
    """Sets a cookie; defaults are the framework's."""

    name: Arg | None = None
    value: Arg | None = None
    secure: Param | None = None
    httponly: Param | None = None
    samesite: Param | None = None
    max_age: Param | None = None


@dataclass(slots=True)
class Cors:
    """CORS set-up."""

    origins: Param | None = None
    origin_regex: Param | None = None
    credentials: Param | None = None
    methods: Param | None = None
    headers: Param | None = None


@dataclass(slots=True)
class Auth:
    """Authenticates (who) or authorises (may they)."""

    role: Literal["authenticate", "authorize", "optional", "login", "logout", "exempt"]
    by: Literal["", "session", "header"] = ""
    """What shows who asks: a cookie, which browsers send along by themselves, or a header, which only programs set."""
    strict: str = ""
    """The keyword with which, where it is False, it lets everybody through (`auto_error`)."""


@dataclass(slots=True)
class RateLimit:
    """A rate limit; `limit` is its text or number."""

    limit: Arg | None = None
    role: Literal["limit", "exempt", "setup"] = "limit"


@dataclass(slots=True)
class Task:
    """A background task: its definition, or its dispatch."""

    system: str
    """celery, rq, dramatiq, arq, background, ..."""
    function: Arg | None = None
    """For dispatch by function (`queue.enqueue(f)`); None: the receiver is the task."""
    retries: Param | None = None
    time_limit: Param | None = None
    limited_by: tuple[str, ...] = ()
    """Settings that end all jobs after a while."""
    autoretry: Param | None = None
    idempotent: Param | None = None
    binds: str = ""
    """The keyword that makes the task itself the function's first argument (`bind=True`)."""
    own_loop: bool = False
    """The worker makes an event loop for each job that is a coroutine."""


@dataclass(slots=True)
class Migration:
    """A schema operation."""

    op: Literal[
        "create_table",
        "drop_table",
        "rename_table",
        "add_column",
        "drop_column",
        "alter_column",
        "rename_column",
        "create_index",
        "drop_index",
        "add_constraint",
        "drop_constraint",
        "create_unique",
        "create_check",
        "create_foreign_key",
        "create_primary_key",
        "execute",
        "run_python",
        "bulk_insert",
        "separate",
        "extension",
        "batch",
        "alter_table",
        "rename_index",
    ]
    table: Arg | None = None
    name: Arg | None = None
    columns: Arg | None = None
    column: Arg | None = None
    sql: Arg | None = None
    reverse: Arg | None = None
    concurrently: Arg | None = None


@dataclass(slots=True)
class Guard:
    """A test: where it holds, the argument is clean of these kinds."""

    arg: Arg
    kinds: tuple[TaintKind, ...] = ("all",)
    pattern: Arg | None = None
    """The regular expression that decides; `receiver`: a compiled one."""
    anchors: Literal["", "end", "both"] = ""
    """Holds only where the pattern itself is anchored there."""


@dataclass(slots=True)
class EnvRead:
    """Reads a setting from the environment or a configuration file."""

    name: Arg
    """Which argument names the setting."""
    default: Arg | None = None
    """Which argument is the value to use where the setting is absent."""


@dataclass(slots=True)
class CallModel:
    """What a call of a function, constructor or method does. All fields are optional in YAML."""

    name: str = ""
    """The canonical dotted name under which the entry stands."""
    library: str = ""
    returns: str = ""
    """Type of the result (of the awaited result, if awaitable); see "Types" in docs/library-models.md."""
    enters: str = ""
    """Type that `with`/`async with` binds, where it is not the returned object's own."""
    effect: tuple[Effect, ...] = ()
    blocking: bool = False
    """Waits synchronously (input/output, sleep): must not run in an event loop."""
    awaitable: bool = False
    """The result must be awaited before anything happens."""
    idempotent: bool | None = None
    """Whether it may be repeated safely; None: the HTTP method or SQL says."""
    method: str = ""
    """HTTP method of a client call; `arg:0` where an argument says."""
    timeout: Timeout | None = None
    sinks: tuple[Sink, ...] = ()
    source: SourceKind | None = None
    """The result is such data."""
    sanitizes: tuple[TaintKind, ...] = ()
    """The result is clean of these kinds."""
    sanitizes_item: dict[str, tuple[TaintKind, ...]] = field(default_factory=dict)
    """So is an element of the tuple that is the result, by its number."""
    decodes: bool = False
    """Undoes an encoding or escaping: the result is as dirty as what was encoded."""
    guard: Guard | None = None
    propagates: Arg | None = None
    """Arguments whose taint reaches the result; None: unknown, so the engine's default."""
    stores: Arg | None = None
    """Arguments whose taint reaches the receiver."""
    pure: bool = False
    """No effect at all, and the result depends on the arguments alone."""
    raises: tuple[str, ...] = ()
    opens: str = ""
    """Resource kind of the result, to be closed by the caller (see Class.close)."""
    closes: str = ""
    """Resource kind that it closes."""
    registers_cleanup: bool = False
    """Takes over closing what it is given (`ExitStack.enter_context`, `atexit.register`)."""
    transaction: Literal[
        "",
        "begin",
        "commit",
        "rollback",
        "atomic",
        "savepoint",
        "on_commit",
        "autocommit",
        "lock",
        "flush",
        "isolation",
    ] = ""
    sql: Sql | None = None
    orm: Orm | None = None
    log: Log | None = None
    response: Response | None = None
    renders: Renders | None = None
    route: Route | None = None
    app: App | None = None
    mount: Mount | None = None
    error_handler: ErrorHandler | None = None
    mixes_in: Arg | None = None
    """The argument whose class the base class that it makes (or has as an attribute) inherits from."""
    injects: Arg | None = None
    """FastAPI `Depends(f)`: the argument whose call supplies the value."""
    middleware: Arg | None = None
    """Registers this argument as middleware."""
    lifecycle: Literal["", "startup", "shutdown", "teardown", "both", "exit"] = ""
    handler: Arg | None = None
    """A callback that will be called later (signal, hook, thread target, callback)."""
    retry: Retry | None = None
    breaker: Breaker | None = None
    cache: Cache | None = None
    pool: Pool | None = None
    concurrency: Concurrency | None = None
    spawn: Arg | None = None
    """Starts this coroutine or function to run concurrently (`asyncio.create_task`)."""
    executor: Arg | None = None
    """Runs this function in a thread or process (`asyncio.to_thread`): its waits do not block the caller's loop."""
    wraps: Arg | None = None
    """The result is called as this function is, with its arguments and for its result (`sync_to_async(f)(x)`)."""
    bridges: Arg | None = None
    """Runs this coroutine or function to completion (`asyncio.run`, `async_to_sync`, `partial`)."""
    calls: Arg | None = None
    """Calls this function at once, as `map` or `sorted(key=)` do."""
    task: Task | None = None
    """Dispatches a background task."""
    schema: Literal["", "validate", "serialize", "parse"] = ""
    """Validates or serialises by a schema."""
    auth: Auth | None = None
    ratelimit: RateLimit | None = None
    csrf: Literal["", "protect", "exempt", "setup"] = ""
    cors: Cors | None = None
    security_headers: bool = False
    health: bool = False
    observability: Literal["", "metrics", "tracing", "errors", "request-id", "logging"] = ""
    """Sets up metrics, tracing, error reporting, request ids or structured logging."""
    paginates: bool = False
    jwt: Jwt | None = None
    secret: Arg | None = None
    """Arguments that are keys or passwords."""
    password: Password | None = None
    cookie: Cookie | None = None
    weak: tuple[Weak, ...] = ()
    strong_random: bool = False
    constant_time: bool = False
    """Compares in constant time."""
    env: EnvRead | None = None
    """Reads a setting."""
    naive: Param | None = None
    """Makes a naive datetime unless this argument (a time zone) is passed; `{}` where nothing helps."""
    column: str = ""
    """Type of the column it declares: integer, text, float, decimal, boolean, datetime, date, uuid, json, binary ..."""
    migration: Migration | None = None
    exits: bool = False
    """Never returns."""
    serves: bool = False
    """Runs a server until somebody stops it."""
    positional: int = -1
    """A call with more positional arguments is of something else that is called so (`session.get(key, 0)`)."""
    mistaken: str = ""
    """Of an object known by its name alone, a call with such a constant as first argument is of something else (`session.get("cart")`)."""
    queued: dict[str, str] = field(default_factory=dict)
    """By setting, what it begins with where the call only hands a job to a queue (`EMAIL_BACKEND: djcelery_email`)."""
    prints: bool = False
    note: str = ""
    """For people: the source of a fact, with the version."""


@dataclass(slots=True)
class AttributeModel:
    """A module-level object, or an attribute of instances."""

    name: str = ""
    library: str = ""
    type: str = ""
    source: SourceKind | None = None
    effect: tuple[Effect, ...] = ()
    """Reading it does this (lazy relations, `response.content`)."""
    sinks: tuple[Sink, ...] = ()
    """Assigning to it is a sink (arg 0 is the value)."""
    weak: tuple[Weak, ...] = ()
    """Naming it (or assigning, with `when: {0: ...}`) is weak."""
    sanitizes: tuple[TaintKind, ...] = ()
    constant: bool = False
    sets_timeout: bool = False
    """Assigning to it sets the object's timeout."""
    per_request: bool = False
    """What is kept on it lives as long as one request (`flask.g`)."""
    announces: tuple[str, ...] = ()
    """A signal that these operations of the ORM send while their transaction is open (`post_save`)."""
    in_transaction: bool = False
    """The operation that sends the signal always opens a transaction of its own (`post_delete`)."""
    leads_back: tuple[str, ...] = ()
    """Keys under which a map of headers names the page that sent the visitor (`Referer`)."""
    status: int = 0
    """The HTTP status that the constant stands for."""
    proof: Literal["", "session", "header"] = ""
    """It tells who asks, by a cookie or by a header (see `Auth.by`)."""
    note: str = ""


@dataclass(slots=True)
class ClassModel:
    """A type whose instances matter."""

    name: str = ""
    library: str = ""
    bases: tuple[str, ...] = ()
    enters: str = ""
    """Type that `with instance` binds (default: the instance itself)."""
    iterates: str = ""
    """Type of the elements."""
    iter_effect: tuple[Effect, ...] = ()
    """Iterating (or `len`, `bool`, `list` of it) does this: querysets, cursors."""
    resource: str = ""
    """Must be closed: file, socket, db-connection, db-cursor, db-session, db-engine, http-session, lock ..."""
    close: tuple[str, ...] = ()
    closes_on_exit: bool = True
    """Leaving `with` closes it (False: psycopg2 and sqlite3 connections only end the transaction)."""
    transaction_on_exit: bool = False
    """Leaving `with` commits, or rolls back after an exception."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Attribute to type; attributes that need more than a type go to `attributes:`."""
    of_owner: bool = False
    """As an attribute of a class it stands for the instances of that class (a model's manager)."""
    keeps: bool = False
    """What is stored in it under a key is found there by the whole project (`app["db"] = ...`, `request.app["db"]`)."""
    methods_are_handlers: tuple[str, ...] = ()
    """Methods of subclasses that the framework calls with requests (`get`, `post`, `list`, `dispatch`); `*`: all public ones."""
    fixed_paths: tuple[str, ...] = ()
    """Methods of subclasses that the framework calls for constant paths alone: the path of the request says nothing new in them."""
    resolvers: str = ""
    """How the names of methods begin that get the parent object, an instance of `Meta.model`, in place of `self`."""
    request_attributes: tuple[str, ...] = ()
    """Attributes of instances that carry request data (`self.request`, `self.kwargs`)."""
    provides: tuple[str, ...] = ()
    """Handlers that the library's class itself implements (a generic list-and-create view: `get`, `post`)."""
    renders: Literal["", "template", "page"] = ""
    """Of a renderer that a view names: a template to which the answer is the context, or a page that is made of it; not data."""
    hooks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Methods of subclasses that such a handler, or another of these methods, calls (`post: [form_valid]`); `*`: whatever the handler.
    Of serializers and forms, those that a call of the method leads to (`save: [create]`, `is_valid: ["validate_*"]`)."""
    argument_classes: dict[str, str] = field(default_factory=dict)
    """By such a method, the attribute of the class that holds the class of its first argument (`form_valid: form_class`, or
    `Meta.model`); `get_*`: all such methods of which the class has the field that the star stands for."""
    own_arguments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By such a method, the parameters for which the framework passes objects of the program (`has_object_permission: [view, obj]`)."""
    responds: tuple[str, ...] = ()
    """Those among them whose result is the handler's response."""
    in_transaction: tuple[str, ...] = ()
    """Methods of subclasses that the framework calls in a transaction of its own (`save_model` of Django's admin)."""
    subclass_role: Literal[
        "",
        "controller",
        "model",
        "schema",
        "serializer",
        "form",
        "task",
        "settings",
        "migration",
        "permission",
        "authentication",
        "throttle",
        "pagination",
        "middleware",
        "repository",
        "exception",
        "router",
        "admin",
        "command",
        "consumer",
        "test",
    ] = ""
    """What a class that inherits from it is."""
    request_scoped: tuple[str, ...] = ()
    """Attributes whose object the framework drops when the request ends (`db.session` of Flask-SQLAlchemy)."""
    thread_safe: bool | None = None
    cheap: bool = True
    """False: making one is expensive, so it belongs to the process, not to a call (engines, pools, clients)."""
    mutable: bool = False
    one_line: bool = False
    """What it writes for a log record is one line, whatever the record holds (formatters and renderers of JSON)."""
    note: str = ""


@dataclass(slots=True)
class ExceptionModel:
    """An exception class."""

    name: str = ""
    library: str = ""
    bases: tuple[str, ...] = ("builtins.Exception",)
    kind: Literal[
        "",
        "infrastructure",
        "http",
        "validation",
        "programming",
        "not-found",
        "integrity",
        "auth",
        "cancel",
        "exit",
        "control",
        "domain",
    ] = ""
    """Infrastructure: the network, a database, a file failed. http: becomes a response. programming: a bug."""
    status: int = 0
    """HTTP status that it becomes, where fixed."""
    transient: bool = False
    """Worth a retry."""
    plain: bool = False
    """Its text says in words which objects stand in the way, and nothing of the system."""
    note: str = ""


@dataclass(slots=True)
class DecoratorModel:
    """What a decorator means for the function or class below it."""

    name: str = ""
    library: str = ""
    route: Route | None = None
    renders: Renders | None = None
    task: Task | None = None
    params_source: SourceKind | None = None
    """The function's parameters are such data (route and message handlers)."""
    param_types: dict[str, str] = field(default_factory=dict)
    """Types of its parameters by position, `self` left out (`"0": aiohttp.web.Request`)."""
    applies: Arg | None = None
    """Decorators that it applies in its own place: one, or a list of them (`method_decorator`)."""
    applies_to: Arg | None = None
    """On a class: the name of the method to which it applies them."""
    auth: Auth | None = None
    ratelimit: RateLimit | None = None
    csrf: Literal["", "protect", "exempt", "setup"] = ""
    cache: Cache | None = None
    retry: Retry | None = None
    breaker: Breaker | None = None
    timeout: Timeout | None = None
    transaction: Literal["", "atomic", "begin", "autocommit", "savepoint"] = ""
    error_handler: ErrorHandler | None = None
    handles: Arg | None = None
    """An argument that may name an exception class: then the function is an error handler of it, else a route."""
    lifecycle: Literal["", "startup", "shutdown", "teardown", "both", "exit"] = ""
    middleware: bool = False
    everywhere: bool = False
    """As middleware it covers all routes of the application, not those of its own router alone."""
    hook: bool = False
    """The framework calls the function (signals, event listeners, before_request)."""
    hears: Arg | None = None
    """The model whose signals, named by the first argument, call the function (`receiver(post_save, sender=Order)`)."""
    resolver: bool = False
    """Gives a field of a GraphQL type, once for each of its objects."""
    schema: Literal["", "validate", "serialize", "parse"] = ""
    response_model: Arg | None = None
    template: bool = False
    context_manager: bool = False
    property: bool = False
    executor: bool = False
    """The function's body runs in a thread (`sync_to_async`)."""
    keeps_signature: bool = True
    returns: str = ""
    """Type of the decorated object, where it is no longer a function (`celery.Task`)."""
    paginates: bool = False
    health: bool = False
    methods: tuple[str, ...] = ()
    """Restricts HTTP methods (`require_POST`)."""
    methods_arg: Arg | None = None
    """Where the methods are passed to which it restricts them."""
    dataclass: bool = False
    fixture: bool = False
    note: str = ""


@dataclass(slots=True)
class Hint:
    """A receiver's type by the convention of its name; used only where nothing better is known."""

    names: tuple[str, ...]
    """Exact names, or patterns with a leading or trailing `*`."""
    type: str
    when_imported: tuple[str, ...] = ()
    """Modules of which one must be imported; default: the library's own."""
    parameters_only: bool = False
    attributes_only: bool = False
    """Of attributes of classes that are not in the project (`Item.objects`), not of variables."""
    priority: int = 0
    """Of hints of several libraries for one name the highest counts; among equals, the types' common base, if any."""
    library: str = ""
    """Filled in by the loader."""


@dataclass(slots=True)
class LibraryModel:
    """One library file's head."""

    library: str = ""
    modules: tuple[str, ...] = ()
    kind: LibraryKind = "stdlib"
    dialect: str = ""
    paramstyle: Literal["", "qmark", "format", "pyformat", "named", "numeric", "dollar"] = ""
    is_async: bool = False
    refused_on_loop: str = ""
    """The exception with which its database calls refuse to run on a thread with an event loop, instead of waiting there."""
    allowed_by: str = ""
    """The environment variable that makes them wait all the same."""
    own_loop: bool = False
    """It runs each asynchronous handler on an event loop that is made for that one request."""
    checked: str = ""
    """Versions against which the data was checked."""
