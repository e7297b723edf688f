"""REL310: one transaction for each item of a loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Given,
    Hit,
    Profile,
    Project,
    Site,
    Step,
    Store,
    before,
    below,
    certain,
    for_tests,
    given,
    grows,
    ingredients,
    object_root,
    only_by_hand,
    stops_early,
    told_once,
)

OUTSIDE = ("http", "mail", "queue-publish", "subprocess", "cloud", "sleep", "queue-consume")
CHANGES = frozenset(("db-write", "db"))
STORAGE = CHANGES | {"db-read"}
PLAIN = frozenset("get items keys values join format strip split lower upper startswith endswith".split())
"""What is done with lists and texts, whatever is not known of them."""
ALL = frozenset({"builtins.Exception", "builtins.BaseException"})
LOOPS = ("for", "comp")
MAX_DEPTH = 3
BATCHES = re.compile(r"(^|[._])(len|batch(es)?|chunks?|buffer|pending|count|size|limit)($|_)", re.IGNORECASE)
"""What a test names that tells when enough has been gathered."""
_NAMED = ("binop", "name", "attr", "param")
PRODUCTION = re.compile(r"(^|[._])prod(uction)?$", re.IGNORECASE)
LARGE = 8
"""A job's item for which more calls than this are made is a piece of work of its own."""


def check(project: Project) -> Iterator[Hit]:
    """Commits in `for` loops over data, directly or through callees; of many in one file the first stands for the others."""
    yield from told_once(_hits(project), _more, severity=None, each=lambda hit: hit.location.path)


def _hits(project: Project) -> Iterator[Hit]:
    for fn in project.reviewed():
        loops = any(block.kind in LOOPS for block in fn.facts.blocks)
        if loops and project.effects.has(fn, "commit") and not for_tests(project, fn):
            yield from _together(_judged(project, fn))


def _more(hit: Hit, others: str) -> str:
    return f"{hit.message} So it is in {others} of this file."


def _together(hits: Iterable[tuple[str, Hit]]) -> Iterator[Hit]:
    """Of the loops in which one function commits in the same way the first, with where the others are."""
    alike: dict[str, list[Hit]] = {}
    for cause, hit in hits:
        if hit.profile is None:
            alike.setdefault(cause, []).append(hit)
        else:
            yield hit
    for first, *others in alike.values():
        lines = ", ".join(str(hit.location.line) for hit in others)
        said = f"{first.message} So it is in line{'s' if len(others) > 1 else ''} {lines}."
        yield replace(first, message=said) if others else first
        yield from (replace(hit, profile="strict") for hit in others)


def _judged(project: Project, fn: Fn) -> Iterator[tuple[str, Hit]]:
    """Each commit in a loop of the function, with what commits."""
    told: set[int] = set()
    for call in fn.calls:
        loop = _loop(project, fn, call.block)
        commit = _commit(project, fn, call) if loop >= 0 else None
        if commit is None or not _writes(project, fn, loop, commit[2]):
            continue
        line = fn.facts.blocks[loop].span.line
        profile = "strict" if loop in told else _profile(project, fn, loop, call, commit[2])
        told |= {loop} if profile is None else set()
        hit = Hit(
            f"{commit[0]} commits for each item of the loop in line {line} of `{fn.name}()`: if one item fails, the earlier ones "
            "stay stored, and each commit waits for the disk; commit once after the loop.",
            fn.location(call.span),
            related=commit[1],
            function=fn.fqn,
            profile=profile,
        )
        yield commit[0], hit


def _loop(project: Project, fn: Fn, block: int) -> int:
    for number, item in fn.blocks_of(block):
        if item.kind in LOOPS:
            return number if grows(project, fn, number) and not stops_early(fn, block, number) else -1
        if item.kind in ("while", "lambda"):
            return -1
    return -1


