"""REL308: amounts of money in binary floating point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import Call, Cls, Fn, Hit, Location, Profile, Project, Vid, identifier_words, sqltypes

from .answers import Answers
from .conversions import conversion
from .words import AMBIGUOUS, CONTEXT, COSTS, LEDGERS, MONEY, is_money, words_of

NOT_MONEY_OWNERS = frozenset(["count", "counts", "meter", "usage", "signal", "metric", "metrics", "stats", "weight"])
QUANTITY = frozenset(["unit", "units", "quantity_unit", "measure", "food", "ingredient", "uom"])
"""Fields beside which an `amount` is no money."""
MOTIONS = frozenset("scroll zoom pan blur swipe drag rotation noise jitter crop pixel rain".split())
"""Of these an `amount` is no money."""
SHARES = frozenset(["pct", "percent", "percentage", "ratio"])
_SHARE = re.compile("pct|percent|ratio", re.IGNORECASE)
"""What the names of all bindings are first searched for."""
PAID = frozenset("currency quantity vat sku shipping supplier vendor customer expense expenses budget".split())
"""What stands beside a `cost` that somebody pays."""
SPEAKS = MONEY | AMBIGUOUS | CONTEXT | LEDGERS | PAID
"""What beside an amount says that it is one of money."""
ALIKE = 2
"""So many fields of one class are told one by one."""
NAMED = 4
"""So many others are named."""
STORES = frozenset(["model", "schema", "serializer", "form"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a column or field whose name says money and whose type says float, and a conversion that is reckoned with."""
    declared: set[str] = set()
    answers, shares, exact = Answers(project), _shares(project), _exact(project)
    shown: list[Hit] = []
    for cls in project.classes.values():
        hits = [hit for hit in _fields(project, cls, answers) if _words_of(hit) not in shares]
        declared |= set(map(_field_of, hits))
        if project.hierarchy.role(cls) == "model":
            yield from _together(hits)
        else:
            shown += (replace(hit, profile="strict") if _field_of(hit) in exact else hit for hit in hits)
    yield from _together(shown)
    declared |= exact
    for fn in project.reviewed():
        for call in fn.calls:
            yield from (hit for hit in _columns(project, fn, call, declared) if _words_of(hit) not in shares)
    if _writes_tables(project):
        yield from _tables(project)
    for fn, call in project.graph.calls_of("builtins.float"):
        if project.counts(fn):
            yield from conversion(project, fn, call)


def _field_of(hit: Hit) -> str:
    return str(hit.fingerprint_key).rpartition(".")[2]


def _words_of(hit: Hit) -> tuple[str, ...]:
    return identifier_words(_field_of(hit))


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
    found = {name for name in read if is_money(name, "")}
    given = {
        key
        for fn in (project.all_functions() if found else ())
        for call in fn.calls
        for key, vid in call.kwargs
        if _attribute(fn, vid) in found
    }
    return frozenset(identifier_words(name) for name in found | given)


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
            if place is None or sqltypes.family(column.type) != "float" or not is_money(column.name, table.name):
                continue
            beside = [table.name, *(name for name in table.columns if name != column.name)]
            counted = column.name.lower() == "amount" and not QUANTITY.isdisjoint(beside)
            vague = counted or _of_anything(column.name, beside) or _unpaid(column.name, beside)
            if project.counts(place) and not vague:
                yield _hit(place, f"{table.name}.{column.name}")


def _fields(project: Project, cls: Cls, answers: Answers) -> Iterator[Hit]:
    if project.hierarchy.role(cls) not in STORES and not _is_data_class(project, cls):
        return
    quantity = QUANTITY.intersection(cls.facts.field_spans)
    for name, span in cls.facts.field_spans.items():
        if not is_money(name, cls.name):
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


def _of_anything(name: str, others: list[str]) -> bool:
    """A bare `amount` beside which nothing speaks of money: of milk, of points."""
    return name.lower() == "amount" and SPEAKS.isdisjoint(words_of(others))


def _unpaid(name: str, others: list[str]) -> bool:
    """A bare `cost`, of which nothing beside it says that it is paid: what a planner or scheduler compares."""
    return name.lower() in COSTS and (SPEAKS - COSTS).isdisjoint(words_of(others))


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
    if not isinstance(name, str) or not is_money(name, "") or "float" not in _column_types(project, fn, call.value):
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


def _hit(place: Location, name: str, profile: Profile | None = None) -> Hit:
    return Hit(
        message=f"`{name}` keeps money as a float: sums drift by cents, and equal amounts compare as different.",
        location=place,
        fingerprint_key=name,
        profile=profile,
    )
