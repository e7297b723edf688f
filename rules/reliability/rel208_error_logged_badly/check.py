"""REL208: what a handler's log calls say of the error: twice, or too little."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from backendlint.api import (
    FEW,
    SLIPS,
    Fn,
    Hit,
    Project,
    Vid,
    asks_nobody,
    by_style,
    calls_in,
    comments_in,
    derived,
    for_developers,
    for_tests,
    here_and_in,
    ingredients,
    lines_of,
    listed,
    log_call,
    of_caught,
    only_by_hand,
    only_converts,
    told_once,
)

from .faults import failing
from .losses import formats_traceback, lost
from .repeated import twice
from .verdicts import Verdict, judged
from .wording import LOST

SHOWS = frozenset({"write", "print", "echo", "secho"})
"""What shows a text to who sits at the terminal."""
ABOUT_LOGS = re.compile(r"#.*\b(trace ?backs?|stack ?traces?|logs?|logging|logged|sensitive|secrets?)\b", re.IGNORECASE)
"""A comment that speaks of what is logged, or had better not be."""
DECIDED = re.compile(r"best[- ]effort|swallow|(never|not|n't|without|instead of) rais(e|es|ing)\b", re.IGNORECASE)
REASON = re.compile(
    r"#\s*(?:(?:noqa|pylint|type|pragma|nosec)\b[^-#]*-+)?\s*(?!noqa|pylint|type:|pragma|nosec)[^\W\d]\w*\s\w"
)
"""A comment of words, behind a marker for another tool perhaps: `# noqa: BLE001 -- never break telemetry`."""


def check(project: Project, options: Mapping[str, object]) -> Iterator[Hit]:
    everywhere = project.functions_with("except")
    styles = by_style(project, everywhere, partial(_hits_in, project, options))
    yield from styles.pop("", ())
    for why, hits in styles.items():
        few = SLIPS if len(hits) > FEW and why == "untraced" and _traces(everywhere, len(hits)) else FEW
        yield from told_once(hits, partial(here_and_in, after=LOST[why][0]), few, by_function=True)


def _hits_in(project: Project, options: Mapping[str, object], functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and why it is one; "" for advice."""
    for fn in functions:
        yield from ((hit, "") for hit in failing(project, fn))
        for index, block in enumerate(fn.facts.blocks):
            for verdict in judged(fn.file, fn.facts, index) if block.kind == "except" else ():
                hit = _told(project, fn, verdict, index, options)
                if hit is not None:
                    hit = replace(hit, profile="strict") if _is_advice(project, fn, verdict, index, options) else hit
                    yield hit, verdict.why if hit.profile is None else ""


def _is_advice(project: Project, fn: Fn, verdict: Verdict, handler: int, options: Mapping[str, object]) -> bool:
    """Whether little is lost, or somebody sees it anyway."""
    if for_developers(fn.path) or for_tests(project, fn) or _is_watched(project, fn, options):
        return True
    if project.layer(fn) == "migration":
        return True  # it has run, and nobody will mend it
    if verdict.why == "untraced" and (_is_started(project, fn, options) or _is_shown(project, fn, handler)):
        return True
    return verdict.again is None and (
        _only_reads(project, fn, handler) or _only_told(fn, handler) or _is_decided(project, fn, handler, verdict.why)
    )


def _only_reads(project: Project, fn: Fn, handler: int) -> bool:
    """Whether nothing is tried but to make a value of another: what failed there is the value."""
    calls = calls_in(fn.facts, fn.facts.blocks[handler].group)
    return only_converts(project, fn, handler) or (
        bool(calls) and all(asks_nobody(project, fn, call) for call in calls)
    )


def _only_told(fn: Fn, handler: int) -> bool:
    """Whether nothing is tried but to make what a record says: `log.debug("%d rows", client.stats()["rows"])`."""
    calls = calls_in(fn.facts, fn.facts.blocks[handler].group)
    logs = [call for call in calls if log_call(fn.file, fn.facts, call)]
    said = ingredients(fn.facts, [vid for call in logs for vid in call.passed])
    asked = [call.value for call in calls if call not in logs]
    if not logs or not said.issuperset(asked):
        return False
    made = set[Vid]().union(*(derived(fn, vid) for vid in asked))
    tried = fn.facts.blocks[fn.facts.blocks[handler].group].span
    return made.isdisjoint(fn.returned) and all(tried.holds(fn.facts.span_of(vid)) for vid in made)


def _is_watched(project: Project, fn: Fn, options: Mapping[str, object]) -> bool:
    """What shows somebody how far it has come (`tqdm(posts)`), and no endpoint leads to."""
    return bool(fn.file.packages & listed(options, "watched")) and not project.reach(fn.fqn)


def _is_started(project: Project, fn: Fn, options: Mapping[str, object]) -> bool:
    """A program that somebody has started with arguments: the text of an error tells them enough."""
    return bool(fn.file.packages & listed(options, "started")) and only_by_hand(project, fn)


def _is_shown(project: Project, fn: Fn, handler: int) -> bool:
    """Whether a command tells who has started it too: `self.stdout.write(f"not moored: {error}")`."""
    calls = calls_in(fn.facts, handler)
    said = [call for call in calls if fn.callee_name(call) in SHOWS and log_call(fn.file, fn.facts, call) is None]
    return any(of_caught(fn.facts, handler, call.passed) for call in said) and only_by_hand(project, fn)


def _is_decided(project: Project, fn: Fn, handler: int, why: str) -> bool:
    """Whether a comment in the handler or behind its `except` says why it is so little, or the docstring that failures are
    none; why there is no traceback, a comment that speaks of that."""
    span = fn.facts.blocks[handler].span
    comments = comments_in(project, fn.path, span)
    if why != "hidden":
        return any(map(ABOUT_LOGS.search, comments))
    first = lines_of(project, fn.path)[span.line - 1 : span.line]
    return bool(comments) or DECIDED.search(fn.facts.docstring) is not None or any(map(REASON.search, first))


def _traces(functions: Iterable[Fn], without: int) -> bool:
    """Whether the project usually logs errors with their traceback."""
    handled = ((fn, call) for fn in functions for call in fn.calls if fn.inside(call.block, "except") is not None)
    logged = (log_call(fn.file, fn.facts, call) for fn, call in handled)
    return sum(found is not None and found.traceback for found in logged) >= without


def _told(project: Project, fn: Fn, verdict: Verdict, handler: int, options: Mapping[str, object]) -> Hit | None:
    if verdict.again is not None:
        return twice(project, fn, verdict.found, verdict.again)
    return None if formats_traceback(project, fn, verdict.found.call) else lost(project, fn, verdict, handler, options)
