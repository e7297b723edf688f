from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, Site, in_main_block, only_by_hand

LEVELS = frozenset(
    {"trace", "debug", "info", "success", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"}
)


def check(project: Project) -> Iterator[Hit]:
    sites = [site for site in project.effects.sites if is_logger(project, site)]
    structured = sum(1 for site in sites if site.model.log is not None and site.model.log.structured)
    root = sum(1 for site in sites if site.model.log is not None and site.model.log.root)
    prevails = structured >= 2 and structured > len(sites) - structured
    for site in sites:
        log = site.model.log
        if log is None or log.structured or in_main_block(site.fn, site.call):
            continue
        if log.root and not only_by_hand(project, site.fn):
            yield Hit(
                f"`{site.model.name}` in `{site.fn.name}()` logs to the root logger: the record cannot be filtered by module. "
                "Use `logging.getLogger(__name__)`.",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
            )
        elif prevails and not log.root:
            yield Hit(
                f"`{site.fn.name}()` logs plain text, while {structured} of the project's {len(sites) - root} log calls write "
                "structured records. Use the structured logger.",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
                confidence="medium",
            )


def is_logger(project: Project, site: Site) -> bool:
    """A call of a logging library (error reporters and print are none)."""
    library = project.libraries.library(site.model.library)
    if site.model.name.rpartition(".")[2] not in LEVELS:
        return False
    return site.model.log is not None and not site.model.prints and library is not None and library.kind == "logger"
