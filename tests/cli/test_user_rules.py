"""semgrep rules of the scanned project's own, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backendlint.cli import run

BARE = """\
rules:
  - id: no-legacy-client
    languages: [python]
    severity: ERROR
    message: "`legacy.$F` is called; call the new client."
    pattern: legacy.$F(...)
    metadata:
      pillar: reliability
"""
MANIFEST = """\
id: TEAM1
name: no-old-table
pillar: performance
engine: semgrep
severity: note
confidence: high
profile: default
summary: The old table is read
help: Read the new one.
checklist: [P-QUERY]
"""
PATTERNS = """\
rules:
  - id: TEAM1
    languages: [python]
    severity: INFO
    message: "`read_old()` is called; call `read_new()`."
    pattern: read_old(...)
"""


def test_bare_and_described_rules_are_ranked_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".backendlint" / "rules"
    (folder / "old").mkdir(parents=True)
    (folder / "team.yaml").write_text(BARE, encoding="utf-8")
    (folder / "old" / "rule.yaml").write_text(MANIFEST, encoding="utf-8")
    (folder / "old" / "semgrep.yaml").write_text(PATTERNS, encoding="utf-8")
    (tmp_path / "app.py").write_text("import legacy\n\nread_old()\nlegacy.send(1)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    select = ["--select", "TEAM1", "--select", "no-legacy-client"]
    assert run(["scan", *select, "--format", "json", "--no-cache"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(item["pillar"], item["location"]["line"]) for item in found] == [("reliability", 4), ("performance", 3)]
    assert found[0]["message"] == "`legacy.send` is called; call the new client."
    assert [item["severity"] for item in found] == ["error", "note"]
    assert run(["rules", "--format", "json"]) == 0
    mine = [row for row in json.loads(capsys.readouterr().out) if row["origin"] == "user"]
    assert {row["name"] for row in mine} == {"no-legacy-client", "no-old-table"}
