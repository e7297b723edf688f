"""What of a URL can choose its host: what stands before a part, what was cut off, where the address leads back to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import AttributeModel
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import Labels

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

_HOST_FIXED = re.compile(
    r"(?:[a-zA-Z][a-zA-Z+.-]*|\0)://[^/?#]+[/?#]|\0(?!:/)[^/?#]*[/?#]|\0&\w*|/[^/\\\0]|[?#&]|[.]{0,2}/\w|[A-Za-z][\w.-]*/"
)
"""What stands before a part that can only be path or query; \0 is a part that is not constant."""
_ORIGIN = re.compile(r"https?://(?!\0/)[^/?#]+/[^?#]*")
_AUTHORITY = re.compile(r"[a-zA-Z][a-zA-Z+.-]*://[^/?#\0]+")
"""A host that is written, with nothing behind it."""
_NO_HOST = re.compile(r"(?!(?:h|ht|htt|https?|ftps?)$)[A-Za-z][^:\\\0]*")
"""What makes a relative address of any text behind it: letters that are no scheme of the web's."""
_HOST_KINDS = ("ssrf", "redirect")
_CUTS = frozenset({"removeprefix", "lstrip"})


def without_host(fn: Fn, vid: Vid) -> bool:
    """Whether the parts of a URL have an empty host: `parts._replace(netloc="")`, `parts[1] = ""`, `("", "", ...)`."""
    value = fn.facts.values[vid]
    while value[0] in ("store", "guard", "mut"):
        if value[0] == "store" and fn.const(value[2]) == 1 and fn.const(value[3]) == "":
            return True
        value = fn.facts.values[value[1]]
    if value[0] in ("tuple", "list") and len(value[1]) > 1:
        return fn.const(value[1][1]) == ""
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        return fn.facts.values[call.func][-1] == "_replace" and fn.const(call.kwarg("netloc")) == ""
    return False


def written_origin(fn: Fn, vid: Vid) -> bool:
    """`f"https://sns.{settings.REGION}.example.com/"`: a scheme, a host that the program's own names fill in at most, and where
    its path begins; what starts with it goes there."""
    value = fn.unguarded(vid)
    text = ""
    for part in value[2] if value[0] == "fmt" else ():
        known = fn.const(part)
        if known is ... and not _named(fn, part):
            return False
        text += "\0" if known is ... else str(known)
    return _ORIGIN.fullmatch(text) is not None


def _named(fn: Fn, part: Vid) -> bool:
    """`settings.REGION`, `REGION`: a name from outside the function, with its attributes."""
    value = fn.unguarded(part)
    dotted = fn.dotted(value[1] if value[0] == "conv" else part)
    return bool(dotted) and not dotted.startswith(".")


class Urls:
    """Answers what the place of a part in a text says of it."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project

    def parts(self, fn: Fn, parts: tuple[Vid, ...]) -> Iterator[Labels]:
        """Labels of a string's parts: behind a fixed host, a part cannot choose the host any more."""
        prefix = ""
        for part in self._flat(fn, parts):
            known = fn.const(part)
            if known is ... and not prefix:
                texts = self.project.constants(fn, part) or ()
                known = texts[0] if len(texts) == 1 and isinstance(texts[0], str) else ...
            if known is not ...:
                prefix += str(known)
                continue
            found = self.reader.rendering.read(fn, part)
            yield self.behind(prefix, found) if found else found
            prefix += "\0"

    @staticmethod
    def _flat(fn: Fn, parts: tuple[Vid, ...]) -> Iterator[Vid]:
        """The parts, and in the place of a text its own."""
        for part in parts:
            value = fn.facts.values[part]
            yield from value[2] if value[0] == "fmt" else (part,)

    @staticmethod
    def behind(prefix: str, found: Labels) -> Labels:
        """Labels of a part before which this stands."""
        if _HOST_FIXED.match(prefix):
            return lb.clear(found, _HOST_KINDS)
        if _AUTHORITY.fullmatch(prefix):  # what follows the host begins with a part of the program's own
            return {
                origin: mark._replace(cleared=mark.cleared.union(_HOST_KINDS)) if lb.BEHIND in mark.cleared else mark
                for origin, mark in found.items()
            }
        if _NO_HOST.fullmatch(prefix):
            return lb.clear(found, ("redirect",))
        return lb.clear(found, (lb.BEHIND,)) if "\0" in prefix else found

    def appended(self, fn: Fn, before: Vid, found: Labels) -> Labels:
        """Labels of what is added to a text with `+`."""
        texts = self.project.constants(fn, before)
        if not texts or not all(isinstance(text, str) for text in texts):
            return self.behind("\0", found)
        marks = [self.behind(str(text), found) for text in texts]
        return lb.merge(marks)

    @staticmethod
    def cut(found: Labels) -> Labels:
        """Labels of a text whose beginning was taken away, and with it what kept it on its host."""
        return lb.reopen(found, _HOST_KINDS) if found else found

    def shortened(self, fn: Fn, call: Call, found: Labels) -> Labels:
        """`path.removeprefix("/files/")`, `path.lstrip("/")`: what is left of a place on this host may name another."""
        return self.cut(found) if fn.callee_name(call) in _CUTS and call.args else found

    def back(self, key: object, models: Iterable[AttributeModel], found: Labels) -> Labels:
        """Labels of a header that names the page which sent the visitor: redirecting there leads back."""
        if not found or not isinstance(key, str):
            return found
        asked = key.lower().replace("_", "-")
        named = any(asked == header.lower().replace("_", "-") for model in models for header in model.leads_back)
        return lb.clear(found, ("redirect",)) if named else found
