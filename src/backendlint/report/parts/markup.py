"""Text for GitHub's and GitLab's markdown."""

from __future__ import annotations

import re

from backendlint.report.parts.clean import one_line, shown_path

_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_SPECIAL = re.compile(r"([\\*_\[\]|~$])")
_BREAK = "\u200b"
"""An invisible space: keeps `@name` from calling people and `#1` from linking."""


def inline(text: str) -> str:
    """Prose on one line; `code` stays code, all else is shown as it is written."""
    flat = one_line(text)
    parts, end = [], 0
    for match in _CODE.finditer(flat):
        parts += [_escaped(flat[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, _escaped(flat[end:])])


def code(text: str) -> str:
    """A code span with a path, whatever back-quotes it holds."""
    flat = shown_path(text) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _escaped(text: str) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "\\`")
    return _SPECIAL.sub(r"\\\1", plain).replace("@", f"@{_BREAK}").replace("#", f"#{_BREAK}")
