"""Routers that a loader puts into the modules which it loads: `page.manager = Blueprint(...)`, where those write
`@manager.route(...)` and define no `manager`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn
from backendlint.project.routes.model import Origin

if TYPE_CHECKING:
    from backendlint.project.model import Project

_MADE_BY = ("module_from_spec", "ModuleType")


class Injected:
    """Answers what a name is that a module uses and does not define."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def of(self, home: Fn, func: Vid) -> tuple[list[Origin], str]:
        """What `manager` of `manager.route` may be, and the method's name."""
        value = home.facts.values[func]
        dotted = str(value[1]).removeprefix(f"{home.file.module}.") if value[0] == "name" else ""
        name, _, method = dotted.partition(".")
        if not method or "." in method or name in home.file.names:
            return [], ""
        return self._by_name.get(name, []), method

    @cached_property
    def _by_name(self) -> dict[str, list[Origin]]:
        found: dict[str, list[Origin]] = {}
        loaders = {fn.fqn: fn for fn, _ in self.project.graph.calls_written(*_MADE_BY)}
        for fn in loaders.values():
            for store in fn.facts.stores:
                if store.name and _is_module(fn, store.base) and fn.value(store.value)[0] == "call":
                    found.setdefault(store.name, []).append(Origin(fn, store.value))
        return found


def _is_module(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    while value[0] == "setattr":
        value = fn.unguarded(value[1])
    return value[0] == "call" and fn.callee_name(fn.calls[value[1]]) in _MADE_BY
