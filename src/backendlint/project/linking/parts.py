"""What a value may refer to that is taken out of another: unpacked, an item, an element, a slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn, Ref, Refs
from backendlint.project.loops.loops import behind
from backendlint.project.values.tables import bound

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver
    from backendlint.project.model import Project

_TUPLES = ("tuple", "Tuple")
_SAME = ("guard", "await")


def part(resolver: Resolver, fn: Fn, vid: Vid, value: Value) -> Iterable[Ref]:
    """What an `unpack`, `item`, `elem` or `slice` gives."""
    index = _position(fn, value)
    if index >= 0:
        base = fn.facts.values[value[1]]
        if base[0] in ("tuple", "list") and index < len(base[1]):
            return resolver.refs(fn, base[1][index])
        given = _given_there(resolver, fn, value[1], index)
        if given is not None:
            return given
    source = behind(fn, value)
    if source >= 0:
        return [item for ref in resolver.refs(fn, source) for item in resolver.element(ref)]
    refs = resolver.refs(fn, value[1])
    if value[0] == "slice":
        return refs
    if value[0] == "item":
        return _item(resolver, fn, value, refs)
    parts = [item for ref in refs for item in resolver.element(ref)]
    if value[0] == "elem" and any(item.kind == "func" for item in parts):
        # any of the functions listed
        return [ref for item in bound(resolver.project, fn, vid) for ref in resolver.refs(*item)]
    return parts


def _item(resolver: Resolver, fn: Fn, value: Value, refs: Refs) -> Iterable[Ref]:
    generic = resolver.types.generic(fn, value)
    if generic:
        return generic
    attached = resolver.project.attached
    kept = attached.items(fn, value[1], value[2])
    if kept:
        return [ref for stored in kept for ref in resolver.refs(*stored)]
    if said := attached.from_the_start(fn, refs, value[2]):
        return said
    held = ((ref.arg,) if ref.kind == "libinst" and ref.arg else resolver.element(ref) for ref in refs)
    return [ref for group in held for ref in group]


def _position(fn: Fn, value: Value) -> int:
    """Which of the parts it is; -1 where that is not written down."""
    index = value[2] if value[0] == "unpack" else fn.const(value[2]) if value[0] == "item" else -1
    return index if type(index) is int else -1


def _given_there(resolver: Resolver, fn: Fn, vid: Vid, index: int) -> Iterable[Ref] | None:
    """`order, problem = find(key)`: what the function gives in that place; None where it is not seen to give a tuple."""
    made = fn.facts.values[vid]
    while made[0] in _SAME:
        made = fn.facts.values[made[1]]
    called = resolver.callees(fn, fn.facts.calls[made[1]]) if made[0] == "call" else ()
    targets = [resolver.project.functions[ref.name] for ref in called if ref.kind == "func"]
    given = [_of(resolver, target, index) for target in targets if not target.facts.is_generator]
    if not given or len(given) < len(called) or None in given:
        return None
    here, elsewhere = ([ref for pair in given if pair for ref in pair[side]] for side in (0, 1))
    # what a class that is handed over makes (`made, new = get_or_create(Order)`) the call as a whole tells
    return here or [item for ref in resolver.refs(fn, vid) for item in resolver.element(ref) if item not in elsewhere]


def _of(resolver: Resolver, target: Fn, index: int) -> tuple[Refs, Refs] | None:
    """What one function says that it gives in a place of the tuple, else what it returns there, and in the others."""
    if target.parent is not None and target.facts.returns_annotation >= 0:
        said = _declared(target.parent, target.facts.returns_annotation, index)
        found = resolver.types.annotation(target.parent, said) if said >= 0 else ()
        if found:
            return found, ()
    listed = [value for item in target.facts.returns for value in _returned(target, item.value)]
    if not listed or any(value[0] != "tuple" or index >= len(value[1]) for value in listed):
        return None
    sides: tuple[list[Ref], list[Ref]] = ([], [])
    for value in listed:
        for position, item in enumerate(value[1]):
            sides[position != index].extend(resolver.refs(target, item))
    return tuple(sides[0]), tuple(sides[1])


def _declared(home: Fn, vid: Vid, index: int) -> Vid:
    """The annotation of that place in `tuple[Order, str]`; -1 where it is another type."""
    value = home.facts.values[vid]
    base = home.facts.values[value[1]] if value[0] == "item" else ("unknown",)
    inner = home.facts.values[value[2]] if base[0] == "name" and str(base[1]).rpartition(".")[2] in _TUPLES else base
    return inner[1][index] if inner[0] == "tuple" and index < len(inner[1]) else -1


def _returned(fn: Fn, vid: Vid) -> Iterator[Value]:
    """What a `return` may give, where it is one of several."""
    value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    for item in value[1] if value[0] == "phi" else ():
        yield fn.unguarded(item)
    if value[0] != "phi":
        yield value


def given_in_place(project: Project, fn: Fn, value: Value) -> list[tuple[Fn, Vid, Call]]:
    """`rows, total = page_of(query)`: what the function gives in that place; nothing where it does not write a tuple."""
    made = fn.unguarded(value[1])
    call = fn.facts.calls[made[1]] if made[0] == "call" else None
    if call is None:
        return []
    targets = project.targets(fn, call)
    back = [(target, target.unguarded(item.value)) for target in targets for item in target.facts.returns]
    if any(given[0] != "tuple" or not 0 <= value[2] < len(given[1]) for _, given in back):
        return []
    return [(target, given[1][value[2]], call) for target, given in back]
