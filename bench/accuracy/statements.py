"""The statements of a file, by their lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def spans(text: str) -> list[tuple[int, int]]:
    """First and last line of simple statements, and of what stands before the bodies of the others."""
    return sorted({(first, last) for first, last in _all(text)})


def around(text: str) -> dict[int, tuple[int, int]]:
    """Each line to the lines of the smallest statement or head of a block that it is part of."""
    found: dict[int, tuple[int, int]] = {}
    for first, last in sorted(_all(text), key=lambda item: item[0] - item[1]):
        found.update(dict.fromkeys(range(first, last + 1), (first, last)))
    return found


def _all(text: str) -> Iterator[tuple[int, int]]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or _is_docstring(node):
            continue
        body = getattr(node, "body", None)
        if not body:
            yield node.lineno, node.end_lineno or node.lineno
        elif isinstance(body, list):
            first = min((item.lineno for item in getattr(node, "decorator_list", ())), default=node.lineno)
            yield first, max(node.lineno, body[0].lineno - 1)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
