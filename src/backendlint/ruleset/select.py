"""Which rules a run uses: `--select`, `--ignore` and the profile."""

from __future__ import annotations

from collections.abc import Sequence

from backendlint.errors import UsageError
from backendlint.findings.model import PILLARS, PROFILES, Profile
from backendlint.ruleset.load import RuleSet
from backendlint.ruleset.manifest import Rule
from backendlint.ruleset.nearest import did_you_mean

EXACT = 1000
"""Specificity of an id or a name; a prefix has its length, a pillar 1, ALL 0."""


def select_rules(
    ruleset: RuleSet, *, select: Sequence[str] = (), ignore: Sequence[str] = (), profile: Profile = "default"
) -> tuple[Rule, ...]:
    """The rules that run, in RuleSet order.

    A selector is an id, a name, a pillar, an id's prefix (`SEC1`) or `ALL`. Without `select` it is `ALL`. The most
    specific selector decides, `ignore` winning ties. Pillars, prefixes and ALL stay within the profile; an id or a
    name selects its rule whatever its profile. Raises UsageError for a selector that names nothing.
    """
    for flag, words in (("--select", select), ("--ignore", ignore)):
        for word in words:
            _check(word, flag, ruleset)
    reach = PROFILES.index(profile)
    chosen: list[Rule] = []
    for rule in ruleset:
        wanted = max((_specificity(word, rule) for word in (select or ("ALL",))), default=-1)
        unwanted = max((_specificity(word, rule) for word in ignore), default=-1)
        in_profile = PROFILES.index(rule.profile) <= reach
        if wanted > unwanted and (in_profile or wanted == EXACT):
            chosen.append(rule)
    return tuple(chosen)


def matches(word: str, rule: Rule) -> bool:
    """Whether the selector covers the rule."""
    return _specificity(word, rule) >= 0


def check_selectors(words: Sequence[str], source: str, ruleset: RuleSet) -> None:
    """Raise UsageError for the first selector that names no rule; `source` says where it stands."""
    for word in words:
        _check(word, source, ruleset)


def _specificity(word: str, rule: Rule) -> int:
    folded = word.casefold()
    if folded in (rule.id.casefold(), rule.name):
        return EXACT
    if folded == "all":
        return 0
    if folded == rule.pillar:
        return 1
    if folded and rule.id.casefold().startswith(folded):
        return len(folded) + 1
    return -1


def _check(word: str, source: str, ruleset: RuleSet) -> None:
    if word.casefold() in ("all", *PILLARS) or any(matches(word, rule) for rule in ruleset):
        return
    known = [key for rule in ruleset for key in (rule.id, rule.name)] + [*PILLARS, "ALL"]
    hint = did_you_mean(word, known) or "; `backendlint rules` lists them"
    raise UsageError(f"{source}: no rule, pillar or prefix `{word}`{hint}")
