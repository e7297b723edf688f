"""What a call certainly runs: no branch, handler or early exit stands before it, as far as the arguments decide."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from backendlint.facts.model import Block, Call, Span, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.values.uses import operands

Given = dict[int, object]
"""Parameters (by index) whose values a call decides: constants, or defaults left as they are."""


class Present(Enum):
    """Stands for a value that is not known, but is not None."""

    FULL = "not empty either"
    EMPTY = "perhaps empty"


BUILTINS = frozenset({"str", "bytes", "int", "float", "bool", "dict", "list", "tuple", "set", "frozenset"})


class OfClass(NamedTuple):
    """Stands for an instance of a model from which nothing derives, or of a class for which a test asks."""

    name: str
    bases: frozenset[str]
    """Names of the classes that it is by inheritance, itself among them."""
    models: frozenset[str]
    """Names of the project's models: of those, it is no other."""
    empty: bool = False
    """It may be an empty one."""

    def is_a(self, name: str) -> bool | None:
        """Whether it is an instance of the class of this name, as far as that is known."""
        if name in self.bases or name == "object":
            return True
        plain = name in BUILTINS and not (name == "bool" and "int" in self.bases)
        return False if plain or name in self.models else None


class Rest(NamedTuple):
    """What a call passes for `*args`, one after the other; `...` for what is not known."""

    items: tuple[object, ...]


_THERE = (Present, OfClass)
There = Callable[[Fn, Vid], Present | OfClass | None]
_OPEN = ("case", "except", "for", "while", "comp", "lambda")
_DECIDING = (bool, int, float, str, type(None))
_DISPLAYS = ("list", "tuple", "set", "dict")
MAX_DEPTH = 4


def given(edge: Edge, outer: Given | None = None, there: There | None = None) -> Given:
    """What the call says about the callee's parameters; `outer` is what is known of the caller's own, `there` says of
    values that are not known whether they are something."""
    if edge.call is None or edge.kind != "call":
        return {}
    found: Given = {}
    bound = edge.bound()
    home = edge.callee.parent
    for index, param in enumerate(edge.callee.facts.params):
        passed = bound.get(index, [])
        known: object = ...
        if param.kind == "args":
            known = Rest(tuple(_passed(edge.caller, vid, outer, there) for vid, _ in passed)) if passed else ...
        elif len(passed) == 1 and not passed[0][1]:
            known = _passed(edge.caller, passed[0][0], outer, there)
        elif not passed and home is not None and param.default >= 0:
            known = "" if _nothing(home, param.default) else home.const(param.default)  # falsy, and not None
        if isinstance(known, (*_DECIDING, *_THERE, Rest)):
            found[index] = known
    return found


def _passed(fn: Fn, vid: Vid, outer: Given | None, there: There | None) -> object:
    known = _constant(fn, vid, outer or {})
    if there is not None and (known is ... or isinstance(known, Present)):
        said = there(fn, vid)
        if known is ...:
            known = said or ...
        elif isinstance(said, OfClass):
            known = said._replace(empty=said.empty and known is Present.EMPTY)
    return known if isinstance(known, (*_DECIDING, *_THERE)) else ...


def certain(fn: Fn, call: Call, known: Given | None = None) -> bool:
    """Whether a call runs whenever its function does; with `known`, whenever it is called so."""
    return always(fn, call.block, known) and not _returned_before(fn, call, known or {})


def always(fn: Fn, block: int, known: Given | None = None) -> bool:
    """Whether the block runs whenever the function does: no branch that is open, and no handler or loop around it."""
    for _, item in fn.blocks_of(block):
        if item.kind in _OPEN:
            return False
        if item.kind in ("if", "else"):
            test = item.value if item.kind == "if" else fn.facts.blocks[item.group].value
            if truth(fn, test, known or {}, MAX_DEPTH) is not (item.kind == "if"):
                return False
    return True


def ruled_out(fn: Fn, block: int, known: Given) -> bool:
    """Whether the block never runs when the function is called so: `if workflow: ...` without one."""
    return any(truth(fn, test, known) is (not outcome) for test, outcome in fn.tests_of(block))


def barred(fn: Fn, block: int, span: Span, known: Given) -> bool:
    """Whether the function, called so, never comes to the place, which lies in that block."""
    if ruled_out(fn, block, known) or left_before(fn, block, span, known):
        return True
    return bool(known) and any(truth(fn, test, known) is (not outcome) for test, outcome in fn.operands_before(span))


def never_made(way: Edge, call: Call) -> bool:
    """Whether the function to which a call leads, called so, never makes a call of its own."""
    return barred(way.callee, call.block, call.span, given(way))


def taken(fn: Fn, options: tuple[Vid, ...], known: Given) -> tuple[Vid, ...]:
    """Of the values that a name may have after branches those that it can have when the function is called so: after
    `if with_lines: query = query.options(...)` what the branch makes, or what was there before."""
    if not known:
        return options
    made = {vid: _made_in(fn, vid) for vid in options}
    for vid, block in made.items():
        if block >= 0 and any(fn.tests_of(block)) and always(fn, block, known):
            others = (other for item, other in made.items() if item != vid)
            if below(fn.facts, block).isdisjoint(others):
                return (vid,)
    return tuple(vid for vid, block in made.items() if block < 0 or not ruled_out(fn, block, known)) or options


def _made_in(fn: Fn, vid: Vid) -> int:
    """The block of the call that gives the value; -1 for other values."""
    value = fn.unguarded(vid)
    return fn.facts.calls[value[1]].block if value[0] == "call" else -1


