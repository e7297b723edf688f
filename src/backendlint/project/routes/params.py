"""Which parameters of a function the framework fills from the request, and what their types leave open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Param, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.linking.variables import variable
from backendlint.project.routes import paths
from backendlint.project.routes.model import RouteParam

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SCALARS = {
    "builtins.int": "int", "builtins.float": "float", "builtins.bool": "bool", "uuid.UUID": "uuid",
    "datetime.date": "date", "datetime.datetime": "date", "datetime.time": "date", "datetime.timedelta": "date",
    "decimal.Decimal": "decimal", "ipaddress.IPv4Address": "ip", "ipaddress.IPv6Address": "ip",
}  # fmt: skip
"""Types that leave no free text."""
_TEXTS = frozenset(
    {
        "builtins.str",
        "builtins.bytes",
        "builtins.list",
        "builtins.dict",
        "builtins.set",
        "builtins.tuple",
        "builtins.object",
    }
)
_ENUMS = frozenset({"Enum", "StrEnum"})
_ROLES = frozenset({"schema", "serializer", "form"})
_ORIGINS = ("path", "query", "body", "header", "cookie", "form", "file")


def signature_params(project: Project, fn: Fn, path_types: dict[str, str]) -> list[RouteParam]:
    """Parameters of a function whose signature says what it takes from the request (FastAPI, Litestar ...)."""
    found = []
    home = fn.parent or fn
    for index, param in enumerate(fn.facts.params):
        if (index == 0 and fn.cls is not None and fn.kind in ("method", "classmethod")) or param.kind in (
            "args",
            "kwargs",
        ):
            continue
        made = _signature_param(project, fn, home, index, param, path_types)
        if made is not None:
            found.append(made)
    return found


def path_params(fn: Fn, path_types: dict[str, str]) -> list[RouteParam]:
    """Parameters that carry the path's parts, by name (Flask, Django, ...); `**kwargs` takes the rest."""
    found = []
    for index, param in enumerate(fn.facts.params):
        if param.name in path_types:
            found.append(RouteParam(index, param.name, "path", path_types[param.name], param.default < 0))
        elif param.kind == "kwargs" and path_types:
            found.append(RouteParam(index, param.name, "path", "", False))
    return found


def within_segment(project: Project, fn: Fn, index: int) -> bool:
    """Whether a handler's parameter is, by each of its routes, a part of one segment of the path: it holds no slash."""
    name = public_name(project, fn, fn.facts.params[index])
    routes = project.route_functions.get(fn.fqn, ())
    return bool(routes) and all(name in paths.within_segment(item.entry.path, item.entry.syntax) for item in routes)


def _signature_param(
    project: Project, fn: Fn, home: Fn, index: int, param: Param, path_types: dict[str, str]
) -> RouteParam | None:
    declared = declared_type(project, fn, index)
    required = param.default < 0
    if param.name in path_types:
        return RouteParam(index, param.name, "path", path_types[param.name] or declared, True)
    for owner, call in markers(project, home, param):
        if any(model.injects is not None for model in project.models(owner, call)):
            return None
        for ref in project.callees(owner, call):
            origin = _origin(ref)
            if origin:
                first = call.args[0] if call.args else call.kwarg("default")
                default = call.kwarg("default_factory") if first < 0 else first
                required = default < 0 or _is_ellipsis(owner, first)
                if owner is not home or param.default < 0:
                    required = param.default < 0
                name = _alias(owner, call) or param.name
                narrowed = path_types.get(name, "") if origin == "path" else ""
                return RouteParam(index, name, origin, narrowed or declared, required)
    refs = project.resolver.param(fn, index)
    if not refs:
        annotated = param.annotation >= 0
        return RouteParam(index, param.name, "query", declared, required) if annotated or param.default < 0 else None
    for ref in refs:
        kind = _kind(project, ref)
        if kind:
            return RouteParam(index, param.name, kind, declared if kind != "body" else "model", required)
    return None


def public_name(project: Project, fn: Fn, param: Param) -> str:
    """The name by which a client, or the path, gives a parameter: `order: UUID = Path(alias="id")`."""
    for owner, call in markers(project, fn.parent or fn, param):
        if any(_origin(ref) for ref in project.callees(owner, call)):
            return _alias(owner, call) or param.name
    return param.name


