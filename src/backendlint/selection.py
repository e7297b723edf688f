"""The rules of a run and their options, as configuration and command line ask."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backendlint.config import Settings
from backendlint.digests import code_digest
from backendlint.errors import ConfigError
from backendlint.ruleset.load import builtin_folder, load_rules, pack_hash
from backendlint.ruleset.nearest import did_you_mean
from backendlint.ruleset.select import check_selectors, select_rules

if TYPE_CHECKING:
    from backendlint.cache import Cache
    from backendlint.ruleset.load import RuleSet
    from backendlint.ruleset.manifest import Rule

CACHE_KIND = "rules"


@dataclass(frozen=True, slots=True)
class Selection:
    """What runs."""

    known: tuple[Rule, ...]
    """All rules there are."""
    rules: tuple[Rule, ...]
    """Those of this run."""
    options: Mapping[str, Mapping[str, object]]
    """By rule id: the manifest's defaults and the user's settings."""


def pack_of(settings: Settings, trusted: Sequence[Path], libraries: Sequence[Path]) -> str:
    """Changes with any file of the rules and library models."""
    return pack_hash([builtin_folder(), *trusted, *_data_folders(settings), *libraries])


def select(settings: Settings, trusted: Sequence[Path], store: Cache | None = None, pack: str = "") -> Selection:
    """Load and choose rules. Those below `trusted` folders may bring code; the scanned project's own may not.

    Manifests that a run has read from folders with this hash (`pack_of`) are not read again.
    """
    config = settings.config
    known = _known(settings, trusted, store, pack)
    chosen = select_rules(known, select=config.select, ignore=config.ignore, profile=config.profile)
    if config.extend_select:
        more = select_rules(known, select=config.extend_select, ignore=config.ignore, profile="audit")
        chosen = tuple(rule for rule in known if rule in chosen or rule in more)
    source = str(settings.source or "configuration")
    check_selectors(list(config.severity), f"{source}: severity", known)
    for words in config.per_file_ignores.values():
        check_selectors(list(words), f"{source}: per-file-ignores", known)
    return Selection(known.rules, chosen, _options(known, settings, source))


def _known(settings: Settings, trusted: Sequence[Path], store: Cache | None, pack: str) -> RuleSet:
    key = f"{pack} {code_digest(('ruleset',))}"
    kept = store.get(CACHE_KIND, key) if store is not None else None
    if kept is not None:
        found: RuleSet = pickle.loads(kept)
        return found
    from backendlint.engines.semgrep_rules import bare_rules

    known = load_rules([builtin_folder(), *trusted], _data_folders(settings), bare_rules)
    if store is not None:
        store.put_many(CACHE_KIND, {key: pickle.dumps(known, 5)})
    return known


def _data_folders(settings: Settings) -> list[Path]:
    folders = [settings.root / name for name in settings.config.rule_paths]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def _options(known: RuleSet, settings: Settings, source: str) -> dict[str, dict[str, object]]:
    """Defaults and settings; raises ConfigError for a rule or an option that there is not."""
    found = {rule.id: dict(rule.options) for rule in known}
    for key, table in settings.config.rules.items():
        rule = known.find(key)
        if rule is None:
            hint = did_you_mean(key, [rule.id for rule in known] + [rule.name for rule in known])
            raise ConfigError(f"{source}: [rules.{key}]: no rule `{key}`{hint}")
        for name, value in table.items():
            if name not in rule.options:
                allowed = ", ".join(sorted(rule.options)) or "none"
                hint = did_you_mean(name, list(rule.options)) or f"; allowed: {allowed}"
                raise ConfigError(f"{source}: [rules.{key}]: {rule.id} has no option `{name}`{hint}")
            found[rule.id][name] = value
    return found
