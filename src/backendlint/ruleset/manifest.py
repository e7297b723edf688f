"""One rule's identity, as its rule.yaml says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from backendlint.findings.model import Confidence, Pillar, Profile, Severity

Engine = Literal["project", "cst", "sql", "semgrep"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule folder, loaded. Everything but `folder` and `origin` is a key of rule.yaml."""

    id: str
    name: str
    pillar: Pillar
    engine: Engine
    severity: Severity
    confidence: Confidence
    profile: Profile
    summary: str
    """One line: what is wrong, as a statement (`Outbound call without a timeout`)."""
    help: str
    """One line: what to do instead."""
    checklist: tuple[str, ...]
    """Items of rules/checklist.yaml that it answers."""
    cwe: tuple[int, ...] = ()
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Facts without which the check does not run: calls (effects), sinks, imports (modules), handlers, routes, sql ..."""
    fix: Literal["none", "safe", "unsafe"] = "none"
    yields_to: tuple[str, ...] = ()
    """Ids of rules whose finding at the same place says enough: this one's is advice there (`strict`)."""
    references: tuple[str, ...] = ()
    options: dict[str, object] = field(default_factory=dict)
    """Defaults of what users may set in `[tool.backendlint.rules.ID]`."""
    folder: Path = Path()
    origin: Literal["builtin", "user"] = "builtin"
