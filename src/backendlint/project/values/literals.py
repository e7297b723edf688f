"""Literals with the names that they are given, and where a constant was written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Value, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Cls, Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.graph.programs import below_main
from backendlint.project.linking.binding import bind
from backendlint.project.linking.variables import variable
from backendlint.project.loops.loops import block_at
from backendlint.project.taint.naming import sensitive
from backendlint.project.values.settinglookups import SettingLookups
from backendlint.project.values.stages import for_trial

if TYPE_CHECKING:
    from backendlint.project.model import Project

DEPTH = 6
_COMPARES = re.compile(r"verif|check|compare|hash|valid|matches", re.IGNORECASE)
"""Names of functions that a made-up password may be given, so that a failure takes as long as a success."""
_PAIRS = ("auth", "basic_auth", "http_auth")
"""Keywords that take a user with a password: `auth=("report", "...")`."""


_WRAPPERS = ("SecretStr", "SecretBytes", "Secret")
"""Types whose text is not printed: Pydantic's and Starlette's."""


class NamedLiteral(NamedTuple):
    """A text literal and the name under which it is used."""

    fn: Fn
    """In whose table `vid` lies."""
    vid: Vid
    name: str
    text: str
    how: str
    """assigned, argument, item, field, default (of a parameter), compared, environment (default of a lookup),
    fallback (behind `or` or `else`)."""
    cls: Cls | None = None
    call: Call | None = None
    secret: bool = False
    """Its type says that it is one (`SecretStr("...")`)."""

    @property
    def location(self) -> Location:
        return self.fn.location(self.fn.facts.span_of(self.vid))

    @property
    def below_main(self) -> bool:
        """Below `if __name__ == "__main__":`."""
        return self.fn.is_module and below_main(self.fn, block_at(self.fn, self.fn.facts.span_of(self.vid)))


class Literals:
    """The project's text (and bytes) literals; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.texts: dict[Fn, list[Vid]] = {}
        """The text literals in each function's table."""
        for fn in project.all_functions():
            values = fn.facts.values
            vids = [vid for vid in fn.made_by("const") if values[vid][1].__class__ in (str, bytes)]
            if vids:
                self.texts[fn] = vids

    @staticmethod
    def for_trial(fn: Fn, vid: Vid) -> bool:
        """Whether a value stands where only development or tests come."""
        return for_trial(fn, vid)

    @cached_property
    def lookups(self) -> SettingLookups:
        """The project's own ways to read a setting."""
        return SettingLookups(self.project)

    @cached_property
    def spelled(self) -> frozenset[str]:
        """All texts that the code spells out."""
        return frozenset(text for _, _, text in self.all)

    @cached_property
    def all(self) -> list[tuple[Fn, Vid, str]]:
        """Every text literal; bytes as Latin-1."""
        texts = ((fn, vid, fn.facts.values[vid][1]) for fn, vids in self.texts.items() for vid in vids)
        return [(fn, vid, text.decode("latin-1") if text.__class__ is bytes else text) for fn, vid, text in texts]

    @cached_property
    def named(self) -> list[NamedLiteral]:
        """Those of reviewed files that have a name; each place once."""
        unique: dict[tuple[str, Vid], NamedLiteral] = {}
        for found in self._named():
            if self.project.counts(found.fn):
                unique.setdefault((found.fn.fqn, found.vid), found)
        return list(unique.values())

    def _named(self) -> Iterator[NamedLiteral]:
        yield from _keys(self.project)
        for cls in self.project.classes.values():
            for name, vid in cls.facts.attributes.items():
                yield from _literal(cls.owner, vid, name, "field", cls)
                yield from _field_default(self.project, cls, name, vid)
                yield from _nested_default(self.project, cls, name, vid)
        for fn in filter(self.project.counts, self.texts):
            yield from self._looked_up(fn)
            yield from _in_function(self.project, fn)
        for fn in self.project.reviewed():
            if fn.parent is not None:
                for index, param in enumerate(fn.facts.params):
                    if param.default >= 0 and fn.parent.facts.values[param.default][0] == "const":
                        setting = _falls_back(self.project, fn, index)
                        how = "environment" if setting else "default"
                        yield from _literal(fn.parent, param.default, setting or param.name, how)

    def _looked_up(self, fn: Fn) -> Iterator[NamedLiteral]:
        for call in fn.facts.calls if self.lookups.known else ():
            for vid, given in self.lookups.of(fn, call) if _passes_literal(fn.facts.values, call) else ():
                name = fn.const(vid)
                for item in given if isinstance(name, str) else ():
                    yield from _literal(fn, item, str(name), "environment", call=call)


