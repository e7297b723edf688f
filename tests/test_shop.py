"""The shop, which the README's first command scans: every marked line is found, and nothing else is."""

from __future__ import annotations

import contract

from backendlint.ruleset.load import builtin_folder, load_rules

SHOP = contract.ROOT / "fixtures" / "shop"


def test_the_shops_flaws_and_nothing_else() -> None:
    known = [rule.id for rule in load_rules([builtin_folder()])]
    report = contract.scan_sample(SHOP, profile="default").report
    assert not [item.message for item in report.notifications if item.level == "error"]
    found = {(item.rule_id, item.location.path, item.location.line): item.message for item in report.findings}
    wanted = {(rule_id, *place) for rule_id in known for place in contract.marked(SHOP, rule_id)}
    missed = sorted(wanted - set(found))
    unexpected = [(*place, message) for place, message in found.items() if place not in wanted]
    assert not missed and not unexpected, f"\n  missed: {missed}\n  unexpected: {unexpected}"
