"""What turns exceptions into responses between a handler and the client."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Vid
from backendlint.facts.within import calls_in
from backendlint.project.entities import Fn
from backendlint.project.errors.errorhandlers import Registration, exception_parameter
from backendlint.project.graph.applications import Programs
from backendlint.project.linking.decorators import decorator_models, wrappers
from backendlint.project.web.answers import answers

if TYPE_CHECKING:
    from backendlint.project.model import Project

EVERYTHING = "builtins.Exception"
_ALL = (EVERYTHING, "builtins.BaseException")
_SETTING = "EXCEPTION_HANDLER"
"""The key of a setting that names a function which is given every exception (Django REST framework's)."""
_REST = "rest_framework."
_GIVEN = "process_exception"
"""The method of a middleware that is given every exception (Django's)."""


class _Program(NamedTuple):
    """What maps exceptions between the handlers of one program and its clients."""

    types: frozenset[str]
    """Exceptions that its handlers or middleware turn into responses, by class name."""
    by_setting: frozenset[str]
    """Those that the function does which a setting names, for the views of that framework."""
    last_resort: bool
    """Whether there is a handler of everything that answers 500."""
    last_by_setting: bool
    """The same of the function which a setting names, for the views of that framework."""
    maps_own: bool
    """Whether classes of the project are mapped by their names."""
    by_status: bool
    """Whether there is a handler of the status 500, which is what the framework makes of anything unexpected."""


class Mapped:
    """Answers `covers(fn, name)`; owned by Failures."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.programs = Programs(project)
        self._known: dict[str, _Program] = {}

    def covers(self, fn: Fn, name: str, *, domain: bool = False) -> bool:
        """Whether something between the handler `fn` and the client turns the exception into a response; for a `domain`
        exception that is no handler of everything that answers 500, where others of the project's are mapped for themselves."""
        program, plain = self._program(fn), self._is_plain(fn)
        types = {*program.types, *self._around(fn), *(() if plain else program.by_setting)}
        if (program.last_resort or (program.last_by_setting and not plain)) and not (domain and program.maps_own):
            types.add(EVERYTHING)
        return any(self.project.hierarchy.subclass_of(name, item) for item in types) or any(
            item in types for item in _ALL
        )

    def answers_500(self, fn: Fn) -> bool:
        """Whether the program says what clients get for a 500 (`@app.errorhandler(500)`): so they do for an outage."""
        return self._program(fn).by_status

    def _program(self, fn: Fn) -> _Program:
        home = self.programs.of(fn.path)
        if home not in self._known:
            self._known[home] = self._read(home)
        return self._known[home]

    def _read(self, home: str) -> _Program:
        """What maps exceptions of the handlers of one program: all but what another program beside it has."""
        registered = [item for item in self.project.error_registrations if not self.programs.apart(item.fn.path, home)]
        last = [item for item in registered if {ref.name for ref in item.types} & {*_ALL} and self._is_last(item)]
        found = {ref.name for item in registered if item not in last for ref in item.types}
        if any(item.everything or item.unreadable for item in registered if item not in last):
            found.add(EVERYTHING)
        for fn in self._middlewares:
            if not self.programs.apart(fn.path, home):
                found |= set(self.given(fn) if fn.name == _GIVEN else self._caught_on_the_way(fn))
        settings = list(self.set_for_all())
        named = frozenset[str]().union(*(self.given(item) if item is not None else {EVERYTHING} for item in settings))
        own = {ref.name for item in registered for ref in item.types} | named
        by_status = any(item.exception >= 0 and item.fn.const(item.exception) == 500 for item in registered)
        by_setting = any(item is not None and self._rest(item) == {500} for item in settings)
        maps_own = not own.isdisjoint(self.project.classes)
        return _Program(frozenset(found), named, bool(last), by_setting, maps_own, by_status)

    def _is_plain(self, fn: Fn) -> bool:
        """A view of Django's own, which knows nothing of the settings of what makes APIs of it."""
        routes = self.project.route_functions.get(fn.fqn, ())
        if (
            not routes
            or any(route.framework != "django" for route in routes)
            or any(ref.kind != "lib" or ref.name.startswith(_REST) for ref in fn.decorators)
        ):
            return False
        bases = self.project.hierarchy.library_bases(fn.cls) if fn.cls is not None else []
        return fn.cls is None or (bool(bases) and all(base.startswith("django.") for base in bases))

    @cached_property
    def _middlewares(self) -> list[Fn]:
        return [fn for fn in self.project.all_functions() if self.project.layer(fn) == "middleware"]

    def _is_last(self, item: Registration) -> bool:
        """A handler of `Exception` that answers 500 whatever it is given."""
        return bool(item.handlers) and all(map(self._fails, item.handlers))

    def _fails(self, handler: str) -> bool:
        statuses = {answer.status for answer in answers(self.project, self.project.functions[handler])}
        return statuses == {500}

    def set_for_all(self) -> Iterator[Fn | None]:
        """What the settings name as the handler of all exceptions; None where it is not found."""
        for file in self.project.files.values():
            module = self.project.module_function(file)
            entries = [entry for vid in module.made_by("dict") for entry in module.value(vid)[1]]
            entries += [(store.key, store.value) for store in module.facts.stores]  # `REST_FRAMEWORK["..."] = "..."`
            for key, item in entries:
                if key >= 0 and module.const(key) == _SETTING:
                    named = module.const(item)
                    refs = self.project.resolver.dotted(named, "") if isinstance(named, str) else ()
                    own = [self.project.functions[ref.name] for ref in refs if ref.kind == "func"]
                    yield own[0] if own else None

    def answering_all(self) -> Iterator[Fn]:
        """Functions that are given every exception (`process_exception`, what `EXCEPTION_HANDLER` names)."""
        yield from (fn for fn in self.set_for_all() if fn is not None)
        yield from (fn for fn in self._middlewares if fn.name == _GIVEN)

    def caught(self, fn: Fn) -> Iterator[str]:
        """Classes that the function's handlers catch for good."""
        for block in self._catching(fn):
            yield from self.project.exceptions.caught_types(fn, block)

    def _caught_on_the_way(self, fn: Fn) -> Iterator[str]:
        """Those that a middleware catches around what it calls on: not around its own look at the request."""
        for block in self._catching(fn):
            if any(self._calls_on(fn, call) for call in calls_in(fn.facts, block.group)):
                yield from self.project.exceptions.caught_types(fn, block)

    def _catching(self, fn: Fn) -> Iterator[Block]:
        """Its handlers that raise nothing again."""
        for index, block in enumerate(fn.facts.blocks):
            if block.kind == "except" and not self.project.exceptions.reraises(fn, index):
                yield block

    def _calls_on(self, fn: Fn, call: Call, depth: int = 3) -> bool:
        """`self.get_response(request)`, `await call_next(request)`, `super().dispatch(request)`: whatever is given to it, or
        kept from its making, may be the handler; also in its own functions."""
        func = fn.unguarded(call.func)
        if func[0] in ("param", "outer"):
            return True
        targets = self.project.targets(fn, call)
        if func[0] == "attr" and not targets and not self.project.models(fn, call):
            own = fn.cls is not None and fn.unguarded(func[1]) == ("param", 0)
            return own or func[2] in (fn.name, "__call__")
        return depth > 0 and any(
            self._calls_on(target, inner, depth - 1)
            for target in targets
            if self.project.layer(target) == "middleware"
            for inner in target.calls
        )

    def given(self, fn: Fn) -> set[str]:
        """What a function answers that is given every exception: the classes that it asks for, if of all others it says no more
        than that they are failures."""
        rest = self._rest(fn)
        tests = self._tests(fn) if not rest or rest == {500} else {}
        return {name for vid in tests.values() for name in self.project.exceptions.class_names(fn, vid)} or {EVERYTHING}

    def _rest(self, fn: Fn) -> set[int | None]:
        """The statuses that such a function answers to what it has not asked for."""
        asked = {
            index
            for index, block in enumerate(fn.facts.blocks)
            if block.kind == "if" and self._asks(fn, block.value, self._tests(fn))
        }
        return {
            item.status
            for item in answers(self.project, fn)
            if item.made and asked.isdisjoint(number for number, _ in fn.blocks_of(item.block))
        }

    def _tests(self, fn: Fn) -> dict[Vid, Vid]:
        """What it asks of the exception that it is given (`isinstance(error, NotFound)`), and for which classes."""
        subject = exception_parameter(fn) if fn.name == _GIVEN else 0
        return {
            call.value: call.args[1]
            for call in fn.calls
            if fn.facts.values[call.func] == ("name", "builtins.isinstance")
            if len(call.args) == 2 and self._is_param(fn, call.args[0], subject)
        }

    @staticmethod
    def _is_param(fn: Fn, vid: Vid, index: int) -> bool:
        return bool(fn.unguarded(vid) == ("param", index))

    @staticmethod
    def _asks(fn: Fn, vid: Vid, tests: dict[Vid, Vid]) -> bool:
        """Whether a condition is one of the tests, alone or with others."""
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        return vid in tests or (value[0] == "bool" and any(item in tests for item in value[2]))

    def _around(self, fn: Fn) -> Iterator[str]:
        """What the handler's decorators and its class's own machinery catch."""
        for wrapper in wrappers(self.project, fn):
            yield from self.caught(wrapper)
        if any(model.error_handler is not None for model in decorator_models(self.project, fn)):
            yield EVERYTHING
        for name in ("handle_exception", "dispatch", "dispatch_request", "process_exception"):
            method = self.project.method(fn.cls, name) if fn.cls is not None else None
            if method is not None:
                yield from (self.caught(method) if name.startswith("dispatch") else _ALL)
