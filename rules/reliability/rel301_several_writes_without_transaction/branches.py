"""Where two writes are no sequence: one happens in place of the other, or each in rounds of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Durable, Fn, Project, before, name_of, object_root

from .objects import path_of

_MANAGERS = ("contextlib.contextmanager", "contextlib.asynccontextmanager")
_FORM = re.compile(r"^(POST|(flask\.)?request\.form|form)$")
"""What a page's form has sent; it names the button that was pressed."""


def answered(fn: Fn, first: Durable, second: Durable) -> bool:
    """`refusal = self._refuse(order)`, `if refusal: return refusal`, where that stores something only if it refuses: what comes
    after is for when it has not. So it is behind `if drop_invitation(member): return`."""
    if not first.edges or first.edges[0].call is None:
        return False
    inner = first.edges[0].callee
    place = first.edges[1].span if first.edges[1:] else first.write.call.span
    tests = [block.value for block in fn.left_before(second.call.block, second.call.span, ("return", "raise"))]
    leaves = any(_says_given(fn, test, first.call.value) for test in tests)
    given = any(_asks_none(fn, test) for test in tests if _says_given(fn, test, first.call.value))
    after = [item.value for item in inner.facts.returns if not item.is_yield and before(place, item.span)]
    falls = inner.facts.blocks[0].exits not in ("return", "raise")
    return leaves and bool(after) and not falls and all(_is_true(inner, vid, given) for vid in after)


def _says_given(fn: Fn, test: int, given: int) -> bool:
    """`if answer:`, `if answer is not None:`"""
    value = fn.unguarded(test) if test >= 0 else ("",)
    if _asks_none(fn, test):
        value = fn.unguarded(value[2][0])
    return value[0] in ("call", "await") and value == fn.value(given)


def _asks_none(fn: Fn, test: int) -> bool:
    value = fn.unguarded(test) if test >= 0 else ("",)
    return value[0] == "compare" and tuple(value[1]) == ("is not",) and fn.const(value[2][1]) is None


def _is_true(fn: Fn, vid: int, given: bool = False) -> bool:
    """`Response(...)`, an object, which is never false; or True itself. What a function makes is at least `given`, not None."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    made = value[0] == "call" and (given or fn.callee_name(fn.calls[value[1]])[:1].isupper())
    return fn.const(vid) is True or made


def is_left(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`try: first(); continue`, with nothing between that can fail: what comes after the `try` is for when it did not work."""
    for number, item in fn.blocks_of(first.call.block):
        if item.kind != "try" or item.exits not in ("return", "continue", "break"):
            continue
        if number != first.call.block or any(above == number for above, _ in fn.blocks_of(second.call.block)):
            return False
        later = [call for call in fn.calls if call.block == number and before(first.call.span, call.span)]
        return not any(project.effects.call_effects(fn, call) for call in later)
    return False


def separate(fn: Fn, first: Durable, second: Durable) -> bool:
    """In two loops, each round of which opens a session of its own: one thing after the other."""
    one, two = _rounds(fn, first.call.block), _rounds(fn, second.call.block)
    return bool(one) and bool(two) and one.isdisjoint(two)


def in_two_phases(fn: Fn, first: Durable, second: Durable) -> bool:
    """A context manager that stores something before what is done inside it, and something after: the first is to be seen meanwhile."""
    if not any(ref.name in _MANAGERS for ref in fn.decorators):
        return False
    yields = (item.span for item in fn.facts.returns if item.is_yield)
    return any(before(first.call.span, span) and before(span, second.call.span) for span in yields)


def _rounds(fn: Fn, block: int) -> set[int]:
    """The loops around a block inside which a `with` opens something for it."""
    above = list(fn.blocks_of(block))
    opened = next((place for place, (_, item) in enumerate(above) if item.kind == "with"), len(above))
    return {number for number, item in above[opened:] if item.kind in ("for", "while")}


def alternatives(project: Project, fn: Fn, first: Durable, second: Durable) -> bool:
    """`if kind == A: ...`, `if kind == B: ...`: the same thing compared with two others, or of two classes; or two forms of
    one page."""
    forms = _forms(fn, first.call.block), _forms(fn, second.call.block)
    if all(forms) and forms[0].isdisjoint(forms[1]):
        return True
    one, two = _compared(fn, first.call.block), _compared(fn, second.call.block)
    if any(one[name] != two[name] for name in one.keys() & two.keys()):
        return True
    kinds = _kinds(project, fn, first.call.block), _kinds(project, fn, second.call.block)
    derives = project.hierarchy.subclass_of
    return any(
        not derives(kinds[0][vid], kinds[1][vid]) and not derives(kinds[1][vid], kinds[0][vid])
        for vid in kinds[0].keys() & kinds[1].keys()
    )


def _kinds(project: Project, fn: Fn, block: int) -> dict[int, str]:
    """The class of which an object is around the block, by `isinstance`."""
    found: dict[int, str] = {}
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is not None and fn.callee_name(call) == "isinstance" and len(call.args) == 2:
            names = [ref.name for ref in project.refs(fn, call.args[1]) if ref.kind == "class"]
            found.update({object_root(fn, call.args[0]): names[0]} if len(names) == 1 else {})
    return found


def _tests(fn: Fn, block: int) -> Iterator[int]:
    """What must be true around the block."""
    todo = [item.value for _, item in fn.blocks_of(block) if item.kind == "if" and item.value >= 0]
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[0] == "bool" and value[1] == "and":
            todo += value[2]
        else:
            yield vid


def _forms(fn: Fn, block: int) -> set[str]:
    """The buttons of `if "rename" in request.POST:` around the block; of `"open" in form or "reopen" in form` both."""
    found: set[str] = set()
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        buttons = [_button(fn, part) for part in (value[2] if value[:2] == ("bool", "or") else (vid,))]
        found.update(buttons if all(buttons) else ())
    return found


def _button(fn: Fn, vid: int) -> str:
    value = fn.facts.values[vid]
    if value[0] != "compare" or tuple(value[1]) != ("in",):
        return ""
    key, where = fn.const(value[2][0]), fn.unguarded(value[2][1])
    form = where[0] in ("attr", "name") and _FORM.search(str(where[-1])) is not None
    return key if isinstance(key, str) and form else ""


def _compared(fn: Fn, block: int) -> dict[str, str]:
    """What is equal to what around the block; a value without a name (`kind` after a test of it) goes by its number, and
    what is an attribute of one by that of the object."""
    found = {}
    for vid in _tests(fn, block):
        value = fn.facts.values[vid]
        if value[0] == "compare" and tuple(value[1]) == ("==",):
            left, right = (_shown(fn, part) for part in value[2])
            known = fn.const(value[2][1])
            path = path_of(fn, value[2][0])
            if "?" in left:
                left = ".".join(map(str, path)) if len(path) > 1 or known is not ... else ""
            if left and (known is not ... or "?" not in right):
                found[left] = right if known is ... else repr(known)
    return found


def _shown(fn: Fn, vid: int) -> str:
    """The name, with what calls are given: `request.POST.get('form')`."""
    vid = fn.untested(vid)
    value = fn.value(vid)
    if value[0] == "attr":
        return f"{_shown(fn, value[1])}.{value[2]}"
    if value[0] != "call":
        return name_of(fn.file, fn.facts, vid)
    call = fn.facts.calls[value[1]]
    given = [fn.const(item) for item in call.args]
    return "?" if ... in given or call.kwargs else f"{_shown(fn, call.func)}{given}"
