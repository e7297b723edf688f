"""What a run is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendlint.config import Settings
from backendlint.findings.model import Finding, Notification, Report

Progress = Callable[[str, int, int], None]
"""Called with a stage's name and how much of it is done: (done, total), (0, 0) where that is not known."""


@dataclass(frozen=True, slots=True)
class Request:
    """A scan. Where `settings` is None they are loaded for `paths`; fields that are None leave their options alone."""

    paths: tuple[Path, ...] = (Path(),)
    settings: Settings | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Options (names of Config's fields) that the command line sets."""
    rule_folders: tuple[Path, ...] = ()
    """Folders whose rules the user trusts to run code."""
    baseline: Path | None = None
    since: str | None = None
    """A git revision: report only what is new since then."""
    stdin: tuple[Path, bytes] | None = None
    """A file's unsaved content."""
    context: bool = True
    """Where `paths` names single files, read the rest of the project as context."""
    show_suppressed: bool = False
    use_cache: bool = True
    cache_dir: Path | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scan's result."""

    report: Report
    accepted: tuple[Finding, ...]
    """All findings that a new baseline would hold."""
    details: tuple[Notification, ...] = ()
    """What only `--verbose` shows."""
    from_cache: bool = False
