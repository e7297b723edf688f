from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from operator import attrgetter

from backendlint.api import (
    FileFacts,
    Fn,
    Hit,
    Project,
    Site,
    Vid,
    bind,
    by_style,
    in_main_block,
    only_by_hand,
    receiver,
    told_once,
)

LEVELS = frozenset(
    {"trace", "debug", "info", "success", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"}
)
FORMATTER = "structlog.stdlib.ProcessorFormatter"
ROOT, PLAIN = "logs to the root logger", "logs plain text"


def check(project: Project) -> Iterator[Hit]:
    styles = by_style(project, list(project.all_functions()), partial(hits_in, project))
    yield from styles.pop("", ())
    for style, hits in styles.items():
        yield from told_once(hits, partial(everywhere, style), slip=attrgetter("function"))


def everywhere(style: str, hit: Hit, others: str) -> str:
    return hit.message.replace(style, f"{style}, as do {others}", 1)


def hits_in(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for a migration, which has run."""
    wanted = set(functions)
    sites = [site for site in project.effects.sites if is_logger(project, site)]
    structured = sum(1 for site in sites if site.model.log is not None and site.model.log.structured)
    root = sum(1 for site in sites if site.model.log is not None and site.model.log.root)
    prevails = structured >= 2 and structured > len(sites) - structured and not bridged(project)
    files = {site.fn.path: site.fn.file for site in sites if site.model.log is not None and site.model.log.structured}
    homes = {project.modules.distribution(path) for path in files}
    near = together(project, files) if prevails else set()
    for site in sites:
        log, ran = site.model.log, project.layer(site.fn) == "migration"
        if site.fn not in wanted or log is None or log.structured or in_main_block(site.fn, site.call):
            continue
        if (
            log.root
            and not only_by_hand(project, site.fn)
            and not handed_in(project, site.fn, receiver(site.fn, site.call))
        ):
            where = "where the module is loaded" if site.fn.is_module else f"in `{site.fn.name}()`"
            hit = Hit(
                f"`{site.model.name}` {where} {ROOT}: the record cannot be filtered by module. "
                "Use `logging.getLogger(__name__)`.",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
                profile="strict" if ran else None,
            )
            yield hit, "" if ran else ROOT
        elif (
            prevails
            and not log.root
            and project.modules.distribution(site.fn.path) in {"", *homes}
            and site.fn.path in near
        ):
            hit = Hit(
                f"`{site.fn.name}()` {PLAIN}, while {structured} of the project's {len(sites) - root} log calls write "
                "structured records. Use the structured logger.",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
                confidence="medium",
                profile="strict" if ran else None,
            )
            yield hit, "" if ran else PLAIN


def together(project: Project, files: Mapping[str, FileFacts]) -> set[str]:
    """Paths of the modules that lie beside one of these, or run with one: that it imports, or that import it, and so on."""
    folders = {path.rpartition("/")[0] for path in files}
    linked: dict[str, set[str]] = {}
    for file in project.files.values():
        for other in project.importers.of(file):
            linked.setdefault(file.path, set()).add(other.path)
            linked.setdefault(other.path, set()).add(file.path)
    found, todo = set(files), [*files]
    while todo:
        new = linked.get(todo.pop(), set()) - found
        todo.extend(new)
        found |= new
    return found | {file.path for file in project.files.values() if file.path.rpartition("/")[0] in folders}


def handed_in(project: Project, fn: Fn, vid: Vid) -> bool:
    """A logger that every caller passes: the root logger is the default that nobody uses."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "attr" and fn.cls is not None and fn.unguarded(value[1]) == ("param", 0):
        stores = project.hierarchy.stores(fn.cls, value[2])
        return bool(stores) and all(
            home.unguarded(item)[0] == "param" and handed_in(project, home, item) for home, item in stores
        )
    if value[0] != "param":
        return False
    calls = [(edge.caller, edge.call) for edge in project.graph.callers(fn) if edge.call is not None]
    return bool(calls) and all(value[1] in bind(caller, call, fn) for caller, call in calls)


def bridged(project: Project) -> bool:
    """Whether the standard library's records get into the structured log: a handler of the project's gives them to the
    structured logger, or a formatter writes them as fields."""
    if any(formats(file) for file in project.files.values()):
        return True
    for cls in project.classes.values():
        emit = cls.facts.methods.get("emit")
        if emit is not None and "logging.Handler" in project.hierarchy.library_bases(cls):
            sites = project.effects.direct(project.functions_of(cls.file)[emit])
            if any(site.model.log is not None and site.model.log.structured for site in sites):
                return True
    return False


def formats(file: FileFacts) -> bool:
    """Whether a module has to do with a formatter that writes records as fields."""
    targets = {item.target for item in file.imports}
    if any(target == FORMATTER or target.partition(".")[0] == "pythonjsonlogger" for target in targets):
        return True
    return any(target.partition(".")[0] == "structlog" for target in targets) and any(
        ("name", FORMATTER) in function.values for function in file.functions
    )


def is_logger(project: Project, site: Site) -> bool:
    """A call of a logging library (error reporters and print are none)."""
    library = project.libraries.library(site.model.library)
    if site.model.name.rpartition(".")[2] not in LEVELS:
        return False
    return site.model.log is not None and not site.model.prints and library is not None and library.kind == "logger"
