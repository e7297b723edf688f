"""Tables from Django's models: abstract bases, multi-table inheritance, Meta, implicit ids, many-to-many tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.facts.within import only_for_types
from backendlint.project.schema.django_apps import Apps, settings_of
from backendlint.project.schema.django_fields import (
    NO_MODELS,
    Field,
    Options,
    declares_fields,
    read_field,
    read_options,
)
from backendlint.project.schema.django_known import BASES, PLAIN_BASES
from backendlint.project.schema.django_state import Model, State
from backendlint.project.schema.model import Schema
from backendlint.project.schema.reading import Links, Node, base_name, class_node, lineage, location_of

_MODELS = frozenset({"django.db.models.Model", "django.db.models.base.Model", "django.contrib.gis.db.models.Model"})


def read_django_models(files: Sequence[FileFacts], links: Links) -> tuple[State, Schema]:
    """The state and the tables of all concrete models."""
    uses_django = any(item.target.partition(".")[0] == "django" for file in files for item in file.imports)
    candidates = [file for file in files if _concerned(file)] if uses_django else []
    if not candidates:
        return State(), Schema()
    apps = Apps(files, links)
    state = settings_of(files, links, apps)
    found = [
        (file, cls)
        for file in candidates
        for cls in file.classes.values()
        if _is_model(file, cls, links) and not only_for_types(file.functions[cls.owner], cls.span)
    ]
    for file, cls in found:
        app = _app_label(file, cls, apps, links)
        state.classes[f"{file.module}.{cls.qualname}"] = f"{app}.{cls.name}".lower()
    for file, cls in found:
        model = _read_model(file, cls, apps, links, state)
        if model is not None:
            state.models[model.key] = model
    _proxies(state)
    schema = Schema()
    for table in state.tables():
        schema.add(table)
    return state, schema


def _concerned(file: FileFacts) -> bool:
    """True when the file may hold models; migrations define none."""
    if ".migrations." in f".{file.module}.":
        return False
    return bool(file.classes) and any(cls.bases for cls in file.classes.values())


def _is_model(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    unknown = False
    for where, item in lineage(file, cls, links):
        for base in item.bases:
            name = base_name(class_node(where, item, base, links))
            if name in _MODELS:
                return True
            last = name.rpartition(".")[2]
            if last in BASES and links.find_class(name) is None and not name.startswith("builtins"):
                return True
            if name.startswith(("modelcluster.models.", "wagtail.models.", "mptt.models.", "polymorphic.models.")):
                return True
            unknown = unknown or bool(name and links.find_class(name) is None and not name.startswith(NO_MODELS))
    return unknown and any(
        declares_fields(where.functions[item.owner], item) for where, item in lineage(file, cls, links)
    )


def _app_label(file: FileFacts, cls: ClassFacts, apps: Apps, links: Links) -> str:
    return _meta(file, cls, links).app_label or apps.label(file.module)


def _meta(file: FileFacts, cls: ClassFacts, links: Links) -> Options:
    """The class's own Meta, with what it inherits from other Meta classes."""
    inner = file.classes.get(f"{cls.qualname}.Meta")
    if inner is None:
        return Options()
    pairs: dict[str, Node] = {}
    for where, item in reversed(list(_meta_lineage(file, inner, links))):
        for name, vid in item.attributes.items():
            pairs[name] = class_node(where, item, vid, links)
    options = read_options(pairs)
    own = inner.attributes.get("abstract", -1)
    options.abstract = own >= 0 and class_node(file, inner, own, links).const() is True
    return options


def _meta_lineage(file: FileFacts, inner: ClassFacts, links: Links) -> Iterator[tuple[FileFacts, ClassFacts]]:
    yield from lineage(file, inner, links)


