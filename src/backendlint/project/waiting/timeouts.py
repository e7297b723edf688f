"""How long an outbound call can wait, and what decides it: its own argument, its client's, a scope around it, a default."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Store, Value, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.graph.effects import Site
from backendlint.project.libraries.conditions import holds
from backendlint.project.libraries.model import CallModel, Timeout
from backendlint.project.linking.allocations import Made
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.values.numbers import by_default
from backendlint.project.waiting.limits import PassedLimits
from backendlint.project.waiting.wait import FOREVER, UNKNOWN, Wait

if TYPE_CHECKING:
    from backendlint.project.model import Project

_CARRIERS = frozenset({"transport", "session", "http_client", "client", "adapter", "connection_pool"})
"""Keywords of constructors for objects that may carry a timeout of their own."""
MAX_LINKS = 30
MAX_HELPERS = 3
"""Helpers through which `**kwargs` are followed to those who fill them."""
_UNITS = {"s": 1.0, "ms": 0.001, "us": 0.000001, "min": 60.0, "object": 1.0}


class Timeouts:
    """Answers `of(fn, call, model)` for calls whose model has a timeout."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._asked: set[Made] = set()
        """Objects whose constructors are being read: one made of itself says nothing more."""

    def of(self, fn: Fn, call: Call, model: CallModel) -> Wait | None:
        """The wait of one call; None where the model does not speak of time."""
        if model.timeout is None or any(holds(self.project, fn, call, item) for item in model.timeout.unless):
            return None
        own = self._own(fn, call, model.timeout)
        if own is not None and own.kind != "forever":
            return own
        scope = self._scope(fn, call)
        if scope is not None:
            return scope
        if own is not None and not (own.left_out and own.default):
            return own
        inherited = self._inherited(fn, call, model.timeout)
        if own is not None:
            return own if inherited is None or inherited.kind == "forever" else UNKNOWN
        return inherited or self._default(model.timeout)

    @cached_property
    def passed(self) -> PassedLimits:
        """Timeouts that callers choose."""
        return PassedLimits(self.project)

    def without(self, fn: Fn, call: Call, model: CallModel) -> Wait | None:
        """The wait of a call to whose `**options` nothing was added."""
        timeout = model.timeout
        if timeout is None:
            return None
        put = self._set_last(fn, call, timeout)
        return put or self._scope(fn, call) or self._inherited(fn, call, timeout) or self._default(timeout)

    def _set_last(self, fn: Fn, call: Call, timeout: Timeout) -> Wait | None:
        """`options.setdefault("timeout", 5)`."""
        vid = call.kwarg("**")
        while vid >= 0 and (value := fn.facts.values[vid])[0] in ("mut", "store", "guard"):
            put = self._put(fn, value, timeout, MAX_LINKS)
            if put is not None:
                return put
            vid = value[1]
        return None

    def handed_over(self, site: Site) -> Iterator[CallModel]:
        """Functions of libraries that a call runs elsewhere (`to_thread(requests.get, url)`), and that nothing bounds."""
        if site.model.executor is None:
            return
        call = site.call
        for vid in arguments(call, site.model.executor):
            for ref in self.project.refs(site.fn, vid):
                model = self.project.libraries.call(ref.name) if ref.kind == "lib" else None
                timeout = model.timeout if model is not None else None
                if model is None or timeout is None or timeout.default is not None or call.open_ended:
                    continue
                bounded = any(call.kwarg(key) >= 0 for key in timeout.keywords) or self._scope(site.fn, call)
                if not bounded and not set(timeout.via) - {"socket.setdefaulttimeout"}:
                    yield model

    @staticmethod
    def _default(timeout: Timeout) -> Wait:
        if timeout.default is None:
            return FOREVER
        return Wait("seconds", timeout.default * _UNITS[timeout.unit], default=True)

    # the call's own arguments

    def _own(self, fn: Fn, call: Call, timeout: Timeout) -> Wait | None:
        """What the call passes; None where it passes nothing."""
        if timeout.answer and call.kwarg(timeout.answer) >= 0:
            return self._partly(call, timeout, self.value(fn, call.kwarg(timeout.answer), timeout))
        whole = [key for key in timeout.keywords if call.kwarg(key) >= 0 and key not in timeout.partial]
        found = [self.value(fn, call.kwarg(key), timeout) for key in whole]
        if 0 <= timeout.position < len(call.args):
            found.append(self.value(fn, call.args[timeout.position], timeout))
        for key in timeout.within:
            found += self._within(fn, call.kwarg(key), timeout)
        if found:
            return self._partly(call, timeout, next((wait for wait in found if wait.kind != "forever"), found[0]))
        written = self._in_dsn(fn, call, timeout) if timeout.dsn else False
        if written or (written is None and timeout.dsn_usual):
            return UNKNOWN
        if any(_is_star(fn, vid) for vid in call.args) and not self._short(fn, call, timeout):
            return UNKNOWN
        spread = self._spread(fn, call.kwarg("**"), timeout) if call.open_ended else None
        return Wait("forever", default=True, sure=False) if spread is None and written is None else spread

    @staticmethod
    def _partly(call: Call, timeout: Timeout, wait: Wait) -> Wait:
        """The same, noting where the call bounds a part that is not the answer."""
        bounded = wait.kind == "forever" and any(call.kwarg(key) >= 0 for key in timeout.partial)
        return wait._replace(partly=True) if bounded else wait

    def value(self, fn: Fn, vid: Vid, timeout: Timeout) -> Wait:
        """What a value passed as a timeout means."""
        known = self.project.constants(fn, vid)
        if known is None:
            return self._object(fn, vid) or self._parameter(fn, vid, timeout) or self._setting(fn, vid, timeout)
        numbers = [float(item) for item in known if isinstance(item, int | float) and not isinstance(item, bool)]
        endless = any(item is None for item in known) and timeout.none_disables
        endless = endless or (timeout.zero_disables and 0 in numbers)
        if endless and len(known) == 1:
            return Wait("forever")
        if not numbers:
            return UNKNOWN if known != [None] else self._default(timeout)
        return Wait("seconds", max(numbers) * _UNITS[timeout.unit])

    def _object(self, fn: Fn, vid: Vid) -> Wait | None:
        """`httpx.Timeout(5)`, `ClientTimeout(total=None)`: the object's own constructor decides."""
        for made in self.project.allocations.of(fn, vid):
            for model in self.project.models(made.fn, made.call):
                if model.timeout is not None and model.returns and made not in self._asked:
                    self._asked.add(made)
                    own = self._own(made.fn, made.call, model.timeout)
                    self._asked.discard(made)
                    return own or self._partly(made.call, model.timeout, self._default(model.timeout))
        value = fn.facts.values[vid]
        if value[0] == "tuple":
            parts = [self.project.constants(fn, item) for item in value[1]]
            if len(parts) > 1 and parts[1] == [None]:  # connect, read
                return Wait("forever", partly=parts[0] != [None])
            numbers = [x for part in parts for x in part or () if isinstance(x, int | float)]
            return Wait("seconds", float(sum(numbers))) if numbers else UNKNOWN
        return None

    def _parameter(self, fn: Fn, vid: Vid, timeout: Timeout) -> Wait | None:
        """A parameter with default None that some caller leaves out is no timeout; another default counts."""
        value = fn.unguarded(vid)
        if value[0] != "param":
            return None
        param = fn.facts.params[value[1]]
        home = fn.parent or fn
        default = home.const(param.default)
        if default is None and timeout.none_disables:
            lacking, passing = self._callers(fn, value[1])
            if lacking:
                return Wait("forever", left_out=tuple(lacking) if len(lacking) < passing else ())
        if isinstance(default, int | float) and not isinstance(default, bool):
            return Wait("seconds", float(default) * _UNITS[timeout.unit])
        return None

    def _callers(self, fn: Fn, index: int, depth: int = 3) -> tuple[list[Made], int]:
        """Calls that pass None for a parameter or leave it out, and how many pass something; those of a function that
        hands on a parameter of its own, by its callers."""
        lacking: list[Made] = []
        passing = 0
        for edge in self.project.graph.callers(fn):
            if edge.call is None or edge.caller is fn:
                continue
            given = [vid for vid, _ in edge.passed(index)]
            value = edge.caller.unguarded(given[0]) if given else ("const", None)
            own = edge.caller.facts.params[value[1]] if value[0] == "param" else None
            if own is not None and depth and (edge.caller.parent or fn).const(own.default) is None:
                theirs, others = self._callers(edge.caller, value[1], depth - 1)
                lacking, passing = lacking + theirs, passing + others
            elif value == ("const", None):
                lacking.append(Made(edge.caller, edge.call))
            else:
                passing += 1
        return lacking, passing

    def _setting(self, fn: Fn, vid: Vid, timeout: Timeout) -> Wait:
        """What the environment sets, by its default."""
        seconds = by_default(self.project, fn, vid)
        return UNKNOWN if not seconds else Wait("seconds", seconds * _UNITS[timeout.unit])

    def _within(self, fn: Fn, vid: Vid, timeout: Timeout) -> list[Wait]:
        """`connect_args={"connect_timeout": 5}`, `config=Config(read_timeout=5)`."""
        if vid < 0:
            return []
        value, names = fn.unguarded(vid), self._keys(timeout)
        if value[0] == "dict":
            keys = {fn.const(key): item for key, item in value[1] if key >= 0}
            return [self.value(fn, keys[key], timeout) for key in names if key in keys]
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            return [self.value(fn, call.kwarg(key), timeout) for key in names if call.kwarg(key) >= 0]
        return [UNKNOWN]

    @staticmethod
    def _keys(timeout: Timeout) -> list[str]:
        return [key for key in timeout.keys if key not in timeout.partial]

    def _in_dsn(self, fn: Fn, call: Call, timeout: Timeout) -> bool | None:
        """Whether the connection string sets it; None where that is not known."""
        if not call.args:
            return False
        texts = self.project.constants(fn, call.args[0])
        return None if texts is None else any(key in str(text) for text in texts for key in self._keys(timeout))

    def _spread(self, fn: Fn, vid: Vid, timeout: Timeout, depth: int = MAX_LINKS) -> Wait | None:
        """`**kwargs`: unknown, unless the dict is spelled out here (also by `setdefault`, `update` and stores) or where it comes from."""
        value = fn.facts.values[vid] if vid >= 0 and depth else ("",)
        if value[0] in ("mut", "store", "guard"):
            put = self._put(fn, value, timeout, depth)
            return self._spread(fn, value[1], timeout, depth - 1) if put is None else put
        if value[0] == "phi":  # as it may be without what one of the branches adds
            found = [self._spread(fn, item, timeout, depth - 1) for item in value[1] if item < vid]
            return next((wait for wait in found if wait is not None), None)
        if value[0] == "param":
            return self._passed_on(fn, value[1], timeout)
        if value[0] == "call":  # `**self._options()`
            own = self.project.targets(fn, fn.facts.calls[value[1]])
            found = [self._spread(it, item.value, timeout, depth - 1) for it in own for item in it.facts.returns]
            return UNKNOWN if any(found) or not found else None
        if value[0] != "dict" or any(key < 0 for key, _ in value[1]):
            return UNKNOWN
        given = [item for key, item in value[1] if fn.const(key) in timeout.keywords]
        return self.value(fn, given[0], timeout) if given else None

    def _put(self, fn: Fn, value: Value, timeout: Timeout, depth: int) -> Wait | None:
        """The timeout that a change puts into a dict; None where it puts other things in, unknown where it may be."""
        if value[0] == "store":
            key = fn.const(value[2])
            return self.value(fn, value[3], timeout) if key in timeout.keywords else UNKNOWN if key is ... else None
        if value[0] == "mut" and value[2] == "setdefault" and len(value[3]) == 2:
            return self.value(fn, value[3][1], timeout) if fn.const(value[3][0]) in timeout.keywords else None
        if value[0] == "mut" and value[2] == "update":
            found = [self._spread(fn, item, timeout, depth - 1) for item in value[3]]
            return next((wait for wait in found if wait is not None), None if found else UNKNOWN)
        return None

    def _short(self, fn: Fn, call: Call, timeout: Timeout, depth: int = MAX_HELPERS) -> bool:
        """Whether the `*args` that a helper hands on, its own, hold too few for the timeout's position to be among them."""
        own = [vid for vid in call.args if _is_star(fn, vid)]
        value = fn.unguarded(fn.facts.values[own[0]][1]) if len(own) == 1 else ("",)
        if value[0] != "param" or fn.facts.params[value[1]].kind != "args" or not depth:
            return False
        if timeout.position < 0:
            return True
        left = timeout.position - len(call.args) + 1
        edges = self.project.graph.callers(fn)
        for edge in edges:
            if edge.call is None or sum(not _is_star(edge.caller, vid) for vid in edge.call.args) > left:
                return False
            if any(_is_star(edge.caller, vid) for vid in edge.call.args) and not self._short(
                edge.caller, edge.call, timeout, depth - 1
            ):
                return False
        return bool(edges)

    def _passed_on(self, fn: Fn, index: int, timeout: Timeout, depth: int = MAX_HELPERS) -> Wait | None:
        """A helper's own `**kwargs`: nothing where every caller is known and none passes a timeout; where some do, the
        others leave it out."""
        edges = [edge for edge in self.project.graph.callers(fn) if edge.caller is not fn]
        if fn.facts.params[index].kind != "kwargs" or not edges:
            return UNKNOWN
        lacking: list[Made] = []
        for edge in edges:
            if edge.call is None or (
                edge.call.open_ended and not self._hands_nothing(edge.caller, edge.call, timeout, depth)
            ):
                return UNKNOWN
            if not any(edge.call.kwarg(key) >= 0 for key in timeout.keywords):
                lacking.append(Made(edge.caller, edge.call))
        if len(lacking) == len(edges):
            return None
        few = timeout.default is None and 0 < 2 * len(lacking) <= len(edges)
        return Wait("forever", default=True, left_out=tuple(lacking)) if few else UNKNOWN

    def _hands_nothing(self, fn: Fn, call: Call, timeout: Timeout, depth: int) -> bool:
        """`self._request("get", *args, **kwargs)`: whether the `**kwargs` that a helper hands on never hold a timeout."""
        value = fn.unguarded(call.kwarg("**")) if call.kwarg("**") >= 0 else ("",)
        while value[0] == "mut" and value[2] in ("pop", "get"):
            value = fn.unguarded(value[1])
        own = depth > 0 and value[0] == "param" and fn.facts.params[value[1]].kind == "kwargs"
        return own and self._passed_on(fn, value[1], timeout, depth - 1) is None

    # what is around it

    def _scope(self, fn: Fn, call: Call) -> Wait | None:
        """`async with asyncio.timeout(5)`, `asyncio.wait_for(call, 5)`, or a decorator with a limit."""
        for _, block in fn.blocks_of(call.block):
            if block.kind == "with" and block.value >= 0:
                value = fn.facts.values[block.value]
                if value[0] == "call" and fn.facts.calls[value[1]] is not call:
                    wait = self.limit(fn, fn.facts.calls[value[1]])
                    if wait is not None:
                        return wait
        for outer in fn.facts.calls:
            if any(self._is(fn, vid, call.value) for vid in outer.args[:1]):
                wait = self.limit(fn, outer)
                if wait is not None:
                    return wait
        return UNKNOWN if any(model.timeout is not None for model in decorator_models(self.project, fn)) else None

    @staticmethod
    def _is(fn: Fn, vid: Vid, wanted: Vid) -> bool:
        value = fn.facts.values[vid]
        return vid == wanted or (value[0] in ("await", "guard") and value[1] == wanted)

    def limit(self, fn: Fn, call: Call) -> Wait | None:
        """The limit that a call sets to what it runs or encloses (`asyncio.timeout(5)`), not to itself."""
        for model in self.project.models(fn, call):
            if model.timeout is not None and model.timeout.covers == "total" and not model.effect:
                own = self._own(fn, call, model.timeout)
                if own is not None and own.kind != "forever":
                    return own
        return None

    # what its client was made with

    def _inherited(self, fn: Fn, call: Call, timeout: Timeout) -> Wait | None:
        """What a constructor, setter or module-wide setting named by the model says."""
        via = {self.project.libraries.canonical(name) for name in timeout.via}
        if not via:
            return None
        if not via.isdisjoint(self._set_globally):
            return UNKNOWN
        constructs = not any(self._is_method(model) for model in self.project.models(fn, call))
        # to a constructor, a pool or connection is passed in
        made = self._passed(fn, call) if constructs else self._receivers(fn, call)
        decided = [wait for item in made if (wait := self._decided(item, via)) is not None]
        if not decided and not constructs:  # a transport that the client was given
            given = [inner for item in made for inner in self._passed(item.fn, item.call)]
            decided = [wait for item in given if (wait := self._decided(item, via)) is not None]
        if decided:
            wait = next((wait for wait in decided if wait.kind != "forever"), decided[0])
            later = constructs and wait.kind == "forever" and self._set_on_object(fn, call, via, made)
            return UNKNOWN if later else wait
        if any(
            key in _CARRIERS
            for item in (*made, *([Made(fn, call)] if constructs else ()))
            for key, _ in item.call.kwargs
        ):
            return UNKNOWN
        elsewhere = not constructs and not self._plainly_made(made) and self._configurable(via)
        return UNKNOWN if elsewhere or self._set_on_object(fn, call, via, made) else None

    def _passed(self, fn: Fn, call: Call) -> list[Made]:
        """What made the objects that a call is given."""
        return [item for vid in call.passed for item in self.project.allocations.of(fn, vid)]

    def _receivers(self, fn: Fn, call: Call, depth: int = 3) -> list[Made]:
        """What made the object on which the method is called, and the objects that made that one (`client.pipeline()`)."""
        base = receiver(fn, call)
        made = self.project.allocations.of(fn, base) if base >= 0 else self._named(fn, call)
        while not made and base >= 0 and fn.facts.values[base][0] == "attr":  # `client.chat.completions.create()`
            base = fn.facts.values[base][1]
            made = self.project.allocations.of(fn, base)
        if depth:
            made = made + [outer for item in made for outer in self._receivers(item.fn, item.call, depth - 1)]
        return made

    def _is_method(self, model: CallModel) -> bool:
        """`engine.connect()` opens something too, but is called on what was made before; not `Redis.from_url(...)`."""
        owner = model.name.rpartition(".")[0]
        while owner and self.project.libraries.cls(owner) is None:
            owner = owner.rpartition(".")[0]
        return bool(owner) and not (model.opens and model.returns == owner)

    def _plainly_made(self, made: list[Made]) -> bool:
        """Whether a constructor of the library that takes no timeout made it, here for all to see (`socket.socket()`)."""
        models = [model for item in made for model in self.project.models(item.fn, item.call)]
        return any(model.opens and model.timeout is not None and not model.timeout.keywords for model in models)

    def _configurable(self, via: set[str]) -> bool:
        """True where the client is made by code that cannot be seen, and may carry a timeout."""
        models = [self.project.libraries.call(name) for name in via]
        return any(model is not None and model.timeout is not None and model.opens for model in models)

    def _named(self, fn: Fn, call: Call) -> list[Made]:
        value = fn.facts.values[call.func]
        owner = str(value[1]).rpartition(".")[0] if value[0] == "name" else ""
        found: list[Made] = []
        while owner and not found:
            found = self.project.allocations.named(fn, owner)
            owner = owner.rpartition(".")[0]
        return found

    def _decided(self, made: Made, via: set[str]) -> Wait | None:
        for model in self.project.models(made.fn, made.call):
            if model.name in via and model.timeout is not None:
                own = self._own(made.fn, made.call, model.timeout)
                wait = own or self._inherited(made.fn, made.call, model.timeout) or self._default(model.timeout)
                return self._partly(made.call, model.timeout, wait)._replace(at=wait.at or made)
        return None

    @cached_property
    def _set_globally(self) -> frozenset[str]:
        """Module-wide settings that are made somewhere, such as `socket.setdefaulttimeout`."""
        return frozenset(
            site.model.name
            for site in self.project.effects.sites
            if site.model.timeout is not None
            and site.model.name.rpartition(".")[2].startswith("set")
            and not self._is_method(site.model)
            and all(holds(self.project, site.fn, site.call, item) for item in site.model.timeout.when)
        )

    def _set_on_object(self, fn: Fn, call: Call, via: set[str], made: list[Made]) -> bool:
        """A setter of the model (`session.mount(...)`) is called on the same object, or `x.timeout = ...` stored."""
        classes = self._classes(made)
        files = [fn.file, *(item.fn.file for item in made), *(cls.file for cls in classes.values())]
        unique = {id(file): file for file in files}.values()
        for owner in (owner for file in unique for owner in self.project.functions_of(file)):
            for site in self.project.effects.direct(owner):
                if site.model.name in via and self._is_method(site.model) and self._sets(owner, site.call, site.model):
                    base = receiver(owner, site.call)
                    if self._same(owner, base, made, classes) is not False:
                        return True
            for store in owner.facts.stores:
                if store.name in ("request", "send") or self._takes_timeout(owner, store):
                    is_it = self._same(owner, store.base, made, classes)
                    if is_it or (is_it is None and self._same_type(owner, store.base, fn, call)):
                        return True
        return False

    def _takes_timeout(self, owner: Fn, store: Store) -> bool:
        """`client.timeout = 5`, unless the library is known to ignore it (`requests.Session`)."""
        if "timeout" not in store.name:
            return False
        refs = [ref for ref in self.project.refs(owner, store.base) if ref.kind == "libinst"]
        models = [self.project.libraries.attribute(f"{ref.name}.{store.name}") for ref in refs]
        return not any(model is not None and not model.sets_timeout for model in models)

    def _classes(self, made: list[Made]) -> dict[str, Cls]:
        """The project's own classes of which an object is an instance."""
        refs = [ref for item in made for ref in self.project.callees(item.fn, item.call) if ref.kind == "class"]
        return {cls.fqn: cls for ref in refs for cls in self.project.hierarchy.mro(self.project.classes[ref.name])}

    def _same(self, owner: Fn, base: Vid, made: list[Made], classes: dict[str, Cls]) -> bool | None:
        """Whether another value is the object that was made there; None where that cannot be seen."""
        if base < 0 or not made:
            return None
        own = {ref.name for ref in self.project.refs(owner, base) if ref.kind in ("inst", "super")}
        if own:
            return bool(own.intersection(classes))
        theirs = self.project.allocations.of(owner, base)
        return bool(set(theirs).intersection(made)) if theirs else None

    def _sets(self, fn: Fn, call: Call, model: CallModel) -> bool:
        """False where a library's own object is passed (`mount("https://", HTTPAdapter(...))`): it carries no timeout."""
        if model.timeout is not None and not all(holds(self.project, fn, call, item) for item in model.timeout.when):
            return False
        if model.timeout is not None and model.effect:  # `super().request(..., timeout=5)`, which others go through
            if not any(ref.kind == "super" for ref in self.project.refs(fn, receiver(fn, call))):
                return False
            wait = self._own(fn, call, model.timeout)
            return wait is not None and wait.kind != "forever"
        passed = list(call.passed)
        refs = [ref for vid in passed for ref in self.project.refs(fn, vid)]
        own = any(ref.kind == "libinst" and self.project.libraries.library_of(ref.name) is not None for ref in refs)
        plain = all(ref.name.startswith("builtins.") for ref in refs if ref.kind == "libinst")
        return bool(passed) and (plain or not own)

    def _same_type(self, owner: Fn, base: Vid, fn: Fn, call: Call) -> bool:
        mine = {ref.name for ref in self.project.refs(fn, receiver(fn, call))} if receiver(fn, call) >= 0 else set()
        return bool(mine & {ref.name for ref in self.project.refs(owner, base)})


def _is_star(fn: Fn, vid: Vid) -> bool:
    """`*args` in a call."""
    return bool(fn.facts.values[vid][0] == "star")
