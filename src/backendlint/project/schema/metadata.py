"""Which models Alembic's revisions are for: those of the declarative bases whose metadata its env.py names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.variables import of_all_modules

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TARGET = "target_metadata"
_DECLARATIVE = "sqlalchemy.orm.DeclarativeBase"


def migrated_bases(project: Project) -> frozenset[str]:
    """The bases of the models that revisions are made for; empty where that is not seen, or nothing says it."""
    found: set[str] = set()
    for fn, vid in of_all_modules(project, _TARGET):
        value = fn.value(vid)
        for part in value[1] if value[0] in ("list", "tuple") else (vid,):
            base = _of_metadata(project, fn, _spelled(fn, part)) if fn.path.endswith("env.py") else ""
            if not base:
                return frozenset()
            found.add(base)
    return frozenset(found)


def base_of(project: Project, cls: Cls) -> str:
    """What a model's table belongs to: the class, variable or library's class at the root of its bases; "" where that is not seen."""
    for owner in project.hierarchy.mro(cls):
        for vid in owner.facts.bases:
            for ref in project.refs(owner.owner, vid)[:1]:
                if ref.kind == "lib" and ref.name == _DECLARATIVE:
                    return _own_metadata(project, owner)
                if ref.kind == "libinst":
                    return _variable(project, owner.owner, _spelled(owner.owner, vid))
    return ""


def _own_metadata(project: Project, cls: Cls) -> str:
    """The class, or what it takes its metadata from (`metadata = shared`)."""
    vid = cls.facts.attributes.get("metadata", -1)
    taken = _spelled(cls.owner, vid) if vid >= 0 else ""
    return _of_metadata(project, cls.owner, taken) if taken else cls.fqn


def _of_metadata(project: Project, fn: Fn, dotted: str) -> str:
    """`Base.metadata`, `User.metadata`, `db.metadata`, `db.Model.metadata`, and a variable that holds such."""
    itself = _variable(project, fn, dotted)
    head, _, last = dotted.rpartition(".")
    if itself.rpartition(".")[2] == last:
        return itself
    if last != "metadata" or not head:
        return ""
    for ref in project.resolver.dotted(head, fn.file.module)[:1]:
        if ref.kind == "class":
            return base_of(project, project.classes[ref.name])
    return _variable(project, fn, head)


def _spelled(fn: Fn, vid: Vid) -> str:
    """The dotted name of a value, also by the variable of the module that holds it; "" where it has none."""
    value = fn.value(vid)
    if value[0] == "attr":
        head = _spelled(fn, value[1])
        return f"{head}.{value[2]}" if head else ""
    if value[0] == "name":
        return str(value[1])
    names = (name for name, held in fn.file.names.items() if held == vid and name != _TARGET)
    return next((f"{fn.file.module}.{name}" for name in names), "")


def _variable(project: Project, fn: Fn, dotted: str) -> str:
    """The variable that a name stands for, under the name that it has where it is made."""
    target = project.modules.resolve(dotted, fn.file.module)
    return f"{target.file.module}.{target.name}" if target.kind == "variable" and target.file is not None else ""
