"""What the declared field of a schema, form or serializer leaves of what a caller sends for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.binding import object_root
from backendlint.project.loops.filled import VALIDATED
from backendlint.project.routes.params import annotated_type
from backendlint.project.schema.types import base, family
from backendlint.project.taint.labels import Path
from backendlint.project.taint.patterns import cleans, common
from backendlint.project.taint.uploads import of_part
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.taint.guards import Guards, Kinds

NOTHING: Kinds = frozenset()
EVERYTHING: Kinds = frozenset({"all"})
SENT = frozenset({*VALIDATED, "data", "initial_data", "files"})
"""Attributes of forms and serializers, and of a form's fields, that hold what was sent."""
_SHOWS = "rest_framework.serializers.BaseSerializer"
_STORED: Kinds = frozenset({"ssrf", "redirect", "path"})
_NO_TEXT = frozenset({"integer", "decimal", "float", "bool", "date", "time", "timestamp", "uuid"})
"""Families of columns whose values nobody can write as they like."""
_FREE = ("", "model")
_VALIDATORS = frozenset({"field_validator", "validator", "validates"})
_OF_MODELS = frozenset({"root_validator", "model_validator"})


class Declared:
    """Answers `cleaned(refs, name)`."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self.project = guards.project
        self._known: dict[tuple[str, str], Kinds] = {}

    def cleaned(self, refs: tuple[Ref, ...], name: str) -> Kinds:
        """Kinds of which field `name` of such objects is clean; nothing where some of them are no project class."""
        if not refs or any(ref.kind != "inst" for ref in refs):
            return NOTHING
        return common([self._field(self.project.classes[ref.name], name) for ref in refs])

    def own_data(self, fn: Fn, base: Vid, name: str) -> Vid:
        """What `RowSerializer(data=rows_of(file))` is given, where no client is seen to send it here; else -1."""
        value = fn.unguarded(object_root(fn, base)) if name in SENT else ("",)
        call = fn.calls[value[1]] if value[0] == "call" else None
        given = call.kwarg("data") if call is not None else -1
        labels = self.project.taint.labels(fn, given) if given >= 0 else {}
        if given < 0 or any(origin.what != "param" for origin in labels):
            return -1
        parts = [fn.value(vid) for vid in ingredients(fn.facts, (given,))]
        return -1 if any("request" in str(part[-1]) for part in parts if part[0] in ("attr", "name")) else given

    def of_item(self, fn: Fn, base: Vid, key: object, path: Path) -> Kinds:
        """The same for an item of a form's `cleaned_data`, a serializer's `validated_data`, or the item's part at a path."""
        value = fn.facts.values[base]
        while value[0] in ("guard", "mut", "store"):
            value = fn.facts.values[value[1]]
        if value[0] != "attr" or not isinstance(key, str):
            return NOTHING
        if value[2] == "data":
            return self._shown(self.project.refs(fn, value[1]), key) if not path else NOTHING
        if value[2] not in VALIDATED:
            return NOTHING
        return of_part(self.cleaned(self.project.refs(fn, value[1]), key), path)

    def _shown(self, refs: tuple[Ref, ...], key: str) -> Kinds:
        """`serializer.data["label"]`: what was validated, as it is shown; of a file the address where it was stored."""
        classes = [self.project.classes[ref.name] for ref in refs if ref.kind == "inst"]
        if len(classes) < len(refs) or not all(self.project.hierarchy.is_a(cls, _SHOWS) for cls in classes):
            return NOTHING
        kinds = self.cleaned(refs, key)
        return kinds | _STORED if "upload" in kinds else kinds

    def _field(self, cls: Cls, name: str) -> Kinds:
        known = self._known.get((cls.fqn, name))
        if known is None:
            self._known[cls.fqn, name] = NOTHING
            known = self._known[cls.fqn, name] = self._declared(cls, name) | self._checked(cls, name)
        return known

    def _declared(self, cls: Cls, name: str) -> Kinds:
        for owner in self.project.hierarchy.mro(cls):
            annotation, default = owner.facts.annotations.get(name, -1), owner.facts.attributes.get(name, -1)
            if annotation >= 0:
                return (
                    EVERYTHING
                    if annotated_type(self.project, owner.owner, annotation, default) not in _FREE
                    else NOTHING
                )
            if default >= 0:
                return self._made(owner.owner, default) | self._column(owner, name)
            made = owner.methods.get("__init__")
            added = [self._made(made, vid) for vid in _added(made, name)] if made is not None else []
            if added:
                return common(added)
        model = self._model(cls)
        return self._declared(model, name) if model is not None and model.fqn != cls.fqn else NOTHING

    def _made(self, home: Fn, vid: Vid) -> Kinds:
        """A field object: of a class that converts, or with a pattern."""
        value = home.facts.values[vid]
        if value[0] != "call":
            return NOTHING
        call = home.facts.calls[value[1]]
        kinds = NOTHING
        for model in self.project.models(home, call):
            kinds |= frozenset(model.sanitizes)
            if model.guard is not None and model.guard.pattern is not None:
                for pattern in arguments(call, model.guard.pattern):
                    text = home.const(pattern)
                    kinds |= cleans(text, model.guard.anchors) if isinstance(text, str) else NOTHING
        return kinds

    def _column(self, cls: Cls, name: str) -> Kinds:
        """A mapped column of a type that holds no free text."""
        table = self.project.data.models.find_owner(cls.fqn) if self.project.hierarchy.role(cls) == "model" else None
        columns = table.columns.values() if table is not None else ()
        found = next((item for item in columns if name in (item.name, item.attribute)), None)
        return EVERYTHING if found is not None and family(base(found.type)) in _NO_TEXT else NOTHING

    def _model(self, cls: Cls) -> Cls | None:
        """The database model behind a ModelForm or ModelSerializer, whose fields are the form's own."""
        meta = next((found for item in self.project.hierarchy.mro(cls) if (found := self._meta(item))), None)
        vid = meta.facts.attributes.get("model", -1) if meta is not None else -1
        refs = self.project.refs(meta.owner, vid) if meta is not None and vid >= 0 else ()
        return self.project.classes[refs[0].name] if len(refs) == 1 and refs[0].kind == "class" else None

    def _meta(self, cls: Cls) -> Cls | None:
        return self.project.classes.get(f"{cls.fqn}.Meta")

    def _checked(self, cls: Cls, name: str) -> Kinds:
        """What a validator method of the field refuses (`@field_validator("name")`, `clean_name`, `validate_name`)."""
        kinds = NOTHING
        for owner in self.project.hierarchy.mro(cls):
            for method in owner.methods.values():
                if len(method.facts.params) > 1 and self._validates(method, name):
                    end = method.facts.span.end_line + 1
                    kinds |= self.guards.around(method, 1, 0, end, 0, ("raise",))
                elif any(decorator in _OF_MODELS for decorator, _ in _decorators(method)):
                    kinds |= self._refused(method, name)
        return kinds

    def _refused(self, method: Fn, name: str) -> Kinds:
        """What a validator of the whole refuses of a field: `if values["name"] not in NAMES: raise`."""
        tests = [block.value for block in method.facts.blocks if block.kind == "if" and block.exits == "raise"]
        read = [vid for vid, value in enumerate(method.facts.values) if tests and _reads(method, value, name)]
        found = (self.guards.cleared(method, vid, test, False) for vid in read for test in tests if test >= 0)
        return frozenset().union(*found)

    def _validates(self, method: Fn, name: str) -> bool:
        if method.name == f"validate_{name}":
            return True
        home = method.parent or method
        return any(
            call is not None and decorator in _VALIDATORS and any(home.const(arg) == name for arg in call.args)
            for decorator, call in _decorators(method)
        )


