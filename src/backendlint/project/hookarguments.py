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
    stated = project.hierarchy.attribute(cls, attribute)
    refs = project.refs(*stated) if stated is not None else ()
    return tuple(dict.fromkeys(item for ref in refs for item in project.resolver.instance(ref)))
