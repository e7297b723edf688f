from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from backendlint.errors import BaselineError
from backendlint.findings import baseline
from backendlint.findings.baseline import Baseline, Entry

TEXT = "def pay():\n    get()\n    get()\n"


def test_what_was_written_is_not_reported_again(kit: SimpleNamespace, tmp_path: Path) -> None:
    hits = [("REL101", kit.hit("a.py", 2, message="é <x>")), ("SEC101", kit.hit("a.py", 3))]
    path = tmp_path / "baseline.json"
    assert baseline.write(path, kit.run(hits, {"a.py": TEXT}).all_findings) == 2

    moved = "import os\n\n\n" + TEXT
    later = [("REL101", kit.hit("a.py", 5)), ("SEC101", kit.hit("a.py", 6)), ("REL103", kit.hit("a.py", 6))]
    found = kit.run(later, {"a.py": moved}, baseline=baseline.load(path))
    assert [item.rule_id for item in found.findings] == ["REL103"]
    assert (found.baselined, found.stale_baseline) == (2, 0)


def test_the_file_is_readable_and_stable(kit: SimpleNamespace, tmp_path: Path) -> None:
    hits = [("REL101", kit.hit("b.py", 1, message="é")), ("REL101", kit.hit("a.py", 2))]
    found = kit.run(hits, {"a.py": TEXT, "b.py": TEXT}).all_findings
    baseline.write(tmp_path / "1.json", found)
    baseline.write(tmp_path / "2.json", reversed(found))
    text = (tmp_path / "1.json").read_text(encoding="utf-8")
    assert text == (tmp_path / "2.json").read_text(encoding="utf-8")
    rows = json.loads(text)["findings"]
    assert [(row["path"], row["rule"], row["message"]) for row in rows] == [
        ("a.py", "REL101", "`x` can hang"),
        ("b.py", "REL101", "é"),
    ]


def test_one_more_equal_finding_is_new(kit: SimpleNamespace) -> None:
    one = [("REL101", kit.hit("a.py", 2))]
    two = [*one, ("REL101", kit.hit("a.py", 3))]
    known = Baseline.of(kit.run(one, {"a.py": TEXT}).all_findings)
    found = kit.run(two, {"a.py": TEXT}, baseline=known)
    assert (len(found.findings), found.baselined) == (1, 1)


def test_counts_are_used_up_and_what_is_left_is_told(kit: SimpleNamespace) -> None:
    matcher = Baseline((Entry("f", "REL101", "a.py", "m", 2), Entry("g", "REL101", "a.py", "m"))).matcher()
    assert [matcher.take("f") for _ in range(3)] == [True, True, False]
    assert matcher.stale() == 1


def test_baselined_findings_can_be_shown(kit: SimpleNamespace) -> None:
    hits = [("REL101", kit.hit("a.py", 2))]
    known = Baseline.of(kit.run(hits, {"a.py": TEXT}).all_findings)
    found = kit.run(hits, {"a.py": TEXT}, baseline=known, show_suppressed=True)
    assert [item.suppressed for item in found.findings] == ["in the baseline"]
    assert len(found.all_findings) == 1


ROW = '{"fingerprint": "a", "rule": "REL101"}'


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "not JSON"),
        ('{"version": 1,\n "findings": [,]}', 2, "not JSON"),
        ("[]", 1, '"version": 1'),
        ('{"version": 1, "findings": {}}', 1, '"findings"'),
        ('{"version": 2, "findings": []}', 1, "version 2"),
        (f'{{"version": 1, "findings": [\n{ROW},\n{{"rule": "[findings]"}}]}}', 3, '"fingerprint"'),
        (f'{{"version": 1, "findings": [\n{ROW},\n\n{{"fingerprint": "b", "line": 3}}]}}', 4, "'line'; allowed"),
        ('{"version": 1, "findings": [\n7]}', 2, "an object with the keys"),
        ('{"version": 1, "findings": [{"fingerprint": "a", "count": 0}]}', 1, '"count"'),
        ('{"version": 1, "findings": [{"fingerprint": "a", "path": 3}]}', 1, '"path"'),
        ("[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError) as error:
        baseline.load(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert told in str(error.value)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.json", tmp_path, binary):
        with pytest.raises(BaselineError, match=path.name):
            baseline.load(path)
    with pytest.raises(BaselineError, match="cannot write"):
        baseline.write(tmp_path / "no folder" / "baseline.json", [])
