"""Which relations come with all rows of a manager, because its own `get_queryset` loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Cls
from backendlint.project.rows.loaders import NOTHING, Loads, Path, together

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.associations import Relation
    from backendlint.project.rows.origins import Origin

_MAKES = "get_queryset"


class ManagerRows:
    """Answers for the Origins, which own it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._loads: dict[tuple[str, str], Loads] = {}

    def loads(self, model: str, name: str = "") -> Loads:
        """What the manager of this name loads that the model (by fqn) has; without a name its default one, the first."""
        key = (model, name)
        found = self._loads.get(key)
        if found is None:
            self._loads[key] = NOTHING
            manager = self._manager(model, name)
            method = self.project.method(manager, _MAKES) if manager is not None else None
            given = method.returned if method is not None else ()
            origins = [origin for vid in given for origin in self.project.origins.of(method, vid)] if method else []
            found = self._loads[key] = together(origin.loads for origin in origins)
        return found

    def of_relation(self, origin: Origin, relation: Relation, path: Path) -> Origin:
        """The origin of what the path leads to from rows of a relation: these come by the default manager of their model."""
        own = self.loads(relation.target) if relation.manager else NOTHING
        prefix = origin.path[: len(origin.path) - len(path)]
        return origin._replace(loads=origin.loads.merged(own.under(prefix))) if own != NOTHING else origin

    def _manager(self, model: str, name: str) -> Cls | None:
        """Its class, where it is one of the project's."""
        managers, cls = self.project.resolver.managers, self.project.classes.get(model)
        for owner in self.project.hierarchy.mro(cls) if cls is not None else ():
            for attribute in owner.facts.attributes if not name else (name,):
                refs = managers.field(owner, attribute) if attribute in owner.facts.attributes else ()
                held = [ref for ref in refs if managers.stands_for_owner(ref)]
                if held:
                    return self.project.classes.get(held[0].name) if held[0].kind == "inst" else None
        return None
