"""REL116: pools, clients, schedulers and tasks that start-up starts and shutdown forgets."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that opens or starts something; what is made and then started is told where it starts."""
    last = {(item.fn.fqn, item.kept): item for item in project.lifecycle.unclosed()}
    for item in {id(item.call): item for item in last.values()}.values():
        verb, end = ("starts", "at shutdown work is cut off and connections are left to time out")
        if item.idle:
            verb, end = ("opens", "at shutdown its connections are dropped instead of closed")
        yield Hit(
            message=f"`{item.fn.name}()` {verb} `{item.kept}` (`{item.name}`) with the application, and nothing ever calls its "
            f"`{item.closes[0]}()`: {end}.",
            location=item.fn.location(item.call.span),
            help=f"Call `{item.kept}.{item.closes[0]}()` below the lifespan's `yield`, or in a shutdown hook.",
            function=item.fn.fqn,
            profile="strict" if item.idle else None,
        )
