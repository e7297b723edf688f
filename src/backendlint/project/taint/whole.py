"""Whole requests: a body or header map that is used as one value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.taint.naming import HIDES, sensitive
from backendlint.project.taint.rows import secret_entity, secret_row

if TYPE_CHECKING:
    from backendlint.project.model import Project

_WHOLE = frozenset(
    "headers form json data body POST META cookies COOKIES get_json get_data values stream payload raw_body".split()
)
_COPIES = frozenset(
    {
        "dict",
        "str",
        "repr",
        "list",
        "dumps",
        "loads",
        "to_dict",
        "items",
        "copy",
        "decode",
        "as_text",
        "jsonable_encoder",
    }
)

_SCRUBS = re.compile(
    rf"{HIDES}|saniti[sz]e|(filter|strip|remove|drop)_\w*(log|secret|sensitive|cred|pass|private)",
    re.IGNORECASE,
)
"""Names of functions that change a mapping so that it may be shown."""
FAR = 3
"""Functions whose results are looked into, one below the other."""
_DUMPS = frozenset({"model_dump", "model_dump_json", "dict", "json", "asdict", "jsonable_encoder"})
ENVIRONMENT = "The whole environment, with passwords and keys in it,"
_KEEPS = frozenset({"dict", "str", "repr", "dumps", "pformat", "copy", "jsonable_encoder"})
"""Calls whose result shows all that they are given."""


def whole_request(project: Project, fn: Fn, vid: Vid, depth: int = 8) -> str:
    """The name (`headers`, `body`) of the whole part of a request that the value is or holds as text; "" otherwise."""
    if vid < 0 or depth == 0:
        return ""
    value = fn.facts.values[vid]
    op = value[0]
    if op in ("conv", "guard", "await", "star"):
        return whole_request(project, fn, value[1], depth - 1)
    if op in ("fmt", "phi", "bool"):
        parts = value[1] if op == "phi" else value[2]
        return next(
            (name for part in parts if part != vid and (name := whole_request(project, fn, part, depth - 1))), ""
        )
    if op == "dict":
        return next((name for _, item in value[1] if (name := whole_request(project, fn, item, depth - 1))), "")
    name = ""
    if op == "param":
        return _body(project, fn, value[1])
    if op == "attr":
        name = str(value[2])
    elif op == "name":
        name = str(value[1]).rpartition(".")[2]
    elif op == "call":
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        name = fn.callee_name(call)
        if name in _COPIES and not _scrubbed(fn, vid):
            inner = call.args[0] if call.args and name not in ("to_dict", "items", "copy", "decode") else -1
            base = func[1] if func[0] == "attr" and inner < 0 else inner
            return whole_request(project, fn, base, depth - 1)
        answers = [(target, vid) for target in project.targets(fn, call) for vid in target.returned]
        if answers:
            return next((found for item in answers if (found := whole_request(project, *item, depth // 2))), "")
        if call.args:
            return ""
    if name == "data" and op == "attr" and _represents(project, fn, value[1]):
        return ""
    if name not in _WHOLE or _scrubbed(fn, vid) or not _is_source(project, fn, vid):
        return ""
    return name.removeprefix("get_")


def _scrubbed(fn: Fn, vid: Vid) -> bool:
    """Whether a function takes out of it what is secret: `drop_secrets(body, KEYS)`, whose result nobody wants."""
    same, todo = {vid}, [vid]
    for item in todo:
        later = [user for user in fn.made_of(item) if fn.value(user)[0] in ("guard", "phi") and user not in same]
        same.update(later)
        todo += later
    return any(
        _SCRUBS.search(fn.callee_name(call)) is not None
        and not same.isdisjoint(call.args)
        and not (fn.made_of(call.value) or fn.results_of(call.value))
        for call in fn.calls
    )


def _body(project: Project, fn: Fn, index: int) -> str:
    """A handler's parameter that the framework fills with the body as it came: `rows: list[dict]`."""
    routes = project.route_functions.get(fn.fqn, ())
    param = fn.facts.params[index]
    if not any(route.documented and route.handler is fn for route in routes) or param.annotation < 0:
        return ""
    refs = project.resolver.param(fn, index)
    plain = len(refs) > 0 and all(ref.kind == "libinst" and _is_plain(ref) for ref in refs)
    named = any(param.name in route.converters for route in routes)
    return param.name if plain and not named and project.param_source(fn, index) == "request" else ""


