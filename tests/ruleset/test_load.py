from __future__ import annotations

import os
from pathlib import Path

import pytest

from backendlint.errors import RuleError
from backendlint.ruleset.load import builtin_folder, load_rule, load_rules, pack_hash, project_folder

MANIFEST = """\
id: SEC901
name: example-rule
pillar: security
engine: semgrep
severity: warning
confidence: high
profile: default
summary: Something is wrong
help: Do something else.
checklist: [S-SQLI]
"""


def make(folder: Path, text: str = MANIFEST, part: str = "semgrep.yaml") -> Path:
    folder.mkdir(parents=True)
    (folder / "rule.yaml").write_text(text, encoding="utf-8")
    (folder / part).write_text("rules: []\n", encoding="utf-8")
    return folder / "rule.yaml"


def test_a_rule_is_found_by_its_folder(tmp_path: Path) -> None:
    make(tmp_path / "security" / "deep" / "x")
    rule = load_rules([tmp_path]).find("example-rule")
    assert rule is not None
    assert rule.id == "SEC901"
    assert rule.checklist == ("S-SQLI",)
    assert rule.folder == tmp_path / "security" / "deep" / "x"
    assert rule.origin == "user"


def test_rules_come_in_rank_order(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(
        tmp_path / "b",
        MANIFEST.replace("SEC901", "REL905").replace("example", "other").replace("security", "reliability"),
    )
    assert [rule.id for rule in load_rules([tmp_path])] == ["REL905", "SEC901"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("severity: warning", "severity: fatal"), "rule.yaml:5: `severity`: Invalid enum value 'fatal' (allowed: err"),
        (("confidence: high", "confidense: high"), "rule.yaml:6: unknown key `confidense`; did you mean `confidence`?"),
        (("checklist: [S-SQLI]", "checklist: S-SQLI"), "rule.yaml:10: `checklist`: Expected `array`"),
        (("checklist: [S-SQLI]", "checklist: [S-SQLI, 7]"), "rule.yaml:10: `checklist.1`: Expected `str`"),
        (("id: SEC901", "id: sec-1"), "rule.yaml:1: `sec-1` is no rule id"),
        (("name: example-rule", "name: Example"), "`Example` is no rule name"),
        (("name: example-rule", "name: [oops"), "is not valid YAML"),
        (("name: example-rule", "id: SEC902"), "rule.yaml:2: is not valid YAML: the key `id` occurs twice"),
        (("summary: Something is wrong\n", ""), "missing required field `summary`"),
        (("engine: semgrep", "engine: project"), "rule.yaml:4: the `project` engine needs a check.py beside it"),
        (("id: SEC901", "id: !!python/object/apply:os.getcwd []"), "is not valid YAML"),
    ],
)  # fmt: skip
def test_a_bad_manifest_is_told_with_file_and_line(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    manifest = make(tmp_path / "rule", MANIFEST.replace(*change))
    with pytest.raises(RuleError) as error:
        load_rule(manifest)
    assert str(manifest) in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize("text", ["", "- 1\n", "7\n"])
def test_a_manifest_is_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(RuleError, match="a rule is a mapping"):
        load_rule(make(tmp_path / "rule", text))


def test_a_manifest_in_another_encoding(tmp_path: Path) -> None:
    manifest = make(tmp_path / "rule")
    manifest.write_bytes("id: SÄC901".encode("latin-1"))
    with pytest.raises(RuleError, match="is not UTF-8"):
        load_rule(manifest)


def test_two_rules_may_not_share_an_id(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    with pytest.raises(RuleError, match="`SEC901` is already the rule in"):
        load_rules([tmp_path])


def test_python_of_a_scanned_project_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "mine" / "a", MANIFEST.replace("engine: semgrep", "engine: cst"), "check.py")
    with pytest.raises(RuleError, match="--rules"):
        load_rules([], data_only=[tmp_path / "mine"])
    assert len(load_rules([tmp_path / "mine"])) == 1


def test_python_beside_the_patterns_of_a_scanned_project_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "mine" / "a")
    assert len(load_rules([], data_only=[tmp_path / "mine"])) == 1
    (tmp_path / "mine" / "a" / "check.py").write_text("raise SystemExit\n", encoding="utf-8")
    with pytest.raises(RuleError, match="--rules"):
        load_rules([], data_only=[tmp_path / "mine"])


def test_a_folder_named_by_the_user_is_trusted_though_it_is_the_projects(tmp_path: Path) -> None:
    make(tmp_path / "mine" / "a", MANIFEST.replace("engine: semgrep", "engine: cst"), "check.py")
    assert len(load_rules([tmp_path / "mine"], data_only=[tmp_path / "mine"])) == 1


def test_bare_yaml_is_read_by_who_knows_it(tmp_path: Path) -> None:
    make(tmp_path / "rule")
    (tmp_path / "loose.yaml").write_text("rules: []\n", encoding="utf-8")
    asked: list[Path] = []

    def bare(path: Path) -> list[object]:
        asked.append(path)
        return []

    load_rules([tmp_path], bare=bare)  # type: ignore[arg-type]
    assert asked == [tmp_path / "loose.yaml"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path / "outside" / "a")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    assert len(load_rules([tmp_path / "pack"])) == 0
    (tmp_path / "project" / ".backendlint").mkdir(parents=True)
    (tmp_path / "project" / ".backendlint" / "rules").symlink_to(tmp_path / "outside", target_is_directory=True)
    assert project_folder(tmp_path / "project") is None


def test_pack_hash_changes_with_the_pack(tmp_path: Path) -> None:
    manifest = make(tmp_path / "a")
    first = pack_hash([tmp_path])
    assert pack_hash([tmp_path]) == first
    manifest.write_text(MANIFEST + "\n", encoding="utf-8")
    second = pack_hash([tmp_path])
    assert second != first
    os.utime(manifest, ns=(1, 1))
    assert pack_hash([tmp_path]) not in (first, second)
    assert pack_hash([tmp_path / "absent"]) != first


def test_the_checkouts_rules_come_first() -> None:
    checkout = Path(__file__).parents[2] / "rules"
    assert builtin_folder() == checkout
