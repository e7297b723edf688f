"""Which exceptions escape from functions, transitively, each with the place that raises it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Raise, Span, Value, Vid
from backendlint.findings.model import Step
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.effects import SAME_THREAD, Site
from backendlint.project.graph.provisos import Proviso, Provisos
from backendlint.project.linking.decorators import decorator_models, wrapping_calls
from backendlint.project.linking.variables import variable
from backendlint.project.values.stages import only_in_trial
from backendlint.project.values.tables import looped
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_ABOVE = ("builtins.SystemExit", "builtins.KeyboardInterrupt", "builtins.GeneratorExit", "asyncio.CancelledError")
"""Exceptions that do not inherit from Exception."""
_TUPLES = ("tuple", "list", "set", "binop")
_JOINED = (("binop", "+"), ("bool", "or"))
"""`FAILURES + (ValueError,)`, `failures or (ConnectionError,)`."""
_MADE_OF = (("name", "builtins.tuple"), ("name", "builtins.list"))
_EVERYTHING = ("builtins.Exception", "builtins.BaseException")
_IN_MODELS = re.compile(r"\.models\.(\w+\.)*[A-Z]\w*$")
"""Where Django's applications keep their models."""


class Escape(NamedTuple):
    """Why an exception escapes: a `raise`, a library's call, or the edge to a callee from which it escapes."""

    name: str
    """Fqn or canonical dotted name of the exception's class."""
    span: Span
    """Where, in the function from which it escapes."""
    block: int
    statement: Raise | None
    site: Site | None
    edge: Edge | None
    when: frozenset[Proviso] = frozenset()
    """What must hold of the function's parameters for it to be raised."""


_Escapes = dict[str, dict[str, Escape]]
"""By the function's fqn, then by the name of the exception's class."""


