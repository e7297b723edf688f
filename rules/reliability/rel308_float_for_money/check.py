"""REL308: amounts of money in binary floating point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Profile,
    Project,
    Value,
    Vid,
    aliases,
    bind,
    identifier_words,
    ingredients,
    operands,
    runs_by_hand,
    sqltypes,
)

MONEY = frozenset(
    "price prices amount cost costs balance fee fees salary wage revenue subtotal refund payout tax surcharge surcharges cents "
    "deposit deposits expense expenses".split()
)
AMBIGUOUS = frozenset(["total", "discount", "payment", "paid", "due"])
CONTEXT = frozenset(
    "order invoice cart basket payment checkout bill receipt sale purchase transaction refund product item".split()
)
CHARGED = frozenset(
    "standing delivery service shipping handling extra additional minimum base fixed late booking cancellation convenience daily monthly "
    "yearly bank finance".split()
)
"""Before `charge`: `delivery_charge`, but not `battery_charge`."""
LEDGERS = frozenset(
    "account accounts ledger wallet bank billing charge charges transfer payments orders invoices".split()
)
NOT_MONEY = frozenset(
    "count rate ratio percent percentage pct score seconds ms time factor weight usage type id name code date at limit "
    "priority tokens bytes class category function index threshold alert change growth multiplier per share pts points average "
    "gas gwei wei".split()
)
NOT_MONEY_OWNERS = frozenset(["count", "counts", "meter", "usage", "signal", "metric", "metrics", "stats", "weight"])
QUANTITY = frozenset(["unit", "units", "quantity_unit", "measure", "food", "ingredient", "uom"])
"""Fields beside which an `amount` is no money."""
MOTIONS = frozenset("scroll zoom pan blur swipe drag rotation noise jitter crop pixel rain".split())
"""Of these an `amount` is no money."""
SHARES = frozenset(["pct", "percent", "percentage", "ratio"])
_SHARE = re.compile("pct|percent|ratio", re.IGNORECASE)
"""What the names of all bindings are first searched for."""
PAID = frozenset(
    [
        "currency",
        "quantity",
        "vat",
        "sku",
        "shipping",
        "supplier",
        "vendor",
        "customer",
        "expense",
        "expenses",
        "budget",
    ]
)
"""What stands beside a `cost` that somebody pays."""
SPEAKS = MONEY | AMBIGUOUS | CONTEXT | LEDGERS | PAID
"""What beside an amount says that it is one of money."""
COSTS = frozenset(["cost", "costs"])
PRICES = frozenset(["price", "prices", "fee", "fees"])
MEASURES = frozenset(
    "kg g gram kilo kilogram ton tonne l liter litre m meter metre km piece unit night day week month year hour person seat".split()
)
"""By what goods and stays are sold."""
DAILY = ("daily", "rate")
PAY = (("hourly", "rate"), ("nightly", "rate"))
"""Rates that are paid; a `monthly_rate` is one of interest."""
HIRED = frozenset(
    "vehicle car truck van bike boat room rental hire booking employee worker contractor freelancer consultant equipment tool".split()
)
"""What a `daily_rate` is paid for; others are how much of something a day brings."""
ALIKE = 2
"""So many fields of one class are told one by one."""
NAMED = 4
"""So many others are named."""
COUNTS = frozenset(["count", "counts", "num", "number"])
STORES = frozenset(["model", "schema", "serializer", "form"])
ANSWERS = frozenset(["response_schema", "response_format", "text_format", "output_schema", "output_type"])
"""By these a language model is told how to answer."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a column or field whose name says money and whose type says float, and a conversion that is reckoned with."""
    declared: set[str] = set()
    answers, shares, exact = _Answers(project), _shares(project), _exact(project)
    shown: list[Hit] = []
    for cls in project.classes.values():
        hits = [hit for hit in _fields(project, cls, answers) if tuple(identifier_words(_field_of(hit))) not in shares]
        declared |= set(map(_field_of, hits))
        if project.hierarchy.role(cls) == "model":
            yield from _together(hits)
        else:
            shown += (replace(hit, profile="strict") if _field_of(hit) in exact else hit for hit in hits)
    yield from _together(shown)
    declared |= exact
    for fn in project.reviewed():
        for call in fn.calls:
            yield from (
                hit
                for hit in _columns(project, fn, call, declared)
                if tuple(identifier_words(_field_of(hit))) not in shares
            )
    if _writes_tables(project):
        yield from _tables(project)
    for fn, call in project.graph.calls_of("builtins.float"):
        if project.counts(fn):
            yield from _conversion(project, fn, call)