def _origin(ref: Ref) -> str:
    """Where the marker that is called takes a value from, or ""."""
    name = ref.name.rpartition(".")[2].lower()
    return name if ref.kind == "lib" and name in _ORIGINS else ""


def _alias(owner: Fn, call: Call) -> str:
    name = owner.const(call.kwarg("alias"))
    return name if isinstance(name, str) else ""


def _is_ellipsis(home: Fn, vid: Vid) -> bool:
    return vid >= 0 and home.facts.values[vid] == ("const", ...)


def is_frameworks_own(project: Project, cls: Cls) -> bool:
    """Whether it derives from what a web framework makes itself: `class ShopRequest(HttpRequest)`, which is no data of a client's."""
    return not project.hierarchy.role(cls) and any(
        (library := project.libraries.library_of(base)) is not None and library.kind == "web-framework"
        for base in project.hierarchy.library_bases(cls)
    )


def is_enumeration(project: Project, cls: Cls) -> bool:
    """Also one over a base that lies outside of the project and is called so."""
    bases = project.hierarchy.library_bases(cls)
    return project.hierarchy.is_a(cls, "enum.Enum") or any(base.rpartition(".")[2] in _ENUMS for base in bases)


def _kind(project: Project, ref: Ref) -> str:
    """Where the framework takes a parameter of this type from; "" for objects that it supplies itself."""
    if ref.kind == "inst":
        cls = project.classes[ref.name]
        if is_enumeration(project, cls):
            return "query"
        return "" if is_frameworks_own(project, cls) else "body"
    if ref.kind != "libinst":
        return ""
    if ref.name in _SCALARS or ref.name == "builtins.str" or ref.name == "builtins.bytes":
        return "query"
    if ref.name in ("builtins.list", "builtins.set", "builtins.tuple", "builtins.frozenset"):
        return _kind(project, ref.arg) or "query" if ref.arg else "query"
    if ref.name == "builtins.dict":
        return "body"
    for name in project.libraries.mro(ref.name):
        model = project.libraries.cls(name)
        if model is not None and model.subclass_role in _ROLES:
            return "body"
        if name.rpartition(".")[2] == "UploadFile":
            return "file"
    return ""


def markers(project: Project, home: Fn, param: Param) -> Iterator[tuple[Fn, Call]]:
    """Calls that say where a parameter comes from: `= Query(...)`, `Annotated[T, Depends(f)]`, also by a module-level alias."""
    for vid in (param.default, param.annotation):
        yield from marker_calls(project, home, vid)


def marker_calls(project: Project, home: Fn, vid: Vid, depth: int = 0) -> Iterator[tuple[Fn, Call]]:
    """Calls in an annotation or default, with the function in whose table they lie."""
    if vid < 0 or depth > 6:
        return
    value = home.facts.values[vid]
    if value[0] == "call":
        yield home, home.facts.calls[value[1]]
    elif value[0] == "item":
        inner = home.facts.values[value[2]]
        for item in inner[1] if inner[0] == "tuple" else ():
            yield from marker_calls(project, home, item, depth + 1)
    elif value[0] == "name":
        found = variable(project, home, value[1])
        if found is not None:
            yield from marker_calls(project, *found, depth + 1)


def injections(project: Project, fn: Fn) -> Iterator[Ref]:
    """What a function has injected: project functions and classes, and library objects."""
    home = fn.parent or fn
    for param in fn.facts.params:
        for owner, call in markers(project, home, param):
            yield from injected(project, owner, call, param, home)


def injected(
    project: Project, owner: Fn, call: Call, param: Param | None = None, home: Fn | None = None
) -> Iterator[Ref]:
    """What `Depends(f)` names; without an argument it is the parameter's class."""
    for model in project.models(owner, call):
        if model.injects is None:
            continue
        passed = arguments(call, model.injects)
        for vid in passed:
            found = project.refs(owner, vid)
            yield from found
            value = owner.value(vid)
            if value[0] == "name" and all(ref.kind == "libinst" for ref in found):
                yield Ref(
                    "lib", str(value[1])
                )  # made nobody sees how (`guard = copy_of(verify)`): its name speaks for it
        if not passed and param is not None and home is not None:
            for ref in project.resolver.types.annotation(home, param.annotation):
                if ref.kind == "inst":
                    yield Ref("class", ref.name)


