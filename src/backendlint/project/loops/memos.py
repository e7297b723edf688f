"""Tables of a module that keep what was made for a key: how they are asked, which keys there can be, what they keep."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Store, Value, Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.linking.binding import bind, object_root
from backendlint.project.linking.variables import variable
from backendlint.project.loops.loops import VIEWS
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 6
_CONTAINERS = ("builtins.", "collections.")
MAX_LINKS = 60
_SETTINGS = ("django.conf.settings.", "os.environ")
_REGISTERED = ("django.apps.apps.",)
"""What knows the parts that a program is put together of."""
_SAME = ("guard", "conv", "await")
_CONFIG = re.compile(r"(^|[._])(config|settings|conf|cfg|environ)\.(get|value|\w*setting|\w*option)$", re.IGNORECASE)
"""Asks for a setting by its name: `config.get("cache.prices.key", "PRICES")`."""
_MADE_OF = frozenset("format lower upper strip encode decode get value".split())
"""Methods whose result is one of few where their object and their arguments are."""
_PLAIN = frozenset({"builtins.str", "builtins.int", "builtins.tuple", "builtins.type", "builtins.id"})
_OF_NOW = ("Proxy", "ContextVar", "local")
"""What stands for another object from request to request."""


def asked(fn: Fn, dotted: str, key: Vid) -> bool:
    """`if key not in prices:`, `prices.get(key)` or `try: return prices[key]`."""
    values = fn.facts.values
    for item in fn.facts.returns:
        found = values[item.value] if item.value >= 0 else ("",)
        tried = found[0] == "item" and any(block.kind == "try" for _, block in fn.blocks_of(item.block))
        if tried and fn.unguarded(found[1]) == ("name", dotted) and same(fn, found[2], key):
            return True
    tested = [value[2] for value in values if value[0] == "compare" and tuple(value[1]) in (("in",), ("not in",))]
    if any(values[table] == ("name", dotted) and same(fn, item, key) for item, table in tested):
        return True
    return any(
        values[call.func] == ("name", f"{dotted}.get") and call.args and same(fn, call.args[0], key)
        for call in fn.facts.calls
    )


def same(fn: Fn, one: Vid, other: Vid) -> bool:
    """Whether two keys are the same value, also where tests stand between them (`self.name` before and after a branch)."""
    first, second = (fn.facts.values[_plain(fn, vid)] for vid in (one, other))
    if first[0] == second[0] == "attr" and first[2] == second[2]:
        return _plain(fn, first[1]) == _plain(fn, second[1])
    if first[0] == second[0] == "tuple" and len(first[1]) == len(second[1]):
        return all(same(fn, item, partner) for item, partner in zip(first[1], second[1], strict=True))
    return fn.unguarded(one) == fn.unguarded(other) or first == second


def _plain(fn: Fn, vid: Vid) -> Vid:
    """The value without the tests before, and without the branches that have left it as it was."""
    for _ in range(MAX_LINKS):
        value = fn.facts.values[vid]
        if value[0] == "phi" and len(set(map(fn.untested, value[1]))) == 1:
            vid = value[1][0]
        elif value[0] == "guard":
            vid = value[1]
        else:
            break
    return vid


def keeps_result(project: Project, fn: Fn, store: Store) -> bool:
    """`if key not in _keys: _keys[key] = decrypt(key)` and `return _keys[key]`: what a call gave is kept by its key and handed
    out again, so another process may well ask for itself; not an object of the project's own, which may change."""
    value = _table(fn, store.base)
    name = str(value[1]) if value[0] == "name" else ""
    return (
        bool(name)
        and not store.augmented
        and asked(fn, name, store.key)
        and _worked_out(project, fn, store)
        and any(_hands_out(fn, vid, name, store) for vid in fn.returned)
    )


def _worked_out(project: Project, fn: Fn, store: Store) -> bool:
    value = fn.unguarded(store.value)
    parts = value[1] if value[0] in ("tuple", "phi") else (store.value,)
    return any(_is_result(project, fn, vid, store.key) for vid in parts)


def _is_result(project: Project, fn: Fn, vid: Vid, key: Vid) -> bool:
    """Whether a function's answer or a part of it, which is not made of what a client sends beside the key."""
    value = fn.unguarded(vid)
    while value[0] in ("await", "item", "attr"):
        value = fn.unguarded(value[1])
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    made = project.callees(fn, call)
    if any(ref.kind == "class" or (ref.kind == "lib" and ref.name.startswith(_CONTAINERS)) for ref in made):
        return False
    if not made and not fn.callee_name(call)[:1].islower():
        return False
    if fn.fqn not in project.route_functions:
        return True
    return _sent(project, fn, call.passed) <= _sent(project, fn, (key,))


def _sent(project: Project, fn: Fn, vids: Iterable[Vid]) -> set[Value]:
    """Parameters, and calls that read a request, of which values are made."""
    found = [fn.facts.values[vid] for vid in ingredients(fn.facts, vids)]
    reads = [value for value in found if value[0] == "call"]
    reads = [v for v in reads if any(item.source for item in project.models(fn, fn.facts.calls[v[1]]))]
    return {value for value in found if value[0] == "param"}.union(reads)


