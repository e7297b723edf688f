"""Which templates views fill, and with which values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Value, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg, Renders
from backendlint.project.linking.binding import receiver

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 12
_LIST_VIEWS = "django.views.generic.ListView"
_DETAIL_VIEWS = "django.views.generic.DetailView"
_TEMPLATE_VIEWS = "django.views.generic.View"


class Passed(NamedTuple):
    """A value of the context."""

    fn: Fn
    vid: Vid
    """-1 where the framework makes the query, of `entity`."""
    entity: str = ""
    """Fqn of the model whose objects a generic view lists, or shows (with `one`)."""
    one: bool = False
    span: Span | None = None
    """Where a class names its model."""


Context = dict[str, list[Passed]]


class Rendering(NamedTuple):
    """A template that is filled."""

    fn: Fn
    span: Span
    names: tuple[str, ...]
    context: Context


def renderings(project: Project) -> Iterator[Rendering]:
    """Calls that fill a template, functions whose decorator does, and generic views."""
    for fn, call, model in project.effects.sites:
        if model.renders is not None:
            yield from filled(project, fn, call, model.renders)
    for fn in project.all_functions():
        if fn.decorators:
            yield from _decorated(project, fn)
    if project.imports("django"):
        routed = {route.cls.fqn for route in project.routes if route.cls is not None}
        for cls in project.classes.values():
            only_base = cls.subclasses and cls.fqn not in routed
            if not only_base and project.hierarchy.is_a(cls, _TEMPLATE_VIEWS):
                yield from _generic(project, cls)


def filled(project: Project, fn: Fn, call: Call, renders: Renders) -> Iterator[Rendering]:
    """The template that a call fills, if its name is known."""
    shift, names = named(project, fn, call, renders.name)
    if not names:
        return
    context: Context = {}
    if renders.context is not None and renders.context.all_keywords:
        for key, vid in call.kwargs:
            if key == "**":
                _collect(project, fn, vid, context)
            elif key not in renders.name.keywords:
                context.setdefault(key, []).append(Passed(fn, vid))
    for vid in arguments(call, _shifted(renders.context, shift)) if renders.context is not None else ():
        if fn.facts.values[vid][0] != "const":
            _collect(project, fn, vid, context)
    yield Rendering(fn, call.span, names, context)


def named(project: Project, fn: Fn, call: Call, arg: Arg) -> tuple[int, tuple[str, ...]]:
    """The template's names; and 1 where the call is of an older form, without the argument before the name."""
    if arg.receiver:
        base = receiver(fn, call)
        maker = fn.facts.values[base] if base >= 0 else ("unknown",)
        named = list(fn.facts.calls[maker[1]].args[:1]) if maker[0] == "call" else []
        return 0, tuple(text for vid in named for text in _texts(project, fn, vid))
    for shift in (0, 1):
        named = arguments(call, _shifted(arg, shift))
        names = tuple(text for vid in named for text in _texts(project, fn, vid))
        if names:
            return shift, names
    return 0, ()


def _shifted(arg: Arg, shift: int) -> Arg:
    return replace(arg, positions=tuple(item - shift for item in arg.positions if item >= shift)) if shift else arg


def _texts(project: Project, fn: Fn, vid: Vid) -> list[str]:
    found = project.constants(fn, vid) or []
    value = fn.facts.values[vid]
    if not found and value[0] in ("list", "tuple"):
        found = [fn.const(item) for item in value[1]]
    return [text for text in found if isinstance(text, str)]


def _decorated(project: Project, fn: Fn) -> Iterator[Rendering]:
    """`@view_config(renderer="orders.html")`: the function's result is the context."""
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        value = home.facts.values[vid]
        if value[0] != "call":
            continue
        call = home.facts.calls[value[1]]
        for ref in project.callees(home, call):
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is None or model.renders is None:
                continue
            names = tuple(text for arg in arguments(call, model.renders.name) for text in _texts(project, home, arg))
            context: Context = {}
            for item in fn.facts.returns:
                if item.value >= 0:
                    _collect(project, fn, item.value, context)
            if names and context:
                yield Rendering(fn, fn.facts.header, names, context)


def _collect(project: Project, fn: Fn, vid: Vid, context: Context, depth: int = 0) -> None:
    """The entries of a dict, as far as they are written anywhere."""
    if vid < 0 or depth > MAX_DEPTH:
        return
    value = fn.facts.values[vid]
    if value[0] == "dict":
        for key, item in value[1]:
            _entry(project, fn, key, item, context, depth)
    elif value[0] == "store":
        _entry(project, fn, value[2], value[3], context, depth)
    elif value[0] == "call":
        _collect_call(project, fn, fn.facts.calls[value[1]], context, depth + 1)
    for item in _merged(value):
        _collect(project, fn, item, context, depth + 1)


