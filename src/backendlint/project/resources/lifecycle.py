"""What is started when the application starts, and whether anything closes it when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Store, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.graph.programs import for_tests
from backendlint.project.libraries.model import CallModel, ClassModel
from backendlint.project.linking.binding import receiver, slots
from backendlint.project.values.uses import aliases

if TYPE_CHECKING:
    from backendlint.project.model import Project

_STARTS = frozenset({"start", "connect", "open", "start_consuming"})
_ALWAYS = ("close", "aclose", "stop", "shutdown", "disconnect", "dispose", "terminate", "cancel", "join", "wait_closed")
_IDLE = frozenset({"http-session", "db-engine", "redis-client"})
MAX_DEPTH = 3


class Unclosed(NamedTuple):
    """Something started at start-up that nothing closes."""

    fn: Fn
    call: Call
    name: str
    """Of what is called."""
    kept: str
    """The name under which it is kept."""
    closes: tuple[str, ...]
    """Methods that would close it."""
    idle: bool = False
    """It holds connections alone, which end with the process, and does no work of its own."""


class Lifecycle:
    """Answers `unclosed()`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def starts(self, fn: Fn) -> bool:
        """Whether the function is a start-up hook or a lifespan itself."""
        return fn.fqn in self._roots

    def alone_leads_to(self, fn: Fn, depth: int = 6) -> bool:
        """Whether nothing runs the function but the start of the application: modules as they are loaded, hooks, lifespans."""
        if fn.is_module or self.starts(fn):
            return True
        edges = [edge for edge in self.project.graph.callers(fn) if edge.caller is not fn]
        edges = [edge for edge in edges if not for_tests(self.project, edge.caller)]
        if not edges or depth == 0 or self.project.reach(fn.fqn) or any(edge.kind != "call" for edge in edges):
            return False
        return all(
            self.alone_leads_to(caller, depth - 1)
            for caller in {edge.caller.fqn: edge.caller for edge in edges}.values()
        )

    @cached_property
    def _roots(self) -> dict[str, Fn]:
        hooks = [fn for fn in self.project.all_functions() if self._hook(fn)]
        return {fn.fqn: fn for fn in (*hooks, *self._lifespans(), *self._registered())}

    @cached_property
    def startup(self) -> dict[str, Fn]:
        """Functions that run when the application starts: hooks, lifespans, and what these call."""
        found: dict[str, Fn] = {}
        todo = [(fn, 0) for fn in self._roots.values()]
        while todo:
            fn, depth = todo.pop()
            if fn.fqn in found or depth > MAX_DEPTH:
                continue
            found[fn.fqn] = fn
            todo += [(edge.callee, depth + 1) for edge in self.project.graph.callees(fn) if edge.kind == "call"]
        return found

    def _hook(self, fn: Fn) -> bool:
        for ref, vid in zip(fn.decorators, fn.facts.decorators, strict=False):
            model = self.project.libraries.call(ref.name) or self.project.libraries.decorator(ref.name)
            if model is None or model.lifecycle not in ("startup", "both") or fn.parent is None:
                continue
            value = fn.parent.facts.values[vid]
            args = fn.parent.facts.calls[value[1]].args if value[0] == "call" else ()
            if model.lifecycle == "startup" or (args and "start" in str(fn.parent.const(args[0]))):
                return True
        return False

    def _lifespans(self) -> Iterator[Fn]:
        for site in self.project.effects.sites:
            if site.model.app is None or site.model.app.lifespan is None:
                continue
            for vid in arguments(site.call, site.model.app.lifespan):
                for fn, given in ((site.fn, vid), *self._of_callers(site.fn, vid)):
                    refs = (ref for ref in self.project.refs(fn, given) if ref.kind == "func")
                    yield from (self.project.functions[ref.name] for ref in refs)

    def _of_callers(self, fn: Fn, vid: Vid) -> Iterator[tuple[Fn, Vid]]:
        """What callers pass for the parameter that a value is: `make_app(lifespan=lifespan)`."""
        value = fn.unguarded(vid)
        for edge in self.project.graph.callers(fn) if value[0] == "param" else ():
            yield from ((edge.caller, given) for given, part in edge.passed(value[1]) if not part)

    def _registered(self) -> Iterator[Fn]:
        """`app.on_startup.append(connect)`, `app.cleanup_ctx.extend([database, cache])`,
        `app.add_event_handler("startup", connect)`."""
        for site in self.project.effects.sites:
            if site.model.lifecycle not in ("startup", "both") or site.model.handler is None:
                continue
            if site.call.args and str(site.fn.const(site.call.args[0])).startswith(("shut", "stop", "exit")):
                continue
            given = list(arguments(site.call, site.model.handler))
            several = (site.fn.value(vid) for vid in given)
            given += [vid for value in several if value[0] in ("list", "tuple") for vid in value[1]]
            for vid in given:
                for ref in self.project.refs(site.fn, vid):
                    if ref.kind == "func":
                        yield self.project.functions[ref.name]

    @cached_property
    def _factories(self) -> dict[str, Fn]:
        """Functions that make the application and hand it out (`create_app`): what they start goes on with it."""
        found: dict[str, Fn] = {}
        for site in self.project.effects.sites:
            app = site.model.app
            if app is not None and app.role == "application" and not site.fn.is_module:
                held = aliases(site.fn.facts, site.call.value)
                if any(item.value in held for item in site.fn.facts.returns):
                    found[site.fn.fqn] = site.fn
        return found

    def unclosed(self) -> Iterator[Unclosed]:
        """All of it, function by function."""
        for fn in self.startup.values():
            ends = min((item.span for item in fn.facts.returns if item.is_yield), default=None)
            for call in fn.calls:
                if ends is None or call.span < ends:
                    yield from self._opened(fn, call, ends is not None)
                    yield from self._started(fn, call)
        for fn in self._of_factories():
            if fn.fqn not in self.startup:
                for call in fn.calls:
                    yield from self._started(fn, call)

    def _of_factories(self) -> Iterator[Fn]:
        """Those, and what they alone call."""
        for fn in self._factories.values():
            yield fn
            called = {edge.callee.fqn: edge.callee for edge in self.project.graph.callees(fn) if edge.kind == "call"}
            for callee in called.values():
                callers = self.project.graph.callers(callee)
                if callee.name != "__init__" and all(edge.caller.fqn in self._factories for edge in callers):
                    yield callee

    def _opened(self, fn: Fn, call: Call, lasting: bool) -> Iterator[Unclosed]:
        """A client or pool that is made and kept (a variable lasts where the function yields), or a task that goes on; also an
        object of the project's own that keeps one and can close it."""
        made = [(model.name, self._closes(model), self._idle(model)) for model in self._makes(fn, call)]
        for name, closes, idle in made or self._keeps(fn, call):
            if not closes:
                continue
            held = aliases(fn.facts, call.value)
            if any(block.kind == "with" and block.value in held for block in fn.facts.blocks):
                continue
            if self._closed_among(fn, held, closes):
                continue
            names = self._names(fn, held)
            if lasting or closes == ("cancel",):
                names |= {item.name for item in fn.facts.bindings if item.value in held}
            inside = self._handed_on(fn, held, call)
            if names and inside is not None and not any(self._closed(known, closes) for known in names | inside):
                yield Unclosed(fn, call, name, min(names), closes, idle)

    def _keeps(self, fn: Fn, call: Call) -> Iterator[tuple[str, tuple[str, ...], bool]]:
        """The class of an object that is made there, its methods that close what it has made itself, and whether that is idle."""
        for target in self.project.targets(fn, call):
            cls = target.cls if target.name == "__init__" else None
            for name in _ALWAYS if cls is not None else ():
                method = cls.methods.get(name) if cls is not None else None
                if cls is None or method is None:
                    continue
                own = self._made_by(target)
                ends = [
                    site.model
                    for site in self.project.effects.direct(method)
                    if site.model.closes and self._text(method, receiver(method, site.call)) in own
                ]
                if ends:
                    yield cls.name, (name,), not any(model.awaitable for model in ends)
                    return

    def _made_by(self, made: Fn) -> set[str]:
        """The attributes in which a constructor keeps what it makes."""
        return {item.name for item in made.facts.stores if item.name and made.value(item.value)[0] == "call"}

    @staticmethod
    def _closed_among(fn: Fn, held: set[Vid], closes: tuple[str, ...]) -> bool:
        """`for task in (sweep, beat): task.cancel()`."""
        lists = {vid for kind in ("tuple", "list") for vid in fn.made_by(kind) if held.intersection(fn.value(vid)[1])}
        called = (fn.unguarded(receiver(fn, call)) for call in fn.calls if lists and fn.callee_name(call) in closes)
        return any(value[0] == "elem" and value[1] in lists for value in called)

    def _idle(self, model: CallModel) -> bool:
        """Clients and engines that are closed without `await`: nothing of theirs runs or complains at the end."""
        cls = self._class(model.returns or model.name)
        if cls is None or cls.resource not in _IDLE:
            return False
        found = [self.project.libraries.call(f"{cls.name}.{name}") for name in cls.close]
        return any(found) and not any(item is not None and item.awaitable for item in found)

    def _closes(self, model: CallModel) -> tuple[str, ...]:
        if model.concurrency is not None and model.concurrency.kind == "task" and model.concurrency.awaited:
            return ("cancel",)
        cls = self._class(model.returns or model.name)
        return cls.close if cls is not None and not cls.cheap and model.opens != "pooled-connection" else ()

    def _class(self, name: str) -> ClassModel | None:
        return next((cls for cls in self.project.libraries.lineage(name) if cls.close), None)

    def _makes(self, fn: Fn, call: Call) -> list[CallModel]:
        """Models of the call, or of what a function of the project makes and hands out."""
        if not self.project.targets(fn, call):
            return self.project.models(fn, call)
        made = [found for found in self.project.allocations.of(fn, call.value) if not self._kept_there(*found)]
        return [model for found in made for model in self.project.models(*found)]

    def _kept_there(self, fn: Fn, call: Call) -> bool:
        """Whether the function that makes it keeps it too, and something closes what it keeps: a client that many share."""
        closes = tuple({name for model in self.project.models(fn, call) for name in self._closes(model)})
        return any(self._closed(name, closes) for name in self._names(fn, aliases(fn.facts, call.value)))

    def _names(self, fn: Fn, held: set[Vid]) -> set[str]:
        """The names under which the function keeps it."""
        return {self._kept(fn, store) for store in fn.facts.stores if store.value in held} - {""}

    @staticmethod
    def _kept(fn: Fn, store: Store) -> str:
        """The attribute's name, the key, or the global's name."""
        if store.key >= 0:
            key = fn.value(store.key)
            return str(key[1]).rpartition(".")[2] if key[0] in ("const", "name") else ""
        value = fn.facts.values[store.base]
        return store.name or (str(value[1]).rpartition(".")[2] if value[0] == "name" else "")

    def _handed_on(self, fn: Fn, held: set[Vid], opened: Call) -> set[str] | None:
        """None where other code gets it (returned, yielded, passed): it may close it. Else the attributes in which objects of the
        project keep it that are made with it, and whose classes do nothing else with it."""
        if any(item.value in held for item in fn.facts.returns):
            return None
        if any(value[0] == "yield" and value[1] in held for value in fn.facts.values):
            return None
        names: set[str] = set()
        for call in fn.calls:
            if call is opened or not held.intersection(call.passed):
                continue
            if any(model.registers_cleanup for model in self.project.models(fn, call)):
                return None
            targets = self.project.targets(fn, call)
            if not targets and self.project.callees(fn, call):
                continue
            kept = [self._kept_by(fn, call, target, held) for target in targets]
            if not kept or "" in kept:
                return None
            names.update(kept)
        return names

    @staticmethod
    def _kept_by(fn: Fn, call: Call, made: Fn, held: set[Vid]) -> str:
        """The attribute in which a constructor stores what it is given, and does nothing else with it; or ""."""
        if made.name != "__init__":
            return ""
        given = slots(fn, call, made, held)
        taken = {vid for vid, value in enumerate(made.facts.values) if value[0] == "param" and value[1] in given}
        if any(taken.intersection(inner.passed) for inner in made.calls):
            return ""
        stored = [item.name for item in made.facts.stores if item.value in taken and item.name]
        return stored[0] if len(stored) == 1 else ""

    def _started(self, fn: Fn, call: Call) -> Iterator[Unclosed]:
        """`scheduler.start()`, `database.connect()`: an object of a library that has a method to stop it."""
        base, value = receiver(fn, call), fn.facts.values[call.func]
        method = fn.callee_name(call)
        if method not in _STARTS or any(model.opens and model.returns for model in self.project.models(fn, call)):
            return  # what gives a connection starts nothing
        owner = value[1].rpartition(".")[0] if value[0] == "name" else ""
        for ref in self.project.resolver.owner(fn, value):
            cls = self._class(ref.name) if ref.kind == "libinst" else None
            if cls is None:
                continue
            name = owner.rpartition(".")[2] if owner else self._text(fn, base)
            given = ("name", owner) if owner else fn.unguarded(base)
            if name and not any(self._closed(known, cls.close) for known in (name, *self._taken(fn, given))):
                yield Unclosed(fn, call, f"{ref.name}.{method}", name, cls.close)
                return

    def _taken(self, fn: Fn, started: Value) -> Iterator[str]:
        """`jobs = start_jobs()`, which returns what it has started: the names under which callers keep it."""
        if not any(fn.unguarded(item.value) == started for item in fn.facts.returns if item.value >= 0):
            return
        for edge in self.project.graph.callers(fn):
            held = aliases(edge.caller.facts, edge.call.value) if edge.call is not None else set()
            yield from self._names(edge.caller, held)
            yield from (item.name for item in edge.caller.facts.bindings if item.value in held)

    def _text(self, fn: Fn, vid: Vid) -> str:
        value = fn.facts.values[vid]
        if value[0] == "attr":
            return str(value[2])
        return next((item.name for item in fn.facts.bindings if item.value == vid), "")

    def _closed(self, name: str, closes: tuple[str, ...]) -> bool:
        return any((name, method) in self._ends for method in (*closes, *_ALWAYS))

    @cached_property
    def _ends(self) -> set[tuple[str, str]]:
        """All mentions of a closing method, with the last name of what it is called on."""
        found: set[tuple[str, str]] = set()
        methods = self._all_closes | set(_ALWAYS)
        for fn in self.project.all_functions():
            names = {item.value: item.name for item in fn.facts.bindings}
            for vid in fn.made_by("attr"):
                value = fn.facts.values[vid]
                if value[2] in methods:
                    base = fn.facts.values[value[1]]
                    while base[0] in ("guard", "mut", "setattr", "await", "enter"):
                        names.setdefault(value[1], names.get(base[1], ""))
                        base = fn.facts.values[base[1]]
                    word = str(base[2]) if base[0] == "attr" else names.get(value[1], "")
                    if base[0] == "item" and fn.value(base[2])[0] in ("const", "name"):
                        word = str(fn.value(base[2])[1]).rpartition(".")[2]
                    if base[0] == "phi" and not word:
                        word = next((names[item] for item in base[1] if names.get(item)), "")
                    if base[0] == "name":
                        word = str(base[1]).rpartition(".")[2]
                    found.add((word, value[2]))
            for vid in fn.made_by("name"):
                owner, _, method = str(fn.facts.values[vid][1]).rpartition(".")
                if method in methods:
                    found.add((owner.rpartition(".")[2], method))
        return found

    @cached_property
    def _all_closes(self) -> set[str]:
        found: set[str] = set()
        for site in self.project.effects.sites:
            cls = self._class(site.model.returns or site.model.name)
            found.update(cls.close if cls is not None else ())
        return found
