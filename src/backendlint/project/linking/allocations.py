"""Where an object was made: the constructor or factory calls behind a value, through names, attributes and functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.linking.binding import SAME, handed_back

if TYPE_CHECKING:
    from backendlint.project.model import Project

MAX_DEPTH = 12
MAX_CALLERS = 8
MAX_STEPS = 2000
"""Values for one question: in large projects, ways through attributes that everybody sets branch without end."""


class Made(NamedTuple):
    """A call whose result the value is."""

    fn: Fn
    call: Call


class Allocations:
    """Answers `of(fn, vid)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._active: set[tuple[str, Vid]] = set()
        self._steps = 0
        """Values looked at since somebody last asked from outside."""

    def of(self, fn: Fn, vid: Vid, depth: int = 0) -> list[Made]:
        """Calls of libraries' functions and of classes that may have made the value."""
        key = (fn.fqn, vid)
        if not self._active:
            self._steps = 0
        self._steps += 1
        if vid < 0 or depth > MAX_DEPTH or key in self._active or self._steps > MAX_STEPS:
            return []
        self._active.add(key)
        try:
            return list(dict.fromkeys(self._of(fn, vid, depth + 1)))
        finally:
            self._active.discard(key)

    def _of(self, fn: Fn, vid: Vid, depth: int) -> list[Made]:
        value = fn.facts.values[vid]
        op = value[0]
        if op == "enter":
            return self._entered(fn, value[1], depth)
        if op in SAME:
            return self.of(fn, value[1], depth)
        if op in ("phi", "bool"):
            vids = value[1] if op == "phi" else value[2]
            return [made for item in vids for made in self.of(fn, item, depth)]
        if op == "call":
            return self._call(fn, fn.facts.calls[value[1]], depth)
        if op == "name":
            return self._name(fn, value[1], depth)
        if op == "attr":
            return self._attribute(fn, value[1], value[2], depth)
        if op == "item":
            kept = self.project.attached.items(fn, value[1], value[2]) or self._kept_by_class(fn, value[1])
            return [made for home, item in kept for made in self.of(home, item, depth)]
        if op == "param":
            return self._param(fn, value[1], depth)
        if op == "outer":
            target = fn.outer(value)
            return self.of(target, value[1], depth) if target else []
        return []

    def _call(self, fn: Fn, call: Call, depth: int) -> list[Made]:
        found: list[Made] = []
        for ref in self.project.callees(fn, call):
            if ref.kind == "func":
                callee = self.project.functions[ref.name]
                for item in callee.facts.returns:
                    found += self._returned(fn, call, callee, item.value, depth)
            elif ref.kind in ("class", "lib"):
                found.append(Made(fn, call))
        func = fn.unguarded(call.func)
        return found or (self._by_passed(fn, func[1], depth) if func[0] == "param" else [])

    def _by_passed(self, fn: Fn, index: int, depth: int) -> list[Made]:
        """`def get(self, name, make): ... make()`: by the functions that callers pass."""
        made_by = (
            self.project.functions[ref.name]
            for caller, vid in self._passed(fn, index)
            for ref in self.project.refs(caller, vid)
            if ref.kind == "func"
        )
        return [made for maker in made_by for item in maker.facts.returns for made in self.of(maker, item.value, depth)]

    def _returned(self, fn: Fn, call: Call, callee: Fn, vid: Vid, depth: int) -> list[Made]:
        own = handed_back(fn, call, callee, vid)
        return [made for item in own for made in self.of(fn, item, depth)] if own else self.of(callee, vid, depth)

    def _entered(self, fn: Fn, vid: Vid, depth: int) -> list[Made]:
        """What the `__enter__` of a project's class gives; the object itself for all others."""
        found: list[Made] = []
        for ref in self.project.refs(fn, vid):
            cls = self.project.classes[ref.name] if ref.kind == "inst" else None
            method = (self.project.method(cls, "__enter__") or self.project.method(cls, "__aenter__")) if cls else None
            if method is None:
                continue
            for item in method.facts.returns:
                if item.value >= 0 and method.unguarded(item.value) != ("param", 0):
                    found += self.of(method, item.value, depth)
        return found or self.of(fn, vid, depth)

    def named(self, fn: Fn, dotted: str) -> list[Made]:
        """What made the object that a dotted name of the file stands for."""
        return self._name(fn, dotted, 0)

    def _name(self, fn: Fn, dotted: str, depth: int) -> list[Made]:
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind == "library":
            return self._kept(*target.name.rpartition(".")[::2], depth)
        if target.kind != "variable" or target.file is None:
            return []
        owner = self.project.module_function(target.file)
        found = self.of(owner, target.vid, depth) if not target.rest else []
        if target.rest:
            found = self._fields(owner, target.vid, target.rest[0], depth)
        elif not found:
            stored = self.project.attached.rebound(f"{target.file.module}.{target.name}")
            found = [made for home, vid in stored for made in self.of(home, vid, depth)]
        return found

    def _kept(self, owner: str, name: str, depth: int) -> list[Made]:
        """What the project keeps on a library's object."""
        return [made for fn, vid in self.project.attached.stores(owner, name) for made in self.of(fn, vid, depth)]

    def _kept_by_class(self, fn: Fn, base: Vid) -> list[tuple[Fn, Vid]]:
        """What the methods of a class put into `self.clients`, of which an item is taken."""
        value = fn.unguarded(base)
        refs = self.project.refs(fn, value[1]) if value[0] == "attr" else ()
        owners = [
            cls
            for ref in refs
            if ref.kind == "inst"
            for cls in self.project.hierarchy.mro(self.project.classes[ref.name])
        ]
        return [item for owner in owners for item in self.project.hierarchy.kept(owner, value[2])]

    def _attribute(self, fn: Fn, base: Vid, name: str, depth: int) -> list[Made]:
        stored = fn.facts.values[base]
        while stored[0] in ("setattr", "guard", "mut", "store"):
            if stored[0] == "setattr" and stored[2] == name:
                return self.of(fn, stored[3], depth)
            stored = fn.facts.values[stored[1]]
        return self._fields(fn, base, name, depth)

    def _fields(self, fn: Fn, base: Vid, name: str, depth: int) -> list[Made]:
        found: list[Made] = []
        for ref in self.project.refs(fn, base):
            if ref.kind in ("inst", "class"):
                found += self.field(self.project.classes[ref.name], name, depth)
            elif ref.kind in ("lib", "libinst"):
                found += self._kept(ref.name, name, depth)
        return found

    def field(self, cls: Cls, name: str, depth: int = 0) -> list[Made]:
        """What made the objects that a class keeps in an attribute."""
        found: list[Made] = []
        for owner in self.project.hierarchy.mro(cls):
            method = owner.methods.get(name)
            if method is not None and method.kind == "property":
                found += [made for item in method.facts.returns for made in self.of(method, item.value, depth + 1)]
            found += self.of(owner.owner, owner.facts.attributes.get(name, -1), depth + 1)
            for method, vid in self.project.hierarchy.stores(owner, name):
                found += self.of(method, vid, depth + 1)
        return found

    def _param(self, fn: Fn, index: int, depth: int) -> list[Made]:
        """Through injected dependencies, then through what callers pass, or leave to a default (`session=_session`)."""
        found: list[Made] = []
        for dependency in self.project.graph.injected(fn, index):
            for item in dependency.facts.returns:
                found += self.of(dependency, item.value, depth)
        home, default = fn.parent, fn.facts.params[index].default
        given = list(self._passed(fn, index))
        if home is not None and default >= 0 and _is_variable(home, default):
            given.append((home, default))
        return found or [made for caller, vid in given for made in self.of(caller, vid, depth)]

    def _passed(self, fn: Fn, index: int) -> Iterator[tuple[Fn, Vid]]:
        """What callers pass for a parameter."""
        for edge in self.project.graph.callers(fn)[:MAX_CALLERS]:
            if edge.kind == "call":
                yield from ((edge.caller, vid) for vid, part in edge.passed(index) if not part)


def _is_variable(fn: Fn, vid: Vid) -> bool:
    """A variable, of this module or another; no `Depends(make_session)`, which says how to get one."""
    return fn.value(vid)[0] == "name" or any(item.value == vid for item in fn.facts.bindings)