def _entry(project: Project, fn: Fn, key: Vid, item: Vid, context: Context, depth: int) -> None:
    name = fn.const(key)
    if key < 0:
        _collect(project, fn, item, context, depth + 1)
    elif isinstance(name, str):
        context.setdefault(name, []).append(Passed(fn, item))


def _merged(value: Value) -> tuple[Vid, ...]:
    """The dicts of which a value is made."""
    if value[0] in ("store", "guard", "await", "setattr"):
        return (value[1],)
    if value[0] == "mut":
        return (value[1], *(value[3] if value[2] == "update" else ()))
    if value[0] == "phi":
        return tuple(value[1])
    return (value[2], value[3]) if value[0] == "binop" and value[1] == "|" else ()


def _collect_call(project: Project, fn: Fn, call: Call, context: Context, depth: int) -> None:
    """`dict(orders=...)`, `super().get_context_data(orders=...)`, a helper that returns a dict."""
    targets = project.targets(fn, call)
    for target in targets if depth < MAX_DEPTH - 4 else ():
        for item in target.facts.returns:
            _collect(project, target, item.value, context, depth + 4)
    if targets:
        return
    for key, vid in call.kwargs:
        if key == "**":
            _collect(project, fn, vid, context, depth)
        else:
            context.setdefault(key, []).append(Passed(fn, vid))
    for ref in project.callees(fn, call):
        if ref.name == "builtins.dict":
            for vid in call.args:
                _collect(project, fn, vid, context, depth)


# Django's generic views


def _generic(project: Project, cls: Cls) -> Iterator[Rendering]:
    """A view class that fills `template_name` with what it lists and what `get_context_data` adds."""
    stated = project.hierarchy.attribute(cls, "template_name")
    names = _texts(project, stated[0], stated[1]) if stated is not None else []
    context: Context = {}
    method = project.method(cls, "get_context_data")
    if method is not None:
        for item in method.facts.returns:
            if item.value >= 0:
                _collect(project, method, item.value, context)
    lists = project.hierarchy.is_a(cls, _LIST_VIEWS)
    if lists or project.hierarchy.is_a(cls, _DETAIL_VIEWS):
        shown = _shown(project, cls, lists)
        own = _context_names(project, cls, lists, shown)
        for name in own if shown else ():
            context.setdefault(name, []).extend(shown)
        if not names and shown:
            names = _default_names(project, shown[0], lists)
    if names and context:
        yield Rendering(cls.owner, cls.facts.header, tuple(names), context)


def _shown(project: Project, cls: Cls, lists: bool) -> list[Passed]:
    """The objects of a list or detail view: its `get_queryset`, `queryset` or `model`."""
    method = project.method(cls, "get_queryset")
    if method is not None:
        given = [vid for vid in method.returned if not _empty(method, vid)]
        return [Passed(method, vid, one=not lists) for vid in given[:1]]
    found = project.hierarchy.attribute(cls, "queryset")
    if found is not None:
        return [Passed(*found, one=not lists)]
    found = project.hierarchy.attribute(cls, "model")
    for ref in project.refs(*found) if found is not None else ():
        if ref.kind == "class":
            span = cls.facts.field_spans.get("model", cls.facts.header)
            return [Passed(cls.owner, -1, ref.name, not lists, span)]
    return []


def _empty(fn: Fn, vid: Vid) -> bool:
    """`Order.objects.none()`, where nothing was asked for."""
    value = fn.unguarded(vid)
    return value[0] == "call" and fn.callee_name(fn.calls[value[1]]) == "none"


def _context_names(project: Project, cls: Cls, lists: bool, shown: list[Passed]) -> list[str]:
    stated = project.hierarchy.attribute(cls, "context_object_name")
    own = stated[0].const(stated[1]) if stated is not None else ...
    names = ["object_list", "page_obj"] if lists else ["object"]
    if isinstance(own, str):
        return [*names, own]
    model = entity_of(project, shown[0]) if shown else None
    lower = model.name.lower() if model is not None else ""
    return [*names, f"{lower}_list" if lists else lower] if lower else names


def entity_of(project: Project, passed: Passed) -> Cls | None:
    """The model of the objects, or of the object, that is passed."""
    if passed.entity:
        return project.classes.get(passed.entity)
    return next(filter(None, map(project.hierarchy.model_in, project.refs(passed.fn, passed.vid))), None)


def _default_names(project: Project, shown: Passed, lists: bool) -> list[str]:
    """`shop/order_list.html` for the model `Order` of the application `shop`."""
    model = entity_of(project, shown)
    if model is None:
        return []
    folders = [part for part in model.path.split("/")[:-1] if part != "models"]
    return [f"{folders[-1] if folders else ''}/{model.name.lower()}{'_list' if lists else '_detail'}.html"]
