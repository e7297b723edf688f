"""Whether the project's log lines are escaped: what formats them writes JSON, so that no line break gets out as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.dependency_files import dependency_texts
from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project

_FORMATTERS = re.compile(
    r"^[\s\"'-]*(python[-_]json[-_]logger|json[-_]log[-_]formatter|ecs[-_]logging|logstash[-_]formatter)\b",
    re.IGNORECASE | re.MULTILINE,
)
"""Packages whose formatters write one line a record, as a dependency file names them."""
_NO_LINES = ("NullHandler", "AdminEmailHandler", "SMTPHandler", "HTTPHandler", "SentryHandler", "EventHandler")
"""Handlers that write no lines for people to read."""


class LogLines:
    """Answers for the whole project; owned by its taint."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def escaped(self) -> bool:
        """True where every handler that loggers use has such a formatter, in one of its settings at least, and there is one;
        where the code formats no logs itself, and depends on what writes them as JSON."""
        found = list(_configured(self.project)) or list(_set(self.project))
        if found:
            return any(found) and all(found)
        return any(map(_FORMATTERS.search, dependency_texts(self.project.root)))

    @cached_property
    def rendered(self) -> bool:
        """Whether structlog's records are rendered as JSON, in one of the project's settings at least."""
        return self.project.imports("structlog") and any(
            _of(self.project, ref.name)
            for fn in self.project.all_functions()
            if any(item.target.startswith("structlog") for item in fn.file.imports)
            for call in fn.calls
            for ref in self.project.callees(fn, call)
            if ref.kind == "lib"
        )


def _configured(project: Project) -> Iterator[bool]:
    """By the handlers of configurations that are written down as dicts (`LOGGING = {...}`)."""
    configuring = (fn for fn, _ in project.written.calls("dictConfig"))
    for fn in dict.fromkeys((*map(project.module_function, project.files.values()), *configuring)):
        for vid in fn.made_by("dict"):
            config = _entries(fn, vid)
            if {"handlers", "formatters"} <= config.keys():
                yield from _handlers(project, fn, config)


def _handlers(project: Project, fn: Fn, config: dict[str, Vid]) -> Iterator[bool]:
    handlers, formatters = (_entries(fn, config[key]) for key in ("handlers", "formatters"))
    loggers = [config.get("root", -1), *_entries(fn, config.get("loggers", -1)).values()]
    used = {name for vid in loggers for name in _names(fn, _entries(fn, vid).get("handlers", -1))}
    for name, vid in handlers.items():
        handler = _entries(fn, vid)
        made = handler.get("class", handler.get("()", -1))
        if name not in used or str(fn.const(made)).endswith(_NO_LINES):
            continue
        chosen = [formatters.get(text, -1) for text in _texts(fn, handler.get("formatter", -1))]
        specs = [_entries(fn, item) for item in chosen]
        yield _is_escaping(project, fn, made) or any(
            _is_escaping(project, fn, spec.get("()", spec.get("class", -1))) for spec in specs
        )


def _set(project: Project) -> Iterator[bool]:
    """By `handler.setFormatter(...)`."""
    for fn, call in project.written.calls("setFormatter"):
        if call.args:
            made = project.allocations.of(fn, call.args[0])
            yield any(_is_escaping(project, owner, item.func) for owner, item in made)


def _is_escaping(project: Project, fn: Fn, vid: Vid) -> bool:
    """A class, or its dotted name as a text, whose instances write one line a record."""
    text = fn.const(vid)
    if isinstance(text, str):
        return _of(project, text)
    return vid >= 0 and any(ref.kind in ("class", "lib") and _of(project, ref.name) for ref in project.refs(fn, vid))


def _of(project: Project, name: str) -> bool:
    cls = project.classes.get(name)
    if cls is None:
        return any(model.one_line for model in project.libraries.lineage(name))
    written = project.method(cls, "format") or project.method(cls, "formatMessage")
    if written is not None:
        return _returns(written, "dumps") or (_returns(written, "format") and _inherits(project, cls))
    return _inherits(project, cls)


def _inherits(project: Project, cls: Cls) -> bool:
    return any(model.one_line for model in project.hierarchy.library_models(cls))


def _returns(fn: Fn, name: str) -> bool:
    """Whether whatever it returns was made by a call of that name."""
    made = [fn.unguarded(vid) for vid in fn.returned]
    return bool(made) and all(value[0] == "call" and fn.callee_name(fn.facts.calls[value[1]]) == name for value in made)


def _entries(fn: Fn, vid: Vid) -> dict[str, Vid]:
    """The entries of a dict with constant keys."""
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    return {str(fn.const(key)): item for key, item in value[1] if key >= 0} if value[0] == "dict" else {}


def _names(fn: Fn, vid: Vid) -> list[str]:
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    return [text for item in value[1] for text in _texts(fn, item)] if value[0] in ("list", "tuple") else []


def _texts(fn: Fn, vid: Vid) -> list[str]:
    """The constants that a value may be: `"plain" if DEBUG else "json"`."""
    value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    if value[0] in ("phi", "bool"):
        return [text for item in value[1 if value[0] == "phi" else 2] if item != vid for text in _texts(fn, item)]
    return [str(value[1])] if value[0] == "const" else []
