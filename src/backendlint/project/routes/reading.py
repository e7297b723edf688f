"""Parts of a registration as the code writes them: paths, methods, and what answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.linking.binding import unchanged
from backendlint.project.linking.variables import variable
from backendlint.project.routes.model import UNKNOWN

if TYPE_CHECKING:
    from backendlint.project.model import Project


_CUTTING = frozenset({"strip", "lstrip", "rstrip", "removeprefix", "removesuffix"})
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Reading:
    """Reads paths, methods and handlers out of a project's values."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def text(self, fn: Fn, call: Call | None, arg: Arg | None, known: Mapping[Vid, str] | None = None) -> str:
        """A path or prefix; unknown parts are UNKNOWN. `known` are the texts of a loop's variables in this round."""
        if call is None or arg is None:
            return ""
        for vid in arguments(call, arg):
            return self.path(fn, vid, known)
        return ""

    def path(self, fn: Fn, vid: Vid, known: Mapping[Vid, str] | None = None) -> str:
        if known and vid in known:
            return known[vid]
        value = fn.facts.values[vid]
        if value[0] in ("list", "tuple") and value[1]:
            return self.path(fn, value[1][0], known)
        found = self.project.constants(fn, vid)
        if found:
            texts = [item for item in found if isinstance(item, str)]
            return texts[0] if texts else UNKNOWN if value[0] == "attr" else ""  # `cls.path`, which each class sets
        if value[0] == "fmt":
            return "".join(self.path(fn, part, known) for part in value[2])
        if value[0] == "binop" and value[1] == "+":
            return "".join(self.path(fn, part, known) for part in value[2:4])
        if value[0] == "call":  # _("articles/"), re.compile(...)
            call = fn.facts.calls[value[1]]
            given = fn.const(call.args[0]) if len(call.args) == 1 else None
            name = fn.callee_name(call)
            if isinstance(given, str) and name in _CUTTING:
                func = fn.value(call.func)
                whole = self.path(fn, func[1], known) if func[0] == "attr" else self._named(fn, str(func[-1]))
                return UNKNOWN if UNKNOWN in whole else str(getattr(whole, name)(given))
            if isinstance(given, str):
                return given
        return UNKNOWN

    def _named(self, fn: Fn, dotted: str) -> str:
        """The text of the variable of which a method is called (`PREFIX.lstrip("/")`)."""
        owner, vid = variable(self.project, fn, dotted.rpartition(".")[0]) or (fn, -1)
        return self.path(owner, vid) if vid >= 0 else UNKNOWN

    def methods(self, fn: Fn, call: Call | None, route: RouteModel) -> tuple[str, ...]:
        """HTTP methods that a registration names."""
        if route.methods:
            return route.methods
        if call is not None and route.methods_arg is not None:
            for vid in arguments(call, route.methods_arg):
                found = strings(self.project, fn, vid) or verbs(fn, vid)
                if found:
                    return tuple(text.upper() for text in found)
        return route.default_methods

    def handlers(self, fn: Fn, vid: Vid, depth: int = 0) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        """What answers (functions or classes), and what wraps it at the registration."""
        refs = self.project.refs(fn, vid)
        found = tuple(ref for ref in refs if ref.kind in ("func", "class", "inst"))
        value = unchanged(fn, vid)
        if value[0] == "call" and depth < 4:
            call = fn.facts.calls[value[1]]
            around = tuple(self.wrappers(fn, call))
            inner: tuple[Ref, ...] = ()
            for argument in call.args[:2]:
                part, more = self.handlers(fn, argument, depth + 1)
                if part and all(ref.kind in ("func", "class") or depth for ref in part):
                    inner, around = inner + part, around + more
            if inner and not any(ref.kind == "inst" for ref in found):
                return inner, around
            owner = self._as_view(fn, call)
            if owner:
                return owner, ()
            return found, around if any(ref.kind == "func" for ref in found) else ()
        if value[0] == "name" and not found and depth < 4:
            return self._kept(fn, str(value[1])), ()
        return found, ()

    def _kept(self, fn: Fn, dotted: str) -> tuple[Ref, ...]:
        """`login = LoginView.as_view()`, of any module: the class."""
        owner, vid = variable(self.project, fn, dotted) or (fn, -1)
        value = unchanged(owner, vid) if vid >= 0 else ("unknown",)
        return self._as_view(owner, owner.facts.calls[value[1]]) if value[0] == "call" else ()

    def texts(self, fn: Fn, vid: Vid) -> list[str]:
        """The strings of a display, or the one string."""
        return strings(self.project, fn, vid)

    def _as_view(self, fn: Fn, call: Call) -> tuple[Ref, ...]:
        """`X.as_view()`: the class."""
        value = fn.facts.values[call.func]
        if value[0] == "attr":
            refs: tuple[Ref, ...] = self.project.refs(fn, value[1])
        elif value[0] == "name":
            refs = tuple(self.project.resolver.dotted(value[1].rpartition(".")[0], fn.file.module))
        else:
            refs = ()
        return tuple(ref for ref in refs if ref.kind in ("class", "lib"))

    def wrappers(self, fn: Fn, call: Call) -> Iterator[Ref]:
        yield from self.project.callees(fn, call)
        value = fn.facts.values[call.func]
        if value[0] == "call":
            yield from self.project.callees(fn, fn.facts.calls[value[1]])


def verbs(fn: Fn, vid: Vid) -> list[str]:
    """HTTP methods as members of an enumeration: `HTTPMethod.GET`, `[Method.GET, Method.POST.value]`."""
    value = fn.facts.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return [verb for item in value[1] for verb in verbs(fn, item)]
    if value[0] == "attr" and value[2] == "value":
        return verbs(fn, value[1])
    name = str(value[-1]).removesuffix(".value").rpartition(".")[2] if value[0] in ("name", "attr") else ""
    return [name] if name in _VERBS else []


def strings(project: Project, fn: Fn, vid: Vid, depth: int = 8) -> list[str]:
    """The strings of a list, tuple or set display, or the one string."""
    value = fn.facts.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return [text for item in value[1] for text in strings(project, fn, item, depth)]
    found = project.constants(fn, vid) or []
    if not found and value[0] == "name" and depth:
        named = variable(project, fn, value[1])
        if named is not None and named[0].facts.values[named[1]][0] in ("list", "tuple", "set"):
            return strings(project, *named, depth - 1)
    return [item for item in found if isinstance(item, str)]
