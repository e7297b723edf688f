"""What formats need besides the Report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backendlint.ruleset.manifest import Rule


def no_source(_path: str) -> str | None:
    """No text is known."""
    return None


def read_doc(rule: Rule) -> str:
    """The rule's doc.md, or "" where it has none."""
    try:
        return (rule.folder / "doc.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render; the defaults suit a file that a program reads."""

    sources: Callable[[str], str | None] = no_source
    """A file's text by its path relative to the root; None (or OSError) where it cannot be had."""
    docs: Callable[[Rule], str] = read_doc
    """A rule's help as markdown."""
    color: bool = False
    """ANSI colours in `text`; see `parts.terminal.wants_color`."""
    width: int = 100
    """Columns of the terminal, for `text`."""
    statistics: bool = False
    """Add the counts per rule to the formats for people."""
    show_reach: bool = False
    """Print how many endpoints lead to each finding, in `text`."""
    quiet: bool = False
    """`text`: one line a finding, no summary."""
    verbose: bool = False
    """`text`: every finding in full, however many there are, with confidence, fingerprint and seconds a stage."""
