"""Routes by which a client tries out whether something works."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backendlint.project.routes.paths import is_parameter, segments

if TYPE_CHECKING:
    from backendlint.project.routes import Route

_TRIAL = re.compile(r"(^|[-_])test([-_]|$)|(credentials?|smtp|webhook|connection|integration)[-_]check$", re.IGNORECASE)
"""How the path of a route ends that tries out a connection, a webhook, a credential."""
_ASKED = re.compile(r"(health|connection|connectivity)([-_]?check)?|ping|probe", re.IGNORECASE)
"""And how one that asks something named before it (`/mirrors/{id}/ping`); by itself it is about this service."""
_NAMED = re.compile(
    r"(^|_)(test|debug)_(e?mail|smtp|connection|webhook|hook|notification|sms|channel|credentials?|integration|llm|openai)s?(_|$)"
)
"""What a handler is called that does so."""


def tries_out(routes: Sequence[Route]) -> bool:
    """`POST /webhooks/{id}/test`: whether it works is what the client asked, and what the client named may well be wrong."""
    return bool(routes) and all(_tries(route.path) or _is_named_so(route) for route in routes)


def _tries(path: str) -> bool:
    parts = segments(path)
    end = next((part for part in reversed(parts) if not is_parameter(part)), "")
    named = len(parts) > 1 and parts[-1] is end and is_parameter(parts[-2])
    return bool(_TRIAL.search(end)) or (named and bool(_ASKED.fullmatch(end)))


def _is_named_so(route: Route) -> bool:
    return route.handler is not None and _NAMED.search(route.handler.name) is not None