def _field_of(hit: Hit) -> str:
    return str(hit.fingerprint_key).rpartition(".")[2]


def _together(hits: list[Hit]) -> Iterator[Hit]:
    """Of many fields of one model, or of all schemas, the first, with the others' names; each of those is advice."""
    told = [hit for hit in hits if hit.profile is None]
    others = told[1:] if len(told) > ALIKE else []
    for hit in hits:
        if others and hit is told[0]:
            yield replace(hit, message=f"{hit.message[:-1]}. So do {_names(hit, others)}.")
        else:
            yield replace(hit, profile="strict") if hit in others else hit


def _names(hit: Hit, others: list[Hit]) -> str:
    """The fields', with their class where it is another one."""
    owner = str(hit.fingerprint_key).rpartition(".")[0]
    names = [f"`{str(other.fingerprint_key).removeprefix(f'{owner}.')}`" for other in others]
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"


def _shares(project: Project) -> frozenset[tuple[str, ...]]:
    """The words of fields that code takes for percentages (`fee_percent = settings.service_fee`), and of those that are given
    one of these (`Shown(serviceFee=settings.service_fee)`)."""
    read = (
        _attribute(fn, item.value)
        for fn in project.all_functions()
        for item in fn.facts.bindings
        if _SHARE.search(item.name) and not SHARES.isdisjoint(identifier_words(item.name))
    )
    found = {name for name in read if _is_money(name, "")}
    given = {
        key
        for fn in (project.all_functions() if found else ())
        for call in fn.calls
        for key, vid in call.kwargs
        if _attribute(fn, vid) in found
    }
    return frozenset(tuple(identifier_words(name)) for name in found | given)


def _attribute(fn: Fn, vid: Vid) -> str:
    """The attribute that a value is, also one of what a module keeps; "" for anything else."""
    value = fn.value(vid) if vid >= 0 else ("unknown",)
    return str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name") else ""


def _exact(project: Project) -> set[str]:
    """Columns that are decimal in some model: where a migration made a float of one, the two disagree, which REL409 tells."""
    columns = (column for table in project.data.models.tables.values() for column in table.columns.values())
    return {column.name for column in columns if sqltypes.family(column.type) == "decimal"}


def _writes_tables(project: Project) -> bool:
    """Whether a reviewed file has to do with DDL: the schema is put together for those alone."""
    focus = project.focus
    return focus is None or any(
        not focus.isdisjoint(text.files) and "create" in text.text.lower() for text in project.data.texts
    )


def _tables(project: Project) -> Iterator[Hit]:
    """`fee real NOT NULL` in the DDL of a table that no model describes."""
    for table in project.data.schema.tables.values():
        if table.source != "ddl" or table.kind != "table":
            continue
        for column in table.columns.values():
            place = column.location
            if place is None or sqltypes.family(column.type) != "float" or not _is_money(column.name, table.name):
                continue
            beside = [table.name, *(name for name in table.columns if name != column.name)]
            counted = column.name.lower() == "amount" and not QUANTITY.isdisjoint(beside)
            vague = counted or _of_anything(column.name, beside) or _unpaid(column.name, beside)
            if project.counts(place) and not vague:
                yield _hit(place, f"{table.name}.{column.name}")


