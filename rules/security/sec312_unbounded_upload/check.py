from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from backendlint.api import Call, Fn, Hit, Project, Vid, here_and_in, object_root, told_once

LIMIT = re.compile(
    r"max_?(content|body|upload|file|request|payload)?_?(length|size|bytes|upload|memory)|(content|body|upload|file|size)_?limit|content.length|size_limit|"
    r"too_?large|max_form_memory|chunk_?size|limit_upload|client_max_size",
    re.IGNORECASE,
)
LOOKS = re.compile(r"valid|check|limit|scan|verify|ensure|size", re.IGNORECASE)
"""Calls that look at a file before it is read, also where nobody knows how."""
LENGTH = "max_content_length"
FAR = 3
"""Calls between what looks at the size and what reads."""
READS = "reads the whole upload or body"


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    """Uploads that are read without a limit in many places are a habit, which one limit for all can mend."""
    told = partial(here_and_in, before=f" {READS}")
    yield from told_once(whole_reads(project, options), told, severity=None, each=lambda _: READS)
    yield from unpacked(project, frozenset(options["unpacks"]))
    yield from lifted(project)


def lifted(project: Project) -> Iterator[Hit]:
    """`request.max_content_length = None`: what the application says for all requests does not hold for this one."""
    for fn in project.reviewed():
        for store in fn.facts.stores:
            if store.name == LENGTH and fn.const(store.value) is None:
                yield Hit(
                    f"`{fn.name}()` takes the limit of the request's size away, so one request can fill the memory or disk. Set one that "
                    "fits what is sent there.",
                    fn.location(store.span),
                    function=fn.fqn,
                )


def unpacked(project: Project, names: frozenset[str]) -> Iterator[Hit]:
    """`gzip.decompress(request.get_data())`: what is small when it comes, and a thousand times as large here."""
    words = sorted({name.rpartition(".")[2] for name in names})
    for fn, call in project.graph.calls_written(*words):
        if not call.args or not names.intersection(ref.name for ref in project.callees(fn, call)):
            continue
        labels = project.taint.labels(fn, call.args[0])
        if any(origin.what == "request" and not mark.weak for origin, mark in labels.items()):
            yield Hit(
                f"`{fn.callee_name(call)}` in `{fn.name}()` unpacks what a client has sent, however large that gets: one request can "
                "fill the memory. Unpack it in pieces (`decompressobj().decompress(data, limit)`), and stop at a limit.",
                fn.location(call.span),
                function=fn.fqn,
            )


def whole_reads(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    wholes = frozenset(options["wholes"])
    settings = frozenset(options["settings"])
    if not any(site.model.name in wholes for site in project.effects.sites):
        return
    limited = {name for file in project.files.values() for name in named(project, file.path) if name in settings}
    for fn, call, model in project.effects.sites:
        name = model.name
        if name not in wholes or bounded(name, call) or not project.reach(fn.fqn):
            continue
        if (limited and not name.startswith(tuple(options["unaffected"]))) or refuses(project, fn):
            continue
        looked = looked_at(fn, call)
        yield Hit(
            f"`{name.rpartition('.')[2]}` in `{fn.name}()` {READS} whatever its size: one request can fill the "
            "memory or disk. Refuse what is above a limit, or read bounded chunks.",
            fn.location(call.span),
            function=fn.fqn,
            profile="strict" if looked or name.endswith(tuple(options["bodies"])) else "default",
        )


def looked_at(fn: Fn, call: Call) -> bool:
    """`await validator.validate_zip(file)` before `await file.read()`."""
    func = fn.value(call.func)
    read = object_root(fn, func[1]) if func[0] == "attr" else -1
    before = (item for item in fn.calls if item.span[:2] < call.span[:2] and LOOKS.search(fn.callee_name(item)))
    return read >= 0 and any(same_object(fn, vid, read) for item in before for vid in item.passed)


def same_object(fn: Fn, vid: Vid, root: Vid) -> bool:
    found = object_root(fn, vid)
    return found == root or (fn.unguarded(found)[0] == "param" and fn.unguarded(found) == fn.unguarded(root))


def bounded(name: str, call: Call) -> bool:
    """A read that is told how much."""
    return bool(call.args and name.endswith(".read")) or call.kwarg("size") >= 0


def refuses(project: Project, fn: Fn) -> bool:
    """Whether the function looks at a size, or all do that lead to it: who calls it, and what runs before the routes."""
    return speaks_of_size(fn) or measures(fn) or refused_before(project, fn, FAR)


def refused_before(project: Project, fn: Fn, depth: int) -> bool:
    """What leads there has not read the content, so that a length which it compares is of something else."""
    before = [(*route.dependencies, *route.hooks) for route in project.route_functions.get(fn.fqn, ())]
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.kind == "call"] if depth else []
    return (
        bool(before or callers)
        and all(any(map(speaks_of_size, fns)) for fns in before)
        and all(speaks_of_size(caller) or refused_before(project, caller, depth - 1) for caller in callers)
    )


def speaks_of_size(fn: Fn) -> bool:
    """`request.content_length`, `file.size`, `MAX_UPLOAD_BYTES`."""
    for value in fn.facts.values:
        text = value[2] if value[0] == "attr" else value[1] if value[0] in ("const", "name") else ""
        if isinstance(text, str) and len(text) < 60 and (LIMIT.search(text) or (value[0] == "attr" and text == "size")):
            return True
    return False


def measures(fn: Fn) -> bool:
    """Whether the function compares the length of something."""
    return any(is_length(fn, side) for vid in fn.made_by("compare") for side in fn.value(vid)[2])


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
