"""What serializers read of each object: relations of nested fields, and queries in their field methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.findings.model import Location, Step
from backendlint.project.entities import Cls, Fn, Refs
from backendlint.project.graph.calls import Edge
from backendlint.project.linking.binding import unchanged
from backendlint.project.loops.chosenfields import Chosen, chosen
from backendlint.project.loops.loops import block_at, few, loops_around
from backendlint.project.loops.viewrows import narrows
from backendlint.project.loops.viewserializers import excluded, named_for, serializer_for
from backendlint.project.rows.associations import Relation, declared, is_inner
from backendlint.project.rows.furtherreads import further
from backendlint.project.rows.inhand import looks_first
from backendlint.project.rows.loaders import by_callers
from backendlint.project.rows.managedrows import handed_down, managed_path
from backendlint.project.rows.origins import Origin, Path
from backendlint.project.rows.queries import Query
from backendlint.project.rows.uniqueness import filters_one

if TYPE_CHECKING:
    from backendlint.project.model import Project

_METHOD_FIELD = ".SerializerMethodField"
MAX_DEPTH = 4
_LISTS = "list"
_ONE = frozenset({"retrieve", "create", "update", "partial_update", "destroy"})
"""Actions of viewsets that show one object."""
_ANSWERED = frozenset("all count exists first contains iterator add aadd set aset remove clear create".split())
"""Methods of a manager that take the rows which were prefetched, or that write; others send a statement, the project's own too."""


class FieldRead(NamedTuple):
    """A serializer's field that asks the database for each object unless its relation is loaded."""

    path: Path
    """Relations from the object; empty for a query in a field's method."""
    location: Location
    what: str
    query: Query | None
    steps: tuple[Step, ...] = ()
    narrowed: bool = False
    """`line_set.filter(...)`: what was loaded with the list does not answer it."""
    own: bool = False
    """A statement that a field's method itself sends."""

    @property
    def sends(self) -> bool:
        """Whether it asks the database whatever relations came with the list."""
        return self.query is not None or self.narrowed


class Serialized(NamedTuple):
    """A list of objects put through a serializer whose fields ask the database again."""

    place: Location
    function: str
    serializer: Cls
    read: FieldRead
    source: Step | None
    """The query that gives the objects."""


def serialized(project: Project) -> Iterator[Serialized]:
    """Views that list objects, and calls with `many=True`, with the fields that are not loaded."""
    actions = _routed(project)
    for cls in project.classes.values():
        routed = actions.get(cls.fqn, set())
        if project.hierarchy.role(cls) == "controller" and (_LISTS in routed or routed.isdisjoint(_ONE)):
            yield from _view(project, cls)
    for fn, call in project.graph.calls_with("many"):
        if fn.const(call.kwarg("many")) is True and call.args:
            if fn.value(call.func)[0] == "item":  # any of a table of serializers
                continue
            if few(project, fn, call.args[0]) and not loops_around(fn, call.block):
                continue
            for serializer in _serializers(project, named_for(project, fn, call) or project.callees(fn, call)):
                yield from _call(project, fn, call, serializer)
            yield from _handed(project, fn, call)


def _serializers(project: Project, refs: Refs) -> list[Cls]:
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "class"]
    return [cls for cls in classes if project.hierarchy.role(cls) == "serializer"]


def _handed(project: Project, fn: Fn, call: Call) -> Iterator[Serialized]:
    """`def paged(serializer_class, rows): ... serializer_class(rows, many=True)`, for each call of that."""
    made, rows = fn.unguarded(call.func), unchanged(fn, call.args[0])
    if made[0] != "param" or rows[0] != "param":
        return
    for edge in project.graph.callers(fn):
        if edge.kind != "call" or edge.call is None:
            continue
        bound = edge.bound()
        passed = [[vid for vid, part in bound.get(index, ()) if not part] for index in (made[1], rows[1])]
        if all(len(vids) == 1 for vids in passed):
            place = edge.caller.location(edge.call.span)
            for serializer in _serializers(project, project.refs(edge.caller, passed[0][0])):
                yield from _judged(project, edge.caller, passed[1][0], serializer, place, edge.caller.fqn)


