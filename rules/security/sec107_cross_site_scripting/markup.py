"""What of a text may be markup of others: no text of the code, no number, and nothing that was escaped."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Project, Vid, bind, operands

PUT_TOGETHER = ("fmt", "binop", "join")
HOLDS = (*PUT_TOGETHER, "phi", "bool", "list", "tuple", "comp", "mut")
NUMERIC = tuple("dioxXeEfFgG")
NUMBERS = ("len", "int", "float", "round", "sum", "count")
KEYS = ("pk", "id")
ESCAPED = frozenset({"xss", "all"})
SHOWS = frozenset({"format", "join", "replace", "strip"})
DEPTH = 2


def may_hold_markup(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether any part of a text may be, also of what functions of the project return."""
    return next(_parts(project, fn, vid, DEPTH), None) is not None


def _parts(project: Project, fn: Fn, vid: Vid, depth: int) -> Iterator[Vid]:
    """The parts that may be."""
    todo, seen = [vid], set[Vid]()
    while todo:
        part = todo.pop()
        value = fn.unguarded(part)
        if part in seen or value[0] == "const" or (value[0] == "attr" and value[2] in KEYS):
            continue
        seen.add(part)
        if value[0] == "conv":
            todo += () if value[2][-1:] in NUMERIC else (value[1],)
        elif value[0] in HOLDS:
            todo += operands(value)
        elif value[0] == "call" and (inner := _shown(project, fn, fn.calls[value[1]], depth)) is not None:
            todo += inner
        elif project.constants(fn, part) is None:
            yield part


def _shown(project: Project, fn: Fn, call: Call, depth: int) -> tuple[Vid, ...] | None:
    """What the text of a call is made of, as far as it can hold markup; None where that is not known."""
    name, func = fn.callee_name(call), fn.facts.values[call.func]
    if name in NUMBERS or any(not ESCAPED.isdisjoint(model.sanitizes) for model in project.models(fn, call)):
        return ()
    if func[0] == "attr" and name in SHOWS:
        return (*call.passed, func[1])
    targets = project.targets(fn, call) if depth else ()
    passed: list[Vid] = []
    for target in targets:
        bound = bind(fn, call, target)
        for item in target.facts.returns:
            for part in _parts(project, target, item.value, depth - 1) if item.value >= 0 else ():
                value = target.unguarded(part)
                if value[0] != "param" or value[1] not in bound:
                    return None
                passed += (vid for vid, _ in bound[value[1]])
    return tuple(passed) if targets else None
