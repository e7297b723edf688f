"""Where the value at an access path comes from, within a function and through the functions that it calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.errors.errorhandlers import exception_parameter
from backendlint.project.libraries.model import AttributeModel
from backendlint.project.linking.decorators import is_job
from backendlint.project.loops.filled import VALIDATED
from backendlint.project.routes.params import markers
from backendlint.project.taint import labels as lb
from backendlint.project.taint.callreads import CallReads
from backendlint.project.taint.containers import Containers, later
from backendlint.project.taint.declared import SENT, Declared
from backendlint.project.taint.empty import is_empty
from backendlint.project.taint.guards import Guards
from backendlint.project.taint.identifiers import Identifiers
from backendlint.project.taint.instances import without_exceptions, without_requests
from backendlint.project.taint.labels import CLEAN_TYPES, MAX_PATH, NONE, Labels, Mark, Origin, Path, Trail
from backendlint.project.taint.naming import identifier_words, is_public, sensitive
from backendlint.project.taint.operators import Operators
from backendlint.project.taint.pairs import Pairs
from backendlint.project.taint.rendering import QUOTED, Rendering
from backendlint.project.taint.substitutions import LINES
from backendlint.project.taint.templates import Templates
from backendlint.project.taint.uploads import are_files, holds_files, kept_file, opened
from backendlint.project.taint.urls import Urls
from backendlint.project.web.params import suppliers

if TYPE_CHECKING:
    from backendlint.project.model import Project

Key = tuple[str, Vid, Path]
MAX_DEPTH = 150
BUDGET = 2_000
"""Reads for one question, after which cycles are no longer read to the end."""
_ROUTED = frozenset({"path", "path_info"})
_STORES = 8
_QUERY = ("?", "&", "#")
_SHORT = 8
"""So many characters may be shown of a secret."""
_VALIDATING = frozenset({"schema", "serializer", "model", "form", "settings"})
CAUSES = frozenset({"__cause__", "__context__"})
"""The error behind an exception, whatever the exception itself was made to say."""
_EXCEPTION_TEXT = frozenset(
    {
        "args",
        "message",
        "msg",
        "strerror",
        "reason",
        "detail",
        "orig",
        "with_traceback",
        "stderr",
        "output",
        *CAUSES,
    }
)
"""Attributes of exceptions that hold their text."""
_NUMERIC_SPEC = frozenset("dioxXeEfFgGcn")


_NAMED = frozenset({"call", "await", "item", "attr", "name", "binop", "unpack"})
"""Operations whose result is what the name says to which it is bound."""


class Reader:
    """Demand-driven, remembered; cycles through loops and recursion end at the value in progress."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.guards = Guards(project)
        self.containers = Containers(self)
        self.calls = CallReads(self)
        self.declared = Declared(self.guards)
        self.rendering = Rendering(self)
        self.urls = Urls(self)
        self.templates = Templates(self)
        self.pairs = Pairs(self)
        self.identifiers = Identifiers(project)
        self._memo: dict[Key, Labels] = {}
        self._active: dict[Key, int] = {}
        self._trial: dict[Key, tuple[Labels, int]] = {}
        """Values inside a cycle that is still being read, with the depth of its head: good until the head is known."""
        self._low = MAX_DEPTH + 1
        self._count = 0
        self._names: dict[str, dict[Vid, str]] = {}
        self._methods: dict[str, Callable[[Fn, Vid, Value, Path], Labels]] = {
            "param": self._param,
            "name": self._name,
            "call": self.calls.read,
            "attr": self._attr,
            "outer": self._outer,
            "phi": lambda fn, vid, value, path: lb.merge(self.read(fn, item, path) for item in value[1]),
            "bool": self._bool,
            "guard": self._guard,
            "fmt": self._fmt,
            "conv": self._conv,
            "join": self._join,
            "binop": Operators(self).read,
            "await": self._same,
            "yield": self._same,
            "star": self._same,
            "slice": self._slice,
            "enter": self.calls.entered,
            "exc": self._exc,
            "setattr": self._setattr,
            **self.containers.methods,
        }

    def read(self, fn: Fn, vid: Vid, path: Path = ()) -> Labels:
        """Origins of the value's part at `path`."""
        if vid < 0:
            return NONE
        value = fn.facts.values[vid]
        method = self._methods.get(value[0])
        if method is None:
            return NONE
        key = (fn.fqn, vid, path[:MAX_PATH])
        known = self._memo.get(key)
        if known is not None:
            return known
        depth = self._active.get(key)
        if depth is not None:
            self._low = min(self._low, depth)
            return NONE
        tried = self._trial.get(key)
        if tried is not None:
            self._low = min(self._low, tried[1])
            return tried[0]
        own = len(self._active)
        return NONE if own > MAX_DEPTH else self._compute(key, own, method, fn, vid, value)

    def _compute(
        self, key: Key, own: int, method: Callable[[Fn, Vid, Value, Path], Labels], fn: Fn, vid: Vid, value: Value
    ) -> Labels:
        if own == 0:
            self._count = 0
        self._count += 1
        self._active[key] = own
        outside, self._low = self._low, MAX_DEPTH + 1
        try:
            found = method(fn, vid, value, key[2])
            name = self._bound_names(fn).get(vid)
            if name and not key[2]:
                found = self.named(found, fn, vid, name)
            found = lb.nearest(found)
        finally:
            del self._active[key]
        if self._low >= own or self._count > BUDGET:
            self._memo[key] = found
            if self._low <= own:  # the head of a cycle: what was read inside it was not the whole
                self._trial.clear()
            self._low = outside
        else:
            self._trial[key] = (found, self._low)
            self._low = min(self._low, outside)
        return found

    # sources

    def source(self, what: str, fn: Fn, vid: Vid, name: str, note: str = "") -> Labels:
        """The labels of a value that is a source."""
        trail = Trail(fn.fqn, fn.facts.span_of(vid), note or f"{what} data enters: {name}", None)
        return {Origin(what, fn.fqn, vid, (name,) if name else ()): Mark(trail=trail)}

    def named(self, found: Labels, fn: Fn, vid: Vid, name: str) -> Labels:
        """Add a secret or personal source where the name says so."""
        kind = sensitive(name)
        if not kind or any(origin.what == kind and not mark.weak for origin, mark in found.items()):
            return found
        if kind != "contact" and self.identifiers.covers(fn, vid, name):
            return found
        mark = "personal" if kind == "contact" else kind
        extra = self.source(
            mark, fn, vid, name, f"`{name}` holds {'a secret' if kind == 'secret' else 'personal data'}"
        )
        return lb.merge((found, lb.weaken(extra) if kind == "contact" else extra))

    def _bound_names(self, fn: Fn) -> dict[Vid, str]:
        known = self._names.get(fn.fqn)
        if known is None:
            known = self._names[fn.fqn] = {}
            for binding in fn.facts.bindings:
                if binding.value >= 0 and sensitive(binding.name):
                    op = fn.facts.values[binding.value][0]
                    spoken = self._is_link(fn, binding.value) or self._is_constant(fn, binding.value)
                    # a row of tokens is one of words most often
                    loops = op == "elem" and len(identifier_words(binding.name)) > 1
                    if (op in _NAMED or loops) and not spoken:
                        known[binding.value] = binding.name
        return known

    @staticmethod
    def _is_link(fn: Fn, vid: Vid) -> bool:
        """`password = reset_link(user)`: what is called says it better."""
        value = fn.facts.values[vid]
        value = fn.facts.values[value[1]] if value[0] == "await" else value
        return value[0] == "call" and identifier_words(fn.callee_name(fn.facts.calls[value[1]]))[-1:] in (
            ("link",),
            ("url",),
            ("uri",),
        )

    # operations

    def _bool(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        """One of the operands: of `a and b` the last, or one that is empty."""
        found = lb.merge(self.read(fn, item, path) for item in (value[2][-1:] if value[1] == "and" else value[2]))
        return without_requests(self.project, found, fn, value) if found and value[1] == "or" else found

    def _same(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        return self.read(fn, value[1], path)

    def _slice(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        """A few characters of a secret, as in `token[-4:]`, give nothing away."""
        lower, upper = fn.const(value[2]), fn.const(value[3])
        found = self.read(fn, value[1], later(path, lower))
        if lower not in (..., None, 0):
            found = self.urls.cut(found)
        head = isinstance(upper, int) and 0 < upper <= _SHORT and lower in (..., None, 0)
        tail = isinstance(lower, int) and -_SHORT <= lower < 0 and upper in (..., None)
        return lb.clear(found, ("secret", "personal")) if found and (head or tail) else found

    def _guard(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        found = self.read(fn, value[1], path)
        if not found:
            return found
        if is_empty(fn, value[1], value[2], value[3]):
            return NONE
        found = without_exceptions(self.project, found, fn, value[1], value[2]) if value[3] else found
        return lb.clear(found, self.guards.cleared(fn, value[1], value[2], value[3]))

    def _fmt(self, fn: Fn, vid: Vid, value: Value, _path: Path) -> Labels:
        found = lb.clear(lb.merge(self.urls.parts(fn, value[2])), ("nosql",))
        return lb.step(found, fn.fqn, fn.facts.span_of(vid), lb.PUT_IN) if found else found

    def _conv(self, fn: Fn, _vid: Vid, value: Value, _path: Path) -> Labels:
        if value[2][-1:] in _NUMERIC_SPEC and value[2][:1] in "%:":
            return NONE
        found = self.rendering.read(fn, value[1])
        return lb.clear(found, QUOTED) if value[2] in ("!r", "%r", "!a") else found

    def _join(self, fn: Fn, _vid: Vid, value: Value, _path: Path) -> Labels:
        found = lb.merge((self.read(fn, value[1], ()), self.read(fn, value[2], ("[*]",)), self.read(fn, value[2], ())))
        between = fn.const(value[1])
        if found and isinstance(between, str) and between[:1] in _QUERY:
            found = lb.clear(found, (lb.BEHIND,))
        whole = found and isinstance(between, str) and not {"\n", "\r"}.intersection(between)
        return found if whole else lb.reopen(found, LINES)

    def _exc(self, fn: Fn, vid: Vid, _value: Value, path: Path) -> Labels:
        if path and not path[0].startswith("[") and path[0] not in _EXCEPTION_TEXT:
            return NONE
        within = path[0] if path and path[0] in CAUSES else ""
        return self.source("exception", fn, vid, within, "the exception's text, which may hold internals")

    def _setattr(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        if path and path[0] == value[2]:
            return self.read(fn, value[3], path[1:])
        return self.read(fn, value[1], path)

    def _outer(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        target = fn.outer(value)
        return self.read(target, value[1], path) if target else NONE

    # parameters, names, attributes

    def _param(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        index = value[1]
        param = fn.facts.params[index]
        source = "" if self._only_data(fn, index, path) else self.project.param_source(fn, index)
        counted = not source and param.annotation >= 0 and self.clean_types(self.project.resolver.param(fn, index))
        found: Labels = {Origin("param", fn.fqn, index, path): Mark(lb.WHOLE, counted)}
        if source:
            entering = self.source(source, fn, vid, param.name)
            if source == "queue" and is_job(self.project, fn):
                entering = lb.weaken(entering)  # the project's own code sends it
            narrowed = self.project.request_param_types(fn).get(index, "") if source == "request" else ""
            refs = self.project.refs(fn, vid)
            if (narrowed and narrowed != "model") or self.clean_types(refs):
                entering = lb.clear(entering, ("all",))
            elif all(ref.name == "builtins.str" for ref in refs) and (refs or not path):
                entering = lb.clear(entering, ("nosql",))
            if path:
                entering = lb.clear(entering, self.declared.cleaned(refs, path[0]))
            entering = lb.clear(
                entering, (*self._marked(fn, index), *(opened(path) if are_files(self.project, refs) else ()))
            )
            found = lb.merge((found, entering))
        if fn.fqn in self.project.error_handlers and index == exception_parameter(fn):
            found = lb.merge((found, self._exc(fn, vid, value, path)))
        given = (self.calls.injected(fn, index, path), self.calls.handed(fn, index, path))
        found = lb.merge((found, *given)) if any(given) else found
        if not path:
            found = found if self._is_flag(fn, index) else self.named(found, fn, vid, param.name)
        elif index == 0 and fn.cls is not None:
            found = lb.merge((found, self._field_sources(fn, path)))
        return found

    def _is_flag(self, fn: Fn, index: int) -> bool:
        """`with_secret: bool` is no secret."""
        refs = self.project.resolver.param(fn, index) if fn.facts.params[index].annotation >= 0 else ()
        return bool(refs) and all(ref.name == "builtins.bool" for ref in refs)

    def _only_data(self, fn: Fn, index: int, path: Path) -> bool:
        """A form or serializer that a method of a view is handed: what was sent is in its data, and nothing else of it is."""
        hook = index == 1 and fn.cls is not None and fn.name in self.project.libraries.hooks_with_arguments
        return hook and not SENT.intersection(path[:1])

    def _marked(self, fn: Fn, index: int) -> frozenset[str]:
        """What a parameter is clean of by where it is taken from: `Header(...)`."""
        calls = markers(self.project, fn.parent or fn, fn.facts.params[index])
        models = [model for owner, call in calls for model in self.project.models(owner, call)]
        return frozenset(kind for model in (*models, *suppliers(self.project, fn, index)) for kind in model.sanitizes)

    def _field_sources(self, fn: Fn, path: Path) -> Labels:
        """Sources that methods of the class store in the attribute (`self.x = request.args[...]`)."""
        assert fn.cls is not None
        parts = []
        for cls in self.project.hierarchy.mro(fn.cls):
            for method, vid in self.project.hierarchy.stores(cls, path[0]):
                found = self.read(method, vid, path[1:])
                parts.append({origin: mark for origin, mark in found.items() if origin.what != "param"})
        return lb.merge(parts)

    def clean_types(self, refs: tuple[Ref, ...]) -> bool:
        """Whether values of these types hold nothing that an attacker chose freely."""
        return bool(refs) and all(self._clean_type(ref) for ref in refs)

    def _clean_type(self, ref: Ref) -> bool:
        if ref.kind == "libinst":
            return any(name in CLEAN_TYPES for name in (ref.name, *self.project.libraries.mro(ref.name)))
        return ref.kind == "inst" and self.project.hierarchy.is_a(self.project.classes[ref.name], "enum.Enum")

    def _name(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        dotted = value[1]
        found = self._library_source(fn, vid, dotted, path)
        if found is None:
            target = self.project.modules.resolve(dotted, fn.file.module)
            head, _, attribute = dotted.rpartition(".")
            found = self._kept((Ref("lib", head),), attribute, path) if head else NONE
            if target.kind == "variable" and target.file is not None and target.vid >= 0:
                owner = self.project.module_function(target.file)
                found = lb.merge((found, self.read(owner, target.vid, (*target.rest, *path)[:MAX_PATH])))
                if not target.rest and self._is_constant(owner, target.vid):
                    return found
            elif target.kind == "library" and not head:
                return NONE
        last = dotted.rpartition(".")[2]
        if path or not sensitive(last) or any(ref.kind in ("class", "func") for ref in self.project.refs(fn, vid)):
            return found
        return self.named(found, fn, vid, last)

    @staticmethod
    def _is_constant(fn: Fn, vid: Vid) -> bool:
        """Also a flag: `CAN_SET_PASSWORD = 1 << 3`."""
        value = fn.facts.values[vid]
        return value[0] == "const" or (
            value[0] == "binop" and all(isinstance(fn.const(item), int) for item in value[2:4])
        )

    def _library_source(self, fn: Fn, vid: Vid, dotted: str, path: Path = ()) -> Labels | None:
        """Labels where the name, or what it is an attribute of, is a source by a library's model."""
        name = dotted
        while "." in name:
            head, _, last = name.rpartition(".")
            for ref in self.project.resolver.dotted(head, fn.file.module):
                found = self._attribute_source(fn, vid, ref, last, path)
                if found is not None:
                    return found
            name, path = head, lb.extend(path, last)
        return None

    def attribute_models(self, fn: Fn, vid: Vid) -> list[AttributeModel]:
        """Library models of the attribute that a value is read from (`request.headers`)."""
        value = fn.unguarded(vid)
        if value[0] == "name":
            return self.models_of(fn, value[1])
        refs = self.project.refs(fn, value[1]) if value[0] == "attr" else ()
        return [model for ref in refs for model in self._models(ref, value[2])]

    def models_of(self, fn: Fn, dotted: str) -> list[AttributeModel]:
        """The same for a dotted name."""
        head, _, name = dotted.rpartition(".")
        refs = self.project.resolver.dotted(head, fn.file.module) if head else ()
        return [model for ref in refs for model in self._models(ref, name)]

    def _models(self, ref: Ref, name: str) -> list[AttributeModel]:
        if ref.kind not in ("lib", "libinst", "inst"):
            return []
        owners = [ref.name]
        if ref.kind == "inst":
            owners = list(self.project.hierarchy.library_bases(self.project.classes[ref.name]))
        models = (self.project.libraries.attribute(f"{owner}.{name}") for owner in owners)
        return [model for model in models if model is not None]

    def _attribute_source(self, fn: Fn, vid: Vid, ref: Ref, name: str, path: Path = ()) -> Labels | None:
        for model in self._models(ref, name):
            if model.source:
                if name in _ROUTED and self._fixed_route(fn):
                    return NONE
                found = self.source(model.source, fn, vid, name)
                object_of_it = name in VALIDATED and path[1:] == ("name",)  # texts have no name: a file or a row has
                files = object_of_it or (bool(model.type) and holds_files(self.project, model.type))
                return lb.clear(found, (*model.sanitizes, *(opened(path) if files else ())))
        return None

    def _kept(self, refs: tuple[Ref, ...], name: str, path: Path) -> Labels:
        """What the project itself keeps on a library's object (`flask.g.term`, `request.state.term`)."""
        owners = [ref.name for ref in refs if ref.kind in ("lib", "libinst")]
        stored = [item for owner in owners for item in self.project.attached.stores(owner, name)]
        parts = [self.read(fn, vid, path) for fn, vid in stored[:_STORES]]
        return lb.merge({o: mark for o, mark in part.items() if o.what != "param"} for part in parts)

    def _fixed_route(self, fn: Fn) -> bool:
        """True in handlers whose every route is a constant path: the request's path says nothing new there."""
        routes = self.project.route_functions.get(fn.fqn, ())
        if not routes and fn.cls is not None:
            return any(fn.name in model.fixed_paths for model in self.project.hierarchy.library_models(fn.cls))
        return bool(routes) and not any(re.search(r"[{<:*(\[]", route.path) for route in routes)

    def _attr(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        found = self.attribute(fn, vid, value[1], value[2], path)
        return lb.clear(found, ("secret",)) if found and is_public(value[2]) else found

    def attribute(self, fn: Fn, vid: Vid, base: Vid, name: str, path: Path) -> Labels:
        """What the attribute of an object carries, of which `vid` is the reading."""
        refs = self.project.refs(fn, base)
        for ref in refs:
            found = self._attribute_source(fn, vid, ref, name, path)
            if found is not None:
                own = self.declared.own_data(fn, base, name) if found else -1
                found = self.read(fn, own, path) if own >= 0 else found
                return self.named(found, fn, vid, name) if not path else found
        for ref in refs:
            if ref.kind == "inst":
                method = self.project.method(self.project.classes[ref.name], name)
                if method is not None and method.kind == "property":
                    return self.calls.summary(fn, method, {0: [(base, ())]}, path, fn.facts.span_of(vid))
        if name == "pk":  # of a row that was looked up
            return NONE
        found = lb.merge((self.read(fn, base, lb.extend(path, name)), self._kept(refs, name, path)))
        if found and name in ("value", "name") and self.clean_types(refs):
            return lb.clear(found, ("all",))
        if found and self._validating(refs):
            found = lb.clear(found, kept_file(self.declared.cleaned(refs, name), path))
        found = lb.clear(found, self._part_cleans(refs, name)) if found else found
        return self.named(found, fn, vid, name) if not path else found

    def _validating(self, refs: tuple[Ref, ...]) -> bool:
        """True where the types are classes that validate (a model, not plain annotations)."""
        classes = [self.project.classes[ref.name] for ref in refs if ref.kind == "inst"]
        return len(classes) == len(refs) and all(self.project.hierarchy.role(cls) in _VALIDATING for cls in classes)

    def _part_cleans(self, refs: tuple[Ref, ...], name: str) -> frozenset[str]:
        """What a library's attribute is clean of, whatever its object holds (`path.name`)."""
        models = [self.project.libraries.attribute(f"{ref.name}.{name}") for ref in refs if ref.kind == "libinst"]
        cleared = [frozenset(model.sanitizes) for model in models if model is not None]
        return frozenset.intersection(*cleared) if cleared and len(cleared) == len(refs) else frozenset()
