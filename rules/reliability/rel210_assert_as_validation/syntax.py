"""What an assert says by its syntax: what a thing is, who may do what, and by its message why."""

from __future__ import annotations

import re

import libcst as cst

_TYPE_TEST = re.compile(r"(isinstance|issubclass|callable|hasattr|(is|has)_\w+)")
_PERMITS = re.compile(
    r"(^|_)(permi\w*|perms?|access|owners?|owns|authori[sz]\w*|allowed|privileges?)(_|$)", re.IGNORECASE
)
"""Words of functions that say whether somebody may do something: no type checker learns anything from them."""
_RANKS = r"is_(super_?user|staff|admin(istrator)?|moderator)"
"""Functions that say what somebody is allowed at all."""
_RANK = re.compile(rf"^_*{_RANKS}$", re.IGNORECASE)
RANKED = re.compile(rf"\b{_RANKS}\b", re.IGNORECASE)
STATE = re.compile(
    r"(is|has|can|may|should|was|allow)_|"
    r"(\w+_)?(active|enabled|valid|verified|paid|deleted|authenticated|approved|confirmed|public|published)$"
)
_PROSE = re.compile(r"[^\W\d_]{2,}")
_TEXT = re.compile(r"msg|message|error|text|reason", re.IGNORECASE)
BUG = re.compile(
    r"^\W*bug\b|\b(is|be|a) (a )?bug\b|\binvariant\b|\binternal error\b|\bimpossible\b|\bunreachable\b|\bsanity\b|"
    r"\b(should|must|can) (never|not) (happen|occur|be reached|get here)|\bcan't happen\b|"
    r"^\W*unexpected(ly)?\b|\b(previously|already) (been )?(checked|validated|verified|ensured|handled)\b|"
    r"\b(should|must) have been (checked|validated|verified|ensured|handled|called|set)\b|"
    r"\b(need|have) to (write|implement|add)\b|\bnot (yet )?implemented\b|\bprogram(ming|mer'?s?) (error|mistake)\b|"
    r"\b(must|should) be called (before|after|first|once|with)\b",
    re.IGNORECASE,
)
"""Of a message that tells whoever writes the code of a mistake in it."""


def is_narrowing(test: cst.BaseExpression) -> bool:
    """Tests that tell a type checker what a thing is: `x`, `x is not None`, `isinstance(x, T)`, `is_user(x)`,
    `type(x) is T`."""
    if isinstance(test, cst.BooleanOperation):
        return is_narrowing(test.left) and is_narrowing(test.right)
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return isinstance(test.expression, cst.Name) or (
            isinstance(test.expression, cst.Call) and is_narrowing(test.expression)
        )
    if isinstance(test, cst.Call):
        return _TYPE_TEST.fullmatch(_plainly_called(test)) is not None and not permits(test)
    if isinstance(test, cst.Attribute):
        return not STATE.match(test.attr.value)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        if _plainly_called(test.left) == "type":
            return True
        if not isinstance(target.operator, cst.Is | cst.IsNot):
            return False
        return isinstance(target.comparator, cst.Name) and target.comparator.value == "None"
    return isinstance(test, cst.Name | cst.Subscript)


def asks_type(test: cst.BaseExpression) -> bool:
    """`isinstance(image, bytes) and len(image) > 0`: what programmers agree on."""
    if isinstance(test, cst.BooleanOperation):
        return asks_type(test.left) or asks_type(test.right)
    if isinstance(test, cst.Comparison):
        return any(_plainly_called(item.comparator) == "type" for item in test.comparisons)
    return _plainly_called(test) in ("isinstance", "issubclass")


def _plainly_called(value: cst.BaseExpression) -> str:
    """`type` of `type(check)`; "" for what is no call of a bare name."""
    return value.func.value if isinstance(value, cst.Call) and isinstance(value.func, cst.Name) else ""


def permits(test: cst.BaseExpression) -> bool:
    """`has_permission_for(user, form)`, `is_superuser(request)`: who may do what."""
    if not isinstance(test, cst.Call) or not test.args:
        return False
    said = _PERMITS if len(test.args) > 1 else _RANK
    return said.search(_plainly_called(test)) is not None


def says_why(node: cst.Assert) -> bool:
    """Whether the message has words of its own, and is not just the values: `assert low < high, (low, high)`."""
    message = node.msg
    if isinstance(message, cst.Tuple):
        return any(_has_words(item.value) for item in message.elements)
    return message is not None and _has_words(message)


def speaks_of_bug(node: cst.Assert) -> bool:
    """`assert len(found) == len(asked), "Bug: one answer is missing"`: of what the code itself has got wrong, as asserts do."""
    message = node.msg
    if isinstance(message, cst.ConcatenatedString):
        message = message.left
    if isinstance(message, cst.FormattedString):
        texts = [part.value for part in message.parts if isinstance(part, cst.FormattedStringText)]
        return any(map(BUG.search, texts))
    return isinstance(message, cst.SimpleString) and BUG.search(message.raw_value) is not None


def _has_words(message: cst.BaseExpression) -> bool:
    if isinstance(message, cst.SimpleString):
        return _PROSE.search(message.raw_value) is not None
    if isinstance(message, cst.ConcatenatedString | cst.BinaryOperation):
        return _has_words(message.left) or _has_words(message.right)
    if isinstance(message, cst.FormattedString):
        texts = [part.value for part in message.parts if isinstance(part, cst.FormattedStringText)]
        return any(map(_PROSE.search, texts))
    if isinstance(message, cst.Name):
        return _TEXT.search(message.value) is not None
    return isinstance(message, cst.Call) and (
        any(_has_words(item.value) for item in message.args)
        or (isinstance(message.func, cst.Attribute) and _has_words(message.func.value))
    )
