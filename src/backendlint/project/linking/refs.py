"""What a value may refer to: functions, classes and instances, of the project or of libraries.

Demand-driven and remembered. A cycle (a value that depends on itself through a loop or recursion) adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Binding, Call, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.linking.callables import made_by
from backendlint.project.linking.names import Names
from backendlint.project.linking.parts import part
from backendlint.project.linking.passed import Passed
from backendlint.project.linking.registries import Registries
from backendlint.project.linking.results import Results
from backendlint.project.linking.types import MAX_REFS, TypeNames, unique
from backendlint.project.rows.managers import Managers
from backendlint.project.values.tables import kept_alike

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_LISTED = 32
"""What MAX_REFS is for what a loop goes over: each of the functions in a list is called."""
MAX_DEPTH = 60
_LITERALS = {"list": "builtins.list", "tuple": "builtins.tuple", "set": "builtins.set", "dict": "builtins.dict"}
_TEXTS = {"fmt", "conv", "join"}
_EMPTY = tuple((Ref("libinst", f"builtins.{name}"),) for name in ("dict", "list", "set"))
_MADE = ("call", "await", "enter")
"""Operations that make an object; where nobody knows which, the name that it is given may say."""
_CHANGES = ("guard", "mut", "store", "setattr")
MAX_SOURCES = 200
_SAME = ("guard", "await", "mut", "store", "setattr", "star")
"""Operations whose result refers to what their first operand does."""


class Resolver:
    """Answers `refs(fn, vid)`; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.types = TypeNames(project, self)
        self.names = Names(project, self)
        self.results = Results(self)
        self.passed = Passed(project, self)
        self.managers = Managers(self)
        self.registries = Registries(self)
        self._params: dict[tuple[str, int], Refs] = {}
        self._fields: dict[tuple[str, str], Refs] = {}
        self._methods: dict[tuple[Ref, str], Refs] = {}
        self._bindings: dict[str, dict[Vid, Binding]] = {}
        self._depth = 0

    @property
    def idle(self) -> bool:
        """False while a value is being resolved: what is asked meanwhile may be answered in part only."""
        return self._depth == 0

    # values

    def refs(self, fn: Fn, vid: Vid) -> Refs:
        """What the value may refer to; empty where nothing is known."""
        known = fn.known.get(vid)
        if known is not None:
            return known
        if vid < 0 or self._depth > MAX_DEPTH:
            return ()
        value = fn.facts.values[vid]
        named = self.names.known(value[1], fn.file.module) if value[0] == "name" else None
        if named:
            fn.known[vid] = named
            return named
        fn.known[vid] = ()
        self._depth += 1
        try:
            limit = MAX_LISTED if value[0] == "elem" else MAX_REFS
            found = unique(self._value(fn, vid, value) or self._declared(fn, vid), limit)
        except Exception as error:  # one value must not end the scan of the others
            if self._depth > 1:
                raise
            self.project.failed(fn, error)
            found = ()
        finally:
            self._depth -= 1
        fn.known[vid] = found
        return found

    def _value(self, fn: Fn, vid: Vid, value: Value) -> Iterable[Ref]:
        op = value[0]
        if op == "name":
            return self.dotted(value[1], fn.file.module)
        if op == "attr":
            owners = self.refs(fn, value[1])
            if len(owners) == 1:  # nearly always
                return self.member(owners[0], value[2])
            return self._many(self.member(ref, value[2]) for ref in owners)
        if op == "call":
            return self._call(fn, fn.facts.calls[value[1]])
        if op == "param":
            return self.param(fn, value[1])
        if op in _SAME:
            return self._same(fn, vid, value)
        if op == "phi":
            return self._any(fn, vid)
        if op == "bool":
            return self._many(self.refs(fn, item) for item in value[2])
        if op == "def":
            return self._definition(fn, value[1])
        if op == "outer":
            return self._outer(fn, value)
        if op == "enter":
            return self._entered(fn, value[1])
        if op in ("elem", "unpack", "item", "slice"):
            return part(self, fn, vid, value)
        if op == "exc":
            return self._exception(fn, value[1])
        if op == "binop" and value[1] == "/":
            return [ref for side in value[2:4] for ref in self.refs(fn, side) if ref.name.startswith("pathlib.")][:1]
        return self._literal(fn, value)

    def _same(self, fn: Fn, vid: Vid, value: Value) -> Iterable[Ref]:
        found = self.refs(fn, value[1])
        if value[0] in ("store", "mut"):
            return self._filled(fn, vid, found)
        return self.types.narrowed(fn, value, found) if value[0] == "guard" and found else found

    def _any(self, fn: Fn, vid: Vid) -> Iterable[Ref]:
        """One of several: what comes first (before a loop, say) is known when the others, which may be made of it, are asked."""
        found: list[Ref] = []
        for item in self._sources(fn, vid):
            found.extend(self.refs(fn, item))
            fn.known[vid] = unique(found)
        return self._filled(fn, vid, found)

    def _filled(self, fn: Fn, vid: Vid, found: Sequence[Ref]) -> Sequence[Ref]:
        """A dict that is made empty, with what is then put into it under keys that the code does not write down; so a list."""
        if tuple(found) not in _EMPTY:
            return found
        kinds = (self.refs(fn, item) for item in kept_alike(fn, vid))
        return tuple(found[0]._replace(arg=refs[0]) for refs in kinds if refs)[:1] or found

    def _sources(self, fn: Fn, vid: Vid) -> list[Vid]:
        """What flows together in a phi, past changes of the object and other phis: in a loop these refer to one another."""
        todo, seen, found = [vid], set[Vid](), []
        while todo and len(seen) < MAX_SOURCES:
            item = todo.pop()
            if item < 0 or item in seen:
                continue
            seen.add(item)
            value = fn.facts.values[item]
            if value[0] == "phi":
                todo.extend(reversed(value[1]))
            elif value[0] in _CHANGES and not fn.known.get(item):
                todo.append(value[1])
            else:
                found.append(item)
        return found

    def _declared(self, fn: Fn, vid: Vid) -> Refs:
        """What the name says that the value is bound to: its annotation (`pool: Pool = app["pool"]`), or convention."""
        declared = self._bindings.get(fn.fqn)
        if declared is None:
            made = [item for item in fn.facts.bindings if item.annotation >= 0 or fn.value(item.value)[0] in _MADE]
            declared = self._bindings[fn.fqn] = {item.value: item for item in made}
        binding = declared.get(vid)
        if binding is None:
            return ()
        if binding.annotation >= 0:
            return self.types.annotation(fn, binding.annotation)
        hinted = self.project.hints(fn.file).type_of(binding.name, parameter=False)
        return (self.types.named(hinted),) if hinted and not self._other(fn, vid, hinted) else ()

    def _other(self, fn: Fn, vid: Vid, hinted: str) -> bool:
        """`posthog_client = Posthog(...)`: the class of a library that nobody has described is not what the name hints at."""
        value = fn.facts.values[vid]
        refs = self.callees(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
        return any(
            ref.kind == "lib"
            and ref.name.rpartition(".")[2][:1].isupper()
            and ref.name.partition(".")[0] != hinted.partition(".")[0]
            for ref in refs
        )

    def _entered(self, fn: Fn, vid: Vid) -> Iterable[Ref]:
        """What `with v as x` binds: as the model of the call that makes v says, else as its type does."""
        value = fn.facts.values[vid]
        if value[0] == "await":
            value = fn.facts.values[value[1]]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        for ref in self.callees(fn, call) if call else ():
            model = self.project.libraries.call(ref.name) if ref.kind == "lib" else None
            if call is not None and model is not None and model.enters:
                return self.types.modelled(fn, call, ref, model.enters)
        return self._many(self.entered(ref) for ref in self.refs(fn, vid))

    def _literal(self, fn: Fn, value: Value) -> Refs:
        op = value[0]
        if op in _LITERALS:
            return self._display(fn, value)
        if op == "comp":
            name = "builtins.list" if value[1] == "gen" else f"builtins.{value[1]}"
            element = self.refs(fn, value[2])
            return (Ref("libinst", name, element[0] if element else None),)
        if op == "const" and value[1] is not None and value[1] is not ...:
            return (Ref("libinst", f"builtins.{type(value[1]).__name__}"),)
        return (Ref("libinst", "builtins.str"),) if op in _TEXTS else ()

    def _many(self, groups: Iterable[Iterable[Ref]]) -> Iterable[Ref]:
        return [ref for group in groups for ref in group]

    def _outer(self, fn: Fn, value: Value) -> Refs:
        target = fn.outer(value)
        return self.refs(target, value[1]) if target else ()

    def _definition(self, fn: Fn, qualname: str) -> Refs:
        fqn = f"{fn.file.module}.{qualname}"
        if fqn in self.project.classes:
            return (Ref("class", fqn),)
        return (Ref("func", fqn),) if fqn in self.project.functions else ()

    def _display(self, fn: Fn, value: Value) -> Refs:
        items = [v for _, v in value[1]] if value[0] == "dict" else value[1]
        element = next((refs[0] for item in items[:3] if (refs := self.refs(fn, item))), None)
        return (Ref("libinst", _LITERALS[value[0]], element),)

    def _exception(self, fn: Fn, block: int) -> Iterable[Ref]:
        types = fn.facts.blocks[block].value
        if types < 0:
            return (Ref("libinst", "builtins.BaseException"),)
        value = fn.facts.values[types]
        vids = value[1] if value[0] == "tuple" else (types,)
        return self._many(self.instance(ref) for vid in vids for ref in self.refs(fn, vid))

    # names and members

    def owner(self, fn: Fn, value: Value) -> Refs:
        """What an attribute or a dotted name is a part of: what `ferries` refers to, of `ferries.load`; of other values nothing."""
        if value[0] == "attr":
            return self.refs(fn, value[1])
        return self.dotted(str(value[1]).rpartition(".")[0], fn.file.module) if value[0] == "name" else ()

    def dotted(self, name: str, module: str) -> Refs:
        """What a dotted name refers to in a module."""
        known = self.names.known(name, module)
        if known is not None:
            return known
        if self._depth > MAX_DEPTH:
            return ()
        self._depth += 1
        try:
            return self.names.dotted(name, module)
        finally:
            self._depth -= 1

    def member(self, ref: Ref, name: str) -> Iterable[Ref]:
        """What `ref.name` refers to."""
        if ref.kind == "module":
            return self.dotted(f"{ref.name}.{name}", ref.name)
        if ref.kind in ("class", "inst", "super"):
            return self._class_member(ref, name)
        if ref.kind == "func":
            return self._decorated_member(ref, name)
        if ref.kind == "lib" and ref.arg is not None and ref.arg.kind == "class":
            return self._instance_member(ref, name)
        if ref.kind == "lib":
            return self.names.symbol(self.project.libraries.canonical(f"{ref.name}.{name}"))
        if ref.kind == "libinst":
            return self._instance_member(ref, name)
        return ()

    def _decorated_member(self, ref: Ref, name: str) -> Refs:
        """`task.delay`: a library's decorator may make an object of its own of a function."""
        for decorator in self.project.functions[ref.name].decorators:
            model = self.project.libraries.decorator(decorator.name) if decorator.kind == "lib" else None
            if model is not None and model.returns:
                return (Ref("lib", self.project.libraries.canonical(f"{model.returns}.{name}"), ref),)
        return ()

    def _instance_member(self, ref: Ref, name: str) -> Refs:
        dotted = f"{ref.name}.{name}"
        model = self.project.libraries.attribute(dotted)
        if model is not None and model.type:
            return (self.types.named(model.type, ref),)
        kept = self.names.kept(ref.name, name) if model is None else ()
        if model is None and not kept and self.project.libraries.call(dotted) is None:
            kept = self.managers.method(ref, name)
        return kept or (Ref("lib", model.name if model else self.project.libraries.canonical(dotted), ref),)

    def _class_member(self, ref: Ref, name: str) -> Refs:
        known = self._methods.get((ref, name))
        return known if known is not None else self._find_member(ref, name)

    def _find_member(self, ref: Ref, name: str) -> Refs:
        cls = self.project.classes[ref.name]
        if ref.kind == "inst":
            related = self.project.associations.member(cls, name)
            if related:
                return related
        mro = self.project.hierarchy.mro(cls)
        for owner in mro[1:] if ref.kind == "super" else mro:
            method = owner.methods.get(name)
            if method is not None:
                if method.kind == "property" and ref.kind == "inst":
                    return self.results.of(method, ref)
                overrides = self.project.hierarchy.overrides(cls, name) if ref.kind == "inst" else ()
                found = (Ref("func", method.fqn, ref), *(Ref("func", fn.fqn, ref) for fn in overrides))
                self._methods[ref, name] = found
                return found
            nested = f"{owner.fqn}.{name}"
            if nested in self.project.classes:
                return (Ref("class", nested),)
            found = self.field(owner, name)
            if found and not self.managers.is_strange(cls, name, found):
                return tuple(self.managers.owned(item, cls) for item in found)
        instance = "libinst" if ref.kind == "inst" else "lib"
        bases = self.project.hierarchy.library_bases(cls)
        if ref.kind == "super" and not bases:
            bases = self.project.hierarchy.bases_beside(cls)
        for base in bases:
            dotted = f"{base}.{name}"
            if self.project.libraries.call(dotted) or self.project.libraries.attribute(dotted):
                if ref.arg is not None and self.managers.gives_rows(ref):
                    return tuple(self.member(Ref("libinst", base, ref.arg), name))
                return tuple(self.member(Ref(instance, base, Ref("class", cls.fqn)), name))
        mixed = self.project.hierarchy.mixed_in(cls, name) if ref.kind == "inst" else None
        if mixed is not None:
            return (Ref("func", mixed.fqn, ref),)
        overrides = self.project.hierarchy.overrides(cls, name) if ref.kind == "inst" else ()
        left = tuple(Ref("func", fn.fqn, ref) for fn in overrides if fn.kind != "property")
        return left or self.types.inherited(cls, name)

    def field(self, cls: Cls, name: str) -> Refs:
        """What an attribute of the class's instances refers to: annotation, class attribute, or what methods assign."""
        key = (cls.fqn, name)
        known = self._fields.get(key)
        if known is not None:
            return known
        self._fields[key] = ()
        annotation = cls.facts.annotations.get(name, -1)
        found: Iterable[Ref] = self._annotated(cls.owner, annotation)
        if not found:
            found = self.refs(cls.owner, cls.facts.attributes.get(name, -1))
        if not found:
            found = self._many(self.refs(fn, vid) for fn, vid in self.project.hierarchy.stores(cls, name))
        self._fields[key] = unique(found)
        return self._fields[key]

    def _annotated(self, home: Fn, annotation: Vid) -> Refs:
        if annotation < 0:
            return ()
        return made_by(self.types, home, annotation) or self.types.annotation(home, annotation)

    # calls

    def callees(self, fn: Fn, call: Call) -> Refs:
        """What a call calls; an object of a library is called by its `__call__`, where that is modelled."""
        refs = self.registries.called(fn, call, self.refs(fn, call.func))
        own = self.project.functions
        objects = (ref.kind == "libinst" or (ref.kind == "func" and own[ref.name].decorators) for ref in refs)
        return tuple(map(self._called, refs)) if refs and any(objects) else refs

    def _called(self, ref: Ref) -> Ref:
        if ref.kind == "func":  # a library's decorator may make an object of it, whose call does something else
            made = self._decorated_member(ref, "__call__")
            return made[0] if made and self.project.libraries.call(made[0].name) is not None else ref
        dotted = f"{ref.name}.__call__"
        modelled = ref.kind == "libinst" and self.project.libraries.call(dotted) is not None
        return Ref("lib", dotted, ref) if modelled else ref

    def _call(self, fn: Fn, call: Call) -> Iterable[Ref]:
        return self._many(self.result(fn, call, ref) for ref in self.callees(fn, call))

    def result(self, fn: Fn, call: Call, ref: Ref) -> Iterable[Ref]:
        """What calling `ref` gives."""
        if ref.kind == "func":
            return self.results.of_call(fn, call, self.project.functions[ref.name], ref.arg)
        if ref.kind == "class":
            return (Ref("inst", ref.name), *self.types.stood_for(fn, call, ref))
        if ref.kind == "inst":
            return self._many(
                self.results.of(self.project.functions[found.name], ref)
                for found in self._class_member(ref, "__call__")
                if found.kind == "func"
            )
        if ref.kind == "lib":
            return self.types.library_result(fn, call, ref)
        return (ref,) if ref.kind == "libinst" and ref.name.endswith("partial") and ref.arg else ()

    def param(self, fn: Fn, index: int) -> Refs:
        """What a parameter may be: `self`'s class, its annotation, its injected or default value, its name."""
        key = (fn.fqn, index)
        known = self._params.get(key)
        if known is None:
            self._params[key] = ()
            known = self._params[key] = unique(self._param(fn, index))
        return known

    def _param(self, fn: Fn, index: int) -> Iterable[Ref]:
        param = fn.facts.params[index]
        if index == 0 and fn.cls is not None and fn.kind in ("method", "property", "staticmethod"):
            prefix = self.project.hierarchy.resolvers(fn.cls)
            if prefix and fn.name.startswith(prefix):
                return self.types.of_meta(fn.cls)
            if fn.kind != "staticmethod":
                return (self.managers.own(fn.cls),)
        if index == 0 and fn.cls is not None and fn.kind == "classmethod":
            return (Ref("class", fn.cls.fqn),)
        home = fn.parent or fn
        found: Iterable[Ref] = self._annotated(home, param.annotation)
        if not found:
            found = self.types.injected(home, param) or self.types.framework_param(fn, index)
        if not found and param.default >= 0 and home.facts.values[param.default][0] != "const":
            found = self.refs(home, param.default)
        if found and all(ref.name == "builtins.dict" for ref in found):
            found = self.project.attached.named(fn, index) or found
        if found:
            wrapper = {"args": "builtins.tuple", "kwargs": "builtins.dict"}.get(param.kind)
            return [Ref("libinst", wrapper, ref) for ref in found][:1] if wrapper else found
        silent = param.annotation < 0 or home.value(param.annotation) == ("name", "typing.Any")
        if param.kind in ("args", "kwargs"):
            return ()
        return (self.types.by_name(fn, index) if silent else ()) or self.passed.agreed(fn, index, classes=not silent)

    # shapes

    def instance(self, ref: Ref) -> Refs:
        """An instance of what a class refers to."""
        if ref.kind == "class":
            return (Ref("inst", ref.name, ref.arg),)
        return (Ref("libinst", ref.name, ref.arg),) if ref.kind == "lib" else (ref,)

    def entered(self, ref: Ref) -> Refs:
        """What `with ref as x` binds."""
        if ref.kind == "libinst":
            if ref.name == "typing.Iterator":
                return (ref.arg,) if ref.arg else ()
            model = self.project.libraries.cls(ref.name)
            return (self.types.named(model.enters, ref),) if model is not None and model.enters else (ref,)
        if ref.kind == "inst":
            for name in ("__enter__", "__aenter__"):
                for found in self._class_member(ref, name):
                    if found.kind == "func":
                        return self.results.of(self.project.functions[found.name]) or (ref,)
        return (ref,)

    def element(self, ref: Ref) -> Refs:
        """What iterating over or subscripting `ref` gives."""
        if ref.kind != "libinst":
            return ()
        model = self.project.libraries.cls(ref.name)
        if model is not None and model.iterates:
            return (self.types.named(model.iterates, ref),)
        return (ref.arg,) if ref.arg else ()
