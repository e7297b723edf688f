"""What a library passes to methods of a project's class: an instance of the class that an attribute names (`form_class`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Cls, Fn, Ref, Refs

if TYPE_CHECKING:
    from backendlint.project.model import Project

_META = "Meta.model"


def argument_class(project: Project, fn: Fn) -> Refs:
    """What the first argument of a method may be by the models of its class's library bases."""
    cls, names = fn.cls, [fn.name, f"{fn.name.partition('_')[0]}_*"]
    if cls is None or project.libraries.hooks_with_arguments.isdisjoint(names):
        return ()
    if project.hierarchy.attribute(cls, fn.name.partition("_")[2]) is None:
        names.pop()  # `get_total` is called for a field `total`
    models = project.hierarchy.library_models(cls)
    said = (model.argument_classes.get(name) for model in models for name in names)
    attribute = next(filter(None, said), "")
    if attribute == _META:
        return project.resolver.types.of_meta(cls)
    stated = project.hierarchy.attribute(cls, attribute)
    refs = project.refs(*stated) if stated is not None else _within(project, cls, attribute)
    return tuple(dict.fromkeys(item for ref in refs for item in project.resolver.instance(ref)))


def _within(project: Project, cls: Cls, name: str) -> Refs:
    """A class of that name in the body of the class or of one of its bases: `class form_class(forms.Form)`."""
    names = (f"{owner.fqn}.{name}" for owner in project.hierarchy.mro(cls) if name)
    return tuple(Ref("class", found) for found in names if found in project.classes)[:1]
