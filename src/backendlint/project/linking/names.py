"""What names refer to: dotted names in modules, and names of libraries. Remembered where no value decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.entities import Ref, Refs
from backendlint.project.linking.types import unique
from backendlint.project.linking.variables import of_all_modules

if TYPE_CHECKING:
    from backendlint.project.linking.refs import Resolver
    from backendlint.project.model import Project


SETTINGS = "django.conf.settings"


class Names:
    """Answers for the Resolver, which owns it."""

    def __init__(self, project: Project, resolver: Resolver) -> None:
        self.project = project
        self.resolver = resolver
        self._known: dict[tuple[str, str], Refs] = {}
        """By dotted name and module."""
        self._symbols: dict[str, Refs] = {}
        """By dotted name of a library, where the project keeps nothing of its own there."""
        self._kept_found = 0
        """How often an answer was one of the project's own, or might have been."""

    def known(self, name: str, module: str) -> Refs | None:
        """The remembered answer of `dotted`."""
        return self._known.get((name, module))

    def dotted(self, name: str, module: str) -> Refs:
        """What a dotted name refers to in a module."""
        target = self.project.modules.resolve(name, module)
        if target.kind == "library":
            found = self.symbol(target.name)
            if target.name in self._symbols:
                self._known[name, module] = unique(found)
            return found
        assert target.file is not None
        fqn = f"{target.file.module}.{target.name}" if target.file.module else target.name
        if target.kind == "variable":
            refs = self.resolver.refs(self.project.module_function(target.file), target.vid)
            stored = () if refs else self.project.attached.rebound(fqn)
            refs = refs or unique(ref for place in stored for ref in self.resolver.refs(*place))
            if not refs and target.vid < 0 and target.rest:  # nothing here defines it: a star import may
                return self.resolver.types.of_unknown(name)
        elif target.kind == "module":
            refs = (Ref("module", target.file.module),)
        else:
            refs = (Ref("class" if target.kind == "class" else "func", fqn),)
        if target.kind != "variable" and not target.rest:
            self._known[name, module] = refs
        for attribute in target.rest if target.kind != "module" else ():
            refs = unique(found for ref in refs for found in self.resolver.member(ref, attribute))
        return refs

    def symbol(self, dotted: str) -> Refs:
        """A library's name; its attributes' types are followed (`flask.request.args` is a MultiDict)."""
        known = self._symbols.get(dotted)
        if known is None:
            before = self._kept_found
            known = self._find_symbol(dotted)
            if self._kept_found == before:
                self._symbols[dotted] = known
        return known

    def _find_symbol(self, dotted: str) -> Refs:
        libraries, types = self.project.libraries, self.resolver.types
        model = libraries.attribute(dotted)
        if model is not None and model.type:
            return (types.named(model.type),)
        head, _, last = dotted.rpartition(".")
        if head and libraries.knows(dotted) and libraries.call(dotted) is None and libraries.cls(dotted) is None:
            owner = self.symbol(head)
            if owner and owner[0].kind == "libinst":
                return tuple(self.resolver.member(owner[0], last))
            own = (ref for item in owner if item.kind == "inst" for ref in self.resolver.member(item, last))
            if found := unique(own):  # `g.user.to_dict` of what the project keeps there
                return found
        elif head:
            owner_type = libraries.attribute(head)
            if owner_type is not None and owner_type.type:
                return tuple(self.resolver.member(types.named(owner_type.type), last))
        set_there = self._setting(last) if head == SETTINGS else ()
        return set_there or self.kept(head, last) or types.of_unknown(dotted) or (Ref("lib", dotted),)

    def _setting(self, name: str) -> Refs:
        """What `django.conf.settings.NAME` is, by the module that sets it."""
        places = of_all_modules(self.project, name) if name.isupper() else ()
        return next((refs for fn, vid in places if (refs := self.resolver.refs(fn, vid))), ())

    def kept(self, owner: str, name: str) -> Refs:
        """What the project itself keeps on a library's object (`flask.g.db`)."""
        if not owner or self.project.libraries.call(f"{owner}.{name}") is not None:
            return ()
        stored = self.project.attached.stores(owner, name)
        if stored or not self.project.attached.made:
            self._kept_found += 1
        return unique(ref for fn, vid in stored for ref in self.resolver.refs(fn, vid))
