"""Secret fields of marshmallow schemas that a handler dumps."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Cls, Fn, Hit, Project, display, sensitive, variable

from .names import ISSUING, STORED

SCHEMA, DUMPS, LEFT_OUT = "marshmallow.Schema", ("dump", "dumps"), ("load_only", "exclude")


def schema_fields(project: Project) -> Iterator[Hit]:
    """Secret fields of marshmallow schemas that a handler dumps."""
    seen = set()
    for fn, call in project.graph.calls_written(*DUMPS):
        for cls in _dumped(project, fn, call) if fn.fqn in project.route_functions else ():
            for owner, name in _secret_fields(project, cls):
                place = owner.owner.place(owner.facts.attributes[name])
                if place not in seen:
                    seen.add(place)
                    yield Hit(
                        f"`{cls.name}` sends `{name}` to every client that it answers; take the field out, or make it `load_only`.",
                        place,
                        related=(fn.step(call.span, "dumped here"),),
                    )


def _dumped(project: Project, fn: Fn, call: Call) -> Iterator[Cls]:
    """The schema of `AccountSchema().dump(...)`, where it was not made to show less: `AccountSchema(exclude=("password",))`."""
    func = fn.value(call.func)
    if func[0] == "attr":
        owner, vid = display(project, fn, func[1])
    else:
        owner, vid = variable(project, fn, str(func[-1]).rpartition(".")[0]) or (fn, call.func)
    made = owner.unguarded(vid)
    maker = owner.calls[made[1]] if made[0] == "call" else None
    if maker is None or any(key in ("exclude", "only") for key, _ in maker.kwargs):
        return
    for ref in project.callees(owner, maker):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        if cls is not None and project.hierarchy.is_a(cls, SCHEMA) and not ISSUING.search(cls.name):
            yield cls


def _secret_fields(project: Project, cls: Cls) -> Iterator[tuple[Cls, str]]:
    """Fields that a dump of the schema holds."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    left = set(_left_out(meta)) if meta is not None else set()
    for owner in project.hierarchy.mro(cls):
        for name, vid in owner.facts.attributes.items():
            value = owner.owner.unguarded(vid)
            call = owner.owner.calls[value[1]] if value[0] == "call" else None
            if call is None or name in left or not (STORED.search(name) or "password" in name):
                continue
            if sensitive(name) == "secret" and owner.owner.const(call.kwarg("load_only")) is not True:
                yield owner, name


def _left_out(meta: Cls) -> Iterator[object]:
    """The fields that the options of a schema keep out of its dumps."""
    for key in LEFT_OUT:
        value = meta.owner.value(meta.facts.attributes[key]) if key in meta.facts.attributes else ("",)
        if value[0] in ("tuple", "list"):
            yield from map(meta.owner.const, value[1])
