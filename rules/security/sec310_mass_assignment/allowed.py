"""Lists of allowed names that a mapping's keys are held against."""

from __future__ import annotations

from backendlint.api import Fn, Project, Vid, ingredients

from .origins import requested

COPIES = ("set", "frozenset", "dict", "list", "sorted")
MAX_CHAIN = 12


def guarded(fn: Fn, vid: Vid) -> bool:
    """`if key in ALLOWED:` or `case "name" | "berth":`, not `if "name" in data:`."""
    value = fn.facts.values[vid]
    while value[0] in ("guard", "conv"):
        if value[0] == "guard" and (_listed(fn, value[2]) or (value[3] and _one_of(fn, value[2]))):
            return True
        value = fn.facts.values[value[1]]
    return False


def _listed(fn: Fn, test: Vid) -> bool:
    value = fn.facts.values[test]
    return value[0] == "compare" and bool(set(value[1]) & {"in", "not in"}) and fn.const(value[2][0]) is ...


def _one_of(fn: Fn, test: Vid) -> bool:
    """`key == "name"`, or one such test of several."""
    value = fn.facts.values[test]
    if value[0] == "bool":
        return value[1] == "or" and all(_one_of(fn, part) for part in value[2])
    return value[0] == "compare" and value[1] == ("==",) and isinstance(fn.const(value[2][1]), str)


def refuses_others(project: Project, fn: Fn, vid: Vid) -> bool:
    """`if data.keys() - ALLOWED: raise`: whoever sends another field is turned away."""
    source = _mapping_of(fn, vid)
    for block in fn.facts.blocks:
        if block.kind != "if" or block.exits not in ("raise", "return") or block.value < 0:
            continue
        parts = ingredients(fn.facts, [block.value])
        tests = (fn.facts.values[part][2] for part in parts if fn.facts.values[part][0] == "guard")
        for sides in (_compared_keys(fn, part) for part in (*parts, *tests)):
            if sides is not None and _mapping_of(fn, sides[0]) == source and not requested(project, fn, sides[1]):
                return True
    return False


def _compared_keys(fn: Fn, vid: Vid) -> tuple[Vid, Vid] | None:
    """The mapping (or its keys) and the names that it may have: `keys - names`, `keys <= names`, `key not in names`,
    `keys.difference(names)`."""
    value = fn.facts.values[vid]
    if value[0] == "binop" and value[1] == "-":
        return value[2], value[3]
    if value[0] == "compare" and value[1] in (("<=",), ("not in",)):
        return value[2][0], value[2][1]
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] in ("difference", "issubset") and call.args:
            return func[1], call.args[0]
    return None


def _mapping_of(fn: Fn, vid: Vid) -> Vid:
    """The mapping behind its keys, a set of them, one of them, or itself with entries set or taken out."""
    for _ in range(MAX_CHAIN):
        value = fn.facts.values[vid]
        if value[0] in ("guard", "mut", "store", "setattr", "await", "elem", "conv"):
            vid = value[1]
        elif value[0] == "phi":
            vid = next((item for item in value[1] if item != vid), value[1][0])
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            func = fn.facts.values[call.func]
            if func[0] == "attr" and func[2] in ("keys", "copy") and not call.args:
                vid = func[1]
            elif fn.callee_name(call) in COPIES and len(call.args) == 1:
                vid = call.args[0]
            else:
                return vid
        else:
            return vid
    return vid
