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
from dataclasses import dataclass, replace
from functools import lru_cache

MAX_BYTES = 2_000_000
"""Larger files are not parsed: a tree takes about a hundred times the room of its source."""

MAX_NEWER_BYTES = 600_000
"""Larger files are not tried with libcst, whose tree takes about seven hundred times the room of its source."""

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


@lru_cache(maxsize=8)
def split_lines(text: str) -> tuple[str, ...]:
    """Lines with their ends, split as Python's tokenizer does: \\n, \\r\\n and \\r, not form feeds or U+2028.

    The last few texts are remembered: rules ask for one line after the other of the same file.
    """
    if "\r" not in text:
        found = text.split("\n")
        last = found.pop()
        return (*(f"{line}\n" for line in found), *((last,) if last else ()))
    return tuple(_LINE.findall(text))


def parse(data: bytes, path: str) -> Parsed:
    """Read one Python file. Never raises on any input: the result has a tree or a problem, or both."""
    text, problem = decode(data)
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; files above {MAX_BYTES:,} are not analysed"
        return Parsed(None, text, ParseProblem("too-large", message))
    before_null, null, _ = text.partition("\0")
    if null:
        return Parsed(None, text, _placed("null-bytes", "source code cannot contain null bytes", before_null + "\0"))
    tree, refusal = _cpython(text, path)
    if refusal is not None and refusal.kind == "syntax-error":
        tree, refusal = _newer_syntax(text, refusal)
    return Parsed(tree, text, problem or refusal)


def decode(data: bytes) -> tuple[str, ParseProblem | None]:
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
        before = body[: error.start].decode(encoding, "replace")
        problem = _placed("encoding-error", f"byte 0x{body[error.start]:02x} is not valid {encoding}", before + "?")
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


def _placed(kind: str, message: str, before: str) -> ParseProblem:
    """A problem at the last character of `before`, the text up to and with it."""
    lines = split_lines(before)
    return ParseProblem(kind, message, len(lines), len(lines[-1]))


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
    """Read with libcst what the running Python refuses; the refusal stands if that does not help."""
    if len(text) > MAX_NEWER_BYTES:
        message = f"{refusal.message} (a file this large is read only if the running Python knows its syntax)"
        return None, replace(refusal, message=message)
    import libcst

    from backendlint.lower import lower
    from backendlint.lower.nesting import too_deep

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    deep = too_deep(text)
    if deep is not None:
        return None, _placed("too-deep", "the code is nested too deeply to be parsed", text[: deep + 1])
    try:
        return lower(libcst.parse_module(text), text), None
    except RecursionError:
        return None, ParseProblem("too-deep", "the code is nested too deeply to be parsed")
    except (libcst.ParserSyntaxError, libcst.CSTLogicError, SyntaxError, ValueError, LookupError):
        return None, refusal
    except BaseException as error:
        if not is_panic(error):
            raise
        return None, refusal


def is_panic(error: BaseException) -> bool:
    """Whether it is what libcst's native parser raises where it fails itself: no Exception, and no importable class."""
    return type(error).__name__ == "PanicException"
