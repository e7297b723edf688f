"""What a module or class holds: which variable a value is, and whether it can be changed in place."""

from __future__ import annotations

from backendlint.api import Fn, Project, Span, Store, Vid, object_root

MUTABLE = frozenset({
    "builtins.dict", "builtins.list", "builtins.set", "collections.defaultdict", "collections.Counter", "collections.deque",
    "collections.OrderedDict",
})  # fmt: skip


def is_named(project: Project, fn: Fn, store: Store, name: str) -> bool:
    return not store.name and module_name(project, fn, store.base) == name


def stored_at(fn: Fn, span: Span) -> list[Store]:
    return [store for store in fn.facts.stores if store.span == span and store.key >= 0]


def written_at(fn: Fn, span: Span) -> list[Vid]:
    """What the statement stores, by whatever name or key."""
    return [store.value for store in fn.facts.stores if store.span == span]


def dotted(fn: Fn, store: Store) -> str:
    value = fn.facts.values[root(fn, store.base)]
    return str(value[1]) if value[0] == "name" else ""


def object_name(project: Project, fn: Fn, vid: Vid) -> str:
    """The module-level variable that holds the project's own object (`stats = Stats()`), or ""."""
    value = fn.facts.values[vid]
    if value[0] != "name" or not any(ref.kind == "inst" for ref in project.refs(fn, vid)):
        return ""
    target = project.modules.resolve(str(value[1]), fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
        return ""
    return target.name if _is_made(project, project.module_function(target.file), target.vid) else ""


def _is_made(project: Project, module: Fn, vid: Vid) -> bool:
    """Whether the project's code makes the object: a proxy, or what a cast says it is, may be another for each request."""
    value = module.unguarded(root(module, vid))
    call = module.facts.calls[value[1]] if value[0] == "call" else None
    return call is not None and any(ref.kind in ("class", "func") for ref in project.callees(module, call))


def root(fn: Fn, vid: Vid) -> Vid:
    """The outermost container of an item."""
    value = fn.facts.values[vid]
    while value[0] in ("item", "guard", "mut", "store"):
        vid = value[1]
        value = fn.facts.values[vid]
    return vid


def module_name(project: Project, fn: Fn, vid: Vid) -> str:
    """The name of the module-level variable that a value is (or lies in), or ""."""
    value = fn.facts.values[root(fn, vid)]
    if value[0] != "name":
        return ""
    target = project.modules.resolve(str(value[1]), fn.file.module)
    return target.name if target.kind == "variable" and target.file is not None and not target.rest else ""


def dotted_state(project: Project, fn: Fn, dotted: str) -> tuple[str, bool]:
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind != "variable" or target.file is None or target.rest or target.vid < 0:
        return "", False
    return target.name, is_container(project, project.module_function(target.file), target.vid)


def class_state(project: Project, fn: Fn, vid: Vid) -> str:
    """`self.hits`, where `hits = {}` stands in the class and no method gives the instance one of its own; or ""."""
    value = fn.facts.values[root(fn, vid)]
    if value[0] != "attr" or fn.cls is None or fn.facts.values[value[1]] != ("param", 0) or fn.kind != "method":
        return ""
    for cls in project.hierarchy.mro(fn.cls):
        own = cls.facts.attributes.get(value[2], -1)
        if own >= 0:
            kept = is_container(project, cls.owner, own) and not any(
                project.hierarchy.stores(item, value[2]) for item in project.hierarchy.mro(fn.cls)
            )
            return f"self.{value[2]}" if kept else ""
    return ""


def holds_state(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    return value[0] == "name" and dotted_state(project, fn, str(value[1]))[1]


def is_container(project: Project, module: Fn, vid: Vid) -> bool:
    """A list, dict or set of the module's own."""
    value = module.value(object_root(module, vid))
    if value[0] in ("list", "dict", "set") or (value[0] == "comp" and value[1] != "gen"):
        return True
    if value[0] != "call":
        return False
    made = project.callees(module, module.facts.calls[value[1]])
    return any(ref.name in MUTABLE for ref in made)
