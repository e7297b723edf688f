"""What a form or serializer has found out about a value before the code gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.loops.filled import VALIDATED
from backendlint.project.loops.serializers import model_of

if TYPE_CHECKING:
    from backendlint.project.model import Project


_STORE = frozenset({"create", "update"})
"""Methods of serializers that get what was validated."""
_CONVERTS = frozenset({"int", "str"})


def is_cleaned(project: Project, fn: Fn, vid: Vid) -> bool:
    """`form.cleaned_data["email"]` of a form whose `clean_email()` asks the database for it, or lets some choices pass alone."""
    form, field = _field(fn, vid)
    for cls in _forms(project, fn, form) if field else ():
        checks = [project.method(cls, f"{verb}_{field}") for verb in ("clean", "validate")]
        if any(check is not None and project.effects.has(check, "db-read", "db") for check in checks):
            return True
        if _chooses(project, cls, field):
            return True
    return False


def is_related(project: Project, fn: Fn, vid: Vid) -> bool:
    """`int(data["room"])` of what a serializer's `create()` or `update()` is handed, where `room` is a relation: its validation
    has looked for that row."""
    value = fn.unguarded(vid)
    call = fn.calls[value[1]] if value[0] == "call" else None
    if call is not None and fn.callee_name(call) in _CONVERTS and len(call.args) == 1:
        return is_related(project, fn, call.args[0])
    given = fn.value(object_root(fn, value[1])) if value[0] == "item" else ("",)
    name = fn.const(value[2]) if value[0] == "item" else ...
    if fn.cls is None or fn.name not in _STORE or given[0] != "param" or not isinstance(name, str):
        return False
    return project.hierarchy.role(fn.cls) == "serializer" and _relates(project, fn.cls, name)


def _relates(project: Project, serializer: Cls, field: str) -> bool:
    """Whether a field is declared as a relation, or not at all, and is one of the serializer's model."""
    stated = project.hierarchy.attribute(serializer, field)
    if stated is not None:
        home, vid = stated
        value = home.unguarded(vid)
        return value[0] == "call" and home.callee_name(home.calls[value[1]]).endswith("RelatedField")
    model = model_of(project, serializer)
    return model is not None and project.associations.find(model, field) is not None


def _field(fn: Fn, vid: Vid) -> tuple[Vid, str]:
    """The form and the field of `form.cleaned_data["email"]` or `form.cleaned_data.get("email")`."""
    value = fn.unguarded(vid)
    data, key = (value[1], value[2]) if value[0] == "item" else (-1, -1)
    func = fn.func_of(value)
    if func[0] == "attr" and func[2] == "get":
        call = fn.calls[value[1]]
        data, key = func[1], call.args[0] if call.args else -1
    held = fn.unguarded(data) if data >= 0 else ("",)
    name = fn.const(key) if key >= 0 else ...
    if held[0] != "attr" or held[2] not in VALIDATED or not isinstance(name, str):
        return -1, ""
    return held[1], name


def _forms(project: Project, fn: Fn, form: Vid) -> Iterator[Cls]:
    """The form's class; of what a view is given as `form` that is the one that it names."""
    refs = project.refs(fn, form)
    if not any(ref.name in project.classes for ref in refs) and fn.cls is not None:
        stated = project.hierarchy.attribute(fn.cls, "form_class")
        refs = project.refs(*stated) if stated is not None else ()
    yield from (project.classes[ref.name] for ref in refs if ref.name in project.classes)


def _chooses(project: Project, form: Cls, field: str) -> bool:
    """`flow = forms.ChoiceField(...)`."""
    for cls in project.hierarchy.mro(form):
        vid = cls.facts.attributes.get(field, -1)
        value = cls.owner.unguarded(vid) if vid >= 0 else ("",)
        if value[0] == "call":
            return cls.owner.callee_name(cls.owner.calls[value[1]]).endswith("ChoiceField")
    return False
