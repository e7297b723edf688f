"""Asserts that repeat what every caller has tested."""

from __future__ import annotations

from backendlint.api import Call, FunctionFacts, SyntaxSite, around, called_name

from .values import unguarded


def is_tested_before(site: SyntaxSite, vid: int) -> bool:
    """Whether every call in the file stands under the very test that the assert repeats, on what it passes."""
    function = site.function
    calls = [
        (caller, call)
        for caller in site.file.functions
        for call in caller.calls
        if called_name(site.file, caller, call).rpartition(".")[2] == function.name
    ]
    return bool(calls) and all(
        any(
            caller.blocks[number].kind == "if" and _is_same(site, vid, caller, caller.blocks[number].value, call)
            for number in around(caller, call.block)
        )
        for caller, call in calls
    )


def _is_same(site: SyntaxSite, vid: int, caller: FunctionFacts, other: int, call: Call) -> bool:
    """Whether a caller's test is the function's, with the arguments of the call for its parameters."""
    ours, theirs = site.function.values[vid], unguarded(caller, other)
    if ours[0] == "guard":
        return _is_same(site, ours[1], caller, other, call)
    if ours[0] == "param":
        passed = _argument(site.function, ours[1], call)
        return passed >= 0 and unguarded(caller, passed) == theirs and theirs[0] != "const"
    if ours[0] != theirs[0]:
        return False
    if ours[0] in ("const", "name"):
        return bool(ours[1] == theirs[1])
    if ours[0] == "attr":
        return ours[2] == theirs[2] and _is_same(site, ours[1], caller, theirs[1], call)
    if ours[0] == "compare":
        pairs = zip(ours[2], theirs[2], strict=False)
        return tuple(ours[1]) == tuple(theirs[1]) and all(_is_same(site, a, caller, b, call) for a, b in pairs)
    if ours[0] != "call":
        return False
    mine, its = site.function.calls[ours[1]], caller.calls[theirs[1]]
    pairs = zip((mine.func, *mine.args), (its.func, *its.args), strict=False)
    alike = len(mine.args) == len(its.args) and not mine.kwargs and not its.kwargs
    return alike and all(_is_same(site, a, caller, b, call) for a, b in pairs)


def _argument(function: FunctionFacts, index: int, call: Call) -> int:
    """What a call passes for a parameter; -1 where that cannot be seen."""
    name = function.params[index].name
    found = next((vid for key, vid in call.kwargs if key == name), -1)
    position = index - (function.params[0].name in ("self", "cls"))
    return found if found >= 0 or call.open_ended else call.args[position] if 0 <= position < len(call.args) else -1