def declared_type(project: Project, fn: Fn, index: int) -> str:
    """What a parameter's annotation narrows it to, or ""."""
    param = fn.facts.params[index]
    return annotated_type(project, fn.parent or fn, param.annotation, param.default)


def annotated_type(project: Project, home: Fn, annotation: Vid, default: Vid) -> str:
    """What an annotation, with the default beside it, narrows a parameter or a field to, or ""."""
    if _is_literal(project, home, annotation):
        return "literal"
    if _has_pattern(project, home, annotation) or _has_pattern(project, home, default):
        return "pattern"
    kinds = set()
    for ref in project.resolver.types.annotation(home, annotation):
        kinds.add(type_kind(project, ref))
    return kinds.pop() if len(kinds) == 1 else ""


def type_kind(project: Project, ref: Ref) -> str:
    """int, uuid, enum ... or "" for types that may hold any text."""
    if ref.kind == "inst":
        cls = project.classes[ref.name]
        if is_enumeration(project, cls):
            return "enum"
        return "model" if project.hierarchy.role(cls) in _ROLES else ""
    if ref.kind != "libinst":
        return ""
    if ref.name in ("builtins.list", "builtins.set", "builtins.tuple", "builtins.frozenset") and ref.arg is not None:
        return type_kind(project, ref.arg)
    for name in project.libraries.mro(ref.name):
        if name in _SCALARS:
            return _SCALARS[name]
    return ""


def _is_literal(project: Project, home: Fn, vid: Vid, depth: int = 5) -> bool:
    if vid < 0 or depth == 0:
        return False
    value = home.facts.values[vid]
    if value[0] == "item":
        refs = project.refs(home, value[1])
        last = {ref.name.rpartition(".")[2] for ref in refs}
        if "Literal" in last:
            return True
        if last & {"Annotated", "Optional"}:
            inner = home.facts.values[value[2]]
            return _is_literal(project, home, inner[1][0] if inner[0] == "tuple" and inner[1] else value[2], depth - 1)
    if value[0] == "binop" and value[1] == "|":
        sides = [side for side in value[2:4] if home.const(side) is not None]
        return bool(sides) and all(_is_literal(project, home, side, depth - 1) for side in sides)
    if value[0] == "name":
        found = variable(project, home, value[1])
        return found is not None and _is_literal(project, *found, depth - 1)
    return False


_CHECKING = frozenset({"AfterValidator", "Predicate"})
"""Marks in `Annotated` that run a function of the project's own on the value."""


def _has_pattern(project: Project, home: Fn, vid: Vid, depth: int = 5) -> bool:
    """`Query(pattern="^[a-z]+$")`, `Annotated[str, StringConstraints(pattern=...)]`, a validator in `Annotated`."""
    if vid < 0 or depth == 0:
        return False
    value = home.facts.values[vid]
    if value[0] == "call":
        call = home.facts.calls[value[1]]
        name = str(home.facts.values[call.func][-1]).rpartition(".")[2]
        texts = [home.const(call.kwarg(key)) for key in ("pattern", "regex")]
        return name in _CHECKING or any(isinstance(text, str) and _anchored(text) for text in texts)
    if value[0] == "binop" and value[1] == "|":
        sides = [side for side in value[2:4] if home.const(side) is not None]
        return bool(sides) and all(_has_pattern(project, home, side, depth - 1) for side in sides)
    if value[0] == "item":
        inner = home.facts.values[value[2]]
        return any(
            _has_pattern(project, home, item, depth - 1) for item in (inner[1] if inner[0] == "tuple" else (value[2],))
        )
    if value[0] == "name":
        found = variable(project, home, value[1])
        return found is not None and _has_pattern(project, *found, depth - 1)
    return False


def _anchored(pattern: str) -> bool:
    """Whether the whole text must match, and not just anything does."""
    return pattern.startswith("^") and pattern.endswith("$") and ".*" not in pattern and ".+" not in pattern
