"""One template's text: what it reads of its context, what it includes, extends and calls."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from backendlint.project.templates.syntax import EACH, Access, Token, access, accesses, calls, source_of, split, tokens

LARGEST = 400_000
"""Characters above which a template is no template."""
_OPENING = frozenset("for if with block macro cache filter call autoescape while try module apply".split())
"""Tags that are closed by `end...`; others that are not known are taken for single ones."""
_SILENT = {"comment": "endcomment", "raw": "endraw", "verbatim": "endverbatim", "cache": "endcache"}
"""Tags whose content is no template, or is kept."""
_FOR = re.compile(r"(?P<targets>[\w\s,()]+?)\s+in\s+(?P<iterable>.*)", re.DOTALL)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*([\w.()|:\"']+)")
_AS = re.compile(r"(?P<value>\S+)\s+as\s+(?P<name>\w+)\s*$")
_QUOTED = re.compile(r"^\s*[\"']([^\"']+)[\"']")
_MACRO = re.compile(r"(\w+)\s*\((.*)", re.DOTALL)
_FROM = re.compile(r"[\"']([^\"']+)[\"']\s+import\s+(.*)", re.DOTALL)
_SAFE = re.compile(r"\|\s*safe\b")
_NAMESPACE = re.compile(r"[\"']([^\"']+)[\"']\s+as\s+(\w+)")

Scope = Mapping[str, Access | None]
"""What names stand for; None where that is not known."""


class Read(NamedTuple):
    """A dotted name that the template reads."""

    access: Access
    line: int
    block: str
    macro: str
    """The macro in whose body it stands, or ""."""
    printed: str = ""
    """`raw` where it is printed as it is, `plain` where the template's own escaping decides."""


class Join(NamedTuple):
    """Another template that is included, or a macro that is called."""

    template: str
    """"" for the same one."""
    macro: str
    scope: Scope
    """What the names in it stand for."""
    isolated: bool
    """True where it does not see the other names."""
    line: int
    block: str
    within: str
    arguments: tuple[tuple[str, Access | None], ...] = ()
    """A macro's arguments, by position ("0", "1") or name."""


@dataclass(slots=True)
class Template:
    """What a template reads, by itself."""

    path: str
    reads: list[Read] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    blocks: set[str] = field(default_factory=set)
    macros: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names to parameters."""
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Names to template and macro; the macro is "" for a whole template."""


def read(path: str, source: str) -> Template:
    """Read a template's text; what is not understood reads nothing."""
    reader = _Reader(Template(path), source)
    if len(source) <= LARGEST:
        for token in tokens(source):
            reader.token(token)
    return reader.template