def _commit(project: Project, fn: Fn, call: Call) -> tuple[str, tuple[Step, ...], Fn | None] | None:
    """What commits, the commit's place, and the callee that leads to it."""
    if project.transactions.ends(fn, call) == "commit":
        return "This", (), None
    targets = project.targets(fn, call)
    if any(target.calls and not project.effects.has(target, "commit") for target in targets):
        return None  # of several backends, to one of which this is no transaction
    for target in targets:
        if target.facts.is_generator:
            continue
        edges, site = project.effects.chain(target, "commit")
        if site is None or len(edges) >= MAX_DEPTH or project.transactions.ends(site.fn, site.call) != "commit":
            continue
        if site.fn.facts.is_generator and not _stores(project, target, edges[-1]):
            continue
        passed = given(Edge(fn, target, call, "call", call.span))
        if _certainly(edges, site, passed):
            return f"`{target.name}()`", (site.fn.step(site.call.span, "commits"),), target
    return None


def _stores(project: Project, target: Fn, edge: Edge) -> bool:
    """Whether anything is written before the end of the session's `with` commits whatever was done in it."""
    entering, call = edge.caller, edge.call
    entered = {
        number
        for number, block in enumerate(entering.facts.blocks)
        if block.kind == "with"
        and call is not None
        and block.value >= 0
        and object_root(entering, block.value) == call.value
    }
    inside = {number for block in entered for number in below(entering.facts, block)}
    changed = (store for store in entering.facts.stores if store.name and store.block in inside)
    return any(_of_row(project, entering, store) for store in changed) or bool(project.writes.reached(target))


def _of_row(project: Project, fn: Fn, store: Store) -> bool:
    """Whether it may be a row that is changed: not what a function of the project's makes of one (`to_dto(row).label = ...`)."""
    value = fn.facts.values[object_root(fn, store.base)]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    made = call is not None and project.targets(fn, call) and not project.effects.call_effects(fn, call) & STORAGE
    return not made


def _writes(project: Project, fn: Fn, loop: int, target: Fn | None) -> bool:
    """Whether anything in the loop may have to be stored: not where all that is known of it reads."""
    inside = below(fn.facts, loop)
    calls = [(fn, call) for call in fn.calls if call.block in inside and target not in project.targets(fn, call)]
    stored = any(store.name and store.block in inside for store in fn.facts.stores)
    if target is not None:
        calls += [(target, call) for call in target.calls]
        stored = stored or any(store.name for store in target.facts.stores)
    return stored or any(_changes(project, home, call) for home, call in calls)


def _changes(project: Project, fn: Fn, call: Call) -> bool:
    """A call that writes or sets attributes, as far as it is known; one that is not known may do anything but a commit."""
    if project.transactions.ends(fn, call) == "commit":
        return False
    name = fn.callee_name(call)
    if name == "setattr" or (name not in PLAIN and not project.callees(fn, call)):
        return True
    sets = any(store.name for target in project.targets(fn, call) for store in target.facts.stores)
    return sets or bool(CHANGES & project.effects.call_effects(fn, call))


def _certainly(edges: list[Edge], site: Site, passed: Given) -> bool:
    """Whether the call leads to the commit whatever the data."""
    for edge in edges:
        if edge.call is None or not certain(edge.caller, edge.call, passed):
            return False
        passed = given(edge, passed)
    return certain(site.fn, site.call, passed)


def _profile(project: Project, fn: Fn, loop: int, call: Call, target: Fn | None) -> Profile | None:
    """strict where a transaction for each item is a choice: batches, items that may fail, outside effects."""
    served = fn in project.in_request or project.layer(fn) == "service"
    for number, item in fn.blocks_of(call.block):
        if number == loop:
            break
        if item.kind in ("try", "except", "try-else"):
            return "strict"
        if item.kind == "if" and (target is not None or not served or _of_some(project, fn, loop, number)):
            return "strict"
    inside = [other for other in fn.calls if any(number == loop for number, _ in fn.blocks_of(other.block))]
    for other in inside:
        if other is not call and project.transactions.ends(fn, other):
            return "strict"  # rolled back item by item, or counted batches in a loop of their own
        if project.effects.call_effects(fn, other) & set(OUTSIDE):
            return "strict"
    if (fn not in project.in_request and (_own_work(inside, target) or _far(project, fn, loop, target))) or _goes_on(
        project, target
    ):
        return "strict"
    aside = only_by_hand(project, fn) or project.lifecycle.alone_leads_to(fn) or project.layer(fn) == "migration"
    aside = aside or _beside_production(fn, loop) or _only_asked(project, fn, loop, target)
    return "strict" if aside else None


