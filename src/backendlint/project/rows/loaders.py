"""Which relations a query's calls load: Django's `select_related`, SQLAlchemy's loader options."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.rows.origins import Origin

Path = tuple[str, ...]
LOADS = ("select_related", "prefetch")
_QUERY = "django.db.models.QuerySet"


class Loads(NamedTuple):
    """Relations that come with a query. `wild`: an option could not be read, so anything may be loaded."""

    paths: frozenset[Path] = frozenset()
    wild: bool = False

    def merged(self, other: Loads) -> Loads:
        """Both together."""
        return Loads(self.paths | other.paths, self.wild or other.wild)

    def has(self, path: Path) -> bool:
        """Whether the relation at the end of the path is loaded."""
        return self.wild or any(known[: len(path)] == path for known in self.paths)

    def under(self, prefix: Path) -> Loads:
        """The same, seen from an entity that the prefix leads to."""
        return Loads(frozenset((*prefix, *path) for path in self.paths), self.wild)


NOTHING = Loads()
EVERYTHING = Loads(wild=True)


def together(parts: Iterable[Loads]) -> Loads:
    """All that comes with one of several queries."""
    return reduce(Loads.merged, parts, NOTHING)


def by_callers(project: Project, origin: Origin, path: Path) -> bool:
    """Whether the rows are those of a relation (`order.lines.all()`) of what somebody unknown has read, perhaps with all that
    the path names: other queries of the project load it so (`prefetch_related("lines__product")`)."""
    rooted = any(step.below >= len(origin.path) for step in origin.steps)
    return bool(origin.path) and not rooted and path[-2:] in project.associations.loaded


def by_its_name(project: Project, fn: Fn, call: Call) -> list[CallModel]:
    """`rows.in_order().prefetch_related("lines")`: what loads is a method of Django's queries, whatever gave these."""
    value = fn.facts.values[call.func]
    model = project.libraries.call(f"{_QUERY}.{value[2]}") if value[0] == "attr" else None
    return [model] if model is not None and model.orm is not None and model.orm.op in LOADS else []


def loads_of(project: Project, fn: Fn, call: Call, model: CallModel) -> Loads:
    """What one call of a query's chain adds."""
    options = call.kwarg("options")
    if options >= 0:
        return _options(project, fn, (options,))
    if model.orm is None or model.orm.op not in LOADS:
        return NOTHING
    if model.library == "django" or model.name.startswith("tortoise."):
        return _django(project, fn, call, model)
    return _options(project, fn, call.args)


def _django(project: Project, fn: Fn, call: Call, model: CallModel) -> Loads:
    if not call.args and model.orm is not None and model.orm.op == "select_related":
        return EVERYTHING
    objects = model.orm is not None and not model.orm.lazy  # `prefetch_related_objects(orders, "lines")`
    return together(_lookup(project, fn, vid) for vid in call.args[1 if objects else 0 :])


def _lookup(project: Project, fn: Fn, vid: Vid) -> Loads:
    text = fn.const(vid)
    if isinstance(text, str):
        return Loads(frozenset({tuple(text.split("__"))}))
    value = fn.facts.values[vid]
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        first = call.args[0] if call.args else call.kwarg("lookup")
        text = fn.const(first)
        if isinstance(text, str):
            prefix = tuple(text.split("__"))
            inner = call.args[1] if len(call.args) > 1 else call.kwarg("queryset")
            found = Loads(frozenset({prefix}))
            for origin in project.origins.of(fn, inner) if inner >= 0 else ():
                found = found.merged(origin.loads.under(prefix))
            return found
    return EVERYTHING


def _options(project: Project, fn: Fn, vids: tuple[Vid, ...], prefix: Path = ()) -> Loads:
    found = NOTHING
    for vid in vids:
        value = fn.unguarded(vid)
        if value[0] in ("list", "tuple"):
            found = found.merged(_options(project, fn, value[1], prefix))
        elif value[0] == "call":
            found = found.merged(_option(project, fn, fn.facts.calls[value[1]], prefix)[1])
        else:
            return EVERYTHING
    return found


def _option(project: Project, fn: Fn, call: Call, prefix: Path) -> tuple[Path, Loads]:
    """`selectinload(A.b).joinedload(B.c)`: the path at its end, and all that is loaded."""
    func = fn.facts.values[call.func]
    before, loads = prefix, NOTHING
    if func[0] == "attr" and fn.facts.values[func[1]][0] == "call":
        before, loads = _option(project, fn, fn.facts.calls[fn.facts.values[func[1]][1]], prefix)
        if func[2] == "options":
            return before, loads.merged(_options(project, fn, call.args, before))
    op = _operation(project, fn, call)
    if op not in (*LOADS, "lazy_load"):
        return before, loads if op else EVERYTHING
    path = before
    for vid in call.args:
        names = _names(fn, vid)
        if not names or "*" in names:
            return before, EVERYTHING
        path = (*path, *names)
    return path, loads if op == "lazy_load" else loads.merged(Loads(frozenset({path})))


def _operation(project: Project, fn: Fn, call: Call) -> str:
    """The operation of a loader function, or of a chained one by the name of the first."""
    for model in project.models(fn, call):
        return model.orm.op if model.orm is not None else ""
    func = fn.facts.values[call.func]
    if func[0] == "attr" and fn.facts.values[func[1]][0] == "call":
        inner = fn.facts.calls[fn.facts.values[func[1]][1]]
        for module in _modules(project, fn, inner):
            found = project.libraries.call(f"{module}.{func[2]}")
            if found is not None and found.orm is not None:
                return found.orm.op
    return ""


def _modules(project: Project, fn: Fn, call: Call) -> list[str]:
    """Modules of the loader function at the beginning of a chain."""
    func = fn.facts.values[call.func]
    if func[0] == "attr" and fn.facts.values[func[1]][0] == "call":
        return _modules(project, fn, fn.facts.calls[fn.facts.values[func[1]][1]])
    return [model.name.rpartition(".")[0] for model in project.models(fn, call)]


def _names(fn: Fn, vid: Vid) -> Path:
    """`Order.customer`, `"customer.address"`."""
    text = fn.const(vid)
    if isinstance(text, str):
        return tuple(text.split("."))
    value = fn.facts.values[vid]
    if value[0] == "attr":
        return (value[2],)
    if value[0] == "name" and "." in str(value[1]):
        return (str(value[1]).rpartition(".")[2],)
    if value[0] == "call":  # `Order.lines.and_(...)`, `Order.owner.of_type(...)`
        func = fn.facts.values[fn.facts.calls[value[1]].func]
        if func[0] == "attr":
            return _names(fn, func[1])
        if func[0] == "name":
            return (str(func[1]).split(".")[-2],)
    return ()
