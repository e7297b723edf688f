"""What a value shows when it is put into a text: containers show their elements quoted, objects what they say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.linking.decorators import is_data_class
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import NONE, Labels
from backendlint.project.taint.substitutions import LINES

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

QUOTED = LINES
"""Kinds of which a text is clean that `repr` has quoted: it has no line breaks."""
_DISPLAYS = frozenset({"dict", "list", "tuple", "set", "comp", "store"})
_CONTAINERS = frozenset(
    "builtins.dict builtins.list builtins.tuple builtins.set builtins.frozenset werkzeug.datastructures.MultiDict "
    "django.http.QueryDict".split()
)
_BYTES = frozenset({"builtins.bytes", "builtins.bytearray", "builtins.memoryview"})
_NAMES = frozenset({"name", "attr", "def", "outer"})
_MASKED = frozenset({"pydantic.SecretStr", "pydantic.SecretBytes"})
_SHOWING = frozenset({"schema", "settings"})
"""Roles whose objects show all their fields."""


class Rendering:
    """Answers `read(fn, vid)`: the labels of the text that a value becomes."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project
        self._texts: dict[str, Fn | None] = {}

    def read(self, fn: Fn, vid: Vid) -> Labels:
        """Labels of the value's text."""
        found = self.shown(fn, vid, self.reader.read(fn, vid, ()))
        refs = self.project.refs(fn, vid) if found else ()
        escaped = bool(refs) and all(ref.kind == "libinst" and ref.name in _BYTES for ref in refs)
        return lb.clear(found, QUOTED) if escaped else found

    def shown(self, fn: Fn, vid: Vid, found: Labels) -> Labels:
        """Of a value's labels those that its text has, if it is not decoded first."""
        if not found:
            return found
        if fn.facts.values[vid][0] in _DISPLAYS:
            return lb.clear(found, QUOTED)
        refs = self.project.refs(fn, vid)
        if not refs:
            return found
        if fn.facts.values[vid][0] in _NAMES and all(ref.kind in ("class", "func") for ref in refs):
            return NONE
        if all(ref.kind == "libinst" and ref.name in _MASKED for ref in refs):
            return NONE
        if all(ref.kind == "libinst" and ref.name in _CONTAINERS for ref in refs):
            return lb.clear(found, QUOTED)
        if all(ref.kind == "inst" for ref in refs):
            return lb.merge(self._object(fn, vid, ref, found) for ref in refs)
        return found

    def made_of(self, fn: Fn, call: Call, cls: Cls) -> Labels:
        """A new data object as a whole; its text leaves out the secrets that say so (`field(repr=False)`)."""
        owners = self.project.hierarchy.mro(cls) if call.kwargs else ()
        fields = ((owner, *item) for owner in owners for item in owner.facts.attributes.items())
        left = {name for owner, name, vid in fields if _unprinted(owner.owner, vid)}
        hidden = [lb.clear(self.reader.read(fn, vid, ()), lb.HIDDEN) for key, vid in call.kwargs if key in left]
        shown = (*call.args, *(vid for key, vid in call.kwargs if key not in left))
        return lb.merge((*hidden, *(self.reader.read(fn, vid, ()) for vid in shown)))

    def _object(self, fn: Fn, vid: Vid, ref: Ref, found: Labels) -> Labels:
        cls = self.project.classes[ref.name]
        method = self._text(cls)
        if method is not None:
            span = fn.facts.span_of(vid)
            return self.reader.calls.summary(fn, method, {0: [(vid, ())]}, (), span)
        if self.project.hierarchy.is_a(cls, "builtins.str") or self.project.hierarchy.is_a(
            cls, "builtins.BaseException"
        ):
            return found
        if self._shows_fields(cls):
            return lb.clear(found, QUOTED)
        foreign = self.project.hierarchy.library_bases(cls)
        return found if foreign and self.project.hierarchy.role(cls) != "model" else NONE

    def _text(self, cls: Cls) -> Fn | None:
        if cls.fqn not in self._texts:
            names = ("__str__", "__repr__")
            self._texts[cls.fqn] = next((item for name in names if (item := self.project.method(cls, name))), None)
        return self._texts[cls.fqn]

    def _shows_fields(self, cls: Cls) -> bool:
        """Data classes, pydantic models and named tuples show every field, quoted."""
        shown = any(self.project.hierarchy.is_a(cls, base) for base in ("pydantic.BaseModel", "typing.NamedTuple"))
        if shown or self.project.hierarchy.role(cls) in _SHOWING:
            return True
        return any(is_data_class(self.project, item) for item in self.project.hierarchy.mro(cls))


def _unprinted(owner: Fn, vid: Vid) -> bool:
    """`field(repr=False)`, `Field(repr=False)`."""
    value = owner.facts.values[vid] if 0 <= vid < len(owner.facts.values) else ("unknown",)
    return value[0] == "call" and owner.const(owner.facts.calls[value[1]].kwarg("repr")) is False
