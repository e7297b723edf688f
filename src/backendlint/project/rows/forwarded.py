"""Statements that a function hands to a helper which executes them: `self._rows("SELECT ... WHERE owner = %s", owner)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backendlint.project.rows.queries import Query, reads

if TYPE_CHECKING:
    from backendlint.facts.model import Call
    from backendlint.project.entities import Fn
    from backendlint.project.graph.calls import Edge
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


def ended(project: Project, fn: Fn, call: Call, edge: Edge | None) -> bool:
    """Whether the statement is handed to a helper that opens and ends a transaction for it alone, or commits each one; with
    `edge`, the call of the function, also where the helper would use a connection if it had been lent one."""
    sent = next((item.sent for item in project.queries.handed(fn) if item.query.call is call), None)
    if sent is None:
        return False
    ways = [
        item for item in project.queries.direct(sent.fn) if item.call and not project.queries.text(sent.fn, item.call)
    ]
    alone = [_stays(project, item) for item in ways]
    return all(alone) or (any(alone) and edge is not None and _unlent(project, edge))


def _stays(project: Project, sent: Query) -> bool:
    if project.transactions.autocommits(sent.model):
        return True
    opening = project.transactions.around(sent.fn, sent.block)
    return opening is not None and opening.kind == "with"


def _unlent(project: Project, edge: Edge) -> bool:
    """Whether the method's object was made here, and given nothing: `Orders().pay(...)`."""
    fn = edge.caller
    func = fn.unguarded(edge.call.func) if edge.call is not None else ("",)
    made = fn.unguarded(func[1]) if func[0] == "attr" else ("",)
    call = fn.facts.calls[made[1]] if made[0] == "call" else None
    refs = project.callees(fn, call) if call is not None and not call.passed else ()
    return any(ref.kind == "class" for ref in refs)