def _fields(project: Project, cls: Cls, answers: _Answers) -> Iterator[Hit]:
    if project.hierarchy.role(cls) not in STORES and not _is_data_class(project, cls):
        return
    quantity = QUANTITY.intersection(cls.facts.field_spans)
    for name, span in cls.facts.field_spans.items():
        if not _is_money(name, cls.name):
            continue
        beside = [other for other in (cls.name, *cls.facts.field_spans) if other != name]
        if (
            (quantity and name == "amount")
            or _of_change(name, cls)
            or _unpaid(name, beside)
            or MOTIONS.intersection(identifier_words(name))
            or NOT_MONEY_OWNERS.intersection(identifier_words(cls.name))
        ):
            continue
        annotated = project.resolver.types.annotation(cls.owner, cls.facts.annotations.get(name, -1))
        types = _column_types(project, cls.owner, cls.facts.attributes.get(name, -1))
        if "float" in types or (not types and any(ref.name == "builtins.float" for ref in annotated)):
            stored = project.hierarchy.role(cls) in STORES
            doubtful = (
                not stored or _of_anything(name, beside) or _metered(name, cls.facts.field_spans) or answers.holds(cls)
            )
            yield _hit(cls.owner.location(span), f"{cls.name}.{name}", "strict" if doubtful else None)


def _of_change(name: str, cls: Cls) -> bool:
    """`amount_abs` beside `amount_pct`: by how much something has changed."""
    words = MONEY.intersection(identifier_words(name))
    others = [set(identifier_words(other)) for other in cls.facts.field_spans]
    return words == {"amount"} and any("amount" in other and SHARES & other for other in others)


def _metered(name: str, beside: Iterable[str]) -> bool:
    """`run_cost` beside `input_token_count`: what the use of a model is worth by its price list; nobody is charged it. A float of
    cents says by itself that fractions of one count, as they do for what is used; whole cents it would hold without loss."""
    if "cents" in identifier_words(name):
        return True
    words = [set(identifier_words(other)) for other in beside]
    metered = any("tokens" in item or "llm" in item or {"token", "count"} <= item for item in words)
    own = set(identifier_words(name))
    return metered and bool(COSTS & own) and MONEY & own <= {*COSTS, "amount"}


class _Answers:
    """The classes that a language model fills: what it is told to answer with (`response_schema=Receipt`), and parts of that."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: set[str] | None = None

    def holds(self, cls: Cls) -> bool:
        if self._known is None:
            self._known = set()
            for fn in self.project.all_functions():
                for vid in self._told(fn):
                    self._add(fn, vid)
        return cls.fqn in self._known

    def _told(self, fn: Fn) -> Iterator[Vid]:
        for call in fn.facts.calls:
            yield from (vid for key, vid in call.kwargs if key in ANSWERS)
        numbers = [number for number, param in enumerate(fn.facts.params) if param.name in ANSWERS]
        for edge in self.project.graph.callers(fn) if numbers else ():
            passed = bind(edge.caller, edge.call, fn) if edge.call is not None else {}
            for vid in (vid for number in numbers for vid, part in passed.get(number, ()) if not part):
                self._add(edge.caller, vid)

    def _add(self, fn: Fn, vid: Vid) -> None:
        assert self._known is not None
        for part in ingredients(fn.facts, (vid,)):
            for ref in self.project.refs(fn, part):
                if ref.kind == "class" and ref.name not in self._known:
                    self._known.add(ref.name)
                    cls = self.project.classes[ref.name]
                    for annotation in cls.facts.annotations.values():
                        self._add(cls.owner, annotation)


def _of_anything(name: str, others: list[str]) -> bool:
    """A bare `amount` beside which nothing speaks of money: of milk, of points."""
    return name.lower() == "amount" and SPEAKS.isdisjoint(_words(others))


def _unpaid(name: str, others: list[str]) -> bool:
    """A bare `cost`, of which nothing beside it says that it is paid: what a planner or scheduler compares."""
    return name.lower() in COSTS and (SPEAKS - COSTS).isdisjoint(_words(others))


def _words(names: list[str]) -> set[str]:
    return {word for name in names for word in identifier_words(name)}


def _is_data_class(project: Project, cls: Cls) -> bool:
    for vid in cls.facts.decorators:
        value = cls.owner.value(vid)
        func = cls.owner.calls[value[1]].func if value[0] == "call" else vid
        if any(ref.name.rpartition(".")[2] == "dataclass" for ref in project.refs(cls.owner, func)):
            return True
    return False


def _column_types(project: Project, fn: Fn, vid: int) -> list[str]:
    """Column types in a declaration such as `Column(Float)`, `mapped_column(Float())`, `FloatField()`."""
    if vid < 0 or fn.value(vid)[0] != "call":
        return []
    call = fn.calls[fn.value(vid)[1]]
    found = [model.column for model in project.models(fn, call) if model.column]
    for arg in call.args:
        for ref in project.refs(fn, arg):
            declares = ref.kind == "lib" or fn.value(arg)[0] == "call"  # else it is what a row holds
            model = project.libraries.call(ref.name) if declares and not ref.name.startswith("builtins.") else None
            if model is not None and model.column:
                found.append(model.column)
    return found


def _columns(project: Project, fn: Fn, call: Call, declared: set[str]) -> Iterator[Hit]:
    """`Column("price", Float)` in tables and migrations; what a model speaks of is told there, or is exact by now."""
    name = fn.const(call.args[0]) if call.args else ...
    if not isinstance(name, str) or not _is_money(name, "") or "float" not in _column_types(project, fn, call.value):
        return
    told = name in declared and project.layer(fn) == "migration"
    beside = _columns_beside(fn, call)
    if not told and not _unpaid(name, beside):
        yield _hit(fn.location(call.span), name, "strict" if _metered(name, beside) else None)


def _columns_beside(fn: Fn, call: Call) -> list[str]:
    """The names in the table that declares a column: its own and the other columns'."""
    around = [other for other in fn.calls if call.value in other.args]
    values = [fn.value(vid) for other in around for vid in other.args if vid != call.value]
    calls = [*around, *(fn.calls[value[1]] for value in values if value[0] == "call")]
    return [str(fn.const(item.args[0])) for item in calls if item.args and fn.const(item.args[0]) is not ...]


