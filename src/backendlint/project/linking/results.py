"""What functions give back, also to those who ask a subclass for what its base class makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn, Ref, Refs
from backendlint.project.linking.binding import Bound, bind, unchanged
from backendlint.project.linking.heirs import Heirs
from backendlint.project.linking.types import OPEN_TYPES, unique
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver

_HEIR = Ref("super", "")
"""Marks what was found with what a subclass states."""
_CLASSES = frozenset({"model", "cls", "klass", "class", "entity", "type", "kind", "table", "schema"})
"""What ends the names of variables that hold classes."""
_CALLABLES = ("typing.Callable", "collections.abc.Callable")
"""Annotations of results that say less than the function that is returned."""


class Results:
    """Answers for the Resolver, which owns it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._known: dict[tuple[str, Ref | None], Refs] = {}
        self.heirs = Heirs(resolver)
        self._wanted: dict[str, frozenset[int]] = {}
        self._handed: dict[tuple[object, ...], Refs] = {}
        self._factories: dict[str, frozenset[int]] = {}
        """The parameters whose call a function gives back."""
        self._made: dict[str, bool] = {}
        """Whether a class method makes what it gives of the class that is asked."""

    def of(self, fn: Fn, receiver: Ref | None = None) -> Refs:
        """What a function's result (awaited, if async; an element, if a generator) refers to."""
        own = receiver if self._depends_on_self(fn, receiver) else None
        key = (fn.fqn, own)
        result = self._known.get(key)
        if result is None:
            self._known[key] = ()
            result = self._known[key] = unique(self._find(fn, receiver, own))
        given = self._of_heir(fn, receiver) if receiver is not None and not fn.facts.is_generator else ()
        result = given if given and self._narrows(result, given) else result
        result = self._of_rows(fn, receiver, result) if receiver is not None and receiver.arg is not None else result
        return self._for_heir(fn, receiver, result) if receiver is not None and fn.kind == "classmethod" else result

    def _find(self, fn: Fn, receiver: Ref | None, own: Ref | None) -> Iterable[Ref]:
        found: Refs = ()
        if fn.facts.returns_annotation >= 0 and fn.parent is not None:
            found = tuple(self.resolver.types.annotation(fn.parent, fn.facts.returns_annotation, receiver))
        if fn.facts.is_generator:
            inner = [ref.arg for ref in found if ref.arg] or list(self._returned(fn, own))
            return (Ref("libinst", "typing.Iterator", inner[0] if inner else None),)
        if all(ref.name in _CALLABLES for ref in found):
            return list(self._returned(fn, own)) or found
        return self._filled(fn, own, found) if any(self._open(ref) for ref in found) else found

    def _filled(self, fn: Fn, own: Ref | None, found: Refs) -> Iterable[Ref]:
        """`-> QuerySet`, `-> Query[T]`, `-> list`: of what, only the code tells."""
        libraries = self.resolver.project.libraries
        known = [ref for ref in self._returned(fn, own) if ref.kind == "libinst" and ref.arg is not None]
        for ref in found:
            same = (item for item in known if self._open(ref) and libraries.is_subclass(item.name, ref.name))
            yield next(same, ref)

    def _open(self, ref: Ref) -> bool:
        """Whether a type that holds others does not say which."""
        model = self.resolver.project.libraries.cls(ref.name) if ref.kind == "libinst" and ref.arg is None else None
        return model is not None and model.iterates in OPEN_TYPES

    def _depends_on_self(self, fn: Fn, receiver: Ref | None) -> bool:
        """True where the result is another one for objects of a subclass: `Self`, or what a method of its own gives."""
        if receiver is None:
            return False
        heir = receiver.kind == "inst" and fn.cls is not None and receiver.name != fn.cls.fqn
        if heir and any(_own_method(fn, item.value) for item in fn.facts.returns):
            return True
        return self.resolver.types.mentions_self(fn.parent, fn.facts.returns_annotation)

    def _returned(self, fn: Fn, receiver: Ref | None) -> Iterable[Ref]:
        return [ref for item in fn.facts.returns for ref in self._given(fn, item.value, receiver)]

    def _given(self, fn: Fn, vid: Vid, receiver: Ref | None) -> Iterable[Ref]:
        """What one `return` gives; `return self.make()` asks the class of the object on which the method was called."""
        call = _own_method(fn, vid) if receiver is not None and receiver.kind == "inst" else None
        if call is None or receiver is None:
            return self.resolver.refs(fn, vid)
        members = self.resolver.member(receiver, fn.facts.values[call.func][2])
        return [ref for member in members for ref in self.resolver.result(fn, call, member)]

    def _of_heir(self, fn: Fn, receiver: Ref) -> Refs:
        """The same once more with what the subclass states, where the result is made of that: `session.get(self.model, key)`."""
        heir = self.resolver.project.classes.get(receiver.name) if receiver.kind in ("inst", "class") else None
        if heir is None or fn.cls is None or fn.cls is heir or fn.kind not in ("method", "classmethod", "property"):
            return ()
        key = (fn.fqn, receiver._replace(arg=_HEIR))
        if key not in self._known:
            self._known[key] = ()
            stated = self._read(fn, receiver, self.heirs.stated(heir))
            if stated:
                self._known[key] = self._returned_with(fn, {0: (receiver,), **stated})
        return self._known[key]

    def _of_rows(self, fn: Fn, receiver: Ref, usual: Refs) -> Refs:
        """What a method of a manager or queryset gives, asked through one of which is known whose rows it has."""
        if (
            fn.kind not in ("method", "property")
            or fn.facts.is_generator
            or not self.resolver.managers.gives_rows(receiver)
        ):
            return usual
        key = (fn.fqn, receiver._replace(kind="super"))
        if key not in self._known:
            self._known[key] = usual
            said = (
                self.resolver.types.annotation(fn.parent, fn.facts.returns_annotation) if fn.parent is not None else ()
            )
            if all(self._open(ref) or self.resolver.managers.gives_rows(ref) for ref in said):
                self._known[key] = self._returned_with(fn, {0: (receiver,)}) or usual
            self._known[key] = tuple(self.resolver.managers.of_rows(ref, receiver.arg) for ref in self._known[key])
        return self._known[key]

    def of_call(self, caller: Fn, call: Call, fn: Fn, receiver: Ref | None) -> Refs:
        """What a call gives: also what is made of a class that it hands over (`find(session, Order, key)`), where nothing is
        known without, or a base of that class, or what a function gives that it hands over (`clients.get(name, connect)`)."""
        return self._of_class_given(caller, call, fn, receiver) or self._of_factory(caller, call, fn)

    def _of_factory(self, caller: Fn, call: Call, fn: Fn) -> Refs:
        factories = self._factories.get(fn.fqn)
        if factories is None:
            factories = self._factories[fn.fqn] = frozenset(_called_back(fn))
        given: Bound = bind(caller, call, fn) if factories and call.passed else {}
        made = (
            ref
            for slot in factories
            for vid, part in given.get(slot, ())
            if not part
            for ref in self.resolver.refs(caller, vid)
        )
        asked = call._replace(args=(), kwargs=())
        return unique(
            found for ref in made if ref.kind in ("func", "class") for found in self.resolver.result(caller, asked, ref)
        )

    def _of_class_given(self, caller: Fn, call: Call, fn: Fn, receiver: Ref | None) -> Refs:
        usual = self.of(fn, receiver)
        if not any(_may_be_class(caller, vid) for vid in call.passed):
            return usual
        wanted = self._wanted.get(fn.fqn)
        if wanted is None:
            wanted = self._wanted[fn.fqn] = self._classes_wanted(fn)
        given: Bound = bind(caller, call, fn) if wanted and not fn.facts.is_generator else {}
        handed = {slot: self._one_class(caller, given.get(slot, [])) for slot in wanted if slot in given}
        classes: dict[Vid, Refs] = {slot: (ref,) for slot, ref in handed.items() if ref is not None}
        if not classes or not all(self._is_base(ref, known) for ref in usual for (known,) in classes.values()):
            return usual
        key = (fn.fqn, *((slot, ref.name) for slot, (ref,) in classes.items()))
        if key not in self._handed:
            self._handed[key] = ()
            self._handed[key] = self._returned_with(fn, classes)
        return self._handed[key] or usual

    def _is_base(self, ref: Ref, handed: Ref) -> bool:
        """Whether a type is a base of the class that is handed over."""
        hierarchy = self.resolver.project.hierarchy
        if ref.kind == "libinst":
            return ref.name in hierarchy.library_bases(self.resolver.project.classes[handed.name])
        return ref.kind == "inst" and ref.name != handed.name and hierarchy.subclass_of(handed.name, ref.name)

    def _classes_wanted(self, fn: Fn) -> frozenset[int]:
        """The parameters without a default that a function's result is made of."""
        params = enumerate(fn.facts.params)
        bare = {slot for slot, param in params if param.default < 0 and (slot or fn.cls is None)}
        made = (fn.facts.values[vid] for vid in ingredients(fn.facts, fn.returned)) if bare else ()
        return frozenset(value[1] for value in made if value[0] == "param" and value[1] in bare)

    def _one_class(self, caller: Fn, passed: list[tuple[Vid, tuple[str, ...]]]) -> Ref | None:
        """The model that is passed, where it is one."""
        vids = [vid for vid, part in passed if not part and _may_be_class(caller, vid)]
        found = {ref for vid in vids for ref in self.resolver.refs(caller, vid)} if len(vids) == len(passed) else set()
        ref = found.pop() if len(found) == 1 else None
        return ref if ref is not None and ref.kind == "class" and self.resolver.passed.is_model(ref) else None

    def _returned_with(self, fn: Fn, known: dict[Vid, Refs]) -> Refs:
        """What the function returns, where this is known of its values."""
        usual, fn.known = fn.known, known
        try:
            return unique(self._returned(fn, None))
        finally:
            fn.known = usual

    def _read(self, fn: Fn, receiver: Ref, stated: dict[str, Refs]) -> dict[Vid, Refs]:
        """The stated classes that a function's result is made of, by the values that read them, or that call another method
        which does (`self.query().first()`)."""
        made = ingredients(fn.facts, fn.returned) if stated else ()
        found = {}
        for vid in made:
            value = fn.facts.values[vid]
            if value[0] == "attr" and value[2] in stated and unchanged(fn, value[1]) == ("param", 0):
                found[vid] = stated[value[2]]
            elif (call := _own_method(fn, vid)) is not None and receiver.kind == "inst":
                given = self._of_own(receiver, fn.facts.values[call.func][2])
                found.update({vid: given} if given else {})
        return found

    def _of_own(self, receiver: Ref, name: str) -> Refs:
        """What a method of the object itself gives with what its class states."""
        functions = self.resolver.project.functions
        members = [ref for ref in self.resolver.member(receiver, name) if ref.kind == "func"]
        return unique(ref for member in members for ref in self._of_heir(functions[member.name], receiver))

    def _narrows(self, found: Refs, given: Refs) -> bool:
        """Whether what the heir's class gives says more than what is known: the element of a list, a model for its base."""
        if all(self._open(ref) for ref in found):
            return True
        below = self.resolver.project.hierarchy.subclass_of
        above = [ref.name for ref in found if ref.kind == "inst"]
        return all(ref.kind == "inst" and any(below(ref.name, name) for name in above) for ref in given)

    def _for_heir(self, fn: Fn, receiver: Ref, found: Refs) -> Refs:
        """`User.get(1)` is a `User`, where the class method of its base gives `cls.query.get(...)`."""
        if fn.cls is None or receiver.kind not in ("class", "inst") or receiver.name == fn.cls.fqn:
            return found
        base = fn.cls.fqn
        if not any(ref.name == base or (ref.arg is not None and ref.arg.name == base) for ref in found):
            return found
        made = self._made.get(fn.fqn)
        if made is None:
            given = [item.value for item in fn.facts.returns if fn.const(item.value) is not None]
            made = self._made[fn.fqn] = bool(given) and all(self._of_class(fn, vid) for vid in given)
        return tuple(_renamed(ref, base, receiver.name) for ref in found) if made else found

    def _of_class(self, fn: Fn, vid: Vid, known: dict[Vid, bool] | None = None) -> bool:
        """Whether a value is made of the class that is asked: `cls(...)`, `cls.query.first()`, `session.get(cls, key)`,
        `super().select()`, also where branches have gone on with the query."""
        known = {} if known is None else known
        if vid >= 0 and vid not in known:
            known[vid] = True  # of a loop, what was there before decides
            known[vid] = self._made_of_class(fn, unchanged(fn, vid), known)
        return vid >= 0 and known[vid]

    def _made_of_class(self, fn: Fn, value: Value, known: dict[Vid, bool]) -> bool:
        if value[0] in ("attr", "elem", "item", "slice"):
            return self._of_class(fn, value[1], known)
        if value[0] == "phi":
            return all(fn.const(item) is None or self._of_class(fn, item, known) for item in value[1])
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            if fn.facts.values[call.func] == ("name", "builtins.super") or self._of_class(fn, call.func, known):
                return True
            return any(self._of_class(fn, item, known) for item in call.args)
        return value == ("param", 0)


