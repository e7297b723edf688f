"""What the project depends on at run time (services, databases, caches, mail ...), and how it copes when one is down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import argument_of
from backendlint.project.graph.effects import Site
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.allocations import Made
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.decorators import made_within
from backendlint.project.waiting.retries import BROAD
from backendlint.project.waiting.retry_settings import Policy
from backendlint.project.waiting.sums import duration
from backendlint.project.waiting.wait import Wait

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

KINDS = {
    "http": "http", "grpc": "grpc", "mail": "mail", "socket": "socket", "cloud": "cloud", "search": "search",
    "db-connect": "database", "db-read": "database", "db-write": "database", "db": "database", "commit": "database",
    "cache-read": "cache", "cache-write": "cache", "queue-publish": "queue", "queue-consume": "queue",
    "subprocess": "subprocess",
}  # fmt: skip
OWN_BREAKER = re.compile(r"(^|\.|[a-z_])(Circuit)?Breaker$")
"""Classes of the project's own, and of libraries without a model."""
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*)://(?:[^/@\s]*@)?([^/:?#\s{]+)", re.IGNORECASE)
MAX_CALLERS = 4


class Guarded(NamedTuple):
    """One call of a dependency, with what protects it."""

    site: Site
    timeout: Wait | None
    """None where the library has none to set."""
    retry: Policy | None
    breaker: bool
    fallback: bool
    """A failure is caught, here or in a caller, and answered with something else."""


class Dependency(NamedTuple):
    """Something outside the process, with all calls that go there."""

    name: str
    """Host, else the library and the name of the client."""
    kind: str
    """http grpc mail socket cloud search database cache queue subprocess"""
    library: str
    calls: tuple[Guarded, ...]
    pools: tuple[str, ...]
    """`size 5 + 10` as the constructors of its clients say; empty where unknown."""
    routes: tuple[Route, ...]
    """Endpoints that hang on it."""

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(item.site for item in self.calls)

    @property
    def timeout(self) -> str:
        """`none`, `3 s`, `3-10 s`, `set` (by configuration) or ``: the worst first."""
        waits = [item.timeout for item in self.calls if item.timeout is not None]
        numbers = sorted({wait.seconds for wait in waits if wait.kind == "seconds"})
        words = ["none"] if any(wait.kind == "forever" for wait in waits) else []
        if numbers:
            same = numbers[0] == numbers[-1]
            words.append(duration(numbers[0]) if same else f"{duration(numbers[0])} to {duration(numbers[-1])}")
        if any(wait.kind == "unknown" for wait in waits):
            words.append("configured")
        return ", ".join(words)

    @property
    def retry(self) -> str:
        """`3 attempts`, `without end`, `yes` or ``, with the backoff."""
        policies = [item.retry for item in self.calls if item.retry is not None]
        words = []
        for policy in policies:
            count = "without end" if not policy.bounded else "yes"
            words.append(f"{policy.attempts:g} attempts" if policy.attempts is not None else count)
        return ", ".join(dict.fromkeys(words))

    @property
    def backoff(self) -> str:
        """none, constant, exponential (with jitter) or ``."""
        words = [
            item.retry.backoff + (" with jitter" if item.retry.jitter else "")
            for item in self.calls
            if item.retry is not None
        ]
        return ", ".join(dict.fromkeys(words))

    @property
    def breaker(self) -> str:
        """yes, partly or no."""
        return _share([item.breaker for item in self.calls])

    @property
    def fallback(self) -> str:
        """yes, partly or no."""
        return _share([item.fallback for item in self.calls])

    @property
    def pool(self) -> str:
        return ", ".join(dict.fromkeys(self.pools))


def _share(answers: list[bool]) -> str:
    return "yes" if all(answers) else "partly" if any(answers) else "no"


