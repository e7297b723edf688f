"""What decorators stand above a function or class, and what library models say of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg, DecoratorModel
from backendlint.project.linking.binding import unchanged
from backendlint.project.linking.variables import variable
from backendlint.project.values.tables import entries

if TYPE_CHECKING:
    from backendlint.project.model import Project

_FIELDED = ("pydantic.BaseModel", "typing.NamedTuple", "msgspec.Struct")
"""Bases whose classes take what is annotated in them, without a decorator."""
BEFORE = frozenset({"dispatch", "setup", "prepare", "initial"})
"""Methods of a class of handlers that run before the one that answers: what decorates them decorates all."""


_CHANGES = "post"
"""What a view that a library answers as a whole is called for, unless it only shows something."""
_LAMBDA = "<lambda"


class Decoration(NamedTuple):
    """A decorator as it works: one that a call applies (`method_decorator(login_required)`) counts as itself."""

    fn: Fn
    """In whose table `vid` lies."""
    vid: Vid
    ref: Ref
    """What it refers to (of a call what is called)."""
    method: str = ""
    """Of a decorator of a class: the method that it decorates."""

    @property
    def call(self) -> Call | None:
        """The call that makes the decorator, if one does."""
        value = self.fn.facts.values[self.vid]
        return self.fn.facts.calls[value[1]] if value[0] == "call" else None


def decorations(project: Project, home: Fn, vid: Vid) -> Iterator[Decoration]:
    """What a decorator in a function's table does; nothing where it is not known."""
    call = home.facts.calls[home.facts.values[vid][1]] if home.facts.values[vid][0] == "call" else None
    ref = next(iter(project.refs(home, call.func if call is not None else vid)), None)
    made = [*_made(project, home, vid)] if ref is None or _LAMBDA in ref.name else []
    if made or ref is None:
        for owner, maker in made:
            yield from decorations(project, owner, maker)
        return
    model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
    inner = list(_applied(project, home, call, model.applies)) if call is not None and model and model.applies else []
    name = next((home.const(item) for item in _given(call, model.applies_to)), "") if call is not None and model else ""
    for item in inner:
        yield item._replace(method=name if isinstance(name, str) else "")
    if not inner:
        yield Decoration(home, vid, ref)


def _made(project: Project, home: Fn, vid: Vid, depth: int = 4) -> Iterator[tuple[Fn, Vid]]:
    """The calls that make the decorator which a variable holds, one of several perhaps: none is needed while testing."""
    value = home.facts.values[vid]
    if value[0] == "phi" and depth:
        for item in value[1]:
            yield from _made(project, home, item, depth - 1)
    elif value[0] == "name" and depth:
        found = variable(project, home, value[1])
        yield from _made(project, *found, depth - 1) if found is not None else ()
    elif value[0] == "call" and depth < 4:
        yield home, vid


def decorate(project: Project, fn: Fn) -> None:
    """Write down what decorates a function, and what kind of method that makes of it."""
    fn.decorators = tuple(
        item.ref for vid in fn.facts.decorators for item in decorations(project, fn.parent or fn, vid)
    )
    fn.filled = filled_by(project, fn)
    if fn.kind != "method":
        return
    for ref in fn.decorators:
        last = ref.name.rpartition(".")[2]
        if ref.name in ("builtins.staticmethod", "builtins.classmethod"):
            fn.kind = last
        elif last in ("property", "cached_property", "hybrid_property"):
            fn.kind = "property"


def decorate_methods(project: Project, cls: Cls) -> None:
    """What a decorator of the class applies to one of its methods; what comes before all handlers decorates them all."""
    from backendlint.project.routes.handlers import method_of

    for vid in cls.facts.decorators:
        for item in decorations(project, cls.owner, vid):
            owners = [cls, *project.subclasses(cls)] if item.method in BEFORE else [cls]
            methods = [method for owner in owners for method in owner.methods.values()] if item.method else []
            for method in methods:
                if method.name == item.method or (item.method in BEFORE and method_of(method.name)):
                    method.decorators += (item.ref,)


def wrapped_around(project: Project, fn: Fn, inner: Vid) -> tuple[Ref, ...]:
    """What the decorators above one of a function's put around it; those that hand the function back change nothing."""
    home, stacked = fn.parent or fn, fn.facts.decorators
    position = stacked.index(inner) if inner in stacked else 0
    above, below = (
        [item.ref for vid in part for item in decorations(project, home, vid)]
        for part in (stacked[:position], stacked[position:])
    )
    return tuple(ref for ref in above if ref not in below and not _hands_back(project, ref))


def _hands_back(project: Project, ref: Ref, depth: int = 2) -> bool:
    """Whether a decorator, or what it makes, returns the function that it was given."""
    decorator = project.functions.get(ref.name) if ref.kind == "func" else None
    for item in decorator.facts.returns if decorator is not None else ():
        if item.value >= 0 and decorator is not None:
            value = unchanged(decorator, item.value)
            inner = project.refs(decorator, item.value) if value[0] == "def" and depth else ()
            if value[0] == "param" or any(_hands_back(project, made, depth - 1) for made in inner):
                return True
    return False


def made_within(project: Project, decorator: Fn) -> Iterator[Fn]:
    """Functions that are defined in a decorator, at any depth."""
    return (inner for inner in project.functions_of(decorator.file) if inner.fqn.startswith(f"{decorator.fqn}."))


def wrappers(project: Project, fn: Fn) -> Iterator[Fn]:
    """Functions that are defined in the project's own decorators of a function, and put around it."""
    decorators = (project.functions[ref.name] for ref in fn.decorators if ref.kind == "func")
    return (wrapper for decorator in decorators for wrapper in made_within(project, decorator))


