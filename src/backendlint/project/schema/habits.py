"""What migrations do again and again is a habit of the project: told once, where it was done last."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from backendlint.findings.model import Hit

ALIKE = 2
"""So many of a kind in one migration are told one by one."""
SEVERAL = 2
"""In so many migrations each is told; what is done in more has run in most of them, and is decided for the next."""
_OPENING = re.compile(r"^(`?[^`(]*).*$", re.DOTALL)

Age = tuple[date, int]
"""When a migration was made as far as that is known, and how many of its chain came after it, negated: the newest has the greatest."""


def by_habit(hits: Iterable[Hit], ages: Callable[[], Mapping[str, Age]]) -> Iterator[Hit]:
    """Of many hits of a kind in one migration the first, with how many there are; of many migrations the newest one's.
    Hits of a severity of their own are told one by one, and advice passes."""
    by_path: dict[str, dict[str, list[Hit]]] = {}
    for hit in hits:
        if hit.profile == "strict" or hit.severity:
            yield hit
        else:
            by_path.setdefault(hit.location.path, {}).setdefault(_kind(hit), []).append(hit)
    newest = _newest(by_path, ages) if len(by_path) > SEVERAL else None
    for path, kinds in by_path.items():
        own = [hit for alike in kinds.values() for hit in _once(alike)]
        if newest is None:
            yield from own
        elif path != newest:
            yield from (replace(hit, profile="strict") for hit in own)
        else:
            first, *others = own
            yield replace(
                first, message=f"{first.message[:-1]}. Much the same is in {len(by_path) - 1} more migrations."
            )
            yield from others


def _kind(hit: Hit) -> str:
    """What the message says before it names anything."""
    return _OPENING.sub(r"\1", hit.message)


def _once(alike: list[Hit]) -> Iterator[Hit]:
    """Those of one migration, or the first that is certain enough to stand for the others."""
    if len(alike) <= ALIKE:
        yield from alike
        return
    first, *others = sorted(alike, key=lambda hit: (hit.confidence == "low", hit.location.line, hit.location.column))
    places = f"{len(others)} more places"
    yield replace(first, message=f"{first.message[:-1]}. So it is in {places} of this migration.")
    yield from (replace(hit, profile="strict") for hit in others)


def _newest(paths: Iterable[str], ages: Callable[[], Mapping[str, Age]]) -> str:
    known = ages()
    return max(sorted(paths), key=lambda path: known.get(path, (date.min, -len(known))))
