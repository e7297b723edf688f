"""Which code belongs to a program that somebody runs by hand, as opposed to a server."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, FileFacts, Import
from backendlint.project.entities import Fn, Ref
from backendlint.project.linking.decorators import is_job

if TYPE_CHECKING:
    from backendlint.project.graph.calls import Edge
    from backendlint.project.model import Project


_TOOLING = frozenset({"dev", "devel", "scripts", "cli", ".github", ".gitlint", "gitlint", "hack", "maintenance"})
"""Folders of what serves the developers."""
SERVING = frozenset({"controller", "task", "middleware", "entry"})
"""Layers of code that is run for others, not by hand."""
_DEPLOYS = frozenset({"aws_cdk", "cdktf", "pulumi", "troposphere"})
"""Libraries by which a program says what a cloud is to set up, and which somebody runs for that."""
_DEBUG = re.compile(r"(^|\.)(DEBUG|debug)$")
"""How a test of a setting for development ends."""
_TO_MAIN = 5
"""Calls from the main block of a program to what serves."""
_BUILDS = frozenset({"build_wheel", "build_sdist"})
"""Functions by which packaging tools ask a build backend (PEP 517)."""


_PLAIN = ("builtins.object", "abc.", "typing.")
"""Bases whose classes no library calls."""
_BESIDE = frozenset({"thread", "spawn", "task", "callback"})
"""Kinds of edges by which something runs on while its caller does something else."""


def runs_by_hand(project: Project, fn: Fn, *, beside: bool = False) -> bool:
    """Commands, scripts, `__main__` modules, what is loaded for debugging alone: it talks to the person who started it.
    `beside`: asked of what runs beside what it calls."""
    by_place = project.layers.of_path(fn.path) == "command" and fn.fqn not in project.route_functions
    alone = fn.is_module and len(fn.file.functions) == 1 and not fn.file.classes and not imported(project, fn)
    if (
        by_place
        or alone
        or project.layer(fn) == "command"
        or (not _TOOLING.isdisjoint(fn.path.lower().split("/")[:-1]) and not project.reach(fn.fqn))
        or fn.path.rpartition("/")[2] in ("__main__.py", "manage.py", "conftest.py")
        or (fn.path.rpartition("/")[2] == "setup.py" and _packages(fn.file))
        or any(f"{fn.file.module}.{name}" in project.functions for name in _BUILDS)
        or not _DEPLOYS.isdisjoint(fn.file.packages)
        or project.importers.only_for_debugging(fn.file)
        or fn.fqn in project.importers.subcommands
    ):
        return True
    own: Fn | None = fn
    while own is not None:
        for ref in own.decorators:
            if _is_cli(project, ref):
                return True
            if ref.name.endswith((".command", ".cli")) or ".cli." in ref.name:
                return True
        if _of_group(project, own):
            return True
        own = own.parent
    if project.reach(fn.fqn) or _makes_application(project, fn):
        return False
    return only_from_main(project, fn, beside=beside) or (
        _is_program(project, fn) and not _served(project, fn) and not project.importers.used(fn.file)
    )


def _of_group(project: Project, fn: Fn) -> bool:
    """`@tool.command()`, where a library for command lines has made a group of the function `tool`."""
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        value = home.facts.values[vid]
        func = home.facts.values[home.facts.calls[value[1]].func] if value[0] == "call" else value
        if str(func[-1]).rpartition(".")[2] not in ("command", "group"):
            continue
        refs = project.resolver.owner(home, func)
        groups = (project.functions[ref.name] for ref in refs if ref.kind == "func")
        if any(_is_cli(project, ref) for group in groups for ref in group.decorators):
            return True
    return False


def _is_cli(project: Project, ref: Ref) -> bool:
    library = project.libraries.library_of(ref.name)
    return (library is not None and library.kind == "cli") or ref.name.partition(".")[0] in ("click", "typer", "invoke")


def _packages(file: FileFacts) -> bool:
    """A `setup.py` for setuptools, not an application's own."""
    return not file.packages.isdisjoint(("setuptools", "distutils", "skbuild"))


