"""What the results of calls carry: sources, cleaned values, what functions pass on, fields of new objects."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Span, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.conditions import holds
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import Bound, below, bind, fits, receiver
from backendlint.project.linking.handed import handed
from backendlint.project.taint import labels as lb
from backendlint.project.taint.containers import composite
from backendlint.project.taint.declared import SENT, takes_extra
from backendlint.project.taint.identifiers import kept_as_secret
from backendlint.project.taint.instances import holds_no_text
from backendlint.project.taint.labels import CLEAN_TYPES, KEYS, MAX_PATH, NONE, Labels, Path, Trail
from backendlint.project.taint.naming import HIDES, asks_to_show, identifier_words, is_public
from backendlint.project.taint.parsed import Parsed
from backendlint.project.taint.returned import Returned
from backendlint.project.taint.sockets import source_of
from backendlint.project.taint.substitutions import replaced, substituted
from backendlint.project.taint.tuples import NamedTuples
from backendlint.project.taint.uploads import are_files, opened
from backendlint.project.taint.urls import without_host

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

_GETTERS = frozenset({"get", "pop", "setdefault", "getlist", "getall", "getone"})
_NAMESAKES = 3
"""So many methods of one name may be what a call on an unknown object calls."""
_DATA_CLASSES = ("schema", "model", "serializer", "form", "settings")


_GIVES = frozenset(
    {"read", "getvalue", "json", "body", "text", "form", "to_dict", "model_dump", "dict", "getfirst", "get_json"}
)
_HIDES = re.compile(
    rf"{HIDES}|sanitize|fingerprint|hash|encrypt|truncate|clean\w*_(pass|secret|cred|token)",
    re.IGNORECASE,
)
"""Names of functions that make secrets fit to be shown."""
_HIDDEN = ("secret", "personal")
_TEXTS = frozenset({"builtins.str", "builtins.format"})
_JOINERS = frozenset({"urllib.parse.urlunsplit", "urllib.parse.urlunparse"})


def _told_to_hide(fn: Fn, callee: Fn, bound: Bound) -> bool:
    """`arguments(sanitized=True)`, `to_dict(include_secrets=False)`."""
    for index, passed in bound.items():
        name = callee.facts.params[index].name if index < len(callee.facts.params) else ""
        told = [const for vid, path in passed if not path and isinstance(const := fn.const(vid), bool)]
        if (True in told and _HIDES.search(name)) or (False in told and asks_to_show(name)):
            return True
    return False


class CallReads:
    """Reads ("call", i) values."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project
        self.tuples = NamedTuples(reader)
        self.parsed = Parsed(reader.project)
        self.returned = Returned(reader.guards)
        self._text_methods: dict[str, bool] = {}

    def read(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        """Labels of a call's result at `path`."""
        call = fn.facts.calls[value[1]]
        known = self.reader.pairs.read(fn, call, path)
        if known is None and not path:
            known = self.reader.templates.formatted(fn, call)
        refs = self.project.callees(fn, call) if known is None else ()
        if known is None and not refs:
            known = self.tuples.read(fn, call, path)
        if known is not None:
            return known
        if not refs:
            return self._unknown(fn, call, path)
        return lb.merge(self._result(fn, vid, call, ref, path) for ref in refs)

    def _result(self, fn: Fn, vid: Vid, call: Call, ref: Ref, path: Path) -> Labels:
        if ref.kind == "func":
            callee = self.project.functions[ref.name]
            bound = bind(fn, call, callee, ref, entries=True)
            found = self.summary(fn, callee, bound, path, call.span)
            schema = self.parsed.schema(fn, call, callee) if path and found else None
            if schema is not None:
                found = lb.clear(lb.sure(found), self.reader.declared.cleaned((schema,), path[0]))
            if found and (_HIDES.search(callee.name) or _told_to_hide(fn, callee, bound)):
                found = lb.clear(found, _HIDDEN)
            elif found and is_public(callee.name):
                found = lb.clear(found, ("secret",))
            tested = any("ssrf" not in mark.cleared for mark in found.values()) and self.reader.guards.addresses.tested(
                callee
            )
            return lb.clear(found, ("ssrf",)) if tested else found
        if ref.kind == "class":
            return self._constructed(fn, call, self.project.classes[ref.name], path)
        if ref.kind == "inst":
            called = self.project.method(self.project.classes[ref.name], "__call__")
            return (
                self.summary(fn, called, bind(fn, call, called, ref, entries=True), path, call.span) if called else NONE
            )
        model = self.project.libraries.call(ref.name) if ref.kind == "lib" else None
        if model is None:
            return self._unknown(fn, call, path)
        return self._library(fn, vid, call, model, path)

    # libraries

    def _library(self, fn: Fn, vid: Vid, call: Call, model: CallModel, path: Path) -> Labels:
        value = fn.facts.values[call.func]
        if model.env is not None and value[0] == "attr" and self._is_configuration(fn, value[1]):
            return self._keyed(fn, vid, call, path) or NONE
        if model.source:
            found = self.reader.source(source_of(fn, call, model), fn, vid, self._source_name(fn, call, model))
            if model.source == "secret":
                made_up = model.strong_random and not kept_as_secret(fn, vid)
                found = lb.weaken(found) if made_up or self._loads_anything(fn, call) else found
            key = fn.const(call.args[0]) if call.args else ...
            if isinstance(key, str) and not path:
                found = self.reader.named(found, fn, vid, key)
            if model.propagates is not None:
                found = lb.merge((found, self._passed(fn, call, model)))
            return lb.clear(found, model.sanitizes)
        name = fn.const(call.args[1]) if model.name == "builtins.getattr" and call.args[1:] else ...
        if isinstance(name, str):
            read = self.reader.attribute(fn, vid, call.args[0], name, path)
            return lb.merge((read, *self._whole(fn, [*call.args[2:]])))
        if "all" in model.sanitizes or (path[:1] == (KEYS,) and self._names_its_keys(fn, call, model)):
            return NONE
        converted = self.project.refs(fn, call.kwarg("type"))
        if converted and all(ref.name in CLEAN_TYPES for ref in converted):  # `args.get("n", 1, type=int)`
            return lb.merge(self._whole(fn, [*call.args[1:], call.kwarg("default")]))
        fetches = model.orm is not None  # `session.get(Item, id)`: a row, no entry of a mapping
        keyed = None if fetches else self._keyed(fn, vid, call, path)
        if keyed is not None:
            return lb.clear(keyed, model.sanitizes)
        passed = self._passed(fn, call, model)
        same = fn.callee_name(call) in _GETTERS and opened(path)
        found = lb.part(passed if same else lb.read_out(passed), path)
        if found and are_files(self.project, self.project.refs(fn, vid)):  # `next(iter(request.FILES.values()))`
            found = lb.clear(found, opened(path))
        found = (
            lb.clear(found, (*replaced(fn, call, path), *substituted(self.project, fn, call, model)))
            if found
            else found
        )
        found = self.reader.urls.shortened(fn, call, found)
        if model.sanitizes_item and path:
            found = lb.clear(found, model.sanitizes_item.get(path[0].strip("[]"), ()))
        return self._made(fn, call, model, found) if found else found

    @staticmethod
    def _loads_anything(fn: Fn, call: Call) -> bool:
        """`vault.get_secret(name)` in a function for all settings, of which most are none."""
        named = call.args[0] if call.args else -1
        given = named >= 0 and fn.unguarded(named)[0] not in ("const", "name")
        return given and not any(
            "secret" in word or "credential" in word for word in identifier_words(fn.facts.qualname)
        )

    def _names_its_keys(self, fn: Fn, call: Call, model: CallModel) -> bool:
        """A dump of a schema's object, or `asdict(row)`: its keys are the declared fields, whatever was sent."""
        base = call.args[0] if call.args and fn.callee_name(call) == "asdict" else receiver(fn, call)
        refs = self.project.refs(fn, base) if base in call.args or (model.schema == "serialize" and base >= 0) else ()
        if refs and all(ref.kind == "libinst" for ref in refs):  # `def save(row: BaseModel)`: one of many schemas
            return True
        classes = [self.project.classes[ref.name] for ref in refs if ref.kind == "inst"]
        return len(classes) == len(refs) > 0 and not any(takes_extra(self.project, cls) for cls in classes)

    def _made(self, fn: Fn, call: Call, model: CallModel, found: Labels) -> Labels:
        """Of what went into a library's call, what is left in what it gives."""
        if model.schema == "parse":  # a text holds no operators, what is parsed of it may
            found = lb.reopen(found, ("nosql",))
        if model.renders is not None:  # which of its values a template shows is not known here
            found = lb.weaken(found, _HIDDEN)
        if model.jwt is not None:  # what goes into a token is judged there
            found = lb.clear(found, _HIDDEN)
            signed = (
                model.jwt.op == "decode" and call.kwarg("options") < 0 and fn.const(call.kwarg("verify")) is not False
            )
            found = lb.clear(found, ("all",)) if signed else found
        if model.name in _JOINERS and call.args and without_host(fn, call.args[0]):
            found = lb.clear(found, ("redirect", "ssrf"))
        if model.schema == "serialize" and call.kwarg("exclude") >= 0:  # somebody thought of what must not get out
            found = lb.clear(found, _HIDDEN)
        if model.name.startswith("jinja2.Template.") and self._escapes(fn, call):
            found = lb.clear(found, ("xss",))
        cleaned = model.sanitizes
        if "xss" in cleaned and self.project.taint.raw_templates.unescaped(fn, call, model):
            cleaned = tuple(kind for kind in cleaned if kind != "xss")
        return lb.clear(lb.soil(found) if model.decodes else found, cleaned)

    def _escapes(self, fn: Fn, call: Call) -> bool:
        """A template of an environment that escapes what it renders."""
        value = fn.facts.values[max(receiver(fn, call), 0)]
        if value[0] != "call":
            return False
        func = fn.facts.values[fn.facts.calls[value[1]].func]
        owner, environment = fn, func[1] if func[0] == "attr" else -1
        if func[0] == "name":  # `env.get_template`, where env is a module's
            target = self.project.modules.resolve(str(func[1]).rpartition(".")[0], fn.file.module)
            if target.kind == "variable" and target.file is not None:
                owner, environment = self.project.module_function(target.file), target.vid
        made = self.project.allocations.of(owner, environment)
        weak = [(item, weak) for item in made for model in self.project.models(*item) for weak in model.weak]
        return bool(weak) and all(
            any(holds(self.project, *item, condition) for condition in use.unless) for item, use in weak
        )

    @staticmethod
    def _source_name(fn: Fn, call: Call, model: CallModel) -> str:
        key = fn.const(call.args[0]) if call.args else ...
        return str(key) if isinstance(key, str) else model.name.rpartition(".")[2]

    def _passed(self, fn: Fn, call: Call, model: CallModel) -> Labels:
        """What the model says goes through; without a word, what is only computed from the arguments."""
        base = receiver(fn, call)
        if model.name in _TEXTS and len(call.args) == 1:
            return self.reader.rendering.read(fn, call.args[0])
        if model.propagates is not None:
            vids = arguments(call, model.propagates)
            if model.propagates.receiver:
                if base < 0:
                    return lb.merge((self._receiver_name(fn, call), *self._whole(fn, vids)))
                vids.append(base)
            return lb.merge(self._whole(fn, vids))
        if model.effect or model.opens or model.response or model.route or model.app or model.exits:
            return NONE
        if base >= 0:
            return lb.merge((*self._whole(fn, [base]), *map(lb.weaken, self._whole(fn, self._all(call)))))
        return lb.weaken(lb.merge((self._receiver_name(fn, call), *self._whole(fn, self._all(call)))))

    def _receiver_name(self, fn: Fn, call: Call) -> Labels:
        """`request.args.get` is one dotted name: what its object carries."""
        value = fn.facts.values[call.func]
        if value[0] != "name" or "." not in value[1]:
            return NONE
        found = self.reader._library_source(fn, call.func, value[1])
        if found is not None:
            head, _, last = value[1].rpartition(".")
            key = fn.const(call.args[0]) if call.args and last in _GETTERS else ...
            return self.reader.urls.back(key, self.reader.models_of(fn, head), found)
        target = self.project.modules.resolve(value[1].rpartition(".")[0], fn.file.module)
        if target.kind == "variable" and target.file is not None and target.vid >= 0:
            owner = self.project.module_function(target.file)
            return self.reader.read(owner, target.vid, target.rest[:MAX_PATH])
        return NONE

    def _whole(self, fn: Fn, vids: list[Vid]) -> list[Labels]:
        return [self.reader.read(fn, vid, ()) for vid in vids]

    @staticmethod
    def _all(call: Call) -> list[Vid]:
        return list(call.passed)

    def _keyed(self, fn: Fn, vid: Vid, call: Call, path: Path) -> Labels | None:
        """`d.get("key", default)`, `items.pop(0)`, `config.get("section", "key")` on a container of this function."""
        value = fn.facts.values[call.func]
        if value[0] != "attr" or value[2] not in _GETTERS:
            return None
        base, name = value[1], value[2]
        exact = self.reader.containers.exact(fn, base)
        if exact is not None and name == "pop":
            index = fn.const(call.args[0]) if call.args else -1
            if isinstance(index, int) and -len(exact) <= index < len(exact):
                return self.reader.read(fn, exact[index], path)
        keys = [fn.const(arg) for arg in call.args]
        if not keys or keys[0] is ...:
            return lb.merge((self.reader.read(fn, base, lb.extend(path, "[*]")), *self._whole(fn, list(call.args[1:]))))
        composed = len(keys) > 1 and ... not in keys and self._is_configuration(fn, base)
        element = composite(keys) if composed else lb.item(keys[0])
        found = self.reader.read(fn, base, lb.extend(path, element))
        found = lb.clear(found, self.reader.declared.of_item(fn, base, keys[0], path)) if found else found
        found = self.reader.urls.back(keys[0], self.reader.attribute_models(fn, base), found)
        if not composed:
            found = lb.merge((found, *self._whole(fn, list(call.args[1:]))))
        if isinstance(keys[0], str) and not path:
            found = self.reader.named(found, fn, vid, keys[0])
        return found

    def _is_configuration(self, fn: Fn, base: Vid) -> bool:
        """A container with sections: something was `set` in it with a section and a key."""
        value = fn.facts.values[base]
        while value[0] in ("mut", "guard", "phi"):
            if value[0] == "mut" and value[2] == "set" and len(value[3]) > 2:
                return True
            value = fn.facts.values[value[1][0] if value[0] == "phi" else value[1]]
        return False

    def _unknown(self, fn: Fn, call: Call, path: Path) -> Labels:
        """Of a function that nobody knows: its object's data comes out, and perhaps its arguments'."""
        func = fn.facts.values[call.func]
        if func[0] in ("attr", "name") and _HIDES.search(str(func[-1]).rpartition(".")[2]):
            return lb.clear(self._unknown_result(fn, call, path), _HIDDEN)
        return self._unknown_result(fn, call, path)

    def _unknown_result(self, fn: Fn, call: Call, path: Path) -> Labels:
        by_class = bool(call.args) and any(ref.kind == "class" for ref in self.project.refs(fn, call.args[0]))
        if by_class and len(call.args) > 1 and fn.callee_name(call) == "get":
            return NONE  # `session.get(Item, id)`, whatever the session is
        keyed = self._keyed(fn, call.value, call, path)
        if keyed is not None:
            return keyed
        base = receiver(fn, call)
        passed = lb.read_out(lb.weaken(lb.merge(self._whole(fn, self._all(call)))))
        if base >= 0:
            passed = self._namesakes(fn, call, base, path) or passed
            own = lb.read_out(self.reader.read(fn, base, ()))
            name = str(fn.facts.values[call.func][2])
            if name == "replace" and len(call.args) > 1:  # of a text: what else has the method takes one, or keywords
                passed = self.reader.read(fn, call.args[1], ())
            elif not self._is_text_method(name):
                own = lb.weaken(own)
            found = lb.clear(lb.part(lb.merge((own, passed)), path), replaced(fn, call, path))
            return self.reader.urls.shortened(fn, call, found)
        named = self.reader.urls.shortened(fn, call, self._receiver_name(fn, call))
        return lb.part(lb.merge((named, passed)), path)

    def _namesakes(self, fn: Fn, call: Call, base: Vid, path: Path) -> Labels:
        """What the only methods of that name give (`registry[kind]().run(x)`); a guess where they do not agree."""
        name = str(fn.facts.values[call.func][2])
        if self._is_text_method(name) or name.startswith("render") or self.project.refs(fn, base):
            return NONE
        methods = [item for item in self._methods.get(name, ()) if fits(fn, call, item)]
        if not 0 < len(methods) <= _NAMESAKES:
            return NONE
        found = [self.summary(fn, item, bind(fn, call, item, entries=True), path, call.span) for item in methods]
        return lb.merge(found) if all(found) else lb.weaken(lb.merge(found))

    @cached_property
    def _methods(self) -> dict[str, list[Fn]]:
        """Methods of the project's classes by name."""
        found: dict[str, list[Fn]] = {}
        for cls in self.project.classes.values():
            for name, method in cls.methods.items():
                if not name.startswith("_") and method.kind == "method":
                    found.setdefault(name, []).append(method)
        return found

    def _is_text_method(self, name: str) -> bool:
        """A method of texts and containers: what it gives out of an unknown object is the object's own data."""
        known = self._text_methods.get(name)
        if known is None:
            owners = ("str", "bytes", "dict", "list")
            known = any(self.project.libraries.call(f"builtins.{owner}.{name}") is not None for owner in owners)
            known = self._text_methods[name] = known or name in _GIVES
        return known

    # functions of the project

    def summary(self, fn: Fn, callee: Fn, bound: Bound, path: Path, span: Span) -> Labels:
        """What `callee` returns at `path`, with its parameters replaced by the caller's arguments."""
        facts = callee.facts
        parts = []
        for item in facts.returns:
            if item.value < 0:
                continue
            if facts.is_generator and item.is_yield:
                inner = path[1:] if path and path[0].startswith("[") else path
                parts.append(self.reader.read(callee, item.value, inner))
            elif not item.is_yield:
                found = self.reader.read(callee, item.value, path)
                parts.append(self.returned.less(callee, item, found, path))
        return self.substitute(fn, callee, bound, lb.merge(parts), span)

    def substitute(self, fn: Fn, callee: Fn, bound: Bound, found: Labels, span: Span) -> Labels:
        """Labels in terms of the callee's parameters, in terms of the caller's values."""
        result: Labels = {}
        returned, passed = f"{callee.name}() returns it", f"{lb.PASSED}{callee.name}()"
        for origin, mark in found.items():
            if origin.what != "param" or origin.fn != callee.fqn:
                lb.add(result, origin, mark._replace(trail=Trail(fn.fqn, span, returned, mark.trail)))
                continue
            for vid, part in bound.get(origin.slot, ()):
                path = below(part, origin.path)
                if path == () and lb.TEXT in mark.cleared and holds_no_text(self.project, fn, vid):
                    continue
                for outer, known in self.reader.read(fn, vid, path[:MAX_PATH]).items() if path is not None else ():
                    trail = Trail(fn.fqn, span, passed, known.trail)
                    lb.add(result, outer, mark.after(known, trail))
        return result

    def _constructed(self, fn: Fn, call: Call, cls: Cls, path: Path) -> Labels:
        """A field of a new object, through `__init__` or the declared fields of a data class."""
        if self.project.hierarchy.role(cls) == "form" and not SENT.intersection(path):
            return NONE  # a form shows its fields as widgets, which escape
        init = self.project.method(cls, "__init__")
        if init is None:
            found = self._data_object(fn, call, cls, path)
            foreign = not path and bool(self.project.hierarchy.library_bases(cls))
            return lb.weaken(found) if foreign and self.project.hierarchy.role(cls) not in _DATA_CLASSES else found
        if not path:
            data = self.project.hierarchy.role(cls) in _DATA_CLASSES or self._is_exception(cls)
            return lb.merge(self._whole(fn, self._all(call))) if data else NONE
        bound = bind(fn, call, init, Ref("class", cls.fqn), entries=True)
        parts = []
        for owner in self.project.hierarchy.mro(cls):
            for method, vid in self.project.hierarchy.stores(owner, path[0]):
                if method.name == "__init__":
                    found = self.reader.read(method, vid, path[1:])
                    parts.append(self.substitute(fn, method, bound if method is init else {}, found, call.span))
        return lb.merge(parts)

    def _is_exception(self, cls: Cls) -> bool:
        return self.project.hierarchy.subclass_of(cls.fqn, "builtins.Exception")

    def _data_object(self, fn: Fn, call: Call, cls: Cls, path: Path) -> Labels:
        if not path:
            return self.reader.rendering.made_of(fn, call, cls)
        fields = [name for owner in reversed(self.project.hierarchy.mro(cls)) for name in owner.facts.annotations]
        vid = call.kwarg(path[0])
        if vid < 0 and path[0] in fields and fields.index(path[0]) < len(call.args):
            vid = call.args[fields.index(path[0])]
        if vid >= 0:
            found = self.reader.read(fn, vid, path[1:])
            tested = found and not path[1:]
            return lb.clear(found, self.reader.guards.around(fn, vid, call.block, call.span.line)) if tested else found
        spread = call.kwarg("**")
        return self.reader.read(fn, spread, (lb.item(path[0]), *path[1:])) if spread >= 0 else NONE

    # with, dependency injection

    def entered(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        """What `with f() as x` binds: what a context manager function yields, or the object itself."""
        inner = fn.facts.values[value[1]]
        if inner[0] == "call":
            call = fn.facts.calls[inner[1]]
            for ref in self.project.callees(fn, call):
                callee = self.project.functions.get(ref.name) if ref.kind == "func" else None
                if callee is not None and callee.facts.is_generator:
                    return self.summary(
                        fn, callee, bind(fn, call, callee, ref, entries=True), ("[*]", *path), call.span
                    )
        return self.reader.read(fn, value[1], path)

    def injected(self, fn: Fn, index: int, path: Path) -> Labels:
        """What dependency injection passes for a parameter: the result of the dependency."""
        parts = []
        for dependency in self.project.graph.injected(fn, index):
            facts = dependency.facts
            extended = ("[*]", *path) if facts.is_generator else path
            found = self.summary(fn, dependency, {}, extended, facts.header)
            parts.append({origin: mark for origin, mark in found.items() if origin.what != "param"})
        return lb.merge(parts)

    def handed(self, fn: Fn, index: int, path: Path) -> Labels:
        """What the project's decorators pass to a view; of their own parameters, what the framework passes to them."""
        if not fn.facts.decorators or fn.fqn not in self.project.route_functions:
            return NONE
        parts = []
        for item in handed(self.project, fn, index) or ():
            found = self.reader.read(item.fn, item.vid, (*item.path, *path)[:MAX_PATH])
            entering = self.reader.source("request", item.fn, item.vid, fn.facts.params[index].name)
            for origin, mark in found.items():
                if origin.what != "param":
                    parts.append({origin: mark})
                elif origin.fn == item.fn.fqn:
                    parts.append({first: mark.after(known, known.trail) for first, known in entering.items()})
        return lb.merge(parts)
