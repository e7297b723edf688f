"""Log calls that fail themselves."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, called_name

from .wording import written

_TAKEN = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "msg"})
"""Keywords of the standard library's loggers."""
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})


def failing(project: Project, fn: Fn) -> Iterator[Hit]:
    """Log calls of handlers with a keyword that the standard library's loggers do not take: structlog's way to say more."""
    for call in fn.calls:
        unknown = [key for key, _ in call.kwargs if key not in _TAKEN]
        if not unknown or "**" in unknown or fn.inside(call.block, "except") is None:
            continue
        if fn.callee_name(call) in _LEVELS and _is_standard(project, fn, call) and not _own_loggers(project):
            yield Hit(
                f"`{written(project, fn, call)}` takes no `{unknown[0]}`: it raises TypeError here, so the error is not logged and "
                "the handler does not go on; pass it in `extra`.",
                fn.location(call.span),
                function=fn.fqn,
                severity="error",
                confidence="high",
            )


def _is_standard(project: Project, fn: Fn, call: Call) -> bool:
    """A method of what `logging.getLogger` gave, in a module of the project."""
    func = fn.value(call.func)
    owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
    target = project.modules.resolve(owner, fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
        return False
    module = project.module_function(target.file)
    value = module.value(target.vid)
    return value[0] == "call" and called_name(module.file, module.facts, module.calls[value[1]]) == "logging.getLogger"


def _own_loggers(project: Project) -> bool:
    """Whether loggers are made of another class than the library's."""
    return any(True for _ in project.graph.calls_written("setLoggerClass"))
