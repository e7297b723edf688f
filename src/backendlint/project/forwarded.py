"""Statements that a function hands to a helper which executes them: `self._rows("SELECT ... WHERE owner = %s", owner)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backendlint.project.queries import Query, reads

if TYPE_CHECKING:
    from backendlint.facts.model import Call
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project


class Forwarded(NamedTuple):
    """One such statement."""

    query: Query
    """As if the function sent it itself: `call` hands it on."""
    sent: Query
    """The helper's own, whose text is what it is given."""


def forwarded(project: Project) -> dict[str, list[Forwarded]]:
    """All of them, by the function that hands them on, in source order."""
    found: dict[str, list[Forwarded]] = {}
    for text in project.data.texts:
        if text.fn is None or text.call is None or text.sink is None or text.alternative:
            continue
        sent = _sent(project, text.fn, text.call)
        if sent is not None:
            kind = "read" if reads(text.text) else "write"
            query = sent._replace(
                fn=text.fn, span=text.call.span, block=text.call.block, vid=text.call.value, kind=kind, call=text.call
            )
            found.setdefault(text.fn.fqn, []).append(Forwarded(query, sent))
    return {fqn: sorted(items, key=lambda item: item.query.span) for fqn, items in found.items()}


def _sent(project: Project, fn: Fn, call: Call) -> Query | None:
    """What the helper that is called sends, itself or through another one: the one query whose text nobody knows there."""
    for target in project.targets(fn, call):
        edges, last = project.queries.chain(target)
        if (
            last is not None
            and last.call is not None
            and len(edges) <= 1
            and not project.queries.text(last.fn, last.call)
        ):
            return last
    return None