def _conversion(project: Project, fn: Fn, call: Call) -> Iterator[Hit]:
    """`total += float(line["price"])`; a float that only goes into an answer or a log is none of our business."""
    if not call.args:
        return
    names = [_called(fn, call.args[0]), *(item.name for item in fn.facts.bindings if _product(fn, item.value, call))]
    name = next((item for item in names if _is_money(item, "")), "")
    if name == "amount" and not CONTEXT.union(LEDGERS).intersection(identifier_words(fn.fqn.replace(".", "_"))):
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


def _reckons_other(fn: Fn, vid: Vid) -> bool:
    """`open_time = float(amount) * hours`, `float(amount) + lasting_time`: the result, or what the amount is added to, is no money
    by its name."""
    value = fn.value(vid)
    named = [_words_of(fn, part) for part in (vid, *(value[2:] if value[1] in "+-" else ()))]
    return any(NOT_MONEY & words and not MONEY & words for words in named)


def _words_of(fn: Fn, vid: Vid) -> set[str]:
    """Of all names under which the value is known."""
    return _words([item.name for item in fn.facts.bindings if vid in aliases(fn.facts, item.value)])


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


def _is_money(name: str, owner: str) -> bool:
    parts = identifier_words(name)
    other = NOT_MONEY.intersection(parts)
    if other == {"rate"} and (
        parts[-2:] in PAY or (parts[-2:] == DAILY and HIRED.intersection(identifier_words(owner)))
    ):
        return True
    if not parts or (other and not (other == {"per"} and _of_goods(parts))):
        return False
    if "token" in parts and COSTS.intersection(parts):
        return False  # `input_token_cost`: a rate with many digits
    if MONEY.intersection(parts) or (parts[-1] in ("charge", "charges") and CHARGED.intersection(parts[:-1])):
        return True
    return bool(AMBIGUOUS.intersection(parts[-1:]) and CONTEXT.intersection(identifier_words(owner)))


def _of_goods(parts: tuple[str, ...]) -> bool:
    """`price_per_kg`, `price_per_night`: of what is sold by that measure; `price_per_token` is a rate with many digits."""
    measure = parts[parts.index("per") + 1 :]
    return bool(PRICES.intersection(parts)) and len(measure) == 1 and measure[0] in MEASURES


def _hit(place: Location, name: str, profile: Profile | None = None) -> Hit:
    return Hit(
        message=f"`{name}` keeps money as a float: sums drift by cents, and equal amounts compare as different.",
        location=place,
        fingerprint_key=name,
        profile=profile,
    )
