from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Edge, Fn, Hit, Project, Site, Step

QUERIES = {"db-read", "db-write", "db"}
BUILDS = {"all", "filter", "exclude", "values", "order", "raw"}
LOWER = ("repository", "model")


def check(project: Project) -> Iterator[Hit]:
    yield from skipped(project)
    yield from reversed_calls(project)
    yield from web_imports(project)


def skipped(project: Project) -> Iterator[Hit]:
    """Handlers that query themselves, where most go through a lower layer."""
    direct: list[tuple[Fn, Site]] = []
    through: list[tuple[Fn, Edge]] = []
    for fn in project.all_functions():
        if project.layer(fn) != "controller" or fn.is_module:
            continue
        site = own_query(project, fn)
        edge = layered_call(project, fn)
        if site is not None:
            direct.append((fn, site))
        elif edge is not None:
            through.append((fn, edge))
    if not through or len(direct) > len(through):
        return
    example, edge = through[0]
    layer = project.layer(edge.callee)
    for fn, site in direct:
        yield Hit(
            f"`{fn.name}()` queries the database itself, although {len(through)} of the project's "
            f"{len(through) + len(direct)} handlers go through a {layer}; move the query there.",
            fn.location(site.call.span),
            related=(example.step(edge.span, f"`{example.name}()` calls the {layer} `{edge.callee.name}()`"),),
            function=fn.fqn,
        )


def own_query(project: Project, fn: Fn) -> Site | None:
    """The first call in the function that reads or writes the database (ending a transaction is no query)."""
    for site in project.effects.direct(fn):
        model = site.model
        built = model.orm is not None and model.orm.lazy and model.orm.op in BUILDS and site.call.func >= 0
        sent = QUERIES.intersection(model.effect) and not model.transaction and "commit" not in model.effect
        if sent or (built and not fed(project, fn, site)):
            return site
    return None


def fed(project: Project, fn: Fn, site: Site) -> bool:
    """A query that is only built here and handed to a lower layer, which sends it."""
    return any(
        site.call.value in (*call.args, *(vid for _, vid in call.kwargs)) and project.targets(fn, call)
        for call in fn.facts.calls
    )


def layered_call(project: Project, fn: Fn) -> Edge | None:
    """A call of a service or repository that gets to the database."""
    for edge in project.graph.callees(fn):
        below = edge.kind == "call" and project.layer(edge.callee) in ("service", "repository")
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


def web_imports(project: Project) -> Iterator[Hit]:
    """Repositories and models that import the web framework or a module of handlers."""
    handlers = {fn.path for fn in project.all_functions() if fn.fqn in project.route_functions}
    for file in project.files.values():
        layer = project.layers.of_path(file.path)
        if layer not in LOWER or file.path in handlers:
            continue
        defines_models = any(
            project.hierarchy.role(cls) == "model" for cls in project.classes.values() if cls.path == file.path
        )
        for item in file.imports:
            if item.type_checking:
                continue
            web = is_web(project, item.target)
            above = imported_layer(project, item.target, file.module)
            if not web and above != "controller":
                continue
            if web and (defines_models or layer == "model"):
                continue
            what = f"the web framework's `{item.name}`" if web else f"`{item.name}` from the controllers"
            yield Hit(
                f"This {layer} imports {what}: the layer below depends on the one above; raise a domain exception or "
                "pass in what it needs.",
                project.module_function(file).location(item.span),
                profile="default" if web or above == "controller" else "strict",
            )


def is_web(project: Project, dotted: str) -> bool:
    """HTTP errors, requests, responses and what injects them."""
    libraries = project.libraries
    name = libraries.canonical(dotted)
    library = libraries.library_of(name)
    if library is None or library.kind != "web-framework":
        return False
    exception, call, attribute = libraries.exception(name), libraries.call(name), libraries.attribute(name)
    return (
        (exception is not None and exception.kind == "http")
        or (call is not None and (call.response is not None or call.injects is not None))
        or (attribute is not None and attribute.type.endswith("Request"))
        or name.endswith("Request")
    )


def imported_layer(project: Project, target: str, importer: str) -> str:
    found = project.modules.resolve(target, importer)
    if found.file is None:
        return ""
    for fn in project.functions_of(found.file):
        if fn.fqn in project.route_functions and (found.kind == "module" or fn.facts.qualname == found.name):
            return "controller"
    return ""
