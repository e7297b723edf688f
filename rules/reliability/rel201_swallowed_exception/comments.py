"""A comment that says why the error is dropped."""

from __future__ import annotations

import re

from backendlint.api import comment_above

from .places import Place

_ACCEPTED = re.compile(r"(noqa|nosec):?[^#]*\b(S110|S112|B110|B112)\b")
"""Markers by which others' checks for the very same flaw are silenced."""
_MARKER = re.compile(
    r"\s*(noqa(: *[A-Z]+[0-9]+([, ]+[A-Z]+[0-9]+)*)?|(type|pylint|pragma|fmt|expect|backendlint): *[^-#]*|nosec(:? *B\d+)*)"
)
_CAUGHT = re.compile(
    r"\b(except|catch(es|ing)?|ignor(e|es|ed|ing)|swallow\w*|suppress\w*|best[- ]effort|"
    r"handl(e|es|ed|ing) (the |any |all |its )?(error|exception|failure)s?|(if|when|in case) (it|that|this|they|which) fails?|"
    r"(ok|okay|fine|no matter) if (it|that|this|they|we|which))\b|"
    r"异常|異常|报错|錯誤|错误|失败|失敗|忽略|例外|エラー|無視|예외|오류|무시|ошибк|исключени|игнорир",
    re.IGNORECASE,
)
"""A comment that speaks of the handler, also in the languages of those who write no English in their code."""
_CODE = re.compile(r"\s*(raise|return|pass|print|(self\.)?(logging|log|logger|_logger|LOG|LOGGER)\.\w+)\b\s*(\(.*)?$")
"""Code that was taken out: no reason."""


def has_comment(site: Place) -> bool:
    """A comment in the handler, at the `with`, or on the line above says why."""
    first, last = site.facts.span.line, site.facts.span.end_line
    lines = site.lines[first - 1 : last if site.facts.kind == "except" else first + 1]
    above = site.lines[first - 2] if first > 1 else ""
    if above.lstrip().startswith("#"):
        lines = [above, *lines]
    return any(_is_reason(part) for line in lines for part in line.split("#")[1:]) or _says_above(site)


def _says_above(site: Place) -> bool:
    """A comment above the `try`, or above the `if` that begins with it, that speaks of what is caught there."""
    tried = site.function.blocks[site.tried]
    outer = site.function.blocks[tried.parent]
    lines = [tried.span.line]
    if outer.kind == "if" and outer.span.line in (tried.span.line, tried.span.line - 1):
        lines.append(tried.span.line - 1)
    return any(_CAUGHT.search(text) for line in lines for text in comment_above(site.project, site.fn.path, line))


def _is_reason(comment: str) -> bool:
    """Whether a comment is prose (not empty, and no marker for a tool alone), or accepts this very flaw."""
    if _CODE.match(comment):
        return False
    marker = _MARKER.match(comment)
    said = comment[marker.end() :].strip(" -:;,.#") if marker else comment.strip()
    return len(said.split()) > (1 if marker else 0) or _ACCEPTED.search(comment) is not None
