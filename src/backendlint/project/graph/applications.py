"""The applications that the project serves, for checks about a service as a whole."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.findings.model import Location
from backendlint.project.graph.programs import for_development, in_main_block

if TYPE_CHECKING:
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project
    from backendlint.project.routes import Application

FEWEST_ROUTES = 2
"""An application with fewer is an example or a sub-application that is put together elsewhere."""


class Served(NamedTuple):
    """An application with the number of its routes and the place where its object is made."""

    name: str
    location: Location
    routes: int
    library: str
    module: str = ""
    """The package of the framework, as it is imported."""


def served_applications(project: Project) -> list[Served]:
    """Applications with routes of their own. Where routes find their application by settings (a root URL
    configuration), the application is the server's entry object of the same library."""
    counts: dict[Location, int] = {}
    loose: dict[str, int] = {}
    for route in project.routes:
        if route.kind != "http":
            continue
        if route.app is not None:
            counts[route.app.location] = counts.get(route.app.location, 0) + 1
        else:
            loose[route.framework] = loose.get(route.framework, 0) + 1
    found: list[Served] = []
    served = {app.library for app in project.applications}  # others' routes are added to them: Django REST framework's
    for app in project.applications:
        if app.model is None or app.model.role != "application" or _migrates(project, app.location.path):
            continue
        own = counts.get(app.location, 0)
        if not own and loose.get(app.library) and not any(item.library == app.library for item in found):
            own = sum(number for library, number in loose.items() if library == app.library or library not in served)
        if own >= FEWEST_ROUTES:
            found.append(Served(app.name, app.location, own, app.library, _module(project, app)))
    found = [item for item in found if not for_development(item.location.path)]
    found = [item for item in found if not is_trial(project, item.location.path)] or found
    servers = [item for item in found if project.layers.of_path(item.location.path) != "command"]
    tools = len(project.routes) > 2 * sum(item.routes for item in found)
    return servers if servers or tools else found  # a tool's little application is not the service


def _migrates(project: Project, path: str) -> bool:
    """`env.py` of Alembic: an application that is made there lends its configuration, and serves nobody."""
    file = project.files.get(path)
    return file is not None and any(item.target.startswith("alembic.context") for item in file.imports)


def is_trial(project: Project, path: str) -> bool:
    """A file that nothing imports, and that serves with the debugger when somebody runs it: `app.run(debug=True)`."""
    file = project.files.get(path)
    if file is None or project.importers.of(file):
        return False
    return any(
        fn.const(call.kwarg("debug")) is True and in_main_block(fn, call)
        for fn in project.functions_of(file)
        for call in fn.calls
    )


def _module(project: Project, app: Application) -> str:
    refs = project.refs(app.origin.fn, app.origin.vid) if app.origin is not None else ()
    return next((ref.name.partition(".")[0] for ref in refs if ref.kind == "libinst"), app.library)


def concerned(project: Project, fn: Fn, applications: list[Served]) -> list[Served]:
    """The applications for which a function may be there: those whose framework its file imports, else all; not those of
    another program beside its own."""
    imported = fn.file.packages
    programs = project.error_paths.mapped.programs
    near = [item for item in applications if not programs.apart(fn.path, programs.of(item.location.path))]
    return [item for item in near if item.module in imported] or near


class Programs:
    """The programs that lie beside each other in a repository, each in a folder of its own with its packages."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def homes(self) -> frozenset[str]:
        """Folders in which packages lie and, there or in a package, an application is made."""
        found = {self.project.modules.distribution(path) for path in self.project.files} - {""}
        made = [
            item.location.path for item in self.project.applications if item.model and item.model.role == "application"
        ]
        return frozenset(home for home in found if any(path.startswith(f"{home}/") for path in made))

    def of(self, path: str) -> str:
        """The folder of the program to which a file belongs; "" for what all may use."""
        return max((item for item in self.homes if path.startswith(f"{item}/")), key=len, default="")

    def apart(self, path: str, home: str) -> bool:
        """Whether a file belongs to another program than the one of a folder, and neither lies in the other."""
        own = self.of(path)
        return bool(own and home) and not f"{own}/".startswith(f"{home}/") and not f"{home}/".startswith(f"{own}/")
