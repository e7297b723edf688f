"""Caches that only grow, keep their objects alive, or cannot find their own entries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Store, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import Edge, argument_of, arguments
from backendlint.project.graph.programs import for_tests, only_by_hand
from backendlint.project.libraries.model import Cache
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.variables import variable
from backendlint.project.loops.forgotten import Forgotten
from backendlint.project.loops.memos import asked, bounded, few, few_passed, keeps_client, same
from backendlint.project.loops.once import first_time_only
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_MUTABLE = ("list", "dict", "set", "comp")
_SMALL = frozenset({"builtins.bool", "builtins.type", "typing.Literal", "builtins.None"})
_WORDS = ("cache", "memo")
_CONFIGURED = re.compile(
    r"(^|_)(plugin|locale|lang(uage)?|setting|option|config|provider|backend|tree|template|variant|currency|icon|format|module|schema|table|"
    r"llm|model|type|version|issuer|ca)s?(_?(name|key|id|type|url))?$",
    re.IGNORECASE,
)
"""Names of keys of which there are as many as a program, or its operators, write down."""
_ADDRESS = re.compile(r"(^|_)(ur[il]|base|host|port|addr|address|endpoint|dsn|target|server|site)$", re.IGNORECASE)
"""Of what a connection leads to."""
_POINTER = re.compile(r"(^|_)(id|pk|uuid|key)$")
"""Attributes by which something is found again."""
FEW = 8
"""So few entries of a shared cache keep no crowd of objects alive, but push each other out."""
_SOURCES = frozenset({"db", "db-read", "http", "grpc", "cloud", "search"})
_ORDER = frozenset({"==", "!=", "<", ">", "<=", ">="})
_SHRINKS = frozenset({"pop", "popitem", "clear", "move_to_end"})


class CacheUse(NamedTuple):
    """A cache, or a use of one, that goes wrong."""

    fn: Fn
    """In whose file the place is."""
    span: Span
    problem: str
    """unbounded, method, shared (a method's, with few entries), no-expiry, grows or mutable-key."""
    name: str
    """Of the cached function, the cache's method or variable."""
    sure: bool
    """False where it may well be meant (a store rather than a cache, few different keys)."""
    size: int = 0
    """How many entries it takes, where that is known."""


class Caches:
    """Answers `problems()`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._forgotten = Forgotten(project)

    def problems(self) -> Iterator[CacheUse]:
        """All uses that go wrong, function by function."""
        for fn in self.project.all_functions():
            yield from self._decorated(fn)
            yield from self._sets(fn)
            yield from self._variables(fn)

    # decorators

    def _decorated(self, fn: Fn) -> Iterator[CacheUse]:
        home = fn.parent
        if home is None:
            return
        for ref, vid in zip(fn.decorators, fn.facts.decorators, strict=False):
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            cache = model.cache if model is not None else None
            if cache is None or not cache.keyed_by_args or not cache.process_local:
                continue
            span = fn.decorator_span(vid)
            own = fn.cls is not None and fn.kind == "method" and not self._one_for_all(fn.cls)
            if own and not self._passes_cache(home, vid):
                sure = self._endless(home, vid, cache) or self._of_requests(fn)
                sure = sure and not only_by_hand(self.project, fn)  # the process ends with its one object
                size = self._size(home, vid, cache)
                yield CacheUse(fn, span, "method" if size is None else "shared", fn.name, sure, size or 0)
            elif self._endless(home, vid, cache) and (keys := self._open_keys(fn)):
                many = not _written_down(keys) and not self._of_servers(fn, keys)
                yield CacheUse(fn, span, "unbounded", fn.name, fn in self.project.in_request and many)
            yield from self._mutable_keys(fn)

    def _of_servers(self, fn: Fn, keys: Sequence[str]) -> bool:
        """`def stub(target): return OrdersStub(grpc.insecure_channel(target))`: one client for each address that operators name."""
        opened = {site.model.opens for site in self.project.effects.direct(fn)} - {None, "", "file", "archive", "lock"}
        return bool(opened) and all(_ADDRESS.search(name) for name in keys)

    def _one_for_all(self, cls: Cls) -> bool:
        """Whether a class has one object for the whole process, as a model's manager, or one that a module or the class keeps
        (`if _it is None: _it = cls()`): a cache keeps nothing alive by it."""
        if self.project.resolver.managers.stands_for_owner(Ref("inst", cls.fqn)):
            return True
        made = self._made(cls)
        return bool(made) and all(
            edge.caller.is_module or (edge.call is not None and first_time_only(edge.caller, edge.call))
            for edge in made
        )

    def _of_requests(self, fn: Fn) -> bool:
        """Whether requests call the method, of objects that are not all made before there are any."""
        requests = self.project.in_request
        if fn not in requests:
            return False
        made = self._made(fn.cls) if fn.cls is not None else []
        return not made or any(edge.caller in requests for edge in made)

    def _made(self, cls: Cls) -> list[Edge]:
        """Where objects of the class are made, but for tests; nothing where it has no constructor of its own."""
        maker = cls.methods.get("__init__")
        edges = self.project.graph.callers(maker) if maker is not None else []
        return [edge for edge in edges if not for_tests(self.project, edge.caller)]

    def _passes_cache(self, home: Fn, vid: Vid) -> bool:
        """`cached(cache=TTLCache(...))`: the cache has bounds of its own."""
        value = home.facts.values[vid]
        call = home.facts.calls[value[1]] if value[0] == "call" else None
        passed = call.passed if call is not None else ()
        return any(self.project.allocations.of(home, item) for item in passed)

    def _endless(self, home: Fn, vid: Vid, cache: Cache) -> bool:
        value = home.facts.values[vid]
        if cache.bound is None:
            return True
        if value[0] != "call":
            return cache.bound.default is None
        given = argument_of(home.facts.calls[value[1]], cache.bound)
        if given >= 0 and home.facts.values[given] == ("dict", ()):
            return True
        return self.project.constants(home, given) == [None] if given >= 0 else cache.bound.default is None

    def _size(self, home: Fn, vid: Vid, cache: Cache) -> int | None:
        """The bound that the decorator is given, where it is a number."""
        value = home.facts.values[vid]
        if value[0] != "call" or cache.bound is None:
            return None
        given = self.project.constants(home, argument_of(home.facts.calls[value[1]], cache.bound))
        sizes = [item for item in given or () if isinstance(item, int) and not isinstance(item, bool)]
        return sizes[0] if len(sizes) == 1 and sizes[0] <= FEW else None

    def _open_keys(self, fn: Fn) -> list[str]:
        """Parameters that may take any number of values: not flags, classes or enums, nor what all callers write down."""
        home = fn.parent or fn
        found = []
        for number, param in enumerate(fn.facts.params):
            if number == 0 and fn.kind in ("method", "classmethod"):
                continue
            refs = self.project.refs(home, param.annotation) if param.annotation >= 0 else ()
            names = {ref.name for ref in refs}
            enums = any(
                ref.kind == "class" and self.project.hierarchy.is_a(self.project.classes[ref.name], "enum.Enum")
                for ref in refs
            )
            if not enums and not (names and names <= _SMALL) and not few_passed(self.project, fn, number):
                found.append(param.name)
        return found

    def _mutable_keys(self, fn: Fn) -> Iterator[CacheUse]:
        for edge in self.project.graph.callers(fn):
            if edge.call is None or edge.kind != "call":
                continue
            passed = (*edge.call.args, *(vid for key, vid in edge.call.kwargs if key != "**"))
            if any(edge.caller.facts.values[vid][0] in _MUTABLE for vid in passed):
                yield CacheUse(edge.caller, edge.span, "mutable-key", fn.name, True)

    # stores such as redis and memcached

    def _sets(self, fn: Fn) -> Iterator[CacheUse]:
        for site in self.project.effects.direct(fn):
            cache = site.model.cache
            if cache is None or cache.role != "set" or cache.expiry is None:
                continue
            if self._expires(fn, site.call, cache):
                yield from self._left_out(fn, site.call, argument_of(site.call, cache.expiry))
                continue
            endless = cache.expiry.default == 0 or argument_of(site.call, cache.expiry) >= 0
            keys = self._keys(site.call, cache)
            says = endless or self._called_cache(fn, site.call) or any(self._looked_up(fn, site.call, k) for k in keys)
            sure = (
                self._many_keys(fn, keys)
                and says
                and not self._state(fn, site.call, keys)
                and not self._points(fn, site.call)
                and not self._counts_up(fn, keys)
                and not self._forgotten.drops(fn, keys)
            )
            yield CacheUse(fn, site.call.span, "no-expiry", site.model.name, sure)

    def _counts_up(self, fn: Fn, keys: Sequence[Vid]) -> bool:
        """`cache.incr(version_key(shop))` in the same file: a number that is to stay, and no copy of anything."""
        names = {_name_of(fn, vid) for vid in keys} - {""}
        return any(
            other.file is fn.file and any(_name_of(other, vid) in names for vid in call.args[:1])
            for other, call in self.project.graph.calls_written("incr", "decr")
        )

    def _left_out(self, fn: Fn, call: Call, expiry: Vid) -> Iterator[CacheUse]:
        """Calls of a helper of a cache's (`cache.write(key, value, ttl=None)`) that leave out the time which others pass, and any
        where the key was asked for before."""
        value = fn.unguarded(expiry) if expiry >= 0 else ("",)
        default = fn.facts.params[value[1]].default if value[0] == "param" else -1
        home = fn.parent if default >= 0 else None
        if home is None or home.const(default) is not None:
            return
        edges = [edge for edge in self.project.graph.callers(fn) if edge.kind == "call" and edge.call is not None]
        without = [edge for edge in edges if not edge.passed(value[1])]
        named = f"{fn.name} {fn.cls.name if fn.cls is not None else ''}".lower()
        if not any(word in named for word in _WORDS) and not self._called_cache(fn, call):
            return
        others = len(without) < len(edges)
        for edge in without:
            if edge.call is None or edge.call.open_ended:
                continue
            caller, keys = edge.caller, edge.call.args[:1]
            if others or (self._asked_by_helper(caller, edge.call, keys) and not self._forgotten.drops(caller, keys)):
                yield CacheUse(caller, edge.span, "no-expiry", fn.name, self._many_keys(caller, keys))

    def _asked_by_helper(self, fn: Fn, put: Call, keys: Sequence[Vid]) -> bool:
        """`held = cached(key)`, by a helper too, and only what is not there is fetched."""
        asking = (
            call
            for call in fn.calls
            if call.span < put.span and any(same(fn, a, b) for a in call.args[:1] for b in keys)
        )
        return any(self._depends(fn, call, put) and self._fetches_between(fn, call, put) for call in asking)

    @staticmethod
    def _keys(call: Call, cache: Cache) -> Sequence[Vid]:
        return arguments(call, cache.key) if cache.key is not None else call.args[:1]

    def _many_keys(self, fn: Fn, keys: Sequence[Vid]) -> bool:
        """False where a few keys are overwritten again and again: they may go stale, but nothing grows."""
        return any(self.project.constants(fn, vid) is None and not few(self.project, fn, vid) for vid in keys)

    def _state(self, fn: Fn, call: Call, keys: Sequence[Vid]) -> bool:
        """`cache.set(key, "up", None)` here and `cache.set(key, "down", None)` there: the state of a thing, written over and over."""
        written = self._constant(fn, call)
        names = {_name_of(fn, vid) for vid in keys} - {""}
        return written is not ... and any(
            self._constant(site.fn, site.call) not in (..., written)
            and any(_name_of(site.fn, vid) in names for vid in self._keys(site.call, site.model.cache))
            for other in self.project.functions_of(fn.file)
            for site in self.project.effects.direct(other)
            if site.model.cache is not None and site.model.cache.role == "set"
        )

    @staticmethod
    def _points(fn: Fn, call: Call) -> bool:
        """`cache.set(key, account.id, timeout=None)`: which one it was, and no copy that goes stale."""
        value = fn.unguarded(call.args[1]) if len(call.args) > 1 else ("",)
        return value[0] == "attr" and _POINTER.search(str(value[2])) is not None

    @staticmethod
    def _constant(fn: Fn, call: Call) -> object:
        return fn.const(call.args[1]) if len(call.args) > 1 else ...

    def _looked_up(self, fn: Fn, call: Call, key: Vid, depth: int = 2) -> bool:
        """Whether the key is asked for before, and only what is not found is fetched from elsewhere: a cache, not a store."""
        for site in self.project.effects.direct(fn):
            cache = site.model.cache
            if cache is None or cache.role != "get" or site.call.span > call.span:
                continue
            asks = any(same(fn, vid, key) for vid in self._keys(site.call, cache))
            if asks and self._depends(fn, site.call, call) and self._fetches_between(fn, site.call, call):
                return True
        value = fn.unguarded(key)
        if value[0] != "param" or not depth:
            return False
        return any(
            edge.call is not None
            and edge.kind == "call"
            and any(
                not part and self._looked_up(edge.caller, edge.call, vid, depth - 1)
                for vid, part in edge.passed(value[1])
            )
            for edge in self.project.graph.callers(fn)
        )

    @staticmethod
    def _depends(fn: Fn, asked_for: Call, put: Call) -> bool:
        """`if found: return found` before the place, or `if found is None:` around it."""
        outer = {number for number, _ in fn.blocks_of(put.block)}
        return any(
            block.kind == "if"
            and asked_for.value in ingredients(fn.facts, (block.value,))
            and (number in outer or (block.exits == "return" and block.span < put.span))
            for number, block in enumerate(fn.facts.blocks)
        )

    def _fetches_between(self, fn: Fn, first: Call, last: Call) -> bool:
        """Something from elsewhere, or what the caller says how to get (`value = await produce()`)."""
        between = [call for call in fn.calls if first.span < call.span < last.span]
        return any(
            fn.unguarded(call.func)[0] == "param" or _SOURCES & self.project.effects.call_effects(fn, call)
            for call in between
        )

    def _expires(self, fn: Fn, call: Call, cache: Cache) -> bool:
        """True where the entry has an end: an argument, a default, a later `expire`, or a condition (`nx`: a lock)."""
        assert cache.expiry is not None
        given = [vid for key in cache.expiry.keywords if (vid := call.kwarg(key)) >= 0]
        if 0 <= cache.expiry.position < len(call.args):
            given.append(call.args[cache.expiry.position])
        if given:
            return any(self.project.constants(fn, vid) != [None] for vid in given)
        if call.open_ended or call.kwarg("nx") >= 0 or call.kwarg("xx") >= 0:
            return True
        if any("expire" in str(fn.facts.values[item.func][-1]) for item in fn.calls if item is not call):
            return True
        return cache.expiry.default not in (None, 0)

    def _called_cache(self, fn: Fn, call: Call) -> bool:
        """True where the client or the key says that it is a cache."""
        base = receiver(fn, call)
        words = [str(fn.facts.values[base][-1]) if base >= 0 else str(fn.facts.values[call.func][-1])]
        words += [name for name, vid in self._names(fn) if vid == base]
        value = fn.unguarded(base) if base >= 0 else ("unknown",)
        words += [fn.facts.params[value[1]].name] if value[0] == "param" else []
        if call.args:
            text = self.project.constants(fn, call.args[0])
            value = fn.facts.values[call.args[0]]
            parts = value[2] if value[0] == "fmt" else ()
            words += [str(item) for item in text or ()] + [str(fn.const(vid)) for vid in parts]
        return any(mark in word.lower() for word in words for mark in _WORDS)

    @staticmethod
    def _names(fn: Fn) -> Iterator[tuple[str, Vid]]:
        yield from ((item.name, item.value) for item in fn.facts.bindings)

    # dicts of a module

    def _variables(self, fn: Fn) -> Iterator[CacheUse]:
        if fn.is_module:
            return
        seen: set[str] = set()
        for store in fn.facts.stores:
            base = fn.facts.values[store.base]
            while base[0] in ("store", "mut", "guard"):
                base = fn.facts.values[base[1]]
            if store.key < 0 or base[0] != "name" or not self._is_cache_dict(fn, str(base[1]), store.key):
                continue
            name = str(base[1]).rpartition(".")[2]
            if self._counts(fn, store, name):
                continue
            if name not in seen and self._keyed_openly(fn, store) and not self._shrinks(fn, str(base[1])):
                seen.add(name)
                readers = self.project.functions_of(fn.file)
                sure = fn in self.project.in_request and not any(
                    self._kept_fresh(reader, str(base[1])) for reader in readers
                )
                sure = sure and not self._operators(fn, store) and not self._rewrites(fn, str(base[1]), store.key)
                yield CacheUse(fn, store.span, "grows", name, sure)

    def _rewrites(self, fn: Fn, dotted: str, key: Vid) -> bool:
        """`names[path] = new`, where another function looks there before it puts what it has read: what is kept is kept true."""
        if asked(fn, dotted, key):
            return False
        return any(
            other is not fn and any(asked(other, dotted, item.key) for item in other.facts.stores if item.key >= 0)
            for other in self.project.functions_of(fn.file)
        )

    @staticmethod
    def _operators(fn: Fn, store: Store) -> bool:
        """Whether operators write the keys down by their names: a plugin, a locale, one of the models of one of the servers;
        or code does, where a class is found by it (`driver_of(name)(server)`)."""
        value = fn.unguarded(store.key)
        parts = value[1] if value[0] == "tuple" else (store.key,)
        made = fn.func_of(fn.unguarded(store.value))
        found_by = [fn.unguarded(vid) for vid in fn.calls[made[1]].args] if made[0] == "call" else []
        names = [_name_of(fn, vid) for vid in parts]
        made_by = [name for name, vid in zip(names, parts, strict=True) if fn.unguarded(vid) in found_by]
        return _written_down(names, made_by)

    @staticmethod
    def _kept_fresh(fn: Fn, dotted: str) -> bool:
        """`if entry[0] == row.changed: return entry[1]`, `if time.monotonic() < entry.expires: ...`: what is found is compared
        before it is used."""
        values = fn.facts.values
        for vid in fn.made_by("compare"):
            _, operators, sides = values[vid]
            parts = [values[item] for item in ingredients(fn.facts, sides)]
            asks = ("name", f"{dotted}.get") in parts or any(
                part[0] == "item" and values[part[1]] == ("name", dotted) for part in parts
            )
            if asks and _ORDER.issuperset(operators):
                return True
        return False

    @staticmethod
    def _counts(fn: Fn, store: Store, name: str) -> bool:
        """`hits[page] = hits.get(page, 0) + 1` is no cache: what was there goes on in what is stored."""
        if any(word in name.lower() for word in _WORDS):
            return False
        values = (fn.facts.values[vid] for vid in ingredients(fn.facts, (store.value,)))
        return store.augmented or any(value[0] == "name" and name in str(value[1]).split(".") for value in values)

    def _keyed_openly(self, fn: Fn, store: Store) -> bool:
        """Whether there is no end of keys: they are no constants, settings or keys of a table, and no servers with clients."""
        if self.project.constants(fn, store.key) is not None or keeps_client(self.project, fn, store.value):
            return False
        return not bounded(self.project, fn, store)

    def _is_cache_dict(self, fn: Fn, dotted: str, key: Vid) -> bool:
        """A dict of a module, empty at first, that is a cache by its name, or is asked for the key before it is stored."""
        if not any(word in dotted.rpartition(".")[2].lower() for word in _WORDS) and not asked(fn, dotted, key):
            return False
        found = variable(self.project, fn, dotted)
        if found is None:
            return False
        owner, vid = found
        value = owner.facts.values[vid]
        if value[0] == "call":
            names = {ref.name for ref in self.project.callees(owner, owner.facts.calls[value[1]])}
            return bool(names & {"builtins.dict", "collections.OrderedDict", "collections.defaultdict"})
        return bool(value == ("dict", ()))

    def _shrinks(self, fn: Fn, dotted: str) -> bool:
        """True where some code of the file takes entries out, or looks at how many there are."""
        for owner in self.project.functions_of(fn.file):
            facts = owner.facts
            named = {vid for vid, value in enumerate(facts.values) if value == ("name", dotted)}
            for vid, value in enumerate(facts.values):
                if value[0] in ("store", "mut") and value[1] in named:
                    named.add(vid)
            for call in facts.calls:
                func = facts.values[call.func]
                if (
                    func[0] == "name"
                    and func[1].rpartition(".")[0] == dotted
                    and func[1].rpartition(".")[2] in _SHRINKS
                ):
                    return True
                if func[0] == "attr" and func[1] in named and func[2] in _SHRINKS:
                    return True
                if func == ("name", "builtins.len") and named.intersection(call.args):
                    return True
            if any(
                item.kind == "delete" and self._part_of(facts.values, item.value, named) for item in facts.statements
            ):
                return True
            if any(
                store.base >= 0 and not store.name and store.key < 0 and store.base in named for store in facts.stores
            ):
                return True
        return False

    @staticmethod
    def _part_of(values: list[tuple[object, ...]], vid: Vid, named: set[Vid]) -> bool:
        value = values[vid] if vid >= 0 else ("",)
        return vid in named or (value[0] == "item" and value[1] in named)


def _written_down(names: Sequence[str], also: Sequence[str] = ()) -> bool:
    """Whether a program, or its operators, write down all keys of these names: `plugin`, or `model` and the `host` of each."""
    own = [name for name in names if name in also or _CONFIGURED.search(name)]
    return bool(own) and all(name in own or _ADDRESS.search(name) for name in names)


def _name_of(fn: Fn, key: Vid) -> str:
    """What a key is called: a parameter, an attribute, a variable."""
    key = fn.untested(key)
    value = fn.value(key)
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    return (
        str(value[2])
        if value[0] == "attr"
        else next((item.name for item in fn.facts.bindings if item.value == key), "")
    )
