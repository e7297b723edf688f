"""The statements of a file, by their lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def ends(text: str) -> dict[int, int]:
    """First line to last line of simple statements."""
    return {first: last for first, last, simple in _all(text) if simple}


def spans(text: str) -> list[tuple[int, int]]:
    """First and last line of simple statements, and of what stands before the bodies of the others."""
    return sorted({(first, last) for first, last, _ in _all(text)})


def _all(text: str) -> Iterator[tuple[int, int, bool]]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or _is_docstring(node):
            continue
        body = getattr(node, "body", None)
        if not body:
            yield node.lineno, node.end_lineno or node.lineno, True
        elif isinstance(body, list):
            yield node.lineno, max(node.lineno, body[0].lineno - 1), False


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