class Exceptions:
    """Answers `escaping(fn)`; handlers, re-raises and wrapping are followed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._provisos = Provisos(project)
        self._catches: dict[tuple[str, int], list[tuple[int, tuple[str, ...]]]] = {}

    def escaping(self, fn: Fn) -> dict[str, Escape]:
        """Exceptions that leave the function, by class name."""
        return self._escapes.get(fn.fqn, {})

    def witness(self, fn: Fn, name: str) -> tuple[Step, ...]:
        """The calls that lead to the raise, as steps."""
        steps: list[Step] = []
        seen: set[str] = set()
        escape = self.escaping(fn).get(name)
        while escape is not None and fn.fqn not in seen:
            seen.add(fn.fqn)
            short = name.rpartition(".")[2]
            if escape.edge is None:
                what = f"raises {short}" if escape.site is None else f"{escape.site.model.name} raises {short}"
                steps.append(fn.step(escape.span, what))
                break
            steps.append(fn.step(escape.span, f"calls {escape.edge.callee.name}()"))
            fn = escape.edge.callee
            escape = self.escaping(fn).get(name)
        return tuple(steps)

    def is_open(self, steps: Sequence[tuple[Fn, Escape]]) -> bool:
        """Whether the arguments on one way let it come to its end: of several ways out of a function one is kept, for them all."""
        when = frozenset[Proviso]()
        for fn, escape in reversed(steps):
            passed = self._provisos.passed(escape.edge, when) if escape.edge is not None else when
            if passed is None:
                return False
            when = passed | self._provisos.of(fn, escape.block, escape.span)
        return True

    def ways(self, fn: Fn, name: str) -> Iterator[Escape]:
        """All of a function's own raises and calls by which an exception leaves it."""
        failing = [site for site in self.project.effects.direct(fn) if site.model.raises]
        yield from (escape for escape in self._own(fn, failing) if escape.name == name)
        for edge in self.project.graph.callees(fn):
            if edge.kind in SAME_THREAD and name in self.escaping(edge.callee) and self.leaves_helper(edge, name):
                escape = Escape(name, edge.span, edge.block, None, None, edge)
                yield from (passed for passed in self._through(fn, escape) if passed.name == name)

    def caught_by(self, fn: Fn, block: int, name: str) -> int:
        """The `except` block that catches exception `name` raised in `block`, or -1."""
        return next((number for number, types in self._ends(fn, block) if self._catches_one(types, name)), -1)

    def handlers(self, fn: Fn, block: int) -> list[tuple[int, tuple[str, ...]]]:
        """The handlers around a block, innermost first: the `except` block and the classes that it catches."""
        return [item for item in self._ends(fn, block) if not self._is_managed(fn, item[0])]

    def _is_managed(self, fn: Fn, number: int) -> bool:
        block = fn.facts.blocks[number]
        return block.kind == "with" and not self._suppressed(fn, block)

    def _ends(self, fn: Fn, block: int) -> list[tuple[int, tuple[str, ...]]]:
        """The same, with what the project's own context managers catch (`with translating():`) at their `with` blocks."""
        key = (fn.fqn, block)
        known = self._catches.get(key)
        if known is None:
            known = self._catches[key] = []
            for number, item in fn.blocks_of(block):
                if item.kind == "try":
                    known += [
                        (index, self.caught_types(fn, handler))
                        for index, handler in enumerate(fn.facts.blocks)
                        if handler.kind == "except" and handler.group == number
                    ]
                elif item.kind == "with":
                    suppressed = self._suppressed(fn, item) or tuple(self._caught_inside(fn, item))
                    if suppressed:
                        known.append((number, suppressed))
        return known

    def caught_types(self, fn: Fn, handler: Block) -> tuple[str, ...]:
        """Class names that an `except` block catches; unknown ones are left out."""
        if handler.value < 0:
            return ("builtins.BaseException",)
        return self.class_names(fn, handler.value)

    def surely_caught(self, fn: Fn, handler: Block) -> tuple[str, ...]:
        """Like `caught_types`, where `kinds: type[Exception]` of a parameter says what may be passed, not that all is."""
        names = self.caught_types(fn, handler)
        usual = self._usual(fn, fn.facts.values[handler.value]) if handler.value >= 0 else None
        return names if usual is None else tuple(name for name in names if name not in _EVERYTHING or name in usual)

    def _usual(self, fn: Fn, value: Value) -> tuple[str, ...] | None:
        """The classes that are the default of a parameter, also of the function around; None for anything else."""
        home = fn.outer(value) if value[0] == "outer" else fn
        value = home.facts.values[value[1]] if home is not None and value[0] == "outer" else value
        if home is None or value[0] != "param":
            return None
        default = home.facts.params[value[1]].default
        owner = home.parent or self.project.module_function(home.file)
        return self.class_names(owner, default) if default >= 0 else ()

    def class_names(self, fn: Fn, vid: int, depth: int = 8) -> tuple[str, ...]:
        """Names of the classes that a value is: one, a tuple of them, or a variable that holds them."""
        value = fn.facts.values[vid]
        if value[0] in ("tuple", "list", "set", "star") or value[:2] in _JOINED:
            return tuple(name for item in operands(value) for name in self.class_names(fn, item, depth))
        held = self._held(fn, value) if depth else None
        if held is not None and held[0].facts.values[held[1]][0] in _TUPLES:
            return self.class_names(*held, depth - 1)
        if fn.func_of(value) in _MADE_OF and depth:  # `except tuple(CODES.keys())`
            made_of = fn.facts.calls[value[1]].args[:1]
            items = [item for inner in made_of for item in looped(self.project, fn, inner)]
            keys = [(item.fn, item.key if item.key >= 0 else item.value) for item in items]
            return tuple(name for owner, key in keys for name in self.class_names(owner, key, depth - 1))
        found = tuple(self._canonical(ref) for ref in self.project.refs(fn, vid) if ref.kind in ("class", "lib"))
        if not found and value[0] in ("param", "outer"):  # `on=(ConnectionError, Timeout)`
            return self._usual(fn, value) or ()
        return found or self._of_some_model(str(value[-1]).rpartition(".")[2] if value[0] in ("name", "attr") else "")

    def _held(self, fn: Fn, value: Value) -> tuple[Fn, Vid] | None:
        """The value of a variable of the module or of the function around."""
        if value[0] == "name":
            return variable(self.project, fn, value[1])
        home = fn.outer(value) if value[0] == "outer" else None
        return (home, value[1]) if home is not None else None

    def _of_some_model(self, last: str) -> tuple[str, ...]:
        """`except queryset.model.DoesNotExist`: an exception that each model has, of a model that is not known."""
        return tuple(name for name in self._of_models.get(last, ()) if self.project.imports(name.partition(".")[0]))

    def _canonical(self, ref: Ref) -> str:
        """A class's name as the models know it: a model's `DoesNotExist` is that of all models."""
        if ref.kind not in ("lib", "libinst"):
            return ref.name
        model = self.project.libraries.exception(ref.name)
        if model is not None:
            return model.name
        owner, _, last = ref.name.rpartition(".")
        known = self._of_models.get(last, ())
        if known and not ((ref.arg is not None and ref.arg.kind in ("class", "inst")) or self._is_model(owner)):
            known = ()
        same = (name for name in known if name.partition(".")[0] == ref.name.partition(".")[0])
        used = (name for name in known if self.project.imports(name.partition(".")[0]))
        return next(same, None) or next(used, ref.name)

    def _is_model(self, name: str) -> bool:
        """A library's own model, such as Django's `User`; of a library that is not known, a class of its `models`."""
        known = any(model.subclass_role == "model" for model in self.project.libraries.lineage(name))
        return known or _IN_MODELS.search(name) is not None

    @cached_property
    def _of_models(self) -> dict[str, list[str]]:
        """Exceptions that frameworks make for each model class, by their last name."""
        libraries = self.project.libraries
        found: dict[str, list[str]] = {}
        for name in libraries.names("exceptions"):
            owner, _, last = name.rpartition(".")
            cls = libraries.cls(owner)
            if cls is not None and cls.subclass_role == "model":
                found.setdefault(last, []).append(name)
        return found

    def _suppressed(self, fn: Fn, block: Block) -> tuple[str, ...]:
        """`with contextlib.suppress(A, B):`."""
        call = self._entered(fn, block)
        if call is None or not any(ref.name == "contextlib.suppress" for ref in self.project.callees(fn, call)):
            return ()
        return tuple(name for vid in call.args for name in self.class_names(fn, vid))

    @staticmethod
    def _entered(fn: Fn, block: Block) -> Call | None:
        value = fn.facts.values[block.value] if block.value >= 0 else ("",)
        return fn.facts.calls[value[1]] if value[0] == "call" else None

    def _caught_inside(self, fn: Fn, block: Block) -> Iterator[str]:
        """What a generator of the project's own, as a context manager, catches for good at its `yield`."""
        call = self._entered(fn, block)
        for manager in self.project.targets(fn, call) if call is not None else ():
            managing = any(model.context_manager for model in decorator_models(self.project, manager))
            for item in manager.facts.returns if managing else ():
                for handler, types in self._ends(manager, item.block) if item.is_yield else ():
                    if manager.facts.blocks[handler].kind == "with" or not self.reraises(manager, handler):
                        yield from types

    def _catches_one(self, types: tuple[str, ...], name: str) -> bool:
        return any(self.project.hierarchy.subclass_of(name, caught) for caught in types) or (
            "builtins.Exception" in types and not self._only_base(name)
        )

    def _only_base(self, name: str) -> bool:
        """BaseExceptions that `except Exception` lets pass."""
        return name == "builtins.BaseException" or any(
            self.project.hierarchy.subclass_of(name, item) for item in _ABOVE
        )

    # building

    @cached_property
    def _escapes(self) -> _Escapes:
        found: _Escapes = {}
        queue: deque[tuple[Fn, str]] = deque()
        failing: dict[Fn, list[Site]] = {}
        for site in self.project.effects.sites:
            if site.model.raises:
                failing.setdefault(site.fn, []).append(site)
        for fn in self.project.all_functions():
            for escape in self._own(fn, failing.get(fn, ())):
                if _note(found, fn, escape):
                    queue.append((fn, escape.name))
        while queue:
            fn, name = queue.popleft()
            if self._ends_around(fn, name):
                continue
            for edge in self.project.graph.callers(fn):
                known = found.get(edge.caller.fqn, {}).get(name)
                if edge.kind not in SAME_THREAD or (known is not None and not known.when):
                    continue  # it escapes from there already, whatever holds
                if not self.leaves_helper(edge, name):
                    continue
                when = self._provisos.passed(edge, found[fn.fqn][name].when)
                if when is None:
                    continue
                block = edge.block
                when |= self._provisos.of(edge.caller, block, edge.span)
                escape = Escape(name, edge.span, block, None, None, edge, when)
                for passed in self._through(edge.caller, escape):
                    if _note(found, edge.caller, passed):
                        queue.append((edge.caller, passed.name))
        return found

    def leaves_helper(self, edge: Edge, name: str) -> bool:
        """Whether the helper that makes the call for the caller lets the exception pass."""
        return edge.through is None or all(self._leaves(fn, call, name) for fn, call in edge.through.ways())

    def _ends_around(self, fn: Fn, name: str) -> bool:
        """Whether what decorators put around the function lets the exception not pass to those that call it."""
        around = list(wrapping_calls(self.project, fn))
        return bool(around) and not any(self._leaves(wrapper, call, name) for wrapper, call in around)

    def _leaves(self, fn: Fn, call: Call, name: str) -> bool:
        """Whether the exception leaves the function where a call in it raises it."""
        return bool(self._through(fn, Escape(name, call.span, call.block, None, None, None)))

    def _own(self, fn: Fn, failing: Sequence[Site]) -> Iterator[Escape]:
        """What its own statements raise, and the calls in it that may fail."""
        for statement in fn.facts.raises:
            names = self.raised(fn, statement)
            when = self._provisos.of(fn, statement.block, statement.span) if names else frozenset()
            for name in names:
                escape = Escape(name, statement.span, statement.block, statement, None, None, when)
                yield from self._through(fn, escape)
        for site in failing:
            span, block = site.call.span, site.call.block
            when = self._provisos.of(fn, block, span)
            for name in site.model.raises:
                escape = Escape(self.project.libraries.canonical(name), span, block, None, site, None, when)
                yield from self._through(fn, escape)

    @cached_property
    def _guarding(self) -> set[Fn]:
        """Functions in which an exception may end."""
        return set(self.project.functions_with("try", "with"))

    def raised(self, fn: Fn, statement: Raise) -> list[str]:
        """Class names of what a `raise` with an expression raises; bare ones are followed by the handlers' side."""
        if statement.exc < 0:
            return []
        value = fn.facts.values[statement.exc]
        if value[0] == "exc":
            return []
        kinds = ("class", "lib", "inst", "libinst")
        refs = [ref for ref in self.project.refs(fn, statement.exc) if ref.kind in kinds]
        return [self._canonical(ref) for ref in refs if not self._never_made(ref)]

    def _never_made(self, ref: Ref) -> bool:
        """Whether the class's constructor always raises something else: that is followed as a call."""
        cls = self.project.classes.get(ref.name)
        init = self.project.method(cls, "__init__") if cls is not None else None
        return init is not None and init.facts.blocks[0].exits == "raise"

    def _through(self, fn: Fn, escape: Escape) -> list[Escape]:
        """What leaves the function when the exception is raised in its block: itself, or nothing where it is caught."""
        if fn not in self._guarding:
            return [escape]
        for handler, types in self._ends(fn, escape.block):
            if self._catches_one(types, escape.name):
                return [] if self._lost(fn, escape.block, handler) else self._rethrown(fn, escape, handler)
        return [] if self._lost(fn, escape.block, -1) else [escape]

    def _lost(self, fn: Fn, block: int, handler: int) -> bool:
        """Whether a `finally` between the block and its handler leaves by itself: the exception vanishes there."""
        stop = fn.facts.blocks[handler].group if handler >= 0 else -1
        for number, item in fn.blocks_of(block):
            if number == stop:
                return False
            group = number if item.kind == "try" else item.group if item.kind in ("except", "try-else") else -1
            if group >= 0 and any(
                other.kind == "finally" and other.group == group and other.exits in ("return", "break", "continue")
                for other in fn.facts.blocks
            ):
                return True
        return False

    def _rethrown(self, fn: Fn, escape: Escape, handler: int) -> list[Escape]:
        """A handler that raises the same exception again lets it pass (to the handlers further out)."""
        if fn.facts.blocks[handler].kind == "with" or not self.reraises(fn, handler):
            return []
        outside = fn.facts.blocks[handler].parent
        again = [self._provisos.of(fn, item.block, item.span) for item in self._again(fn, handler)]
        shared = again[0].intersection(*again[1:])
        return self._through(fn, escape._replace(block=outside, when=escape.when | shared))

    def reraises(self, fn: Fn, handler: int) -> bool:
        """Whether the `except` block raises what it caught again, on some path."""
        return bool(self._again(fn, handler))

    def _again(self, fn: Fn, handler: int) -> list[Raise]:
        """The statements that do, in production."""
        return [
            statement
            for statement in fn.facts.raises
            if any(number == handler for number, _ in fn.blocks_of(statement.block))
            and (statement.exc < 0 or fn.facts.values[statement.exc] == ("exc", handler))
            and not only_in_trial(fn, statement.block, statement.span)
        ]


def _note(found: _Escapes, fn: Fn, escape: Escape) -> bool:
    """Keep the first way out of several, and of their provisos those that all share."""
    known = found.setdefault(fn.fqn, {})
    first = known.get(escape.name)
    if first is not None:
        shared = first.when & escape.when
        if shared == first.when:
            return False
        weaker = shared == escape.when and first.edge is not None
        escape = escape if weaker else first._replace(when=shared)
    known[escape.name] = escape
    return True