def imported(project: Project, fn: Fn) -> bool:
    """Whether another file imports this module; not the library that has its name."""
    name = fn.file.module.rpartition(".")[2]
    named = name in project.imported_names and not project.imports(name)
    return named or fn.file.module in project.imported_from


def only_from_main(project: Project, fn: Fn, depth: int = 4, *, beside: bool = False) -> bool:
    """A function that only the module's `if __name__ == "__main__":` leads to, and that does not run beside a server which
    is started there."""
    callers = project.graph.callers(fn)
    if not callers or depth == 0:
        return False
    public = not fn.name.startswith("_") or fn.name.endswith("__")
    if fn.cls is not None and public and project.importers.used(fn.file):
        return False  # whoever has such an object may call its methods, seen or not
    return all(
        in_main_block(edge.caller, edge.call) and not _beside_server(project, edge, beside=beside)
        if edge.caller.is_module
        else not _for_messages(project, edge)
        and only_from_main(project, edge.caller, depth - 1, beside=beside or edge.kind in _BESIDE)
        for edge in callers
    )


def _beside_server(project: Project, edge: Edge, *, beside: bool) -> bool:
    """Whether it goes on while what leads to it serves."""
    return (beside or edge.kind in _BESIDE) and edge.caller.fqn in project.importers.serving


def _for_messages(project: Project, edge: Edge) -> bool:
    """Whether it is called for each message of a queue, in the loop of a program that goes on for ever."""
    loops = project.importers.consuming.get(edge.caller.fqn, ())
    return edge.call is not None and any(number in loops for number, _ in edge.caller.blocks_of(edge.call.block))


def in_main_block(fn: Fn, call: Call | None) -> bool:
    """A call below `if __name__ == "__main__":`."""
    return call is not None and below_main(fn, call.block)


def below_main(fn: Fn, block: int) -> bool:
    """Whether a block of a module lies below its `if __name__ == "__main__":`."""
    return fn.is_module and any(
        item.kind == "if" and item.value >= 0 and _names_main(fn, item.value) for _, item in fn.blocks_of(block)
    )


def _names_main(fn: Fn, vid: int) -> bool:
    value = fn.facts.values[vid]
    return value[0] == "compare" and any(fn.const(item) == "__main__" for item in value[2])


def _is_program(project: Project, fn: Fn) -> bool:
    """A module with `if __name__ == "__main__":`, or one that reads the command line as soon as it is loaded."""
    module = project.module_function(fn.file)
    return (
        any(
            block.kind == "if" and block.value >= 0 and _names_main(module, block.value)
            for block in module.facts.blocks
        )
        or any(module.value(call.func)[::2] == ("attr", "parse_args") for call in module.calls)
        or _takes_arguments(module)
    )


def _takes_arguments(module: Fn) -> bool:
    """`if len(sys.argv) < 2: sys.exit(1)`: what is loaded with other arguments than its own ends there."""
    ends = any(
        module.value(call.func)[1:] == ("sys.exit",)
        for call in module.calls
        if any(block.kind == "if" for _, block in module.blocks_of(call.block))
    )
    return ends and any(module.value(vid)[1] == "sys.argv" for vid in module.made_by("name"))


def _served(project: Project, fn: Fn) -> bool:
    """A module with handlers or jobs is no script, whatever its last lines do; nor is one that runs a server there."""
    if project.module_function(fn.file).fqn in project.importers.serving:
        return True
    layers = {project.layer(item) for item in project.functions_of(fn.file) if not item.is_module}
    return bool(layers & {"controller", "service", "repository", "task", "middleware", "client"})


_FOR_TESTS = re.compile(r"(^|_)tests?(_|$)")


def holds_steps(file: FileFacts) -> bool:
    """Whether the file is about steps of tests in plain words."""
    return not file.packages.isdisjoint(_STEPS)


def for_tests(project: Project, fn: Fn, depth: int = 3) -> bool:
    """Helpers of tests that lie among the code: test classes, factories, pytest plugins, modules below a folder for testing,
    stand-ins (`MockMailer`), and what says so by its name (`make_test_users`) and is called by those alone."""
    if project.importers.for_pytest(fn.file):
        return True
    if fn.cls is not None and (project.hierarchy.role(fn.cls) == "test" or _STAND_IN.search(fn.cls.name)):
        return True
    if _below_tests(fn.path):
        return True
    callers = [edge.caller for edge in project.graph.callers(fn)] if depth and _FOR_TESTS.search(fn.name) else []
    return bool(callers) and all(for_tests(project, caller, depth - 1) for caller in callers)


