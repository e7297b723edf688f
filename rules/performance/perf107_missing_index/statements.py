"""The statements that a function puts together one after the other: what narrows one says nothing of the next."""

from __future__ import annotations

from backendlint.api import ColumnUse, Fn, Span, receiver

STARTS = frozenset({"select", "query", "delete", "update"})
NARROWS = frozenset({"where", "filter", "filter_by", "having"})
MAX_CHAIN = 20


def apart(one: ColumnUse, other: ColumnUse) -> bool:
    """Whether two conditions on different tables stand in different statements of SQLAlchemy's, each of its own table alone."""
    if one.table.name == other.table.name:
        return False
    first, second = statement_of(one), statement_of(other)
    return first is not None and second is not None and first != second


def statement_of(use: ColumnUse) -> Span | None:
    """The call with which the statement begins in which a condition stands; None where it is unknown, or may ask several tables."""
    fn = use.fn
    around = [call for call in fn.calls if fn.callee_name(call) in NARROWS and call.span.holds(use.span)]
    if use.framework != "sqlalchemy" or not around or _compares_tables(fn):
        return None
    call = max(around, key=lambda item: (item.span[:2], [-part for part in item.span[2:]]))
    for _ in range(MAX_CHAIN):
        name = fn.callee_name(call)
        if name in STARTS:
            owners = {_class_of(fn.dotted(vid)) for vid in call.args}
            return call.span if len(owners) == 1 and owners != {""} else None
        base = receiver(fn, call)
        value = fn.unguarded(base) if base >= 0 else ("",)
        if value[0] != "call":
            return None
        call = fn.calls[value[1]]
    return None


def _compares_tables(fn: Fn) -> bool:
    """`Berth.ship_id == Ship.id`: which of the two an index leads to, the other one may tell."""
    pairs = (fn.value(vid)[2] for vid in fn.made_by("compare"))
    return any(all(_class_of(fn.dotted(vid)) for vid in sides) for sides in pairs)


def _class_of(dotted: str) -> str:
    """`shop.models.Order` of itself and of `shop.models.Order.number`; "" for what is named like no class."""
    owner, _, last = dotted.rpartition(".")
    if last[:1].isupper():
        return dotted
    return owner if owner.rpartition(".")[2][:1].isupper() else ""
