"""How a loop that asks the database is told: what is called, the way to the query, and how much else it asks."""

from __future__ import annotations

from backendlint.api import Edge, Repeated, Step


def and_others(message: str, others: int) -> str:
    """The message, with how much else the loop asks."""
    if not others:
        return message
    return (
        f"{message[:-1]}. So do{'es' if others == 1 else ''} {others} other quer{'y' if others == 1 else 'ies'} in it."
    )


def called(edge: Edge) -> str:
    """What the loop's body calls, or reads: a class by its name, a property without brackets."""
    fn = edge.callee
    name = fn.cls.name if fn.cls is not None and fn.name == "__init__" else fn.name
    return f"`{name}`" if edge.call is None else f"`{name}()`"


def way(item: Repeated) -> tuple[Step, ...]:
    if not item.edges:
        return ()
    steps = [edge.caller.step(edge.span, f"calls {edge.callee.name}()") for edge in item.edges]
    return (*steps, item.query.fn.step(item.query.span, f"asks the database: {item.query.name}"))
