"""rules/checklist.yaml: what the personas ask, and the state of our answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backendlint.errors import RuleError
from backendlint.findings.model import Pillar

View = Literal["scorecard", "resilience", "endpoints"]
State = Literal["answered", "partly", "planned", "runtime"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a reviewer asks. `evidence`: rules that come nearest where only a running system can tell."""

    id: str
    pillar: Pillar
    asks: str
    question: str
    rules: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    runtime: str = ""
    """Why no static check can answer it, or the part of it that none can."""
    applies: tuple[str, ...] = ()
    """What a project must have for the question to make sense, any of: routes, outbound, database, migrations, async, jobs,
    retries, logging, passwords, rpc. Empty: always."""
    evidence: tuple[str, ...] = ()

    def planned(self, known: Collection[str]) -> tuple[str, ...]:
        """Its rules that do not exist yet; `known` are the ids of those that do."""
        return tuple(rule for rule in self.rules if rule not in known)

    def state(self, known: Collection[str]) -> State:
        """answered: every rule exists; partly: some do; planned: none does; runtime: no rule could."""
        if not self.rules:
            return "runtime" if self.runtime else "planned"
        missing = self.planned(known)
        if not missing:
            return "answered"
        return "planned" if len(missing) == len(self.rules) else "partly"


def load_checklist(path: Path | None = None) -> tuple[Item, ...]:
    """All items in the file's order; raises RuleError with file and line."""
    import msgspec

    from backendlint.ruleset.load import builtin_folder
    from backendlint.ruleset.yamlfile import read_yaml

    document = read_yaml(path or builtin_folder() / "checklist.yaml")
    rows = document.data.get("items") if isinstance(document.data, dict) else None
    if not isinstance(rows, list):
        raise RuleError(f"{document.where()}: a checklist has the one key `items`, a list")
    items: list[Item] = []
    for index, row in enumerate(rows):
        try:
            items.append(msgspec.convert(row, Item))
        except msgspec.ValidationError as error:
            raise RuleError(f"{document.where(('items', index))}: {error}") from error
    return tuple(items)
