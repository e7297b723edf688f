"""Exceptions by layer: which ones are turned into responses, wrapped or hidden, and by whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.errors.exceptions import Escape
from backendlint.project.errors.foundbefore import met_before, open_way
from backendlint.project.errors.lookups import MISSING, asked_for, asked_in, chain, of_failure, provoked
from backendlint.project.errors.mapped import Mapped
from backendlint.project.errors.siblings import home, odd_one, of_jobs, together
from backendlint.project.graph.calls import Edge
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import made_within, wrappers
from backendlint.project.loops.once import first_time_only
from backendlint.project.values.uses import ingredients, of_caught

if TYPE_CHECKING:
    from backendlint.project.model import Project

INFRASTRUCTURE = frozenset({"infrastructure", "integrity"})
_OURS = re.compile(
    r"Unexpected\w*(Error|Exception)$|^(Internal)?ServerError$|Config|Programming|Usage|Assert|Unreachable|NotImplemented|Implementation|Invariant|Internal|Setup|Startup|Exit|Stop|Retry|Skip|Abort|Cancel"
)
"""Exceptions of the project that tell of bugs or steer its flow."""
_CONFIGURED = re.compile(r"(^|_)(settings|config|conf|environ)$|^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")
"""Parts of names of what is set where the service is deployed."""
_OPEN = frozenset({"except", "for", "while", "with"})
"""Blocks that are entered, or not, for other reasons than an `if`."""
_BUGS = frozenset(
    {"ImportError", "ModuleNotFoundError", "AttributeError", "TypeError", "NameError", "NotImplementedError"}
)
_REFUSES = re.compile(
    r"NotFound|DoesNotExist|Invalid|Wrong|Malformed|Bad[A-Z]|Format|Validation|Unprocessable|Forbidden|Denied|NotAllowed"
)
"""Exceptions of the project that say what is wrong with what the caller passed: answers, no failures in a wrapping."""
_OUTSIDE = (
    "http",
    "subprocess",
    "grpc",
    "cloud",
    "mail",
    "socket",
    "search",
    "file",
    "db",
    "db-read",
    "db-write",
    "cache-read",
)
_OTHERS = frozenset(_OUTSIDE) - {"db", "db-read", "db-write", "cache-read"}
_STATUS = frozenset({"status", "status_code", "code"})
_FAILS = re.compile(
    r"(?<![a-z])(errors?|fail(s|ing)?|broken|breaks?|crash(es)?|boom|exceptions?|sentry)(?![a-z])", re.IGNORECASE
)
"""What a handler is called, or says of itself, that is there to fail."""
_ALL = ("builtins.Exception", "builtins.BaseException")


class Unmapped(NamedTuple):
    """An exception that leaves a route's handler as it is."""

    fn: Fn
    name: str
    escape: Escape
    kind: str
    """domain, not-found, infrastructure or builtin"""
    handler: Fn | None = None
    """The handler that is wrapped, where the exception leaves its decorator."""


class Unwrapped(NamedTuple):
    """A library's exception that leaves a function where siblings wrap it."""

    fn: Fn
    name: str
    escape: Escape
    sibling: Fn
    near: bool
    """The sibling is in the same file, or the function's class has it by inheritance."""


