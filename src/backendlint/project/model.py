"""The linked model of the whole project, which checks query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, FileFacts, Vid
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.errors.exceptions import Exceptions
from backendlint.project.graph.calls import CallGraph, Written
from backendlint.project.graph.effects import Effects
from backendlint.project.graph.jobs import Jobs
from backendlint.project.libraries.lookup import Hints, Libraries
from backendlint.project.libraries.meant import Meant
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.allocations import Allocations
from backendlint.project.linking.attached import Attached
from backendlint.project.linking.bases import link_bases, unclear
from backendlint.project.linking.decorators import add_applied, decorate, decorate_methods
from backendlint.project.linking.hierarchy import Hierarchy
from backendlint.project.linking.modules import Modules
from backendlint.project.linking.protocols import link_protocols
from backendlint.project.linking.refs import Resolver
from backendlint.project.linking.spread import spread_options
from backendlint.project.resources.resources import Resources
from backendlint.project.rows.associations import Associations
from backendlint.project.taint import Taint
from backendlint.project.waiting.fanout import Fanouts
from backendlint.project.waiting.retries import Retries
from backendlint.project.waiting.timeouts import Timeouts
from backendlint.project.web.params import Params

if TYPE_CHECKING:
    from backendlint.findings.model import Location
    from backendlint.project.data import Data
    from backendlint.project.errors.errorhandlers import Registration
    from backendlint.project.errors.failures import Failures
    from backendlint.project.graph.inrequest import InRequest
    from backendlint.project.graph.programs import Importers
    from backendlint.project.layers import Layers
    from backendlint.project.loops.caches import Caches
    from backendlint.project.resources.lifecycle import Lifecycle
    from backendlint.project.resources.percall import PerCall
    from backendlint.project.routes import Application, Endpoints, Route
    from backendlint.project.rows.lazyreads import LazyReads
    from backendlint.project.rows.origins import Origins
    from backendlint.project.rows.queries import Queries
    from backendlint.project.rows.races import Raced
    from backendlint.project.rows.transactions import Transactions
    from backendlint.project.rows.writes import Writes
    from backendlint.project.values.literals import Literals
    from backendlint.project.waiting.dependencies import Dependencies
    from backendlint.project.waiting.locks import Locks
    from backendlint.project.waiting.longwork import LongWorks
    from backendlint.project.waiting.sequences import Sequences
    from backendlint.project.waiting.waits import Waits
    from backendlint.project.web.access import Access
    from backendlint.project.web.credentials import Credentials


class Project:
    """All files, linked. Everything beyond names is computed when first asked for, and remembered."""

    def __init__(
        self,
        root: Path,
        files: Mapping[str, FileFacts],
        libraries: Libraries,
        sources: Callable[[str], str],
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.root = root
        self.files = files
        """By path relative to the root."""
        self.libraries = libraries
        self.sources = sources
        """The text of a file by its path."""
        self.options = options or {}
        """Settings that rules read (budget, dialect, per-rule options)."""
        self.sql_files: Sequence[str] = ()
        """Paths of the .sql files."""
        self.template_files: Sequence[str] = ()
        """Paths of the templates."""
        self.focus: frozenset[str] | None = None
        """Paths of the files in which findings count, if not all."""
        self.failures: dict[str, Fn] = {}
        """What could not be analysed, through a fault of ours."""
        self.functions: dict[str, Fn] = {}
        self.classes: dict[str, Cls] = {}
        self.modules = Modules(files.values(), libraries)
        self.written = Written(self)
        self.resolver = Resolver(self)
        self.hierarchy = Hierarchy(self)
        self.attached = Attached(self)
        self.associations = Associations(self)
        self.meant = Meant(self)
        self._hints: dict[str, Hints] = {}
        self._models: dict[int, list[CallModel]] = {}
        self._callees: dict[int, Refs] = {}
        self._by_file: dict[str, list[Fn]] = {}

    def failed(self, fn: Fn, error: Exception) -> None:
        """Note that (a part of) a function could not be analysed: the rest goes on, the report says so."""
        self.failures.setdefault(f"{fn.path}: {fn.name}(): {type(error).__name__}: {error}", fn)

    # what is there

    def module_function(self, file: FileFacts) -> Fn:
        """The function that stands for the module's own code."""
        return self._by_file[file.path][0]

    def functions_of(self, file: FileFacts) -> list[Fn]:
        """All functions of a file, in the order of FileFacts.functions."""
        return self._by_file[file.path]

    def all_functions(self) -> Iterator[Fn]:
        """Every function, the modules' own code included."""
        return chain.from_iterable(self._by_file.values())

    def counts(self, place: Fn | Location) -> bool:
        """Whether a finding there would be reported: a rule that reports where it looks need not look elsewhere."""
        return self.focus is None or place.path in self.focus

    def reviewed(self) -> Iterator[Fn]:
        """The functions in which findings count."""
        return (fn for functions in self._by_file.values() if self.counts(functions[0]) for fn in functions)

    def functions_with(self, *kinds: str) -> list[Fn]:
        """Functions that have a block of one of these kinds (`except`, `for`, `with` ...), in order."""
        if len(kinds) == 1:
            return self._by_block.get(kinds[0], [])
        found = {fn for kind in kinds for fn in self._by_block.get(kind, ())}
        return [fn for fn in self.all_functions() if fn in found]

    @cached_property
    def _by_block(self) -> dict[str, list[Fn]]:
        found: dict[str, list[Fn]] = {}
        for fn in self.all_functions():
            for kind in {block.kind for block in fn.facts.blocks}:
                found.setdefault(kind, []).append(fn)
        return found

    def subclasses(self, cls: Cls) -> list[Cls]:
        """Direct and indirect subclasses."""
        found: dict[Cls, None] = {}
        todo = list(cls.subclasses)
        while todo:
            item = todo.pop()
            if item not in found:
                found[item] = None
                todo.extend(item.subclasses)
        return list(found)

    # what values mean

    def refs(self, fn: Fn, vid: Vid) -> Refs:
        """What a value may refer to."""
        return self.resolver.refs(fn, vid)

    def callees(self, fn: Fn, call: Call) -> Refs:
        """What a call may call."""
        known = self._callees.get(id(call))
        if known is None:
            known = self.resolver.callees(fn, call)
            if self.resolver.idle:
                self._callees[id(call)] = known
        return known

    def models(self, fn: Fn, call: Call) -> list[CallModel]:
        """Library models of what a call may call (usually one or none)."""
        known = self._models.get(id(call))
        if known is None:
            named = [ref.name for ref in self.callees(fn, call) if ref.kind == "lib"]
            known = [model for name in named if (model := self.meant.by(fn, call, name)) is not None]
            if self.resolver.idle:
                self._models[id(call)] = known
        return known

    def targets(self, fn: Fn, call: Call) -> list[Fn]:
        """Project functions that a call runs; a class's constructor is its `__init__`."""
        found = []
        for ref in self.callees(fn, call):
            target = self.functions.get(ref.name) if ref.kind == "func" else None
            if ref.kind == "class":
                target = self.method(self.classes[ref.name], "__init__")
            elif ref.kind == "inst":
                target = self.method(self.classes[ref.name], "__call__")
            if target is not None:
                found.append(target)
        return found

    def method(self, cls: Cls, name: str) -> Fn | None:
        """The method that `cls().name` runs, if the project defines it."""
        return next((item.methods[name] for item in self.hierarchy.mro(cls) if name in item.methods), None)

    def is_instance(self, fn: Fn, vid: Vid, *types: str) -> bool:
        """True where the value may be an instance of one of these library types, or of a subclass."""
        for ref in self.refs(fn, vid):
            if ref.kind == "libinst" and any(self.libraries.is_subclass(ref.name, name) for name in types):
                return True
            if ref.kind == "inst" and any(self.hierarchy.is_a(self.classes[ref.name], name) for name in types):
                return True
        return False

    def constants(self, fn: Fn, vid: Vid, depth: int = 8) -> list[object] | None:
        """All constants that a value may be, followed through names, other files and branches; None if it may be anything else."""
        from backendlint.project.values.constants import constants

        return constants(self, fn, vid, depth)

    def hints(self, file: FileFacts) -> Hints:
        """Types by naming convention, for what the file imports, and else for what its project does."""
        known = self._hints.get(file.path)
        if known is None:
            modules = {item.target for item in file.imports}
            known = self._hints[file.path] = self.libraries.hints_for(modules, self.conventions)
        return known

    @cached_property
    def conventions(self) -> Hints:
        """Types by naming convention, for all that the project imports."""
        return self.libraries.hints_for(self._hinting_imports)

    @cached_property
    def _hinting_imports(self) -> frozenset[str]:
        return self.libraries.hinting_modules.intersection(self._framework_imports)

    @cached_property
    def _framework_imports(self) -> set[str]:
        """Libraries that some file imports."""
        return set[str]().union(*(file.packages for file in self.files.values()))

    @cached_property
    def imported_names(self) -> frozenset[str]:
        """Last parts of all that any file imports."""
        return frozenset(item.target.rpartition(".")[2] for file in self.files.values() for item in file.imports)

    @cached_property
    def imported_from(self) -> frozenset[str]:
        """Modules and packages from which any file imports something, by all their dotted beginnings."""
        found: set[str] = set()
        for target in {item.target for file in self.files.values() for item in file.imports}:
            owner = target.rpartition(".")[0]
            while owner and owner not in found:
                found.add(owner)
                owner = owner.rpartition(".")[0]
        return frozenset(found)

    @cached_property
    def importers(self) -> Importers:
        """Which modules only programs that are run by hand import."""
        from backendlint.project.graph.programs import Importers

        return Importers(self)

    def imports(self, module: str) -> bool:
        """True where any file imports this module or library."""
        return module in self._framework_imports

    # what follows from them

    @cached_property
    def graph(self) -> CallGraph:
        """Who calls whom."""
        return CallGraph(self)

    @cached_property
    def effects(self) -> Effects:
        """What functions do, transitively."""
        return Effects(self)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Routes, and what they mean for the functions behind them."""
        from backendlint.project.routes import Endpoints

        return Endpoints(self)

    @property
    def routes(self) -> list[Route]:
        """All routes, by place."""
        return self.endpoints.table.routes

    @property
    def applications(self) -> list[Application]:
        """The objects that servers run."""
        return self.endpoints.table.applications

    @property
    def route_functions(self) -> dict[str, list[Route]]:
        """Routes by the qualified name of their handler."""
        return self.endpoints.by_handler

    def reach(self, fqn: str) -> int:
        """How many routes lead to a function."""
        return self.endpoints.reach(fqn)

    def request_param_types(self, fn: Fn) -> dict[int, str]:
        """Parameters that carry request data by the function's signature: by index, what narrows each (int, uuid, enum,
        literal, model ...), or "" for free text."""
        return self.endpoints.request_types.get(fn.fqn, {})

    @cached_property
    def literals(self) -> Literals:
        """Text literals, and the names that they are given."""
        from backendlint.project.values.literals import Literals

        return Literals(self)

    @cached_property
    def layers(self) -> Layers:
        """Which layer a function belongs to."""
        from backendlint.project.layers import Layers

        return Layers(self)

    @cached_property
    def writes(self) -> Writes:
        """Which code changes which stored data."""
        from backendlint.project.rows.writes import Writes

        return Writes(self)

    @cached_property
    def access(self) -> Access:
        """Who may call a route."""
        from backendlint.project.web.access import Access

        return Access(self)

    @cached_property
    def credentials(self) -> Credentials:
        """By what callers show who they are."""
        from backendlint.project.web.credentials import Credentials

        return Credentials(self)

    def layer(self, fn: Fn) -> str:
        """controller, service, repository, model, middleware, client, task, migration, command, config, schema, entry or ""."""
        return self.layers.of(fn)

    @cached_property
    def allocations(self) -> Allocations:
        """Where objects were made."""
        return Allocations(self)

    @cached_property
    def exceptions(self) -> Exceptions:
        """Which exceptions escape from functions."""
        return Exceptions(self)

    @cached_property
    def resources(self) -> Resources:
        """Which resources are left open."""
        return Resources(self)

    @cached_property
    def fanouts(self) -> Fanouts:
        """What runs side by side without a bound."""
        return Fanouts(self)

    @cached_property
    def jobs(self) -> Jobs:
        """Which jobs are dispatched too early."""
        return Jobs(self)

    def exception_kind(self, name: str) -> str:
        """What an exception class means by the library models, through its bases: infrastructure, http, not-found ... or ""."""
        from backendlint.project.errors.exception_kinds import kind_of

        return kind_of(self, name)

    @cached_property
    def conflict_errors(self) -> dict[str, set[str]]:
        """The project's own exceptions for a violated constraint, with the functions that raise them."""
        from backendlint.project.errors.conflicts import conflict_errors

        return conflict_errors(self)

    def checked_inserts(self, fn: Fn) -> tuple[Raced, ...]:
        """A function's inserts of rows that were looked for and not found."""
        from backendlint.project.rows.races import checks_before_insert

        return checks_before_insert(self, fn)

    @cached_property
    def retries(self) -> Retries:
        """How things are retried."""
        return Retries(self)

    @cached_property
    def timeouts(self) -> Timeouts:
        """How long outbound calls can wait."""
        return Timeouts(self)

    @cached_property
    def error_paths(self) -> Failures:
        """What becomes of exceptions."""
        from backendlint.project.errors.failures import Failures

        return Failures(self)

    @cached_property
    def origins(self) -> Origins:
        """Which queries entities come from."""
        from backendlint.project.rows.origins import Origins

        return Origins(self)

    @cached_property
    def lazy_reads(self) -> LazyReads:
        """Which relations are read once for each item."""
        from backendlint.project.rows.lazyreads import LazyReads

        return LazyReads(self)

    @cached_property
    def queries(self) -> Queries:
        """Which code asks the database."""
        from backendlint.project.rows.queries import Queries

        return Queries(self)

    @cached_property
    def transactions(self) -> Transactions:
        """Where transactions are open."""
        from backendlint.project.rows.transactions import Transactions

        return Transactions(self)

    @cached_property
    def caches(self) -> Caches:
        """Which caches go wrong."""
        from backendlint.project.loops.caches import Caches

        return Caches(self)

    @cached_property
    def dependencies(self) -> Dependencies:
        """What the project depends on at run time, and how each call is protected."""
        from backendlint.project.waiting.dependencies import Dependencies

        return Dependencies(self)

    @cached_property
    def in_request(self) -> InRequest:
        """What runs while a client waits."""
        from backendlint.project.graph.inrequest import InRequest

        return InRequest(self)

    @cached_property
    def long_works(self) -> LongWorks:
        """What takes long while a client waits."""
        from backendlint.project.waiting.longwork import LongWorks

        return LongWorks(self)

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """What start-up starts and shutdown does not close."""
        from backendlint.project.resources.lifecycle import Lifecycle

        return Lifecycle(self)

    @cached_property
    def sequences(self) -> Sequences:
        """Which awaits follow one another without need."""
        from backendlint.project.waiting.sequences import Sequences

        return Sequences(self)

    @cached_property
    def locks(self) -> Locks:
        """Which thread locks are held across an await."""
        from backendlint.project.waiting.locks import Locks

        return Locks(self)

    @cached_property
    def per_call(self) -> PerCall:
        """What is made for each call instead of once."""
        from backendlint.project.resources.percall import PerCall

        return PerCall(self)

    @cached_property
    def waits(self) -> Waits:
        """How long functions and endpoints can wait at worst."""
        from backendlint.project.waiting.waits import Waits

        return Waits(self)

    @cached_property
    def error_registrations(self) -> list[Registration]:
        """What error handlers are registered for."""
        from backendlint.project.errors.errorhandlers import registrations

        return registrations(self)

    @cached_property
    def error_handlers(self) -> dict[str, tuple[Ref, ...]]:
        """Functions that turn exceptions into responses, with the exceptions' classes."""
        from backendlint.project.errors.errorhandlers import error_handlers

        return error_handlers(self)

    @cached_property
    def taint(self) -> Taint:
        """Which data reaches which sinks."""
        return Taint(self)

    @cached_property
    def _params(self) -> Params:
        return Params(self)

    def param_source(self, fn: Fn, index: int) -> str:
        """The kind of outside data that a framework passes as a parameter (`request`, `queue`), or ""."""
        return self._params.source(fn, index)

    @cached_property
    def data(self) -> Data:
        """SQL texts, schemas and migrations."""
        from backendlint.project.data import Data

        return Data(self)

    def link(self) -> None:
        """Make functions and classes of all files, then bases and decorators (which need all names)."""
        for file in self.files.values():
            self._define(file)
        spread_options(self)
        link_bases(self, self.classes.values())
        self._forget()
        if again := unclear(self):
            link_bases(self, again)
            self._forget()
        link_protocols(self)
        for fn in self.all_functions():
            if fn.facts.decorators:
                decorate(self, fn)
        for cls in self.classes.values():
            if cls.facts.decorators:
                decorate_methods(self, cls)
        add_applied(self)
        self.attached = Attached(self)
        self.associations.build()
        self._forget()

    def _forget(self) -> None:
        """Drop what was answered while bases, decorators or relations were still unknown."""
        self.hierarchy = Hierarchy(self)
        self.resolver = Resolver(self)
        self._models.clear()
        self._callees.clear()
        for fn in self.all_functions():
            fn.known.clear()

    def _define(self, file: FileFacts) -> None:
        functions: list[Fn] = []
        self._by_file[file.path] = functions
        prefix = f"{file.module}." if file.module else ""
        for index, facts in enumerate(file.functions):
            fqn = prefix + (facts.qualname or "<module>")
            parent = functions[facts.parent] if 0 <= facts.parent < index else None
            kind = "module" if index == 0 else "method" if facts.cls else "function"
            functions.append(Fn(fqn, file, facts, index, parent, None, (), kind))
            self.functions[fqn] = functions[-1]
        for qualname, class_facts in file.classes.items():
            cls = Cls(prefix + qualname, file, class_facts, functions[class_facts.owner])
            self.classes[cls.fqn] = cls
            cls.methods = {name: functions[index] for name, index in class_facts.methods.items()}
        for fn in functions:
            if fn.facts.cls:
                fn.cls = self.classes.get(prefix + fn.facts.cls)


def link(
    root: Path,
    files: Mapping[str, FileFacts],
    libraries: Libraries,
    sources: Callable[[str], str],
    options: Mapping[str, object] | None = None,
) -> Project:
    """Link the facts of all files (by path relative to the root) into one Project."""
    project = Project(root, files, libraries, sources, options)
    project.link()
    return project
