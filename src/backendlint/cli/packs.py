"""Rule packs as the commands see them: ours, the project's own, and those named with --rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from backendlint.ruleset.load import RuleSet

rules_option: Callable[[Any], Any] = click.option(
    "--rules",
    "rules_dirs",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of further rules, whose Python checks are trusted and run (repeatable).",
)


def load_packs(rules_dirs: Sequence[Path] = (), root: Path | None = None) -> RuleSet:
    """All rules that a run in `root` (the working directory) would know."""
    from backendlint.engines.semgrep_rules import bare_rules
    from backendlint.ruleset.load import builtin_folder, load_rules, project_folder

    own = project_folder(root or Path.cwd())
    return load_rules([builtin_folder(), *rules_dirs], data_only=[own] if own else [], bare=bare_rules)
