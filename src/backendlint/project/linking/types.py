"""Annotations and the type names of library models, as refs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Param, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref, Refs
from backendlint.project.libraries.model import Arg
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.linking.hookarguments import argument_class
from backendlint.project.linking.registered import Registered
from backendlint.project.linking.variables import variable
from backendlint.project.loops.viewrows import of_view

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver
    from backendlint.project.model import Project

MAX_REFS = 8
"""More alternatives than this say nothing useful."""
_TRANSPARENT = frozenset(
    [
        "Optional",
        "Union",
        "Annotated",
        "Final",
        "ClassVar",
        "Required",
        "NotRequired",
        "ReadOnly",
        "Awaitable",
        "Mapped",
        "Type",
        "type",
        "TypeGuard",
        "WriteOnlyMapped",
        "DynamicMapped",
    ]
)
"""Generics that stand for (one of) their arguments."""
_GENERATORS = frozenset(["Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator"])
_CONTAINERS = {  # annotations that say what a container holds
    "List": "builtins.list", "list": "builtins.list", "Sequence": "builtins.list", "Set": "builtins.set",
    "set": "builtins.set", "FrozenSet": "builtins.frozenset", "frozenset": "builtins.frozenset",
    "Collection": "builtins.list",
    "Tuple": "builtins.tuple", "tuple": "builtins.tuple", "Deque": "collections.deque", "deque": "collections.deque",
    "Dict": "builtins.dict", "dict": "builtins.dict", "Mapping": "builtins.dict", "MutableMapping": "builtins.dict",
    "DefaultDict": "builtins.dict", "OrderedDict": "builtins.dict", "MutableSequence": "builtins.list",
}  # fmt: skip
_FORMS = frozenset({"Callable", "Literal", "Any", "Concatenate", "Unpack"})
_VALUE_TYPED = frozenset({"builtins.dict"})
_NEW_TYPES = ("typing.NewType", "typing_extensions.NewType")
_SELF = ("Self", "typing.Self", "typing_extensions.Self")
_BY_NAME = {"builtins.getattr": 1, "builtins.__import__": 0, "importlib.import_module": 0}
"""Functions that give what a name stands for, and which argument the name is."""
_TYPING = ("typing", "typing_extensions", "collections.abc", "builtins", "sqlalchemy.orm")


MIN_SPELLED = 2
"""Letters of a method's name that the code must spell out to say which methods it may mean."""
_BARE = frozenset({"typing.Generic", "typing.Protocol", "abc.ABC", "builtins.object"})
"""Bases without attributes of their own."""
OPEN_TYPES = frozenset({"self", "elem"})
"""What stays of a model's type where the receiver, or its element's type, is unknown."""