def _routed(project: Project) -> dict[str, set[str]]:
    """The actions of view classes to which routes lead: `as_view({"get": "retrieve"})` lists nothing."""
    found: dict[str, set[str]] = {}
    for route in project.routes:
        for cls in project.hierarchy.mro(route.cls) if route.cls is not None else ():
            found.setdefault(cls.fqn, set()).add(route.action)
    return found


def _call(project: Project, fn: Fn, call: Call, serializer: Cls) -> Iterator[Serialized]:
    left = chosen(project, serializer, fn, call)
    yield from _judged(project, fn, call.args[0], serializer, fn.location(call.span), fn.fqn, left)


def _view(project: Project, cls: Cls) -> Iterator[Serialized]:
    """A generic view that lists: its serializer_class against its queryset, less what it loads for the page that it shows."""
    paged = _paged(project, cls)
    for item in _listed(project, cls):
        if item.read.sends or not any(origin.open or origin.loads.has(item.read.path) for origin in paged):
            yield item


def _paged(project: Project, cls: Cls) -> list[Origin]:
    """The queries by which a `paginate_queryset` fetches the page's rows anew."""
    method = project.method(cls, "paginate_queryset")
    if method is None:
        return []
    begun = {method, *(edge.callee for edge in project.graph.callees(method))}
    found = (origin for vid in method.returned for origin in project.origins.of(method, vid))
    return [origin for origin in found if origin.steps and origin.steps[-1].fn in begun]


def _listed(project: Project, cls: Cls) -> Iterator[Serialized]:
    serializer = serializer_for(project, cls, _LISTS) if _lists_itself(project, cls) else None
    if serializer is None:
        return
    method = project.method(cls, "get_queryset")
    if method is not None:
        told: set[str] = set()
        for item in method.facts.returns if method.cls is cls else ():
            place = method.location(item.span)
            for found in _judged(project, method, item.value, serializer, place, method.fqn, listed=True):
                if found.read.what not in told:
                    told.add(found.read.what)
                    yield found
        if method.cls is cls or not narrows(project, cls, method):
            return
    rows = project.hierarchy.attribute(cls, "queryset")
    if rows is not None:
        home, vid = rows
        yield from _judged(project, home, vid, serializer, home.place(vid), home.fqn, listed=True)


def _lists_itself(project: Project, cls: Cls) -> bool:
    """Whether the view's list shows its own queryset by its own serializer."""
    own = project.method(cls, _LISTS)
    if own is not None:
        names = {own.callee_name(call) for call in own.calls}
        if "get_serializer" in names or _LISTS not in names:
            return "get_serializer" in names and ("get_queryset" in names or _reads(own, "queryset"))
    return any(_lists(project, base) for base in project.hierarchy.library_bases(cls))


def _reads(fn: Fn, name: str) -> bool:
    return any(fn.facts.values[vid][2] == name for vid in fn.made_by("attr"))


def _lists(project: Project, base: str) -> bool:
    return any(_LISTS in model.provides for model in project.libraries.lineage(base))


def _judged(
    project: Project,
    fn: Fn,
    vid: Vid,
    serializer: Cls,
    place: Location,
    function: str,
    left: Chosen | None = None,
    *,
    listed: bool = False,
) -> Iterator[Serialized]:
    """What is asked for each of the objects; `listed`: a view lists them, wherever they come from."""
    origins = [item for item in project.origins.of(fn, vid) if (item.known or listed) and "none" not in item.ops]
    origins = [item for item in origins if item.steps and not filters_one(project, item)]
    if not origins or _of_another(project, fn, vid, serializer):
        return
    told: list[Path] = []
    for read in field_reads(project, serializer, left):
        if any(len(path) < len(read.path) and read.path[: len(path)] == path for path in told):
            continue  # what leads there is to be loaded first
        for origin in (item for item in origins if item.known or read.sends):
            whole = (*origin.path, *read.path)
            loaded = origin.loads.has(whole) or _loaded_elsewhere(origin, origins, whole)
            loaded = loaded or by_callers(project, origin, whole)
            if read.sends or not (loaded or _leads_back(project, serializer, read, origin.path)):
                told += [read.path] if read.path else []
                source = Step(fn.place(vid), "the objects come from here")
                yield Serialized(place, function, serializer, read, source)
                break


