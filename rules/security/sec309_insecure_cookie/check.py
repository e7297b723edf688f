"""SEC309: what is left of the patterns' hits where options are spread, or a setting is off in one branch only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Location,
    Project,
    Vid,
    calls_at,
    functions_in,
    here_and_in,
    identifier_words,
    name_of_value,
    operands,
)
from backendlint.api import for_development as outside_production

OFF = re.compile(r"`(\w+)` is off")
"""How the message about a setting begins."""
HERE = re.compile(r"localhost|127\.0\.0\.1|\b(dev|develop|development|local|test|testing|debug)\b", re.IGNORECASE)
"""Where nobody listens on the way."""

PUBLIC = frozenset({"public", "key"})
SWITCHES = frozenset("on off true false yes no 1 0".split())
LACKING = "lacks `secure=True` or `httponly=True`"
"""In the messages about cookies without flags."""
IDENTIFIES = "identifies a user"
"""In those about a cookie by which somebody is known."""


def check(project: Project, hit: Hit) -> Iterator[Hit]:
    calls = list(calls_at(project, hit.location)) if LACKING in hit.message else []
    who = IDENTIFIES in hit.message
    if any(may_have_both(fn, call) or (who and is_alike_for_all(fn, call)) for fn, call in calls):
        return
    for fn, call in calls:
        before, others = alike(project, fn, call)
        if before:
            yield replace(hit, profile="strict")
            return
        if others:
            hit = replace(hit, message=here_and_in(hit, f"{others} more place{'s' * (others > 1)}", before=", so"))
    setting = OFF.match(hit.message)
    for fn in functions_in(project, hit.location) if setting else ():
        assigned = list(assignments(fn, setting[1])) if setting else []
        for line, value, block in assigned:
            off = line == hit.location.line and fn.const(value) is False
            if off and (for_development(fn, block) or on_elsewhere(fn, assigned, block)):
                return
    if setting is None:
        yield hit
        return
    hit = once_of_file(project, replace(hit, location=written_at(project, hit.location, setting[1])), setting[1])
    yield replace(hit, profile="strict") if outside_production(hit.location.path) else hit


def once_of_file(project: Project, hit: Hit, name: str) -> Hit:
    """`SESSION_COOKIE_SECURE = False` beside `CSRF_COOKIE_SECURE = False`: told where the first stands."""
    flag = name.rpartition("_")[2]
    others = {
        item.span.line: item.name
        for fn in functions_in(project, hit.location)[:1]
        for item in fn.facts.bindings
        if item.name != name and item.name.endswith(f"_COOKIE_{flag}") and fn.const(item.value) is False
    }
    if any(line < hit.location.line for line in others):
        return replace(hit, profile="strict")
    beside = "".join(f" and `{other}`" for _, other in sorted(others.items()))
    return replace(hit, message=hit.message.replace("` is off", f"`{beside} {'are' if others else 'is'} off", 1))


def alike(project: Project, fn: Fn, call: Call) -> tuple[bool, int]:
    """Whether the file sets the same cookie with the same flags before, and how often it does so behind."""
    own = shown(fn, call)
    if not own:
        return False, 0
    found = [
        other.span
        for owner in project.functions_of(fn.file)
        for other in owner.calls
        if other is not call and shown(owner, other) == own
    ]
    return any(span < call.span for span in found), len(found)


def shown(fn: Fn, call: Call) -> tuple[object, ...]:
    """What a call says of a cookie, but its value."""
    if not fn.callee_name(call).startswith("set_") or "cookie" not in fn.callee_name(call):
        return ()
    key = given(call, "key", 0)
    name = fn.const(key) if key >= 0 else ...
    return () if name is ... else (name, *(fn.const(vid) for vid in flags(call)))


def given(call: Call, key: str, position: int) -> Vid:
    """What `set_cookie(key, value)` is given for a parameter, or -1."""
    found = call.kwarg(key)
    return call.args[position] if found < 0 and position < len(call.args) else found


def flags(call: Call) -> list[Vid]:
    return [call.kwarg("secure"), call.kwarg("httponly")]


def written_at(project: Project, place: Location, name: str) -> Location:
    """The line of the setting, where a call over several lines states it beside others."""
    for fn, call in calls_at(project, place):
        pairs = list(call.kwargs)
        given = (fn.value(vid) for vid in call.args)
        pairs += [(str(fn.const(key)), vid) for value in given if value[0] == "dict" for key, vid in value[1]]
        for key, vid in pairs:
            if key == name and fn.place(vid).line != place.line:
                return fn.place(vid)
    return place


def may_have_both(fn: Fn, call: Call) -> bool:
    """With the options that are spread (`**COOKIE`), the known ones being among the call's own."""
    return call.open_ended or all(vid >= 0 and fn.const(vid) is not False for vid in flags(call))


def is_alike_for_all(fn: Fn, call: Call) -> bool:
    """`set_cookie("remember_me", "on")`, `set_cookie("session_public_key", public_key)`: a switch tells nobody from others, and
    what is public proves nothing."""
    value = given(call, "value", 1)
    both = (vid for vid in (given(call, "key", 0), value) if vid >= 0)
    named = [name_of_value(fn, vid) if fn.const(vid) is ... else str(fn.const(vid)) for vid in both]
    public = any(set(identifier_words(name)) >= PUBLIC for name in named)
    return public or (value >= 0 and str(fn.const(value)).lower() in SWITCHES)


def assignments(fn: Fn, name: str) -> Iterator[tuple[int, Vid, int]]:
    """Line, value and block of each assignment to a setting."""
    yield from ((item.span.line, item.value, item.block) for item in fn.facts.bindings if item.name == name)
    for item in fn.facts.stores:
        if item.name == name or (item.key >= 0 and fn.const(item.key) == name):
            yield item.span.line, item.value, item.block


def for_development(fn: Fn, block: int) -> bool:
    """`if DOMAIN == "localhost"`."""
    return any(truth and speaks_of_development(fn, test) for test, truth in fn.tests_of(block))


def speaks_of_development(fn: Fn, vid: Vid, depth: int = 5) -> bool:
    value = fn.unguarded(vid)
    if value[0] == "compare":
        if value[1][0] not in ("==", "in"):
            return False
        texts = [fn.const(item) for side in value[2] for item in (side, *operands(fn.value(side)))]
        return any(isinstance(text, str) and HERE.search(text) for text in texts)
    if value[0] == "bool" and depth:
        return any(speaks_of_development(fn, item, depth - 1) for item in value[2])
    return False


def on_elsewhere(fn: Fn, assigned: list[tuple[int, Vid, int]], block: int) -> bool:
    """Whether another branch of the same `if` leaves it on."""
    own = branches(fn, block)
    for _, value, other in assigned:
        theirs = branches(fn, other)
        if fn.const(value) is True and any(own[group] != theirs[group] for group in own.keys() & theirs.keys()):
            return True
    return False


def branches(fn: Fn, block: int) -> dict[int, int]:
    """For each `if` around a block the branch in which it lies."""
    return {item.group: number for number, item in fn.blocks_of(block) if item.kind in ("if", "else")}
