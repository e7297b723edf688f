from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial

from backendlint.api import (
    SLIPS,
    Call,
    Edge,
    FileFacts,
    Fn,
    Hit,
    Import,
    Profile,
    Project,
    Site,
    Step,
    Vid,
    derived,
    here_and_in,
    told_once,
)

QUERIES = {"db-read", "db-write", "db"}
BUILDS = {"all", "filter", "exclude", "values", "order", "raw"}
FRAMED = ("rest_framework.serializers.", "rest_framework.generics.", "django.forms.")
"""What classes that declare their rows ask for by themselves."""
LOWER = ("repository", "model")
STORES = ("orm", "driver")
"""Kinds of libraries whose sessions and connections the lower layers work with."""
RULE = 4
"""So many handlers go through a lower layer for each one that does not, where that is the project's rule."""
NEARLY_ALL = 8
"""So many services and jobs go through repositories for each that does not, where that is certainly meant."""
CHANGES = re.compile(r"\s*(UPDATE|INSERT|DELETE)\b", re.IGNORECASE)
CORE = "django.core.exceptions."
"""What Django's own lower layers raise too: file storages, validators, settings."""
TABLE = re.compile(r"\b(from|into|update|table|call|exec)\b", re.IGNORECASE)
BELOW = ": the layer below"
HANDLERS = re.compile(r"(^|/)(\w+_)?handlers?(/|\.py$)")
HEALTH = re.compile(r"_*(health\w*|live(ness|z)?|alive|ready(z)?|readiness|ping|heartbeat)(_?check)?", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    """What a file imports of the handlers, and what the project's lower layers import of the web framework, is a habit."""
    yield from skipped(project)
    yield from own_statements(project)
    yield from reversed_calls(project)
    imports: dict[str, list[Hit]] = {}
    for habit, hit in web_imports(project):
        imports.setdefault(habit, []).append(hit)
    for hits in imports.values():
        yield from told_once(hits, partial(here_and_in, before=BELOW), severity=None, each=lambda _: BELOW)


def skipped(project: Project) -> Iterator[Hit]:
    """Handlers that query themselves, where most of the same service go through a lower layer: where nearly all do, by default."""
    direct: dict[str, list[tuple[Fn, Site]]] = {}
    through: dict[str, list[tuple[Fn, Edge]]] = {}
    homes = handler_files(project)
    for fn in project.all_functions():
        if project.layer(fn) != "controller" or fn.is_module:
            continue
        if fn.path not in homes and project.layers.certain(fn.path) != "controller":
            continue  # among the handlers by a vague name alone
        if fn.path not in homes and HANDLERS.search(fn.path) and not knows_web(project, fn.file):
            continue  # what handles events, messages, commands
        site = own_query(project, fn) if not HEALTH.fullmatch(fn.name) else None
        edge = layered_call(project, fn)
        service = project.modules.distribution(fn.path)
        if site is not None:
            direct.setdefault(service, []).append((fn, site))
        elif edge is not None:
            through.setdefault(service, []).append((fn, edge))
    for service, found in direct.items():
        yield from exceptions(project, found, through.get(service, []))


def exceptions(project: Project, direct: list[tuple[Fn, Site]], through: list[tuple[Fn, Edge]]) -> Iterator[Hit]:
    """What departs from the rule of its service, if it is one there."""
    if not through or len(direct) > len(through):
        return
    example, edge = through[0]
    layer = project.layer(edge.callee)
    profile: Profile | None = None if len(direct) == 1 or len(through) >= RULE * len(direct) else "strict"
    hits = [
        Hit(
            f"`{fn.name}()` {'writes to' if writes(site) else 'queries'} the database itself, although {len(through)} of the service's "
            f"{len(through) + len(direct)} handlers go through a {layer}; move {'that' if writes(site) else 'the query'} there.",
            fn.location(site.call.span),
            related=(example.step(edge.span, f"`{example.name}()` calls the {layer} `{edge.callee.name}()`"),),
            function=fn.fqn,
            profile=profile,
        )
        for fn, site in direct
    ]
    told = partial(here_and_in, after=" itself", before=", although")
    yield from hits if profile else told_once(hits, told, SLIPS, severity=None)


def own_statements(project: Project) -> Iterator[Hit]:
    """Services and jobs that change rows by SQL of their own, where nearly all of the same service go through repositories."""
    direct: dict[str, list[tuple[Fn, Call]]] = {}
    others: dict[str, list[Fn]] = {}
    for fn in project.all_functions():
        if project.layer(fn) not in ("service", "task") or fn.is_module:
            continue
        service = project.modules.distribution(fn.path)
        own = (site.call for site in project.effects.direct(fn) if QUERIES.intersection(site.model.effect))
        call = next((item for item in own if CHANGES.match(project.queries.text(fn, item))), None)
        if call is not None:
            direct.setdefault(service, []).append((fn, call))
        else:
            others.setdefault(service, []).append(fn)
    for service, found in direct.items():
        edges = [edge for fn in others.get(service, ()) if (edge := layered_call(project, fn, ("repository",)))]
        if len(edges) < NEARLY_ALL * len(found):
            continue
        example = edges[0]
        usual = {site.model.library for edge in edges for site in project.effects.direct(edge.callee)}
        for fn, call in found:
            if not usual.intersection(opened := opened_by(project, fn)) and opened:
                continue  # another database than that of the repositories
            if fn.facts.is_async is not example.callee.facts.is_async:
                continue  # a job that waits cannot use what does not
            yield Hit(
                f"`{fn.name}()` changes rows by SQL of its own, although {len(edges)} of the {len(edges) + len(found)} functions of "
                "services and jobs that use the database go through a repository; move the statement there.",
                fn.location(call.span),
                related=(
                    example.caller.step(
                        example.span, f"`{example.caller.name}()` calls the repository's `{example.callee.name}()`"
                    ),
                ),
                function=fn.fqn,
            )


def opened_by(project: Project, fn: Fn) -> set[str]:
    """The drivers by which the function opens a connection of its own: `psycopg.connect(settings.REPORTS)`."""
    models = (model for call in fn.calls for model in project.models(fn, call))
    return {model.library for model in models if model.opens == "db-connection"}


def writes(site: Site) -> bool:
    return "db-write" in site.model.effect and "db-read" not in site.model.effect


def handler_files(project: Project) -> set[str]:
    """Files in which handlers lie."""
    found = {project.functions[fqn].path for fqn in project.route_functions}
    return found | {cls.path for cls in project.classes.values() if project.hierarchy.role(cls) == "controller"}


def own_query(project: Project, fn: Fn) -> Site | None:
    """The first call in the function that reads or writes the database (ending a transaction, loading again what one
    has, and asking whether the database is there, are no queries)."""
    for site in project.effects.direct(fn):
        model = site.model
        if (model.orm is not None and model.orm.op == "refresh") or model.auth is not None:
            continue  # `authenticate(request, ...)`: a library asks for the user
        if model.name.startswith(FRAMED) and model.name.rpartition(".")[0].rpartition(".")[2][:1].isupper():
            continue  # `serializer.save()`, `self.get_object()`: which rows, and how, stands in the class
        built = model.orm is not None and model.orm.lazy and model.orm.op in BUILDS and site.call.func >= 0
        sent = QUERIES.intersection(model.effect) and not model.transaction and "commit" not in model.effect
        if (sent and not is_probe(project, fn, site)) or (not sent and built and not fed(project, fn, site)):
            return site
    return None


def fed(project: Project, fn: Fn, site: Site) -> bool:
    """A query that is only built here and handed to a lower layer, which sends it, or to the caller."""
    made = derived(fn, site.call.value)
    return any(item.value in made for item in fn.facts.returns) or any(
        not made.isdisjoint(call.passed) and project.targets(fn, call) for call in fn.facts.calls
    )


def is_probe(project: Project, fn: Fn, site: Site) -> bool:
    """`SELECT 1`: a query of constants, which names no table."""
    todo = list(site.call.passed)
    seen: set[Vid] = set()
    constants = []
    while todo:
        vid = todo.pop()
        if vid in seen:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            todo += list(call.passed)
        elif value[0] == "await":
            todo.append(value[1])
        else:
            constants.append(fn.const(vid))
    return bool(constants) and all(
        isinstance(item, int) or (isinstance(item, str) and not TABLE.search(item)) for item in constants
    )


def layered_call(project: Project, fn: Fn, layers: Collection[str] = ("service", "repository")) -> Edge | None:
    """A call of one of these layers that gets to the database."""
    for edge in project.graph.callees(fn):
        below = edge.kind == "call" and project.layer(edge.callee) in layers
        if below and project.effects.has(edge.callee, *QUERIES):
            return edge
    return None


def reversed_calls(project: Project) -> Iterator[Hit]:
    """Calls of route handlers from the layers below."""
    for fn in project.all_functions():
        layer = project.layer(fn)
        if layer not in ("service", *LOWER):
            continue
        for edge in project.graph.callees(fn):
            if edge.kind == "call" and edge.callee.fqn in project.route_functions:
                yield Hit(
                    f"`{fn.name}()` belongs to the {layer} layer and calls the route handler `{edge.callee.name}()`; "
                    "move what both need below them.",
                    fn.location(edge.span),
                    related=(Step(edge.callee.header, "the handler"),),
                    function=fn.fqn,
                )


def web_imports(project: Project) -> Iterator[tuple[str, Hit]]:
    """Repositories and models that import the web framework, and what else is below that imports handlers; with each which
    habit it is one of."""
    handlers = handler_files(project) | {route.location.path for route in project.routes}
    injected = {fn.fqn for route in project.routes for fn in route.dependencies}
    for file in project.files.values():
        layer = project.layers.of_path(file.path)
        certain = project.layers.certain(file.path) == layer
        if not (layer == "model" or (layer in ("repository", "service") and certain)) or file.path in handlers:
            continue
        defines_models = layer == "model" or any(
            project.hierarchy.role(cls) == "model" for cls in project.layers.classes_of(file.path)
        )
        for item in file.imports:
            if item.type_checking or (file.is_package and item.target.startswith(f"{file.module}.")):
                continue  # the latter: a package gathers its own modules
            web = layer != "service" and not defines_models and imports_web(project, file, item)
            above = "" if web else imports_controller(project, file, item, injected)
            if web or above:
                what = f"the web framework's `{item.name}`" if web else f"`{item.name}`, {above}"
                hit = Hit(
                    f"This {layer} imports {what}{BELOW} depends on the one above; raise a domain exception or pass in what it needs.",
                    project.module_function(file).location(item.span),
                )
                yield f"web {item.name}" if web else file.path, hit


def imports_web(project: Project, file: FileFacts, item: Import) -> bool:
    """Something of the web framework's, or a module of it from which such a thing is taken."""
    if is_web(project, item.target):
        return True
    library = project.libraries.library_of(project.libraries.canonical(item.target))
    if library is None or library.kind != "web-framework":
        return False
    inside = f"{item.target}."
    return any(
        value[0] == "name" and value[1].startswith(inside) and is_web(project, value[1])
        for function in file.functions
        for value in function.values
    )


def is_web(project: Project, dotted: str) -> bool:
    """HTTP errors, requests and responses (what injects, such as `Depends`, only says how an object gets its parts)."""
    libraries = project.libraries
    name = libraries.canonical(dotted)
    library = libraries.library_of(name)
    if library is None or library.kind != "web-framework" or name.startswith(CORE):
        return False
    exception, call, attribute = libraries.exception(name), libraries.call(name), libraries.attribute(name)
    return (
        (exception is not None and exception.kind == "http")
        or (call is not None and call.response is not None)
        or (attribute is not None and attribute.type.endswith("Request"))
        or name.endswith("Request")
    )


def imports_controller(project: Project, file: FileFacts, item: Import, injected: set[str]) -> str:
    """A handler, a module of handlers, or what handlers have injected; "" for anything else."""
    found = project.modules.resolve(item.target, file.module)
    if found.file is None or found.file.path == file.path:
        return ""
    by_place = project.layers.certain(found.file.path) == "controller"
    for fn in project.functions_of(found.file):
        named = fn.facts.qualname == found.name
        if fn.fqn in project.route_functions and (by_place or found.kind == "module" or named):
            return "which lies among the handlers"
        if (
            named
            and by_place
            and (takes_request(project, fn) or (fn.fqn in injected and knows_web(project, found.file)))
            and not only_wired(project, file, item, fn)
        ):
            return "a dependency of handlers"
    return ""


def only_wired(project: Project, file: FileFacts, item: Import, fn: Fn) -> bool:
    """What opens the database's session, named to the framework (`Depends(open_session)`) and never called."""
    home, annotation = fn.parent, fn.facts.returns_annotation
    if home is None or annotation < 0:
        return False
    called = any(
        function.values[call.func] == ("name", item.target) for function in file.functions for call in function.calls
    )
    refs = project.resolver.types.annotation(home, annotation)
    given = [part.name for ref in refs for part in (ref, ref.arg) if part is not None]
    heads = (project.libraries.library_of(name) for name in given)
    return not called and any(head is not None and head.kind in STORES for head in heads)


def knows_web(project: Project, file: FileFacts) -> bool:
    """Whether a module uses the web framework at all: what others inject may well lie below them, whatever it is called."""
    libraries = (project.libraries.library_of(project.libraries.canonical(item.target)) for item in file.imports)
    return any(library is not None and library.kind == "web-framework" for library in libraries)


def takes_request(project: Project, fn: Fn) -> bool:
    home = fn.parent
    return home is not None and any(
        is_web(project, ref.name)
        for param in fn.facts.params
        if param.annotation >= 0
        for ref in project.refs(home, param.annotation)
    )
