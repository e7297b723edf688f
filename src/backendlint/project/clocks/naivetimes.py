"""Times without a zone that do no harm where they go: spans on one clock, days, claims of tokens, texts of the calendar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Store, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import object_root
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

CALENDAR = frozenset(["strftime", "year", "month", "day", "hour", "minute", "weekday", "date", "ctime"])
"""What says something of the calendar alone."""
LOCAL = frozenset(["now", "today", "fromtimestamp"])
_UTC = frozenset(["utcnow", "utcfromtimestamp"])
_IN_UTC = ("GMT", "UTC", "Z")
"""How formats of times end that are UTC by what is written."""
_OF_DAY = re.compile(r"%[HIcXsfTRr]")
"""Parts of formats that say when of a day."""
DAY = "day"
_DATES = frozenset(["Date", "DATE", "DateField"])
_ASKING = frozenset(["Q", "filter", "exclude", "get", "update"])
"""What takes fields and how they compare by keywords, in Django."""
_COMPARED = frozenset(["exact", "gt", "gte", "lt", "lte"])
CLAIMS = frozenset(["jwt.encode", "jose.jwt.encode", "jwt.api_jwt.encode"])
MAX_DEPTH = 4


def clock(project: Project, fn: Fn, vid: Vid, depth: int = MAX_DEPTH) -> str:
    """`local` or `utc` for a time without a zone, by what made it, `day` for one read from a text that holds no more; "" where
    that is not known."""
    value = fn.unguarded(vid)
    if depth and value[0] == "binop" and value[1] in ("+", "-") and _is_span(project, fn, value[3]):
        return clock(project, fn, value[2], depth - 1)
    if value[0] != "call":
        return ""
    call = fn.calls[value[1]]
    for model in project.models(fn, call):
        short = model.name.rpartition(".")[2]
        if not model.name.startswith("datetime.datetime."):
            continue
        if short in LOCAL and len(call.args) < 2 - (short == "now") and not call.kwargs:
            return "local"
        if short in _UTC:
            return "utc"
        if short == "strptime" and len(call.args) == 2:
            pattern = str(fn.const(call.args[1]))
            if "%d" in pattern and not _OF_DAY.search(pattern):
                return DAY
            return "utc" if "%z" not in pattern and pattern.endswith(_IN_UTC) else ""
    return ""


def measures(project: Project, fn: Fn, call: Call) -> bool:
    """`datetime.now() - datetime.fromtimestamp(start)`: nothing but spans and comparisons on one clock are made of it."""
    own = clock(project, fn, call.value)
    times = _shifted(project, fn, call.value)
    if not own or kept(fn, times) or any(not times.isdisjoint(other.passed) for other in fn.calls):
        return False
    reads = [
        value for vid, value in enumerate(fn.facts.values) if vid not in times and not times.isdisjoint(operands(value))
    ]
    sides = [
        tuple(value[2:4]) if value[:2] == ("binop", "-") else value[2] if value[0] == "compare" else ()
        for value in reads
    ]
    return bool(reads) and all(
        pair and all(vid in times or clock(project, fn, vid) in (own, DAY) for vid in pair) for pair in sides
    )


def only_calendar(fn: Fn, call: Call) -> bool:
    """Whether nothing but the calendar is read of it, also of what it is replaced or shifted to."""
    times, asked = {call.value}, set[Vid]()
    for vid, value in enumerate(fn.facts.values):
        if value[0] in ("guard", "phi", "binop") and not times.isdisjoint(operands(value)):
            times.add(vid)
        elif value[0] == "attr" and value[1] in times and value[2] == "replace":
            asked.add(vid)
        elif value[0] == "call" and fn.calls[value[1]].func in asked and fn.calls[value[1]].kwarg("tzinfo") < 0:
            times.add(vid)
    if kept(fn, times) or any(not times.isdisjoint(other.passed) for other in fn.calls):
        return False
    reads = _users(fn, times) - times - asked
    return bool(reads) and all(
        value[0] == "attr" and (value[2] in CALENDAR or (value[2] == "isoformat" and _cut_to_day(fn, vid)))
        for vid, value in ((vid, fn.value(vid)) for vid in reads)
    )


def _users(fn: Fn, vids: set[Vid]) -> set[Vid]:
    return {user for vid in vids for user in fn.made_of(vid)}


def _cut_to_day(fn: Fn, vid: Vid) -> bool:
    """`now.isoformat().split("T")`: the day is all that is made of the text."""
    texts = {call.value for call in fn.calls if call.func == vid}
    if kept(fn, texts) or any(not texts.isdisjoint(call.passed) for call in fn.calls):
        return False
    reads = _users(fn, texts)
    splits = {call.func for call in fn.calls if call.args and fn.const(call.args[0]) == "T"}
    return bool(reads) and all(number in splits and fn.value(number)[-1] == "split" for number in reads)


def only_claims(project: Project, fn: Fn, call: Call, in_utc: bool = False) -> bool:
    """Whether a time in UTC goes into nothing but the claims of a token or the end of a cookie, where one without a zone is
    taken for UTC; `in_utc`: the process runs in it, so that local time is no other."""
    times = _shifted(project, fn, call.value)
    if clock(project, fn, call.value) not in (("utc", "local") if in_utc else ("utc",)):
        return False
    signs = [other for other in fn.calls if any(model.name in CLAIMS for model in project.models(fn, other))]
    made = {other.value for other in fn.calls if fn.value(other.func) == ("name", "builtins.dict")}
    signed = {object_root(fn, vid) for other in signs for vid in other.passed}
    signed = {vid for vid in signed if vid in made or fn.value(vid)[0] == "dict"}
    stored = {item.value for item in fn.facts.stores if object_root(fn, item.base) not in signed}
    if stored & times or any(back.value in times for back in fn.facts.returns):
        return False
    passes = [other for other in fn.calls if not times.isdisjoint(other.passed)]
    reads = {vid for vid in _users(fn, times) - times if fn.value(vid)[0] != "store"} | {item.value for item in passes}
    ends = {other.value for other in passes if _until(project, fn, other, times)}
    into = {item.value for item in fn.facts.stores} & times
    return bool(reads | into) and reads <= signed | ends


def _until(project: Project, fn: Fn, call: Call, times: set[Vid]) -> bool:
    """`response.set_cookie("seen", key, expires=until)`; Starlette's takes no time without a zone."""
    named = fn.callee_name(call) == "set_cookie" and call.kwarg("expires") in times
    others = times.intersection(call.args) or any(vid in times for key, vid in call.kwargs if key != "expires")
    return named and not others and not any(m.name.startswith("starlette.") for m in project.models(fn, call))


