from __future__ import annotations

import pytest

from backendlint.errors import UsageError
from backendlint.findings.model import Pillar, Profile
from backendlint.ruleset.load import RuleSet
from backendlint.ruleset.manifest import Rule
from backendlint.ruleset.select import select_rules


def rule(rule_id: str, name: str, pillar: Pillar, profile: Profile = "default") -> Rule:
    return Rule(rule_id, name, pillar, "project", "warning", "high", profile, "Summary", "Help.", ("X",))


RULES = RuleSet(
    (
        rule("REL101", "call-without-timeout", "reliability"),
        rule("SEC101", "sql-injection", "security"),
        rule("SEC110", "log-injection", "security", "strict"),
        rule("SEC201", "hard-coded-secret", "security"),
        rule("OPS101", "print", "convenience", "audit"),
    )
)


def chosen(select: str = "", ignore: str = "", profile: Profile = "default") -> str:
    return " ".join(
        item.id for item in select_rules(RULES, select=select.split(), ignore=ignore.split(), profile=profile)
    )


@pytest.mark.parametrize(
    ("select", "ignore", "profile", "expected"),
    [
        ("", "", "default", "REL101 SEC101 SEC201"),
        ("", "", "strict", "REL101 SEC101 SEC110 SEC201"),
        ("ALL", "", "audit", "REL101 SEC101 SEC110 SEC201 OPS101"),
        ("SEC", "", "default", "SEC101 SEC201"),
        ("security", "", "strict", "SEC101 SEC110 SEC201"),
        ("SEC1", "", "strict", "SEC101 SEC110"),
        ("sec110", "", "default", "SEC110"),
        ("print", "", "default", "OPS101"),
        ("", "SEC", "default", "REL101"),
        ("SEC101", "SEC", "default", "SEC101"),
        ("SEC", "SEC1", "default", "SEC201"),
        ("SEC101", "sql-injection", "default", ""),
        ("REL101 SEC201", "", "default", "REL101 SEC201"),
        ("", "ALL", "default", ""),
    ],
)
def test_selection(select: str, ignore: str, profile: Profile, expected: str) -> None:
    assert chosen(select, ignore, profile) == expected


def test_unknown_selectors_get_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="--select: no rule, pillar or prefix `sql-injektion`; did you mean `sql-inj"):
        chosen("sql-injektion")
    with pytest.raises(UsageError, match=r"--ignore: .*`SEC102`; did you mean .*`SEC101`"):
        chosen("", "SEC102")
    with pytest.raises(UsageError, match="`backendlint rules` lists them"):
        chosen("zzz")
