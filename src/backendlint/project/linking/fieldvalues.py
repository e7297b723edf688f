"""What a field of an object holds, by how the function that has it made or looked it up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import SAME, bind, unchanged

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_STEPS = 12
_BY_KEYWORDS = frozenset({"filter_by", "filter", "get", "get_or_create", "where"})
_BY_TESTS = frozenset({"filter", "where"})
_HANDS_ON = frozenset({"attr", "elem", "await", *SAME})
_ALTERS = frozenset({"union", "union_all", "exclude", "values", "values_list", "scalars_of"})


Placed = tuple[Fn, Vid]
"""A value, with the function in whose table it stands."""


def field_of(project: Project, fn: Fn, vid: Vid, field: str) -> Placed | None:
    """The value that an object's field has: given to its constructor, assigned since, or asked for by the query that found
    it; None where that cannot be seen."""
    for _ in range(MAX_STEPS):
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "setattr" and value[2] == field:
            return fn, int(value[3])
        if value[0] in _HANDS_ON:
            vid = value[1]
            continue
        if value[0] != "call":
            return None
        call = fn.calls[value[1]]
        classes = [project.classes.get(ref.name) for ref in project.callees(fn, call) if ref.kind == "class"]
        if classes:
            return _constructed(project, fn, call, classes[0], field) if len(classes) == 1 else None
        name = fn.callee_name(call)
        asked = next(_conditions(fn, call, name, field), -1) if name not in _ALTERS else -1
        func = fn.unguarded(call.func)
        if asked >= 0 or name in _ALTERS or func[0] != "attr":
            return (fn, asked) if asked >= 0 else None
        vid = func[1]
    return None


def _constructed(project: Project, fn: Fn, call: Call, cls: Cls | None, field: str) -> Placed | None:
    """`Box(key, version=2)`: the argument that is kept under that name, or that declares it where no constructor is written."""
    if cls is None or field in cls.methods or call.open_ended:
        return None
    kept = [item for owner in project.hierarchy.mro(cls) for item in project.hierarchy.stores(owner, field)]
    init = project.method(cls, "__init__")
    if init is None:
        given = call.kwarg(field)
        return (fn, given) if given >= 0 and not kept else None
    if len(kept) != 1 or kept[0][0] is not init or init.unguarded(kept[0][1])[0] != "param":
        return None
    index = init.unguarded(kept[0][1])[1]
    bound = bind(fn, call, init).get(index, [])
    if not bound and init.parent is not None and init.facts.params[index].default >= 0:
        return init.parent, init.facts.params[index].default
    return (fn, bound[0][0]) if len(bound) == 1 and not bound[0][1] else None


def _conditions(fn: Fn, call: Call, name: str, field: str) -> Iterator[Vid]:
    """What a query asks the field to be equal to."""
    if name in _BY_KEYWORDS and call.kwarg(field) >= 0:
        yield call.kwarg(field)
    for vid in call.args if name in _BY_TESTS else ():
        for test in _tests(fn, vid):
            value = fn.unguarded(test)
            if value[0] == "compare" and tuple(value[1]) == ("==",):
                for one, other in (value[2], value[2][::-1]):
                    if _column(fn, one) == field:
                        yield other


def _tests(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """An argument, or all in a list that is spread: `filter(*conditions)`."""
    value = fn.unguarded(vid)
    if value[0] != "star":
        yield vid
        return
    value = fn.unguarded(value[1])
    while value[0] == "mut" and value[2] in ("append", "extend"):
        value = fn.unguarded(value[1])
    yield from value[1] if value[0] in ("list", "tuple") else ()


def _column(fn: Fn, vid: Vid) -> str:
    """`owner_id` of `Report.owner_id`, a column of a class."""
    value = fn.unguarded(vid)
    owner, _, last = str(value[1]).rpartition(".") if value[0] == "name" else ("", "", "")
    return last if owner.rpartition(".")[2][:1].isupper() else ""


def is_field(fn: Fn, vid: Vid, base: Vid, field: str) -> bool:
    """Whether a value is that field of that object: `user.id`."""
    value, owner = fn.unguarded(vid), unchanged(fn, base)
    if value[0] == "attr":
        return bool(value[2] == field and unchanged(fn, value[1]) == owner)
    return bool(value[0] == owner[0] == "name" and value[1] == f"{owner[1]}.{field}")