def _field_default(project: Project, cls: Cls, name: str, vid: Vid) -> Iterator[NamedLiteral]:
    """`name: str = Field("x")`, `Field(default="x")` or `SecretStr("x")`."""
    value = cls.owner.facts.values[vid]
    if value[0] != "call" or project.hierarchy.role(cls) == "":
        return
    call = cls.owner.facts.calls[value[1]]
    last = cls.owner.callee_name(call)
    if last in ("Field", "field"):
        default = call.kwarg("default") if call.kwarg("default") >= 0 else (call.args[0] if call.args else -1)
        if default >= 0:
            inner = _unwrapped(cls.owner, default)
            yield from _marked(_literal(cls.owner, inner, name, "field", cls), inner != default)
    elif call.args and last in _WRAPPERS:
        yield from _marked(_literal(cls.owner, call.args[0], name, "field", cls), True)


def _marked(found: Iterable[NamedLiteral], secret: bool) -> Iterator[NamedLiteral]:
    yield from (literal._replace(secret=True) for literal in found) if secret else found


def _unwrapped(fn: Fn, vid: Vid) -> Vid:
    """The text that a secret's type is made of."""
    value = fn.facts.values[vid]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    return call.args[0] if call is not None and call.args and fn.callee_name(call) in _WRAPPERS else vid


def _nested_default(project: Project, cls: Cls, name: str, vid: Vid) -> Iterator[NamedLiteral]:
    """`database: Database = Database(url="x")` of a settings class."""
    value = cls.owner.facts.values[vid]
    if value[0] == "call" and project.hierarchy.role(cls) == "settings":
        call = cls.owner.facts.calls[value[1]]
        if any(ref.kind == "class" for ref in project.callees(cls.owner, call)):
            for key, item in call.kwargs:
                yield from _literal(cls.owner, item, f"{name}.{key}", "field", cls)


def _falls_back(project: Project, fn: Fn, index: int) -> str:
    """The setting that a parameter is the default of: `os.getenv("INDEX", index or "")`."""
    for call in fn.calls:
        if len(call.passed) < 2:
            continue
        for model in project.models(fn, call):
            for vid in arguments(call, model.env.default) if model.env is not None and model.env.default else ():
                value = fn.unguarded(vid)
                parts = value[2] if value[0] == "bool" else (vid,)
                if model.env is not None and any(fn.unguarded(part) == ("param", index) for part in parts):
                    names = [fn.const(item) for item in arguments(call, model.env.name)]
                    return next((name for name in names if isinstance(name, str)), "")
    return ""


def _in_function(project: Project, fn: Fn) -> Iterator[NamedLiteral]:
    facts = fn.facts
    for call in facts.calls:
        if _passes_literal(facts.values, call):
            yield from _arguments(project, fn, call)
    for binding in facts.bindings:
        value = facts.values[binding.value] if binding.value >= 0 else ("unknown",)
        if value[0] == "const":
            yield from _literal(fn, binding.value, binding.name, "assigned")
        elif value[0] == "bool" and value[1] == "or":
            yield from _literal(
                fn,
                value[2][-1],
                binding.name,
                "environment" if _reads_setting(project, fn, value[2][0]) else "assigned",
            )
    yield from _behind_settings(project, fn)
    for store in facts.stores:
        if store.value < 0 or facts.values[store.value][0] != "const":
            continue
        constant = fn.const(store.key)
        named = store.name or (constant if isinstance(constant, str) else "")
        if named:
            yield from _literal(fn, store.value, named, "assigned" if store.name else "item")
    for made in fn.made_by("dict"):
        for key, vid in facts.values[made][1]:
            word = fn.const(key) if key >= 0 else ...
            if isinstance(word, str):
                yield from _literal(fn, vid, word, "item")
    for made in fn.made_by("compare"):
        _, operators, sides = facts.values[made]
        if operators in (("==",), ("!=",)):
            left, right = sides
            yield from _literal(fn, right, name_of_value(fn, left), "compared")
            yield from _literal(fn, left, name_of_value(fn, right), "compared")


