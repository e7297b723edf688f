"""Clients, connections and engines that are made anew for each call instead of once a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.certain import never_made
from backendlint.project.graph.effects import Site
from backendlint.project.graph.programs import only_by_hand
from backendlint.project.libraries.model import CallModel, ClassModel
from backendlint.project.linking.binding import object_root, receiver
from backendlint.project.loops.loops import LOOPS, loop_at, loops_around, stops_early
from backendlint.project.loops.memos import asked
from backendlint.project.loops.once import first_time_only, per_request
from backendlint.project.values.uses import aliases, ingredients, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_ONE_A_PROCESS = ("redis-client", "http-session", "grpc-channel", "")
"""What is meant to be made once: also a client of a cloud's (""), but no connection to a database, of which there is a pool."""
_SHARED = ("db-pool", "db-engine", "redis-pool")
_HOLDS = ("tuple", "list", "dict", "unpack", "store", "mut", "bool")
_EMPTY = ("builtins.dict", "builtins.list", "builtins.set", "collections.defaultdict")
_APART = frozenset("auth cookies cookie_jar connector transport base_url proxy proxies mounts verify cert db".split())
"""Settings for which a client of its own may be wanted."""
MAX_LINKS = 40
MAX_DEPTH = 4


class MadePerCall(NamedTuple):
    """A constructor call that runs with each request, or with each round of a loop."""

    site: Site
    cls: ClassModel
    loop: bool
    beside: str = ""
    """What keeps one like it: an attribute of the method's own object, a variable or function of the module."""
    asked_by: Fn | None = None
    """Who lets it go again: the function itself, or the caller to which it hands what it made."""