def _renamed(ref: Ref, base: str, heir: str) -> Ref:
    if ref.kind in ("inst", "class") and ref.name == base:
        return ref._replace(name=heir)
    return ref._replace(arg=_renamed(ref.arg, base, heir)) if ref.kind == "libinst" and ref.arg is not None else ref


def _may_be_class(fn: Fn, vid: Vid) -> bool:
    """Whether an argument can be a class, by its spelling; or by its name where it is handed on (`model`, `cls`)."""
    value = fn.unguarded(vid)
    if value[0] in ("name", "attr", "def"):
        last = str(value[-1]).rpartition(".")[2]
        return last[:1].isupper() or last.rpartition("_")[2] in _CLASSES
    if value[0] == "param":
        return fn.facts.params[value[1]].name.rpartition("_")[2] in _CLASSES
    return value[0] in ("outer", "phi")


def _called_back(fn: Fn) -> Iterator[int]:
    """The parameters of which a function gives back what calling them gave, at once or out of where it keeps that:
    `if name not in KEPT: KEPT[name] = make()`, `return KEPT[name]`."""
    if fn.facts.is_generator:
        return
    given = [unchanged(fn, vid) for vid in fn.returned]
    if any(value[0] == "item" for value in given):
        given += [unchanged(fn, item.value) for item in fn.facts.stores if item.key >= 0]
    for value in given:
        func = fn.func_of(value)
        if func[0] == "param" and (func[1] or fn.cls is None):
            yield func[1]


def _own_method(fn: Fn, vid: Vid) -> Call | None:
    """The call where a value is `self.method(...)`."""
    values = fn.facts.values
    if vid < 0 or values[vid][0] != "call" or fn.kind not in ("method", "property"):
        return None
    call = fn.facts.calls[values[vid][1]]
    func = values[call.func] if call.func >= 0 else ("unknown",)
    return call if func[0] == "attr" and unchanged(fn, func[1]) == ("param", 0) else None
