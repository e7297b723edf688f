"""What stands for the body in a function, and to whom it is handed on."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Project, Value, Vid, bind

DEPTH = 3
"""Functions to which a handler's body is handed on as it is."""
READERS = ("get", "pop", "items", "values", "keys", "setdefault", "copy")


def alike(fn: Fn, start: Vid) -> set[Vid]:
    """All that stands for what is read, also by other reads that are written the same way: `request.json` twice."""
    value = fn.value(start)
    if value[0] == "call":
        func = fn.value(fn.calls[value[1]].func)
        again = {call.value for call in fn.calls if fn.value(call.func) == func}
    else:
        wanted = untested(fn, start)
        again = {vid for vid in fn.made_by(value[0]) if untested(fn, vid) == wanted}
    return {vid for item in {start, *again} for vid in aliases(fn, item)}


def untested(fn: Fn, vid: Vid) -> Value:
    """The value, of what it is read of as that was before any test."""
    value = fn.value(vid)
    return (value[0], fn.untested(value[1]), *value[2:]) if value[0] in ("attr", "item") else value


def methods(fn: Fn, same: set[Vid]) -> Iterator[tuple[Call, str]]:
    """Calls of the body's methods."""
    names = {fn.value(vid)[1] for vid in same if fn.value(vid)[0] == "name"}
    for call in fn.calls:
        func = fn.value(call.func)
        owner, _, last = str(func[1]).rpartition(".") if func[0] == "name" else ("", "", "")
        if func[0] == "attr" and func[1] in same:
            yield call, func[2]
        elif owner in names:  # `request.json.get` of an imported `request`
            yield call, last


def taken_whole(project: Project, fn: Fn, start: Vid) -> Iterator[tuple[Fn, Vid]]:
    """The functions to which the body is handed on as it is, with the parameter that takes it."""
    return handed(project, fn, aliases(fn, start))


def handed(project: Project, fn: Fn, values: set[Vid]) -> Iterator[tuple[Fn, Vid]]:
    """The functions that are called with one of these values, with the parameter that takes it."""
    for call in fn.calls:
        targets = project.targets(fn, call) if values.intersection(call.passed) else []
        if len(targets) == 1 and targets[0] is not fn:
            bound = bind(fn, call, targets[0])
            taken = {index for index, given in bound.items() if any(vid in values and not part for vid, part in given)}
            params = targets[0].made_by("param")
            yield from ((targets[0], vid) for vid in params if targets[0].value(vid)[1] in taken)


def uses_fields(fn: Fn, start: Vid) -> bool:
    """Whether fields are read, or the whole is passed on."""
    same = aliases(fn, start)
    for value in fn.facts.values:
        if value[0] == "item" and value[1] in same and isinstance(fn.const(value[2]), str):
            return True
        if value[0] == "dict" and any(key < 0 and vid in same for key, vid in value[1]):
            return True
    for call in fn.facts.calls:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[1] in same and func[2] in READERS:
            return True
        if any(key == "**" and vid in same for key, vid in call.kwargs):
            return True
    return False


def aliases(fn: Fn, start: Vid) -> set[Vid]:
    found = {start}
    for vid, value in enumerate(fn.facts.values):
        if (
            (value[0] in ("guard", "await", "mut", "store", "elem") and value[1] in found)
            or (value[0] == "phi" and found.intersection(value[1]))
            or (value[0] == "bool" and found.intersection(value[2]))
        ):
            found.add(vid)
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            name = fn.facts.values[call.func]
            copied = name[0] == "attr" and name[2] == "copy" and name[1] in found
            read = name[0] == "name" and name[1] in ("json.loads", "builtins.dict", "orjson.loads")
            if copied or (read and call.args and call.args[0] in found):
                found.add(vid)
    return found
