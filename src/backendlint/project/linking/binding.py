"""Which arguments of a call become which parameters."""

from __future__ import annotations

from collections.abc import Container, Iterator

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn, Ref

Bound = dict[int, list[tuple[Vid, tuple[str, ...]]]]
"""Parameter index to the argument's vid and the part of it that is meant (for `*args` and `**kwargs`)."""
_ENTRY = "="
"""Begins the part of an argument that is one entry of what `*args` or `**kwargs` collects."""


def below(part: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The argument's path for a path of the parameter to which that part of it is bound; None where another entry is meant."""
    if not part or not part[0].startswith(_ENTRY):
        return (*part, *path)
    own = not path or path[0] in (part[0][1:], "[*]") or path[0].startswith("[-")
    return path[1:] if own else None


def receiver(fn: Fn, call: Call) -> Vid:
    """The object on which a method is called, or -1."""
    value = fn.facts.values[call.func]
    return value[1] if value[0] == "attr" else -1


def chained_calls(fn: Fn, vid: Vid, most: int) -> Iterator[Call]:
    """The calls of a chain, the last one first: `.first()`, then `.filter(...)` of `rows.filter(...).first()`."""
    for _ in range(most):
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        if value[0] != "call":
            return
        call = fn.facts.calls[value[1]]
        yield call
        vid = receiver(fn, call)


SAME = frozenset({"guard", "await", "mut", "store", "setattr", "enter", "star"})
"""Operations whose result is the object that they are about, entered or changed."""
_CHANGES = SAME - {"enter", "star"}


def unchanged(fn: Fn, vid: Vid) -> Value:
    """The object itself, whatever was tested or changed of it."""
    value = fn.facts.values[vid]
    while value[0] in SAME:
        value = fn.facts.values[value[1]]
    return value


def object_root(fn: Fn, vid: Vid) -> Vid:
    """The object behind changes and guards of it, where branches have changed it too."""
    value = fn.facts.values[vid]
    while value[0] in _CHANGES or (value[0] == "phi" and value[1]):
        following = value[1][0] if value[0] == "phi" else value[1]
        if following == vid:
            break
        vid = following
        value = fn.facts.values[vid]
    return vid


def handed_back(fn: Fn, call: Call, callee: Fn, returned: Vid) -> list[Vid]:
    """What the call itself passes for the parameter that the callee returns (`bp = timed(Blueprint(...))`); none if it
    returns something else."""
    value = unchanged(callee, returned) if returned >= 0 else ("unknown",)
    passed = bind(fn, call, callee).get(value[1], ()) if value[0] == "param" else ()
    return [vid for vid, part in passed if not part]


def as_run(fn: Fn, call: Call, handed: Vid = -1) -> Call:
    """The call of the function that a call runs, now or later, with what that is given: `job.apply_async(args=[1], kwargs={"a": 2})`;
    `handed` is the argument by which the function is handed over (`breaker.call(load, url)`, `Thread(target=job, args=(1,))`)."""
    args, kwargs = call.kwarg("args"), call.kwarg("kwargs")
    rest = call.args[call.args.index(handed) + 1 :] if handed in call.args else call.args
    func = handed if handed >= 0 else call.func
    if fn.callee_name(call) == "apply_async" and args < 0 and rest:
        args, kwargs, rest = rest[0], rest[1] if len(rest) > 1 else kwargs, ()
    packed = fn.unguarded(args) if args >= 0 else ("unknown",)
    named = fn.unguarded(kwargs) if kwargs >= 0 else ("unknown",)
    if packed[0] not in ("tuple", "list") and named[0] != "dict":
        return call._replace(func=func, args=rest)
    keys = [(fn.const(key) if key >= 0 else "**", vid) for key, vid in named[1]] if named[0] == "dict" else []
    return call._replace(
        func=func,
        args=(*rest, *(packed[1] if packed[0] in ("tuple", "list") else ())),
        kwargs=tuple((key, vid) for key, vid in keys if isinstance(key, str)),
    )


def bind(fn: Fn, call: Call, callee: Fn, ref: Ref | None = None, skip: int = 0, entries: bool = False) -> Bound:
    """Arguments to parameters; `skip` leaves out leading positional arguments (`submit(f, x)`: 1), `entries` says of what
    `*args` and `**kwargs` collect which entry it is, for `below`."""
    bound: Bound = {}
    params = callee.facts.params
    offset = callee.filled
    if callee.cls is not None and callee.kind in ("method", "classmethod", "property"):
        constructs = callee.name == "__init__" and (ref is None or ref.kind == "class")
        unbound = ref is not None and ref.kind == "func" and ref.arg is not None and ref.arg.kind == "class"
        if callee.kind == "classmethod" or constructs or not unbound:
            offset = 1
            base = receiver(fn, call)
            if base >= 0 and not constructs and callee.kind != "classmethod":
                bound[0] = [(base, ())]
    positional = [i for i, param in enumerate(params) if param.kind in ("pos", "any")]
    rest = next((i for i, param in enumerate(params) if param.kind == "args"), -1)
    for number, vid in enumerate(call.args[skip:]):
        value = fn.facts.values[vid]
        if value[0] == "star":
            for index in positional[number + offset :]:
                bound.setdefault(index, []).append((value[1], (f"[{index - offset - number}]",)))
            break
        if number + offset < len(positional):
            bound.setdefault(positional[number + offset], []).append((vid, ()))
        elif rest >= 0:
            entry = (f"{_ENTRY}[{number + offset - len(positional)}]",) if entries else ()
            bound.setdefault(rest, []).append((vid, entry))
    _keywords(call, callee, bound, entries)
    return bound


def slots(fn: Fn, call: Call, callee: Fn, vids: Container[Vid]) -> set[int]:
    """The parameters for which one of the values is passed."""
    return {index for index, passed in bind(fn, call, callee).items() if any(vid in vids for vid, _ in passed)}


def fits(fn: Fn, call: Call, callee: Fn) -> bool:
    """Whether a method takes what is passed: no argument too many or unknown, and all that it requires."""
    params = callee.facts.params[1 if callee.kind in ("method", "classmethod", "property") else 0 :]
    spread = any(fn.facts.values[vid][0] == "star" for vid in call.args)
    kinds = {param.kind for param in params}
    positional = [param for param in params if param.kind in ("pos", "any")]
    if len(call.args) - spread > len(positional) and "args" not in kinds:
        return False
    named = {key for key, _ in call.kwargs}
    if "kwargs" not in kinds and not named <= {"**", *(param.name for param in params if param.kind in ("any", "kw"))}:
        return False
    if spread or call.open_ended:
        return True
    left = [*positional[len(call.args) :], *(param for param in params if param.kind == "kw")]
    return all(param.default >= 0 or param.name in named for param in left)


def _keywords(call: Call, callee: Fn, bound: Bound, entries: bool) -> None:
    params = callee.facts.params
    by_name = {param.name: i for i, param in enumerate(params) if param.kind in ("any", "kw")}
    extra = next((i for i, param in enumerate(params) if param.kind == "kwargs"), -1)
    for key, vid in call.kwargs:
        if key == "**":
            for name, index in by_name.items():
                if index not in bound:
                    bound.setdefault(index, []).append((vid, (f"[{name!r}]",)))
            if extra >= 0:
                bound.setdefault(extra, []).append((vid, ()))
        elif key in by_name:
            bound.setdefault(by_name[key], []).append((vid, ()))
        elif extra >= 0:
            bound.setdefault(extra, []).append((vid, (f"{_ENTRY}[{key!r}]",) if entries else ()))
