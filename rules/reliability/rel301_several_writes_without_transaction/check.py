"""REL301: two writes that are stored one by one, so that a failure between them leaves half of the work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Durable,
    Fn,
    Hit,
    Project,
    Step,
    before,
    below,
    bind,
    by_style,
    called_name,
    closed_steps,
    decorator_models,
    durable_steps,
    exclusive,
    for_development,
    for_tests,
    identifier_words,
    is_job,
    name_of,
    object_root,
    only_by_hand,
    only_planned,
    openings,
    operands,
    receiver,
    related,
    told_once,
)

FLEETING = re.compile(r"token|reset|otp|nonce|challenge|captcha|code$|lock$|draft|invit", re.IGNORECASE)
"""Entities that are soon made anew anyway."""
ASIDE = re.compile(
    r"rate_?limit|throttl|log(?!in)|audit|event|history|session|notification|metric|stat(?!us|e)|search|dirty|cache|vector|visit"
    r"|favou?rite|bookmark|sync_?(record|run)"
    r"|(user|track|record)_?activit|errors?$|last_?(activity|seen|used|access|login)",
    re.IGNORECASE,
)
"""Entities whose loss beside the main write is bearable, and what is computed anew anyway."""
AUDITS = re.compile(r"audit", re.IGNORECASE)
"""What is no longer aside where the project stores it in the transaction of what it tells of."""
JOURNALS = frozenset("log logs audit audits journal history metrics notifications".split())
TOUCH = re.compile(r"(updated|modified|changed?|seen|touched)(_|$)|^(last|date)_|_(at|since)$|timestamp", re.IGNORECASE)
BEGUN = re.compile(
    r"[._](IN_?PROGRESS|STARTED"
    r"|(PROCESS|RUNN|START|SYNC|SYNCHRONI[SZ]|PUSH|PULL|FETCH|IMPORT|EXPORT|DOWNLOAD|UPLOAD|INDEX|GENERAT|EXECUT|PUBLISH)ING)$"
)
ALIKE = 2
"""So many functions of a file are told one by one."""
STAGES = 4
"""So many commits of one job are no oversight."""
OUTSIDE = ("http", "mail", "grpc", "cloud", "subprocess", "sleep")
QUEUED = "queue-publish"
WAITED_FOR = frozenset({"call", "inject", "property"})
"""Calls in the thread, and so in the transaction, of the caller."""
SENDS = re.compile(r"(send|post|notify|publish|email|upload)_", re.IGNORECASE)
ATTEMPT = re.compile(r"attempt|retry|retries|tries|^try", re.IGNORECASE)
FORM = re.compile(r"^(POST|(flask\.)?request\.form|form)$")
"""What a page's form has sent; it names the button that was pressed."""
CLEANS = re.compile(
    r"(^|_)(clean(_?up)?|purge|prune|expired?|stale|tidy|housekeeping|gc|garbage(_collect(ion)?)?)(_|$)", re.IGNORECASE
)
REPEATS = re.compile(
    r"(^|_)((re)?sync|synchroni[sz]e|backfill|rebuild|recalculate|recompute|reindex|rescore|refresh)(_|$)",
    re.IGNORECASE,
)
"""What is run again and again, and mends what its last run left."""
ENSURES = re.compile(r"(^|_)(ensure|(get|find)_or_create|if_not_(exists?|present)|if_missing)(_|$)", re.IGNORECASE)
"""What makes only what is missing, and may do so alone."""
HOOKS = frozenset({"save", "delete", "clean", "full_clean", "create", "update", "__init__"})
UNDOES = re.compile(r"delete|remove|discard|undo|revert|cancel|clean_?up|roll_?back|purge|drop", re.IGNORECASE)
ALL = ("builtins.Exception", "builtins.BaseException")
REPEATABLE = frozenset({"get_or_create", "update_or_create", "write"})


def check(project: Project) -> Iterator[Hit]:
    """One hit a function, at the second step that stands alone; that each change leaves a copy first is told once."""
    trails = _trails(project)
    styles = by_style(project, list(project.all_functions()), lambda functions: _judged(project, functions, trails))
    for style, hits in styles.items():
        if style:
            yield from told_once(hits, _together, severity=None)
        else:
            alone = _of_classes(project, hits)
            yield from told_once(alone, _of_file, ALIKE, None, lambda hit: hit.location.path)


def _of_classes(project: Project, hits: list[Hit]) -> Iterator[Hit]:
    """Of methods of one class whose second step is the same method of it, the first."""
    told: set[tuple[str, str]] = set()
    for hit in hits:
        owner = str(hit.function).rpartition(".")[0]
        key = (owner, hit.flow[0].message if hit.flow and owner in project.classes else hit.message)
        yield replace(hit, profile="strict") if key in told else hit
        told |= {key} if hit.profile is None else set()


def _of_file(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others} of this file."


def _together(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others}."