def into_dates(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the time, perhaps moved by a span or one of several, is given to nothing but columns and fields that hold a day."""
    times = _or_others(fn, _shifted(project, fn, call.value))
    passes = [other for other in fn.calls if not times.isdisjoint(other.passed)]
    stores = [item for item in fn.facts.stores if item.value in times]
    return (
        {vid for vid in _users(fn, times) if fn.value(vid)[0] != "setattr"} - {other.value for other in passes} <= times
        and not any(back.value in times for back in fn.facts.returns)
        and bool(passes or stores)
        and all(_fills_dates(project, fn, item, times) for item in passes)
        and all(_is_date(project, fn, item) for item in stores)
    )


def _or_others(fn: Fn, times: set[Vid]) -> set[Vid]:
    """With what is the time in one branch, and something else in another."""
    found = set(times)
    for vid, value in enumerate(fn.facts.values):
        if (value[0] == "phi" and not found.isdisjoint(value[1])) or (value[0] == "guard" and value[1] in found):
            found.add(vid)
    return found


def _is_date(project: Project, fn: Fn, store: Store) -> bool:
    """`bill.day = datetime.today()`."""
    classes = [project.classes.get(ref.name) for ref in project.refs(fn, store.base)] if store.name else []
    declared = [(cls.owner, cls.facts.attributes.get(store.name, -1)) for cls in classes if cls is not None]
    return bool(declared) and all(vid >= 0 and declares_date(owner, vid) for owner, vid in declared)


def _fills_dates(project: Project, fn: Fn, call: Call, times: set[Vid]) -> bool:
    """`Bill(day=datetime.today())`, `Bill.objects.filter(day__gt=datetime.today())`, where `day` is declared as a date."""
    if not times.isdisjoint(call.args):
        return False
    classes = [project.classes.get(ref.name) for ref in project.callees(fn, call) if ref.kind == "class"]
    keys = [key for key, vid in call.kwargs if vid in times]
    if fn.callee_name(call) in _ASKING and not any(classes):
        return all(_asks_date(project, fn, key) for key in keys)
    declared = [(cls.owner, cls.facts.attributes.get(key, -1)) for cls in classes if cls is not None for key in keys]
    return bool(declared) and all(vid >= 0 and declares_date(owner, vid) for owner, vid in declared)


def _asks_date(project: Project, fn: Fn, key: str) -> bool:
    """`berth__free_since__gt`: whether the field that the key ends with holds a day, in the models that the function names or, if none
    of those has it, in all."""
    *_, name = (part for part in ("", *key.split("__")) if part not in _COMPARED)
    named = (project.classes.get(ref.name) for vid in fn.made_by("name") for ref in project.refs(fn, vid))
    bases = [base for cls in named if cls is not None for base in project.hierarchy.mro(cls)]
    fields = _fields(bases, name) or _fields(project.classes.values(), name)
    return bool(fields) and all(declares_date(owner, vid) for owner, vid in fields)


def _fields(classes: Iterable[Cls], name: str) -> list[tuple[Fn, Vid]]:
    declared = [(cls.owner, cls.facts.attributes.get(name, -1)) for cls in classes]
    return [(owner, vid) for owner, vid in declared if _last_called(owner, vid).endswith("Field")]


def _last_called(fn: Fn, vid: Vid) -> str:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return _last(fn, fn.calls[value[1]].func) if value[0] == "call" else ""


def declares_date(fn: Fn, vid: Vid) -> bool:
    """`Column(Date, ...)`, `DateField(...)`."""
    value = fn.unguarded(vid)
    if value[0] != "call":
        return False
    call = fn.calls[value[1]]
    kinds = [
        call.func,
        *(fn.calls[fn.unguarded(arg)[1]].func if fn.unguarded(arg)[0] == "call" else arg for arg in call.args),
    ]
    return any(_last(fn, kind) in _DATES for kind in kinds)


def _last(fn: Fn, vid: Vid) -> str:
    value = fn.unguarded(vid)
    return str(value[-1]).rpartition(".")[2] if value[0] in ("name", "attr") else ""


def _shifted(project: Project, fn: Fn, start: Vid) -> set[Vid]:
    """The time, also where it was tested or moved by a span."""
    found = {start}
    for vid, value in enumerate(fn.facts.values):
        moved = value[0] == "binop" and value[2] in found and _is_span(project, fn, value[3])
        if moved or (value[0] == "guard" and value[1] in found):
            found.add(vid)
    return found


def _is_span(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(ref.name == "datetime.timedelta" for ref in project.refs(fn, vid))


def kept(fn: Fn, times: set[Vid]) -> bool:
    """Whether the time is returned or stored."""
    return any(back.value in times for back in fn.facts.returns) or any(item.value in times for item in fn.facts.stores)
