"""Stage 2: bytes of one file to a CPython `ast` tree, or a problem that says where and why there is none.

`ast.parse` reads nearly every file. What it refuses for its syntax is read by libcst (imported only then) and lowered
to the same kind of tree, so that code written for a newer Python than the one running is understood as well.
"""

from __future__ import annotations

import ast
import codecs
import re
import tokenize
import warnings
from dataclasses import dataclass

MAX_BYTES = 2_000_000
"""Larger files are not parsed: a tree takes about a hundred times the room of its source."""

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_PLAIN = bytes(range(32, 127)) + b"\t\n\r\f"


@dataclass(frozen=True)
class ParseProblem:
    """Why a file could not be read as it should. `line` counts from 1, `column` from 1 in characters; 1, 1 if unknown.

    Kinds: syntax-error, encoding-error, null-bytes, too-deep, too-large.
    """

    kind: str
    message: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Parsed:
    """One file: its tree (None if nothing could read it), its whole text, and what was wrong with it.

    `text` keeps the file's own line ends and has no byte order mark; `split_lines(text)[n - 1]` is line n of the tree.
    A file with an encoding-error may still have a tree, read from the text with U+FFFD in place of the bad bytes.
    """

    tree: ast.Module | None
    text: str
    problem: ParseProblem | None


def split_lines(text: str) -> list[str]:
    """Lines with their ends, split as Python's tokenizer does: on \\n, \\r\\n and \\r alone, not on form feeds or U+2028."""
    return _LINE.findall(text)


def parse(data: bytes, path: str) -> Parsed:
    """Read one Python file. Never raises on any input: the result has a tree or a problem, or both."""
    text, problem = _decode(data)
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; files above {MAX_BYTES:,} are not analysed"
        return Parsed(None, text, ParseProblem("too-large", message))
    if "\0" in text:
        return Parsed(None, text, _null_bytes(text))
    tree, refusal = _cpython(text, path)
    if refusal is not None and refusal.kind == "syntax-error":
        tree, refusal = _newer_syntax(text, refusal)
    return Parsed(tree, text, problem or refusal)


def _decode(data: bytes) -> tuple[str, ParseProblem | None]:
    """Text by byte order mark and PEP 263 cookie; if they lie, with replacement characters and the problem."""
    encoding, problem = "utf-8", None
    try:
        encoding = _encoding(data)
    except (SyntaxError, LookupError, UnicodeError) as error:
        problem = ParseProblem("encoding-error", str(error))
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode(encoding), problem
    except UnicodeDecodeError as error:
        lines = split_lines(body[: error.start].decode(encoding, "replace") + "?")
        message = f"byte 0x{body[error.start]:02x} is not valid {encoding}"
        problem = ParseProblem("encoding-error", message, len(lines), len(lines[-1]))
        return body.decode(encoding, "replace"), problem


def _encoding(data: bytes) -> str:
    head = iter([line + b"\n" for line in _LINE_END.split(data, maxsplit=2)[:2]])
    encoding = tokenize.detect_encoding(lambda: next(head, b""))[0].removesuffix("-sig")
    if encoding != "utf-8" and not _extends_ascii(encoding):
        raise LookupError(f"source cannot be encoded in {encoding}: it does not contain ASCII")
    return encoding


def _extends_ascii(encoding: str) -> bool:
    try:
        return _PLAIN.decode(encoding) == _PLAIN.decode("ascii")
    except UnicodeError:
        return False


def _null_bytes(text: str) -> ParseProblem:
    lines = split_lines(text[: text.index("\0") + 1])
    return ParseProblem("null-bytes", "source code cannot contain null bytes", len(lines), len(lines[-1]))


def _cpython(text: str, path: str) -> tuple[ast.Module | None, ParseProblem | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, path), None
    except SyntaxError as error:
        kind = "too-deep" if error.msg.startswith("too many ") else "syntax-error"
        return None, ParseProblem(kind, error.msg, max(error.lineno or 1, 1), max(error.offset or 1, 1))
    except (RecursionError, MemoryError):
        return None, ParseProblem("too-deep", "the code is nested too deeply to be parsed")
    except (ValueError, OverflowError) as error:
        return None, ParseProblem("syntax-error", str(error))


def _newer_syntax(text: str, refusal: ParseProblem) -> tuple[ast.Module | None, ParseProblem | None]:
    return None, refusal