_STEPS = frozenset({"behave", "pytest_bdd", "lettuce", "aloe", "radish"})
"""Of what a step of a test is made (`@given("two berths")`)."""
_STAND_IN = re.compile(r"(^|[a-z0-9_])(Mock|Fake|Dummy)([A-Z]|$)")
_TESTING = re.compile(r"testing|tests?|test_?fixtures?\w*|mocks|fakes|cypress|playwright|selenium")
"""Folders for tests, also by what drives them from outside: what serves it is no part of production."""


@lru_cache(maxsize=1024)
def _below_tests(path: str) -> bool:
    return any(_TESTING.fullmatch(part) for part in path.lower().split("/")[:-1])


_ELSEWHERE = re.compile(
    r"(^|[_.-])(tests?|testers?|testing|ci|dev|devel|develop|development|devstack|devenv|local|e2e|smoke_?tests?|smoke|seeds?|populate|demo|fixtures?"
    r"|bench(?:es|marks?)?|load_?test(?:s|ing)?|mocks?|fakes?|stubs?|qa|docker_?compose|examples?)($|[_.-])"
)
"""Words of files and folders that are no part of production."""
_STANDS_IN = re.compile(
    r"(^|[_.-])(e2e|smoke|mock(?:s|ed|services?|servers?|api)?|fakes?|bench(?:es|marks?)?|examples?)($|[_.-])"
    r"|^(tests?|demo|samples?|sandbox|dev)[_-]?(project|proj|site|app)$|^sandbox$"
)
"""Those that say it of a folder with other words beside them too: `payment_mock`."""


@lru_cache(maxsize=1024)
def for_development(path: str) -> bool:
    """Settings and scripts of developers' machines, tests and CI, by what their file or folder is called."""
    *folders, name = path.lower().split("/")
    stem = name.removesuffix(".py")
    return bool(_ELSEWHERE.search(stem)) or any(
        _ELSEWHERE.fullmatch(part) or _STANDS_IN.search(part) or part == ".github" for part in folders
    )


_FILLS = re.compile(r"(^|[_.-])(seeds?|seeding|populate|demo|fixtures?)($|[_.-])")


def fills_database(project: Project, fn: Fn) -> bool:
    """Code that puts rows of its own into an empty database, by what its file or folder is called; no endpoint leads there."""
    *folders, name = fn.path.lower().split("/")
    return any(map(_FILLS.search, (name.removesuffix(".py"), *folders))) and not project.reach(fn.fqn)


_TOOLS = re.compile(r"dev|devel|hack|\..+|(build|release|packag(e|ing)|deploy(ment)?|ci)[-_]?(scripts?|tools?)")
"""Folders of tools."""


def for_developers(path: str) -> bool:
    """Tools of the developers (generators, what builds and releases, what CI runs), by the folder."""
    return any(_TOOLS.fullmatch(part) for part in path.lower().split("/")[:-1])


def only_by_hand(project: Project, fn: Fn | None, depth: int = 5, *, beside: bool = False) -> bool:
    """What runs by hand, or is called by such functions alone (helpers of commands), and not beside a server; nothing of which
    no function is known (a statement in a file of SQL)."""
    if fn is None:
        return False
    if runs_by_hand(project, fn, beside=beside) or project.importers.for_pytest(fn.file):
        return True
    if fn.fqn in project.route_functions or _makes_application(project, fn):  # that a command calls it too
        return False
    callers = {
        (edge.caller.fqn, edge.kind in _BESIDE): edge
        for edge in project.graph.callers(fn)
        if edge.caller is not fn and (fn.is_module or not for_tests(project, edge.caller))
    }
    if depth > 0 and not callers and not fn.is_module and not fn.decorators:
        return project.importers.by_hand(fn.file) or _named_by_hand(project, fn, depth - 1)
    return (
        bool(callers)
        and depth > 0
        and all(
            not _beside_server(project, edge, beside=beside)
            and not _for_messages(project, edge)
            and only_by_hand(project, edge.caller, depth - 1, beside=beside or aside)
            for (_, aside), edge in callers.items()
        )
    )


