"""Applies the fixes that findings carry: per file, without overlaps, and never so that a file stops parsing."""

from __future__ import annotations

import ast
import io
import os
import tempfile
import tokenize
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from backendlint.findings.model import Edit, Finding, Fix

Span = tuple[int, int, str]
"""Start and end offset in the text, and what to put there."""


@dataclass(frozen=True, slots=True)
class FileFix:
    """What the fixes make of one file; `path` is relative to the root."""

    path: str
    before: str
    after: str
    encoding: str
    applied: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FixPlan:
    """Files that change, and findings whose fix was refused, with the reason."""

    files: tuple[FileFix, ...]
    refused: tuple[tuple[Finding, str], ...]


def plan(findings: Iterable[Finding], root: Path, *, unsafe: bool) -> FixPlan:
    """Work out every file's new text; nothing is written.

    Findings come in rank order, and of two fixes that overlap the first wins: the other's turn comes in the next run.
    """
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fix is not None and finding.suppressed is None and (finding.fix.safe or unsafe):
            by_path.setdefault(finding.fix.edits[0].location.path, []).append(finding)
    files: list[FileFix] = []
    refused: list[tuple[Finding, str]] = []
    for path, group in by_path.items():
        try:
            text, encoding = _read(root, path)
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
            refused.extend((finding, str(error)) for finding in group)
            continue
        after, applied, bad = _fixed(path, text, group)
        refused.extend(bad)
        if after != text:
            files.append(FileFix(path, text, after, encoding, tuple(applied)))
    return FixPlan(tuple(files), tuple(refused))


def write(fix: FileFix, root: Path) -> None:
    """Replace the file in one step, keeping its mode; raises OSError."""
    path = root / fix.path
    mode = path.stat().st_mode
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding=fix.encoding, newline="") as stream:
            stream.write(fix.after)
        os.chmod(name, mode)  # noqa: PTH101
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def diff(fix: FileFix) -> str:
    """The change as a unified diff."""
    import difflib

    before, after = fix.before.splitlines(keepends=True), fix.after.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, f"a/{fix.path}", f"b/{fix.path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _fixed(path: str, text: str, group: list[Finding]) -> tuple[str, list[Finding], list[tuple[Finding, str]]]:
    """The text with as many of the group's fixes as fit together, those, and the refused ones."""
    taken: list[Span] = []
    applied: list[Finding] = []
    refused: list[tuple[Finding, str]] = []
    sound = _parses(path, text)
    for finding in group:
        assert finding.fix is not None
        try:
            spans = _spans(text, _own_edits(finding.fix, path))
        except ValueError as error:
            refused.append((finding, str(error)))
            continue
        new = [span for span in spans if span not in taken]
        if any(_clash(one, two) for one in new for two in taken):
            continue
        if sound and not _parses(path, _replace(text, [*taken, *new])):
            refused.append((finding, "the result would not parse"))
            continue
        taken.extend(new)
        applied.append(finding)
    return _replace(text, taken), applied, refused


def _own_edits(fix: Fix, path: str) -> tuple[Edit, ...]:
    if any(edit.location.path != path for edit in fix.edits):
        raise ValueError("the fix spans several files")
    return fix.edits


def _spans(text: str, edits: Iterable[Edit]) -> list[Span]:
    starts = [0, *accumulate(len(line) for line in io.StringIO(text, newline=""))]
    spans: list[Span] = []
    for edit in edits:
        place = edit.location
        if not 1 <= place.line <= place.end_line <= len(starts):
            raise ValueError("the fix points outside the file")
        begin = starts[place.line - 1] + place.column - 1
        end = starts[place.end_line - 1] + place.end_column - 1
        if not 0 <= begin <= end <= len(text):
            raise ValueError("the fix points outside the file")
        spans.append((begin, end, edit.replacement))
    return spans


def _clash(one: Span, two: Span) -> bool:
    if one[0] == two[0]:
        return True
    first, second = sorted((one, two))
    return first[1] > second[0]


def _replace(text: str, spans: Iterable[Span]) -> str:
    for begin, end, replacement in sorted(spans, reverse=True):
        text = text[:begin] + replacement + text[end:]
    return text


def _parses(path: str, text: str) -> bool:
    """Whether the text is sound Python, in the running interpreter's syntax or libcst's; other files always are."""
    if not path.endswith((".py", ".pyi")):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            from backendlint.parse import parse

            return parse(text.encode(), path).tree is not None
    return True


def _read(root: Path, path: str) -> tuple[str, str]:
    """The file's text with its line ends as they are, and its encoding; links are not written through."""
    full = root / path
    if full.is_symlink():
        raise ValueError("it is a link, which is not written through")
    data = full.read_bytes()
    encoding = "utf-8"
    if path.endswith((".py", ".pyi")):
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    elif data.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    return data.decode(encoding), encoding
