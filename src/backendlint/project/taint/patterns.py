"""What a regular expression leaves of the danger of a text that it matches as a whole."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from backendlint.project.taint.labels import LOCAL, ONE_SLASH

Kinds = frozenset[str]
_DANGERS = {
    "sql": "'\"`;()\n", "command": ";|&$`<>()\n", "code": "'\"`;()\n", "path": "/\\", "archive": "/\\", "ssrf": "./:@", "redirect": "./:@",
    "xss": "<'\"", "template": "{<'\"", "ldap": "*()\\", "xpath": "'\"()", "nosql": "", "log": "\n\r", "header": "\n\r",
    "ldap-dn": ',+="\\<>;#\n', "javascript": "'\"`;()", "mail-header": "\n\r", "regex": "*+{([", "trust": "",
}  # fmt: skip
"""The characters that each interpreter takes for its own."""
EVERY: Kinds = frozenset(_DANGERS)
_FIXED_HOST = re.compile(r"(?:\^|\\A)?https?:(?:\\?/){2}[\w.\\-]+\\?/")
_CATEGORIES = {
    "CATEGORY_DIGIT": str.isdigit, "CATEGORY_WORD": lambda c: c.isalnum() or c == "_", "CATEGORY_SPACE": str.isspace,
}  # fmt: skip


_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def common(ways: Sequence[Kinds]) -> Kinds:
    """What a text is clean of whichever way it went: where one cleans it of all, what the others clean it of."""
    limited = [kinds for kinds in ways if "all" not in kinds]
    return frozenset.intersection(*(limited or ways)) if ways else frozenset()


@lru_cache(maxsize=1024)
def cleans(pattern: str, anchors: str = "") -> Kinds:
    """Kinds of which a matching text is clean; `anchors`: those (`end`, `both`) that the pattern must bring along."""
    tree = _parsed(pattern)
    if tree is None:
        return frozenset()
    if anchors and not _ends(tree, last=True):
        return _beginning(tree, anchors)
    if anchors == "both" and not _ends(tree, last=False):
        return frozenset()
    found = {kind for kind, dangers in _DANGERS.items() if not any(_may_hold(tree, char) for char in dangers)}
    if _FIXED_HOST.match(pattern):
        found |= {"ssrf", "redirect"}
    return frozenset(("all", *found)) if found == EVERY else frozenset(found)


@lru_cache(maxsize=256)
def removes(pattern: str, put: str) -> Kinds:
    """Kinds of which a text is clean in which each match of a pattern that is one class of characters became `put`."""
    tree = _parsed(pattern)
    if tree is None:
        return frozenset()
    if len(tree) == 1 and str(tree[0][0]) in _REPEATS and tree[0][1][0] <= 1:
        tree = list(tree[0][1][2])
    if len(tree) != 1 or str(tree[0][0]) not in ("IN", "LITERAL", "NOT_LITERAL"):
        return frozenset()
    found = frozenset(
        kind
        for kind, dangers in _DANGERS.items()
        if dangers and all(_may_hold(tree, char) and char not in put for char in dangers)
    )
    return frozenset(("all", *found)) if found == {kind for kind, dangers in _DANGERS.items() if dangers} else found


def _parsed(pattern: str) -> list[Any] | None:
    """The pattern's parts; None where it is no regular expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(parser.parse(pattern))
    except (re.error, RecursionError, OverflowError):
        return None


def _beginning(tree: list[Any], anchors: str) -> Kinds:
    """What a text is clean of whose beginning alone is known: a slash and a character that makes no host of the rest."""
    if anchors == "both" and not _ends(tree, last=False):
        return frozenset()
    nodes = [(str(op), value) for op, value in tree if str(op) != "AT"]
    if len(nodes) < 2 or nodes[0] != ("LITERAL", ord("/")):
        return frozenset()
    name, value = nodes[1]
    if name in _REPEATS and not value[0]:
        return frozenset()
    open_ = any(_node(name, value, char) for char in "/\\\t\n\r") or name in (
        "SUBPATTERN",
        "BRANCH",
        "ASSERT",
        "ASSERT_NOT",
    )
    return frozenset() if open_ else frozenset({LOCAL, ONE_SLASH})


def _ends(tree: list[Any], *, last: bool) -> bool:
    """Whether the pattern is anchored at its end (or beginning), in each of its alternatives."""
    if not tree:
        return False
    op, value = tree[-1 if last else 0]
    name = str(op)
    if name == "AT":
        return str(value) in (("AT_END", "AT_END_STRING") if last else ("AT_BEGINNING", "AT_BEGINNING_STRING"))
    if name == "SUBPATTERN":
        return _ends(list(value[3]), last=last)
    return name == "BRANCH" and all(_ends(list(part), last=last) for part in value[1])


def _may_hold(tree: Any, char: str) -> bool:
    return any(_node(str(op), value, char) for op, value in tree)


def _node(name: str, value: Any, char: str) -> bool:
    code = ord(char)
    if name == "LITERAL":
        return bool(value == code)
    if name == "NOT_LITERAL":
        return bool(value != code)
    if name == "ANY":
        return char != "\n"
    if name == "IN":
        negated = str(value[0][0]) == "NEGATE"
        return any(_member(str(op), item, char) for op, item in value) != negated
    return any(_may_hold(inner, char) for inner in _children(name, value))


def _member(name: str, value: Any, char: str) -> bool:
    if name == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if name == "CATEGORY":
        category = str(value)
        known = _CATEGORIES.get(category.replace("_NOT_", "_"))
        return known is None or known(char) != ("_NOT_" in category)
    return name == "LITERAL" and bool(value == ord(char))


def _children(name: str, value: Any) -> Iterator[Any]:
    if name in _REPEATS:
        yield value[2]
    elif name == "SUBPATTERN":
        yield value[3]
    elif name == "ATOMIC_GROUP":
        yield value
    elif name == "BRANCH":
        yield from value[1]
