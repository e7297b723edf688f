"""Text made fit for where it goes: scanned code may hold anything."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from backendlint.report.parts.options import RenderOptions

_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_REPLACEMENT = "\ufffd"


def dumps(data: Any) -> str:
    """JSON in Unicode, indented, with a newline; halves of surrogate pairs, which UTF-8 cannot hold, are replaced."""
    return _SURROGATES.sub(_REPLACEMENT, json.dumps(data, indent=2, ensure_ascii=False)) + "\n"


def encodable(text: str) -> str:
    """The text with all that UTF-8 cannot hold replaced."""
    return _SURROGATES.sub(_REPLACEMENT, text)


def xml_text(text: str) -> str:
    """The text without the characters that XML 1.0 forbids."""
    return _NOT_XML.sub(_REPLACEMENT, text)


def printable(text: str) -> str:
    """Control characters (escape sequences, changes of writing direction) made visible; newlines and tabs stay."""
    return encodable(_CONTROL.sub(lambda match: f"<{ord(match[0]):02x}>", text))


def one_line(text: str) -> str:
    """Printable, with runs of white space as one space."""
    return printable(" ".join(text.split()))


def shown_path(path: str) -> str:
    """A path for people, on one line, its spaces kept."""
    return printable(path.replace("\n", "<0a>").replace("\t", "<09>"))


def uri(path: str) -> str:
    """A relative path as a relative URI reference."""
    return quote(path.encode("utf-8", "surrogateescape" if _escaped(path) else "replace"), safe="/")


def _escaped(path: str) -> bool:
    """True where all surrogates stand for bytes of a file name that is not UTF-8."""
    return all("\udc80" <= char <= "\udcff" for char in path if "\ud800" <= char <= "\udfff")


def source(options: RenderOptions, path: str) -> str | None:
    """The file's text, or None where it is gone or cannot be read."""
    try:
        return options.sources(path)
    except (OSError, ValueError):
        return None
