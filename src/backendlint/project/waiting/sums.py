"""Sums of waits: what each step takes at worst, how sums add up, alternate, repeat and are cut off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from backendlint.findings.model import Location
from backendlint.project.graph.effects import Site

ONCE = frozenset({"cache-read", "cache-write"})
LIKELY = 3
"""Ways to one place: of more, most often one excludes another."""


class Part(NamedTuple):
    """One step of a sum."""

    location: Location
    label: str
    """Such as `requests.post in charge()`."""
    seconds: float
    """Once."""
    times: float
    kind: str
    """The effect; `backoff` for pauses between attempts, `limit` for a time limit around several steps."""
    soft: bool
    """True where only the default of a database, cloud or search library says so."""
    once: bool = False
    """True where a request waits for it once, however often it asks."""
    library: str = ""
    """Whose call it is."""
    visits: int = 1
    """The ways on which its place is come to; what loops repeat there is one."""

    @property
    def total(self) -> float:
        return self.seconds * self.times

    @property
    def likely(self) -> float:
        """The total of so many ways as one request may well go, one after the other."""
        return self.total * min(1.0, LIKELY / max(self.visits, 1))

    @property
    def text(self) -> str:
        """`requests.post in charge() 10 s x 3`."""
        times = f" x {self.times:g}" if self.times != 1 else ""
        return f"{self.label} {duration(self.seconds)}{times}"


class Sum(NamedTuple):
    """The worst-case wait of a piece of code."""

    parts: tuple[Part, ...] = ()
    endless: tuple[Site, ...] = ()
    """Calls without any timeout."""
    unknown: tuple[Site, ...] = ()
    """Calls whose timeout a setting or parameter decides."""
    longer: bool = False
    """True where some of it stands in a loop, and is counted once as nobody knows how often it runs."""

    @property
    def open(self) -> bool:
        """Whether it can take longer than `seconds`."""
        return bool(self.endless or self.unknown or self.longer)

    @property
    def libraries(self) -> set[str]:
        """Whose calls it waits for."""
        calls = {site.model.library for site in (*self.endless, *self.unknown)}
        return calls | {part.library for part in self.parts if part.library}

    @property
    def seconds(self) -> float:
        """Of what is bounded and known."""
        return sum(part.total for part in self.parts)

    @property
    def firm(self) -> float:
        """The same without soft parts."""
        return sum(part.total for part in self.parts if not part.soft)

    def plus(self, other: Sum) -> Sum:
        """One after the other; a cache that is slow once has failed, and is not waited for again at the same place."""
        parts = {part[:3]: part for part in self.parts}
        for part in other.parts:
            known = parts.get(part[:3])
            if known is None:
                parts[part[:3]] = part
            else:
                once = part.once or part.kind in ONCE
                times = max(known.times, part.times) if once else known.times + part.times
                visits = max(known.visits, part.visits) if once else known.visits + part.visits
                parts[part[:3]] = known._replace(times=times, visits=visits)
        endless, unknown = _union(self.endless, other.endless), _union(self.unknown, other.unknown)
        return Sum(tuple(parts.values()), endless, unknown, self.longer or other.longer)

    def repeated(self, times: float) -> Sum:
        """Several times in a row."""
        return self._replace(
            parts=tuple(part if part.once else part._replace(times=part.times * times) for part in self.parts)
        )

    def of_round(self, turn: int) -> Sum:
        """In a loop, whose rounds beyond the first come to its places on no other way."""
        return self._replace(parts=tuple(part._replace(visits=0) for part in self.parts)) if turn else self

    def kept(self) -> Sum:
        """The same, waited for once a request."""
        return self._replace(parts=tuple(part._replace(once=True) for part in self.parts))

    def capped(self, limit: Part) -> Sum:
        """Cut off by a limit around it, which also bounds what would be endless."""
        if not self.endless and not self.unknown and self.seconds <= limit.seconds:
            return self
        return Sum((limit,)) if self.parts or self.endless or self.unknown else self


def terms(parts: Iterable[Part]) -> list[tuple[str, float]]:
    """The steps in words and seconds, the longest first; pauses of one place that differ from round to round are one."""
    places: dict[tuple[Location, str], list[Part]] = {}
    for part in parts:
        places.setdefault((part.location, part.label), []).append(part)
    found = [(_term(group), sum(part.total for part in group)) for group in places.values()]
    return sorted(found, key=lambda term: -term[1])


def _term(group: list[Part]) -> str:
    """`requests.get in fetch() 5 s x 3`, `time.sleep in fetch() 7 s in 3 rounds`."""
    if len(group) == 1:
        return group[0].text
    total, times = sum(part.total for part in group), sum(part.times for part in group)
    return f"{group[0].label} {duration(total)} in {times:g} rounds"


def longest(sums: Iterable[Sum]) -> Sum:
    """The longest of several alternatives, with the endless calls of all."""
    found = list(sums)
    if not found:
        return Sum()
    best = max(found, key=lambda item: (item.firm, item.seconds))
    for item in found:
        best = best._replace(endless=_union(best.endless, item.endless), unknown=_union(best.unknown, item.unknown))
    return best._replace(longer=any(item.longer for item in found))


def _union(left: tuple[Site, ...], right: tuple[Site, ...]) -> tuple[Site, ...]:
    return tuple({id(site.call): site for site in (*left, *right)}.values())


def duration(seconds: float) -> str:
    """`250 ms`, `30 s`, `5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{round(seconds, 1):g} s"
