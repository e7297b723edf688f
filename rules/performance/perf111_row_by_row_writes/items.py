"""How what is written hangs on the loop's item."""

from __future__ import annotations

from itertools import takewhile

from backendlint.api import Call, Fn, Project, Query, Vid, around, depends, ingredients

from .loops import is_sent
from .writes import MAX_CHAIN

CHANGING = frozenset({"insert", "update", "delete"})
KEYS = ("pk", "id")
CLOCKS = frozenset({"now", "utcnow", "today", "time"})


def own_columns(query: Query) -> bool:
    """`Order.update(**changed).where(...)`: which columns are written differs from row to row, so one statement cannot."""
    fn, todo = query.fn, [query.call] if query.call is not None else []
    for call in todo:
        spread = [fn.unguarded(vid) for key, vid in call.kwargs if key == "**"]
        if fn.callee_name(call) == "update" and any(value[0] != "dict" or not value[1] for value in spread):
            return True
        func = fn.unguarded(call.func)
        value = fn.unguarded(func[1]) if func[0] == "attr" and len(todo) < MAX_CHAIN else ("",)
        todo += [fn.calls[value[1]]] if value[0] == "call" else []
    return False


def of_this_round(fn: Fn, loop: int, call: Call, op: str) -> bool:
    """Whether the item decides what is written; what `save()` writes is an object of this round, not one that shows the progress."""
    if op != "save":
        return depends(fn, [call.func, *call.passed], loop)
    func = fn.unguarded(call.func)
    vid, steps = func[1] if func[0] == "attr" else -1, 0
    while (
        vid >= 0
        and (value := fn.facts.values[vid])[0] in ("guard", "setattr", "mut", "store", "phi")
        and steps < MAX_CHAIN
    ):
        vid, steps = value[1][0] if value[0] == "phi" else value[1], steps + 1
    made = fn.calls[fn.facts.values[vid][1]] if vid >= 0 and fn.facts.values[vid][0] == "call" else None
    here = made is not None and loop in around(fn.facts, made.block)
    return vid < 0 or here or depends(fn, [vid], loop)


def by_item(fn: Fn, loop: int, query: Query) -> bool:
    """`for model, key in rows: model.objects.filter(...).update(...)`: each item names its own table."""
    op = query.model.orm.op if query.model.orm is not None else ""
    if query.fn is not fn or query.call is None:
        return False
    if query.call.args and _statement_on_item(fn, query.call.args[0], loop):
        return True
    if op in ("save", "delete"):
        return False
    vid, steps = query.call.func, 0
    while steps < MAX_CHAIN and (value := fn.facts.values[vid])[0] in ("attr", "guard", "await", "call"):
        vid = fn.calls[value[1]].func if value[0] == "call" else value[1]
        steps += 1
    if value[0] == "unpack":
        value = fn.facts.values[value[1]]
    return steps > 1 and value[0] == "elem" and value[1] == fn.facts.blocks[loop].value


def _statement_on_item(fn: Fn, vid: Vid, loop: int) -> bool:
    """`execute(delete(model).where(...))`, `execute(table.delete())` of the loop's item"""
    for _ in range(MAX_CHAIN):
        value = fn.unguarded(vid)
        if value[0] != "call":
            return False
        call = fn.calls[value[1]]
        base = fn.unguarded(call.func)
        if fn.callee_name(call) in CHANGING and (call.args or base[0] == "attr"):
            subject = fn.unguarded(
                call.args[0] if base[0] == "name" and call.args else base[1] if base[0] == "attr" else vid
            )
            return subject[0] in ("elem", "unpack") and depends(fn, [call.func, *call.args[:1]], loop)
        if base[0] != "attr":
            return False
        vid = base[1]
    return False


def does_it_all(project: Project, fn: Fn, loop: int, call: Call) -> bool:
    """Whether a function of the project is called on the loop's object, or given it whole: it does what is to be done with one
    (`order.archive(user)`), of which the write may be a part; or an attribute that some code filled is gone through."""
    iterable = fn.unguarded(fn.facts.blocks[loop].value)
    if iterable[0] == "attr" and not is_sent(project, fn, iterable[1]):
        return True
    func = fn.value(call.func)
    on = func[1] if func[0] == "attr" else -1
    return any(_is_item(fn, vid, loop) and (vid == on or _is_row(project, fn, vid)) for vid in (on, *call.passed))


def _is_item(fn: Fn, vid: Vid, loop: int) -> bool:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return value[0] in ("elem", "unpack") and depends(fn, [vid], loop)


def _is_row(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(ref.kind == "inst" and ref.name in project.classes for ref in project.refs(fn, vid))


def each_item(fn: Fn, loop: int, call: Call) -> bool:
    """Whether each round saves its own item, whatever is in it."""
    func = fn.unguarded(call.func)
    vid = func[1] if func[0] == "attr" else -1
    while vid >= 0 and fn.facts.values[vid][0] in ("guard", "setattr", "mut"):
        vid = fn.facts.values[vid][1]
    within = takewhile(lambda item: item[0] != loop, fn.blocks_of(call.block))
    return _is_item(fn, vid, loop) and all(block.kind == "with" for _, block in within)


def same_for_all(fn: Fn, loop: int, call: Call, op: str) -> bool:
    """`notice.read = True; notice.save()`: one `update()` of all of them does it; not where `notice.pk = None` makes it a copy."""
    func = fn.value(call.func)
    if op != "save" or func[0] != "attr":
        return False
    vid, changed = func[1], False
    for _ in range(MAX_CHAIN):
        value = fn.facts.values[vid]
        if value[0] == "setattr":
            copied = value[2] in KEYS and fn.const(value[3]) is None
            if copied or depends(fn, [value[3]], loop) or _made_here(fn, value[3], loop):
                return False
            changed = True
        elif value[0] not in ("guard", "mut"):
            break
        vid = value[1]
    return changed


def _made_here(fn: Fn, vid: Vid, loop: int) -> bool:
    """`uuid4()`, which is another one in each round; the time may as well be the same."""
    values = (fn.value(part) for part in ingredients(fn.facts, (vid,)))
    calls = [fn.calls[value[1]] for value in values if value[0] == "call"]
    return any(loop in around(fn.facts, call.block) and fn.callee_name(call) not in CLOCKS for call in calls)
