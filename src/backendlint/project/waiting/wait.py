"""How long one thing can take, as far as the code shows."""

from __future__ import annotations

from typing import NamedTuple

from backendlint.project.linking.allocations import Made


class Wait(NamedTuple):
    """The longest that a call can take, as far as the code shows."""

    kind: str
    """seconds (bounded), forever, or unknown (a setting or a parameter decides)."""
    seconds: float = 0.0
    default: bool = False
    """True where nothing sets it: the library's own default counts."""
    at: Made | None = None
    """The constructor or setter that decides, where it is not the call itself."""
    sure: bool = True
    """False where a connection string that is not known might set it after all."""
    partly: bool = False
    """True where connecting is bounded, and waiting for the answer is not."""
    left_out: tuple[Made, ...] = ()
    """Calls of the function around it that give it no timeout, where most of the others do."""


FOREVER = Wait("forever", default=True)
UNKNOWN = Wait("unknown")
