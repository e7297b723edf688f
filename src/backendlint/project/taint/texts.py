"""Text for an interpreter (SQL, a shell ...) that is put together from parts which nothing here fixes.

No source is known, so this is advice: the parts may come from anywhere. Constants, allow-lists, numbers, placeholders and
what a quoting function made are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Value, Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.taint.labels import HIDDEN
from backendlint.project.taint.naming import identifier_words, names_key
from backendlint.project.taint.sinks import SinkSite

if TYPE_CHECKING:
    from backendlint.project.model import Project

DEPTH = 8
_QUOTE_OPEN = re.compile(r"'%?$")
_QUOTE_SHUT = re.compile(r"%?'")
_VALUE_OPEN = re.compile(r"(?:[=<>]|\b(?:I?LIKE|LIMIT|OFFSET)|\bVALUES\s*\()\s*$", re.IGNORECASE)
_UNBOUND = re.compile(
    r"\s*(?:SET|RESET|CREATE|ALTER|DROP|DO|GRANT|REVOKE|COMMENT|COPY|LISTEN|NOTIFY|TRUNCATE|PRAGMA|USE)\b",
    re.IGNORECASE,
)
"""Statements in which servers take no parameters."""
_VALUE_SHUT = re.compile(r"\s*(?:$|[,;)]|\s[A-Za-z])")
_NO_VALUE = frozenset(
    (
        "col cols column columns field fields key table tbl expr expression sql clause cond condition conditions placeholder "
        "placeholders param params marker alias schema query subquery func function op operator type default dialect prefix "
        "suffix interval cte null filter filters where order direction join ph ref fk pk stmt statement value_sql"
    ).split()
)
"""Words in the names of what is no value but another piece of SQL."""
_READS = frozenset({"get", "getlist", "input", "pop", "value"})
"""Words in the names of functions that give values from elsewhere."""
CALLERS = 6
ALL_CALLERS = 400
"""Of the helper that sends the text: a repository's methods go through one `fetch_all`."""
_BUILT = frozenset({"fmt", "join", "binop"})
_THROUGH = frozenset({"guard", "await", "conv", "star"})
_SAME_TEXT = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "replace", "encode", "format", "join"})


class OpenText(NamedTuple):
    """A text with a part that nothing fixes."""

    site: SinkSite
    fn: Fn
    """Where it is put together, and so reported."""
    location: Location
    part: str
    """The part's name, or ""."""
    value: bool = False
    """True where an open part stands for a value, which could be bound: between quotes, or after a comparison; of a shell's text,
    where it is what the function is called with."""


def open_texts(project: Project, kinds: Collection[str], finder: Finder) -> Iterator[OpenText]:
    """One for each sink whose text is built with an open part, here or by the callers of a helper."""
    seen: set[Location] = set()
    for site in project.taint.reviewed_sinks(*kinds):
        for fn, vid, span in finder.built(site.fn, site.vid, site.call.span):
            part = finder.open_part(fn, vid, site.kind)
            location = fn.location(span)
            if part is not None and location not in seen:
                seen.add(location)
                value = finder.valued(fn, vid, site.kind) if site.kind == "sql" else finder.takes(fn, vid, site.kind)
                yield OpenText(site, fn, location, part, value)


_OF_SCHEMA = frozenset("db_table __tablename__ __table__ column attname table_name name_or_oid".split())
_OF_GEOMETRY = frozenset({"wkt", "ewkt", "hex", "hexewkb"})
"""How GeoDjango's and shapely's geometries are written out: from numbers, whatever they were read from."""


