"""Registrations: which application, router or list of routes has which entries and mounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg, CallModel, Mount
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.linking.binding import receiver
from backendlint.project.linking.variables import of_all_modules
from backendlint.project.routes.forwarded import Forwarding
from backendlint.project.routes.handlers import by_method
from backendlint.project.routes.holders import Holder, Key, Mounted, is_hidden
from backendlint.project.routes.included import included
from backendlint.project.routes.injected import Injected
from backendlint.project.routes.lent import lent
from backendlint.project.routes.model import UNKNOWN, Entry, Origin
from backendlint.project.routes.origins import Origins
from backendlint.project.routes.reading import Reading
from backendlint.project.routes.registering import SAYING, Registering, models_of, overridden, registering
from backendlint.project.routes.tabled import Looping

if TYPE_CHECKING:
    from backendlint.project.model import Project

URL_LIST = "urlpatterns"
"""The module-level name under which Django looks for a module's routes."""
_HANDED = ("param", "outer", "guard")
"""Values that may be an application which the function is given."""
MAX_NESTING = 12


class Registrations:
    """All holders of the project, with their entries and mounts."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.origins = Origins(project)
        self.reading = Reading(project)
        self.holders: dict[Key, Holder] = {}
        self.loose: list[Entry] = []
        self.everywhere: dict[str, list[Ref]] = {}
        """Hooks of all the applications that a library makes."""
        """Entries whose holder is not known."""
        self._opened: set[Key] = set()
        self._claimed: set[Key] = set()
        self._libraries = project.libraries
        self.injected = Injected(project)
        self.forwarding = Forwarding(self)
        self.looping = Looping(self)
        pending = registering(project)
        for fn, call, model in pending:
            if model.app is not None:
                self._application(fn, call, model)
        for module, vid in of_all_modules(project, URL_LIST):
            self._url_list(module, vid)
        for holder in list(self.holders.values()):
            if holder.app is not None and holder.app.routes is not None and holder.call is not None:
                for vid in arguments(holder.call, holder.app.routes):
                    self._items(holder, holder.origin.fn, vid)
        for holder in list(self.holders.values()):
            self._inside(holder)
        for fn, call, model in (*pending, *project.graph.in_order(self._through_parameters())):
            self._register(fn, call, model)
        self._forwarded(self.forwarding.applied())
        for fn in project.all_functions():
            self._decorated(fn.parent or fn, fn.facts.decorators, Ref("func", fn.fqn))
        for cls in project.classes.values():
            self._decorated(cls.owner, cls.facts.decorators, Ref("class", cls.fqn))

    # holders

    def _through_parameters(self) -> Iterator[Registering]:
        """Calls of methods of an application that a function is given (`def register(app): app.mount(...)`)."""
        if not self.holders:
            return
        words = {name.rpartition(".")[2] for said in SAYING for name in self._libraries.names_saying("calls", said)}
        for fn, call in self.project.graph.calls_written(*sorted(words)):
            value = fn.facts.values[call.func]
            if not fn.facts.params or value[0] != "attr" or fn.facts.values[value[1]][0] not in _HANDED:
                continue
            if not self.project.callees(fn, call):
                for name in self._given(fn, value[1]):
                    model = self._libraries.call(f"{name}.{value[2]}")
                    if model is not None:
                        yield fn, call, model

    def _given(self, fn: Fn, vid: Vid) -> Iterator[str]:
        """Types of the applications and routers that a parameter without a known type may be."""
        value = fn.facts.values[vid]
        if value[0] not in _HANDED:
            return
        for origin in self.origins.of(fn, vid):
            if origin.key in self.holders:
                for ref in self.project.refs(origin.fn, origin.vid):
                    bases = (
                        self.project.hierarchy.library_bases(self.project.classes[ref.name])
                        if ref.kind == "inst"
                        else ()
                    )
                    yield from (ref.name,) if ref.kind == "libinst" else bases

    def decorator_names(self, home: Fn, func: Vid) -> Iterator[str]:
        """Library names of a decorator; of one of an application that the enclosing function is given, too."""
        refs = self.project.refs(home, func)
        yield from (ref.name for ref in refs if ref.kind == "lib")
        value = home.facts.values[func]
        if not refs and value[0] == "attr":
            yield from (f"{name}.{value[2]}" for name in self._given(home, value[1]))
        origins, method = self.injected.of(home, func) if not refs else ([], "")
        for origin in origins:
            for ref in self.project.refs(origin.fn, origin.vid):
                yield f"{ref.name}.{method}"

    def _application(self, fn: Fn, call: Call, model: CallModel) -> None:
        origin = Origin(fn, call.value)
        self.holders[origin.key] = Holder(origin, fn.location(call.span), model.library, model.app, call)

    def _inside(self, holder: Holder) -> None:
        """An extension's router that is made with the application or blueprint that takes it."""
        if holder.app is None or holder.app.inside is None or holder.call is None:
            return
        fn, inside = holder.origin.fn, holder.app.inside
        given = [receiver(fn, holder.call)] if inside.receiver else arguments(holder.call, inside)
        for vid in given:
            for origin in self.origins.of(fn, vid):
                taker = self.holders.get(origin.key)
                if taker is not None and taker is not holder:
                    taker.mounts.append(Mounted(holder.origin.key, "", fn, ()))

    def _url_list(self, fn: Fn, vid: Vid) -> None:
        key = (fn.fqn, vid)
        holder = self.holders[key] = Holder(Origin(fn, vid), fn.place(vid), "")
        self._opened.add(key)
        self._items(holder, fn, vid)

    def holder_of(self, origin: Origin) -> Holder | None:
        """The application or router made there, or the list displayed there."""
        known = self.holders.get(origin.key)
        if known is not None:
            return known
        value = origin.fn.facts.values[origin.vid]
        if value[0] not in ("list", "tuple", "binop", "comp") or origin.key in self._opened:
            return None
        self._opened.add(origin.key)
        holder = self.holders[origin.key] = Holder(origin, origin.fn.place(origin.vid), "")
        self._items(holder, origin.fn, origin.vid)
        return holder

    # lists of routes

    def _items(self, holder: Holder, fn: Fn, vid: Vid, depth: int = 0) -> None:
        """Adds what a list of routes contains."""
        if vid < 0 or depth > MAX_NESTING:
            return
        value = fn.facts.values[vid]
        op = value[0]
        if op in ("list", "tuple", "set") and not self._pair(holder, fn, value, vid):
            for item in value[1]:
                self._items(holder, fn, item, depth + 1)
        elif op in ("guard", "star", "await"):
            self._items(holder, fn, value[1], depth + 1)
        elif op == "mut":
            for item in (value[1], *value[3]):
                self._items(holder, fn, item, depth + 1)
        elif op == "phi":
            for item in value[1]:
                if item != vid:
                    self._items(holder, fn, item, depth + 1)
        elif op == "binop":
            self._items(holder, fn, value[2], depth + 1)
            self._items(holder, fn, value[3], depth + 1)
        elif op == "comp":
            self._items(holder, fn, value[2], depth + 1)
        elif op == "call":
            self._item_call(holder, fn, fn.facts.calls[value[1]], depth)
        else:
            self._named_item(holder, fn, vid, depth)

    def _pair(self, holder: Holder, fn: Fn, value: tuple[object, ...], vid: Vid) -> bool:
        """Tornado's `(r"/path", Handler)`."""
        items: tuple[Vid, ...] = value[1]  # type: ignore[assignment]
        if value[0] != "tuple" or len(items) < 2 or not isinstance(fn.const(items[0]), str):
            return False
        handlers, wrappers = self.reading.handlers(fn, items[1])
        if not handlers:
            return False
        path = str(fn.const(items[0]))
        syntax = "regex" if "(" in path or "$" in path else "braces"
        model = RouteModel(syntax="regex")
        holder.entries.append(
            Entry(model, holder.library, fn, None, fn.place(vid), path, syntax, (), handlers, wrappers)
        )
        return True

    def _item_call(self, holder: Holder, fn: Fn, call: Call, depth: int) -> None:
        models = models_of(self.project, fn, call)
        for model in models:
            if model.route is not None:
                self._entry(holder, fn, call, model, model.route)
            elif model.mount is not None:
                self._mount(holder, fn, call, model.mount)
            elif model.app is not None:
                holder.mounts.append(Mounted((fn.fqn, call.value), "", fn, ()))
        if models and any(model.route or model.mount or model.app for model in models):
            return
        self._claimed.add((fn.fqn, call.value))
        targets = self.project.targets(fn, call)
        for target in targets:
            for item in target.facts.returns:
                made = self.forwarding.for_caller(target, item.value, fn, call)
                holder.entries.extend(made)
                if not made:
                    self._items(holder, target, item.value, depth + 1)
        if not targets:
            for argument in call.args:
                self._items(holder, fn, argument, depth + 1)

    def _named_item(self, holder: Holder, fn: Fn, vid: Vid, depth: int) -> None:
        found = False
        for origin in self.origins.of(fn, vid):
            found = True
            if origin.key in self.holders:
                if self.holders[origin.key] is not holder:
                    holder.mounts.append(Mounted(origin.key, "", fn, ()))
            elif origin.key != (fn.fqn, vid):
                self._items(holder, origin.fn, origin.vid, depth + 1)
        if not found:
            for ref in self.project.refs(fn, vid):
                self._own_route(holder, ref)

    def _own_route(self, holder: Holder, ref: Ref) -> None:
        """Litestar's lists name functions and controllers that carry their paths themselves."""
        if ref.kind == "func":
            fn = self.project.functions[ref.name]
            for entry in self._decorator_entries(fn.parent or fn, fn.facts.decorators, ref):
                holder.entries.append(entry)
                self._claimed.add((ref.name, -1))
        elif ref.kind == "class":
            cls = self.project.classes[ref.name]
            prefix = self.project.constants(cls.owner, cls.facts.attributes.get("path", -1)) or [""]
            for method in cls.methods.values():
                for entry in self._decorator_entries(cls.owner, method.facts.decorators, Ref("func", method.fqn)):
                    entry.path = f"{prefix[0]}/{entry.path}".rstrip("/")
                    holder.entries.append(entry)
                    self._claimed.add((method.fqn, -1))

    # registrations by call

    def _register(self, fn: Fn, call: Call, model: CallModel) -> None:
        if model.route is None and model.mount is None and model.middleware is None and model.handler is None:
            return
        if fn.cls is not None and fn.facts.values[call.func][0] == "attr" and any(overridden(self.project, fn)):
            return  # `super().add_url_rule(...)`: its callers register
        origins = self.origins.receiver(fn, call)
        if model.mount is not None and model.mount.into is not None:
            origins = tuple(origin for vid in arguments(call, model.mount.into) for origin in self.origins.of(fn, vid))
        holders = self._holders(origins)
        if model.mount is not None and model.mount.prefix is not None and not holders:
            holders = list(self._unseen(fn, call, model.mount, model.library))
        if model.route is not None and (rows := self.looping.by_call(fn, call, model.route, model.library)):
            self._forwarded(rows)
            return
        if model.route is not None and (fn.facts.params or fn.parent is not None):
            found = self.forwarding.by_call(fn, call, model.route, model.library)
            if found is not None:
                self._forwarded(self.forwarding.unlisted(found))
                return
        for holder in holders:
            if model.route is not None:
                self._entry(holder, fn, call, model, model.route)
            if model.mount is not None:
                self._mount(holder, fn, call, model.mount)
        self._hook(fn, call, model, origins)
        if not holders and model.route is not None and (fn.fqn, call.value) not in self._claimed:
            value = fn.facts.values[call.func]
            if value[0] == "attr":
                self.loose.append(self._make(fn, call, model, model.route))

    def _unseen(self, fn: Fn, call: Call, mount: Mount, library: str) -> Iterator[Holder]:
        """The application that is made where nobody sees it (`app = kit.make_app()`): what it mounts has its prefixes still.
        An application of the project's own may stand alone."""
        taker = receiver(fn, call)
        if taker < 0 or any(ref.kind in ("module", "lib") for ref in self.project.refs(fn, taker)):
            return
        apps = (self.holders[key].app for key in self._children(fn, call, mount.child))
        if not any(app is not None and app.role == "application" for app in apps):
            origin = Origin(fn, taker)
            yield self.holders.setdefault(origin.key, Holder(origin, fn.place(taker), library))

    def _hook(self, fn: Fn, call: Call, model: CallModel, origins: tuple[Origin, ...]) -> None:
        arg = model.middleware or model.handler
        if arg is None:
            return
        looped = [item for vid in arguments(call, arg) for item in self.origins.each(fn, vid)]
        each = [(tuple(ref for place in looped for ref in self.project.refs(*place)), origins)] if looped else None
        for hooks, near in each or self.forwarding.hooks(fn, call, arg, origins):
            for holder in self._holders(near):
                holder.hooks.extend(hooks)

    def _forwarded(self, found: Iterable[tuple[Entry, tuple[Origin, ...]]]) -> None:
        """Entries that helpers register for their callers."""
        for entry, origins in found:
            self._put(entry, self._holders(origins))

    def _holders(self, origins: Iterable[Origin]) -> list[Holder]:
        return [holder for origin in origins if (holder := self.holder_of(origin))]

    def _put(self, entry: Entry, holders: list[Holder]) -> None:
        for holder in holders:
            holder.entries.append(entry)
        if not holders:
            self.loose.append(entry)

    def _entry(self, holder: Holder, fn: Fn, call: Call, model: CallModel, route: RouteModel) -> None:
        self._claimed.add((fn.fqn, call.value))
        below = self._below(fn, call, route)
        # not `app.add_url_rule(..., view_func=app.send_static_file)`
        if below is not None and below != [holder.origin.key]:
            prefix = self.reading.text(fn, call, route.path)
            holder.mounts.extend(Mounted(key, prefix, fn, (), route.syntax, call=call) for key in below)
            return
        entry = self._make(fn, call, model, route)
        holder.entries.extend(by_method(self.reading, entry))
        paths = list(arguments(call, route.path)) if route.path is not None and route.path.rest >= 0 else []
        for vid in paths[1:]:
            holder.entries.append(replace(entry, path=self.reading.path(fn, vid)))

    def _below(self, fn: Fn, call: Call, route: RouteModel) -> list[Key] | None:
        """What is mounted in the handler's place, if anything is."""
        child = included(self.project, fn, call, route)
        if child is not None:
            return list(self._children(fn, *child))
        served = self._served(fn, call, route)
        return [served] if served is not None else None

    def _served(self, fn: Fn, call: Call, route: RouteModel) -> Key | None:
        """`path("api/", api.urls)`: another application stands in the handler's place."""
        for vid in arguments(call, route.handler) if route.handler else ():
            if fn.facts.values[vid][0] in ("attr", "name"):
                for origin in self.origins.of(fn, vid):
                    child = self.holders.get(origin.key)
                    if child is not None and child.app is not None:
                        return origin.key
        return None

    def _make(self, fn: Fn, call: Call, model: CallModel, route: RouteModel) -> Entry:
        handlers: tuple[Ref, ...] = ()
        wrappers: tuple[Ref, ...] = ()
        for vid in arguments(call, route.handler) if route.handler else ():
            found, around = self.reading.handlers(fn, vid)
            handlers, wrappers = handlers + found, wrappers + around
        path = self.reading.text(fn, call, route.path)
        methods = self.reading.methods(fn, call, route)
        place = fn.location(call.span)
        made = Entry(route, model.library, fn, call, place, path, route.syntax, methods, handlers, wrappers)
        made.explicit = bool(route.methods) or bool(route.methods_arg and arguments(call, route.methods_arg))
        return made

    def _mount(self, holder: Holder, fn: Fn, call: Call, mount: Mount) -> None:
        dependencies = tuple(arguments(call, mount.dependencies)) if mount.dependencies else ()
        found = lent(self, holder, fn, call, mount)
        if found is None:
            rounds = list(self.origins.rounds(fn, next(iter(arguments(call, mount.child)), -1)))
            rows = [(origin.key, known) for origin, known in rounds if self.holder_of(origin) is not None]
            found = [
                (key, self.reading.text(fn, call, mount.prefix, known), None)
                for key, known in rows or ((key, {}) for key in self._children(fn, call, mount.child))
            ]
        for key, prefix, use in found:
            if key != holder.origin.key:
                at = (use.outermost.caller, use.outermost.call) if use is not None else None
                hidden = is_hidden(fn, call)
                instead = mount.instead and bool(prefix) and UNKNOWN not in prefix
                holder.mounts.append(Mounted(key, prefix, fn, dependencies, "braces", hidden, call, at, instead))

    def _children(self, fn: Fn, call: Call, child: Arg) -> Iterator[Key]:
        if child.receiver:
            yield from (origin.key for origin in self.origins.receiver(fn, call) if self.holder_of(origin) is not None)
        for given in arguments(call, child):
            value = fn.facts.values[given]
            pair = value[0] == "tuple" and bool(value[1])  # (patterns, namespace)
            vid = value[1][0] if pair else given
            text = fn.const(vid)
            if isinstance(text, str):
                yield from self._module_list(text, fn.file.module)
                continue
            for ref in self.project.refs(fn, vid):
                if ref.kind == "module":
                    yield from self._module_list(ref.name, fn.file.module)
            for origin in self.origins.of(fn, vid):
                if self.holder_of(origin) is not None:
                    yield origin.key

    def _module_list(self, dotted: str, importer: str) -> Iterator[Key]:
        file = self.project.modules.find(dotted, importer)
        if file is not None and file.names.get(URL_LIST, -1) >= 0:
            yield self.project.module_function(file).fqn, file.names[URL_LIST]

    # registrations by decorator

    def _decorated(self, home: Fn, decorators: tuple[Vid, ...], target: Ref) -> None:
        for vid in decorators:
            call, func = self._decorator(home, vid)
            for name in self.decorator_names(home, func):
                model = self._libraries.decorator(name)
                if model is None or not (
                    model.middleware or (model.route and model.route.path and model.route.detail is None)
                ):
                    continue
                holders = self._holders(self.receiver(home, func))
                if model.everywhere:
                    self.everywhere.setdefault(model.library, []).append(target)
                elif model.middleware:
                    for holder in holders:
                        holder.hooks.append(target)
                if model.route is None or (target.name, -1) in self._claimed:
                    continue
                self._put(self._decorator_entry(home, call, vid, model.route, model.library, target), holders)

    def _decorator(self, home: Fn, vid: Vid) -> tuple[Call | None, Vid]:
        value = home.facts.values[vid]
        if value[0] == "call":
            call = home.facts.calls[value[1]]
            return call, call.func
        return None, vid

    def receiver(self, home: Fn, func: Vid) -> tuple[Origin, ...]:
        value = home.facts.values[func]
        if value[0] == "attr":
            return self.origins.of(home, value[1])
        if value[0] == "name":
            found = tuple(self.origins.dotted(value[1].rpartition(".")[0], home.file.module))
            return found or tuple(self.injected.of(home, func)[0])
        return ()

    def _decorator_entries(self, home: Fn, decorators: tuple[Vid, ...], target: Ref) -> Iterator[Entry]:
        for vid in decorators:
            call, func = self._decorator(home, vid)
            for ref in self.project.refs(home, func):
                model = self._libraries.decorator(ref.name) if ref.kind == "lib" else None
                if model is not None and model.route is not None:
                    yield self._decorator_entry(home, call, vid, model.route, model.library, target)

    def _decorator_entry(
        self, home: Fn, call: Call | None, vid: Vid, route: RouteModel, library: str, target: Ref
    ) -> Entry:
        path = self.reading.text(home, call, route.path) if call else ""
        methods = self.reading.methods(home, call, route)
        return Entry(route, library, home, call, home.place(vid), path, route.syntax, methods, (target,), (), True)
