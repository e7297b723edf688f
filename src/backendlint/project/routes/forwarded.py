"""Registrations through helpers: `register(bp, "/x", view)`, `@protected(router.get, "/x")`, `router.get("/x")(view)`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Arg
from backendlint.project.libraries.model import Route as RouteModel
from backendlint.project.routes.model import UNKNOWN, Entry, Origin
from backendlint.project.routes.registering import models_of
from backendlint.project.routes.uses import Place, Use, parameter, uses

if TYPE_CHECKING:
    from backendlint.project.routes.collect import Registrations

Refs = tuple[Ref, ...]
Found = tuple[Entry, tuple[Origin, ...]]
MAX_TEXTS = 16


class Forwarding:
    """Finds what is registered where helpers are called, with the origins of the routers that take it."""

    def __init__(self, registrations: Registrations) -> None:
        self.project = registrations.project
        self.registrations = registrations
        self.reading = registrations.reading
        self.origins = registrations.origins
        self._decorated: dict[Place, Ref] = {}
        self._returned: dict[tuple[str, Vid], dict[tuple[str, Vid], list[Entry]]] = {}
        self._listed: set[tuple[str, Vid]] = set()
        """Calls of helpers whose routes stand in a list."""

    def by_call(self, fn: Fn, call: Call, route: RouteModel, library: str) -> list[Found] | None:
        """Entries of a registering call whose path or view its function is given; None for other calls."""
        paths = list(arguments(call, route.path)) if route.path else []
        views = list(arguments(call, route.handler)) if route.handler else []
        helper = self._helper(fn, (*paths, *views))
        if helper is None:
            return None
        receiver = fn.facts.values[call.func]
        found: list[Found] = []
        for use in uses(self.project, helper):
            handlers, wrappers = self._views(use, fn, views)
            if views and not handlers:
                continue
            own = receiver[0] != "attr"
            holders = self.origins.receiver(fn, call) if own else self.origins.of_all(use.places(fn, receiver[1]))
            top = use.outermost
            near = holders or self.origins.receiver(top.caller, top.call)
            entries = self._entries(use, fn, call, route, library, (handlers, wrappers))
            found.extend((entry, near) for entry in entries)
        return found or None

    def for_caller(self, helper: Fn, vid: Vid, fn: Fn, call: Call) -> list[Entry]:
        """What a helper that gives back a route (`return re_path(f"^{path}/?$", view)`) makes for one of its callers."""
        value = helper.unguarded(vid) if vid >= 0 else ("unknown",)
        if value[0] != "call" or not helper.facts.params:
            return []
        key = (helper.fqn, value[1])
        if key not in self._returned:
            made, table = helper.facts.calls[value[1]], self._returned.setdefault(key, {})
            for model in models_of(self.project, helper, made):
                found = self.by_call(helper, made, model.route, model.library) if model.route is not None else None
                for entry, _ in found or ():
                    if entry.call is not None:
                        table.setdefault((entry.fn.fqn, entry.call.value), []).append(entry)
        entries = self._returned[key].get((fn.fqn, call.value), [])
        self._listed.update((entry.fn.fqn, entry.call.value) for entry in entries if entry.call is not None)
        return entries

    def unlisted(self, found: list[Found]) -> Iterator[Found]:
        """What stands in no list already."""
        for entry, near in found:
            if entry.call is None or (entry.fn.fqn, entry.call.value) not in self._listed:
                yield entry, near

    def hooks(
        self, fn: Fn, call: Call, given: Arg, origins: tuple[Origin, ...]
    ) -> Iterator[tuple[Refs, tuple[Origin, ...]]]:
        """What a call hangs before the handlers of which routers; also what a helper does so with for each of its callers:
        `def add(app, bp, check): bp.before_request(check)`."""
        vids = tuple(arguments(call, given))
        helper = self._helper(fn, vids)
        if helper is None:
            yield tuple(ref for vid in vids for ref in self.project.refs(fn, vid)), origins
            return
        receiver = fn.facts.values[call.func]
        for use in uses(self.project, helper):
            refs = [ref for vid in vids for place in use.places(fn, vid) for ref in self.project.refs(*place)]
            near = self.origins.of_all(use.places(fn, receiver[1])) if receiver[0] == "attr" else ()
            yield tuple(refs), near or origins

    def applied(self) -> Iterator[Found]:
        """Decorators that are called like functions, here or by helpers that are given the method: `method(path)(view)`."""
        for fn, call in self.project.graph.calls_written(""):
            made = fn.facts.values[call.func]
            if made[0] == "call" and len(call.args) == 1:
                yield from self._applied(fn, fn.facts.calls[made[1]], call)

    def _applied(self, fn: Fn, inner: Call, call: Call) -> Iterator[Found]:
        func = fn.facts.values[inner.func]
        own = tuple(self._models(fn, inner.func)) if func[0] in ("attr", "name") else ()
        given = parameter(fn, inner.func) if func[0] in ("param", "outer") else None
        if not own and given is None:
            return
        paths = tuple(vid for route, _ in own for vid in (arguments(inner, route.path) if route.path else ()))
        helper = given or self._helper(fn, (*paths, *call.args, *((func[1],) if func[0] == "attr" else ())))
        if helper is None:
            handlers, wrappers = self.reading.handlers(fn, call.args[0])
            for route, library in own if handlers else ():
                path = self.reading.text(fn, inner, route.path)
                methods = self.reading.methods(fn, inner, route)
                place = fn.location(call.span)
                yield (
                    Entry(route, library, fn, inner, place, path, route.syntax, methods, handlers, wrappers),
                    self.registrations.receiver(fn, inner.func),
                )
            return
        for use in uses(self.project, helper):
            views = self._views(use, fn, call.args)
            for maker, vid in (
                use.places(fn, inner.func) if given is not None else ((fn, inner.func),) if views[0] else ()
            ):
                near = (
                    self.registrations.receiver(maker, vid)
                    if given is not None
                    else self.origins.of_all(use.places(fn, func[1]))
                    if func[0] == "attr"
                    else self.registrations.receiver(fn, inner.func)
                )
                for route, library in self._models(maker, vid) if views[0] else ():
                    for entry in self._entries(use, fn, inner, route, library, views):
                        yield entry, near

    def _models(self, fn: Fn, func: Vid) -> Iterator[tuple[RouteModel, str]]:
        for name in self.registrations.decorator_names(fn, func):
            model = self.project.libraries.decorator(name)
            if model is not None and model.route is not None and model.route.path is not None:
                yield model.route, model.library

    def _helper(self, fn: Fn, vids: tuple[Vid, ...]) -> Fn | None:
        """The outermost function that is given one of these values."""
        owners = [owner for vid in vids if (owner := parameter(fn, vid)) is not None]
        return min(owners, key=lambda owner: owner.fqn.count("."), default=None)

    def _entries(
        self, use: Use, fn: Fn, call: Call, route: RouteModel, library: str, views: tuple[Refs, Refs]
    ) -> Iterator[Entry]:
        top = use.outermost
        decorates = self._decorated_by(use)
        place = top.caller.place(top.call.value) if decorates else top.caller.location(top.call.span)
        for text in self._paths(use, fn, call, route):
            entry = Entry(
                route,
                library,
                top.caller,
                top.call,
                place,
                text,
                route.syntax,
                self._methods(use, fn, call, route),
                *views,
            )
            entry.decorator = decorates is not None
            given = [*(arguments(call, route.methods_arg) if route.methods_arg else ())]
            given += arguments(top.call, route.methods_arg) if route.methods_arg else []
            entry.explicit = bool(route.methods) or bool(given)
            entry.through = (fn, call)
            yield entry

    def _paths(self, use: Use, fn: Fn, call: Call, route: RouteModel) -> list[str]:
        texts = [
            text for vid in (arguments(call, route.path) if route.path else ()) for text in self._texts(use, fn, vid)
        ]
        if texts:
            return [text for text in dict.fromkeys(texts) if text] or [""]
        top = use.outermost
        passed = [text for vid in top.call.args if isinstance(text := top.caller.const(vid), str)]
        return passed or ([UNKNOWN] if route.path is not None else [""])

    def _texts(self, use: Use, fn: Fn, vid: Vid, depth: int = 6) -> list[str]:
        """What a path may be; parts that neither the helper nor its caller writes down are left out."""
        value = fn.facts.values[vid]
        if depth == 0:
            return []
        if value[0] == "fmt":
            parts = [self._texts(use, fn, part, depth - 1) or [""] for part in value[2]]
            return ["".join(found) for found in itertools.islice(itertools.product(*parts), MAX_TEXTS)]
        if value[0] in ("comp", "star", "elem") and parameter(fn, vid) is None:
            return self._texts(use, fn, value[2] if value[0] == "comp" else value[1], depth - 1)
        if value[0] == "phi":
            return [text for item in value[1] if item != vid for text in self._texts(use, fn, item, depth - 1)]
        found = []
        for home, item in use.places(fn, vid):
            text = self.reading.path(home, item)
            if text != UNKNOWN or home is not fn:
                found.append(text)
        return found

    def _methods(self, use: Use, fn: Fn, call: Call, route: RouteModel) -> tuple[str, ...]:
        for vid in arguments(call, route.methods_arg) if route.methods_arg and not route.methods else ():
            for home, item in use.places(fn, vid):
                found = self.reading.texts(home, item)
                if found:
                    return tuple(text.upper() for text in found)
        return self.reading.methods(use.outermost.caller, use.outermost.call, route)

    def _views(self, use: Use, fn: Fn, vids: tuple[Vid, ...] | list[Vid], depth: int = 4) -> tuple[Refs, Refs]:
        handlers: Refs = ()
        wrappers: Refs = ()
        for vid in vids if depth else ():
            value = fn.facts.values[vid]
            if value[0] in ("phi", "bool"):
                found = self._views(
                    use, fn, [item for item in value[1 if value[0] == "phi" else 2] if item != vid], depth - 1
                )
            elif value[0] == "call" and any(parameter(fn, item) for item in fn.facts.calls[value[1]].args):
                call = fn.facts.calls[value[1]]
                inner, around = self._views(use, fn, call.args, depth - 1)
                found = inner, (*self.reading.wrappers(fn, call), *around)
            else:
                found = self._view(use, fn, vid)
            handlers, wrappers = handlers + found[0], wrappers + found[1]
        return tuple(dict.fromkeys(handlers)), wrappers

    def _view(self, use: Use, fn: Fn, vid: Vid) -> tuple[Refs, Refs]:
        owner = parameter(fn, vid)
        if owner is not None and owner is not use.helper:
            target = self._decorated_by(use)
            return ((target,) if target is not None else ()), ()
        found = [self.reading.handlers(*place) for place in use.places(fn, vid)]
        return tuple(ref for refs, _ in found for ref in refs), tuple(ref for _, refs in found for ref in refs)

    def _decorated_by(self, use: Use) -> Ref | None:
        """What the helper's result decorates."""
        if not self._decorated:
            for fn in self.project.all_functions():
                for vid in fn.facts.decorators:
                    self._decorated[(fn.parent or fn, vid)] = Ref("func", fn.fqn)
            for cls in self.project.classes.values():
                for vid in cls.facts.decorators:
                    self._decorated[(cls.owner, vid)] = Ref("class", cls.fqn)
        return self._decorated.get((use.caller, use.call.value))
