"""Places where an error must not get in the way: cleaning up, counting, imports, pauses."""

from __future__ import annotations

import re

from backendlint.api import Call, around, asks_nobody, receiver

from .places import Place

_CLEANUP_FUNCTION = re.compile(
    r"__(a?exit|del)__|_*(a?close|shutdown|stop|clean_?up|disconnect|dispose|tear_?down|terminate|kill|cancel|release|discard|revert|rollback|undo)"
    r"(_\w+)?|tearDown\w*|on_(shutdown|close|disconnect)"
)
_CLEANUP_CALL = re.compile(
    r"a?close(_(all|it|conn\w*|sessions?|sockets?|clients?|pools?|db|files?|cursors?|streams?|channels?|drivers?|old_\w+))?|"
    r"shutdown|rollback|cancel|kill(_\w+)?|terminate|disconnect|dispose|release|unlink|remove|rmtree|rmdir|"
    r"rm|unsubscribe|unbind(_s|_ext_s)?|stop|quit|logout|wait_closed|clean_?up|detach|reset|expunge(_all)?|join|wait|"
    r"remove_\w*(listener|handler|observer|callback|subscriber)s?"
)
_THERE = re.compile(r"l?exists|is_?file|is_?dir")
"""What is asked before something is removed."""
_PAUSE = frozenset({"wait_for", "wait", "timeout", "timeout_at"})
"""`asyncio.wait_for(stop.wait(), 5)`: that the time is over is how it usually ends."""
_COMES = frozenset({"get", "recv", "receive", "join", "readline", "get_message"})
"""What is asked, without arguments, of a queue, a socket or a task."""
HELD = ("result", "exception")
"""What asks a future for the exception that it keeps."""
COUNTED = frozenset({"inc", "dec", "observe"})
"""What is asked of a metric; nothing else bears these names."""
_LOGGER = re.compile(r"(get|make|create)_?\w*logger", re.IGNORECASE)
_INCLUDES = frozenset({"django.urls.include", "django.conf.urls.include"})
_IMPORTERS = ("import_module", "import_string", "import_from_string", "__import__", "find_spec")


def is_expected(site: Place, types: tuple[str, ...]) -> bool:
    """Cleaning up, counting, optional imports, pauses that may end early, tasks that are asked later: places where an error
    must not get in the way."""
    function = site.function
    if _CLEANUP_FUNCTION.fullmatch(function.name) or (site.facts.kind == "except" and _is_count(site)):
        return True
    owner = site.facts.parent
    if any(function.blocks[index].kind in ("finally", "except") for index in around(function, owner)):
        return True
    names = [site.word(call) for call in site.calls]
    works = [site.word(call) for call in site.calls if not _makes(site, call)]
    ends = [name for name in works if not _THERE.fullmatch(name)]
    if ends and all(_CLEANUP_CALL.fullmatch(name) for name in ends):
        return True
    if types and all(name.endswith("TimeoutError") for name in types) and (_pauses(site) or _polls(site)):
        return True
    if not site.calls and _ends_a_task(site):
        return True
    if names == ["shield"] and any(
        site.word(call) in HELD and call.span[:2] > site.facts.span[2:] for call in function.calls
    ):
        return True
    if names and all(_LOGGER.fullmatch(name) for name in names):
        return True
    return (
        any(name in _IMPORTERS for name in names)
        or any(site.name(call) in _INCLUDES for call in site.calls)
        or _is_import(site)
    )


def _pauses(site: Place) -> bool:
    """Whether nothing is done but to wait for a time, also for what comes at its own time: `wait_for(queue.get(), 1)`."""
    waits = [call for call in site.calls if site.word(call) in _PAUSE]
    return bool(waits) and all(
        call in waits
        or (not call.passed and any(item.span.holds(call.span) for item in waits) and site.word(call) in _COMES)
        or site.name(call).startswith("builtins.")
        for call in site.calls
    )


def _ends_a_task(site: Place) -> bool:
    """`task.cancel()`, then `await task` alone: it ends as it was told to."""
    fn, body = site.fn, site.function.blocks[site.tried].span
    awaited = {fn.untested(fn.value(vid)[1]) for vid in fn.made_by("await") if body.holds(fn.facts.span_of(vid))}
    cancelled = {
        fn.untested(receiver(fn, call))
        for call in fn.calls
        if fn.callee_name(call) == "cancel" and call.span[:2] < body[:2] and receiver(fn, call) >= 0
    }
    return bool(awaited) and awaited <= cancelled


def _polls(site: Place) -> bool:
    """A loop that waits for what comes at its own time, deals with it, and waits again: `wait_for(feed.get_message(), 5)`."""
    loops = (site.function.blocks[number].kind == "while" for number in around(site.function, site.facts.parent))
    waits = [call for call in site.calls if site.word(call) in _PAUSE]
    return (
        site.facts.kind == "except"
        and site.facts.exits in ("", "continue")
        and any(loops)
        and any(
            site.word(call) in _COMES
            and not call.args
            and any(item.span.holds(call.span) and item is not call for item in waits)
            for call in site.calls
        )
    )


def _makes(site: Place, call: Call) -> bool:
    """`Path(name)` of `Path(name).unlink()`."""
    return site.word(call)[:1].isupper() and asks_nobody(site.project, site.fn, call)


def _is_import(site: Place) -> bool:
    """Whether the tried code imports first."""
    facts, own = site.facts, site.fn.index
    body = site.function.blocks[site.tried].span
    first = min((call.span for call in site.calls), default=body)
    end = first[:2] if site.calls else facts.span[2:] if facts.kind == "with" else facts.span[:2]
    return any(item.function == own and body.holds(item.span) and item.span[:2] < end for item in site.fn.file.imports)


def _is_count(site: Place) -> bool:
    """Whether nothing but a metric is tried (`requests.labels(path).inc()`)."""
    statements = [item for item in site.function.statements if item.block == site.facts.group]
    calls = {call.value: site.word(call) for call in site.function.calls}
    return bool(statements) and all(item.kind == "expr" and calls.get(item.value, "") in COUNTED for item in statements)