def _loaded_elsewhere(origin: Origin, origins: list[Origin], path: Path) -> bool:
    """Whether the same query loads it where a test says so, which knows what is shown: `if hasattr(cls, "RELATED"):
    query.select_related(*...)`, `if "lines" in wanted: query.prefetch_related("lines")`."""
    return any(
        item is not origin and item.path == origin.path and item.loads.has(path) and _goes_on(origin, item)
        for item in origins
    )


def _goes_on(origin: Origin, other: Origin) -> bool:
    """Whether a query has all steps of another, in the same order, and steps that load in branches that a list may take."""
    steps = iter(other.steps)
    if any(step not in steps for step in origin.steps):
        return False
    added = (step for step in other.steps if step not in origin.steps)
    return not any(excluded(step.fn, step.fn.tests_of(step.call.block), _LISTS) for step in added)


def _of_another(project: Project, fn: Fn, vid: Vid, serializer: Cls) -> bool:
    """Whether the objects are known to be of other models than the serializer's alone: something else is listed, then."""
    model = model_of(project, serializer)
    elements = (ref.arg for ref in project.refs(fn, vid) if ref.arg is not None and ref.arg.kind == "inst")
    listed = [item.name for item in elements if project.hierarchy.role(project.classes[item.name]) == "model"]
    return model is not None and bool(listed) and not any(_related(project, name, model) for name in listed)


def _related(project: Project, name: str, model: Cls) -> bool:
    return project.hierarchy.subclass_of(name, model.fqn) or project.hierarchy.subclass_of(model.fqn, name)


def _leads_back(project: Project, serializer: Cls, read: FieldRead, before: Path) -> bool:
    """Whether the relation at the path's end is the way back to an object that the path passed, or the one to the objects:
    `line.order` of `order.lines`."""
    entity = model_of(project, serializer)
    found = list(project.associations.along(entity, read.path)) if entity is not None else []
    whole = bool(found) and len(found) == len(read.path)
    return whole and project.associations.leads_back((*before, *read.path)[:-1], found[-1])


def field_reads(
    project: Project, serializer: Cls, left: Chosen | None = None, prefix: Path = (), depth: int = 0
) -> list[FieldRead]:
    """Fields of a serializer that need more than the object's own row, of those that its constructor leaves."""
    model = model_of(project, serializer)
    if model is None or depth > MAX_DEPTH:
        return []
    found: list[FieldRead] = []
    shown, left = _shown_fields(project, serializer), left or chosen(project, serializer)
    stated = [(owner, *item) for owner in project.hierarchy.mro(serializer) for item in owner.facts.attributes.items()]
    fields = [item for item in stated if (shown is None or item[1] in shown) and left.leaves(item[1])]
    for owner, name, vid in fields:
        found += _field(project, owner, name, vid, serializer, model, prefix, depth)
    for owner, name, vid in fields:
        found += _method_field(project, owner, name, vid, serializer, prefix)
    for name in sorted((shown or set()) - {name for _, name, _ in stated}):
        found += _property(project, model, name, prefix) if left.leaves(name) else ()
    return found


def _property(project: Project, model: Cls, name: str, prefix: Path) -> Iterator[FieldRead]:
    """`fields = ["full_name"]`: a property of the model, which asks for each object."""
    method = project.method(model, name)
    if method is not None and method.kind == "property":
        yield from _method(project, method, prefix, 0)