class Finder:
    """Answers what a text is put together from."""

    def __init__(self, project: Project) -> None:
        self.project = project

    # where a text is put together

    def built(self, fn: Fn, vid: Vid, span: Span, depth: int = DEPTH) -> Iterator[tuple[Fn, Vid, Span]]:
        """The built texts that the value may be, each with the place to report: a helper's callers for what they pass."""
        index = self.project.taint.forwarded(fn, vid)
        if index < 0:
            yield fn, vid, span
            return
        for edge in self.project.graph.callers(fn)[: CALLERS if depth < DEPTH else ALL_CALLERS] if depth else []:
            if edge.call is None or edge.kind not in ("call", "spawn"):
                continue
            for passed, path in edge.bound().get(index, ()):
                if not path:
                    yield from self.built(edge.caller, passed, edge.span, depth - 1)

    def open_part(self, fn: Fn, vid: Vid, kind: str, depth: int = DEPTH) -> str | None:
        """The name of a part that nothing fixes; None where the value is no built text, or all of it is fixed."""
        value = fn.facts.values[vid]
        op = value[0]
        if depth == 0:
            return None
        if op == "fmt":
            return self._first(fn, value[2], kind, depth)
        if op == "join":
            return None if self._closed(fn, value[2], kind, depth) else _name(fn, value[2])
        if op == "binop":
            return self._first(fn, value[2:4], kind, depth) if value[1] in ("+", "%") else None
        if op in ("guard", "await"):
            return self.open_part(fn, value[1], kind, depth - 1)
        if op in ("phi", "bool"):
            vids = value[1] if op == "phi" else value[2]
            found = [self.open_part(fn, item, kind, depth - 2 if depth > 1 else 0) for item in vids if item != vid]
            return next((item for item in found if item is not None), None)
        if op == "call":
            return self._of_call(fn, fn.facts.calls[value[1]], kind, depth)
        return None

    def valued(self, fn: Fn, vid: Vid, kind: str) -> bool:
        """Whether an open part stands for a value, as in `name = '{name}'` and `id = {id}`."""
        parts = list(self._pieces(fn, vid, DEPTH))
        texts = [str(fn.const(part)) if fn.const(part) is not ... else "" for part in parts]
        if texts and _UNBOUND.match(texts[0]):
            return False
        for number, part in enumerate(parts[1:], 1):
            last = number == len(parts) - 1
            before, after = texts[number - 1], "" if last else texts[number + 1]
            quoted = not last and _QUOTE_OPEN.search(before) and _QUOTE_SHUT.match(after)
            follows = (last or after) and _VALUE_OPEN.search(before) and _VALUE_SHUT.match(after)
            if not (quoted or (follows and self._names_value(fn, part))):
                continue
            if not texts[number] and not self._is_key(fn, part) and not self._closed(fn, part, kind, DEPTH - 2):
                return True
        return False

    def takes(self, fn: Fn, vid: Vid, kind: str) -> bool:
        """Whether an open part of a command is a text that the function is called with, and no path or number."""
        pieces = [part for part in self._pieces(fn, vid, DEPTH) if fn.unguarded(part)[0] == "param"]
        for part in pieces if kind == "command" else ():
            refs = self.project.refs(fn, part)
            texts = bool(refs) and all(ref.name == "builtins.str" for ref in refs)
            if texts and not self._closed(fn, part, kind, DEPTH - 2):
                return True
        return False

    @staticmethod
    def _is_key(fn: Fn, vid: Vid) -> bool:
        """By its name the key of a row, which is a number or a UUID most often."""
        while fn.facts.values[vid][0] in _THROUGH:
            vid = fn.facts.values[vid][1]
        value = fn.facts.values[vid]
        named = fn.const(value[2]) if value[0] == "item" else _name(fn, vid)
        return isinstance(named, str) and names_key(named)

    def _names_value(self, fn: Fn, vid: Vid) -> bool:
        """By its name a value, and not the name of a column or another piece of the text."""
        while fn.facts.values[vid][0] in _THROUGH:
            vid = fn.facts.values[vid][1]
        value = fn.facts.values[vid]
        op = value[0]
        if op == "call":
            func = fn.facts.values[fn.facts.calls[value[1]].func]
            return func[0] in ("attr", "name") and not _READS.isdisjoint(
                identifier_words(str(func[-1]).rpartition(".")[2])
            )
        if op not in ("param", "attr", "item", "name", "elem", "unpack", "outer"):
            return False
        return _NO_VALUE.isdisjoint(identifier_words(_name(fn, vid)))

    def _pieces(self, fn: Fn, vid: Vid, depth: int) -> Iterator[Vid]:
        """A built text's parts, constants and others, in order."""
        value = fn.facts.values[vid]
        if depth == 0:
            yield vid
        elif value[0] == "fmt":
            for part in value[2]:
                yield from self._pieces(fn, part, depth - 1)
        elif value[0] == "binop" and value[1] == "+":
            for part in value[2:4]:
                yield from self._pieces(fn, part, depth - 1)
        elif value[0] in ("join", "comp"):
            yield from self._pieces(fn, value[2], depth - 1)
        elif value[0] in ("guard", "await", "conv"):
            yield from self._pieces(fn, value[1], depth - 1)
        elif value[0] == "phi":
            yield from self._pieces(fn, next((item for item in value[1] if item != vid), vid), depth - 1)
        elif value[0] == "call" and self._text_call(fn, fn.facts.calls[value[1]]):
            yield from self._pieces(fn, fn.facts.calls[value[1]].args[0], depth - 1)
        else:
            yield vid

    def _text_call(self, fn: Fn, call: Call) -> bool:
        models = self.project.models(fn, call)
        return bool(call.args) and any(model.sql is not None and model.sql.role == "text" for model in models)

    def _first(self, fn: Fn, vids: Collection[Vid], kind: str, depth: int) -> str | None:
        for vid in vids:
            inner = vid
            while fn.facts.values[inner][0] in _THROUGH and fn.facts.values[inner][0] != "guard":
                inner = fn.facts.values[inner][1]
            if fn.facts.values[inner][0] in _BUILT:
                found = self.open_part(fn, inner, kind, depth - 1)
                if found is not None:
                    return found
            elif not self._closed(fn, vid, kind, depth - 1):
                return _name(fn, vid)
        return None

    def _of_call(self, fn: Fn, call: Call, kind: str, depth: int) -> str | None:
        models = self.project.models(fn, call)
        if self._text_call(fn, call):
            told = any(
                sink.kind == kind for model in models for sink in model.sinks
            )  # there, and so not once more here
            return None if told else self.open_part(fn, call.args[0], kind, depth - 1)
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] in _SAME_TEXT and not any(kind in model.sanitizes for model in models):
            return self.open_part(fn, func[1], kind, depth - 1)
        return None

    # what is fixed

    def closed(self, fn: Fn, vid: Vid, kind: str) -> bool:
        """Whether all that the value may be is fixed by the code, or cleaned for this kind of sink."""
        return self._closed(fn, vid, kind, DEPTH)

    def _closed(self, fn: Fn, vid: Vid, kind: str, depth: int) -> bool:
        if vid < 0 or depth <= 0:
            return True
        value = fn.facts.values[vid]
        op = value[0]
        if self.project.constants(fn, vid) is not None or self._harmless(fn, vid, kind):
            return True
        if op == "guard":
            cleared = self.project.taint.reader.guards.cleared(fn, value[1], value[2], value[3])
            return bool({"all", kind} & cleared) or self._closed(fn, value[1], kind, depth)
        if op == "conv" and value[2][-1:] in "dioxXeEfFgGn" and value[2][:1] in ("%", ":"):
            return True
        if op in _THROUGH or op in ("elem", "unpack", "slice", "enter"):
            return self._closed(fn, value[1], kind, depth - 1)
        if op in ("phi", "bool"):
            vids = value[1] if op == "phi" else value[2]
            return all(self._closed(fn, item, kind, depth - 2) for item in vids if item != vid)
        if op in ("list", "tuple", "set"):
            return all(self._closed(fn, item, kind, depth - 1) for item in value[1])
        if op == "dict":
            return all(self._closed(fn, item, kind, depth - 1) for _, item in value[1])
        if op in _BUILT:
            return self.open_part(fn, vid, kind, depth - 1) is None
        return self._closed_other(fn, value, kind, depth)

    def _closed_other(self, fn: Fn, value: Value, kind: str, depth: int) -> bool:
        op = value[0]
        if op == "comp":
            return self._closed(fn, value[2], kind, depth - 1)
        if op == "mut":
            return self._closed(fn, value[1], kind, depth - 1) and all(
                self._closed(fn, item, kind, depth - 1) for item in value[3]
            )
        if op == "store":
            return self._closed(fn, value[1], kind, depth - 1) and self._closed(fn, value[3], kind, depth - 1)
        if op == "item":
            return self._closed(fn, value[1], kind, depth - 1)
        if op == "param":
            return self._closed_parameter(fn, value[1], kind, depth)
        if op == "name":
            return self._closed_name(fn, value[1], kind, depth)
        if op == "attr":
            return self._closed_attribute(fn, value, kind, depth)
        if op == "call":
            return self._closed_call(fn, fn.facts.calls[value[1]], kind, depth)
        if op == "outer":
            owner = fn.outer(value)
            return owner is not None and self._closed(owner, value[1], kind, depth - 1)
        return op in ("compare", "not", "unary", "def")

    def _harmless(self, fn: Fn, vid: Vid, kind: str) -> bool:
        """A number, UUID, date or enum member by its type; or cleaned of this kind."""
        refs = self.project.refs(fn, vid)
        if refs and self.project.taint.reader.clean_types(refs):
            return True
        labels = self.project.taint.labels(fn, vid)
        marks = [mark for origin, mark in labels.items() if origin.what not in HIDDEN]
        return bool(marks) and all(mark.clean_for(kind) for mark in marks)

    def _closed_parameter(self, fn: Fn, index: int, kind: str, depth: int) -> bool:
        if self.project.request_param_types(fn).get(index, "model") not in ("", "model"):
            return True
        edges = [edge for edge in self.project.graph.callers(fn) if edge.call is not None and edge.kind == "call"]
        if not edges or len(edges) > CALLERS * 2 or depth < 3:
            return False
        default = fn.facts.params[index].default
        if default >= 0 and fn.parent is not None and not self._closed(fn.parent, default, kind, 3):
            return False
        for edge in edges:
            for passed, path in edge.bound().get(index, ()):
                if path or not self._closed(edge.caller, passed, kind, min(depth - 2, 4)):
                    return False
        return True

    def _closed_name(self, fn: Fn, dotted: str, kind: str, depth: int) -> bool:
        target = self.project.modules.resolve(dotted, fn.file.module)
        if target.kind == "variable" and target.file is not None and target.vid >= 0 and not target.rest:
            return self._closed(self.project.module_function(target.file), target.vid, kind, depth - 1)
        if target.kind == "variable" and target.vid < 0 and not target.rest:
            return target.name.isupper()  # a name that nothing here defines
        return True  # a module's, class's or library's own name: not a caller's choice

    def _closed_attribute(self, fn: Fn, value: Value, kind: str, depth: int) -> bool:
        """Attributes of classes and modules and the schema's own names; what an object was given is open."""
        name = str(value[2])
        if name.isupper() or name in _OF_SCHEMA or (kind == "sql" and name in _OF_GEOMETRY):
            return True
        base = fn.facts.values[value[1]]
        if base[0] == "name":
            return True
        if base[0] == "attr":
            return str(base[2]) in ("_meta", "settings", "config") or self._closed_attribute(fn, base, kind, depth - 1)
        refs = self.project.refs(fn, value[1])
        if refs and self.project.taint.reader.clean_types(refs):
            return True
        if base[0] == "param" and fn.cls is not None and base[1] == 0:
            stores = [
                (method, stored)
                for cls in self.project.hierarchy.mro(fn.cls)
                for method, stored in self.project.hierarchy.stores(cls, name)
            ]
            declared = any(name in cls.facts.attributes for cls in self.project.hierarchy.mro(fn.cls))
            return (declared or bool(stores)) and all(self._closed(item, vid, kind, depth - 2) for item, vid in stores)
        return bool(refs) and all(ref.kind in ("class", "module", "lib") for ref in refs)

    def _is_table(self, fn: Fn, func: Value) -> bool:
        """`RANGES.get` of a dict that is written down with constants."""
        owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
        target = self.project.modules.resolve(owner, fn.file.module) if owner else None
        if target is None or target.kind != "variable" or target.file is None or target.vid < 0 or target.rest:
            return False
        home = self.project.module_function(target.file)
        value = home.unguarded(target.vid)
        return value[0] == "dict" and all(key >= 0 and home.const(item) is not ... for key, item in value[1])

    def _closed_call(self, fn: Fn, call: Call, kind: str, depth: int) -> bool:
        func = fn.facts.values[call.func]
        for model in self.project.models(fn, call):
            if "all" in model.sanitizes or kind in model.sanitizes or model.env is not None:
                return True
            if model.returns and model.returns.split("[")[0] in ("builtins.int", "builtins.float", "builtins.bool"):
                return True
        name = fn.callee_name(call)
        if "quote" in name or "escape" in name or name in ("now", "time", "utcnow", "uuid4", "len", "range"):
            return True
        if name == "replace" and kind == "sql" and call.args and fn.const(call.args[0]) == "'":
            return True
        targets = self.project.targets(fn, call)
        if name == "get" and call.args and self._is_table(fn, func):
            return all(self._closed(fn, item, kind, depth - 1) for item in call.args[1:])  # whichever entry it is
        if func[0] == "name" and not targets:
            target = self.project.modules.resolve(str(func[1]), fn.file.module)
            if target.kind == "variable" and target.vid < 0:
                return False
        if targets:
            return all(
                self._closed(target, item.value, kind, depth - 2) for target in targets for item in target.facts.returns
            )
        operands = list(call.passed)
        if func[0] == "attr":
            operands.append(func[1])
        return bool(operands) and all(self._closed(fn, item, kind, depth - 1) for item in operands)


def _name(fn: Fn, vid: Vid) -> str:
    """What the source calls a value, where that is a name or an attribute."""
    values = fn.facts.values
    while values[vid][0] in _THROUGH and values[vid][0] != "outer":
        vid = values[vid][1]
    value = values[vid]
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    if value[0] == "attr":
        return str(value[2])
    if value[0] == "name":
        return str(value[1]).rpartition(".")[2]
    return next((item.name for item in fn.facts.bindings if item.value == vid), "")
