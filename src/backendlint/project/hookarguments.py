"""What a library passes to methods of a project's class: an instance of the class that an attribute names (`form_class`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Fn, Refs

if TYPE_CHECKING:
    from backendlint.project.model import Project


def argument_class(project: Project, fn: Fn) -> Refs:
    """What the first argument of a method may be by the models of its class's library bases."""
    cls = fn.cls
    if cls is None or fn.name not in project.libraries.hooks_with_arguments:
        return ()
    models = project.hierarchy.library_models(cls)
    attribute = next((said for model in models if (said := model.argument_classes.get(fn.name))), "")
    for owner in project.hierarchy.mro(cls):
        vid = owner.facts.attributes.get(attribute, -1)
        if vid >= 0:
            found = [item for ref in project.refs(owner.owner, vid) for item in project.resolver.instance(ref)]
            return tuple(dict.fromkeys(found))
    return ()
