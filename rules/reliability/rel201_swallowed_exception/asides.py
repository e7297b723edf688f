"""Code whose failures are no news for whoever runs the service, or are told elsewhere."""

from __future__ import annotations

import re

from backendlint.api import (
    Call,
    Fn,
    Project,
    asks_nobody,
    below,
    caught,
    fills_database,
    for_developers,
    for_tests,
    only_by_hand,
    waits_there,
)

from .expected import COUNTED
from .places import CHANGES, STORES, WORKS, Place

_REPORTS = frozenset({"log_error", "log_exception", "capture_exception", "capture_message", "notice_error"})
"""What writes an error down, or sends it to who collects them."""
_ALL = ("builtins.Exception", "builtins.BaseException")
_REPORTING = re.compile(r"_*(log|report)_(error|exception)s?")
_DECIDED = re.compile(
    r"best[- ]effort|\bfall(s|ing)? back\b|swallow|fail[- ]?(soft|open|silent)|silently|"
    r"(never|not|n't|without|instead of) (rais(e|es|ing)|throw(s|ing)?)\b|"
    r"(ignor|suppress|dropp)\w* (any |all |every )?(errors?|exceptions?|failures?)|"
    r"(errors?|exceptions?|failures?) (is|are|will be) (ignored|dropped|suppressed)|"
    r"(never|not|n't) ((want|have|need|like|mean\w*) to )?(break|fail|block|disturb|crash|abort|interrupt)s?\b|"
    r"if (it|the \w+|this|that) (fails|(times|timed) out),? .*\breturned instead\b|"
    r"(失败|失敗|出错|异常|異常)(时|時)|(エラー|失敗)時|忽略|無視",
    re.IGNORECASE,
)
"""A docstring that says that failures are dropped."""
_MEASURES = re.compile(
    r"(^|[/_])(telemetry|analytics|tracing|instrumentation|metrics|opentelemetry|otel|posthog|statsd|mixpanel)([/_.]|$)"
)
"""Files of what measures and reports how the program is used: that must not get in its way."""
_ON_SPANS = COUNTED | {"set_attribute", "set_attributes", "add_event", "record_exception", "set_tag", "labels"}
"""What is asked of a span or a metric."""
_RECORDS = _ON_SPANS | _REPORTS
_MEASURING = re.compile(r"_*(log|record|report|track|emit)_(metric|param|stat|gauge|measurement|usage)s?")
"""What a project calls that itself."""
_STORING = re.compile(r"(save|create|insert|update|delete|write|drop|remove|send|add)(_\w+)?")
"""What a script calls to store or send something, whoever does it."""
_LIVES = frozenset({"ex", "px", "exat", "pxat", "ttl", "timeout", "expire", "expiration"})
_SETS = frozenset({"setex", "psetex"})
"""What says how long an entry of a cache lives."""
_NUMBERED = re.compile(r"[a-z]*_?\d{2,}_")
"""Functions of a file of migrations: `m006_add_expiry()`."""


def is_system_check(project: Project, fn: Fn) -> bool:
    """A check of Django's, or what such checks alone call: what cannot be asked at that time is not found wanting, and whoever
    needs it learns of the outage."""
    callers = [edge.caller for edge in project.graph.callers(fn)]
    return all(any(ref.name.startswith("django.core.checks.") for ref in item.decorators) for item in (callers or [fn]))


def is_patch(project: Project, fn: Fn) -> bool:
    """A migration (also one of the numbered functions of a file of them), or a patch of the data: it has run, and cannot be
    changed any more."""
    path = f"/{fn.file.path}"
    if re.search(r"/migrations?\.py$", path):
        return _NUMBERED.match(fn.name) is not None
    if "/patches/" in path:
        return fn.name == "execute" and not fn.facts.params
    return project.layer(fn) == "migration" or "/migrations/" in path


def hides_database(site: Place) -> bool:
    """What reads the database and answers with nothing when that fails: REL206 tells it, and what it leads to."""
    in_layer = site.project.layer(site.fn) in ("repository", "service", "model")
    return in_layer and waits_there(site.project, site.fn, site.tried, "db", "db-read")


def only_caches(site: Place) -> bool:
    """A value that is kept for a while, and nothing else: whoever asked for it has it, and the next one loads it again."""
    kept = [call for call in site.calls if "cache-write" in site.project.effects.call_effects(site.fn, call)]
    lives = all(site.word(call) in _SETS or any(key in _LIVES for key, _ in call.kwargs) for call in kept)
    return bool(kept) and lives and site.effects & WORKS == {"cache-write"}


def _is_caught_inside(site: Place) -> bool:
    """Around nothing but functions that catch whatever fails in them: nothing comes here."""
    targets = [site.project.targets(site.fn, call) for call in site.calls]
    return bool(targets) and all(found and all(map(_catches_all, found)) for found in targets)


def _catches_all(fn: Fn) -> bool:
    """Whether all that a function does lies in a `try` that catches everything, and raises nothing again."""
    blocks = fn.facts.blocks
    ends = [
        number
        for number, item in enumerate(blocks)
        if item.kind == "except" and item.exits != "raise"
        if any(name in _ALL for name in caught(fn.facts, number) or _ALL)
    ]
    tried = {number for end in ends for number in below(fn.facts, blocks[end].group)}
    after = {number for end in ends for number in below(fn.facts, end)}
    raised = any(item.block in after for item in fn.facts.raises)
    return bool(ends) and not raised and all(call.block in tried | after for call in fn.calls)


def is_aside(site: Place) -> bool:
    """Where a failure is no news for whoever runs the service: tools that are run by hand and store nothing, what measures, and
    what says of itself that it drops failures."""
    project, fn = site.project, site.fn
    alone = fn.cls is not None and len(fn.cls.methods) == 1
    told = (site.function.docstring, fn.cls.facts.docstring if fn.cls is not None and alone else "")
    if any(map(_DECIDED.search, told)) or _REPORTING.fullmatch(site.function.name):
        return True
    done = site.effects
    measured = any(_records(site, call) for call in site.calls)
    if _is_caught_inside(site):
        return True
    if ("log" in done or measured) and all(_is_said(site, call) for call in site.calls):
        return True
    if fills_database(project, fn) or for_tests(project, fn):
        return True
    if not done & CHANGES and (for_developers(fn.path) or _is_by_hand(site)):
        return True
    return not done & STORES and project.layer(fn) != "controller" and _MEASURES.search(fn.path.lower()) is not None


def _is_by_hand(site: Place) -> bool:
    """What somebody runs; of what modules do when they are loaded, that of scripts, which nobody imports, but to store anything."""
    project, fn = site.project, site.fn
    if not fn.is_module:
        return only_by_hand(project, fn)
    stores = any(_STORING.fullmatch(site.word(call)) for call in site.calls)
    return project.layer(fn) == "command" and not stores and only_by_hand(project, fn)


def _records(site: Place, call: Call) -> bool:
    word = site.word(call)
    return word in _RECORDS or _MEASURING.fullmatch(word) is not None


def _is_said(site: Place, call: Call) -> bool:
    """What only logs or measures, or makes what is logged."""
    return _records(site, call) or asks_nobody(site.project, site.fn, call)
