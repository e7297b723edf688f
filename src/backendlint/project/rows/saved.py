"""`row.save()` of the project's own: which model's row a method of a base, a mixin or an override stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import receiver, unchanged

if TYPE_CHECKING:
    from backendlint.project.model import Project


def abstract(project: Project, cls: Cls) -> bool:
    """Whether the class only serves as a base: no table is its own."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    if meta is not None and meta.owner.const(meta.facts.attributes.get("abstract", -1)) is True:
        return True
    if cls.owner.const(cls.facts.attributes.get("__abstract__", -1)) is True:
        return True
    return any((base.kind, base.name) == ("lib", "sqlalchemy.orm.DeclarativeBase") for base in cls.bases)


def stored_by_itself(project: Project, cls: Cls) -> bool:
    """Whether a model has a table of its own."""
    return project.hierarchy.role(cls) == "model" and not abstract(project, cls)


def overridden(project: Project, edge: Edge) -> tuple[str, str]:
    """The operation and the model of `order.save()`, where the model has a `save` of its own around the library's;
    ("", "") for other calls."""
    call, name = edge.call, edge.callee.name
    if call is None or edge.kind != "call" or edge.callee.cls is None or by_super(project, edge.caller, call):
        return "", ""
    for ref in project.callees(edge.caller, call):
        cls = project.classes.get(ref.arg.name) if ref.arg is not None and ref.arg.kind == "inst" else None
        if cls is None or project.hierarchy.role(cls) != "model" or abstract(project, cls):
            continue
        for base in project.hierarchy.library_bases(cls):
            model = project.libraries.call(f"{base}.{name}")
            if model is not None and model.orm is not None and model.orm.op in ("save", "delete"):
                return model.orm.op, cls.fqn
    return "", ""


def by_super(project: Project, fn: Fn, call: Call) -> bool:
    """`super().save()`: what is stored is what the method itself is called on."""
    base = receiver(fn, call)
    return base >= 0 and any(ref.kind == "super" for ref in project.refs(fn, base))


def of_itself(project: Project, fn: Fn, call: Call) -> bool:
    """`super().save()`, `self.save()`, `session.add(self)` in a method."""
    if fn.cls is None or fn.kind != "method":
        return False
    given = (receiver(fn, call), *call.args[:1])
    return by_super(project, fn, call) or any(vid >= 0 and unchanged(fn, vid) == ("param", 0) for vid in given)


def leading(chain: Sequence[Edge], fn: Fn) -> Sequence[Edge]:
    """The calls as far as the function, where the last one is the write itself."""
    return chain[:-1] if chain and chain[-1].callee is not fn and chain[-1].caller is fn else chain


def received(project: Project, start: str, chain: Sequence[Edge]) -> str:
    """The class of the object on which the calls lead to a method of class `start`, as far as they tell."""
    owner = start
    for edge in reversed(chain):
        cls = edge.caller.cls
        if edge.call is not None and cls is not None and by_super(project, edge.caller, edge.call):
            owner = cls.fqn
            continue
        refs = project.callees(edge.caller, edge.call) if edge.call is not None else ()
        owners = {ref.arg.name for ref in refs if ref.arg is not None and ref.arg.kind in ("class", "inst")}
        owner = owners.pop() if len(owners) == 1 else "" if owners else owner
        if cls is None or owner != cls.fqn:
            break  # else it is called on `self` or `cls`: on what the caller is called on
    return owner


def only_made(fn: Fn, call: Call, chain: Sequence[Edge]) -> bool:
    """`form.save(commit=False)` of a form whose own `save(self, *args, **kwargs)` passes the keyword on."""
    where, key = fn, "commit"
    for edge in reversed(leading(chain, fn)):
        passed = _passed_on(where, call, key)
        if not passed or edge.call is None:
            return False
        if edge.caller.const(edge.call.kwarg(passed)) is False:
            return True
        where, call, key = edge.caller, edge.call, passed
    return False


def _passed_on(fn: Fn, call: Call, key: str) -> str:
    """The keyword of the function that reaches the call as `key`: by a parameter, or among its `**kwargs`."""
    for name, vid in call.kwargs:
        param = _parameter(fn, vid)
        if name == key and param >= 0:
            return fn.facts.params[param].name
        if name == "**" and param >= 0 and fn.facts.params[param].kind == "kwargs":
            return key
    return ""


def _parameter(fn: Fn, vid: Vid) -> int:
    value = unchanged(fn, vid)
    return int(value[1]) if value[0] == "param" else -1
