"""What a project does the same way wherever it does it."""

from __future__ import annotations

from backendlint.api import asks_nobody, below, request_reads

from .outcomes import NOTHING_FOUND, outcome_of, whole_text
from .places import STORES, WORKS, Place, what_is_caught


def style_of(site: Place) -> str:
    """What projects do the same way wherever they do it: reading the request or a file, calling back whoever is told of progress,
    asking the very same thing, answering the very same in a file."""
    if _calls_back(site):
        return "callback"
    if _reads_request(site):
        return "request"
    if "file" in site.effects and site.effects.isdisjoint(WORKS):
        return "file"
    outcome = outcome_of(site) if site.facts.kind == "except" else "goes on"
    if outcome.startswith("returns `{"):
        return "" if outcome in NOTHING_FOUND else f"{site.fn.path}: {outcome}"
    callee = whole_text(site, site.function.span_of(site.calls[0].func)) if len(site.calls) == 1 else ""
    same = callee.startswith("self.") and not site.calls[0].passed and outcome.startswith(("goes on", "returns"))
    if same and not site.project.models(site.fn, site.calls[0]):
        return f"{callee}() {outcome}"
    return _one_client(site) or _own_call(site)


def _own_call(site: Place) -> str:
    """`actor.signed_request(...)`, by which the project asks others: what it does where nobody answers, it does everywhere."""
    kind, types = what_is_caught(site)
    effects = site.project.effects.call_effects
    asking = [call for call in site.calls if not (WORKS - STORES).isdisjoint(effects(site.fn, call))]
    outer = [call for call in asking if not any(item is not call and item.span.holds(call.span) for item in asking)]
    name = site.word(outer[0]) if kind == "failure" and len(outer) == 1 else ""
    return f"{name}() {types}" if name and site.project.targets(site.fn, outer[0]) else ""


def _one_client(site: Place) -> str:
    """`found = self._resolver.resolve(host, "A")`: what the methods of a class ask the same client for."""
    done = {item.value for item in site.function.statements}
    asked = (
        whole_text(site, site.function.span_of(call.func))
        for call in sorted(site.calls, key=lambda item: item.span)
        if call.value not in done
    )
    client = next((text for text in asked if text.startswith("self.") and text.count(".") > 1), "")
    return f"{site.fn.path}: {client}()" if client else ""


def _calls_back(site: Place) -> bool:
    """`notify(0.5, "half way")`, where callers have passed `notify` in, and nothing else is tried."""
    given = [site.fn.unguarded(call.func)[0] in ("param", "outer") for call in site.calls]
    return any(given) and all(
        back or asks_nobody(site.project, site.fn, call) for back, call in zip(given, site.calls, strict=True)
    )


def _reads_request(site: Place) -> bool:
    """Whether it reads the request that is tried, which projects do the same way in all their handlers."""
    return any(request_reads(site.project, site.fn, below(site.function, site.tried)))
