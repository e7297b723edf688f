"""Conversions of amounts to floats that are reckoned with."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, Value, Vid, aliases, identifier_words, operands, runs_by_hand

from .words import CONTEXT, LEDGERS, MONEY, NOT_MONEY, is_money, words_of

COUNTS = frozenset(["count", "counts", "num", "number"])
_MEANT = CONTEXT | LEDGERS | MONEY - {"amount"}
"""Words around an amount that say it is one of money."""


def conversion(project: Project, fn: Fn, call: Call) -> Iterator[Hit]:
    """`total += float(line["price"])`; a float that only goes into an answer or a log is none of our business."""
    if not call.args:
        return
    names = [_called(fn, call.args[0]), *(item.name for item in fn.facts.bindings if _product(fn, item.value, call))]
    owner = _owner(project, fn, call.args[0])
    name = next((item for item in names if is_money(item, "") or (item == names[0] and is_money(item, owner))), "")
    if name == "amount" and _MEANT.isdisjoint(identifier_words(fn.fqn.replace(".", "_"))):
        return  # of what?
    used = [
        value
        for vid, value in enumerate(fn.facts.values)
        if value[0] == "binop" and call.value in value[2:] and not (_is_change(fn, vid) or _reckons_other(fn, vid))
    ]
    if name and any(
        value[1] in "+-*/" and not (_is_ratio(fn, value) or _shows(fn, value) or _averages(fn, value)) for value in used
    ):
        yield Hit(
            message=f"`{name}` is money, and reckoned with as a float: sums drift by cents. Convert it with `Decimal(...)`.",
            location=fn.location(call.span),
            function=fn.fqn,
            confidence="medium",
            profile="strict" if runs_by_hand(project, fn) else None,
        )


def _owner(project: Project, fn: Fn, vid: Vid) -> str:
    """The class of which the value is an attribute: `Invoice` of `invoice.total`."""
    value = fn.unguarded(vid)
    refs = project.refs(fn, value[1]) if value[0] == "attr" else ()
    return next((ref.name.rpartition(".")[2] for ref in refs if ref.kind == "inst"), "")


def _reckons_other(fn: Fn, vid: Vid) -> bool:
    """`open_time = float(amount) * hours`, `float(amount) + lasting_time`: the result, or what the amount is added to, is no money
    by its name."""
    value = fn.value(vid)
    named = [_names_of(fn, part) for part in (vid, *(value[2:] if value[1] in "+-" else ()))]
    return any(NOT_MONEY & words and not MONEY & words for words in named)


def _names_of(fn: Fn, vid: Vid) -> set[str]:
    """The words of all names under which the value is known."""
    return words_of([item.name for item in fn.facts.bindings if vid in aliases(fn.facts, item.value)])


def _product(fn: Fn, vid: Vid, call: Call) -> bool:
    """Whether a value is the converted one, times something or not: `total_price = float(daily_rate) * nights`."""
    while vid >= 0 and vid != call.value and fn.value(vid)[:2] == ("binop", "*"):
        vid = fn.value(vid)[2]
    return vid == call.value


def _is_ratio(fn: Fn, value: Value) -> bool:
    """`float(paid) / float(price)`: a share of two amounts is none itself."""
    made = {item.value for item in fn.calls if fn.value(item.func) == ("name", "builtins.float")}
    return value[1] == "/" and made.issuperset(value[2:])


def _is_change(fn: Fn, vid: Vid) -> bool:
    """`(price - before) / before`: by which share an amount has changed; either of its two operations."""
    made = fn.value(vid)
    if made[1] == "/":
        above = fn.value(made[2])
        return above[:2] == ("binop", "-") and made[3] in above[2:]
    uses = [value for value in fn.facts.values if vid in operands(value)]
    return made[1] == "-" and bool(uses) and all(use[:3] == ("binop", "/", vid) and use[3] in made[2:] for use in uses)


def _shows(fn: Fn, value: Value) -> bool:
    """`float(cents) / 100`: the amount in the larger unit, which is shown."""
    return value[1] == "/" and fn.const(value[3]) in (100, 100.0)


def _averages(fn: Fn, value: Value) -> bool:
    """`float(cost) / sessions_count`: a figure of statistics."""
    by = fn.unguarded(value[3])
    named = {
        word for item in fn.facts.bindings if fn.unguarded(item.value) == by for word in identifier_words(item.name)
    }
    counted = by[0] == "call" and fn.callee_name(fn.calls[by[1]]) in ("len", "count")
    return value[1] == "/" and (counted or not COUNTS.isdisjoint({*named, *identifier_words(_called(fn, value[3]))}))


def _called(fn: Fn, vid: Vid) -> str:
    """The name under which a value is known: `amount`, `line.amount`, `line["amount"]`, `line.get("amount")`."""
    value = fn.value(vid)
    if value[0] == "guard":
        return _called(fn, value[1])
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    if value[0] == "attr":
        return str(value[2])
    key = value[2] if value[0] == "item" else -1
    if value[0] == "call":
        call = fn.calls[value[1]]
        key = call.args[0] if call.args and fn.value(call.func)[-1] == "get" else -1
    return str(fn.const(key)) if isinstance(fn.const(key), str) else ""