class Failures:
    """What becomes of exceptions; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mapped = Mapped(project)

    # what leaves handlers

    def unmapped(self) -> Iterator[Unmapped]:
        """Exceptions that reach the framework unmapped."""
        for fqn, routes in self.project.route_functions.items():
            fn = self.project.functions[fqn]
            if not any(route.kind == "http" for route in routes):
                continue
            for name, escape in self.project.exceptions.escaping(fn).items():
                if _is_made_to_fail(fn, escape) or (
                    escape.edge is not None and self._told_there(escape.edge.callee, name)
                ):
                    continue
                kind = self.judge(fn, name)
                if not kind:
                    continue
                if kind in ("domain", "not-found") and met_before(self.project, fn, escape):
                    continue
                if kind != "infrastructure" and escape.edge is not None and not open_way(self.project, fn, name):
                    continue
                refused = kind == "not-found" or (kind == "domain" and self._of_input(fn, name))
                if not self.mapped.covers(fn, name, domain=refused) and not self._asked_above(fn, name):
                    yield Unmapped(fn, name, escape, kind)

    def of_decorators(self) -> Iterator[Unmapped]:
        """The project's own exceptions that leave the wrapper around a handler before it is called, once a decorator."""
        wrapped: dict[str, Fn] = {}
        for fqn, routes in self.project.route_functions.items():
            fn = self.project.functions[fqn]
            if any(route.kind == "http" for route in routes):
                wrapped |= {ref.name: fn for ref in fn.decorators if ref.kind == "func" and ref.name not in wrapped}
        for name, fn in wrapped.items():
            for inner in made_within(self.project, self.project.functions[name]):
                for raised, escape in self.project.exceptions.escaping(inner).items():
                    call = escape.edge.call if escape.edge is not None else None
                    wrapped_one = call is not None and inner.unguarded(call.func)[0] in ("outer", "param")
                    domain = not wrapped_one and not escape.when and self.judge(inner, raised) == "domain"
                    if domain and not self.mapped.covers(fn, raised):
                        yield Unmapped(inner, raised, escape, "domain", fn)

    def _told_there(self, callee: Fn, name: str) -> bool:
        """A handler that another one calls, most often the method that it overrides: the exception leaves that one too."""
        routes = self.project.route_functions.get(callee.fqn, ())
        return any(route.kind == "http" for route in routes) and not self.mapped.covers(callee, name)

    def _of_input(self, fn: Fn, name: str) -> bool:
        """Whether it tells what is wrong with what was given, and not that something failed: by its name, which says that what
        was asked for is not there, or because what raises it asks nobody outside, or not for what decides it."""
        if says_missing(name):
            return True
        steps = chain(self.project, fn, name)
        raiser = steps[-1][0] if steps else fn
        return not self.project.effects.has(raiser, *_OUTSIDE) or (bool(steps) and self._decided_by_data(*steps[-1]))

    def _decided_by_data(self, fn: Fn, escape: Escape) -> bool:
        """`if not tariff.rate: raise RateMissing(day)`: a test of rows and of what was passed; of an answer of others only where it
        asks for one status by which they refuse (`if answer.status_code == 423: raise DoorStuck()`)."""
        tests = [test for test, outcome in fn.tests_of(escape.block) if outcome]
        if escape.statement is None or not tests or fn.inside(escape.block, "except") is not None:
            return False
        if _is_refusal(fn, tests[0]):
            return True
        made = ingredients(fn.facts, tests)
        asked = (call for call in fn.calls if call.value in made)
        return not any(self.project.effects.call_effects(fn, call) & _OTHERS for call in asked)

    def _asked_above(self, fn: Fn, name: str) -> bool:
        """Whether it is raised where a question has the answer no (`if signed_in(): ... raise Unknown()`) that a decorator of
        the handler asks too, before it calls it."""
        steps = chain(self.project, fn, name) if fn.decorators else []
        raiser, escape = steps[-1] if steps else (fn, None)
        if escape is None or raiser is fn:
            return False
        tests = [test for test, outcome in raiser.tests_of(escape.block) if not outcome]
        tests += [item.value for item in raiser.left_before(escape.block, escape.span, ("return",))]
        asked = {target.fqn for test in tests for target in self._questions(raiser, test)}
        return bool(asked) and any(
            not asked.isdisjoint(target.fqn for target in self._questions(inner, block.value))
            for inner in wrappers(self.project, fn)
            for block in inner.facts.blocks
            if block.kind == "if"
        )

    def _questions(self, fn: Fn, test: Vid) -> Iterator[Fn]:
        """Functions without arguments whose result a test is."""
        value = fn.unguarded(test) if test >= 0 else ("",)
        value = fn.unguarded(value[1]) if value[0] == "not" else value
        call = fn.calls[value[1]] if value[0] == "call" else None
        if call is not None and not call.passed:
            yield from self.project.targets(fn, call)

    def judge(self, fn: Fn, name: str) -> str:
        """What kind of failure an exception is; "" for what the framework answers itself, and for bugs."""
        kind = self.project.exception_kind(name)
        cls = self.project.classes.get(name)
        if kind in ("http", "exit", "control", "cancel", "validation", "programming", "auth"):
            return ""
        if cls is not None:
            ours = (
                _OURS.search(cls.name)
                or name in self._for_jobs
                or self._of_a_bug(fn, name)
                or self._of_settings(fn, name)
            )
            return "" if ours or self._of_setup(fn, name) else "domain"
        if kind == "not-found":
            return "not-found"
        if kind in INFRASTRUCTURE:
            return "infrastructure"
        return (
            "builtin"
            if name in ("builtins.ValueError", "builtins.LookupError", "builtins.KeyError", "builtins.PermissionError")
            else ""
        )

    @cached_property
    def _for_jobs(self) -> frozenset[str]:
        """Exceptions that jobs and commands catch, and no handler does: they steer a job."""
        jobs: set[str] = set()
        others: set[str] = set()
        for fn in self.project.functions_with("except"):
            layer = self.project.layer(fn)
            (jobs if layer in ("task", "command") or "job" in fn.path else others).update(self.mapped.caught(fn))
        return frozenset(jobs - others)

    def _of_a_bug(self, fn: Fn, name: str) -> bool:
        """Whether it is raised for an exception that tells of a bug (an import or attribute that is missing)."""
        steps = chain(self.project, fn, name)
        if not steps:
            return False
        raiser, escape = steps[-1]
        for _, block in raiser.blocks_of(escape.block):
            if block.kind == "except":
                types = self.project.exceptions.caught_types(raiser, block)
                return any(item.removeprefix("builtins.") in _BUGS for item in types)
        return False

    def _of_settings(self, fn: Fn, name: str) -> bool:
        """Whether nothing but settings is asked before it is raised: the operator has to mend them, no client can."""
        steps = chain(self.project, fn, name)
        if not steps:
            return False
        raiser, escape = steps[-1]
        if any(block.kind in _OPEN for _, block in raiser.blocks_of(escape.block)):
            return False
        asked = [
            item.value
            for item in raiser.facts.blocks
            if item.kind in ("if", "case") and item.span[:2] <= escape.span[:2] and item.value >= 0
        ]
        return bool(asked) and all(self._is_setting(raiser, vid) for vid in asked)

    def _is_setting(self, fn: Fn, vid: Vid) -> bool:
        """A setting, the environment, a constant, or a test of them alone."""
        value = fn.unguarded(vid)
        if value[0] == "name":
            return any(_CONFIGURED.search(part) for part in str(value[1]).split("."))
        if value[0] in ("attr", "item") and fn.unguarded(value[1])[0] in ("name", "attr", "item"):
            return self._is_setting(fn, value[1])
        if value[0] == "call":
            call = fn.calls[value[1]]
            return any(model.env is not None for model in self.project.models(fn, call))
        parts = value[2] if value[0] in ("compare", "bool") else value[1:2] if value[0] == "not" else None
        return value[0] == "const" or (parts is not None and all(self._is_setting(fn, part) for part in parts))

    def _of_setup(self, fn: Fn, name: str) -> bool:
        """Whether it is raised only while something that the process keeps is made: its settings are wrong, no request."""
        return any(
            escape.edge is not None and escape.edge.call is not None and first_time_only(caller, escape.edge.call)
            for caller, escape in chain(self.project, fn, name)
        )

    def asked_for(self, fn: Fn, name: str) -> bool:
        """Whether the query behind a not-found exception looks for something that the request named."""
        return asked_for(self.project, fn, name)

    def asked_in(self, fn: Fn, group: int, name: str) -> bool:
        """The same of one that a handler catches around a `try`."""
        return asked_in(self.project, fn, group, name)

    def provoked(self, fn: Fn, name: str) -> bool:
        """Whether an exception that leaves a handler hangs on what its request says."""
        return provoked(self.project, open_way(self.project, fn, name))

    def of_failure(self, fn: Fn, name: str) -> bool:
        """Whether an exception that leaves a handler is raised for one that says nothing about what was passed: an outage."""
        steps = chain(self.project, fn, name)
        return bool(steps) and of_failure(self.project, *steps[-1])

    # wrapping

    def wraps(self, fn: Fn, depth: int = 3) -> frozenset[str]:
        """The failures of libraries that the function turns into an exception of the project (a violated constraint is
        an answer, no failure, and so is a value that the library refuses)."""
        found: set[str] = set()
        for index, block in enumerate(fn.facts.blocks):
            if block.kind == "with" and depth:
                found.update(name for manager in self._managers(fn, block) for name in self.wraps(manager, depth - 1))
            types = self._failures(fn, index) if block.kind == "except" and self._asks(fn, block.group) else ()
            types = tuple(name for name in types if self.project.exception_kind(name) != "integrity")
            if types and self._raises_own(fn, index):
                found.update(types)
        for runner in self._runners(fn) if depth else ():
            found |= self.wraps(runner, 0)
        return frozenset(found) | (self._decorating(fn) if depth else frozenset())

    def _runners(self, fn: Fn) -> Iterator[Fn]:
        """The helpers that run a function of its own for it: `breaker.run(ask)`."""
        for edge in self.project.graph.callees(fn):
            if edge.through is not None and edge.callee.parent is fn:
                yield from (helper for helper, _ in edge.through.ways())

    def _decorating(self, fn: Fn) -> frozenset[str]:
        """What the project's own decorators around the function wrap."""
        return frozenset[str]().union(*(self.wraps(wrapper, 0) for wrapper in wrappers(self.project, fn)))

    def wrapped_elsewhere(self, name: str) -> bool:
        """Whether the project turns failures of this sort into its own somewhere; those of one client of HTTP are like another's."""
        return self._alike(self._wrapped, name) or (
            self._of_client(name) and any(self._of_client(item) for item in self._wrapped)
        )

    def _of_client(self, name: str) -> bool:
        library = self.project.libraries.library_of(name)
        return library is not None and library.kind == "http-client"

    @cached_property
    def _wrapped(self) -> frozenset[str]:
        """Failures of libraries that any function turns into an exception of the project."""
        return frozenset[str]().union(*(self.wraps(fn, 0) for fn in self.project.functions_with("except")))

    def _managers(self, fn: Fn, block: Block) -> Iterator[Fn]:
        """`with translating():`, a generator of the project that gets at its `yield` what is raised inside."""
        value = fn.unguarded(block.value) if block.value >= 0 else ("",)
        call = fn.calls[value[1]] if value[0] == "call" else None
        for target in self.project.targets(fn, call) if call is not None else ():
            yields = [item.block for item in target.facts.returns if item.is_yield]
            if target is not fn and any(target.inside(number, "try") is not None for number in yields):
                yield target

    def _failures(self, fn: Fn, index: int) -> tuple[str, ...]:
        """Libraries' failures that an `except` block is for; for one that catches everything, what its `try` can raise."""
        block = fn.facts.blocks[index]
        types = self.project.exceptions.caught_types(fn, block)
        if any(name in _ALL for name in types):
            inside = below(fn.facts, block.group)
            raised = [site.model.raises for site in self.project.effects.direct(fn) if site.call.block in inside]
            types = tuple(self.project.libraries.canonical(name) for names in raised for name in names)
            if any(self.project.exception_kind(name) == "not-found" for name in types):
                return ()  # of a look-up it is for the row that is not there, as far as one can see
        return tuple(name for name in types if self.project.exception_kind(name) in INFRASTRUCTURE)

    def _raises_own(self, fn: Fn, index: int) -> bool:
        """Whether the handler raises an exception of the project for whatever it catches, there or below the loop in which it tries
        again (`raise Silent(url) from failure`): none goes on as it is."""
        inside = below(fn.facts, index)
        again = [
            item
            for item in fn.facts.raises
            if item.block in inside and (item.exc < 0 or fn.unguarded(item.exc) == ("exc", index))
        ]
        return not again and any(
            name in self.project.classes and not _REFUSES.search(name.rpartition(".")[2])
            for statement in fn.facts.raises
            if statement.block in inside or (statement.cause >= 0 and of_caught(fn.facts, index, (statement.cause,)))
            for name in self.project.exceptions.raised(fn, statement)
        )

    def let_through(self, leak: Unwrapped) -> list[Edge]:
        """Calls by which services let out what a client does."""
        return [
            edge
            for edge in self.project.graph.callers(leak.fn)
            if edge.call is not None
            and self.project.layer(edge.caller) == "service"
            and not self._handled_at(edge.caller, edge.block, leak.name)
        ]

    def _inherits(self, fn: Fn, other: Fn) -> bool:
        """Whether the other one is a method that the function's class has by inheritance."""
        return fn.cls is not None and self.project.method(fn.cls, other.name) is other

    def _alike(self, wrapped: frozenset[str], name: str) -> bool:
        """Whether failures of this sort are wrapped: these, or others of the same library."""
        related = self.project.hierarchy.subclass_of
        library = name.partition(".")[0]
        return any(
            related(name, item) or (library != "builtins" and item.partition(".")[0] == library) for item in wrapped
        )

    def unwrapped(self, layer: str) -> Iterator[Unwrapped]:
        """Functions of a layer that let a library's exception out, where most of their siblings wrap it."""
        members = [fn for fn in self.project.all_functions() if self.project.layer(fn) == layer and not fn.is_module]
        wrapping = {fn: types for fn in members if (types := self.wraps(fn))}
        if not wrapping:
            return
        open_ones: list[tuple[Fn, str, Escape]] = []
        for fn in members:
            name, escape = self._failure(fn) if fn not in wrapping else ("", None)
            if escape is None or self._is_librarys(fn, name) or of_jobs(self.project, fn, wrapping):
                continue
            if odd_one(self.project, fn, wrapping) or not self._wrapped_above(fn, name):
                open_ones += self._let_out(fn, name, escape)
        open_homes = len({home(item) for item, _, _ in open_ones})
        for fn, name, escape in open_ones:
            package = self.project.modules.distribution(fn.path)
            alike = [
                item
                for item, types in wrapping.items()
                if self._alike(types, name) and self.project.modules.distribution(item.path) == package
            ]
            own = [item for item in alike if together(item, fn) or self._inherits(fn, item)]
            others = sum(1 for item, _, _ in open_ones if together(item, fn))
            practice = {home(item) for item in alike}
            if (own and len(own) >= others) or len(practice) > open_homes:
                sibling = (own or alike)[0]
                near = sibling.path == fn.path or self._inherits(fn, sibling)
                yield Unwrapped(fn, name, escape, sibling, near)

    def _let_out(self, fn: Fn, name: str, escape: Escape) -> list[tuple[Fn, str, Escape]]:
        """Where it gets out: of a private helper that some of its callers wrap, in those that do not."""
        edges = [edge for edge in self.project.graph.callers(fn) if edge.call is not None]
        private = fn.name.startswith("_") and not fn.name.endswith("__")
        bare = [edge for edge in edges if not self._handled_at(edge.caller, edge.block, name)]
        if not private or len(bare) == len(edges):
            return [(fn, name, escape)]
        return [(edge.caller, name, Escape(name, edge.span, edge.block, None, None, edge)) for edge in bare]

    def _is_librarys(self, fn: Fn, name: str) -> bool:
        """A method of a class that is one of the library's own: whoever has it expects what the library raises."""
        library = name.partition(".")[0]
        bases = self.project.hierarchy.library_bases(fn.cls) if fn.cls is not None else ()
        return any(base.partition(".")[0] == library for base in bases)

    def _wrapped_above(self, fn: Fn, name: str, depth: int = 2) -> bool:
        """A helper all of whose callers handle the failure, or others of the same library: the wrapping is theirs;
        so it is that of the function in which it is defined, where that hands it on."""
        parent = fn.parent
        if parent is not None and not parent.is_module and not self.project.graph.callers(fn):
            caught = (
                self._failures(parent, index)
                for index, block in enumerate(parent.facts.blocks)
                if block.kind == "except"
            )
            return any(self._alike(frozenset(types), name) for types in caught) or self._alike(self.wraps(parent), name)
        callers = self.project.graph.callers(fn) if not fn.name.endswith("__") else ()
        return bool(callers) and all(
            edge.call is not None
            and (
                not self.project.exceptions.leaves_helper(edge, name)
                or self._handled_at(edge.caller, edge.call.block, name)
                or self._alike(self._decorating(edge.caller), name)
                or (depth > 0 and together(edge.caller, fn) and self._wrapped_above(edge.caller, name, depth - 1))
            )
            for edge in callers
        )

    def _handled_at(self, fn: Fn, block: int, name: str) -> bool:
        """Whether a `try` around the block handles the failure, or `with translating():` does."""
        caught = [item for _, types in self.project.exceptions.handlers(fn, block) for item in types]
        around = [item for _, item in fn.blocks_of(block) if item.kind == "with"]
        caught += [item for with_ in around for manager in self._managers(fn, with_) for item in self.wraps(manager, 0)]
        return any(
            item in _ALL or self.project.hierarchy.subclass_of(name, item) or self._alike(frozenset([item]), name)
            for item in caught
        )

    def _failure(self, fn: Fn) -> tuple[str, Escape | None]:
        """The first library failure that the function's own calls let out; none where it handles others of that sort."""
        handled = frozenset(
            name
            for index, block in enumerate(fn.facts.blocks)
            if block.kind == "except" and self._asks(fn, block.group)
            for name in self._failures(fn, index)
        )
        for name, escape in self.project.exceptions.escaping(fn).items():
            if (
                escape.site is not None
                and self.project.exception_kind(name) in INFRASTRUCTURE
                and self.project.exception_kind(name) != "integrity"
                and name not in self.project.classes
                and not self._alike(handled, name)
            ):
                return name, escape
        return "", None

    def _asks(self, fn: Fn, block: int) -> bool:
        """Whether more is tried there than what looks at an answer that has come (`response.raise_for_status()`)."""
        inside = below(fn.facts, block)
        tried = [self.project.models(fn, call) for call in fn.calls if call.block in inside]
        return not tried or any(not models or any(map(_reaches_out, models)) for models in tried)


