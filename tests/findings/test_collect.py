from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from backendlint.findings.baseline import Baseline
from backendlint.findings.model import Location, Step

TEXT = "a = get()\nb = get()\nc = get()\n"
FLOW = tuple(Step(Location("a.py", line, 1, line, 2), "step") for line in (1, 2, 3))


def test_a_finding_takes_what_the_hit_leaves_open_from_the_rule(kit: SimpleNamespace) -> None:
    plain = kit.hit("a.py", 1, function="pay")
    other = kit.hit("a.py", 2, severity="note", confidence="low", help="Other.", message="m")
    reach = {"pay": 3, None: 0}.__getitem__
    first, second = kit.run([("REL101", plain), ("REL101", other)], {"a.py": TEXT}, reach=reach).findings
    assert (first.rule_id, first.name, first.pillar) == ("REL101", "call-without-timeout", "reliability")
    assert (first.severity, first.confidence, first.help, first.reach) == ("error", "high", "Pass a timeout.", 3)
    assert (second.severity, second.confidence, second.help, second.message) == ("note", "low", "Other.", "m")


def test_several_flows_to_one_place_are_one_finding(kit: SimpleNamespace) -> None:
    hits = [
        ("REL101", kit.hit("a.py", 3, confidence="low", message="weak")),
        ("REL101", kit.hit("a.py", 3, flow=FLOW, message="long way")),
        ("REL101", kit.hit("a.py", 3, flow=FLOW[:2], message="short way")),
        ("REL101", kit.hit("a.py", 3, message="no way")),
        ("SEC101", kit.hit("a.py", 3, message="other rule")),
        ("REL101", kit.hit("a.py", 3, 5, message="other place")),
        ("REL101", kit.hit("a.py", 3, fingerprint_key="orders", message="other key")),
    ]
    found = kit.run(hits, {"a.py": TEXT})
    assert sorted(item.message for item in found.findings) == ["other key", "other place", "other rule", "short way"]
    assert found.duplicates == 3


@given(st.permutations(range(6)))
def test_the_order_of_hits_does_not_matter(kit: SimpleNamespace, order: list[int]) -> None:
    hits = [("REL101", kit.hit("a.py", line, message=f"{way}")) for line in (1, 2, 3) for way in ("a", "b")]
    assert kit.run([hits[at] for at in order], {"a.py": TEXT}) == kit.run(hits, {"a.py": TEXT})


def test_rank(kit: SimpleNamespace) -> None:
    reach = {"busy": 9, "quiet": 1, None: 0}.__getitem__
    hits = [
        ("PERF102", kit.hit("a.py", 1)),
        ("SEC101", kit.hit("a.py", 1)),
        ("REL101", kit.hit("b.py", 3, severity="note")),
        ("REL101", kit.hit("b.py", 2, confidence="medium", function="busy")),
        ("REL101", kit.hit("b.py", 2, 7, function="quiet")),
        ("REL101", kit.hit("b.py", 1, 7, function="quiet")),
        ("REL101", kit.hit("a.py", 3, function="quiet")),
        ("REL101", kit.hit("b.py", 9, function="busy")),
    ]
    found = kit.run(hits, {"a.py": TEXT, "b.py": TEXT}, reach=reach).findings
    assert [(item.rule_id, item.location.path, item.location.line) for item in found] == [
        ("REL101", "b.py", 9),
        ("REL101", "a.py", 3),
        ("REL101", "b.py", 1),
        ("REL101", "b.py", 2),
        ("REL101", "b.py", 2),
        ("REL101", "b.py", 3),
        ("SEC101", "a.py", 1),
        ("PERF102", "a.py", 1),
    ]
    assert [item.confidence for item in found[3:5]] == ["high", "medium"]


def test_a_rule_is_advice_where_one_that_it_yields_to_tells_the_same_place(kit: SimpleNamespace) -> None:
    hits = [
        ("REL103", kit.hit("a.py", 1)),
        ("REL101", kit.hit("a.py", 1)),
        ("REL103", kit.hit("a.py", 2)),
        ("REL103", kit.hit("a.py", 3)),
        ("REL101", kit.hit("a.py", 3, profile="strict")),
    ]
    found = kit.run(hits, {"a.py": TEXT}, profile="strict").findings
    said = {(item.rule_id, item.location.line): item.profile for item in found}
    assert [said["REL103", line] for line in (1, 2, 3)] == ["strict", "default", "default"]
    assert said["REL101", 1] == "default"


