"""The shop, which the README's first command scans: every marked line is found, and nothing else is."""

from __future__ import annotations

import contract

from backendlint.ruleset.load import builtin_folder, load_rules

SHOP = contract.ROOT / "fixtures" / "shop"


def test_the_shops_flaws_and_nothing_else() -> None:
    known = [rule.id for rule in load_rules([builtin_folder()])]
    report = contract.scan_sample(SHOP, profile="default").report
    assert not [item.message for item in report.notifications if item.level == "error"]
    found = {(finding.rule_id, finding.location.path, finding.location.line) for finding in report.findings}
    wanted = {(rule_id, *place) for rule_id in known for place in contract.marked(SHOP, rule_id)}
    assert found == wanted