def _behind_settings(project: Project, fn: Fn) -> Iterator[NamedLiteral]:
    """`os.getenv("API_TOKEN") or "x"`, wherever it goes, under the setting's own name."""
    for made in fn.made_by("bool"):
        _, operator, parts = fn.value(made)
        if operator == "or" and fn.value(parts[-1])[0] == "const":
            yield from _literal(fn, parts[-1], _setting_read(project, fn, parts[0]), "environment")


def _setting_read(project: Project, fn: Fn, vid: Vid) -> str:
    """The name of the setting that a call looks up, or ""."""
    value = fn.value(vid)
    if value[0] != "call":
        return ""
    call = fn.calls[value[1]]
    envs = [model.env for model in project.models(fn, call) if model.env is not None]
    name = next((fn.const(item) for env in envs for item in arguments(call, env.name)), "")
    return name if isinstance(name, str) else ""


def _arguments(project: Project, fn: Fn, call: Call) -> Iterator[NamedLiteral]:
    for model in project.models(fn, call):
        if model.env is not None:
            names = [fn.const(vid) for vid in arguments(call, model.env.name)]
            defaults = arguments(call, model.env.default) if model.env.default else []
            for name in names:
                for vid in defaults:
                    if isinstance(name, str):
                        yield from _literal(fn, vid, name, "environment", call=call)
            return
    for key_name, vid in call.kwargs:
        if key_name != "**":
            yield from _literal(fn, vid, key_name, "argument", call=call)
        value = fn.value(vid)
        if key_name in _PAIRS and value[0] == "tuple" and len(value[1]) == 2:
            yield from _literal(fn, value[1][1], "password", "argument", call=call)
    yield from _by_position(project, fn, call)


def _by_position(project: Project, fn: Fn, call: Call) -> Iterator[NamedLiteral]:
    """`login("reports", "...")` of a function of the project that calls the second one a password."""
    texts = [(vid, value[1]) for vid in call.args if (value := fn.value(vid))[0] == "const"]
    given = {vid for vid, text in texts if isinstance(text, str) and any(map(str.isdigit, text))}  # no setting's name
    target = next(iter(project.targets(fn, call)), None) if given else None
    if target is None or _COMPARES.search(target.name):
        return
    for index, passed in bind(fn, call, target).items():
        name = target.facts.params[index].name
        for vid, part in passed if sensitive(name) == "secret" else ():
            if not part and vid in given:
                yield from _literal(fn, vid, name, "argument", call=call)


def _keys(project: Project) -> Iterator[NamedLiteral]:
    """What signs or encrypts, whatever it is called."""
    for site in project.effects.sites:
        key = site.model.jwt.key if site.model.jwt is not None else None
        for arg, name in ((key, "signing_key"), (site.model.secret, "secret_key")):
            for vid in arguments(site.call, arg) if arg is not None else ():
                whole = _whole(project, site.fn, vid)
                yield from _literal(*whole, name, "argument", call=site.call)
                for item in _fallbacks(*whole):
                    yield from _literal(whole[0], item, name, "fallback", call=site.call)


def _fallbacks(fn: Fn, vid: Vid) -> Iterator[Vid]:
    """`settings.KEY or "..."`, `settings.KEY if settings.KEY else "..."`."""
    value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    if value[0] in ("phi", "bool"):
        items = value[1] if value[0] == "phi" else value[2]
        yield from (item for item in items if fn.facts.values[item][0] == "const")