def _is_plain(ref: Ref) -> bool:
    """A dict, or a list of dicts."""
    inner = ref.arg is not None and ref.arg.name == "builtins.dict"
    return ref.name == "builtins.dict" or (ref.name == "builtins.list" and inner)


def held_whole(project: Project, fn: Fn, vid: Vid) -> str:
    """What the value holds all of, with the secrets in it: the environment (`dict(os.environ)`, `{"env": os.environ}`), an object
    of settings (`settings.model_dump()`), a row of the database; "" otherwise. Followed into functions that return it."""
    todo = [(fn, vid, FAR, False)]
    seen = {(fn.fqn, vid, False)}
    while todo:
        home, item, far, part = todo.pop()
        if item < 0:
            continue
        value = home.facts.values[item]
        found = _is_whole(project, home, value, part)
        if found:
            return found
        inner = [(home, vid, far, part or value[0] == "elem") for vid in _inside(home, value)]
        if value[0] == "call" and far and not inner:
            targets = project.targets(home, home.facts.calls[value[1]])
            inner = [(target, given.value, far - 1, part) for target in targets for given in target.facts.returns]
        for step in inner:
            key = (step[0].fqn, step[1], step[3])
            if key not in seen:
                seen.add(key)
                todo.append(step)
    return ""


def _is_whole(project: Project, fn: Fn, value: Value, part: bool) -> str:
    """Whether a value is such a whole; `part`: one of several is meant, which for a mapping is a key."""
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and (row := secret_row(project, fn, call) or secret_entity(project, fn, call)):
        return row
    if part:
        return ""
    name = str(value[1]) if value[0] == "name" else ""
    if call is not None:
        func = fn.facts.values[call.func]
        name = str(func[1]).removesuffix(".copy") if func[0] == "name" and str(func[1]).endswith(".copy") else ""
    if name and project.libraries.canonical(name) == "os.environ":
        return ENVIRONMENT
    return _dumped(project, fn, call) if call is not None else ""


def _inside(fn: Fn, value: Value) -> list[Vid]:
    """What a value shows all of."""
    op = value[0]
    if op in ("conv", "guard", "await", "star", "elem"):
        return [value[1]]
    if op in ("phi", "list", "tuple"):
        return list(value[1])
    if op in ("fmt", "bool"):
        return list(value[2])
    if op == "dict":
        return [entry for _, entry in value[1]]
    if op == "comp":
        return [value[2]] if value[1] != "dict" else []
    call = fn.facts.calls[value[1]] if op == "call" else None
    if call is None or fn.callee_name(call) not in _KEEPS:
        return []
    func = fn.facts.values[call.func]
    return [*call.passed, *(func[1:2] if func[0] == "attr" else ())]


def _dumped(project: Project, fn: Fn, call: Call) -> str:
    """All fields of a settings object (`get_settings().model_dump()`, `asdict(settings)`), of which one is a secret in plain text."""
    if fn.callee_name(call) not in _DUMPS or not {"include", "exclude"}.isdisjoint(key for key, _ in call.kwargs):
        return ""
    func = fn.facts.values[call.func]
    owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
    refs = project.resolver.dotted(owner, fn.file.module) if owner else ()
    for vid in (*call.args[:1], *(func[1:2] if func[0] == "attr" else ())):
        refs += project.refs(fn, vid)
    for cls in (project.classes[ref.name] for ref in refs if ref.kind == "inst"):
        for holder in project.hierarchy.mro(cls) if project.hierarchy.role(cls) == "settings" else ():
            for name, annotation in holder.facts.annotations.items():
                plain = not any("Secret" in item.name for item in project.refs(holder.owner, annotation))
                if plain and sensitive(name) == "secret":
                    return f"All of `{cls.name}`, with `{name}` in plain text,"
    return ""


def _represents(project: Project, fn: Fn, vid: Vid) -> bool:
    """A serializer, whose `data` is what clients are shown, not what they sent."""
    classes = [project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst"]
    return any(project.hierarchy.role(cls) == "serializer" for cls in classes)


def _is_source(project: Project, fn: Fn, vid: Vid) -> bool:
    labels = project.taint.labels(fn, vid)
    return any(origin.what == "request" and origin.fn == fn.fqn and origin.slot == vid for origin in labels)
