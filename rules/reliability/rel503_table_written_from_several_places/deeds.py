"""What a write does to a table: whether it makes rows or changes them, and which columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Fn, Project, Value, Vid, Write, ingredients, object_root, receiver, unchanged

_SET = re.compile(r"^\s*UPDATE\b.*?\bSET\b(.*?)(?:\bFROM\b|\bWHERE\b|;|$)", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"(?:^|,)\s*[\"`]?(\w+)[\"`]?\s*=")
EITHER = ("save", "write", "merge", "upsert", "insert_or_update")
"""Operations that make a row or change one."""
OF_OBJECTS = ("save", "add", "merge")
"""Those of an object, which tells by what made it whether its row is new."""


def does_as_much(project: Project, offer: Write, write: Write) -> bool:
    """Whether what the owner does is what the other one does: makes a row, changes or removes one, or many at once."""
    if any(op == "delete" or op.startswith("bulk_") for op in (offer.op, write.op)):
        return offer.op == write.op
    made = {makes_row(project, offer), makes_row(project, write)}
    if made == {True, False}:
        return False
    if None in made:
        return True
    if "update" in (offer.op, write.op):
        return share_columns(offer, write) and not (inserts(offer) or inserts(write))
    return True


def makes_row(project: Project, write: Write) -> bool | None:
    """Whether the row is new; None where that is not told here."""
    fn, call = write.fn, write.call
    if write.update_fields:
        return False
    if write.op in OF_OBJECTS:
        vid = receiver(fn, call) if write.op == "save" else next(iter(call.args), -1)
        made = unchanged(fn, vid) if vid >= 0 else ("",)
        if made[0] != "call":
            return True if write.op == "add" else None
        return True if makes(project, fn, made[1]) else None if project.targets(fn, fn.calls[made[1]]) else False
    return None if write.op in EITHER else write.creates


def makes(project: Project, fn: Fn, number: int) -> bool:
    """Whether a call makes an object of a class."""
    return any(ref.kind == "class" for ref in project.callees(fn, fn.calls[number]))


def inserts(write: Write) -> bool:
    """Whether it changes no row that there is."""
    return write.creates or write.op == "get_or_create" or write.call.kwarg("ignore_conflicts") >= 0


def share_columns(one: Write, other: Write) -> bool:
    """Whether two updates of a query's rows set the same column (not one that is only known when it runs)."""
    columns = [{key for key, _ in write.call.kwargs} for write in (one, other) if write.op == "update"]
    return len(columns) < 2 or not all(columns) or not (columns[0] & columns[1]) <= {"**"}


def may_share(mine: set[str], theirs: set[str]) -> bool:
    """Not where each is known to change other columns: `top_up()` has no use for what counts the failed logins."""
    return not mine or not theirs or not mine.isdisjoint(theirs)


def columns(project: Project, write: Write) -> set[str]:
    """The columns that a write changes, by its function; none where it makes rows, or they are not known."""
    fn = write.fn
    if write.op == "delete" or makes_row(project, write):
        return set()
    if write.op == "update" and (write.call.kwargs or write.call.args):
        return {key for key, _ in pairs_set(write)}
    if write.update_fields:
        return {str(name) for name in write.update_fields}
    told = _SET.search(project.queries.text(fn, write.call))
    if told is not None:
        return set(_NAMED.findall(told[1]))
    return {
        store.name
        for store in fn.facts.stores
        if store.name and any(ref.name == write.entity for ref in project.refs(fn, store.base))
    }


def pairs_set(write: Write) -> Iterator[tuple[str, Vid]]:
    """What an update sets: `update(state="sent")`, `update({"state": "sent"})`, `execute(update(Order).values(state="sent"))`."""
    fn = write.fn
    for number in {value[1] for value in _made_of(write) if value[0] == "call"}:
        call = fn.calls[number]
        if fn.callee_name(call) in ("update", "values"):
            yield from ((key, vid) for key, vid in call.kwargs if key != "**")
            for held in map(fn.unguarded, call.args):
                for key, vid in held[1] if held[0] == "dict" else ():
                    if isinstance(name := fn.const(key) if key >= 0 else None, str):
                        yield name, vid


def _made_of(write: Write) -> list[Value]:
    """All that the statement is made of, its arguments among it."""
    fn = write.fn
    return [fn.value(vid) for vid in ingredients(fn.facts, (write.call.value, *write.call.args))]


def copies(write: Write) -> bool:
    """`copy.pk = None`, `copy.save()`: what belongs to a thing is copied with it."""
    fn = write.fn
    row = object_root(fn, receiver(fn, write.call)) if write.op == "save" and receiver(fn, write.call) >= 0 else -1
    return any(
        store.name in ("pk", "id") and fn.const(store.value) is None and object_root(fn, store.base) == row
        for store in fn.facts.stores
    )


def only_counts(write: Write) -> bool:
    """`values(last_number=Ledger.last_number + 1)`: a counter that the writer keeps there, moved by the database itself."""
    pairs = list(pairs_set(write)) if write.op == "update" else []
    return bool(pairs) and all(_of_itself(write.fn, key, vid) for key, vid in pairs)


def _of_itself(fn: Fn, key: str, vid: Vid) -> bool:
    """Whether a column's new value is counted from its old one."""
    value = fn.unguarded(vid)
    if value[0] != "binop" or value[1] not in ("+", "-"):
        return False
    parts = [fn.value(item) for item in ingredients(fn.facts, (vid,))]
    return any(
        (part[0] in ("attr", "name") and str(part[-1]).rpartition(".")[2] == key) or part == ("const", key)
        for part in parts
    )


def empties(write: Write) -> bool:
    """`update(Order).where(Order.courier_id == courier).values(courier_id=None)`: what is pointed at goes, or lets go."""
    fn = write.fn
    pairs = list(pairs_set(write)) if write.op == "update" else []
    emptied = {key for key, vid in pairs if fn.const(vid) is None}
    if not emptied or len(emptied) < len(pairs):
        return False
    parts = _made_of(write)
    asked = [fn.value(side) for part in parts if part[0] == "compare" for side in part[2]]
    names = {str(side[-1]).rpartition(".")[2] for side in asked if side[0] in ("attr", "name")}
    calls = [fn.calls[part[1]] for part in parts if part[0] == "call"]
    names.update(key.partition("__")[0] for call in calls if fn.callee_name(call) == "filter" for key, _ in call.kwargs)
    return emptied <= names