def _only_asked(project: Project, fn: Fn, loop: int, target: Fn | None) -> bool:
    """Whether the commit only ends what was read, as far as is known: neither what commits nor the loop writes a row."""
    if target is None or project.effects.has(target, "db", "flush") or project.writes.reached(target):
        return False
    inside = below(fn.facts, loop)
    written = [write.call.block for write in project.writes.direct(fn)]
    stored = [store.block for store in fn.facts.stores if store.name]
    edges, _ = project.effects.chain(target, "commit")
    below_it = {target, *(edge.callee for edge in edges)}
    sets = any(store.name for item in below_it for store in item.facts.stores)
    sets = sets or any(item.callee_name(call) == "setattr" for item in below_it for call in item.calls)
    return not sets and not inside.intersection((*written, *stored))


def _of_some(project: Project, fn: Fn, loop: int, number: int) -> bool:
    """Whether an `if` decides when to commit (`if n % 100 == 0:`, `if len(rows) > 500:`), and not only which items are worked on."""
    test = fn.facts.blocks[number].value
    parts = [fn.value(vid) for vid in ingredients(fn.facts, (test,))] if test >= 0 else []
    if any(value[:2] == ("binop", "%") or BATCHES.search(str(value[-1])) for value in parts if value[0] in _NAMED):
        return True
    inside, chosen = below(fn.facts, loop), below(fn.facts, number)
    changes = [item.block for item in fn.facts.stores if item.name and item.block in inside]
    changes += [call.block for call in fn.calls if call.block in inside and _changes(project, fn, call)]
    return not changes or not chosen.issuperset(changes)


def _goes_on(project: Project, target: Fn | None) -> bool:
    """Whether the function catches the failure of what it commits, and goes on: each item is meant to stand for itself."""
    if target is None:
        return False
    commits = [call for call in target.calls if "commit" in project.effects.call_effects(target, call)]
    raising = {item.block for item in target.facts.raises}
    raising |= {call.block for call in target.calls if _only_raises(project, target, call)}
    above = {number for block in raising for number, _ in target.blocks_of(block)}
    return bool(commits) and all(
        any(
            ALL.intersection(types) and handler not in above
            for handler, types in project.exceptions.handlers(target, call.block)
        )
        for call in commits
    )


def _only_raises(project: Project, fn: Fn, call: Call) -> bool:
    """`self.handle_error(error)`, which always ends by raising."""
    targets = project.targets(fn, call)
    return bool(targets) and all(target.facts.blocks[0].exits == "raise" for target in targets)


def _beside_production(fn: Fn, loop: int) -> bool:
    """Below `if not settings.PRODUCTION:`, where developers get their first rows."""
    tests = (fn.value(item.value) for _, item in fn.blocks_of(loop) if item.kind == "if" and item.value >= 0)
    asked = (fn.unguarded(value[1]) for value in tests if value[0] == "not")
    return any(value[0] in ("attr", "name") and PRODUCTION.search(str(value[-1])) for value in asked)


def _far(project: Project, fn: Fn, loop: int, target: Fn | None) -> bool:
    """Whether what a job calls for each item does not commit itself, but has others do so: it is an operation as a whole, which
    others call for one thing. Not where the job has written before: the first item's commit stores its half of that too."""
    begun = fn.facts.blocks[loop].span
    pending = any(before(write.call.span, begun) for write in project.writes.direct(fn))
    return target is not None and not pending and not project.transactions.commits(target)


def _own_work(inside: list[Call], target: Fn | None) -> bool:
    """Whether a job's item is a piece of work of its own: much is done for it, or its function handles its own errors."""
    if target is None:
        return len(inside) > LARGE
    handles = any(block.kind == "except" for block in target.facts.blocks)
    return handles or max(len(target.calls), len(inside)) > LARGE
