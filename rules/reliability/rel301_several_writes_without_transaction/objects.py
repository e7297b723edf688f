"""Which object a write stores, and whether two writes store different ones that belong together."""

from __future__ import annotations

import re

from backendlint.api import Call, Durable, Fn, Project, before, object_root, receiver

_FLEETING = re.compile(r"token|reset|otp|nonce|challenge|captcha|code$|lock$|draft|invit", re.IGNORECASE)
"""Entities that are soon made anew anyway."""


def copied(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Two rows of one entity that are both made here, one beside the other: a revision, and what is valid now."""
    made = 0
    for step in (first, second) if first.write.entity == second.write.entity != "" else ():
        value = fn.value(stored_object(fn, step)) if step.write.op == "save" else ("",)
        refs = project.callees(fn, fn.facts.calls[value[1]]) if value[0] == "call" else ()
        made += any(ref.kind == "class" for ref in refs)
    return made == 2


def refills(first: Durable, second: Durable) -> bool:
    """`Rate.objects.all().delete()`, then `Rate.objects.bulk_create(...)`: what is left if that fails is an empty table."""
    return first.write.op == "delete" and second.write.creates and first.write.entity == second.write.entity != ""


def one_row(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`track.save()`, then `track.set_state(READY)`, which saves the same row: each state of it is one to go on from. Two
    calls of a method may save what the object holds: `self.keep("depth", 4)`, `self.keep("width", 9)`."""
    if _by_own_methods(project, fn, first, second):
        return True
    one, two = (saved(project, fn, step) for step in (first, second))
    held = _held(project, fn, first) if first.edges and second.edges else ()
    return (bool(first.edges or second.edges) and min(one, two) >= 0 and same(fn, one, two)) or (
        len(held) > 1 and held == _held(project, fn, second)
    )


def _by_own_methods(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`build = Build.begin(...)`, then `build.set_started(now)`: methods of one model, each of which stores the row."""
    one, two = (step.edges[0].callee if step.edges else None for step in (first, second))
    if one is None or two is None or two.cls is None or one.cls is not two.cls or two.kind != "method":
        return False
    rows = [path_of(fn, receiver(fn, step.call)) for step in (first, second) if receiver(fn, step.call) >= 0]
    same_row = one.kind != "method" or (_stores_itself(first) and len(rows) == 2 and rows[0] == rows[1])
    return same_row and _stores_itself(second)


def _stores_itself(step: Durable) -> bool:
    """`with work() as session: session.add(self)` in the method that is called."""
    fn, call = step.write.fn, step.write.call
    return (
        step.edges[0].callee is fn
        and fn.inside(call.block, "with") is not None
        and any(fn.value(object_root(fn, vid)) == ("param", 0) for vid in call.args)
    )


def _held(project: Project, fn: Fn, step: Durable) -> tuple[object, ...]:
    """The object and the attributes by which the row that callees save is reached from here (`self.trigger`); or ()."""
    holder, row = step.write.fn, receiver(step.write.fn, step.write.call)
    if step.write.op != "save" or row < 0:
        return ()
    root, *names = path_of(holder, row)
    for edge in reversed(step.edges):
        if edge.callee is not holder or edge.call is None:
            continue
        passed = edge.passed(_slot(project, holder, root))
        if len(passed) != 1 or passed[0][1]:
            return ()
        holder = edge.caller
        root, *outer = path_of(holder, passed[0][0])
        names += outer
    return (root, *names) if holder is fn else ()


def saved(project: Project, fn: Fn, step: Durable) -> int:
    """The object whose own row is saved, here or by functions that are handed it (`track.set_state(READY)`,
    `set_state(track, READY)`); or -1."""
    if step.write.op != "save" or step.write.call is step.call:
        return stored_object(fn, step) if step.write.op == "save" else -1
    holder, vid = step.write.fn, receiver(step.write.fn, step.write.call)
    for edge in reversed(step.edges):
        if edge.callee is not holder or edge.call is None:
            continue  # what the write itself calls: a `save()` of the project's
        passed = edge.passed(_slot(project, holder, vid))
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


def path_of(fn: Fn, vid: int) -> tuple[int, *tuple[object, ...]]:
    """The object and the attributes by which another one is reached: `line.order`."""
    names: list[object] = []
    root = object_root(fn, vid)
    while fn.value(root)[0] == "attr":
        names.append(fn.value(root)[2])
        root = object_root(fn, fn.value(root)[1])
    return (root, *names)


def different(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """Two objects: of different kinds, or the same kind by different receivers, arguments or SQL statements."""
    updates = first.write.op == second.write.op == "update" and first.committed and second.committed
    if updates and _of_others(project, fn, first, second):
        return True
    if first.write.call is second.write.call and not (first.edges and second.edges):
        return False
    if _saves_made(fn, first, second):
        return False
    if first.write.op == "delete" and second.write.creates and _FLEETING.search(second.write.entity):
        return False
    if second.write.op == "delete" and _emptied(fn, first, second):
        return False
    if first.write.entity != second.write.entity or refills(first, second):
        return True
    if all(step.write.op == "save" and step.write.call is step.call for step in (first, second)):
        return not same(fn, stored_object(fn, first), stored_object(fn, second))
    if by_callee(first) or by_callee(second):
        known = first.write.entity != ""
        apart = first.edges and second.edges and (not known or first.edges[0].callee is second.edges[0].callee)
        others = _passed(fn, first.call) != _passed(fn, second.call) or _on_others(fn, first.call, second.call)
        return bool(apart) and others
    if first.write.op != second.write.op:  # what is changed first is another row than one that is then made
        return second.write.op == "delete" or (first.write.op == "update" and second.write.op == "add")
    if first.committed and second.committed:
        return _assigned(fn, None, first.call) != _assigned(fn, first.call, second.call)
    others = _passed(fn, first.call) != _passed(fn, second.call)
    others = others or bool(first.edges and second.edges and _on_others(fn, first.call, second.call))
    return first.write.op in ("update", "delete", "insert") and others


def _of_others(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`credit(source, -amount)`, stored, then `credit(target, amount)`: the same function changes rows of two keys."""
    one, two = (
        [
            (target.fqn, object_root(fn, call.args[0]))
            for call in fn.calls
            if call.args and before(call.span, until.span) and not (since and before(call.span, since.span))
            for target in project.targets(fn, call)
            if target is step.write.fn and fn.const(call.args[0]) is ...
        ]
        for step, since, until in ((first, None, first.call), (second, first.call, second.call))
    )
    both = {name for name, _ in one} & {name for name, _ in two}
    return any(all((name, key) not in two for other, key in one if other == name) for name in both)


def _emptied(fn: Fn, first: Durable, second: Durable) -> bool:
    """`link.token = None`, stored, then the link is deleted: it was to go anyway, and is the safer for it if it stays."""
    call = second.write.call
    gone = {object_root(fn, vid) for vid in call.args} | {stored_object(fn, second)} if second.write.fn is fn else set()
    changed = _assigned(fn, None, first.call) if first.committed else {stored_object(fn, first)}
    kept = first.write.op in ("save", "add", "update") and first.write.fn is fn and not first.edges
    return kept and bool(changed) and -1 not in changed and all(any(same(fn, a, b) for b in gone) for a in changed)


def by_callee(step: Durable) -> bool:
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
    return stored_object(fn, second) in (first.call.value, stored_object(fn, first))


def stored_object(fn: Fn, step: Durable) -> int:
    if step.write.fn is not fn:
        return -1
    value = fn.value(step.write.call.func)
    owner = object_root(fn, value[1]) if value[0] == "attr" else -1
    made = fn.value(owner) if owner >= 0 else ("",)
    edited = fn.facts.calls[made[1]].kwarg("instance") if made[0] == "call" else -1
    return object_root(fn, edited) if edited >= 0 else owner  # `Form(request.POST, instance=order).save()`


def same(fn: Fn, one: int, two: int) -> bool:
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
