"""Where transactions run isolated: of two that change one row, the database lets the second fail, and no change is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_KEYWORD = "isolation_level"
_EVERYWHERE = frozenset({"SERIALIZABLE"})
_POSTGRES = _EVERYWHERE | {"REPEATABLE READ"}
"""MySQL's REPEATABLE READ writes over what others have stored since the row was read."""


def isolated_folders(project: Project) -> frozenset[str]:
    """The folders whose engine is made so: each service of a repository has one of its own."""
    levels = _POSTGRES if project.data.dialect == "postgres" else _EVERYWHERE
    found: set[str] = set()
    for fn, call in project.graph.calls_with(_KEYWORD):
        level = fn.const(call.kwarg(_KEYWORD))
        isolates = isinstance(level, str) and level.upper().replace("_", " ") in levels
        if isolates and any(model.opens == "db-engine" for model in project.models(fn, call)):
            found.add(_folder(fn))
    return frozenset(found)


def runs_isolated(fn: Fn, folders: frozenset[str]) -> bool:
    """Whether the function lies in one of the folders."""
    return not folders.isdisjoint(("", _folder(fn)))


def _folder(fn: Fn) -> str:
    """The first folder of its path; "" of a file that lies above all."""
    return fn.path.partition("/")[0] if "/" in fn.path else ""
