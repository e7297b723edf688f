from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Fn, Hit, Project, Vid, WeakUse, flow_hits, for_development, operands, weak_hits, weak_uses

HARM = "so whoever sends it runs code here; use JSON or `yaml.safe_load` and validate the result."
ANSWERED = "so whoever runs that service, or gets between, runs code here; use JSON or `yaml.safe_load`, or check a signature first."
ACCEPTED = ("CELERY_ACCEPT_CONTENT", "ACCEPT_CONTENT", "accept_content")
"""The settings that say which messages workers of Celery read."""
PICKLED = frozenset({"pickle", "application/x-python-serialize"})
SHARED = (
    "and this comes out of a store that others can write to as well; use JSON, or sign the bytes and check that first."
)
STORES = frozenset({"cache-read", "http", "cloud"})
"""Effects of reading what lies elsewhere: caches, and stores that are asked over the network."""
PASSES = ("guard", "await", "item", "attr", "bool", "phi", "conv", "enter")
LIMITED = "yaml.FullLoader"
DEPTH = 4
BESIDE = frozenset({"__file__", "root_path", "BASE_DIR"})
HELP = "use JSON or `yaml.safe_load`, or sign the bytes."


def check(project: Project) -> Iterator[Hit]:
    reported = set()
    for hit in flow_hits(project, ("deserialize",), HARM):
        reported.add(hit.location)
        yield hit
    for hit in flow_hits(project, ("deserialize",), ANSWERED, ("response",)):
        if hit.location not in reported:
            reported.add(hit.location)
            yield hit
    uses = list(weak_uses(project, ("deserialize",)))
    own = {use.fn.location(use.call.span) for use in uses if reads_own(project, use) or makes_data(project, use)}
    shared = {use.fn.location(use.call.span) for use in uses if out_of_store(project, use)} - own
    for hit in weak_hits(project, ("deserialize",), HELP):
        if hit.location in shared - reported:
            yield replace(
                hit, message=f"{hit.message.partition(';')[0]}, {SHARED}", profile="default", confidence="medium"
            )
        elif hit.location not in reported:
            yield replace(hit, profile="strict", severity="note") if hit.location in own else hit
    yield from pickled_jobs(project)


def pickled_jobs(project: Project) -> Iterator[Hit]:
    """`CELERY_ACCEPT_CONTENT = ["json", "pickle"]`."""
    for fn in project.reviewed() if not PICKLED.isdisjoint(project.literals.spelled) else ():
        named = [(item.name, item.value) for item in fn.facts.bindings]
        named += [(item.name, item.value) for item in fn.facts.stores]
        named += [pair for call in fn.calls for pair in call.kwargs]
        for name, vid in named:
            if name in ACCEPTED and vid >= 0 and lists_pickle(fn, vid):
                hit = Hit(
                    f"`{name}` has workers read pickled messages, so whoever can write to the broker runs code in all of them; "
                    "accept JSON alone.",
                    fn.place(vid),
                    confidence="medium",
                    severity="warning",
                    function=fn.fqn,
                )
                yield replace(hit, profile="strict") if for_development(fn.path) else hit


def lists_pickle(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    return value[0] in ("list", "tuple", "set") and not PICKLED.isdisjoint(map(fn.const, value[1]))


def makes_data(project: Project, use: WeakUse) -> bool:
    """`yaml.FullLoader`, which since PyYAML 5.4 makes plain data and tuples: what is not from outside does no harm there."""
    given = [vid for key, vid in use.call.kwargs if key == "Loader"] + list(use.call.args[1:2])
    return any(ref.name == LIMITED for vid in given for ref in project.refs(use.fn, vid))


def out_of_store(project: Project, use: WeakUse) -> bool:
    """`pickle.loads(cache.get(key))`, also of another form of the bytes, and of what a function of the project fetches."""
    fn, todo, seen = use.fn, list(use.call.args[:1]), set[Vid]()
    while todo:
        vid = todo.pop()
        if vid < 0 or vid in seen:
            continue
        seen.add(vid)
        value = fn.value(vid)
        call = fn.calls[value[1]] if value[0] == "call" else None
        if call is None:
            todo += operands(value) if value[0] in PASSES else ()
        elif not STORES.isdisjoint(project.effects.call_effects(fn, call)):
            return True
        else:
            func = fn.value(call.func)
            todo += [func[1]] if func[0] == "attr" and fn.callee_name(call) == "read" else []
            todo += call.args if any(model.propagates is not None for model in project.models(fn, call)) else ()
    return False


def reads_own(project: Project, use: WeakUse) -> bool:
    """A file of the program's own, at a path that nobody chooses."""
    vid = use.call.args[0] if use.call.args else -1
    for _ in range(DEPTH):
        value = use.fn.unguarded(vid) if vid >= 0 else ("unknown",)
        call = use.fn.facts.calls[value[1]] if value[0] == "call" else None
        if value[0] == "enter":
            vid = value[1]
        elif call is not None and use.fn.callee_name(call) == "read":
            func = use.fn.facts.values[call.func]
            vid = func[1] if func[0] == "attr" else -1
        elif call is not None and use.fn.callee_name(call) == "open" and call.args:
            return is_own(project, use, call.args[0])
    return False


def is_own(project: Project, use: WeakUse, vid: Vid) -> bool:
    """A path of constants, beside the program's files."""
    value = use.fn.unguarded(vid)
    if project.constants(use.fn, vid) is not None:
        return True
    if value[0] in ("name", "attr"):
        return str(value[-1]).rpartition(".")[2] in BESIDE
    call = use.fn.facts.calls[value[1]] if value[0] == "call" else None
    return call is not None and bool(call.args) and all(is_own(project, use, item) for item in call.args)