def _field(
    project: Project, owner: Cls, name: str, vid: Vid, serializer: Cls, model: Cls, prefix: Path, depth: int
) -> Iterator[FieldRead]:
    value = owner.owner.facts.values[vid]
    if value[0] != "call":
        return
    call = owner.owner.facts.calls[value[1]]
    if owner.owner.const(call.kwarg("write_only")) is True or _by_method(project, owner.owner, call):
        return
    source = owner.owner.const(call.kwarg("source"))
    parts = source.split(".") if isinstance(source, str) and source != "*" else [name]
    path: Path = tuple(relation.name for relation in project.associations.along(model, parts))
    nested = next((project.classes[ref.name] for ref in project.callees(owner.owner, call)
                   if ref.kind == "class" and project.hierarchy.role(project.classes[ref.name]) == "serializer"), None)  # fmt: skip
    if path and (nested is not None or len(parts) > len(path) or _reads_row(project, owner.owner, call)):
        yield FieldRead((*prefix, *path), owner.owner.location(call.span), f"`{name}` reads `{'.'.join(path)}`", None)
        if nested is not None:
            inner = chosen(project, nested, owner.owner, call)
            yield from field_reads(project, nested, inner, (*prefix, *path), depth + 1)


def _reads_row(project: Project, fn: Fn, call: Call) -> bool:
    """Fields that show more of a related object than its key."""
    names = {ref.name.rpartition(".")[2] for ref in project.callees(fn, call)}
    return bool(names & {"StringRelatedField", "SlugRelatedField"}) or (
        "PrimaryKeyRelatedField" in names and fn.const(call.kwarg("many")) is True
    )


def _method_field(
    project: Project, owner: Cls, name: str, vid: Vid, serializer: Cls, prefix: Path
) -> Iterator[FieldRead]:
    """`get_x(self, obj)` of method fields."""
    value = owner.owner.facts.values[vid]
    if value[0] != "call":
        return
    call = owner.owner.facts.calls[value[1]]
    if not _by_method(project, owner.owner, call):
        return
    stated = owner.owner.const(call.args[0] if call.args else call.kwarg("method_name"))
    method = project.method(serializer, stated if isinstance(stated, str) else f"get_{name}")
    if method is not None:
        yield from _method(project, method, prefix, 1)
        yield from _further(project, method, serializer, prefix)


def _further(project: Project, method: Fn, serializer: Cls, prefix: Path) -> Iterator[FieldRead]:
    """What a field's method reads of what the object leads to."""
    model = model_of(project, serializer)
    if model is None or project.queries.cached(method):
        return
    for vid, names in further(project, method, 1, model):
        text = f"`{method.name}()` reads `{'.'.join(names)}`"
        yield FieldRead((*prefix, *names), method.place(vid), text, None)


