"""Calls in the test of an assert that do something."""

from __future__ import annotations

import re

from backendlint.api import Call, SyntaxSite, called_name

from .values import unguarded

_WORKS = re.compile(
    r"(pop|remove|discard|execute|commit|save|send|write|insert|update|delete|create|acquire|release|add|append|push|"
    r"publish|set|put|start|run|call|process|apply|register|consume|next|read|recv|increment|lock|enqueue|seed|produce|"
    r"store)(_\w+)?|queue_(?!size|len|name|key|url|id|depth|count|is|exists)\w+"
)
_PURE_SET = re.compile(r"set|add|call|run|read|process|apply|next|lock|start|update|put|seed|store")
PROMISED = frozenset({"validated_data", "cleaned_data"})
_VALIDATED = PROMISED | {"data", "save"}
"""What a serializer or form has once `is_valid()` was called."""


def working_call(site: SyntaxSite) -> Call | None:
    """A call in the test that changes something."""
    for call in site.function.calls:
        inside = site.span.holds(call.span)
        name = called_name(site.file, site.function, call).rpartition(".")[2]
        if inside and ((_WORKS.fullmatch(name) and not _PURE_SET.fullmatch(name)) or _fills_in(site, call)):
            return call
    return None


def _fills_in(site: SyntaxSite, call: Call) -> bool:
    """`assert form.is_valid()` where the code goes on with `form.cleaned_data`."""
    function = site.function
    func = function.values[call.func]
    if func[0] != "attr" or func[2] != "is_valid" or call.passed:
        return False
    base = unguarded(function, func[1])
    return any(
        value[0] == "attr" and value[2] in _VALIDATED and unguarded(function, value[1]) == base
        for value in function.values
    )
