"""What a project does everywhere is a style of it: told once, at the first place, and not at each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from backendlint.findings.model import Hit

FEW = 4
"""So many places are told one by one."""


def told_once(hits: Iterable[Hit], told: Callable[[Hit, str], str], few: int = FEW) -> Iterator[Hit]:
    """Up to `few` hits as they are; of more the first in the default profile, with what `told(hit, "41 more places")` says.

    The others are advice, for whoever wants to see each. All the project's hits are needed, whatever is reviewed.
    """
    ordered = sorted(hits, key=lambda hit: (hit.location.path, hit.location.line, hit.location.column))
    if len(ordered) <= few:
        yield from ordered
        return
    first, *others = ordered
    places = f"{len(others)} more place{'s' if len(others) > 1 else ''}"
    yield replace(first, message=told(first, places), severity="note")
    yield from (replace(hit, profile="strict") for hit in others)
