"""How a project keeps its times: what is told once of all that are kept so."""

from __future__ import annotations

from typing import NamedTuple

from backendlint.api import FEW, SLIPS, Clocks, Hit, KeptTimes, Project, Vid, object_root, operands

from .beyond import ends_in
from .makers import Naive
from .uses import times_of

ADVICE = "advice"
UNSEEN = "unseen"
"""Of local times whose end is not seen: advice, unless Django takes them for what they are not."""


class Times(NamedTuple):
    """What is known of the project's times."""

    project: Project
    clocks: Clocks
    utc: KeptTimes
    local: KeptTimes


def style_of(times: Times, naive: Naive) -> str:
    """A time that certainly meets one of another clock is told for itself. Of the others, those in UTC are how the project
    keeps its times; local ones are slips where zones are usual, and advice where they are not, or where they meet nothing
    but their like, or the eyes of people."""
    kept, zones = times.local if naive.local else times.utc, times.clocks.zones_usual
    if naive.call is None:
        zoned = times.clocks.column(naive.fn, naive.column)
        if zoned or (zoned is False and naive.local):
            return "" if zoned else "rows"
        like = naive.filled in kept.fields
    elif not naive.local and kept.consistent(naive.fn, naive.call):
        return ADVICE if _on_object(times.project, naive) else "utc"
    elif times.clocks.harms(naive.fn, naive.values, local=naive.local):
        return ""
    elif _into(kept.mixed, naive):
        return "mixed"
    elif naive.converts:
        return ADVICE
    elif naive.local and times.clocks.in_rows(naive.fn, naive.values):
        return "rows"
    elif naive.local:
        return _further_on(times, naive, kept)
    else:
        like = False
    if naive.local:
        return ADVICE if like or not zones else "local"
    return "utc" if like or not zones else "stray"


def _further_on(times: Times, naive: Naive, kept: KeptTimes) -> str:
    """Local time that the function itself brings to no harm: told where it is seen to end beside another clock or in rows, an
    object keeps it, or a client gets it. What stays in the process, or is shown to whoever started it, is advice."""
    fn, clocks = naive.fn, times.clocks
    beside = any(
        any(vid in naive.values for _, vid in call.kwargs)
        and any("aware" in clocks.kinds(fn, vid) for _, vid in call.kwargs if vid not in naive.values)
        for call in fn.calls
    )
    end = "harm" if beside else ends_in(times.project, clocks, fn, naive.values)
    if end:
        return "" if end == "harm" else "rows"
    if not clocks.zones_usual or (naive.call is not None and kept.consistent(fn, naive.call)):
        return ADVICE
    stored = any(store.name and store.value in naive.values for store in fn.facts.stores)
    served = fn.fqn in times.project.route_functions and not clocks.only_told(fn, naive.values)
    return "local" if (stored and not _on_object(times.project, naive)) or served else UNSEEN


def _on_object(project: Project, naive: Naive) -> bool:
    """Whether an object of no row is all that keeps the time, for as long as the process runs, or that it is measured against:
    `self.refreshed = utcnow()`, `utcnow() - self.refreshed`."""
    fn = naive.fn
    if fn.cls is None or project.hierarchy.role(fn.cls) in ("model", "schema", "serializer", "form"):
        return False
    times = times_of(fn, naive.call.value, ("guard",)) if naive.call is not None else set[Vid]()
    stores = [store for store in fn.facts.stores if store.value in times]
    passed = [back.value for back in fn.facts.returns] + [vid for call in fn.calls for vid in call.passed]
    reads = {vid for item in times for vid in fn.made_of(item)} - times
    reads = {vid for vid in reads if fn.value(vid)[0] not in ("store", "setattr")}
    beside = [fn.unguarded(vid) for item in reads for vid in operands(fn.value(item)) if vid not in times]
    return (
        times.isdisjoint(passed)
        and all(store.name and fn.value(object_root(fn, store.base)) == ("param", 0) for store in stores)
        and all(value[0] == "attr" and fn.unguarded(value[1]) == ("param", 0) for value in beside)
        and all(fn.value(item)[0] in ("compare", "binop") for item in reads)
        and bool(stores or beside)
    )


def _into(fields: frozenset[str], naive: Naive) -> bool:
    """Whether the time is put into one of the fields."""
    passed = [item for call in naive.fn.calls for item in call.kwargs]
    passed += [(store.name, store.value) for store in naive.fn.facts.stores]
    return any(name in fields and vid in naive.values for name, vid in passed)


def _kept_in_utc(_: Hit, others: str) -> str:
    return (
        f"Times are kept in UTC without a zone, here and in {others}: nothing says that they are, and the first "
        "aware or local time beside them is wrong by hours, or raises."
    )


def _kept_mixed(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. The same fields are given local times and such in UTC, here and in {others}."


def _kept_in_rows(_: Hit, others: str) -> str:
    return (
        f"Rows keep the server's local time without a zone, here and in {others}: it is wrong by hours for whoever reads "
        "it elsewhere, and for an hour when the clocks change."
    )


def _kept_by_django(_: Hit, others: str) -> str:
    return (
        f"Times without a zone are made, here and in {others}, although `USE_TZ` is on: Django takes them for UTC, with a warning "
        "each, and beside an aware time they raise; ask `timezone.now()`."
    )


def _kept_local(_: Hit, others: str) -> str:
    return (
        f"The server's local time is taken without a zone, here and in {others}, while the project has times with "
        "a zone elsewhere: beside those it is wrong by hours, or raises."
    )


STYLES = {
    "utc": (1, _kept_in_utc),
    "mixed": (1, _kept_mixed),
    "stray": (FEW, _kept_in_utc),
    "rows": (FEW, _kept_in_rows),
    "django": (1, _kept_by_django),
    "local": (SLIPS, _kept_local),
}
"""So many are told one by one, and what is told of more."""
