"""From registrations to routes: whole paths, handlers, and what stands before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.findings.model import Location
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg, DecoratorModel
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.linking.decorators import Decoration, class_decorations, decorations, wrapped_around
from backendlint.project.linking.filledin import of_action
from backendlint.project.routes import said
from backendlint.project.routes.collect import Registrations
from backendlint.project.routes.handlers import (
    METHODS,
    allowed_methods,
    asked_for,
    behind,
    bound,
    class_handlers,
    method_of,
)
from backendlint.project.routes.holders import Holder, Key, in_order, is_hidden
from backendlint.project.routes.listed import listed, middleware
from backendlint.project.routes.model import Application, Entry, Route, RouteParam
from backendlint.project.routes.ownrouters import routed_actions
from backendlint.project.routes.params import injections, path_params, signature_params
from backendlint.project.routes.paths import join, normal, parameters
from backendlint.project.routes.restricting import makes_view, restricted

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 16
MAX_ROUTES = 20_000


@dataclass(frozen=True, slots=True)
class _Way:
    """How a registration is reached from an application."""

    app: Application | None
    prefixes: tuple[str, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    """Parameters in the prefixes."""
    dependencies: tuple[Ref, ...] = ()
    hooks: tuple[Ref, ...] = ()
    library: str = ""
    inner: Location | None = None
    hidden: bool = False
    mounts: tuple[tuple[Fn, Call], ...] = ()
    instead: bool = False
    """The mount's prefix stands instead of the router's own."""


class RouteTable:
    """All routes and applications of the project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.registrations = Registrations(project)
        self.applications: list[Application] = []
        self.routes: list[Route] = []
        self._walked: set[tuple[Location | None, Key, str]] = set()
        holders = self.registrations.holders
        children = {mounted.child for holder in holders.values() for mounted in holder.mounts}
        roots = [holder for key, holder in holders.items() if key not in children]
        for holder in sorted(roots, key=lambda item: item.app is None or item.app.role != "application"):
            app = self._application(holder)
            hooks = tuple(self.registrations.everywhere.get(holder.library, ())) if app is not None else ()
            self._walk(holder, _Way(app, hooks=hooks), ())
        for entry in self.registrations.loose:
            self.routes.extend(self._routes(entry, _Way(None, library=entry.library)))
        self.routes = self._distinct()

    def _distinct(self) -> list[Route]:
        found: dict[tuple[object, ...], Route] = {}
        for order, route in enumerate(self.routes):
            route.order = order
            first = found.setdefault((route.location, route.path, route.methods, route.action), route)
            if route.app is not None and route.app is not first.app:
                first.also.append(route.app)
        return sorted(found.values(), key=lambda route: (route.location, route.path, route.methods))

    def _application(self, holder: Holder) -> Application | None:
        if holder.app is None or holder.app.role != "application":
            return None
        app = Application(self._name(holder), holder.location, holder.origin, holder.library, holder.app)
        self.applications.append(app)
        return app

    def _name(self, holder: Holder) -> str:
        fn, vid = holder.origin
        for binding in fn.facts.bindings:
            if binding.value == vid:
                return binding.name
        return "application"

    def _walk(self, holder: Holder, way: _Way, seen: tuple[Key, ...]) -> None:
        place = (way.app.location if way.app is not None else None, holder.origin.key, join(*way.prefixes))
        if place in self._walked:  # the same paths again, by another branch of a condition
            return
        if holder.origin.key in seen or len(seen) > MAX_DEPTH or len(self.routes) > MAX_ROUTES:
            return
        self._walked.add(place)
        way = self._entered(holder, way)
        for entry in holder.entries:
            self.routes.extend(self._routes(entry, way))
        for mounted in in_order(holder.mounts):
            child = self.registrations.holders.get(mounted.child)
            if child is None:
                continue
            types = tuple((item.name, item.type) for item in parameters(mounted.prefix, mounted.syntax))
            further = replace(
                way,
                prefixes=(*way.prefixes, normal(mounted.prefix, mounted.syntax)),
                types=way.types + types,
                dependencies=way.dependencies + tuple(listed(self.project, mounted.fn, mounted.dependencies)),
                hidden=way.hidden or mounted.hidden,
                mounts=(*way.mounts, (mounted.fn, mounted.call)) if mounted.call is not None else way.mounts,
                instead=mounted.instead,
            )
            self._walk(child, further, (*seen, holder.origin.key))

    def _entered(self, holder: Holder, way: _Way) -> _Way:
        """The way with what the router itself adds."""
        if holder.app is None or holder.call is None:
            return way
        fn, call = holder.origin.fn, holder.call
        made = self._constructed(fn, call)
        prefix = self._prefix(holder, made) if holder.app.role != "application" and not way.instead else ""
        vids = tuple(arguments(call, holder.app.dependencies)) if holder.app.dependencies else ()
        middlewares = tuple(arguments(call, holder.app.middlewares)) if holder.app.middlewares else ()
        hooks = tuple(holder.hooks) + tuple(middleware(self.project, fn, middlewares))
        types = tuple((item.name, item.type) for item in (*parameters(prefix, "braces"), *parameters(prefix, "angle")))
        return replace(
            way,
            prefixes=(*way.prefixes, normal(normal(prefix, "braces"), "angle")),
            types=way.types + types,
            dependencies=(
                *way.dependencies,
                *self._added(made, holder.app.dependencies),
                *listed(self.project, fn, vids),
            ),
            hooks=way.hooks + hooks,
            library=holder.library or way.library,
            inner=holder.location if holder.app.role == "application" else way.inner,
            hidden=(way.hidden and holder.app.role != "application") or is_hidden(fn, call),
        )

    def _prefix(self, holder: Holder, made: tuple[Fn, Call] | None, depth: int = MAX_DEPTH) -> str:
        """What a router puts before its routes, and below which items of another router it lies."""
        app, call, fn = holder.app, holder.call, holder.origin.fn
        if app is None or app.prefix is None or call is None:
            return ""
        prefix = self.registrations.reading.text(fn, call, app.prefix) or self._always(made, app.prefix)
        prefix = prefix or self.registrations.reading.text(fn, call, app.name)
        named = self.registrations.reading.text(fn, call, app.item)
        if not named:
            return prefix
        above = (
            (origin for vid in arguments(call, app.above) for origin in self.registrations.origins.of(fn, vid))
            if app.above
            else ()
        )
        parents = [parent for origin in above if (parent := self.registrations.holder_of(origin)) is not None]
        nested = next((item for item in parents if item.app is not None and item.app.item is not None), None)
        below = self._prefix(nested, None, depth - 1) if nested is not None and depth else ""
        return f"{below}/{prefix}/{{{named}_pk}}" if below else f"{prefix}/{{{named}_pk}}"

    def _constructed(self, fn: Fn, call: Call) -> tuple[Fn, Call] | None:
        """`super().__init__(dependencies=[...])` in the constructor of a project's own router."""
        for ref in self.project.callees(fn, call):
            cls = self.project.classes.get(ref.name) if ref.kind == "class" else None
            init = self.project.method(cls, "__init__") if cls is not None else None
            if init is None:
                continue
            for inner in init.calls:
                value = init.value(inner.func)
                if value[0] == "attr" and value[2] == "__init__":
                    return init, inner
        return None

    def _added(self, made: tuple[Fn, Call] | None, arg: Arg | None) -> Iterator[Ref]:
        if made is not None and arg is not None:
            yield from listed(self.project, made[0], tuple(arguments(made[1], arg)))

    def _always(self, made: tuple[Fn, Call] | None, arg: Arg | None) -> str:
        """A prefix that the constructor writes down itself."""
        found = [made[0].const(vid) for vid in arguments(made[1], arg)] if made is not None and arg is not None else []
        return next((text for text in found if isinstance(text, str)), "")

    # one registration

    def _routes(self, entry: Entry, way: _Way) -> Iterator[Route]:
        made = False
        for ref in entry.handlers:
            fn = self.project.functions.get(ref.name) if ref.kind == "func" else None
            cls = self.project.classes.get(ref.name) if ref.kind in ("class", "inst") else None
            if fn is not None:
                made = True
                yield self._route(entry, way, fn, fn.cls, "", restricted(self, fn, entry.methods), entry.path)
            elif cls is not None:
                made = True
                yield from self._class_routes(entry, way, cls)
        if not made:
            library = next((ref for ref in entry.handlers if ref.kind == "lib"), None)
            methods = entry.methods or self._library_methods(library)
            yield self._route(entry, way, None, None, "", methods, entry.path)

    def _library_methods(self, ref: Ref | None) -> tuple[str, ...]:
        model = self.project.libraries.cls(ref.name) if ref else None
        return tuple(name.upper() for name in model.provides if name.upper() in METHODS) if model else ()

    def _class_routes(self, entry: Entry, way: _Way, cls: Cls) -> Iterator[Route]:
        actions = routed_actions(self.project, entry)
        handlers, provided = class_handlers(self.project, cls)
        kept = asked_for(self.project, entry) or allowed_methods(self.project, cls)
        made = False
        given = bound(entry)
        names = list(given) or (list(actions) if actions else handlers)
        for name in names:
            method = self.project.method(cls, name)
            if method is None and name not in provided:
                continue
            verb, sub = self._verb(given.get(name, ("",))[0] or actions.get(name, ""), name)
            made = True
            bound_to = [item for item in given.get(name, (verb,)) if item and (not kept or item in kept)]
            if verb and not bound_to:
                continue
            verbs = tuple(bound_to) or entry.methods
            if entry.explicit and entry.methods and verb and verb not in entry.methods and not actions:
                continue
            method, called = behind(self.project, cls, name)
            made_route = self._route(entry, way, method, cls, name, verbs, _sub(entry.path, sub))
            made_route.called = called
            made_route.filled = of_action(self.project, cls, name)
            yield made_route
        if actions:
            for extra in self._extra_actions(entry, way, cls):
                made = True
                yield extra
        if not made:
            call = self.project.method(cls, "__call__")
            yield self._route(entry, way, call, cls, "", entry.methods, entry.path)

    def _verb(self, action: str, name: str) -> tuple[str, str]:
        verb, _, sub = action.partition(" ")
        return (verb, sub) if verb else (method_of(name, plain=True), "")

    def _extra_actions(self, entry: Entry, way: _Way, cls: Cls) -> Iterator[Route]:
        """DRF's `@action` methods, of each name the one that the class has: an overriding one takes the place of a mixin's."""
        seen: set[str] = set()
        for owner in self.project.hierarchy.mro(cls):
            own = [method for name, method in owner.methods.items() if name not in seen]
            seen.update(owner.methods, owner.facts.attributes)
            for method in own:
                for item, model in self.decorators(method):
                    if model.route is not None and model.route.detail is not None:
                        yield self._action(entry, way, cls, method, item, model.route)

    def _action(
        self, entry: Entry, way: _Way, cls: Cls, method: Fn, decoration: Decoration, route: RouteModel
    ) -> Route:
        home, call = decoration.fn, decoration.call
        detail = False
        if call is not None and route.detail is not None:
            detail = any(home.const(item) is True for item in arguments(call, route.detail))
        path = self.registrations.reading.text(home, call, route.path) or method.name
        methods = self.registrations.reading.methods(home, call, route) or ("GET",)
        sub = f"{{pk}}/{path}" if detail else path
        made = self._route(entry, way, method, cls, method.name, methods, _sub(entry.path, sub))
        made.location = home.place(decoration.vid)
        return made

    def decorators(self, fn: Fn) -> Iterator[tuple[Decoration, DecoratorModel]]:
        """Modelled decorators of a function."""
        for vid in fn.facts.decorators:
            for item in decorations(self.project, fn.parent or fn, vid):
                model = self.project.libraries.decorator(item.ref.name) if item.ref.kind == "lib" else None
                if model is not None:
                    yield item, model

    def _route(
        self, entry: Entry, way: _Way, fn: Fn | None, cls: Cls | None, action: str, methods: tuple[str, ...], path: str
    ) -> Route:
        prefixes = tuple(part for part in way.prefixes if part)
        types = dict(way.types) | {item.name: item.type for item in parameters(path, entry.syntax)}
        own = normal(path, entry.syntax)
        status, declared = said.status(self.project, entry)
        above = () if said.replaces(entry) else way.dependencies
        dependencies = (*above, *said.dependencies(self.project, entry), *self._injected(fn))
        decorators = list(self.decorators(fn)) if fn else []
        views = (item for item, model in decorators if makes_view(model) and not entry.decorator)
        return Route(
            methods=methods,
            path=join(*prefixes, own),
            own_path=own,
            handler=fn,
            cls=cls,
            action=action,
            location=entry.location,
            framework=entry.library or way.library,
            kind=entry.model.kind,
            entry=entry,
            app=way.app,
            status=status,
            status_declared=declared,
            response_model=said.response_model(entry, decorators),
            dependencies=self._closure(dependencies),
            guards=(*entry.wrappers, *dependencies, *way.hooks, *self._around(fn, cls, action)),
            params=tuple(self._params(entry, fn, types)),
            documented=entry.model.documented,
            summary=said.text(entry, "summary", decorators),
            description=said.text(entry, "description", decorators) or (fn.facts.docstring if fn else ""),
            in_schema=not way.hidden and said.keyword(entry, "include_in_schema") is not False,
            decorators=tuple(model for _, model in decorators),
            hooks=tuple(self._functions(way.hooks)),
            prefixes=prefixes,
            converters=types,
            inner=way.inner,
            mounts=way.mounts,
            idle=self._idle(entry, fn) if fn is not None and cls is None else (),
            view=next((item.fn.place(item.vid) for item in views), None),
        )

    def _idle(self, entry: Entry, fn: Fn) -> tuple[Ref, ...]:
        called = entry.call if entry.decorator and entry.fn is (fn.parent or fn) else None
        return wrapped_around(self.project, fn, called.value) if called is not None else ()

    def _params(self, entry: Entry, fn: Fn | None, types: dict[str, str]) -> list[RouteParam]:
        if fn is None:
            return []
        if entry.model.documented:
            return signature_params(self.project, fn, types)
        return path_params(fn, types)

    def _around(self, fn: Fn | None, cls: Cls | None, action: str) -> Iterator[Ref]:
        """Decorators of the handler and of its class, permission classes, mixins."""
        if fn is not None:
            yield from fn.decorators
        if cls is None:
            return
        classes = self.project.hierarchy.mro(cls)
        yield from class_decorations(self.project, classes, action)
        for item in classes:
            yield from item.bases

    def _injected(self, fn: Fn | None) -> Iterator[Ref]:
        """Transitively injected functions and objects."""
        seen: set[str] = set()
        todo = [fn] if fn is not None else []
        while todo:
            item = todo.pop()
            if item.fqn in seen:
                continue
            seen.add(item.fqn)
            for ref in injections(self.project, item):
                yield ref
                todo.extend(self._functions((ref,)))

    def _closure(self, refs: tuple[Ref, ...]) -> tuple[Fn, ...]:
        found: dict[Fn, None] = {}
        todo = list(self._functions(refs))
        while todo:
            fn = todo.pop(0)
            if fn not in found:
                found[fn] = None
                todo.extend(self._functions(tuple(injections(self.project, fn))))
        return tuple(found)

    def _functions(self, refs: tuple[Ref, ...]) -> Iterator[Fn]:
        """The functions that calling these refs runs."""
        for ref in refs:
            if ref.kind == "func":
                fn = self.project.functions.get(ref.name)
                if fn is not None:
                    yield fn
            elif ref.kind in ("class", "inst") and ref.name in self.project.classes:
                cls = self.project.classes[ref.name]
                names = (
                    ("__call__", "dispatch", "process_request")
                    if ref.kind == "inst"
                    else ("__init__", "__call__", "dispatch", "process_request")
                )
                for name in names:
                    method = self.project.method(cls, name)
                    if method is not None:
                        yield method


def _sub(path: str, sub: str) -> str:
    if not sub:
        return path
    return f"{path.rstrip('/')}/{sub}"
