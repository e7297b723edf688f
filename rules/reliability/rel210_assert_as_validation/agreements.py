"""What programmers agree on, and no data decides."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backendlint.api import FunctionFacts, SyntaxSite, Value

from .syntax import BUG
from .values import conditions, is_constant, unguarded, untested
from .work import PROMISED

_KIND = re.compile(r"(^|_)(type|kind)$")
_CHOOSES = frozenset({"in", "==", "is"})


def is_contract(site: SyntaxSite, vid: int) -> bool:
    """What programmers agree on, and no data decides: a parameter that is one of some names, parameters that exclude each
    other, what the class says of itself (`self.kwarg in view.kwargs`)."""
    value = unguarded(site.function, vid)
    if value[0] == "compare" and _is_of_class(site, value[2][0]):
        return True
    if value[0] == "not":
        value = unguarded(site.function, value[1])
        return value[0] == "bool" and all(unguarded(site.function, item)[0] == "param" for item in value[2])
    if value[0] == "bool":
        parts = [unguarded(site.function, item) for item in value[2]]
        return all(
            part[0] == "param"
            or (part[0] == "compare" and tuple(part[1]) == ("!=",) and _is_given(site, part[2]))
            or _is_left_out(site, part)
            for part in parts
        )
    if value[0] != "compare" or not set(value[1]) <= _CHOOSES:
        return False
    return _is_given(site, value[2]) or _is_of_kind(site, value[2])


def is_among_bugs(site: SyntaxSite) -> bool:
    """Whether an assert on the line before or after, of the same row, tells of a mistake in the code: so does this one."""
    rows = [item.span for item in site.function.statements if item.kind == "assert" and item.block == site.block]
    row, before = {site.span}, 0
    while len(row) > before:
        before = len(row)
        lines = {line for span in row for line in (span.line - 1, span.end_line + 1)}
        row.update(span for span in rows if not lines.isdisjoint((span.line, span.end_line)))
    texts = (part.partition(",")[2] for span in row for part in [span.text_in(site.lines)])
    return any(BUG.search(text) for text in texts)


def _is_of_kind(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """`user.type == User.Type.PERSON` of a parameter: which of its kinds it is, as `isinstance` would ask."""
    function, value = site.function, unguarded(site.function, sides[0])
    named = value[0] == "attr" and _KIND.search(str(value[2])) is not None
    of_given = named and unguarded(function, value[1])[0] == "param"
    return of_given and all(is_constant(function, item) for item in sides[1:])


def _is_of_class(site: SyntaxSite, vid: int) -> bool:
    """`self.kwarg`, which the class's body sets."""
    function, value = site.function, unguarded(site.function, vid)
    own = value[0] == "attr" and function.cls and unguarded(function, value[1]) == ("param", 0)
    return bool(own) and value[2] in site.file.classes[function.cls].attributes


def _is_left_out(site: SyntaxSite, part: Value) -> bool:
    """`not extra`, `"skip" not in kwargs`: one of the ways to say it."""
    function = site.function
    if part[0] == "not":
        return bool(unguarded(function, part[1])[0] == "param")
    if part[0] != "compare" or tuple(part[1]) != ("not in",):
        return False
    holder = unguarded(function, part[2][1])
    return holder[0] == "param" and function.params[holder[1]].kind == "kwargs"


def is_promised(site: SyntaxSite, vid: int) -> bool:
    """Whether all that is asked is what a form or serializer has after it was valid (`"crew" in form.validated_data`), which
    its own methods are handed."""
    function, parts = site.function, conditions(site, vid)
    for part in parts:
        value = unguarded(function, part)
        sides = value[2] if value[0] == "compare" else (part,)
        asked = [unguarded(function, item) for item in sides if not is_constant(function, item)]
        if not asked or any(_promised_name(function, item) not in PROMISED for item in asked):
            return False
    return True


def _promised_name(function: FunctionFacts, value: Value) -> str:
    """What an attribute or a parameter is called."""
    named = str(value[2]) if value[0] == "attr" else ""
    return function.params[value[1]].name if value[0] == "param" else named


def is_last_case(site: SyntaxSite, vid: int) -> bool:
    """`assert stage == Stage.SHUT` behind tests that have left the function for the other stages."""
    function = site.function
    value = unguarded(function, vid)
    if value[0] != "compare" or not set(value[1]) <= {"==", "is"}:
        return False
    left = (block for block in function.blocks if block.kind == "if" and block.exits and block.span < site.span)
    tests = (unguarded(function, block.value) for block in left if block.value >= 0)
    return any(
        test[0] == "compare" and tuple(test[1]) == tuple(value[1]) and _alike(function, test[2][0], value[2][0])
        for test in tests
    )


def _alike(function: FunctionFacts, one: int, other: int) -> bool:
    """Whether two values are one, the same parameter or name, or the same attribute of one."""
    if untested(function, one) == untested(function, other):
        return True
    ours, theirs = unguarded(function, one), unguarded(function, other)
    if ours[0] == theirs[0] == "attr":
        return bool(ours[2] == theirs[2]) and _alike(function, ours[1], theirs[1])
    return ours[0] in ("param", "name") and ours == theirs


def _is_given(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """A parameter beside constants."""
    function = site.function
    return unguarded(function, sides[0])[0] == "param" and all(is_constant(function, item) for item in sides[1:])
