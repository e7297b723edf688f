"""Routes by which a client tries out whether something works."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backendlint.project.routes.paths import is_parameter, segments

if TYPE_CHECKING:
    from backendlint.project.routes import Route

_TRIAL = re.compile(r"(^|[-_])test([-_]|$)", re.IGNORECASE)
"""How the path of a route ends that tries out a connection, a webhook, a credential."""


def tries_out(routes: Sequence[Route]) -> bool:
    """`POST /webhooks/{id}/test`: whether it works is what the client asked, and what the client named may well be wrong."""
    ends = (next((part for part in reversed(segments(route.path)) if not is_parameter(part)), "") for route in routes)
    return bool(routes) and all(_TRIAL.search(end) for end in ends)
