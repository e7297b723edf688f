"""How many routes lead to a function, and which parameters carry request data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn
from backendlint.project.routes.build import RouteTable
from backendlint.project.routes.model import Route
from backendlint.project.routes.params import path_params, signature_params

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Endpoints:
    """What routes mean for the functions behind them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.table = RouteTable(project)
        self.by_handler: dict[str, list[Route]] = {}
        for route in self.table.routes:
            if route.handler is not None:
                self.by_handler.setdefault(route.handler.fqn, []).append(route)
        self.pages: dict[str, bool] = {}
        """Whether most handlers of a file give pages; filled by `webapi`."""
        self._request: dict[str, dict[int, str]] | None = None
        self._reach: dict[str, frozenset[int]] = {}
        self._spread()

    def reach(self, fqn: str) -> int:
        """How many routes lead to a function; every pair of path and registration counts once."""
        return len(self._reach.get(fqn, ()))

    def leading_to(self, fqn: str) -> list[Route]:
        """The routes that lead to a function, in the order of the table."""
        return [self.table.routes[index] for index in sorted(self._reach.get(fqn, ()))]

    def only_for_admins(self, fqn: str) -> bool:
        """Whether routes lead to a function, and all of them are for those who run the service."""
        from backendlint.project.web.webapi import for_admins

        routes = self.leading_to(fqn)
        return bool(routes) and all(map(for_admins, routes))

    def _spread(self) -> None:
        """Depth-first from every route; a callee gets all routes of its callers."""
        sets: dict[str, set[int]] = {}
        graph = self.project.graph
        for index, route in enumerate(self.table.routes):
            todo = list(route.begun)
            while todo:
                fn = todo.pop()
                known = sets.setdefault(fn.fqn, set())
                if index in known:
                    continue
                known.add(index)
                todo.extend(edge.callee for edge in graph.callees(fn))
        self._reach = {fqn: frozenset(found) for fqn, found in sets.items()}

    @property
    def request_types(self) -> dict[str, dict[int, str]]:
        """By function: indexes of parameters that carry request data, with what narrows them ("" for free text)."""
        if self._request is None:
            self._request = self._request_params()
        return self._request

    def _request_params(self) -> dict[str, dict[int, str]]:
        found: dict[str, dict[int, str]] = {}
        for route in self.table.routes:
            if route.handler is not None:
                self._merge(found, route.handler, {item.index: item.type for item in route.params})
            for fn in route.dependencies:
                if fn.fqn not in found and route.documented:
                    names = dict.fromkeys(route.path_names, "")
                    self._merge(
                        found, fn, {item.index: item.type for item in signature_params(self.project, fn, names)}
                    )
            for fn in route.hooks:
                self._merge(found, fn, {item.index: item.type for item in path_params(fn, {})})
        return found

    @staticmethod
    def _merge(found: dict[str, dict[int, str]], fn: Fn, types: dict[int, str]) -> None:
        own = found.setdefault(fn.fqn, {})
        for index, kind in types.items():
            own[index] = kind if own.get(index, kind) == kind else ""
