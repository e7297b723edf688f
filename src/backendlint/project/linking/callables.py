"""What annotations say of functions that are passed on: `Callable[[], UnitOfWork]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn, Ref, Refs

if TYPE_CHECKING:
    from backendlint.project.linking.types import TypeNames

_NO_ARGUMENTS = (("list", ()), ("const", ...))


def made_by(types: TypeNames, home: Fn, annotation: Vid) -> Refs:
    """The project's classes whose objects a function gives that is called with nothing, or with what is not said: calling it is
    as calling them."""
    value = home.value(annotation) if annotation >= 0 else ("",)
    if value[0] != "item" or str(home.value(value[1])[-1]).rpartition(".")[2] != "Callable":
        return ()
    args = home.value(value[2])
    if args[0] != "tuple" or len(args[1]) != 2 or home.value(args[1][0]) not in _NO_ARGUMENTS:
        return ()
    return tuple(Ref("class", ref.name) for ref in types.annotation(home, args[1][1]) if ref.kind == "inst")
