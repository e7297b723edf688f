"""REL307: points in time without a time zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import FEW, Clocks, Fn, Hit, KeptTimes, Profile, Project, Vid, by_style, told_once

from .makers import Naive, handed_on, made_here, told_already
from .settings import program, programs_of, runs_in_utc, zones_of
from .styles import ADVICE, STYLES, UNSEEN, Times, style_of

ALIKE = 2
"""So many times alike of one function are told one by one."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that makes a naive point in time, or a place that passes such a function on as a default."""
    clocks = Clocks(project)
    times = Times(project, clocks, KeptTimes(clocks, "utc"), KeptTimes(clocks, "local"))
    styles = by_style(project, list(project.all_functions()), partial(_judged, times))
    yield from _once_a_function(styles.pop("", ()))
    if len(styles.get("stray", ())) > FEW:  # the same is said of both
        styles["stray"] += styles.pop("utc", [])
    for style, hits in styles.items():
        few, told = STYLES[style]
        yield from _once_a_function(told_once(hits, told, few))


def _judged(times: Times, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and the style of the project that it is one of: told once; "" where it is told for itself."""
    zones = zones_of(times.project)
    usual: Profile | None = "strict" if zones == {False} else None  # the whole project, its database included, has none
    utc = runs_in_utc(times.project)
    shifts = "" if utc else ", an hour off when the clocks change"
    programs = programs_of(times.project, "django") if zones == {True} else set()
    for fn in functions:
        for made in _once_a_test(fn, (*made_here(times.project, fn, usual), *handed_on(times.project, fn, usual))):
            in_django = program(fn.path) in programs and (made.local or utc) and not told_already(made)
            naive = _in_django(made, shifts) if in_django else made
            if naive.hit.profile is not None or told_already(naive):
                yield naive.hit, ""
                continue
            style = style_of(times, naive)
            if in_django and utc and style not in (ADVICE, "utc"):
                style = "" if times.clocks.met(naive.fn, naive.values, local=naive.local) else "django"
            advice = style in (ADVICE, UNSEEN)
            yield (replace(naive.hit, profile="strict"), "") if advice else (naive.hit, style)


def _once_a_function(hits: Iterable[Hit]) -> Iterator[Hit]:
    """`start = datetime.today() - days`, `end = datetime.today()`: of more of one function the first two."""
    told: Counter[tuple[str | None, str]] = Counter()
    for hit in hits:
        key = (hit.function, hit.message)
        again = told[key] >= ALIKE and not str(hit.function).endswith("<module>")
        yield replace(hit, profile="strict") if again and hit.profile is None else hit
        told[key] += hit.profile is None


def _once_a_test(fn: Fn, made: Iterable[Naive]) -> Iterator[Naive]:
    """`utcnow() >= fromtimestamp(end)`: of two times that are compared with each other, the first."""
    told: set[Vid] = set()
    for naive in made:
        if told.isdisjoint(naive.values):
            yield naive
            for vid in fn.made_by("compare") if naive.hit.profile is None else ():
                sides = fn.value(vid)[2]
                told.update(() if naive.values.isdisjoint(sides) else set(sides) - naive.values)


def _in_django(naive: Naive, shifts: str) -> Naive:
    """Django runs the process in `TIME_ZONE`, and reads naive times so."""
    what = naive.hit.message.partition(":")[0]
    cure = "ask `timezone.now()`" if ".now`" in what else "make it with a zone"
    message = (
        f"{what} although `USE_TZ` is on: models and queries take it for one in `TIME_ZONE`, with a warning{shifts}; beside an "
        f"aware time it raises; {cure}."
    )
    return naive._replace(hit=replace(naive.hit, message=message))