class PerCall:
    """Answers `all()`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def all(self) -> Iterator[MadePerCall]:
        """Such calls, in the order of the effects' sites."""
        for site in self.project.effects.sites:
            cls = self._costly(site.fn, site.call, site.model)
            if cls is None or site.fn.is_module or self._shares(site.fn, site.call):
                continue
            looped = self._looped(site.fn, site.call)
            beside = self._beside(site.fn, site.call, cls)
            if beside:
                yield MadePerCall(site, cls, looped, beside)
                continue
            last = self._anew(site.fn, site.call, 0)
            if last is not None or (looped and not self._kept(site.fn, site.call)):
                yield MadePerCall(site, cls, looped, asked_by=last)

    def _beside(self, fn: Fn, call: Call, cls: ClassModel) -> str:
        """What keeps one of the same kind for others, where the function makes its own for no other end: the attribute of its
        object that other methods use, or a variable or cached function of the module."""
        held = self._held(fn, call)
        sent = (item for item in fn.calls if receiver(fn, item) in held)
        if any(key in _APART for item in (call, *sent) for key, _ in item.kwargs) or self._kept(fn, call):
            return ""
        if any(item.value in held for item in fn.facts.returns):
            return ""
        home = fn
        while home.cls is None and home.parent is not None and not home.parent.is_module:
            home = home.parent  # `breaker.run(call)` of a function in the method
        if home.cls is not None and home.kind == "method" and cls.resource == "http-session":
            return self._of_object(home, home.cls, cls)
        return self._of_module(fn, call, cls) if cls.resource in _ONE_A_PROCESS else ""

    def _of_object(self, home: Fn, owner: Cls, cls: ClassModel) -> str:
        methods = [method for item in self.project.hierarchy.mro(owner) for method in item.methods.values()]
        for method in methods:
            if method is home or method.name.startswith("__"):
                continue
            for inner in method.calls:
                base = receiver(method, inner)
                value = method.unguarded(base) if base >= 0 else ("",)
                own = value[0] == "attr" and method.unguarded(value[1]) == ("param", 0)
                if own and self._is_one(method, base, cls):
                    return f"self.{value[2]}"
        return ""

    def _of_module(self, fn: Fn, call: Call, cls: ClassModel) -> str:
        """`cache = Redis(...)`, also imported, or `@lru_cache def s3(): return boto3.client("s3")`, in the module of the function."""
        if only_by_hand(self.project, fn) or first_time_only(fn, call) or self._cached(fn):
            return ""
        home = self.project.module_function(fn.file)
        kind = fn.const(call.args[0]) if call.args else ...  # of what service
        places = [(item.name, home, item.value) for item in home.facts.bindings]
        for item in fn.file.imports:
            target = self.project.modules.resolve(item.target, fn.file.module)
            if target.kind == "variable" and target.file is not None and target.vid >= 0 and not target.rest:
                places.append((item.name, self.project.module_function(target.file), target.vid))
        for name, owner, vid in places:
            made = owner.unguarded(vid)
            if made[0] == "call" and self._is_one(owner, vid, cls) and _kind(owner, made, kind):
                return name
        for other in self.project.functions_of(fn.file):
            for given in other.returned if other is not fn and self._cached(other) else ():
                made = other.unguarded(given)
                if made[0] == "call" and self._is_one(other, given, cls) and _kind(other, made, kind):
                    return f"{other.name}()"
        return ""

    def _is_one(self, fn: Fn, vid: Vid, cls: ClassModel) -> bool:
        named = (ref.name for ref in self.project.refs(fn, vid) if ref.kind == "libinst")
        return any(cls in self.project.libraries.lineage(name) for name in named)

    def _costly(self, fn: Fn, call: Call, model: CallModel) -> ClassModel | None:
        """The class of what is made, where that is costly to make; not what comes out of a pool."""
        if model.opens in ("pooled-connection", "db-session") or not (model.opens or model.returns):
            return None
        if model.returns in ("self", "arg0") or "file" in model.effect:  # a database in a local file costs little
            return None
        cls = self._class(model.returns or model.name)
        if cls is not None and cls.resource == "redis-client" and not model.opens:
            return None  # `get_redis_connection()`: the library keeps its pool
        base = receiver(fn, call)
        if cls is None or cls.cheap or (base >= 0 and any(self._is_shared(fn, base))):
            return None
        if any(ref.arg is not None and self._shared(ref.arg) for ref in self.project.callees(fn, call)):
            return None  # a method of a client: a pipeline, a connection of a pool
        return cls

    def _class(self, name: str) -> ClassModel | None:
        return next((cls for cls in self.project.libraries.lineage(name) if not cls.cheap), None)

    def _is_shared(self, fn: Fn, vid: int) -> Iterator[bool]:
        return (self._shared(ref) for ref in self.project.refs(fn, vid))

    def _shared(self, ref: Ref) -> bool:
        """True for instances of pools, engines and clients."""
        classes = self.project.libraries.lineage(ref.name) if ref.kind == "libinst" else ()
        return any(cls.resource in _SHARED or not cls.cheap for cls in classes)

    def _shares(self, fn: Fn, call: Call) -> bool:
        """True where a pool, engine or transport is passed in: the object is only a handle."""
        passed = call.passed
        return any(any(self._is_shared(fn, vid)) for vid in passed)

    @staticmethod
    def _looped(fn: Fn, call: Call) -> bool:
        """In a loop that goes on when it is made: not in attempts, of which the first that succeeds is the last."""
        loops = loops_around(fn, call.block)
        return bool(loops) and not loops[0][1].exits and not stops_early(fn, call.block, loops[0][0])

    def _kept(self, fn: Fn, call: Call) -> bool:
        """True where the object outlives the call: stored, or remembered by a cache."""
        if self._cached(fn):
            return True
        held = self._held(fn, call)
        stored = (
            item for item in fn.facts.stores if item.value in held and not per_request(self.project, fn, item.base)
        )
        if any(item.base < 0 or not self._local(fn, item.base) for item in stored):
            return True
        kept = (value for value in fn.facts.values if value[0] in ("store", "mut") and not self._local(fn, value[1]))
        return any(not held.isdisjoint((value[3],) if value[0] == "store" else value[3]) for value in kept)

    def _makes_kept(self, fn: Fn, held: set[Vid]) -> bool:
        """`_clients[kind] = session.client(kind)`, behind a look into `_clients`: all that it is for is made once."""
        uses = [item for item in fn.calls if receiver(fn, item) in held]
        return bool(uses) and all(self._put_by(fn, item) for item in uses)

    def _remembered(self, fn: Fn, depth: int) -> bool:
        """Whether requests come there only for what is kept: `if lang not in cls._texts: cls._texts[lang] = load(lang)`."""
        edges = [edge for edge in self.project.graph.callers(fn) if edge.caller in self.project.in_request]
        return bool(edges) and all(
            edge.call is not None
            and edge.kind == "call"
            and (
                self._cached(edge.caller)
                or first_time_only(edge.caller, edge.call)
                or self._put_by(edge.caller, edge.call)
                or self._put_by_class(edge.caller, edge.call)
                or (depth > 0 and edge.caller is not fn and self._remembered(edge.caller, depth - 1))
            )
            for edge in edges
        )

    @staticmethod
    def _put_by_class(fn: Fn, made: Call) -> bool:
        """Whether the result goes into a table of the class, or of the object, that is asked for its key first."""
        tests = [value[2] for vid in fn.made_by("compare") if (value := fn.value(vid))[1][0] in ("in", "not in")]
        asked_for = {_attribute(fn, table) for _, table, *_ in tests} - {None}
        return any(
            store.key >= 0
            and _attribute(fn, store.base) in asked_for
            and made.value in ingredients(fn.facts, (store.value,))
            for store in fn.facts.stores
        )

    def _put_by(self, fn: Fn, made: Call) -> bool:
        """Whether the result goes into a table that is asked for its key first."""
        for store in fn.facts.stores:
            base = fn.value(object_root(fn, store.base)) if store.base >= 0 else ("",)
            kept = store.key >= 0 and base[0] == "name" and made.value in ingredients(fn.facts, (store.value,))
            if kept and asked(fn, str(base[1]), store.key):
                return True
        return False

    def _local(self, fn: Fn, vid: Vid) -> bool:
        """A container that the function makes for itself."""
        value = fn.value(object_root(fn, vid))
        called = self.project.callees(fn, fn.calls[value[1]]) if value[0] == "call" else ()
        return value[0] in ("dict", "list", "set", "comp") or any(ref.name in _EMPTY for ref in called)

    def _held(self, fn: Fn, call: Call) -> set[Vid]:
        """The object under all its names, and what holds it: displays, and what a constructor is given it for."""
        held = aliases(fn.facts, call.value)
        for _ in range(MAX_LINKS):
            around = {
                vid
                for vid, value in enumerate(fn.facts.values)
                if value[0] in _HOLDS and vid not in held and not held.isdisjoint(operands(value))
            }
            around |= {
                other.value
                for other in fn.calls
                if other.value not in held and not held.isdisjoint(other.passed) and self._constructs(fn, other)
            }
            if not around:
                break
            held = held.union(*(aliases(fn.facts, vid) for vid in around))
        return held

    def _constructs(self, fn: Fn, call: Call) -> bool:
        """`Store(client=client)`, `sessionmaker(bind=engine)`: what is made keeps what it is made with."""
        for ref in self.project.callees(fn, call):
            model = self.project.libraries.call(ref.name) if ref.kind == "lib" else None
            named = ref.name.rpartition(".")[2][:1].isupper()
            if (
                ref.kind == "class"
                or (ref.kind == "lib" and named)
                or (model is not None and model.returns == model.name)
            ):
                return True
        return False

    def _cached(self, fn: Fn) -> bool:
        for ref in fn.decorators:
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and (model.cache is not None or model.lifecycle or model.fixture):
                return True
            if "cache" in ref.name.lower() or "singleton" in ref.name.lower():
                return True
        return False

    def _anew(self, fn: Fn, call: Call, depth: int) -> Fn | None:
        """The function with each run of which some endpoint makes the object again."""
        if fn not in self.project.in_request or depth > MAX_DEPTH or self._cached(fn) or self._ruled_out(fn, call):
            return None
        held = self._held(fn, call)
        if first_time_only(fn, call) or self._makes_kept(fn, held) or self._remembered(fn, MAX_DEPTH):
            return None
        if fn.name == "__init__" and any(item.value in held for item in fn.facts.stores):
            return self._by_callers(fn, call, depth)
        if self._kept(fn, call):
            return None
        if any(item.value in held and not item.is_yield for item in fn.facts.returns):
            return self._by_callers(fn, call, depth)
        return fn if loop_at(fn, call.block, LOOPS) >= 0 or not self._of_connection(fn) else None

    def _ruled_out(self, fn: Fn, call: Call) -> bool:
        """Whether no endpoint lets it be made: `ask(url, checked=True)`, where it stands below `if not checked`."""
        edges = [edge for edge in self.project.graph.callers(fn) if edge.caller in self.project.in_request]
        return (
            fn.fqn not in self.project.route_functions and bool(edges) and all(never_made(edge, call) for edge in edges)
        )

    def _of_connection(self, fn: Fn) -> bool:
        """Whether the function serves a WebSocket: what it makes at its start serves all messages of the connection."""
        return any(route.handler is fn and route.kind == "websocket" for route in self.project.routes)

    def _by_callers(self, fn: Fn, call: Call, depth: int) -> Fn | None:
        """The same of what callers do with the object that is returned to them, where they let it be made; a dependency is
        called each time."""
        in_request = self.project.in_request
        if fn.fqn in self.project.route_functions:
            return fn
        for edge in self.project.graph.callers(fn):
            if edge.caller not in in_request or never_made(edge, call):
                continue
            if edge.call is None and edge.kind == "inject":
                return fn
            last: Fn | None = None
            if (
                edge.call is not None
                and fn.name == edge.caller.name == edge.caller.callee_name(edge.call) == "__init__"
            ):
                if depth < MAX_DEPTH:  # `super().__init__()`
                    last = self._by_callers(edge.caller, edge.call, depth + 1)
            elif edge.call is not None and edge.kind == "call":
                last = self._anew(edge.caller, edge.call, depth + 1)
            if last is not None:
                return last
        return None


def _kind(fn: Fn, made: Value, kind: object) -> bool:
    """Whether both are made for the same, where that is written down: `client("s3")`."""
    args = fn.calls[made[1]].args
    return not isinstance(kind, str) or not args or fn.const(args[0]) == kind


def _attribute(fn: Fn, vid: Vid) -> tuple[Value, str] | None:
    """`cls._texts`: of what, and which."""
    value = fn.unguarded(vid)
    return (fn.unguarded(value[1]), str(value[2])) if value[0] == "attr" else None
