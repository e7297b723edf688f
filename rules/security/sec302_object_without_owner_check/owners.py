"""Comparisons with, and lookups by, a column that says whose an object is."""

from __future__ import annotations

import re

from backendlint.api import Fn, Project, Vid

from .lookups import READS

OWNER = re.compile(
    r"(current_|request_|requesting_)?(owner|user|customer|author|account|tenant|org(anization|anisation)?|member|created_by|creator|seller|buyer|company|"
    r"workspace|merchant|principal|employee|patient|student|requester|caller)(_?(id|pk|uuid|uid|email|name))?(__\w+)?",
    re.IGNORECASE,
)
SQL_OWNER = re.compile(
    r"\b(owner|user|customer|author|account|tenant|org(anization)?|member|created_by|creator|seller|buyer|company|workspace|team)(_id|_uuid)?\s*=",
    re.IGNORECASE,
)
READING = re.compile(r"get|find|fetch|load|read|select|first|one|filter|query|_(of|for|by)(_|$)", re.IGNORECASE)


def checks_owner(project: Project, fn: Fn, certain: bool) -> bool:
    """A comparison with, or a lookup by, a column that says whose the object is."""
    if compares_owner(fn):
        return True
    for call in fn.facts.calls:
        name = fn.callee_name(call)
        by_owner = any(
            OWNER.fullmatch(key) and not _is_own(fn, vid) for key, vid in call.kwargs
        ) and READS & project.effects.call_effects(fn, call)
        if by_owner and (not certain or READING.search(name)):
            return True
        for model in project.models(fn, call):
            lazy = model.orm is not None and model.orm.op in ("filter", "get", "exclude", "get_or_404")
            if lazy and any(OWNER.fullmatch(key) and not _is_own(fn, vid) for key, vid in call.kwargs):
                return True
    return False


def compares_owner(fn: Fn) -> bool:
    """In Python, or in SQL."""
    for value in fn.facts.values:
        sides = value[2] if value[0] == "compare" else ()
        if any(_names_owner(fn, vid) for vid in sides) and not any(_is_own(fn, vid) for vid in sides):
            return True
        if value[0] == "const" and isinstance(value[1], str) and SQL_OWNER.search(value[1]) and " " in value[1]:
            return True
    return False


def _is_own(fn: Fn, vid: Vid) -> bool:
    """`self.id` of a row that was fetched: what it is compared with belongs to the row, not to the caller."""
    value = fn.unguarded(vid)
    own = value[0] == "attr" and value[2] in ("id", "pk", "uuid") and fn.unguarded(value[1]) == ("param", 0)
    return own and fn.kind in ("method", "property")


def _names_owner(fn: Fn, vid: Vid) -> bool:
    """`order.customer_id`, `order["user_id"]`, also `.owner.id`."""
    value = fn.facts.values[vid]
    if value[0] == "attr":
        if OWNER.fullmatch(str(value[2])):
            return True
        return str(value[2]) in ("id", "pk", "uuid") and _names_owner(fn, value[1])
    if value[0] == "item":
        key = fn.const(value[2])
        return isinstance(key, str) and bool(OWNER.fullmatch(key))
    if value[0] == "name":  # `Order.customer_id` of a model, `current_user.id`; not `User.id`
        parts = str(value[1]).split(".")
        own = parts[:-1] if parts[-1] in ("id", "pk", "uuid") else parts
        return len(parts) > 1 and not own[-1][:1].isupper() and bool(OWNER.fullmatch(own[-1]))
    return value[0] == "guard" and _names_owner(fn, value[1])