def wrapping_calls(project: Project, fn: Fn) -> Iterator[tuple[Fn, Call]]:
    """Where what the project's own decorators put around a function calls it, and the function that does."""
    for wrapper in wrappers(project, fn):
        for call in wrapper.calls:
            value = wrapper.unguarded(call.func)
            home = wrapper.outer(value) if value[0] == "outer" else None
            if home is not None and home is wrapper.parent and home.facts.values[value[1]] == ("param", 0):
                yield wrapper, call


def class_decorations(project: Project, classes: Iterable[Cls], method: str) -> Iterator[Ref]:
    """What decorators of a class of handlers and of its bases mean for the method that answers."""
    for cls in classes:
        for vid in cls.facts.decorators:
            for item in decorations(project, cls.owner, vid):
                if not item.method or item.method in (method, *BEFORE) or (not method and item.method == _CHANGES):
                    yield item.ref
        for name, before in cls.methods.items():
            if name in BEFORE:
                yield from before.decorators


def _applied(project: Project, home: Fn, call: Call, arg: Arg) -> Iterator[Decoration]:
    for vid in _given(call, arg):
        several = list(entries(project, home, vid)) if home.facts.values[vid][0] != "call" else []
        for fn, item in [(entry.fn, entry.value) for entry in several] or [(home, vid)]:
            yield from decorations(project, fn, item)


def _given(call: Call, arg: Arg | None) -> list[Vid]:
    return list(arguments(call, arg)) if arg is not None else []


def decorator_models(project: Project, fn: Fn) -> list[DecoratorModel]:
    """Library models of what decorates a function, the outermost first."""
    models = (project.libraries.decorator(ref.name) for ref in fn.decorators if ref.kind == "lib")
    return [model for model in models if model is not None]


def add_applied(project: Project) -> None:
    """Give functions also what the project's own decorators apply to them: `return queue.task()(inner)` makes jobs."""
    known: dict[str, tuple[Ref, ...]] = {}
    for fn in project.all_functions():
        for ref in fn.decorators:
            if ref.kind == "func":
                if ref.name not in known:
                    known[ref.name] = tuple(_gives(project, project.functions[ref.name], 2))
                fn.decorators += known[ref.name]
    for caller, call in project.written.calls(""):
        _by_hand(project, caller, call)


def _by_hand(project: Project, caller: Fn, call: Call) -> None:
    """`app.middleware("http")(measure)`: a decorator for middleware that a call applies."""
    made = caller.facts.values[call.func]
    inner = caller.facts.calls[made[1]] if made[0] == "call" else None
    for ref in project.refs(caller, inner.func) if inner is not None and call.args else ():
        model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
        if model is not None and model.middleware:
            for item in project.refs(caller, call.args[0]):
                if item.kind == "func":
                    project.functions[item.name].decorators += (ref,)


def _gives(project: Project, decorator: Fn, depth: int) -> Iterator[Ref]:
    """What the functions that a decorator (or a function which makes one) returns are decorated with."""
    for item in decorator.facts.returns:
        vid = item.value
        if vid < 0 or item.is_yield:
            continue
        value = decorator.unguarded(vid)
        if value[0] == "call":
            yield from _at_call(project, decorator, decorator.facts.calls[value[1]])
        for ref in project.refs(decorator, vid) if value[0] == "def" else ():
            inner = project.functions.get(ref.name) if ref.kind == "func" else None
            if inner is not None and depth:
                yield from (ref for ref in inner.decorators if _makes_job(project, ref))
                yield from _gives(project, inner, depth - 1)


def _at_call(project: Project, decorator: Fn, call: Call) -> Iterator[Ref]:
    """`task(inner)` or `task(retries=3)(inner)`, of the decorated function or of one that is made for it."""
    passed = decorator.unguarded(call.args[0]) if call.args else ("unknown",)
    if passed[0] not in ("param", "def"):
        return
    made = decorator.unguarded(call.func)
    options = decorator.facts.calls[made[1]] if made[0] == "call" else call
    yield from (ref for ref in project.callees(decorator, options) if _makes_job(project, ref))


def _makes_job(project: Project, ref: Ref) -> bool:
    model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
    return model is not None and model.task is not None


def is_job(project: Project, fn: Fn) -> bool:
    """Whether a decorator makes the function a job of a queue."""
    return any(model.task is not None for model in decorator_models(project, fn))


def filled_by(project: Project, fn: Fn) -> int:
    """How many leading parameters the decorators fill themselves: a task that is bound gets itself."""
    home = fn.parent or fn
    for vid in fn.facts.decorators:
        value = home.facts.values[vid]
        call = home.facts.calls[value[1]] if value[0] == "call" else None
        for ref in project.refs(home, call.func) if call is not None and call.kwargs else ():
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            binds = model.task.binds if model is not None and model.task is not None else ""
            if call is not None and binds and home.const(call.kwarg(binds)) is True:
                return 1
    return 0


def is_data_class(project: Project, cls: Cls) -> bool:
    """Whether a decorator such as `dataclass` makes fields of what is annotated in the class."""
    for vid in cls.facts.decorators:
        value = cls.owner.facts.values[vid]
        func = cls.owner.facts.calls[value[1]].func if value[0] == "call" else vid
        for ref in project.refs(cls.owner, func):
            model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
            if model is not None and model.dataclass:
                return True
    return False


def takes_fields(project: Project, cls: Cls) -> bool:
    """Whether the constructor takes what is annotated in the class: data classes, models of requests, named tuples; not
    settings, which are read once."""
    if project.hierarchy.role(cls) == "settings":
        return False
    return any(project.hierarchy.is_a(cls, base) for base in _FIELDED) or is_data_class(project, cls)
