"""What a project does everywhere is a style of it: told once, at the first place, and not at each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from backendlint.findings.model import Hit, Severity

if TYPE_CHECKING:
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project

StyleT = TypeVar("StyleT", bound=Hashable)

FEW, SLIPS = 4, 12
"""So many places are told one by one; the latter where the project usually does otherwise."""
ALIKE = 2
"""So many where they stand in one file and say the same."""


def by_style(
    project: Project, functions: Sequence[Fn], judged: Callable[[Iterable[Fn]], Iterable[tuple[Hit, StyleT]]]
) -> dict[StyleT, list[Hit]]:
    """What is told of the functions, by the style of the project that each hit is one of; under "" or None those that are told
    for themselves, of the reviewed functions alone. Of a style all are there: how many decides how they are told.
    """
    found = list(judged(filter(project.counts, functions)))
    if project.focus is not None and any(style for _, style in found):
        found = [item for item in found if not item[1]] + [item for item in judged(functions) if item[1]]
    styles: dict[StyleT, list[Hit]] = {}
    for hit, style in found:
        styles.setdefault(style, []).append(hit)
    return styles


def told_once(
    hits: Iterable[Hit],
    told: Callable[[Hit, str], str],
    few: int = FEW,
    severity: Severity | None = "note",
    each: Callable[[Hit], Hashable] | None = None,
    *,
    by_function: bool = False,
    slip: Callable[[Hit], Hashable] | None = None,
    others: Iterable[Hit] = (),
) -> Iterator[Hit]:
    """Up to `few` hits as they are; of more the first in the default profile, with what `told(hit, "41 more places")` says:
    the first that is certain enough to stand for the others.

    It has the `severity`; with none the rule's own. The others are advice, for whoever wants to see each. All the
    project's hits are needed, whatever is reviewed; those elsewhere may come as `others`, in the order of their places: they
    are asked for only as long as they may decide what is told. With `each` what has the same key by it is told once
    (beyond ALIKE), and advice passes. `by_function`: also where they are few, those of one function are told once (beyond
    ALIKE); with `slip` those that have the same key by it.
    """
    if each is not None:
        groups: dict[Hashable, list[Hit]] = {}
        for hit in hits:
            if hit.profile == "strict":
                yield hit
            else:
                groups.setdefault(each(hit), []).append(hit)
        for group in groups.values():
            yield from told_once(group, told, min(few, ALIKE), severity, by_function=by_function)
        return
    own = list(hits)
    further = _stand_aside(own, others, few)
    if further is None:
        yield from (replace(hit, profile="strict") for hit in own)
        return
    ordered = sorted([*own, *further], key=_place)
    if len(ordered) <= few:
        if slip is not None:
            yield from told_once(ordered, told, ALIKE, None, slip)
        else:
            yield from _by_function(ordered, told) if by_function else ordered
        return
    first, *rest = sorted(ordered, key=lambda hit: hit.confidence == "low")
    yield replace(first, message=told(first, _more(rest)), severity=severity)
    yield from (replace(hit, profile="strict") for hit in rest)


def _stand_aside(own: Sequence[Hit], others: Iterable[Hit], few: int) -> list[Hit] | None:
    """The other hits; None as soon as one of them is sure to be told for all."""
    if not own:
        return []
    first = min(map(_place, own))
    seen: list[Hit] = []
    earlier = False
    for hit in others:
        seen.append(hit)
        earlier = earlier or (hit.confidence != "low" and _place(hit) < first)
        if earlier and len(own) + len(seen) > few:
            return None
    return seen


def _place(hit: Hit) -> tuple[str, int, int]:
    return hit.location.path, hit.location.line, hit.location.column


def _more(hits: Sequence[Hit]) -> str:
    return f"{len(hits)} more place{'s' if len(hits) > 1 else ''}"


def _by_function(hits: Iterable[Hit], told: Callable[[Hit, str], str]) -> Iterator[Hit]:
    """Of more than a few of a function the first, with how many there are; they are read, and mended, together. Advice passes."""
    found: dict[str | None, list[Hit]] = {}
    for hit in hits:
        if hit.profile == "strict":
            yield hit
        else:
            found.setdefault(hit.function, []).append(hit)
    for group in found.values():
        if len(group) <= ALIKE:
            yield from group
            continue
        first, *others = group
        owner = "module" if not first.function or first.function.endswith("<module>") else "function"
        yield replace(first, message=told(first, f"{_more(others)} of this {owner}"))
        yield from (replace(hit, profile="strict") for hit in others)


def here_and_in(hit: Hit, others: str, *, after: str = "", before: str = "") -> str:
    """The hit's message with where else it is so, behind what it says first and before what it goes on with."""
    return hit.message.replace(f"{after}{before}", f"{after}, here and in {others}{before}", 1)