def _is_made_to_fail(fn: Fn, escape: Escape) -> bool:
    """A handler that does nothing but raise, whatever it is asked, and says so: it tries the reports of errors."""
    does_more = escape.statement is None or escape.block or fn.facts.returns or fn.facts.stores
    return not does_more and _FAILS.search(f"{fn.name} {fn.facts.docstring}") is not None


def _reaches_out(model: CallModel) -> bool:
    """Whether a library's function does more than to look, or has another do it (`breaker.call(session.post, url)`)."""
    return bool(model.effect) or any(item is not None for item in (model.bridges, model.executor, model.calls))


def _is_refusal(fn: Fn, test: Vid) -> bool:
    """`answer.status_code == 423`: they say what is wrong with what they were asked."""
    value = fn.unguarded(test)
    if value[0] != "compare" or tuple(value[1]) != ("==",):
        return False
    asked, status = fn.unguarded(value[2][0]), fn.const(value[2][1])
    return asked[0] == "attr" and asked[2] in _STATUS and isinstance(status, int) and 400 <= status < 500


def waits_there(project: Project, fn: Fn, block: int, *effects: str) -> bool:
    """Whether one of the function's own calls in a block and below has one of these effects. A query that is gone through there
    reads the database (`list(Order.objects.all())`)."""
    inside = below(fn.facts, block)
    if "db-read" in effects and any(query.block in inside for query in project.queries.sent(fn)):
        return True
    return any(
        site.call.block in inside and not set(effects).isdisjoint(site.model.effect)
        for site in project.effects.direct(fn)
    )


def says_missing(name: str) -> bool:
    """Whether an exception's name says that something is not there."""
    return bool(MISSING.search(name.rpartition(".")[2]))