class TypeNames:
    """Reads annotations (values) and model type names (text) as refs to instances."""

    def __init__(self, project: Project, resolver: Resolver) -> None:
        self.project = project
        self.resolver = resolver
        self.registered = Registered(project)
        self._reading: set[tuple[str, Vid]] = set()
        """Aliases that are being read: one may lead back to itself, through other modules too."""

    # annotations

    def annotation(self, home: Fn, vid: Vid, receiver: Ref | None = None) -> Refs:
        """The instances that an annotation allows; empty for Any, None, TypeVars and what is unknown."""
        if vid < 0:
            return ()
        value = home.facts.values[vid]
        op = value[0]
        if op == "const":
            return self._text(home, value[1], receiver) if isinstance(value[1], str) else ()
        if op == "binop" and value[1] == "|":
            return (*self.annotation(home, value[2], receiver), *self.annotation(home, value[3], receiver))
        if op == "item":
            return self._generic(home, value, receiver)
        if op == "name" and value[1] in _SELF:
            return self.resolver.instance(receiver) if receiver else ()
        if op == "call":
            return self._new_type(home, value)
        if op not in ("name", "attr", "def", "outer", "phi", "guard"):
            return ()
        return self._plain(home, vid, value)

    def mentions_self(self, home: Fn | None, vid: Vid, depth: int = 4) -> bool:
        """Whether an annotation speaks of `Self`, so that it means another type for each receiver."""
        if home is None or vid < 0 or depth == 0:
            return False
        value = home.facts.values[vid]
        if value[0] == "name":
            return value[1] in _SELF
        if value[0] == "const":
            return isinstance(value[1], str) and "Self" in value[1]
        parts = (
            value[1]
            if value[0] == "tuple"
            else value[1:3]
            if value[0] == "item"
            else value[2:4]
            if value[0] == "binop"
            else ()
        )
        return any(self.mentions_self(home, part, depth - 1) for part in parts)

    def _plain(self, home: Fn, vid: Vid, value: Value) -> Refs:
        found = []
        for ref in self.resolver.refs(home, vid):
            if ref.kind == "class" or (ref.kind == "lib" and not self._says_nothing(ref.name)):
                name = ref.name.rpartition(".")[2]
                if ref.kind == "lib" and name in _CONTAINERS and ref.name.startswith(_TYPING):
                    found.append(Ref("libinst", _CONTAINERS[name]))
                else:
                    found.extend(self.resolver.instance(ref))
        if not found and value[0] == "name":
            return self._alias(value[1], home)
        return tuple(found)

    def _alias(self, dotted: str, home: Fn) -> Refs:
        """A type alias at module level (`SessionDep = Annotated[Session, Depends(get)]`)."""
        found = variable(self.project, home, dotted)
        if found is None:
            return ()
        owner, vid = found
        key = (owner.fqn, vid)
        if owner.facts.values[vid][0] not in ("item", "binop", "call") or key in self._reading:
            return ()
        self._reading.add(key)
        try:
            return self.annotation(owner, vid)
        finally:
            self._reading.discard(key)

    def _new_type(self, home: Fn, value: Value) -> Refs:
        """`UserId = NewType("UserId", int)`: at run time, its base."""
        call = home.facts.calls[value[1]]
        made = any(ref.name in _NEW_TYPES for ref in self.project.callees(home, call))
        return self.annotation(home, call.args[1]) if made and len(call.args) == 2 else ()

    @staticmethod
    def _says_nothing(name: str) -> bool:
        return name in ("builtins.object", "builtins.None") or name.rpartition(".")[2] in (
            "Any",
            "Self",
            "NoReturn",
            "Never",
        )

    def _generic(self, home: Fn, value: Value, receiver: Ref | None) -> Refs:
        base = home.facts.values[value[1]]
        name = str(base[1]).rpartition(".")[2] if base[0] == "name" else base[2] if base[0] == "attr" else ""
        inner = home.facts.values[value[2]]
        args = list(inner[1]) if inner[0] == "tuple" else [value[2]]
        if not args:  # `tuple[()]`
            return self._plain(home, value[1], base)
        if name in ("Annotated", "Generator", "AsyncGenerator"):
            args = args[:1]
        if name == "Literal":
            return ()
        if name in ("Type", "type"):
            return _class_of(self.annotation(home, args[0], receiver))
        if name in _TRANSPARENT:
            return tuple(ref for arg in args for ref in self.annotation(home, arg, receiver))
        if name in _GENERATORS:
            element = self.annotation(home, args[0], receiver)
            return (Ref("libinst", "typing.Iterator", element[0] if element else None),)
        container = _CONTAINERS.get(name)
        if container is not None:
            element = self.annotation(home, args[-1 if container in _VALUE_TYPED else 0], receiver)
            return (Ref("libinst", container, element[0] if element else None),)
        element = self.annotation(home, args[0], receiver)
        return tuple(
            Ref(ref.kind, ref.name, element[0] if element else ref.arg) for ref in self._plain(home, value[1], base)
        )

    def _text(self, home: Fn, text: str, receiver: Ref | None) -> Refs:
        """A forward reference."""
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        return self._node(home, node, receiver)

    def _node(self, home: Fn, node: ast.expr, receiver: Ref | None) -> Refs:
        if isinstance(node, ast.Constant):
            return self._text(home, node.value, receiver) if isinstance(node.value, str) else ()
        if isinstance(node, ast.BinOp):
            return (*self._node(home, node.left, receiver), *self._node(home, node.right, receiver))
        if isinstance(node, ast.Subscript):
            name = ast.unparse(node.value).rpartition(".")[2]
            args = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if not args:
                return self._node(home, node.value, receiver)
            args = args[:1] if name == "Annotated" else args
            if name in ("Type", "type"):
                return _class_of(self._node(home, args[0], receiver))
            if name in _TRANSPARENT:
                return tuple(ref for arg in args for ref in self._node(home, arg, receiver))
            container = "typing.Iterator" if name in _GENERATORS else _CONTAINERS.get(name)
            if container is not None:
                element = self._node(home, args[-1 if container in _VALUE_TYPED else 0], receiver)
                return (Ref("libinst", container, element[0] if element else None),)
            return self._node(home, node.value, receiver)
        if not isinstance(node, ast.Name | ast.Attribute):
            return ()
        return self._name(home, ast.unparse(node), receiver)

    def _name(self, home: Fn, dotted: str, receiver: Ref | None) -> Refs:
        if dotted in _SELF:
            return self.resolver.instance(receiver) if receiver else ()
        head, _, rest = dotted.partition(".")
        file = home.file
        target = next((item.target for item in file.imports if item.name == head), None)
        full = target or (f"{file.module}.{head}" if head in file.names or head in file.classes else f"builtins.{head}")
        refs = self.resolver.dotted(f"{full}.{rest}" if rest else full, file.module)
        return tuple(
            item
            for ref in refs
            if ref.kind in ("class", "lib") and not self._says_nothing(ref.name)
            for item in self.resolver.instance(ref)
        )

    def generic(self, fn: Fn, value: Value) -> Refs:
        """`C[T]` read as a value: the class itself (a generic alias)."""
        refs = self.resolver.refs(fn, value[1])
        return tuple(ref for ref in refs if ref.kind == "class" or (ref.kind == "lib" and _names_class(ref.name)))

    # model type names

    def named(self, text: str, receiver: Ref | None = None) -> Ref:
        """A type as models write it: `requests.Response`, `builtins.list[X]`, `self`, `elem`."""
        text = text.strip()
        if text == "self" and receiver is not None:
            bound = receiver.arg is not None and receiver.arg.kind == "class"
            return Ref("inst", receiver.arg.name) if bound and receiver.arg else receiver
        if text in ("elem", "element", "arg") and receiver is not None and receiver.arg is not None:
            return receiver.arg if receiver.arg.kind != "class" else Ref("inst", receiver.arg.name)
        name, bracket, inner = text.partition("[")
        if bracket:
            element = self.named(inner.removesuffix("]"), receiver)
            known = None if element.name in OPEN_TYPES else element
            return Ref("libinst", self.project.libraries.canonical(name), known)
        return Ref("libinst", self.project.libraries.canonical(name), receiver.arg if receiver else None)

    def library_result(self, fn: Fn, call: Call, ref: Ref) -> Iterable[Ref]:
        """What calling a library's function or class gives, by its model."""
        libraries = self.project.libraries
        model = libraries.call(ref.name)
        if model is not None:
            if model.returns:
                return self.modelled(fn, call, ref, model.returns)
            if model.wraps is not None:
                vid = _chosen(call, model.wraps.positions, model.wraps.keywords)
                return self.resolver.refs(fn, vid)  # `sync_to_async(load)`: calling it is calling `load`
            if (bridges := self._bridges(ref)) is not None:
                return self._called_argument(fn, call, bridges)
        if libraries.cls(ref.name) is not None or ref.name.rpartition(".")[2][:1].isupper():
            hinted = "" if libraries.knows(ref.name) else self._by_convention(fn, ref.name.rpartition(".")[2])
            return (Ref("libinst", hinted or ref.name),)
        if ref.name == "builtins.super":
            return self.resolver.managers.above(fn, call)
        return self._by_name(fn, call, ref.name)

    def stood_for(self, fn: Fn, call: Call, ref: Ref) -> Iterable[Ref]:
        """What an object of a project's class stands for besides, by the library class from which it comes
        (`class Current(LocalProxy)`: what the function that it is given returns)."""
        bridges = self._bridges(ref)
        return self._called_argument(fn, call, bridges) if bridges is not None else ()

    def _bridges(self, ref: Ref) -> Arg | None:
        """The argument for whose results a library's function stands, or objects of a project's class that comes from one."""
        names = (
            self.project.hierarchy.library_bases(self.project.classes[ref.name]) if ref.kind == "class" else (ref.name,)
        )
        models = filter(None, map(self.project.libraries.call, names))
        return next((arg for model in models for arg in (model.bridges, model.injects) if arg is not None), None)

    def of_unknown(self, dotted: str) -> tuple[Ref, ...]:
        """`shop.models.Item.objects.raw` of a class that is neither in the project nor modelled: by convention."""
        if self.project.libraries.knows(dotted):
            return ()
        parts = dotted.split(".")
        for number, part in enumerate(parts[1:], 1):
            hinted = self.project.conventions.of_attribute(part) if parts[number - 1][:1].isupper() else ""
            if hinted:
                found: Iterable[Ref] = (self.named(hinted),)
                for name in parts[number + 1 :]:
                    found = [item for ref in found for item in self.resolver.member(ref, name)]
                return tuple(found)
        return ()

    def inherited(self, cls: Cls, name: str) -> tuple[Ref, ...]:
        """An attribute that only a library's base, or one that nobody knows, can have."""
        bases = [base for base in self.project.hierarchy.library_bases(cls) if base not in _BARE]
        if not bases:
            return self.of_unknown(f"{cls.name}.{name}") if cls.facts.bases else ()
        dotted = f"{bases[0]}.{name}"
        return self.of_unknown(dotted) or (Ref("lib", dotted, Ref("class", cls.fqn)),)

    def of_meta(self, cls: Cls) -> tuple[Ref, ...]:
        """An instance of the class's `Meta.model`."""
        for owner in self.project.hierarchy.mro(cls):
            meta = self.project.classes.get(f"{owner.fqn}.Meta")
            vid = meta.facts.attributes.get("model", -1) if meta is not None else -1
            if meta is not None and vid >= 0:
                return tuple(
                    Ref("inst", ref.name) for ref in self.resolver.refs(meta.owner, vid) if ref.kind == "class"
                )
        return ()

    def _by_name(self, fn: Fn, call: Call, function: str) -> Iterable[Ref]:
        """`getattr(os, "system")`, `__import__("os")`: what a constant names."""
        if function not in _BY_NAME or len(call.args) <= _BY_NAME[function]:
            return ()
        name = fn.const(call.args[_BY_NAME[function]])
        if function == "builtins.getattr" and not isinstance(name, str) and len(call.args) == 2:
            return self._by_parts(fn, call)
        if not isinstance(name, str) or not name:
            return ()
        if _BY_NAME[function] == 0:
            return self.resolver.dotted(name, fn.file.module) if len(call.args) == 1 else ()
        return [found for base in self.resolver.refs(fn, call.args[0]) for found in self.resolver.member(base, name)]

    def _by_parts(self, fn: Fn, call: Call) -> list[Ref]:
        """`getattr(self, f"send_{kind}_mail")`: the methods whose names begin and end so."""
        value = fn.unguarded(call.args[1])
        ends = [fn.const(part) for part in (value[2][0], value[2][-1])] if value[0] == "fmt" and value[2] else []
        before, after = (text if isinstance(text, str) else "" for text in ends or ("", ""))
        if len(before.strip("_")) + len(after.strip("_")) < MIN_SPELLED:
            return []
        return [
            found
            for base in self.resolver.refs(fn, call.args[0])
            if base.kind in ("inst", "class")
            for name in self._methods_of(base.name)
            if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
            for found in self.resolver.member(base, name)
        ]

    def _methods_of(self, cls: str) -> list[str]:
        return list(
            dict.fromkeys(
                name
                for item in self.project.hierarchy.mro(self.project.classes[cls])
                for name, method in item.methods.items()
                if method.kind == "method"
            )
        )

    def narrowed(self, fn: Fn, value: Value, found: Refs) -> Refs:
        """What is left of the types of a value where `isinstance` told that it is of a class, or that it is not."""
        test, holds = fn.facts.values[value[2]], value[3]
        while test[0] == "not":
            test, holds = fn.facts.values[test[1]], None if holds is None else not holds
        call = fn.facts.calls[test[1]] if test[0] == "call" else None
        if call is None or holds is None or len(call.args) != 2 or call.args[0] != value[1]:
            return found
        if fn.facts.values[call.func] != ("name", "builtins.isinstance"):
            return found
        named = fn.facts.values[call.args[1]]
        vids = named[1] if named[0] == "tuple" else (call.args[1],)
        classes = [ref for vid in vids for ref in self.resolver.refs(fn, vid) if ref.kind in ("class", "lib")]
        if not classes:
            return found
        related = self.project.hierarchy.subclass_of
        fitting = tuple(ref for ref in found if any(related(ref.name, cls.name) for cls in classes))
        if holds:
            return fitting or tuple(item for cls in classes for item in self.resolver.instance(cls))
        return tuple(ref for ref in found if ref not in fitting) or found

    def by_name(self, fn: Fn, index: int) -> Refs:
        """What a parameter is by convention: of the types that its name may mean, the first that has all that is asked of it."""
        hints = self.project.hints(fn.file)
        name = fn.facts.params[index].name
        found = hints.type_of(name)
        if not found:
            return ()
        values = fn.facts.values
        own = {index, *(vid for vid, value in enumerate(values) if value[0] == "guard" and value[1] == index)}
        asked = {value[2] for value in values if value[0] == "attr" and value[1] in own}
        if not self._has(found, asked):
            found = next((kind for kind in hints.types_of(name) if self._has(kind, asked)), found)
        return (self.named(found),)

    def _has(self, kind: str, names: set[str]) -> bool:
        libraries = self.project.libraries
        return all(libraries.call(f"{kind}.{name}") or libraries.attribute(f"{kind}.{name}") for name in names)

    def _by_convention(self, fn: Fn, name: str) -> str:
        """What a class of generated code is by its name (`OrdersStub`)."""
        return self.project.hints(fn.file).type_of(name, parameter=False)

    def modelled(self, fn: Fn, call: Call, ref: Ref, text: str) -> Iterable[Ref]:
        """The type that a model of the callee `ref` names; `arg0`, `elem0`, `annotation0` and `model0` speak of the
        call's arguments, `viewed`, `served`, `serving` and `saved` of the view or serializer whose method it is."""
        if text == "annotation0":
            return self.annotation(fn, call.args[0]) if call.args else ()
        if text == "model0":
            return self.registered.of(fn, call)
        if text.removesuffix("]").endswith(("viewed", "served", "serving", "saved")):
            return of_view(self.project, fn, ref, text)
        if text.startswith(("arg", "elem", "row")) and text[-1:].isdigit():
            return self._by_argument(fn, call, text)
        if text.endswith("]") and text[-2:-1].isdigit():
            name, _, inner = text.removesuffix("]").partition("[")
            found: list[Ref | None] = [*self._by_argument(fn, call, inner)] or [None]
            return [Ref("libinst", self.project.libraries.canonical(name), item) for item in found]
        return (self.named(text, ref.arg or self._owner(ref.name)),)

    def _by_argument(self, fn: Fn, call: Call, text: str) -> list[Ref]:
        """`arg0`: an instance of (or what is) the first argument; `elem0`: an element of it; `row0`: one of the rows that it gives."""
        index = int(text[-1])
        refs = self.resolver.refs(fn, call.args[index]) if index < len(call.args) else ()
        if text.startswith("elem"):
            return [item for ref in refs for item in self.resolver.element(ref)]
        if text.startswith("row") and (rows := self.resolver.managers.rows(refs)):
            return rows
        return [item for ref in refs for item in self.resolver.instance(ref)]

    def _owner(self, dotted: str) -> Ref | None:
        owner = dotted.rpartition(".")[0]
        return Ref("libinst", owner) if self.project.libraries.cls(owner) is not None else None

    def _called_argument(self, fn: Fn, call: Call, arg: Arg) -> Iterable[Ref]:
        vid = _chosen(call, arg.positions, arg.keywords)
        found: list[Ref] = []
        for ref in self.resolver.refs(fn, vid) if vid >= 0 else ():
            if ref.kind in ("lib", "class") and self._bridges(ref) is not None:
                continue  # `partial(partial, ...)`, `Current(Current)`: the call's arguments are not those of the inner one
            result = list(self.resolver.result(fn, call, ref)) if ref.kind != "inst" else [ref]
            found.extend(item.arg if item.name == "typing.Iterator" and item.arg else item for item in result)
        return found

    # parameters

    def injected(self, home: Fn, param: Param) -> Refs:
        """What dependency injection passes: `x = Depends(f)` or `Annotated[T, Depends(f)]` without a useful T."""
        if param.default < 0:
            return ()
        value = home.facts.values[param.default]
        return self.resolver.refs(home, param.default) if value[0] == "call" else ()

    def framework_param(self, fn: Fn, index: int) -> Refs:
        """Types that a decorator's model gives to the parameters of what it decorates."""
        offset = 1 if fn.cls is not None and fn.kind == "method" else 0
        for model in decorator_models(self.project, fn):
            if str(index - offset) in model.param_types:
                return (self.named(model.param_types[str(index - offset)]),)
        return argument_class(self.project, fn) if offset and index == 1 else ()


