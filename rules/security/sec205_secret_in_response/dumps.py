"""Secret fields of marshmallow schemas that a handler dumps."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Cls, Hit, Project, dumped_schemas, sensitive

from .names import ISSUING, STORED

DUMPS, LEFT_OUT = ("dump", "dumps"), ("load_only", "exclude")


def schema_fields(project: Project) -> Iterator[Hit]:
    """Secret fields of marshmallow schemas that a handler dumps."""
    seen = set()
    for fn, call in project.graph.calls_written(*DUMPS):
        for cls, _ in dumped_schemas(project, fn, call) if fn.fqn in project.route_functions else ():
            for owner, name in _secret_fields(project, cls) if not ISSUING.search(cls.name) else ():
                place = owner.owner.place(owner.facts.attributes[name])
                if place not in seen:
                    seen.add(place)
                    yield Hit(
                        f"`{cls.name}` sends `{name}` to every client that it answers; take the field out, or make it `load_only`.",
                        place,
                        related=(fn.step(call.span, "dumped here"),),
                    )


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
