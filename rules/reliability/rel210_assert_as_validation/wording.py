"""How an assert is told, and that what is said in the same words is told once."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from backendlint.api import Hit, Profile, Span, Step, SyntaxSite

from .functions import VALIDATOR, is_decorated, is_public
from .syntax import RANKED

_SHOWN = 10
BARE = "and without it callers get a bare AssertionError"


def advice(site: SyntaxSite, node: cst.Assert, answered: str) -> str:
    if is_decorated(site, VALIDATOR):
        return ", raise a ValueError."
    if node.msg is not None or answered:
        return "; raise an exception of a class that callers can tell from a bug."
    return f", {BARE}; raise an exception that says what is wrong."


def hit(site: SyntaxSite, message: str, profile: Profile | None = None) -> Hit:
    return Hit(
        message,
        site.location(),
        profile=profile,
        severity="note" if profile else None,
        function=site.function.qualname or None,
    )


def once_a_file(site: SyntaxSite, found: Hit) -> Hit:
    """Of asserts of somebody's rank (`is_superuser`) in the same words the first is told, and where the others are."""
    own = _written(site, site.span)
    if not RANKED.search(own):
        return found
    spans = sorted(
        item.span
        for function in site.file.functions
        if is_public(function)
        for item in function.statements
        if item.kind == "assert" and item.span.line != site.span.line and _written(site, item.span) == own
    )
    if any(span < site.span for span in spans):
        return replace(found, profile="strict", severity="note")
    return replace(found, related=tuple(Step(site.location(span), "and here") for span in spans[:_SHOWN]))


def _written(site: SyntaxSite, span: Span) -> str:
    return " ".join(span.text_in(site.lines).split())


def shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 50 else line[:47] + "..."
