from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Call, Fn, Hit, Project

LIMIT = re.compile(
    r"max_?(content|body|upload|file|request|payload)?_?(length|size|bytes|upload|memory)|(content|body|upload|file|size)_?limit|content.length|size_limit|"
    r"too_?large|max_form_memory|chunk_?size|limit_upload|client_max_size",
    re.IGNORECASE,
)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    wholes = frozenset(options["wholes"])
    settings = frozenset(options["settings"])
    if not any(site.model.name in wholes for site in project.effects.sites):
        return
    limited = {name for file in project.files.values() for name in named(project, file.path) if name in settings}
    for fn, call, model in project.effects.sites:
        name = model.name
        if name not in wholes or bounded(name, call) or not project.reach(fn.fqn):
            continue
        if (limited and not name.startswith(tuple(options["unaffected"]))) or checks_size(fn):
            continue
        yield Hit(
            f"`{name.rpartition('.')[2]}` in `{fn.name}()` reads the whole upload or body whatever its size: one request can fill the "
            "memory or disk. Refuse what is above a limit, or read bounded chunks.",
            fn.location(call.span),
            function=fn.fqn,
            profile="strict" if name.endswith(tuple(options["bodies"])) else "default",
        )


def bounded(name: str, call: Call) -> bool:
    """A read that is told how much."""
    return bool(call.args and name.endswith(".read")) or call.kwarg("size") >= 0


def checks_size(fn: Fn) -> bool:
    """A size or length that the function looks at."""
    for value in fn.facts.values:
        text = value[2] if value[0] == "attr" else value[1] if value[0] in ("const", "name") else ""
        if isinstance(text, str) and len(text) < 60 and (LIMIT.search(text) or (value[0] == "attr" and text == "size")):
            return True
        if value[0] == "compare" and any(is_length(fn, vid) for vid in value[2]):
            return True
    return False


def is_length(fn: Fn, vid: int) -> bool:
    value = fn.facts.values[vid]
    if value[0] != "call":
        return False
    func = fn.facts.values[fn.facts.calls[value[1]].func]
    return func == ("name", "builtins.len")


def named(project: Project, path: str) -> Iterator[str]:
    """Names that a file assigns, as variables, keys or settings."""
    file = project.files[path]
    yield from file.names
    for function in file.functions:
        for store in function.stores:
            key = function.values[store.key] if store.key >= 0 else ("",)
            if key[0] == "const" and isinstance(key[1], str):
                yield key[1]
        for call in function.calls:
            yield from (key for key, _ in call.kwargs)
        for value in function.values:
            if value[0] == "dict":
                for key, _ in value[1]:
                    if key >= 0 and function.values[key][0] == "const" and isinstance(function.values[key][1], str):
                        yield function.values[key][1]
            elif value[0] == "store":
                item = function.values[value[2]]
                if item[0] == "const" and isinstance(item[1], str):
                    yield item[1]
