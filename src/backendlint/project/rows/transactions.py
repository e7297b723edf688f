"""Where transactions are open: context managers, decorators, callers, units of work, request-scoped sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Block, Call, Span
from backendlint.findings.model import Step
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.certain import Given, given, ruled_out
from backendlint.project.graph.effects import SAME_THREAD
from backendlint.project.graph.programs import for_tests
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import object_root, receiver, unchanged
from backendlint.project.linking.decorators import made_within
from backendlint.project.linking.handedon import HandedOn
from backendlint.project.loops.loops import plain
from backendlint.project.rows.atomicrequests import atomic_requests
from backendlint.project.rows.outertransactions import OPENS, OuterTransactions
from backendlint.project.rows.signals import receivers_inside

if TYPE_CHECKING:
    from backendlint.project.model import Project

_NAMED = re.compile(r"transaction|atomic|unit_?of_?work|(^|_)uow($|_)", re.IGNORECASE)
_BEGINS = re.compile(f"{_NAMED.pattern}|begin|commit|rollback|session|(^|_)run", re.IGNORECASE)
_SILENT = frozenset({"log", "blocking", "file"})
MAX_DEPTH = 8
_BRANCHES = frozenset({"if", "else", "case", "except", "try-else", "try"})


class Opening(NamedTuple):
    """Why a transaction is open."""

    kind: str
    """with, decorator, caller, request"""
    step: Step
    block: int = -1
    """The `with` block, for kind `with`."""


class Transactions:
    """Answers `around(fn, block)` and `open_at(fn, block)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._opens: dict[str, bool] = {}
        self._entered: dict[str, Opening | None] = {}
        self._outer = OuterTransactions(project)
        self._handed_on = HandedOn(project)

    # in one function

    def around(self, fn: Fn, block: int) -> Opening | None:
        """The innermost transaction that the function itself opens around a block, by `with` or decorator."""
        for number, item in fn.blocks_of(block):
            if item.kind == "with" and self.is_transaction(fn, item):
                return Opening("with", fn.step(fn.facts.span_of(item.value), "the transaction begins"), number)
        return self._decorated(fn)

    def is_transaction(self, fn: Fn, block: Block) -> bool:
        """Whether a `with` block is a transaction."""
        if block.value < 0:
            return False
        vid = plain(fn, block.value)
        value = fn.facts.values[vid]
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            for model in self.project.models(fn, call):
                if model.transaction in OPENS:
                    return True
            if any(self._opened(fn, call, target) for target in self.project.targets(fn, call)):
                return True
            if _NAMED.search(fn.callee_name(call)) and self._only_forwarded(fn, call):
                return True
        return any(self._managed(ref) for ref in self.project.refs(fn, vid))

    def _only_forwarded(self, fn: Fn, call: Call) -> bool:
        """Whether nothing tells what is called: no callee is known, or only ones that return what an unknown callee gives
        (`def __call__(self): return self.target()`)."""
        refs = self.project.callees(fn, call)
        targets = self.project.targets(fn, call)
        return not refs or (bool(targets) and all(self._forwards(target) for target in targets))

    def _forwards(self, fn: Fn) -> bool:
        found = [fn.facts.values[vid] for vid in fn.returned]
        calls = [fn.facts.calls[value[1]] for value in found if value[0] == "call"]
        known = any(self.project.targets(fn, item) or self.project.models(fn, item) for item in calls)
        return bool(calls) and len(calls) == len(found) and not known

    def _managed(self, ref: Ref) -> bool:
        """Instances whose `with` ends a transaction: drivers' connections, units of work."""
        if ref.kind == "libinst":
            model = self.project.libraries.cls(ref.name)
            return model is not None and model.transaction_on_exit
        if ref.kind != "inst":
            return False
        cls = self.project.classes[ref.name]
        return self._derived(cls) or self._unit(cls)

    def _derived(self, cls: Cls) -> bool:
        """`class Exclusive(Atomic)`."""
        bases = map(self.project.libraries.cls, self.project.hierarchy.library_bases(cls))
        return any(base is not None and base.transaction_on_exit for base in bases)

    def _unit(self, cls: Cls) -> bool:
        """A class whose exit commits, or that is entered and has a `commit` of its own."""
        for name in ("__exit__", "__aexit__"):
            method = self.project.method(cls, name)
            if method is not None and any(self._ends_held(method, effect) for effect in ("commit", "rollback")):
                return True
        entered = self.project.method(cls, "__enter__") or self.project.method(cls, "__aenter__")
        commit = self.project.method(cls, "commit")
        return entered is not None and commit is not None and self._of_database(commit)

    def _ends_held(self, fn: Fn, effect: str) -> bool:
        """Whether it ends the transaction of a session that was there: not of one that is opened for it (`with new_session() as s:
        s.commit()`), as an exit does that stores something."""
        _, site = self.project.effects.chain(fn, effect)
        session = receiver(site.fn, site.call) if site is not None else -1
        return site is not None and (session < 0 or site.fn.value(object_root(site.fn, session))[0] != "enter")

    def _of_database(self, commit: Fn) -> bool:
        """Whether what a class calls its commit may be a database's: left to subclasses, or asked of something that it holds
        (`self.session.commit()`). Others only keep results or run hooks."""
        calls = [call for call in commit.calls if commit.callee_name(call) != "NotImplementedError"]
        if not calls or self.project.effects.has(commit, "commit"):
            return True
        named = [commit.value(call.func) for call in calls]
        return any(
            func[0] == "attr"
            and "commit" in func[2]
            and (commit.unguarded(func[1])[0] == "attr" or func[2] != "commit")
            for func in named
        )

    def _opened(self, fn: Fn, call: Call, target: Fn) -> bool:
        """Whether a transaction is open in what is entered, called so: `session(begin=False)` may open none."""
        if target.name == "__init__" or not self.opens(target):
            return False
        known = given(Edge(fn, target, call, "call", call.span))
        return not known or not target.facts.is_generator or self._yields_inside(target, known)

    def opens(self, fn: Fn) -> bool:
        """Whether a generator function yields inside a transaction, or commits after its yield."""
        known = self._opens.get(fn.fqn)
        if known is None:
            self._opens[fn.fqn] = False
            known = self._opens[fn.fqn] = self._yields_inside(fn)
        return known

    def _yields_inside(self, fn: Fn, known: Given | None = None) -> bool:
        yields = [item for item in fn.facts.returns if item.is_yield and not ruled_out(fn, item.block, known or {})]
        if not yields:
            return any(self._returned_opens(fn, vid) for vid in fn.returned)
        if any(self.around(fn, item.block) is not None for item in yields):
            return True
        last = max(item.span for item in yields)
        return any(call.span > last and not ruled_out(fn, call.block, known or {}) for call in self.commits(fn))

    def _returned_opens(self, fn: Fn, vid: int) -> bool:
        """`def transaction(): return session.begin()`."""
        value = fn.facts.values[vid]
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        if any(model.transaction in OPENS for model in self.project.models(fn, call)):
            return True
        return any(self.opens(target) for target in self.project.targets(fn, call) if target.name != "__init__")

    def _decorated(self, fn: Fn) -> Opening | None:
        for ref in fn.decorators:
            model = self.project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            opening = model is not None and model.transaction in OPENS
            if ref.kind == "func":
                wrapper = self.project.functions[ref.name]
                named = _NAMED.search(wrapper.name) is not None and not _marks_only(wrapper)
                opening = (named and not self._opens_none(wrapper)) or self._wraps(wrapper)
            if opening:
                return Opening("decorator", Step(fn.header, "the function runs in a transaction"))
        return None

    def _wraps(self, decorator: Fn) -> bool:
        """A project's decorator whose inner function calls what it wraps inside a transaction."""
        return any(
            block.kind == "with" and self.is_transaction(inner, block)
            for inner in made_within(self.project, decorator)
            for block in inner.facts.blocks
        )

    def _opens_none(self, decorator: Fn) -> bool:
        """Whether a project's decorator is seen to put no transaction around a function: one that only asks whose transaction
        it is has the word in its name too."""
        made = list(made_within(self.project, decorator))
        return bool(made) and all(
            not any(block.kind == "with" for block in inner.facts.blocks)
            and not any(self._may_begin(inner, call) for call in inner.calls)
            for inner in made
        )

    def _may_begin(self, fn: Fn, call: Call) -> bool:
        """Whether a call begins or ends a transaction, or is named or given something that may."""
        if {"begin", "commit", "rollback"} & self.project.effects.call_effects(fn, call):
            return True
        given_on = any(fn.unguarded(vid)[0] == "outer" for vid in call.passed)
        return given_on or (not self.project.targets(fn, call) and _BEGINS.search(fn.callee_name(call)) is not None)

    # through callers

    def open_at(self, fn: Fn, block: int) -> Opening | None:
        """A transaction that may be open when the block runs: the function's own, a caller's, or the request's."""
        return self.around(fn, block) or self.entered_in(fn)

    def entered_in(self, fn: Fn) -> Opening | None:
        """A transaction in which some caller, or the request, runs the function."""
        if fn.fqn not in self._entered:
            self._entered[fn.fqn] = None
            self._entered[fn.fqn] = self._from_framework(fn) or self._from_callers(fn) or self._from_request(fn)
        return self._entered[fn.fqn]

    def _from_callers(self, fn: Fn) -> Opening | None:
        seen = {fn.fqn}
        todo: list[tuple[Edge, int]] = [(edge, 1) for edge in self._entries(fn)]
        called: Opening | None = None
        beside = False
        while todo:
            edge, depth = todo.pop(0)
            if edge.kind not in SAME_THREAD or depth > MAX_DEPTH:
                beside = True
                continue
            found = self.around(edge.caller, edge.block)
            step = found.step if found is not None else self.of_django_request(edge.caller)
            if step is not None:
                return Opening("caller", step)
            if edge.caller.fqn in seen:
                continue
            seen.add(edge.caller.fqn)
            hook = self._from_framework(edge.caller)
            if hook is not None:
                called = called or hook
                continue
            entries = self._entries(edge.caller)
            beside |= not entries and not for_tests(self.project, edge.caller)
            todo.extend((item, depth + 1) for item in entries)
        return None if beside or called is None or self.project.endpoints.leading_to(fn.fqn) else called

    def _from_framework(self, fn: Fn) -> Opening | None:
        """Hooks that the framework calls in a transaction; for what they call it counts if nothing else calls that. What enters
        a transaction of its own kind has the transaction's own enter begin it."""
        if fn.cls is not None and fn.name in ("__enter__", "__aenter__") and self._derived(fn.cls):
            return Opening("caller", Step(fn.header, "enters the transaction"))
        outer = self._outer.around(fn)
        if outer is not None:
            return Opening("caller", outer)
        models = self.project.hierarchy.library_models(fn.cls) if fn.cls is not None else ()
        if not any(fn.name in model.in_transaction for model in models) and fn.fqn not in self._receivers:
            return None
        return Opening("caller", Step(fn.header, "the framework calls this in a transaction"))

    @cached_property
    def _receivers(self) -> frozenset[str]:
        """Functions that the ORM calls inside a transaction that it opens itself."""
        return receivers_inside(self.project)

    def _entries(self, fn: Fn) -> list[Edge]:
        """Calls of the function (or that hand it on), and of the methods of its bases that it overrides (`super()` means those
        alone)."""
        found = list(self.project.graph.callers(fn) or self._handed_on.of(fn))
        for base in self.project.hierarchy.mro(fn.cls)[1:] if fn.cls is not None else ():
            if fn.name in base.methods:
                edges = self.project.graph.callers(base.methods[fn.name])
                found += [edge for edge in edges if edge.caller.name != fn.name]
        return found + self._from_bases(fn)

    def _from_bases(self, fn: Fn) -> list[Edge]:
        """`self.step()` in a base that leaves `step` to its subclasses without declaring it."""
        bases = {cls.fqn for cls in self.project.hierarchy.mro(fn.cls)[1:]} if fn.cls is not None else set()
        if not bases:
            return []
        return [
            Edge(caller, fn, call, "call", call.span)
            for caller, call in self.project.graph.calls_written(fn.name)
            if caller.cls is not None
            and caller.cls.fqn in bases
            and caller.facts.values[call.func] == ("attr", 0, fn.name)
            and self.project.method(caller.cls, fn.name) is None
        ]

    def _from_request(self, fn: Fn) -> Opening | None:
        routes = self.project.endpoints.leading_to(fn.fqn)
        for route in routes:
            for dependency in route.dependencies:
                if self.opens(dependency):
                    return Opening("request", Step(dependency.header, "the request's transaction ends here"))
        django = any(route.framework in ("django", "drf") for route in routes) or self._of_view(fn)
        return Opening("request", self.atomic_requests) if self.atomic_requests is not None and django else None

    def of_django_request(self, fn: Fn) -> Step | None:
        """`ATOMIC_REQUESTS: True`, where the function is a handler, or a hook that the framework calls for one."""
        return self.atomic_requests if fn.fqn in self.project.route_functions or self._of_view(fn) else None

    def _of_view(self, fn: Fn) -> bool:
        """Hooks of serializers and views, which the framework calls."""
        return fn.cls is not None and self.project.hierarchy.role(fn.cls) in ("serializer", "controller")

    @cached_property
    def atomic_requests(self) -> Step | None:
        """Django's `ATOMIC_REQUESTS: True`, or a middleware of the project's that does the same."""
        return atomic_requests(self.project) or self._outer.of_middleware()

    # what calls do

    def commits(self, fn: Fn) -> list[Call]:
        """The function's own calls that commit, in order; helpers that do nothing else (`def commit():`) count as a commit."""
        sites = self.project.effects.direct(fn)
        found = {site.call.value: site.call for site in sites if site.model.transaction == "commit"}
        for edge in self.project.graph.callees(fn) if self.committers else ():
            if edge.kind == "call" and edge.call is not None and edge.callee.fqn in self.committers:
                found[edge.call.value] = edge.call
        return sorted(found.values(), key=lambda call: call.span)

    @cached_property
    def committers(self) -> frozenset[str]:
        """Functions that commit, and neither write nor call anything that does: `uow.commit()`, also of one that translates errors."""
        effects = self.project.effects
        found = {site.fn.fqn: site.fn for site in effects.sites if site.model.transaction == "commit"}
        return frozenset(
            name
            for name, fn in found.items()
            if not fn.is_module
            and not any(effects.of(edge.callee).keys() - _SILENT for edge in self.project.graph.callees(fn))
            and all(site.model.transaction for site in effects.direct(fn) if site.model.library)
            and not any(store.name for store in fn.facts.stores)
        )

    @cached_property
    def only_committing(self) -> tuple[str, ...]:
        """Those of which all calls are known: none of them can be a write."""
        known = self.project.callees
        functions = (self.project.functions[name] for name in sorted(self.committers))
        return tuple(fn.fqn for fn in functions if all(known(fn, call) for call in fn.calls))

    def of_request(self, fn: Fn, call: Call) -> bool:
        """Whether a method is called on a session that the framework drops when the request ends: `db.session.commit()`."""
        value = fn.facts.values[call.func]
        if value[0] == "name":
            target = self.project.modules.resolve(str(value[1]), fn.file.module)
            if target.kind != "variable" or target.file is None or len(target.rest) != 2:
                return False
            owners = self.project.refs(self.project.module_function(target.file), target.vid)
            name = target.rest[0]
        else:
            session = fn.facts.values[value[1]] if value[0] == "attr" else value
            if session[0] != "attr":
                return False
            owners, name = self.project.refs(fn, session[1]), str(session[2])
        names = [ref.name for ref in owners if ref.kind == "libinst"]
        for ref in owners:
            if ref.kind == "inst":  # of a class that the project derives from the library's
                names += self.project.hierarchy.library_bases(self.project.classes[ref.name])
        models = map(self.project.libraries.cls, names)
        return any(model is not None and name in model.request_scoped for model in models)

    def begun(self, fn: Fn) -> list[tuple[Call, Call]]:
        """Transactions that the function begins by a call of its own and commits later: `await tr.start()`, `await tr.commit()`."""
        entered = {fn.unguarded(block.value) for block in fn.facts.blocks if block.kind == "with" and block.value >= 0}
        found = []
        for site in self.project.effects.direct(fn):
            begins = site.model.transaction == "begin" and ("call", fn.place_of(site.call)) not in entered
            for commit in self.commits(fn) if begins else ():
                if before(site.call.span, commit.span) and not exclusive(fn, site.call.block, commit.block):
                    found.append((site.call, commit))
                    break
        return found

    def ends(self, fn: Fn, call: Call) -> str:
        """commit or rollback, where the call itself does that; else ""."""
        for model in self.project.models(fn, call):
            if model.transaction in ("commit", "rollback"):
                return model.transaction
        return ""

    def implicit(self, model: CallModel) -> bool:
        """Whether writes by this library wait for a `commit()`; False: each write is final by itself."""
        library = self.project.libraries.library(model.library)
        if library is not None and library.kind == "web-framework":
            return False
        owners = self.project.libraries.mro(model.name.rpartition(".")[0]) or (model.name,)
        return any(name.partition(".")[0] in self._committing for name in (model.name, *owners))

    @cached_property
    def _committing(self) -> frozenset[str]:
        """Packages whose sessions or connections begin a transaction by themselves and end it by `commit()`."""
        libraries = self.project.libraries
        found = set()
        for name in libraries.names("calls"):
            owner, _, last = name.rpartition(".")
            cls = libraries.cls(owner) if last == "commit" else None
            if cls is not None and cls.resource in ("db-session", "db-connection"):
                found.add(name.partition(".")[0])
        return frozenset(found)

    def autocommits(self, model: CallModel) -> bool:
        """Whether each write by this library's object is its own transaction, of a database that has transactions."""
        if self.implicit(model):
            return False
        library = self.project.libraries.library(model.library)
        return library is not None and (library.kind in ("orm", "web-framework") or bool(library.dialect))


def _marks_only(decorator: Fn) -> bool:
    """`def in_transaction(function): function.marked = True; return function`: it runs nothing around it."""
    given = [unchanged(decorator, vid) for vid in decorator.returned]
    return bool(given) and all(value == ("param", 0) for value in given)


def exclusive(fn: Fn, first: int, second: int) -> bool:
    """Whether after code in block `first` the code in block `second` does not run: other branches, or an exit between."""
    above = {number for number, _ in fn.blocks_of(second)}
    child = -1
    for number, item in fn.blocks_of(first):
        if number in above:
            break
        if item.exits in ("return", "raise", "continue", "break") and item.kind != "try":
            return True
        child = number
    if child < 0:
        return False
    other = -1
    common = fn.facts.blocks[child].parent
    for number, item in fn.blocks_of(second):
        if item.parent == common and number != child:
            other = number
    if other < 0:
        return False
    one, two = fn.facts.blocks[child], fn.facts.blocks[other]
    if (one.kind, two.kind) == ("try", "try-else"):
        return False  # the one after the other
    return one.kind in _BRANCHES and two.kind in _BRANCHES and one.group == two.group


def openings(project: Project) -> Iterator[tuple[Fn, int, Opening]]:
    """Every `with` block that is a transaction, and block 0 of every function decorated so."""
    entering = set(project.functions_with("with"))
    for fn in project.all_functions():
        for number, item in enumerate(fn.facts.blocks) if fn in entering else ():
            if item.kind == "with" and project.transactions.is_transaction(fn, item):
                place = fn.step(fn.facts.span_of(item.value), "the transaction begins")
                yield fn, number, Opening("with", place, number)
        if fn.decorators:
            found = project.transactions.around(fn, 0)
            if found is not None and found.kind == "decorator":
                yield fn, 0, found


def before(first: Span, second: Span) -> bool:
    """Whether one place stands before another."""
    return first[:2] < second[:2]
