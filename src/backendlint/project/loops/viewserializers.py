"""Which serializer a generic view takes for one of its actions, where `get_serializer_class` chooses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Cls, Fn, Refs
from backendlint.project.loops.loops import block_at

if TYPE_CHECKING:
    from backendlint.project.model import Project

ATTRIBUTE, CHOOSES = "serializer_class", "get_serializer_class"
VERBS = {"list": "GET", "retrieve": "GET", "create": "POST", "update": "PUT", "destroy": "DELETE"}
_SAME = {"==": True, "is": True, "in": True, "!=": False, "is not": False, "not in": False}


def serializer_for(project: Project, cls: Cls, action: str) -> Cls | None:
    """The one serializer that the view can take for this action; None where it may be one of several."""
    found = _chosen(project, cls, project.hierarchy.mro(cls), action)
    return project.classes.get(found.pop()) if len(found) == 1 else None


def _chosen(project: Project, cls: Cls, owners: Sequence[Cls], action: str) -> set[str]:
    """By the first `get_serializer_class` of these classes, or by the attribute; "" stands for one that nobody knows."""
    for number, owner in enumerate(owners):
        chosen = owner.methods.get(CHOOSES)
        if chosen is not None:
            found = set()
            for item in chosen.facts.returns:
                tests = chosen.tests_before(item.block, item.span, ("return", "raise"))
                if item.value < 0 or excluded(chosen, tests, action):
                    continue
                for vid in _parts(chosen, item.value, action):
                    found |= _named(project, cls, chosen, vid, owners[number + 1 :], action)
            return found
    return _by_attribute(project, cls) or {""}


def named_for(project: Project, fn: Fn, call: Call) -> Refs:
    """What `self.serializer_class` is in an action whose decorator names another: `@action(serializer_class=ShortSerializer)`."""
    func, home = fn.unguarded(call.func), fn.parent or fn
    made = [home.value(vid) for vid in fn.facts.decorators] if func[0] == "attr" and func[2] == ATTRIBUTE else []
    named = (home.calls[value[1]].kwarg(ATTRIBUTE) for value in made if value[0] == "call")
    return tuple(ref for vid in named if vid >= 0 for ref in project.refs(home, vid))


def _by_attribute(project: Project, cls: Cls) -> set[str]:
    stated = project.hierarchy.attribute(cls, ATTRIBUTE)
    return {ref.name for ref in project.refs(*stated) if ref.kind == "class"} if stated is not None else set()


def _parts(fn: Fn, vid: Vid, action: str) -> Iterator[Vid]:
    """What a value can be for the action: of `A if self.action == "list" else B` one side, an entry of a table by actions."""
    value = fn.unguarded(vid)
    if value[0] == "phi":
        for item in value[1]:
            block = block_at(fn, fn.facts.span_of(item))
            if item != vid and not excluded(fn, fn.tests_of(block), action):
                yield from _parts(fn, item, action)
    else:
        yield vid


def _named(project: Project, cls: Cls, fn: Fn, vid: Vid, above: Sequence[Cls], action: str) -> set[str]:
    """The classes that a value names; {""} where that is not known."""
    value = fn.unguarded(vid)
    func = fn.func_of(value)
    if func[0] == "attr" and func[2] == CHOOSES:  # `super().get_serializer_class()`
        return _chosen(project, cls, above, action)
    if value[0] == "attr" and value[2] == ATTRIBUTE:  # `self.serializer_class`: that of the view itself
        return _by_attribute(project, cls) or {""}
    table = _entry(project, cls, fn, value, action)
    if table is not None:
        owner, entry = table
        return _named(project, cls, owner, entry, above, action)
    return {ref.name if ref.kind == "class" else "" for ref in project.refs(fn, vid)} or {""}


def _entry(project: Project, cls: Cls, fn: Fn, value: Value, action: str) -> tuple[Fn, Vid] | None:
    """`{"list": ShortSerializer}.get(self.action, WholeSerializer)`, `self.by_action[self.action]`."""
    rest, base, key = -1, -1, -1
    if value[0] == "item":
        base, key = value[1], value[2]
    elif value[0] == "call":
        call, func = fn.calls[value[1]], fn.func_of(value)
        if func[0] == "attr" and func[2] == "get" and call.args:
            base, key, rest = func[1], call.args[0], call.args[1] if call.args[1:] else -1
    if base < 0 or _read(fn, key) != "action":
        return None
    owner, table = _table(project, cls, fn, base)
    for name, entry in table[1] if table[0] == "dict" else ():
        if owner.const(name) == action:
            return owner, entry
    return (fn, rest) if rest >= 0 and table[0] == "dict" else None


def _table(project: Project, cls: Cls, fn: Fn, base: Vid) -> tuple[Fn, Value]:
    value = fn.unguarded(base)
    stated = project.hierarchy.attribute(cls, str(value[2])) if value[0] == "attr" else None
    return (stated[0], stated[0].unguarded(stated[1])) if stated is not None else (fn, value)


def excluded(fn: Fn, tests: Iterable[tuple[Vid, bool]], action: str) -> bool:
    """Whether the view does not come past these tests for the action."""
    return any(_asked(fn, vid, action) is (not outcome) for vid, outcome in tests if vid >= 0)


def _asked(fn: Fn, vid: Vid, action: str) -> bool | None:
    """How a test of `self.action`, `self.request.method` or a serializer's view comes out; None where that is open."""
    value = fn.unguarded(vid)
    if _is_view(fn, value):
        return True
    if value[0] == "not":
        inner = _asked(fn, value[1], action)
        return None if inner is None else not inner
    if value[0] == "bool":
        parts = [_asked(fn, part, action) for part in value[2]]
        ends = value[1] == "or"
        return ends if ends in parts else None if None in parts else not ends
    if value[0] != "compare" or len(value[1]) != 1 or value[1][0] not in _SAME:
        return None
    said = {"action": action, "method": VERBS.get(action)}.get(_read(fn, value[2][0]))
    other = fn.unguarded(value[2][1])
    consts = [fn.const(item) for item in other[1]] if other[0] in ("tuple", "list", "set") else [fn.const(value[2][1])]
    if said is None or any(not isinstance(item, str) for item in consts):
        return None
    return (said in consts) is _SAME[value[1][0]]


def _is_view(fn: Fn, value: Value) -> bool:
    """`self.context.get("view")`: in a request there is one."""
    func = fn.func_of(value)
    named = fn.calls[value[1]].args[:1] if func[0] == "attr" and func[2] == "get" else ()
    return any(fn.const(key) == "view" for key in named)


def _read(fn: Fn, vid: Vid) -> str:
    """`action` of `self.action` and `getattr(self, "action", None)`, `method` of `self.request.method`; or ""."""
    value = fn.unguarded(vid)
    if value[0] == "call":
        call = fn.calls[value[1]]
        named = fn.const(call.args[1]) if fn.callee_name(call) == "getattr" and call.args[1:] else ...
        return named if isinstance(named, str) else ""
    return str(value[2]) if value[0] == "attr" else ""
