"""Generic views below a parent in the path, whose rows are those of all parents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Cls, Fn, Hit, Location, Project, Route, Step

ROWS = ("get_queryset", "filter_queryset")
OBJECTS = ("has_object_permission", "filter_queryset")


def unscoped(project: Project) -> Iterator[Hit]:
    """Generic views below a parent in the path that fetch by their own id among the rows of all parents."""
    narrowing = list(_narrowed(project))
    seen = set()
    for route in project.routes if narrowing else ():
        names = re.findall(r"\{(\w+)\}", route.path)
        cls, found = route.cls, _model_of(project, route.cls)
        if cls is None or found is None or len(names) < 2 or not route.path.rstrip("/").endswith("}"):
            continue
        place, model = found
        parent, field = next(
            ((name, field) for name in names[:-1] if (field := _related(project, model, name))), ("", "")
        )
        alike = [view for view, name, key in narrowing if (name, key) == (field, parent) and view is not cls]
        example = next((view for view in alike if view.path == cls.path), alike[0] if alike else None)
        if not parent or example is None or place in seen or _looks_itself(project, route, cls, names):
            continue
        seen.add(place)
        yield Hit(
            f"{route.label} fetches a `{model.name}` by `{names[-1]}` among those of every {field}: who may enter one {field} "
            f"reaches the rows of all others. Narrow the rows by `{parent}`, as `{example.name}` does.",
            place,
            related=(Step(example.header, f"`{example.name}` narrows by `{parent}`"),),
            profile=None if _kept_apart(project, cls, example) else "strict",
        )


def _kept_apart(project: Project, cls: Cls, example: Cls) -> bool:
    """Whether anything asks who may enter a parent: a permission of either view, or the example's own look at the caller.
    Where everybody who has signed in may enter each, the path is no boundary."""
    if any(project.access.authorization(route) for route in project.routes if route.cls in (cls, example)):
        return True
    return any(
        method.facts.values[vid][2] == "user" for method in example.methods.values() for vid in method.made_by("attr")
    )


def _model_of(project: Project, cls: Cls | None) -> tuple[Location, Cls] | None:
    """The model of a generic view's `queryset = X.objects.all()`, and where that stands."""
    for owner in project.hierarchy.mro(cls) if cls is not None else ():
        vid = owner.facts.attributes.get("queryset", -1)
        for ref in project.refs(owner.owner, vid) if vid >= 0 else ():
            model = (
                project.classes.get(ref.arg.name) if ref.name.endswith(".QuerySet") and ref.arg is not None else None
            )
            if model is not None:
                return owner.owner.place(vid), model
    return None


def _related(project: Project, model: Cls, name: str) -> str:
    """The model's foreign key to what a path parameter names (`project` for `project_id`), or ""."""
    field = re.sub(r"_(id|pk|uuid|slug|key|name)$", "", name)
    for owner in project.hierarchy.mro(model):
        refs = project.refs(owner.owner, owner.facts.attributes[field]) if field in owner.facts.attributes else ()
        if any(ref.name.rpartition(".")[2] in ("ForeignKey", "OneToOneField") for ref in refs):
            return field
    return ""


def _narrowed(project: Project) -> Iterator[tuple[Cls, str, str]]:
    """Views that narrow their rows by a field and a path parameter: `filter(project=self.kwargs["project_id"])`."""
    for cls in {route.cls: None for route in project.routes if route.cls is not None}:
        for method in (method for name, method in cls.methods.items() if name in ROWS):
            for call in method.calls:
                for key, vid in call.kwargs:
                    value = method.unguarded(vid)
                    from_path = value[0] == "item" and method.value(value[1])[2:] == ("kwargs",)
                    if from_path and isinstance(name := method.const(value[2]), str):
                        yield cls, re.sub(r"_(id|pk)$|__(id|pk)$", "", key), name


def _looks_itself(project: Project, route: Route, cls: Cls, names: list[str]) -> bool:
    """Whether the view, a permission or a filter may see to it that the object lies below its parent."""
    if any(project.method(cls, name) is not None for name in (*ROWS, route.action, "get_object", "get_permissions")):
        return True
    if any(_names_any(method, names[:-1]) for method in route.called):
        return True
    for ref in project.access.listed(cls):
        listed = project.classes.get(ref.name)
        if listed is None:
            if re.search(r"Object|Admin", ref.name.rpartition(".")[2]):
                return True
            continue
        methods = [method for owner in project.hierarchy.mro(listed) for method in owner.methods.values()]
        if any(method.name in OBJECTS or _names_any(method, names[-1:]) for method in methods):
            return True
    return False


def _names_any(fn: Fn, names: list[str]) -> bool:
    return any(fn.value(vid)[1] in names for vid in fn.made_by("const"))
