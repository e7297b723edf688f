"""Identities of findings that survive moved lines, and GitHub's own line hash."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backendlint.findings.model import Finding

_BASE = 37
_MASK = (1 << 64) - 1
_WINDOW = 100
_TOP = pow(_BASE, _WINDOW, 1 << 64)
_END_OF_FILE = 0xFFFF
_LINE_FEED = 10


def fingerprint_base(finding: Finding, line: str, function: str) -> str:
    """What identifies the finding apart from its place: rule, file, function, and the line's text or the rule's key.

    `line` is the source line of the primary location; its spacing does not count, nor does a comment to backendlint.
    """
    key = finding.fingerprint_key
    text = f"key:{key}" if key is not None else f"line:{_normalised(line)}"
    return f"{finding.rule_id}\0{finding.location.path}\0{function}\0{text}"


def numbered(bases: Iterable[str]) -> Iterator[str]:
    """32 hex digits for each base, in order; equal bases are told apart by how many came before."""
    seen: Counter[str] = Counter()
    for base in bases:
        seen[base] += 1
        text = f"{base}\0{seen[base]}".encode("utf-8", "surrogatepass")
        yield hashlib.sha256(text).hexdigest()[:32]


def _normalised(line: str) -> str:
    code = line.partition("# backendlint:")[0].partition("-- backendlint:")[0]
    return " ".join(code.split())


def line_hashes(text: str, last_line: int | None = None) -> list[str]:
    """GitHub code scanning's `primaryLocationLineHash` of each line (index 0 is line 1), up to `last_line`.

    As the upload action computes it: the file as UTF-16 units, spaces and tabs left out, every line end one `\\n`, an
    end mark of 0xFFFF, then zeros; a line's hash is the polynomial in 37 over the 100 units from its first one, modulo
    2**64, in hex, followed by how often it has come up so far.
    """
    units = [*_units(text), _END_OF_FILE, *[0] * _WINDOW]
    starts = [0, *(index + 1 for index, unit in enumerate(units) if unit == _LINE_FEED)][:last_line]
    del units[starts[-1] + _WINDOW if starts else 0 :]
    prefix = list(accumulate(units, lambda total, unit: (total * _BASE + unit) & _MASK, initial=0))
    seen: Counter[str] = Counter()
    hashes = []
    for start in starts:
        value = f"{(prefix[start + _WINDOW] - prefix[start] * _TOP) & _MASK:x}"
        seen[value] += 1
        hashes.append(f"{value}:{seen[value]}")
    return hashes


def _units(text: str) -> list[int]:
    """UTF-16 code units without spaces and tabs, with `\\r\\n` and `\\r` as `\\n`."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").translate({9: None, 32: None})
    if kept.isascii():
        return list(kept.encode("ascii"))
    units = array("H", kept.encode("utf-16-le", "surrogatepass"))
    if sys.byteorder == "big":
        units.byteswap()
    return units.tolist()