def _chosen(call: Call, positions: tuple[int, ...], keywords: tuple[str, ...]) -> Vid:
    """The argument that a model names, or -1."""
    vid = next((call.args[i] for i in positions if i < len(call.args)), -1)
    return vid if vid >= 0 else next((call.kwarg(key) for key in keywords if call.kwarg(key) >= 0), -1)


def _names_class(dotted: str) -> bool:
    """By its spelling: `CamelCase`, not `CONSTANT`; special forms of `typing` are no classes."""
    name = dotted.rpartition(".")[2]
    form = name in _TRANSPARENT or name in _GENERATORS or name in _CONTAINERS or name in _FORMS
    return name[:1].isupper() and not (len(name) > 1 and name.isupper()) and not form


def _class_of(refs: Refs) -> Refs:
    """The classes of instances (`type[X]`)."""
    kinds = {"inst": "class", "libinst": "lib"}
    return tuple(Ref(kinds.get(ref.kind, ref.kind), ref.name) for ref in refs)


def unique(refs: Iterable[Ref], limit: int = MAX_REFS) -> Refs:
    """Without repetitions and types that a model leaves open, at most so many."""
    found = tuple(refs)
    if len(found) < 2:  # nearly always
        return found if not found or found[0].name not in OPEN_TYPES else ()
    return tuple(ref for ref in dict.fromkeys(found) if ref.name not in OPEN_TYPES)[:limit]