class _Reader:
    def __init__(self, template: Template, source: str) -> None:
        self.template = template
        self._frames: list[tuple[str, str, dict[str, Access | None]]] = [("", "", {})]
        """Tag, block or macro name, and the names bound there."""
        self._silent = ""
        self._breaks = [match.start() for match in re.finditer("\n", source)]
        self._line = 1

    def token(self, token: Token) -> None:
        """Take the next tag or expression."""
        if self._silent:
            self._silent = "" if token.tag == self._silent else self._silent
            return
        self._line = bisect_right(self._breaks, token.offset) + 1
        tag, rest = token.tag, token.rest
        if tag in _SILENT:
            self._silent = _SILENT[tag]
        elif tag.startswith("end"):
            self._close(tag[3:])
        elif tag in ("else", "elif", "empty"):
            self._expression(rest)
        elif not tag:
            self._expression(rest, self._printed(rest))
        else:
            handler = getattr(self, f"_tag_{tag}", None)
            if handler is not None:
                handler(rest)
            else:
                if tag in _OPENING:
                    self._open(tag)
                self._expression(rest)

    def _printed(self, text: str) -> str:
        """How an expression that is but a name, perhaps through filters that keep it, is printed."""
        if source_of(text) is None:
            return ""
        off = any(tag == "autoescape" and name == "off" for tag, name, _ in self._frames)
        return "raw" if off or _SAFE.search(text) else "plain"

    # tags

    def _tag_autoescape(self, rest: str) -> None:
        self._open("autoescape", "off" if rest in ("off", "false", "False") else "")

    def _tag_for(self, rest: str) -> None:
        match = _FOR.match(rest)
        if match is None:
            self._open("for")
            return
        self._expression(match["iterable"])
        found = source_of(match["iterable"])
        each = self._resolved(found) if found is not None else None
        targets = re.findall(r"\w+", match["targets"])
        bound: dict[str, Access | None] = dict.fromkeys((*targets, "loop", "forloop"))
        if each is not None and len(targets) == 1:
            bound[targets[0]] = Access(each.root, (*each.path, EACH))
        self._open("for", "", bound)

    def _tag_with(self, rest: str) -> None:
        self._open("with", "", self._assigned(rest))
        self._expression(rest)

    def _tag_set(self, rest: str) -> None:
        if "=" not in rest:
            name = rest.partition("|")[0].strip()
            self._open("set", "", {name: None})  # a block: `{% set x %}...{% endset %}`
            return
        self._expression(rest)
        self._frames[-1][2].update(self._assigned(rest))

    def _tag_block(self, rest: str) -> None:
        name = rest.split(maxsplit=1)[0] if rest else ""
        self.template.blocks.add(name)
        self._open("block", name)

    def _tag_macro(self, rest: str) -> None:
        match = _MACRO.match(rest)
        if match is None:
            self._open("macro", "?")
            return
        names = tuple(part.partition("=")[0].strip() for part in split(match[2]))
        self.template.macros[match[1]] = names
        self._open("macro", match[1])

    def _tag_extends(self, rest: str) -> None:
        named = _QUOTED.match(rest)
        if named:
            self.template.parents.append(named[1])

    def _tag_include(self, rest: str) -> None:
        named = _QUOTED.match(rest)
        if named is None:
            return
        after = rest[named.end() :]
        scope = {**self._scope(), **self._assigned(after)}
        isolated = bool(re.search(r"\bonly\b|\bwithout context\b", after))
        block, macro = self._place()
        self.template.joins.append(
            Join(named[1], "", self._assigned(after) if isolated else scope, isolated, self._line, block, macro)
        )

    def _tag_from(self, rest: str) -> None:
        match = _FROM.match(rest)
        for part in match[2].split(",") if match else ():
            words = part.split()
            if match is not None and words:
                local = words[2] if len(words) > 2 and words[1] == "as" else words[0]
                self.template.imports[local] = (match[1], words[0])

    def _tag_import(self, rest: str) -> None:
        match = _NAMESPACE.match(rest)
        if match:
            self.template.imports[match[2]] = (match[1], "")

    # scopes

    def _open(self, tag: str, name: str = "", bound: dict[str, Access | None] | None = None) -> None:
        self._frames.append((tag, name, bound or {}))

    def _close(self, tag: str) -> None:
        """`{% endfor %}`; Tornado's `{% end %}` closes whatever is open."""
        tag = "block" if tag.startswith("block") else tag
        for index in range(len(self._frames) - 1, 0, -1):
            if not tag or self._frames[index][0] == tag:
                del self._frames[index:]
                return

    def _scope(self) -> dict[str, Access | None]:
        bound: dict[str, Access | None] = {}
        for _, _, names in self._frames:
            bound.update(names)
        return bound

    def _place(self) -> tuple[str, str]:
        """The innermost block, and the macro, in which the reader is."""
        block = next((name for tag, name, _ in reversed(self._frames) if tag == "block"), "")
        return block, next((name for tag, name, _ in self._frames if tag == "macro"), "")

    def _resolved(self, found: Access) -> Access | None:
        """The same in terms of the context's variables."""
        for _, _, names in reversed(self._frames):
            if found.root in names:
                outer = names[found.root]
                return found.under(outer) if outer is not None else None
        return found

    def _assigned(self, text: str) -> dict[str, Access | None]:
        """`a=b.c d=e` and `b.c as a`."""
        pairs = [(name, value) for name, value in _ASSIGNED.findall(text)]
        match = _AS.search(text)
        if match and not pairs:
            pairs.append((match["name"], match["value"]))
        return {name: self._value(value) for name, value in pairs}

    def _value(self, text: str) -> Access | None:
        found = source_of(text)
        return self._resolved(found) if found is not None else None

    # expressions

    def _expression(self, text: str, printed: str = "") -> None:
        block, macro = self._place()
        for found in accesses(text):
            resolved = self._resolved(found)
            if resolved is not None:
                self.template.reads.append(Read(resolved, self._line, block, macro, printed))
        for name, parts in calls(text):
            self._called(name, parts, block, macro)

    def _called(self, name: str, parts: list[str], block: str, macro: str) -> None:
        space, _, inner = name.rpartition(".")
        template, called = self.template.imports.get(space or inner, ("", ""))
        called = inner if space or not template else called
        if not template and (space or inner not in self.template.macros):
            return
        arguments: list[tuple[str, Access | None]] = []
        for index, part in enumerate(parts):
            key, equals, value = part.partition("=")
            named = bool(equals) and key.strip().isidentifier() and not value.startswith("=")
            found = access(value if named else part)
            arguments.append((key.strip() if named else str(index), self._resolved(found) if found else None))
        self.template.joins.append(Join(template, called, {}, True, self._line, block, macro, tuple(arguments)))