def _judged(project: Project, functions: Iterable[Fn], trails: frozenset[str]) -> Iterator[tuple[Hit, str]]:
    for fn in functions:
        pair = _apart(project, fn, trails)
        inner = {edge.callee for step in pair or () for edge in step.edges}
        if pair is not None and not any(_apart(project, callee, trails) for callee in inner):
            hit = _hit(project, fn, *pair, trails)
            yield hit, "copies" if hit.profile is None and _copied(project, fn, *pair) else ""


def _copied(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Two rows of one entity that are both made here, one beside the other: a revision, and what is valid now."""
    made = 0
    for step in (first, second) if first.write.entity == second.write.entity != "" else ():
        value = fn.value(_receiver(fn, step)) if step.write.op == "save" else ("",)
        refs = project.callees(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
        made += any(ref.kind == "class" for ref in refs)
    return made == 2


def _trails(project: Project) -> frozenset[str]:
    """Audit records that the project stores together with the change: two functions at least, in one transaction of theirs."""
    records = {write.entity for write in project.writes.all() if AUDITS.search(write.entity.rpartition(".")[2])}
    if not records:
        return frozenset()
    found: Counter[str] = Counter()
    for fn, block, _ in openings(project):
        inside = below(fn.facts, block)
        stored = {write.entity for write in project.writes.direct(fn) if write.call.block in inside}
        stored |= {
            write.entity
            for edge in project.graph.callees(fn)
            if edge.call is not None and edge.block in inside
            for write, _ in project.writes.reached(edge.callee)
        }
        found.update(stored & records if stored - records else ())
    return frozenset(entity for entity, times in found.items() if times > 1)


def _apart(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """Two steps of the function that can fail one without the other."""
    if fn.is_module or project.layer(fn) == "migration" or for_tests(project, fn):
        return None
    return _pair(project, fn, trails) or _closed_pair(project, fn, trails)


def _pair(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """The first two steps that belong together, journals and the like only where nothing else does; what is inserted only
    where it is missing may well stay alone."""
    steps = [
        step
        for step in durable_steps(project, fn)
        if _counts(project, fn, step) and project.transactions.around(fn, step.call.block) is None
    ]
    for begin, commit in project.transactions.begun(fn) if len(steps) > 1 else ():
        steps = [
            step for step in steps if not (before(begin.span, step.call.span) and before(step.call.span, commit.span))
        ]
    if len(steps) < 2 or project.transactions.entered_in(fn) is not None:
        return None
    main = [step for step in steps if not _aside(fn, step, trails)]
    return next(_found(project, fn, main), None) or next(_found(project, fn, steps), None)


def _found(project: Project, fn: Fn, steps: list[Durable]) -> Iterator[tuple[Durable, Durable]]:
    for number, first in enumerate(steps):
        for second in steps[number + 1 :]:
            apart = exclusive(fn, first.call.block, second.call.block) or _alternatives(project, fn, first, second)
            apart = apart or _separate(fn, first, second) or _left(project, fn, first, second)
            apart = apart or _answered(fn, first, second)
            apart = apart or _dispensable(project, fn, first, second) or _dispensable(project, fn, second, first)
            apart = apart or _one_row(project, fn, first, second) or _closes(project, fn, first, second)
            if apart or not _different(fn, first, second) or _undone(project, fn, first, second):
                continue
            if related(project, fn, first, second) or _refills(first, second):
                yield first, second


def _refills(first: Durable, second: Durable) -> bool:
    """`Rate.objects.all().delete()`, then `Rate.objects.bulk_create(...)`: what is left if that fails is an empty table."""
    return first.write.op == "delete" and second.write.creates and first.write.entity == second.write.entity != ""


def _counts(project: Project, fn: Fn, step: Durable) -> bool:
    """Whether a write may need another beside it."""
    return (
        step.write.op not in REPEATABLE
        and not _makes_missing(project, step.write.fn, step.write.call)
        and not _makes_missing(project, fn, step.call)
        and not _compensates(fn, step)
        and not _ensures(fn, step)
        and not _touches(step)
        and not _purges(step)
        and not _begins(fn, step)
        and not any(ENSURES.search(edge.callee.name) for edge in step.edges)
    )


def _makes_missing(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call inserts what was looked for and not found."""
    return any(raced.insert.value == call.value and not raced.refuses for raced in project.checked_inserts(fn))


def _closed_pair(project: Project, fn: Fn, trails: frozenset[str]) -> tuple[Durable, Durable] | None:
    """Writes of two transactions, one after the other, that work on the same things. Where the second changes what the first
    has stored, the first's state is one to go on from."""
    closed = [
        [step for step in steps if step.write.entity and _counts(project, fn, step) and not _aside(fn, step, trails)]
        for steps in closed_steps(project, fn)
    ]
    if len(closed) < 2 or project.transactions.entered_in(fn) is not None:
        return None
    for number, firsts in enumerate(closed):
        for seconds in closed[number + 1 :]:
            both = {step.write.entity for step in firsts} & {step.write.entity for step in seconds}
            if both - trails:
                continue
            for first in firsts:
                for second in seconds:
                    apart = exclusive(fn, first.call.block, second.call.block) or _alternatives(
                        project, fn, first, second
                    )
                    apart = apart or _left(project, fn, first, second) or _dispensable(project, fn, first, second)
                    if not apart and not _undone(project, fn, first, second) and related(project, fn, first, second):
                        return first, second
    return None


def _dispensable(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether the second write may fail: its own `try` goes on then (`except IntegrityError: pass`), and the first stays. In
    a loop, what a callee stores is tried for each item whatever the reason: `except RuntimeError: pass`."""
    blocks = fn.facts.blocks
    for handler, types in project.exceptions.handlers(fn, second.call.block):
        block = blocks[handler]
        goes_on = block.kind == "except" and not block.exits and not project.exceptions.reraises(fn, handler)
        if not goes_on or first.call.block in below(fn.facts, block.group):
            continue
        tried = second.edges and fn.inside(block.group, "for") is not None
        if tried or any(name in ALL or project.exception_kind(name) == "integrity" for name in types):
            return True
    return False


def _compensates(fn: Fn, step: Durable) -> bool:
    """A write in a handler undoes or marks what failed; so does one behind the `break` of an attempt that did not. What is
    done `finally` (a lock let go, an attempt noted) is done whether or not the rest worked."""
    return fn.inside(step.call.block, "except", "finally") is not None or _of_failed_attempt(fn, step)


def _of_failed_attempt(fn: Fn, step: Durable) -> bool:
    """`for attempt in range(3): answer = ask(); if answer.ok: break; note(answer)`."""
    for number, block in fn.blocks_of(step.call.block):
        if block.kind == "for" and any(
            item.block == number and ATTEMPT.search(item.name) and item.span.line == block.span.line
            for item in fn.facts.bindings
        ):
            return any(
                item.parent == number and item.exits == "break" and item.span[2:] <= step.call.span[:2]
                for item in fn.facts.blocks
            )
    return False


def _undone(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether a handler around the second removes again what the first made, or sets it anew (`set_status(FAILED)`); or the
    first is entered (`with Draft.create() as draft:`), and its own end clears up."""
    if any(
        block.kind == "with" and block.value >= 0 and object_root(fn, block.value) == first.call.value
        for _, block in fn.blocks_of(second.call.block)
    ):
        return True
    handlers = set(fn.handlers_of(second.call.block))
    for call in fn.calls if handlers else ():
        above = {number for number, _ in fn.blocks_of(call.block)}
        if first.edges and handlers & above and first.edges[0].callee in project.targets(fn, call):
            return True
        name = called_name(fn.file, fn.facts, call).rpartition(".")[2]
        if UNDOES.search(name) and handlers & above:
            func = fn.facts.values[call.func]
            given = (*call.args, *((func[1],) if func[0] == "attr" else ()))
            if any(object_root(fn, vid) == first.call.value for vid in given):
                return True
    return False


def _closes(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether what stores the second is called after a failure of the first as well: `except Exception: job.finish(error)`,
    `else: job.finish()`; it does not belong to the first's work."""
    for number, item in fn.blocks_of(first.call.block) if second.edges else ():
        if item.kind != "try" or any(around == number for around, _ in fn.blocks_of(second.call.block)):
            continue
        handlers = {n for n, block in enumerate(fn.facts.blocks) if block.kind == "except" and block.group == number}
        closing = second.edges[0].callee
        if any(
            closing in project.targets(fn, call)
            for call in fn.calls
            if handlers.intersection(above for above, _ in fn.blocks_of(call.block))
        ):
            return True
    return False


def _one_row(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`track.save()`, then `track.set_state(READY)`, which saves the same row: each state of it is one to go on from."""
    one, two = (_saved(project, fn, step) for step in (first, second))
    return bool(first.edges or second.edges) and min(one, two) >= 0 and _same(fn, one, two)


def _saved(project: Project, fn: Fn, step: Durable) -> int:
    """The object whose own row is saved, here or by functions that are handed it (`track.set_state(READY)`,
    `set_state(track, READY)`); or -1."""
    if step.write.op != "save" or step.write.call is step.call:
        return _receiver(fn, step) if step.write.op == "save" else -1
    holder, vid = step.write.fn, receiver(step.write.fn, step.write.call)
    for edge in reversed(step.edges):
        if edge.callee is not holder or edge.call is None:
            continue  # what the write itself calls: a `save()` of the project's
        passed = bind(edge.caller, edge.call, holder).get(_slot(project, holder, vid), ())
        if len(passed) != 1 or passed[0][1]:
            return -1
        holder, vid = edge.caller, passed[0][0]
    return object_root(fn, vid) if holder is fn else -1


def _slot(project: Project, fn: Fn, vid: int) -> int:
    """Which parameter a value is, `super()` for the object itself; or -1."""
    root = object_root(fn, vid)
    value = fn.value(root)
    inherited = fn.cls is not None and any(ref.kind == "super" for ref in project.refs(fn, root))
    return value[1] if value[0] == "param" else 0 if inherited else -1


def _ensures(fn: Fn, step: Durable) -> bool:
    """`if row is None: row = create(...)`: what is missing is made, and may well stay alone."""
    made = {step.call.value, *(n for n, value in enumerate(fn.facts.values) if value == ("await", step.call.value))}
    names = {item.name for item in fn.facts.bindings if item.value in made}
    block = fn.inside(step.call.block, "if")
    if not names or block is None or block.value < 0:
        return False
    todo, tested = [block.value], set()
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[0] in ("not", "compare", "guard", "bool"):
            todo += operands(value)
        else:
            tested.add(vid)
    return any(item.name in names and item.value in tested for item in fn.facts.bindings)


def _purges(step: Durable) -> bool:
    """`remove_expired(...)`: what a helper clears away is as well gone whatever follows."""
    return step.write.op == "delete" and any(CLEANS.search(edge.callee.name) for edge in step.edges)


def _begins(fn: Fn, step: Durable) -> bool:
    """`set_state(job, State.IN_PROGRESS)`, `job.state = State.RUNNING` before `job.save()`: it says that the work is being done, and
    is to be seen while it is."""
    told = list(step.call.passed)
    if step.write.op == "save" and step.write.call is step.call:
        root = _receiver(fn, step)
        told += [item.value for item in fn.facts.stores if item.name and object_root(fn, item.base) == root
                 and before(item.span, step.call.span)]  # fmt: skip
    return any(BEGUN.search(name_of(fn.file, fn.facts, vid)) for vid in told if fn.value(vid)[0] in ("name", "attr"))


def _touches(step: Durable) -> bool:
    """`save(update_fields=["modified_at"])`, `update(last_seen=now)`, or a function that sets such a field alone."""
    fn, call = step.write.fn, step.write.call
    if step.edges and step.write.op == "update":
        stored = [store.name for store in fn.facts.stores if store.name]
        return bool(stored) and all(TOUCH.search(name) for name in stored)
    if step.write.op == "update" and call.kwargs and not call.args:
        return all(TOUCH.search(name) for name, _ in call.kwargs)
    if step.write.op == "save" and call is step.call and fn.value(call.func)[0] == "attr":
        saved = _path(fn, fn.value(call.func)[1])
        stored = [item.name for item in fn.facts.stores if item.name and _path(fn, item.base) == saved]
        if (len(saved) > 1 or _only_saved(fn, saved)) and stored and all(TOUCH.search(name) for name in stored):
            return True  # `line.order.modified_at = now`, `line.order.save()`
    fields = call.kwarg("update_fields")
    value = fn.facts.values[fields] if fields >= 0 else ("",)
    names = [fn.const(vid) for vid in value[1]] if value[0] in ("list", "tuple", "set") else []
    return bool(names) and all(isinstance(name, str) and TOUCH.search(name) for name in names)


def _only_saved(fn: Fn, saved: tuple[object, ...]) -> bool:
    """Whether nothing else is done with an object that was looked up: no method of it but its `save()` is called, and no
    function is given it."""
    for call in fn.calls:
        func = fn.value(call.func)
        own = func[0] == "attr" and func[2] != "save" and _path(fn, func[1]) == saved
        if own or any(_path(fn, vid) == saved for vid in call.passed):
            return False
    return True


def _path(fn: Fn, vid: int) -> tuple[object, ...]:
    """The object and the attributes by which another one is reached: `line.order`."""
    names: list[object] = []
    root = object_root(fn, vid)
    while fn.value(root)[0] == "attr":
        names.append(fn.value(root)[2])
        root = object_root(fn, fn.value(root)[1])
    return (root, *names)


def _answered(fn: Fn, first: Durable, second: Durable) -> bool:
    """`refusal = self._refuse(order)`, `if refusal: return refusal`, where that stores something only if it refuses: what comes
    after is for when it has not."""
    if not first.edges or first.edges[0].call is None:
        return False
    inner = first.edges[0].callee
    place = first.edges[1].span if first.edges[1:] else first.write.call.span
    leaves = any(
        _says_given(fn, block.value, first.call.value)
        for block in fn.left_before(second.call.block, second.call.span, ("return", "raise"))
    )
    after = [item.value for item in inner.facts.returns if not item.is_yield and before(place, item.span)]
    falls = inner.facts.blocks[0].exits not in ("return", "raise")
    return leaves and bool(after) and not falls and all(_is_made(inner, vid) for vid in after)


def _says_given(fn: Fn, test: int, given: int) -> bool:
    """`if answer:`, `if answer is not None:`"""
    value = fn.unguarded(test) if test >= 0 else ("",)
    if value[0] == "compare" and value[1] == ("is not",) and fn.const(value[2][1]) is None:
        value = fn.unguarded(value[2][0])
    return value[0] in ("call", "await") and value == fn.value(given)


def _is_made(fn: Fn, vid: int) -> bool:
    """`Response(...)`: an object, which is never false."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return value[0] == "call" and fn.callee_name(fn.calls[value[1]])[:1].isupper()


def _left(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`try: first(); continue`, with nothing between that can fail: what comes after the `try` is for when it did not work."""
    for number, item in fn.blocks_of(first.call.block):
        if item.kind != "try" or item.exits not in ("return", "continue", "break"):
            continue
        if number != first.call.block or any(above == number for above, _ in fn.blocks_of(second.call.block)):
            return False
        later = [call for call in fn.calls if call.block == number and before(first.call.span, call.span)]
        return not any(project.effects.call_effects(fn, call) for call in later)
    return False


def _separate(fn: Fn, first: Durable, second: Durable) -> bool:
    """In two loops, each round of which opens a session of its own: one thing after the other."""
    one, two = _rounds(fn, first.call.block), _rounds(fn, second.call.block)
    return bool(one) and bool(two) and one.isdisjoint(two)


def _rounds(fn: Fn, block: int) -> set[int]:
    """The loops around a block inside which a `with` opens something for it."""
    above = list(fn.blocks_of(block))
    opened = next((place for place, (_, item) in enumerate(above) if item.kind == "with"), len(above))
    return {number for number, item in above[opened:] if item.kind in ("for", "while")}


def _alternatives(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`if kind == A: ...`, `if kind == B: ...`: the same thing compared with two others, or of two classes; or two forms of
    one page."""
    forms = _forms(fn, first.call.block), _forms(fn, second.call.block)
    if all(forms) and forms[0].isdisjoint(forms[1]):
        return True
    one, two = _compared(fn, first.call.block), _compared(fn, second.call.block)
    if any(one[name] != two[name] for name in one.keys() & two.keys()):
        return True
    kinds = _kinds(project, fn, first.call.block), _kinds(project, fn, second.call.block)
    derives = project.hierarchy.subclass_of
    return any(
        not derives(kinds[0][vid], kinds[1][vid]) and not derives(kinds[1][vid], kinds[0][vid])
        for vid in kinds[0].keys() & kinds[1].keys()
    )


def _kinds(project: Project, fn: Fn, block: int) -> dict[int, str]:
    """The class of which an object is around the block, by `isinstance`."""
    found: dict[int, str] = {}
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is not None and fn.callee_name(call) == "isinstance" and len(call.args) == 2:
            names = [ref.name for ref in project.refs(fn, call.args[1]) if ref.kind == "class"]
            found.update({object_root(fn, call.args[0]): names[0]} if len(names) == 1 else {})
    return found


def _tests(fn: Fn, block: int) -> Iterator[int]:
    """What must be true around the block."""
    todo = [item.value for _, item in fn.blocks_of(block) if item.kind == "if" and item.value >= 0]
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[0] == "bool" and value[1] == "and":
            todo += value[2]
        else:
            yield vid


def _forms(fn: Fn, block: int) -> set[str]:
    """The buttons of `if "rename" in request.POST:` around the block; of `"open" in form or "reopen" in form` both."""
    found: set[str] = set()
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        buttons = [_button(fn, part) for part in (value[2] if value[:2] == ("bool", "or") else (vid,))]
        found.update(buttons if all(buttons) else ())
    return found


def _button(fn: Fn, vid: int) -> str:
    value = fn.facts.values[vid]
    if value[0] != "compare" or tuple(value[1]) != ("in",):
        return ""
    key, where = fn.const(value[2][0]), fn.unguarded(value[2][1])
    form = where[0] in ("attr", "name") and FORM.search(str(where[-1])) is not None
    return key if isinstance(key, str) and form else ""


def _compared(fn: Fn, block: int) -> dict[str, str]:
    """What is equal to what around the block; a value without a name (`kind` after a test of it) goes by its number, and
    what is an attribute of one by that of the object."""
    found = {}
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        if value[0] == "compare" and tuple(value[1]) == ("==",):
            left, right = (_shown(fn, part) for part in value[2])
            known = fn.const(value[2][1])
            path = _path(fn, value[2][0])
            if "?" in left:
                left = ".".join(map(str, path)) if len(path) > 1 or known is not ... else ""
            if left and (known is not ... or "?" not in right):
                found[left] = right if known is ... else repr(known)
    return found


def _shown(fn: Fn, vid: int) -> str:
    """The name, with what calls are given: `request.POST.get('form')`."""
    vid = fn.untested(vid)
    value = fn.value(vid)
    if value[0] == "attr":
        return f"{_shown(fn, value[1])}.{value[2]}"
    if value[0] != "call":
        return name_of(fn.file, fn.facts, vid)
    call = fn.facts.calls[value[1]]
    given = [fn.const(item) for item in call.args]
    return "?" if ... in given or call.kwargs else f"{_shown(fn, call.func)}{given}"


def _different(fn: Fn, first: Durable, second: Durable) -> bool:
    """Two objects: of different kinds, or the same kind by different receivers, arguments or SQL statements."""
    if first.write.call is second.write.call and not (first.edges and second.edges):
        return False
    if _saves_made(fn, first, second):
        return False
    if first.write.op == "delete" and second.write.creates and FLEETING.search(second.write.entity):
        return False
    if second.write.op == "delete" and _emptied(fn, first, second):
        return False
    if first.write.entity != second.write.entity or _refills(first, second):
        return True
    if all(step.write.op == "save" and step.write.call is step.call for step in (first, second)):
        return not _same(fn, _receiver(fn, first), _receiver(fn, second))
    if _by_callee(first) or _by_callee(second):
        known = first.write.entity != ""
        apart = first.edges and second.edges and (not known or first.edges[0].callee is second.edges[0].callee)
        others = _passed(fn, first.call) != _passed(fn, second.call) or _on_others(fn, first.call, second.call)
        return bool(apart) and others
    if first.write.op != second.write.op:
        return second.write.op == "delete"
    if first.committed and second.committed:
        return _assigned(fn, None, first.call) != _assigned(fn, first.call, second.call)
    others = _passed(fn, first.call) != _passed(fn, second.call)
    others = others or bool(first.edges and second.edges and _on_others(fn, first.call, second.call))
    return first.write.op in ("update", "delete", "insert") and others


def _emptied(fn: Fn, first: Durable, second: Durable) -> bool:
    """`link.token = None`, stored, then the link is deleted: it was to go anyway, and is the safer for it if it stays."""
    call = second.write.call
    gone = {object_root(fn, vid) for vid in call.args} | {_receiver(fn, second)} if second.write.fn is fn else set()
    changed = _assigned(fn, None, first.call) if first.committed else {_receiver(fn, first)}
    kept = first.write.op in ("save", "add", "update") and first.write.fn is fn and not first.edges
    return kept and bool(changed) and -1 not in changed and all(any(_same(fn, a, b) for b in gone) for a in changed)


def _by_callee(step: Durable) -> bool:
    """Whether a callee stores something of its own choice, and not the object on which a `save()` of the project's is called."""
    return bool(step.edges) and step.write.call is not step.call


def _on_others(fn: Fn, first: Call, second: Call) -> bool:
    """`old.close()`, then `new.close()`: methods of two objects that the function got or made."""
    owners = [
        object_root(fn, value[1]) for value in (fn.value(call.func) for call in (first, second)) if value[0] == "attr"
    ]
    got = [fn.value(vid)[0] in ("call", "param", "elem", "unpack") for vid in owners]
    return len(owners) == 2 and all(got) and owners[0] != owners[1]


def _saves_made(fn: Fn, first: Durable, second: Durable) -> bool:
    """`user = create_user(...)`, then `user.save()`."""
    if second.write.op != "save" or second.edges:
        return False
    return _receiver(fn, second) in (first.call.value, _receiver(fn, first))


def _receiver(fn: Fn, step: Durable) -> int:
    if step.write.fn is not fn:
        return -1
    value = fn.value(step.write.call.func)
    owner = object_root(fn, value[1]) if value[0] == "attr" else -1
    made = fn.value(owner) if owner >= 0 else ("",)
    edited = fn.facts.calls[made[1]].kwarg("instance") if made[0] == "call" else -1
    return object_root(fn, edited) if edited >= 0 else owner  # `Form(request.POST, instance=order).save()`


def _same(fn: Fn, one: int, two: int) -> bool:
    """Whether two values are one object, on whatever branch it was changed before."""
    found: tuple[set[int], set[int]] = (set(), set())
    for start, origins in zip((one, two), found, strict=True):
        todo, seen = [start], {-1}
        while todo:
            vid = todo.pop()
            if vid in seen:
                continue
            seen.add(vid)
            value = fn.value(vid)
            if value[0] in ("phi", "setattr", "guard"):
                todo += value[1] if value[0] == "phi" else value[1:2]
            else:
                origins.add(vid)
    return one == two or (found[0] == found[1] and len(found[0]) == 1)


def _assigned(fn: Fn, since: Call | None, commit: Call) -> set[int]:
    """The objects whose attributes are set before a commit, and after the one before it."""
    return {
        object_root(fn, store.base)
        for store in fn.facts.stores
        if store.name and before(store.span, commit.span) and not (since and before(store.span, since.span))
    }


def _passed(fn: Fn, call: Call) -> tuple[object, ...]:
    """The objects that a call is given, as far as two calls are to be told apart."""
    vids = call.passed
    consts = tuple(fn.const(vid) for vid in vids)
    return tuple(known if known is not ... else object_root(fn, vid) for vid, known in zip(vids, consts, strict=True))


def _aside(fn: Fn, step: Durable, trails: frozenset[str]) -> bool:
    """By the entity's name, by the names of the functions that store it, or by those of their modules (`logs.service`)."""
    if step.write.entity in trails:
        return False
    names = [step.write.entity.rpartition(".")[2], *(edge.callee.name for edge in step.edges)]
    names += [edge.callee.cls.name for edge in step.edges if edge.callee.cls is not None]
    owner = called_name(fn.file, fn.facts, step.call).rpartition(".")[0].rpartition(".")[2]
    names += [owner] if not step.write.entity and owner[:1].isupper() else []  # `AuditLog.create(...)`
    modules = {word for edge in step.edges for word in identifier_words(edge.callee.file.module.replace(".", "_"))}
    return any(ASIDE.search(name) for name in names) or not modules.isdisjoint(JOURNALS)


def _hit(project: Project, fn: Fn, first: Durable, second: Durable, trails: frozenset[str]) -> Hit:
    one, two = _what(first), _what(second)
    two = two.removeprefix("stores ") if one.startswith("stores ") else two
    aside = _aside(fn, first, trails) or _aside(fn, second, trails)
    managed = any(
        "related_descriptors" in model.name
        for step in (first, second)
        for model in project.models(step.write.fn, step.write.call)
    )
    by_hand = only_by_hand(project, fn) or _for_framework(project, fn)
    planned = only_planned(project, fn) and not _refills(first, second)  # the table is empty until the next run
    by_hand = by_hand or planned or project.lifecycle.alone_leads_to(fn)
    by_hand = by_hand or (for_development(fn.path) and not project.reach(fn.fqn)) or _in_a_request(project, fn)
    heals = (
        _reconciles(first, second)
        or _each_alone(fn, first, second)
        or _item_by_item(fn, first, second)
        or _clears_up(fn, first, second)
        or (REPEATS.search(fn.name) is not None and fn not in project.in_request)
        or (_clears(fn, first) and _clears(fn, second) and project.layer(fn) == "task")
        or _in_stages(project, fn)
        or _tracked(project, fn)
        or _elsewhere(project, first)
        or _elsewhere(project, second)
    )
    return Hit(
        f"`{fn.name}()` {one} in line {first.call.span.line} and {two} here, each for good by itself: if the "
        "second fails, the first stays; put both into one transaction.",
        fn.location(second.call.span),
        related=(fn.step(first.call.span, "stored first"),),
        flow=_flow(fn, second),
        function=fn.fqn,
        profile="strict" if aside or managed or by_hand or heals or _outside(project, fn, first, second) else None,
    )


def _in_a_request(project: Project, fn: Fn) -> bool:
    """Under `ATOMIC_REQUESTS` what a view of an unknown library or a decorator that nobody here knows leads to is in a transaction
    unless a job, a command or the start of the application is seen to lead to it."""
    if project.transactions.atomic_requests is None:
        return False
    seen, todo = {fn.fqn}, [fn]
    while todo:
        item = todo.pop()
        if is_job(project, item) or project.layer(item) in ("task", "command") or project.lifecycle.starts(item):
            return False
        for edge in project.graph.callers(item):
            if edge.kind not in WAITED_FOR or edge.caller.is_module:
                return False
            todo += [edge.caller] if edge.caller.fqn not in seen else []
            seen.add(edge.caller.fqn)
    return True


def _in_stages(project: Project, fn: Fn) -> bool:
    """A job that commits itself after each of its many stages means to keep what is done, and does the rest when it is run again."""
    if project.layer(fn) != "task" or fn in project.in_request:
        return False
    commits = project.transactions.commits(fn)
    return sum(not exclusive(fn, call.block, commits[-1].block) for call in commits) >= STAGES


def _tracked(project: Project, fn: Fn) -> bool:
    """What marks a row as being worked on and marks it anew later tells by it what is to be done again."""
    steps = durable_steps(project, fn)
    begun = [_saved(project, fn, step) for step in steps if _begins(fn, step)]
    return any(
        _same(fn, row, _saved(project, fn, step))
        for row in begun
        for step in steps
        if row >= 0 and not _begins(fn, step)
    )


def _elsewhere(project: Project, step: Durable) -> bool:
    """Stored by what opens a session for itself, behind a function that knows of none: `invite(email)` calls
    `settings.store(key, emails)`. That cannot take part in the transaction of another, no more than a service could."""
    if len(step.edges) < 2:
        return False
    fn, vid = step.write.fn, receiver(step.write.fn, step.write.call)
    while vid >= 0:  # `db.query(Setting).filter_by(key=key).delete()`
        made = fn.value(object_root(fn, vid))
        call = fn.facts.calls[made[1]] if made[0] == "call" else None
        if made[0] == "enter" or (call is not None and any(model.opens for model in project.models(fn, call))):
            return True
        vid = receiver(fn, call) if call is not None else -1
    return False


def _reconciles(first: Durable, second: Durable) -> bool:
    """What is new in a list is stored, then what is no longer in it deleted: the next round mends what this one left."""
    return (
        first.write.op in ("bulk_create", "save", "create")
        and second.write.op == "delete"
        and not (_by_callee(first) or _by_callee(second))
        and first.write.entity == second.write.entity != ""
    )


def _each_alone(fn: Fn, first: Durable, second: Durable) -> bool:
    """Rows of one kind that stand for themselves: one more or one less for each item by the same function, or constants set
    on others."""
    if first.write.entity != second.write.entity:
        return False
    if first.edges and second.edges:
        func = fn.value(second.call.func)
        changes = func[0] == "attr" and fn.value(object_root(fn, func[1]))[0] in ("elem", "item", "unpack")
        made = first.write.creates and second.write.creates and not changes
        gone = first.write.op == second.write.op == "delete"
        same = called_name(fn.file, fn.facts, first.call) == called_name(fn.file, fn.facts, second.call)
        return (made or gone) and same and fn.inside(second.call.block, "for") is not None
    given = [{name: object_root(fn, vid) for name, vid in step.call.kwargs} for step in (first, second)]
    return (
        not (first.edges or second.edges)
        and all(step.write.op == "update" and step.call.kwargs for step in (first, second))
        and all(
            _set_alike(fn, vid) or given[0].get(name) == given[1].get(name)
            for step in (first, second)
            for name, vid in step.call.kwargs
        )
    )


def _set_alike(fn: Fn, vid: int) -> bool:
    """A constant, also one by its name, or the time: it depends on nothing that the other rows are given."""
    value = fn.value(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    named = value[0] == "name" and str(value[1]).rpartition(".")[2].isupper()
    if call is not None and fn.value(call.func)[0] == "name" and call.passed:
        return all(isinstance(fn.const(item), str) for item in call.passed)  # a text in the reader's language
    return named or fn.const(vid) is not ... or (call is not None and not call.passed and fn.callee_name(call) == "now")


def _item_by_item(fn: Fn, first: Durable, second: Durable) -> bool:
    """Changes of what is there, then additions of what is not, each in a loop of its own: what is done of them stands, and is not
    done again by the next run. That each is a transaction is REL310's."""
    loops = [{n for n, item in fn.blocks_of(step.call.block) if item.kind == "for"} for step in (first, second)]
    return (
        all(loops)
        and loops[0].isdisjoint(loops[1])
        and not first.write.creates
        and second.write.creates
        and first.write.entity == second.write.entity
    )


def _clears_up(fn: Fn, first: Durable, second: Durable) -> bool:
    """Two removals by a function that clears away: its next run goes on where this one failed."""
    return CLEANS.search(fn.name) is not None and first.write.op == second.write.op == "delete"


def _clears(fn: Fn, step: Durable) -> bool:
    """`update(channel=None)`, or `row.channel = None` before `row.save()`: a job that is run again does the same again."""
    if step.edges or step.committed:
        return False
    if step.write.op == "delete":
        return CLEANS.search(fn.name) is not None
    if step.write.op == "update":
        given = [fn.const(vid) for _, vid in step.call.kwargs]
    else:
        root = _receiver(fn, step)
        given = [
            fn.const(store.value) for store in fn.facts.stores if store.name and object_root(fn, store.base) == root
        ]
    return step.write.op in ("update", "save") and bool(given) and all(value is None for value in given)


def _outside(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Whether another system is asked between the two or by them: a transaction around all would hold its locks all
    the while."""
    return any(
        not before(call.span, first.call.span)
        and not before(second.call.span, call.span)
        and (
            SENDS.match(called_name(fn.file, fn.facts, call).rpartition(".")[2])
            or project.effects.call_effects(fn, call).intersection(OUTSIDE)
            or (QUEUED in project.effects.call_effects(fn, call) and _kept(fn, call))
        )
        for call in fn.calls
    )


def _kept(fn: Fn, call: Call) -> bool:
    """`item.task_id = work.delay(item.id).id`: in one transaction with that, the job could begin before the row is there."""
    for store in fn.facts.stores:
        todo = [store.value] if store.name and not before(store.span, call.span) else []
        for _ in range(6):
            vid = todo.pop() if todo else -1
            if vid == call.value:
                return True
            todo += (
                operands(fn.value(vid)) if vid >= 0 and fn.value(vid)[0] in ("attr", "call", "guard", "await") else ()
            )
    return False


def _for_framework(project: Project, fn: Fn) -> bool:
    """Hooks of models, forms and signals, and what receivers of signals alone call: whoever saves the object decides about the
    transaction."""
    if fn.fqn in project.route_functions:
        return False
    nested = fn.cls is not None and project.hierarchy.role(fn.cls) == "serializer" and fn.name in ("create", "update")
    layer = project.layer(fn)
    callers = [edge.caller for edge in project.graph.callers(fn) if edge.kind == "call"]
    own = fn.name not in HOOKS and bool(callers)
    framed = layer == "middleware" or (layer in ("model", "schema") and fn.cls is not None and not nested and not own)
    hooked = any(model.hook for model in decorator_models(project, fn))
    return hooked or framed or fn.name in ("save", "delete") or (bool(callers) and all(map(_hears, callers)))


def _hears(fn: Fn) -> bool:
    """`@receiver(post_save)`."""
    return any(ref.name.endswith(".receiver") for ref in fn.decorators)


def _what(step: Durable) -> str:
    name = step.write.entity.rpartition(".")[2]
    by = f" (`{step.edges[0].callee.name}()`)" if step.edges else ""
    return f"{'deletes' if step.write.op == 'delete' else 'stores'} {f'`{name}`' if name else f'data{by}'}"


def _flow(fn: Fn, step: Durable) -> tuple[Step, ...]:
    if not step.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in step.edges]
    return (*steps, step.write.fn.step(step.write.call.span, f"writes ({step.write.op})"))
