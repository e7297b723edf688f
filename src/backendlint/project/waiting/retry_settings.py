"""What retry decorators and retrying clients are told: attempts, pauses, exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import argument_of
from backendlint.project.libraries.model import Param, Retry
from backendlint.project.linking.binding import bind
from backendlint.project.linking.variables import variable
from backendlint.project.values.numbers import number

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Policy(NamedTuple):
    """How something is retried."""

    kind: str
    """loop, decorator, object (`for attempt in Retrying(...)`), client or wrapped (by a decorator of the project's own)"""
    fn: Fn
    """The function in which the retrying stands; for decorators and what is wrapped the function that is retried."""
    span: Span
    """The loop's header, the decorator or the client's call; in `home`'s file."""
    home: Fn
    attempts: float | None
    """None: without end; NaN never; unknown settings count as bounded (see `bounded`)."""
    bounded: bool
    backoff: str
    """none, constant, exponential or unknown."""
    jitter: bool
    on: tuple[str, ...]
    """Exceptions that are retried; "all" where nothing narrows them; empty where unknown."""
    calls: tuple[Call, ...]
    """For loops: the outbound calls inside."""
    block: int = -1
    methods: tuple[str, ...] = ()
    """For clients: HTTP methods that are retried as the code says, `ANY` for all; empty where the library's default holds."""
    pause: float | None = None
    """The longest pause of a constant pace in seconds, as far as it is known."""
    handed: str = ""
    """The function that an object is given to run (`again(send, order)`)."""
    paused: Call | None = None
    """Where a loop pauses at a constant pace."""
    tends: bool = False
    """It keeps alive what it is given, as a task for which nobody waits."""

    @property
    def retried(self) -> str:
        """What is tried again: the decorated function, or what a loop in a function calls."""
        name = plain_name(self.fn, self.calls[0].func) if self.calls and self.block >= 0 else self.handed
        home = f"`{self.fn.name}()`"
        return home if not name else f"`{name}()`" if self.fn.is_module else f"`{name}()` in {home}"

    @property
    def once_more(self) -> bool:
        """A loop that tries a second time and then gives up, which hammers nobody."""
        return self.kind == "loop" and self.attempts == 2.0


def plain_name(fn: Fn, vid: Vid) -> str:
    """What is called, also where it is a parameter or lies in an enclosing function; "" where it has no name."""
    home: Fn | None = fn
    value = fn.facts.values[vid]
    while value[0] == "outer" and home is not None:
        home = home.outer(value)
        value = home.facts.values[value[1]] if home is not None else ("",)
    if value[0] == "param" and home is not None:
        return home.facts.params[value[1]].name
    return str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name", "def") else ""


class RetrySettings:
    """Reads the arguments of a library's retry decorator, object or client."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def policy(self, kind: str, fn: Fn, home: Fn, span: Span, call: Call | None, retry: Retry) -> Policy:
        attempts, bounded = self._attempts(home, call, retry)
        backoff, jitter = self._backoff(home, call, retry)
        on, pause = self._on(home, call, retry), self._pause(home, call, retry)
        return Policy(kind, fn, span, home, attempts, bounded, backoff, jitter, on, (), pause=pause)

    @staticmethod
    def argument(call: Call | None, param: Param | None) -> Vid:
        return -1 if call is None or param is None else argument_of(call, param)

    def _pause(self, home: Fn, call: Call | None, retry: Retry) -> float | None:
        vid = self.argument(call, retry.pause or retry.wait)
        if vid < 0:
            default = retry.pause.default if retry.pause is not None else None
            return float(default) if isinstance(default, int | float) else None
        known = number(self.project, home, vid, {})
        return self._nested(*self._at_home(home, vid), "wait") if known is None else known

    def _attempts(self, home: Fn, call: Call | None, retry: Retry) -> tuple[float | None, bool]:
        limits = [(retry.attempts, 1.0), (retry.max_time, 0.0)]
        for param, counts in limits:
            vid = self.argument(call, param)
            if vid < 0:
                if param is not None and isinstance(param.default, int | float) and param.default >= 0:
                    return float(param.default) if counts else None, True
                continue
            known = self.project.constants(home, vid)
            if known is None:
                owner, vid = self._at_home(home, vid)
                number = self._nested(owner, vid, "attempts")
                return number, not self._endless(owner, vid)
            if known == [None]:
                continue
            if all(isinstance(item, int | float) and item < 0 for item in known):
                continue
            number = next((float(item) for item in known if isinstance(item, int | float)), None)
            return number if counts else None, True
        return None, call is not None and call.open_ended

    def _at_home(self, home: Fn, vid: Vid) -> tuple[Fn, Vid]:
        """Where a module's variable such as `ON = retry_if_exception_type(OSError)` gets its value."""
        value = home.facts.values[vid]
        found = variable(self.project, home, value[1]) if value[0] == "name" else None
        return found or (home, vid)

    def _endless(self, home: Fn, vid: Vid, around: frozenset[Vid] = frozenset()) -> bool:
        """`stop_never`, and no other choice beside it: `stop_after_attempt(tries) if tries >= 0 else stop_never`."""
        value = home.facts.values[vid]
        if value[0] == "outer":
            owner = home.outer(value)
            return owner is not None and self._endless(owner, value[1])
        if value[0] == "phi":
            around |= {vid}  # in a loop a choice may be what it was before
            return all(item in around or self._endless(home, item, around) for item in value[1])
        return any(name.endswith("stop_never") for name in self._names(home, vid))

    def _names(self, home: Fn, vid: Vid) -> list[str]:
        value = home.facts.values[vid]
        refs = self.project.refs(home, vid)
        if value[0] == "call":
            refs = self.project.callees(home, home.facts.calls[value[1]])
        return [ref.name for ref in refs]

    def _nested(self, home: Fn, vid: Vid, field: str) -> float | None:
        """The number in `stop_after_attempt(3)`, also in `stop_after_attempt(3) | stop_after_delay(9)`."""
        value = home.facts.values[vid]
        if value[0] == "binop":
            return self._nested(home, value[2], field) or self._nested(home, value[3], field)
        if value[0] != "call":
            return None
        call = home.facts.calls[value[1]]
        for model in self.project.models(home, call):
            param = getattr(model.retry, field, None) if model.retry is not None else None
            inner = self.argument(call, param)
            known = self.project.constants(home, inner) if inner >= 0 else None
            if known and isinstance(known[0], int | float):
                return float(known[0])
        return None

    def _backoff(self, home: Fn, call: Call | None, retry: Retry) -> tuple[str, bool]:
        longer = self.argument(call, retry.longer)
        if longer >= 0 and home.const(longer) != 0:
            return "exponential", retry.jitter
        vid = self.argument(call, retry.wait)
        if vid < 0:
            open_ended = call is not None and call.open_ended
            plain = "none" if retry.backoff == "by-argument" else retry.backoff
            return "unknown" if open_ended else plain, retry.jitter and plain != "constant"  # chance goes with growth
        kinds = self._wait_kinds(*self._at_home(home, vid))
        if not kinds:
            factor = call is not None and any(
                key in ("backoff", "exp_base", "backoff_factor") for key, _ in call.kwargs
            )
            word = any("exponential" in key or "random" in key for key, _ in (call.kwargs if call is not None else ()))
            known = self.project.constants(home, vid)
            assert retry.wait is not None
            if known and all(item in (0, None) for item in known):
                return "none", retry.jitter
            named = any("backoff" in key for key in retry.wait.keywords) and bool(known and known[0])
            grows = factor or word or named or known == [True]
            return "exponential" if grows else "constant" if known is not None else "unknown", retry.jitter
        best = "exponential" if any(kind == "exponential" for kind, _ in kinds) else kinds[0][0]
        return best, retry.jitter or any(jitter for _, jitter in kinds)

    def _wait_kinds(self, home: Fn, vid: Vid) -> list[tuple[str, bool]]:
        value = home.facts.values[vid]
        if value[0] == "binop":
            return self._wait_kinds(home, value[2]) + self._wait_kinds(home, value[3])
        found: list[tuple[str, bool]] = []
        for name in self._names(home, vid):
            model = self.project.libraries.call(name)
            if model is not None and model.retry is not None:
                found.append((model.retry.backoff, model.retry.jitter))
        return found

    def _on(self, home: Fn, call: Call | None, retry: Retry) -> tuple[str, ...]:
        vid = self.argument(call, retry.on)
        if vid < 0:
            default = retry.on.default if retry.on is not None else None
            return (str(default),) if default else ()
        home, vid = self._at_home(home, vid)
        value = home.facts.values[vid]
        if value[0] == "call":
            inner = home.facts.calls[value[1]]
            for model in self.project.models(home, inner):
                if model.retry is not None and model.retry.on is not None:
                    return self._on(home, inner, model.retry)
            return ()
        vids = value[1] if value[0] in ("tuple", "list") else (vid,)
        return tuple(ref.name for item in vids for ref in self.project.refs(home, item) if ref.kind in ("class", "lib"))


def told_what_to_catch(project: Project, loops: Mapping[Fn, Policy]) -> Iterator[Policy]:
    """`@retrying(on=(Exception,))`: policies of the project's own decorators to which it is said what they retry after."""
    makers = {maker for wrapper in loops for maker in _around(wrapper)}
    for fn in project.all_functions() if makers else ():
        home = fn.parent
        for ref, vid in zip(fn.decorators, fn.facts.decorators, strict=False):
            maker = project.functions.get(ref.name) if ref.kind == "func" else None
            value = home.value(vid) if home is not None else ("",)
            if home is None or maker not in makers or value[0] != "call":
                continue
            bound = bind(home, home.calls[value[1]], maker) if maker is not None else {}
            for wrapper, policy in loops.items():
                given = [vid for index in _caught(wrapper, maker, policy.block) for vid, _ in bound.get(index, ())]
                names = tuple(name for item in given for name in project.exceptions.class_names(home, item))
                if names:
                    span = fn.decorator_span(vid)
                    yield policy._replace(kind="decorator", fn=fn, span=span, home=home, on=names, calls=(), block=-1)


def _around(fn: Fn) -> Iterator[Fn]:
    while fn.parent is not None and not fn.parent.is_module:
        fn = fn.parent
        yield fn


def _caught(wrapper: Fn, maker: Fn | None, loop: int) -> Iterator[int]:
    """Parameters of the function around that a handler in the loop names."""
    for place, block in enumerate(wrapper.facts.blocks):
        value = wrapper.unguarded(block.value) if block.kind == "except" and block.value >= 0 else ("",)
        inside = value[0] == "outer" and any(index == loop for index, _ in wrapper.blocks_of(place))
        home = wrapper.outer(value) if inside else None
        named = home.value(value[1]) if home is not None and home is maker else ("",)
        if named[0] == "param":
            yield named[1]