def _whole(project: Project, fn: Fn, vid: Vid) -> tuple[Fn, Vid]:
    """The literal that a name stands for, where it is all of the value; else the value itself."""
    place = written(project, fn, vid)
    if place is None or place[0].facts.values[place[1]][0] != "const" or fn.facts.values[vid][0] in ("fmt", "binop"):
        return fn, vid
    return place if project.constants(fn, vid) == [place[0].const(place[1])] else (fn, vid)


def _passes_literal(values: Sequence[Value], call: Call) -> bool:
    """A quick look: nearly all calls go no further."""
    for vid in call.args:
        value = values[vid]
        if value[0] == "tuple" or (value[0] == "const" and value[1]):
            return True
    for _, vid in call.kwargs:
        value = values[vid]
        if value[0] == "tuple" or (value[0] == "const" and value[1]):
            return True
    return False


def _reads_setting(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    if value[0] != "call":
        return False
    return any(model.env is not None for model in project.models(fn, fn.facts.calls[value[1]]))


def _literal(
    fn: Fn, vid: Vid, name: str, how: str, cls: Cls | None = None, call: Call | None = None
) -> Iterator[NamedLiteral]:
    if vid < 0 or not name:
        return
    value = fn.facts.values[vid]
    if value[0] != "const":
        return
    text = value[1].decode("latin-1") if isinstance(value[1], bytes) else value[1]
    if isinstance(text, str):
        yield NamedLiteral(fn, vid, name, text, how, cls, call)


def name_of_value(fn: Fn, vid: Vid) -> str:
    """What the source calls a value: parameter, attribute, key, variable; "" where it has no name."""
    values = fn.facts.values
    while values[vid][0] in ("guard", "await", "conv"):
        vid = values[vid][1]
    value = values[vid]
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    if value[0] == "attr":
        return str(value[2])
    if value[0] == "name":
        return str(value[1]).rpartition(".")[2]
    if value[0] == "item":
        key = fn.const(value[2])
        return key if isinstance(key, str) else ""
    bound = next((item.name for item in fn.facts.bindings if item.value == vid), "")
    if not bound and value[0] == "call":
        call = fn.facts.calls[value[1]]
        key = fn.const(call.args[0]) if call.args else ...
        named = isinstance(key, str) and key.replace("-", "_").isidentifier()
        if isinstance(key, str) and named and fn.facts.values[call.func][0] in ("attr", "name"):
            return key
    return bound


def written(project: Project, fn: Fn, vid: Vid, depth: int = DEPTH) -> tuple[Fn, Vid] | None:
    """Where the constant (or the constant beginning of a built text) that a value is was written down."""
    if vid < 0 or depth == 0:
        return None
    value = fn.facts.values[vid]
    op = value[0]
    if op == "const":
        return fn, vid
    if op in ("guard", "conv"):
        return written(project, fn, value[1], depth - 1)
    if op == "fmt" and value[2]:
        return written(project, fn, value[2][0], depth - 1)
    if op == "binop" and value[1] == "+":
        return written(project, fn, value[2], depth - 1)
    if op == "outer":
        owner = fn.outer(value)
        return written(project, owner, value[1], depth - 1) if owner else None
    if op == "name":
        found = variable(project, fn, value[1])
        if found is not None:
            return written(project, *found, depth - 1)
    if op == "attr":
        return _class_attribute(project, fn, value[1], str(value[2]), depth)
    return None


def _class_attribute(project: Project, fn: Fn, base: Vid, name: str, depth: int) -> tuple[Fn, Vid] | None:
    for ref in project.refs(fn, base):
        if ref.kind not in ("class", "inst"):
            return None
        for cls in project.hierarchy.mro(project.classes[ref.name]):
            vid = cls.facts.attributes.get(name, -1)
            if vid >= 0 and not project.hierarchy.stores(cls, name):
                return (
                    None if project.hierarchy.role(cls) == "settings" else written(project, cls.owner, vid, depth - 1)
                )
    return None