def test_profiles_hide_and_count(kit: SimpleNamespace) -> None:
    hits = [("REL101", kit.hit("a.py", at, profile=name)) for at, name in enumerate(("default", "strict", "audit"), 1)]
    counts = {}
    for profile in ("default", "strict", "audit"):
        found = kit.run(hits, {"a.py": TEXT}, profile=profile)
        counts[profile] = (len(found.findings), found.below_profile)
    assert counts == {"default": (1, 2), "strict": (2, 1), "audit": (3, 0)}


def test_a_rule_that_was_chosen_by_name_brings_its_profile(kit: SimpleNamespace) -> None:
    found = kit.run([("OPS101", kit.hit("a.py", 1)), ("OPS101", kit.hit("a.py", 2, profile="audit"))], {"a.py": TEXT})
    assert [item.location.line for item in found.findings] == [1]
    assert found.below_profile == 1


def test_severities_of_the_configuration(kit: SimpleNamespace) -> None:
    hits = [("REL101", kit.hit("a.py", 1)), ("REL103", kit.hit("a.py", 2)), ("SEC101", kit.hit("a.py", 3))]
    severity = {"reliability": "note", "retry-without-backoff": "error", "REL1": "warning"}
    found = kit.run(hits, {"a.py": TEXT}, severity=severity).findings
    got = {item.rule_id: item.severity for item in found}
    assert got == {"REL101": "warning", "REL103": "error", "SEC101": "error"}


def test_per_file_ignores_and_context_files_are_counted(kit: SimpleNamespace) -> None:
    paths = ("app/a.py", "jobs/a.py", "jobs/deep/b.py")
    hits = [(rule_id, kit.hit(path, 1)) for path in paths for rule_id in ("REL101", "SEC101")]
    texts = dict.fromkeys(paths, TEXT)
    found = kit.run(hits, texts, per_file_ignores={"jobs/**": ["reliability"]})
    assert (len(found.findings), found.ignored) == (4, 2)
    found = kit.run(hits, texts, only=frozenset({"app/a.py"}))
    assert (len(found.findings), found.outside) == (2, 4)


def test_nothing_is_lost(kit: SimpleNamespace) -> None:
    text = "a = get()  # backendlint: ignore[REL101] -- fine\nb = get()\nc = get()\nd = get()\ne = get()\n"
    hits = [("REL101", kit.hit("a.py", line)) for line in (1, 2, 2, 3)]
    hits += [("REL101", kit.hit("a.py", 4, profile="audit")), ("REL101", kit.hit("b.py", 1))]
    before = kit.run([("REL101", kit.hit("a.py", 2))], {"a.py": text, "b.py": ""}).all_findings
    found = kit.run(hits, {"a.py": text, "b.py": "x = 1\n"}, baseline=Baseline.of(before), only=frozenset({"a.py"}))
    assert [item.location.line for item in found.findings] == [3]
    counts = (found.suppressed, found.baselined, found.below_profile, found.outside, found.ignored, found.duplicates)
    assert counts == (1, 1, 1, 1, 0, 1)
    assert len(found.findings) + sum(counts) == len(hits)
    assert [item.location.line for item in found.all_findings] == [2, 3]


def test_a_file_that_is_gone_keeps_its_findings(kit: SimpleNamespace) -> None:
    from backendlint.findings.collect import CollectOptions, collect

    def gone(path: str) -> str:
        raise FileNotFoundError(path)

    hits = [(kit.RULES[0], kit.hit("gone.py", 3)), (kit.RULES[0], kit.hit("gone.sql", 0))]
    options = CollectOptions(rules=kit.RULES)
    found = collect(hits, files={}, sources=gone, baseline=None, options=options, reach=lambda _: 0)
    assert len({item.fingerprint for item in found.findings}) == 2