def _hands_out(fn: Fn, vid: Vid, name: str, store: Store) -> bool:
    kept = fn.unguarded(store.value)
    parts = kept[1] if kept[0] == "tuple" else (store.value,)
    values = [fn.unguarded(item) for item in (store.value, *parts)]
    value = fn.unguarded(vid)
    if value in values or (value[0] == "phi" and any(fn.unguarded(item) in values for item in value[1])):
        return True
    if value[0] != "item":
        return False
    return bool(_table(fn, value[1]) == ("name", name))


def _table(fn: Fn, vid: Vid) -> Value:
    """The table itself, whatever was put into it."""
    value = fn.unguarded(vid)
    while value[0] in ("store", "mut"):
        value = fn.unguarded(value[1])
    return value


def keeps_client(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether a value is a client, connection or pool: each process is meant to have its own, one for each server."""
    names = (ref.name for ref in project.refs(fn, vid) if ref.kind == "libinst")
    models = (model for name in names for model in project.libraries.lineage(name))
    return any(bool(model.resource) or not model.cheap for model in models)


def few(project: Project, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> bool:
    """Whether a value is one of those that the code or its settings name, wherever it comes from: never what a request, a
    queue or a database says."""
    if vid < 0 or depth == 0:
        return False
    value = fn.facts.values[vid]
    op = value[0]
    if op in ("const", "def"):
        return True
    if op in _SAME:
        return few(project, fn, value[1], depth)
    if op in ("phi", "bool", "fmt", "tuple", "list"):
        parts = value[1] if op in ("phi", "tuple", "list") else value[2]
        return all(item == vid or few(project, fn, item, depth - 1) for item in parts)
    if op == "dict":
        return all(few(project, fn, item, depth - 1) for _, item in value[1])
    if op in ("elem", "item"):
        inner = fn.unguarded(value[1])
        return _written(project, fn, inner) if inner[0] == "name" else few(project, fn, value[1], depth - 1)
    if op == "join":
        return few(project, fn, value[2], depth - 1)
    if op == "binop":
        return few(project, fn, value[2], depth - 1) and few(project, fn, value[3], depth - 1)
    if op == "name":
        return _single(project, fn, str(value[1]))
    if op == "param":
        return _passed(project, fn, value[1], depth)
    if op == "unpack":
        return few(project, fn, value[1], depth - 1)
    if op == "attr":
        part = fn.unguarded(value[1])[0] in ("elem", "unpack")
        return (
            (part and few(project, fn, value[1], depth - 1))
            or value[2] == "__class__"
            or _of_enum(project, project.refs(fn, value[1]))
            or _of_settings(project, project.refs(fn, value[1]))
            or _says_class(project, fn, value, depth)
        )
    return op == "call" and _called(project, fn, value, depth)


def _single(project: Project, fn: Fn, dotted: str) -> bool:
    """A constant or setting of a module, a member of a class."""
    if dotted.startswith(_SETTINGS):
        return True
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind == "class":
        return True
    if target.kind != "variable" or target.file is None or target.vid < 0:
        return False
    home = project.module_function(target.file)
    if not target.rest:
        made = home.unguarded(target.vid)
        return made[0] != "call" or not home.callee_name(home.facts.calls[made[1]]).endswith(_OF_NOW)
    owners = project.refs(home, target.vid)
    return any(ref.kind == "class" or _of_settings(project, (ref,)) for ref in owners)


def _of_settings(project: Project, refs: tuple[Ref, ...]) -> bool:
    """`get_settings().api_url`: an object of a class of settings."""
    return bool(refs) and all(
        ref.kind == "inst" and project.hierarchy.role(project.classes[ref.name]) == "settings" for ref in refs
    )


def _of_enum(project: Project, refs: tuple[Ref, ...]) -> bool:
    classes = [project.classes[ref.name] for ref in refs if ref.kind in ("class", "inst")]
    return bool(classes) and all(project.hierarchy.is_a(cls, "enum.Enum") for cls in classes)


def _says_class(project: Project, fn: Fn, value: Value, depth: int) -> bool:
    """`job.kind`, where each class of jobs says it for all its objects by a constant (`kind: str = "export"`)."""
    refs = project.refs(fn, value[1])
    classes = [project.classes[ref.name] for ref in refs if ref.kind == "inst"]
    if not classes or len(classes) != len(refs):
        return False
    family = {item.fqn: item for cls in classes for item in (cls, *project.subclasses(cls))}
    if any(
        ref.kind == "class" and ref.name in family
        for owner, call in project.graph.calls_with(value[2])
        for ref in project.callees(owner, call)
    ):
        return False
    return all(_constant_field(project, item, value[2], depth) for item in family.values())


def _constant_field(project: Project, cls: Cls, name: str, depth: int) -> bool:
    mro = project.hierarchy.mro(cls)
    own = next((item for item in mro if item.facts.attributes.get(name, -1) >= 0), None)
    if own is None or any(project.hierarchy.stores(item, name) for item in mro):
        return False
    vid = own.facts.attributes[name]
    return own.owner.const(vid) is not ... or few(project, own.owner, vid, depth - 1)


def few_passed(project: Project, fn: Fn, index: int) -> bool:
    """Whether all callers of a function, which are known, pass one of few values for a parameter."""
    return _passed(project, fn, index, MAX_DEPTH)


def _passed(project: Project, fn: Fn, index: int, depth: int) -> bool:
    """A parameter, by what all callers pass for it."""
    param = fn.facts.params[index]
    home = fn.parent or fn
    if index == 0 and fn.kind == "classmethod":
        return True
    if param.annotation >= 0 and _of_enum(project, project.refs(home, param.annotation)):
        return True
    callers = [edge for edge in project.graph.callers(fn) if edge.caller is not fn]
    if not callers or fn.fqn in project.route_functions or param.kind in ("args", "kwargs"):
        return False
    for edge in callers:
        if edge.call is None or edge.kind != "call":
            return False
        given = edge.passed(index)
        if any(part for _, part in given) or (not given and param.default < 0):
            return False
        if given and not all(few(project, edge.caller, vid, depth - 1) for vid, _ in given):
            return False
    return True


def _called(project: Project, fn: Fn, value: Value, depth: int) -> bool:
    """`"{}:{}".format(kind, REGION)`, `str(kind)`, `options.get("name")` of few values."""
    call = fn.facts.calls[value[1]]
    func = fn.facts.values[call.func]
    if any(model.env is not None for model in project.models(fn, call)):
        return True
    if func[0] == "name" and _CONFIG.search(str(func[1])):
        parts = list(call.passed)
    elif func[0] == "attr" and func[2] in _MADE_OF:
        parts = [func[1], *call.passed]
    elif {ref.name for ref in project.callees(fn, call)} & _PLAIN:
        parts = list(call.passed)
        if {ref.name for ref in project.callees(fn, call)} == {"builtins.type"}:
            return True
    elif func[0] == "name" and _lists_written(project, fn, str(func[1])):
        return True
    elif (
        func[0] == "name"
        and str(func[1]).endswith(".get")
        and _written(project, fn, ("name", func[1].removesuffix(".get")))
    ):
        parts = list(call.args[1:])  # one of the table, else the default, whatever the key
    else:
        return _gives_few(project, fn, call, depth)
    return all(few(project, fn, item, depth - 1) for item in parts)


def _lists_written(project: Project, fn: Fn, dotted: str) -> bool:
    """`HANDLERS.values()` of a table that a module writes down, `apps.get_app_configs()`."""
    owner, _, method = dotted.rpartition(".")
    return dotted.startswith(_REGISTERED) or (method in VIEWS and _written(project, fn, ("name", owner)))


def _gives_few(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """`token_key()`, `self.page_key()`: a function that is told nothing, and gives back what is written in it, or in those of
    the subclasses."""
    found = [target for target in project.targets(fn, call) if target is not fn]
    below = [item for target in found if target.cls is not None for item in project.subclasses(target.cls)]
    targets = [*found, *(item.methods[found[0].name] for item in below if found[0].name in item.methods)]
    backs = [(target, item.value) for target in targets for item in target.facts.returns]
    return bool(backs) and not call.passed and all(few(project, target, vid, depth - 1) for target, vid in backs)


def bounded(project: Project, fn: Fn, store: Store) -> bool:
    """Whether what is stored by a key cannot become many: the code and its settings name all keys."""
    return few(project, fn, store.key) or known_key(project, fn, store.key, store.value)


def known_key(project: Project, fn: Fn, key: Vid, made: Vid) -> bool:
    """Whether a key must be one of a table that the code or its settings write down: `TABLE[key]` raises for all others,
    here or in what is called with the key to make the value."""
    wanted = fn.unguarded(key)
    if _looked_up(project, fn, wanted):
        return True
    value = fn.unguarded(made)
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    for target in project.targets(fn, call):
        for index, given in bind(fn, call, target).items():
            passed = any(not part and fn.unguarded(vid) == wanted for vid, part in given)
            if passed and _looked_up(project, target, ("param", index)):
                return True
    return False


def _looked_up(project: Project, fn: Fn, wanted: Value) -> bool:
    return any(
        value[0] == "item" and fn.unguarded(value[2]) == wanted and _written(project, fn, fn.unguarded(value[1]))
        for value in fn.facts.values
    )


def _written(project: Project, fn: Fn, value: Value) -> bool:
    """A table that a module writes down or fills while it is imported, or the environment."""
    if value[0] != "name" or str(value[1]).startswith(_SETTINGS):
        return bool(value[0] == "name")
    found = variable(project, fn, str(value[1]))
    if found is None:
        return False
    home, vid = found
    start = object_root(home, vid)
    table = home.facts.values[start]
    if table[0] in ("dict", "list", "tuple", "set") and table[1]:
        return True
    return any(store.key >= 0 and object_root(home, store.base) == start for store in home.facts.stores)
