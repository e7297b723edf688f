"""REL201: a handler in which nothing happens, and `with suppress(...)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from backendlint.api import SLIPS, Fn, Hit, Project, by_style, clause, clause_text, here_and_in, told_once

from .asides import hides_database, is_aside, is_patch, is_system_check, only_caches
from .decisions import is_quiet
from .expected import is_expected
from .mails import silent_mails
from .outcomes import NOTHING_FOUND, outcome_of, says_what_failed
from .parsing import computes, only_parses
from .places import Place, suspects, what_is_caught
from .styles import style_of

WAITING_FUNCTION = re.compile(r"_*wait_(for|until)_\w+")
"""Asks again and again until something is there: that it is not is no news, but a bug is."""
HARMS = {
    "broad": "a bug or an outage there looks like nothing happened",
    "failure": "an outage of what it calls looks like nothing happened",
}
UNTRACED = " without a trace"
ALONE = "alone"
EVERYWHERE = frozenset({"callback", "request", "file"})
"""Styles of a project; what else has one is the same thing, done again."""


def check(project: Project, options: Mapping[str, object]) -> Iterator[Hit]:
    styles = by_style(project, project.functions_with("except", "with"), partial(_hits_in, project, options))
    told = partial(here_and_in, after=UNTRACED)
    yield from styles.pop("", ())
    mails = list(silent_mails(project))
    yield from (hit for hit in mails if hit.profile is not None)
    yield from told_once([hit for hit in mails if hit.profile is None], told, severity=None)
    alone = styles.pop(ALONE, [])
    each = _folder if len(alone) > SLIPS else None
    yield from told_once(alone, _of_folder if each else told, len(alone), severity=None, each=each, by_function=True)
    for style, hits in styles.items():
        if style in EVERYWHERE:
            yield from told_once(hits, told)
        else:
            yield from told_once(hits, told, severity=None, each=_always)


def _hits_in(project: Project, options: Mapping[str, object], functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for advice."""
    for fn in functions:
        for block in suspects(fn.facts):
            place = Place(project, fn, block, options)
            for hit in _judged(place):
                yield hit, (style_of(place) or ALONE) if hit.profile is None else ""


def _folder(hit: Hit) -> str:
    """Where a project drops errors in many places, those of one folder are told together."""
    return hit.location.path.rpartition("/")[0]


def _of_folder(hit: Hit, others: str) -> str:
    where = "" if " of this " in others else f" of `{_folder(hit) or '.'}`"
    return here_and_in(hit, f"{others}{where}", after=UNTRACED)


def _always(_hit: Hit) -> bool:
    """The key of what is alike by its style."""
    return True


def _judged(site: Place) -> Iterator[Hit]:
    kind, types = what_is_caught(site)
    if not kind or is_expected(site, types):
        return
    function, block = site.function, site.facts
    outcome = "goes on" if block.kind == "with" else outcome_of(site)
    told = says_what_failed(site)
    if not outcome or (kind == "failure" and told):
        return
    parses = kind == "broad" and (only_parses(site) or computes(site))
    quiet = (
        parses
        or is_aside(site)
        or is_patch(site.project, site.fn)
        or (kind == "failure" and (site.fn.is_module or is_system_check(site.project, site.fn)))
        or is_quiet(site, outcome)
        or (kind == "failure" and only_caches(site))
        or (kind == "failure" and outcome in NOTHING_FOUND and hides_database(site))
        or (kind == "failure" and WAITING_FUNCTION.fullmatch(function.name) is not None)
    )
    what = f"`{function.name}()`" if function.name else "the module"
    harm = "whoever runs the service never learns of a bug or an outage there" if told else HARMS[kind]
    advice = "log it with its traceback, or catch only what you expect"
    if parses:
        harm, advice = (
            "a bug there looks like a value that cannot be read",
            "catch only what reading it raises" + (" (`ValueError`)" if site.calls else ""),
        )
    yield Hit(
        f"{_sentence(types, block.kind)} in {what} {outcome}{UNTRACED}, so {harm}; {advice}.",
        site.fn.location(function.span_of(block.value) if block.kind == "with" else clause(function, site.block)),
        profile="strict" if quiet else None,
        confidence="medium" if quiet or not outcome.startswith("goes on") else None,
        function=site.fn.fqn,
    )


def _sentence(types: Sequence[str], kind: str) -> str:
    if kind == "with":
        return f"`suppress({', '.join(name.rpartition('.')[2] for name in types)})`"
    return clause_text(types)