def _named_by_hand(project: Project, fn: Fn, depth: int) -> bool:
    """A method of which no call is known, while all that call one of that name run by hand: `getattr(reports, name)().show()`."""
    bases = project.hierarchy.library_bases(fn.cls) if fn.cls is not None else ("",)
    if not all(name.startswith(_PLAIN) for name in bases):
        return False  # a library may call it
    named = {caller for caller, _ in project.graph.calls_written(fn.name) if caller is not fn}
    others = [caller for caller in named if not for_tests(project, caller)]
    return bool(others) and all(only_by_hand(project, caller, depth) for caller in others)


def _makes_application(project: Project, fn: Fn) -> bool:
    """`create_app()`: a server calls it, whatever lies beside it."""
    return not fn.is_module and any(item.origin is not None and item.origin[0] is fn for item in project.applications)


def only_planned(project: Project, fn: Fn, depth: int = 4) -> bool:
    """What jobs alone lead to, and nothing hands over but other jobs; that it is run by hand now and then too does not matter."""
    if project.reach(fn.fqn):
        return False
    callers = {edge.caller.fqn: edge.caller for edge in project.graph.callers(fn) if edge.caller is not fn}
    if not callers:
        return is_job(project, fn) or (fn.cls is not None and project.hierarchy.role(fn.cls) == "task")
    planned = [item for item in callers.values() if not runs_by_hand(project, item)]
    return depth > 0 and bool(planned) and all(only_planned(project, item, depth - 1) for item in planned)


def _is_fixture(ref: Ref) -> bool:
    return ref.name.startswith("pytest") and ref.name.endswith("fixture")


