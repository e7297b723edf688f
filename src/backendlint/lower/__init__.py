"""libcst's tree to the `ast` tree that CPython would have made, with positions, in one walk.

It lets code be understood whose syntax is newer than the running Python. Nodes are those of the running Python: where
it has none for a syntax, `type X = v` becomes an assignment, type parameters are dropped, t-strings become f-strings.
Positions inside f-strings are those of Python 3.12 and later; earlier versions report wrong ones themselves.
"""

from __future__ import annotations

import ast
import warnings

import libcst as cst

from . import expressions, strings
from .compound import statements
from .cursor import Cursor

_HANDLERS = {**expressions.HANDLERS, **strings.HANDLERS}


def lower(module: cst.Module, text: str) -> ast.Module:
    """Lower a whole module; `text` is the source it was read from (libcst's own `code` lacks some form feeds).

    Raises ValueError for literals that no Python accepts, and RecursionError for trees nested too deeply to be walked.
    """
    cursor = Cursor(text.removeprefix("\ufeff"), _HANDLERS, expressions.OWN_PARENS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.Module(statements(cursor, module.body), [])