def _by_method(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a field is what a method gives, also by a class of the project for such fields."""
    for ref in project.callees(fn, call):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        names = project.hierarchy.library_bases(cls) if cls is not None else (ref.name,)
        if any(name.endswith(_METHOD_FIELD) for name in names):
            return True
    return False


def _method(project: Project, method: Fn, prefix: Path, slot: int) -> Iterator[FieldRead]:
    """What a method reads of its parameter, which is one of the objects."""
    if project.queries.cached(method):
        return
    shown = f"`{method.name}`" if method.kind == "property" else f"`{method.name}()`"
    query = next((item for item in project.queries.direct(method) if item.kind == "read"), None)
    if query is not None and _not_in_lists(method, query.block, query.span):
        return
    if query is not None:
        managed = managed_path(project, query, slot)
        path, sent = ((*prefix, *managed), None) if managed else (prefix, query)
        place = method.place(query.vid) if query.call is None else method.location(query.span)
        yield FieldRead(path, place, f"{shown} asks {query.name}", sent, own=method.kind != "property")
        return
    reason = project.queries.reason(method)
    if reason is not None:
        edges, deep = project.queries.chain(method)
        asked = [(edge.caller, edge.block, edge.span) for edge in edges]
        asked += [(deep.fn, deep.block, deep.span)] if deep is not None else []
        if any(_not_in_lists(*place) for place in asked):
            return
        if deep is not None and edges:
            place, way = method.location(edges[0].span), _brought(project, method, tuple(edges), deep, slot)
            asks, steps = f"{shown} asks {deep.name}", project.queries.steps(method)
            yield FieldRead((*prefix, *way), place, asks, None if way else deep, steps)
            return
    for vid, value in enumerate(method.facts.values):
        if value[0] == "attr" and method.facts.values[value[1]] == ("param", slot):
            relation = declared(project, method, vid) or _of_model(project, method, str(value[2]))
            inner = relation is not None and relation.manager and is_inner(method, vid)
            if relation is not None and not inner and not _outside_requests(method, vid):
                narrowed = relation.manager and _asked_anew(method, vid)
                text = f"{shown} {'asks' if narrowed else 'reads'} `{value[2]}`"
                yield FieldRead(
                    (*prefix, str(value[2])), method.place(vid), text, None, narrowed=narrowed, own=relation.manager
                )
                return


def _not_in_lists(fn: Fn, block: int, span: Span) -> bool:
    """Whether something is looked at before that spares the query, or the view's action: `if view.action != "retrieve": return`."""
    return looks_first(fn, block, span) or excluded(fn, fn.tests_before(block, span, ("return", "raise")), _LISTS)


def _brought(project: Project, method: Fn, edges: tuple[Edge, ...], query: Query, slot: int) -> Path:
    """The way from a method's parameter to the relation that a query below it takes as it comes, if it does."""
    for inner in range(len(query.fn.facts.params)):
        below = managed_path(project, query, inner)
        head = handed_down(edges, inner) if below else None
        if head is not None and method.unguarded(head[0]) == ("param", slot):
            return (*head[1], *below)
    return ()


def _outside_requests(method: Fn, vid: Vid) -> bool:
    """`self.context["request"].user.shop if self.context.get("request") else row.shop`: read where no view shows the rows."""
    tests = method.tests_of(block_at(method, method.facts.span_of(vid)))
    return any(not outcome and _asks_for_request(method, test) for test, outcome in tests if test >= 0)


def _asks_for_request(method: Fn, test: Vid) -> bool:
    """`self.context.get("request")`, `"request" in self.context`."""
    value = method.unguarded(test)
    if value[0] == "compare" and value[1] == ("in",):
        key, context = value[2]
    elif value[0] == "call" and method.func_of(value)[::2] == ("attr", "get") and method.calls[value[1]].args:
        key, context = method.calls[value[1]].args[0], method.func_of(value)[1]
    else:
        return False
    return method.const(key) == "request" and method.unguarded(context)[::2] == ("attr", "context")


def _asked_anew(method: Fn, manager: Vid) -> bool:
    """Whether a method of the manager is called that sends a statement also where all its rows are there."""
    funcs = (method.facts.values[call.func] for call in method.calls)
    return any(func[0] == "attr" and func[1] == manager and func[2] not in _ANSWERED for func in funcs)


def _of_model(project: Project, method: Fn, name: str) -> Relation | None:
    model = model_of(project, method.cls) if method.cls is not None else None
    return project.associations.find(model, name) if model is not None else None


def model_of(project: Project, serializer: Cls) -> Cls | None:
    """`Meta.model`."""
    for owner in project.hierarchy.mro(serializer):
        meta = project.classes.get(f"{owner.fqn}.Meta")
        if meta is not None:
            for ref in project.refs(meta.owner, meta.facts.attributes.get("model", -1)):
                if ref.kind == "class":
                    return project.classes[ref.name]
    return None


def _shown_fields(project: Project, serializer: Cls) -> set[str] | None:
    """`Meta.fields` where it is a constant list; None for all."""
    for owner in project.hierarchy.mro(serializer):
        meta = project.classes.get(f"{owner.fqn}.Meta")
        if meta is None or "fields" not in meta.facts.attributes:
            continue
        value = meta.owner.facts.values[meta.facts.attributes["fields"]]
        if value[0] in ("list", "tuple"):
            names = [meta.owner.const(vid) for vid in value[1]]
            return {name for name in names if isinstance(name, str)}
        return None
    return None