def _read_model(file: FileFacts, cls: ClassFacts, apps: Apps, links: Links, state: State) -> Model | None:
    options = _inherited_options(file, cls, links)
    if options.abstract:
        return None
    app = _app_label(file, cls, apps, links)
    model = Model(
        app,
        cls.name,
        options=options,
        owner=f"{file.module}.{cls.qualname}",
        location=location_of(file.path, cls.header),
    )
    parents: list[str] = []
    hidden = _hidden(file, cls, links)
    for position, (where, item) in enumerate(lineage(file, cls, links)):
        dotted = f"{where.module}.{item.qualname}"
        concrete = position and dotted in state.classes and not _meta(where, item, links).abstract
        if concrete:
            parents.append(state.classes[dotted])
            continue
        if position and _inherits_concrete(parents, where, item, links, state):
            continue
        for found in _own_fields(where, item, links):
            if not position or found.name not in hidden:
                model.fields.setdefault(found.name, found)
        if not _foreign(model, where, item, links, hidden):
            model.complete = False
    model.parents = tuple(parents)
    _link_to_parent(model)
    return model


def _link_to_parent(model: Model) -> None:
    """`item = OneToOneField(Item, parent_link=True)`: the key of the model's table, in the place of `item_ptr`."""
    if not model.parents or any(item.primary_key for item in model.fields.values()):
        return
    link = next((item for item in model.fields.values() if item.parent_link), None)
    if link is not None:
        model.fields[link.name] = replace(link, primary_key=True)


def _inherits_concrete(parents: list[str], file: FileFacts, cls: ClassFacts, links: Links, state: State) -> bool:
    """True when an abstract base was already reached through a concrete parent, whose table holds its columns."""
    dotted = f"{file.module}.{cls.qualname}"
    for parent in parents:
        owner = next((name for name, key in state.classes.items() if key == parent), "")
        found = links.find_class(owner)
        if found is not None and any(f"{w.module}.{i.qualname}" == dotted for w, i in lineage(*found, links)):
            return True
    return False


def _inherited_options(file: FileFacts, cls: ClassFacts, links: Links) -> Options:
    """Own Meta; without one, that of the nearest abstract base (never its `abstract`) or base that is no model."""
    if f"{cls.qualname}.Meta" in file.classes:
        return _meta(file, cls, links)
    for where, item in list(lineage(file, cls, links))[1:]:
        if f"{item.qualname}.Meta" in where.classes:
            options = _meta(where, item, links)
            if options.abstract:
                return replace(options, abstract=False)
            if not _is_model(where, item, links):
                return options
    return Options()


def _own_fields(file: FileFacts, cls: ClassFacts, links: Links) -> Iterator[Field]:
    for name, vid in cls.attributes.items():
        if not name.startswith("__"):
            found = read_field(name, class_node(file, cls, vid, links))
            if found is not None:
                yield found


def _hidden(file: FileFacts, cls: ClassFacts, links: Links) -> set[str]:
    """Names that the class, or a base that is no model, uses for something else (`comment = None`, a property): fields of
    abstract bases that are called so are not inherited."""
    found: set[str] = set()
    for position, (where, item) in enumerate(lineage(file, cls, links)):
        if not position or not _is_model(where, item, links):
            found.update(item.methods)
            found.update(item.attributes.keys() - {field.name for field in _own_fields(where, item, links)})
    return found


def _foreign(model: Model, file: FileFacts, cls: ClassFacts, links: Links, hidden: set[str]) -> bool:
    """Add what bases from outside bring; False when one of them is not known."""
    known = True
    for base in cls.bases:
        name = base_name(class_node(file, cls, base, links))
        if not name or links.find_class(name) is not None or name.startswith("builtins."):
            continue
        last = name.rpartition(".")[2]
        for item in BASES.get(last, ()):
            if item.name in hidden:
                continue
            model.fields.setdefault(item.name, replace(item, location=model.location))
        known = known and (last in BASES or last in PLAIN_BASES or last.endswith("Mixin"))
    return known


def _proxies(state: State) -> None:
    """A proxy stands for its parent's table."""
    for model in state.models.values():
        if model.options.proxy and model.parents:
            parent = state.models.get(model.parents[0])
            if parent is not None and not model.options.db_table:
                model.options.db_table = parent.table