def left_before(fn: Fn, block: int, span: Span, known: Given) -> bool:
    """Whether the function, called so, always leaves before the place: `if cache is not None: return cache[key]`."""
    left = fn.left_before(block, span, ("return", "raise", "continue"))
    return any(truth(fn, item.value, known) is True for item in left)


def _returned_before(fn: Fn, call: Call, known: Given) -> bool:
    """`if row: return row` before the call: what was found is handed back instead."""
    return any(
        item.kind == "if"
        and item.exits == "return"
        and item.span[2:] <= call.span[:2]
        and truth(fn, item.value, known, MAX_DEPTH) is not False
        and _gives_what_it_tests(fn, number, item)
        for number, item in enumerate(fn.facts.blocks)
    )


def _gives_what_it_tests(fn: Fn, number: int, item: Block) -> bool:
    inside = below(fn.facts, number)
    tested = _tested(fn, item.value)
    for back in fn.facts.returns:
        if back.block in inside and back.value >= 0:
            value = fn.facts.values[back.value]
            if tested.intersection(_plain(fn, vid) for vid in (value[1] if value[0] == "tuple" else (back.value,))):
                return True
    return False


def _tested(fn: Fn, test: Vid) -> set[Vid]:
    """The values of which a test speaks."""
    todo, found = [test], set()
    while todo:
        vid = _plain(fn, todo.pop())
        if vid >= 0 and vid not in found:
            found.add(vid)
            value = fn.facts.values[vid]
            if value[0] in ("not", "compare", "bool"):
                todo.extend(operands(value))
    return found


def _plain(fn: Fn, vid: Vid) -> Vid:
    while vid >= 0 and fn.facts.values[vid][0] in ("guard", "await"):
        vid = fn.facts.values[vid][1]
    return vid


def _nothing(fn: Fn, vid: Vid) -> bool:
    """An empty list, tuple, set or dict as written."""
    value = fn.facts.values[vid]
    return value[0] in _DISPLAYS and not value[1]


def _constant(fn: Fn, vid: Vid, known: Given, depth: int = MAX_DEPTH) -> object:
    plain = _plain(fn, vid)
    value = fn.facts.values[plain] if plain >= 0 else ("",)
    if value[0] == "attr":
        return _class_name(fn, plain, known)
    if value[0] == "item" and (base := fn.unguarded(value[1]))[0] == "param":
        rest, number = known.get(base[1]), fn.const(value[2])
        if isinstance(rest, Rest) and isinstance(number, int) and 0 <= number < len(rest.items):
            return rest.items[number]
    if value[0] == "phi" and depth:
        found = [_constant(fn, item, known, depth - 1) for item in value[1] if _plain(fn, item) != plain]
        same = found and all(type(item) is type(found[0]) and item == found[0] for item in found)
        return found[0] if same else ...
    return known.get(value[1], ...) if value[0] == "param" else fn.const(plain)


def truth(fn: Fn, test: Vid, known: Given, depth: int = MAX_DEPTH) -> bool | None:
    """What the arguments say of a test, if they decide it."""
    test = _plain(fn, test)
    if test < 0 or depth == 0:
        return None
    value = fn.facts.values[test]
    if value[0] == "not":
        inner = truth(fn, value[1], known, depth - 1)
        return None if inner is None else not inner
    if value[0] == "compare" and len(value[2]) == 2 and value[1][0] in ("is", "is not", "==", "!="):
        one, two = (_constant(fn, vid, known) for vid in value[2])
        if isinstance(one, _THERE) or isinstance(two, _THERE):
            return value[1][0] in ("is not", "!=") if one is None or two is None else None
        return None if one is ... or two is ... else (one == two) is (value[1][0] in ("is", "=="))
    if value[0] == "call":
        return _of_class(fn, fn.facts.calls[value[1]], known)
    if value[0] == "bool":
        parts = [truth(fn, vid, known, depth - 1) for vid in value[2]]
        decided = value[1] == "or"
        return decided if decided in parts else None if None in parts else not decided
    if _nothing(fn, test):
        return False
    found = _constant(fn, test, known)
    if isinstance(found, Rest):
        return bool(found.items)
    if isinstance(found, _THERE):
        return None if found is Present.EMPTY or (isinstance(found, OfClass) and found.empty) else True
    return bool(found) if isinstance(found, _DECIDING) else None


def _of_class(fn: Fn, call: Call, known: Given) -> bool | None:
    """`isinstance(x, Order)`, where the class of x is known."""
    if fn.facts.values[call.func] != ("name", "builtins.isinstance") or len(call.args) != 2:
        return None
    tested = _constant(fn, call.args[0], known)
    named = fn.unguarded(call.args[1])
    options = [fn.unguarded(vid) for vid in named[1]] if named[0] == "tuple" else [named]
    if not isinstance(tested, OfClass) or any(item[0] not in ("name", "def", "attr") for item in options):
        return None
    found = {tested.is_a(str(item[-1]).rpartition(".")[2]) for item in options}
    return True if True in found else None if None in found else False


def _class_name(fn: Fn, vid: Vid, known: Given) -> object:
    """`type(x).__name__` or `x.__class__.__name__`, where the class of x is known."""
    value = fn.unguarded(vid)
    made = fn.unguarded(value[1]) if value[0] == "attr" and value[2] == "__name__" else ("",)
    call = fn.facts.calls[made[1]] if made[0] == "call" else None
    source = made[1] if made[0] == "attr" and made[2] == "__class__" else -1
    if call is not None and fn.facts.values[call.func] == ("name", "builtins.type") and len(call.args) == 1:
        source = call.args[0]
    found = _constant(fn, source, known) if source >= 0 else ...
    return found.name if isinstance(found, OfClass) else ...
