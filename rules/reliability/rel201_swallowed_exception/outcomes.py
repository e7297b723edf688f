"""What a handler does instead of dealing with the error, and whether that tells of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from backendlint.api import FunctionFacts, Span, Value, below, status_of

from .places import Place, unraised

_TOLD = frozenset({"error", "errors", "message", "detail", "reason"})
"""Keys under which a body tells what failed."""
_FLAGS = frozenset({"success", "ok"})
NOTHING_FOUND = frozenset(f"returns `{text}`" for text in ("None", "[]", "{}", "()", "0", "''", '""'))
_FAILED = re.compile(r"\b(error|failed|failure|unable|cannot|could not|timed out)\b", re.IGNORECASE)
"""A text that says that something failed, as a result: `return "error fetching version"`."""


def outcome_of(site: Place) -> str:
    """What the handler does instead; empty where it does something about the error."""
    function = site.function
    inside = below(function, site.block)
    returned = [item for item in function.returns if item.block in inside]
    if any(item.is_yield for item in returned):
        return ""
    bound = [item for item in function.bindings if item.block in inside]
    values = [*(item.value for item in returned), *(item.value for item in bound)]
    if not all(is_default(function, vid) for vid in values):
        return ""
    if returned:
        value = returned[0].value
        if value < 0 and any(item.is_yield for item in function.returns):
            return "yields no more"
        text = _site_text(site, function.span_of(value)) if value >= 0 else "None"
        return f"returns `{text}`"
    if bound:
        return f"sets `{bound[0].name}` to a default"
    made = next((item for item in unraised(function) if item.block in inside), None)
    if made is not None:
        return f"makes `{_site_text(site, made.span)}` without raising it, and goes on"
    return f"goes on (`{site.facts.exits}`)" if site.facts.exits in ("continue", "break") else "goes on"


def returned_values(site: Place) -> list[Value]:
    """What the handler returns."""
    function, inside = site.function, below(site.function, site.block)
    return [function.values[item.value] for item in function.returns if item.block in inside and item.value >= 0]


def says_what_failed(site: Place) -> bool:
    """`except Timeout: return False, "timed out"`: the caller gets the failure and its reason."""
    function = site.function
    for value in returned_values(site):
        parts = [function.values[vid] for vid in value[1]] if value[0] == "tuple" else [value]
        texts = [part[1] for part in parts if part[0] == "const" and isinstance(part[1], str)]
        if (("const", False) in parts or ("const", None) in parts) and any(text.strip() for text in texts):
            return True
        if any(_FAILED.search(text) for text in texts):
            return True
        if _is_failure(value, parts) or any(_tells(function, part) for part in parts):
            return True
    return False


def _is_failure(value: Value, parts: Sequence[Value]) -> bool:
    """`return body, 503`."""
    codes = [part[1] for part in parts[1:2] if part[0] == "const"] if value[0] == "tuple" else []
    return any(isinstance(code, int) and 400 <= code < 600 for code in codes)


def _tells(function: FunctionFacts, value: Value) -> bool:
    """`{"success": False}`, `{"error": "timed out"}`."""
    for key, item in value[1] if value[0] == "dict" else ():
        name = function.values[key][1:] if key >= 0 and function.values[key][0] == "const" else ()
        said = function.values[item]
        if name and name[0] in _FLAGS and said == ("const", False):
            return True
        if name and name[0] in _TOLD and said[0] == "const" and isinstance(said[1], str) and said[1].strip():
            return True
    return False


def _site_text(site: Place, span: Span) -> str:
    text = whole_text(site, span)
    return text if len(text) <= 30 else text[:27] + "..."


def whole_text(site: Place, span: Span) -> str:
    return " ".join(span.text_in(site.lines).split())


def is_default(function: FunctionFacts, vid: int) -> bool:
    """None, a constant or an empty container."""
    if vid < 0:
        return True
    value = function.values[vid]
    if value[0] == "const":
        return True
    return value[0] in ("list", "tuple", "set", "dict") and all(is_default(function, item) for item in _flat(value[1]))


def _flat(items: Sequence[object]) -> Iterator[int]:
    for item in items:
        if isinstance(item, tuple):
            yield from (part for part in item if isinstance(part, int))
        elif isinstance(item, int):
            yield item


def answers_failure(site: Place, vid: int) -> bool:
    """`return HttpResponse(status=500)`, `return body, 503`."""
    function = site.function
    value = function.values[vid]
    call = function.calls[value[1]] if value[0] == "call" else None
    said = [item for key, item in call.kwargs if key in ("status", "status_code")] if call else []
    codes = [status_of(site.project, site.fn, item) for item in (value[1][1:2] if value[0] == "tuple" else said)]
    return any(code is not None and code >= 400 for code in codes)


def tells_failure(function: FunctionFacts, vid: int) -> bool:
    """`return {"error": message}`."""
    value = function.values[vid]
    keys = [function.values[key] for key, _ in value[1] if key >= 0] if value[0] == "dict" else []
    return any(key[0] == "const" and key[1] in ("error", "errors") for key in keys)