def _added(made: Fn, name: str) -> Iterator[Vid]:
    """`self.fields["berth"] = forms.ChoiceField(...)`, as the form is made."""
    for store in made.facts.stores:
        base = made.unguarded(object_root(made, store.base)) if store.key >= 0 else ("",)
        if base[0] == "attr" and base[2] == "fields" and made.const(store.key) == name:
            yield store.value


def _decorators(method: Fn) -> Iterator[tuple[str, Call | None]]:
    """The last names of a method's decorators, each with the call that makes it, if one does."""
    home = method.parent or method
    for vid in method.facts.decorators:
        value = home.facts.values[vid]
        call = home.facts.calls[value[1]] if value[0] == "call" else None
        func = home.facts.values[call.func] if call is not None else value
        yield str(func[-1]).rpartition(".")[2], call


def _reads(fn: Fn, value: Value, name: str) -> bool:
    """`values["name"]`, `values.get("name")`, `self.name`, in a function whose first parameters have the fields."""
    if value[0] == "attr":
        return bool(value[2] == name) and fn.unguarded(value[1])[0] == "param"
    if value[0] == "item":
        return fn.const(value[2]) == name and fn.unguarded(value[1])[0] == "param"
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    func = fn.facts.values[call.func]
    known = bool(func[0] == "attr" and func[2] == "get" and call.args)
    return known and fn.const(call.args[0]) == name and fn.unguarded(func[1])[0] == "param"


def takes_extra(project: Project, cls: Cls) -> bool:
    """Whether objects of a pydantic model keep fields that it does not declare (`extra="allow"`)."""
    for owner in project.hierarchy.mro(cls):
        config = project.classes.get(f"{owner.fqn}.Config")
        said = [owner.owner.const(vid) for key, vid in owner.facts.keywords if key == "extra"]
        if config is not None:
            said.append(config.owner.const(config.facts.attributes.get("extra", -1)))
        vid = owner.facts.attributes.get("model_config", -1)
        value = owner.owner.facts.values[vid] if vid >= 0 else ("unknown",)
        if value[0] == "call":
            said.append(owner.owner.const(owner.owner.facts.calls[value[1]].kwarg("extra")))
        elif value[0] == "dict":
            said += [owner.owner.const(item) for key, item in value[1] if owner.owner.const(key) == "extra"]
        if any(item not in (..., None, "ignore", "forbid") for item in said):
            return True
    return False
