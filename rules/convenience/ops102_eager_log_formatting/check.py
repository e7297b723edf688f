from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from operator import attrgetter

from backendlint.api import (
    FEW,
    Call,
    Fn,
    Hit,
    Project,
    Site,
    Vid,
    arguments,
    by_style,
    for_developers,
    only_by_hand,
    operands,
    told_once,
)

WAYS = {"f": "an f-string", "%": "%-formatting", "format": "str.format", "+": "concatenation", "join": "join"}

ASKED = re.compile(r"is_?enabled_?for|(is_?|in_?)?(debug(ging)?|develop(ment)?|dev)(_?mode)?|verbose", re.IGNORECASE)
"""Names of what says that somebody reads the record: it is built for them alone."""
EACH_TIME = ", and differs each time"
TOGETHER = (WAYS["+"], WAYS["join"])
"""How statements before the call put a text of several parts together, which is no message with values."""
TESTED = ("guard", "phi")
"""What a value becomes by being tested or chosen."""


def check(project: Project) -> Iterator[Hit]:
    styles = by_style(project, list(project.all_functions()), partial(hits_in, project))
    yield from styles.pop("", ())
    most = max(FEW, lazily(project)) if styles else FEW
    for hits in styles.values():
        if len(hits) > most:
            yield from (replace(hit, profile="strict") for hit in hits)
        else:
            yield from told_once(hits, everywhere, slip=attrgetter("function", "message"))


def lazily(project: Project) -> int:
    """How many records get their values as arguments: where fewer do than not, it is the project's way to build messages."""
    logs = ((site.model.log, site.call) for site in project.effects.sites)
    return sum(log is not None and log.message is not None and log.lazy and len(call.args) > 1 for log, call in logs)


def hits_in(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for advice: a migration runs once, a command now and then."""
    for fn in functions:
        for site in project.effects.direct(fn):
            for hit in judged(project, site):
                seldom = project.layer(fn) == "migration" or only_by_hand(project, fn)
                yield (replace(hit, profile="strict"), "") if seldom else (hit, "eager")


def everywhere(hit: Hit, others: str) -> str:
    return hit.message.replace(EACH_TIME, f"{EACH_TIME}, here and in {others}")


def judged(project: Project, site: Site) -> Iterator[Hit]:
    """One hit a log call."""
    log = site.model.log
    if log is None or log.message is None or site.model.prints or for_developers(site.fn.path):
        return
    if not log.lazy and not log.structured:
        return  # it takes no values beside the text
    for vid in arguments(site.call, log.message):
        way = eager(project, site.fn, vid)
        if way in TOGETHER and not site.call.span.holds(site.fn.facts.span_of(vid)):
            continue
        if way and not shared(site.fn, site.call, vid) and not asked_before(site.fn, site.call):
            level = "" if log.level == "any" else f" {log.level}"
            advice = "as keyword arguments" if log.structured and not log.lazy else "as arguments"
            yield Hit(
                f"The message of this{level} record in `{site.fn.name}()` is built with {way} before the logger can "
                f"drop it{EACH_TIME}. Pass the values {advice}.",
                site.fn.location(site.call.span),
                function=site.fn.fqn,
            )
            break


def asked_before(fn: Fn, call: Call) -> bool:
    """Below `if log.isEnabledFor(DEBUG):` or `if settings.is_development():` nothing is built in vain."""
    for test, outcome in fn.tests_of(call.block):
        value = fn.unguarded(test)
        name = fn.callee_name(fn.calls[value[1]]) if value[0] == "call" else str(value[-1]).rpartition(".")[2]
        if outcome and ASKED.fullmatch(name):
            return True
    return False


def shared(fn: Fn, call: Call, vid: Vid) -> bool:
    """A text that is needed for something else too, such as the exception that is raised next, or a body that is answered."""
    if any(vid in other.passed for other in fn.calls if other is not call):
        return True
    if any(vid == back.value for back in fn.facts.returns) or any(vid == store.value for store in fn.facts.stores):
        return True
    made = (value for value in fn.facts.values[vid + 1 :] if value[0] not in TESTED)
    return any(vid in operands(value) for value in made)


def eager(project: Project, fn: Fn, vid: Vid) -> str:
    """How a message is built from values that are not constant, or ""."""
    value = fn.facts.values[vid]
    if value[0] == "binop" and value[1] in ("+", "%") and any(is_text(fn, item) for item in value[2:4]):
        return WAYS[value[1]]
    if value[0] != "fmt" or project.constants(fn, vid) is not None:
        return ""
    parts = [part for part in value[2] if fn.facts.values[part][0] != "const"]
    return WAYS.get(value[1], "") if parts else ""


def is_text(fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    return value[0] in ("fmt", "join") or (value[0] == "const" and isinstance(value[1], str))