class Dependencies:
    """Answers `all`, and how single calls are protected."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._rounds: dict[tuple[str, int, int], tuple[list[tuple[Fn, Call]], bool]] = {}

    @cached_property
    def all(self) -> list[Dependency]:
        """By kind and name."""
        groups: dict[tuple[str, str, str], list[Guarded]] = {}
        pools: dict[tuple[str, str, str], list[str]] = {}
        for site in self.project.effects.sites:
            kind = next((KINDS[effect] for effect in site.model.effect if effect in KINDS), "")
            if not kind or self.project.layer(site.fn) in ("migration", "command"):
                continue
            library = self._package(site.model)
            key = (kind, self._name(site, kind, library), library)
            groups.setdefault(key, []).append(self.guarded(site))
            pools.setdefault(key, []).extend(self._pools(site))
        found = [
            Dependency(
                name, kind, library, tuple(calls), tuple(dict.fromkeys(pools[kind, name, library])), self._routes(calls)
            )
            for (kind, name, library), calls in groups.items()
        ]
        return sorted(found, key=lambda item: (item.kind, item.name, item.library))

    def guarded(self, site: Site) -> Guarded:
        """What protects a call."""
        wait = self.project.timeouts.of(site.fn, site.call, site.model)
        return Guarded(site, wait, self._retry(site), self.breaks(site), self.falls_back(site))

    def _routes(self, calls: list[Guarded]) -> tuple[Route, ...]:
        found: dict[int, Route] = {}
        for item in calls:
            for route in self.project.endpoints.leading_to(item.site.fn.fqn):
                found.setdefault(id(route), route)
        return tuple(found.values())

    # names

    @staticmethod
    def _package(model: CallModel) -> str:
        """The name under which people know the library: the first word of what is called."""
        first, _, rest = model.name.partition(".")
        return f"{first}.{rest.partition('.')[0]}" if first in ("google", "azure", "django") and rest else first

    def _name(self, site: Site, kind: str, library: str) -> str:
        if kind in ("database", "subprocess", "mail", "queue"):
            return library
        host = self._host(site.fn, (*site.call.args[:2], site.call.kwarg("url")))
        made = self.clients(site)
        for item in made:
            host = host or self._host(item.fn, (*item.call.args[:1], *(vid for _, vid in item.call.kwargs)))
        if host:
            return host
        named = next((name for item in made if (name := self._variable(item))), "")
        return f"{library} ({named})" if named else library

    def _host(self, fn: Fn, vids: tuple[Vid, ...]) -> str:
        """The host in a URL that is constant, at least at its beginning."""
        for vid in vids:
            texts = self.project.constants(fn, vid) if vid >= 0 else None
            if texts is None and vid >= 0:
                texts = self._start(fn, vid)
            for text in texts or ():
                match = _HOST.match(text) if isinstance(text, str) else None
                if match:
                    return match.group(1)
        return ""

    def _start(self, fn: Fn, vid: Vid) -> list[object] | None:
        value = fn.facts.values[vid]
        if value[0] == "fmt" and value[2]:
            return self.project.constants(fn, value[2][0])
        if value[0] == "binop":
            return self.project.constants(fn, value[2]) or self._start(fn, value[2])
        return None

    @staticmethod
    def _variable(made: Made) -> str:
        """The name that the client is given where it is made."""
        names = [item.name for item in made.fn.facts.bindings if item.value == made.call.value]
        names += [item.name for item in made.fn.facts.stores if item.value == made.call.value and item.name]
        return names[0] if names else ""

    def clients(self, site: Site) -> list[Made]:
        """The constructors of the client through which a call goes."""
        base = receiver(site.fn, site.call)
        if base >= 0:
            return self.project.allocations.of(site.fn, base)
        value = site.fn.facts.values[site.call.func]
        if value[0] == "name" and "." in value[1]:
            return self.project.allocations.named(site.fn, value[1].rpartition(".")[0])
        return []

    def _pools(self, site: Site) -> Iterator[str]:
        for made in self.clients(site):
            for model in self.project.models(made.fn, made.call):
                text = self._pool(made, model)
                if text:
                    yield text

    def _pool(self, made: Made, model: CallModel) -> str:
        pool = model.pool
        if pool is None or pool.size is None:
            return ""
        sizes = []
        for param in (pool.size, pool.overflow):
            if param is None:
                continue
            vid = argument_of(made.call, param)
            known = self.project.constants(made.fn, vid) if vid >= 0 else [param.default]
            sizes.append("configured" if known is None else str(known[0]) if known[0] is not None else "unbounded")
        return " + ".join(sizes)

    # protection

    def _retry(self, site: Site) -> Policy | None:
        for fn, call in self._way_up(site):
            for policy in self._policies.get(fn.fqn, ()):
                if policy.kind in ("decorator", "wrapped"):
                    return policy
                if policy.kind == "loop" and any(item.value == call.value for item in policy.calls):
                    return policy
        return None

    @cached_property
    def _policies(self) -> dict[str, list[Policy]]:
        found: dict[str, list[Policy]] = {}
        for policy in (*self.project.retries.all, *self.project.retries.wrapped):
            found.setdefault(policy.fn.fqn, []).append(policy)
        return found

    def _way_up(self, site: Site) -> Iterator[tuple[Fn, Call]]:
        """The function of the call and its callers, each with the call that leads on."""
        return ((fn, call) for fn, call, _ in self.project.graph.outwards(site.fn, site.call, MAX_CALLERS))

    def breaks(self, site: Site) -> bool:
        """True where a circuit breaker is around the call, on one of the ways that lead to it."""
        return any(self._broken(fn, call) for fn, call in self._way_up(site))

    def unbroken(self, site: Site) -> list[tuple[Fn, Call]]:
        """The call, if no breaker is around it; of a helper that some call behind one, the calls of the others."""
        return self._round(site.fn, site.call, MAX_CALLERS)[0]

    def _round(self, fn: Fn, call: Call, depth: int) -> tuple[list[tuple[Fn, Call]], bool]:
        """Those calls, and whether a breaker is around others."""
        key = (fn.fqn, call.value, depth)
        known = self._rounds.get(key)
        if known is None:
            known = self._rounds[key] = ([], True) if self._broken(fn, call) else self._of_callers(fn, call, depth)
        return known

    def _of_callers(self, fn: Fn, call: Call, depth: int) -> tuple[list[tuple[Fn, Call]], bool]:
        """The same for a call that has none around it where it stands. A caller that may do it either way has chosen: `if
        self.breaker: ...`, `else: ...`."""
        edges = [edge for edge in self.project.graph.callers(fn) if edge.kind == "call" and edge.caller is not fn]
        ways = [(edge.caller, edge.call) for edge in edges if edge.call is not None] if depth else []
        behind = {caller.fqn for caller, inner in ways if self._broken(caller, inner)}
        others = [self._round(caller, inner, depth - 1) for caller, inner in ways if caller.fqn not in behind]
        if not behind and not any(broken for _, broken in others):
            return [(fn, call)], False
        return [place for places, _ in others for place in places], True

    def _broken(self, fn: Fn, call: Call) -> bool:
        """A decorator, `with breaker.calling()`, `breaker.call(f)`, `breaker.check()` before it."""
        if any(map(self._decorates, fn.decorators)) or self._asked_before(fn, call):
            return True
        if any(self._calls_breaker(fn, block.value) for _, block in fn.blocks_of(call.block) if block.kind == "with"):
            return True
        outer = fn.calls[fn.place_of(call)]  # of a function that is handed over, the call to which it is
        return self._runs_behind(fn, outer)

    def _decorates(self, ref: Ref) -> bool:
        """A breaker as a decorator, or one of the project's own that calls what it is put on behind one."""
        decorator = self.project.libraries.decorator(ref.name)
        if (decorator is not None and decorator.breaker is not None) or self._is_breaker(ref.name):
            return True
        own = self.project.functions.get(ref.name) if ref.kind == "func" else None
        made = made_within(self.project, own) if own is not None else ()
        return any(self._runs_behind(wrapper, call) for wrapper in made for call in wrapper.calls)

    def _runs_behind(self, fn: Fn, call: Call) -> bool:
        """`breaker.call(f)`, also of the project's own class, that runs what it is given."""
        if any(model.breaker is not None for model in self.project.models(fn, call)):
            return bool(call.args or call.kwargs)
        owners = (target.cls for target in self.project.targets(fn, call) if target.name != "__init__")
        return bool(call.args) and any(cls is not None and OWN_BREAKER.search(cls.name) for cls in owners)

    def _asked_before(self, fn: Fn, call: Call) -> bool:
        """`self.breaker.check()`, a method of the project's own breaker that refuses while the circuit is open."""
        before = (item for item in fn.calls if item.span < call.span and not item.passed and receiver(fn, item) >= 0)
        owners = (target.cls for item in before for target in self.project.targets(fn, item))
        return any(cls is not None and OWN_BREAKER.search(cls.name) for cls in owners)

    def _is_breaker(self, name: str) -> bool:
        decorator = self.project.libraries.decorator(f"{name}.__call__")
        return decorator is not None and decorator.breaker is not None

    def _calls_breaker(self, fn: Fn, vid: Vid) -> bool:
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "call":
            return any(model.breaker is not None for model in self.project.models(fn, fn.facts.calls[value[1]]))
        refs = self.project.refs(fn, vid) if vid >= 0 else ()
        return any(self._is_breaker(ref.name) or (ref.kind == "inst" and OWN_BREAKER.search(ref.name)) for ref in refs)

    def falls_back(self, site: Site) -> bool:
        """True where a failure is caught on the way up by a handler that goes on instead of raising."""
        for fn, call in self._way_up(site):
            for number, block in fn.blocks_of(call.block):
                if (
                    block.kind == "try"
                    and not self._fails_at_last(fn, number)
                    and any(
                        item.kind == "except"
                        and item.group == number
                        and item.exits != "raise"
                        and self._outage(fn, item)
                        for item in fn.facts.blocks
                    )
                ):
                    return True
        return False

    def _fails_at_last(self, fn: Fn, tried: int) -> bool:
        """Whether a `try` is one attempt of several, after which the function raises."""
        around = {number for number, _ in fn.blocks_of(tried)}
        loops = (item.block for item in self._policies.get(fn.fqn, ()) if item.kind == "loop")
        ends = [fn.facts.blocks[loop].span for loop in loops if loop > 0 and loop in around]
        return any(item.span > end and item.block == 0 for end in ends for item in fn.facts.raises)

    def _outage(self, fn: Fn, handler: Block) -> bool:
        """True for handlers of what a broken dependency raises."""
        for name in self.project.exceptions.caught_types(fn, handler):
            model = self.project.libraries.exception(name)
            if name in BROAD or (model is not None and (model.kind == "infrastructure" or model.transient)):
                return True
        return False