class Importers:
    """Which modules programs alone import that are run by hand; remembers answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._importers: dict[str, list[FileFacts]] = {}
        self._known: dict[str, bool] = {}
        self._debugging: dict[str, bool] = {}
        self._plugins: dict[str, bool] = {}
        modules = {file.module for file in project.files.values()}
        for file in project.files.values():
            targets = {item.target for item in file.imports}
            known = (targets | {target.rpartition(".")[0] for target in targets}) & modules
            for name in known | {self._found(file, target) for target in targets if target not in known} - {""}:
                self._importers.setdefault(name, []).append(file)

    def _found(self, file: FileFacts, target: str) -> str:
        """The module behind an import that counts from a folder of its own: of the script that is run there."""
        found = self.project.modules.resolve(target, file.module).file
        names = (target, target.rpartition(".")[0])
        return found.module if found is not None and found.module.endswith(tuple(f".{name}" for name in names)) else ""

    @cached_property
    def _used(self) -> set[str]:
        """Modules that other code than programs and tests imports."""
        found: set[str] = set()
        for file in self.project.files.values():
            if _below_tests(file.path) or _is_program(self.project, self.project.module_function(file)):
                continue
            for item in file.imports:
                target = self.project.modules.resolve(item.target, file.module)
                if target.file is not None and target.file is not file:
                    found.add(target.file.module)
        return found

    @cached_property
    def serving(self) -> frozenset[str]:
        """Functions that run a server or a queue's consumer, or call what does; modules too."""
        found = {fn.fqn: fn for fn, _, model in self.project.graph.modelled if model.serves}
        found.update((fqn, self.project.functions[fqn]) for fqn in self.consuming)
        new = list(found.values())
        for _ in range(_TO_MAIN):
            callers = [edge.caller for fn in new for edge in self.project.graph.callers(fn) if edge.kind == "call"]
            new = [fn for fn in callers if fn.fqn not in found]
            found.update((fn.fqn, fn) for fn in new)
        return frozenset(found)

    @cached_property
    def consuming(self) -> dict[str, list[int]]:
        """Functions that take messages from a queue for ever, with the loops in which they do."""
        from backendlint.project.graph.consuming import consumers

        return consumers(self.project)

    @cached_property
    def subcommands(self) -> frozenset[str]:
        """Functions that argparse's parsers keep for the words that somebody types."""
        from backendlint.project.graph.subcommands import subcommands

        return subcommands(self.project)

    def for_shell(self, fn: Fn) -> bool:
        """A function that nothing calls, imports or hands on, and that prints what it finds: somebody calls it from a shell."""
        project = self.project
        if fn.cls is not None or fn.parent is None or not fn.parent.is_module or project.reach(fn.fqn):
            return False
        prints = any(ref.name == "builtins.print" for call in fn.calls for ref in project.callees(fn, call))
        if not prints or fn.decorators or fn.name in project.imported_names or project.graph.callers(fn):
            return False
        handed = (
            (other, vid) for other in project.functions_of(fn.file) for call in other.calls for vid in call.passed
        )
        return not any(ref.name == fn.fqn for other, vid in handed for ref in project.refs(other, vid))

    def used(self, file: FileFacts) -> bool:
        """A module from which others take what it offers, and which only shows at its end what it can do."""
        return file.module in self._used

    def for_pytest(self, file: FileFacts) -> bool:
        """A module of fixtures: at least half of its functions are pytest's fixtures or hooks; one of steps in plain words; or a
        `factories.py` that nothing but others of that name imports."""
        known = self._plugins.get(file.path)
        if known is None:
            known = self._plugins[file.path] = self._mostly_fixtures(file) or self._makes_samples(file)
        return known

    def _makes_samples(self, file: FileFacts) -> bool:
        return all(item.path.rpartition("/")[2] == "factories.py" for item in (file, *self.of(file)))

    def _mostly_fixtures(self, file: FileFacts) -> bool:
        if holds_steps(file):
            return True
        if not any(item.target.startswith("pytest") for item in file.imports):
            return False
        own = [fn for fn in self.project.functions_of(file) if fn.parent is not None and fn.parent.is_module]
        made = [fn for fn in own if fn.name.startswith("pytest_") or any(map(_is_fixture, fn.decorators))]
        return bool(made) and 2 * len(made) >= len(own)

    def of(self, file: FileFacts) -> list[FileFacts]:
        """The files that import a module, or something from it."""
        return [item for item in self._importers.get(file.module, ()) if item is not file]

    def by_hand(self, file: FileFacts) -> bool:
        """A module that serves nobody itself, and that only programs run by hand import: nothing else can call what it
        passes on as a value."""
        known = self._known.get(file.path)
        if known is None:
            self._known[file.path] = False  # while its importers are asked, which may lead back to it
            known = self._known[file.path] = not self._serves(file) and self._imported_by_hand(file)
        return known

    def only_for_debugging(self, file: FileFacts) -> bool:
        """A module that others import below `if settings.DEBUG:` and nowhere else."""
        known = self._debugging.get(file.path)
        if known is None:
            importers = [item for item in self.of(file) if not _below_tests(item.path)]
            debugs = [
                self._debugs(importer, item)
                for importer in importers
                for item in importer.imports
                if self._imports(importer, item, file)
            ]
            # none of a package of whose modules each is imported
            known = self._debugging[file.path] = bool(debugs) and all(debugs)
        return known

    def _imports(self, importer: FileFacts, item: Import, file: FileFacts) -> bool:
        return self.project.modules.resolve(item.target, importer.module).file is file

    def _debugs(self, file: FileFacts, item: Import) -> bool:
        module = self.project.module_function(file)
        blocks = (block for block in module.facts.blocks if block.kind == "if" and block.span.holds(item.span))
        return any(_DEBUG.search(str(module.unguarded(block.value)[-1])) for block in blocks if block.value >= 0)

    def _serves(self, file: FileFacts) -> bool:
        return any(
            self.project.reach(fn.fqn) or self.project.layer(fn) in SERVING for fn in self.project.functions_of(file)
        )

    def _imported_by_hand(self, file: FileFacts) -> bool:
        importers = [item for item in self.of(file) if not _below_tests(item.path)]
        return bool(importers) and all(
            runs_by_hand(self.project, self.project.module_function(item)) or self.by_hand(item) for item in importers
        )
